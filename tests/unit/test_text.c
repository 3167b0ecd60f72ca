/* Hex, base64, names and free text. */
#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"

static void hex_goes_both_ways(void **state)
{
    uint8_t bytes[4];
    char text[9];

    (void)state;
    assert_string_equal(cs_hex(CS_SLICE_LIT("\x00\x1f\xab\xff"), text), "001fabff");
    assert_string_equal(cs_hex(CS_SLICE_EMPTY, text), "");
    assert_int_equal(cs_unhex(CS_SLICE_LIT("001FaBff"), bytes, 4), CS_OK);
    assert_memory_equal(bytes, "\x00\x1f\xab\xff", 4);
    assert_int_equal(cs_unhex(CS_SLICE_LIT("00:1f:AB:ff"), bytes, 4), CS_OK);
    assert_int_equal(cs_unhex(CS_SLICE_EMPTY, bytes, 0), CS_OK);
}

static void refuses_what_is_not_the_hex_of_so_many_bytes(void **state)
{
    static const char *const cases[] = {"",       "0",      "00",    "001",    "00112", "001122",
                                        "0g11",   "00::11", ":0011", "00:11:", "0:011", " 0011",
                                        "0011\n", "00-11",  "00/1",  "00:1"};
    uint8_t bytes[2];

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        if (cs_unhex(cs_slice_str(cases[i]), bytes, 2) != CS_EPARSE)
            fail_msg("'%s' was taken", cases[i]);
}

/* RFC 4648 section 10, and the two digits that other alphabets have elsewhere. */
static void base64_is_as_rfc_4648_shows(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xfb\xff\xbf", "+/+/"}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf text = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;

        assert_int_equal(cs_base64_encode(cs_slice_str(cases[i].plain), &text), CS_OK);
        check_slice(cs_buf_slice(&text), cs_slice_str(cases[i].text));
        assert_int_equal(cs_base64_decode(cs_buf_slice(&text), &plain), CS_OK);
        check_slice(cs_buf_slice(&plain), cs_slice_str(cases[i].plain));
        cs_buf_free(&text);
        cs_buf_free(&plain);
    }
}

static void base64_survives_every_length(void **state)
{
    uint8_t bytes[100];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 200);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct cs_buf text = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;

        assert_int_equal(cs_base64_encode(cs_slice(bytes, len), &text), CS_OK);
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_int_equal(cs_base64_decode(cs_buf_slice(&text), &plain), CS_OK);
        check_slice(cs_buf_slice(&plain), cs_slice(bytes, len));
        cs_buf_free(&text);
        cs_buf_free(&plain);
    }
}

static void base64_has_one_form_for_each_value(void **state)
{
    static const struct {
        const char *says;
        struct cs_slice text;
    } cases[] = {
        {"bits that no byte carries, one pad", {(const uint8_t *)"Zm9=", 4}},
        {"bits that no byte carries, two pads", {(const uint8_t *)"Zh==", 4}},
        {"no padding", {(const uint8_t *)"Zg", 2}},
        {"half the padding", {(const uint8_t *)"Zg=", 3}},
        {"padding alone", {(const uint8_t *)"====", 4}},
        {"three pads", {(const uint8_t *)"Z===", 4}},
        {"a pad before a digit", {(const uint8_t *)"Zg=v", 4}},
        {"padding in the middle", {(const uint8_t *)"Zg==Zg==", 8}},
        {"padding behind a whole group", {(const uint8_t *)"Zm9v====", 8}},
        {"the URL alphabet", {(const uint8_t *)"-_-_", 4}},
        {"a newline", {(const uint8_t *)"Zm9v\n", 5}},
        {"a newline in four", {(const uint8_t *)"Zm9\n", 4}},
        {"a space", {(const uint8_t *)"Zm v", 4}},
        {"a NUL", {(const uint8_t *)"Zm9\0", 4}},
        {"a high byte", {(const uint8_t *)"Zm9\xff", 4}},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf out = CS_BUF_EMPTY;

        assert_int_equal(cs_buf_append_str(&out, "kept"), CS_OK);
        if (cs_base64_decode(cases[i].text, &out) != CS_EPARSE)
            fail_msg("%s was taken", cases[i].says);
        check_slice(cs_buf_slice(&out), CS_SLICE_LIT("kept"));
        cs_buf_free(&out);
    }
}

