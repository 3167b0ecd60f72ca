#include "controller/fleet/contest.h"

#include "controller/fleet/roster.h"
#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/trust/statement.h"

#include <stdio.h>

static void log_session(enum cs_log_level level, const struct ctl_session *session, const char *msg,
                        const char *error)
{
    cs_log(level, "session", msg, CS_F("device", session->identity.name), CS_F("peer", session->address),
           CS_FU("session", session->id), error ? CS_F("error", error) : CS_FEND, CS_FEND);
}

struct ctl_actor ctl_session_actor(const struct ctl_session *session)
{
    struct ctl_actor actor = {0};

    snprintf(actor.name, sizeof actor.name, "%s", session->identity.name);
    snprintf(actor.peer, sizeof actor.peer, "%s", session->address);
    return actor;
}

/* ---- the end */

void ctl_session_maybe_free(struct ctl_session *session)
{
    if (session->call || session->under_way)
        return;
    cs_list_remove(&session->all);
    free(session->orders);
    free(session->opening);
    cs_device_free(session->device);
    free(session);
}

struct closing {
    struct ctl_task task;
    struct ctl_session_closed body;
};

static void on_closed(struct ctl_task *task)
{
    free(CS_CONTAINER_OF(task, struct closing, task));
}

/* The core runs commands in their order, so this comes behind the opening even if that is still under way.
 * What cannot be told now is forgotten at the next start: presence is never kept. */
static void tell_closed(struct ctl_session *session)
{
    struct closing *closing = calloc(1, sizeof *closing);
    struct cs_err err;

    if (!closing)
        return;
    memcpy(closing->body.device_id, session->identity.device_id, sizeof closing->body.device_id);
    closing->body.session_id = session->id;
    closing->task.command.kind = CTL_SESSION_CLOSED;
    closing->task.command.body = &closing->body;
    closing->task.command.actor = ctl_session_actor(session);
    closing->task.on_done = on_closed;
    if (ctl_shard_submit(session->fleet->shard, &closing->task, &err) != CS_OK)
        free(closing);
}

static void leave(struct ctl_session *session)
{
    struct ctl_fleet *fleet = session->fleet;
    uint64_t current;

    session->state = CTL_SESSION_ENDED;
    cs_list_remove(&session->ready);
    if (!session->id)
        return;
    ctl_contest_left(session);
    if (ctl_map_get(&fleet->sessions, session->identity.device_id, &current) &&
        current == (uint64_t)(uintptr_t)session)
        ctl_map_remove(&fleet->sessions, session->identity.device_id);
    ctl_roster_leave(fleet->shard->shared->roster, session->identity.device_id, session->id);
    if (session->in_store)
        tell_closed(session);
}

static void agent_on_end(struct cs_call *call, enum cs_status how)
{
    struct ctl_session *session = cs_call_data(call);

    if (!session)
        return;
    log_session(CS_LOG_INFO, session, "agent disconnected", cs_status_name(how));
    session->call = NULL;
    leave(session);
    ctl_session_maybe_free(session);
}

void ctl_session_fail(struct ctl_session *session, const struct cs_err *err)
{
    if (!session->call || session->state == CTL_SESSION_ENDED)
        return;
    log_session(CS_LOG_WARN, session, "stream ended by the controller", err->msg);
    session->state = CTL_SESSION_ENDED;
    cs_list_remove(&session->ready);
    cs_call_fail(session->call, err);
}

void ctl_session_fail_with(struct ctl_session *session, int code, const char *why)
{
    struct cs_err err;

    cs_err_set(&err, code, "%s", why);
    ctl_session_fail(session, &err);
}

/* ---- sending */

bool ctl_session_send(struct ctl_session *session, const countersign_v1_ControllerMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;

    if (session->state == CTL_SESSION_ENDED)
        return false;
    if (cs_message_encode(countersign_v1_ControllerMessage_fields, message, &bytes, &err) != CS_OK) {
        ctl_session_fail(session, &err);
        return false;
    }
    return ctl_session_send_bytes(session, cs_buf_slice(&bytes));
}

