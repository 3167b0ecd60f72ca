#include "agent/link/session_impl.h"

#include "agent/link/dial.h"
#include "shared/base/version.h"

enum {
    /* A connection that lasted this long was a good one. */
    LASTED_MS = 30 * 1000,
    /* How long a policy is waited for that a push needs, or that the controller said it has. */
    POLICY_WAIT_MS = 10 * 1000,
    /* What telling of one change takes of the room for it, and how much of that there is at most. */
    TELL_COST_MS = 6 * 1000,
    TELL_ROOM_MS = 100 * TELL_COST_MS,
};

/* ---- sending */

static void send_message(struct ag_session *session)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err = {0};

    if (!session->call)
        return;
    if (cs_message_encode(countersign_v1_AgentMessage_fields, session->outgoing, &bytes, &err) != CS_OK) {
        cs_log(CS_LOG_ERROR, "session", "message not made", CS_F("error", err.msg), CS_FEND);
        return;
    }
    int code = cs_client_call_send(session->call, cs_buf_slice(&bytes));

    /* Too slow a peer: what was not taken is sent again on the next connection. */
    if (code == CS_EFULL)
        ag_session_drop(session, "the controller does not read");
}

static void send_statement(struct ag_session *session, struct cs_slice envelope)
{
    if (envelope.len > sizeof session->outgoing->body.statement.bytes)
        return;
    session->outgoing->which_body = countersign_v1_AgentMessage_statement_tag;
    CS_PB_SET(&session->outgoing->body.statement, envelope);
    send_message(session);
}

static void send_hello(struct ag_session *session)
{
    countersign_v1_Hello *hello = &session->outgoing->body.hello;

    memset(session->outgoing, 0, sizeof *session->outgoing);
    session->outgoing->which_body = countersign_v1_AgentMessage_hello_tag;
    memcpy(hello->agent_version, CS_VERSION, sizeof CS_VERSION);
    CS_PB_SET(&hello->process_nonce, CS_SLICE_ARRAY(session->process_nonce));
    hello->policy_version = session->device->state.policy_version;
    hello->sequence = session->device->sequence;
    send_message(session);
}

static void send_policy_ask(struct ag_session *session)
{
    memset(session->outgoing, 0, sizeof *session->outgoing);
    session->outgoing->which_body = countersign_v1_AgentMessage_policy_ask_tag;
    session->outgoing->body.policy_ask.from_version = ag_device_next_policy(session->device);
    send_message(session);
}

static void answer_challenge(struct ag_session *session, const countersign_v1_Challenge *challenge)
{
    countersign_v1_ChallengeAnswer *answer = &session->outgoing->body.challenge_answer;

    memset(session->outgoing, 0, sizeof *session->outgoing);
    session->outgoing->which_body = countersign_v1_AgentMessage_challenge_answer_tag;
    CS_PB_SET(&answer->challenge, CS_PB_BYTES(&challenge->challenge));
    CS_PB_SET(&answer->process_nonce, CS_SLICE_ARRAY(session->process_nonce));
    send_message(session);
}

/* ---- the device's events */

static void on_statement(void *owner, struct cs_slice envelope)
{
    struct ag_session *session = owner;

    if (session->state == AG_SESSION_STREAMING)
        send_statement(session, envelope);
}

static void on_policy_timer(uv_timer_t *timer);

static void on_policy_wanted(void *owner, uint32_t version CS_UNUSED)
{
    struct ag_session *session = owner;

    /* First: where it cannot be asked for, the session ends, and the timer with it. */
    uv_timer_start(&session->policy_timer, on_policy_timer, POLICY_WAIT_MS, 0);
    send_policy_ask(session);
}

static void on_full(void *owner, bool full)
{
    struct ag_session *session = owner;

    if (session->call)
        cs_client_call_pause(session->call, full && !session->device->policy_expected &&
                                                !session->device->key_policy_expected);
}

