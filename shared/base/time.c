/* Times as text: the part of text.h that knows the calendar. */
#include "shared/base/text.h"

#include <stdio.h>

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March so that the
 * leap day comes last. */
int64_t cs_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

char *cs_time_text(int64_t time_s, char *out)
{
    int64_t days = time_s / 86400;
    int64_t rest = time_s % 86400;
    int64_t year;
    unsigned month, day;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999)
        snprintf(out, CS_TIME_TEXT_BYTES, "@%lld", (long long)time_s);
    else
        snprintf(out, CS_TIME_TEXT_BYTES, "%04d-%02u-%02uT%02d:%02d:%02dZ", (int)year, month, day,
                 (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    return out;
}

/* Takes `count` digits from the front; -1 if they are not there. */
static int take_digits(struct cs_slice *s, size_t count)
{
    int value = 0;

    if (s->len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return -1;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = cs_slice_from(*s, count);
    return value;
}

static bool take_char(struct cs_slice *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = cs_slice_from(*s, 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool parse_offset(struct cs_slice *s, int64_t *ret_offset_s)
{
    bool negative;
    int hours, minutes;

    *ret_offset_s = 0;
    if (take_char(s, "Zz"))
        return true;
    negative = s->len > 0 && s->ptr[0] == '-';
    if (!take_char(s, "+-"))
        return false;
    hours = take_digits(s, 2);
    if (hours < 0 || hours > 23 || !take_char(s, ":"))
        return false;
    minutes = take_digits(s, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *ret_offset_s = (negative ? -1 : 1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

static bool parse_rfc3339(struct cs_slice s, int64_t *ret_time_s)
{
    int year, month, day, hour, minute, second = 0;
    int64_t offset_s;

    year = take_digits(&s, 4);
    if (year < 0 || !take_char(&s, "-"))
        return false;
    month = take_digits(&s, 2);
    if (month < 1 || month > 12 || !take_char(&s, "-"))
        return false;
    day = take_digits(&s, 2);
    if (day < 1 || day > days_in_month(year, month) || !take_char(&s, "Tt "))
        return false;
    hour = take_digits(&s, 2);
    if (hour < 0 || hour > 23 || !take_char(&s, ":"))
        return false;
    minute = take_digits(&s, 2);
    if (minute < 0 || minute > 59)
        return false;
    if (take_char(&s, ":")) {
        second = take_digits(&s, 2);
        if (second < 0 || second > 59)
            return false;
    }
    if (!parse_offset(&s, &offset_s) || s.len != 0)
        return false;
    *ret_time_s = cs_days_from_civil(year, (unsigned)month, (unsigned)day) * 86400 + (int64_t)hour * 3600 +
                  (int64_t)minute * 60 + second - offset_s;
    return true;
}

int cs_time_parse(struct cs_slice text, int64_t *ret_time_s, struct cs_err *err)
{
    if (!parse_rfc3339(text, ret_time_s))
        return cs_err_set(err, CS_EINVAL,
                          "'%.*s' is not a date and time with its zone: write it as 2026-11-23T02:00:00Z or "
                          "2026-11-23T03:00:00+01:00",
                          (int)(text.len < 40 ? text.len : 40), (const char *)text.ptr);
    return CS_OK;
}

int cs_duration_parse(struct cs_slice text, int64_t *ret_s, struct cs_err *err)
{
    static const int64_t longest_s = INT64_C(3650) * 86400;
    struct cs_slice s = text;
    int64_t value = 0, unit = 0;

    while (s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9' && value <= longest_s)
        value = value * 10 + take_digits(&s, 1);
    if (s.len == 1)
        unit = s.ptr[0] == 's'   ? 1
               : s.ptr[0] == 'm' ? 60
               : s.ptr[0] == 'h' ? 3600
               : s.ptr[0] == 'd' ? 86400
                                 : 0;
    if (value < 1 || unit == 0 || value > longest_s / unit)
        return cs_err_set(
            err, CS_EINVAL,
            "'%.*s' is not a duration: write a whole number and s, m, h or d, as in 90s, 15m, 8h or 7d",
            (int)(text.len < 40 ? text.len : 40), (const char *)text.ptr);
    *ret_s = value * unit;
    return CS_OK;
}

char *cs_duration_text(int64_t duration_s, char *out)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

    for (size_t i = 0; i < CS_ARRAY_LEN(units); i++) {
        if (duration_s % units[i].seconds)
            continue;
        (void)snprintf(out, CS_DURATION_TEXT_BYTES, "%lld%c", (long long)(duration_s / units[i].seconds),
                       units[i].unit);
        break;
    }
    return out;
}
