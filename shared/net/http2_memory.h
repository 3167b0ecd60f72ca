/* http2_memory.h - nghttp2's allocator with one trick: every session keeps a 16 KB buffer for the frame that
 * it is sending, three quarters of what it costs. cs_http2_pull() copies each frame out before another is
 * begun, so all sessions of a thread can share one buffer, and an idle session costs some 6 KB instead of 22.
 */
#ifndef CS_NET_HTTP2_MEMORY_H
#define CS_NET_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

#include <stdint.h>

nghttp2_mem *http2_memory(void);
/* Around the making of a session: the one allocation in between that has the frame buffer's size is the frame
 * buffer. */
void http2_memory_begin_session(void);
void http2_memory_end_session(void);

/* nghttp2_nv has pointers to bytes that the library does not change. */
static inline uint8_t *http2_unconst(const uint8_t *ptr)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } cast = {ptr};

    return cast.to;
}

#endif