static void on_device_fatal(void *owner, const struct cs_err *why)
{
    struct ag_session *session = owner;

    session->on_fatal(session->owner, why);
}

static void on_change(void *owner);

static const struct ag_device_events device_events = {on_statement, on_policy_wanted, on_full, on_change,
                                                      on_device_fatal};

/* ---- receiving */

/* What is not acknowledged, as sequences rise: a renewal that is under way has its place among them. */
static void send_unacknowledged(struct ag_session *session)
{
    const struct ag_renewal *renewal = &session->device->renewal;
    bool renewal_due = ag_renewal_pending(renewal);

    CS_LIST_FOREACH(node, &session->device->outbox.letters)
    {
        const struct ag_letter *letter = CS_CONTAINER_OF(node, struct ag_letter, node);

        if (renewal_due && letter->sequence > renewal->sequence) {
            renewal_due = false;
            send_statement(session, cs_buf_slice(&renewal->envelope));
        }
        send_statement(session, cs_buf_slice(&letter->envelope));
    }
    if (renewal_due)
        send_statement(session, cs_buf_slice(&renewal->envelope));
}

/* One that cannot be made, on a full disk say, is made in the next session: the controller waits for it. */
static void advertise(struct ag_session *session)
{
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    struct cs_err err = {0};

    if (ag_device_advertise(session->device, &envelope, &err) == CS_OK) {
        send_statement(session, cs_buf_slice(&envelope));
        return;
    }
    cs_err_prefix(&err, "the connectors cannot be advertised");
    ag_session_drop(session, err.msg);
}

/* The advertisement is last. */
static void begin_streaming(struct ag_session *session)
{
    uv_timer_stop(&session->policy_timer);
    session->state = AG_SESSION_STREAMING;
    send_unacknowledged(session);
    (void)ag_device_look(session->device);
    advertise(session);
    if (session->state == AG_SESSION_STREAMING)
        ag_session_look_at_identity(session);
}

static void on_check_timer(uv_timer_t *timer)
{
    struct ag_session *session = timer->data;

    ag_device_check(session->device);
}

/* Somebody who changes a file over and over must not make this device sign, send and write without end: ten
 * changes are told at once, further ones as time passes. */
static uint64_t wait_before_telling(struct ag_session *session)
{
    uint64_t now_ms = uv_now(session->loop);
    uint64_t room_ms = session->tell_room_ms + (now_ms - session->told_ms);

    if (room_ms > TELL_ROOM_MS)
        room_ms = TELL_ROOM_MS;
    if (room_ms < TELL_COST_MS)
        return TELL_COST_MS - room_ms;
    session->told_ms = now_ms;
    session->tell_room_ms = room_ms - TELL_COST_MS;
    return 0;
}

static void on_tell_timer(uv_timer_t *timer)
{
    struct ag_session *session = timer->data;

    if (session->state == AG_SESSION_STREAMING && wait_before_telling(session) == 0)
        advertise(session);
}

/* Without a session it waits: the next one begins with an advertisement. */
static void on_change(void *owner)
{
    struct ag_session *session = owner;
    uint64_t wait_ms;

    if (session->state != AG_SESSION_STREAMING || uv_is_active((uv_handle_t *)&session->tell_timer))
        return;
    cs_log(CS_LOG_INFO, "device", "what is installed or served is not as it was", CS_FEND);
    wait_ms = wait_before_telling(session);
    if (wait_ms > 0)
        uv_timer_start(&session->tell_timer, on_tell_timer, wait_ms, 0);
    else
        advertise(session);
}

static void sync_policies(struct ag_session *session)
{
    if (session->state != AG_SESSION_SYNCING)
        return;
    if (session->device->state.policy_version >= session->newest_policy)
        begin_streaming(session);
}

