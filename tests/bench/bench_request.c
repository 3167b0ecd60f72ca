/* bench_request - one push request of very many work orders: what each step keeps the core thread busy for,
 * and how long it takes from the last decision until every message is built, signed and queued for its
 * device.
 *
 *   bench_request [--orders 10000] [--shards 2]
 *
 * The controller is whole (store with its syncs, core thread, shards, vault); the devices are calls without a
 * connection (tests/support/crowd.h): TLS and HTTP/2 are not in these figures, they are in bench_fleet's. Two
 * rounds: a certificate whose key needs no sealing at delivery (made on the device, or sealed by the
 * requester), and one whose key the controller holds and seals for each device. */
#include "controller/core/evaluate.h"
#include "controller/reading.h"
#include "tests/support/crowd.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

struct bench {
    struct crowd crowd;
    struct pki ca;
    uint64_t number; /* of the request */
    struct cs_digest digest, decided;
};

static atomic_size_t signatures;

/* Every envelope that is signed in this process goes through here: --wrap of the linker. */
int __real_cs_envelope_sign(enum cs_statement_kind kind, struct cs_slice payload,
                            const struct cs_key *const *keys, size_t key_count, struct cs_buf *out,
                            struct cs_err *err);
int __wrap_cs_envelope_sign(enum cs_statement_kind kind, struct cs_slice payload,
                            const struct cs_key *const *keys, size_t key_count, struct cs_buf *out,
                            struct cs_err *err);
int __wrap_cs_envelope_sign(enum cs_statement_kind kind, struct cs_slice payload,
                            const struct cs_key *const *keys, size_t key_count, struct cs_buf *out,
                            struct cs_err *err)
{
    if (kind == CS_STATEMENT_PUSH_BATCH)
        atomic_fetch_add(&signatures, 1);
    return __real_cs_envelope_sign(kind, payload, keys, key_count, out, err);
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void must(int code, const struct cs_err *err, const char *doing)
{
    if (code == CS_OK)
        return;
    fprintf(stderr, "bench_request: %s: %s\n", doing, err->msg);
    exit(1);
}

/* ---- what is pushed */

/* A key that the controller has no part in: what a requester who sealed it, or the device that made it,
 * leaves. */
static void forget_key(struct bench *bench, struct cs_slice id)
{
    struct ctl_key held = ctl_key_bytes(CTL_TABLE_HELD_KEY, id);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, id);
    struct ctl_write writes[2] = {{ctl_key_slice(&held), CS_SLICE_EMPTY}};
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct ctl_reading reading;
    ctl_certificate_row row;
    struct cs_err err;

    must(ctl_reading_open(bench->crowd.store, &reading, &err), &err, "store");
    must(ctl_get(reading.view, &key, Certificate, &row, &err), &err, "certificate");
    ctl_reading_close(&reading);
    row.key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
    must(cs_message_encode(countersign_store_v1_Certificate_fields, &row, &bytes, &err), &err, "certificate");
    writes[1] = (struct ctl_write){ctl_key_slice(&key), cs_buf_slice(&bytes)};
    must(ctl_store_commit(bench->crowd.store, writes, 2, &err), &err, "store");
}

static struct cs_digest import(struct bench *bench, const char *name, bool held)
{
    struct pki pki = pki_make_client(&bench->ca, name);
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
    must(ctl_vault_hold(bench->crowd.vault, leaf.digest.bytes, cs_buf_slice(&pkcs8), &sealed, &err), &err,
         "vault");
    body.sealed_key = cs_buf_slice(&sealed);
    crowd_run(&bench->crowd, CTL_IMPORT_CERTIFICATE, &body, reply);
    free(reply);
    pki_free(&pki);
    if (!held)
        forget_key(bench, cs_digest_slice(&leaf.digest));
    return leaf.digest;
}

static void attach_all(struct bench *bench, const struct cs_digest *id)
{
    countersign_v1_AttachRequest *bodies = calloc(bench->crowd.count, sizeof *bodies);

    cs_assert(bodies);
    for (size_t i = 0; i < bench->crowd.count; i++) {
        CS_PB_SET(&bodies[i].certificate_id, cs_digest_slice(id));
        CTL_TEXT_SET(bodies[i].device_name, bench->crowd.devices[i].name);
        CTL_TEXT_SET(bodies[i].connector, "web");
    }
    crowd_run_all(&bench->crowd, CTL_ATTACH, bodies, sizeof *bodies, bench->crowd.count);
    free(bodies);
}

/* ---- the people; what a shard does for them is done here, and timed on its own */

