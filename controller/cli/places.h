/* places.h - the app connectors that a person asked something for, held against the work orders that the
 * controller made of it: each place once, nothing else, and each order does what was asked for. What a single
 * order core says of device, certificate and generation is check.h's. Pure. */
#ifndef CTL_CLI_PLACES_H
#define CTL_CLI_PLACES_H

#include "shared/base/err.h"
#include "shared/base/macros.h"
#include "shared/crypto/crypto.h"

#include "countersign/v1/statement.pb.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_push_place {
    const char *device, *connector; /* borrowed */
    bool taken;                     /* cli_places_check() has seen its order */
};

struct cli_places {
    struct cli_push_place *list; /* sorted by cli_places_sort() */
    size_t count;
    countersign_v1_Action action;
    countersign_v1_KeyMode key_mode; /* how the private key comes; KEY_MODE_NONE but for an install */
    uint64_t target_generation;      /* roll back: the one that the device itself reported; else 0 */
    struct cs_digest expects;        /* roll back: what it reported to be left there last; zero: nothing */
};

void cli_places_sort(struct cli_places *places);
/* CS_EAUTH with a sentence: the controller made other orders than were asked for. */
CS_MUST_USE int cli_places_check(const struct cli_places *places, countersign_v1_OrderCore *const *cores,
                                 size_t count, struct cs_err *err);

#endif
