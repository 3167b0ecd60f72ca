#include "controller/api/monitor.h"

#include "controller/api/sign_in.h"
#include "controller/fleet/roster.h"
#include "controller/listeners.h"
#include "controller/metrics.h"
#include "controller/reading.h"
#include "shared/base/log.h"
#include "shared/net/server.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    /* A step takes a millisecond or two, and comes this often: some percent of a shard's time while it
       counts. */
    STEP_ROWS = 500,
    STEP_EVERY_MS = 25,
    /* Between two counts, and at least this many times as long as the last one took. */
    COUNT_AGAIN_S = 5,
    COUNT_REST = 4,
    /* A group of commands under way for longer: the core does not keep up. */
    CORE_SLOW_S = 10,
};

struct ctl_monitor {
    struct ctl_shard *shard;
    struct cs_route routes[2][CTL_MONITOR_ROUTES]; /* open, and guarded */
    struct ctl_survey survey;
    int64_t begun_s, again_s; /* of the count that is under way, or of the next one */
    int64_t started_s;
    uv_timer_t pace;
};

/* ---- ready */

static int64_t monotonic_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

bool ctl_monitor_ready(const struct ctl_shard *shard, struct cs_buf *ret_wrong)
{
    const struct ctl_core_stats *core = ctl_core_thread_stats(shard->shared->core);
    int64_t busy_since_s = core->busy_since_s;
    int rc = CS_OK;

    if (shard->stopping)
        rc = cs_buf_append_str(ret_wrong, "stopping: the controller is going down\n");
    if (rc == CS_OK && core->last_failed)
        rc = cs_buf_append_str(ret_wrong,
                               "store: the last group of commands could not be written: is the disk full?\n");
    if (rc == CS_OK && busy_since_s && monotonic_s() + 1 - busy_since_s >= CORE_SLOW_S)
        rc = cs_buf_append_str(ret_wrong,
                               "core: a group of commands has not come to its end for 10 seconds\n");
    if (rc == CS_OK && !shard->trust)
        rc = cs_buf_append_str(ret_wrong, "policy: there is no trust policy yet: countersign trust init\n");
    return rc == CS_OK;
}

static unsigned get_livez(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer)
{
    (void)owner;
    (void)request;
    return cs_buf_append_str(&answer->body, "ok\n") == CS_OK ? 200 : 503;
}

static unsigned get_readyz(void *owner, const struct cs_route_request *request,
                           struct cs_route_answer *answer)
{
    const struct ctl_monitor *monitor = owner;

    (void)request;
    if (!ctl_monitor_ready(monitor->shard, &answer->body) || answer->body.len)
        return 503;
    return cs_buf_append_str(&answer->body, "ready\n") == CS_OK ? 200 : 503;
}

/* ---- counting */

static void on_pace(uv_timer_t *timer);

/* One step, and the timer for the rest. A failure is tried again with the next step. */
static void count_on(struct ctl_monitor *monitor)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct ctl_shard *shard = monitor->shard;
    int64_t now_s = ctl_shard_now_s(shard);
    struct cs_err err;
    int code = ctl_reading_open(shard->shared->store, &reading, &err);

    if (code == CS_OK)
        code = ctl_survey_step(&monitor->survey, reading.view, &shard->shared->config->settings, now_s,
                               STEP_ROWS, &err);
    if (code != CS_OK)
        cs_log(CS_LOG_WARN, "monitor", "counting for /metrics", CS_F("error", err.msg), CS_FEND);
    if (monitor->survey.under_way && code == CS_OK) {
        if (!shard->stopping)
            uv_timer_start(&monitor->pace, on_pace, STEP_EVERY_MS, 0);
        return;
    }
    monitor->survey.under_way = false;
    monitor->again_s = now_s + COUNT_AGAIN_S + COUNT_REST * (now_s - monitor->begun_s);
}

static void on_pace(uv_timer_t *timer)
{
    count_on(timer->data);
}

