#include "controller/access.h"

#include "shared/base/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    uint32_t bit;
    const char *word;
} roles[] = {
    {CTL_MAY(REQUESTER), "requester"}, {CTL_MAY(APPROVER), "approver"}, {CTL_MAY(IMPLEMENTER), "implementer"},
    {CTL_MAY(ADMIN), "admin"},         {CTL_MAY(AUDITOR), "auditor"},
};

bool ctl_access_is_administrator(uint32_t own_uid, uint32_t peer_uid)
{
    return peer_uid == 0 || (peer_uid == own_uid && own_uid != UINT32_MAX);
}

static int refuse_other(const struct ctl_local *local, struct cs_err *err)
{
    unsigned uid = local->peer_uid;

    if (local->peer_uid == UINT32_MAX)
        return cs_err_set(err, CS_EDENIED, "the system does not say which user calls");
    if (ctl_uids_count(local->uids, local->peer_uid) == 0)
        return cs_err_set(err, CS_EDENIED,
                          "user %u is no operator here: write `operators = NAME` under [uid \"%u\"] into "
                          "countersignd's configuration and restart it",
                          uid, uid);
    return cs_err_set(err, CS_EDENIED,
                      "user %u may not call as %.63s: add the name to `operators` under [uid \"%u\"] in "
                      "countersignd's configuration and restart it",
                      uid, local->named, uid);
}

static int only_one(const struct ctl_local *local, struct ctl_caller *ret, struct cs_err *err)
{
    const char *first = ctl_uids_operator(local->uids, local->peer_uid, 0);
    const char *second = ctl_uids_operator(local->uids, local->peer_uid, 1);

    if (!first)
        return refuse_other(local, err);
    if (second)
        return cs_err_set(err, CS_EDENIED,
                          "user %u may be %s or %s: say who calls (countersign --as NAME; metadata "
                          "countersign-operator)",
                          (unsigned)local->peer_uid, first, second);
    *ret = (struct ctl_caller){.is_administrator = false};
    snprintf(ret->operator, sizeof ret->operator, "%s", first);
    return CS_OK;
}

int ctl_access_local(const struct ctl_local *local, const countersign_v1_TrustPolicy *policy,
                     struct ctl_caller *ret, struct cs_err *err)
{
    bool is_administrator = ctl_access_is_administrator(local->own_uid, local->peer_uid);
    bool is_named = local->named && *local->named;

    if (is_named && cs_name_check(cs_slice_str(local->named), "the operator who calls", err) != CS_OK)
        return CS_EINVAL;
    /* Before the first policy nobody is an operator, and somebody has to publish it. */
    if (is_administrator && (!is_named || !policy)) {
        *ret = (struct ctl_caller){.is_administrator = true};
        return CS_OK;
    }
    if (!is_named)
        return only_one(local, ret, err);
    if (!is_administrator && !ctl_uids_allow(local->uids, local->peer_uid, local->named))
        return refuse_other(local, err);
    *ret = (struct ctl_caller){.is_administrator = false};
    snprintf(ret->operator, sizeof ret->operator, "%s", local->named);
    return CS_OK;
}

uint32_t ctl_access_roles(const countersign_v1_TrustPolicy *policy, const countersign_v1_Operator *who)
{
    uint32_t bits = 0;

    for (unsigned role = _countersign_v1_Role_MIN + 1; role <= _countersign_v1_Role_MAX; role++)
        if (cs_operator_has_role(policy, who, (countersign_v1_Role)role))
            bits |= 1u << role;
    return bits;
}

bool ctl_access_has_role(const struct ctl_caller *caller, const countersign_v1_TrustPolicy *policy,
                         countersign_v1_Role role)
{
    const countersign_v1_Operator *who = policy ? cs_operators_find(policy, caller->operator) : NULL;

    return caller->is_administrator || (who && cs_operator_has_role(policy, who, role));
}

static uint32_t roles_of_stages(const countersign_v1_TrustPolicy *policy)
{
    uint32_t bits = 0;

    for (pb_size_t i = 0; i < policy->rules_count; i++)
        for (pb_size_t k = 0; k < policy->rules[i].stages_count; k++)
            bits |= 1u << policy->rules[i].stages[k].role;
    return bits;
}

/* "approver or implementer"; "no role". */
static const char *words(uint32_t bits, const char *between, char *out, size_t room)
{
    size_t used = 0;

    snprintf(out, room, "no role");
    for (size_t i = 0; i < CS_ARRAY_LEN(roles) && used < room; i++)
        if (bits & roles[i].bit)
            used += (size_t)snprintf(out + used, room - used, "%s%s", used ? between : "", roles[i].word);
    return out;
}

int ctl_access_check(const struct ctl_caller *caller, const countersign_v1_TrustPolicy *policy,
                     const char *method, uint32_t may, struct cs_err *err)
{
    const countersign_v1_Operator *who;
    char wanted[64], has[64];
    uint32_t bits;

    if (may & CTL_MAY_STRANGERS || caller->is_administrator)
        return CS_OK;
    if (!policy)
        return cs_err_set(err, CS_EDENIED,
                          "there is no trust policy yet, so nobody is an operator: root, or the user that "
                          "countersignd runs as, publishes the first");
    who = cs_operators_find(policy, caller->operator);
    if (!who)
        return cs_err_set(err, CS_EDENIED, "%s is no operator in trust policy version %u",
                          caller->operator,(unsigned) policy->version);
    if (may & CTL_MAY_DECIDERS)
        may |= roles_of_stages(policy);
    bits = ctl_access_roles(policy, who);
    if (bits & may || may & CTL_MAY_OPERATORS)
        return CS_OK;
    return cs_err_set(err, CS_EDENIED, "%s takes the role %s; %s has %s in trust policy version %u", method,
                      words(may, " or ", wanted, sizeof wanted), who->name,
                      words(bits, ", ", has, sizeof has), (unsigned)policy->version);
}
