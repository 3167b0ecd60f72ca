/* session_service.c - signing in: challenges, openings, and who one is; the table of SessionService. */
#include "controller/api/session_impl.h"

#include "controller/api/api.h"
#include "shared/base/log.h"

#include <stdio.h>

static struct ctl_shard *shard_of(const struct cs_call *call)
{
    return ctl_session_shard(call);
}

static struct ctl_sessions *sessions_of(const struct cs_call *call)
{
    return ctl_sign_in_sessions(shard_of(call)->sign_in);
}

void ctl_session_answer(struct cs_call *call, const pb_msgdesc_t *fields, const void *message, int code,
                        struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;

    if (code == CS_OK)
        code = cs_message_encode(fields, message, &bytes, err);
    if (code == CS_OK)
        cs_call_reply(call, cs_buf_slice(&bytes));
    else
        cs_call_fail(call, err);
}

static void get_challenge(struct cs_call *call, struct cs_slice message)
{
    const struct ctl_trust *trust = shard_of(call)->trust;
    countersign_v1_GetChallengeResponse reply = countersign_v1_GetChallengeResponse_init_zero;
    int code = CS_OK;
    struct cs_err err;

    (void)message;
    if (!ctl_sign_in_may_ask(shard_of(call)->sign_in, cs_call_peer(call)->address)) {
        code = cs_err_set(&err, CS_EFULL,
                          "too many challenges were asked for from this address: try again in a second");
    } else if (trust) {
        reply.challenge.size = sizeof reply.challenge.bytes;
        cs_random(reply.challenge.bytes, reply.challenge.size);
        reply.expires_at_s =
            ctl_sessions_challenge(sessions_of(call), reply.challenge.bytes, ctl_shard_now_s(shard_of(call)));
        CS_PB_SET(&reply.deployment_id, CS_PB_BYTES(&cs_policy_body(trust->policy)->deployment_id));
        reply.policy_version = ctl_trust_version(trust);
    } else {
        code = cs_err_set(
            &err, CS_ESTATE,
            "this controller has no trust policy yet, so nobody is an operator: publish one over its "
            "admin socket");
    }
    ctl_session_answer(call, countersign_v1_GetChallengeResponse_fields, &reply, code, &err);
}

void ctl_session_change_on_end(struct cs_call *call, enum cs_status how)
{
    struct ctl_session_change *change = cs_call_data(call);

    (void)how;
    if (change)
        change->call = NULL;
}

int ctl_session_submit(struct cs_call *call, struct ctl_session_change *change, enum ctl_command_kind kind,
                       const struct ctl_caller *actor, void (*on_done)(struct ctl_task *task),
                       struct cs_err *err)
{
    int code;

    ctl_caller_actor(actor, cs_call_peer(call), &change->task.command.actor);
    change->call = call;
    change->task.command.kind = kind;
    change->task.command.body = &change->body;
    change->task.on_done = on_done;
    code = ctl_shard_submit(shard_of(call), &change->task, err);
    if (code == CS_OK)
        cs_call_set_data(call, change);
    return code;
}

/* By the operator whose session it is. */
static int submit(struct cs_call *call, struct ctl_session_change *change, enum ctl_command_kind kind,
                  const char *why, void (*on_done)(struct ctl_task *task), struct cs_err *err)
{
    struct ctl_caller caller = {.is_administrator = false};

    memcpy(caller.operator, change->info.operator, sizeof caller.operator);
    change->body = (struct ctl_operator_event){.operator= change->info.operator, .detail = why };
    return ctl_session_submit(call, change, kind, &caller, on_done, err);
}

static int set_cookie(struct cs_call *call, const uint8_t *token, int64_t life_s, struct cs_err *err)
{
    char text[CTL_COOKIE_TEXT_BYTES];
    int code = cs_call_add_header(
        call, "set-cookie",
        cs_slice_str(ctl_cookie_text(cs_call_peer(call)->kind == CS_PEER_TLS, token, life_s, text)));

    cs_wipe(text, sizeof text);
    return code == CS_OK ? code : cs_err_nomem(err);
}

