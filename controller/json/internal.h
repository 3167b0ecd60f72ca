/* internal.h - what both directions of json.h share: where in a message we are, exact numbers, memory. Pure.
 */
#ifndef CTL_JSON_INTERNAL_H
#define CTL_JSON_INTERNAL_H

#include "controller/json/tables.h"
#include "shared/base/err.h"

#include <yyjson.h>

enum {
    /* Messages inside of messages; ours have 4. */
    CTL_JSON_MOST_DEPTH = 16,
};

/* Protobuf's wire types. */
enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_SIZED = 2, WIRE_32_BITS = 5 };

/* Numbers, enums and bools are; all else has a length. */
static inline bool json_is_varint(const struct ctl_json_field *field)
{
    return field->kind < CTL_JSON_STRING;
}

/* A chain on the stack from a value outwards, made into text only for a refusal. */
struct json_place {
    const struct json_place *up; /* NULL: the message itself */
    const struct ctl_json_field *field;
    long index; /* of an element; -1: the field as a whole */
    unsigned depth;
};

struct json_place json_place_at(const struct json_place *up, const struct ctl_json_field *field, long index);
/* "certificate.names[3]: …"; CS_EINVAL. */
int json_refuse(const struct json_place *place, struct cs_err *err, const char *format, ...) CS_PRINTF(3, 4);
/* CS_EINVAL for a text or bytes beyond the field's bound, and for a message too deep. */
CS_MUST_USE int json_check_size(const struct json_place *place, size_t size, struct cs_err *err);
CS_MUST_USE int json_check_count(const struct json_place *place, size_t count, struct cs_err *err);
CS_MUST_USE int json_check_depth(const struct json_place *place, struct cs_err *err);
/* Well-formed, and without U+0000. */
CS_MUST_USE int json_check_text(const struct json_place *place, struct cs_slice text, struct cs_err *err);

/* JSON's grammar for numbers; the value exactly, of any way to write it: 12, 1.2e1, 120e-1. */
enum json_number { JSON_NUMBER_OK, JSON_NUMBER_MALFORMED, JSON_NUMBER_FRACTION, JSON_NUMBER_TOO_BIG };
enum json_number json_number_parse(struct cs_slice text, bool *ret_negative, uint64_t *ret_magnitude);

/* For yyjson: every block is overwritten before it is freed. */
extern const yyjson_alc json_wiping_memory;

#endif
