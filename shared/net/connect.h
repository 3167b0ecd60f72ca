/* connect.h - the Connect protocol's server over any version of HTTP: an exchange becomes a call of a method
 * (https://connectrpc.com/docs/protocol). Unary calls, as application/proto and application/json, and server
 * streams, as application/connect+proto and application/connect+json. Handlers see protobuf in either case.
 * No compression but identity, no GET. Pure.
 *
 * The bytes of the protocol stand in connect_wire.h; which requests come here is decided in web.c. */
#ifndef CS_NET_CONNECT_H
#define CS_NET_CONNECT_H

#include "shared/net/web_impl.h"

/* Takes over the exchange: a call begins, or the answer is a refusal. The method is POST. */
void cs_connect_take(struct cs_web_session *session, struct cs_exchange *exchange,
                     const struct cs_exchange_head *head, const struct cs_method *method, void *service);
/* For what is no call at all: an error that Connect's clients understand, under the HTTP status given, with
 * `more` headers or NULL. */
void cs_connect_refuse(struct cs_exchange *exchange, unsigned http_status, enum cs_status status,
                       const char *sentence, const struct cs_metadata_list *more);
void cs_connect_run(struct cs_web_session *session);
void cs_connect_finish_all(struct cs_web_session *session, const char *sentence);

#endif
