/* What a push would need, before it is requested. The controller's word only: clients that sign compute it
 * themselves from their own policy (controller/cli/plan.c). */
#include "controller/core/evaluate.h"
#include "controller/core/overrides.h"
#include "controller/core/query_rows.h"
#include "shared/trust/need.h"

static int load_policy(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                       struct cs_policy **ret, struct cs_err *err)
{
    const countersign_v1_GetPolicyRequest newest = countersign_v1_GetPolicyRequest_init_zero;
    cs_auto_free countersign_v1_GetPolicyResponse *reply = calloc(1, sizeof *reply);
    int rc = reply ? ctl_query_GetPolicy(view, presence, now_s, &newest, reply, err) : cs_err_nomem(err);

    return rc == CS_OK ? cs_policy_open_stored(CTL_BYTES(reply->envelope), ret, err) : rc;
}

static bool is_target(const countersign_v1_ExplainPushRequest *request, const ctl_attachment_row *attachment)
{
    for (pb_size_t i = 0; i < request->targets_count; i++)
        if (strcmp(request->targets[i].device_name, attachment->device_name) == 0 &&
            strcmp(request->targets[i].connector, attachment->connector) == 0)
            return true;
    return false;
}

/* CS_OK with *ret_in, whatever groups the device is in. */
static int is_in_groups(struct ctl_view *view, const countersign_v1_ExplainPushRequest *request,
                        const char *device_name, bool *ret_in, struct cs_err *err)
{
    *ret_in = false;
    for (pb_size_t i = 0; i < request->groups_count && !*ret_in; i++) {
        struct ctl_key key = ctl_key_name(CTL_TABLE_DEVICE_GROUP, request->groups[i]);
        struct cs_slice there;
        int rc;

        ctl_key_add_name(&key, device_name);
        rc = ctl_bytes_get(view, &key, &there, err);
        if (rc != CS_OK && rc != CS_ENOTFOUND)
            return rc;
        *ret_in = rc == CS_OK;
    }
    return CS_OK;
}

/* Every attachment that is asked for, as PreparePush would take them. */
static int add_orders(struct ctl_view *view, const countersign_v1_ExplainPushRequest *request,
                      const struct cs_cert_info *leaf, struct cs_needs *needs, uint32_t *ret_targets,
                      struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, CTL_BYTES(request->certificate_id));
    struct ctl_walk walk = ctl_walk(&prefix);
    const bool all = request->targets_count == 0 && request->groups_count == 0;
    int rc;

    *ret_targets = 0;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_attachment_row attachment;
        bool wanted, named;

        rc = ctl_decode(walk.value, Attachment, &attachment, err);
        if (rc != CS_OK)
            return rc;
        wanted = named = is_target(request, &attachment);
        if (!all && !named)
            rc = is_in_groups(view, request, attachment.device_name, &wanted, err);
        if (rc != CS_OK)
            return rc;
        *ret_targets += named;
        if (all || wanted)
            cs_needs_add(needs, attachment.device_name, attachment.connector, leaf);
    }
    return ctl_walked(rc);
}

static void show_stage(const struct cs_need *need, const struct cs_policy *policy, pb_size_t stage,
                       const char *requester, countersign_v1_StageNeed *ret)
{
    const countersign_v1_Stage *of = &need->rule->stages[stage];
    const countersign_v1_Operator *who;
    size_t next = 0;

    CTL_TEXT_SET(ret->name, of->name);
    ret->role = of->role;
    ret->required = of->required;
    while ((who = cs_need_person(need, policy, stage, requester, next, &next)) != NULL) {
        ret->more_people = ret->people_count == CS_ARRAY_LEN(ret->people);
        if (ret->more_people)
            return;
        CTL_TEXT_SET(ret->people[ret->people_count], who->name);
        ret->people_count++;
    }
}

static void show_need(const struct cs_need *need, const struct cs_policy *policy, const char *requester,
                      countersign_v1_PushNeed *ret)
{
    CTL_TEXT_SET(ret->rule, need->rule->name);
    ret->orders = (uint32_t)need->orders;
    ret->has_example = true;
    CTL_TEXT_SET(ret->example.device_name, need->device_name);
    CTL_TEXT_SET(ret->example.connector, need->connector);
    ret->browser_may_finish = need->rule->browser_may_finish;
    ret->stages_count = need->rule->stages_count;
    for (pb_size_t i = 0; i < ret->stages_count; i++)
        show_stage(need, policy, i, requester, &ret->stages[i]);
}

int ctl_query_ExplainPush(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                          const countersign_v1_ExplainPushRequest *request,
                          countersign_v1_ExplainPushResponse *reply, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    cs_auto_free struct cs_cert_info *leaf = calloc(1, sizeof *leaf);
    cs_auto_free struct cs_needs *needs = calloc(1, sizeof *needs);
    ctl_certificate_row certificate;
    uint32_t targets;
    int rc;

    if (!leaf || !needs)
        return cs_err_nomem(err);
    rc = ctl_find_certificate(view, CTL_BYTES(request->certificate_id), &certificate, err);
    if (rc == CS_OK)
        rc = load_policy(view, presence, now_s, &policy, err);
    if (rc == CS_OK)
        rc = ctl_leaf_load(view, CTL_BYTES(certificate.chain_digest), leaf, err);
    if (rc != CS_OK)
        return rc;
    *needs = cs_needs_begin(policy);
    rc = add_orders(view, request, leaf, needs, &targets, err);
    if (rc == CS_OK && targets != request->targets_count)
        rc = cs_err_set(err, CS_ESTATE,
                        "the certificate is not attached to every app connector that is named: attach it "
                        "first");
    if (rc == CS_OK && needs->count == 0)
        rc = cs_err_set(err, CS_ESTATE, "the certificate has no app connector there: attach it to one first");
    if (rc != CS_OK)
        return rc;
    cs_needs_sort(needs);
    reply->policy_version = cs_policy_version(policy);
    reply->overrides_count = ctl_overrides_needed(&certificate, now_s, reply->overrides);
    for (size_t i = 0; i < needs->count; i++)
        show_need(&needs->list[i], policy, request->requester, &reply->needs[reply->needs_count++]);
    return CS_OK;
}
