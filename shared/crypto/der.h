/* der.h - write DER from its end to its beginning, so that every length is known when its header is due.
 * Pure. The first thing that does not fit sticks; ask der_done() once. ITU-T X.690. */
#ifndef CS_CRYPTO_DER_H
#define CS_CRYPTO_DER_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

struct der {
    uint8_t *start, *at, *end;
    bool failed;
};

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0, /* constructed; others by adding */
    DER_CONTEXT_PRIMITIVE_0 = 0x80,
};

static inline struct der der_begin(uint8_t *room, size_t len)
{
    return (struct der){room, room + len, room + len, false};
}

/* Remember where something ends: its header is written with der_wrap() when all inside it stands. */
static inline uint8_t *der_mark(const struct der *der)
{
    return der->at;
}
void der_wrap(struct der *der, unsigned tag, const uint8_t *mark);

void der_raw(struct der *der, struct cs_slice bytes);
void der_value(struct der *der, unsigned tag, struct cs_slice content);
/* A non-negative INTEGER from big-endian bytes. */
void der_unsigned(struct der *der, struct cs_slice big_endian);
void der_small(struct der *der, uint32_t value);
/* A BIT STRING of whole bytes: writes the header around all that stands from `mark` on. */
void der_wrap_bits(struct der *der, const uint8_t *mark);

/* What was written, or an empty slice if anything failed. */
static inline struct cs_slice der_done(const struct der *der)
{
    return der->failed ? CS_SLICE_EMPTY : cs_slice(der->at, (size_t)(der->end - der->at));
}

/* The same, appended. CS_ETOOBIG if anything failed. */
static inline int der_append_done(const struct der *der, struct cs_buf *out)
{
    return der->failed ? CS_ETOOBIG : cs_buf_append(out, der_done(der));
}

/* Content of the object identifiers that we write. */
#define OID_EC_PUBLIC_KEY     CS_SLICE_LIT("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_PRIME256V1        CS_SLICE_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_SECP384R1         CS_SLICE_LIT("\x2b\x81\x04\x00\x22")
#define OID_ECDSA_SHA256      CS_SLICE_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_RSA               CS_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_PBES2             CS_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d")
#define OID_PBKDF2            CS_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c")
#define OID_HMAC_SHA256       CS_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x02\x09")
#define OID_AES256_CBC        CS_SLICE_LIT("\x60\x86\x48\x01\x65\x03\x04\x01\x2a")
#define OID_COMMON_NAME       CS_SLICE_LIT("\x55\x04\x03")
#define OID_BASIC_CONSTRAINTS CS_SLICE_LIT("\x55\x1d\x13")
#define OID_KEY_USAGE         CS_SLICE_LIT("\x55\x1d\x0f")
#define OID_EXT_KEY_USAGE     CS_SLICE_LIT("\x55\x1d\x25")
#define OID_SUBJECT_ALT_NAME  CS_SLICE_LIT("\x55\x1d\x11")
#define OID_SUBJECT_KEY_ID    CS_SLICE_LIT("\x55\x1d\x0e")
#define OID_AUTHORITY_KEY_ID  CS_SLICE_LIT("\x55\x1d\x23")
#define OID_EXTENSION_REQUEST CS_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define OID_SERVER_AUTH       CS_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_CLIENT_AUTH       CS_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x03\x02")

#endif
