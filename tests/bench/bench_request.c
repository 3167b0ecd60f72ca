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
#include "controller/reading.h"
#include "tests/support/crowd.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

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

/* ---- the devices' answers */

static void report_all(struct crowd *crowd, const struct crowd_push *push, countersign_v1_Outcome outcome,
                       const char *word)
{
    enum { AT_ONCE = 500 };
    countersign_v1_DeviceReport *said = calloc(AT_ONCE, sizeof *said);
    struct ctl_device_statement *bodies = calloc(AT_ONCE, sizeof *bodies);
    struct ctl_reading reading;
    ctl_order_row order;
    struct cs_err err;
    double took_ms = 0;

    cs_assert(said && bodies);
    for (size_t done = 0; done < crowd->count; done += AT_ONCE) {
        size_t count = crowd->count - done < AT_ONCE ? crowd->count - done : AT_ONCE;
        double start_ms;

        must(ctl_reading_open(crowd->store, &reading, &err), &err, "store");
        for (size_t i = 0; i < count; i++) {
            struct crowd_device *device = &crowd->devices[done + i];
            struct ctl_key at = ctl_key_number(CTL_TABLE_ORDER, push->first_order + done + i);

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

static void say_core(const char *step, const struct crowd_push *push)
{
    printf("  %s: %.0f ms on the core thread, %u ms of processor time", step, push->core_ms,
           (unsigned)push->core_cpu_ms);
    if (push->shard_ms > 0)
        printf("; before that %.0f ms on a shard", push->shard_ms);
    printf("\n");
}

static void round_of(struct crowd *crowd, const char *name, bool held)
{
    struct crowd_push push;
    struct cs_digest id;
    uint64_t core_ms, shards_ms;
    double start_ms, decided_ms, queued_ms;

    printf("%s\n", held ? "a key that the controller holds, sealed at delivery:"
                        : "a key that the requester sealed:");
    id = crowd_import(crowd, name, held);
    crowd_attach(crowd, &id);
    crowd_prepare(crowd, &id, held, &push);
    say_core("PreparePush", &push);
    crowd_submit(crowd, &push);
    say_core("SubmitPush", &push);
    crowd_decide(crowd, &push, "bob", 1);
    say_core("Decide of stage 1", &push);
    atomic_store(&crowd->pushes, 0);
    atomic_store(&crowd->push_bytes, 0);
    atomic_store(&signatures, 0);
    core_ms = crowd_thread_cpu_ms("core");
    shards_ms = crowd_thread_cpu_ms("shard-0") + crowd_thread_cpu_ms("shard-1");
    start_ms = now_ms();
    crowd_decide(crowd, &push, "carol", 2);
    decided_ms = now_ms();
    say_core("Decide of stage 2", &push);
    if (!crowd_wait_pushes(crowd, crowd->count, 600000))
        must(CS_ETIMEOUT, &(struct cs_err){.msg = "not every message was queued"}, "delivery");
    queued_ms = (double)atomic_load(&crowd->last_push_ns) / 1e6;
    core_ms = crowd_thread_cpu_ms("core") - core_ms;
    shards_ms = crowd_thread_cpu_ms("shard-0") + crowd_thread_cpu_ms("shard-1") - shards_ms;
    printf("  all %zu messages built, signed and queued: %.0f ms after the last decision was durable, %.0f "
           "ms after "
           "it was sent\n"
           "    %zu signatures, %.1f MB; processor time since: core %u ms, shards %u ms\n",
           crowd->count, queued_ms - decided_ms, queued_ms - start_ms, atomic_load(&signatures),
           (double)atomic_load(&crowd->push_bytes) / 1e6, (unsigned)core_ms, (unsigned)shards_ms);
    report_all(crowd, &push, countersign_v1_Outcome_OUTCOME_ACCEPTED, "accepted");
    report_all(crowd, &push, countersign_v1_Outcome_OUTCOME_COMPLETED, "completed");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct crowd crowd;
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
    crowd_start(&crowd, shards);
    crowd_enrol(&crowd, orders);
    crowd_connect(&crowd);
    printf("%zu devices enrolled and connected in %.1f s, %u shards\n", orders, (now_ms() - start_ms) / 1e3,
           shards);
    round_of(&crowd, "on-device.example", false);
    round_of(&crowd, "held.example", true);
    getrusage(RUSAGE_SELF, &usage);
    printf("most memory of controller and devices together: %ld MB\n", usage.ru_maxrss / 1024);
    crowd_stop(&crowd);
    return 0;
}
