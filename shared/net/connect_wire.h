/* connect_wire.h - the parts of the Connect protocol that are only bytes: content types, timeouts, names of
 * errors, and the small JSON of an error and of a stream's end. Pure. */
#ifndef CS_NET_CONNECT_WIRE_H
#define CS_NET_CONNECT_WIRE_H

#include "shared/base/buf.h"
#include "shared/net/metadata.h"
#include "shared/net/status.h"

enum {
    CS_CONNECT_PREFIX_BYTES = 5,
    CS_CONNECT_FLAG_COMPRESSED = 1,
    CS_CONNECT_FLAG_END = 2,
};

struct cs_connect_type {
    bool is_json, is_stream;
};

/* "application/proto", "application/json", "application/connect+proto", "application/connect+json", of either
 * case, with parameters or not (of JSON a charset must be UTF-8). */
CS_MUST_USE int cs_connect_type_parse(struct cs_slice content_type, struct cs_connect_type *ret);
const char *cs_connect_type_text(struct cs_connect_type type);
/* For Accept-Post: what a method of this kind takes. */
const char *cs_connect_accept_post(bool is_stream, bool takes_json);

/* connect-timeout-ms: 1 to 10 digits. */
CS_MUST_USE int cs_connect_timeout_parse(struct cs_slice text, uint64_t *ret_ms);

/* "not_found"; OK has none and gives "unknown". */
const char *cs_connect_code(enum cs_status status);
unsigned cs_connect_http_status(enum cs_status status);

/* The five bytes before each message of a stream: gRPC's, with other flags. */
void cs_connect_prefix(unsigned flags, size_t message_len, uint8_t out[CS_CONNECT_PREFIX_BYTES]);

/* {"code":"…","message":"…"}; without a sentence no message. Bytes that are not UTF-8 become U+FFFD. */
CS_MUST_USE int cs_connect_error_json(enum cs_status status, struct cs_slice sentence, struct cs_buf *out);
/* {"error":{…},"metadata":{"name":["value",…]}}; what is empty is left out, base64 is not padded. */
CS_MUST_USE int cs_connect_end_json(enum cs_status status, struct cs_slice sentence,
                                    const struct cs_metadata_list *trailers, struct cs_buf *out);
/* A JSON string with its quotes (RFC 8259 section 7). */
CS_MUST_USE int cs_connect_json_string(struct cs_slice text, struct cs_buf *out);

#endif
