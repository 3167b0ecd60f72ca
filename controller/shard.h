/* shard.h - one thread with one libuv loop: it owns the connections that it accepted, answers reads from its
 * own snapshots, does the cryptography of its sessions, and sends every change to the core thread.
 *
 * Others talk to it through its inbox only (ctl_shard_post); inside, everything runs on its loop. A change is
 * a task: memory of whoever made it, given to the core, back in the inbox when it is durable. The call that
 * wanted it may have ended meanwhile; the task's owner knows, because both happen on this loop. */
#ifndef CTL_SHARD_H
#define CTL_SHARD_H

#include "controller/config.h"
#include "controller/core/query.h"
#include "controller/core_thread.h"
#include "controller/vault.h"
#include "shared/net/tls.h"

#include <stdatomic.h>
#include <uv.h>

struct ctl_shard;
struct ctl_fleet;
struct ctl_listeners;
struct ctl_roster;
struct ctl_sign_in;
struct ctl_monitor;
struct ctl_health;
struct ctl_watchers;

/* A message to a shard. `run` runs on its loop and owns the message's memory. */
struct ctl_post {
    void (*run)(struct ctl_shard *shard, struct ctl_post *post);
    struct cs_list node; /* the inbox's */
};

/* What the listeners of one shard counted, written down when monitoring asks (api/monitor.c). */
enum { CTL_LISTENERS = 4, CTL_LISTENER_NUMBERS = 6 };
struct ctl_listener_numbers {
    _Atomic uint64_t of[CTL_LISTENERS][CTL_LISTENER_NUMBERS];
    _Atomic bool posted; /* `post` is on its way */
    struct ctl_post post;
};

/* What all shards use. Each part is immutable or guards itself; all outlive the shards. */
struct ctl_shared {
    const struct ctl_config *config;
    const struct ctl_vault *vault;
    struct ctl_store *store;
    struct ctl_core_thread *core;
    struct ctl_roster *roster;
    struct cs_tls_config *agents_tls, *enrolment_tls, *operators_tls; /* the last NULL without TLS there */
    struct cs_key *operators_key; /* the configuration's own, NULL: the vault's */
    struct cs_buf operators_spki; /* of the key that the operators' listener proves, empty without TLS */
    uint32_t own_uid;             /* the user that this process runs as */
    struct ctl_listener_numbers numbers[CTL_LIMIT_SHARDS];
    struct ctl_shard *shards[CTL_LIMIT_SHARDS];
    unsigned shard_count;
};

/* A command on its way to the core and back. `command` is filled by the submitter but for on_done. */
struct ctl_task {
    struct ctl_command command;
    void (*on_done)(struct ctl_task *task); /* on the shard's loop, exactly once if it was taken */
    struct ctl_shard *shard;                /* from here on: the shard's */
    struct ctl_post post;
};

/* Two structs at a time that are too large for the stack: what is read, and what is written. */
enum ctl_scratch { CTL_SCRATCH_REQUEST, CTL_SCRATCH_REPLY, CTL_SCRATCH_COUNT };
enum { CTL_SCRATCH_BYTES = 384 * 1024 };

struct ctl_shard {
    struct ctl_shared *shared;
    unsigned index;
    uv_loop_t loop;
    struct ctl_trust *trust;         /* newest policy that this shard knows; NULL before the first */
    struct ctl_fleet *fleet;         /* sessions of agents on this shard */
    struct ctl_listeners *listeners; /* its sockets */
    struct ctl_sign_in *sign_in;     /* operators' sessions; on shard 0, else NULL, as the two below */
    struct ctl_monitor *monitor;
    struct ctl_health *health;
    struct ctl_watchers *watchers; /* who is told what changed */

    /* shard.c's own */
    uv_thread_t thread;
    bool started, stopping, listeners_closed;
    size_t tasks_open;
    uv_async_t wake;
    struct ctl_post stop_post;
    pthread_mutex_t inbox_lock; /* of the two below */
    struct cs_list inbox;
    bool wake_open;
    _Alignas(16) uint8_t scratch[CTL_SCRATCH_COUNT][CTL_SCRATCH_BYTES];
};

/* The thread is not started yet, so that listeners can be opened and fail in peace. */
CS_MUST_USE int ctl_shard_new(struct ctl_shared *shared, unsigned index, struct ctl_shard **ret,
                              struct cs_err *err);
CS_MUST_USE int ctl_shard_start(struct ctl_shard *shard, struct cs_err *err);
/* From any thread: ends sessions, lets calls under way finish within the configured time, then ends the
 * thread. */
void ctl_shard_stop(struct ctl_shard *shard);
/* Waits for the thread's end. */
void ctl_shard_join(struct ctl_shard *shard);
/* Also of one that was never started. The core thread must not run any more. */
void ctl_shard_free(struct ctl_shard *shard);

/* From any thread. */
void ctl_shard_post(struct ctl_shard *shard, struct ctl_post *post);
/* The loop comes round once more, and with it ctl_fleet_turn(). */
void ctl_shard_wake(struct ctl_shard *shard);

/* On the loop. What ctl_core_thread_submit() refuses did not happen: on_done does not come. */
CS_MUST_USE int ctl_shard_submit(struct ctl_shard *shard, struct ctl_task *task, struct cs_err *err);

/* Zeroed memory of `size` bytes, until it is asked for again; never kept across a return to the loop. */
void *ctl_shard_scratch(struct ctl_shard *shard, enum ctl_scratch which, size_t size);

/* Seconds since 1970; milliseconds on the loop's own clock. */
int64_t ctl_shard_now_s(const struct ctl_shard *shard);
uint64_t ctl_shard_now_ms(const struct ctl_shard *shard);

#endif
