/* web_http2.h - a stream of an HTTP/2 session as an exchange (exchange.h). The session's owner hands over a
 * stream with its head, and all events of it from then on. Pure. */
#ifndef CS_NET_WEB_HTTP2_H
#define CS_NET_WEB_HTTP2_H

#include "shared/net/http2.h"
#include "shared/net/web_impl.h"

/* Becomes the stream's user. */
void cs_web_http2_take(struct cs_web_session *session, struct cs_http2_stream *stream,
                       const struct cs_metadata_list *headers);
void cs_web_http2_on_data(struct cs_http2_stream *stream, struct cs_slice bytes);
void cs_web_http2_on_half_close(struct cs_http2_stream *stream);
void cs_web_http2_on_writable(struct cs_http2_stream *stream);
void cs_web_http2_on_close(struct cs_http2_stream *stream, uint32_t code);

#endif
