#include "shared/net/grpc_wire.h"

#include "shared/base/text.h"
#include "shared/net/http2.h"

#include <inttypes.h>
#include <stdio.h>

void cs_grpc_prefix(size_t message_len, uint8_t out[CS_GRPC_PREFIX_BYTES])
{
    out[0] = 0;
    for (size_t i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(message_len >> (24 - 8 * i));
}

static uint32_t prefix_length(const uint8_t *prefix)
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
}

/* Moves up to `goal` bytes of the message into `held`. */
static int fill(struct cs_grpc_reader *reader, struct cs_slice *input, size_t goal)
{
    size_t count = goal > reader->held.len ? goal - reader->held.len : 0;
    int rc;

    if (count > input->len)
        count = input->len;
    rc = cs_buf_append(&reader->held, cs_slice(input->ptr, count));
    if (rc == CS_OK)
        *input = cs_slice_from(*input, count);
    return rc;
}

enum cs_grpc_read cs_grpc_reader_step(struct cs_grpc_reader *reader, struct cs_slice *input, size_t max_bytes,
                                      struct cs_slice *ret_message)
{
    const uint8_t *prefix;
    size_t whole;

    if (reader->delivered) {
        cs_buf_wipe(&reader->held);
        reader->delivered = false;
    }
    if (reader->held.len == 0 && input->len == 0)
        return CS_GRPC_READ_MORE;
    /* The usual case: nothing held, and the input has it all. */
    if (reader->held.len > 0 || input->len < CS_GRPC_PREFIX_BYTES) {
        if (fill(reader, input, CS_GRPC_PREFIX_BYTES) != CS_OK)
            return CS_GRPC_READ_NO_MEMORY;
        if (reader->held.len < CS_GRPC_PREFIX_BYTES)
            return CS_GRPC_READ_MORE;
    }
    prefix = reader->held.len ? reader->held.ptr : input->ptr;
    if (prefix[0] != 0)
        return CS_GRPC_READ_COMPRESSED;
    whole = (size_t)prefix_length(prefix) + CS_GRPC_PREFIX_BYTES;
    if (whole - CS_GRPC_PREFIX_BYTES > max_bytes)
        return CS_GRPC_READ_TOO_BIG;
    if (reader->held.len == 0 && input->len >= whole) {
        *ret_message = cs_slice(input->ptr + CS_GRPC_PREFIX_BYTES, whole - CS_GRPC_PREFIX_BYTES);
        *input = cs_slice_from(*input, whole);
        return CS_GRPC_READ_MESSAGE;
    }
    if (fill(reader, input, whole) != CS_OK)
        return CS_GRPC_READ_NO_MEMORY;
    if (reader->held.len < whole)
        return CS_GRPC_READ_MORE;
    *ret_message = cs_slice(reader->held.ptr + CS_GRPC_PREFIX_BYTES, whole - CS_GRPC_PREFIX_BYTES);
    reader->delivered = true;
    return CS_GRPC_READ_MESSAGE;
}

int cs_grpc_reader_keep(struct cs_grpc_reader *reader, struct cs_slice bytes)
{
    if (reader->delivered) {
        cs_buf_wipe(&reader->held);
        reader->delivered = false;
    }
    return cs_buf_append(&reader->held, bytes);
}

bool cs_grpc_reader_is_open(const struct cs_grpc_reader *reader)
{
    return !reader->delivered && reader->held.len > 0;
}

void cs_grpc_reader_free(struct cs_grpc_reader *reader)
{
    cs_buf_wipe(&reader->held);
    reader->delivered = false;
}

