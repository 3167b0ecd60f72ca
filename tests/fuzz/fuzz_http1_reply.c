/* An HTTP/1.1 answer: at once and byte by byte it is the same answer, or refused both ways. */
#include "shared/net/http1_reply.h"

#include <string.h>

enum { MOST_BYTES = 512 };

static struct cs_http1_reply *read_by(struct cs_slice bytes, size_t step)
{
    struct cs_http1_reply *reply;
    struct cs_err err;
    int rc;

    cs_assert(cs_http1_reply_new(MOST_BYTES, &reply, &err) == CS_OK);
    for (rc = CS_OK; rc == CS_OK && bytes.len; bytes = cs_slice_from(bytes, step))
        rc = cs_http1_reply_feed(reply, cs_slice(bytes.ptr, bytes.len < step ? bytes.len : step), &err);
    if (rc == CS_OK)
        rc = cs_http1_reply_end(reply, &err);
    cs_assert((rc == CS_OK) == cs_http1_reply_is_complete(reply));
    return reply;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_http1_reply *whole = read_by(cs_slice(data, size), size ? size : 1);
    struct cs_http1_reply *bytes = read_by(cs_slice(data, size), 1);

    cs_assert(cs_http1_reply_is_complete(whole) == cs_http1_reply_is_complete(bytes));
    if (cs_http1_reply_is_complete(whole)) {
        cs_assert(cs_http1_reply_status(whole) == cs_http1_reply_status(bytes));
        cs_assert(cs_slice_eq(cs_http1_reply_body(whole), cs_http1_reply_body(bytes)));
        cs_assert(cs_http1_reply_body(whole).len <= MOST_BYTES);
        cs_assert(strcmp(cs_http1_reply_last_modified(whole), cs_http1_reply_last_modified(bytes)) == 0);
    }
    cs_http1_reply_free(whole);
    cs_http1_reply_free(bytes);
    return 0;
}
