/* tls12_look.h - which certificate a server has that speaks TLS 1.2 at most (RFC 5246): the first half of a
 * handshake, as a transformer between two buffers, enough to see the leaf and that the server has its key.
 * Nothing is ever encrypted, verified against an anchor or said: unfit for anything but looking. tls.h speaks
 * TLS 1.3 alone, and means it.
 *
 * A server that offers no (EC)DHE signs nothing here, and is not seen. Start at cs_tls12_look_hello(). */
#ifndef CS_NET_TLS12_LOOK_H
#define CS_NET_TLS12_LOOK_H

#include "shared/crypto/x509.h"

struct cs_tls12_look {
    uint8_t client_random[32], server_random[32];
    struct cs_buf records, messages; /* what is not read yet */
    struct cs_chain *leaf;           /* NULL before the server's Certificate */
    bool answered;                   /* its ServerHello was read */
    bool proven;                     /* the leaf's key has signed this handshake */
};

/* Appends a ClientHello; `server_name` NULL: none is sent. The struct is zeroed before. */
CS_MUST_USE int cs_tls12_look_hello(struct cs_tls12_look *look, const char *server_name, struct cs_buf *out,
                                    struct cs_err *err);
/* Takes what arrived. CS_OK: `proven` tells whether more is needed. The error's sentence says what a person
 * should check. */
CS_MUST_USE int cs_tls12_look_feed(struct cs_tls12_look *look, struct cs_slice bytes, struct cs_err *err);
void cs_tls12_look_free(struct cs_tls12_look *look);

#endif
