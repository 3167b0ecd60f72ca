/* When devices were admitted, as far as this client has seen it. */
#include "tests/support/check.h"

#include "controller/cli/known.h"

#include <stdio.h>

static void keeps_the_later_time_and_the_order(void **state)
{
    static const char text[] =
        "gw-2 2026-01-02T00:00:00Z\ngw-1 2026-01-01T00:00:00Z\ngw-2 2026-01-01T00:00:00Z\n";
    struct cli_known known = {0};
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(cli_known_parse(cs_slice_str(text), "devices", &known, &err), err);
    assert_int_equal(known.count, 2);
    assert_int_equal(cli_known_since(&known, "gw-2"), 1767312000);
    assert_int_equal(cli_known_since(&known, "gw-3"), 0);
    known.changed = false;
    check_ok(cli_known_note(&known, "gw-2", 5, &err), err);
    assert_false(known.changed);
    check_ok(cli_known_note(&known, "gw-0", 1767312000, &err), err);
    assert_true(known.changed);
    assert_int_equal(cli_known_write(&known, &out), CS_OK);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("gw-0 2026-01-02T00:00:00Z\ngw-1 2026-01-01T00:00:00Z\n"
                                                 "gw-2 2026-01-02T00:00:00Z\n"));
    assert_true(cli_known_forget(&known, "gw-1"));
    assert_false(cli_known_forget(&known, "gw-1"));
    assert_int_equal(cli_known_since(&known, "gw-1"), 0);
    assert_int_equal(cli_known_since(&known, "gw-2"), 1767312000);
    cs_buf_free(&out);
    cli_known_free(&known);
}

static void refuses_a_line_that_is_none(void **state)
{
    static const char *const texts[] = {
        "gw-1\n",
        "gw-1 \n",
        "gw-1 yesterday\n",
        "Ga w 2026-01-01T00:00:00Z\n",
        "\n",
        " 2026-01-01T00:00:00Z\n",
        "gw-1 2026-01-01T00:00:00Z x\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 2026-01-01T00:00:00Z\n",
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(texts); i++) {
        struct cli_known known = {0};
        struct cs_err err;

        check_code(cli_known_parse(cs_slice_str(texts[i]), "devices", &known, &err), CS_EPARSE);
        check_says(err, "devices line 1");
        cli_known_free(&known);
    }
}

static void holds_many(void **state)
{
    struct cli_known known = {0};
    struct cs_err err;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "gw-%u", i * 7919 % 2000);
        check_ok(cli_known_note(&known, name, i + 1, &err), err);
    }
    assert_int_equal(known.count, 2000);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "gw-%u", i * 7919 % 2000);
        assert_int_equal(cli_known_since(&known, name), i + 1);
    }
    cli_known_free(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_later_time_and_the_order),
        cmocka_unit_test(refuses_a_line_that_is_none),
        cmocka_unit_test(holds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
