/* What people do in a crowd: import, attach, push, decide. What a shard does for them (checking signatures)
 * is done here, and timed on its own. */
#include "controller/core/evaluate.h"
#include "controller/reading.h"
#include "tests/support/crowd.h"

#include <stdio.h>
#include <time.h>

enum { SEALED_BYTES = 512 + CS_AEAD_TAG_BYTES };

static void must(int code, const struct cs_err *err, const char *doing)
{
    if (code == CS_OK)
        return;
    fprintf(stderr, "%s: %s\n", doing, err->msg);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

struct cs_digest crowd_import(struct crowd *crowd, const char *name, bool held)
{
    struct pki pki = pki_make_client(&crowd->ca, name);
    struct cs_cert_info leaf;
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    countersign_v1_ImportCertificateResponse *reply = calloc(1, sizeof *reply);
    struct ctl_import_certificate body = {
        .chain = cs_chain_bytes(pki.chain), .leaf = &leaf, .chain_count = 1};
    struct cs_err err;

    cs_assert(reply);
    cs_chain_info(pki.chain, 0, &leaf);
    must(cs_key_export_pem(pki.key, CS_SLICE_EMPTY, &pem, &err), &err, "key");
    must(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err), &err, "key");
    must(ctl_vault_hold(crowd->vault, leaf.digest.bytes, cs_buf_slice(&pkcs8), &sealed, &err), &err, "vault");
    if (held)
        body.sealed_key = cs_buf_slice(&sealed);
    crowd_run(crowd, CTL_IMPORT_CERTIFICATE, &body, reply);
    free(reply);
    pki_free(&pki);
    return leaf.digest;
}

void crowd_attach(struct crowd *crowd, const struct cs_digest *id)
{
    countersign_v1_AttachRequest *bodies = calloc(crowd->count, sizeof *bodies);

    cs_assert(bodies);
    for (size_t i = 0; i < crowd->count; i++) {
        CS_PB_SET(&bodies[i].certificate_id, cs_digest_slice(id));
        CTL_TEXT_SET(bodies[i].device_name, crowd->devices[i].name);
        CTL_TEXT_SET(bodies[i].connector, "web");
    }
    crowd_run_all(crowd, CTL_ATTACH, bodies, sizeof *bodies, crowd->count);
    free(bodies);
}

/* One command, and what it took of the core thread. */
static void run_timed(struct crowd *crowd, struct crowd_push *push, enum ctl_command_kind kind,
                      const void *body, void *reply)
{
    const uint64_t cpu_ms = crowd_thread_cpu_ms("core");
    const double start_ms = now_ms();

    crowd_run(crowd, kind, body, reply);
    push->core_ms = now_ms() - start_ms;
    push->core_cpu_ms = crowd_thread_cpu_ms("core") - cpu_ms;
}

static bool is_held(struct crowd *crowd, const struct cs_digest *id)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, cs_digest_slice(id));
    struct ctl_reading reading;
    ctl_certificate_row row;
    struct cs_err err;

    must(ctl_reading_open(crowd->store, &reading, &err), &err, "store");
    must(ctl_get(reading.view, &key, Certificate, &row, &err), &err, "certificate");
    ctl_reading_close(&reading);
    return row.key_mode == countersign_v1_KeyMode_KEY_MODE_HELD;
}

/* What a requester's client sealed, as long as that but without a meaning: nobody here opens it. */
static void put_sealed_keys(struct crowd *crowd, const struct crowd_push *push)
{
    countersign_v1_PutSealedKeysRequest *page = calloc(1, sizeof *page);
    countersign_v1_PutSealedKeysResponse reply;

    cs_assert(page);
    page->number = push->number;
    for (uint32_t i = 0; i < push->order_count; i++) {
        countersign_v1_SealedKey *key = &page->keys[page->keys_count++];

        key->enc.size = CS_POINT_BYTES;
        key->ciphertext.size = SEALED_BYTES;
        if (page->keys_count < CS_ARRAY_LEN(page->keys) && i + 1 < push->order_count)
            continue;
        crowd_run(crowd, CTL_PUT_SEALED_KEYS, page, &reply);
        page->from_index += page->keys_count;
        page->keys_count = 0;
    }
    free(page);
}