static void prepare(struct bench *bench, const struct cs_digest *id, countersign_v1_PreparePushResponse *ret)
{
    countersign_v1_PreparePushRequest *body = calloc(1, sizeof *body);
    double start_ms;

    cs_assert(body);
    CS_PB_SET(&body->certificate_id, cs_digest_slice(id));
    *ret = (countersign_v1_PreparePushResponse)countersign_v1_PreparePushResponse_init_zero;
    start_ms = now_ms();
    crowd_run(&bench->crowd, CTL_PREPARE_PUSH, body, ret);
    printf("  PreparePush of %u orders: %.0f ms\n", (unsigned)ret->order_count, now_ms() - start_ms);
    bench->number = ret->number;
    free(body);
}

static void submit(struct bench *bench, const countersign_v1_PreparePushResponse *prepared)
{
    struct deployment *d = &bench->crowd.d;
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, prepared->number);
    struct cs_digest no_comment = cs_sha256(CS_SLICE_EMPTY);
    countersign_v1_SubmitPushResponse reply = countersign_v1_SubmitPushResponse_init_zero;
    countersign_v1_PushRequest request;
    cs_auto(cs_push_freep) struct cs_push *push = NULL;
    struct cs_buf wire;
    struct ctl_submit_push body;
    struct ctl_reading reading;
    ctl_reservation_row reserved;
    enum cs_push_reason reason;
    struct cs_err err;
    double start_ms;

    must(ctl_reading_open(bench->crowd.store, &reading, &err), &err, "store");
    must(ctl_get(reading.view, &key, Reservation, &reserved, &err), &err, "reservation");
    ctl_reading_close(&reading);
    deployment_fill_request(d, &request);
    request.number = prepared->number;
    request.window_s = request.decide_by_s = 86400;
    request.decide_by_s += request.requested_at_s;
    CTL_BYTES_COPY(request.request_id, reserved.request_id);
    CTL_BYTES_COPY(request.order_root, reserved.order_root);
    request.order_count = reserved.order_count;
    CS_PB_SET(&request.comment_digest, cs_digest_slice(&no_comment));
    wire = deployment_sign(d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields, &request,
                           request.requester);
    must(cs_push_open(d->policy, cs_buf_slice(&wire), d->now_s, &push, &reason, &err), &err, "request");
    bench->digest = cs_push_request_digest(push);
    body = (struct ctl_submit_push){cs_buf_slice(&wire), &request, bench->digest, "", 1, push};
    start_ms = now_ms();
    crowd_run(&bench->crowd, CTL_SUBMIT_PUSH, &body, &reply);
    printf("  SubmitPush: %.0f ms\n", now_ms() - start_ms);
    cs_buf_free(&wire);
}

static double decide(struct bench *bench, const char *who, uint32_t stage)
{
    struct deployment *d = &bench->crowd.d;
    struct cs_digest no_comment = cs_sha256(CS_SLICE_EMPTY);
    countersign_v1_DecideResponse reply = countersign_v1_DecideResponse_init_zero;
    struct ctl_evaluation evaluation = {0};
    countersign_v1_Decision decision;
    struct ctl_decide body;
    struct ctl_reading reading;
    struct cs_buf wire;
    struct cs_err err;
    double start_ms, evaluated_ms, done_ms;

    deployment_fill_decision(d, who, stage, &bench->digest, &decision);
    CS_PB_SET(&decision.comment_digest, cs_digest_slice(&no_comment));
    if (stage == 2) {
        decision.earlier_count = 1;
        CS_PB_SET(&decision.earlier[0], cs_digest_slice(&bench->decided));
    }
    wire = deployment_sign(d, CS_STATEMENT_DECISION, countersign_v1_Decision_fields, &decision, who);
    start_ms = now_ms();
    must(ctl_reading_open(bench->crowd.store, &reading, &err), &err, "store");
    must(ctl_evaluation_load(reading.view, d->policy, bench->number, d->now_s, &evaluation, &err), &err,
         "evaluation");
    must(ctl_evaluation_add(&evaluation, cs_buf_slice(&wire), &err), &err, "decision");
    ctl_reading_close(&reading);
    bench->decided = cs_push_decision_digest(evaluation.push, stage - 1);
    evaluated_ms = now_ms();
    body = (struct ctl_decide){bench->number,  cs_buf_slice(&wire), &decision, bench->decided, "", 1,
                               evaluation.push};
    crowd_run(&bench->crowd, CTL_DECIDE, &body, &reply);
    done_ms = now_ms();
    printf("  Decide of stage %u: %.0f ms on a shard, %.0f ms on the core thread\n", (unsigned)stage,
           evaluated_ms - start_ms, done_ms - evaluated_ms);
    ctl_evaluation_free(&evaluation);
    cs_buf_free(&wire);
    return done_ms;
}

/* ---- the devices' answers */

