/* Times as people type them: words, zones, and the two days a year on which a clock is not what it seems. The
 * reader's zones are POSIX rules, so that most of this needs no tzdata. */
#include "tests/support/check.h"

#include "controller/cli/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void read_in(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static int64_t utc(const char *text)
{
    int64_t time_s = 0;
    struct cs_err err;

    check_ok(cs_time_parse(cs_slice_str(text), &time_s, &err), err);
    return time_s;
}

struct good {
    const char *now, *text, *zone, *means;
};

static void check_good(const struct good *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char got[CS_TIME_TEXT_BYTES];
        struct cs_err err = {0};
        int64_t time_s = 0;

        if (cli_when_parse(cases[i].text, cases[i].zone, utc(cases[i].now), &time_s, &err) != CS_OK)
            fail_msg("%s: %s", cases[i].text, err.msg);
        if (strcmp(cs_time_text(time_s, got), cases[i].means) != 0)
            fail_msg("%s at %s is %s, not %s", cases[i].text, cases[i].now, got, cases[i].means);
    }
}

struct bad {
    const char *now, *text, *zone, *says;
};

static void check_bad(const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cs_err err = {0};
        int64_t time_s = 42;

        if (cli_when_parse(cases[i].text, cases[i].zone, utc(cases[i].now), &time_s, &err) != CS_EINVAL)
            fail_msg("'%s' was taken", cases[i].text);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("'%s': '%s' does not say '%s'", cases[i].text, err.msg, cases[i].says);
        assert_int_equal(time_s, 42);
    }
}

#define NOW "2026-11-23T18:00:00Z" /* a Monday, 19:00 in Berlin */

static void words_and_dates_become_one_moment(void **state)
{
    static const struct good cases[] = {
        {NOW, "2026-12-24T02:00:00Z", NULL, "2026-12-24T02:00:00Z"},
        {NOW, "2026-12-24T02:00:00+05:30", NULL, "2026-12-23T20:30:00Z"},
        {NOW, "2026-12-24 02:00+01:00", NULL, "2026-12-24T01:00:00Z"},
        {NOW, "in 3h", NULL, "2026-11-23T21:00:00Z"},
        {NOW, "In 90s", NULL, "2026-11-23T18:01:30Z"},
        {NOW, "today 22:00", NULL, "2026-11-23T21:00:00Z"},
        {NOW, "tomorrow 02:00", NULL, "2026-11-24T01:00:00Z"},
        {NOW, "TOMORROW 02:00", NULL, "2026-11-24T01:00:00Z"},
        {NOW, "tomorrow 02:00 UTC", NULL, "2026-11-24T02:00:00Z"},
        {NOW, "tomorrow 02:00Z", NULL, "2026-11-24T02:00:00Z"},
        {NOW, "tomorrow 02:00 -08:00", NULL, "2026-11-24T10:00:00Z"},
        {NOW, "tomorrow 02:00-08:00", NULL, "2026-11-24T10:00:00Z"},
        {NOW, "tomorrow 02:00", "+02:00", "2026-11-24T00:00:00Z"},
        {NOW, "2026-12-24 02:00", NULL, "2026-12-24T01:00:00Z"},
        {NOW, "2026-12-24T02:00", NULL, "2026-12-24T01:00:00Z"},
        {NOW, "2026-12-24T02:00:30", "UTC", "2026-12-24T02:00:30Z"},
        {NOW, "2026-07-01 02:00", NULL, "2026-07-01T00:00:00Z"},
        {NOW, "  2026-12-24   02:00  ", NULL, "2026-12-24T01:00:00Z"},
        /* Today's where it is ahead, else in a week. */
        {NOW, "monday 20:00", NULL, "2026-11-23T19:00:00Z"},
        {NOW, "monday 02:00", NULL, "2026-11-30T01:00:00Z"},
        {NOW, "mon 19:00", NULL, "2026-11-30T18:00:00Z"},
        {NOW, "tuesday 02:00", NULL, "2026-11-24T01:00:00Z"},
        {NOW, "sunday 23:59:59", NULL, "2026-11-29T22:59:59Z"},
        /* Leap days, years, and their ends. */
        {NOW, "2028-02-29 12:00 UTC", NULL, "2028-02-29T12:00:00Z"},
        {"2028-02-28T12:00:00Z", "tomorrow 12:00 UTC", NULL, "2028-02-29T12:00:00Z"},
        {"2027-02-28T12:00:00Z", "tomorrow 12:00 UTC", NULL, "2027-03-01T12:00:00Z"},
        {"2026-12-31T22:30:00Z", "tomorrow 02:00", NULL, "2027-01-01T01:00:00Z"},
        /* It is tomorrow in Berlin already. */
        {"2026-12-31T23:30:00Z", "tomorrow 02:00", NULL, "2027-01-02T01:00:00Z"},
        {NOW, "9999-12-31 23:59:59 UTC", NULL, "9999-12-31T23:59:59Z"},
        {NOW, "2000-02-29 00:00 UTC", NULL, "2000-02-29T00:00:00Z"},
    };

    (void)state;
    read_in(BERLIN);
    check_good(cases, CS_ARRAY_LEN(cases));
}