int ctl_session_clear_cookie(struct cs_call *call, struct cs_err *err)
{
    return set_cookie(call, NULL, 0, err);
}

/* The session's secret, in the answer or in its head. */
static int give_token(const struct ctl_session_change *change, const uint8_t token[CTL_TOKEN_BYTES],
                      int64_t life_s, countersign_v1_OpenSessionResponse *reply, struct cs_err *err)
{
    if (change->info.by_cookie)
        return set_cookie(change->call, token, life_s, err);
    ctl_sessions_token_text(token, reply->token);
    return CS_OK;
}

/* Only now is the session there. Its token is new, whatever the browser had before. */
static void on_opened(struct ctl_task *task)
{
    struct ctl_session_change *change = CS_CONTAINER_OF(task, struct ctl_session_change, task);
    struct ctl_shard *shard = task->shard;
    struct ctl_sessions *sessions = ctl_sign_in_sessions(shard->sign_in);
    countersign_v1_OpenSessionResponse reply = countersign_v1_OpenSessionResponse_init_zero;
    int64_t now_s = ctl_shard_now_s(shard), life_s = shard->shared->config->session_life_s;
    uint8_t token[CTL_TOKEN_BYTES];
    int code = task->command.code;

    if (change->call) {
        cs_call_set_data(change->call, NULL);
        cs_random(token, sizeof token);
        if (code == CS_OK)
            code = ctl_sessions_open(sessions, &change->info, token, now_s, &task->command.err);
        if (code == CS_OK) {
            code = give_token(change, token, life_s, &reply, &task->command.err);
            if (code != CS_OK)
                (void)ctl_sessions_close(sessions, token, &change->info);
        }
        if (code == CS_OK) {
            reply.expires_at_s = now_s + life_s;
            reply.idle_s = (uint32_t)shard->shared->config->session_idle_s;
            cs_log(CS_LOG_INFO, "session", "opened", CS_F("operator", change->info.operator),
                   CS_F("peer", change->info.peer), CS_FEND);
        }
        ctl_session_answer(change->call, countersign_v1_OpenSessionResponse_fields, &reply, code,
                           &task->command.err);
        cs_wipe(token, sizeof token);
        cs_wipe(reply.token, sizeof reply.token);
    }
    free(change);
}

/* The key that a client of this connection saw: none without TLS. */
static struct cs_slice server_spki(const struct cs_call *call)
{
    return cs_call_peer(call)->kind == CS_PEER_TLS ? cs_buf_slice(&shard_of(call)->shared->operators_spki)
                                                   : CS_SLICE_EMPTY;
}

/* A cookie is for a page of this origin: another one would sign somebody in who does not know it. */
static int check_cookie(const struct cs_call *call, struct cs_err *err)
{
    struct ctl_cookie_call cookie;

    if (cs_call_peer(call)->kind == CS_PEER_UNIX)
        return cs_err_set(
            err, CS_EINVAL,
            "cookies are for browsers at the operators' listener; on the admin socket the system "
            "says who calls");
    ctl_caller_cookie(call, &cookie);
    return ctl_cookie_check_origin(&cookie, err);
}

static int begin_opening(struct cs_call *call, const countersign_v1_OpenSessionRequest *request,
                         struct cs_err *err)
{
    struct ctl_shard *shard = shard_of(call);
    const struct cs_policy *policy = shard->trust ? shard->trust->policy : NULL;
    struct ctl_session_change *change = calloc(1, sizeof *change);
    int code;

    if (!change)
        return cs_err_nomem(err);
    ctl_sign_in_sweep(shard->sign_in);
    code = request->cookie ? check_cookie(call, err) : CS_OK;
    if (code == CS_OK)
        code = ctl_sessions_verify(sessions_of(call), policy, CS_PB_BYTES(&request->envelope),
                                   server_spki(call), ctl_shard_now_s(shard), &change->info, err);
    change->info.by_cookie = request->cookie;
    snprintf(change->info.peer, sizeof change->info.peer, "%s", cs_call_peer(call)->address);
    if (code == CS_OK)
        code = submit(call, change, CTL_OPEN_SESSION, "", on_opened, err);
    if (code != CS_OK)
        free(change);
    return code;
}

