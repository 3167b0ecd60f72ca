/* Words that were meant, and tables on narrow terminals. */
#include "tests/support/check.h"

#include "controller/cli/fit.h"
#include "controller/cli/nearest.h"

#include <limits.h>

static void counts_what_must_be_typed_otherwise(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},      {"abc", "abc", 0},       {"abc", "ABC", 0},       {"abc", "", 3},
        {"", "abc", 3},   {"cret", "cert", 1},     {"improt", "import", 1}, {"kitten", "sitting", 3},
        {"ca", "abc", 3}, {"statsu", "status", 1}, {"a", "ab", 1},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        assert_int_equal(cli_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(cli_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
    assert_int_equal(cli_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"),
                     UINT_MAX);
}

static void finds_the_word_that_was_meant_or_none(void **state)
{
    static const char *const words[] = {"list", "show", "import", "attach", NULL};

    (void)state;
    assert_string_equal(cli_nearest("lsit", words), "list");
    assert_string_equal(cli_nearest("imp", words), "import");
    assert_string_equal(cli_nearest("attached", words), "attach");
    assert_null(cli_nearest("rm", words));
    assert_null(cli_nearest("frobnicate", words));
}

static void names_the_choices_where_a_value_is_none(void **state)
{
    static const char *const words[] = {"table", "wide", "json", NULL};
    struct cs_err err;
    size_t at = 9;

    (void)state;
    check_ok(cli_choose("JSON", "-o", words, &at, &err), err);
    assert_int_equal(at, 2);
    check_code(cli_choose("jsno", "-o", words, &at, &err), CS_EINVAL);
    check_says(err, "-o is table, wide or json, not \"jsno\"; did you mean \"json\"?");
    check_code(cli_choose("xml", "-o", words, &at, &err), CS_EINVAL);
    check_says(err, "not \"xml\"");
    assert_int_equal(at, 2);
}

static void narrows_the_widest_columns_first(void **state)
{
    size_t widths[] = {10, 40, 30, 12};
    const bool fixed[] = {false, false, false, false};

    (void)state;
    cli_fit(widths, fixed, 4, 2, 98);
    assert_int_equal(widths[1], 40);
    cli_fit(widths, fixed, 4, 2, 80);
    assert_int_equal(widths[0], 10);
    assert_int_equal(widths[1], 26);
    assert_int_equal(widths[2], 26);
    assert_int_equal(widths[3], 12);
}

static void leaves_names_whole_however_narrow_it_is(void **state)
{
    size_t widths[] = {16, 40, 5};
    const bool fixed[] = {true, false, false};

    (void)state;
    cli_fit(widths, fixed, 3, 2, 1);
    assert_int_equal(widths[0], 16);
    assert_int_equal(widths[1], CLI_FIT_LEAST);
    assert_int_equal(widths[2], 5);
}

static void cuts_between_letters(void **state)
{
    static const struct {
        const char *text, *cut;
        size_t width;
        bool unicode;
    } cases[] = {
        {"certificate", "certificate", 11, true},
        {"certificate", "certifi…", 8, true},
        {"certificate", "certif..", 8, false},
        {"grün und größer", "grün un…", 8, true},
        {"", "", 8, true},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf out = CS_BUF_EMPTY;

        assert_int_equal(cli_fit_cut(cs_slice_str(cases[i].text), cases[i].width, cases[i].unicode, &out),
                         CS_OK);
        assert_int_equal(out.len, strlen(cases[i].cut));
        if (out.len)
            assert_memory_equal(out.ptr, cases[i].cut, out.len);
        cs_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_must_be_typed_otherwise),
        cmocka_unit_test(finds_the_word_that_was_meant_or_none),
        cmocka_unit_test(names_the_choices_where_a_value_is_none),
        cmocka_unit_test(narrows_the_widest_columns_first),
        cmocka_unit_test(leaves_names_whole_however_narrow_it_is),
        cmocka_unit_test(cuts_between_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
