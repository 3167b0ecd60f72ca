/* When devices were admitted, as far as this client has seen it. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

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

static void a_newer_admission_has_to_be_verified_anew(void **state)
{
    static const char digits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const struct cs_digest other = {{1}};
    struct cli_known known = {0};
    struct cs_digest digest;
    struct cs_buf out = CS_BUF_EMPTY;
    char text[256];
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_SHA256_BYTES; i++)
        digest.bytes[i] = (uint8_t)i;
    snprintf(text, sizeof text, "gw-1 2026-01-02T00:00:00Z %s\ngw-1 2026-01-01T00:00:00Z\n", digits);
    check_ok(cli_known_parse(cs_slice_str(text), "devices", &known, &err), err);
    assert_true(cli_known_verified(&known, "gw-1", &digest));
    assert_false(cli_known_verified(&known, "gw-1", &other));
    assert_false(cli_known_verified(&known, "gw-2", &digest));
    assert_int_equal(cli_known_write(&known, &out), CS_OK);
    text[strchr(text, '\n') + 1 - text] = '\0';
    check_slice(cs_buf_slice(&out), cs_slice_str(text));
    check_ok(cli_known_note(&known, "gw-1", 1767312001, &err), err);
    assert_false(cli_known_verified(&known, "gw-1", &digest));
    cli_known_note_verified(&known, "gw-1", &other);
    assert_true(cli_known_verified(&known, "gw-1", &other));
    cs_buf_free(&out);
    cli_known_free(&known);
}

static void a_digest_is_of_the_policy_and_of_every_statement(void **state)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = calloc(1, sizeof *reply);
    struct deployment d;
    struct cs_digest before, after;

    (void)state;
    assert_non_null(reply);
    deployment_make(&d);
    CS_PB_SET(&reply->admission, CS_SLICE_LIT("an admission"));
    before = cli_known_digest(d.policy, reply);
    reply->renewals_count = 1;
    CS_PB_SET(&reply->renewals[0], CS_SLICE_LIT("a renewal"));
    after = cli_known_digest(d.policy, reply);
    assert_memory_not_equal(before.bytes, after.bytes, sizeof before.bytes);
    reply->renewals[0].bytes[0] ^= 1;
    before = cli_known_digest(d.policy, reply);
    assert_memory_not_equal(before.bytes, after.bytes, sizeof before.bytes);
    reply->renewals_count = 0;
    reply->admission.bytes[0] ^= 1;
    before = cli_known_digest(d.policy, reply);
    reply->admission.bytes[0] ^= 1;
    after = cli_known_digest(d.policy, reply);
    assert_memory_not_equal(before.bytes, after.bytes, sizeof before.bytes);
    deployment_free(&d);
}

static void read_and_write(void *data)
{
    struct cli_known known = {0};
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;
    int rc = cli_known_parse(cs_slice_str(data), "devices", &known, &err);

    if (rc == CS_OK)
        rc = cli_known_write(&known, &out);
    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    if (rc == CS_OK)
        check_slice(cs_buf_slice(&out), cs_slice_str(data));
    cs_buf_free(&out);
    cli_known_free(&known);
}

static void does_without_memory(void **state)
{
    char text[40 * 64] = "";
    size_t used = 0;

    (void)state;
    for (unsigned i = 10; i < 50; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "gw-%u 2026-01-01T00:00:00Z\n", i);
    assert_true(alloc_fail_run(read_and_write, text) > 0);
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
        "gw-1 2026-01-01T00:00:00Z 0001\n",
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
        cmocka_unit_test(a_newer_admission_has_to_be_verified_anew),
        cmocka_unit_test(a_digest_is_of_the_policy_and_of_every_statement),
        cmocka_unit_test(does_without_memory),
        cmocka_unit_test(refuses_a_line_that_is_none),
        cmocka_unit_test(holds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
