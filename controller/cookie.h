/* cookie.h - a browser's session: its token in a cookie that no script can read, and from which calls it is
 * taken. Pure. Start at ctl_cookie_token(); tests/unit/test_cookie.c has the rules as a table.
 *
 * A browser sends a cookie along whoever asks it to call, so a cookie alone says nothing about who wanted the
 * call: it counts only where the browser says that a page of this very origin calls. A cookie belongs to a
 * host, not to a port: whatever else the browser visits there is sent it, too, and may set it. The name's
 * prefix "__Host-" keeps other hosts from setting it, where there is TLS. */
#ifndef CTL_COOKIE_H
#define CTL_COOKIE_H

#include "controller/sessions.h"

/* What one call says of where it comes from. Slices borrow; a zeroed one says nothing. */
struct ctl_cookie_call {
    bool tls;                           /* its connection */
    struct cs_slice authority;          /* for which host, and port; empty: not by HTTP's own means */
    struct cs_slice origin, fetch_site; /* the headers "origin" and "sec-fetch-site" */
    struct cs_slice value;              /* of our cookie */
    unsigned count;                     /* of cookies by its name */
};

/* Takes what is ours from a header "cookie": there may be several. `tls` is set before. */
void ctl_cookie_gather(struct ctl_cookie_call *call, struct cs_slice header);
/* A page of this controller calls: CS_EDENIED with a sentence for any other. */
CS_MUST_USE int ctl_cookie_check_origin(const struct ctl_cookie_call *call, struct cs_err *err);
/* The session's token, of a call from the own origin with exactly one cookie. CS_EAUTH when there is none. */
CS_MUST_USE int ctl_cookie_token(const struct ctl_cookie_call *call, uint8_t ret_token[CTL_TOKEN_BYTES],
                                 struct cs_err *err);

/* The value of "set-cookie"; `token` NULL: takes it back. `out` has room for CTL_COOKIE_TEXT_BYTES, and is a
 * secret. Returns out. */
enum { CTL_COOKIE_TEXT_BYTES = 192 };
char *ctl_cookie_text(bool tls, const uint8_t *token, int64_t life_s, char *out);

#endif