static void on_policy_timer(uv_timer_t *timer)
{
    struct ag_session *session = timer->data;

    if (session->state == AG_SESSION_SYNCING) {
        cs_log(CS_LOG_WARN, "policy", "the controller did not send the policies that it has",
               CS_FU("version", session->newest_policy), CS_FEND);
        begin_streaming(session);
    }
    ag_device_give_up_policy(session->device);
}

static void take_welcome(struct ag_session *session, const countersign_v1_Welcome *welcome)
{
    cs_log(CS_LOG_INFO, "session", welcome->admitted ? "connected" : "connected, not admitted yet",
           CS_F("device", session->device->identity.device_name), CS_FU("policy", welcome->policy_version),
           CS_FEND);
    session->failing = false;
    session->newest_policy = welcome->policy_version;
    ag_device_take_session_time(session->device, welcome->time_s);
    session->admitted = welcome->admitted;
    session->renewed_late = session->refused_as_expired = session->dial_failed = session->waits_said = false;
    ag_renewal_settle(session->device);
    if (session->state == AG_SESSION_STREAMING) {
        /* Admitted, or admitted anew: a renewal that waited for that is granted now. */
        if (ag_renewal_pending(&session->device->renewal))
            send_statement(session, cs_buf_slice(&session->device->renewal.envelope));
        ag_session_look_at_identity(session);
    }
    if (session->state != AG_SESSION_GREETING)
        return;
    session->state = AG_SESSION_SYNCING;
    if (session->device->state.policy_version < welcome->policy_version) {
        uv_timer_start(&session->policy_timer, on_policy_timer, POLICY_WAIT_MS, 0);
        send_policy_ask(session);
    }
    sync_policies(session);
}

static void take_policy(struct ag_session *session, struct cs_slice wire)
{
    struct cs_err err = {0};
    int code = ag_device_take_policy(session->device, wire, &err);

    if (code == CS_ESTALE)
        send_policy_ask(session);
    else if (code)
        cs_log(CS_LOG_WARN, "policy", "trust policy refused", CS_F("error", err.msg), CS_FEND);
    sync_policies(session);
}

static void take_push(struct ag_session *session, const countersign_v1_PushDelivery *delivery)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err = {0};
    int code = cs_message_encode(countersign_v1_PushDelivery_fields, delivery, &bytes, &err);

    if (!code)
        code = ag_device_deliver(session->device, cs_buf_slice(&bytes), &err);
    if (code)
        cs_log(CS_LOG_WARN, "push", "delivery not taken", CS_F("error", err.msg), CS_FEND);
}

static void take_message(struct ag_session *session, const countersign_v1_ControllerMessage *message)
{
    switch (message->which_body) {
    case countersign_v1_ControllerMessage_welcome_tag:
        take_welcome(session, &message->body.welcome);
        break;
    case countersign_v1_ControllerMessage_push_tag:
        take_push(session, &message->body.push);
        break;
    case countersign_v1_ControllerMessage_policy_tag:
        take_policy(session, CS_PB_BYTES(&message->body.policy));
        break;
    case countersign_v1_ControllerMessage_ack_tag:
        ag_device_take_ack(session->device, message->body.ack.sequence);
        ag_session_expect_identity(session, message->body.ack.sequence);
        break;
    case countersign_v1_ControllerMessage_cancel_tag:
        ag_device_cancel(session->device, CS_PB_BYTES(&message->body.cancel.order_id));
        break;
    case countersign_v1_ControllerMessage_key_request_tag:
        ag_device_take_key_request(session->device, CS_PB_BYTES(&message->body.key_request));
        break;
    case countersign_v1_ControllerMessage_challenge_tag:
        answer_challenge(session, &message->body.challenge);
        break;
    case countersign_v1_ControllerMessage_identity_tag:
        ag_session_take_identity(session, &message->body.identity);
        break;
    default:
        /* A newer controller may know more; what matters is signed and versioned. */
        cs_log(CS_LOG_DEBUG, "session", "message passed over", CS_FU("kind", message->which_body), CS_FEND);
    }
}

