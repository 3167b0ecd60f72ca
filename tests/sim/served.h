/* served.h - what the application would read from a disk: which of the pairs that are known here. A pair is
 * all files that it reads; after a removal, or before the first push, it may be none. */
#ifndef CS_TESTS_SIM_SERVED_H
#define CS_TESTS_SIM_SERVED_H

#include "agent/core/connector.h"
#include "tests/support/simfs.h"

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/crypto/crypto.h"

enum served {
    SERVED_UNKNOWN,
    SERVED_OLD,
    SERVED_NEW,
    SERVED_THIRD, /* that of the push that comes after a recovery */
    SERVED_NOTHING,
    SERVED_MIXED,
    SERVED_KINDS
};
extern const char *const served_words[SERVED_KINDS];

struct served_pair {
    bool there[AG_FILE_COUNT];
    struct cs_buf files[AG_FILE_COUNT];
    bool has_leaf; /* a server can be started with it, and shows this */
    struct cs_digest leaf;
};
struct served_pairs {
    const struct ag_connector *connector;
    struct served_pair old, new, third;
};

struct served_pair served_take(const struct simfs_disk *disk, const struct ag_connector *connector);
/* NULL for a kind that is none of the three. */
const struct served_pair *served_pair(const struct served_pairs *pairs, enum served which);
/* There is a file at all. */
bool served_is_any(const struct served_pairs *pairs, enum served which);
void served_pair_free(struct served_pair *pair);
/* The files are what people decided: key and certificate fit, and nothing is missing. False says why. */
bool served_pair_fits(const struct served_pair *pair, const struct ag_connector *connector,
                      struct cs_err *err);

enum served served_by(const struct simfs_disk *disk, const struct served_pairs *pairs);

#endif
