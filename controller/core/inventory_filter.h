/* inventory_filter.h - what a list of certificates is asked to hold: read from the request once, then asked
 * of each row. Indexes only save the asking: what is in a page is decided here. Pure. */
#ifndef CTL_CORE_INVENTORY_FILTER_H
#define CTL_CORE_INVENTORY_FILTER_H

#include "controller/core/colour.h"
#include "controller/core/record.h"

enum { CTL_FILTER_WORDS = 8 };

struct ctl_filter {
    const countersign_v1_ListCertificatesRequest *request; /* borrowed */
    const struct ctl_settings *settings;
    int64_t now_s;
    uint32_t colours; /* a bit for each, by its number; 0: any */
    char search[sizeof((countersign_v1_ListCertificatesRequest *)NULL)->search];
    struct cs_slice words[CTL_FILTER_WORDS]; /* of `search`, folded, each begins with a letter or digit */
    size_t word_count;
};

/* CS_EINVAL with a sentence for what cannot be meant. `ret` does not move afterwards. */
CS_MUST_USE int ctl_filter_read(const countersign_v1_ListCertificatesRequest *request,
                                const struct ctl_settings *settings, int64_t now_s, struct ctl_filter *ret,
                                struct cs_err *err);
bool ctl_filter_fits(const struct ctl_filter *filter, const ctl_certificate_row *row);

/* What `not_after_s` has when dates alone give this colour, both included. */
struct ctl_dates {
    int64_t from_s, to_s;
};
struct ctl_dates ctl_filter_dates(const struct ctl_filter *filter, countersign_v1_Colour colour);

#endif