static void report_all(struct bench *bench, countersign_v1_Outcome outcome, const char *word)
{
    enum { AT_ONCE = 500 };
    struct crowd *crowd = &bench->crowd;
    countersign_v1_DeviceReport *said = calloc(AT_ONCE, sizeof *said);
    struct ctl_device_statement *bodies = calloc(AT_ONCE, sizeof *bodies);
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, bench->number);
    struct ctl_reading reading;
    ctl_request_row request;
    ctl_order_row order;
    struct cs_err err;
    double took_ms = 0;

    cs_assert(said && bodies);
    for (size_t done = 0; done < crowd->count; done += AT_ONCE) {
        size_t count = crowd->count - done < AT_ONCE ? crowd->count - done : AT_ONCE;
        double start_ms;

        must(ctl_reading_open(crowd->store, &reading, &err), &err, "store");
        must(ctl_get(reading.view, &key, Request, &request, &err), &err, "request");
        for (size_t i = 0; i < count; i++) {
            struct crowd_device *device = &crowd->devices[done + i];
            struct ctl_key at = ctl_key_number(CTL_TABLE_ORDER, request.first_order + done + i);

            must(ctl_get(reading.view, &at, Order, &order, &err), &err, "order");
            deployment_fill_report(&crowd->d, "gw", &said[i]);
            CTL_BYTES_COPY(said[i].device_id, order.device_id);
            CTL_BYTES_COPY(said[i].order_id, order.order_id);
            said[i].generation = order.generation;
            said[i].sequence = ++device->sequence;
            said[i].outcome = outcome;
            bodies[i] =
                (struct ctl_device_statement){.envelope = CS_SLICE_LIT("report"), .statement = &said[i]};
            memcpy(bodies[i].device_id, order.device_id.bytes, sizeof bodies[i].device_id);
        }
        ctl_reading_close(&reading);
        start_ms = now_ms();
        crowd_run_all(crowd, CTL_REPORT, bodies, sizeof *bodies, count);
        took_ms += now_ms() - start_ms;
    }
    printf("  %zu reports of \"%s\": %.0f ms\n", crowd->count, word, took_ms);
    free(said);
    free(bodies);
}

/* ---- */

static void round_of(struct bench *bench, const char *name, bool held)
{
    struct crowd *crowd = &bench->crowd;
    struct cs_digest id;
    countersign_v1_PreparePushResponse prepared;
    uint64_t core_ms, shards_ms;
    double start_ms, decided_ms, queued_ms;

    printf("%s\n", held ? "a key that the controller holds, sealed at delivery:"
                        : "a key that needs no sealing at delivery:");
    id = import(bench, name, held);
    attach_all(bench, &id);
    prepare(bench, &id, &prepared);
    submit(bench, &prepared);
    decide(bench, "bob", 1);
    atomic_store(&crowd->pushes, 0);
    atomic_store(&crowd->push_bytes, 0);
    atomic_store(&signatures, 0);
    core_ms = crowd_thread_cpu_ms("core");
    shards_ms = crowd_thread_cpu_ms("shard-0") + crowd_thread_cpu_ms("shard-1");
    start_ms = now_ms();
    decided_ms = decide(bench, "carol", 2);
    if (!crowd_wait_pushes(crowd, crowd->count, 600000))
        must(CS_ETIMEOUT, &(struct cs_err){.msg = "not every message was queued"}, "delivery");
    queued_ms = (double)atomic_load(&crowd->last_push_ns) / 1e6;
    core_ms = crowd_thread_cpu_ms("core") - core_ms;
    shards_ms = crowd_thread_cpu_ms("shard-0") + crowd_thread_cpu_ms("shard-1") - shards_ms;
    printf("  all %zu messages built, signed and queued: %.0f ms after the last decision was durable (%.0f "
           "ms after "
           "it was made)\n"
           "    %zu signatures, %.1f MB; processor time since the decision: core %u ms, shards %u ms\n",
           crowd->count, queued_ms - decided_ms, queued_ms - start_ms, atomic_load(&signatures),
           (double)atomic_load(&crowd->push_bytes) / 1e6, (unsigned)core_ms, (unsigned)shards_ms);
    report_all(bench, countersign_v1_Outcome_OUTCOME_ACCEPTED, "accepted");
    report_all(bench, countersign_v1_Outcome_OUTCOME_COMPLETED, "completed");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    size_t orders = 10000;
    unsigned shards = 2;
    struct rusage usage;
    double start_ms;
    struct cs_err err;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--orders") == 0)
            orders = (size_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--shards") == 0)
            shards = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    must(cs_crypto_init(&err), &err, "crypto");
    start_ms = now_ms();
    crowd_start(&bench.crowd, shards);
    bench.ca = pki_make_ca("Example CA");
    crowd_enrol(&bench.crowd, orders);
    crowd_connect(&bench.crowd);
    printf("%zu devices enrolled and connected in %.1f s, %u shards\n", orders, (now_ms() - start_ms) / 1e3,
           shards);
    round_of(&bench, "on-device.example", false);
    round_of(&bench, "held.example", true);
    getrusage(RUSAGE_SELF, &usage);
    printf("most memory of controller and devices together: %ld MB\n", usage.ru_maxrss / 1024);
    crowd_stop(&bench.crowd);
    pki_free(&bench.ca);
    return 0;
}
