#include "shared/base/reader.h"

static uint64_t take_big_endian(struct cs_reader *reader, size_t count)
{
    struct cs_slice bytes = cs_reader_take(reader, count);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | bytes.ptr[i];
    return value;
}

struct cs_slice cs_reader_take(struct cs_reader *reader, size_t count)
{
    struct cs_slice taken;

    if (reader->failed || count > reader->rest.len) {
        reader->failed = true;
        return CS_SLICE_EMPTY;
    }
    taken = cs_slice(reader->rest.ptr, count);
    reader->rest = cs_slice_from(reader->rest, count);
    return taken;
}

void cs_reader_copy(struct cs_reader *reader, void *out, size_t count)
{
    struct cs_slice taken = cs_reader_take(reader, count);

    if (taken.len > 0)
        memcpy(out, taken.ptr, taken.len);
}

uint8_t cs_reader_u8(struct cs_reader *reader)
{
    return (uint8_t)take_big_endian(reader, 1);
}

uint16_t cs_reader_u16(struct cs_reader *reader)
{
    return (uint16_t)take_big_endian(reader, 2);
}

uint32_t cs_reader_u32(struct cs_reader *reader)
{
    return (uint32_t)take_big_endian(reader, 4);
}

uint64_t cs_reader_u64(struct cs_reader *reader)
{
    return take_big_endian(reader, 8);
}

uint64_t cs_reader_varint(struct cs_reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = cs_reader_u8(reader);
        bool last = !(byte & 0x80);
        bool overflows = shift == 63 && byte > 1;
        bool padded = last && shift > 0 && byte == 0;

        if (reader->failed || overflows || padded)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (last)
            return value;
    }
    reader->failed = true;
    return 0;
}
