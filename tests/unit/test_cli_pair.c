/* The link by which a browser is paired, between text and bytes, and what proves that its holder made a key.
 */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "controller/cli/pair_link.h"

#include <stdio.h>

static struct cli_pair_link example(void)
{
    struct cli_pair_link link;

    memset(link.authentication, 0xff, sizeof link.authentication);
    memset(link.binding, 1, sizeof link.binding);
    memset(link.deployment_id, 2, sizeof link.deployment_id);
    return link;
}

static void a_link_goes_through_its_text(void **state)
{
    struct cli_pair_link link = example(), again;
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_code(cli_pair_link_write(&link, "https://controller.example:9443", &text), CS_OK);
    check_ok(cli_pair_link_parse(cs_buf_slice(&text), &again, &err), err);
    assert_memory_equal(&link, &again, sizeof link);
    check_slice(
        cs_buf_slice(&text),
        CS_SLICE_LIT("https://controller.example:9443/pair#__________________________________________8."
                     "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE.AgICAgICAgICAgICAgICAg"));
    cs_buf_free(&text);
}

static void refuses_what_is_cut_or_mistyped(void **state)
{
    static const char *const wrong[] = {
        "",
        "https://controller.example:9443/pair",
        "https://controller.example:9443/pair#",
        "https://controller.example:9443/pair#a.b.c",
        "https://controller.example:9443/pair#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
        "https://controller.example:9443/pair#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE."
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
        "https://controller.example:9443/pair#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE."
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE.AgICAgICAgICAgICAgIC",
        "https://controller.example:9443/pair#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE."
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE.AgICAgICAgICAgICAgICAg.AgIC",
        "https://controller.example:9443/pair#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ!."
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE.AgICAgICAgICAgICAgICAg",
    };
    struct cli_pair_link link;
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++)
        if (cli_pair_link_parse(cs_slice_str(wrong[i]), &link, &err) == CS_OK)
            fail_msg("%s", wrong[i]);
}

/* Each part of what it is made over changes it. */
static void the_mac_is_of_the_half_the_deployment_and_the_key(void **state)
{
    const struct cs_slice key = CS_SLICE_LIT("a key"), other = CS_SLICE_LIT("another");
    struct cli_pair_link link = example();
    struct cs_digest mac = cli_pair_link_mac(&link, key), changed = cli_pair_link_mac(&link, other);

    (void)state;
    assert_false(cs_digest_eq(&mac, &changed));
    link.authentication[0] ^= 1;
    changed = cli_pair_link_mac(&link, key);
    assert_true(cs_digest_eq(&mac, &changed));
    link.binding[31] ^= 1;
    changed = cli_pair_link_mac(&link, key);
    assert_false(cs_digest_eq(&mac, &changed));
    link = example();
    link.deployment_id[15] ^= 1;
    changed = cli_pair_link_mac(&link, key);
    assert_false(cs_digest_eq(&mac, &changed));
}

static void go_through_text(void *data)
{
    struct cli_pair_link link = example(), again;
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;
    int rc = cli_pair_link_write(&link, "http://127.0.0.1:9443", &text);

    (void)data;
    if (rc == CS_OK)
        rc = cli_pair_link_parse(cs_buf_slice(&text), &again, &err);
    assert_true(rc == CS_OK || alloc_fail_happened());
    if (rc == CS_OK)
        assert_memory_equal(&link, &again, sizeof link);
    cs_buf_free(&text);
}

static void without_memory_no_link_is_cut(void **state)
{
    (void)state;
    assert_true(alloc_fail_run(go_through_text, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_goes_through_its_text),
        cmocka_unit_test(refuses_what_is_cut_or_mistyped),
        cmocka_unit_test(the_mac_is_of_the_half_the_deployment_and_the_key),
        cmocka_unit_test(without_memory_no_link_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
