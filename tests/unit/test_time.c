/* Times and durations as text, and the calendar behind them. */
#include "tests/support/check.h"

#include "shared/base/text.h"

static void reads_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t time_s;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-11-23T11:27:34Z", 1795433254},
        {"2026-11-23T11:27Z", 1795433220},
        {"2026-11-23 11:27:34Z", 1795433254},
        {"2026-11-23t11:27:34z", 1795433254},
        {"2026-11-23T12:27:34+01:00", 1795433254},
        {"2026-11-23T01:57:34-09:30", 1795433254},
        {"2026-11-24T11:26:34+23:59", 1795433254},
        {"2026-11-22T11:28:34-23:59", 1795433254},
        {"2026-11-23T11:27:34-00:00", 1795433254},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2000-02-29T00:00:00Z", 951782400},
        {"2000-03-01T00:00:00Z", 951868800},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"2106-02-07T06:28:16Z", 4294967296},
        {"0000-01-01T00:00:00Z", -62167219200},
        {"0000-02-29T00:00:00Z", -62162121600},
        {"0001-01-01T00:00:00Z", -62135596800},
        {"9999-12-31T23:59:59Z", 253402300799},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_err err;
        int64_t time_s = 42;

        check_ok(cs_time_parse(cs_slice_str(cases[i].text), &time_s, &err), err);
        if (time_s != cases[i].time_s)
            fail_msg("%s is %lld", cases[i].text, (long long)time_s);
    }
}

static void refuses_what_is_no_time(void **state)
{
    static const char *const cases[] = {
        "",
        "now",
        "2026-11-23",
        "2026-11-23T11:27:34", /* no zone: whose? */
        "2026-11-23T11:27:34 Z",
        "2026-11-23T11:27:34Z ",
        " 2026-11-23T11:27:34Z",
        "2026-11-23T11:27:34ZZ",
        "2026-11-23T11:27:34.5Z",
        "2026-11-23T11Z",
        "2026-11-23T11:27:Z",
        "2026-11-23T11:27:3Z",
        "2026-11-23T1:27:34Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:60:00Z",
        "2026-12-31T23:59:60Z", /* no leap second has a number of its own in Unix time */
        "2026-00-23T11:27:34Z",
        "2026-13-23T11:27:34Z",
        "2026-11-00T11:27:34Z",
        "2026-11-31T11:27:34Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2026-1-23T11:27:34Z",
        "+2026-11-23T11:27:34Z",
        "-001-11-23T11:27:34Z",
        "10000-01-01T00:00:00Z",
        "2026/11/23T11:27:34Z",
        "2026-11-23T11:27:34+24:00",
        "2026-11-23T11:27:34+01:60",
        "2026-11-23T11:27:34+0100",
        "2026-11-23T11:27:34+01",
        "2026-11-23T11:27:34+1:00",
        "2026-11-23_11:27:34Z",
        "\xd9\xa2\xd9\xa0\xd9\xa2\xd9\xa6-11-23T11:27:34Z",
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        int64_t untouched = 42;
        struct cs_err err;

        if (cs_time_parse(cs_slice_str(cases[i]), &untouched, &err) != CS_EINVAL)
            fail_msg("'%s' was taken", cases[i]);
        check_says(err, "2026-11-23T02:00:00Z");
        assert_int_equal(untouched, 42);
    }
    {
        int64_t untouched = 42;
        struct cs_err err;

        check_code(cs_time_parse(CS_SLICE_LIT("2026-11-23\0"
                                              "11:27:34Z"),
                                 &untouched, &err),
                   CS_EINVAL);
        check_code(cs_time_parse(CS_SLICE_EMPTY, &untouched, &err), CS_EINVAL);
    }
}

/* Cut at every length, in memory that ends there. */
static void a_time_that_is_cut_off_is_refused_within_its_bytes(void **state)
{
    static const char text[] = "2026-11-23T12:27:34+01:00";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *exact = malloc(len ? len : 1);
        int64_t untouched;
        struct cs_err err;

        assert_non_null(exact);
        memcpy(exact, text, len);
        check_code(cs_time_parse(cs_slice(exact, len), &untouched, &err), CS_EINVAL);
        check_code(cs_duration_parse(cs_slice(exact, len), &untouched, &err), CS_EINVAL);
        free(exact);
    }
}

static void every_day_comes_back(void **state)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t wanted = cs_days_from_civil(0, 1, 1);

    (void)state;
    assert_int_equal(wanted, -719528);
    for (int year = 0; year <= 2500; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (unsigned month = 1; month <= 12; month++) {
            unsigned count = (unsigned)(days[month - 1] + (month == 2 && leap));

            for (unsigned day = 1; day <= count; day++, wanted++) {
                if (cs_days_from_civil(year, month, day) != wanted)
                    fail_msg("%d-%u-%u", year, month, day);
            }
        }
    }
}

static void writes_what_it_reads(void **state)
{
    static const int64_t times_s[] = {
        0, -1, 1, 951782399, 951782400, 2147483647, 2147483648, 253402300799, -62167219200, 1795433254};
    char text[CS_TIME_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(times_s); i++) {
        int64_t again;
        struct cs_err err;

        check_ok(cs_time_parse(cs_slice_str(cs_time_text(times_s[i], text)), &again, &err), err);
        assert_true(again == times_s[i]);
    }
    assert_string_equal(cs_time_text(1795433254, text), "2026-11-23T11:27:34Z");
    assert_string_equal(cs_time_text(-1, text), "1969-12-31T23:59:59Z");
}

static void times_beyond_four_digits_of_year_are_numbers(void **state)
{
    char text[CS_TIME_TEXT_BYTES];

    (void)state;
    assert_string_equal(cs_time_text(253402300800, text), "@253402300800");
    assert_string_equal(cs_time_text(-62167219201, text), "@-62167219201");
    assert_string_equal(cs_time_text(INT64_MAX, text), "@9223372036854775807");
    assert_string_equal(cs_time_text(INT64_MIN, text), "@-9223372036854775808");
}

static void reads_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t s; /* 0: refused */
    } cases[] = {
        {"1s", 1},
        {"90s", 90},
        {"15m", 900},
        {"8h", 28800},
        {"7d", 604800},
        {"007d", 604800},
        {"3650d", 315360000},
        {"315360000s", 315360000},
        {"3651d", 0},
        {"315360001s", 0},
        {"99999999999999999999999d", 0},
        {"0s", 0},
        {"", 0},
        {"s", 0},
        {"5", 0},
        {"5 s", 0},
        {"5S", 0},
        {"5w", 0},
        {"-5s", 0},
        {"+5s", 0},
        {"1.5h", 0},
        {"1h30m", 0},
        {"5ss", 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        int64_t s = 0;
        struct cs_err err;
        int rc = cs_duration_parse(cs_slice_str(cases[i].text), &s, &err);

        if ((rc == CS_OK) != (cases[i].s != 0) || s != cases[i].s)
            fail_msg("'%s' is %lld", cases[i].text, (long long)s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rfc_3339),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(a_time_that_is_cut_off_is_refused_within_its_bytes),
        cmocka_unit_test(every_day_comes_back),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(times_beyond_four_digits_of_year_are_numbers),
        cmocka_unit_test(reads_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
