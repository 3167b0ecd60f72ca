#include "controller/cli/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400, ZONE_BYTES = 64, TEXT_BYTES = 96, LATEST_YEAR = 9999 };

/* ---- zones */

enum zone_kind { ZONE_READER, ZONE_OFFSET, ZONE_NAMED };

struct zone {
    enum zone_kind kind;
    int64_t offset_s; /* ZONE_OFFSET */
    char name[ZONE_BYTES];
};

/* "Europe/Berlin", "UTC": of these characters, and never a path out of the folder of zones. */
static bool is_zone_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < ZONE_BYTES && (name[0] | 0x20) >= 'a' && !strstr(name, "..") &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

/* The C library takes a zone that it does not find for UTC, without a word. */
static int check_zone_file(const char *name, struct cs_err *err)
{
    const char *folder = getenv("TZDIR");
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (access(path, R_OK) == 0)
        return CS_OK;
    return cs_err_set(err, CS_EINVAL,
                      "the zone \"%s\" is not known on this machine: write it as in Europe/Berlin, install "
                      "tzdata, or give the offset (+01:00) or UTC",
                      name);
}

static bool parse_offset(const char *text, int64_t *ret_s)
{
    unsigned hours, minutes;
    char sign, end;

    if (strcasecmp(text, "Z") == 0 || strcasecmp(text, "UTC") == 0) {
        *ret_s = 0;
        return true;
    }
    if (strlen(text) != 6 || sscanf(text, "%c%2u:%2u%c", &sign, &hours, &minutes, &end) != 3)
        return false;
    if ((sign != '+' && sign != '-') || hours > 23 || minutes > 59)
        return false;
    *ret_s = (sign == '-' ? -1 : 1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

static int parse_zone(const char *text, struct zone *ret, struct cs_err *err)
{
    struct zone zone = {.kind = ZONE_OFFSET};
    int rc;

    if (!parse_offset(text, &zone.offset_s)) {
        if (!is_zone_name(text))
            return cs_err_set(err, CS_EINVAL,
                              "\"%.40s\" is no zone: write Europe/Berlin, an offset such as +01:00, or UTC",
                              text);
        zone.kind = ZONE_NAMED;
        (void)snprintf(zone.name, sizeof zone.name, "%s", text);
        rc = check_zone_file(zone.name, err);
        if (rc != CS_OK)
            return rc;
    }
    *ret = zone;
    return CS_OK;
}

/* The reader's own: a name in TZ that is not there would silently be UTC. */
static int check_reader_zone(struct cs_err *err)
{
    const char *name = getenv("TZ");

    if (name && name[0] == ':')
        name++;
    if (!name || !strchr(name, '/') || name[0] == '/' || !is_zone_name(name))
        return CS_OK; /* the system's, a POSIX rule, or a file of the reader's own */
    return check_zone_file(name, err);
}

/* TZ as it was, to be put back. */
struct kept {
    char *value;
    bool switched;
};

static struct kept enter(const struct zone *zone)
{
    const char *before = getenv("TZ");
    struct kept kept = {NULL, zone->kind == ZONE_NAMED};

    if (kept.switched) {
        kept.value = before ? strdup(before) : NULL;
        setenv("TZ", zone->name, 1);
    }
    tzset();
    return kept;
}

static void leave(struct kept kept)
{
    if (!kept.switched)
        return;
    if (kept.value)
        setenv("TZ", kept.value, 1);
    else
        unsetenv("TZ");
    free(kept.value);
    tzset();
}

/* Inside enter() and leave(). */
static int64_t offset_at(const struct zone *zone, int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm tm;

    if (zone->kind == ZONE_OFFSET)
        return zone->offset_s;
    return localtime_r(&time, &tm) ? tm.tm_gmtoff : 0;
}

/* "2026-12-24T03:00:00+01:00". */
static char *text_with(int64_t time_s, int64_t offset_s, char *out)
{
    char local[CS_TIME_TEXT_BYTES];
    int64_t size_s = offset_s < 0 ? -offset_s : offset_s;
    size_t len;

    cs_time_text(time_s + offset_s, local);
    len = strlen(local);
    if (offset_s == 0 || local[len - 1] != 'Z')
        return memcpy(out, local, len + 1);
    (void)snprintf(out, CS_TIME_TEXT_BYTES, "%.19s%c%02d:%02d", local, offset_s < 0 ? '-' : '+',
                   (int)(size_s / 3600), (int)(size_s / 60 % 60));
    return out;
}

char *cli_when_text(int64_t time_s, char *out)
{
    const struct zone reader = {.kind = ZONE_READER};

    tzset();
    return text_with(time_s, offset_at(&reader, time_s), out);
}

/* ---- a local time and what it is in UTC */

/* Seconds since 1970 as if the zone were UTC. */
struct local {
    int64_t seconds;
};

static const char *name_of(const struct zone *zone)
{
    return zone->kind == ZONE_NAMED ? zone->name : "your zone";
}

static int refuse_gap(const struct zone *zone, struct local local, int64_t before_s, int64_t after_s,
                      struct cs_err *err)
{
    /* The clock jumps somewhere between these two, an offset apart from the local time on either side. */
    int64_t low_s = local.seconds - DAY_S, high_s = local.seconds + DAY_S;
    char wanted[CS_TIME_TEXT_BYTES], earlier[CS_TIME_TEXT_BYTES], later[CS_TIME_TEXT_BYTES];

    while (high_s - low_s > 1) {
        int64_t middle_s = low_s + (high_s - low_s) / 2;

        if (offset_at(zone, middle_s) == before_s)
            low_s = middle_s;
        else
            high_s = middle_s;
    }
    cs_time_text(local.seconds, wanted);
    return cs_err_set(err, CS_EINVAL,
                      "%.16s does not exist in %s, the clock jumps over it: the nearest times are %s and %s",
                      wanted, name_of(zone), text_with(high_s - 60, before_s, earlier),
                      text_with(high_s, after_s, later));
}

static int refuse_twice(const struct zone *zone, struct local local, int64_t first_s, int64_t second_s,
                        struct cs_err *err)
{
    char wanted[CS_TIME_TEXT_BYTES], first[CS_TIME_TEXT_BYTES], second[CS_TIME_TEXT_BYTES];

    cs_time_text(local.seconds, wanted);
    return cs_err_set(err, CS_EINVAL,
                      "%.16s comes twice in %s, because the clock is put back: write %s or %s", wanted,
                      name_of(zone), text_with(first_s, local.seconds - first_s, first),
                      text_with(second_s, local.seconds - second_s, second));
}

/* Inside enter() and leave(). A zone changes its offset at most once in two days, so the offsets of a day
 * before and a day after are all that can hold. */
static int to_utc(const struct zone *zone, struct local local, int64_t *ret_s, struct cs_err *err)
{
    const int64_t before_s = offset_at(zone, local.seconds - DAY_S);
    const int64_t after_s = offset_at(zone, local.seconds + DAY_S);
    const int64_t first_s = local.seconds - before_s, second_s = local.seconds - after_s;
    const bool first = offset_at(zone, first_s) == before_s, second = offset_at(zone, second_s) == after_s;

    if (!first && !second)
        return refuse_gap(zone, local, before_s, after_s, err);
    if (first && second && first_s != second_s)
        return refuse_twice(zone, local, first_s, second_s, err);
    *ret_s = first ? first_s : second_s;
    return CS_OK;
}

/* ---- words */

struct words {
    char text[TEXT_BYTES];
    char *word[4];
    size_t count;
};

static int split(const char *text, struct words *ret, struct cs_err *err)
{
    char *rest = NULL;

    if (strlen(text) >= sizeof ret->text)
        return cs_err_set(err, CS_EINVAL, "\"%.40s…\" is too long for a time", text);
    memcpy(ret->text, text, strlen(text) + 1);
    ret->count = 0;
    for (char *word = strtok_r(ret->text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (ret->count == CS_ARRAY_LEN(ret->word))
            return cs_err_set(err, CS_EINVAL, "\"%.60s\" has too many words for a time", text);
        ret->word[ret->count++] = word;
    }
    return CS_OK;
}

static int refuse_form(const char *text, struct cs_err *err)
{
    return cs_err_set(
        err, CS_EINVAL,
        "\"%.60s\" is no time: write \"tomorrow 02:00\", \"monday 02:00\", \"2026-12-24 02:00\", "
        "\"in 3h\" or 2026-12-24T02:00:00Z, with a zone (Europe/Berlin, +01:00, UTC) where it is "
        "not yours",
        text);
}

/* "02:00" or "02:00:30"; seconds of the day, -1 for anything else. */
static int64_t parse_clock(const char *text)
{
    unsigned hour, minute, second = 0;
    int used = 0;

    if (strspn(text, "0123456789:") != strlen(text) || (strlen(text) != 5 && strlen(text) != 8))
        return -1;
    if (sscanf(text, "%2u:%2u%n", &hour, &minute, &used) != 2 || used != 5)
        return -1;
    if (text[5] && (sscanf(text + 5, ":%2u%n", &second, &used) != 1 || used != 3))
        return -1;
    if (hour > 23 || minute > 59 || second > 59)
        return -1;
    return (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
}

/* A date of the calendar in days since 1970; INT64_MIN when the text has not that form. */
static int parse_date(const char *text, int64_t *ret_days, struct cs_err *err)
{
    unsigned year, month, day;
    int64_t next, first;
    int used = 0;

    *ret_days = INT64_MIN;
    if (strlen(text) != 10 || sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &used) != 3 || used != 10)
        return CS_OK;
    if (year < 1970 || year > LATEST_YEAR)
        return cs_err_set(err, CS_EINVAL, "the year %u is outside 1970 to %d", year, LATEST_YEAR);
    if (month < 1 || month > 12)
        return cs_err_set(err, CS_EINVAL, "%s: there are 12 months", text);
    first = cs_days_from_civil(year, month, 1);
    next = month == 12 ? cs_days_from_civil(year + 1, 1, 1) : cs_days_from_civil(year, month + 1, 1);
    if (day < 1 || day > next - first)
        return cs_err_set(err, CS_EINVAL, "%s does not exist: that month has %d days", text,
                          (int)(next - first));
    *ret_days = first + day - 1;
    return CS_OK;
}

/* 0 is Sunday; -1: no weekday. 1970-01-01 was a Thursday. */
static int parse_weekday(const char *text)
{
    static const char *const names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};

    for (size_t i = 0; i < CS_ARRAY_LEN(names); i++)
        if (strcasecmp(text, names[i]) == 0 || (strlen(text) == 3 && strncasecmp(text, names[i], 3) == 0))
            return (int)i;
    return -1;
}

static int weekday_of(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7);
}

struct asked {
    const char *text;
    const char *day;
    int64_t clock_s;
    int64_t now_s;
    const struct zone *zone;
};

/* Today's if it is still ahead, else the one a week later. */
static int next_weekday(const struct asked *asked, int64_t today, int weekday, int64_t *ret_s,
                        struct cs_err *err)
{
    int64_t day = today + (weekday - weekday_of(today) + 7) % 7;
    int rc = to_utc(asked->zone, (struct local){day * DAY_S + asked->clock_s}, ret_s, err);

    if (day != today || (rc == CS_OK && *ret_s > asked->now_s))
        return rc;
    return to_utc(asked->zone, (struct local){(day + 7) * DAY_S + asked->clock_s}, ret_s, err);
}

static int resolve(const struct asked *asked, int64_t *ret_s, struct cs_err *err)
{
    const int64_t local_now_s = asked->now_s + offset_at(asked->zone, asked->now_s);
    const int64_t today = (local_now_s - ((local_now_s % DAY_S + DAY_S) % DAY_S)) / DAY_S;
    const int weekday = parse_weekday(asked->day);
    char over[CS_TIME_TEXT_BYTES];
    int64_t day;
    int rc = parse_date(asked->day, &day, err);

    if (rc != CS_OK)
        return rc;
    if (weekday >= 0)
        return next_weekday(asked, today, weekday, ret_s, err);
    if (strcasecmp(asked->day, "today") == 0)
        day = today;
    else if (strcasecmp(asked->day, "tomorrow") == 0)
        day = today + 1;
    else if (day == INT64_MIN)
        return refuse_form(asked->text, err);
    rc = to_utc(asked->zone, (struct local){day * DAY_S + asked->clock_s}, ret_s, err);
    if (rc == CS_OK && day == today && strcasecmp(asked->day, "today") == 0 && *ret_s <= asked->now_s)
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is over already: it was %s", asked->text,
                          text_with(*ret_s, offset_at(asked->zone, *ret_s), over));
    return rc;
}

