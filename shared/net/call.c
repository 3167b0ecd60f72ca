#include "shared/net/call_impl.h"

#include "shared/base/limits.h"
#include "shared/net/grpc_wire.h"

enum { HEADER_BYTES = 8 * 1024 };

const struct cs_method *cs_call_method(const struct cs_call *call)
{
    return call->method;
}

const struct cs_peer *cs_call_peer(const struct cs_call *call)
{
    return call->peer;
}

void *cs_call_service(const struct cs_call *call)
{
    return call->service;
}

void *cs_call_data(const struct cs_call *call)
{
    return call->data;
}

void cs_call_set_data(struct cs_call *call, void *data)
{
    call->data = data;
}

struct cs_slice cs_call_metadata(const struct cs_call *call, const char *name)
{
    return cs_metadata_find(&call->metadata, name);
}

bool cs_call_metadata_next(const struct cs_call *call, const char *name, size_t *cursor,
                           struct cs_slice *ret_value)
{
    struct cs_slice found;

    while (cs_metadata_next(&call->metadata, cursor, &found, ret_value))
        if (cs_slice_eq_str(found, name))
            return true;
    return false;
}

struct cs_slice cs_call_authority(const struct cs_call *call)
{
    return cs_metadata_find(&call->metadata, CS_CALL_AUTHORITY);
}

uint64_t cs_call_deadline_ms(const struct cs_call *call)
{
    return call->deadline_ms;
}

size_t cs_call_request_max(const struct cs_call *call)
{
    size_t max = call->method->request_max_bytes;

    return max ? max : CS_LIMIT_MESSAGE_BYTES;
}

int cs_call_send(struct cs_call *call, struct cs_slice message)
{
    if (call->finished || call->ended)
        return CS_ECLOSED;
    call->sent = true;
    return call->transport->send(call, message);
}

int cs_call_add_header(struct cs_call *call, const char *name, struct cs_slice value)
{
    if (call->finished || call->ended)
        return CS_ECLOSED;
    if (call->sent)
        return CS_ESTATE;
    if (call->headers.bytes.len + strlen(name) + value.len > HEADER_BYTES)
        return CS_ETOOBIG;
    return cs_grpc_add_header(&call->headers, cs_slice_str(name), value);
}

int cs_call_add_trailer(struct cs_call *call, const char *name, struct cs_slice value)
{
    if (call->finished || call->ended)
        return CS_ECLOSED;
    return call->transport->add_trailer(call, name, value);
}

void cs_call_finish(struct cs_call *call, enum cs_status status, const char *message)
{
    if (call->finished || call->ended)
        return;
    call->finished = true;
    call->status = status;
    call->transport->finish(call, status, message);
}

void cs_call_fail(struct cs_call *call, const struct cs_err *err)
{
    cs_call_finish(call, cs_status_from_code(err->code), err->msg);
}

void cs_call_reply(struct cs_call *call, struct cs_slice message)
{
    int rc = cs_call_send(call, message);

    if (rc == CS_OK || rc == CS_EBUSY)
        cs_call_finish(call, CS_STATUS_OK, NULL);
    else if (rc == CS_ETOOBIG)
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "the answer is larger than a message may be");
    else
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED,
                       "no room to queue the answer: this connection reads too slowly");
}

void cs_call_pause(struct cs_call *call, bool paused)
{
    if (!call->ended)
        call->transport->pause(call, paused);
}

static bool takes_one_message(const struct cs_call *call)
{
    return call->method->kind == CS_CALL_UNARY || call->method->kind == CS_CALL_SERVER_STREAM;
}

void cs_call_begin(struct cs_call *call)
{
    if (call->method->handler->on_open)
        call->method->handler->on_open(call);
}

void cs_call_take_message(struct cs_call *call, struct cs_slice message)
{
    if (call->finished || call->ended)
        return;
    if (call->got_message && takes_one_message(call)) {
        cs_call_finish(call, CS_STATUS_UNIMPLEMENTED,
                       "this method takes one request message, the client sent more");
        return;
    }
    call->got_message = true;
    if (call->method->handler->on_message)
        call->method->handler->on_message(call, message);
}

void cs_call_take_half_close(struct cs_call *call)
{
    if (call->finished || call->ended || call->half_closed)
        return;
    call->half_closed = true;
    if (!call->got_message && takes_one_message(call)) {
        cs_call_finish(call, CS_STATUS_UNIMPLEMENTED,
                       "this method takes one request message, the client sent none");
        return;
    }
    if (call->method->handler->on_half_close)
        call->method->handler->on_half_close(call);
}

void cs_call_take_writable(struct cs_call *call)
{
    if (!call->finished && !call->ended && call->method->handler->on_writable)
        call->method->handler->on_writable(call);
}

void cs_call_end(struct cs_call *call, enum cs_status how)
{
    if (call->ended)
        return;
    call->ended = true;
    if (call->method->handler->on_end)
        call->method->handler->on_end(call, how);
}
