/* tls.h - TLS 1.3 as a transformer between two buffers: cipher bytes in, plain bytes out, and the other way
 * round. No I/O: two peers run in one test without a socket. The one file that knows mbedTLS's private ssl
 * fields is tls_slim.c. No session tickets, so that a peer certificate is always there (mutual TLS is checked
 * in every handshake). RFC 8446.
 *
 * Feed what arrived with cs_tls_feed(), then pull: cs_tls_read() for plain bytes; what must go to the wire
 * gathers in the buffer that cs_tls_pending() shows. */
#ifndef CS_NET_TLS_H
#define CS_NET_TLS_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/crypto/x509.h"

/* Shared by many connections, used by several threads at once after it was made; immutable. */
struct cs_tls_config;

struct cs_tls_options {
    bool is_server;
    const struct cs_chain *certificate; /* own chain; NULL on a client without one. Copied. */
    const struct cs_key *key;           /* its key; borrowed, outlives the config */
    const struct cs_chain
        *anchors; /* what the peer's chain must lead to; copied. NULL on a server: asks for none */
    /* Client, in place of anchors: nothing of the server is verified but that it has the key of the leaf that
     * it shows, whoever issued that and whatever name it bears. For seeing which certificate is served, and
     * unfit for anything else: nothing read from such a peer may be believed, no secret be sent to it. */
    bool only_looks;
    bool require_peer;       /* server: a client without a certificate is refused */
    bool ignore_peer_expiry; /* the caller checks dates itself (late renewal, clockless devices) */
    const char *alpn; /* "h2": offered, or required; a peer that offers none of it is refused. Several in
                         order of preference, "h2,http/1.1": with http/1.1 among them a peer may also
                         name none at all (RFC 9113 section 3.2 wants it for HTTP/2 only) */
};

CS_MUST_USE int cs_tls_config_new(const struct cs_tls_options *options, struct cs_tls_config **ret,
                                  struct cs_err *err);
void cs_tls_config_free(struct cs_tls_config *config);

struct cs_tls;

/* `server_name`: on a client the DNS name or IP that the server's certificate must bear; NULL on a server. On
 * a client that only looks the name that the server is asked for, NULL for none.
 * The config outlives it. */
CS_MUST_USE int cs_tls_new(struct cs_tls_config *config, const char *server_name, struct cs_tls **ret,
                           struct cs_err *err);
void cs_tls_free(struct cs_tls *tls);

/* Takes cipher bytes and moves the handshake or decrypts. CS_OK; anything else ends the connection, after
 * what cs_tls_pending() still has (an alert) was sent. Plain bytes are appended to `plain`. CS_ECLOSED on a
 * clean close_notify. The error's sentence says what a person should check ("the peer sent no client
 * certificate", "speaks TLS 1.2 at most", …). CS_ESTALE: the peer says that our certificate has expired. */
CS_MUST_USE int cs_tls_feed(struct cs_tls *tls, struct cs_slice cipher, struct cs_buf *plain,
                            struct cs_err *err);
/* Tells that the wire has ended. Always an error, whose sentence says what that means now: CS_ECLOSED after a
 * clean close, CS_EIO in the middle of a handshake or without the peer's close_notify. */
CS_MUST_USE int cs_tls_feed_end(struct cs_tls *tls, struct cs_err *err);
/* Begins a client's handshake (call once; pending then has the ClientHello). */
CS_MUST_USE int cs_tls_start(struct cs_tls *tls, struct cs_err *err);
/* Encrypts all of `plain` into pending. CS_ESTATE before the handshake is done. */
CS_MUST_USE int cs_tls_write(struct cs_tls *tls, struct cs_slice plain, struct cs_err *err);
/* Queues a close_notify. */
void cs_tls_close(struct cs_tls *tls);

/* Cipher bytes for the wire; whoever sends them consumes them with cs_buf_consume() or steals the buffer. */
struct cs_buf *cs_tls_pending(struct cs_tls *tls);

bool cs_tls_established(const struct cs_tls *tls);
/* The application protocol agreed on, NULL for none. After the handshake only. */
const char *cs_tls_alpn(const struct cs_tls *tls);
/* DER of the peer's leaf, verified as the options say (own copy, valid as long as tls), empty without one.
 * After the handshake only. */
struct cs_slice cs_tls_peer_certificate(const struct cs_tls *tls);
/* Gives back what an idle connection does not need (handshake state, record buffers). Safe at any time: no-op
 * mid-record. */
void cs_tls_slim(struct cs_tls *tls);

#endif
