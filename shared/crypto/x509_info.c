/* What people want to know of a certificate. Everything in it is a stranger's: text is escaped and cut. */
#include "shared/crypto/mbed.h"

#include "shared/base/text.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <stdio.h>

/* subjectAltName's choices, RFC 5280 section 4.2.1.6. */
enum { NAME_EMAIL = 1, NAME_DNS = 2, NAME_URI = 6, NAME_IP = 7 };

/* Appends to the text in `out` as much as fits. Text that is not clean UTF-8 has its odd bytes as \xx. */
static void put_text(char *out, size_t room, struct cs_slice text)
{
    bool clean = cs_text_check(text, text.len, "", NULL) == CS_OK &&
                 !(text.len && memchr(text.ptr, '\n', text.len)) &&
                 !(text.len && memchr(text.ptr, '\t', text.len));
    size_t used = strlen(out);

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool plain = clean || (c >= 0x20 && c < 0x7f);
        size_t need = plain ? 1 : 3;

        /* Whole characters only: what follows a leading byte must fit, too. */
        if (clean && c >= 0xc0)
            need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (used + need >= room)
            return;
        if (plain)
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, room - used, "\\%02x", c);
        out[used] = '\0';
    }
}

/* The most specific common name, which comes last. */
static void put_common_name(char *out, size_t room, const mbedtls_x509_name *names)
{
    const mbedtls_x509_name *found = NULL;

    for (const mbedtls_x509_name *name = names; name; name = name->next)
        if (name->oid.p && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0)
            found = name;
    if (found)
        put_text(out, room, cs_slice(found->val.p, found->val.len));
}

static void put_name(char *out, size_t room, const mbedtls_x509_name *name)
{
    char text[2048];

    if (mbedtls_x509_dn_gets(text, sizeof text, name) < 0)
        put_text(out, room, CS_SLICE_LIT("(a name that cannot be shown)"));
    else
        put_text(out, room, cs_slice_str(text));
}

static void put_ip(char *out, size_t room, struct cs_slice ip)
{
    char text[64] = "";
    size_t used = 0;

    if (ip.len == 4) {
        snprintf(text, sizeof text, "%u.%u.%u.%u", ip.ptr[0], ip.ptr[1], ip.ptr[2], ip.ptr[3]);
    } else if (ip.len == 16) {
        for (size_t i = 0; i < 16; i += 2)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%x", i ? ":" : "",
                                     (unsigned)(ip.ptr[i] << 8 | ip.ptr[i + 1]));
    } else {
        snprintf(text, sizeof text, "(malformed)");
    }
    put_text(out, room, cs_slice_str(text));
}

static void read_names(const mbedtls_x509_crt *cert, struct cs_cert_info *ret)
{
    for (const mbedtls_x509_sequence *at = &cert->subject_alt_names; at; at = at->next) {
        struct cs_slice value = cs_slice(at->buf.p, at->buf.len);
        int kind = at->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
        const char *prefix = kind == NAME_DNS     ? "dns:"
                             : kind == NAME_EMAIL ? "email:"
                             : kind == NAME_URI   ? "uri:"
                             : kind == NAME_IP    ? "ip:"
                                                  : NULL;
        char *out;

        if (!at->buf.p || !prefix)
            continue;
        if (ret->names_count == CS_ARRAY_LEN(ret->names)) {
            ret->names_left_out = true;
            return;
        }
        out = ret->names[ret->names_count++];
        put_text(out, sizeof ret->names[0], cs_slice_str(prefix));
        if (kind == NAME_IP)
            put_ip(out, sizeof ret->names[0], value);
        else
            put_text(out, sizeof ret->names[0], value);
    }
}

int64_t cs_x509_time(const mbedtls_x509_time *time)
{
    return cs_days_from_civil(time->year, (unsigned)time->mon, (unsigned)time->day) * 86400 +
           (int64_t)time->hour * 3600 + (int64_t)time->min * 60 + time->sec;
}

static enum cs_pk_kind kind_of(const mbedtls_pk_context *pk)
{
    if (mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA)
        return CS_PK_RSA;
    return mbedtls_pk_get_bitlen(pk) == 384 ? CS_PK_P384 : CS_PK_P256;
}

static bool allows(const mbedtls_x509_crt *cert, const char *oid, size_t oid_len)
{
    return mbedtls_x509_crt_check_extended_key_usage(cert, oid, oid_len) == 0;
}

void cs_chain_info(const struct cs_chain *chain, size_t index, struct cs_cert_info *ret)
{
    const mbedtls_x509_crt *cert = cs_chain_crt(chain, index);
    struct cs_slice serial = cs_slice(cert->serial.p, cert->serial.len);

    *ret = (struct cs_cert_info){0};
    put_common_name(ret->common_name, sizeof ret->common_name, &cert->subject);
    put_name(ret->subject, sizeof ret->subject, &cert->subject);
    put_name(ret->issuer, sizeof ret->issuer, &cert->issuer);
    put_common_name(ret->issuer_common_name, sizeof ret->issuer_common_name, &cert->issuer);
    if (serial.len > (sizeof ret->serial_hex - 1) / 2)
        serial.len = (sizeof ret->serial_hex - 1) / 2;
    cs_hex(serial, ret->serial_hex);
    read_names(cert, ret);
    ret->not_before_s = cs_x509_time(&cert->valid_from);
    ret->not_after_s = cs_x509_time(&cert->valid_to);
    ret->key_kind = kind_of(&cert->pk);
    ret->key_bits = (uint16_t)mbedtls_pk_get_bitlen(&cert->pk);
    ret->is_ca = mbedtls_x509_crt_get_ca_istrue(cert) == 1;
    ret->client_auth = allows(cert, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
    ret->server_auth = allows(cert, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    ret->digest = cs_sha256(cs_chain_der(chain, index));
    ret->spki_digest = cs_sha256(cs_slice(cert->pk_raw.p, cert->pk_raw.len));
    ret->issuer_digest = cs_sha256(cs_slice(cert->issuer_raw.p, cert->issuer_raw.len));
}