static void what_is_no_time_is_told_what_one_is(void **state)
{
    static const struct bad cases[] = {
        {NOW, "", NULL, "tomorrow 02:00"},
        {NOW, "soon", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow", NULL, "tomorrow 02:00"},
        {NOW, "02:00", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 2:00", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 24:00", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 02:60", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 02:00:60", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 0x:00", NULL, "tomorrow 02:00"},
        {NOW, "mo 02:00", NULL, "tomorrow 02:00"},
        {NOW, "2026-12-24", NULL, "tomorrow 02:00"},
        {NOW, "24.12.2026 02:00", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 02:00 Berlin now", NULL, "tomorrow 02:00"},
        {NOW, "tomorrow 02:00 UTC UTC UTC", NULL, "too many words"},
        {NOW, "in 3 hours", NULL, "not a duration"},
        {NOW, "in 3h", "UTC", "leave --zone out"},
        {NOW, "2026-02-29 02:00", NULL, "2026-02-29 does not exist: that month has 28 days"},
        {NOW, "2026-02-29T02:00:00Z", NULL, "that month has 28 days"},
        {NOW, "2100-02-29 02:00", NULL, "28 days"},
        {NOW, "2026-13-01 02:00", NULL, "12 months"},
        {NOW, "2026-00-01 02:00", NULL, "12 months"},
        {NOW, "2026-04-31 02:00", NULL, "30 days"},
        {NOW, "2026-04-00 02:00", NULL, "does not exist"},
        {NOW, "1969-12-31 02:00", NULL, "outside 1970"},
        {NOW, "1970-01-01 00:00 UTC", NULL, "outside the years"},
        {NOW, "1970-01-01T00:00:00Z", NULL, "outside the years"},
        {NOW, "9999-12-31 23:59:59 -01:00", NULL, "outside the years"},
        {NOW, "today 18:59", NULL, "is over already: it was 2026-11-23T18:59:00+01:00"},
        {NOW, "today 19:00", NULL, "is over already"},
        {NOW, "tomorrow 02:00 +25:00", NULL, "is no zone"},
        {NOW, "tomorrow 02:00+1", NULL, "is no zone"},
        {NOW, "tomorrow 02:00 ../../etc/passwd", NULL, "is no zone"},
        {NOW, "tomorrow 02:00 /etc/localtime", NULL, "is no zone"},
        {NOW, "tomorrow 02:00", "", "is no zone"},
        {NOW, "tomorrow 02:00 Nowhere/Land", NULL, "\"Nowhere/Land\" is not known on this machine"},
        {NOW, "tomorrow 02:00 UTC", "UTC", "given twice"},
        {NOW, "2026-12-24T02:00:00Z", "Europe/Berlin", "given twice"},
    };

    (void)state;
    read_in(BERLIN);
    check_bad(cases, CS_ARRAY_LEN(cases));
}

/* 2027-03-28: from 02:00 to 03:00. 2027-10-31: from 03:00 back to 02:00. */
static void a_time_that_is_skipped_is_refused_with_its_neighbours(void **state)
{
    static const struct bad bad[] = {
        {NOW, "2027-03-28 02:30", NULL,
         "2027-03-28T02:30 does not exist in your zone, the clock jumps over it: the nearest times are "
         "2027-03-28T01:59:00+01:00 and 2027-03-28T03:00:00+02:00"},
        {NOW, "2027-03-28 02:00", NULL, "does not exist"},
        {NOW, "2027-03-28 02:59:59", NULL, "does not exist"},
        {"2027-03-27T12:00:00Z", "tomorrow 02:30", NULL, "does not exist"},
        {"2027-03-27T12:00:00Z", "sunday 02:30", NULL, "does not exist"},
    };
    static const struct good good[] = {
        {NOW, "2027-03-28 01:59:59", NULL, "2027-03-28T00:59:59Z"},
        {NOW, "2027-03-28 03:00", NULL, "2027-03-28T01:00:00Z"},
        {NOW, "2027-03-28 02:30 +01:00", NULL, "2027-03-28T01:30:00Z"},
        /* Tomorrow is 23 hours away. */
        {"2027-03-27T11:00:00Z", "tomorrow 12:00", NULL, "2027-03-28T10:00:00Z"},
    };

    (void)state;
    read_in(BERLIN);
    check_bad(bad, CS_ARRAY_LEN(bad));
    check_good(good, CS_ARRAY_LEN(good));
}

static void a_time_that_comes_twice_is_refused_with_both(void **state)
{
    static const struct bad bad[] = {
        {NOW, "2027-10-31 02:30", NULL,
         "2027-10-31T02:30 comes twice in your zone, because the clock is put back: write "
         "2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00"},
        {NOW, "2027-10-31 02:00", NULL, "comes twice"},
        {NOW, "2027-10-31 02:59:59", NULL, "comes twice"},
    };
    static const struct good good[] = {
        {NOW, "2027-10-31 01:59:59", NULL, "2027-10-30T23:59:59Z"},
        {NOW, "2027-10-31 03:00", NULL, "2027-10-31T02:00:00Z"},
        {NOW, "2027-10-31 02:30 +02:00", NULL, "2027-10-31T00:30:00Z"},
        {NOW, "2027-10-31 02:30+01:00", NULL, "2027-10-31T01:30:00Z"},
        {NOW, "2027-10-31T02:30:00+01:00", NULL, "2027-10-31T01:30:00Z"},
        /* Tomorrow is 25 hours away. */
        {"2027-10-30T10:00:00Z", "tomorrow 12:00", NULL, "2027-10-31T11:00:00Z"},
    };

    (void)state;
    read_in(BERLIN);
    check_bad(bad, CS_ARRAY_LEN(bad));
    check_good(good, CS_ARRAY_LEN(good));
}

/* Each hour of three years, forth and back: what a zone has once is found, and nothing else. */
static void every_hour_that_is_once_there_is_found(void **state)
{
    static const char *const zones[] = {BERLIN, "UTC0", "NST3:30NDT,M3.2.0,M11.1.0",
                                        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"};
    unsigned refused = 0;

    (void)state;
    for (size_t z = 0; z < CS_ARRAY_LEN(zones); z++) {
        read_in(zones[z]);
        for (int64_t at = utc("2026-01-01T00:00:00Z"); at < utc("2029-01-01T00:00:00Z"); at += 1800) {
            char text[CS_TIME_TEXT_BYTES], bare[CS_TIME_TEXT_BYTES];
            struct cs_err err;
            int64_t back = 0;

            cli_when_text(at, text);
            check_ok(cli_when_parse(text, NULL, at, &back, &err), err);
            assert_int_equal(back, at);
            (void)snprintf(bare, sizeof bare, "%.19s", text);
            if (cli_when_parse(bare, NULL, at, &back, &err) == CS_OK) {
                assert_int_equal(back, at);
            } else {
                assert_non_null(strstr(err.msg, "comes twice"));
                refused++;
            }
        }
    }
    /* Three autumns; the hour that is put back has four half hours, at Lord Howe two. */
    assert_int_equal(refused, 3 * (4 + 4 + 2));
}

static void a_time_is_shown_in_the_readers_zone_with_its_offset(void **state)
{
    char text[CS_TIME_TEXT_BYTES];

    (void)state;
    read_in(BERLIN);
    assert_string_equal(cli_when_text(utc("2026-12-24T02:00:00Z"), text), "2026-12-24T03:00:00+01:00");
    assert_string_equal(cli_when_text(utc("2026-07-24T23:00:00Z"), text), "2026-07-25T01:00:00+02:00");
    read_in("NST3:30");
    assert_string_equal(cli_when_text(utc("2026-01-01T00:00:00Z"), text), "2025-12-31T20:30:00-03:30");
    read_in("UTC0");
    assert_string_equal(cli_when_text(utc("2026-12-24T02:00:00Z"), text), "2026-12-24T02:00:00Z");
    assert_string_equal(cli_when_text(INT64_MAX / 2, text), cs_time_text(INT64_MAX / 2, (char[64]){0}));
}

static void zones_have_names_where_the_machine_knows_them(void **state)
{
    static const struct good cases[] = {
        {NOW, "tomorrow 02:00 Europe/Berlin", NULL, "2026-11-24T01:00:00Z"},
        {NOW, "tomorrow 02:00", "America/New_York", "2026-11-24T07:00:00Z"},
        {NOW, "2026-07-01 02:00 Asia/Kolkata", NULL, "2026-06-30T20:30:00Z"},
        {"2026-11-23T18:00:00Z", "tomorrow 02:00 Pacific/Auckland", NULL, "2026-11-24T13:00:00Z"},
    };
    static const struct bad bad[] = {
        /* A day that Samoa never had. */
        {NOW, "2011-12-30 12:00 Pacific/Apia", NULL,
         "the nearest times are 2011-12-29T23:59:00-10:00 and 2011-12-31T00:00:00+14:00"},
        {NOW, "2027-10-31 02:30 Europe/Berlin", NULL, "comes twice in Europe/Berlin"},
    };

    (void)state;
    if (access("/usr/share/zoneinfo/Pacific/Apia", R_OK) != 0)
        skip();
    read_in("UTC0");
    check_good(cases, CS_ARRAY_LEN(cases));
    check_bad(bad, CS_ARRAY_LEN(bad));
    assert_string_equal(getenv("TZ"), "UTC0");
    unsetenv("TZ");
    check_good(cases, CS_ARRAY_LEN(cases));
    assert_null(getenv("TZ"));
}

static void a_machine_without_zones_says_so(void **state)
{
    static const struct bad named[] = {
        {NOW, "tomorrow 02:00 Europe/Berlin", NULL, "install tzdata, or give the offset (+01:00) or UTC"}};
    static const struct bad readers[] = {{NOW, "tomorrow 02:00", NULL, "\"Europe/Berlin\" is not known"}};
    static const struct good good[] = {{NOW, "tomorrow 02:00 +01:00", NULL, "2026-11-24T01:00:00Z"},
                                       {NOW, "tomorrow 02:00 UTC", NULL, "2026-11-24T02:00:00Z"}};

    (void)state;
    setenv("TZDIR", "/nonexistent", 1);
    read_in("UTC0");
    check_bad(named, CS_ARRAY_LEN(named));
    read_in("Europe/Berlin");
    check_bad(readers, CS_ARRAY_LEN(readers));
    check_good(good, CS_ARRAY_LEN(good));
    unsetenv("TZDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_dates_become_one_moment),
        cmocka_unit_test(what_is_no_time_is_told_what_one_is),
        cmocka_unit_test(a_time_that_is_skipped_is_refused_with_its_neighbours),
        cmocka_unit_test(a_time_that_comes_twice_is_refused_with_both),
        cmocka_unit_test(every_hour_that_is_once_there_is_found),
        cmocka_unit_test(a_time_is_shown_in_the_readers_zone_with_its_offset),
        cmocka_unit_test(zones_have_names_where_the_machine_knows_them),
        cmocka_unit_test(a_machine_without_zones_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
