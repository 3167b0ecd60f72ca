#include "shared/net/http1_reply.h"

#include "shared/base/limits.h"

#include <llhttp.h>
#include <strings.h>

struct cs_http1_reply {
    llhttp_t parser;
    struct cs_buf body;
    size_t head_bytes; /* before the body */
    char field[32], value[48], last_modified[48];
    bool in_body, complete, too_big, no_memory;
};

static struct cs_http1_reply *reply_of(llhttp_t *parser)
{
    return parser->data;
}

/* What is too long is no header that is asked for: it is remembered as nothing. */
static void add(char *out, size_t room, const char *at, size_t len)
{
    size_t used = strlen(out);

    if (used + len >= room) {
        memset(out, '?', room - 1);
        return;
    }
    memcpy(out + used, at, len);
    out[used + len] = '\0';
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct cs_http1_reply *reply = reply_of(parser);

    add(reply->field, sizeof reply->field, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct cs_http1_reply *reply = reply_of(parser);

    add(reply->value, sizeof reply->value, at, len);
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct cs_http1_reply *reply = reply_of(parser);

    if (strcasecmp(reply->field, "last-modified") == 0 && !strchr(reply->value, '?'))
        memcpy(reply->last_modified, reply->value, sizeof reply->value);
    memset(reply->field, 0, sizeof reply->field);
    memset(reply->value, 0, sizeof reply->value);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    reply_of(parser)->in_body = true;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct cs_http1_reply *reply = reply_of(parser);
    int rc = cs_buf_append(&reply->body, cs_slice(at, len));

    reply->too_big = rc == CS_ETOOBIG;
    reply->no_memory = rc == CS_ENOMEM;
    return rc == CS_OK ? 0 : HPE_USER;
}

static int on_message_complete(llhttp_t *parser)
{
    reply_of(parser)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

int cs_http1_reply_new(size_t most_bytes, struct cs_http1_reply **ret, struct cs_err *err)
{
    struct cs_http1_reply *reply = calloc(1, sizeof *reply);

    if (!reply)
        return cs_err_nomem(err);
    reply->body.limit_bytes = most_bytes;
    llhttp_init(&reply->parser, HTTP_RESPONSE, &settings);
    reply->parser.data = reply;
    *ret = reply;
    return CS_OK;
}

void cs_http1_reply_free(struct cs_http1_reply *reply)
{
    if (!reply)
        return;
    cs_buf_free(&reply->body);
    free(reply);
}

static int refuse(const struct cs_http1_reply *reply, struct cs_err *err)
{
    if (reply->no_memory)
        return cs_err_nomem(err);
    if (reply->too_big)
        return cs_err_set(err, CS_ETOOBIG, "the server's answer has more than %zu bytes",
                          reply->body.limit_bytes);
    return cs_err_set(err, CS_EPARSE, "the server's answer is no sound HTTP/1.1, or cut off");
}

int cs_http1_reply_feed(struct cs_http1_reply *reply, struct cs_slice bytes, struct cs_err *err)
{
    if (reply->complete)
        return CS_OK;
    if (!reply->in_body)
        reply->head_bytes += bytes.len;
    if (llhttp_execute(&reply->parser, (const char *)bytes.ptr, bytes.len) != HPE_OK && !reply->complete)
        return refuse(reply, err);
    if (!reply->in_body && reply->head_bytes > CS_LIMIT_HEADER_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "the head of the server's answer does not end");
    return CS_OK;
}

int cs_http1_reply_end(struct cs_http1_reply *reply, struct cs_err *err)
{
    if (!reply->complete)
        (void)!llhttp_finish(&reply->parser);
    return reply->complete ? CS_OK : refuse(reply, err);
}

bool cs_http1_reply_is_complete(const struct cs_http1_reply *reply)
{
    return reply->complete;
}

unsigned cs_http1_reply_status(const struct cs_http1_reply *reply)
{
    return (unsigned)llhttp_get_status_code((llhttp_t *)(uintptr_t)&reply->parser);
}

struct cs_slice cs_http1_reply_body(const struct cs_http1_reply *reply)
{
    return cs_buf_slice(&reply->body);
}

const char *cs_http1_reply_last_modified(const struct cs_http1_reply *reply)
{
    return reply->last_modified;
}
