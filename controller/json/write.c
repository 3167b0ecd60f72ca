/* Protobuf to JSON. Fields come in the tables' order, whatever theirs was on the wire. */
#include "controller/json/internal.h"
#include "controller/json/json.h"
#include "shared/base/reader.h"
#include "shared/base/text.h"

#include <stdio.h>

struct writing {
    unsigned options;
    yyjson_mut_doc *doc;
    struct cs_err *err;
};

struct record {
    uint32_t number;
    unsigned wire;
    uint64_t value;        /* WIRE_VARINT */
    struct cs_slice bytes; /* WIRE_SIZED */
};

enum { MOST_NUMBER = (1 << 29) - 1 };

static bool next_record(struct cs_reader *reader, struct record *ret)
{
    uint64_t tag;

    if (reader->rest.len == 0 || !cs_reader_ok(reader))
        return false;
    tag = cs_reader_varint(reader);
    *ret = (struct record){.wire = tag & 7};
    if (tag >> 3 == 0 || tag >> 3 > MOST_NUMBER)
        reader->failed = true;
    ret->number = (uint32_t)(tag >> 3);
    switch (ret->wire) {
    case WIRE_VARINT:
        ret->value = cs_reader_varint(reader);
        break;
    case WIRE_64_BITS:
        cs_reader_take(reader, 8);
        break;
    case WIRE_32_BITS:
        cs_reader_take(reader, 4);
        break;
    case WIRE_SIZED: {
        uint64_t size = cs_reader_varint(reader);

        ret->bytes = cs_reader_take(reader, size <= reader->rest.len ? (size_t)size : SIZE_MAX);
        break;
    }
    default:
        reader->failed = true;
    }
    return cs_reader_ok(reader);
}

static int malformed(struct writing *w, const struct json_place *place)
{
    json_refuse(place, w->err, "the message's bytes are malformed");
    if (w->err)
        w->err->code = CS_EPARSE;
    return CS_EPARSE;
}

/* NULL from yyjson is always a lack of memory here. */
static int give(struct writing *w, yyjson_mut_val *value, yyjson_mut_val **ret)
{
    if (!value)
        return cs_err_nomem(w->err);
    *ret = value;
    return CS_OK;
}

/* ---- values */

static int wide_number(struct writing *w, uint64_t value, bool is_signed, yyjson_mut_val **ret)
{
    char text[24];

    if (is_signed)
        snprintf(text, sizeof text, "%lld", (long long)(int64_t)value);
    else
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return give(w, yyjson_mut_strcpy(w->doc, text), ret);
}

static int enum_value(struct writing *w, const struct ctl_json_enum *enumeration, int32_t number,
                      yyjson_mut_val **ret)
{
    for (size_t i = 0; i < enumeration->count; i++)
        if (enumeration->values[i].number == number)
            return give(w, yyjson_mut_str(w->doc, enumeration->values[i].name), ret);
    return give(w, yyjson_mut_sint(w->doc, number), ret);
}

/* A negative one of 32 bits travels with the sign in 64. */
static bool is_int32(uint64_t value)
{
    return value <= INT32_MAX || value >= (uint64_t)INT32_MIN;
}

static int varint_value(struct writing *w, uint64_t value, const struct json_place *place,
                        yyjson_mut_val **ret)
{
    switch (place->field->kind) {
    case CTL_JSON_BOOL:
        return give(w, yyjson_mut_bool(w->doc, value != 0), ret);
    case CTL_JSON_UINT32:
        return value <= UINT32_MAX ? give(w, yyjson_mut_uint(w->doc, value), ret) : malformed(w, place);
    case CTL_JSON_INT32:
        return is_int32(value) ? give(w, yyjson_mut_sint(w->doc, (int32_t)value), ret) : malformed(w, place);
    case CTL_JSON_ENUM:
        return is_int32(value) ? enum_value(w, place->field->enumeration, (int32_t)value, ret)
                               : malformed(w, place);
    default:
        return wide_number(w, value, place->field->kind == CTL_JSON_INT64, ret);
    }
}