/* A small store is counted at once; of a large one the page has the last count. */
static void count_if_due(struct ctl_monitor *monitor)
{
    int64_t now_s = ctl_shard_now_s(monitor->shard);

    if (monitor->survey.under_way || now_s < monitor->again_s)
        return;
    monitor->begun_s = now_s;
    ctl_survey_begin(&monitor->survey);
    count_on(monitor);
}

void ctl_monitor_summary(struct ctl_monitor *monitor, countersign_v1_GetSummaryResponse *ret)
{
    count_if_due(monitor);
    ctl_survey_summary(&monitor->survey, ret);
}

/* ---- listeners of other shards: each writes its numbers down when it is asked, so what the page has of them
 * is as of the scrape before */

static void write_down(struct ctl_shard *shard)
{
    struct ctl_listener_numbers *numbers = &shard->shared->numbers[shard->index];

    for (unsigned which = 0; which < CTL_LISTENERS; which++) {
        struct cs_server_stats stats;

        if (!shard->listeners || !ctl_listeners_stats(shard->listeners, which, &stats))
            continue;
        numbers->of[which][0] = stats.connections_open;
        numbers->of[which][1] = stats.connections_total;
        numbers->of[which][2] = stats.connections_refused;
        numbers->of[which][3] = stats.calls_open;
        numbers->of[which][4] = stats.calls_total;
        numbers->of[which][5] = stats.handshakes_done;
    }
}

static void run_write_down(struct ctl_shard *shard, struct ctl_post *post)
{
    struct ctl_listener_numbers *numbers = CS_CONTAINER_OF(post, struct ctl_listener_numbers, post);

    atomic_store(&numbers->posted, false);
    if (!shard->stopping)
        write_down(shard);
}

static void ask_shards(struct ctl_monitor *monitor)
{
    struct ctl_shared *shared = monitor->shard->shared;

    write_down(monitor->shard);
    for (unsigned i = 0; i < shared->shard_count; i++) {
        struct ctl_listener_numbers *numbers = &shared->numbers[i];

        if (i == monitor->shard->index || atomic_exchange(&numbers->posted, true))
            continue;
        numbers->post.run = run_write_down;
        ctl_shard_post(shared->shards[i], &numbers->post);
    }
}

static void sum_listeners(const struct ctl_shared *shared, struct ctl_metrics_listener ret[CTL_LISTENERS])
{
    for (unsigned which = 0; which < CTL_LISTENERS; which++) {
        struct ctl_metrics_listener sum = {.name = ctl_listeners_name(which)};

        for (unsigned i = 0; i < shared->shard_count; i++) {
            const struct ctl_listener_numbers *numbers = &shared->numbers[i];

            sum.connections_open += numbers->of[which][0];
            sum.connections_total += numbers->of[which][1];
            sum.refused_total += numbers->of[which][2];
            sum.calls_open += numbers->of[which][3];
            sum.calls_total += numbers->of[which][4];
            sum.handshakes_total += numbers->of[which][5];
        }
        ret[which] = sum;
    }
}

/* ---- the page */

