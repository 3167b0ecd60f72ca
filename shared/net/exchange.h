/* exchange.h - one HTTP request and its answer, as whoever answers sees them: HTTP/1.1 (http1.h) and HTTP/2
 * (web_http2.h) are behind it, and what answers (web.h, connect.h) does not know which. Pure.
 *
 * A carrier makes an exchange with the complete head of a request and gives it to be answered. Whoever wants
 * the body sets `events`; without them it is dropped. on_close comes once, when the answer has left or can no
 * longer: afterwards the exchange is gone. It never comes from inside begin, write, end or reset. */
#ifndef CS_NET_EXCHANGE_H
#define CS_NET_EXCHANGE_H

#include "shared/net/metadata.h"

struct cs_exchange;

enum cs_exchange_end {
    CS_EXCHANGE_DONE,      /* both sides ended in order */
    CS_EXCHANGE_CANCELLED, /* the client has gone, or took back what it asked */
    CS_EXCHANGE_LOST,      /* the connection has failed */
};

struct cs_exchange_events {
    void (*on_body)(struct cs_exchange *exchange, struct cs_slice bytes);
    void (*on_half_close)(struct cs_exchange *exchange); /* the body is complete */
    void (*on_writable)(struct cs_exchange *exchange);   /* after CS_EBUSY or CS_EFULL: there is room again */
    void (*on_close)(struct cs_exchange *exchange, enum cs_exchange_end how);
};

enum { CS_LENGTH_UNKNOWN = -1 };

/* What a carrier does. Each only queues. */
struct cs_exchange_carrier {
    /* The head of the answer; content-length is made of `length`, or the body's end is marked otherwise. */
    int (*begin)(struct cs_exchange *exchange, unsigned status, const struct cs_metadata_list *headers,
                 int64_t length);
    /* As cs_http2_write(): both or nothing; CS_OK, CS_EBUSY (taken), CS_EFULL (not taken), CS_ECLOSED. */
    int (*write)(struct cs_exchange *exchange, struct cs_slice prefix, struct cs_slice body);
    /* The rest of the body, of an answer whose length was told: bytes that stay where they are for as long as
     * the program runs. They are not copied, so whoever reads slowly holds no memory with them. */
    int (*lend)(struct cs_exchange *exchange, struct cs_slice body);
    int (*end)(struct cs_exchange *exchange);
    /* The answer will not be completed: whatever tells the client so. */
    void (*reset)(struct cs_exchange *exchange);
    size_t (*queued_bytes)(struct cs_exchange *exchange);
    /* What the connection holds in memory for its client, of all exchanges. */
    size_t (*held_bytes)(struct cs_exchange *exchange);
};

struct cs_exchange {
    const struct cs_exchange_carrier *carrier;
    const struct cs_exchange_events *events;
    void *user;     /* of whoever set `events` */
    bool head_only; /* HEAD: the length is told, and no body sent */
};

/* The head of a request; borrowed for the call that hands it over. */
struct cs_exchange_head {
    struct cs_slice method;                 /* "POST" */
    struct cs_slice target;                 /* "/path?query", without scheme and authority */
    const struct cs_metadata_list *headers; /* lower-case; pseudo-headers may be among them */
    int64_t content_length;                 /* of the body, if it is known by now; else -1 */
};

#endif
