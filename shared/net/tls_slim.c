/* The one file that touches mbedTLS's private ssl fields. Each function says what it relies on; read
 * ssl_msg.c and ssl_tls.c again before allowing another version. */
#include "shared/net/tls_private.h"

#include "shared/base/buf.h"

#include <mbedtls/platform.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03060600 || MBEDTLS_VERSION_NUMBER > 0x03060700
#error "tls_slim.c was checked with mbedTLS 3.6.6 and 3.6.7 only"
#endif
#if defined(MBEDTLS_SSL_PROTO_DTLS) || defined(MBEDTLS_SSL_DTLS_CONNECTION_ID) ||                            \
    defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH) || defined(MBEDTLS_SSL_SESSION_TICKETS)
#error "tls_slim.c was not checked with these options of mbedTLS"
#endif

/* Declared in the library's ssl_misc.h, which is not installed. */
void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl);
void mbedtls_ssl_set_outbound_transform(mbedtls_ssl_context *ssl, mbedtls_ssl_transform *transform);
void mbedtls_ssl_reset_in_pointers(mbedtls_ssl_context *ssl);
void mbedtls_ssl_reset_out_pointers(mbedtls_ssl_context *ssl);

enum {
    COUNTER_BYTES = 8,
    HEADER_BYTES = COUNTER_BYTES + 5,
    /* MBEDTLS_SSL_PAYLOAD_OVERHEAD in its largest form: IV, MAC, padding. A buffer may be larger than the
     * library thinks, never smaller: it bounds its writes, and wipes at the end, by its own idea of the
     * length. */
    OVERHEAD_BYTES = 16 + 48 + 256,
    IN_BYTES = HEADER_BYTES + OVERHEAD_BYTES + MBEDTLS_SSL_IN_CONTENT_LEN,
    OUT_BYTES = HEADER_BYTES + OVERHEAD_BYTES + MBEDTLS_SSL_OUT_CONTENT_LEN,
};

/* mbedtls_ssl_free() and the record layer both take a handshake of NULL for one that is over. The session
 * stays: it holds the peer's record size limit. */
void tls_drop_handshake(mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_session *session = ssl->MBEDTLS_PRIVATE(session);

    cs_assert(mbedtls_ssl_is_handshake_over(ssl));
    if (ssl->MBEDTLS_PRIVATE(handshake)) {
        mbedtls_ssl_handshake_free(ssl);
        mbedtls_free(ssl->MBEDTLS_PRIVATE(handshake));
        ssl->MBEDTLS_PRIVATE(handshake) = NULL;
    }
    if (session && session->MBEDTLS_PRIVATE(peer_cert)) {
        mbedtls_x509_crt_free(session->MBEDTLS_PRIVATE(peer_cert));
        mbedtls_free(session->MBEDTLS_PRIVATE(peer_cert));
        session->MBEDTLS_PRIVATE(peer_cert) = NULL;
    }
}

/* The application keys exist from the server's Finished on. Setting them also sets the record counter to 0,
 * and so does mbedTLS when the handshake is over. No nonce is used twice: what can be sent in between is one
 * fatal alert, after which the handshake is never over. */
void tls_send_with_application_keys(mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_transform *application = ssl->MBEDTLS_PRIVATE(transform_application);

    if (!mbedtls_ssl_is_handshake_over(ssl) && application &&
        ssl->MBEDTLS_PRIVATE(transform_out) != application)
        mbedtls_ssl_set_outbound_transform(ssl, application);
}

static bool buffers_are_idle(const mbedtls_ssl_context *ssl)
{
    return mbedtls_ssl_is_handshake_over((mbedtls_ssl_context *)(uintptr_t)ssl) &&
           ssl->MBEDTLS_PRIVATE(in_left) == 0 && ssl->MBEDTLS_PRIVATE(in_msglen) == 0 &&
           ssl->MBEDTLS_PRIVATE(in_hslen) == 0 && ssl->MBEDTLS_PRIVATE(in_offt) == NULL &&
           ssl->MBEDTLS_PRIVATE(keep_current_message) == 0 &&
           ssl->MBEDTLS_PRIVATE(badmac_seen_or_in_hsfraglen) == 0 && ssl->MBEDTLS_PRIVATE(out_left) == 0;
}

static void release(unsigned char **buffer, size_t content_len)
{
    cs_wipe(*buffer, HEADER_BYTES + content_len);
    mbedtls_free(*buffer);
    *buffer = NULL;
}

/* The outgoing counter is a field (cur_out_ctr); the incoming one is the first 8 bytes of the buffer
 * (in_ctr). */
void tls_park(mbedtls_ssl_context *ssl, struct tls_parked *parked)
{
    if (parked->parked || !buffers_are_idle(ssl))
        return;
    memcpy(parked->in_counter, ssl->MBEDTLS_PRIVATE(in_ctr), COUNTER_BYTES);
    release(&ssl->MBEDTLS_PRIVATE(in_buf), MBEDTLS_SSL_IN_CONTENT_LEN);
    release(&ssl->MBEDTLS_PRIVATE(out_buf), MBEDTLS_SSL_OUT_CONTENT_LEN);
    parked->parked = true;
}

/* The pointers into the buffers are set as at the beginning of a record. They do not depend on the cipher: in
 * TLS 1.3 no nonce is sent. */
bool tls_unpark(mbedtls_ssl_context *ssl, struct tls_parked *parked)
{
    unsigned char *in, *out;

    if (!parked->parked)
        return true;
    in = mbedtls_calloc(1, IN_BYTES);
    out = mbedtls_calloc(1, OUT_BYTES);
    if (!in || !out) {
        mbedtls_free(in);
        mbedtls_free(out);
        return false;
    }
    ssl->MBEDTLS_PRIVATE(in_buf) = in;
    ssl->MBEDTLS_PRIVATE(out_buf) = out;
    mbedtls_ssl_reset_in_pointers(ssl);
    mbedtls_ssl_reset_out_pointers(ssl);
    memcpy(ssl->MBEDTLS_PRIVATE(in_ctr), parked->in_counter, COUNTER_BYTES);
    parked->parked = false;
    return true;
}

/* in_msg points at the alert's two bytes, level and description; the library has checked that both are there.
 */
unsigned tls_received_alert(const mbedtls_ssl_context *ssl)
{
    return ssl->MBEDTLS_PRIVATE(in_msg)[1];
}

/* A record too short to decrypt is left as it came: header in in_hdr, then level and description. */
unsigned tls_received_plain_alert(const mbedtls_ssl_context *ssl)
{
    const unsigned char *header = ssl->MBEDTLS_PRIVATE(in_hdr);
    bool is_alert = header[0] == MBEDTLS_SSL_MSG_ALERT && header[3] == 0 && header[4] == 2;

    return is_alert ? header[6] : 0;
}
