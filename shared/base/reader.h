/* reader.h - parse bytes that a stranger sent: every take checks what is left, the first failure sticks.
 * Pure. Read field after field without looking, then ask cs_reader_ok() or cs_reader_done() once: after a
 * failure every take returns zero or an empty slice. Slices borrow from the input. */
#ifndef CS_BASE_READER_H
#define CS_BASE_READER_H

#include "shared/base/slice.h"

struct cs_reader {
    struct cs_slice rest;
    bool failed;
};

static inline struct cs_reader cs_reader(struct cs_slice input)
{
    return (struct cs_reader){input, false};
}

struct cs_slice cs_reader_take(struct cs_reader *reader, size_t count);
/* Copies `count` bytes to `out`, which stays as it is when there are fewer. */
void cs_reader_copy(struct cs_reader *reader, void *out, size_t count);
uint8_t cs_reader_u8(struct cs_reader *reader);
uint16_t cs_reader_u16(struct cs_reader *reader); /* big-endian, as the others */
uint32_t cs_reader_u32(struct cs_reader *reader);
uint64_t cs_reader_u64(struct cs_reader *reader);
/* Protobuf varint of at most 10 bytes; one that is longer than needed is a failure, so that every value has
 * one form. */
uint64_t cs_reader_varint(struct cs_reader *reader);

static inline bool cs_reader_ok(const struct cs_reader *reader)
{
    return !reader->failed;
}

/* True when nothing failed and nothing is left. */
static inline bool cs_reader_done(const struct cs_reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}

#endif
