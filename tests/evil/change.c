#include "tests/evil/change.h"

#include <pb_common.h>

static bool is_repeated(const pb_field_iter_t *field)
{
    return PB_HTYPE(field->type) == PB_HTYPE_REPEATED;
}

static bool alter_bytes(const pb_field_iter_t *field)
{
    pb_bytes_array_t *bytes = field->pData;

    if (bytes->size == 0) {
        bytes->size = (pb_size_t)(field->data_size - offsetof(pb_bytes_array_t, bytes));
        memset(bytes->bytes, 1, bytes->size);
    } else {
        bytes->bytes[bytes->size - 1] ^= 1;
    }
    return true;
}

static bool alter_number(const pb_field_iter_t *field)
{
    uint8_t *lowest = field->pData;

    if (field->data_size == 8)
        *(uint64_t *)field->pData += 1;
    else if (field->data_size == 4)
        *(uint32_t *)field->pData += 1;
    else
        *lowest ^= 1;
    return true;
}

static bool alter_message(const pb_field_iter_t *field)
{
    pb_field_iter_t inner;

    cs_assert(pb_field_iter_begin(&inner, field->submsg_desc, field->pData));
    return change_field(field->submsg_desc, field->pData, (struct change_path){0}, inner.tag, CHANGE_ALTER);
}

static bool alter(const pb_field_iter_t *field)
{
    char *text = field->pData;

    if (is_repeated(field) && *(pb_size_t *)field->pSize == 0)
        *(pb_size_t *)field->pSize = 1;
    switch (PB_LTYPE(field->type)) {
    case PB_LTYPE_BYTES:
        return alter_bytes(field);
    case PB_LTYPE_STRING:
        text[0] = text[0] == 'x' ? 'y' : 'x';
        return true;
    case PB_LTYPE_SUBMESSAGE:
        return alter_message(field);
    default:
        return alter_number(field);
    }
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static bool empty(const pb_field_iter_t *field)
{
    if (is_repeated(field)) {
        bool had_any = *(pb_size_t *)field->pSize > 0;

        *(pb_size_t *)field->pSize = 0;
        return had_any;
    }
    if (field->pSize && PB_LTYPE(field->type) == PB_LTYPE_SUBMESSAGE) {
        bool was_there = *(bool *)field->pSize;

        *(bool *)field->pSize = false;
        return was_there;
    }
    if (is_zero(field->pData, field->data_size))
        return false;
    memset(field->pData, 0, field->data_size);
    return true;
}

static bool double_last(const pb_field_iter_t *field)
{
    pb_size_t *count = field->pSize;
    uint8_t *items = field->pData;

    if (!is_repeated(field) || *count == 0 || *count == field->array_size)
        return false;
    memcpy(items + *count * field->data_size, items + (*count - 1u) * field->data_size, field->data_size);
    ++*count;
    return true;
}

static bool find(const pb_msgdesc_t *fields, void *message, uint32_t tag, pb_field_iter_t *ret)
{
    return pb_field_iter_begin(ret, fields, message) && pb_field_iter_find(ret, tag);
}

static bool is_there(const pb_field_iter_t *field)
{
    if (is_repeated(field))
        return *(pb_size_t *)field->pSize > 0;
    return !field->pSize || *(bool *)field->pSize;
}

bool change_field(const pb_msgdesc_t *fields, void *message, struct change_path path, uint32_t tag,
                  enum change_how how)
{
    pb_field_iter_t field;

    for (size_t i = 0; i < path.len; i++) {
        cs_assert(find(fields, message, path.tags[i], &field));
        if (!is_there(&field))
            return false;
        fields = field.submsg_desc;
        message = field.pData;
    }
    cs_assert(find(fields, message, tag, &field));
    switch (how) {
    case CHANGE_ALTER:
        return alter(&field);
    case CHANGE_EMPTY:
        return empty(&field);
    case CHANGE_DOUBLE:
        return double_last(&field);
    case CHANGE_COUNT:
        break;
    }
    return false;
}
