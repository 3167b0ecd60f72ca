#include "controller/cli/args.h"

#include "controller/cli/nearest.h"

enum { CANDIDATES_MAX = 128, COMMAND_WORDS = 2 };

static int unknown(struct cs_err *err, const char *kind, const char *dashes, const char *word,
                   const char *const *candidates, const char *help)
{
    const char *nearest = cli_nearest(word, candidates);

    if (nearest)
        return cs_err_set(err, CS_EINVAL, "there is no %s \"%s%s\"; did you mean \"%s%s\"?", kind, dashes,
                          word, dashes, nearest);
    return cs_err_set(err, CS_EINVAL, "there is no %s \"%s%s\"; see `countersign%s --help`", kind, dashes,
                      word, help);
}

static int unknown_noun(const char *word, struct cs_err *err)
{
    const char *nouns[CANDIDATES_MAX];
    size_t count = 0;

    for (const struct cli_command *c = cli_commands; c->noun && count + 1 < CANDIDATES_MAX; c++)
        nouns[count++] = c->noun;
    nouns[count] = NULL;
    return unknown(err, "command", "", word, nouns, "");
}

static int unknown_verb(const char *noun, const char *word, struct cs_err *err)
{
    const char *verbs[CANDIDATES_MAX];
    char kind[64], help[64];
    size_t count = 0;

    for (const struct cli_command *c = cli_commands; c->noun && count + 1 < CANDIDATES_MAX; c++)
        if (c->verb && strcmp(c->noun, noun) == 0)
            verbs[count++] = c->verb;
    verbs[count] = NULL;
    snprintf(kind, sizeof kind, "command %s", noun);
    snprintf(help, sizeof help, " %s", noun);
    return unknown(err, kind, "", word, verbs, help);
}

static int unknown_option(const struct cli_command *command, const char *dashes, const char *word,
                          struct cs_err *err)
{
    const char *names[CANDIDATES_MAX];
    char help[96];
    size_t count = 0;

    for (const struct cli_option *o = command ? command->options : NULL; o && o->name; o++)
        names[count++] = o->name;
    for (const struct cli_option *o = cli_common_options; o->name; o++)
        names[count++] = o->name;
    names[count++] = "help";
    names[count] = NULL;
    help[0] = '\0';
    if (command)
        snprintf(help, sizeof help, " %s%s%s", command->noun, command->verb ? " " : "",
                 command->verb ? command->verb : "");
    return unknown(err, "option", dashes, word, names, help);
}

const struct cli_option *cli_args_find_option(const struct cli_command *command, const char *name, size_t len)
{
    const struct cli_option *lists[] = {command ? command->options : NULL, cli_common_options};

    for (size_t i = 0; i < CS_ARRAY_LEN(lists); i++)
        for (const struct cli_option *o = lists[i]; o && o->name; o++)
            if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
                return o;
    return NULL;
}

/* Takes one option, and its value from `=` or from the next word. */
static int take_option(struct cli_args *args, int argc, char *const *argv, int *at, struct cs_err *err)
{
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    const char *dashes = is_long ? "--" : "-";
    const char *name = word + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct cli_option *option =
        (len == 1) != is_long ? cli_args_find_option(args->command, name, len) : NULL;
    const char *value = NULL;

    if (!option) {
        char plain[64];

        snprintf(plain, sizeof plain, "%.*s", (int)(len < 60 ? len : 60), name);
        return unknown_option(args->command, dashes, plain, err);
    }
    if (option->value) {
        value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        if (!value)
            return cs_err_set(err, CS_EINVAL, "%s%s needs a value: %s%s %s", dashes, option->name, dashes,
                              option->name, option->value);
    } else if (equals) {
        return cs_err_set(err, CS_EINVAL, "--%s takes no value", option->name);
    }
    if (!option->repeated)
        for (size_t i = 0; i < args->option_count; i++)
            if (args->options[i].name == option->name)
                return cs_err_set(err, CS_EINVAL, "%s%s is given twice", dashes, option->name);
    if (args->option_count == CLI_ARGS_OPTIONS_MAX)
        return cs_err_set(err, CS_EINVAL, "there are more than %d options", CLI_ARGS_OPTIONS_MAX);
    args->options[args->option_count].name = option->name;
    args->options[args->option_count++].value = value ? value : "";
    return CS_OK;
}

