/* The help texts, made from the table of commands. */
#include "controller/cli/args.h"

enum { COMMAND_COLUMN = 34, OPTION_COLUMN = 26, LINE_COLUMNS = 90 };

/* A paragraph, broken between words. */
static void write_wrapped(const char *text, FILE *stream)
{
    size_t column = 0;

    while (*text) {
        size_t word = strcspn(text, " ");

        if (column && column + 1 + word > LINE_COLUMNS) {
            fputc('\n', stream);
            column = 0;
        }
        column += (size_t)fprintf(stream, "%s%.*s", column ? " " : "", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static bool has_option(const struct cli_option *options, const char *name)
{
    for (const struct cli_option *o = options; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return true;
    return false;
}

/* Without those that `shown` has already. */
static void write_options(const struct cli_option *options, const struct cli_option *shown, FILE *stream)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        char left[64];

        if (has_option(shown, o->name))
            continue;
        snprintf(left, sizeof left, "%s%s%s%s", o->name[1] ? "--" : "-", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        fprintf(stream, "  %-*s %s%s\n", OPTION_COLUMN, left, o->help,
                o->repeated ? "; can be repeated" : "");
    }
}

static void write_command_line(const struct cli_command *command, FILE *stream)
{
    char left[128];

    snprintf(left, sizeof left, "%s%s%s%s%s", command->noun, command->verb ? " " : "",
             command->verb ? command->verb : "", *command->operands ? " " : "", command->operands);
    fprintf(stream, "  %-*s %s\n", COMMAND_COLUMN, left, command->summary);
}

static void write_common(const struct cli_option *shown, FILE *stream)
{
    fputs("\nOptions of every command:\n", stream);
    write_options(cli_common_options, shown, stream);
    fprintf(stream, "  %-*s %s\n", OPTION_COLUMN, "--help", "this text; each command has its own");
}

static void help_all(FILE *stream)
{
    fputs("countersign - put certificates on devices that check people's signatures themselves\n\n"
          "usage: countersign COMMAND [ARGUMENT...] [OPTION...]\n\nCommands:\n",
          stream);
    for (const struct cli_command *c = cli_commands; c->noun; c++)
        write_command_line(c, stream);
    write_common(NULL, stream);
    fprintf(stream, "  %-*s %s\n", OPTION_COLUMN, "--version", "alone: which version this is");
    fputs("\nA first push, step by step:\n"
          "  countersign operator keygen alice\n"
          "  countersign trust init --operator alice=admin,requester --operator bob=approver \\\n"
          "      --operator carol=implementer\n"
          "  countersign device add gw-1 --wait --as alice\n"
          "  countersign cert import client.pem --key client.key\n"
          "  countersign cert attach client.example gw-1 nginx\n"
          "  countersign push client.example --comment renewal --as alice\n"
          "  countersign approve REQ-1 --manual --as bob\n"
          "  countersign implement REQ-1 --manual --wait --as carol\n"
          "\nExit status:\n"
          "  0  done\n"
          "  1  refused, or failed\n"
          "  2  the command line is wrong\n"
          "  3  the controller cannot be reached\n"
          "  4  a work order that was waited for did not complete\n"
          "  5  waiting took longer than --timeout\n"
          "  6  the controller's audit was altered or rolled back; what was asked for was done if nothing "
          "else\n"
          "     is said\n"
          "  7  an audit export holds, but nothing that is trusted here says who signed it\n",
          stream);
}

static void help_noun(const char *noun, FILE *stream)
{
    fprintf(stream, "usage: countersign %s VERB [ARGUMENT...] [OPTION...]\n\n", noun);
    for (const struct cli_command *c = cli_commands; c->noun; c++)
        if (strcmp(c->noun, noun) == 0)
            write_command_line(c, stream);
    fprintf(stream, "\nEach has its own help: countersign help %s VERB\n", noun);
}

static void help_command(const struct cli_command *command, FILE *stream)
{
    fprintf(stream, "usage: countersign %s%s%s%s%s [OPTION...]\n\n%s.\n", command->noun,
            command->verb ? " " : "", command->verb ? command->verb : "", *command->operands ? " " : "",
            command->operands, command->summary);
    if (command->details) {
        fputc('\n', stream);
        write_wrapped(command->details, stream);
    }
    if (command->options) {
        fputs("\nOptions:\n", stream);
        write_options(command->options, NULL, stream);
    }
    write_common(command->options, stream);
    fputs("\nExamples:\n", stream);
    for (const char *const *example = command->examples; example && *example; example++)
        fprintf(stream, "  countersign %s\n", *example);
    fputs("\nExit status: 0 done, 1 refused or failed, 2 the command line is wrong, 3 no controller; all of "
          "them:\n"
          "countersign --help\n",
          stream);
}

void cli_args_help(const struct cli_args *args, FILE *stream)
{
    if (args->command)
        help_command(args->command, stream);
    else if (args->help_noun)
        help_noun(args->help_noun, stream);
    else
        help_all(stream);
}
