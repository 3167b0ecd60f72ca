/* JSON to protobuf: yyjson reads the text, the tables say what may stand where, fields are written in the
 * order of their numbers. */
#include "controller/json/internal.h"
#include "controller/json/json.h"
#include "controller/limits.h"
#include "shared/base/text.h"

#include <stdio.h>

struct reading {
    unsigned options;
    struct cs_buf *out;
    struct cs_err *err;
};

static int failed(struct reading *r, int code)
{
    return code == CS_OK ? CS_OK : cs_err_set(r->err, code, "reading JSON: %s", cs_code_text(code));
}

static struct cs_slice text_of(yyjson_val *value)
{
    const char *text = yyjson_is_raw(value) ? yyjson_get_raw(value) : yyjson_get_str(value);

    return cs_slice(text, yyjson_get_len(value));
}

/* ---- protobuf's parts */

enum { LONGEST_VARINT = 10 };

static int put_tag(struct reading *r, const struct ctl_json_field *field, unsigned wire)
{
    return failed(r, cs_buf_append_varint(r->out, (uint64_t)field->number << 3 | wire));
}

/* What stands behind `start` gets its length in front: it is known only now. */
static int put_length(struct reading *r, size_t start)
{
    size_t size = r->out->len - start, room;
    uint8_t length[LONGEST_VARINT];
    struct cs_buf varint = {.ptr = length, .capacity = sizeof length};

    cs_assert(cs_buf_append_varint(&varint, size) == CS_OK && varint.ptr == length);
    room = varint.len;
    if (cs_buf_reserve(r->out, room) != CS_OK)
        return failed(r, cs_buf_reserve(r->out, room));
    memmove(r->out->ptr + start + room, r->out->ptr + start, size);
    memcpy(r->out->ptr + start, length, room);
    r->out->len += room;
    return CS_OK;
}

/* ---- numbers, enums, bools: what becomes a varint */

/* By kind: how far up and, as a magnitude, how far down. */
static const struct {
    uint64_t up, down;
} ranges[] = {
    [CTL_JSON_INT32] = {INT32_MAX, (uint64_t)INT32_MAX + 1},
    [CTL_JSON_INT64] = {INT64_MAX, (uint64_t)INT64_MAX + 1},
    [CTL_JSON_UINT32] = {UINT32_MAX, 0},
    [CTL_JSON_UINT64] = {UINT64_MAX, 0},
    [CTL_JSON_ENUM] = {INT32_MAX, (uint64_t)INT32_MAX + 1},
};

static int out_of_range(struct reading *r, const struct json_place *place)
{
    uint64_t up = ranges[place->field->kind].up, down = ranges[place->field->kind].down;

    return json_refuse(place, r->err, "the number is out of range: %s%llu to %llu", down ? "-" : "",
                       (unsigned long long)down, (unsigned long long)up);
}

static int read_number(struct reading *r, yyjson_val *value, const struct json_place *place, uint64_t *ret)
{
    enum json_number how = JSON_NUMBER_MALFORMED;
    uint64_t magnitude = 0;
    bool negative = false;

    if (yyjson_is_raw(value) || yyjson_is_str(value))
        how = json_number_parse(text_of(value), &negative, &magnitude);
    if (how == JSON_NUMBER_MALFORMED || how == JSON_NUMBER_FRACTION)
        return json_refuse(place, r->err, "a whole number is wanted");
    if (how == JSON_NUMBER_TOO_BIG ||
        magnitude > (negative ? ranges[place->field->kind].down : ranges[place->field->kind].up))
        return out_of_range(r, place);
    *ret = negative ? ~magnitude + 1 : magnitude;
    return CS_OK;
}

static int unknown_name(struct reading *r, const struct ctl_json_enum *enumeration, struct cs_slice name,
                        const struct json_place *place)
{
    char known[160] = "";

    for (size_t i = 0; i < enumeration->count; i++) {
        size_t used = strlen(known), more = strlen(enumeration->values[i].name);

        if (used + more + sizeof ", \u2026" > sizeof known) {
            memcpy(known + used, ", \u2026", sizeof ", \u2026");
            break;
        }
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", enumeration->values[i].name);
    }
    return json_refuse(place, r->err, "'%.*s' is no %s: use one of %s", (int)(name.len < 24 ? name.len : 24),
                       (const char *)name.ptr, enumeration->name, known);
}

static int read_enum(struct reading *r, yyjson_val *value, const struct json_place *place, uint64_t *ret)
{
    const struct ctl_json_enum *enumeration = place->field->enumeration;
    struct cs_slice name;

    if (!yyjson_is_str(value))
        return read_number(r, value, place, ret);
    name = text_of(value);
    for (size_t i = 0; i < enumeration->count; i++) {
        if (cs_slice_eq_str(name, enumeration->values[i].name)) {
            *ret = (uint64_t)(int64_t)enumeration->values[i].number;
            return CS_OK;
        }
    }
    return unknown_name(r, enumeration, name, place);
}