static void on_message(struct cs_client_call *call CS_UNUSED, struct cs_slice bytes, void *data)
{
    struct ag_session *session = data;
    cs_auto_free countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);
    struct cs_err err = {0};

    if (!message || cs_message_decode(countersign_v1_ControllerMessage_fields, bytes, message,
                                      "the controller's message", &err) != CS_OK) {
        cs_log(CS_LOG_WARN, "session", "message not readable", CS_F("error", err.msg), CS_FEND);
        return;
    }
    take_message(session, message);
}

/* ---- the connection */

static void on_call_end(struct cs_client_call *call CS_UNUSED, enum cs_status status, const char *message,
                        void *data)
{
    struct ag_session *session = data;

    session->call = NULL;
    if (session->closing)
        return;
    if (!session->failing)
        cs_log(CS_LOG_WARN, "session", "the controller ended the session",
               CS_F("status", cs_status_name(status)), CS_F("error", message ? message : ""), CS_FEND);
    ag_session_drop(session, NULL);
}

static void on_up(struct cs_client *client, void *owner)
{
    static const struct cs_client_events events = {.on_message = on_message, .on_end = on_call_end};
    static const struct cs_client_call_options options = {.path = "/countersign.v1.AgentService/Connect"};
    struct ag_session *session = owner;
    struct cs_err err = {0};

    if (cs_client_call_new(client, &options, &events, session, &session->call, &err) != CS_OK) {
        ag_session_drop(session, err.msg);
        return;
    }
    session->state = AG_SESSION_GREETING;
    session->up_since_ms = uv_now(session->loop);
    send_hello(session);
}

static void on_down(struct cs_client *client CS_UNUSED, const struct cs_err *why, void *owner)
{
    struct ag_session *session = owner;

    /* TLS's word for it, and nothing else has this code (tls.h). */
    session->refused_as_expired = why->code == CS_ESTALE;
    session->dial_failed = true;
    ag_session_drop(session, why->msg);
}

void ag_session_maybe_closed(struct ag_session *session)
{
    if (!session->closing || session->open > 0)
        return;
    void (*on_closed)(void *owner) = session->on_closed;
    void *owner = session->owner;

    cs_tls_config_free(session->tls);
    free(session->outgoing);
    free(session);
    if (on_closed)
        on_closed(owner);
}

static void on_client_closed(void *owner)
{
    struct ag_session *session = owner;

    session->open--;
    cs_tls_config_free(session->tls);
    session->tls = NULL;
    if (session->closing)
        ag_session_maybe_closed(session);
    else
        ag_session_dial_later(session);
}

void ag_session_drop(struct ag_session *session, const char *why)
{
    struct cs_client *client = cs_steal(session->client);

    if (!client)
        return;
    if (why && !session->failing)
        cs_log(CS_LOG_WARN, "session", "no connection to the controller", CS_F("error", why), CS_FEND);
    session->failing = true;
    if (session->up_since_ms > 0 && uv_now(session->loop) - session->up_since_ms >= LASTED_MS)
        ag_backoff_reset(&session->backoff);
    session->up_since_ms = 0;
    session->state = AG_SESSION_WAITING;
    uv_timer_stop(&session->policy_timer);
    uv_timer_stop(&session->renewal_timer);
    ag_device_forget_deliveries(session->device);
    cs_client_close(client, on_client_closed);
}

/* ---- dialling */

static int dial(struct ag_session *session, struct cs_err *err)
{
    const struct ag_config *config = session->device->config;
    struct cs_client_options options = {
        .host = config->controller.host,
        .port = config->controller.port,
        .server_name = config->server_name,
        .keepalive_ms = config->keepalive_s * 1000,
        .slim = true,
        .on_up = on_up,
        .on_down = on_down,
        .owner = session,
    };
    int code = ag_dial_tls(session->device, true, &session->tls, err);

    if (code)
        return code;
    options.tls = session->tls;
    code = cs_client_new(session->loop, &options, &session->client, err);
    if (code) {
        cs_tls_config_free(session->tls);
        session->tls = NULL;
        return code;
    }
    session->open++;
    session->state = AG_SESSION_DIALLING;
    return CS_OK;
}