/* "02:00+01:00", "02:00Z": cuts the zone off a clock. */
static char *zone_behind(char *clock)
{
    char *at = clock + strspn(clock, "0123456789:");

    return at != clock && (*at == '+' || *at == '-' || *at == 'Z' || *at == 'z') ? at : NULL;
}

/* DAY and CLOCK, which may be one word with a T; what follows is the zone. */
static int find_parts(const char *text, struct words *words, struct asked *ret, char zone_text[ZONE_BYTES],
                      struct cs_err *err)
{
    size_t used = 2;
    char *clock, *zone;

    if (words->count && strlen(words->word[0]) > 11 && (words->word[0][10] | 0x20) == 't') {
        words->word[0][10] = '\0';
        clock = words->word[0] + 11;
        used = 1;
    } else if (words->count < 2) {
        return refuse_form(text, err);
    } else {
        clock = words->word[1];
    }
    zone = zone_behind(clock);
    if (words->count > used + 1 || (zone && words->count > used))
        return refuse_form(text, err);
    (void)snprintf(zone_text, ZONE_BYTES, "%.63s",
                   zone                  ? zone
                   : words->count > used ? words->word[used]
                                         : "");
    if (zone)
        *zone = '\0';
    ret->day = words->word[0];
    ret->clock_s = parse_clock(clock);
    return ret->clock_s < 0 ? refuse_form(text, err) : CS_OK;
}

