/* http1_head.h - the head of an HTTP/1.1 request, checked to the letter (RFC 9112 sections 2 to 6, RFC 9110
 * section 5). What two programs in a chain could read differently is refused here: request smuggling lives on
 * that. Pure. Start at cs_http1_scan(), which finds the end of a head in pieces of any size. */
#ifndef CS_NET_HTTP1_HEAD_H
#define CS_NET_HTTP1_HEAD_H

#include "shared/base/err.h"
#include "shared/net/metadata.h"

enum {
    CS_HTTP1_LINE_BYTES = 8 * 1024, /* of a request line; RFC 9112 section 3 recommends 8,000 at least */
    CS_HTTP1_HEADERS = 64,
    CS_HTTP1_EMPTY_LINES = 2, /* in front of a request line (RFC 9112 section 2.2) */
};

/* A zeroed one is at the beginning of a head. */
struct cs_http1_scanner {
    struct cs_buf head; /* what has come of it */
    size_t line_len;
    unsigned lines, empty_lines;
    bool after_cr;
};

/* Takes bytes from the front of *input until the head is complete (then *ret_complete) or none are left.
 * Returns 0, or the HTTP status to refuse with; then *err says why. */
unsigned cs_http1_scan(struct cs_http1_scanner *scanner, struct cs_slice *input, bool *ret_complete,
                       struct cs_err *err);
/* For the next head. */
void cs_http1_scanner_free(struct cs_http1_scanner *scanner);

struct cs_http1_head {
    struct cs_slice method, target;  /* `target` is origin-form; both are parts of the head */
    struct cs_metadata_list headers; /* names in lower case; freed by the caller, also after a refusal */
    int64_t content_length;          /* -1: none */
    bool chunked;
    bool close; /* the client wants no further request on this connection */
    bool expects_continue;
};

/* Reads a whole head that cs_http1_scan() has found. Returns as that does. */
unsigned cs_http1_head_read(struct cs_slice text, struct cs_http1_head *ret, struct cs_err *err);

#endif