static int text_value(struct writing *w, struct cs_slice text, const struct json_place *place,
                      yyjson_mut_val **ret)
{
    int code = json_check_text(place, text, w->err);

    if (code != CS_OK)
        return code;
    return give(w, yyjson_mut_strn(w->doc, text.len ? (const char *)text.ptr : "", text.len), ret);
}

static int bytes_value(struct writing *w, struct cs_slice bytes, yyjson_mut_val **ret)
{
    cs_auto(cs_buf_wipe) struct cs_buf text = CS_BUF_EMPTY;

    if (cs_base64_encode(bytes, &text) != CS_OK)
        return cs_err_nomem(w->err);
    return give(w, yyjson_mut_strncpy(w->doc, text.len ? (const char *)text.ptr : "", text.len), ret);
}

static int message_value(struct writing *w, const struct ctl_json_message *type, struct cs_slice bytes,
                         const struct json_place *place, yyjson_mut_val **ret);

/* A record's value; of a default where the record is all zero. */
static int value_of(struct writing *w, const struct record *record, const struct json_place *place,
                    yyjson_mut_val **ret)
{
    int code = CS_OK;

    if (json_is_varint(place->field))
        return varint_value(w, record->value, place, ret);
    if (place->field->kind == CTL_JSON_MESSAGE)
        return message_value(w, place->field->message, record->bytes, place, ret);
    code = json_check_size(place, record->bytes.len, w->err);
    if (code != CS_OK)
        return code;
    return place->field->kind == CTL_JSON_STRING ? text_value(w, record->bytes, place, ret)
                                                 : bytes_value(w, record->bytes, ret);
}

/* ---- fields */

static int add_element(struct writing *w, yyjson_mut_val *list, const struct record *record,
                       const struct json_place *field_place)
{
    size_t index = yyjson_mut_arr_size(list);
    struct json_place place = json_place_at(field_place->up, field_place->field, (long)index);
    yyjson_mut_val *value;
    int code = json_check_count(field_place, index + 1, w->err);

    if (code == CS_OK)
        code = value_of(w, record, &place, &value);
    if (code == CS_OK)
        yyjson_mut_arr_append(list, value);
    return code;
}

/* Numbers of a list are packed into one record, or have one each: a reader takes both. */
static int add_elements(struct writing *w, yyjson_mut_val *list, const struct record *record,
                        const struct json_place *place)
{
    struct cs_reader packed = cs_reader(record->bytes);
    int code = CS_OK;

    if (!json_is_varint(place->field) || record->wire == WIRE_VARINT)
        return add_element(w, list, record, place);
    while (packed.rest.len && code == CS_OK) {
        struct record one = {.value = cs_reader_varint(&packed)};

        code = cs_reader_ok(&packed) ? add_element(w, list, &one, place) : malformed(w, place);
    }
    return code;
}

static bool fits(const struct ctl_json_field *field, const struct record *record)
{
    if (record->wire == WIRE_VARINT)
        return json_is_varint(field);
    return record->wire == WIRE_SIZED && (!json_is_varint(field) || field->repeated);
}

/* *ret is NULL for a list that is not to be written. */
static int list_value(struct writing *w, struct cs_slice bytes, const struct json_place *place,
                      yyjson_mut_val **ret)
{
    struct cs_reader reader = cs_reader(bytes);
    yyjson_mut_val *list;
    struct record record;
    int code = give(w, yyjson_mut_arr(w->doc), &list);

    while (code == CS_OK && next_record(&reader, &record))
        if (record.number == place->field->number)
            code = fits(place->field, &record) ? add_elements(w, list, &record, place) : malformed(w, place);
    if (code == CS_OK)
        *ret = yyjson_mut_arr_size(list) || w->options & CTL_JSON_WITH_DEFAULTS ? list : NULL;
    return code;
}

/* The last one counts, as protobuf has it; two of a message would have to be merged, which no encoder asks.
 */
