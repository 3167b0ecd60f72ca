#include "controller/core_thread.h"

#include "controller/core/query.h"
#include "controller/limits.h"
#include "controller/reading.h"
#include "controller/upgrade.h"
#include "controller/writes.h"
#include "shared/base/log.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* After a full disk the clock tries again, not at once. */
enum { TICK_RETRY_S = 5 };

struct ctl_core_thread {
    struct ctl_core_thread_options options;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* of these */
    pthread_cond_t woken;
    struct cs_list waiting;
    size_t waiting_count;
    bool stopping;

    /* Of the core thread alone. */
    struct ctl_trust *trust, *next_trust;
    int64_t next_due_s;
    struct ctl_outcome outcome; /* kept between groups for its memory */
    struct ctl_writes writes;
    bool changed; /* by this group: a revision was taken */

    struct ctl_core_stats stats;
};

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void count_commit(struct ctl_core_stats *stats, uint64_t took_us)
{
    static const uint32_t ends_us[CTL_COMMIT_BUCKETS] = CTL_COMMIT_BUCKETS_US;
    size_t bucket = 0;

    while (bucket < CTL_COMMIT_BUCKETS && took_us > ends_us[bucket])
        bucket++;
    stats->commits++;
    stats->commit_us += took_us;
    stats->commits_in[bucket]++;
}

static CS_NORETURN void die(const char *doing, const struct cs_err *err)
{
    cs_log(CS_LOG_ERROR, "core", doing, CS_F("error", err->msg), CS_FEND);
    _exit(EXIT_FAILURE);
}

static void core_random(void *data, void *out, size_t len)
{
    (void)data;
    cs_random(out, len);
}

static struct ctl_context context_now(const struct ctl_core_thread *core)
{
    return (struct ctl_context){
        .policy = core->trust ? core->trust->policy : NULL,
        .now_s = (int64_t)time(NULL),
        .random = core_random,
        .settings = core->options.settings,
    };
}

/* Nothing is written when the group changed nothing. */
static int commit(struct ctl_core_thread *core, struct ctl_view *view, struct cs_err *err)
{
    int64_t began_us = monotonic_us();
    int code = ctl_writes_commit(&core->writes, view, core->options.store, err);

    if (code == CS_OK && core->changed)
        count_commit(&core->stats, (uint64_t)(monotonic_us() - began_us));
    if (code == CS_EIO)
        die("the store cannot write to its disk: ending, restart when the disk is well", err);
    return code;
}

/* A refused command leaves neither writes nor effects. */
static int run_one(struct ctl_core_thread *core, struct ctl_view *view, struct ctl_command *command,
                   struct cs_err *err)
{
    struct ctl_context context = context_now(core);
    size_t effects_before = core->outcome.effect_count;
    int code;

    ctl_view_mark(view);
    core->outcome.reply = command->reply;
    core->outcome.changed = false;
    code = ctl_core_run(view, &context, command->kind, command->body, &command->actor, &core->outcome, err);
    if (code == CS_OK && command->kind == CTL_PUBLISH_POLICY) {
        const struct ctl_publish_policy *publish = command->body;

        code = ctl_trust_new(publish->envelope, &core->next_trust, err);
    }
    if (code != CS_OK) {
        ctl_view_rewind(view);
        core->outcome.effect_count = effects_before;
    }
    core->changed |= code == CS_OK && core->outcome.changed;
    return code;
}

static int run_tick(struct ctl_core_thread *core, struct ctl_view *view)
{
    struct ctl_tick body = {.most = CTL_LIMIT_TICK_ORDERS};
    struct ctl_command tick = {.kind = CTL_TICK, .body = &body, .actor = {.name = "controller"}};
    int code = run_one(core, view, &tick, &tick.err);

    if (code != CS_OK)
        cs_log(CS_LOG_ERROR, "core", "the clock's work was refused", CS_F("error", tick.err.msg), CS_FEND);
    return code;
}

/* The answers of a group that could not be written: what had been refused keeps its own sentence. */
static void refuse_group(struct cs_list *group, int code, const struct cs_err *err)
{
    CS_LIST_FOREACH(node, group)
    {
        struct ctl_command *command = CS_CONTAINER_OF(node, struct ctl_command, node);

        if (command->code != CS_OK)
            continue;
        command->code = code;
        command->err = *err;
    }
}