bool ctl_session_send_bytes(struct ctl_session *session, struct cs_slice message)
{
    int code;

    if (session->state == CTL_SESSION_ENDED)
        return false;
    code = cs_call_send(session->call, message);
    if (code == CS_EFULL || code == CS_ENOMEM)
        ctl_session_fail_with(session, CS_EFULL, "the device does not read what it is sent");
    session->reads_slowly = code == CS_EBUSY;
    return code == CS_OK;
}

static bool send_policy(struct ctl_session *session, uint32_t version)
{
    struct ctl_shard *shard = session->fleet->shard;
    countersign_v1_ControllerMessage *message = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, sizeof *message);
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    struct cs_slice wire = CS_SLICE_EMPTY;
    struct cs_err err;
    int code = CS_OK;

    if (version == ctl_trust_version(shard->trust)) {
        wire = cs_policy_wire(shard->trust->policy);
    } else {
        code = ctl_reading_open(shard->shared->store, &reading, &err);
        if (code == CS_OK)
            code = ctl_query_policy(reading.view, version, &envelope, &err);
        wire = cs_buf_slice(&envelope);
    }
    if (code == CS_OK && wire.len > sizeof message->body.policy.bytes)
        code = cs_err_set(&err, CS_ETOOBIG, "policy version %u does not fit a message", version);
    if (code != CS_OK) {
        ctl_session_fail(session, &err);
        return false;
    }
    message->which_body = countersign_v1_ControllerMessage_policy_tag;
    CS_PB_SET(&message->body.policy, wire);
    return ctl_session_send(session, message);
}

void ctl_session_pump(struct ctl_session *session)
{
    struct ctl_fleet *fleet = session->fleet;
    uint32_t newest = ctl_trust_version(fleet->shard->trust);

    while (session->state == CTL_SESSION_OPEN && !session->reads_slowly && session->next_policy <= newest)
        (void)send_policy(session, session->next_policy++);
    if (session->state != CTL_SESSION_OPEN || session->reads_slowly)
        return;
    if ((session->order_count || session->more_orders || session->more_key_requests) &&
        cs_list_empty(&session->ready)) {
        cs_list_append(&fleet->ready, &session->ready);
        ctl_shard_wake(fleet->shard);
    }
}

void ctl_session_add_order(struct ctl_session *session, uint64_t order_number)
{
    if (!session->orders)
        session->orders = calloc(CTL_LIMIT_SESSION_ORDERS, sizeof *session->orders);
    for (size_t i = 0; i < session->order_count; i++)
        if (session->orders[i] == order_number)
            return;
    if (!session->orders || session->order_count == CTL_LIMIT_SESSION_ORDERS)
        session->more_orders = true;
    else
        session->orders[session->order_count++] = order_number;
}

static void agent_on_writable(struct cs_call *call)
{
    struct ctl_session *session = cs_call_data(call);

    if (!session)
        return;
    session->reads_slowly = false;
    ctl_session_pump(session);
}

bool ctl_session_send_welcome(struct ctl_session *session)
{
    struct ctl_shard *shard = session->fleet->shard;
    countersign_v1_ControllerMessage *message = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, sizeof *message);

    message->which_body = countersign_v1_ControllerMessage_welcome_tag;
    message->body.welcome.time_s = ctl_shard_now_s(shard);
    message->body.welcome.policy_version = ctl_trust_version(shard->trust);
    message->body.welcome.admitted = session->identity.admitted;
    return ctl_session_send(session, message);
}

bool ctl_session_send_ack(struct ctl_session *session, uint64_t sequence)
{
    countersign_v1_ControllerMessage *message =
        ctl_shard_scratch(session->fleet->shard, CTL_SCRATCH_REPLY, sizeof *message);

    message->which_body = countersign_v1_ControllerMessage_ack_tag;
    message->body.ack.sequence = sequence;
    return ctl_session_send(session, message);
}

