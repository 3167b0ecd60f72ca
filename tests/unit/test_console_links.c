/* The links of `countersign console`: one use each, whatever is guessed, tokens that stay. */
#include "tests/support/check.h"

#include "controller/cli/console_links.h"

static uint8_t *bytes(uint8_t first)
{
    static uint8_t all[CLI_LINK_BYTES];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(first + i);
    return all;
}

static enum cli_link_said open_it(struct cli_links *links, uint8_t secret, uint8_t token,
                                  char ret_token[CLI_LINK_TEXT_BYTES])
{
    uint8_t tried[CLI_LINK_BYTES];

    memcpy(tried, bytes(secret), sizeof tried);
    return cli_links_open(links, CS_SLICE_ARRAY(tried), bytes(token), ret_token);
}

/* RFC 4648 section 5, without padding. */
static void is_written_in_base64_for_urls(void **state)
{
    struct cli_links links = {.next = 0};
    uint8_t ones[CLI_LINK_BYTES];
    char text[CLI_LINK_TEXT_BYTES];

    (void)state;
    memset(ones, 0xff, sizeof ones);
    cli_links_renew(&links, ones, text);
    assert_string_equal(text, "__________________________________________8");
    cli_links_renew(&links, bytes(0), text);
    assert_string_equal(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
}

static void opens_once(void **state)
{
    struct cli_links links = {.next = 0};
    char text[CLI_LINK_TEXT_BYTES], token[CLI_LINK_TEXT_BYTES] = "";

    (void)state;
    assert_int_equal(open_it(&links, 0, 1, token), CLI_LINK_WRONG); /* there is none yet, and zero is none */
    cli_links_renew(&links, bytes(7), text);
    assert_false(cli_links_know(&links, cs_slice_str(text)));
    assert_int_equal(open_it(&links, 7, 100, token), CLI_LINK_OPENED);
    assert_true(cli_links_know(&links, cs_slice_str(token)));
    assert_int_equal(open_it(&links, 7, 101, token), CLI_LINK_USED_BEFORE);
    assert_int_equal(open_it(&links, 8, 101, token), CLI_LINK_WRONG);
    assert_true(cli_links_know(&links, cs_slice_str(token)));
}

/* Every user of the machine can guess; none of them can end a link so. */
static void opens_however_many_others_were_tried(void **state)
{
    struct cli_links links = {.next = 0};
    char text[CLI_LINK_TEXT_BYTES], token[CLI_LINK_TEXT_BYTES];

    (void)state;
    cli_links_renew(&links, bytes(7), text);
    assert_false(links.wrong_was_tried);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(open_it(&links, 8, 1, token), CLI_LINK_WRONG);
    assert_true(links.wrong_was_tried);
    assert_int_equal(open_it(&links, 7, 1, token), CLI_LINK_OPENED);
    cli_links_renew(&links, bytes(9), text);
    assert_false(links.wrong_was_tried);
    assert_int_equal(open_it(&links, 7, 1, token), CLI_LINK_WRONG);
    assert_int_equal(open_it(&links, 9, 1, token), CLI_LINK_OPENED);
}

static void knows_the_tokens_of_the_last_tabs_and_nothing_else(void **state)
{
    struct cli_links links = {.next = 0};
    char text[CLI_LINK_TEXT_BYTES], first[CLI_LINK_TEXT_BYTES], token[CLI_LINK_TEXT_BYTES];
    char nothing[CLI_LINK_TEXT_BYTES] = "";

    (void)state;
    assert_false(cli_links_know(&links, CS_SLICE_EMPTY));
    assert_false(cli_links_know(&links, CS_SLICE_ARRAY(nothing)));
    assert_false(cli_links_know(&links, cs_slice(nothing, sizeof nothing - 1)));
    cli_links_renew(&links, bytes(1), text);
    assert_int_equal(open_it(&links, 1, 50, first), CLI_LINK_OPENED);
    assert_false(cli_links_know(&links, cs_slice_str("")));
    assert_false(cli_links_know(&links, cs_slice(first, strlen(first) - 1)));
    for (unsigned i = 1; i < CLI_LINK_TOKENS; i++) {
        cli_links_renew(&links, bytes((uint8_t)(1 + i)), text);
        assert_int_equal(open_it(&links, (uint8_t)(1 + i), (uint8_t)(50 + i), token), CLI_LINK_OPENED);
        assert_true(cli_links_know(&links, cs_slice_str(first)));
        assert_true(cli_links_know(&links, cs_slice_str(token)));
    }
    cli_links_renew(&links, bytes(200), text);
    assert_int_equal(open_it(&links, 200, 201, token), CLI_LINK_OPENED);
    assert_false(cli_links_know(&links, cs_slice_str(first)));
}

static void knows_no_token_that_was_closed(void **state)
{
    struct cli_links links = {.next = 0};
    char text[CLI_LINK_TEXT_BYTES], first[CLI_LINK_TEXT_BYTES], second[CLI_LINK_TEXT_BYTES];

    (void)state;
    cli_links_renew(&links, bytes(1), text);
    assert_int_equal(open_it(&links, 1, 50, first), CLI_LINK_OPENED);
    cli_links_renew(&links, bytes(2), text);
    assert_int_equal(open_it(&links, 2, 51, second), CLI_LINK_OPENED);
    cli_links_close(&links, CS_SLICE_EMPTY);
    cli_links_close(&links, cs_slice(first, strlen(first) - 1));
    assert_true(cli_links_know(&links, cs_slice_str(first)));
    cli_links_close(&links, cs_slice_str(first));
    assert_false(cli_links_know(&links, cs_slice_str(first)));
    assert_true(cli_links_know(&links, cs_slice_str(second)));
    assert_int_equal(open_it(&links, 2, 52, first), CLI_LINK_USED_BEFORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_in_base64_for_urls),
        cmocka_unit_test(opens_once),
        cmocka_unit_test(opens_however_many_others_were_tried),
        cmocka_unit_test(knows_the_tokens_of_the_last_tabs_and_nothing_else),
        cmocka_unit_test(knows_no_token_that_was_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
