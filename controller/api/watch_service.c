#include "controller/api/watch.h"

#include "controller/api/api.h"
#include "controller/api/caller.h"
#include "controller/api/unary.h"
#include "controller/core/changes.h"
#include "controller/limits.h"
#include "controller/reading.h"

#include "countersign/v1/watch.pb.h"

#include <stdatomic.h>

struct watch {
    struct cs_list node; /* of watchers->all, those who waited longest first */
    struct ctl_watchers *watchers;
    struct cs_call *call;
    countersign_v1_WatchRequest request;
    uint64_t cursor;     /* told up to here */
    uint64_t told_at_ms; /* the last message */
    bool slow;           /* until on_writable */
};

struct ctl_watchers {
    struct ctl_shard *shard;
    struct cs_list all;
    bool stopping;
    uv_timer_t bookmarks;
    uv_timer_t again;       /* a turn was over before all were told */
    _Atomic unsigned count; /* of `all`; the core thread looks whether there is anybody */
    _Atomic bool posted;    /* `post` is on its way */
    struct ctl_post post;
};

/* ---- one call */

static int send_message(struct watch *watch, const countersign_v1_WatchResponse *message, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = cs_message_encode(countersign_v1_WatchResponse_fields, message, &bytes, err);

    if (code != CS_OK)
        return code;
    code = cs_call_send(watch->call, cs_buf_slice(&bytes));
    watch->slow = code == CS_EBUSY || code == CS_EFULL;
    if (code == CS_OK || code == CS_EBUSY)
        watch->told_at_ms = ctl_shard_now_ms(watch->watchers->shard);
    return code == CS_OK || code == CS_EBUSY || code == CS_EFULL || code == CS_ECLOSED
               ? code
               : cs_err_set(err, code, "the changes could not be sent");
}

static countersign_v1_WatchResponse *new_message(struct watch *watch)
{
    return ctl_shard_scratch(watch->watchers->shard, CTL_SCRATCH_REPLY, sizeof(countersign_v1_WatchResponse));
}

static int send_bookmark(struct watch *watch, struct cs_err *err)
{
    countersign_v1_WatchResponse *message = new_message(watch);

    message->revision = watch->cursor;
    message->time_s = ctl_shard_now_s(watch->watchers->shard);
    return send_message(watch, message, err);
}

/* One look at the store. What could not be sent is read again later. */
static int tell_once(struct watch *watch, struct ctl_view *view, bool *ret_more, struct cs_err *err)
{
    countersign_v1_WatchResponse *message = new_message(watch);
    uint64_t cursor = watch->cursor;
    int code = ctl_query_changes(view, &watch->request, ctl_shard_now_s(watch->watchers->shard), &cursor,
                                 message, ret_more, err);

    if (code == CS_OK && message->changes_count)
        code = send_message(watch, message, err);
    if (code == CS_OK || code == CS_EBUSY)
        watch->cursor = cursor;
    *ret_more &= code == CS_OK;
    return code == CS_EBUSY || code == CS_EFULL || code == CS_ECLOSED ? CS_OK : code;
}

/* Sessions end and roles change while a stream is open: it ends with them. */
static int check_still_allowed(const struct watch *watch, struct cs_err *err)
{
    struct ctl_caller caller;

    return ctl_caller_check(watch->call, &caller, err);
}

/* ---- all of a shard */

/* The loop's other work has its turn after some milliseconds of ours. */
static bool turn_is_over(uint64_t began_ns)
{
    return uv_hrtime() - began_ns > CTL_LIMIT_WATCH_TURN_MS * 1000000ull;
}

static void wake(struct ctl_watchers *watchers)
{
    if (!atomic_exchange(&watchers->posted, true))
        ctl_shard_post(watchers->shard, &watchers->post);
}

/* As far as the turn allows. */
static void tell(struct watch *watch, struct ctl_view *view, uint64_t began_ns)
{
    struct cs_err err;
    bool more = true;
    int code = check_still_allowed(watch, &err);

    while (more && code == CS_OK && !turn_is_over(began_ns))
        code = tell_once(watch, view, &more, &err);
    if (code == CS_OK)
        return;
    cs_call_fail(watch->call, &err);
    watch->slow = true; /* says nothing more; on_end follows */
}

static void on_again(uv_timer_t *timer);

