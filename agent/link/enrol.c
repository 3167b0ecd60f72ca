#include "agent/link/enrol.h"

#include "agent/core/token.h"
#include "shared/base/text.h"
#include "shared/net/client.h"

enum { ENROL_TIMEOUT_MS = 30 * 1000 };

struct enrolling {
    uv_loop_t loop;
    struct cs_client *client;
    struct cs_slice request;
    countersign_v1_EnrolResponse response;
    bool answered;
    int code;
    struct cs_err *err;
};

/* ---- the call */

static void on_answer(struct cs_client_call *call CS_UNUSED, struct cs_slice bytes, void *data)
{
    struct enrolling *enrolling = data;

    enrolling->answered = cs_message_decode(countersign_v1_EnrolResponse_fields, bytes, &enrolling->response,
                                            "the enrolment's answer", NULL) == CS_OK;
}

static void on_call_end(struct cs_client_call *call CS_UNUSED, enum cs_status status, const char *message,
                        void *data)
{
    struct enrolling *enrolling = data;

    if (status != CS_STATUS_OK)
        enrolling->code =
            cs_err_set(enrolling->err, cs_code_from_status(status), "enrolment refused: %s (%s)",
                       message ? message : "", cs_status_name(status));
    else
        enrolling->code = enrolling->answered ? CS_OK
                                              : cs_err_set(enrolling->err, CS_EPARSE,
                                                           "the enrolment's answer does not parse");
    if (enrolling->client)
        cs_client_close(cs_steal(enrolling->client), NULL);
}

static void on_up(struct cs_client *client, void *owner)
{
    static const struct cs_client_events events = {.on_message = on_answer, .on_end = on_call_end};
    static const struct cs_client_call_options options = {
        .path = "/countersign.v1.EnrolmentService/Enrol",
        .timeout_ms = ENROL_TIMEOUT_MS,
    };
    struct enrolling *enrolling = owner;
    struct cs_client_call *call = NULL;

    enrolling->code = cs_client_call_new(client, &options, &events, enrolling, &call, enrolling->err);
    if (enrolling->code) {
        cs_client_close(cs_steal(enrolling->client), NULL);
        return;
    }
    (void)cs_client_call_send(call, enrolling->request);
    cs_client_call_half_close(call);
}

static void on_down(struct cs_client *client CS_UNUSED, const struct cs_err *why, void *owner)
{
    struct enrolling *enrolling = owner;

    if (!enrolling->client)
        return;
    enrolling->code = cs_err_set(enrolling->err, why->code ? why->code : CS_ECLOSED, "%s", why->msg);
    cs_client_close(cs_steal(enrolling->client), NULL);
}

static int call_enrol(struct enrolling *enrolling, const struct ag_config *config, struct cs_tls_config *tls)
{
    const struct cs_client_options options = {
        .host = config->enrolment.host,
        .port = config->enrolment.port,
        .tls = tls,
        .server_name = config->server_name,
        .on_up = on_up,
        .on_down = on_down,
        .owner = enrolling,
    };

    if (uv_loop_init(&enrolling->loop) != 0)
        return cs_err_nomem(enrolling->err);
    enrolling->code = cs_client_new(&enrolling->loop, &options, &enrolling->client, enrolling->err);
    uv_run(&enrolling->loop, UV_RUN_DEFAULT);
    cs_assert(uv_loop_close(&enrolling->loop) == 0);
    return enrolling->code;
}

/* ---- what is asked, and what comes of it */

static void request_free(countersign_v1_EnrolRequest **request)
{
    if (*request)
        cs_wipe(*request, sizeof **request);
    free(*request);
}

static int make_request(const countersign_v1_EnrolmentToken *token, const struct ag_keys *keys,
                        struct cs_slice device_id, struct cs_buf *out, struct cs_err *err)
{
    countersign_v1_EnrolRequest *request cs_auto(request_free) = calloc(1, sizeof *request);
    cs_auto(cs_buf_free) struct cs_buf csr = CS_BUF_EMPTY;

    if (!request)
        return cs_err_nomem(err);
    int code = cs_csr_make(keys->identity, token->device_name, &csr, err);

    if (code)
        return code;
    struct cs_digest mac =
        ag_token_binding_mac(token, device_id, cs_key_spki(keys->identity), cs_key_spki(keys->kem));

    CS_PB_SET(&request->authentication, CS_PB_BYTES(&token->authentication));
    memcpy(request->device_name, token->device_name, sizeof request->device_name);
    CS_PB_SET(&request->device_id, device_id);
    CS_PB_SET(&request->csr, cs_buf_slice(&csr));
    CS_PB_SET(&request->kem_spki, cs_key_spki(keys->kem));
    CS_PB_SET(&request->binding_mac, cs_digest_slice(&mac));
    return cs_message_encode(countersign_v1_EnrolRequest_fields, request, out, err);
}

