/* Results as tables and as JSON. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "controller/cli/out.h"
#include "shared/base/text.h"

#include <stdio.h>

enum { SHOWN_VECTORS = 14 };

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

/* The pages in a browser are tested with the same. */
static void cleans_as_the_vectors_say(void **state)
{
    FILE *file = fopen(CS_TEST_VECTORS "/shown-text.txt", "r");
    char line[512], raw[256], shown[256];
    size_t seen = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        struct cs_buf out = CS_BUF_EMPTY;
        uint8_t bytes[2][128];

        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%255s %255s", raw, shown), 2);
        assert_int_equal(cs_unhex(cs_slice_str(raw), bytes[0], strlen(raw) / 2), CS_OK);
        assert_int_equal(cs_unhex(cs_slice_str(shown), bytes[1], strlen(shown) / 2), CS_OK);
        assert_int_equal(cli_clean(cs_slice(bytes[0], strlen(raw) / 2), &out), CS_OK);
        check_slice(cs_buf_slice(&out), cs_slice(bytes[1], strlen(shown) / 2));
        cs_buf_free(&out);
        seen++;
    }
    fclose(file);
    assert_int_equal(seen, SHOWN_VECTORS);
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

static const struct cli_column wide_columns[] = {
    {"name", "NAME", 0}, {"id", "ID", CLI_ID}, {"note", "NOTE", 0}, {"extra", "EXTRA", CLI_WIDE}};

static struct cli_doc *wide_sample(void)
{
    static const uint8_t id[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct cli_doc *doc = cli_doc_new();

    cli_table(doc, "rows", wide_columns, CS_ARRAY_LEN(wide_columns), "none");
    CLI_ROW(doc, cli_text("a"), cli_hex(CS_SLICE_ARRAY(id)), cli_text("a note that is rather long"),
            cli_text("x"));
    CLI_ROW(doc, cli_text("b"), cli_hex(CS_SLICE_ARRAY(id)), cli_text(""), cli_text("y"));
    return doc;
}

static void writes_a_list_in_every_format(void **state)
{
    static const struct {
        struct cli_style style;
        const char *text;
    } cases[] = {
        {{.format = CLI_FORMAT_TABLE},
         "NAME  ID                NOTE\n"
         "a     0102030405060708  a note that is rather long\n"
         "b     0102030405060708  -\n"},
        {{.format = CLI_FORMAT_TABLE, .no_headers = true, .width = 34, .unicode = true},
         "a  0102030405060708  a note that …\n"
         "b  0102030405060708  -\n"},
        {{.format = CLI_FORMAT_WIDE},
         "NAME  ID                NOTE                        EXTRA\n"
         "a     0102030405060708  a note that is rather long  x\n"
         "b     0102030405060708  -                           y\n"},
        {{.format = CLI_FORMAT_JSONL, .json = true},
         "{\"name\":\"a\",\"id\":\"0102030405060708090a\",\"note\":\"a note that is rather "
         "long\",\"extra\":\"x\"}\n"
         "{\"name\":\"b\",\"id\":\"0102030405060708090a\",\"note\":\"\",\"extra\":\"y\"}\n"},
        {{.format = CLI_FORMAT_NAME, .json = true}, "0102030405060708090a\n0102030405060708090a\n"},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = wide_sample();

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto_free char *text = written(doc, cases[i].style);

        assert_string_equal(text, cases[i].text);
    }
}

static void the_name_of_a_single_thing_is_its_first_or_marked_field(void **state)
{
    const struct cli_style style = {.json = true, .format = CLI_FORMAT_NAME};
    cs_auto(cli_doc_freep) struct cli_doc *first = sample(), *marked = cli_doc_new();
    cs_auto_free char *first_text = written(first, style), *lines = NULL, *marked_text = NULL;

    (void)state;
    cli_field(marked, "state", "State", cli_text("fine"));
    cli_field(marked, "request", "Request", cli_text("REQ-1\nREQ-2"));
    cli_named(marked);
    cli_field(marked, "comment", "Comment", cli_text("none"));
    marked_text = written(marked, style);
    lines = written(marked, (struct cli_style){.json = true, .format = CLI_FORMAT_JSONL});
    assert_string_equal(first_text, "fine\n");
    /* What the controller says must not become another argument of the next command. */
    assert_string_equal(marked_text, "REQ-1 REQ-2\n");
    assert_string_equal(lines, "{\"state\":\"fine\",\"request\":\"REQ-1\\nREQ-2\",\"comment\":\"none\"}\n");
}

/* The same rows, page by page. */
static char *paged(struct cli_style style, size_t rows, size_t page)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct cs_err err;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    cli_table(doc, "rows", columns, CS_ARRAY_LEN(columns), "none");
    for (size_t i = 0; i < rows; i++) {
        CLI_ROW(doc, cli_text(i == 700 ? "a long one" : "short"), cli_number(i), cli_hex(CS_SLICE_EMPTY));
        if (i % page == page - 1)
            check_ok(cli_doc_page(doc, stream, style, &err), err);
    }
    check_ok(cli_doc_write(doc, stream, style, &err), err);
    fclose(stream);
    return text;
}

