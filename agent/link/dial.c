#include "agent/link/dial.h"

/* Certificates are not dated by a clock that is known to be wrong. */
static bool clock_is_wrong(const struct ag_device *device)
{
    struct ag_port *port = device->store.port;

    return port->clock_s(port) < device->state.time_floor_s;
}

/* What the controller's certificate must lead to: the policy's agent CAs, before it the enrolment token's. */
static int load_anchors(const struct ag_device *device, struct cs_chain **ret, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    cs_auto(cs_buf_free) struct cs_buf ders = CS_BUF_EMPTY;

    if (device->state.policy_version == 0)
        return cs_chain_parse(cs_buf_slice(&device->identity.agent_ca), ret, err);
    int code = ag_store_load_policy(&device->store, device->state.policy_version, &policy, err);

    if (code)
        return code;
    const countersign_v1_TrustPolicy *body = cs_policy_body(policy);

    for (size_t i = 0; i < body->agent_cas_count; i++) {
        if (cs_buf_append(&ders, CS_PB_BYTES(&body->agent_cas[i])) != CS_OK)
            return cs_err_nomem(err);
    }
    if (ders.len == 0)
        return cs_chain_parse(cs_buf_slice(&device->identity.agent_ca), ret, err);
    return cs_chain_parse(cs_buf_slice(&ders), ret, err);
}

int ag_dial_tls(const struct ag_device *device, bool with_identity, struct cs_tls_config **ret,
                struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *anchors = NULL;
    cs_auto(cs_chain_freep) struct cs_chain *certificate = NULL;
    int code = load_anchors(device, &anchors, err);

    if (!code && with_identity)
        code = cs_chain_parse(cs_buf_slice(&device->identity.certificate), &certificate, err);
    if (code)
        return code;
    const struct cs_tls_options options = {
        .certificate = certificate,
        .key = with_identity ? device->keys.identity : NULL,
        .anchors = anchors,
        .ignore_peer_expiry = clock_is_wrong(device),
        .alpn = "h2",
    };

    return cs_tls_config_new(&options, ret, err);
}
