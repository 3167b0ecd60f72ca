/* server_protocol.h - what a connection speaks once its first bytes have told: HTTP/2 or HTTP/1.1, as one
 * table of functions each. Inside, both are bytes in and bytes out. */
#ifndef CS_NET_SERVER_PROTOCOL_H
#define CS_NET_SERVER_PROTOCOL_H

#include "shared/net/grpc_server.h"
#include "shared/net/server.h"

enum server_protocol { SERVER_HTTP2, SERVER_HTTP1 };

/* `self` is what `make` made. */
struct server_protocol_ops {
    const char *waits_for; /* what is late when the connection does not come up in time */
    int (*make)(const struct cs_server_options *server, const struct cs_grpc_server_options *options,
                void **ret_self, struct cs_err *err);
    void (*free)(void *self);
    /* On failure the connection is to be closed, after what pull still gives was sent. */
    int (*feed)(void *self, struct cs_slice bytes, struct cs_err *err);
    void (*run)(void *self);
    int (*pull)(void *self, struct cs_buf *out, size_t enough_bytes, struct cs_err *err);
    bool (*wants_pull)(void *self);
    bool (*is_up)(void *self);
    bool (*is_over)(void *self, struct cs_err *err);
    size_t (*queued_bytes)(void *self);
    uint64_t (*body_bytes_sent)(void *self);
    void (*ping)(void *self); /* NULL: it knows none, and watches over silence itself */
    /* No further requests; calls that are open may finish. */
    void (*drain)(void *self);
    /* Answers open calls with UNAVAILABLE. */
    void (*finish_all)(void *self, const char *sentence);
    /* The end, once what is queued has gone. */
    void (*terminate)(void *self);
};

const struct server_protocol_ops *server_protocol_ops(enum server_protocol protocol);

enum server_sniff { SERVER_SNIFF_MORE, SERVER_SNIFF_HTTP2, SERVER_SNIFF_HTTP1 };

/* What the bytes begin, of which `*seen` have come in earlier pieces; counts those that say too little. */
enum server_sniff server_sniff(struct cs_slice bytes, uint8_t *seen);
/* The `seen` bytes that were taken without an answer. */
struct cs_slice server_sniffed(uint8_t seen);

#endif
