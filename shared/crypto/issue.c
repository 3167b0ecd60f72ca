/* Writing certificates: RFC 5280 section 4.1. In a file of its own, so that what never issues does not carry
 * it. */
#include "shared/crypto/der.h"
#include "shared/crypto/mbed.h"
#include "shared/crypto/write.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"

enum { KEY_ID_BYTES = 20, SERIAL_BYTES = 16, NAME_DNS = 2, NAME_URI = 6, NAME_IP = 7 };
enum { USAGE_SIGN = 0x80, USAGE_CERT_SIGN = 0x04, USAGE_CRL_SIGN = 0x02 };

/* UTCTime up to 2049, GeneralizedTime from 2050 on (section 4.1.2.5). */
static void put_time(struct der *der, int64_t time_s)
{
    char text[CS_TIME_TEXT_BYTES], digits[16];
    size_t len = 0;
    bool utc_time;

    cs_time_text(time_s, text);
    for (const char *at = text; *at && len < sizeof digits; at++)
        if (*at >= '0' && *at <= '9')
            digits[len++] = *at;
    if (len != 14 || text[0] == '@') {
        der->failed = true;
        return;
    }
    digits[len++] = 'Z';
    utc_time = memcmp(digits, "1950", 4) >= 0 && memcmp(digits, "2050", 4) < 0;
    if (utc_time)
        der_value(der, DER_UTC_TIME, cs_slice(digits + 2, len - 2));
    else
        der_value(der, DER_GENERALIZED_TIME, cs_slice(digits, len));
}

/* The value stands from `end` on already; this puts the rest of the Extension before it. */
static void wrap_extension(struct der *der, struct cs_slice oid, bool critical, const uint8_t *end)
{
    der_wrap(der, DER_OCTET_STRING, end);
    if (critical)
        der_value(der, DER_BOOLEAN, CS_SLICE_LIT("\xff"));
    der_value(der, DER_OID, oid);
    der_wrap(der, DER_SEQUENCE, end);
}

static struct cs_digest key_id(struct cs_slice spki)
{
    /* RFC 7093 section 2, method 1: SHA-256 of the key's bits, cut to 160. */
    return cs_sha256(cs_slice_from(spki, CS_SPKI_BYTES - CS_POINT_BYTES));
}

static void put_key_ids(struct der *der, struct cs_slice subject_spki, struct cs_slice issuer_spki)
{
    struct cs_digest subject = key_id(subject_spki), issuer = key_id(issuer_spki);
    const uint8_t *end = der_mark(der);

    der_value(der, DER_CONTEXT_PRIMITIVE_0, cs_slice(issuer.bytes, KEY_ID_BYTES));
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, OID_AUTHORITY_KEY_ID, false, end);
    end = der_mark(der);
    der_value(der, DER_OCTET_STRING, cs_slice(subject.bytes, KEY_ID_BYTES));
    wrap_extension(der, OID_SUBJECT_KEY_ID, false, end);
}

static void put_alternative_names(struct der *der, const struct cs_issue *what)
{
    const uint8_t *end = der_mark(der);

    if (!what->has_ip && !what->dns_name && !what->uri)
        return;
    if (what->has_ip)
        der_value(der, DER_CONTEXT_PRIMITIVE_0 + NAME_IP, CS_SLICE_ARRAY(what->ip));
    if (what->uri)
        der_value(der, DER_CONTEXT_PRIMITIVE_0 + NAME_URI, cs_slice_str(what->uri));
    if (what->dns_name)
        der_value(der, DER_CONTEXT_PRIMITIVE_0 + NAME_DNS, cs_slice_str(what->dns_name));
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, OID_SUBJECT_ALT_NAME, false, end);
}

static void put_usages(struct der *der, const struct cs_issue *what)
{
    unsigned bits = what->is_ca ? USAGE_CERT_SIGN | USAGE_CRL_SIGN : USAGE_SIGN;
    uint8_t usage[2] = {what->is_ca ? 1 : 7,
                        (uint8_t)bits}; /* how many low bits are not used, then the bits */
    const uint8_t *end = der_mark(der);

    if (what->client_auth || what->server_auth) {
        if (what->client_auth)
            der_value(der, DER_OID, OID_CLIENT_AUTH);
        if (what->server_auth)
            der_value(der, DER_OID, OID_SERVER_AUTH);
        der_wrap(der, DER_SEQUENCE, end);
        wrap_extension(der, OID_EXT_KEY_USAGE, false, end);
    }
    end = der_mark(der);
    der_value(der, DER_BIT_STRING, CS_SLICE_ARRAY(usage));
    wrap_extension(der, OID_KEY_USAGE, true, end);
    end = der_mark(der);
    if (what->is_ca)
        der_value(der, DER_BOOLEAN, CS_SLICE_LIT("\xff"));
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, OID_BASIC_CONSTRAINTS, true, end);
}

static void put_certificate(struct der *der, const struct cs_issue *what, const struct cs_chain *issuer,
                            struct cs_slice issuer_spki)
{
    const uint8_t *end = der_mark(der);
    uint8_t serial[SERIAL_BYTES];

    put_key_ids(der, what->subject_spki, issuer_spki);
    put_alternative_names(der, what);
    put_usages(der, what);
    der_wrap(der, DER_SEQUENCE, end);
    der_wrap(der, DER_CONTEXT_0 + 3, end);

    der_raw(der, what->subject_spki);
    write_common_name(der, cs_slice_str(what->common_name));
    end = der_mark(der);
    put_time(der, what->not_after_s);
    put_time(der, what->not_before_s);
    der_wrap(der, DER_SEQUENCE, end);
    /* The issuer's name byte for byte, as section 4.1.2.4 wants it to be found. */
    if (issuer)
        der_raw(der,
                cs_slice(cs_chain_crt(issuer, 0)->subject_raw.p, cs_chain_crt(issuer, 0)->subject_raw.len));
    else
        write_common_name(der, cs_slice_str(what->common_name));
    write_ecdsa_sha256(der);

    cs_random(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of full length */
    der_unsigned(der, CS_SLICE_ARRAY(serial));
    end = der_mark(der);
    der_small(der, 2); /* v3 */
    der_wrap(der, DER_CONTEXT_0, end);
    der_wrap(der, DER_SEQUENCE, der->end);
}

int cs_cert_issue(const struct cs_issue *what, const struct cs_chain *issuer, const struct cs_key *issuer_key,
                  struct cs_buf *out, struct cs_err *err)
{
    uint8_t room[CS_LIMIT_CERT_BYTES / 2];
    struct der der = der_begin(room, sizeof room);
    struct cs_slice point;

    if (cs_spki_point(what->subject_spki, &point) != CS_OK)
        return cs_err_set(err, CS_EUNSUPPORTED, "a certificate can be issued for a P-256 key only");
    if (issuer && !cs_slice_eq(cs_chain_leaf_spki(issuer), cs_key_spki(issuer_key)))
        return cs_err_set(err, CS_EINVAL, "the CA's key does not belong to the CA's certificate");
    put_certificate(&der, what, issuer, cs_key_spki(issuer_key));
    if (der.failed)
        return cs_err_set(err, CS_ETOOBIG, "the names or dates do not fit into a certificate");
    return write_signed(der_done(&der), issuer_key, out, err);
}
