/* Fills the store of a controller that does not run, for benches of whole programs (tests/browser/times.mjs):
 *
 *   bench_fill STATE/store CERTIFICATES DEVICES ATTACHMENTS
 *
 * Prints the id of the certificate that the attachments are of. */
#include "controller/core/inventory.h"
#include "shared/base/text.h"
#include "shared/crypto/crypto.h"
#include "tests/support/filler.h"
#include "tests/support/inventory.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct filler what = {0};
    ctl_certificate_row row;
    char id[2 * CS_SHA256_BYTES + 1];
    struct ctl_store *store;
    struct cs_err err;

    if (argc != 5) {
        fprintf(stderr, "usage: bench_fill STATE/store CERTIFICATES DEVICES ATTACHMENTS\n");
        return EXIT_FAILURE;
    }
    what.certificates = strtoull(argv[2], NULL, 10);
    what.devices = strtoull(argv[3], NULL, 10);
    what.attachments = strtoull(argv[4], NULL, 10);
    if (cs_crypto_init(&err) != CS_OK || ctl_store_open(argv[1], 0, &store, &err) != CS_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return EXIT_FAILURE;
    }
    filler_fill(store, &what);
    ctl_store_close(store);
    inventory_row(0, what.certificates, &row);
    printf("attached: %s\n", cs_hex(cs_slice(row.id.bytes, row.id.size), id));
    return EXIT_SUCCESS;
}