static void base64_may_be_url_safe_and_unpadded_where_that_is_allowed(void **state)
{
    static const struct {
        const char *text, *plain;
        int code;
    } cases[] = {
        {"", "", CS_OK},
        {"-_8=", "\xfb\xff", CS_OK},
        {"-_8", "\xfb\xff", CS_OK},
        {"+/8", "\xfb\xff", CS_OK},
        {"+_8=", "\xfb\xff", CS_OK},
        {"YQ", "a", CS_OK},
        {"YQ==", "a", CS_OK},
        {"YWJj", "abc", CS_OK},
        {"Y", "", CS_EPARSE},
        {"YQ=", "", CS_EPARSE},
        {"YR", "", CS_EPARSE},
        {"Y===", "", CS_EPARSE},
        {"====", "", CS_EPARSE},
        {"YQ==YQ", "", CS_EPARSE},
        {"Y Q=", "", CS_EPARSE},
        {"YWJjY", "", CS_EPARSE},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf plain = CS_BUF_EMPTY;

        check_code(cs_base64_decode_any(cs_slice_str(cases[i].text), &plain), cases[i].code);
        check_slice(cs_buf_slice(&plain), cs_slice_str(cases[i].plain));
        cs_buf_free(&plain);
    }
}

static void base64url_has_no_padding_and_other_digits(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xfb\xff\xbf", "-_-_"}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf text = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;

        assert_int_equal(cs_buf_append_str(&text, "a+/="), CS_OK); /* stays */
        assert_int_equal(cs_base64url_encode(cs_slice_str(cases[i].plain), &text), CS_OK);
        assert_true(cs_slice_starts_with(cs_buf_slice(&text), CS_SLICE_LIT("a+/=")));
        check_slice(cs_slice_from(cs_buf_slice(&text), 4), cs_slice_str(cases[i].text));
        check_code(cs_base64_decode_any(cs_slice_str(cases[i].text), &plain), CS_OK);
        check_slice(cs_buf_slice(&plain), cs_slice_str(cases[i].plain));
        cs_buf_free(&text);
        cs_buf_free(&plain);
    }
}

static void base64_respects_the_limit_of_its_buffer(void **state)
{
    struct cs_buf out = {.limit_bytes = 8};

    (void)state;
    assert_int_equal(cs_base64_encode(CS_SLICE_LIT("1234567"), &out), CS_ETOOBIG);
    assert_int_equal(out.len, 0);
    assert_int_equal(cs_base64_encode(CS_SLICE_LIT("123456"), &out), CS_OK);
    cs_buf_free(&out);
}

static void names_are_safe_everywhere(void **state)
{
    static const char longest[] = "a23456789012345678901234567890123456789012345678901234567890123";
    static const char *const good[] = {"a", "0", "Z", "gw-1", "a.b_c-d", "a..", "a-", longest};
    static const char *const bad[] = {"",    ".",   "..",  "-a",  "_a",         ".a",  "a b", "a/b",
                                      "a\n", "a\\", "a$b", "a;b", "Gr\xc3\xbc", "a:b", "a*",  "a\x7f"};
    struct cs_err err;

    (void)state;
    assert_int_equal(strlen(longest), 63);
    for (size_t i = 0; i < CS_ARRAY_LEN(good); i++)
        check_ok(cs_name_check(cs_slice_str(good[i]), "the name", &err), err);
    for (size_t i = 0; i < CS_ARRAY_LEN(bad); i++) {
        if (cs_name_check(cs_slice_str(bad[i]), "the name", &err) != CS_EINVAL)
            fail_msg("'%s' was taken", bad[i]);
        check_says(err, "the name ");
    }
    check_code(cs_name_check(CS_SLICE_LIT("a23456789012345678901234567890123456789012345678901234567890123x"),
                             "it", &err),
               CS_EINVAL);
    check_says(err, "64 bytes long");
    check_code(cs_name_check(CS_SLICE_LIT("a\0b"), "it", &err), CS_EINVAL);
}

