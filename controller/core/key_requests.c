#include "controller/core/key_requests.h"

#include <stdio.h>

#define STATE(name) countersign_v1_KeyRequestState_KEY_REQUEST_STATE_##name

static struct ctl_key waiting_key(struct cs_slice device_id, struct cs_slice digest)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE_KEY_REQUEST, device_id);

    ctl_key_add_bytes(&key, digest);
    return key;
}

static int request_load(struct ctl_run *run, struct cs_slice id, ctl_key_request_row *ret)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, id);

    return ctl_get(run->view, &key, KeyRequest, ret, run->err);
}

static int request_store(struct ctl_run *run, const ctl_key_request_row *request)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, CTL_BYTES(request->key_request_id));

    return ctl_put(run->view, &key, KeyRequest, request, run->err);
}

static void id_text(const ctl_key_request_row *request, char out[33])
{
    for (size_t i = 0; i < request->key_request_id.size; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", request->key_request_id.bytes[i]);
}

static void note(struct ctl_run *run, const ctl_key_request_row *request)
{
    char id[33] = "";

    id_text(request, id);
    ctl_run_changed(run, "", "key request %s", id);
    ctl_run_detail(run, "for %s on %s", request->connector, request->device_name);
}

/* ---- RequestKey */

/* What waits for the device; entries whose answer cannot be under way any more are dropped on the way. */
static int count_waiting(struct ctl_run *run, struct cs_slice device_id, unsigned *ret)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_DEVICE_KEY_REQUEST, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_key_request_row request;
    int rc;

    *ret = 0;
    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = request_load(run, walk.value, &request);
        if (rc == CS_OK && request.expires_at_s + CTL_KEY_ANSWER_S <= run->now_s)
            rc = ctl_view_delete(run->view, walk.key, run->err);
        if (rc != CS_OK)
            return rc;
        *ret += request.expires_at_s > run->now_s;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int check_times(struct ctl_run *run, const countersign_v1_KeyRequest *request)
{
    if (request->requested_at_s > run->now_s + CTL_CLOCK_SKEW_S)
        return cs_err_set(run->err, CS_EINVAL, "the key request is from the future: set the client's clock");
    if (request->expires_at_s <= run->now_s)
        return cs_err_set(run->err, CS_EINVAL, "the key request has expired already");
    if (request->expires_at_s - request->requested_at_s > CTL_KEY_REQUEST_MOST_S)
        return cs_err_set(run->err, CS_EINVAL, "a key request has to expire within %d days",
                          CTL_KEY_REQUEST_MOST_S / (24 * 60 * 60));
    return CS_OK;
}

static int check_place(struct ctl_run *run, const countersign_v1_KeyRequest *request, ctl_device_row *ret)
{
    ctl_connector_row connector;
    unsigned waiting;
    int rc = ctl_device_load(run, CTL_BYTES(request->device_id), ret);

    if (rc != CS_OK)
        return rc;
    if (!ret->admitted)
        return cs_err_set(run->err, CS_ESTATE, "device %s is not admitted yet", ret->name);
    rc = ctl_device_check_open(run, ret);
    if (rc != CS_OK)
        return rc;
    rc = ctl_connector_load(run, CTL_BYTES(request->device_id), request->connector, &connector);
    if (rc == CS_ENOTFOUND || (rc == CS_OK && !connector.declared))
        return cs_err_set(run->err, CS_ENOTFOUND, "device %s does not advertise an app connector %s",
                          ret->name, request->connector);
    if (rc == CS_OK)
        rc = count_waiting(run, CTL_BYTES(request->device_id), &waiting);
    if (rc == CS_OK && waiting >= CTL_KEY_REQUESTS)
        return cs_err_set(run->err, CS_EFULL,
                          "%u key requests wait for an answer of device %s already: is its agent running?",
                          waiting, ret->name);
    return rc;
}

static int store_new(struct ctl_run *run, const struct ctl_request_key *body, const ctl_device_row *device,
                     ctl_key_request_row *row)
{
    const countersign_v1_KeyRequest *request = body->request;
    struct ctl_key envelope =
        ctl_key_bytes(CTL_TABLE_KEY_REQUEST_ENVELOPE, CTL_BYTES(request->key_request_id));
    struct ctl_key waiting = waiting_key(CTL_BYTES(request->device_id), cs_digest_slice(&body->digest));
    int rc;

    *row = (ctl_key_request_row)countersign_store_v1_KeyRequest_init_zero;
    CTL_BYTES_COPY(row->key_request_id, request->key_request_id);
    CTL_BYTES_SET(row->digest, cs_digest_slice(&body->digest));
    CTL_TEXT_SET(row->device_name, device->name);
    CTL_BYTES_COPY(row->device_id, request->device_id);
    CTL_TEXT_SET(row->connector, request->connector);
    CTL_TEXT_SET(row->common_name, request->common_name);
    CTL_TEXT_SET(row->requester, request->requester);
    row->requested_at_s = request->requested_at_s;
    row->expires_at_s = request->expires_at_s;
    row->state = STATE(WAITING);
    rc = request_store(run, row);
    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &envelope, body->envelope, run->err);
    return rc == CS_OK ? ctl_bytes_put(run->view, &waiting, CTL_BYTES(request->key_request_id), run->err)
                       : rc;
}

