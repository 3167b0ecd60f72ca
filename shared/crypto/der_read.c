#include "shared/crypto/der_read.h"

#include "shared/base/text.h"

#include <stdio.h>

enum { LONGEST_LENGTH = 4 }; /* bytes of a length: 4 GB */

static struct cs_slice fail(struct cs_reader *reader)
{
    reader->failed = true;
    return CS_SLICE_EMPTY;
}

struct cs_slice der_take_any(struct cs_reader *reader, uint8_t *ret_tag)
{
    uint8_t tag = cs_reader_u8(reader), first = cs_reader_u8(reader);
    size_t len = first;

    if ((tag & 0x1f) == 0x1f)
        return fail(reader);
    if (first & 0x80) {
        unsigned count = first & 0x7f;

        if (count == 0 || count > LONGEST_LENGTH)
            return fail(reader);
        len = 0;
        for (unsigned i = 0; i < count; i++)
            len = len << 8 | cs_reader_u8(reader);
        if (len < 0x80 || len >> (8 * (count - 1)) == 0)
            return fail(reader);
    }
    *ret_tag = tag;
    return cs_reader_take(reader, len);
}

struct cs_slice der_take(struct cs_reader *reader, unsigned tag)
{
    uint8_t found = 0;
    struct cs_slice content = der_take_any(reader, &found);

    return cs_reader_ok(reader) && found == tag ? content : fail(reader);
}

struct cs_slice der_take_whole(struct cs_reader *reader, unsigned tag)
{
    struct cs_slice before = reader->rest;

    der_take(reader, tag);
    return cs_reader_ok(reader) ? cs_slice(before.ptr, before.len - reader->rest.len) : CS_SLICE_EMPTY;
}

bool der_take_flag(struct cs_reader *reader)
{
    if (!der_is_next(reader, DER_BOOLEAN))
        return false;
    if (cs_slice_eq(der_take(reader, DER_BOOLEAN), CS_SLICE_LIT("\xff")))
        return true;
    fail(reader);
    return false;
}

struct cs_slice der_take_unsigned(struct cs_reader *reader)
{
    struct cs_slice value = der_take(reader, DER_INTEGER);

    if (value.len == 0 || value.ptr[0] & 0x80 ||
        (value.len > 1 && value.ptr[0] == 0 && !(value.ptr[1] & 0x80)))
        return fail(reader);
    return value;
}

/* `count` digits as a number; anything else fails the reader. */
static unsigned take_digits(struct cs_reader *text, unsigned count)
{
    unsigned number = 0;

    for (unsigned i = 0; i < count; i++) {
        uint8_t c = cs_reader_u8(text);

        if (c < '0' || c > '9')
            text->failed = true;
        number = number * 10 + (c - (unsigned)'0');
    }
    return text->failed ? 0 : number;
}

int64_t der_take_time(struct cs_reader *reader)
{
    uint8_t tag = 0;
    struct cs_reader text = cs_reader(der_take_any(reader, &tag));
    char rfc3339[32];
    int64_t time_s = 0;
    unsigned year, parts[5];

    year = take_digits(&text, tag == DER_GENERALIZED_TIME ? 4 : 2);
    if (tag == DER_UTC_TIME)
        year += year < 50 ? 2000 : 1900;
    for (size_t i = 0; i < CS_ARRAY_LEN(parts); i++)
        parts[i] = take_digits(&text, 2);
    if ((tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) || cs_reader_u8(&text) != 'Z' ||
        !cs_reader_done(&text)) {
        fail(reader);
        return 0;
    }
    /* One place knows which dates there are. */
    snprintf(rfc3339, sizeof rfc3339, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, parts[0] % 100,
             parts[1] % 100, parts[2] % 100, parts[3] % 100, parts[4] % 100);
    if (cs_time_parse(cs_slice_str(rfc3339), &time_s, NULL) != CS_OK)
        fail(reader);
    return time_s;
}