/* Unicode 15, table 3-7: the first and last of each row, and what stands just outside. */
static void knows_utf8_from_what_only_looks_like_it(void **state)
{
    static const struct {
        struct cs_slice text;
        size_t len;
    } cases[] = {
#define CASE(text, len) {{(const uint8_t *)(text), sizeof(text) - 1}, len}
        CASE("", 0),
        CASE("\x00", 1),
        CASE("\x7f", 1),
        CASE("\x80", 0),
        CASE("\xbf", 0),
        CASE("\xc0\x80", 0),
        CASE("\xc1\xbf", 0),
        CASE("\xc2\x80", 2),
        CASE("\xc2\x7f", 0),
        CASE("\xc2\xc0", 0),
        CASE("\xc2", 0),
        CASE("\xdf\xbf", 2),
        CASE("\xe0\x9f\xbf", 0),
        CASE("\xe0\xa0\x80", 3),
        CASE("\xe0\xa0", 0),
        CASE("\xe0\xa0\x7f", 0),
        CASE("\xec\xbf\xbf", 3),
        CASE("\xed\x9f\xbf", 3),
        CASE("\xed\xa0\x80", 0),
        CASE("\xed\xbf\xbf", 0),
        CASE("\xee\x80\x80", 3),
        CASE("\xef\xbf\xbf", 3),
        CASE("\xf0\x8f\xbf\xbf", 0),
        CASE("\xf0\x90\x80\x80", 4),
        CASE("\xf0\x90\x80", 0),
        CASE("\xf0\x90\x80\xc0", 0),
        CASE("\xf3\xbf\xbf\xbf", 4),
        CASE("\xf4\x8f\xbf\xbf", 4),
        CASE("\xf4\x90\x80\x80", 0),
        CASE("\xf5\x80\x80\x80", 0),
        CASE("\xf8\x88\x80\x80\x80", 0),
        CASE("\xfe", 0),
        CASE("\xff", 0),
        CASE("a\xff", 1),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        if (cs_utf8_char(cases[i].text) != cases[i].len)
            fail_msg("case %zu gives %zu", i, cs_utf8_char(cases[i].text));
}

static void text_has_no_controls_but_newline_and_tab(void **state)
{
    static const struct {
        struct cs_slice text;
        int code;
    } cases[] = {
#define CASE(text, code) {{(const uint8_t *)(text), sizeof(text) - 1}, code}
        CASE("", CS_OK),
        CASE("two\nlines\tand a tab", CS_OK),
        CASE("Gr\xc3\xbc\xc3\x9f"
             "e \xf0\x9f\x94\x91 \xc2\xa0",
             CS_OK),
        CASE("a\r", CS_EINVAL),
        CASE("a\0b", CS_EINVAL),
        CASE("\x1b[31m", CS_EINVAL),
        CASE("a\x7f", CS_EINVAL),
        CASE("a\xc2\x80", CS_EINVAL),
        CASE("a\xc2\x9f", CS_EINVAL),
        CASE("a\xc2", CS_EINVAL),
        CASE("0123456789012345678901234567890", CS_OK),
        CASE("01234567890123456789012345678901", CS_OK),
        CASE("012345678901234567890123456789012", CS_ETOOBIG),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_err err = {0};

        check_code(cs_text_check(cases[i].text, 32, "the comment", &err), cases[i].code);
        assert_true(cases[i].code == CS_OK || strstr(err.msg, "the comment "));
    }
}

static void what_is_no_utf8_is_repaired(void **state)
{
    static const struct {
        const char *text, *repaired;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"f\xc3\xbcr", "f\xc3\xbcr"},
        {"cut \xc3", "cut ?"},
        {"\xff\xe2\x82", "???"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        char text[16];

        memcpy(text, cases[i].text, strlen(cases[i].text) + 1);
        cs_utf8_repair(text);
        assert_string_equal(text, cases[i].repaired);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(refuses_what_is_not_the_hex_of_so_many_bytes),
        cmocka_unit_test(base64_is_as_rfc_4648_shows),
        cmocka_unit_test(base64_survives_every_length),
        cmocka_unit_test(base64_has_one_form_for_each_value),
        cmocka_unit_test(base64_may_be_url_safe_and_unpadded_where_that_is_allowed),
        cmocka_unit_test(base64url_has_no_padding_and_other_digits),
        cmocka_unit_test(base64_respects_the_limit_of_its_buffer),
        cmocka_unit_test(names_are_safe_everywhere),
        cmocka_unit_test(knows_utf8_from_what_only_looks_like_it),
        cmocka_unit_test(what_is_no_utf8_is_repaired),
        cmocka_unit_test(text_has_no_controls_but_newline_and_tab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