static int find_record(struct writing *w, struct cs_slice bytes, const struct json_place *place,
                       bool *ret_found, struct record *ret)
{
    struct cs_reader reader = cs_reader(bytes);
    struct record record;

    *ret_found = false;
    *ret = (struct record){.number = 0};
    while (next_record(&reader, &record)) {
        if (record.number != place->field->number)
            continue;
        if (!fits(place->field, &record) || (*ret_found && place->field->kind == CTL_JSON_MESSAGE))
            return malformed(w, place);
        *ret = record;
        *ret_found = true;
    }
    return CS_OK;
}

/* *ret is NULL for a field that is not to be written. */
static int field_value(struct writing *w, struct cs_slice bytes, const struct json_place *place,
                       yyjson_mut_val **ret)
{
    const struct ctl_json_field *field = place->field;
    struct record record;
    bool found, written;
    int code;

    if (field->repeated)
        return list_value(w, bytes, place, ret);
    code = find_record(w, bytes, place, &found, &record);
    if (code != CS_OK)
        return code;
    if (field->has_presence || field->oneof)
        written = found;
    else
        written = record.value || record.bytes.len || w->options & CTL_JSON_WITH_DEFAULTS;
    *ret = NULL;
    return written ? value_of(w, &record, place, ret) : CS_OK;
}

static int check_records(struct writing *w, const struct ctl_json_message *type, struct cs_slice bytes,
                         const struct json_place *place)
{
    struct cs_reader reader = cs_reader(bytes);
    unsigned oneofs_seen = 0;
    struct record record;

    while (next_record(&reader, &record)) {
        for (size_t i = 0; i < type->field_count; i++) {
            unsigned oneof = 1u << type->fields[i].oneof;

            if (type->fields[i].number != record.number || !type->fields[i].oneof)
                continue;
            if (oneofs_seen & oneof)
                return malformed(w, place);
            oneofs_seen |= oneof;
        }
    }
    return cs_reader_done(&reader) ? CS_OK : malformed(w, place);
}

static int message_value(struct writing *w, const struct ctl_json_message *type, struct cs_slice bytes,
                         const struct json_place *place, yyjson_mut_val **ret)
{
    yyjson_mut_val *object, *value = NULL;
    int code = json_check_depth(place, w->err);

    if (code == CS_OK)
        code = check_records(w, type, bytes, place);
    if (code == CS_OK)
        code = give(w, yyjson_mut_obj(w->doc), &object);
    for (size_t i = 0; i < type->field_count && code == CS_OK; i++) {
        struct json_place at = json_place_at(place, &type->fields[i], -1);
        yyjson_mut_val *key;

        code = field_value(w, bytes, &at, &value);
        if (code != CS_OK || !value)
            continue;
        code = give(w, yyjson_mut_str(w->doc, at.field->json_name), &key);
        if (code == CS_OK)
            yyjson_mut_obj_add(object, key, value);
    }
    if (code == CS_OK)
        *ret = object;
    return code;
}

static int append_text(struct writing *w, struct cs_buf *json)
{
    yyjson_write_flag flags =
        w->options & CTL_JSON_PRETTY ? YYJSON_WRITE_PRETTY_TWO_SPACES : YYJSON_WRITE_NOFLAG;
    size_t len;
    char *text = yyjson_mut_write_opts(w->doc, flags, &json_wiping_memory, &len, NULL);
    int code;

    if (!text)
        return cs_err_nomem(w->err);
    code = cs_buf_append(json, cs_slice(text, len));
    json_wiping_memory.free(NULL, text);
    return code == CS_OK ? CS_OK : cs_err_set(w->err, code, "writing JSON: %s", cs_code_text(code));
}

int ctl_json_from_proto(const struct ctl_json_message *type, unsigned options, struct cs_slice proto,
                        struct cs_buf *json, struct cs_err *err)
{
    const struct json_place outermost = {.index = -1};
    struct writing w = {.options = options, .doc = yyjson_mut_doc_new(&json_wiping_memory), .err = err};
    yyjson_mut_val *root;
    int code;

    if (!w.doc)
        return cs_err_nomem(err);
    code = message_value(&w, type, proto, &outermost, &root);
    if (code == CS_OK) {
        yyjson_mut_doc_set_root(w.doc, root);
        code = append_text(&w, json);
    }
    yyjson_mut_doc_free(w.doc);
    return code;
}
