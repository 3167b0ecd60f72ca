/* tls_private.h - what tls.c needs of mbedTLS that has no public name. Only tls_slim.c, which implements it,
 * looks into the private fields. */
#ifndef CS_NET_TLS_PRIVATE_H
#define CS_NET_TLS_PRIVATE_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* What must survive while the record buffers are given back: mbedTLS keeps the number of the next incoming
 * record in the buffer itself. */
struct tls_parked {
    uint8_t in_counter[8];
    bool parked;
};

/* Frees the handshake's state and the peer's certificate, which 3.6 keeps as long as a TLS 1.3 connection
 * lives. After a completed handshake only. */
void tls_drop_handshake(mbedtls_ssl_context *ssl);

/* A server's records behind its Finished are encrypted with the application keys (RFC 8446 section 4.4.4).
 * mbedTLS 3.6 turns to them only when the client's Finished has come, so that a client cannot read why it is
 * refused. To be called whenever a server's handshake waits for bytes. */
void tls_send_with_application_keys(mbedtls_ssl_context *ssl);

/* Gives the record buffers back if nothing is in them; otherwise nothing happens. */
void tls_park(mbedtls_ssl_context *ssl, struct tls_parked *parked);
/* Brings them back before the context is used again. False if there is no memory: then the context must not
 * be used but for mbedtls_ssl_free(). */
bool tls_unpark(mbedtls_ssl_context *ssl, struct tls_parked *parked);

/* The description in the fatal alert that mbedTLS has just returned as MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
 */
unsigned tls_received_alert(const mbedtls_ssl_context *ssl);
/* The same for an alert that came unencrypted in the middle of the handshake, on which decryption has just
 * failed (MBEDTLS_ERR_SSL_INVALID_MAC); 0 if it was none. A client of mbedTLS refuses a server that way.
 * Anybody on the wire can forge one: good for the wording only. */
unsigned tls_received_plain_alert(const mbedtls_ssl_context *ssl);

#endif
