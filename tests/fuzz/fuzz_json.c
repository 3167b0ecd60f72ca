/* JSON to protobuf and back. The first line names the message (any other line is one that its first byte
 * picks); the rest is its text, and its bytes. What was read is written and read again as the same bytes;
 * what was written of any bytes is read again, and then stays as it is. */
#include "controller/json/json.h"

static void write_and_read(const struct ctl_json_message *type, struct cs_slice proto, struct cs_buf *again)
{
    struct cs_buf json = CS_BUF_EMPTY;

    cs_assert(ctl_json_from_proto(type, 0, proto, &json, NULL) == CS_OK);
    cs_assert(ctl_json_to_proto(type, CTL_JSON_STRICT, cs_buf_slice(&json), again, NULL) == CS_OK);
    cs_buf_free(&json);
}

static void from_text(const struct ctl_json_message *type, struct cs_slice text)
{
    struct cs_buf proto = CS_BUF_EMPTY, again = CS_BUF_EMPTY;
    struct cs_err err;

    if (ctl_json_to_proto(type, 0, text, &proto, &err) == CS_OK) {
        write_and_read(type, cs_buf_slice(&proto), &again);
        cs_assert(cs_slice_eq(cs_buf_slice(&proto), cs_buf_slice(&again)));
    } else {
        cs_assert(proto.len == 0 && err.msg[0]);
    }
    cs_buf_free(&proto);
    cs_buf_free(&again);
}

static void from_bytes(const struct ctl_json_message *type, struct cs_slice bytes)
{
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY, again = CS_BUF_EMPTY;
    struct cs_err err;

    if (ctl_json_from_proto(type, 0, bytes, &json, &err) == CS_OK) {
        cs_assert(ctl_json_to_proto(type, CTL_JSON_STRICT, cs_buf_slice(&json), &proto, &err) == CS_OK);
        write_and_read(type, cs_buf_slice(&proto), &again);
        cs_assert(cs_slice_eq(cs_buf_slice(&proto), cs_buf_slice(&again)));
    } else {
        cs_assert(json.len == 0 && err.msg[0]);
    }
    cs_buf_free(&json);
    cs_buf_free(&proto);
    cs_buf_free(&again);
}

static const struct ctl_json_message *type_of(struct cs_slice line)
{
    cs_assert(ctl_json_message_count > 0);
    for (size_t i = 0; i < ctl_json_message_count; i++)
        if (cs_slice_eq_str(line, ctl_json_messages[i]->name))
            return ctl_json_messages[i];
    return ctl_json_messages[(line.len ? line.ptr[0] : 0) % ctl_json_message_count];
}

/* Bytes become at most some ten times as much text, which has a limit of its own. */
enum { MOST_BYTES = 16 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    struct cs_slice line = cs_slice(data, end ? (size_t)(end - data) : size);
    struct cs_slice input = cs_slice_from(cs_slice(data, size), line.len + 1);

    if (input.len > MOST_BYTES)
        return 0;
    from_text(type_of(line), input);
    from_bytes(type_of(line), input);
    return 0;
}
