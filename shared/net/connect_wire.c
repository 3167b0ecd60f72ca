#include "shared/net/connect_wire.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"
#include "shared/net/grpc_wire.h"

/* By number of enum cs_status; the table of the specification, "Error Codes". */
static const struct {
    const char *code;
    unsigned http_status;
} errors[] = {
    [CS_STATUS_OK] = {"unknown", 500},
    [CS_STATUS_CANCELLED] = {"canceled", 499},
    [CS_STATUS_UNKNOWN] = {"unknown", 500},
    [CS_STATUS_INVALID_ARGUMENT] = {"invalid_argument", 400},
    [CS_STATUS_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504},
    [CS_STATUS_NOT_FOUND] = {"not_found", 404},
    [CS_STATUS_ALREADY_EXISTS] = {"already_exists", 409},
    [CS_STATUS_PERMISSION_DENIED] = {"permission_denied", 403},
    [CS_STATUS_RESOURCE_EXHAUSTED] = {"resource_exhausted", 429},
    [CS_STATUS_FAILED_PRECONDITION] = {"failed_precondition", 400},
    [CS_STATUS_ABORTED] = {"aborted", 409},
    [CS_STATUS_OUT_OF_RANGE] = {"out_of_range", 400},
    [CS_STATUS_UNIMPLEMENTED] = {"unimplemented", 501},
    [CS_STATUS_INTERNAL] = {"internal", 500},
    [CS_STATUS_UNAVAILABLE] = {"unavailable", 503},
    [CS_STATUS_DATA_LOSS] = {"data_loss", 500},
    [CS_STATUS_UNAUTHENTICATED] = {"unauthenticated", 401},
};

const char *cs_connect_code(enum cs_status status)
{
    return errors[(size_t)status < CS_ARRAY_LEN(errors) ? status : CS_STATUS_UNKNOWN].code;
}

unsigned cs_connect_http_status(enum cs_status status)
{
    return errors[(size_t)status < CS_ARRAY_LEN(errors) ? status : CS_STATUS_UNKNOWN].http_status;
}

/* Content types */

static const struct {
    const char *text;
    struct cs_connect_type type;
} types[] = {
    {"application/proto", {.is_json = false, .is_stream = false}},
    {"application/json", {.is_json = true, .is_stream = false}},
    {"application/connect+proto", {.is_json = false, .is_stream = true}},
    {"application/connect+json", {.is_json = true, .is_stream = true}},
};

int cs_connect_type_parse(struct cs_slice content_type, struct cs_connect_type *ret)
{
    struct cs_slice name = cs_slice_item(&content_type, ';');
    size_t found = 0;

    while (found < CS_ARRAY_LEN(types) && !cs_slice_same_text(name, cs_slice_str(types[found].text)))
        found++;
    if (found == CS_ARRAY_LEN(types))
        return CS_EUNSUPPORTED;
    while (content_type.len) {
        struct cs_slice parameter = cs_slice_item(&content_type, ';'), key = cs_slice_item(&parameter, '=');

        if (cs_slice_same_text(key, CS_SLICE_LIT("charset")) &&
            !cs_slice_same_text(parameter, CS_SLICE_LIT("utf-8")) &&
            !cs_slice_same_text(parameter, CS_SLICE_LIT("\"utf-8\"")))
            return CS_EUNSUPPORTED;
    }
    *ret = types[found].type;
    return CS_OK;
}

const char *cs_connect_type_text(struct cs_connect_type type)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(types); i++)
        if (types[i].type.is_json == type.is_json && types[i].type.is_stream == type.is_stream)
            return types[i].text;
    return NULL;
}

const char *cs_connect_accept_post(bool is_stream, bool takes_json)
{
    if (is_stream)
        return takes_json ? "application/connect+json, application/connect+proto"
                          : "application/connect+proto";
    return takes_json ? "application/json, application/proto" : "application/proto";
}

/* Numbers */

int cs_connect_timeout_parse(struct cs_slice text, uint64_t *ret_ms)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > 10)
        return CS_EPARSE;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return CS_EPARSE;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_ms = number;
    return CS_OK;
}

void cs_connect_prefix(unsigned flags, size_t message_len, uint8_t out[CS_CONNECT_PREFIX_BYTES])
{
    cs_grpc_prefix(message_len, out);
    out[0] = (uint8_t)flags;
}