static int read_varint(struct reading *r, yyjson_val *value, const struct json_place *place, uint64_t *ret)
{
    switch (place->field->kind) {
    case CTL_JSON_BOOL:
        if (!yyjson_is_bool(value))
            return json_refuse(place, r->err, "true or false is wanted");
        *ret = yyjson_get_bool(value);
        return CS_OK;
    case CTL_JSON_ENUM:
        return read_enum(r, value, place, ret);
    default:
        return read_number(r, value, place, ret);
    }
}

/* ---- texts, bytes, messages: what has a length */

static int put_text(struct reading *r, yyjson_val *value, const struct json_place *place)
{
    int code;

    if (!yyjson_is_str(value))
        return json_refuse(place, r->err, "a text is wanted");
    code = json_check_size(place, yyjson_get_len(value), r->err);
    if (code == CS_OK)
        code = json_check_text(place, text_of(value), r->err);
    return code == CS_OK ? failed(r, cs_buf_append(r->out, text_of(value))) : code;
}

static int put_bytes(struct reading *r, yyjson_val *value, const struct json_place *place)
{
    size_t start = r->out->len;
    int code;

    if (!yyjson_is_str(value))
        return json_refuse(place, r->err, "bytes in base64 are wanted, as a text");
    code = cs_base64_decode_any(text_of(value), r->out);
    if (code == CS_EPARSE)
        return json_refuse(place, r->err, "the text is not base64");
    if (code != CS_OK)
        return failed(r, code);
    return json_check_size(place, r->out->len - start, r->err);
}

static int put_message(struct reading *r, const struct ctl_json_message *type, yyjson_val *object,
                       const struct json_place *place);

static int put_sized(struct reading *r, yyjson_val *value, const struct json_place *place)
{
    size_t start;
    int code = put_tag(r, place->field, WIRE_SIZED);

    start = r->out->len;
    if (code != CS_OK)
        return code;
    switch (place->field->kind) {
    case CTL_JSON_STRING:
        code = put_text(r, value, place);
        break;
    case CTL_JSON_BYTES:
        code = put_bytes(r, value, place);
        break;
    default:
        code = put_message(r, place->field->message, value, place);
        break;
    }
    return code == CS_OK ? put_length(r, start) : code;
}

/* ---- fields */

static int put_one(struct reading *r, yyjson_val *value, const struct json_place *place)
{
    const struct ctl_json_field *field = place->field;
    bool keeps_default = field->has_presence || field->oneof;
    uint64_t number;
    int code;

    if (!json_is_varint(field)) {
        bool is_default =
            yyjson_is_str(value) && yyjson_get_len(value) == 0 && field->kind != CTL_JSON_MESSAGE;

        return is_default && !keeps_default ? CS_OK : put_sized(r, value, place);
    }
    code = read_varint(r, value, place, &number);
    if (code != CS_OK || (number == 0 && !keeps_default))
        return code;
    code = put_tag(r, field, WIRE_VARINT);
    return code == CS_OK ? failed(r, cs_buf_append_varint(r->out, number)) : code;
}

static int put_element(struct reading *r, yyjson_val *value, const struct json_place *place)
{
    uint64_t number;
    int code;

    if (yyjson_is_null(value))
        return json_refuse(place, r->err, "a list may not have null in it");
    if (!json_is_varint(place->field))
        return put_sized(r, value, place);
    code = read_varint(r, value, place, &number);
    return code == CS_OK ? failed(r, cs_buf_append_varint(r->out, number)) : code;
}

static int put_list(struct reading *r, yyjson_val *list, const struct json_place *place)
{
    const struct ctl_json_field *field = place->field;
    bool packed = json_is_varint(field);
    yyjson_arr_iter iter;
    yyjson_val *value;
    size_t start;
    long index = 0;
    int code;

    if (!yyjson_is_arr(list))
        return json_refuse(place, r->err, "a list is wanted: [\u2026]");
    code = json_check_count(place, yyjson_arr_size(list), r->err);
    if (code != CS_OK || yyjson_arr_size(list) == 0)
        return code;
    if (packed)
        code = put_tag(r, field, WIRE_SIZED);
    start = r->out->len;
    yyjson_arr_iter_init(list, &iter);
    while (code == CS_OK && (value = yyjson_arr_iter_next(&iter)) != NULL) {
        struct json_place element = json_place_at(place->up, field, index++);

        code = put_element(r, value, &element);
    }
    return code == CS_OK && packed ? put_length(r, start) : code;
}