/* Those who are behind, one after the other; the next turn goes on with the next one. */
static int tell_all(struct ctl_watchers *watchers, struct ctl_view *view, struct cs_err *err)
{
    static const countersign_v1_WatchRequest now = countersign_v1_WatchRequest_init_zero;
    const uint64_t began_ns = uv_hrtime();
    uint64_t newest = 0;
    int code = ctl_query_watch_begin(view, &now, &newest, err);

    for (unsigned left = atomic_load(&watchers->count); code == CS_OK && left > 0; left--) {
        struct cs_list *node = cs_list_pop(&watchers->all);
        struct watch *watch = CS_CONTAINER_OF(node, struct watch, node);

        cs_list_append(&watchers->all, node);
        if (watch->slow || watch->cursor >= newest)
            continue;
        tell(watch, view, began_ns);
        if (turn_is_over(began_ns)) {
            /* By a timer: a post would come before everything that waits for the loop. */
            uv_timer_start(&watchers->again, on_again, 0, 0);
            break;
        }
    }
    return code;
}

static void look_and_tell(struct ctl_watchers *watchers)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct cs_err err;
    int code;

    if (watchers->stopping || cs_list_empty(&watchers->all))
        return;
    code = ctl_reading_open(watchers->shard->shared->store, &reading, &err);
    if (code == CS_OK)
        code = tell_all(watchers, reading.view, &err);
    if (code != CS_OK)
        cs_log(CS_LOG_ERROR, "api", "those who watch have to wait", CS_F("error", err.msg), CS_FEND);
}

static void on_again(uv_timer_t *timer)
{
    look_and_tell(timer->data);
}

static void run_tell(struct ctl_shard *shard, struct ctl_post *post)
{
    struct ctl_watchers *watchers = CS_CONTAINER_OF(post, struct ctl_watchers, post);

    (void)shard;
    /* Before the snapshot: what is committed behind it posts again. */
    atomic_store(&watchers->posted, false);
    look_and_tell(watchers);
}

/* Also what could not be told for lack of a snapshot. Who may no longer call is told no more. */
static void on_bookmarks(uv_timer_t *timer)
{
    struct ctl_watchers *watchers = timer->data;
    const uint64_t now_ms = ctl_shard_now_ms(watchers->shard);
    struct cs_err err;

    CS_LIST_FOREACH(node, &watchers->all)
    {
        struct watch *watch = CS_CONTAINER_OF(node, struct watch, node);

        if (check_still_allowed(watch, &err) != CS_OK) {
            watch->slow = true; /* says nothing more; on_end follows */
            cs_call_fail(watch->call, &err);
        } else if (!watch->slow && now_ms - watch->told_at_ms >= CTL_LIMIT_WATCH_QUIET_MS)
            (void)send_bookmark(watch, &err);
    }
    wake(watchers);
}

int ctl_watchers_new(struct ctl_shard *shard, struct ctl_watchers **ret, struct cs_err *err)
{
    struct ctl_watchers *watchers = calloc(1, sizeof *watchers);

    if (!watchers)
        return cs_err_nomem(err);
    watchers->shard = shard;
    watchers->post.run = run_tell;
    cs_list_init(&watchers->post.node);
    cs_list_init(&watchers->all);
    uv_timer_init(&shard->loop, &watchers->bookmarks);
    watchers->bookmarks.data = watchers;
    uv_timer_init(&shard->loop, &watchers->again);
    watchers->again.data = watchers;
    *ret = watchers;
    return CS_OK;
}

void ctl_watchers_stop(struct ctl_watchers *watchers)
{
    watchers->stopping = true;
    CS_LIST_FOREACH(node, &watchers->all)
    cs_call_finish(CS_CONTAINER_OF(node, struct watch, node)->call, CS_STATUS_UNAVAILABLE,
                   "the controller is stopping: go on from the last revision later");
    if (!uv_is_closing((uv_handle_t *)&watchers->bookmarks)) {
        uv_close((uv_handle_t *)&watchers->bookmarks, NULL);
        uv_close((uv_handle_t *)&watchers->again, NULL);
    }
}

void ctl_watchers_free(struct ctl_watchers *watchers)
{
    if (!watchers)
        return;
    cs_assert(cs_list_empty(&watchers->all));
    free(watchers);
}

void ctl_watchers_tell(void *data)
{
    struct ctl_shared *shared = data;

    for (unsigned i = 0; i < shared->shard_count; i++)
        if (atomic_load(&shared->shards[i]->watchers->count))
            wake(shared->shards[i]->watchers);
}

/* ---- the method */

