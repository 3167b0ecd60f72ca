/* home.h - what this person keeps on this machine: the pin, the policies that followed from it, keys, a
 * configuration.
 *
 *   ~/.config/countersign/            (--home DIR or COUNTERSIGN_HOME; mode 0700)
 *       config                        [client] as = NAME, socket = PATH, keys = DIR, controller = URL, ca =
 * FILE; optional pin                           deployment, digest of the roots, least policy version
 *       policies/N                    envelopes of trust policies, verified before they were written
 *       operators/NAME.key, NAME.pub  operators' keys
 *       roots/root-N.key, root-N.pub  made by `trust init`; their holders move the keys to safe places
 *       draft                         the next trust policy, until it is published (draft.h)
 *       tokens/NAME                   of devices that have not been admitted yet
 *       pairings/NAME                 links by which browsers are paired, until the key has come (pair.c)
 *       sessions/NAME-…               tokens of open sessions at operators' listeners (remote.h)
 *       checkpoints                   signed ends of the controller's audit that were seen (keep.h)
 *       checkpoints.N                 older ones, a file each time that one grew long
 *       devices                       when each device was admitted, as far as it was seen (known.h)
 *
 * Does file I/O. A wrong line in a file is an error with file and line, never passed over. */
#ifndef CTL_CLI_HOME_H
#define CTL_CLI_HOME_H

#include "shared/trust/policy.h"

#include <limits.h>

#define CLI_DEFAULT_SOCKET "/run/countersign/admin.sock"

struct cli_home {
    char folder[PATH_MAX];
    char keys[PATH_MAX];
    char socket[PATH_MAX];
    char controller[320];             /* URL of an operators' listener; empty: the socket */
    char ca[PATH_MAX];                /* certificates that its own leads to; empty: the trust policy's */
    char as[CS_LIMIT_NAME_BYTES + 1]; /* empty: none */
    bool pinned;
    struct cs_pin pin;
};

/* `folder` NULL: from the environment. Reads configuration and pin, if they are there; makes nothing. */
CS_MUST_USE int cli_home_open(const char *folder, struct cli_home *ret, struct cs_err *err);

CS_MUST_USE int cli_home_save_pin(struct cli_home *home, const struct cs_pin *pin, struct cs_err *err);
CS_MUST_USE int cli_home_save_policy(const struct cli_home *home, uint32_t version, struct cs_slice wire,
                                     struct cs_err *err);
/* CS_ENOTFOUND when there is none of this version. */
CS_MUST_USE int cli_home_load_policy(const struct cli_home *home, uint32_t version, struct cs_buf *out,
                                     struct cs_err *err);

/* The paths of an operator's key and its public half. */
CS_MUST_USE int cli_home_operator_key(const struct cli_home *home, const char *name, char ret[PATH_MAX],
                                      struct cs_err *err);
CS_MUST_USE int cli_home_operator_public(const struct cli_home *home, const char *name, char ret[PATH_MAX],
                                         struct cs_err *err);
CS_MUST_USE int cli_home_token(const struct cli_home *home, const char *device, char ret[PATH_MAX],
                               struct cs_err *err);

/* Waits until no other command changes files that several add to; close(*ret_fd) ends it. */
CS_MUST_USE int cli_home_lock(const struct cli_home *home, int *ret_fd, struct cs_err *err);
CS_MUST_USE int cli_home_checkpoints(const struct cli_home *home, char ret[PATH_MAX], struct cs_err *err);

/* The pin file's text. Pure. `where` begins the sentence of a refusal. */
CS_MUST_USE int cli_home_pin_write(const struct cs_pin *pin, struct cs_buf *out);
CS_MUST_USE int cli_home_pin_parse(const char *text, const char *where, struct cs_pin *ret,
                                   struct cs_err *err);

#endif
