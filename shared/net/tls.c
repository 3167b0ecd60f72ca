#include "shared/net/tls.h"

#include "shared/crypto/mbed.h"
#include "shared/net/tls_explain.h"
#include "shared/net/tls_private.h"

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

enum { ALPN_BYTES = 32, ALPN_MOST = 2 };

struct cs_tls_config {
    mbedtls_ssl_config ssl;
    mbedtls_x509_crt own, anchors;
    mbedtls_pk_context key; /* refers to the caller's cs_key inside PSA */
    bool is_server, ignore_peer_expiry, only_looks, keeps_peer, alpn_required;
    char alpn[ALPN_BYTES];
    const char *alpn_list[ALPN_MOST + 1];
};

struct cs_tls {
    mbedtls_ssl_context ssl;
    const struct cs_tls_config *config;
    struct cs_slice input; /* what cs_tls_feed() was given and mbedTLS has not taken yet */
    struct cs_buf pending;
    struct cs_buf peer_leaf;
    struct tls_parked parked;
    struct tls_peer_flaw flaw;
    enum { BEFORE_FIRST_BYTE, IN_HANDSHAKE, ESTABLISHED, OVER } state;
    bool close_sent, close_received;
};

/* The order is our wish: AES-128 is what the machines at both ends have instructions for. */
static const int cipher_suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, 0};
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* A list as mbedTLS wants it, of its own bytes. */
static int copy_chain(const struct cs_chain *chain, mbedtls_x509_crt *ret, struct cs_err *err)
{
    for (size_t i = 0; i < cs_chain_count(chain); i++) {
        struct cs_slice der = cs_chain_der(chain, i);
        int rc = mbedtls_x509_crt_parse_der(ret, der.ptr, der.len);

        if (rc != 0 && cs_mbed_error(rc, "", NULL) == CS_ENOMEM)
            return cs_err_nomem(err);
        if (rc != 0)
            return cs_err_set(
                err, CS_EUNSUPPORTED,
                "certificate %zu cannot be used for TLS: it has a critical extension that is not "
                "understood",
                i + 1);
    }
    return CS_OK;
}

static int check_options(const struct cs_tls_options *options, struct cs_err *err)
{
    if (options->is_server && !options->certificate)
        return cs_err_set(err, CS_EINVAL, "a TLS server needs a certificate");
    if (options->only_looks && (options->is_server || options->anchors))
        return cs_err_set(err, CS_EINVAL, "only a TLS client that trusts nobody can be one that only looks");
    if (!options->is_server && !options->anchors && !options->only_looks)
        return cs_err_set(err, CS_EINVAL, "a TLS client needs the CA that its server must come from");
    if (options->require_peer && !options->anchors)
        return cs_err_set(err, CS_EINVAL, "to require client certificates a TLS server needs their CA");
    if (options->certificate && !options->key)
        return cs_err_set(err, CS_EINVAL, "the TLS certificate has no private key");
    if (options->certificate &&
        !cs_slice_eq(cs_chain_leaf_spki(options->certificate), cs_key_spki(options->key)))
        return cs_err_set(err, CS_EINVAL, "the TLS private key does not belong to the TLS certificate");
    if (options->alpn && strlen(options->alpn) >= ALPN_BYTES)
        return cs_err_set(err, CS_EINVAL, "the application protocol '%s' has too long a name", options->alpn);
    return CS_OK;
}

/* The list of names that mbedTLS borrows, from "h2,http/1.1". */
static void split_alpn(struct cs_tls_config *config, const char *names)
{
    char *rest = config->alpn, *comma;

    memcpy(config->alpn, names, strlen(names) + 1);
    config->alpn_required = true;
    for (size_t i = 0; i < ALPN_MOST && rest; i++) {
        config->alpn_list[i] = rest;
        comma = strchr(rest, ',');
        if (comma)
            *comma++ = '\0';
        if (strcmp(rest, "http/1.1") == 0)
            config->alpn_required = false;
        rest = comma;
    }
}

static int set_identity(struct cs_tls_config *config, const struct cs_tls_options *options,
                        struct cs_err *err)
{
    int rc = copy_chain(options->certificate, &config->own, err);

    if (rc == CS_OK)
        rc = cs_mbed_error(mbedtls_pk_setup_opaque(&config->key, cs_key_psa_id(options->key)),
                           "using the TLS key", err);
    if (rc == CS_OK)
        rc = cs_mbed_error(mbedtls_ssl_conf_own_cert(&config->ssl, &config->own, &config->key),
                           "using the TLS certificate", err);
    return rc;
}