/* Words that are as good as the noun: what people write out, or say of several. */
const char *cli_args_noun(const char *word)
{
    static const struct {
        const char *word, *noun;
    } aliases[] = {
        {"certificate", "cert"}, {"certificates", "cert"}, {"certs", "cert"},
        {"devices", "device"},   {"requests", "request"},  {"orders", "order"},
        {"req", "request"},      {"wo", "order"},          {"operators", "operator"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(aliases); i++)
        if (strcmp(aliases[i].word, word) == 0)
            return aliases[i].noun;
    return word;
}

static const char *verb_of(const char *word)
{
    return strcmp(word, "ls") == 0 ? "list" : word;
}

const struct cli_command *cli_args_find_command(const char *noun, const char *verb)
{
    for (const struct cli_command *c = cli_commands; c->noun; c++)
        if (strcmp(c->noun, noun) == 0 && (verb ? c->verb && strcmp(c->verb, verb_of(verb)) == 0 : !c->verb))
            return c;
    return NULL;
}

bool cli_args_has_verbs(const char *noun)
{
    for (const struct cli_command *c = cli_commands; c->noun; c++)
        if (c->verb && strcmp(c->noun, noun) == 0)
            return true;
    return false;
}

/* Finds the command that the first words name. *ret_words says how many they were. */
static int find_command(struct cli_args *args, const char *const *words, size_t count, size_t *ret_words,
                        struct cs_err *err)
{
    const char *noun = cli_args_noun(words[0]), *verb = count > 1 ? verb_of(words[1]) : NULL;
    const struct cli_command *whole = NULL;
    const char *known = NULL;

    for (const struct cli_command *c = cli_commands; c->noun; c++) {
        if (strcmp(c->noun, noun) != 0)
            continue;
        known = c->noun;
        if (!c->verb)
            whole = c;
        if (c->verb && verb && strcmp(c->verb, verb) == 0) {
            args->command = c;
            *ret_words = 2;
            return CS_OK;
        }
    }
    if (whole) {
        args->command = whole;
        *ret_words = 1;
        return CS_OK;
    }
    if (!known)
        return unknown_noun(words[0], err);
    args->help_noun = known;
    *ret_words = 1;
    return count > 1 ? unknown_verb(known, words[1], err) : CS_OK;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0'; /* "-" alone is standard input */
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `countersign help [NOUN [VERB]]`: the words behind `help` are in no command's way. */
static int find_help(struct cli_args *args, const char *const *words, size_t count, struct cs_err *err)
{
    size_t used;

    args->help = true;
    return count ? find_command(args, words, count, &used, err) : CS_OK;
}

/* The first two words that are no options name the command (behind `help`, the next two). Common options may
 * stand before them; which options take a value is known only from the common ones until the command is. */
static int locate_command(int argc, char *const *argv, struct cli_args *args, int ret_at[COMMAND_WORDS + 1],
                          size_t *ret_words, struct cs_err *err)
{
    const char *words[COMMAND_WORDS + 1];
    size_t count = 0;

    for (int i = 1; i < argc && count < COMMAND_WORDS + 1; i++) {
        const struct cli_option *option;

        if (!is_option(argv[i])) {
            ret_at[count] = i;
            words[count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0)
            break;
        option = cli_args_find_option(NULL, argv[i] + (argv[i][1] == '-' ? 2 : 1),
                                      strlen(argv[i] + (argv[i][1] == '-' ? 2 : 1)));
        if (option && option->value)
            i++;
        else if (count > 0 && !option && !is_help(argv[i]))
            break;
    }
    if (count > 0 && strcmp(words[0], "help") == 0) {
        *ret_words = count;
        return find_help(args, words + 1, count - 1, err);
    }
    return count ? find_command(args, words, count < COMMAND_WORDS ? count : COMMAND_WORDS, ret_words, err)
                 : CS_OK;
}

static bool is_one_of(int at, const int *words_at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (words_at[i] == at)
            return true;
    return false;
}

int cli_args_parse(int argc, char *const *argv, struct cli_args *ret, struct cs_err *err)
{
    struct cli_args args = {0};
    int word_at[COMMAND_WORDS + 1] = {0};
    size_t words = 0;
    bool options_over = false;
    int rc = locate_command(argc, argv, &args, word_at, &words, err);

    if (rc != CS_OK)
        return rc;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (is_one_of(i, word_at, words))
            continue;
        if (!options_over && strcmp(word, "--") == 0) {
            options_over = true;
        } else if (!options_over && is_help(word)) {
            args.help = true;
        } else if (!options_over && is_option(word)) {
            rc = take_option(&args, argc, argv, &i, err);
            if (rc != CS_OK)
                return rc;
        } else if (args.operand_count == CLI_ARGS_OPERANDS_MAX) {
            return cs_err_set(err, CS_EINVAL, "there are more than %d arguments", CLI_ARGS_OPERANDS_MAX);
        } else {
            args.operands[args.operand_count++] = word;
        }
    }
    if (args.help || !args.command) {
        args.help = true;
        *ret = args;
        return CS_OK;
    }
    if (args.operand_count < args.command->least_operands || args.operand_count > args.command->most_operands)
        return cs_err_set(
            err, CS_EINVAL, "the command needs %s; usage: countersign %s%s%s%s%s",
            args.operand_count < args.command->least_operands ? "more arguments" : "fewer arguments",
            args.command->noun, args.command->verb ? " " : "", args.command->verb ? args.command->verb : "",
            *args.command->operands ? " " : "", args.command->operands);
    *ret = args;
    return CS_OK;
}

const char *cli_args_option_at(const struct cli_args *args, const char *name, size_t index)
{
    cs_assert(cli_args_find_option(args->command, name, strlen(name)));
    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->options[i].name, name) == 0 && index-- == 0)
            return args->options[i].value;
    return NULL;
}