static uint64_t resident_bytes(void)
{
    size_t bytes = 0;

    return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

static uint64_t cpu_ms(void)
{
    uv_rusage_t usage;

    if (uv_getrusage(&usage) != 0)
        return 0;
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static int write_page(struct ctl_monitor *monitor, struct cs_buf *out, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct ctl_shard *shard = monitor->shard;
    struct ctl_metrics_listener listeners[CTL_LISTENERS];
    struct ctl_survey_totals totals;
    const struct ctl_metrics metrics = {
        .now_s = ctl_shard_now_s(shard),
        .counted = &monitor->survey.done,
        .totals = &totals,
        .core = ctl_core_thread_stats(shard->shared->core),
        .listeners = listeners,
        .listener_count = CTL_LISTENERS,
        .devices_connected = ctl_roster_count(shard->shared->roster),
        .sessions = ctl_sessions_count(ctl_sign_in_sessions(shard->sign_in)),
        .policy_expires_s = shard->trust ? cs_policy_body(shard->trust->policy)->expires_at_s : 0,
        .started_s = monitor->started_s,
        .resident_bytes = resident_bytes(),
        .cpu_ms = cpu_ms(),
    };
    int code = ctl_reading_open(shard->shared->store, &reading, err);

    if (code == CS_OK)
        code = ctl_survey_totals(reading.view, &totals, err);
    if (code != CS_OK)
        return code;
    sum_listeners(shard->shared, listeners);
    code = ctl_metrics_write(&metrics, out);
    return code == CS_OK ? code : cs_err_set(err, code, "the page has no room: lower metrics_certificates");
}

static unsigned get_metrics(void *owner, const struct cs_route_request *request,
                            struct cs_route_answer *answer)
{
    struct ctl_monitor *monitor = owner;
    struct cs_err err;

    (void)request;
    ctl_sign_in_sweep(monitor->shard->sign_in);
    count_if_due(monitor);
    ask_shards(monitor);
    answer->content_type = CTL_METRICS_CONTENT_TYPE;
    if (write_page(monitor, &answer->body, &err) == CS_OK)
        return 200;
    cs_buf_clear(&answer->body);
    answer->content_type = "text/plain; charset=utf-8";
    cs_log(CS_LOG_WARN, "monitor", "/metrics", CS_F("error", err.msg), CS_FEND);
    return cs_buf_printf(&answer->body, "%s\n", err.msg) == CS_OK ? 503 : 500;
}

static unsigned get_guarded_metrics(void *owner, const struct cs_route_request *request,
                                    struct cs_route_answer *answer)
{
    const struct ctl_monitor *monitor = owner;
    const struct ctl_shard *shard = monitor->shard;
    const struct ctl_session_info *session;
    uint8_t token[CTL_TOKEN_BYTES];
    struct cs_err err;
    int code = ctl_sessions_parse(cs_metadata_find(request->headers, "authorization"), token, &err);

    if (code == CS_OK)
        code = ctl_sessions_use(ctl_sign_in_sessions(shard->sign_in),
                                shard->trust ? cs_policy_body(shard->trust->policy) : NULL, token, false,
                                ctl_shard_now_s(shard), &session, &err);
    cs_wipe(token, sizeof token);
    if (code == CS_OK)
        return get_metrics(owner, request, answer);
    code = cs_buf_printf(
        &answer->body,
        "%s\nTo let monitoring read this page without one, set open_metrics = yes in countersignd's "
        "configuration, or scrape the admin socket.\n",
        err.msg);
    return code == CS_OK ? 401 : 500;
}

/* ---- life */

int ctl_monitor_new(struct ctl_shard *shard, struct ctl_monitor **ret, struct cs_err *err)
{
    struct ctl_monitor *monitor = calloc(1, sizeof *monitor);
    int code;

    if (!monitor)
        return cs_err_nomem(err);
    code = ctl_survey_init(&monitor->survey, shard->shared->config->metrics_certificates, err);
    if (code != CS_OK) {
        free(monitor);
        return code;
    }
    monitor->shard = shard;
    monitor->started_s = ctl_shard_now_s(shard);
    for (size_t guarded = 0; guarded < 2; guarded++) {
        monitor->routes[guarded][0] = (struct cs_route){"/livez", get_livez, monitor};
        monitor->routes[guarded][1] = (struct cs_route){"/readyz", get_readyz, monitor};
        monitor->routes[guarded][2] =
            (struct cs_route){"/metrics", guarded ? get_guarded_metrics : get_metrics, monitor};
    }
    uv_timer_init(&shard->loop, &monitor->pace);
    monitor->pace.data = monitor;
    *ret = monitor;
    return CS_OK;
}

void ctl_monitor_stop(struct ctl_monitor *monitor)
{
    if (monitor && !uv_is_closing((uv_handle_t *)&monitor->pace))
        uv_close((uv_handle_t *)&monitor->pace, NULL);
}

void ctl_monitor_free(struct ctl_monitor *monitor)
{
    if (!monitor)
        return;
    ctl_survey_free(&monitor->survey);
    free(monitor);
}

const struct cs_route *ctl_monitor_routes(struct ctl_monitor *monitor, bool guarded)
{
    return monitor->routes[guarded];
}
