#include "controller/fleet/rate.h"

#include <string.h>

enum { TOKEN = 1000, BURST_S = 4 };

static unsigned place_of(struct ctl_rate *rate, const char *address, size_t len, uint32_t full,
                         uint64_t now_ms)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < rate->count; i++) {
        if (strncmp(rate->places[i].address, address, len) == 0 && !rate->places[i].address[len])
            return i;
        if (rate->places[i].seen_ms < rate->places[oldest].seen_ms)
            oldest = i;
    }
    if (rate->count < CTL_LIMIT_ENROL_ADDRESSES)
        oldest = rate->count++;
    memset(&rate->places[oldest], 0, sizeof rate->places[oldest]);
    memcpy(rate->places[oldest].address, address, len);
    rate->places[oldest].seen_ms = now_ms;
    rate->places[oldest].thousandths = full;
    return oldest;
}

bool ctl_rate_take(struct ctl_rate *rate, const char *peer, uint32_t per_s, uint64_t now_ms)
{
    const char *colon = strrchr(peer, ':');
    size_t len = colon ? (size_t)(colon - peer) : strlen(peer);
    uint32_t full = per_s * BURST_S * TOKEN;
    unsigned at;
    uint64_t tokens;

    if (len >= sizeof rate->places[0].address)
        len = sizeof rate->places[0].address - 1;
    at = place_of(rate, peer, len, full, now_ms);
    tokens = rate->places[at].thousandths +
             (now_ms - rate->places[at].seen_ms) * per_s; /* per ms, in thousandths */
    rate->places[at].seen_ms = now_ms;
    if (tokens > full)
        tokens = full;
    rate->places[at].thousandths = (uint32_t)tokens;
    if (tokens < TOKEN)
        return false;
    rate->places[at].thousandths -= TOKEN;
    return true;
}
