/* out_doc.h - the inside of a document (out.h), for the files that write it: as text (out_text.c) and as JSON
 * (out_json.c). */
#ifndef CTL_CLI_OUT_DOC_H
#define CTL_CLI_OUT_DOC_H

#include "controller/cli/out.h"

struct cli_cell {
    const char *key, *label; /* of a field; a table's cells have them from their column */
    enum cli_kind kind;
    enum cli_tint tint;
    struct cs_buf bytes;
    int64_t number;
    bool name;
};

/* A run of fields, or one table. */
struct cli_section {
    const char *key; /* NULL: fields */
    const struct cli_column *columns;
    size_t column_count;
    const char *empty;
    struct cli_cell *cells;
    size_t count, capacity;
    size_t *widths; /* of the pages that were written; NULL: none was */
    size_t written; /* rows */
};

struct cli_doc {
    struct cli_section *sections;
    size_t count, capacity;
    struct cs_buf hints;
    bool failed;
};

/* The column that names a row: the one that is CLI_ID, or the first. */
size_t cli_section_name(const struct cli_section *section);

/* "9f3c…" in full, or the first digits of it; "-" for nothing. */
CS_MUST_USE int cli_render_hex(struct cs_slice bytes, bool brief, struct cs_buf *out);

/* The document as tables for people. Each returns CS_ENOMEM, or CS_OK whatever became of the stream. */
CS_MUST_USE int cli_text_write(const struct cli_doc *doc, FILE *stream, struct cli_style style);
CS_MUST_USE int cli_text_page(struct cli_section *section, FILE *stream, struct cli_style style);

/* As lines of names. */
CS_MUST_USE int cli_names_write(const struct cli_doc *doc, FILE *stream);

/* As one JSON object; `lines`: a list's rows as an object a line. A list of which pages were written is
 * gone on with, and ended. */
CS_MUST_USE int cli_json_write(const struct cli_doc *doc, bool lines, FILE *stream);
CS_MUST_USE int cli_json_page(const struct cli_section *section, bool lines, FILE *stream);

#endif
