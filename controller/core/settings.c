#include "controller/core/settings.h"

enum { MINUTE_S = 60, HOUR_S = 60 * MINUTE_S, DAY_S = 24 * HOUR_S };

const struct ctl_settings ctl_settings_default = {
    .blue_s = 90 * DAY_S,
    .yellow_s = 30 * DAY_S,
    .orange_s = 10 * DAY_S,
    .silence_s = 15 * MINUTE_S,
    .retry_first_s = 30,
    .retry_most_s = HOUR_S,
};

int ctl_settings_check(const struct ctl_settings *settings, struct cs_err *err)
{
    if (settings->orange_s > settings->yellow_s)
        return cs_err_set(err, CS_EINVAL,
                          "colour_orange may not be longer than colour_yellow: a certificate turns yellow, "
                          "then orange");
    if (settings->yellow_s > settings->blue_s)
        return cs_err_set(err, CS_EINVAL,
                          "colour_yellow may not be longer than colour_blue: a certificate turns blue, then "
                          "yellow");
    if (settings->retry_first_s > settings->retry_most_s)
        return cs_err_set(err, CS_EINVAL, "retry_first may not be longer than retry_most");
    return CS_OK;
}
