/* slice.h - bytes that somebody else owns: a pointer and a length, never a terminator.
 * Pure. A slice is valid for as long as its owner says; whoever keeps bytes longer copies them into a cs_buf.
 */
#ifndef CS_BASE_SLICE_H
#define CS_BASE_SLICE_H

#include "shared/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cs_slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define CS_SLICE_EMPTY        ((struct cs_slice){NULL, 0})
#define CS_SLICE_LIT(literal) ((struct cs_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define CS_SLICE_ARRAY(array) ((struct cs_slice){(const uint8_t *)(array), sizeof(array)})

static inline struct cs_slice cs_slice(const void *ptr, size_t len)
{
    return (struct cs_slice){(const uint8_t *)ptr, len};
}

static inline struct cs_slice cs_slice_str(const char *text)
{
    return cs_slice(text, text ? strlen(text) : 0);
}

/* From `offset` on; beyond the end gives an empty slice. */
static inline struct cs_slice cs_slice_from(struct cs_slice s, size_t offset)
{
    if (offset >= s.len)
        return CS_SLICE_EMPTY;
    return cs_slice(s.ptr + offset, s.len - offset);
}

static inline bool cs_slice_eq(struct cs_slice a, struct cs_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Lexical byte order, shorter first on a tie: the order of keys in the store. */
int cs_slice_cmp(struct cs_slice a, struct cs_slice b);

static inline bool cs_slice_eq_str(struct cs_slice a, const char *text)
{
    return cs_slice_eq(a, cs_slice_str(text));
}

static inline bool cs_slice_starts_with(struct cs_slice s, struct cs_slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Without regard to ASCII case. */
bool cs_slice_same_text(struct cs_slice a, struct cs_slice b);
/* Without the spaces and tabs around it. */
struct cs_slice cs_slice_trim(struct cs_slice s);
/* Cuts off and gives what stands before the first `end`, and drops that; without one, all there is.
 * `ret_found` may be NULL. */
struct cs_slice cs_slice_cut(struct cs_slice *rest, uint8_t end, bool *ret_found);
/* The same, trimmed: the next item of a header's list. */
struct cs_slice cs_slice_item(struct cs_slice *rest, uint8_t end);

/* For secrets: time depends on the lengths only. */
bool cs_slice_eq_secret(struct cs_slice a, struct cs_slice b);

#endif
