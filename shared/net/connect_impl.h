/* connect_impl.h - the inside of a call by Connect: connect.c takes the request, connect_answer.c is what its
 * handler asks for and what is answered. */
#ifndef CS_NET_CONNECT_IMPL_H
#define CS_NET_CONNECT_IMPL_H

#include "shared/net/call_impl.h"
#include "shared/net/connect.h"
#include "shared/net/connect_wire.h"

struct connect_call {
    struct cs_call base;
    struct cs_web_session *session;
    struct cs_exchange *exchange;
    struct cs_list node;
    struct cs_list resumed_node;
    struct cs_alarm deadline;
    struct cs_buf body;  /* the request, until it is complete */
    struct cs_buf reply; /* a unary one, until the end */
    struct cs_buf tail;  /* the end of the answer, until there is room for it */
    struct cs_metadata_list trailers;
    struct cs_connect_type type;
    unsigned http_status; /* of an error that HTTP has its own for; 0: that of the error's code */
    bool complete;        /* the request */
    bool delivered;
    bool paused;
    bool has_reply;
    bool begun;
    bool tail_waits; /* and is counted */
};

extern const struct cs_call_transport connect_transport;

/* A refusal before there is a call. */
void connect_refuse_call(struct cs_exchange *exchange, struct cs_connect_type type, enum cs_status status,
                         const char *sentence);
/* Sends what is left of a finished call's answer, once there is room for it. */
void connect_push_tail(struct connect_call *call);
void connect_drop_tail(struct connect_call *call);
static inline void connect_wake(struct connect_call *call)
{
    call->session->wake(call->session->owner);
}

#endif
