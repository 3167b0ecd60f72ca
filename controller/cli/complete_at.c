/* The pure half of completion: which word of the command line it is that the cursor stands in. */
#include "controller/cli/complete.h"

bool cli_complete_operand(const char *operands, size_t index, char ret[64])
{
    const char *at = operands, *next;
    size_t len;

    for (size_t i = 0; i < index && *at; i++) {
        next = at + strcspn(at, " ");
        next += strspn(next, " ");
        /* "FILE..." takes any number. */
        if (!*next && strstr(at, "..."))
            break;
        at = next;
    }
    if (!*at)
        return false;
    at += strspn(at, "[");
    len = strcspn(at, " ");
    while (len && (at[len - 1] == ']' || at[len - 1] == '.'))
        len--;
    snprintf(ret, 64, "%.*s", (int)(len < 63 ? len : 63), at);
    return true;
}

static void set_value_of(struct cli_complete *at, const struct cli_option *option, const char *word)
{
    at->want = CLI_COMPLETE_VALUE;
    at->option = option;
    at->word = word;
    snprintf(at->value, sizeof at->value, "%s", option->value);
}

static void keep_option(struct cli_args *args, const struct cli_option *option, const char *value)
{
    if (args->option_count == CLI_ARGS_OPTIONS_MAX)
        return;
    args->options[args->option_count].name = option->name;
    args->options[args->option_count++].value = value;
}

static const struct cli_option *option_of(const struct cli_complete *at, const char *word)
{
    const char *name = word + (word[1] == '-' ? 2 : 1);

    return cli_args_find_option(at->command, name, strcspn(name, "="));
}

/* A word before the one to complete. */
static void pass_word(struct cli_complete *at, const char *word)
{
    if (!at->noun) {
        if (strcmp(word, "help") == 0)
            return;
        at->noun = cli_args_noun(word);
        at->command = cli_args_find_command(at->noun, NULL);
    } else if (at->args.operand_count == 0 && cli_args_find_command(at->noun, word) &&
               (!at->command || !at->command->verb)) {
        at->command = cli_args_find_command(at->noun, word);
    } else if (at->args.operand_count < CLI_ARGS_OPERANDS_MAX) {
        at->args.operands[at->args.operand_count++] = word;
    }
    at->args.command = at->command;
}

/* The last word, where no option before it waits for its value. */
static void look_at_last(struct cli_complete *at, const char *word, bool options_over)
{
    const char *equals = strchr(word, '=');
    const struct cli_option *option;

    at->word = word;
    if (!options_over && word[0] == '-' && word[1] == '-' && equals) {
        option = option_of(at, word);
        if (!option || !option->value || (size_t)(equals - word) + 2 > sizeof at->lead)
            return;
        set_value_of(at, option, equals + 1);
        snprintf(at->lead, sizeof at->lead, "%.*s", (int)(equals + 1 - word), word);
    } else if (!options_over && word[0] == '-') {
        at->want = CLI_COMPLETE_OPTION;
    } else if (!at->noun) {
        at->want = CLI_COMPLETE_COMMAND;
    } else if (at->args.operand_count == 0 && (!at->command || !at->command->verb) &&
               cli_args_has_verbs(at->noun)) {
        at->want = CLI_COMPLETE_VERB;
    } else if (at->command &&
               cli_complete_operand(at->command->operands, at->args.operand_count, at->value)) {
        at->want = CLI_COMPLETE_VALUE;
    } else if (at->command && !options_over && !*word) {
        at->want = CLI_COMPLETE_OPTION; /* nothing else can follow */
    }
}

void cli_complete_at(int count, char *const *words, struct cli_complete *ret)
{
    struct cli_complete *at = ret;
    bool options_over = false;

    *at = (struct cli_complete){.want = CLI_COMPLETE_NOTHING, .word = ""};
    for (int i = 0; i + 1 < count; i++) {
        const struct cli_option *option;

        if (options_over || words[i][0] != '-' || !words[i][1]) {
            pass_word(at, words[i]);
            continue;
        }
        if (strcmp(words[i], "--") == 0) {
            options_over = true;
            continue;
        }
        option = option_of(at, words[i]);
        if (!option)
            continue;
        if (option->value && !strchr(words[i], '=')) {
            if (i + 2 >= count) {
                set_value_of(at, option, words[count - 1]);
                return;
            }
            keep_option(&at->args, option, words[++i]);
        } else {
            keep_option(&at->args, option, option->value ? strchr(words[i], '=') + 1 : "");
        }
    }
    look_at_last(at, count ? words[count - 1] : "", options_over);
}