static void open_session(struct cs_call *call, struct cs_slice message)
{
    const char *peer = cs_call_peer(call)->address;
    countersign_v1_OpenSessionRequest request;
    struct cs_err err;
    int code = CS_OK;

    if (!ctl_sign_in_may_open(shard_of(call)->sign_in, peer))
        code = cs_err_set(&err, CS_EFULL,
                          "too many sessions were asked for from this address: try again in a second");
    if (code == CS_OK)
        code = cs_message_decode(countersign_v1_OpenSessionRequest_fields, message, &request, "OpenSession",
                                 &err);
    if (code == CS_OK)
        code = begin_opening(call, &request, &err);
    if (code == CS_OK)
        return;
    /* Not for each of a flood. */
    if (err.code != CS_EFULL)
        cs_log(CS_LOG_WARN, "session", "refused", CS_F("peer", peer), CS_F("error", err.msg), CS_FEND);
    cs_call_fail(call, &err);
}

static void on_closed(struct ctl_task *task)
{
    struct ctl_session_change *change = CS_CONTAINER_OF(task, struct ctl_session_change, task);
    countersign_v1_CloseSessionResponse reply = countersign_v1_CloseSessionResponse_init_zero;

    if (change->call) {
        cs_call_set_data(change->call, NULL);
        ctl_session_answer(change->call, countersign_v1_CloseSessionResponse_fields, &reply,
                           task->command.code, &task->command.err);
    }
    free(change);
}

/* The session has ended whatever becomes of its record. Of one that is not there any more nothing is left to
 * do. */
static int begin_closing(struct cs_call *call, const uint8_t token[CTL_TOKEN_BYTES], struct cs_err *err)
{
    countersign_v1_CloseSessionResponse reply = countersign_v1_CloseSessionResponse_init_zero;
    struct ctl_session_change *change = calloc(1, sizeof *change);
    int code;

    if (!change)
        return cs_err_nomem(err);
    if (!ctl_sessions_close(sessions_of(call), token, &change->info)) {
        free(change);
        ctl_session_answer(call, countersign_v1_CloseSessionResponse_fields, &reply, CS_OK, err);
        return CS_OK;
    }
    code = submit(call, change, CTL_CLOSE_SESSION, "closed", on_closed, err);
    if (code != CS_OK)
        free(change);
    return code;
}

static void close_session(struct cs_call *call, struct cs_slice message)
{
    uint8_t token[CTL_TOKEN_BYTES];
    bool by_cookie;
    struct cs_err err;
    int code = ctl_caller_token(call, token, &by_cookie, &err);

    (void)message;
    if (code == CS_OK && by_cookie)
        code = ctl_session_clear_cookie(call, &err);
    if (code == CS_OK)
        code = begin_closing(call, token, &err);
    cs_wipe(token, sizeof token);
    if (code != CS_OK)
        cs_call_fail(call, &err);
}

static void add_operator(countersign_v1_WhoAmIResponse *reply, const char *name)
{
    /* Not snprintf(): the name may stand in the reply itself, and gcc fears that they overlap. */
    if (reply->operators_count < CS_ARRAY_LEN(reply->operators))
        memcpy(reply->operators[reply->operators_count++], name,
               strnlen(name, sizeof reply->operators[0] - 1));
}

/* Whom else the caller may name on the admin socket. */
static void fill_operators(const struct cs_call *call, countersign_v1_WhoAmIResponse *reply)
{
    const struct ctl_shared *shared = shard_of(call)->shared;
    const struct cs_peer *peer = cs_call_peer(call);
    const struct ctl_trust *trust = shard_of(call)->trust;
    const char *name;

    if (peer->kind != CS_PEER_UNIX) {
        add_operator(reply, reply->operator);
    } else if (ctl_access_is_administrator(shared->own_uid, peer->uid)) {
        for (pb_size_t i = 0; trust && i < cs_policy_body(trust->policy)->operators_count; i++)
            add_operator(reply, cs_policy_body(trust->policy)->operators[i].name);
    } else {
        for (size_t i = 0; (name = ctl_uids_operator(&shared->config->uids, peer->uid, i)) != NULL; i++)
            add_operator(reply, name);
    }
}

