/* args.h - the command line, read against the table of commands: which command, its operands and options;
 * help; and "did you mean" (nearest.h) for what is no command. Pure; help goes to the stream that is given.
 * Start at cli_args_parse(). */
#ifndef CTL_CLI_ARGS_H
#define CTL_CLI_ARGS_H

#include "shared/base/err.h"
#include "shared/base/slice.h"

#include <stdint.h>
#include <stdio.h>

struct cli;

struct cli_option {
    const char *name;  /* without the dashes; one letter: "-o" */
    const char *value; /* what stands for its value in help; NULL: a flag */
    const char *help;
    bool repeated;
};

/* CLI_OPTION("at", "TIME", "not before this time"). */
#define CLI_OPTION(name, value, help)                                                                        \
    {                                                                                                        \
        (name), (value), (help), false                                                                       \
    }
#define CLI_OPTION_MANY(name, value, help)                                                                   \
    {                                                                                                        \
        (name), (value), (help), true                                                                        \
    }

/* Options that several commands share, so that one word means one thing everywhere. */
#define CLI_OPTION_AS                                                                                        \
    CLI_OPTION(                                                                                              \
        "as", "NAME",                                                                                        \
        "sign as this operator (or COUNTERSIGN_AS; default: `as` under [client] in the home's config)")
#define CLI_OPTION_YES     CLI_OPTION("yes", NULL, "sign without asking, for scripts")
#define CLI_OPTION_COMMENT CLI_OPTION("comment", "TEXT", "for the people who decide, and for the audit")
#define CLI_OPTION_PASSPHRASE                                                                                \
    CLI_OPTION("passphrase-file", "FILE", "read the key's passphrase from there (/dev/fd/3) and do not ask")
#define CLI_OPTION_DRY_RUN                                                                                   \
    CLI_OPTION("dry-run", NULL, "check and show what would be done, and change nothing")
#define CLI_OPTION_WAIT    CLI_OPTION("wait", NULL, "wait until every work order has ended")
#define CLI_OPTION_TIMEOUT CLI_OPTION("timeout", "TIME", "give up waiting after this long: 30s, 10m, 2h")

/* One line of the table in commands.c. */
struct cli_command {
    const char *noun;     /* "cert", or a whole command: "push" */
    const char *verb;     /* NULL for a whole command */
    const char *operands; /* "CERT DEVICE CONNECTOR"; "" */
    const char *summary;
    const char *details;              /* sentences for the command's own help; NULL: none */
    const struct cli_option *options; /* ends with a NULL name; NULL: none of its own */
    const char *const *examples;      /* ends with NULL */
    unsigned least_operands, most_operands;
    int (*run)(struct cli *cli, struct cs_err *err);
};

/* The commands and the options that all of them have; both end with a NULL name. */
extern const struct cli_command cli_commands[];
extern const struct cli_option cli_common_options[];

enum { CLI_ARGS_OPTIONS_MAX = 128, CLI_ARGS_OPERANDS_MAX = 64 };

struct cli_args {
    const struct cli_command *command; /* NULL with help: of a noun, or of everything */
    const char *help_noun;             /* help of this noun */
    bool help;
    struct {
        const char *name, *value;
    } options[CLI_ARGS_OPTIONS_MAX];
    size_t option_count;
    const char *operands[CLI_ARGS_OPERANDS_MAX];
    size_t operand_count;
};

/* Borrows argv. CS_EINVAL with a sentence that says what would be right. */
CS_MUST_USE int cli_args_parse(int argc, char *const *argv, struct cli_args *ret, struct cs_err *err);

/* The last value that was given; NULL if none was. Asking for an option that the command does not have is our
 * mistake. */
const char *cli_args_option(const struct cli_args *args, const char *name);
bool cli_args_flag(const struct cli_args *args, const char *name);
/* The index-th value of a repeated option, NULL behind the last. */
const char *cli_args_option_at(const struct cli_args *args, const char *name, size_t index);

/* "cert" for "certificates" and so on; any other word as it is. */
const char *cli_args_noun(const char *word);
/* NULL: there is none. Without a verb: the command that the noun alone is. */
const struct cli_command *cli_args_find_command(const char *noun, const char *verb);
bool cli_args_has_verbs(const char *noun);
/* Of the command or of all commands (`command` may be NULL); NULL: there is none. */
const struct cli_option *cli_args_find_option(const struct cli_command *command, const char *name,
                                              size_t len);

void cli_args_help(const struct cli_args *args, FILE *stream);

/* "REQ-3", "req-3" or "3" with the prefix "REQ-". */
CS_MUST_USE int cli_args_number(const char *text, const char *prefix, uint64_t *ret, struct cs_err *err);
/* "WO-1,WO-4..WO-9": at most `most` numbers, each once; they come back in rising order, free() *ret_numbers.
 */
CS_MUST_USE int cli_args_numbers(const char *text, const char *prefix, size_t most, uint64_t **ret_numbers,
                                 size_t *ret_count, struct cs_err *err);

#endif
