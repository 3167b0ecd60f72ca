/* Errors: one code, one sentence that fits its room and is fit to be shown. */
#include "tests/support/check.h"

#include "shared/base/text.h"

static void a_code_comes_with_its_sentence(void **state)
{
    struct cs_err err = {0};

    (void)state;
    assert_int_equal(cs_err_set(&err, CS_EPARSE, "field %d of %s", 3, "x"), CS_EPARSE);
    assert_int_equal(err.code, CS_EPARSE);
    assert_string_equal(err.msg, "field 3 of x");
    assert_int_equal(cs_err_nomem(&err), CS_ENOMEM);
    assert_string_equal(err.msg, "out of memory");
    assert_int_equal(cs_err_set(NULL, CS_EIO, "nobody asked"), CS_EIO);
}

static void a_prefix_says_where_it_happened(void **state)
{
    struct cs_err err;

    (void)state;
    cs_err_set(&err, CS_EIO, "disk");
    assert_int_equal(cs_err_prefix(&err, "saving %s", "a.pem"), CS_EIO);
    assert_string_equal(err.msg, "saving a.pem: disk");
    assert_int_not_equal(cs_err_prefix(NULL, "x"), CS_OK);
}

/* Prefixes and sentences of every length around the room that there is. */
static void what_is_too_long_is_cut(void **state)
{
    char text[600];
    struct cs_err err;

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        cs_err_set(&err, CS_EIO, "%s", text);
        assert_int_equal(strlen(err.msg), len < sizeof err.msg ? len : sizeof err.msg - 1);
        cs_err_set(&err, CS_EIO, "%s", "rest");
        cs_err_prefix(&err, "%s", text);
        assert_int_equal(strlen(err.msg), len + 6 < sizeof err.msg ? len + 6 : sizeof err.msg - 1);
        cs_err_set(&err, CS_EIO, "%s", text);
        cs_err_prefix(&err, "in");
        assert_int_equal(strlen(err.msg), len + 4 < sizeof err.msg ? len + 4 : sizeof err.msg - 1);
    }
}

static void a_sentence_is_always_clean_utf8(void **state)
{
    static const struct {
        const char *from, *wanted;
    } cases[] = {
        {"Grüße", "Grüße"},
        {"a\nb\tc\x1b[m", "a?b?c?[m"},
        {"\xff", "?"},
        {"\xc3", "?"},
        {"\xc2\x9b", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91"},
    };
    char text[sizeof((struct cs_err *)0)->msg + 8];
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_err_set(&err, CS_EIO, "%s", cases[i].from);
        assert_string_equal(err.msg, cases[i].wanted);
    }
    /* A character that the end of the room goes through. */
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t at = shift; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "\xf0\x9f\x94\x91", 4);
        text[sizeof text - 1] = '\0';
        cs_err_set(&err, CS_EIO, "%s", text);
        assert_int_equal(cs_text_check(cs_slice_str(err.msg), 1000, "it", NULL), CS_OK);
        cs_err_prefix(&err, "in");
        assert_int_equal(cs_text_check(cs_slice_str(err.msg), 1000, "it", NULL), CS_OK);
    }
}

static void every_code_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int code = CS_OK; code <= CS_EINTERNAL; code++) {
        assert_string_not_equal(cs_code_text(code), "unknown");
        for (int other = CS_OK; other < code; other++)
            assert_string_not_equal(cs_code_text(code), cs_code_text(other));
    }
    assert_string_equal(cs_code_text(-1), "unknown");
    assert_string_equal(cs_code_text(CS_EINTERNAL + 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_comes_with_its_sentence),   cmocka_unit_test(a_prefix_says_where_it_happened),
        cmocka_unit_test(what_is_too_long_is_cut),          cmocka_unit_test(a_sentence_is_always_clean_utf8),
        cmocka_unit_test(every_code_has_a_text_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
