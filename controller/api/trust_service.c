#include "controller/api/api.h"
#include "controller/api/unary.h"

/* The first policy of a deployment is believed on its own roots' word: whoever can open the admin socket owns
 * the controller, and devices and clients believe their own pins, not us. */
static int open_first(struct cs_slice wire, struct cs_policy **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *body = NULL;
    struct cs_envelope envelope;
    struct cs_pin pin = {.least_version = 1};
    int code;

    code = cs_envelope_parse(wire, &envelope, err);
    if (code == CS_OK && envelope.kind != CS_STATEMENT_TRUST_POLICY)
        code =
            cs_err_set(err, CS_EINVAL, "this is not a trust policy but %s", cs_statement_type(envelope.kind));
    if (code == CS_OK)
        code = cs_policy_decode(envelope.payload, &body, err);
    if (code != CS_OK)
        return code;
    memcpy(pin.deployment_id, body->deployment_id.bytes, sizeof pin.deployment_id);
    pin.roots_digest = cs_roots_digest(&body->roots);
    return cs_policy_open_pinned(wire, &pin, ret, err);
}

/* A policy without our keys would take the controller's voice away: no device would take a delivery. */
static int check_names_us(const struct ctl_shard *shard, const countersign_v1_TrustPolicy *policy,
                          struct cs_err *err)
{
    struct cs_slice message_key = cs_key_spki(ctl_vault_message_key(shard->shared->vault));
    struct cs_slice agent_ca = cs_chain_der(ctl_vault_agent_ca(shard->shared->vault), 0);
    bool key_named = false, ca_named = false;

    for (size_t i = 0; i < policy->message_keys_count; i++)
        key_named |= cs_slice_eq(CS_PB_BYTES(&policy->message_keys[i]), message_key);
    for (size_t i = 0; i < policy->agent_cas_count; i++)
        ca_named |= cs_slice_eq(CS_PB_BYTES(&policy->agent_cas[i]), agent_ca);
    if (!key_named || !ca_named)
        return cs_err_set(err, CS_EINVAL,
                          "the policy does not name this controller's %s: no device would believe it; take "
                          "message key and agent CA from the controller's status",
                          key_named ? "agent CA" : "message key");
    return CS_OK;
}

static int prepare_publish(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_PublishPolicyRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    int code;

    code = op->trust ? cs_policy_open_next(wire, op->trust->policy, &op->policy, err)
                     : open_first(wire, &op->policy, err);
    if (code == CS_OK)
        code = check_names_us(op->shard, cs_policy_body(op->policy), err);
    op->body.publish_policy = (struct ctl_publish_policy){.envelope = wire, .policy = op->policy};
    op->task.command.body = &op->body.publish_policy;
    return code;
}

/* The roots' signatures are the authority; an admin brings them. */
#define SERVICE "countersign.v1.TrustService"
#define METHODS(READ, WRITE)                                                                                 \
    READ(GetPolicy, ctl_read_GetPolicy, CTL_MAY_ANYONE)                                                      \
    WRITE(PublishPolicy, CTL_PUBLISH_POLICY, prepare_publish, CTL_MAY(ADMIN))
CTL_SERVICE(ctl_trust_methods, METHODS)
