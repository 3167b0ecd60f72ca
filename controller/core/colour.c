#include "controller/core/colour.h"

#include "controller/core/workflow.h"
#include "shared/base/text.h"

#include <stdio.h>

/* What dates alone say of a certificate that has not expired. */
static countersign_v1_Colour colour_of_rest(int64_t rest_s, const struct ctl_settings *settings)
{
    if (rest_s <= settings->orange_s)
        return countersign_v1_Colour_COLOUR_ORANGE;
    if (rest_s <= settings->yellow_s)
        return countersign_v1_Colour_COLOUR_YELLOW;
    if (rest_s <= settings->blue_s)
        return countersign_v1_Colour_COLOUR_BLUE;
    return countersign_v1_Colour_COLOUR_GREEN;
}

static countersign_v1_Colour colour(const ctl_certificate_row *certificate, bool failed, bool changed,
                                    const struct ctl_settings *settings, int64_t now_s)
{
    if (certificate->revoked)
        return countersign_v1_Colour_COLOUR_BLACK;
    if (certificate->not_after_s < now_s)
        return countersign_v1_Colour_COLOUR_RED;
    if (failed)
        return countersign_v1_Colour_COLOUR_GRAY;
    if (changed)
        return countersign_v1_Colour_COLOUR_PURPLE;
    return colour_of_rest(certificate->not_after_s - now_s, ctl_settings_of(settings));
}

countersign_v1_Colour ctl_colour_at(const ctl_certificate_row *certificate,
                                    countersign_store_v1_Condition condition,
                                    const struct ctl_settings *settings, int64_t now_s)
{
    return colour(certificate, condition == countersign_store_v1_Condition_CONDITION_FAILED,
                  condition == countersign_store_v1_Condition_CONDITION_CHANGED, settings, now_s);
}

countersign_v1_Colour ctl_colour_of(const ctl_certificate_row *certificate,
                                    const struct ctl_settings *settings, int64_t now_s)
{
    return colour(certificate, certificate->failed > 0, certificate->changed > 0, settings, now_s);
}

int64_t ctl_order_retry_at(const ctl_order_row *order)
{
    return order->phase == countersign_store_v1_Phase_PHASE_SCHEDULED && order->retries ? order->offer_at_s
                                                                                        : 0;
}

void ctl_order_text(const ctl_order_row *order, char *out, size_t out_bytes)
{
    const char *state = ctl_state_text(ctl_phase_info(order->phase)->shown);
    char time[CS_TIME_TEXT_BYTES];

    if (order->phase == countersign_store_v1_Phase_PHASE_REVIEW)
        snprintf(out, out_bytes, "%s %u/%u", state, (unsigned)order->stages_done, (unsigned)order->stages);
    else if (ctl_order_retry_at(order))
        snprintf(out, out_bytes, "%s (attempt %u of %u at %s)", state, (unsigned)order->retries + 1,
                 (unsigned)order->max_attempts, cs_time_text(ctl_order_retry_at(order), time));
    else if (order->phase == countersign_store_v1_Phase_PHASE_WAITING)
        snprintf(out, out_bytes, "%s (waiting for device)", state);
    else if (order->cancel_asked && ctl_phase_info(order->phase)->handed_over)
        snprintf(out, out_bytes, "%s (cancel asked)", state);
    else
        snprintf(out, out_bytes, "%s", state);
}
