#include "shared/net/tls_explain.h"

#include "shared/base/text.h"
#include "shared/crypto/mbed.h"

#include <mbedtls/ssl.h>

void tls_note_flaw(struct tls_peer_flaw *flaw, const mbedtls_x509_crt *cert, int depth, uint32_t flags)
{
    flaw->flags |= flags;
    flaw->depth = depth;
    flaw->not_before_s = cs_x509_time(&cert->valid_from);
    flaw->not_after_s = cs_x509_time(&cert->valid_to);
}

static int explain_flaw(const struct tls_peer_flaw *flaw, struct cs_err *err)
{
    const char *whose = flaw->depth == 0 ? "the peer's certificate" : "the CA of the peer's certificate";
    char when[CS_TIME_TEXT_BYTES];

    if (flaw->flags &
        (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY))
        return cs_err_set(
            err, CS_EAUTH,
            "%s is made in a way that is too weak: SHA-256 or better, and RSA from 2048 bits or P-256 or "
            "P-384, are needed",
            whose);
    if (flaw->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return cs_err_set(
            err, CS_EAUTH,
            "the peer's certificate was issued by another CA than the one that is trusted here");
    if (flaw->flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return cs_err_set(err, CS_EAUTH, "%s expired at %s: renew it, or check this machine's clock", whose,
                          cs_time_text(flaw->not_after_s, when));
    if (flaw->flags & MBEDTLS_X509_BADCERT_FUTURE)
        return cs_err_set(err, CS_EAUTH, "%s is not valid before %s: check the clocks", whose,
                          cs_time_text(flaw->not_before_s, when));
    if (flaw->flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return cs_err_set(
            err, CS_EAUTH,
            "the server's certificate is for another name or address than the one that was dialled");
    /* What is left, and what mbedTLS checks without telling on_verify: key usage and extended key usage. */
    return cs_err_set(err, CS_EAUTH, "the peer's certificate is not meant for its side of TLS (key usage)");
}

/* What the X.509 reader and the reader of keys answer, x509.h and pk.h: a library's own code in the low bits
 * aside. */
static bool is_about_a_certificate(int rc)
{
    unsigned code = (unsigned)-rc & 0xff80u;

    return (code >= 0x2080 && code <= 0x3000) || (code >= 0x3880 && code <= 0x3f80);
}

int tls_explain(int rc, const struct tls_peer_flaw *flaw, bool in_handshake, struct cs_err *err)
{
    if (cs_mbed_error(rc, "", NULL) == CS_ENOMEM)
        return cs_err_nomem(err);
    switch (rc) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
        return explain_flaw(flaw, err);
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return cs_err_set(err, CS_EAUTH,
                          "the peer sent no client certificate: only clients that have one may connect");
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return cs_err_set(err, CS_EUNSUPPORTED, "the peer speaks TLS 1.2 at most: TLS 1.3 is needed");
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
        return cs_err_set(
            err, CS_EUNSUPPORTED,
            "the peer wants another application protocol (ALPN): it is no client or server of this "
            "service");
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        return cs_err_set(
            err, CS_EUNSUPPORTED,
            "the peer has no cipher, curve or signature in common with us: AES-GCM or ChaCha20 and "
            "P-256 or P-384 are needed");
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: /* without an alert: a server with an empty chain */
        return cs_err_set(err, CS_EAUTH, "the peer sent no certificate");
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return cs_err_set(err, CS_ECLOSED, "the peer closed the connection during the TLS handshake");
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return cs_err_set(err, CS_EAUTH, "bytes were altered on their way, or the peer's TLS is broken");
    default:
        if (in_handshake && is_about_a_certificate(rc))
            return cs_err_set(err, CS_EUNSUPPORTED,
                              "a certificate that the peer sent cannot be read here: it, or its key or "
                              "signature, is of a kind that this program does not know (-0x%04x)",
                              (unsigned)-rc);
        return cs_err_set(err, CS_EPARSE, "the peer broke the rules of TLS%s (-0x%04x)",
                          in_handshake ? " in the handshake" : "", (unsigned)-rc);
    }
}

int tls_explain_alert(unsigned description, struct cs_err *err)
{
    static const struct {
        unsigned description;
        int code;
        const char *sentence;
    } alerts[] = {
        {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, CS_EUNSUPPORTED,
         "the peer found nothing in common with us: it must speak TLS 1.3 with P-256 or P-384"},
        {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, CS_EUNSUPPORTED, "the peer does not speak TLS 1.3"},
        {MBEDTLS_SSL_ALERT_MSG_NO_CERT, CS_EDENIED,
         "the peer wants a client certificate, and we have none for it"},
        {116 /* certificate_required */, CS_EDENIED,
         "the peer wants a client certificate, and we have none for it"},
        {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, CS_EDENIED,
         "the peer does not trust the CA of our certificate: one side has another deployment's certificate"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, CS_ESTALE,
         "the peer says that our certificate has expired: renew it, or check the clocks"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, CS_EDENIED, "the peer says that our certificate was revoked"},
        {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, CS_EDENIED,
         "the peer refuses our certificate: it does not fit its name or place"},
        {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, CS_EDENIED,
         "the peer refuses our certificate: it is not meant for our side of TLS"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, CS_EDENIED,
         "the peer refuses our certificate: check its dates and its CA"},
        {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, CS_EDENIED, "the peer does not let us in"},
        {MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, CS_EUNSUPPORTED,
         "the peer is no server or client of this service: it does not know our application protocol (ALPN)"},
        {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, CS_EDENIED,
         "the peer does not serve the name that was dialled"},
        {MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, CS_EIO, "the peer failed inside: its log says why"},
        {MBEDTLS_SSL_ALERT_MSG_USER_CANCELED, CS_ECLOSED, "the peer gave the connection up"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(alerts); i++)
        if (alerts[i].description == description)
            return cs_err_set(err, alerts[i].code, "%s", alerts[i].sentence);
    return cs_err_set(err, CS_EPARSE, "the peer refused the TLS connection with alert %u", description);
}
