#include "controller/store/checksum.h"

static const uint64_t PRIME_1 = 0x9E3779B185EBCA87, PRIME_2 = 0xC2B2AE3D27D4EB4F,
                      PRIME_3 = 0x165667B19E3779F9, PRIME_4 = 0x85EBCA77C2B2AE63,
                      PRIME_5 = 0x27D4EB2F165667C5;

enum { LANES = 4, STRIPE_BYTES = 8 * LANES };

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

/* Little-endian, wherever it stands; compilers make one load of it. */
static uint64_t read(const uint8_t *at, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t take_stripes(struct cs_slice *rest, uint64_t seed)
{
    uint64_t lanes[LANES] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1};
    uint64_t hash;

    for (; rest->len >= STRIPE_BYTES; rest->ptr += STRIPE_BYTES, rest->len -= STRIPE_BYTES)
        for (size_t i = 0; i < LANES; i++)
            lanes[i] = round_of(lanes[i], read(rest->ptr + 8 * i, 8));
    hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (size_t i = 0; i < LANES; i++)
        hash = (hash ^ round_of(0, lanes[i])) * PRIME_1 + PRIME_4;
    return hash;
}

static uint64_t take_rest(struct cs_slice rest, uint64_t hash)
{
    for (; rest.len >= 8; rest.ptr += 8, rest.len -= 8)
        hash = rotate(hash ^ round_of(0, read(rest.ptr, 8)), 27) * PRIME_1 + PRIME_4;
    if (rest.len >= 4) {
        hash = rotate(hash ^ read(rest.ptr, 4) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        rest.ptr += 4;
        rest.len -= 4;
    }
    for (; rest.len; rest.ptr++, rest.len--)
        hash = rotate(hash ^ rest.ptr[0] * PRIME_5, 11) * PRIME_1;
    return hash;
}

uint64_t ctl_checksum(struct cs_slice bytes, uint64_t seed)
{
    const size_t len = bytes.len;
    uint64_t hash = (len >= STRIPE_BYTES ? take_stripes(&bytes, seed) : seed + PRIME_5) + len;

    hash = take_rest(bytes, hash);
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}