static int find_zone(const char *in_text, const char *apart, struct zone *ret, struct cs_err *err)
{
    if (in_text[0] && apart)
        return cs_err_set(err, CS_EINVAL, "the zone is given twice: %s and --zone %.60s", in_text, apart);
    if (in_text[0] || apart)
        return parse_zone(in_text[0] ? in_text : apart, ret, err);
    *ret = (struct zone){.kind = ZONE_READER};
    return check_reader_zone(err);
}

static int parse_local(const char *text, const char *zone_apart, int64_t now_s, int64_t *ret_s,
                       struct cs_err *err)
{
    struct asked asked = {.text = text, .now_s = now_s};
    char zone_text[ZONE_BYTES];
    struct words words;
    struct zone zone;
    struct kept kept;
    int rc = split(text, &words, err);

    if (rc == CS_OK)
        rc = find_parts(text, &words, &asked, zone_text, err);
    if (rc == CS_OK)
        rc = find_zone(zone_text, zone_apart, &zone, err);
    if (rc != CS_OK)
        return rc;
    asked.zone = &zone;
    kept = enter(&zone);
    rc = resolve(&asked, ret_s, err);
    leave(kept);
    return rc;
}

int cli_when_parse(const char *text, const char *zone, int64_t now_s, int64_t *ret_s, struct cs_err *err)
{
    int64_t time_s, wait_s;
    int rc;

    if (strncasecmp(text, "in ", 3) == 0) {
        if (zone)
            return cs_err_set(err, CS_EINVAL, "\"%.60s\" needs no zone: leave --zone out", text);
        rc = cs_duration_parse(cs_slice_str(text + 3), &wait_s, err);
        time_s = rc == CS_OK ? now_s + wait_s : 0;
    } else if (cs_time_parse(cs_slice_str(text), &time_s, NULL) == CS_OK) {
        rc = zone ? cs_err_set(err, CS_EINVAL, "the zone is given twice: in %.60s and as --zone %.60s", text,
                               zone)
                  : CS_OK;
    } else {
        rc = parse_local(text, zone, now_s, &time_s, err);
    }
    if (rc != CS_OK)
        return rc;
    /* What statements can say: proto/README.md, invariant 9. */
    if (time_s < 1 || time_s > INT64_C(253402300799))
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is outside the years 1970 to %d", text, LATEST_YEAR);
    *ret_s = time_s;
    return CS_OK;
}
