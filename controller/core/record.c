#include "controller/core/record.h"

#include <pb_decode.h>
#include <pb_encode.h>

/* The largest is a request with its comment, or a decision with its envelope. */
enum { RECORD_BYTES = 8192 };
_Static_assert(countersign_store_v1_Request_size <= RECORD_BYTES &&
                   countersign_store_v1_Decision_size <= RECORD_BYTES &&
                   countersign_store_v1_Certificate_size <= RECORD_BYTES &&
                   countersign_store_v1_Enrolment_size <= RECORD_BYTES &&
                   countersign_store_v1_Order_size <= RECORD_BYTES,
               "RECORD_BYTES is too small");

int ctl_record_decode(struct cs_slice value, const pb_msgdesc_t *fields, void *row, struct cs_err *err)
{
    pb_istream_t stream = pb_istream_from_buffer(value.ptr, value.len);

    if (!pb_decode(&stream, fields, row))
        return cs_err_set(err, CS_ECORRUPT, "a record of the store does not decode (%s)",
                          PB_GET_ERROR(&stream));
    return CS_OK;
}

int ctl_record_get(struct ctl_view *view, const struct ctl_key *key, const pb_msgdesc_t *fields, void *row,
                   struct cs_err *err)
{
    struct cs_slice value;
    int rc = ctl_view_get(view, ctl_key_slice(key), &value, err);

    return rc == CS_OK ? ctl_record_decode(value, fields, row, err) : rc;
}

int ctl_record_put(struct ctl_view *view, const struct ctl_key *key, const pb_msgdesc_t *fields,
                   const void *row, struct cs_err *err)
{
    uint8_t bytes[RECORD_BYTES];
    pb_ostream_t stream = pb_ostream_from_buffer(bytes, sizeof bytes);

    if (!pb_encode(&stream, fields, row))
        return cs_err_set(err, CS_EINTERNAL, "a record of table '%c' does not encode (%s)",
                          (char)key->bytes[0], PB_GET_ERROR(&stream));
    return ctl_view_put(view, ctl_key_slice(key), cs_slice(bytes, stream.bytes_written), err);
}

int ctl_bytes_get(struct ctl_view *view, const struct ctl_key *key, struct cs_slice *ret, struct cs_err *err)
{
    return ctl_view_get(view, ctl_key_slice(key), ret, err);
}

int ctl_bytes_put(struct ctl_view *view, const struct ctl_key *key, struct cs_slice bytes, struct cs_err *err)
{
    return ctl_view_put(view, ctl_key_slice(key), bytes, err);
}

int ctl_index_put(struct ctl_view *view, const struct ctl_key *key, struct cs_err *err)
{
    return ctl_view_put(view, ctl_key_slice(key), CS_SLICE_EMPTY, err);
}

int ctl_number_put(struct ctl_view *view, const struct ctl_key *key, uint64_t number, struct cs_err *err)
{
    struct ctl_key value = {.len = 0};

    ctl_key_add_u64(&value, number);
    return ctl_view_put(view, ctl_key_slice(key), ctl_key_slice(&value), err);
}

uint64_t ctl_number_of(struct cs_slice value)
{
    return ctl_key_last_u64(value);
}

int ctl_drop(struct ctl_view *view, const struct ctl_key *key, struct cs_err *err)
{
    return ctl_view_delete(view, ctl_key_slice(key), err);
}

struct ctl_walk ctl_walk_after(const struct ctl_key *prefix, const struct ctl_key *after, bool reverse)
{
    struct ctl_walk walk = {.prefix = *prefix, .from = *after, .reverse = reverse};

    if (!reverse)
        ctl_key_add_u8(&walk.from, 0);
    return walk;
}

int ctl_walk_next(struct ctl_view *view, struct ctl_walk *walk, struct cs_err *err)
{
    int rc = ctl_view_seek(view, ctl_key_slice(&walk->prefix), ctl_key_slice(&walk->from), walk->reverse,
                           &walk->key, &walk->value, err);

    if (rc != CS_OK)
        return rc;
    walk->from.len = 0;
    ctl_key_add_bytes(&walk->from, walk->key);
    if (!walk->reverse)
        ctl_key_add_u8(&walk->from, 0);
    return CS_OK;
}

void ctl_text_set(char *field, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len >= size) {
        len = size - 1;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memmove(field, text, len);
    memset(field + len, 0, size - len);
}
