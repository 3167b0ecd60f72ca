#include "shared/net/http2_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum { FRAME_BYTES = 16 * 1024, HEADER_AND_PADDING_BYTES = 64 };

struct shared {
    _Alignas(max_align_t) uint8_t frame[FRAME_BYTES + HEADER_AND_PADDING_BYTES];
    bool making_session;
};

static _Thread_local struct shared shared;

static void *take(size_t size, void *user)
{
    (void)user;
    if (shared.making_session && size >= FRAME_BYTES && size <= sizeof shared.frame) {
        shared.making_session = false;
        return shared.frame;
    }
    return malloc(size);
}

static void give_back(void *ptr, void *user)
{
    (void)user;
    if (ptr != shared.frame)
        free(ptr);
}

static void *take_zeroed(size_t count, size_t size, void *user)
{
    (void)user;
    return calloc(count, size);
}

static void *resize(void *ptr, size_t size, void *user)
{
    (void)user;
    return realloc(ptr, size);
}

nghttp2_mem *http2_memory(void)
{
    static nghttp2_mem memory = {NULL, take, give_back, take_zeroed, resize};

    return &memory;
}

void http2_memory_begin_session(void)
{
    shared.making_session = true;
}

void http2_memory_end_session(void)
{
    shared.making_session = false;
}
