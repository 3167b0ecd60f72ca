/* colour.h - how states look to people: a certificate's colour, an order's state and its text. DESIGN.md
 * section 2 has the order of the colours, worst first. Pure; the clock is passed in. */
#ifndef CTL_CORE_COLOUR_H
#define CTL_CORE_COLOUR_H

#include "controller/core/record.h"
#include "controller/core/settings.h"

/* Of a certificate at one connector. `settings` may be NULL: the default thresholds. */
countersign_v1_Colour ctl_colour_at(const ctl_certificate_row *certificate,
                                    countersign_store_v1_Condition condition,
                                    const struct ctl_settings *settings, int64_t now_s);
/* In the inventory: the worst over its attachments; without one, dates and revocation only. */
countersign_v1_Colour ctl_colour_of(const ctl_certificate_row *certificate,
                                    const struct ctl_settings *settings, int64_t now_s);

/* When an order that has failed is offered again; 0: that is not planned. */
int64_t ctl_order_retry_at(const ctl_order_row *order);

/* An order's state as people read it: "Push-Review In Progress 1/2", "Push-Scheduled (waiting for device)",
 * "Push-Scheduled (attempt 2 of 3 at 2026-11-23T18:30:00Z)". */
void ctl_order_text(const ctl_order_row *order, char *out, size_t out_bytes);

#endif