/* Asked for every key of what a stranger sent: most are told apart by their first letter. */
static bool is_named(struct cs_slice key, const char *name)
{
    return key.len && key.ptr[0] == (uint8_t)name[0] && cs_slice_eq_str(key, name);
}

static const struct ctl_json_field *find_field(const struct ctl_json_message *type, struct cs_slice key)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (is_named(key, type->fields[i].json_name) || is_named(key, type->fields[i].name))
            return &type->fields[i];
    return NULL;
}

/* Each field's value, NULL where there is none. */
static int collect(struct reading *r, const struct ctl_json_message *type, yyjson_val *object,
                   const struct json_place *place, yyjson_val *values[CTL_JSON_MOST_FIELDS])
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct ctl_json_field *field = find_field(type, text_of(key));
        yyjson_val **value = field ? &values[field - type->fields] : NULL;
        struct json_place at = json_place_at(place, field, -1);

        if (!field && r->options & CTL_JSON_STRICT)
            return json_refuse(place, r->err, "there is no field '%.*s' in %s", (int)yyjson_get_len(key),
                               yyjson_get_str(key), type->name);
        if (!field)
            continue;
        if (*value)
            return json_refuse(&at, r->err, "given twice");
        *value = yyjson_obj_iter_get_val(key);
    }
    return CS_OK;
}

/* null is as if the field were not there. */
static void forget_null(const struct ctl_json_message *type, yyjson_val *values[CTL_JSON_MOST_FIELDS])
{
    for (size_t i = 0; i < type->field_count; i++)
        if (yyjson_is_null(values[i]))
            values[i] = NULL;
}

static int check_oneofs(struct reading *r, const struct ctl_json_message *type,
                        yyjson_val *const values[CTL_JSON_MOST_FIELDS], const struct json_place *place)
{
    for (size_t i = 0; i < type->field_count; i++)
        for (size_t k = 0; k < i; k++)
            if (values[i] && values[k] && type->fields[i].oneof &&
                type->fields[i].oneof == type->fields[k].oneof)
                return json_refuse(place, r->err, "'%s' and '%s' exclude each other",
                                   type->fields[k].json_name, type->fields[i].json_name);
    return CS_OK;
}

static int put_message(struct reading *r, const struct ctl_json_message *type, yyjson_val *object,
                       const struct json_place *place)
{
    yyjson_val *values[CTL_JSON_MOST_FIELDS] = {NULL};
    int code;

    cs_assert(type->field_count <= CTL_JSON_MOST_FIELDS);
    if (!yyjson_is_obj(object))
        return json_refuse(place, r->err, "an object is wanted: {\u2026}");
    code = json_check_depth(place, r->err);
    if (code == CS_OK)
        code = collect(r, type, object, place, values);
    forget_null(type, values);
    if (code == CS_OK)
        code = check_oneofs(r, type, values, place);
    for (size_t i = 0; i < type->field_count && code == CS_OK; i++) {
        struct json_place at = json_place_at(place, &type->fields[i], -1);

        if (values[i])
            code = at.field->repeated ? put_list(r, values[i], &at) : put_one(r, values[i], &at);
    }
    return code;
}

static int parse(struct cs_slice json, yyjson_doc **ret, struct cs_err *err)
{
    yyjson_read_err why;
    yyjson_doc *doc;

    if (json.len > CTL_LIMIT_JSON_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "reading JSON: %zu bytes; at most %d are allowed", json.len,
                          CTL_LIMIT_JSON_BYTES);
    if (json.len == 0)
        return cs_err_set(err, CS_EPARSE, "reading JSON: there is nothing; an empty message is {}");
    /* Without YYJSON_READ_INSITU the text is only read. */
    doc = yyjson_read_opts((char *)(uintptr_t)json.ptr, json.len, YYJSON_READ_NUMBER_AS_RAW,
                           &json_wiping_memory, &why);
    if (!doc && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return cs_err_nomem(err);
    if (!doc)
        return cs_err_set(err, CS_EPARSE, "reading JSON: %s, at byte %zu", why.msg, why.pos);
    *ret = doc;
    return CS_OK;
}

int ctl_json_to_proto(const struct ctl_json_message *type, unsigned options, struct cs_slice json,
                      struct cs_buf *proto, struct cs_err *err)
{
    struct reading r = {.options = options, .out = proto, .err = err};
    const struct json_place outermost = {.index = -1};
    size_t before = proto->len;
    yyjson_doc *doc;
    int code = parse(json, &doc, err);

    if (code != CS_OK)
        return code;
    code = put_message(&r, type, yyjson_doc_get_root(doc), &outermost);
    yyjson_doc_free(doc);
    if (code != CS_OK && proto->len > before) {
        cs_wipe(proto->ptr + before, proto->len - before);
        proto->len = before;
    }
    return code;
}
