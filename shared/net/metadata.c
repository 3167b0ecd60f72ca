#include "shared/net/metadata.h"

#include "shared/base/text.h"

struct entry {
    uint32_t name_len, value_len;
};

int cs_metadata_add(struct cs_metadata_list *list, struct cs_slice name, struct cs_slice value)
{
    struct entry entry = {(uint32_t)name.len, (uint32_t)value.len};
    int rc;

    if (name.len > UINT16_MAX || value.len > UINT32_MAX / 2)
        return CS_ETOOBIG;
    rc = cs_buf_reserve(&list->bytes, sizeof entry + name.len + value.len);
    if (rc == CS_OK)
        rc = cs_buf_append(&list->bytes, cs_slice(&entry, sizeof entry));
    if (rc == CS_OK)
        rc = cs_buf_append(&list->bytes, name);
    if (rc == CS_OK)
        rc = cs_buf_append(&list->bytes, value);
    return rc;
}

static int decode_base64(struct cs_slice text, struct cs_buf *out)
{
    struct cs_buf padded = CS_BUF_EMPTY;
    int rc;

    if (text.len % 4 == 0)
        return cs_base64_decode(text, out);
    rc = cs_buf_append(&padded, text);
    while (rc == CS_OK && padded.len % 4 != 0)
        rc = cs_buf_append_u8(&padded, '=');
    if (rc == CS_OK)
        rc = cs_base64_decode(cs_buf_slice(&padded), out);
    cs_buf_free(&padded);
    return rc;
}

int cs_metadata_add_wire(struct cs_metadata_list *list, struct cs_slice name, struct cs_slice value)
{
    struct cs_buf decoded = CS_BUF_EMPTY;
    int rc;

    if (!cs_metadata_is_binary(name))
        return cs_metadata_add(list, name, value);
    rc = decode_base64(value, &decoded);
    if (rc == CS_OK)
        rc = cs_metadata_add(list, name, cs_buf_slice(&decoded));
    cs_buf_free(&decoded);
    return rc;
}

bool cs_metadata_next(const struct cs_metadata_list *list, size_t *cursor, struct cs_slice *ret_name,
                      struct cs_slice *ret_value)
{
    struct entry entry;
    const uint8_t *at;

    if (*cursor >= list->bytes.len)
        return false;
    at = list->bytes.ptr + *cursor;
    memcpy(&entry, at, sizeof entry);
    at += sizeof entry;
    *ret_name = cs_slice(at, entry.name_len);
    *ret_value = cs_slice(at + entry.name_len, entry.value_len);
    *cursor += sizeof entry + entry.name_len + entry.value_len;
    return true;
}

struct cs_slice cs_metadata_find(const struct cs_metadata_list *list, const char *name)
{
    struct cs_slice found, value;

    for (size_t cursor = 0; cs_metadata_next(list, &cursor, &found, &value);)
        if (cs_slice_eq_str(found, name))
            return value;
    return CS_SLICE_EMPTY;
}

int cs_metadata_copy(const struct cs_metadata_list *from, bool (*is_own)(struct cs_slice name),
                     struct cs_metadata_list *to)
{
    struct cs_slice name, value;
    int rc = CS_OK;

    for (size_t cursor = 0; rc == CS_OK && cs_metadata_next(from, &cursor, &name, &value);)
        if (!is_own(name))
            rc = cs_metadata_add_wire(to, name, value);
    return rc;
}

void cs_metadata_free(struct cs_metadata_list *list)
{
    cs_buf_wipe(&list->bytes); /* tokens travel here */
}

bool cs_metadata_is_binary(struct cs_slice name)
{
    return name.len >= 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
}

bool cs_metadata_name_ok(struct cs_slice name)
{
    if (name.len == 0 || cs_slice_starts_with(name, CS_SLICE_LIT("grpc-")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
            return false;
    }
    return true;
}

bool cs_metadata_value_ok(struct cs_slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
            return false;
    return true;
}