/* Units in nanoseconds, the smallest of them. */
static uint64_t unit_ns(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return UINT64_C(3600000000000);
    case 'M':
        return UINT64_C(60000000000);
    case 'S':
        return 1000000000;
    case 'm':
        return 1000000;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

int cs_grpc_timeout_parse(struct cs_slice text, uint64_t *ret_ms)
{
    uint64_t number = 0, unit;

    if (text.len < 2 || text.len > 9)
        return CS_EPARSE;
    for (size_t i = 0; i < text.len - 1; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return CS_EPARSE;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    unit = unit_ns(text.ptr[text.len - 1]);
    if (unit == 0)
        return CS_EPARSE;
    /* 99,999,999 hours are 3.6e20 ns, too many for 64 bits: from milliseconds up there is nothing to round.
     */
    *ret_ms = unit >= 1000000 ? number * (unit / 1000000) : (number * unit + 999999) / 1000000;
    return CS_OK;
}

void cs_grpc_timeout_text(uint64_t timeout_ms, char out[CS_GRPC_TIMEOUT_TEXT_BYTES])
{
    const uint64_t most = 99999999;
    uint64_t seconds = timeout_ms / 1000;

    if (timeout_ms <= most)
        snprintf(out, CS_GRPC_TIMEOUT_TEXT_BYTES, "%" PRIu64 "m", timeout_ms);
    else
        snprintf(out, CS_GRPC_TIMEOUT_TEXT_BYTES, "%" PRIu64 "S", seconds > most ? most : seconds);
}

int cs_grpc_percent_encode(struct cs_slice text, struct cs_buf *out)
{
    int rc = CS_OK;

    for (size_t i = 0; i < text.len && rc == CS_OK; i++) {
        uint8_t c = text.ptr[i];

        if (c >= 0x20 && c <= 0x7e && c != '%')
            rc = cs_buf_append_u8(out, c);
        else
            rc = cs_buf_printf(out, "%%%02X", c);
    }
    return rc;
}

int cs_grpc_percent_decode(struct cs_slice text, struct cs_buf *out)
{
    int rc = CS_OK;

    for (size_t i = 0; i < text.len && rc == CS_OK; i++) {
        uint8_t c = text.ptr[i];

        if (c == '%' && text.len - i >= 3 && cs_unhex(cs_slice(text.ptr + i + 1, 2), &c, 1) == CS_OK)
            i += 2;
        rc = cs_buf_append_u8(out, c);
    }
    return rc;
}

bool cs_grpc_content_type_ok(struct cs_slice content_type)
{
    struct cs_slice rest;

    if (!cs_slice_starts_with(content_type, CS_SLICE_LIT("application/grpc")))
        return false;
    rest = cs_slice_from(content_type, sizeof "application/grpc" - 1);
    return rest.len == 0 || rest.ptr[0] == ';' || cs_slice_eq_str(rest, "+proto") ||
           cs_slice_starts_with(rest, CS_SLICE_LIT("+proto;"));
}

int cs_grpc_add_header(struct cs_metadata_list *list, struct cs_slice name, struct cs_slice value)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc;

    if (!cs_metadata_name_ok(name))
        return CS_EINVAL;
    if (!cs_metadata_is_binary(name))
        return cs_metadata_value_ok(value) ? cs_metadata_add(list, name, value) : CS_EINVAL;
    rc = cs_base64_encode(value, &text);
    while (text.len && text.ptr[text.len - 1] == '=')
        text.len--;
    if (rc == CS_OK)
        rc = cs_metadata_add(list, name, cs_buf_slice(&text));
    cs_buf_free(&text);
    return rc;
}

int cs_grpc_add_text(struct cs_metadata_list *list, const char *name, const char *value)
{
    return cs_metadata_add(list, cs_slice_str(name), cs_slice_str(value));
}

enum cs_status cs_grpc_status_from_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return CS_STATUS_INTERNAL;
    case 401:
        return CS_STATUS_UNAUTHENTICATED;
    case 403:
        return CS_STATUS_PERMISSION_DENIED;
    case 404:
        return CS_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return CS_STATUS_UNAVAILABLE;
    default:
        return CS_STATUS_UNKNOWN;
    }
}

enum cs_status cs_grpc_status_from_reset(uint32_t http2_code)
{
    switch (http2_code) {
    case CS_HTTP2_REFUSED_STREAM:
    case CS_HTTP2_LOST:
        return CS_STATUS_UNAVAILABLE;
    case CS_HTTP2_CANCEL:
        return CS_STATUS_CANCELLED;
    case CS_HTTP2_ENHANCE_YOUR_CALM:
        return CS_STATUS_RESOURCE_EXHAUSTED;
    case CS_HTTP2_INADEQUATE_SECURITY:
        return CS_STATUS_PERMISSION_DENIED;
    default:
        return CS_STATUS_INTERNAL;
    }
}

enum cs_status cs_grpc_status_parse(struct cs_slice text)
{
    unsigned number = 0;

    if (text.len == 0 || text.len > 2)
        return CS_STATUS_UNKNOWN;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return CS_STATUS_UNKNOWN;
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return number <= CS_STATUS_UNAUTHENTICATED ? (enum cs_status)number : CS_STATUS_UNKNOWN;
}
