/* The command line of `countersign`. */
#include "tests/support/check.h"

#include "controller/cli/args.h"

#include <stdio.h>

enum { WORDS_MAX = 16 };

/* Splits at spaces; the words stay in `storage`. */
static int parse(const char *line, struct cli_args *ret, struct cs_err *err)
{
    static char storage[512];
    char *argv[WORDS_MAX] = {storage};
    int argc = 0;

    snprintf(storage, sizeof storage, "countersign %s", line);
    for (char *word = strtok(storage, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    return cli_args_parse(argc, argv, ret, err);
}

static void finds_the_command_and_its_operands(void **state)
{
    static const struct {
        const char *line, *noun, *verb, *first;
    } cases[] = {
        {"status", "status", NULL, NULL},
        {"cert attach a b c", "cert", "attach", "a"},
        {"push client.example --comment x", "push", NULL, "client.example"},
        {"--socket /x cert list", "cert", "list", NULL},
        {"cert --home /h show abc", "cert", "show", "abc"},
        {"push --yes CERT", "push", NULL, "CERT"},
        {"cert import -", "cert", "import", "-"},
        {"push -- --odd-name", "push", NULL, "--odd-name"},
        {"-o json request show REQ-1", "request", "show", "REQ-1"},
        {"certificates ls", "cert", "list", NULL},
        {"certificate show abc", "cert", "show", "abc"},
        {"devices list", "device", "list", NULL},
        {"orders show WO-1", "order", "show", "WO-1"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_args args;
        struct cs_err err;

        check_ok(parse(cases[i].line, &args, &err), err);
        assert_false(args.help);
        assert_string_equal(args.command->noun, cases[i].noun);
        if (cases[i].verb)
            assert_string_equal(args.command->verb, cases[i].verb);
        else
            assert_null(args.command->verb);
        if (cases[i].first)
            assert_string_equal(args.operands[0], cases[i].first);
        else
            assert_int_equal(args.operand_count, 0);
    }
}

static void says_what_was_meant(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"cret list", "did you mean \"cert\""},
        {"crets list", "did you mean \"cert\""},
        {"cert improt x", "did you mean \"import\""},
        {"aprove REQ-1", "did you mean \"approve\""},
        {"push x --coment y", "did you mean \"--comment\""},
        {"status --sokcet /x", "did you mean \"--socket\""},
        {"frobnicate", "countersign --help"},
        {"cert frobnicate", "countersign cert --help"},
        {"push x --frobnicate", "countersign push --help"},
        {"push", "needs more arguments"},
        {"status now", "needs fewer arguments"},
        {"push x --comment", "--comment TEXT"},
        {"push x --yes=no", "takes no value"},
        {"push x --as a --as b", "given twice"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_args args;
        struct cs_err err;

        check_code(parse(cases[i].line, &args, &err), CS_EINVAL);
        check_says(err, cases[i].says);
    }
}

static void takes_options_in_every_form(void **state)
{
    struct cli_args args;
    struct cs_err err;

    (void)state;
    check_ok(parse("push c --to a/b --comment=x=y --to c/d --yes -o json", &args, &err), err);
    assert_string_equal(cli_args_option_at(&args, "to", 0), "a/b");
    assert_string_equal(cli_args_option_at(&args, "to", 1), "c/d");
    assert_null(cli_args_option_at(&args, "to", 2));
    assert_string_equal(cli_args_option(&args, "comment"), "x=y");
    assert_string_equal(cli_args_option(&args, "o"), "json");
    assert_true(cli_args_flag(&args, "yes"));
    assert_false(cli_args_flag(&args, "wait"));
}

static void has_help_on_every_level(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"--help", "Exit status:"},
        {"", "Commands:"},
        {"help", "Commands:"},
        {"cert", "cert import FILE"},
        {"cert --help", "cert attach"},
        {"help device", "device add NAME"},
        {"help push", "--decide-by"},
        {"help cert import", "Examples:"},
        {"help certificate import", "countersign cert import client.pem"},
        {"push --help", "--decide-by"},
        {"cert import --help", "Examples:"},
        {"push c --help", "--even-expired"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_args args;
        struct cs_err err;
        char *text = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);

        assert_non_null(stream);
        check_ok(parse(cases[i].line, &args, &err), err);
        assert_true(args.help);
        cli_args_help(&args, stream);
        fclose(stream);
        if (!strstr(text, cases[i].says))
            fail_msg("'%s' does not say '%s'", cases[i].line, cases[i].says);
        free(text);
    }
}

