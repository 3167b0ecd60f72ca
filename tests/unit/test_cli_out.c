/* Results as tables and as JSON. */
#include "tests/support/check.h"

#include "controller/cli/out.h"

#include <stdio.h>

static const struct cli_column columns[] = {
    {"name", "NAME", false}, {"count", "COUNT", true}, {"id", "ID", false}};

/* The document as text; free() it. */
static char *written(const struct cli_doc *doc, struct cli_style style)
{
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    struct cs_err err;

    assert_non_null(stream);
    check_ok(cli_doc_write(doc, stream, style, &err), err);
    fclose(stream);
    return text;
}

static struct cli_doc *sample(void)
{
    static const uint8_t id[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "state", "State", cli_tinted("fine", CLI_GREEN));
    cli_field(doc, "seen", "Last seen", cli_time(0));
    cli_table(doc, "rows", columns, CS_ARRAY_LEN(columns), "none");
    CLI_ROW(doc, cli_text("a"), cli_number(5), cli_hex(CS_SLICE_ARRAY(id)));
    CLI_ROW(doc, cli_text("gérard"), cli_number(1234), cli_hex(CS_SLICE_EMPTY));
    cli_hint(doc, "Next: %s", "rest");
    return doc;
}

static void aligns_columns_by_what_is_seen(void **state)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = sample();
    cs_auto_free char *text = written(doc, (struct cli_style){0});

    (void)state;
    assert_string_equal(text, "State      fine\n"
                              "Last seen  -\n"
                              "\n"
                              "NAME    COUNT  ID\n"
                              "a           5  0102030405060708\n"
                              "gérard   1234  -\n"
                              "\n"
                              "Next: rest\n");
}

static void writes_json_with_whole_ids(void **state)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = sample();
    cs_auto_free char *text = written(doc, (struct cli_style){.json = true});

    (void)state;
    assert_string_equal(text, "{\n"
                              "  \"state\": \"fine\",\n"
                              "  \"seen\": null,\n"
                              "  \"rows\": [\n"
                              "    {\n"
                              "      \"name\": \"a\",\n"
                              "      \"count\": 5,\n"
                              "      \"id\": \"0102030405060708090a\"\n"
                              "    },\n"
                              "    {\n"
                              "      \"name\": \"gérard\",\n"
                              "      \"count\": 1234,\n"
                              "      \"id\": null\n"
                              "    }\n"
                              "  ]\n"
                              "}\n");
}

static void colours_only_when_asked(void **state)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = sample();
    cs_auto_free char *plain = written(doc, (struct cli_style){0});
    cs_auto_free char *coloured = written(doc, (struct cli_style){.colour = true});

    (void)state;
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(coloured, "\033[32mfine\033[0m"));
}

static void says_what_an_empty_table_means(void **state)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free char *text = NULL, *json = NULL;

    (void)state;
    cli_table(doc, "rows", columns, CS_ARRAY_LEN(columns), "There is nothing.");
    text = written(doc, (struct cli_style){0});
    json = written(doc, (struct cli_style){.json = true});
    assert_string_equal(text, "There is nothing.\n");
    assert_string_equal(json, "{\n  \"rows\": []\n}\n");
}

static void cleans_what_could_deceive_on_a_terminal(void **state)
{
    static const struct {
        const char *raw, *clean;
    } cases[] = {
        {"plain", "plain"},
        {"gérard ☂ 𝄞", "gérard ☂ 𝄞"},
        {"two\nlines\tand tabs", "two lines and tabs"},
        {"\033[2Jcleared", "?[2Jcleared"},
        {"c1 \xc2\x9b"
         "31m",
         "c1 ??31m"},
        {"turned \xe2\x80\xae"
         "around",
         "turned ???around"},
        {"broken \xc3", "broken ?"},
        {"overlong \xc0\xaf", "overlong ??"},
        {"del\x7f", "del?"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf out = CS_BUF_EMPTY;

        assert_int_equal(cli_clean(cs_slice_str(cases[i].raw), &out), CS_OK);
        check_slice(cs_buf_slice(&out), cs_slice_str(cases[i].clean));
        cs_buf_free(&out);
    }
}

static void lists_are_arrays_in_json(void **state)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free char *text = NULL, *json = NULL;

    (void)state;
    cli_field(doc, "names", "Names", cli_list(cs_slice_str("a\nb")));
    text = written(doc, (struct cli_style){0});
    json = written(doc, (struct cli_style){.json = true});
    assert_string_equal(text, "Names  a, b\n");
    assert_string_equal(json, "{\n  \"names\": [\n    \"a\",\n    \"b\"\n  ]\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligns_columns_by_what_is_seen),
        cmocka_unit_test(writes_json_with_whole_ids),
        cmocka_unit_test(colours_only_when_asked),
        cmocka_unit_test(says_what_an_empty_table_means),
        cmocka_unit_test(cleans_what_could_deceive_on_a_terminal),
        cmocka_unit_test(lists_are_arrays_in_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