static void pages_say_what_the_whole_says(void **state)
{
    static const enum cli_format formats[] = {CLI_FORMAT_JSON, CLI_FORMAT_JSONL, CLI_FORMAT_NAME};
    static const size_t sizes[] = {0, 1, 50, 499, 500, 501, 1200};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(formats); i++) {
        for (size_t k = 0; k < CS_ARRAY_LEN(sizes); k++) {
            const struct cli_style style = {.json = true, .format = formats[i]};
            cs_auto_free char *whole = paged(style, sizes[k], SIZE_MAX);
            cs_auto_free char *pages = paged(style, sizes[k], 50);

            assert_string_equal(pages, whole);
        }
    }
}

static void write_pages(void *data)
{
    const struct cli_style *style = data;
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    FILE *stream = fopen("/dev/null", "w");
    struct cs_err err;
    int rc = CS_OK;

    cli_table(doc, "rows", columns, CS_ARRAY_LEN(columns), "none");
    for (size_t i = 0; rc == CS_OK && i < 3; i++) {
        CLI_ROW(doc, cli_text("a name"), cli_number(i), cli_hex(CS_SLICE_EMPTY));
        rc = stream ? cli_doc_flush(doc, stream, *style, &err) : CS_ENOMEM;
    }
    if (rc == CS_OK)
        rc = cli_doc_write(doc, stream, *style, &err);
    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    if (stream)
        fclose(stream);
}

static void writes_pages_or_says_that_memory_is_short(void **state)
{
    struct cli_style styles[] = {{.format = CLI_FORMAT_TABLE, .width = 20},
                                 {.format = CLI_FORMAT_JSON, .json = true},
                                 {.format = CLI_FORMAT_JSONL, .json = true},
                                 {.format = CLI_FORMAT_NAME, .json = true}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(styles); i++)
        assert_true(alloc_fail_run(write_pages, &styles[i]) > 0);
}

static void widths_grow_from_page_to_page(void **state)
{
    cs_auto_free char *text = paged((struct cli_style){0}, 1200, 50);
    cs_auto_free char *few = paged((struct cli_style){0}, 400, 50);

    (void)state;
    assert_int_equal(strncmp(text, "NAME   COUNT  ID\n", 17), 0);
    assert_non_null(strstr(text, "\nshort    499  -\n"));
    assert_non_null(strstr(text, "\na long one    700  -\n"));
    assert_non_null(strstr(text, "\nshort        1199  -\n"));
    assert_non_null(strstr(few, "\nshort    399  -\n"));
}

static void tells_only_the_rows_that_changed(void **state)
{
    const struct cli_style style = {.json = true, .format = CLI_FORMAT_JSONL};
    cs_auto(cli_doc_freep) struct cli_doc *before = wide_sample(), *now = wide_sample(), *out = cli_doc_new();
    cs_auto_free char *text = NULL;
    struct cs_err err;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    (void)state;
    CLI_ROW(now, cli_text("c"), cli_hex(CS_SLICE_EMPTY), cli_text("new"), cli_text(""));
    cli_table(out, "rows", wide_columns, CS_ARRAY_LEN(wide_columns), NULL);
    cli_add_changed(out, before, now);
    check_ok(cli_doc_flush(out, stream, style, &err), err);
    cli_add_changed(out, now, now);
    check_ok(cli_doc_flush(out, stream, style, &err), err);
    cli_add_changed(out, NULL, before);
    check_ok(cli_doc_flush(out, stream, (struct cli_style){.json = true, .format = CLI_FORMAT_NAME}, &err),
             err);
    fclose(stream);
    assert_string_equal(text, "{\"name\":\"c\",\"id\":null,\"note\":\"new\",\"extra\":\"\"}\n"
                              "0102030405060708090a\n0102030405060708090a\n");
}

static void colour_follows_the_environment(void **state)
{
    static const struct {
        const char *no_color, *force;
        bool colour;
    } cases[] = {
        {NULL, NULL, false}, {NULL, "1", true}, {NULL, "0", false}, {"1", "1", false}, {"", "1", true}};
    FILE *stream = tmpfile();

    (void)state;
    assert_non_null(stream);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        unsetenv("NO_COLOR");
        unsetenv("CLICOLOR_FORCE");
        if (cases[i].no_color)
            setenv("NO_COLOR", cases[i].no_color, 1);
        if (cases[i].force)
            setenv("CLICOLOR_FORCE", cases[i].force, 1);
        assert_int_equal(cli_style_of(stream, CLI_FORMAT_WIDE).colour, cases[i].colour);
        assert_false(cli_style_of(stream, CLI_FORMAT_JSON).colour);
        assert_int_equal(cli_style_of(stream, CLI_FORMAT_TABLE).width, 0);
    }
    fclose(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligns_columns_by_what_is_seen),
        cmocka_unit_test(writes_json_with_whole_ids),
        cmocka_unit_test(colours_only_when_asked),
        cmocka_unit_test(says_what_an_empty_table_means),
        cmocka_unit_test(cleans_what_could_deceive_on_a_terminal),
        cmocka_unit_test(cleans_as_the_vectors_say),
        cmocka_unit_test(lists_are_arrays_in_json),
        cmocka_unit_test(writes_a_list_in_every_format),
        cmocka_unit_test(the_name_of_a_single_thing_is_its_first_or_marked_field),
        cmocka_unit_test(pages_say_what_the_whole_says),
        cmocka_unit_test(writes_pages_or_says_that_memory_is_short),
        cmocka_unit_test(widths_grow_from_page_to_page),
        cmocka_unit_test(tells_only_the_rows_that_changed),
        cmocka_unit_test(colour_follows_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