int ctl_request_key_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_request_key *ask = body;
    const countersign_v1_KeyRequest *request = ask->request;
    struct ctl_effect effect = {.kind = CTL_EFFECT_KEY_REQUEST};
    ctl_key_request_row row;
    ctl_device_row device;
    int rc = request_load(run, CTL_BYTES(request->key_request_id), &row);

    (void)reply;
    /* A client that did not hear our answer sends the same again. */
    if (rc == CS_OK)
        return cs_slice_eq(CTL_BYTES(row.digest), cs_digest_slice(&ask->digest))
                   ? CS_OK
                   : cs_err_set(run->err, CS_EEXISTS, "another key request has this id");
    if (rc != CS_ENOTFOUND)
        return rc;
    rc = ctl_run_check_policy(run, ask->policy_version);
    if (rc == CS_OK && !cs_slice_eq(CTL_BYTES(request->deployment_id), CTL_BYTES(run->meta.deployment_id)))
        return cs_err_set(run->err, CS_EINVAL, "the key request is for another deployment");
    if (rc == CS_OK)
        rc = check_times(run, request);
    if (rc == CS_OK)
        rc = check_place(run, request, &device);
    if (rc == CS_OK)
        rc = store_new(run, ask, &device, &row);
    if (rc != CS_OK)
        return rc;
    note(run, &row);
    ctl_run_detail(run, "requested by %s", row.requester);
    memcpy(effect.device_id, row.device_id.bytes, sizeof effect.device_id);
    return ctl_run_effect(run, &effect);
}

/* ---- the device's answer */

static int keep_key(struct ctl_run *run, const struct ctl_device_csr *answer, ctl_key_request_row *row)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CSR_KEY, cs_digest_slice(&answer->spki_digest));
    struct cs_slice other;
    int rc = ctl_bytes_get(run->view, &key, &other, run->err);

    if (rc == CS_OK) {
        row->state = STATE(REFUSED);
        CTL_TEXT_SET(row->reason, "the device answered with a key that it had made for another request");
        return CS_OK;
    }
    if (rc != CS_ENOTFOUND)
        return rc;
    row->state = STATE(ANSWERED);
    CTL_BYTES_SET(row->spki_digest, cs_digest_slice(&answer->spki_digest));
    return ctl_bytes_put(run->view, &key, CTL_BYTES(row->key_request_id), run->err);
}

