/* tls_pair.h - two TLS peers in memory: what one leaves pending is fed to the other. */
#ifndef CS_TESTS_TLS_PAIR_H
#define CS_TESTS_TLS_PAIR_H

#include "shared/net/tls.h"
#include "tests/support/pki.h"

struct tls_peer {
    struct cs_tls_config *config;
    struct cs_tls *tls;
    struct cs_buf plain;
    struct cs_err err;
    int rc;
};

/* A CA, both ends' certificates, and the two ends. */
struct tls_pair {
    struct pki ca, server_id, client_id;
    struct tls_peer server, client;
    size_t step; /* bytes in one feed; 0: all that is there */
};

/* Makes the certificates: "localhost" of "Fleet CA", and the client gw-1. Failing ends the test. */
void tls_pair_begin(struct tls_pair *pair);
/* Ends what a test began of the two ends, and lets it begin again. */
void tls_pair_disconnect(struct tls_pair *pair);
void tls_pair_end(struct tls_pair *pair);

/* Mutual TLS with the pair's certificates and h2. */
struct cs_tls_options tls_pair_server(const struct tls_pair *pair);
struct cs_tls_options tls_pair_client(const struct tls_pair *pair);

CS_MUST_USE int tls_peer_begin(struct tls_peer *peer, struct cs_tls_options options, const char *name,
                               struct cs_err *err);
/* Carries what `from` has pending to `to`, pair->step bytes at a time. Returns whether anything moved. */
bool tls_pair_carry(struct tls_peer *from, struct tls_peer *to, size_t step);
/* Until nothing moves any more. */
void tls_pair_run(struct tls_pair *pair);

#endif
