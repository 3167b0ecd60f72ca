/* tls_explain.h - the sentences for what goes wrong in TLS: what a person at either end should check. Pure.
 */
#ifndef CS_NET_TLS_EXPLAIN_H
#define CS_NET_TLS_EXPLAIN_H

#include "shared/base/err.h"

#include <mbedtls/x509_crt.h>
#include <stdbool.h>

/* What was wrong with the peer's certificate or one above it; zero while nothing was. */
struct tls_peer_flaw {
    uint32_t flags;
    int depth; /* of the one whose dates are here: 0 is the peer's own */
    int64_t not_before_s, not_after_s;
};

void tls_note_flaw(struct tls_peer_flaw *flaw, const mbedtls_x509_crt *cert, int depth, uint32_t flags);

/* Sets *err for an error of mbedTLS's ssl functions and returns its code. */
int tls_explain(int rc, const struct tls_peer_flaw *flaw, bool in_handshake, struct cs_err *err);
/* The same for a fatal alert that the peer sent. RFC 8446 section 6.2. */
int tls_explain_alert(unsigned description, struct cs_err *err);

#endif
