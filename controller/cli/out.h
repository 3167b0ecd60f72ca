/* out.h - what a command found: collected once as data, then written as tables for people or as JSON for
 * machines. No I/O but the stream that out_write() is given. Text is copied when it is added. Whatever people
 * see is cleaned first: what the controller says must not be able to move the cursor or turn text around
 * (out_clean()). The first failure (no memory) sticks and is told by out_write(). Start at out_field() and
 * out_table(). */
#ifndef CTL_CLI_OUT_H
#define CTL_CLI_OUT_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <stdio.h>

/* Never the only carrier of a meaning: a word stands beside every colour. */
enum out_tint {
    OUT_PLAIN,
    OUT_BOLD,
    OUT_DIM,
    OUT_GREEN,
    OUT_BLUE,
    OUT_YELLOW,
    OUT_ORANGE,
    OUT_PURPLE,
    OUT_GRAY,
    OUT_RED,
    OUT_BLACK, /* shown reversed, so that it can be read on a dark terminal */
};

struct out_style {
    bool json;
    bool colour;
    bool unicode; /* else lines and dots are drawn in ASCII */
};
/* Colour where the stream is a terminal and NO_COLOR (no-color.org) and TERM do not forbid it; unicode by
 * locale. */
struct out_style out_style_of(FILE *stream, bool json);

enum out_kind { OUT_TEXT, OUT_NUMBER, OUT_BOOL, OUT_TIME, OUT_HEX, OUT_LIST };

/* Made by the functions below; borrows until it is added. */
struct out_value {
    enum out_kind kind;
    enum out_tint tint;
    struct cs_slice bytes;
    int64_t number;
};

static inline struct out_value out_text(const char *text)
{
    return (struct out_value){OUT_TEXT, OUT_PLAIN, cs_slice_str(text), 0};
}
static inline struct out_value out_tinted(const char *text, enum out_tint tint)
{
    return (struct out_value){OUT_TEXT, tint, cs_slice_str(text), 0};
}
static inline struct out_value out_number(uint64_t number)
{
    return (struct out_value){OUT_NUMBER, OUT_PLAIN, CS_SLICE_EMPTY, (int64_t)number};
}
static inline struct out_value out_bool(bool value)
{
    return (struct out_value){OUT_BOOL, OUT_PLAIN, CS_SLICE_EMPTY, value};
}
/* 0 is "-" and null: never, or not yet. */
static inline struct out_value out_time(int64_t time_s)
{
    return (struct out_value){OUT_TIME, OUT_PLAIN, CS_SLICE_EMPTY, time_s};
}
/* In full as a field and in JSON; the first 16 digits in a table's column, enough to be given back as a
 * prefix. */
static inline struct out_value out_hex(struct cs_slice bytes)
{
    return (struct out_value){OUT_HEX, OUT_PLAIN, bytes, 0};
}
/* Entries divided by newlines; an array in JSON. */
static inline struct out_value out_list(struct cs_slice lines)
{
    return (struct out_value){OUT_LIST, OUT_PLAIN, lines, 0};
}

struct out_doc;
struct out_doc *out_new(void); /* NULL without memory; every function takes that */
void out_free(struct out_doc *doc);
CS_DEFINE_AUTO(out_freep, struct out_doc, out_free)

/* `key` is JSON's name, `label` the people's. Keys, labels, titles and columns are literals: not copied. */
void out_field(struct out_doc *doc, const char *key, const char *label, struct out_value value);

struct out_column {
    const char *key, *title;
    bool right; /* aligned: numbers */
};
/* Begins a table; rows follow. `empty` is what people read when none do (NULL: nothing). */
void out_table(struct out_doc *doc, const char *key, const struct out_column *columns, size_t count,
               const char *empty);
void out_row(struct out_doc *doc, const struct out_value *values, size_t count);
#define OUT_ROW(doc, ...)                                                                                    \
    out_row((doc), (const struct out_value[]){__VA_ARGS__},                                                  \
            sizeof((const struct out_value[]){__VA_ARGS__}) / sizeof(struct out_value))
/* A line for people: what to do next. JSON leaves it out. */
void out_hint(struct out_doc *doc, const char *format, ...) CS_PRINTF(2, 3);

CS_MUST_USE int out_write(const struct out_doc *doc, FILE *stream, struct out_style style,
                          struct cs_err *err);

/* The escape sequences around tinted text; empty strings without colour. */
const char *out_tint_on(struct out_style style, enum out_tint tint);
const char *out_tint_off(struct out_style style, enum out_tint tint);

/* Appends `text` with every control character, direction override and malformed byte replaced by '?'. */
CS_MUST_USE int out_clean(struct cs_slice text, struct cs_buf *out);

#endif
