/* console_forward.h - the controller's methods, served to the console's page and forwarded as they are: bytes
 * of requests and replies, status and sentence, cancellation, deadlines, and how fast each side reads. Unary
 * calls and server streams. One thing is refused: a device's admission that is older than what the operator's
 * files have seen (known.h).
 *
 * Handlers only queue: connecting anew, and signing in anew when a session has ended, wait for the network
 * and perhaps for a person, so they belong to the top of the loop, which is cli_forwarder_run(). */
#ifndef CTL_CLI_CONSOLE_FORWARD_H
#define CTL_CLI_CONSOLE_FORWARD_H

#include "controller/cli/cli.h"

#include "shared/net/call.h"

struct cli_forwarder;

/* Adds every method to the registry but those by which sessions are opened, which are this client's own
 * affair. `cli` has a connection. */
CS_MUST_USE int cli_forwarder_new(struct cli *cli, struct cs_registry *registry, struct cli_forwarder **ret,
                                  struct cs_err *err);
/* Sends what has been queued; what cannot be sent is answered. Not from inside an event of the loop. */
void cli_forwarder_run(struct cli_forwarder *forwarder);
/* True when there is something for cli_forwarder_run() to do. */
bool cli_forwarder_waits(const struct cli_forwarder *forwarder);
/* After the server that served the methods has closed; runs the loop until the controller's calls have ended.
 * NULL is fine. */
void cli_forwarder_free(struct cli_forwarder *forwarder);

#endif
