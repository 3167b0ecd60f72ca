#include "controller/fleet/contest.h"

#include "controller/fleet/roster.h"
#include "controller/limits.h"

struct contest {
    struct ctl_post post;
    struct cs_list node; /* among those that wait on a shard for an answer, the oldest first */
    uint8_t device_id[16], challenge[16], newer_nonce[16];
    uint64_t older, newer; /* sessions */
    bool newer_asked;      /* the older one is alive; now the newer one is asked */
    bool older_alive;      /* what comes back */
    uint64_t deadline_ms;
};
#define CONTEST(at) CS_CONTAINER_OF(at, struct contest, node)

/* ---- waiting for an answer */

static void on_timer(uv_timer_t *timer);

static void watch(struct ctl_fleet *fleet)
{
    uint64_t now_ms = ctl_shard_now_ms(fleet->shard);

    if (fleet->stopping || cs_list_empty(&fleet->contests))
        return;
    const struct contest *first = CONTEST(fleet->contests.next);

    uv_timer_start(&fleet->contest_timer, on_timer,
                   first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0, 0);
}

static void challenge(struct ctl_session *session, struct contest *contest)
{
    struct ctl_fleet *fleet = session->fleet;
    countersign_v1_ControllerMessage *message =
        ctl_shard_scratch(fleet->shard, CTL_SCRATCH_REPLY, sizeof *message);

    cs_random(contest->challenge, sizeof contest->challenge);
    contest->deadline_ms = ctl_shard_now_ms(fleet->shard) + CTL_LIMIT_CHALLENGE_MS;
    cs_list_append(&fleet->contests, &contest->node);
    watch(fleet);
    message->which_body = countersign_v1_ControllerMessage_challenge_tag;
    CS_PB_SET(&message->body.challenge.challenge, CS_SLICE_ARRAY(contest->challenge));
    /* A stream that takes nothing answers nothing: the deadline is enough. */
    (void)ctl_session_send(session, message);
}

/* ---- the older one's shard */

static void run_answer(struct ctl_shard *shard, struct ctl_post *post);

static void send_back(struct ctl_shard *shard, struct contest *contest, bool older_alive)
{
    contest->older_alive = older_alive;
    contest->post.run = run_answer;
    ctl_shard_post(shard->shared->shards[ctl_session_shard(contest->newer)], &contest->post);
}

static void run_ask(struct ctl_shard *shard, struct ctl_post *post)
{
    struct contest *contest = CS_CONTAINER_OF(post, struct contest, post);
    struct ctl_session *older = NULL;
    uint64_t found;

    if (shard->fleet->stopping) {
        free(contest);
        return;
    }
    if (ctl_map_get(&shard->fleet->sessions, contest->device_id, &found))
        older = (struct ctl_session *)(uintptr_t)found;
    if (!older || older->id != contest->older || older->state == CTL_SESSION_ENDED ||
        memcmp(older->process_nonce, contest->newer_nonce, sizeof contest->newer_nonce) == 0) {
        send_back(shard, contest, false);
        return;
    }
    challenge(older, contest);
}

/* ---- the newer one's shard */

struct quarantining {
    struct ctl_task task;
    struct ctl_session *session;
    struct ctl_quarantine body;
};

static void on_quarantined(struct ctl_task *task)
{
    struct quarantining *quarantining = CS_CONTAINER_OF(task, struct quarantining, task);
    struct ctl_session *session = quarantining->session;

    session->under_way--;
    if (task->command.code != CS_OK)
        ctl_session_fail(session, &task->command.err);
    else
        ctl_session_fail_with(session, CS_EDENIED, CTL_QUARANTINED);
    free(quarantining);
    ctl_session_maybe_free(session);
}

/* The older one hears of it by the effect. */
static void quarantine(struct ctl_session *newer, const struct contest *contest)
{
    struct quarantining *quarantining = calloc(1, sizeof *quarantining);
    struct cs_err err;
    int code = quarantining ? CS_OK : cs_err_nomem(&err);

    if (code == CS_OK) {
        quarantining->session = newer;
        memcpy(quarantining->body.device_id, contest->device_id, sizeof quarantining->body.device_id);
        quarantining->body.older_session = contest->older;
        quarantining->body.newer_session = contest->newer;
        quarantining->task.command.kind = CTL_QUARANTINE_DEVICE;
        quarantining->task.command.body = &quarantining->body;
        quarantining->task.command.actor = ctl_session_actor(newer);
        quarantining->task.on_done = on_quarantined;
        code = ctl_shard_submit(newer->fleet->shard, &quarantining->task, &err);
    }
    if (code != CS_OK) {
        free(quarantining);
        ctl_session_fail(newer, &err);
        return;
    }
    newer->under_way++;
    cs_log(CS_LOG_ERROR, "session", "two processes speak for one device: quarantined",
           CS_F("device", newer->identity.name), CS_F("peer", newer->address),
           CS_FU("session", contest->newer), CS_FU("older_session", contest->older), CS_FEND);
}

