/* crowd.h - a whole controller in this process (store, vault, core thread, shards) with many devices that are
 * calls and nothing else: no socket, no TLS, no HTTP/2. What a shard sends to a device ends in a counter,
 * at the seam where gRPC would take it. For benches of what the controller itself does. Failing ends the
 * program.
 *
 *   crowd_start(&crowd, 2);
 *   crowd_enrol(&crowd, 10000);
 *   crowd_connect(&crowd);
 *   … crowd_run(&crowd, CTL_PREPARE_PUSH, &body, &reply) …
 *   crowd_wait_pushes(&crowd, 10000, 60000);
 *   crowd_stop(&crowd); */
#ifndef CS_TESTS_CROWD_H
#define CS_TESTS_CROWD_H

#include "controller/fleet/fleet.h"
#include "shared/net/call_impl.h"
#include "tests/support/deployment.h"
#include "tests/support/pki.h"

#include <semaphore.h>
#include <stdatomic.h>

struct crowd;

struct crowd_device {
    struct crowd *crowd;
    char name[64];
    uint8_t device_id[16];
    uint8_t identity_spki[CS_SPKI_BYTES];
    struct cs_buf certificate;
    unsigned shard;
    struct cs_peer peer;
    struct cs_call call;
    uint64_t sequence;
};

struct crowd {
    char folder[64];
    struct deployment d;
    struct ctl_config config;
    struct ctl_store *store;
    struct ctl_vault *vault;
    struct ctl_shared shared;
    struct pki ca;      /* of the certificates that are pushed */
    struct cs_key *kem; /* one for all: nobody opens what is sealed to it */
    struct crowd_device *devices;
    size_t count;
    sem_t done;                              /* one for each answered command */
    atomic_size_t welcomed, pushes, cancels; /* messages of this kind that were queued for devices */
    atomic_size_t push_bytes;
    atomic_uint_fast64_t last_push_ns;
};

void crowd_start(struct crowd *crowd, unsigned shards);
void crowd_stop(struct crowd *crowd);

/* Enrolled, admitted, with the app connector "web". */
void crowd_enrol(struct crowd *crowd, size_t count);
/* Opens every device's stream, anew where it was open; back when all are welcomed. */
void crowd_connect(struct crowd *crowd);
/* Waits until so many pushes were queued since the counter was last set to 0. */
bool crowd_wait_pushes(struct crowd *crowd, size_t count, uint64_t timeout_ms);

/* One command through the core thread, back when it is durable; ends the program when it is refused. */
void crowd_run(struct crowd *crowd, enum ctl_command_kind kind, const void *body, void *reply);
/* Many at a time, as many shards would hand them in. `bodies` are `size` bytes apart; replies are dropped. */
void crowd_run_all(struct crowd *crowd, enum ctl_command_kind kind, const void *bodies, size_t size,
                   size_t count);

/* A certificate with a held key, or with none: its pushes bring keys that were sealed before. Its id. */
struct cs_digest crowd_import(struct crowd *crowd, const char *name, bool held);
/* To every device. */
void crowd_attach(struct crowd *crowd, const struct cs_digest *id);

/* One request to all of them, and what its last step took: on the core thread with its commit, and before
 * that on a shard. */
struct crowd_push {
    uint64_t number, first_order;
    uint32_t order_count;
    struct cs_digest digest, decided;
    double core_ms, shard_ms;
    uint64_t core_cpu_ms; /* its processor time alone: what a busy machine does not change */
};
void crowd_prepare(struct crowd *crowd, const struct cs_digest *id, struct crowd_push *ret);
void crowd_submit(struct crowd *crowd, struct crowd_push *push);
/* Accepts now. bob decides stage 1, carol stage 2. */
void crowd_decide(struct crowd *crowd, struct crowd_push *push, const char *who, uint32_t stage);
/* How many of its orders were handed over already. */
uint32_t crowd_cancel(struct crowd *crowd, const struct crowd_push *push);

/* What one thread of this process has worked, in milliseconds: "core", "shard-0". */
uint64_t crowd_thread_cpu_ms(const char *name);

#endif