/* The certificate is for our key, or it is of no use. */
static int check_certificate(struct cs_slice der, const struct ag_keys *keys, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int code = cs_chain_parse(der, &chain, err);

    if (!code && !cs_slice_eq(cs_chain_leaf_spki(chain), cs_key_spki(keys->identity)))
        code = cs_err_set(err, CS_EAUTH, "the certificate that came is for another key");
    return code;
}

static int keep(const struct ag_store *store, const countersign_v1_EnrolmentToken *token,
                struct cs_slice certificate, const uint8_t device_id[16], struct ag_identity *ret,
                struct cs_err *err)
{
    struct ag_identity identity = {.pin.least_version = token->policy_version};
    struct ag_state state;

    memcpy(identity.device_id, device_id, sizeof identity.device_id);
    memcpy(identity.device_name, token->device_name, sizeof identity.device_name);
    memcpy(identity.pin.deployment_id, token->deployment_id.bytes, sizeof identity.pin.deployment_id);
    memcpy(identity.pin.roots_digest.bytes, token->roots_digest.bytes,
           sizeof identity.pin.roots_digest.bytes);
    int code = cs_buf_append(&identity.agent_ca, CS_PB_BYTES(&token->agent_ca)) == CS_OK &&
                       cs_buf_append(&identity.certificate, certificate) == CS_OK
                   ? CS_OK
                   : cs_err_nomem(err);

    ag_state_init(&state, cs_slice(device_id, 16));
    if (!code)
        code = ag_store_save_state(store, &state, err);
    if (!code)
        code = ag_store_save_identity(store, &identity, err);
    ag_state_free(&state);
    if (code)
        ag_identity_free(&identity);
    else
        *ret = identity;
    return code;
}

static int make_tls(const countersign_v1_EnrolmentToken *token, struct ag_port *port,
                    struct cs_tls_config **ret, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *anchor = NULL;
    int code = cs_chain_parse(CS_PB_BYTES(&token->agent_ca), &anchor, err);

    if (code)
        return cs_err_prefix(err, "the token's agent CA");
    const struct cs_tls_options options = {
        .anchors = anchor,
        .ignore_peer_expiry = port->clock_s(port) < AG_BUILD_TIME_S,
        .alpn = "h2",
    };

    return cs_tls_config_new(&options, ret, err);
}

static int enrol_with(const struct ag_store *store, const struct ag_config *config,
                      const countersign_v1_EnrolmentToken *token, const struct ag_keys *keys,
                      const uint8_t device_id[16], struct ag_identity *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf request = CS_BUF_EMPTY;
    cs_auto_free struct enrolling *enrolling = calloc(1, sizeof *enrolling);
    struct cs_tls_config *tls = NULL;

    if (!enrolling)
        return cs_err_nomem(err);
    int code = make_request(token, keys, cs_slice(device_id, 16), &request, err);

    if (!code)
        code = make_tls(token, store->port, &tls, err);
    if (code)
        return code;
    enrolling->request = cs_buf_slice(&request);
    enrolling->err = err;
    code = call_enrol(enrolling, config, tls);
    cs_tls_config_free(tls);
    struct cs_slice certificate = CS_PB_BYTES(&enrolling->response.certificate);

    if (!code)
        code = check_certificate(certificate, keys, err);
    return code ? code : keep(store, token, certificate, device_id, ret, err);
}

int ag_enrol(const struct ag_store *store, const struct ag_config *config, struct cs_slice token_text,
             struct ag_identity *ret, struct cs_err *err)
{
    struct ag_identity already;
    countersign_v1_EnrolmentToken *token = NULL;
    struct ag_keys keys = {0};
    uint8_t device_id[16];

    if (config->enrolment.port == 0)
        return cs_err_set(err, CS_EINVAL,
                          "the configuration names no enrolment listener: enrolment = HOST:PORT");
    int code = ag_token_parse(token_text, &token, err);

    if (!code)
        code = ag_store_prepare(store, err);
    if (!code && ag_store_load_identity(store, &already, NULL) == CS_OK) {
        code = cs_err_set(
            err, CS_EEXISTS,
            "this device is enrolled already as \"%s\"; to enrol it anew, use another state folder",
            already.device_name);
        ag_identity_free(&already);
    }
    if (!code)
        code = ag_store_make_keys(store, &keys, device_id, err);
    if (!code)
        code = enrol_with(store, config, token, &keys, device_id, ret, err);
    ag_keys_free(&keys);
    if (token)
        cs_wipe(token, sizeof *token);
    free(token);
    return code;
}