static int run_and_commit(struct ctl_core_thread *core, struct cs_list *group, int64_t now_s,
                          struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int64_t due_s = INT64_MAX, least_due_s = 0;
    int code;

    code = ctl_reading_open(core->options.store, &reading, err);
    if (code != CS_OK)
        return code;
    CS_LIST_FOREACH(node, group)
    {
        struct ctl_command *command = CS_CONTAINER_OF(node, struct ctl_command, node);

        command->code = run_one(core, reading.view, command, &command->err);
    }
    /* Under a new policy the clock waits for the next group, which has it. */
    if (core->next_due_s <= now_s && !core->next_trust && run_tick(core, reading.view) != CS_OK)
        least_due_s = now_s + TICK_RETRY_S;
    code = ctl_core_next_due(reading.view, &due_s, err);
    if (code == CS_OK)
        code = commit(core, reading.view, err);
    if (code == CS_OK)
        core->next_due_s = due_s > least_due_s ? due_s : least_due_s;
    return code;
}

static void run_group(struct ctl_core_thread *core, struct cs_list *group)
{
    int64_t now_s = (int64_t)time(NULL);
    struct ctl_trust *new_trust;
    struct cs_err err;
    int code;

    core->outcome.effect_count = 0;
    core->changed = false;
    core->stats.busy_since_s = monotonic_us() / 1000000 + 1;
    code = run_and_commit(core, group, now_s, &err);
    new_trust = cs_steal(core->next_trust);
    core->stats.last_failed = code != CS_OK;
    if (code != CS_OK) {
        cs_log(CS_LOG_ERROR, "core", "a group of commands was refused", CS_F("error", err.msg), CS_FEND);
        refuse_group(group, code, &err);
        ctl_trust_unref(new_trust);
        if (core->next_due_s <= now_s)
            core->next_due_s = now_s + TICK_RETRY_S;
    } else {
        if (new_trust) {
            ctl_trust_unref(core->trust);
            core->trust = new_trust;
        }
        if (core->changed && core->options.on_revision)
            core->options.on_revision(core->options.owner);
        if (core->outcome.effect_count || new_trust)
            core->options.on_effects(core->options.owner, core->outcome.effects, core->outcome.effect_count,
                                     new_trust);
    }
    for (struct cs_list *node; (node = cs_list_pop(group)) != NULL;) {
        struct ctl_command *command = CS_CONTAINER_OF(node, struct ctl_command, node);

        if (command->code == CS_OK)
            core->stats.accepted++;
        else
            core->stats.refused++;
        command->on_done(command);
    }
    core->stats.busy_since_s = 0;
}

/* A group ends behind a new policy: commands after it are run under the new one. */
static void take_group(struct ctl_core_thread *core, struct cs_list *group)
{
    bool last = false;

    for (size_t taken = 0; taken < CTL_LIMIT_GROUP_COMMANDS && !last; taken++) {
        struct cs_list *node = cs_list_pop(&core->waiting);

        if (!node)
            return;
        core->stats.waiting = --core->waiting_count;
        cs_list_append(group, node);
        last = CS_CONTAINER_OF(node, struct ctl_command, node)->kind == CTL_PUBLISH_POLICY;
    }
}

/* Until a command waits, the clock is due, or the end. The system's clock may be set meanwhile: the wait is
 * for its time, not for a distance. */
static void wait_for_work(struct ctl_core_thread *core)
{
    while (cs_list_empty(&core->waiting) && !core->stopping) {
        struct timespec due = {.tv_sec = (time_t)core->next_due_s};

        if (core->next_due_s <= (int64_t)time(NULL))
            return;
        if (core->next_due_s == INT64_MAX)
            pthread_cond_wait(&core->woken, &core->lock);
        else
            pthread_cond_timedwait(&core->woken, &core->lock, &due);
    }
}

static void *core_main(void *data)
{
    struct ctl_core_thread *core = data;

    pthread_setname_np(pthread_self(), "core");
    for (bool more = true; more;) {
        struct cs_list group;

        cs_list_init(&group);
        pthread_mutex_lock(&core->lock);
        wait_for_work(core);
        take_group(core, &group);
        more = !core->stopping || !cs_list_empty(&core->waiting);
        pthread_mutex_unlock(&core->lock);
        run_group(core, &group);
    }
    return NULL;
}