/* What is wrong with an answer would be wrong with it for ever: it ends the request. */
static int take_answer(struct ctl_run *run, const struct ctl_device_csr *answer, ctl_key_request_row *row)
{
    const countersign_v1_DeviceCsr *csr = answer->said.statement;

    if (strcmp(csr->verdict, "ok") != 0) {
        char reason[sizeof csr->verdict + sizeof csr->detail + 2];

        row->state = STATE(REFUSED);
        (void)snprintf(reason, sizeof reason, "%s%s%s", csr->verdict, csr->detail[0] ? ": " : "",
                       csr->detail);
        CTL_TEXT_SET(row->reason, reason);
        return CS_OK;
    }
    if (!answer->holds || strcmp(csr->connector, row->connector) != 0) {
        row->state = STATE(REFUSED);
        CTL_TEXT_SET(row->reason, answer->holds ? "the device answered for another app connector"
                                                : "the device answered with a certificate request that its "
                                                  "key has not signed");
        return CS_OK;
    }
    return keep_key(run, answer, row);
}

int ctl_device_csr_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_device_csr *answer = body;
    const countersign_v1_DeviceCsr *csr = answer->said.statement;
    struct ctl_key waiting = waiting_key(CTL_BYTES(csr->device_id), CTL_BYTES(csr->key_request_digest));
    ctl_device_row device;
    ctl_key_request_row row;
    struct ctl_key key;
    struct cs_slice id;
    int rc = ctl_statement_check_sender(run, &answer->said, csr->deployment_id.bytes, csr->device_id.bytes,
                                        &device);

    (void)reply;
    if (rc != CS_OK)
        return rc;
    rc = ctl_bytes_get(run->view, &waiting, &id, run->err);
    /* Answered before and the acknowledgement lost, or none of ours. */
    if (rc == CS_ENOTFOUND)
        return ctl_statement_acknowledge(run, &answer->said, csr->sequence);
    if (rc == CS_OK)
        rc = request_load(run, id, &row);
    if (rc == CS_OK)
        rc = take_answer(run, answer, &row);
    if (rc != CS_OK)
        return rc;
    key = ctl_key_bytes(CTL_TABLE_CSR, CTL_BYTES(row.key_request_id));
    rc = ctl_bytes_put(run->view, &key, answer->said.envelope, run->err);
    if (rc == CS_OK)
        rc = request_store(run, &row);
    if (rc == CS_OK)
        rc = ctl_drop(run->view, &waiting, run->err);
    if (rc != CS_OK)
        return rc;
    note(run, &row);
    ctl_run_detail(run, "%s", row.state == STATE(ANSWERED) ? "answered" : row.reason);
    return ctl_statement_acknowledge(run, &answer->said, csr->sequence);
}

/* ---- what others do with it */

int ctl_key_request_of_key(struct ctl_run *run, struct cs_slice spki_digest, ctl_key_request_row *ret,
                           bool *ret_found)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CSR_KEY, spki_digest);
    struct cs_slice id;
    int rc = ctl_bytes_get(run->view, &key, &id, run->err);

    if (rc == CS_OK)
        rc = request_load(run, id, ret);
    *ret_found = rc == CS_OK;
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_key_request_bind(struct ctl_run *run, ctl_key_request_row *request, ctl_certificate_row *certificate)
{
    certificate->key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
    CTL_TEXT_SET(certificate->device_name, request->device_name);
    CTL_TEXT_SET(certificate->connector, request->connector);
    CTL_BYTES_COPY(certificate->device_id, request->device_id);
    request->state = STATE(IMPORTED);
    CTL_BYTES_COPY(request->certificate_id, certificate->id);
    return request_store(run, request);
}

int ctl_key_requests_end_for(struct ctl_run *run, struct cs_slice device_id, const char *reason)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_DEVICE_KEY_REQUEST, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_key_request_row request;
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = request_load(run, walk.value, &request);
        if (rc != CS_OK)
            return rc;
        request.state = STATE(REFUSED);
        CTL_TEXT_SET(request.reason, reason);
        rc = request_store(run, &request);
        if (rc == CS_OK)
            rc = ctl_view_delete(run->view, walk.key, run->err);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}
