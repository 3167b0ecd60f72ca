/* web_impl.h - one connection's part in answering what is not gRPC: which requests become calls by Connect,
 * which are routes, and the calls that are open. Embedded by the two carriers of exchanges. Pure. */
#ifndef CS_NET_WEB_IMPL_H
#define CS_NET_WEB_IMPL_H

#include "shared/base/list.h"
#include "shared/net/alarm.h"
#include "shared/net/exchange.h"
#include "shared/net/grpc_server.h"
#include "shared/net/web.h"

struct cs_web_session {
    const struct cs_web *web;
    const struct cs_registry *registry;
    const struct cs_peer *peer;
    struct cs_alarms *alarms;
    struct cs_grpc_counters *counters;
    void (*wake)(void *owner);
    void *owner;
    struct cs_list calls;
    struct cs_list resumed;
    size_t held_bytes;    /* of requests that are not complete */
    size_t waiting_bytes; /* of answers that found no room in their carrier's queue */
};

/* The calls' exchanges have ended when it goes: the carrier sees to that. */
void cs_web_session_init(struct cs_web_session *session, const struct cs_web *web,
                         const struct cs_grpc_server_options *options);
/* True when there is anything that `web` answers, or whom it asks. */
bool cs_web_is_open(const struct cs_web *web);
/* What the guard says. */
enum cs_status cs_web_check(const struct cs_web *web, struct cs_slice method, struct cs_slice target,
                            const struct cs_metadata_list *headers, struct cs_err *err);
/* Answers, or sets the exchange's events and answers later. */
void cs_web_take(struct cs_web_session *session, struct cs_exchange *exchange,
                 const struct cs_exchange_head *head);
/* Gives resumed calls what waited for them. Call before pulling. */
void cs_web_session_run(struct cs_web_session *session);
/* Answers every open call with UNAVAILABLE. */
void cs_web_session_finish_all(struct cs_web_session *session, const char *sentence);

/* A whole answer at once. Headers may be NULL. */
void cs_web_answer(struct cs_exchange *exchange, unsigned status, const struct cs_metadata_list *headers,
                   struct cs_slice body);

#endif
