/* known.h - when each device was admitted, as far as this client has seen it: in the file `devices` at home,
 * a line each. A device that is stolen is admitted anew, with other keys; whoever takes the controller over
 * could hand out the old admission, which an admin did sign, and be sent keys that the stolen device opens.
 * A client that has seen the newer one refuses that.
 *
 *   gw-1 2026-11-23T14:00:00Z
 *
 * Parsing, looking and noting are pure; cli_known_check() and cli_known_keep() do file I/O. */
#ifndef CTL_CLI_KNOWN_H
#define CTL_CLI_KNOWN_H

#include "controller/cli/home.h"

struct cli;

struct cli_known_device {
    char name[CS_LIMIT_NAME_BYTES + 1];
    int64_t admitted_at_s;
};
struct cli_known {
    struct cli_known_device *list; /* by name */
    size_t count, capacity;
    bool changed; /* since it was read */
};

/* Notes every line; the later of two times for one name. CS_EPARSE names `where` and the line. */
CS_MUST_USE int cli_known_parse(struct cs_slice text, const char *where, struct cli_known *ret,
                                struct cs_err *err);
CS_MUST_USE int cli_known_write(const struct cli_known *known, struct cs_buf *out);
/* 0: not known. */
int64_t cli_known_since(const struct cli_known *known, const char *name);
/* Keeps the later of this time and the one that is known. */
CS_MUST_USE int cli_known_note(struct cli_known *known, const char *name, int64_t admitted_at_s,
                               struct cs_err *err);
/* false: it was not known. */
bool cli_known_forget(struct cli_known *known, const char *name);
void cli_known_free(struct cli_known *known);

/* Notes a verified admission for cli_known_keep(). CS_EAUTH for one that is older than what was seen here. */
CS_MUST_USE int cli_known_check(struct cli *cli, const countersign_v1_Admission *admission,
                                struct cs_err *err);
/* At the end of a command: what it noted is kept. A failure is a warning on standard error. */
void cli_known_keep(struct cli *cli);

#endif