static struct ctl_session *find_contested(const struct ctl_fleet *fleet, uint64_t id)
{
    CS_LIST_FOREACH(node, &fleet->contested)
    {
        struct ctl_session *session = CS_CONTAINER_OF(node, struct ctl_session, ready);

        if (session->id == id)
            return session;
    }
    return NULL;
}

static void ask(struct ctl_shard *shard, struct contest *contest, uint64_t older)
{
    contest->older = older;
    contest->post.run = run_ask;
    ctl_shard_post(shard->shared->shards[ctl_session_shard(older)], &contest->post);
}

static void run_answer(struct ctl_shard *shard, struct ctl_post *post)
{
    struct contest *contest = CS_CONTAINER_OF(post, struct contest, post);
    struct ctl_session *newer = find_contested(shard->fleet, contest->newer);
    uint64_t holder = ctl_roster_find(shard->shared->roster, contest->device_id);

    /* Meanwhile a third has taken the place: it is asked instead. */
    if (newer && !contest->older_alive && holder && holder != contest->older) {
        ask(shard, contest, holder);
        return;
    }
    if (newer && contest->older_alive && !shard->fleet->stopping) {
        contest->newer_asked = true;
        challenge(newer, contest);
        return;
    }
    free(contest);
    if (newer)
        ctl_session_open(newer);
}

int ctl_contest_begin(struct ctl_session *newer, uint64_t older_id, struct cs_err *err)
{
    struct contest *contest = calloc(1, sizeof *contest);

    if (!contest)
        return cs_err_nomem(err);
    cs_list_init(&contest->node);
    memcpy(contest->device_id, newer->identity.device_id, sizeof contest->device_id);
    memcpy(contest->newer_nonce, newer->process_nonce, sizeof contest->newer_nonce);
    contest->newer = newer->id;
    cs_list_append(&newer->fleet->contested, &newer->ready);
    ask(newer->fleet->shard, contest, older_id);
    return CS_OK;
}

/* ---- answers and their absence */

static void settle(struct ctl_fleet *fleet, struct contest *contest, bool alive)
{
    struct ctl_session *newer;

    cs_list_remove(&contest->node);
    if (!contest->newer_asked) {
        send_back(fleet->shard, contest, alive);
        return;
    }
    newer = find_contested(fleet, contest->newer);
    if (newer && alive)
        quarantine(newer, contest);
    else if (newer)
        ctl_session_fail_with(newer, CS_ETIMEOUT,
                              "another stream of this device is alive, and this one did not answer");
    free(contest);
}

int ctl_contest_answer(struct ctl_session *session, const countersign_v1_ChallengeAnswer *answer,
                       struct cs_err *err)
{
    if (!cs_slice_eq(CS_PB_BYTES(&answer->process_nonce), CS_SLICE_ARRAY(session->process_nonce)))
        return cs_err_set(err, CS_EINVAL, "the answer to a challenge has another process_nonce than hello");
    CS_LIST_FOREACH(node, &session->fleet->contests)
    {
        struct contest *contest = CONTEST(node);

        if (session->id == (contest->newer_asked ? contest->newer : contest->older) &&
            cs_slice_eq(CS_PB_BYTES(&answer->challenge), CS_SLICE_ARRAY(contest->challenge))) {
            settle(session->fleet, contest, true);
            return CS_OK;
        }
    }
    return CS_OK;
}

static void on_timer(uv_timer_t *timer)
{
    struct ctl_fleet *fleet = timer->data;
    uint64_t now_ms = ctl_shard_now_ms(fleet->shard);

    while (!cs_list_empty(&fleet->contests) && CONTEST(fleet->contests.next)->deadline_ms <= now_ms)
        settle(fleet, CONTEST(fleet->contests.next), false);
    watch(fleet);
}

void ctl_contest_left(struct ctl_session *session)
{
    struct ctl_fleet *fleet = session->fleet;

    CS_LIST_FOREACH(node, &fleet->contests)
    {
        struct contest *contest = CONTEST(node);

        if (session->id == (contest->newer_asked ? contest->newer : contest->older))
            settle(fleet, contest, false);
    }
}

void ctl_contest_stop(struct ctl_fleet *fleet)
{
    for (struct cs_list *node; (node = cs_list_pop(&fleet->contests));)
        free(CONTEST(node));
    uv_timer_stop(&fleet->contest_timer);
    if (!uv_is_closing((uv_handle_t *)&fleet->contest_timer))
        uv_close((uv_handle_t *)&fleet->contest_timer, NULL);
}
