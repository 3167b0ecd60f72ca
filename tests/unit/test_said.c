/* What somebody said becomes one line for a report, without anything that may be a key. */
#include "agent/port/said.h"

#include <stdio.h>

#include "tests/support/check.h"

static void check_said(const char *says, struct cs_slice bytes, const char *wanted)
{
    /* Whole, and one byte at a time. */
    for (size_t step = bytes.len ? bytes.len : 1; step > 0; step = step > 1 ? 1 : 0) {
        struct ag_said said = {.len = 0};

        for (size_t at = 0; at < bytes.len; at += step)
            ag_said_hear(&said, cs_slice(bytes.ptr + at, step));
        const char *text = ag_said_text(&said);

        if (strcmp(text, wanted) != 0)
            fail_msg("%s: '%s' where '%s' was wanted", says, text, wanted);
    }
}

#define LINE64 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2"

static void becomes_one_line_of_printable_ascii(void **state)
{
    static const struct {
        const char *says;
        struct cs_slice bytes;
        const char *wanted;
    } cases[] = {
        {"nothing", CS_SLICE_LIT(""), ""},
        {"only line ends", CS_SLICE_LIT("\n\r\n\n"), ""},
        {"two lines", CS_SLICE_LIT("one\ntwo\n"), "one | two"},
        {"line ends of all kinds", CS_SLICE_LIT("one\r\ntwo\rthree\n\n\nfour"), "one | two | three | four"},
        {"blanks and tabs", CS_SLICE_LIT("  a \t b\n  c  \n"), "a b | c"},
        {"NULs", CS_SLICE_LIT("a\0\0b"), "a b"},
        {"colours", CS_SLICE_LIT("\x1b[1;31mfailed\x1b[0m: no\x1b[K"), "failed: no"},
        {"an escape that never ends", CS_SLICE_LIT("a\x1b[12;\nb"), "a | b"},
        {"a lone escape", CS_SLICE_LIT("a\x1b"), "a"},
        {"UTF-8", CS_SLICE_LIT("na\xc3\xafve"), "na??ve"},
        {"a bell, a backspace, a delete", CS_SLICE_LIT("a\x07\x08\x7f!"), "a !"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        check_said(cases[i].says, cases[i].bytes, cases[i].wanted);
}

static void leaves_out_what_may_be_a_key(void **state)
{
    static const struct {
        const char *says;
        struct cs_slice bytes;
        const char *wanted;
    } cases[] = {
        {"a PEM key",
         CS_SLICE_LIT("bad key:\n-----BEGIN PRIVATE KEY-----\n" LINE64 "\n" LINE64 "\nXg==\n"
                      "-----END PRIVATE KEY-----\ngiving up\n"),
         "bad key: | -----BEGIN PRIVATE KEY----- | [...] | [...] | -----END PRIVATE KEY----- | giving up"},
        {"with carriage returns and blanks", CS_SLICE_LIT(LINE64 "\r\n  Xg==\r\nerror: 3\r\n"),
         "[...] | error: 3"},
        {"in the middle of a line", CS_SLICE_LIT("key=" LINE64 ", refused"), "[...], refused"},
        {"a word below it", CS_SLICE_LIT(LINE64 "\nreload failed\n"), "[...] | reload failed"},
        {"47 of them", CS_SLICE_LIT("0123456789012345678901234567890123456789abcdefg"),
         "0123456789012345678901234567890123456789abcdefg"},
        {"48 of them", CS_SLICE_LIT("0123456789012345678901234567890123456789abcdefgh"), "[...]"},
        {"a path", CS_SLICE_LIT("/etc/ssl/private/example.org/privkey.pem: no such file"),
         "/etc/ssl/private/example.org/privkey.pem: no such file"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        check_said(cases[i].says, cases[i].bytes, cases[i].wanted);
}

static void keeps_the_end_of_much(void **state)
{
    struct ag_said said = {.len = 0};
    const char *text;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        char line[32];
        int len = snprintf(line, sizeof line, "line %u\n", i);

        ag_said_hear(&said, cs_slice(line, (size_t)len));
    }
    text = ag_said_text(&said);
    assert_int_equal(strlen(text), AG_LIMIT_COMMAND_OUTPUT - 1);
    assert_non_null(strstr(text, " | line 99998 | line 99999"));
}

/* However a key is cut by what falls out at the front, no piece of it is shown. */
static void shows_no_piece_of_a_key_at_its_edge(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 3 * AG_LIMIT_COMMAND_OUTPUT; after++) {
        struct ag_said said = {.len = 0};

        ag_said_hear(&said, CS_SLICE_LIT("-----BEGIN PRIVATE KEY-----\n" LINE64 "\n" LINE64 "\nQQ==\n"));
        for (unsigned i = 0; i < after; i++)
            ag_said_hear(&said, CS_SLICE_LIT("."));
        const char *text = ag_said_text(&said);

        assert_null(strstr(text, "MIGH"));
        assert_null(strstr(text, "hb2"));
        assert_null(strstr(text, "QQ"));
    }
}

static void a_flood_without_an_end_is_one_mark(void **state)
{
    struct ag_said said = {.len = 0};

    (void)state;
    for (unsigned i = 0; i < 1000000; i++)
        ag_said_hear(&said, CS_SLICE_LIT("yyyy"));
    assert_string_equal(ag_said_text(&said), "[...]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes_one_line_of_printable_ascii),
        cmocka_unit_test(leaves_out_what_may_be_a_key),
        cmocka_unit_test(keeps_the_end_of_much),
        cmocka_unit_test(shows_no_piece_of_a_key_at_its_edge),
        cmocka_unit_test(a_flood_without_an_end_is_one_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
