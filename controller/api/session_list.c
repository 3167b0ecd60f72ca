/* session_list.c - the sessions that are open: seen and ended by those whose they are, and by admins. */
#include "controller/api/session_impl.h"
#include "shared/base/log.h"

#include <stdio.h>

static bool may_see(const struct cs_call *call, const struct ctl_caller *caller,
                    const struct ctl_session_info *session)
{
    const struct ctl_trust *trust = ctl_session_shard(call)->trust;

    return (caller->operator[0] && strcmp(caller->operator, session->operator) == 0) ||
           ctl_access_has_role(caller, trust ? cs_policy_body(trust->policy) : NULL,
                               countersign_v1_Role_ROLE_ADMIN);
}

static int by_last_use(const void *left, const void *right)
{
    const struct ctl_session_info *const *a = left, *const *b = right;

    return ((*a)->seen_s < (*b)->seen_s) - ((*a)->seen_s > (*b)->seen_s);
}

static void fill(const struct ctl_session_info *session, int64_t life_s, const struct ctl_caller *caller,
                 countersign_v1_SessionInfo *ret)
{
    CS_PB_SET(&ret->id, cs_digest_slice(&session->id));
    snprintf(ret->operator, sizeof ret->operator, "%s", session->operator);
    snprintf(ret->peer, sizeof ret->peer, "%s", session->peer);
    CS_PB_SET(&ret->key_id, cs_digest_slice(&session->key_id));
    ret->key_kind = session->key_kind;
    ret->opened_at_s = session->opened_s;
    ret->seen_at_s = session->seen_s;
    ret->expires_at_s = session->opened_s + life_s;
    ret->own = cs_digest_eq(&session->id, &caller->session);
}

static void list_sessions(struct cs_call *call, struct cs_slice message)
{
    struct ctl_shard *shard = ctl_session_shard(call);
    const struct ctl_sessions *sessions = ctl_sign_in_sessions(shard->sign_in);
    countersign_v1_ListSessionsResponse *reply = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, sizeof *reply);
    const struct ctl_session_info *seen[CTL_LIMIT_SESSIONS], *session;
    struct ctl_caller caller;
    size_t count = 0;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    (void)message;
    if (code == CS_OK)
        ctl_sign_in_sweep(shard->sign_in);
    for (size_t cursor = 0; code == CS_OK && (session = ctl_sessions_next(sessions, &cursor)) != NULL;)
        if (may_see(call, &caller, session))
            seen[count++] = session;
    if (code == CS_OK && count > 1)
        qsort(seen, count, sizeof seen[0], by_last_use);
    for (size_t i = 0; code == CS_OK && i < count && i < CS_ARRAY_LEN(reply->sessions); i++)
        fill(seen[i], shard->shared->config->session_life_s, &caller,
             &reply->sessions[reply->sessions_count++]);
    reply->more = count > reply->sessions_count;
    ctl_session_answer(call, countersign_v1_ListSessionsResponse_fields, reply, code, &err);
}

static void on_ended(struct ctl_task *task)
{
    struct ctl_session_change *change = CS_CONTAINER_OF(task, struct ctl_session_change, task);
    countersign_v1_EndSessionResponse reply = countersign_v1_EndSessionResponse_init_zero;

    if (change->call) {
        cs_call_set_data(change->call, NULL);
        ctl_session_answer(change->call, countersign_v1_EndSessionResponse_fields, &reply, task->command.code,
                           &task->command.err);
    }
    free(change);
}

/* As with CloseSession it has ended, whatever becomes of its record. */
static int begin_ending(struct cs_call *call, const struct ctl_caller *caller, struct cs_slice id,
                        struct cs_err *err)
{
    struct ctl_sessions *sessions = ctl_sign_in_sessions(ctl_session_shard(call)->sign_in);
    const struct ctl_session_info *session;
    struct ctl_session_change *change;
    int code;

    ctl_sign_in_sweep(ctl_session_shard(call)->sign_in);
    session = ctl_sessions_find(sessions, id);
    if (!session || !may_see(call, caller, session))
        return cs_err_set(err, CS_ENOTFOUND, "no session with this id is open, or it is somebody else's");
    if (session->by_cookie && cs_digest_eq(&session->id, &caller->session)) {
        code = ctl_session_clear_cookie(call, err);
        if (code != CS_OK)
            return code;
    }
    change = calloc(1, sizeof *change);
    if (!change)
        return cs_err_nomem(err);
    (void)ctl_sessions_end(sessions, id, &change->info);
    cs_log(CS_LOG_INFO, "session", "ended", CS_F("operator", change->info.operator),
           CS_F("peer", change->info.peer), CS_F("by", caller->operator), CS_FEND);
    change->body = (struct ctl_operator_event){.operator= change->info.operator, .detail = "ended" };
    code = ctl_session_submit(call, change, CTL_CLOSE_SESSION, caller, on_ended, err);
    if (code != CS_OK)
        free(change);
    return code;
}

static void end_session(struct cs_call *call, struct cs_slice message)
{
    countersign_v1_EndSessionRequest request;
    struct ctl_caller caller;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    if (code == CS_OK)
        code =
            cs_message_decode(countersign_v1_EndSessionRequest_fields, message, &request, "EndSession", &err);
    if (code == CS_OK)
        code = begin_ending(call, &caller, CS_PB_BYTES(&request.id), &err);
    if (code != CS_OK)
        cs_call_fail(call, &err);
}

const struct cs_call_handler ctl_list_sessions_handler = {.on_message = list_sessions},
                             ctl_end_session_handler = {.on_message = end_session,
                                                        .on_end = ctl_session_change_on_end};
