#include "controller/cookie.h"

#include <inttypes.h>
#include <stdio.h>

static const char *name_of(bool tls)
{
    return tls ? "__Host-countersign" : "countersign";
}

/* RFC 6265 section 4.2.1: "name=value", with "; " between. */
void ctl_cookie_gather(struct ctl_cookie_call *call, struct cs_slice header)
{
    struct cs_slice name = cs_slice_str(name_of(call->tls));

    while (header.len) {
        struct cs_slice value = cs_slice_item(&header, ';');

        if (!cs_slice_eq(cs_slice_cut(&value, '=', NULL), name))
            continue;
        call->value = value;
        call->count++;
    }
}

/* Without TLS only this machine listens; under any other name it was led here (DNS rebinding). */
static bool is_loopback(struct cs_slice authority)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < CS_ARRAY_LEN(names); i++) {
        struct cs_slice name = cs_slice_str(names[i]);

        if (cs_slice_eq(authority, name) ||
            (cs_slice_starts_with(authority, name) && authority.ptr[name.len] == ':'))
            return true;
    }
    return false;
}

static bool is_own_origin(const struct ctl_cookie_call *call)
{
    struct cs_slice scheme = call->tls ? CS_SLICE_LIT("https://") : CS_SLICE_LIT("http://");

    return cs_slice_starts_with(call->origin, scheme) &&
           cs_slice_eq(cs_slice_from(call->origin, scheme.len), call->authority);
}

int ctl_cookie_check_origin(const struct ctl_cookie_call *call, struct cs_err *err)
{
    if (call->authority.len == 0)
        return cs_err_set(
            err, CS_EDENIED,
            "cookies are for browsers, which call by the Connect protocol: others send the token "
            "as \"authorization: Bearer TOKEN\"");
    if (!call->tls && !is_loopback(call->authority))
        return cs_err_set(
            err, CS_EDENIED,
            "without TLS a cookie is for 127.0.0.1, localhost or [::1]: open the page under one "
            "of these names");
    if (call->origin.len == 0 && call->fetch_site.len == 0)
        return cs_err_set(err, CS_EDENIED,
                          "a call with a cookie says from which page it comes (origin, sec-fetch-site), and "
                          "this one does not");
    if ((call->origin.len && !is_own_origin(call)) ||
        (call->fetch_site.len && !cs_slice_eq_str(call->fetch_site, "same-origin")))
        return cs_err_set(err, CS_EDENIED,
                          "this call has a cookie and comes from a page of another origin, %.*s: it is not "
                          "answered",
                          (int)(call->origin.len < 80 ? call->origin.len : 80),
                          call->origin.len ? (const char *)call->origin.ptr : "");
    return CS_OK;
}

int ctl_cookie_token(const struct ctl_cookie_call *call, uint8_t ret_token[CTL_TOKEN_BYTES],
                     struct cs_err *err)
{
    int code;

    if (call->count == 0)
        return ctl_sessions_parse(CS_SLICE_EMPTY, ret_token, err);
    code = ctl_cookie_check_origin(call, err);
    if (code != CS_OK)
        return code;
    /* Somebody else on this host set the other one, and which is which nobody knows. */
    if (call->count > 1)
        return cs_err_set(err, CS_EAUTH,
                          "the browser sends %u cookies of this name: remove them and sign in again",
                          call->count);
    return ctl_sessions_parse_text(call->value, ret_token) == CS_OK
               ? CS_OK
               : cs_err_set(err, CS_EAUTH, "the cookie is not a session's: sign in again");
}

char *ctl_cookie_text(bool tls, const uint8_t *token, int64_t life_s, char *out)
{
    char text[CTL_TOKEN_TEXT_BYTES] = "";
    int used;

    if (token)
        ctl_sessions_token_text(token, text);
    used = snprintf(out, CTL_COOKIE_TEXT_BYTES,
                    "%s=%s; Max-Age=%" PRId64 "; Path=/; HttpOnly; SameSite=Strict%s", name_of(tls), text,
                    token ? life_s : 0, tls ? "; Secure" : "");
    cs_assert(used > 0 && used < CTL_COOKIE_TEXT_BYTES);
    cs_wipe(text, sizeof text);
    return out;
}