void crowd_prepare(struct crowd *crowd, const struct cs_digest *id, struct crowd_push *ret)
{
    const bool held = is_held(crowd, id);
    countersign_v1_PreparePushRequest *body = calloc(1, sizeof *body);
    countersign_v1_PreparePushResponse reply = countersign_v1_PreparePushResponse_init_zero;

    cs_assert(body);
    CS_PB_SET(&body->certificate_id, cs_digest_slice(id));
    if (!held)
        body->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    *ret = (struct crowd_push){0};
    run_timed(crowd, ret, CTL_PREPARE_PUSH, body, &reply);
    free(body);
    ret->number = reply.number;
    ret->order_count = reply.order_count;
    if (!held)
        put_sealed_keys(crowd, ret);
}

void crowd_submit(struct crowd *crowd, struct crowd_push *push)
{
    struct deployment *d = &crowd->d;
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, push->number);
    struct cs_digest no_comment = cs_sha256(CS_SLICE_EMPTY);
    countersign_v1_SubmitPushResponse reply = countersign_v1_SubmitPushResponse_init_zero;
    cs_auto(cs_push_freep) struct cs_push *opened = NULL;
    countersign_v1_PushRequest request;
    struct cs_buf wire;
    struct ctl_submit_push body;
    struct ctl_reading reading;
    ctl_reservation_row reserved;
    enum cs_push_reason reason;
    struct cs_err err;

    must(ctl_reading_open(crowd->store, &reading, &err), &err, "store");
    must(ctl_get(reading.view, &key, Reservation, &reserved, &err), &err, "reservation");
    ctl_reading_close(&reading);
    deployment_fill_request(d, &request);
    request.number = push->number;
    request.window_s = 86400;
    request.decide_by_s = request.requested_at_s + 86400;
    CTL_BYTES_COPY(request.request_id, reserved.request_id);
    CTL_BYTES_COPY(request.order_root, reserved.order_root);
    request.order_count = reserved.order_count;
    CS_PB_SET(&request.comment_digest, cs_digest_slice(&no_comment));
    wire = deployment_sign(d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields, &request,
                           request.requester);
    must(cs_push_open(d->policy, cs_buf_slice(&wire), d->now_s, &opened, &reason, &err), &err, "request");
    push->digest = cs_push_request_digest(opened);
    body = (struct ctl_submit_push){cs_buf_slice(&wire), &request, push->digest, "", 1, opened};
    run_timed(crowd, push, CTL_SUBMIT_PUSH, &body, &reply);
    push->first_order = reserved.first_order;
    cs_buf_free(&wire);
}

void crowd_decide(struct crowd *crowd, struct crowd_push *push, const char *who, uint32_t stage)
{
    struct deployment *d = &crowd->d;
    struct cs_digest no_comment = cs_sha256(CS_SLICE_EMPTY);
    countersign_v1_DecideResponse reply = countersign_v1_DecideResponse_init_zero;
    struct ctl_evaluation evaluation = {0};
    countersign_v1_Decision decision;
    struct ctl_decide body;
    struct ctl_reading reading;
    struct cs_buf wire;
    struct cs_err err;
    double start_ms;

    deployment_fill_decision(d, who, stage, &push->digest, &decision);
    CS_PB_SET(&decision.comment_digest, cs_digest_slice(&no_comment));
    if (stage == 2) {
        decision.earlier_count = 1;
        CS_PB_SET(&decision.earlier[0], cs_digest_slice(&push->decided));
    }
    wire = deployment_sign(d, CS_STATEMENT_DECISION, countersign_v1_Decision_fields, &decision, who);
    start_ms = now_ms();
    must(ctl_reading_open(crowd->store, &reading, &err), &err, "store");
    must(ctl_evaluation_load(reading.view, d->policy, push->number, d->now_s, &evaluation, &err), &err,
         "evaluation");
    must(ctl_evaluation_add(&evaluation, cs_buf_slice(&wire), &err), &err, "decision");
    ctl_reading_close(&reading);
    push->decided = cs_push_decision_digest(evaluation.push, stage - 1);
    push->shard_ms = now_ms() - start_ms;
    body = (struct ctl_decide){push->number,   cs_buf_slice(&wire), &decision, push->decided, "", 1,
                               evaluation.push};
    run_timed(crowd, push, CTL_DECIDE, &body, &reply);
    ctl_evaluation_free(&evaluation);
    cs_buf_free(&wire);
}

uint32_t crowd_cancel(struct crowd *crowd, const struct crowd_push *push)
{
    countersign_v1_CancelRequestRequest *body = calloc(1, sizeof *body);
    countersign_v1_CancelRequestResponse reply = countersign_v1_CancelRequestResponse_init_zero;

    cs_assert(body);
    body->number = push->number;
    crowd_run(crowd, CTL_CANCEL_REQUEST, body, &reply);
    free(body);
    return reply.handed_over;
}
