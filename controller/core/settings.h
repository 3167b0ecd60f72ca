/* settings.h - what the owner of a controller may set about the life of orders and the look of certificates:
 * read from the configuration once, then the same for every command and every query. Pure.
 *
 * The colours and their order are fixed (DESIGN.md, section 2); from when on a date is worth a colour is not.
 * Nothing here decides whether something may be pushed: that is signed by people. */
#ifndef CTL_CORE_SETTINGS_H
#define CTL_CORE_SETTINGS_H

#include "shared/base/err.h"
#include "shared/base/macros.h"

#include <stddef.h>
#include <stdint.h>

struct ctl_settings {
    /* What is left of a certificate's time when it takes the colour; orange ≤ yellow ≤ blue. */
    int64_t blue_s, yellow_s, orange_s;
    /* Without a word from the device, after it accepted or behind the end of the window: Failed. */
    int64_t silence_s;
    /* After a failed attempt that may be repeated: the wait before the second, doubled for each one after it,
     * up to the most. first ≤ most. */
    int64_t retry_first_s, retry_most_s;
};

extern const struct ctl_settings ctl_settings_default;

/* What holds where nobody has set anything. */
static inline const struct ctl_settings *ctl_settings_of(const struct ctl_settings *given)
{
    return given ? given : &ctl_settings_default;
}

/* CS_OK, or CS_EINVAL with a sentence that names the keys of the configuration. */
CS_MUST_USE int ctl_settings_check(const struct ctl_settings *settings, struct cs_err *err);

#endif
