#include "agent/port/starttls.h"

#include "agent/port/said.h"

#include <strings.h>

/* A server that goes on and on is none. */
enum { LINES_MOST = 100 };

static int refuse(const char *line, struct cs_err *err)
{
    struct ag_said said = {.len = 0};

    ag_said_hear(&said, cs_slice_str(line));
    return cs_err_set(err, CS_EDENIED, "the server does not begin TLS; it says: %.150s", ag_said_text(&said));
}

/* A reply of SMTP is several lines "250-…" and a last one "250 …". */
static int hear_smtp(struct ag_starttls_talk *talk, const char **ret_send, struct cs_err *err)
{
    static const char *const wanted[] = {
        [AG_STARTTLS_GREETING] = "220", [AG_STARTTLS_HELLO] = "250", [AG_STARTTLS_ASKED] = "220"};
    const char *line = talk->line;

    if (strncmp(line, wanted[talk->step], 3) != 0 || (line[3] != ' ' && line[3] != '-' && line[3] != '\0'))
        return refuse(line, err);
    if (talk->step == AG_STARTTLS_HELLO && line[3] && strcasecmp(line + 4, "STARTTLS") == 0)
        talk->offered = true;
    if (line[3] == '-')
        return CS_OK;
    if (talk->step == AG_STARTTLS_GREETING)
        *ret_send = "EHLO localhost\r\n";
    else if (talk->step == AG_STARTTLS_HELLO && !talk->offered)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the server offers no STARTTLS: is TLS on, and is that the right port?");
    else if (talk->step == AG_STARTTLS_HELLO)
        *ret_send = "STARTTLS\r\n";
    talk->step++;
    return CS_OK;
}

static int hear_imap(struct ag_starttls_talk *talk, const char **ret_send, struct cs_err *err)
{
    const char *line = talk->line;

    if (talk->step == AG_STARTTLS_GREETING) {
        if (strncasecmp(line, "* OK", 4) != 0)
            return refuse(line, err);
        *ret_send = "a STARTTLS\r\n";
        talk->step = AG_STARTTLS_ASKED;
    } else if (strncmp(line, "* ", 2) == 0 && strncasecmp(line, "* BYE", 5) != 0) {
        return CS_OK;
    } else if (strncasecmp(line, "a OK", 4) == 0) {
        talk->step = AG_STARTTLS_READY;
    } else {
        return refuse(line, err);
    }
    return CS_OK;
}

static int hear_line(struct ag_starttls_talk *talk, const char **ret_send, struct cs_err *err)
{
    if (talk->len > 0 && talk->line[talk->len - 1] == '\r')
        talk->len--;
    talk->line[talk->len] = '\0';
    talk->len = 0;
    if (++talk->lines > LINES_MOST)
        return cs_err_set(err, CS_ETOOBIG, "the server says much, and does not begin TLS");
    return talk->protocol == AG_STARTTLS_SMTP ? hear_smtp(talk, ret_send, err)
                                              : hear_imap(talk, ret_send, err);
}

int ag_starttls_feed(struct ag_starttls_talk *talk, struct cs_slice bytes, const char **ret_send,
                     struct cs_err *err)
{
    int code = CS_OK;

    *ret_send = NULL;
    for (size_t i = 0; i < bytes.len && !code; i++) {
        /* Nothing may stand between the reply and TLS, which the client begins: RFC 3207 section 4.2. */
        if (talk->step == AG_STARTTLS_READY)
            return cs_err_set(err, CS_EPARSE, "the server says more before TLS than it may");
        if (bytes.ptr[i] == '\n')
            code = hear_line(talk, ret_send, err);
        else if (talk->len < sizeof talk->line - 1)
            talk->line[talk->len++] = (char)bytes.ptr[i];
    }
    return code;
}

const char *ag_starttls_goodbye(enum ag_starttls protocol)
{
    return protocol == AG_STARTTLS_SMTP ? "QUIT\r\n" : protocol == AG_STARTTLS_IMAP ? "b LOGOUT\r\n" : "";
}
