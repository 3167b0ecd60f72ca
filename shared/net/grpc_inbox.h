/* grpc_inbox.h - the receiving half of a gRPC call, the same for server and client: bytes of an HTTP/2 stream
 * become messages, a pause closes the stream's window, and what is held for unfinished messages is counted
 * over the connection. Pure. */
#ifndef CS_NET_GRPC_INBOX_H
#define CS_NET_GRPC_INBOX_H

#include "shared/base/list.h"
#include "shared/net/grpc_wire.h"
#include "shared/net/http2.h"

struct cs_grpc_inbox {
    struct cs_grpc_reader reader;
    size_t max_bytes;
    size_t *held_bytes;  /* the connection's count of bytes that its inboxes hold */
    size_t unconsumed;   /* of the window, while paused */
    struct cs_list node; /* the owner's, for inboxes with something to do once resumed */
    bool paused;
    bool delivering;
};

/* Runs the receiver for one message; false: the call is over, take no more. */
typedef bool cs_grpc_deliver_fn(struct cs_grpc_inbox *inbox, struct cs_slice message);

void cs_grpc_inbox_init(struct cs_grpc_inbox *inbox, size_t max_bytes, size_t *held_bytes);
void cs_grpc_inbox_free(struct cs_grpc_inbox *inbox);
/* Takes bytes that came on `stream`, or with none those that were kept during a pause. CS_GRPC_READ_MORE when
 * all is well. */
enum cs_grpc_read cs_grpc_inbox_take(struct cs_grpc_inbox *inbox, struct cs_http2_stream *stream,
                                     struct cs_slice bytes, cs_grpc_deliver_fn *deliver);
/* Nothing is left that a resumed receiver would get. */
bool cs_grpc_inbox_is_empty(const struct cs_grpc_inbox *inbox);
/* How a failed read ends the call. */
enum cs_status cs_grpc_read_status(enum cs_grpc_read read, const char **ret_sentence);

#endif
