/* http1_reply.h - a client's side of one HTTP/1.1 answer (RFC 9112), as bytes in. No I/O. For small files
 * that are fetched now and then; the answer to a request with `Connection: close`. */
#ifndef CS_NET_HTTP1_REPLY_H
#define CS_NET_HTTP1_REPLY_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

struct cs_http1_reply;

/* A body of more than `most_bytes` is refused. */
CS_MUST_USE int cs_http1_reply_new(size_t most_bytes, struct cs_http1_reply **ret, struct cs_err *err);
void cs_http1_reply_free(struct cs_http1_reply *reply);
CS_DEFINE_AUTO(cs_http1_reply_freep, struct cs_http1_reply, cs_http1_reply_free)

/* CS_EPARSE, CS_ETOOBIG, CS_ENOMEM; nothing more is taken after an error. What stands behind a complete
 * answer is passed over. */
CS_MUST_USE int cs_http1_reply_feed(struct cs_http1_reply *reply, struct cs_slice bytes, struct cs_err *err);
/* The peer has ended the connection: CS_EPARSE if the answer was not complete. */
CS_MUST_USE int cs_http1_reply_end(struct cs_http1_reply *reply, struct cs_err *err);
bool cs_http1_reply_is_complete(const struct cs_http1_reply *reply);

/* Of a complete one. */
unsigned cs_http1_reply_status(const struct cs_http1_reply *reply);
struct cs_slice cs_http1_reply_body(const struct cs_http1_reply *reply);
/* As the server wrote it; empty: not stated, or longer than any date. */
const char *cs_http1_reply_last_modified(const struct cs_http1_reply *reply);

#endif
