#include "shared/base/buf.h"

#include "shared/base/err.h"

#include <stdarg.h>
#include <stdio.h>

enum { SMALLEST_CAPACITY = 64 };

void cs_wipe(void *ptr, size_t len)
{
    if (len)
        explicit_bzero(ptr, len);
}

int cs_buf_reserve(struct cs_buf *buf, size_t more)
{
    size_t need, capacity;
    uint8_t *grown;

    if (more > SIZE_MAX - buf->len)
        return CS_ETOOBIG;
    need = buf->len + more;
    if (buf->limit_bytes && need > buf->limit_bytes)
        return CS_ETOOBIG;
    if (need <= buf->capacity)
        return CS_OK;

    capacity = buf->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : buf->capacity;
    while (capacity < need) {
        if (capacity > SIZE_MAX / 2)
            return CS_ETOOBIG;
        capacity *= 2;
    }
    if (buf->limit_bytes && capacity > buf->limit_bytes)
        capacity = buf->limit_bytes;

    /* Not realloc(): the old place may hold a secret and must be overwritten before it is given back. */
    grown = malloc(capacity);
    if (!grown)
        return CS_ENOMEM;
    if (buf->len)
        memcpy(grown, buf->ptr, buf->len);
    cs_wipe(buf->ptr, buf->len);
    free(buf->ptr);
    buf->ptr = grown;
    buf->capacity = capacity;
    return CS_OK;
}

int cs_buf_append(struct cs_buf *buf, struct cs_slice bytes)
{
    int rc = cs_buf_reserve(buf, bytes.len);

    if (rc != CS_OK)
        return rc;
    if (bytes.len)
        memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    return CS_OK;
}

int cs_buf_append_str(struct cs_buf *buf, const char *text)
{
    return cs_buf_append(buf, cs_slice_str(text));
}

int cs_buf_append_u8(struct cs_buf *buf, uint8_t value)
{
    return cs_buf_append(buf, cs_slice(&value, 1));
}

int cs_buf_append_u32(struct cs_buf *buf, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};

    return cs_buf_append(buf, CS_SLICE_ARRAY(bytes));
}

int cs_buf_append_u64(struct cs_buf *buf, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    return cs_buf_append(buf, CS_SLICE_ARRAY(bytes));
}

int cs_buf_append_sized(struct cs_buf *buf, struct cs_slice bytes)
{
    int code = cs_buf_append_u32(buf, (uint32_t)bytes.len);

    return code ? code : cs_buf_append(buf, bytes);
}

int cs_buf_append_varint(struct cs_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (uint8_t)(value | 0x80);
    bytes[len++] = (uint8_t)value;
    return cs_buf_append(buf, cs_slice(bytes, len));
}

int cs_buf_append_field(struct cs_buf *buf, uint32_t number, struct cs_slice bytes)
{
    enum { LENGTH_DELIMITED = 2, TAG_AND_LENGTH_BYTES = 20 };
    int rc = cs_buf_reserve(buf, TAG_AND_LENGTH_BYTES + bytes.len);

    if (rc == CS_OK)
        rc = cs_buf_append_varint(buf, (uint64_t)number << 3 | LENGTH_DELIMITED);
    if (rc == CS_OK)
        rc = cs_buf_append_varint(buf, bytes.len);
    return rc == CS_OK ? cs_buf_append(buf, bytes) : rc;
}

int cs_buf_append_number(struct cs_buf *buf, uint32_t number, uint64_t value)
{
    enum { VARINT = 0, TWO_VARINTS_BYTES = 20 };
    int rc = value ? cs_buf_reserve(buf, TWO_VARINTS_BYTES) : CS_OK;

    if (rc == CS_OK && value)
        rc = cs_buf_append_varint(buf, (uint64_t)number << 3 | VARINT);
    return rc == CS_OK && value ? cs_buf_append_varint(buf, value) : rc;
}

int cs_buf_printf(struct cs_buf *buf, const char *format, ...)
{
    va_list args, again;
    int needed, rc;

    va_start(args, format);
    va_copy(again, args);
    needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    rc = needed < 0 ? CS_EINVAL : cs_buf_reserve(buf, (size_t)needed + 1);
    if (rc == CS_OK) {
        vsnprintf((char *)buf->ptr + buf->len, (size_t)needed + 1, format, again);
        buf->len += (size_t)needed;
    }
    va_end(again);
    return rc;
}

void cs_buf_consume(struct cs_buf *buf, size_t count)
{
    if (count >= buf->len) {
        buf->len = 0;
        return;
    }
    if (count == 0)
        return;
    memmove(buf->ptr, buf->ptr + count, buf->len - count);
    buf->len -= count;
}

void cs_buf_clear(struct cs_buf *buf)
{
    buf->len = 0;
}

void cs_buf_free(struct cs_buf *buf)
{
    free(buf->ptr);
    buf->ptr = NULL;
    buf->len = buf->capacity = 0;
}

void cs_buf_wipe(struct cs_buf *buf)
{
    cs_wipe(buf->ptr, buf->capacity);
    cs_buf_free(buf);
}
