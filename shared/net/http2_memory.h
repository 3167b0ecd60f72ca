/* http2_memory.h - nghttp2's allocator for servers, with one trick: every session keeps a 16 KB buffer for
 * the frame that it is sending, three quarters of what it costs. cs_http2_pull() copies each frame out before
 * another is begun, so all servers of a thread can share one buffer, and an idle session costs some 6 KB
 * instead of 22. A client's session cannot: it keeps the connection preface there from its making on. */
#ifndef CS_NET_HTTP2_MEMORY_H
#define CS_NET_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

#include <stdbool.h>
#include <stdint.h>

nghttp2_mem *http2_memory(void);
/* Around the making of a server's session: the one allocation in between that has the frame buffer's size is
 * the frame buffer. The end says whether there was one. */
void http2_memory_begin_session(void);
bool http2_memory_end_session(void);

/* For clients, whose frames carry private keys and enrolment tokens to the controller: every block is
 * overwritten before it is given back. */
nghttp2_mem *http2_memory_wiped(void);

#endif
