/* session_impl.h - what the parts of SessionService share: signing in (session_service.c), the sessions that
 * are open (session_list.c), browsers' keys (pairing_service.c). */
#ifndef CTL_API_SESSION_IMPL_H
#define CTL_API_SESSION_IMPL_H

#include "controller/api/caller.h"
#include "controller/api/sign_in.h"
#include "shared/trust/statement.h"

#include "countersign/v1/session.pb.h"

/* The handlers of session_list.c and pairing_service.c. */
extern const struct cs_call_handler ctl_list_sessions_handler, ctl_end_session_handler,
    ctl_create_pairing_handler, ctl_pair_handler, ctl_get_pairing_handler;

/* What lives in this shard's memory and changes, on its way into the audit: the answer waits for that. */
struct ctl_session_change {
    struct ctl_task task;
    struct cs_call *call; /* NULL once it has ended */
    struct ctl_session_info info;
    struct ctl_operator_event body;
    char detail[96]; /* of a pairing */
    struct cs_digest authentication;
    int64_t expires_s;
};

static inline struct ctl_shard *ctl_session_shard(const struct cs_call *call)
{
    return cs_call_service(call);
}

/* Every method answers by this: its message, or why not. */
void ctl_session_answer(struct cs_call *call, const pb_msgdesc_t *fields, const void *message, int code,
                        struct cs_err *err);
/* Sends the change to the core; `on_done` frees it. On a refusal it stays the caller's. */
CS_MUST_USE int ctl_session_submit(struct cs_call *call, struct ctl_session_change *change,
                                   enum ctl_command_kind kind, const struct ctl_caller *actor,
                                   void (*on_done)(struct ctl_task *task), struct cs_err *err);
void ctl_session_change_on_end(struct cs_call *call, enum cs_status how);
/* The browser forgets its cookie. */
CS_MUST_USE int ctl_session_clear_cookie(struct cs_call *call, struct cs_err *err);

#endif