bool ctl_session_send_identity(struct ctl_session *session, uint64_t sequence)
{
    struct ctl_shard *shard = session->fleet->shard;
    countersign_v1_ControllerMessage *message = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, sizeof *message);
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    cs_auto(cs_buf_free) struct cs_buf certificate = CS_BUF_EMPTY;
    struct cs_err err;
    int code = ctl_reading_open(shard->shared->store, &reading, &err);

    if (code == CS_OK)
        code = ctl_query_certificate_of(reading.view, session->identity.device_id, &certificate, &err);
    if (code == CS_OK && certificate.len > sizeof message->body.identity.certificate.bytes)
        code = cs_err_set(&err, CS_ETOOBIG, "the identity certificate does not fit a message");
    if (code != CS_OK) {
        ctl_session_fail(session, &err);
        return false;
    }
    message->which_body = countersign_v1_ControllerMessage_identity_tag;
    message->body.identity.sequence = sequence;
    CS_PB_SET(&message->body.identity.certificate, cs_buf_slice(&certificate));
    return ctl_session_send(session, message);
}

/* ---- opening */

struct ctl_opening {
    struct ctl_task task;
    struct ctl_session *session;
    struct ctl_session_opened body;
    countersign_v1_Hello hello;
};

static void on_opened(struct ctl_task *task)
{
    struct ctl_opening *opening = CS_CONTAINER_OF(task, struct ctl_opening, task);
    struct ctl_session *session = opening->session;

    session->under_way--;
    if (task->command.code != CS_OK) {
        ctl_session_fail(session, &task->command.err);
    } else if (session->state == CTL_SESSION_OPENING) {
        session->state = CTL_SESSION_OPEN;
        ctl_map_remove(&session->fleet->refused, session->identity.device_id);
        /* Orders that waited came as effects of the opening, before this. */
        session->more_key_requests = true;
        cs_log(CS_LOG_INFO, "session", "agent connected", CS_F("device", session->identity.name),
               CS_F("peer", session->address), CS_FU("session", session->id),
               CS_F("agent_version", opening->hello.agent_version), CS_FEND);
        (void)ctl_session_send_welcome(session);
        ctl_session_pump(session);
    }
    free(opening);
    ctl_session_maybe_free(session);
}

struct kick {
    struct ctl_post post;
    uint8_t device_id[16];
    uint64_t session_id;
};

static void replace(struct ctl_session *older)
{
    ctl_session_fail_with(older, CS_ESTALE, "a newer stream of this device replaces this one");
}

static void run_kick(struct ctl_shard *shard, struct ctl_post *post)
{
    struct kick *kick = CS_CONTAINER_OF(post, struct kick, post);
    uint64_t found;

    if (ctl_map_get(&shard->fleet->sessions, kick->device_id, &found)) {
        struct ctl_session *session = (struct ctl_session *)(uintptr_t)found;

        if (session->id == kick->session_id)
            replace(session);
    }
    free(kick);
}

/* The older session may be on any shard; its own shard ends it. */
static int take_place(struct ctl_session *session, struct cs_err *err)
{
    struct ctl_fleet *fleet = session->fleet;
    struct ctl_shared *shared = fleet->shard->shared;
    const uint8_t *device_id = session->identity.device_id;
    uint64_t here = 0, replaced = 0;
    struct kick *kick = calloc(1, sizeof *kick);
    int code;

    if (!kick)
        return cs_err_nomem(err);
    code = ctl_roster_enter(shared->roster, device_id, session->id, &replaced, err);
    if (code == CS_OK && ctl_map_get(&fleet->sessions, device_id, &here))
        replace((struct ctl_session *)(uintptr_t)here);
    if (code == CS_OK && ctl_map_set(&fleet->sessions, device_id, (uint64_t)(uintptr_t)session) != CS_OK)
        code = cs_err_nomem(err);
    if (code != CS_OK || !replaced || ctl_session_shard(replaced) == fleet->shard->index) {
        free(kick);
        return code;
    }
    memcpy(kick->device_id, device_id, sizeof kick->device_id);
    kick->session_id = replaced;
    kick->post.run = run_kick;
    ctl_shard_post(shared->shards[ctl_session_shard(replaced)], &kick->post);
    return CS_OK;
}

