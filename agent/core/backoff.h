/* backoff.h - how long to wait before dialling again: exponential, bounded, with full jitter. Pure; the
 * caller brings the random number. The first wait is spread over `base` already, so that agents that lost
 * their controller together do not come back together. */
#ifndef AG_CORE_BACKOFF_H
#define AG_CORE_BACKOFF_H

#include <stdint.h>

struct ag_backoff {
    uint32_t base_ms, max_ms;
    uint32_t failures; /* since the last connection that lasted */
};

/* Counts a failure and gives the wait: uniform in [0, min(max, base * 2^failures before)). */
uint32_t ag_backoff_next_ms(struct ag_backoff *backoff, uint32_t random);
/* A connection lasted. One that the peer ends at once does not count, or it would be dialled in a circle. */
void ag_backoff_reset(struct ag_backoff *backoff);

#endif
