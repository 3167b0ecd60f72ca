#include "shared/crypto/der.h"

void der_raw(struct der *der, struct cs_slice bytes)
{
    if (der->failed || (size_t)(der->at - der->start) < bytes.len) {
        der->failed = true;
        return;
    }
    der->at -= bytes.len;
    if (bytes.len)
        memcpy(der->at, bytes.ptr, bytes.len);
}

static void put_byte(struct der *der, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    der_raw(der, cs_slice(&byte, 1));
}

void der_wrap(struct der *der, unsigned tag, const uint8_t *mark)
{
    size_t len = (size_t)(mark - der->at);

    if (len < 0x80) {
        put_byte(der, (unsigned)len);
    } else {
        unsigned count = 0;

        for (; len; len >>= 8, count++)
            put_byte(der, len & 0xff);
        put_byte(der, 0x80 | count);
    }
    put_byte(der, tag);
}

void der_value(struct der *der, unsigned tag, struct cs_slice content)
{
    const uint8_t *mark = der_mark(der);

    der_raw(der, content);
    der_wrap(der, tag, mark);
}

void der_unsigned(struct der *der, struct cs_slice big_endian)
{
    const uint8_t *mark = der_mark(der);

    while (big_endian.len > 1 && big_endian.ptr[0] == 0)
        big_endian = cs_slice_from(big_endian, 1);
    der_raw(der, big_endian);
    if (big_endian.len == 0 || big_endian.ptr[0] & 0x80)
        put_byte(der, 0);
    der_wrap(der, DER_INTEGER, mark);
}

void der_small(struct der *der, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};

    der_unsigned(der, CS_SLICE_ARRAY(bytes));
}

void der_wrap_bits(struct der *der, const uint8_t *mark)
{
    put_byte(der, 0);
    der_wrap(der, DER_BIT_STRING, mark);
}
