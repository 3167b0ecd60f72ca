/* Whether certificates hang together, lead to an anchor, and fit a key. */
#include "shared/crypto/mbed.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"

#include <mbedtls/psa_util.h>

const mbedtls_x509_crt_profile cs_certificate_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSASSA_PSS) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves =
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    .rsa_min_bitlen = 2048,
};

enum {
    DATE_FLAGS = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE,
    WEAK_FLAGS = MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
};

/* mbedTLS looks at the system's clock, we are given a time: its verdict on dates is dropped. */
static int forget_dates(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    (void)context;
    (void)cert;
    (void)depth;
    *flags &= ~(uint32_t)DATE_FLAGS;
    return 0;
}

/* Copies of the structures alone, linked as mbedTLS wants them; what they point to stays the chain's. */
static void link_certificates(const struct cs_chain *chain, mbedtls_x509_crt linked[CS_LIMIT_CHAIN_CERTS])
{
    size_t count = cs_chain_count(chain);

    for (size_t i = 0; i < count; i++) {
        linked[i] = *cs_chain_crt(chain, i);
        linked[i].next = i + 1 < count ? &linked[i + 1] : NULL;
    }
}

static int explain_link(const mbedtls_x509_crt *child, const mbedtls_x509_crt *parent, size_t number,
                        uint32_t flags, struct cs_err *err)
{
    if (flags & WEAK_FLAGS)
        return cs_err_set(err, CS_EAUTH,
                          "certificate %zu is signed in a way that is too weak (SHA-256 or better is needed)",
                          number);
    if (!cs_slice_eq(cs_slice(child->issuer_raw.p, child->issuer_raw.len),
                     cs_slice(parent->subject_raw.p, parent->subject_raw.len)))
        return cs_err_set(
            err, CS_EAUTH,
            "certificate %zu was issued by another than certificate %zu: put the chain in order, leaf first",
            number, number + 1);
    return cs_err_set(err, CS_EAUTH,
                      "certificate %zu is not signed by certificate %zu, although the names match: give the "
                      "issuer's certificate that fits",
                      number, number + 1);
}

/* Verifies certificate `index` with the next one as the only anchor. */
static int check_link(const struct cs_chain *chain, size_t index, struct cs_err *err)
{
    mbedtls_x509_crt child = *cs_chain_crt(chain, index), parent = *cs_chain_crt(chain, index + 1);
    size_t number = index + 1;
    uint32_t flags = 0;
    int rc;

    child.next = parent.next = NULL;
    /* A self-signed certificate that is its own anchor would pass without a look at its signature. */
    if (cs_slice_eq(cs_chain_der(chain, index), cs_chain_der(chain, index + 1)))
        return cs_err_set(err, CS_EAUTH, "certificates %zu and %zu are the same", number, number + 1);
    if (mbedtls_x509_crt_get_ca_istrue(&parent) != 1)
        return cs_err_set(err, CS_EAUTH,
                          "certificate %zu is not a CA, so it cannot have issued certificate %zu: put the "
                          "leaf first, and behind each certificate the one that issued it",
                          number + 1, number);
    /* Kept as length + 1, 0 for none. `index` intermediates lie between this issuer and the leaf. */
    if (parent.MBEDTLS_PRIVATE(max_pathlen) > 0 && (size_t)parent.MBEDTLS_PRIVATE(max_pathlen) - 1 < index)
        return cs_err_set(err, CS_EAUTH, "certificate %zu does not allow so many CAs below it", number + 1);
    rc = mbedtls_x509_crt_verify_with_profile(&child, &parent, NULL, &cs_certificate_profile, NULL, &flags,
                                              forget_dates, NULL);
    if (rc == 0)
        return CS_OK;
    if (rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return cs_mbed_error(rc, "verifying a chain", err);
    return explain_link(&child, &parent, number, flags, err);
}

int cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err)
{
    for (size_t i = 0; i + 1 < cs_chain_count(chain); i++) {
        int rc = check_link(chain, i, err);

        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

struct date_check {
    int64_t now_s;
    bool expired, not_yet;
};

/* Called for every certificate of the path that was found, the anchor too. */
static int check_dates(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct date_check *check = context;

    check->expired = check->expired || check->now_s > cs_x509_time(&cert->valid_to);
    check->not_yet = check->not_yet || check->now_s < cs_x509_time(&cert->valid_from);
    return forget_dates(NULL, cert, depth, flags);
}

int cs_chain_check_anchored(const struct cs_chain *chain, const struct cs_chain *anchors, int64_t now_s,
                            struct cs_err *err)
{
    mbedtls_x509_crt path[CS_LIMIT_CHAIN_CERTS], trusted[CS_LIMIT_CHAIN_CERTS];
    struct date_check dates = {now_s, false, false};
    char now_text[CS_TIME_TEXT_BYTES];
    uint32_t flags = 0;
    int rc;

    if (cs_chain_has_unknown_critical(chain) || cs_chain_has_unknown_critical(anchors))
        return cs_err_set(err, CS_EAUTH, "a certificate has a critical extension that is not understood");
    link_certificates(chain, path);
    link_certificates(anchors, trusted);
    rc = mbedtls_x509_crt_verify_with_profile(path, trusted, NULL, &cs_certificate_profile, NULL, &flags,
                                              check_dates, &dates);
    if (rc != 0 && rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return cs_mbed_error(rc, "verifying a certificate", err);
    if (rc != 0 && (flags & WEAK_FLAGS))
        return cs_err_set(err, CS_EAUTH, "the certificate is signed in a way that is too weak");
    if (rc != 0)
        return cs_err_set(err, CS_EAUTH, "the certificate was not issued by a CA that is trusted here");
    if (dates.expired)
        return cs_err_set(err, CS_EAUTH, "the certificate, or its CA, has expired (it is %s)",
                          cs_time_text(now_s, now_text));
    if (dates.not_yet)
        return cs_err_set(err, CS_EAUTH, "the certificate, or its CA, is not valid yet (it is %s)",
                          cs_time_text(now_s, now_text));
    return CS_OK;
}

int cs_chain_check_key(const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err)
{
    mbedtls_pk_context pk;
    int rc;

    mbedtls_pk_init(&pk);
    rc = cs_pk_read_private(pkcs8, CS_SLICE_EMPTY, &pk, err);
    if (rc == CS_OK) {
        int pair = mbedtls_pk_check_pair(&cs_chain_crt(chain, 0)->pk, &pk, mbedtls_psa_get_random,
                                         MBEDTLS_PSA_RANDOM_STATE);

        if (pair != 0 && cs_mbed_error(pair, "", NULL) == CS_ENOMEM)
            rc = cs_err_nomem(err);
        else if (pair != 0)
            rc = cs_err_set(err, CS_EAUTH, "the private key does not belong to the certificate");
    }
    mbedtls_pk_free(&pk);
    return rc;
}
