#include "tests/support/json_random.h"

#include "shared/base/err.h"

static uint32_t roll(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % below);
}

static uint64_t roll_number(uint64_t *seed)
{
    uint64_t wide =
        (uint64_t)roll(seed, 1u << 31) << 33 ^ (uint64_t)roll(seed, 1u << 31) << 8 ^ roll(seed, 256);

    return wide >> roll(seed, 64);
}

static uint64_t roll_varint(const struct ctl_json_field *field, uint64_t *seed)
{
    bool edge = roll(seed, 8) == 0, down = roll(seed, 2);
    uint64_t number = roll_number(seed);

    switch (field->kind) {
    case CTL_JSON_BOOL:
        return number & 1;
    case CTL_JSON_INT32:
        return edge ? (uint64_t)(int64_t)(down ? INT32_MIN : INT32_MAX) : (uint64_t)(int64_t)(int32_t)number;
    case CTL_JSON_UINT32:
        return edge ? UINT32_MAX : (uint32_t)number;
    case CTL_JSON_ENUM:
        /* One that no table names, too. */
        if (edge)
            return 1000 + number % 1000;
        return (uint64_t)(int64_t)field->enumeration->values[number % field->enumeration->count].number;
    case CTL_JSON_INT64:
        return edge ? (uint64_t)(down ? INT64_MIN : INT64_MAX) : number;
    default:
        return edge ? UINT64_MAX : number;
    }
}

static uint32_t roll_size(uint64_t *seed, uint32_t most)
{
    uint32_t how = roll(seed, 16);

    if (how == 0)
        return most;
    return how == 1 ? 0 : roll(seed, most < 40 ? most + 1 : 40);
}

/* Some characters of each length in UTF-8, and those that JSON writes in its own way. */
static void append_text(uint64_t *seed, uint32_t size, struct cs_buf *out)
{
    static const char *const characters[] = {"a",
                                             "Z",
                                             "0",
                                             "\"",
                                             "\\",
                                             "/",
                                             "\n",
                                             "\x01",
                                             "\x7f",
                                             "\xc3\xa4",
                                             "\xe2\x82\xac",
                                             "\xf0\x9f\x94\x91",
                                             "\xe2\x80\xa8",
                                             " ",
                                             "<"};
    size_t end = out->len + size;

    while (out->len < end) {
        const char *one = characters[roll(seed, CS_ARRAY_LEN(characters))];

        if (out->len + strlen(one) > end)
            one = "x";
        cs_assert(cs_buf_append_str(out, one) == CS_OK);
    }
}

static void append_value(const struct ctl_json_field *field, uint64_t *seed, struct cs_buf *out)
{
    uint32_t size;

    switch (field->kind) {
    case CTL_JSON_STRING:
        append_text(seed, roll_size(seed, field->most_bytes), out);
        break;
    case CTL_JSON_BYTES:
        size = roll_size(seed, field->most_bytes);
        for (uint32_t i = 0; i < size; i++)
            cs_assert(cs_buf_append_u8(out, (uint8_t)roll(seed, 256)) == CS_OK);
        break;
    case CTL_JSON_MESSAGE:
        json_random_message(field->message, seed, out);
        break;
    default:
        cs_assert(cs_buf_append_varint(out, roll_varint(field, seed)) == CS_OK);
    }
}

static void append_sized(const struct ctl_json_field *field, struct cs_slice bytes, struct cs_buf *out)
{
    cs_assert(cs_buf_append_varint(out, (uint64_t)field->number << 3 | 2) == CS_OK);
    cs_assert(cs_buf_append_varint(out, bytes.len) == CS_OK);
    cs_assert(cs_buf_append(out, bytes) == CS_OK);
}

static void append_list(const struct ctl_json_field *field, uint64_t *seed, struct cs_buf *out)
{
    uint32_t count = roll(seed, 16) == 0 ? field->most_count
                                         : roll(seed, field->most_count < 4 ? field->most_count + 1 : 4);
    struct cs_buf value = CS_BUF_EMPTY;

    for (uint32_t i = 0; i < count; i++) {
        append_value(field, seed, &value);
        if (field->kind < CTL_JSON_STRING)
            continue;
        append_sized(field, cs_buf_slice(&value), out);
        cs_buf_clear(&value);
    }
    if (value.len)
        append_sized(field, cs_buf_slice(&value), out);
    cs_buf_free(&value);
}

static void append_field(const struct ctl_json_field *field, uint64_t *seed, struct cs_buf *out)
{
    bool keeps_default = field->has_presence || field->oneof;
    struct cs_buf value = CS_BUF_EMPTY;

    append_value(field, seed, &value);
    if (field->kind < CTL_JSON_STRING) {
        if (keeps_default || value.len > 1 || value.ptr[0]) {
            cs_assert(cs_buf_append_varint(out, (uint64_t)field->number << 3) == CS_OK);
            cs_assert(cs_buf_append(out, cs_buf_slice(&value)) == CS_OK);
        }
    } else if (keeps_default || value.len) {
        append_sized(field, cs_buf_slice(&value), out);
    }
    cs_buf_free(&value);
}

void json_random_message(const struct ctl_json_message *type, uint64_t *seed, struct cs_buf *proto)
{
    unsigned oneofs_done = 0;

    for (size_t i = 0; i < type->field_count; i++) {
        const struct ctl_json_field *field = &type->fields[i];

        if (roll(seed, 4) == 0 || (field->oneof && oneofs_done & 1u << field->oneof))
            continue;
        if (field->oneof && roll(seed, 2))
            continue;
        oneofs_done |= 1u << field->oneof;
        if (field->repeated)
            append_list(field, seed, proto);
        else
            append_field(field, seed, proto);
    }
}
