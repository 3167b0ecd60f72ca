/* complete.h - what could be typed next, for the shells. The scripts in completion/ call
 *
 *   countersign __complete WORD...     every word behind the program's name; the last is the one to complete
 *
 * which prints a candidate a line, a tab, and what it is in a few words; `:files` and `:dirs` leave the rest
 * to the shell. Commands and options come from the table of commands; names of certificates, devices and so
 * on from the controller, if it answers at once, and from the home. It asks nobody for anything, fails
 * silently, and changes nothing. Start at cli_complete_at(), which is pure. */
#ifndef CTL_CLI_COMPLETE_H
#define CTL_CLI_COMPLETE_H

#include "controller/cli/args.h"

enum cli_complete_want {
    CLI_COMPLETE_NOTHING, /* the command takes no more */
    CLI_COMPLETE_COMMAND, /* a noun, or a whole command */
    CLI_COMPLETE_VERB,    /* of `noun` */
    CLI_COMPLETE_OPTION,  /* of `command` */
    CLI_COMPLETE_VALUE,   /* of an option or an operand: what stands for it in help is `value` */
};

struct cli_complete {
    enum cli_complete_want want;
    const char *noun;                  /* NULL: none yet */
    const struct cli_command *command; /* NULL: none yet; with want VERB: the noun alone is one, too */
    const struct cli_option *option;   /* whose value it is; NULL: an operand */
    char value[64];                    /* "CERT", "DEVICE", "table|json" */
    const char *word;                  /* what is there of it */
    char lead[64];                     /* what stands in front of it in the same word: "--device=" */
    struct cli_args args;              /* the operands and options before it */
};

/* What the last of the words is. The words must outlive *ret. */
void cli_complete_at(int count, char *const *words, struct cli_complete *ret);

/* The n-th operand of "CERT DEVICE [CONNECTOR]..." without its brackets; false: there is none. */
bool cli_complete_operand(const char *operands, size_t index, char ret[64]);

/* Prints the candidates. */
void cli_complete_run(struct cli *cli, int count, char *const *words);

/* The scripts; made from the files of completion/ by the build. */
extern const char cli_completion_bash[], cli_completion_zsh[], cli_completion_fish[];

#endif
