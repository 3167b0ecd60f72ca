#include "agent/core/backoff.h"

uint32_t ag_backoff_next_ms(struct ag_backoff *backoff, uint32_t random)
{
    uint64_t ceiling_ms = backoff->base_ms;

    for (uint32_t i = 0; i < backoff->failures && ceiling_ms < backoff->max_ms; i++)
        ceiling_ms *= 2;
    if (ceiling_ms > backoff->max_ms)
        ceiling_ms = backoff->max_ms;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return (uint32_t)((ceiling_ms * random) >> 32);
}

void ag_backoff_reset(struct ag_backoff *backoff)
{
    backoff->failures = 0;
}