/* JSON */

int cs_connect_json_string(struct cs_slice text, struct cs_buf *out)
{
    int rc = cs_buf_append_u8(out, '"');

    while (text.len && rc == CS_OK) {
        size_t len = cs_utf8_char(text);
        uint8_t c = text.ptr[0];

        if (len == 0)
            rc = cs_buf_append_str(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            rc = cs_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            rc = cs_buf_printf(out, "\\u%04x", c);
        else
            rc = cs_buf_append(out, cs_slice(text.ptr, len));
        text = cs_slice_from(text, len ? len : 1);
    }
    return rc == CS_OK ? cs_buf_append_u8(out, '"') : rc;
}

int cs_connect_error_json(enum cs_status status, struct cs_slice sentence, struct cs_buf *out)
{
    int rc = cs_buf_printf(out, "{\"code\":\"%s\"", cs_connect_code(status));

    if (rc == CS_OK && sentence.len) {
        rc = cs_buf_append_str(out, ",\"message\":");
        if (rc == CS_OK)
            rc = cs_connect_json_string(sentence, out);
    }
    return rc == CS_OK ? cs_buf_append_u8(out, '}') : rc;
}

static int append_value(struct cs_slice name, struct cs_slice value, struct cs_buf *out)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc;

    if (!cs_metadata_is_binary(name))
        return cs_connect_json_string(value, out);
    rc = cs_base64_encode(value, &text);
    while (text.len && text.ptr[text.len - 1] == '=')
        text.len--;
    if (rc == CS_OK)
        rc = cs_connect_json_string(cs_buf_slice(&text), out);
    cs_buf_free(&text);
    return rc;
}

static bool was_before(const struct cs_metadata_list *list, size_t until, struct cs_slice name)
{
    struct cs_slice found, value;

    for (size_t cursor = 0; cursor < until && cs_metadata_next(list, &cursor, &found, &value);)
        if (cs_slice_eq(found, name))
            return true;
    return false;
}

/* "name":["value",…] with all values of that name, from `cursor` on. */
static int append_values(const struct cs_metadata_list *list, size_t cursor, struct cs_buf *out)
{
    struct cs_slice first, name, value;
    bool more = cs_metadata_next(list, &cursor, &first, &value);
    int rc = cs_connect_json_string(first, out);

    if (rc == CS_OK)
        rc = cs_buf_append_str(out, ":[");
    if (rc == CS_OK)
        rc = append_value(first, value, out);
    while (more && rc == CS_OK && (more = cs_metadata_next(list, &cursor, &name, &value))) {
        if (!cs_slice_eq(name, first))
            continue;
        rc = cs_buf_append_u8(out, ',');
        if (rc == CS_OK)
            rc = append_value(name, value, out);
    }
    return rc == CS_OK ? cs_buf_append_u8(out, ']') : rc;
}

static int append_metadata(const struct cs_metadata_list *list, struct cs_buf *out)
{
    struct cs_slice name, value;
    int rc = cs_buf_append_str(out, "\"metadata\":{");
    bool first = true;

    for (size_t at = 0, next = 0; rc == CS_OK && cs_metadata_next(list, &next, &name, &value); at = next) {
        if (was_before(list, at, name))
            continue;
        if (!first)
            rc = cs_buf_append_u8(out, ',');
        first = false;
        if (rc == CS_OK)
            rc = append_values(list, at, out);
    }
    return rc == CS_OK ? cs_buf_append_u8(out, '}') : rc;
}

int cs_connect_end_json(enum cs_status status, struct cs_slice sentence,
                        const struct cs_metadata_list *trailers, struct cs_buf *out)
{
    int rc = cs_buf_append_u8(out, '{');

    if (rc == CS_OK && status != CS_STATUS_OK) {
        rc = cs_buf_append_str(out, "\"error\":");
        if (rc == CS_OK)
            rc = cs_connect_error_json(status, sentence, out);
        if (rc == CS_OK && trailers->bytes.len)
            rc = cs_buf_append_u8(out, ',');
    }
    if (rc == CS_OK && trailers->bytes.len)
        rc = append_metadata(trailers, out);
    return rc == CS_OK ? cs_buf_append_u8(out, '}') : rc;
}