static int check_room(const struct ctl_watchers *watchers, const struct cs_call *call, struct cs_err *err)
{
    unsigned all = 0, here = 0;

    if (watchers->stopping)
        return cs_err_set(err, CS_EBUSY, "the controller is stopping");
    CS_LIST_FOREACH(node, &watchers->all)
    {
        all++;
        here += cs_call_peer(CS_CONTAINER_OF(node, struct watch, node)->call) == cs_call_peer(call);
    }
    if (all >= CTL_LIMIT_WATCHERS)
        return cs_err_set(err, CS_EFULL, "%d clients watch already: try again later", CTL_LIMIT_WATCHERS);
    if (here >= CTL_LIMIT_WATCHERS_CONNECTION)
        return cs_err_set(err, CS_EFULL, "one connection may watch %d times: end one, or open another",
                          CTL_LIMIT_WATCHERS_CONNECTION);
    return CS_OK;
}

static int find_beginning(struct watch *watch, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int code = ctl_reading_open(watch->watchers->shard->shared->store, &reading, err);

    return code == CS_OK ? ctl_query_watch_begin(reading.view, &watch->request, &watch->cursor, err) : code;
}

static void leave(struct watch *watch)
{
    struct ctl_watchers *watchers = watch->watchers;

    cs_call_set_data(watch->call, NULL);
    cs_list_remove(&watch->node);
    free(watch);
    if (atomic_fetch_sub(&watchers->count, 1) == 1)
        uv_timer_stop(&watchers->bookmarks);
}

/* Counted first: from then on a commit wakes us, and what was committed before is in the snapshot. */
static void enter(struct watch *watch)
{
    struct ctl_watchers *watchers = watch->watchers;

    cs_call_set_data(watch->call, watch);
    cs_list_append(&watchers->all, &watch->node);
    if (atomic_fetch_add(&watchers->count, 1) == 0)
        uv_timer_start(&watchers->bookmarks, on_bookmarks, CTL_LIMIT_WATCH_LOOK_MS, CTL_LIMIT_WATCH_LOOK_MS);
}

static int begin(struct watch *watch, struct cs_slice message, struct cs_err *err)
{
    struct ctl_caller caller;
    int code = ctl_caller_check(watch->call, &caller, err);

    if (code == CS_OK)
        code = cs_message_decode(countersign_v1_WatchRequest_fields, message, &watch->request, "Watch", err);
    if (code == CS_OK)
        code = ctl_watch_check(&watch->request, err);
    if (code == CS_OK)
        code = check_room(watch->watchers, watch->call, err);
    return code;
}

static void watch_on_message(struct cs_call *call, struct cs_slice message)
{
    struct ctl_shard *shard = cs_call_service(call);
    struct watch *watch = calloc(1, sizeof *watch);
    struct cs_err err;
    int code;

    if (!watch) {
        cs_err_nomem(&err);
        cs_call_fail(call, &err);
        return;
    }
    watch->watchers = shard->watchers;
    watch->call = call;
    code = begin(watch, message, &err);
    if (code != CS_OK) {
        free(watch);
        cs_call_fail(call, &err);
        return;
    }
    enter(watch);
    code = find_beginning(watch, &err);
    if (code == CS_OK)
        code = send_bookmark(watch, &err);
    if (code == CS_OK || code == CS_EBUSY) {
        wake(watch->watchers);
        return;
    }
    leave(watch);
    if (code == CS_EFULL || code == CS_ECLOSED)
        cs_err_set(&err, CS_EFULL, "there is no room for the answer: this connection reads too slowly");
    cs_call_fail(call, &err);
}

static void watch_on_writable(struct cs_call *call)
{
    struct watch *watch = cs_call_data(call);

    if (!watch)
        return;
    watch->slow = false;
    wake(watch->watchers);
}

static void watch_on_end(struct cs_call *call, enum cs_status how)
{
    struct watch *watch = cs_call_data(call);

    (void)how;
    if (watch)
        leave(watch);
}

static const struct cs_call_handler handler = {
    .on_message = watch_on_message,
    .on_writable = watch_on_writable,
    .on_end = watch_on_end,
};

#define SERVICE "countersign.v1.WatchService"
const struct cs_method ctl_watch_methods[] = {CTL_STREAM_ROW(Watch, &handler, CTL_MAY_ANYONE)};
const size_t ctl_watch_methods_count = CS_ARRAY_LEN(ctl_watch_methods);
