/* What could be typed next. */
#include "tests/support/check.h"

#include "controller/cli/complete.h"

#include <stdio.h>

enum { WORDS_MAX = 16 };

/* Splits at spaces, as "push a " has an empty word at its end. */
static void look_at(const char *line, struct cli_complete *ret)
{
    static char storage[256];
    char *words[WORDS_MAX] = {storage};
    int count = 1;

    snprintf(storage, sizeof storage, "%s", line);
    for (char *space = strchr(storage, ' '); space && count < WORDS_MAX; space = strchr(space + 1, ' ')) {
        *space = '\0';
        words[count++] = space + 1;
    }
    cli_complete_at(count, words, ret);
}

static void finds_what_the_cursor_stands_in(void **state)
{
    static const struct {
        const char *line;
        enum cli_complete_want want;
        const char *value, *word, *lead;
    } cases[] = {
        {"", CLI_COMPLETE_COMMAND, "", "", ""},
        {"ce", CLI_COMPLETE_COMMAND, "", "ce", ""},
        {"help ", CLI_COMPLETE_COMMAND, "", "", ""},
        {"help cert i", CLI_COMPLETE_VERB, "", "i", ""},
        {"--socket /x cert ", CLI_COMPLETE_VERB, "", "", ""},
        {"certificates sh", CLI_COMPLETE_VERB, "", "sh", ""},
        {"push ", CLI_COMPLETE_VALUE, "CERT", "", ""},
        {"cert attach cl", CLI_COMPLETE_VALUE, "CERT", "cl", ""},
        {"cert attach c ", CLI_COMPLETE_VALUE, "DEVICE", "", ""},
        {"cert attach c d a", CLI_COMPLETE_VALUE, "CONNECTOR", "a", ""},
        {"cert attach c d a ", CLI_COMPLETE_OPTION, "", "", ""},
        {"cert attach c d a x", CLI_COMPLETE_NOTHING, "", "x", ""},
        {"cert import a b ", CLI_COMPLETE_VALUE, "FILE", "", ""},
        {"device show -", CLI_COMPLETE_OPTION, "", "-", ""},
        {"device --socket /x show g", CLI_COMPLETE_VALUE, "NAME", "g", ""},
        {"push c --to ", CLI_COMPLETE_VALUE, "DEVICE/CONNECTOR", "", ""},
        {"push c --to=gw", CLI_COMPLETE_VALUE, "DEVICE/CONNECTOR", "gw", "--to="},
        {"push c --yes ", CLI_COMPLETE_OPTION, "", "", ""},
        {"push --comment x ", CLI_COMPLETE_VALUE, "CERT", "", ""},
        {"push --comment=x ", CLI_COMPLETE_VALUE, "CERT", "", ""},
        {"push --no-such-option ", CLI_COMPLETE_VALUE, "CERT", "", ""},
        {"push -- --odd", CLI_COMPLETE_VALUE, "CERT", "--odd", ""},
        {"status -o ", CLI_COMPLETE_VALUE, "FORMAT", "", ""},
        {"approve REQ", CLI_COMPLETE_VALUE, "REQ-n", "REQ", ""},
        {"completion ", CLI_COMPLETE_VALUE, "bash|zsh|fish", "", ""},
        {"frobnicate ", CLI_COMPLETE_NOTHING, "", "", ""},
        {"push c --yes=n", CLI_COMPLETE_NOTHING, "", "--yes=n", ""},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_complete at;

        look_at(cases[i].line, &at);
        if (at.want != cases[i].want)
            fail_msg("'%s' wants %d, not %d", cases[i].line, (int)at.want, (int)cases[i].want);
        assert_string_equal(at.value, cases[i].value);
        assert_string_equal(at.word, cases[i].word);
        assert_string_equal(at.lead, cases[i].lead);
    }
}

static void keeps_what_was_typed_before(void **state)
{
    struct cli_complete at;

    (void)state;
    look_at("cert --home /h attach client gw-1 ", &at);
    assert_int_equal(at.args.operand_count, 2);
    assert_string_equal(at.args.operands[1], "gw-1");
    assert_string_equal(cli_args_option(&at.args, "home"), "/h");
    assert_string_equal(at.command->verb, "attach");
}

static void takes_any_number_of_words(void **state)
{
    static char noun[] = "cert", option[] = "-o=x";
    char *words[200];
    struct cli_complete at;

    (void)state;
    cli_complete_at(0, NULL, &at);
    assert_int_equal(at.want, CLI_COMPLETE_NOTHING + 1);
    for (size_t i = 0; i < CS_ARRAY_LEN(words); i++)
        words[i] = noun;
    cli_complete_at(CS_ARRAY_LEN(words), words, &at);
    assert_true(at.args.operand_count <= CLI_ARGS_OPERANDS_MAX);
    for (size_t i = 0; i < CS_ARRAY_LEN(words); i++)
        words[i] = option;
    cli_complete_at(CS_ARRAY_LEN(words), words, &at);
    assert_true(at.args.option_count <= CLI_ARGS_OPTIONS_MAX);
}

static void every_operand_has_a_name(void **state)
{
    char name[64];

    (void)state;
    for (const struct cli_command *c = cli_commands; c->noun; c++)
        for (unsigned i = 0; i < c->most_operands; i++)
            if (!cli_complete_operand(c->operands, i, name) || !name[0])
                fail_msg("%s %s: operand %u", c->noun, c->verb ? c->verb : "", i);
    assert_false(cli_complete_operand("", 0, name));
    assert_false(cli_complete_operand("A B", 2, name));
    assert_true(cli_complete_operand("A [B...]", 5, name));
    assert_string_equal(name, "B");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_cursor_stands_in),
        cmocka_unit_test(keeps_what_was_typed_before),
        cmocka_unit_test(takes_any_number_of_words),
        cmocka_unit_test(every_operand_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
