/* pair_link.h - the link by which a person's browser is paired: "https://HOST:PORT/pair#" and the base64url
 * of two halves and the deployment's id, with dots between. The fragment never leaves the browser that opens
 * it; what the page sends of it is said in proto/README.md. Pure. */
#ifndef CTL_CLI_PAIR_LINK_H
#define CTL_CLI_PAIR_LINK_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/crypto/crypto.h"

enum { CLI_PAIR_HALF_BYTES = 32 };

struct cli_pair_link {
    uint8_t authentication[CLI_PAIR_HALF_BYTES];
    uint8_t binding[CLI_PAIR_HALF_BYTES]; /* the controller never has it */
    uint8_t deployment_id[16];
};

/* Appends the link, a secret; `url` as cli_url_write() has it. */
CS_MUST_USE int cli_pair_link_write(const struct cli_pair_link *link, const char *url, struct cs_buf *out);
CS_MUST_USE int cli_pair_link_parse(struct cs_slice text, struct cli_pair_link *ret, struct cs_err *err);
/* What whoever followed the link makes over its key. */
struct cs_digest cli_pair_link_mac(const struct cli_pair_link *link, struct cs_slice spki);

#endif
