#include "shared/base/slice.h"

int cs_slice_cmp(struct cs_slice a, struct cs_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool cs_slice_same_text(struct cs_slice a, struct cs_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct cs_slice cs_slice_trim(struct cs_slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = cs_slice_from(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct cs_slice cs_slice_cut(struct cs_slice *rest, uint8_t end, bool *ret_found)
{
    const uint8_t *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
    struct cs_slice part = *rest;

    if (at)
        part.len = (size_t)(at - rest->ptr);
    *rest = cs_slice_from(*rest, part.len + 1);
    if (ret_found)
        *ret_found = at != NULL;
    return part;
}

struct cs_slice cs_slice_item(struct cs_slice *rest, uint8_t end)
{
    return cs_slice_trim(cs_slice_cut(rest, end, NULL));
}

bool cs_slice_eq_secret(struct cs_slice a, struct cs_slice b)
{
    volatile uint8_t difference = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}
