/* grpc_wire.h - the parts of gRPC over HTTP/2 that are only bytes: message frames, timeouts,
 * percent-encoding, and what HTTP's answers mean as statuses. Pure. "PROTOCOL-HTTP2.md" of the gRPC project
 * is the source. */
#ifndef CS_NET_GRPC_WIRE_H
#define CS_NET_GRPC_WIRE_H

#include "shared/base/buf.h"
#include "shared/net/metadata.h"
#include "shared/net/status.h"

enum { CS_GRPC_PREFIX_BYTES = 5, CS_GRPC_TIMEOUT_TEXT_BYTES = 16 };

/* The five bytes before each message. */
void cs_grpc_prefix(size_t message_len, uint8_t out[CS_GRPC_PREFIX_BYTES]);

/* Puts messages together again from pieces of any size. A zeroed one is empty. */
struct cs_grpc_reader {
    struct cs_buf held; /* the beginning of a message */
    bool delivered;     /* `held` is the message that was last given out */
};

enum cs_grpc_read {
    CS_GRPC_READ_MORE, /* all of the input was taken */
    CS_GRPC_READ_MESSAGE,
    CS_GRPC_READ_TOO_BIG,    /* the last three end the call */
    CS_GRPC_READ_COMPRESSED, /* we never announce a compression */
    CS_GRPC_READ_NO_MEMORY,
};

/* Takes bytes from the front of *input. A message lies in the input or in the reader, until the next step. */
enum cs_grpc_read cs_grpc_reader_step(struct cs_grpc_reader *reader, struct cs_slice *input, size_t max_bytes,
                                      struct cs_slice *ret_message);
/* Keeps bytes that cannot be taken yet, behind what is held. Not between a message and the next step. */
CS_MUST_USE int cs_grpc_reader_keep(struct cs_grpc_reader *reader, struct cs_slice bytes);
/* True in the middle of a message. */
bool cs_grpc_reader_is_open(const struct cs_grpc_reader *reader);
void cs_grpc_reader_free(struct cs_grpc_reader *reader);

/* "100m" and so on: at most 8 digits and a unit. Rounded up to milliseconds. */
CS_MUST_USE int cs_grpc_timeout_parse(struct cs_slice text, uint64_t *ret_ms);
void cs_grpc_timeout_text(uint64_t timeout_ms, char out[CS_GRPC_TIMEOUT_TEXT_BYTES]);

/* grpc-message: printable ASCII but "%" stands for itself. Decoding leaves alone what is no valid escape. */
CS_MUST_USE int cs_grpc_percent_encode(struct cs_slice text, struct cs_buf *out);
CS_MUST_USE int cs_grpc_percent_decode(struct cs_slice text, struct cs_buf *out);

/* "application/grpc", with "+proto" or parameters or not. */
bool cs_grpc_content_type_ok(struct cs_slice content_type);
/* For a header list: a "-bin" value in base64, without padding. */
CS_MUST_USE int cs_grpc_add_header(struct cs_metadata_list *list, struct cs_slice name,
                                   struct cs_slice value);
/* Both are literals or checked already. */
CS_MUST_USE int cs_grpc_add_text(struct cs_metadata_list *list, const char *name, const char *value);

/* "http-grpc-status-mapping.md", for an answer without grpc-status. */
enum cs_status cs_grpc_status_from_http(unsigned http_status);
/* From the code of a RST_STREAM ("Errors" in PROTOCOL-HTTP2.md). */
enum cs_status cs_grpc_status_from_reset(uint32_t http2_code);
/* The number in grpc-status; UNKNOWN for what is none. */
enum cs_status cs_grpc_status_parse(struct cs_slice text);

#endif
