#include "shared/net/grpc_inbox.h"

#include "shared/base/limits.h"

void cs_grpc_inbox_init(struct cs_grpc_inbox *inbox, size_t max_bytes, size_t *held_bytes)
{
    *inbox = (struct cs_grpc_inbox){.max_bytes = max_bytes, .held_bytes = held_bytes};
    cs_list_init(&inbox->node);
}

void cs_grpc_inbox_free(struct cs_grpc_inbox *inbox)
{
    *inbox->held_bytes -= inbox->reader.held.len;
    cs_list_remove(&inbox->node);
    cs_grpc_reader_free(&inbox->reader);
}

/* Delivers until the bytes are used up or the receiver pauses; what is left stays in *input. */
static enum cs_grpc_read deliver_all(struct cs_grpc_inbox *inbox, struct cs_slice *input,
                                     cs_grpc_deliver_fn *deliver)
{
    enum cs_grpc_read read;
    struct cs_slice message;

    do {
        size_t before = inbox->reader.held.len;

        read = cs_grpc_reader_step(&inbox->reader, input, inbox->max_bytes, &message);
        *inbox->held_bytes += inbox->reader.held.len;
        *inbox->held_bytes -= before;
        if (read == CS_GRPC_READ_MESSAGE && !deliver(inbox, message)) {
            *input = CS_SLICE_EMPTY;
            return CS_GRPC_READ_MORE;
        }
    } while (read == CS_GRPC_READ_MESSAGE && !inbox->paused);
    return read == CS_GRPC_READ_MESSAGE ? CS_GRPC_READ_MORE : read;
}

static enum cs_grpc_read keep(struct cs_grpc_inbox *inbox, struct cs_slice bytes)
{
    size_t before = inbox->reader.held.len;

    if (bytes.len == 0)
        return CS_GRPC_READ_MORE;
    if (cs_grpc_reader_keep(&inbox->reader, bytes) != CS_OK)
        return CS_GRPC_READ_NO_MEMORY;
    *inbox->held_bytes += inbox->reader.held.len;
    *inbox->held_bytes -= before;
    return CS_GRPC_READ_MORE;
}

/* The reader's beginning of a message and whatever was kept behind it become the input. */
static struct cs_buf take_kept(struct cs_grpc_inbox *inbox)
{
    struct cs_buf kept = CS_BUF_EMPTY;

    if (!cs_grpc_reader_is_open(&inbox->reader))
        return kept;
    kept = inbox->reader.held;
    *inbox->held_bytes -= kept.len;
    inbox->reader.held = CS_BUF_EMPTY;
    return kept;
}

enum cs_grpc_read cs_grpc_inbox_take(struct cs_grpc_inbox *inbox, struct cs_http2_stream *stream,
                                     struct cs_slice bytes, cs_grpc_deliver_fn *deliver)
{
    struct cs_buf kept = CS_BUF_EMPTY;
    struct cs_slice input = bytes;
    enum cs_grpc_read read = CS_GRPC_READ_MORE;

    cs_assert(!inbox->delivering);
    inbox->delivering = true;
    inbox->unconsumed += bytes.len;
    if (bytes.len == 0) {
        kept = take_kept(inbox);
        input = cs_buf_slice(&kept);
    }
    if (!inbox->paused)
        read = deliver_all(inbox, &input, deliver);
    if (read == CS_GRPC_READ_MORE)
        read = keep(inbox, input);
    if (!inbox->paused && inbox->unconsumed) {
        cs_http2_consume(stream, inbox->unconsumed);
        inbox->unconsumed = 0;
    }
    /* One message may be large; many unfinished ones at once are an attack on our memory. */
    if (read == CS_GRPC_READ_MORE && *inbox->held_bytes > CS_LIMIT_CONNECTION_BACKLOG)
        read = CS_GRPC_READ_TOO_BIG;
    cs_buf_wipe(&kept);
    inbox->delivering = false;
    return read;
}

bool cs_grpc_inbox_is_empty(const struct cs_grpc_inbox *inbox)
{
    return !cs_grpc_reader_is_open(&inbox->reader);
}

enum cs_status cs_grpc_read_status(enum cs_grpc_read read, const char **ret_sentence)
{
    switch (read) {
    case CS_GRPC_READ_TOO_BIG:
        *ret_sentence = "the message is larger than this method takes";
        return CS_STATUS_RESOURCE_EXHAUSTED;
    case CS_GRPC_READ_COMPRESSED:
        *ret_sentence = "the message is marked as compressed, and no compression was agreed on";
        return CS_STATUS_INTERNAL;
    case CS_GRPC_READ_NO_MEMORY:
        *ret_sentence = "out of memory";
        return CS_STATUS_RESOURCE_EXHAUSTED;
    case CS_GRPC_READ_MORE:
    case CS_GRPC_READ_MESSAGE:
        break;
    }
    *ret_sentence = NULL;
    return CS_STATUS_OK;
}
