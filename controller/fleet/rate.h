/* rate.h - how often an address may ask: a bucket of tokens for each of a bounded number of addresses. When
 * all places are taken the one that was silent longest gives way. Pure but for its own memory. */
#ifndef CTL_FLEET_RATE_H
#define CTL_FLEET_RATE_H

#include "controller/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_rate {
    struct {
        char address[48]; /* without its port */
        uint64_t seen_ms;
        uint32_t thousandths; /* of a token */
    } places[CTL_LIMIT_ENROL_ADDRESSES];
    unsigned count;
};

/* `peer` as cs_peer.address; `per_s` at most 10,000, four seconds of it at once. False: too often. */
bool ctl_rate_take(struct ctl_rate *rate, const char *peer, uint32_t per_s, uint64_t now_ms);

#endif