static int set_up(struct cs_tls_config *config, const struct cs_tls_options *options, struct cs_err *err)
{
    mbedtls_ssl_config *ssl = &config->ssl;
    int rc = cs_mbed_error(
        mbedtls_ssl_config_defaults(ssl, options->is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
        "setting TLS up", err);

    if (rc != CS_OK)
        return rc;
    mbedtls_ssl_conf_rng(ssl, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_max_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_tls13_key_exchange_modes(ssl, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    mbedtls_ssl_conf_ciphersuites(ssl, cipher_suites);
    mbedtls_ssl_conf_groups(ssl, groups);
    mbedtls_ssl_conf_cert_profile(ssl, &cs_certificate_profile);
    mbedtls_ssl_conf_authmode(ssl, !options->anchors ? MBEDTLS_SSL_VERIFY_NONE
                                   : options->is_server && !options->require_peer
                                       ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                       : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (options->anchors) {
        rc = copy_chain(options->anchors, &config->anchors, err);
        mbedtls_ssl_conf_ca_chain(ssl, &config->anchors, NULL);
    }
    if (rc == CS_OK && options->certificate)
        rc = set_identity(config, options, err);
    if (rc == CS_OK && options->alpn) {
        split_alpn(config, options->alpn);
        rc = cs_mbed_error(mbedtls_ssl_conf_alpn_protocols(ssl, config->alpn_list), "setting TLS up", err);
    }
    return rc;
}

int cs_tls_config_new(const struct cs_tls_options *options, struct cs_tls_config **ret, struct cs_err *err)
{
    struct cs_tls_config *config;
    int rc = check_options(options, err);

    if (rc != CS_OK)
        return rc;
    config = calloc(1, sizeof *config);
    if (!config)
        return cs_err_nomem(err);
    config->is_server = options->is_server;
    config->ignore_peer_expiry = options->ignore_peer_expiry;
    config->only_looks = options->only_looks;
    config->keeps_peer = options->anchors || options->only_looks;
    mbedtls_ssl_config_init(&config->ssl);
    mbedtls_x509_crt_init(&config->own);
    mbedtls_x509_crt_init(&config->anchors);
    mbedtls_pk_init(&config->key);
    rc = set_up(config, options, err);
    if (rc != CS_OK) {
        cs_tls_config_free(config);
        return rc;
    }
    *ret = config;
    return CS_OK;
}

void cs_tls_config_free(struct cs_tls_config *config)
{
    if (!config)
        return;
    mbedtls_ssl_config_free(&config->ssl);
    mbedtls_pk_free(&config->key);
    mbedtls_x509_crt_free(&config->own);
    mbedtls_x509_crt_free(&config->anchors);
    free(config);
}

static int on_send(void *context, const unsigned char *bytes, size_t len)
{
    struct cs_tls *tls = context;

    if (cs_buf_append(&tls->pending, cs_slice(bytes, len)) != CS_OK)
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    return (int)len;
}

static int on_receive(void *context, unsigned char *out, size_t room)
{
    struct cs_tls *tls = context;
    size_t take = tls->input.len < room ? tls->input.len : room;

    if (take == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(out, tls->input.ptr, take);
    tls->input = cs_slice_from(tls->input, take);
    return (int)take;
}

/* Called for every certificate of the peer's path, the anchor first. What it leaves in *flags is what mbedTLS
 * then judges by; we keep a copy for the sentence. */
static int on_verify(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct cs_tls *tls = context;

    if (tls->config->ignore_peer_expiry)
        *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (*flags)
        tls_note_flaw(&tls->flaw, cert, depth, *flags);
    return 0;
}

int cs_tls_new(struct cs_tls_config *config, const char *server_name, struct cs_tls **ret, struct cs_err *err)
{
    struct cs_tls *tls;
    int rc;

    if (!config->is_server && !server_name && !config->only_looks)
        return cs_err_set(err, CS_EINVAL,
                          "a TLS client must know the name that its server's certificate bears");
    tls = calloc(1, sizeof *tls);
    if (!tls)
        return cs_err_nomem(err);
    tls->config = config;
    mbedtls_ssl_init(&tls->ssl);
    rc = mbedtls_ssl_setup(&tls->ssl, &config->ssl);
    if (rc == 0 && !config->is_server && server_name)
        rc = mbedtls_ssl_set_hostname(&tls->ssl, server_name);
    if (rc != 0) {
        cs_tls_free(tls);
        return cs_mbed_error(rc, "beginning a TLS connection", err);
    }
    mbedtls_ssl_set_verify(&tls->ssl, on_verify, tls);
    mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_receive, NULL);
    *ret = tls;
    return CS_OK;
}

void cs_tls_free(struct cs_tls *tls)
{
    if (!tls)
        return;
    mbedtls_ssl_free(&tls->ssl);
    cs_buf_free(&tls->pending);
    cs_buf_free(&tls->peer_leaf);
    free(tls);
}

static int refuse(struct cs_tls *tls, uint8_t alert, int code, struct cs_err *err, const char *sentence)
{
    mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
    tls->state = OVER;
    return cs_err_set(err, code, "%s", sentence);
}

/* mbedTLS sends the alerts of the handshake itself; these are what it leaves out. */
static void send_missing_alert(struct cs_tls *tls, int rc)
{
    uint8_t alert;

    if (rc == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE && tls->state == ESTABLISHED)
        alert = MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE;
    else if (rc == MBEDTLS_ERR_SSL_INVALID_RECORD)
        alert = MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR;
    else if (cs_mbed_error(rc, "", NULL) == CS_ENOMEM || rc == MBEDTLS_ERR_SSL_INTERNAL_ERROR)
        alert = MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;
    else
        return;
    /* If this fails too, for lack of memory, the peer sees the connection end without it. */
    mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

static int fail(struct cs_tls *tls, int rc, struct cs_err *err)
{
    bool in_handshake = tls->state != ESTABLISHED;
    unsigned alert = 0;

    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && !in_handshake) {
        tls->close_received = true;
        tls->state = OVER;
        return cs_err_set(err, CS_ECLOSED, "the peer closed the connection");
    }
    if (rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        alert = tls_received_alert(&tls->ssl);
    else if (rc == MBEDTLS_ERR_SSL_INVALID_MAC && in_handshake)
        alert = tls_received_plain_alert(&tls->ssl);
    send_missing_alert(tls, rc);
    tls->state = OVER;
    if (alert)
        return tls_explain_alert(alert, err);
    return tls_explain(rc, &tls->flaw, in_handshake, err);
}

/* Here, and nowhere before, the peer has an identity: its Finished has been verified. */
static int establish(struct cs_tls *tls, struct cs_err *err)
{
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&tls->ssl);

    /* A server that was offered none of its names has ended the handshake itself; a client's library has
     * checked that the server chose one of those offered. What is left is a peer that says nothing about it.
     */
    if (tls->config->alpn_required && !cs_tls_alpn(tls))
        return refuse(
            tls, MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, CS_EUNSUPPORTED, err,
            "the peer named no application protocol (ALPN): it is no client or server of this service");
    if (peer && tls->config->keeps_peer) {
        /* Where a certificate is optional mbedTLS lets a bad one through and leaves the verdict to us. */
        if (mbedtls_ssl_get_verify_result(&tls->ssl) != 0) {
            int code = tls_explain(MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, &tls->flaw, true, err);

            mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                           MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
            tls->state = OVER;
            return code;
        }
        if (cs_buf_append(&tls->peer_leaf, cs_slice(peer->raw.p, peer->raw.len)) != CS_OK)
            return fail(tls, MBEDTLS_ERR_SSL_ALLOC_FAILED, err);
    }
    tls_drop_handshake(&tls->ssl);
    tls->state = ESTABLISHED;
    return CS_OK;
}

static int advance_handshake(struct cs_tls *tls, struct cs_err *err)
{
    int rc = mbedtls_ssl_handshake(&tls->ssl);

    if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
        if (tls->config->is_server)
            tls_send_with_application_keys(&tls->ssl);
        return CS_OK;
    }
    if (rc != 0)
        return fail(tls, rc, err);
    return establish(tls, err);
}

static int decrypt_all(struct cs_tls *tls, struct cs_buf *plain, struct cs_err *err)
{
    for (;;) {
        /* Reading nothing decrypts the next record, after which we know how much room it needs. */
        int rc = mbedtls_ssl_read(&tls->ssl, NULL, 0);
        size_t available = mbedtls_ssl_get_bytes_avail(&tls->ssl);

        if (rc == MBEDTLS_ERR_SSL_WANT_READ)
            return CS_OK;
        if (rc < 0)
            return fail(tls, rc, err);
        if (available == 0)
            continue;
        rc = cs_buf_reserve(plain, available);
        if (rc == CS_ENOMEM)
            return fail(tls, MBEDTLS_ERR_SSL_ALLOC_FAILED, err);
        if (rc != CS_OK)
            return refuse(tls, MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, rc, err,
                          "the peer sent more than may wait here");
        rc = mbedtls_ssl_read(&tls->ssl, plain->ptr + plain->len, available);
        if (rc < 0)
            return fail(tls, rc, err);
        plain->len += (size_t)rc;
    }
}

/* A TLS connection begins with a handshake record, or at a client with an alert. mbedTLS would find out, too,
 * but only after five bytes, and without knowing what it looked at. */
static int check_first_byte(struct cs_tls *tls, uint8_t first, struct cs_err *err)
{
    bool is_tls =
        first == MBEDTLS_SSL_MSG_HANDSHAKE || (first == MBEDTLS_SSL_MSG_ALERT && !tls->config->is_server);

    if (is_tls) {
        tls->state = IN_HANDSHAKE;
        return CS_OK;
    }
    tls->state = OVER;
    cs_buf_clear(&tls->pending);
    return cs_err_set(
        err, CS_EPARSE,
        "the peer does not speak TLS but something else, such as plain HTTP: check the port and that "
        "TLS is on at its end");
}

static int ended(struct cs_err *err)
{
    return cs_err_set(err, CS_ECLOSED, "the TLS connection has ended");
}

int cs_tls_feed(struct cs_tls *tls, struct cs_slice cipher, struct cs_buf *plain, struct cs_err *err)
{
    int rc = CS_OK;

    if (tls->state == OVER)
        return ended(err);
    if (cipher.len == 0)
        return CS_OK;
    if (!tls_unpark(&tls->ssl, &tls->parked)) {
        tls->state = OVER;
        return cs_err_nomem(err);
    }
    tls->input = cipher;
    if (tls->state == BEFORE_FIRST_BYTE)
        rc = check_first_byte(tls, cipher.ptr[0], err);
    if (rc == CS_OK && tls->state == IN_HANDSHAKE)
        rc = advance_handshake(tls, err);
    if (rc == CS_OK && tls->state == ESTABLISHED)
        rc = decrypt_all(tls, plain, err);
    tls->input = CS_SLICE_EMPTY;
    return rc;
}

int cs_tls_feed_end(struct cs_tls *tls, struct cs_err *err)
{
    bool in_handshake = tls->state == BEFORE_FIRST_BYTE || tls->state == IN_HANDSHAKE;

    if (tls->state == OVER)
        return ended(err);
    tls->state = OVER;
    if (in_handshake)
        return cs_err_set(
            err, CS_EIO,
            "the peer ended the connection during the TLS handshake: its log says why, if it is a "
            "server of this service");
    return cs_err_set(err, CS_EIO, "the connection broke off: it ended without TLS's goodbye");
}

int cs_tls_start(struct cs_tls *tls, struct cs_err *err)
{
    if (tls->state != BEFORE_FIRST_BYTE || tls->config->is_server)
        return cs_err_set(err, CS_ESTATE, "only a client begins a TLS handshake, and once");
    return advance_handshake(tls, err);
}

int cs_tls_write(struct cs_tls *tls, struct cs_slice plain, struct cs_err *err)
{
    if (tls->state == OVER || tls->close_sent)
        return ended(err);
    if (tls->state != ESTABLISHED)
        return cs_err_set(err, CS_ESTATE, "nothing can be sent before the TLS handshake is done");
    if (!tls_unpark(&tls->ssl, &tls->parked)) {
        tls->state = OVER;
        return cs_err_nomem(err);
    }
    while (plain.len) {
        int rc = mbedtls_ssl_write(&tls->ssl, plain.ptr, plain.len);

        if (rc <= 0)
            return fail(tls, rc, err);
        plain = cs_slice_from(plain, (size_t)rc);
    }
    return CS_OK;
}

void cs_tls_close(struct cs_tls *tls)
{
    bool may_send = tls->state == ESTABLISHED || tls->close_received;

    if (tls->close_sent || !may_send)
        return;
    tls->close_sent = true;
    /* Without memory the peer sees the end without the goodbye, which costs nothing but a line in its log. */
    if (tls_unpark(&tls->ssl, &tls->parked))
        mbedtls_ssl_close_notify(&tls->ssl);
    else
        tls->state = OVER;
}

struct cs_buf *cs_tls_pending(struct cs_tls *tls)
{
    return &tls->pending;
}

const char *cs_tls_alpn(const struct cs_tls *tls)
{
    return mbedtls_ssl_get_alpn_protocol(&tls->ssl);
}

bool cs_tls_established(const struct cs_tls *tls)
{
    return tls->state == ESTABLISHED;
}

struct cs_slice cs_tls_peer_certificate(const struct cs_tls *tls)
{
    return cs_buf_slice(&tls->peer_leaf);
}

void cs_tls_slim(struct cs_tls *tls)
{
    if (tls->state != ESTABLISHED)
        return;
    if (tls->pending.len == 0)
        cs_buf_free(&tls->pending);
    tls_park(&tls->ssl, &tls->parked);
}
