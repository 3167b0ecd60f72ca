/* http1.h - a server's side of one HTTP/1.1 connection (RFC 9112), as bytes in and bytes out. No I/O; only
 * http1.c knows llhttp. Start at cs_http1_feed() and cs_http1_pull().
 *
 * One request at a time: the next ones' bytes wait until the answer has left, some of them; a client that
 * sends more loses them, and is let go after that answer. Every head is checked by http1_head.h before llhttp
 * sees it, so that two readings of it must agree. What cannot be answered for certain is refused with a
 * status and the end of the connection; so is whoever is too slow. Events run inside feed, pull and run, and
 * must not free the session. */
#ifndef CS_NET_HTTP1_H
#define CS_NET_HTTP1_H

#include "shared/net/alarm.h"
#include "shared/net/exchange.h"

struct cs_http1;

struct cs_http1_options {
    struct cs_alarms *alarms; /* the clock, and where it waits for slow peers */
    uint32_t head_timeout_ms, body_timeout_ms, idle_timeout_ms;
    /* A request whose head is complete and sound. */
    void (*on_request)(void *owner, struct cs_exchange *exchange, const struct cs_exchange_head *head);
    void (*wake)(void *owner); /* something waits to be pulled, or the session is over */
    void *owner;
};

CS_MUST_USE int cs_http1_new(const struct cs_http1_options *options, struct cs_http1 **ret,
                             struct cs_err *err);
/* An open exchange ends as CS_EXCHANGE_LOST. NULL is fine. */
void cs_http1_free(struct cs_http1 *session);

/* Never ends a connection by itself: what is refused is answered, then cs_http1_is_over() holds. */
void cs_http1_feed(struct cs_http1 *session, struct cs_slice bytes);
/* Takes the next request once the answer before it has been pulled. */
void cs_http1_run(struct cs_http1 *session);
CS_MUST_USE int cs_http1_pull(struct cs_http1 *session, struct cs_buf *out, size_t enough_bytes);
bool cs_http1_wants_pull(const struct cs_http1 *session);
/* All was sent and nothing more is taken. *err says why: CS_OK for an end in order. */
bool cs_http1_is_over(const struct cs_http1 *session, struct cs_err *err);
/* A sound head has come. */
bool cs_http1_is_up(const struct cs_http1 *session);
size_t cs_http1_queued_bytes(const struct cs_http1 *session);
uint64_t cs_http1_body_bytes_sent(const struct cs_http1 *session);
/* No further request: over once the answer under way has left. */
void cs_http1_drain(struct cs_http1 *session);
/* Over once what is queued has left. */
void cs_http1_terminate(struct cs_http1 *session);

#endif