static void on_dial_timer(uv_timer_t *timer)
{
    struct ag_session *session = timer->data;
    struct cs_err err = {0};

    if ((ag_session_has_expired(session) ? ag_session_renew_late(session, &err) : dial(session, &err)) ==
        CS_OK)
        return;
    cs_log(CS_LOG_ERROR, "session", "cannot dial the controller", CS_F("error", err.msg), CS_FEND);
    ag_session_dial_later(session);
}

void ag_session_dial_later(struct ag_session *session)
{
    uint32_t random = 0;

    ag_session_random(session, &random, sizeof random);
    uv_timer_start(&session->dial_timer, on_dial_timer, ag_backoff_next_ms(&session->backoff, random), 0);
}

/* ---- beginning and end */

int ag_session_new(uv_loop_t *loop, struct ag_device *device,
                   void (*on_fatal)(void *owner, const struct cs_err *why), void *owner,
                   struct ag_session **ret, struct cs_err *err)
{
    struct ag_session *session = calloc(1, sizeof *session);
    countersign_v1_AgentMessage *outgoing = calloc(1, sizeof *outgoing);

    if (!session || !outgoing) {
        free(session);
        free(outgoing);
        return cs_err_nomem(err);
    }
    session->loop = loop;
    session->device = device;
    session->on_fatal = on_fatal;
    session->owner = owner;
    session->outgoing = outgoing;
    session->backoff =
        (struct ag_backoff){device->config->backoff_base_s * 1000, device->config->backoff_max_s * 1000, 0};
    ag_session_random(session, session->process_nonce, sizeof session->process_nonce);
    ag_session_random(session, &session->renewal_random, sizeof session->renewal_random);
    uv_timer_init(loop, &session->dial_timer);
    uv_timer_init(loop, &session->policy_timer);
    uv_timer_init(loop, &session->renewal_timer);
    uv_timer_init(loop, &session->check_timer);
    uv_timer_init(loop, &session->tell_timer);
    session->told_ms = uv_now(loop);
    session->tell_room_ms = TELL_ROOM_MS;
    session->dial_timer.data = session->policy_timer.data = session->renewal_timer.data =
        session->check_timer.data = session->tell_timer.data = session;
    session->open = 5;
    ag_device_listen(device, &device_events, session);
    *ret = session;
    return CS_OK;
}

void ag_session_start(struct ag_session *session)
{
    uint64_t check_ms = (uint64_t)session->device->config->check_s * 1000;

    uv_timer_start(&session->dial_timer, on_dial_timer, 0, 0);
    if (check_ms)
        uv_timer_start(&session->check_timer, on_check_timer, check_ms, check_ms);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ag_session *session = handle->data;

    session->open--;
    ag_session_maybe_closed(session);
}

void ag_session_close(struct ag_session *session, void (*on_closed)(void *owner))
{
    if (session->closing)
        return;
    session->closing = true;
    session->on_closed = on_closed;
    ag_device_listen(session->device, NULL, NULL);
    uv_close((uv_handle_t *)&session->dial_timer, on_timer_closed);
    uv_close((uv_handle_t *)&session->policy_timer, on_timer_closed);
    uv_close((uv_handle_t *)&session->renewal_timer, on_timer_closed);
    uv_close((uv_handle_t *)&session->check_timer, on_timer_closed);
    uv_close((uv_handle_t *)&session->tell_timer, on_timer_closed);
    if (session->late)
        ag_late_cancel(session->late);
    if (session->client)
        cs_client_close(cs_steal(session->client), on_client_closed);
}
