/* caller.h - who makes a call to an operators' service, from what its connection and metadata say, and
 * whether the method is for them (controller/access.h). Every handler asks before it answers; a stream asks
 * again before each message, because sessions end and roles change while it is open. */
#ifndef CTL_API_CALLER_H
#define CTL_API_CALLER_H

#include "controller/access.h"
#include "controller/cookie.h"
#include "controller/core/core.h"
#include "shared/net/call.h"

/* The metadata by which a caller on the admin socket says which operator calls. */
#define CTL_CALLER_METADATA "countersign-operator"

/* What the call says for and against its cookie. */
void ctl_caller_cookie(const struct cs_call *call, struct ctl_cookie_call *ret);
/* The token of its session: of the metadata `authorization`, or without one of a browser's cookie. CS_EAUTH
 * or CS_EDENIED with a sentence. */
CS_MUST_USE int ctl_caller_token(const struct cs_call *call, uint8_t ret_token[CTL_TOKEN_BYTES],
                                 bool *ret_by_cookie, struct cs_err *err);
/* Who it is. CS_EAUTH without a session where it takes one; CS_EDENIED for a user who is no operator. */
CS_MUST_USE int ctl_caller_find(const struct cs_call *call, struct ctl_caller *ret, struct cs_err *err);
/* Who it is, and that the call's method is for them. */
CS_MUST_USE int ctl_caller_check(const struct cs_call *call, struct ctl_caller *ret, struct cs_err *err);
/* For the audit: the operator, or "uid:N" for the local administrator. */
void ctl_caller_actor(const struct ctl_caller *caller, const struct cs_peer *peer, struct ctl_actor *ret);

#endif
