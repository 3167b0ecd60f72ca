/* http1_impl.h - the inside of an HTTP/1.1 session: http1.c takes what comes, http1_answer.c writes what
 * goes.
 *
 *            sound head            body complete         answer pulled
 *   IN_HEAD ───────────▶ IN_BODY ───────────────▶ ANSWERING ──────────▶ IN_HEAD, or OVER
 *      │                    │                        (what is refused, or must be cut short)
 *      └────────────────────┴──────▶ CLOSING ──a second later──▶ OVER
 */
#ifndef CS_NET_HTTP1_IMPL_H
#define CS_NET_HTTP1_IMPL_H

#include "shared/net/http1.h"
#include "shared/net/http1_head.h"

#include <llhttp.h>

enum http1_state { HTTP1_IN_HEAD, HTTP1_IN_BODY, HTTP1_ANSWERING, HTTP1_CLOSING, HTTP1_OVER };

struct cs_http1 {
    struct cs_alarms *alarms;
    uint32_t head_timeout_ms, body_timeout_ms, idle_timeout_ms;
    void (*on_request)(void *owner, struct cs_exchange *exchange, const struct cs_exchange_head *head);
    void (*wake)(void *owner);
    void *owner;

    llhttp_t parser;
    struct cs_http1_scanner scanner;
    struct cs_http1_head head; /* its slices are valid while the request is being opened only */
    struct cs_exchange exchange;
    struct cs_buf held; /* bytes of later requests */
    size_t held_at;     /* of `held` so much was taken */
    struct cs_buf out;
    size_t out_at;        /* of `out` so much has gone */
    struct cs_slice lent; /* of an answer, what is left of it; goes behind `out` */
    struct cs_alarm watch;
    struct cs_err why;
    uint64_t body_sent;
    uint64_t raw_received, body_received, body_unwanted; /* of this request, behind its head */
    uint64_t body_seen;                                  /* when the watch last looked */
    uint64_t length_left;                                /* of an answer whose length was told */
    unsigned trailers;
    enum http1_state state;
    bool up;
    bool draining;
    bool agreed; /* llhttp and http1_head.c, about this head */
    bool exchange_open;
    bool answer_begun, answer_ended, answer_chunked;
    bool keep_alive; /* after this answer */
    bool was_full;
    bool overrun; /* there was no room for what came behind this request */
    bool failed;  /* the answer will not be completed */
};

extern const struct cs_exchange_carrier http1_carrier;
/* They only queue; without memory for it the peer learns from the end of the connection. */
void http1_write_refusal(struct cs_http1 *session, unsigned http_status, const char *sentence);
/* What is queued of an answer that will not be completed. */
void http1_drop_answer(struct cs_http1 *session);
void http1_write_continue(struct cs_http1 *session);

#endif