static int load_policy(struct ctl_core_thread *core, struct ctl_view *view, struct cs_err *err)
{
    countersign_v1_GetPolicyRequest newest = {0};
    cs_auto_free countersign_v1_GetPolicyResponse *reply = calloc(1, sizeof *reply);
    struct ctl_presence nobody = {0};
    int code;

    if (!reply)
        return cs_err_nomem(err);
    code = ctl_query_GetPolicy(view, &nobody, (int64_t)time(NULL), &newest, reply, err);
    if (code == CS_ENOTFOUND)
        return CS_OK;
    if (code == CS_OK)
        code = ctl_trust_new(CS_PB_BYTES(&reply->envelope), &core->trust, err);
    return code;
}

static int begin(struct ctl_core_thread *core, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct ctl_context context;
    int code;

    code = ctl_upgrade(core->options.store, err);
    if (code == CS_OK)
        code = ctl_reading_open(core->options.store, &reading, err);
    if (code == CS_OK)
        code = load_policy(core, reading.view, err);
    if (code != CS_OK)
        return code;
    context = context_now(core);
    ctl_view_mark(reading.view);
    code = ctl_core_start(reading.view, &context, &core->outcome, err);
    if (code == CS_OK)
        code = ctl_core_next_due(reading.view, &core->next_due_s, err);
    if (code == CS_OK)
        code = commit(core, reading.view, err);
    return code;
}

int ctl_core_thread_new(const struct ctl_core_thread_options *options, struct ctl_core_thread **ret,
                        struct cs_err *err)
{
    cs_auto(ctl_core_thread_freep) struct ctl_core_thread *core = calloc(1, sizeof *core);
    int code;

    if (!core)
        return cs_err_nomem(err);
    core->options = *options;
    pthread_mutex_init(&core->lock, NULL);
    pthread_cond_init(&core->woken, NULL);
    cs_list_init(&core->waiting);
    code = begin(core, err);
    if (code == CS_OK)
        *ret = cs_steal(core);
    return code;
}

int ctl_core_thread_start(struct ctl_core_thread *core, struct cs_err *err)
{
    if (pthread_create(&core->thread, NULL, core_main, core) != 0)
        return cs_err_set(err, CS_ENOMEM, "cannot start the core thread");
    core->started = true;
    return CS_OK;
}

const struct ctl_core_stats *ctl_core_thread_stats(const struct ctl_core_thread *core)
{
    return &core->stats;
}

struct ctl_trust *ctl_core_thread_trust(struct ctl_core_thread *core)
{
    return core->trust;
}

int ctl_core_thread_submit(struct ctl_core_thread *core, struct ctl_command *command, struct cs_err *err)
{
    int code = CS_OK;

    pthread_mutex_lock(&core->lock);
    if (core->stopping) {
        code = cs_err_set(err, CS_ECLOSED, "the controller is stopping");
    } else if (core->waiting_count >= CTL_LIMIT_COMMANDS_WAITING && command->kind != CTL_SESSION_CLOSED) {
        code = cs_err_set(err, CS_EBUSY, "the controller is busy: try again in a moment");
    } else {
        cs_list_append(&core->waiting, &command->node);
        core->stats.waiting = ++core->waiting_count;
        pthread_cond_signal(&core->woken);
    }
    pthread_mutex_unlock(&core->lock);
    return code;
}

void ctl_core_thread_stop(struct ctl_core_thread *core)
{
    if (!core->started)
        return;
    pthread_mutex_lock(&core->lock);
    core->stopping = true;
    pthread_cond_signal(&core->woken);
    pthread_mutex_unlock(&core->lock);
    pthread_join(core->thread, NULL);
    core->started = false;
}

void ctl_core_thread_free(struct ctl_core_thread *core)
{
    if (!core)
        return;
    cs_assert(!core->started);
    ctl_trust_unref(core->trust);
    free(core->outcome.effects);
    ctl_writes_free(&core->writes);
    pthread_cond_destroy(&core->woken);
    pthread_mutex_destroy(&core->lock);
    free(core);
}
