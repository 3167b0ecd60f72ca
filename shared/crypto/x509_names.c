/* Whom a leaf names. RFC 6125 section 6.4: a wildcard is the whole first label, and covers one. */
#include "shared/crypto/mbed.h"

#include <arpa/inet.h>
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <strings.h>

/* subjectAltName's choices, RFC 5280 section 4.2.1.6. */
enum { NAME_DNS = 2, NAME_IP = 7 };

static bool is_name(struct cs_slice value, const char *name)
{
    return value.len == strlen(name) && strncasecmp((const char *)value.ptr, name, value.len) == 0;
}

static bool covers(struct cs_slice value, const char *name)
{
    const char *dot = strchr(name, '.');

    if (is_name(value, name))
        return true;
    return dot && dot > name && value.len > 2 && value.ptr[0] == '*' && value.ptr[1] == '.' &&
           is_name(cs_slice_from(value, 1), dot);
}

static bool is_ip(struct cs_slice value, const char *name)
{
    uint8_t bytes[16];

    return (value.len == 4 && inet_pton(AF_INET, name, bytes) == 1 && memcmp(bytes, value.ptr, 4) == 0) ||
           (value.len == 16 && inet_pton(AF_INET6, name, bytes) == 1 && memcmp(bytes, value.ptr, 16) == 0);
}

static bool subject_bears(const mbedtls_x509_crt *cert, const char *name)
{
    for (const mbedtls_x509_name *at = &cert->subject; at; at = at->next) {
        if (at->oid.p && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0 &&
            is_name(cs_slice(at->val.p, at->val.len), name))
            return true;
    }
    return false;
}

bool cs_chain_leaf_bears(const struct cs_chain *chain, const char *name)
{
    const mbedtls_x509_crt *cert = cs_chain_crt(chain, 0);
    bool has_names = false;

    for (const mbedtls_x509_sequence *at = &cert->subject_alt_names; at; at = at->next) {
        struct cs_slice value = cs_slice(at->buf.p, at->buf.len);
        int kind = at->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;

        if (!at->buf.p || (kind != NAME_DNS && kind != NAME_IP))
            continue;
        has_names = true;
        if (kind == NAME_DNS ? covers(value, name) : is_ip(value, name))
            return true;
    }
    return !has_names && subject_bears(cert, name);
}
