/* out.h - what a command found: collected once as data, then written as tables for people, as JSON for
 * machines, or as names for the next command. No I/O but the stream that cli_doc_write() is given. Text is
 * copied when it is added. Whatever people see is cleaned first: what the controller says must not be able to
 * move the cursor or turn text around (cli_clean()). The first failure (no memory) sticks and is told by
 * cli_doc_write(). Long lists are written page by page (cli_doc_page()), so that memory does not grow with
 * them. Start at cli_field() and cli_table(). */
#ifndef CTL_CLI_OUT_H
#define CTL_CLI_OUT_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <stdio.h>

/* Never the only carrier of a meaning: a word stands beside every colour. */
enum cli_tint {
    CLI_PLAIN,
    CLI_BOLD,
    CLI_DIM,
    CLI_GREEN,
    CLI_BLUE,
    CLI_YELLOW,
    CLI_ORANGE,
    CLI_PURPLE,
    CLI_GRAY,
    CLI_RED,
    CLI_BLACK, /* shown reversed, so that it can be read on a dark terminal */
};

enum cli_format {
    CLI_FORMAT_TABLE, /* without the columns that are CLI_WIDE */
    CLI_FORMAT_JSON,  /* one object */
    CLI_FORMAT_WIDE,
    CLI_FORMAT_JSONL, /* a list: an object a row, each on a line; anything else: one object on one line */
    CLI_FORMAT_NAME,  /* what the next command takes: a line a row, or one line */
};
extern const char *const cli_format_words[]; /* by enum cli_format; ends with NULL */

struct cli_style {
    bool json; /* for machines: json, jsonl, name */
    bool colour;
    bool unicode; /* else lines and dots are drawn in ASCII */
    enum cli_format format;
    bool no_headers; /* of tables */
    size_t width;    /* tables are cut to so many columns; 0: never */
};
/* Colour where the stream is a terminal and NO_COLOR (no-color.org), CLICOLOR (bixense.com/clicolors) and
 * TERM do not forbid it, or CLICOLOR_FORCE asks for it; unicode by locale; width of the terminal. */
struct cli_style cli_style_of(FILE *stream, enum cli_format format);

enum cli_kind { CLI_TEXT, CLI_NUMBER, CLI_BOOL, CLI_TIME, CLI_HEX, CLI_LIST };

/* Made by the functions below; borrows until it is added. */
struct cli_value {
    enum cli_kind kind;
    enum cli_tint tint;
    struct cs_slice bytes;
    int64_t number;
};

static inline struct cli_value cli_text(const char *text)
{
    return (struct cli_value){CLI_TEXT, CLI_PLAIN, cs_slice_str(text), 0};
}
static inline struct cli_value cli_tinted(const char *text, enum cli_tint tint)
{
    return (struct cli_value){CLI_TEXT, tint, cs_slice_str(text), 0};
}
static inline struct cli_value cli_number(uint64_t number)
{
    return (struct cli_value){CLI_NUMBER, CLI_PLAIN, CS_SLICE_EMPTY, (int64_t)number};
}
static inline struct cli_value cli_bool(bool value)
{
    return (struct cli_value){CLI_BOOL, CLI_PLAIN, CS_SLICE_EMPTY, value};
}
/* For people in their own zone (when.h), UTC in JSON. 0 is "-" and null: never, or not yet. */
static inline struct cli_value cli_time(int64_t time_s)
{
    return (struct cli_value){CLI_TIME, CLI_PLAIN, CS_SLICE_EMPTY, time_s};
}
/* In full as a field and in JSON; the first 16 digits in a table's column, enough to be given back as a
 * prefix. */
static inline struct cli_value cli_hex(struct cs_slice bytes)
{
    return (struct cli_value){CLI_HEX, CLI_PLAIN, bytes, 0};
}
/* Entries divided by newlines; an array in JSON. */
static inline struct cli_value cli_list(struct cs_slice lines)
{
    return (struct cli_value){CLI_LIST, CLI_PLAIN, lines, 0};
}

struct cli_doc;
struct cli_doc *cli_doc_new(void); /* NULL without memory; every function takes that */
void cli_doc_free(struct cli_doc *doc);
CS_DEFINE_AUTO(cli_doc_freep, struct cli_doc, cli_doc_free)

/* `key` is JSON's name, `label` the people's. Keys, labels, titles and columns are literals: not copied. */
void cli_field(struct cli_doc *doc, const char *key, const char *label, struct cli_value value);
/* The field that was added last is what `-o name` prints; without any it is the first. */
void cli_named(struct cli_doc *doc);

struct cli_column {
    const char *key, *title;
    unsigned flags; /* of enum cli_column_flag; 0: none */
};
enum cli_column_flag {
    CLI_RIGHT = 1, /* aligned: numbers */
    CLI_WIDE = 2,  /* people see it with -o wide only; machines always */
    CLI_ID = 4,    /* what `-o name` prints, in full; without any it is the first column. Never cut. */
};
/* Begins a table; rows follow. `empty` is what people read when none do (NULL: nothing). */
void cli_table(struct cli_doc *doc, const char *key, const struct cli_column *columns, size_t count,
               const char *empty);
void cli_row(struct cli_doc *doc, const struct cli_value *values, size_t count);
#define CLI_ROW(doc, ...)                                                                                    \
    cli_row((doc), (const struct cli_value[]){__VA_ARGS__},                                                  \
            sizeof((const struct cli_value[]){__VA_ARGS__}) / sizeof(struct cli_value))
/* Something that belongs into the document is missing for lack of memory: cli_doc_write() says so and writes
 * nothing. */
void cli_doc_fail(struct cli_doc *doc);
/* A line for people: what to do next. JSON leaves it out. */
void cli_hint(struct cli_doc *doc, const char *format, ...) CS_PRINTF(2, 3);

/* A page of a list has been added: the document is one table, whose rows so far are written now or soon, and
 * forgotten. Widths grow from page to page. The same stream and style every time; cli_doc_write() ends it. */
CS_MUST_USE int cli_doc_page(struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err);
/* The same, at once. */
CS_MUST_USE int cli_doc_flush(struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err);
/* Adds the rows of the table in `now` that the one in `before` has not, or has otherwise, by what names a
 * row. `before` NULL: all. The three have the same columns, and each is one table. */
void cli_add_changed(struct cli_doc *doc, const struct cli_doc *before, const struct cli_doc *now);
CS_MUST_USE int cli_doc_write(const struct cli_doc *doc, FILE *stream, struct cli_style style,
                              struct cs_err *err);

/* The escape sequences around tinted text; empty strings without colour. */
const char *cli_tint_on(struct cli_style style, enum cli_tint tint);
const char *cli_tint_off(struct cli_style style, enum cli_tint tint);

/* Appends `text` with every control character, direction override and malformed byte replaced by '?'. */
CS_MUST_USE int cli_clean(struct cs_slice text, struct cs_buf *out);

#endif