static int submit_opening(struct ctl_session *session, struct cs_err *err)
{
    struct ctl_opening *opening = session->opening;
    int code = take_place(session, err);

    if (code != CS_OK)
        return code;
    opening->session = session;
    opening->body.device_name = session->identity.name;
    memcpy(opening->body.device_id, session->identity.device_id, sizeof opening->body.device_id);
    opening->body.session_id = session->id;
    opening->body.hello = &opening->hello;
    opening->body.address = session->address;
    opening->body.identity_key = session->identity.key;
    opening->task.command.kind = CTL_SESSION_OPENED;
    opening->task.command.body = &opening->body;
    opening->task.command.actor = ctl_session_actor(session);
    opening->task.on_done = on_opened;
    code = ctl_shard_submit(session->fleet->shard, &opening->task, err);
    if (code != CS_OK)
        return code;
    session->opening = NULL; /* on_opened frees it */
    session->state = CTL_SESSION_OPENING;
    session->in_store = true;
    session->under_way++;
    return CS_OK;
}

void ctl_session_open(struct ctl_session *session)
{
    struct cs_err err;

    cs_list_remove(&session->ready);
    if (submit_opening(session, &err) != CS_OK)
        ctl_session_fail(session, &err);
}

/* Who is it? The handshake proved the certificate; the store says whose it is, and whether it still is. */
static int identify(struct ctl_shard *shard, struct cs_slice certificate, struct ctl_identity *ret,
                    struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int code;

    if (!certificate.len)
        return cs_err_set(err, CS_EAUTH, "agents need a client certificate: enrol first");
    code = cs_chain_parse(certificate, &chain, err);
    if (code == CS_OK)
        code = ctl_reading_open(shard->shared->store, &reading, err);
    if (code == CS_OK)
        code = ctl_query_identity(reading.view, cs_chain_leaf_spki(chain), ret, err);
    if (code == CS_ENOTFOUND)
        return cs_err_set(err, CS_EAUTH, "this identity is not known here (any more): enrol again");
    return code;
}

static int on_hello(struct ctl_session *session, const countersign_v1_Hello *hello, struct cs_err *err)
{
    struct ctl_fleet *fleet = session->fleet;
    uint64_t older;
    int code;

    if (session->state != CTL_SESSION_EXPECTED)
        return cs_err_set(err, CS_EINVAL, "hello was said before");
    if (hello->process_nonce.size != sizeof session->process_nonce)
        return cs_err_set(err, CS_EINVAL, "hello: process_nonce must have 16 bytes");
    /* A stream may have been silent until its key was followed, or its device closed. */
    code = identify(fleet->shard, cs_call_peer(session->call)->certificate, &session->identity, err);
    if (code != CS_OK)
        return code;
    session->opening = calloc(1, sizeof *session->opening);
    if (!session->opening)
        return cs_err_nomem(err);
    session->opening->hello = *hello;
    memcpy(session->process_nonce, hello->process_nonce.bytes, sizeof session->process_nonce);
    session->next_policy = hello->policy_version + 1;
    session->id = ctl_session_id(fleet->shard->index, ++fleet->last_number);
    older = ctl_roster_find(fleet->shard->shared->roster, session->identity.device_id);
    if (!older)
        return submit_opening(session, err);
    session->state = CTL_SESSION_CONTESTED;
    return ctl_contest_begin(session, older, err);
}

/* ---- receiving */

