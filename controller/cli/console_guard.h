/* console_guard.h - which requests `countersign console` lets in. Any page in the person's browser can send
 * requests to a port of this machine, and so can every other user of it: a request must name this host (DNS
 * rebinding), come from the console's own page (Origin, Fetch Metadata), and, but for the page itself and for
 * opening a link, bring a token. Pure. */
#ifndef CTL_CLI_CONSOLE_GUARD_H
#define CTL_CLI_CONSOLE_GUARD_H

#include "controller/cli/console_links.h"

#include "shared/net/metadata.h"
#include "shared/net/status.h"

struct cli_console_guard {
    uint16_t port;
    const struct cli_links *links;
};

/* CS_STATUS_OK: go on. Else *err says why not. `headers` are lower-case, over HTTP/2 with ":authority". */
enum cs_status cli_console_check(const struct cli_console_guard *guard, struct cs_slice method,
                                 struct cs_slice path, const struct cs_metadata_list *headers,
                                 struct cs_err *err);
/* One of the page's own: who cannot bring a token asks for nothing that counts as use. */
bool cli_console_has_token(const struct cli_console_guard *guard, const struct cs_metadata_list *headers);
/* The token in what an "authorization" says; empty: none. */
struct cs_slice cli_console_token_of(struct cs_slice authorization);

#endif