static void fill_roles(const countersign_v1_TrustPolicy *policy, const struct ctl_caller *caller,
                       countersign_v1_WhoAmIResponse *reply)
{
    const countersign_v1_Operator *who = policy ? cs_operators_find(policy, caller->operator) : NULL;
    uint32_t bits = caller->is_administrator ? CTL_MAY_ANYONE : who ? ctl_access_roles(policy, who) : 0;

    for (unsigned role = _countersign_v1_Role_MIN + 1; role <= _countersign_v1_Role_MAX; role++)
        if (bits & 1u << role)
            reply->roles[reply->roles_count++] = (countersign_v1_Role)role;
    for (pb_size_t i = 0; who && i < policy->groups_count; i++)
        if (cs_group_has(&policy->groups[i], who->name) && reply->groups_count < CS_ARRAY_LEN(reply->groups))
            snprintf(reply->groups[reply->groups_count++], sizeof reply->groups[0], "%s",
                     policy->groups[i].name);
}

static void who_am_i(struct cs_call *call, struct cs_slice message)
{
    const struct ctl_trust *trust = shard_of(call)->trust;
    countersign_v1_WhoAmIResponse reply = countersign_v1_WhoAmIResponse_init_zero;
    struct ctl_caller caller;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    (void)message;
    if (code == CS_OK) {
        snprintf(reply.operator, sizeof reply.operator, "%s", caller.operator);
        snprintf(reply.peer, sizeof reply.peer, "%s", cs_call_peer(call)->address);
        fill_roles(trust ? cs_policy_body(trust->policy) : NULL, &caller, &reply);
        fill_operators(call, &reply);
    }
    ctl_session_answer(call, countersign_v1_WhoAmIResponse_fields, &reply, code, &err);
}

#define SERVICE "countersign.v1.SessionService"
static const struct cs_call_handler challenge_handler = {.on_message = get_challenge},
                                    open_handler = {.on_message = open_session,
                                                    .on_end = ctl_session_change_on_end},
                                    close_handler = {.on_message = close_session,
                                                     .on_end = ctl_session_change_on_end},
                                    who_handler = {.on_message = who_am_i};
const struct cs_method ctl_session_methods[] = {
    {SERVICE, "GetChallenge", CS_CALL_UNARY, 1024, &challenge_handler, CTL_MAY_STRANGERS},
    {SERVICE, "OpenSession", CS_CALL_UNARY, 4096, &open_handler, CTL_MAY_STRANGERS},
    {SERVICE, "CloseSession", CS_CALL_UNARY, 1024, &close_handler, CTL_MAY_STRANGERS},
    {SERVICE, "WhoAmI", CS_CALL_UNARY, 1024, &who_handler, CTL_MAY_OPERATORS},
    {SERVICE, "ListSessions", CS_CALL_UNARY, 1024, &ctl_list_sessions_handler, CTL_MAY_OPERATORS},
    {SERVICE, "EndSession", CS_CALL_UNARY, 1024, &ctl_end_session_handler, CTL_MAY_OPERATORS},
    {SERVICE, "CreatePairing", CS_CALL_UNARY, 1024, &ctl_create_pairing_handler, CTL_MAY(ADMIN)},
    {SERVICE, "Pair", CS_CALL_UNARY, 1024, &ctl_pair_handler, CTL_MAY_STRANGERS},
    {SERVICE, "GetPairing", CS_CALL_UNARY, 1024, &ctl_get_pairing_handler, CTL_MAY(ADMIN)},
};
const size_t ctl_session_methods_count = CS_ARRAY_LEN(ctl_session_methods);
