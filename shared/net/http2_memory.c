#include "shared/net/http2_memory.h"

#include "shared/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_BYTES = 16 * 1024, HEADER_AND_PADDING_BYTES = 64 };

struct shared {
    _Alignas(max_align_t) uint8_t frame[FRAME_BYTES + HEADER_AND_PADDING_BYTES];
    bool making_session;
};

static _Thread_local struct shared shared;

/* nghttp2 1.70 asks for it by realloc(NULL, size). Others may ask by malloc(). */
static bool is_for_frame(size_t size)
{
    bool is = shared.making_session && size >= FRAME_BYTES && size <= sizeof shared.frame;

    if (is)
        shared.making_session = false;
    return is;
}

static void *take(size_t size, void *user)
{
    (void)user;
    return is_for_frame(size) ? shared.frame : malloc(size);
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
    void *moved;

    (void)user;
    if (!ptr && is_for_frame(size))
        return shared.frame;
    if (ptr != shared.frame)
        return realloc(ptr, size);
    moved = malloc(size);
    if (moved)
        memcpy(moved, shared.frame, size < sizeof shared.frame ? size : sizeof shared.frame);
    return moved;
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

bool http2_memory_end_session(void)
{
    bool was_asked_for = !shared.making_session;

    shared.making_session = false;
    return was_asked_for;
}

/* What stands before each block of a client's session. */
union head {
    size_t size;
    max_align_t aligned;
};

static void *take_noted(size_t size, void *user)
{
    union head *head = size <= SIZE_MAX - sizeof *head ? malloc(sizeof *head + size) : NULL;

    (void)user;
    if (!head)
        return NULL;
    head->size = size;
    return head + 1;
}

static void give_back_wiped(void *ptr, void *user)
{
    union head *head = ptr ? (union head *)ptr - 1 : NULL;

    (void)user;
    if (head)
        cs_wipe(head, sizeof *head + head->size);
    free(head);
}

static void *take_zeroed_noted(size_t count, size_t size, void *user)
{
    void *ptr = size && count > SIZE_MAX / size ? NULL : take_noted(count * size, user);

    if (ptr)
        memset(ptr, 0, count * size);
    return ptr;
}

static void *resize_wiped(void *ptr, size_t size, void *user)
{
    size_t before = ptr ? ((union head *)ptr - 1)->size : 0;
    void *moved = take_noted(size, user);

    if (moved && ptr) {
        memcpy(moved, ptr, before < size ? before : size);
        give_back_wiped(ptr, user);
    }
    return moved;
}

nghttp2_mem *http2_memory_wiped(void)
{
    static nghttp2_mem memory = {NULL, take_noted, give_back_wiped, take_zeroed_noted, resize_wiped};

    return &memory;
}
