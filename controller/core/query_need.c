/* What a push would need, before it is requested. The controller's word only: clients that sign compute it
 * themselves from their own policy (controller/cli/plan.c). */
#include "controller/core/actions.h"
#include "controller/core/evaluate.h"
#include "controller/core/overrides.h"
#include "controller/core/query_rows.h"
#include "controller/core/targets.h"
#include "shared/trust/need.h"

static int load_policy(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                       struct cs_policy **ret, struct cs_err *err)
{
    const countersign_v1_GetPolicyRequest newest = countersign_v1_GetPolicyRequest_init_zero;
    cs_auto_free countersign_v1_GetPolicyResponse *reply = calloc(1, sizeof *reply);
    int rc = reply ? ctl_query_GetPolicy(view, presence, now_s, &newest, reply, err) : cs_err_nomem(err);

    return rc == CS_OK ? cs_policy_open_stored(CTL_BYTES(reply->envelope), ret, err) : rc;
}

struct adding {
    struct cs_needs *needs;
    const struct cs_cert_info *leaf;
};

static int on_target(void *data, const char *device_name, const char *connector, struct cs_err *err)
{
    const struct adding *adding = data;

    (void)err;
    cs_needs_add(adding->needs, device_name, connector, adding->leaf);
    return CS_OK;
}

/* Every attachment that is asked for, as PreparePush would take them; of a removal also those where nothing
 * is to be removed. `leaf` NULL: a removal. */
static int add_orders(struct ctl_view *view, const countersign_v1_ExplainPushRequest *request,
                      const struct cs_cert_info *leaf, struct cs_needs *needs, struct cs_err *err)
{
    const struct ctl_targets targets = {
        .certificate_id = CTL_BYTES(request->certificate_id),
        .named = request->targets,
        .named_count = request->targets_count,
        .groups = request->groups,
        .group_count = request->groups_count,
    };
    struct adding adding = {needs, leaf};

    return ctl_targets_walk(view, &targets, on_target, &adding, err);
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
    const countersign_v1_Action action = ctl_action_of(request->action);
    ctl_certificate_row certificate;
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
    rc = add_orders(view, request, action == countersign_v1_Action_ACTION_REMOVE ? NULL : leaf, needs, err);
    if (rc != CS_OK)
        return rc;
    cs_needs_sort(needs);
    reply->policy_version = cs_policy_version(policy);
    reply->overrides_count = ctl_overrides_needed(&certificate, action, now_s, reply->overrides);
    for (size_t i = 0; i < needs->count; i++)
        show_need(&needs->list[i], policy, request->requester, &reply->needs[reply->needs_count++]);
    return CS_OK;
}
