/* remote.h - a controller that is reached over its operators' listener instead of the admin socket: its
 * address, whom to believe that it is, and the session in which this client speaks.
 *
 * Its certificate leads to the agent CAs of the newest trust policy that is kept here, or to --ca FILE. A
 * session is opened by signing a challenge with the operator's key, and its token is kept at home in
 * sessions/, mode 0600, until it ends. Start at cli_remote_connect(). */
#ifndef CTL_CLI_REMOTE_H
#define CTL_CLI_REMOTE_H

#include "controller/cli/cli.h"

/* "https://HOST[:PORT]", or "http://HOST[:PORT]" for this machine alone; port 9443 by default. */
struct cli_url {
    bool tls;
    char host[256]; /* an IPv6 address without its brackets */
    uint16_t port;
};
/* Pure. CS_EINVAL with what is allowed. */
CS_MUST_USE int cli_url_parse(const char *text, struct cli_url *ret, struct cs_err *err);
/* The one form of it, for the session's file. */
CS_MUST_USE int cli_url_write(const struct cli_url *url, struct cs_buf *out);

/* A session as it is kept. Pure. */
struct cli_kept_session {
    char operator[CS_LIMIT_NAME_BYTES + 1];
    char token[64];
    int64_t expires_s;
};
CS_MUST_USE int cli_kept_session_write(const struct cli_kept_session *session, const char *url,
                                       struct cs_buf *out);
/* CS_EPARSE for what is none of this URL's. */
CS_MUST_USE int cli_kept_session_parse(const char *text, const char *url, struct cli_kept_session *ret,
                                       struct cs_err *err);

/* Makes cli->rpc for cli->home.controller. Nothing is sent yet. */
CS_MUST_USE int cli_remote_connect(struct cli *cli, struct cs_err *err);
/* From now on calls carry a session's token: the kept one, or that of one that is opened now. `fresh`: the
 * kept one was refused, or is not wanted. */
CS_MUST_USE int cli_remote_sign_in(struct cli *cli, bool fresh, struct cs_err *err);
/* Ends the kept session, here and there. CS_ENOTFOUND when there is none. */
CS_MUST_USE int cli_remote_sign_out(struct cli *cli, struct cs_err *err);

#endif