const char *cli_args_option(const struct cli_args *args, const char *name)
{
    return cli_args_option_at(args, name, 0);
}

bool cli_args_flag(const struct cli_args *args, const char *name)
{
    return cli_args_option(args, name) != NULL;
}

int cli_args_number(const char *text, const char *prefix, uint64_t *ret, struct cs_err *err)
{
    const char *digits = strncasecmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
    uint64_t number = 0;

    for (const char *c = digits; *c; c++) {
        if (*c < '0' || *c > '9' || number > (UINT64_MAX - 9) / 10) {
            number = 0;
            break;
        }
        number = number * 10 + (uint64_t)(*c - '0');
    }
    if (number == 0)
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is not of the form %s1", text, prefix);
    *ret = number;
    return CS_OK;
}

struct numbers {
    uint64_t *list;
    size_t count, room, most;
};

static int add_range(struct numbers *numbers, uint64_t first, uint64_t last, struct cs_err *err)
{
    if (last < first)
        return cs_err_set(err, CS_EINVAL, "a range of numbers begins with the lower one");
    if (last - first >= numbers->most - numbers->count)
        return cs_err_set(err, CS_EINVAL, "at most %zu numbers can be given at once", numbers->most);
    if (numbers->count + (size_t)(last - first) + 1 > numbers->room) {
        size_t room = 2 * numbers->room + (size_t)(last - first) + 1;
        uint64_t *grown = reallocarray(numbers->list, room, sizeof *grown);

        if (!grown)
            return cs_err_nomem(err);
        numbers->list = grown;
        numbers->room = room;
    }
    while (first <= last)
        numbers->list[numbers->count++] = first++;
    return CS_OK;
}

/* "WO-3" or "WO-3..WO-9". */
static int add_word(struct numbers *numbers, char *word, const char *prefix, struct cs_err *err)
{
    char *dots = strstr(word, "..");
    uint64_t first, last;
    int rc;

    if (dots)
        *dots = '\0';
    rc = cli_args_number(word, prefix, &first, err);
    last = first;
    if (rc == CS_OK && dots)
        rc = cli_args_number(dots + 2, prefix, &last, err);
    return rc == CS_OK ? add_range(numbers, first, last, err) : rc;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int cli_args_numbers(const char *text, const char *prefix, size_t most, uint64_t **ret_numbers,
                     size_t *ret_count, struct cs_err *err)
{
    struct numbers numbers = {.most = most};
    int rc = CS_OK;

    for (const char *at = text; at && rc == CS_OK;) {
        const char *comma = strchr(at, ',');
        char word[128];

        snprintf(word, sizeof word, "%.*s", comma ? (int)(comma - at) : (int)strlen(at), at);
        rc = add_word(&numbers, word, prefix, err);
        at = comma ? comma + 1 : NULL;
    }
    if (rc == CS_OK)
        qsort(numbers.list, numbers.count, sizeof numbers.list[0], by_value);
    for (size_t i = 1; rc == CS_OK && i < numbers.count; i++)
        if (numbers.list[i] == numbers.list[i - 1])
            rc = cs_err_set(err, CS_EINVAL, "%s%llu is given twice", prefix,
                            (unsigned long long)numbers.list[i]);
    if (rc != CS_OK) {
        free(numbers.list);
        return rc;
    }
    *ret_numbers = numbers.list;
    *ret_count = numbers.count;
    return CS_OK;
}
