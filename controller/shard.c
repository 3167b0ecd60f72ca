#include "controller/shard.h"

#include "controller/api/health.h"
#include "controller/api/monitor.h"
#include "controller/api/sign_in.h"
#include "controller/api/watch.h"
#include "controller/fleet/fleet.h"
#include "controller/listeners.h"

#include <stdio.h>
#include <time.h>

static void drain_inbox(struct ctl_shard *shard)
{
    for (;;) {
        struct cs_list *node;
        struct ctl_post *post;

        pthread_mutex_lock(&shard->inbox_lock);
        node = cs_list_pop(&shard->inbox);
        pthread_mutex_unlock(&shard->inbox_lock);
        if (!node)
            return;
        post = CS_CONTAINER_OF(node, struct ctl_post, node);
        post->run(shard, post);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct ctl_shard *shard = wake->data;

    drain_inbox(shard);
    ctl_fleet_turn(shard->fleet);
}

/* The last handle of the loop: with it the thread ends. */
static void maybe_end(struct ctl_shard *shard)
{
    bool close_wake;

    if (!shard->stopping || !shard->listeners_closed || shard->tasks_open)
        return;
    pthread_mutex_lock(&shard->inbox_lock);
    close_wake = shard->wake_open;
    shard->wake_open = false;
    pthread_mutex_unlock(&shard->inbox_lock);
    if (close_wake)
        uv_close((uv_handle_t *)&shard->wake, NULL);
}

static void on_listeners_closed(struct ctl_shard *shard)
{
    shard->listeners_closed = true;
    maybe_end(shard);
}

static void run_stop(struct ctl_shard *shard, struct ctl_post *post)
{
    (void)post;
    if (shard->stopping)
        return;
    shard->stopping = true;
    ctl_fleet_stop(shard->fleet);
    if (shard->watchers)
        ctl_watchers_stop(shard->watchers);
    ctl_health_stop(shard->health);
    ctl_monitor_stop(shard->monitor);
    if (shard->listeners)
        ctl_listeners_close(shard->listeners, shard->shared->config->drain_s * 1000, on_listeners_closed);
    else
        on_listeners_closed(shard);
}

int ctl_shard_new(struct ctl_shared *shared, unsigned index, struct ctl_shard **ret, struct cs_err *err)
{
    struct ctl_shard *shard = calloc(1, sizeof *shard);
    int code = CS_OK;

    if (!shard)
        return cs_err_nomem(err);
    shard->shared = shared;
    shard->index = index;
    shard->stop_post.run = run_stop;
    cs_list_init(&shard->stop_post.node);
    cs_list_init(&shard->inbox);
    pthread_mutex_init(&shard->inbox_lock, NULL);
    if (uv_loop_init(&shard->loop) != 0)
        goto no_loop;
    if (uv_async_init(&shard->loop, &shard->wake, on_wake) != 0)
        goto no_wake;
    shard->wake.data = shard;
    shard->wake_open = true;
    code = ctl_fleet_new(shard, &shard->fleet, err);
    if (code == CS_OK)
        code = ctl_watchers_new(shard, &shard->watchers, err);
    if (code == CS_OK) {
        shard->trust = ctl_trust_ref(ctl_core_thread_trust(shared->core));
        *ret = shard;
    } else {
        ctl_shard_free(shard);
    }
    return code;

no_wake:
    uv_loop_close(&shard->loop);
no_loop:
    pthread_mutex_destroy(&shard->inbox_lock);
    free(shard);
    return cs_err_set(err, CS_ENOMEM, "cannot make the event loop of a shard");
}

static void shard_main(void *data)
{
    struct ctl_shard *shard = data;
    char name[16];

    snprintf(name, sizeof name, "shard-%u", shard->index);
    pthread_setname_np(pthread_self(), name);
    uv_run(&shard->loop, UV_RUN_DEFAULT);
}

int ctl_shard_start(struct ctl_shard *shard, struct cs_err *err)
{
    if (uv_thread_create(&shard->thread, shard_main, shard) != 0)
        return cs_err_set(err, CS_ENOMEM, "cannot start the thread of a shard");
    shard->started = true;
    return CS_OK;
}

void ctl_shard_stop(struct ctl_shard *shard)
{
    ctl_shard_post(shard, &shard->stop_post);
}

void ctl_shard_join(struct ctl_shard *shard)
{
    if (shard->started)
        uv_thread_join(&shard->thread);
    shard->started = false;
}

void ctl_shard_free(struct ctl_shard *shard)
{
    if (!shard)
        return;
    cs_assert(!shard->started);
    if (shard->wake_open) { /* never ran: the same way out, on this thread */
        run_stop(shard, &shard->stop_post);
        uv_run(&shard->loop, UV_RUN_DEFAULT);
    }
    drain_inbox(shard); /* effects for sessions that have ended; they free themselves */
    cs_assert(uv_loop_close(&shard->loop) == 0);
    ctl_listeners_free(shard->listeners);
    ctl_health_free(shard->health);
    ctl_monitor_free(shard->monitor);
    ctl_sign_in_free(shard->sign_in);
    ctl_fleet_free(shard->fleet);
    ctl_watchers_free(shard->watchers);
    ctl_trust_unref(shard->trust);
    pthread_mutex_destroy(&shard->inbox_lock);
    free(shard);
}

void ctl_shard_post(struct ctl_shard *shard, struct ctl_post *post)
{
    pthread_mutex_lock(&shard->inbox_lock);
    cs_list_append(&shard->inbox, &post->node);
    if (shard->wake_open)
        uv_async_send(&shard->wake);
    pthread_mutex_unlock(&shard->inbox_lock);
}

void ctl_shard_wake(struct ctl_shard *shard)
{
    pthread_mutex_lock(&shard->inbox_lock);
    if (shard->wake_open)
        uv_async_send(&shard->wake);
    pthread_mutex_unlock(&shard->inbox_lock);
}

static void run_task_done(struct ctl_shard *shard, struct ctl_post *post)
{
    struct ctl_task *task = CS_CONTAINER_OF(post, struct ctl_task, post);

    shard->tasks_open--;
    task->on_done(task);
    maybe_end(shard);
}

/* On the core thread. */
static void on_command_done(struct ctl_command *command)
{
    struct ctl_task *task = CS_CONTAINER_OF(command, struct ctl_task, command);

    ctl_shard_post(task->shard, &task->post);
}

int ctl_shard_submit(struct ctl_shard *shard, struct ctl_task *task, struct cs_err *err)
{
    int code;

    task->shard = shard;
    task->post.run = run_task_done;
    task->command.on_done = on_command_done;
    code = ctl_core_thread_submit(shard->shared->core, &task->command, err);
    if (code == CS_OK)
        shard->tasks_open++;
    return code;
}

void *ctl_shard_scratch(struct ctl_shard *shard, enum ctl_scratch which, size_t size)
{
    cs_assert(size <= CTL_SCRATCH_BYTES);
    return memset(shard->scratch[which], 0, size);
}

int64_t ctl_shard_now_s(const struct ctl_shard *shard)
{
    (void)shard;
    return (int64_t)time(NULL);
}

uint64_t ctl_shard_now_ms(const struct ctl_shard *shard)
{
    return uv_now(&shard->loop);
}
