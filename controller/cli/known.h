/* known.h - when each device was admitted, as far as this client has seen it: in the file `devices` at home,
 * a line each. A device that is stolen is admitted anew, with other keys; whoever takes the controller over
 * could hand out the old admission, which an admin did sign, and be sent keys that the stolen device opens.
 * A client that has seen the newer one refuses that.
 *
 *   gw-1 2026-11-23T14:00:00Z 9f3c…d1
 *
 * The digest, which may be missing, is of the device's signed statements as they were verified and of the
 * trust policy under which they were: what is the same again is not verified again, which is most of what a
 * push to ten thousand devices costs a client.
 *
 * The file is everybody's who runs a command here: what is noted is put to what stands in it by then, and it
 * is read again when another command has written it. Parsing, looking and noting are pure; what takes a
 * struct cli does file I/O. */
#ifndef CTL_CLI_KNOWN_H
#define CTL_CLI_KNOWN_H

#include "controller/cli/check.h"
#include "controller/cli/home.h"

struct cli;

struct cli_known_device {
    char name[CS_LIMIT_NAME_BYTES + 1];
    int64_t admitted_at_s;
    bool verified;
    bool fresh; /* changed since it was read */
    struct cs_digest digest;
};
struct cli_known {
    struct cli_known_device *list; /* by name */
    size_t count, capacity;
    bool changed; /* since it was read */
    struct cli_known_stamp {
        uint64_t inode;
        int64_t changed_s, changed_ns;
    } stamp; /* of the file as it was read; zero: there was none */
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
/* So much was verified of the device that is known; false: not these very statements, or not under this
 * policy. */
bool cli_known_verified(const struct cli_known *known, const char *name, const struct cs_digest *digest);
void cli_known_note_verified(struct cli_known *known, const char *name, const struct cs_digest *digest);
struct cs_digest cli_known_digest(const struct cs_policy *policy,
                                  const countersign_v1_GetDeviceResponse *reply);
/* false: it was not known. */
bool cli_known_forget(struct cli_known *known, const char *name);
void cli_known_free(struct cli_known *known);

/* cli->known is what the file says now, and what was noted since. Before anything is signed that will be
 * noted, so that a file that cannot be read is found out in time. */
CS_MUST_USE int cli_known_load(struct cli *cli, struct cs_err *err);
/* As cli_check_device() under the policy that cli_policy() has given, and CS_ERANGE for an admission that is
 * older than what was seen here. Noted for cli_known_keep(). */
CS_MUST_USE int cli_known_open(struct cli *cli, const countersign_v1_GetDeviceResponse *reply,
                               const char *name, struct cs_device **ret, struct cs_err *err);
/* For what is handed on to somebody who verifies it: fails for an admission that is older than what was seen
 * here, even where it cannot be verified under the policy that there is. One that holds is noted. */
CS_MUST_USE int cli_known_pass(struct cli *cli, const countersign_v1_GetDeviceResponse *reply,
                               struct cs_err *err);
/* The controller has taken this admission, which was signed here: noted. */
CS_MUST_USE int cli_known_admitted(struct cli *cli, struct cs_slice envelope, struct cs_err *err);
/* What was noted is kept now. */
CS_MUST_USE int cli_known_save(struct cli *cli, struct cs_err *err);
/* At the end of a command: what it noted is kept. A failure is a warning on standard error. */
void cli_known_keep(struct cli *cli);

#endif