static void every_command_has_help_and_an_example(void **state)
{
    (void)state;
    for (const struct cli_command *c = cli_commands; c->noun; c++) {
        size_t noun = strlen(c->noun);

        assert_non_null(c->run);
        assert_true(strlen(c->summary) > 0);
        assert_non_null(c->examples);
        for (const char *const *example = c->examples; *example; example++) {
            assert_int_equal(strncmp(*example, c->noun, noun), 0);
            if (c->verb)
                assert_int_equal(strncmp(*example + noun + 1, c->verb, strlen(c->verb)), 0);
        }
    }
}

/* As a shell would: quotes keep blanks, what stands behind < or > is the shell's. */
static int split(char *line, char **argv)
{
    int argc = 1;
    bool quoted = false, inside = false;

    argv[0] = line;
    for (char *at = line; *at && argc < WORDS_MAX; at++) {
        if (!quoted && (*at == '<' || *at == '>')) {
            *at = '\0';
            break;
        }
        if (*at == '"') {
            quoted = !quoted;
            memmove(at, at + 1, strlen(at));
            at--;
            continue;
        }
        if (*at == ' ' && !quoted) {
            *at = '\0';
            inside = false;
        } else if (!inside) {
            argv[argc++] = at;
            inside = true;
        }
    }
    return argc;
}

static void every_example_is_a_command_line_that_is_taken(void **state)
{
    (void)state;
    for (const struct cli_command *c = cli_commands; c->noun; c++) {
        assert_true(c->examples && c->examples[0]);
        for (const char *const *example = c->examples; *example; example++) {
            char line[256];
            char *argv[WORDS_MAX];
            struct cli_args args;
            struct cs_err err = {0};

            snprintf(line, sizeof line, "%s", *example);
            if (cli_args_parse(split(line, argv), argv, &args, &err) != CS_OK || args.command != c ||
                args.help)
                fail_msg("countersign %s: %s", *example, err.msg);
        }
    }
}

static void reads_numbers_of_requests_and_orders(void **state)
{
    uint64_t number, *numbers;
    size_t count;
    struct cs_err err;

    (void)state;
    check_ok(cli_args_number("REQ-3", "REQ-", &number, &err), err);
    assert_int_equal(number, 3);
    check_ok(cli_args_number("req-12", "REQ-", &number, &err), err);
    assert_int_equal(number, 12);
    check_ok(cli_args_number("7", "REQ-", &number, &err), err);
    assert_int_equal(number, 7);
    check_code(cli_args_number("WO-3", "REQ-", &number, &err), CS_EINVAL);
    check_code(cli_args_number("", "REQ-", &number, &err), CS_EINVAL);
    check_code(cli_args_number("REQ-0", "REQ-", &number, &err), CS_EINVAL);
    check_code(cli_args_number("99999999999999999999999", "", &number, &err), CS_EINVAL);
    check_ok(cli_args_numbers("WO-2,1", "WO-", 2, &numbers, &count, &err), err);
    assert_int_equal(count, 2);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 2);
    free(numbers);
    check_ok(cli_args_numbers("WO-7,WO-3..WO-5", "WO-", 4, &numbers, &count, &err), err);
    assert_int_equal(count, 4);
    assert_int_equal(numbers[2], 5);
    assert_int_equal(numbers[3], 7);
    free(numbers);
    static const struct {
        const char *says, *text;
    } refused[] = {
        {"more than there is room for", "1,2,3"},
        {"nothing between commas", "1,,2"},
        {"one twice", "1,1"},
        {"one twice by a range", "2,1..2"},
        {"a range that ends before it begins", "3..2"},
        {"a range of very many", "1..18446744073709551610"},
        {"a range without an end", "1.."},
        {"a range without a beginning", "..2"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(refused); i++)
        if (cli_args_numbers(refused[i].text, "WO-", 2, &numbers, &count, &err) != CS_EINVAL)
            fail_msg("%s", refused[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_command_and_its_operands),
        cmocka_unit_test(says_what_was_meant),
        cmocka_unit_test(takes_options_in_every_form),
        cmocka_unit_test(has_help_on_every_level),
        cmocka_unit_test(every_command_has_help_and_an_example),
        cmocka_unit_test(every_example_is_a_command_line_that_is_taken),
        cmocka_unit_test(reads_numbers_of_requests_and_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
