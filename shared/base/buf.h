/* buf.h - bytes that we own and that may grow, up to a limit set at the start.
 * Pure but for malloc. A zeroed struct is an empty buffer without a limit; cs_buf_free() takes it, too.
 * On failure an append leaves the buffer as it was. */
#ifndef CS_BASE_BUF_H
#define CS_BASE_BUF_H

#include "shared/base/slice.h"

struct cs_buf {
    uint8_t *ptr;
    size_t len;
    size_t capacity;
    size_t limit_bytes; /* 0: none */
};

#define CS_BUF_EMPTY ((struct cs_buf){0})

static inline struct cs_slice cs_buf_slice(const struct cs_buf *buf)
{
    return cs_slice(buf->ptr, buf->len);
}

/* Room for `more` bytes behind the content: 0, CS_ENOMEM, or CS_ETOOBIG beyond the limit. */
CS_MUST_USE int cs_buf_reserve(struct cs_buf *buf, size_t more);
CS_MUST_USE int cs_buf_append(struct cs_buf *buf, struct cs_slice bytes);
CS_MUST_USE int cs_buf_append_str(struct cs_buf *buf, const char *text);
CS_MUST_USE int cs_buf_append_u8(struct cs_buf *buf, uint8_t value);
/* Big-endian, as keys in the store and Merkle leaves have it. */
CS_MUST_USE int cs_buf_append_u32(struct cs_buf *buf, uint32_t value);
CS_MUST_USE int cs_buf_append_u64(struct cs_buf *buf, uint64_t value);
/* The length in four bytes, then the bytes. */
CS_MUST_USE int cs_buf_append_sized(struct cs_buf *buf, struct cs_slice bytes);
/* Protobuf: a varint; a bytes field with its tag and length; a number field, which proto3 leaves out when it
 * is 0. For hot paths: elsewhere the generated structs do. */
CS_MUST_USE int cs_buf_append_varint(struct cs_buf *buf, uint64_t value);
CS_MUST_USE int cs_buf_append_field(struct cs_buf *buf, uint32_t number, struct cs_slice bytes);
CS_MUST_USE int cs_buf_append_number(struct cs_buf *buf, uint32_t number, uint64_t value);
/* Wants room for one byte more, the terminator, which does not become part of the content. */
CS_MUST_USE int cs_buf_printf(struct cs_buf *buf, const char *format, ...) CS_PRINTF(2, 3);

/* Drops `count` bytes (all, if there are fewer) from the front and moves the rest. */
void cs_buf_consume(struct cs_buf *buf, size_t count);
/* Empties without giving memory back. */
void cs_buf_clear(struct cs_buf *buf);
/* Frees and leaves an empty buffer with the same limit. */
void cs_buf_free(struct cs_buf *buf);
/* As cs_buf_free(), after overwriting every byte that was ever stored. For secrets reserve the full size
 * first: growing moves the bytes and what they leave behind is overwritten too, at the price of a copy. */
void cs_buf_wipe(struct cs_buf *buf);

/* Overwrites memory in a way that the compiler keeps. */
void cs_wipe(void *ptr, size_t len);

#endif