static int handle(struct ctl_session *session, const countersign_v1_AgentMessage *message, struct cs_err *err)
{
    switch (message->which_body) {
    case countersign_v1_AgentMessage_hello_tag:
        return on_hello(session, &message->body.hello, err);
    case countersign_v1_AgentMessage_statement_tag:
        return ctl_session_on_statement(session, CS_PB_BYTES(&message->body.statement), err);
    case countersign_v1_AgentMessage_policy_ask_tag:
        if (session->state != CTL_SESSION_OPEN)
            return cs_err_set(err, CS_EINVAL, "policies were asked for before welcome");
        session->next_policy =
            message->body.policy_ask.from_version ? message->body.policy_ask.from_version : 1;
        ctl_session_pump(session);
        return CS_OK;
    case countersign_v1_AgentMessage_challenge_answer_tag:
        return ctl_contest_answer(session, &message->body.challenge_answer, err);
    default: /* what newer agents may say: nothing hangs on it */
        return CS_OK;
    }
}

static void agent_on_message(struct cs_call *call, struct cs_slice bytes)
{
    struct ctl_session *session = cs_call_data(call);
    countersign_v1_AgentMessage *message;
    struct cs_err err;
    int code;

    if (!session || session->state == CTL_SESSION_ENDED)
        return;
    message = ctl_shard_scratch(session->fleet->shard, CTL_SCRATCH_REQUEST, sizeof *message);
    code = cs_message_decode(countersign_v1_AgentMessage_fields, bytes, message, "the agent's message", &err);
    if (code == CS_OK)
        code = handle(session, message, &err);
    if (code != CS_OK)
        ctl_session_fail(session, &err);
}

static void agent_on_half_close(struct cs_call *call)
{
    cs_call_finish(call, CS_STATUS_OK, NULL);
}

/* *ret_identity: as far as it is known, also of one that is refused. */
static struct ctl_session *session_new(struct ctl_fleet *fleet, struct cs_call *call,
                                       struct ctl_identity *ret_identity, struct cs_err *err)
{
    struct ctl_session *session = calloc(1, sizeof *session);
    int code;

    if (!session) {
        cs_err_nomem(err);
        return NULL;
    }
    code = fleet->stopping ? cs_err_set(err, CS_EBUSY, "the controller is stopping")
                           : identify(fleet->shard, cs_call_peer(call)->certificate, &session->identity, err);
    *ret_identity = session->identity;
    if (code != CS_OK) {
        free(session);
        return NULL;
    }
    session->fleet = fleet;
    session->call = call;
    snprintf(session->address, sizeof session->address, "%s", cs_call_peer(call)->address);
    cs_list_init(&session->ready);
    cs_list_append(&fleet->all, &session->all);
    return session;
}

/* A device that is banned or quarantined comes again and again: that is said once. */
static bool was_refused(struct ctl_fleet *fleet, const struct ctl_identity *identity, int code)
{
    uint64_t there;

    return code == CS_EDENIED && (ctl_map_get(&fleet->refused, identity->device_id, &there) ||
                                  ctl_map_set(&fleet->refused, identity->device_id, 1) != CS_OK);
}

static void agent_on_open(struct cs_call *call)
{
    struct ctl_shard *shard = cs_call_service(call);
    struct ctl_identity identity = {0};
    struct cs_err err;
    struct ctl_session *session = session_new(shard->fleet, call, &identity, &err);

    if (!session) {
        cs_log(was_refused(shard->fleet, &identity, err.code) ? CS_LOG_DEBUG : CS_LOG_WARN, "session",
               "agent refused", CS_F("peer", cs_call_peer(call)->address), CS_F("device", identity.name),
               CS_F("error", err.msg), CS_FEND);
        cs_call_fail(call, &err);
        return;
    }
    cs_call_set_data(call, session);
}

static const struct cs_call_handler agent_handler = {
    .on_open = agent_on_open,
    .on_message = agent_on_message,
    .on_half_close = agent_on_half_close,
    .on_writable = agent_on_writable,
    .on_end = agent_on_end,
};

const struct cs_method ctl_agent_methods[] = {
    {"countersign.v1.AgentService", "Connect", CS_CALL_BIDI, countersign_v1_AgentMessage_size, &agent_handler,
     0},
};
const size_t ctl_agent_methods_count = CS_ARRAY_LEN(ctl_agent_methods);
