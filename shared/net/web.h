/* web.h - what a listener may answer beside gRPC, over HTTP/1.1 and HTTP/2 alike: the registry's methods by
 * the Connect protocol (connect.h), and plain GET routes. A listener that says nothing of it serves gRPC
 * alone.
 *
 * shared/net knows no JSON: who wants Connect's JSON brings struct cs_transcode. Everything here is called on
 * the loop's thread of the connection. */
#ifndef CS_NET_WEB_H
#define CS_NET_WEB_H

#include "shared/net/call.h"
#include "shared/net/metadata.h"

/* Between a method's protobuf bytes, which is all that handlers see, and JSON. Either appends to its last
 * buffer but one; an error's code and sentence go to the client. */
struct cs_transcode {
    /* The request of `method`. What is appended is checked against the method's limit afterwards. */
    int (*to_proto)(void *owner, const struct cs_method *method, struct cs_slice json, struct cs_buf *proto,
                    struct cs_err *err);
    /* A reply of `method`. */
    int (*to_json)(void *owner, const struct cs_method *method, struct cs_slice proto, struct cs_buf *json,
                   struct cs_err *err);
    void *owner;
};

struct cs_route_request {
    const struct cs_peer *peer;
    struct cs_slice path;                   /* without the query, as it came */
    struct cs_slice query;                  /* what stands behind "?", as it came */
    const struct cs_metadata_list *headers; /* lower-case */
};

struct cs_route_answer {
    const char *content_type; /* begins as "text/plain; charset=utf-8" */
    struct cs_buf body;       /* empty at first; the caller frees it */
    struct cs_slice standing; /* the body instead, if it stays where it is while the program runs: it is
                                 not copied, however slowly a client reads */
    struct cs_metadata_list headers; /* more of them, lower-case; the caller frees them. Without a
                                        cache-control among them the answer is not kept anywhere */
};

/* One GET (and HEAD) route. Answers go out whole: at most CS_WEB_ANSWER_BYTES each. Strangers may ask, often
 * and without reading: where more than CS_WEB_WAITING_BYTES are held for a connection it gets 503 for what
 * would have to be held beside. */
struct cs_route {
    const char *path; /* "/metrics": the whole of it, without the query */
    /* Writes the answer and returns its HTTP status. */
    unsigned (*get)(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer);
    void *owner;
};

enum { CS_WEB_ANSWER_BYTES = 2 * 1024 * 1024, CS_WEB_WAITING_BYTES = 256 * 1024 };

/* Asked about every request before a route or a method sees it, gRPC's calls too; what is no request that
 * could be served (another content type, a head that is too large) may be refused before. */
struct cs_web_guard {
    /* `headers` are lower-case; over HTTP/2 the host is ":authority". CS_STATUS_OK lets the request pass;
     * else it is refused so, with the sentence in *err. */
    enum cs_status (*check)(void *owner, struct cs_slice method, struct cs_slice path,
                            const struct cs_metadata_list *headers, struct cs_err *err);
    void *owner;
};

/* All borrowed, for as long as the listener lives. */
struct cs_web {
    bool connect;                         /* the registry's unary and server-streaming methods */
    const struct cs_transcode *transcode; /* NULL: protobuf alone */
    const struct cs_route *routes;
    size_t route_count;
    const struct cs_route *otherwise; /* answers a GET or HEAD of anything else; its path says nothing. May be
                                         NULL */
    const struct cs_web_guard *guard; /* NULL: every request passes */
};

#endif
