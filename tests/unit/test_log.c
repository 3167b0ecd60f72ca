/* Log lines: what a stranger puts into one, and what becomes of one that is too long. */
#include "tests/support/check.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <unistd.h>
#include <yyjson.h>

enum { NOW_S = 1700000000 };

struct rendered {
    char text[4096];
    size_t len;
};

static struct rendered render(enum cs_log_format format, size_t room, const char *msg,
                              const struct cs_log_field *fields)
{
    struct rendered r = {.text = ""};
    char *exact = malloc(room); /* so that a write behind it is seen */

    assert_non_null(exact);
    cs_log_setup(format, CS_LOG_INFO);
    r.len = cs_log_render(exact, room, NOW_S, CS_LOG_WARN, "session", msg, fields);
    assert_true(r.len <= room && r.len < sizeof r.text);
    memcpy(r.text, exact, r.len);
    free(exact);
    cs_log_setup(CS_LOG_LOGFMT, CS_LOG_INFO);
    return r;
}

static yyjson_doc *parse(const struct rendered *line)
{
    yyjson_doc *doc = yyjson_read(line->text, line->len, 0);

    if (!doc)
        fail_msg("not JSON: %s", line->text);
    assert_int_equal(line->text[line->len - 1], '\n');
    return doc;
}

static void writes_logfmt_with_quotes_only_where_needed(void **state)
{
    struct rendered line =
        render(CS_LOG_LOGFMT, 2048, "agent connected",
               (const struct cs_log_field[]){CS_F("device", "gw-1"), CS_F("peer", "a=b"), CS_F("error", ""),
                                             CS_F("name", "Grüße"), CS_FU("streams", -3), CS_FEND});

    (void)state;
    assert_string_equal(line.text, "ts=2023-11-14T22:13:20Z level=warn group=session msg=\"agent connected\" "
                                   "device=gw-1 peer=\"a=b\" error=\"\" name=Grüße streams=-3\n");
}

static void writes_json(void **state)
{
    struct rendered line =
        render(CS_LOG_JSON, 2048, "agent connected",
               (const struct cs_log_field[]){CS_F("device", "gw-1"), CS_FU("n", 5), CS_FEND});

    (void)state;
    assert_string_equal(line.text,
                        "{\"ts\":\"2023-11-14T22:13:20Z\",\"level\":\"warn\",\"group\":\"session\","
                        "\"msg\":\"agent connected\",\"device\":\"gw-1\",\"n\":5}\n");
}

/* A value that would end its line, move a cursor or break the encoding. */
static void escapes_what_a_stranger_sent(void **state)
{
    static const struct {
        const char *value, *logfmt, *json;
    } cases[] = {
        {"a\nlevel=info", "\"a\\u000alevel=info\"", "a\nlevel=info"},
        {"\x1b[2J", "\"\\u001b[2J\"", "\x1b[2J"},
        {"\x7f", "\"\\u007f\"", "\x7f"},
        {"\xc2\x9b"
         "2J",
         "\"\\u009b2J\"",
         "\xc2\x9b"
         "2J"},
        {"say \"hi\"", "\"say \\\"hi\\\"\"", "say \"hi\""},
        {"C:\\x", "\"C:\\\\x\"", "C:\\x"},
        {"\xff\xc3", "\"\\ufffd\\ufffd\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct cs_log_field fields[] = {CS_F("peer", cases[i].value), CS_FEND};
        struct rendered logfmt = render(CS_LOG_LOGFMT, 2048, "m", fields);
        struct rendered json = render(CS_LOG_JSON, 2048, "m", fields);
        yyjson_doc *doc = parse(&json);

        *strchr(logfmt.text, '\n') = '\0';
        assert_string_equal(strstr(logfmt.text, "peer=") + 5, cases[i].logfmt);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "peer")), cases[i].json);
        yyjson_doc_free(doc);
    }
}

static const struct cs_log_field varied[] = {CS_F("device", "\"\\\n\xff Grüße \xf0\x9f\x94\x91"),
                                             CS_FU("streams", 123456789), CS_F("peer", "10.0.0.7"), CS_FEND};

static void a_line_cut_anywhere_is_valid_json_and_says_so(void **state)
{
    struct rendered whole = render(CS_LOG_JSON, 2048, "agent connected", varied);

    (void)state;
    for (size_t room = CS_LOG_LEAST_BYTES; room < whole.len + 20; room++) {
        struct rendered line = render(CS_LOG_JSON, room, "agent connected", varied);
        yyjson_doc *doc = parse(&line);
        yyjson_val *root = yyjson_doc_get_root(doc), *streams = yyjson_obj_get(root, "streams");
        bool cut = yyjson_get_bool(yyjson_obj_get(root, "cut"));

        assert_true(cut || line.len == whole.len);
        assert_true(!streams || yyjson_get_int(streams) == 123456789);
        yyjson_doc_free(doc);
    }
}

static void a_logfmt_line_cut_anywhere_has_its_quotes_closed(void **state)
{
    struct rendered whole = render(CS_LOG_LOGFMT, 2048, "agent connected", varied);

    (void)state;
    for (size_t room = CS_LOG_LEAST_BYTES; room < whole.len + 20; room++) {
        struct rendered line = render(CS_LOG_LOGFMT, room, "agent connected", varied);
        bool quoted = false;

        assert_ptr_equal(strchr(line.text, '\n'), line.text + line.len - 1);
        for (const char *at = line.text; *at; at++) {
            if (*at == '\\')
                at++;
            else if (*at == '"')
                quoted = !quoted;
        }
        assert_false(quoted);
        if (line.len != whole.len)
            assert_string_equal(line.text + line.len - strlen(" cut=true\n"), " cut=true\n");
        assert_true(!strstr(line.text, "streams=") || strstr(line.text, "streams=123456789 "));
    }
}

static void knows_its_levels_by_name(void **state)
{
    enum cs_log_level level = CS_LOG_INFO;

    (void)state;
    assert_true(cs_log_level_parse("debug", &level) && level == CS_LOG_DEBUG);
    assert_true(cs_log_level_parse("error", &level) && level == CS_LOG_ERROR);
    assert_false(cs_log_level_parse("ERROR", &level));
    assert_false(cs_log_level_parse("", &level));
    assert_int_equal(level, CS_LOG_ERROR);
}

static void writes_from_the_least_level_on_to_standard_error(void **state)
{
    char text[4096] = "";
    int ends[2], saved = dup(STDERR_FILENO);
    ssize_t len;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    cs_log_setup(CS_LOG_LOGFMT, CS_LOG_WARN);
    cs_log(CS_LOG_INFO, "g", "quiet", CS_FEND);
    cs_log(CS_LOG_WARN, "g", "loud", CS_FEND);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(ends[1]);
    close(saved);
    len = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    cs_log_setup(CS_LOG_LOGFMT, CS_LOG_INFO);
    assert_true(len > 0 && text[len - 1] == '\n');
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, "level=warn group=g msg=loud\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_logfmt_with_quotes_only_where_needed),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(escapes_what_a_stranger_sent),
        cmocka_unit_test(a_line_cut_anywhere_is_valid_json_and_says_so),
        cmocka_unit_test(a_logfmt_line_cut_anywhere_has_its_quotes_closed),
        cmocka_unit_test(knows_its_levels_by_name),
        cmocka_unit_test(writes_from_the_least_level_on_to_standard_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
