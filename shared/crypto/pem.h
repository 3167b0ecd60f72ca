/* pem.h - find the blocks of a PEM text. Pure. RFC 7468, the strict form within a block, any text between
 * blocks. */
#ifndef CS_CRYPTO_PEM_H
#define CS_CRYPTO_PEM_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

struct pem_block {
    struct cs_slice label; /* "CERTIFICATE", "PRIVATE KEY", …; borrows from the text */
    struct cs_slice body;  /* the lines between the two markers */
};

/* Moves *rest behind the next block. False when there is none; a block that does not end is one without a
 * body whose decoding fails. */
bool pem_next(struct cs_slice *rest, struct pem_block *ret);
/* Appends the DER. CS_EPARSE for what is not base64, CS_EUNSUPPORTED for a body with headers (the encryption
 * of PEM itself, RFC 1421), CS_ENOMEM. */
CS_MUST_USE int pem_decode(const struct pem_block *block, struct cs_buf *out);

#endif
