/* cert_list.h - lists of certificates, page by page, from a controller that may not let them end. */
#ifndef CTL_CLI_CERT_LIST_H
#define CTL_CLI_CERT_LIST_H

#include "controller/cli/cli.h"

struct cli_pages {
    bool more;    /* the request has the token of the next page */
    size_t empty; /* pages without a certificate, one after the other */
};

/* One page, with the token of the one behind it put into the request. CS_EAUTH for a token that was given
 * before, and for pages without end: a list that goes on for ever is a lie. */
CS_MUST_USE int cli_pages_next(struct cli *cli, struct cli_pages *pages,
                               countersign_v1_ListCertificatesRequest *request,
                               countersign_v1_ListCertificatesResponse *reply, struct cs_err *err);

/* The words that --sort, --key-kind and --private-key take, one after the other; NULL behind the last. */
const char *cli_cert_list_word(const char *option, size_t index);

#endif
