/* mutate.h - spoils a valid push message at random, in ways that know its structure: bits and bytes, protobuf
 * fields at every level, parts of other pushes, signatures by the controller's own keys, trees rebuilt to
 * fit. */
#ifndef CS_TESTS_EVIL_MUTATE_H
#define CS_TESTS_EVIL_MUTATE_H

#include "tests/evil/evil.h"

struct mutate_random {
    uint64_t state;
};
/* 0 to below - 1. */
uint32_t mutate_below(struct mutate_random *random, uint32_t below);

enum { MUTATE_PUSHES = 4 };
/* The valid pushes, whose parts are mixed; assembled and wrapped. */
struct mutate_pushes {
    struct evil *e;
    struct delivery_story *all[MUTATE_PUSHES];
    size_t count;
};

/* The bytes of a message made of push `of`, spoilt once or a few times; replaces what is in `out`. */
void mutate_message(struct mutate_random *random, const struct mutate_pushes *pushes, size_t of,
                    struct cs_buf *out);
/* Bytes that are nobody's message in particular: bits, pieces, order. Never grows beyond `room`. */
void mutate_bytes(struct mutate_random *random, struct cs_buf *bytes, size_t room);

#endif
