/* watch.h - what changed at the controller, as it changes (WatchService), for commands that wait or follow.
 * Loses nothing: when the connection goes down, or the controller is started anew, it connects again and
 * goes on behind the last revision that it saw.
 *
 *   rc = cli_watch_open(cli, &request, &watch, err);       // then list: what changes from now on is told
 *   while ((rc = cli_watch_next(watch, 5000, message, err)) == CS_OK || rc == CS_ETIMEOUT)
 *       … message->changes (none with CS_ETIMEOUT) …
 *   cli_watch_free(watch);
 *
 * CS_ERANGE: the controller no longer has what changed since; list anew and open another. CS_EUNSUPPORTED: it
 * is too old to be watched. */
#ifndef CTL_CLI_WATCH_H
#define CTL_CLI_WATCH_H

#include "controller/cli/cli.h"

struct cli_watch;

/* The stream has begun when this returns: what changes from now on will be told. Copies the request. */
CS_MUST_USE int cli_watch_open(struct cli *cli, const countersign_v1_WatchRequest *request,
                               struct cli_watch **ret, struct cs_err *err);
/* The next message. CS_ETIMEOUT: none came within the time; the sentence says so when that is because the
 * controller does not answer. */
CS_MUST_USE int cli_watch_next(struct cli_watch *watch, uint32_t timeout_ms,
                               countersign_v1_WatchResponse *ret, struct cs_err *err);
/* Everything up to here was told. */
uint64_t cli_watch_revision(const struct cli_watch *watch);
void cli_watch_free(struct cli_watch *watch);
CS_DEFINE_AUTO(cli_watch_freep, struct cli_watch, cli_watch_free)

#endif
