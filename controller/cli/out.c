#include "controller/cli/out_doc.h"

#include <langinfo.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Rows of a list that are held back, so that most tables are laid out at once. */
enum { PAGE_ROWS = 500 };

const char *const cli_format_words[] = {
    [CLI_FORMAT_TABLE] = "table", [CLI_FORMAT_JSON] = "json", [CLI_FORMAT_WIDE] = "wide",
    [CLI_FORMAT_JSONL] = "jsonl", [CLI_FORMAT_NAME] = "name", NULL,
};

static bool is_on(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value && strcmp(value, "0") != 0;
}

static bool may_colour(bool terminal)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *wanted = getenv("CLICOLOR");

    if (no_color && *no_color)
        return false;
    if (is_on("CLICOLOR_FORCE"))
        return true;
    return terminal && term && strcmp(term, "dumb") != 0 && !(wanted && strcmp(wanted, "0") == 0);
}

static size_t width_of(int fd)
{
    struct winsize size = {0};

    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

struct cli_style cli_style_of(FILE *stream, enum cli_format format)
{
    bool terminal = isatty(fileno(stream)) != 0;
    bool machine = format != CLI_FORMAT_TABLE && format != CLI_FORMAT_WIDE;

    return (struct cli_style){
        .json = machine,
        .colour = !machine && may_colour(terminal),
        .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .format = format,
        .width = terminal ? width_of(fileno(stream)) : 0,
    };
}

struct cli_doc *cli_doc_new(void)
{
    return calloc(1, sizeof(struct cli_doc));
}

static void forget_cells(struct cli_section *section)
{
    for (size_t i = 0; i < section->count; i++)
        cs_buf_wipe(&section->cells[i].bytes); /* an enrolment token may be among them */
    section->count = 0;
}

void cli_doc_free(struct cli_doc *doc)
{
    if (!doc)
        return;
    for (size_t i = 0; i < doc->count; i++) {
        forget_cells(&doc->sections[i]);
        free(doc->sections[i].cells);
        free(doc->sections[i].widths);
    }
    free(doc->sections);
    cs_buf_free(&doc->hints);
    free(doc);
}

static struct cli_section *add_section(struct cli_doc *doc)
{
    if (doc->count == doc->capacity) {
        size_t capacity = doc->capacity ? 2 * doc->capacity : 4;
        struct cli_section *grown = reallocarray(doc->sections, capacity, sizeof *grown);

        if (!grown) {
            doc->failed = true;
            return NULL;
        }
        doc->sections = grown;
        doc->capacity = capacity;
    }
    doc->sections[doc->count] = (struct cli_section){0};
    return &doc->sections[doc->count++];
}

static void add_cell(struct cli_doc *doc, struct cli_section *section, const char *key, const char *label,
                     struct cli_value value)
{
    struct cli_cell *cell;

    if (section->count == section->capacity) {
        size_t capacity = section->capacity ? 2 * section->capacity : 16;
        struct cli_cell *grown = reallocarray(section->cells, capacity, sizeof *grown);

        if (!grown) {
            doc->failed = true;
            return;
        }
        section->cells = grown;
        section->capacity = capacity;
    }
    cell = &section->cells[section->count];
    *cell = (struct cli_cell){key, label, value.kind, value.tint, CS_BUF_EMPTY, value.number, false};
    if (cs_buf_append(&cell->bytes, value.bytes) != CS_OK) {
        doc->failed = true;
        return;
    }
    section->count++;
}

void cli_doc_fail(struct cli_doc *doc)
{
    if (doc)
        doc->failed = true;
}

void cli_field(struct cli_doc *doc, const char *key, const char *label, struct cli_value value)
{
    struct cli_section *section;

    if (!doc || doc->failed)
        return;
    section = doc->count ? &doc->sections[doc->count - 1] : NULL;
    if (!section || section->key)
        section = add_section(doc);
    if (section)
        add_cell(doc, section, key, label, value);
}

void cli_named(struct cli_doc *doc)
{
    struct cli_section *section = doc && !doc->failed && doc->count ? &doc->sections[doc->count - 1] : NULL;

    if (section && !section->key && section->count)
        section->cells[section->count - 1].name = true;
}

void cli_table(struct cli_doc *doc, const char *key, const struct cli_column *columns, size_t count,
               const char *empty)
{
    struct cli_section *section = doc && !doc->failed ? add_section(doc) : NULL;

    if (!section)
        return;
    section->key = key;
    section->columns = columns;
    section->column_count = count;
    section->empty = empty;
}

void cli_row(struct cli_doc *doc, const struct cli_value *values, size_t count)
{
    struct cli_section *section;

    if (!doc || doc->failed)
        return;
    section = &doc->sections[doc->count - 1];
    cs_assert(section->key && count == section->column_count);
    for (size_t i = 0; i < count && !doc->failed; i++)
        add_cell(doc, section, NULL, NULL, values[i]);
}

void cli_hint(struct cli_doc *doc, const char *format, ...)
{
    char line[512];
    va_list args;

    if (!doc || doc->failed)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (cs_buf_append_str(&doc->hints, line) != CS_OK || cs_buf_append_u8(&doc->hints, '\n') != CS_OK)
        doc->failed = true;
}

static bool same_cell(const struct cli_cell *a, const struct cli_cell *b)
{
    return a->kind == b->kind && a->number == b->number &&
           cs_slice_eq(cs_buf_slice(&a->bytes), cs_buf_slice(&b->bytes));
}

size_t cli_section_name(const struct cli_section *section)
{
    for (size_t i = 0; i < section->column_count; i++)
        if (section->columns[i].flags & CLI_ID)
            return i;
    return 0;
}

static bool has_row(const struct cli_section *section, const struct cli_cell *row)
{
    size_t name = cli_section_name(section), columns = section->column_count;

    for (size_t at = 0; at < section->count; at += columns) {
        size_t same = 0;

        if (!same_cell(&section->cells[at + name], &row[name]))
            continue;
        while (same < columns && same_cell(&section->cells[at + same], &row[same]))
            same++;
        if (same == columns)
            return true;
    }
    return false;
}

void cli_add_changed(struct cli_doc *doc, const struct cli_doc *before, const struct cli_doc *now)
{
    const struct cli_section *table;

    if (!doc || doc->failed || !now || now->failed)
        return;
    table = &now->sections[0];
    for (size_t at = 0; at < table->count; at += table->column_count) {
        if (before && has_row(&before->sections[0], &table->cells[at]))
            continue;
        for (size_t i = 0; i < table->column_count && !doc->failed; i++) {
            const struct cli_cell *cell = &table->cells[at + i];

            add_cell(doc, &doc->sections[0], NULL, NULL,
                     (struct cli_value){cell->kind, cell->tint, cs_buf_slice(&cell->bytes), cell->number});
        }
    }
}

static int end_writing(FILE *stream, struct cs_err *err)
{
    if (fflush(stream) != 0 || ferror(stream))
        return cs_err_set(err, CS_EIO, "writing the result failed: is the disk full, or the pipe closed?");
    return CS_OK;
}

static enum cli_format format_of(struct cli_style style)
{
    return style.json && style.format == CLI_FORMAT_TABLE ? CLI_FORMAT_JSON : style.format;
}

int cli_doc_page(struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err)
{
    enum cli_format format = format_of(style);
    const struct cli_section *section;

    if (!doc || doc->failed)
        return cs_err_nomem(err);
    cs_assert(doc->count == 1 && doc->sections[0].key);
    section = &doc->sections[0];
    if (format != CLI_FORMAT_JSONL && format != CLI_FORMAT_NAME && !section->written &&
        section->count < PAGE_ROWS * section->column_count)
        return CS_OK;
    return cli_doc_flush(doc, stream, style, err);
}

int cli_doc_flush(struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err)
{
    enum cli_format format = format_of(style);
    struct cli_section *section;
    int rc = CS_OK;

    if (!doc || doc->failed)
        return cs_err_nomem(err);
    cs_assert(doc->count == 1 && doc->sections[0].key);
    section = &doc->sections[0];
    if (format == CLI_FORMAT_JSON || format == CLI_FORMAT_JSONL)
        rc = cli_json_page(section, format == CLI_FORMAT_JSONL, stream);
    else if (format == CLI_FORMAT_NAME)
        rc = cli_names_write(doc, stream);
    else
        rc = cli_text_page(section, stream, style);
    if (rc != CS_OK)
        return cs_err_nomem(err);
    section->written += section->count / section->column_count;
    forget_cells(section);
    return end_writing(stream, err);
}

int cli_doc_write(const struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err)
{
    enum cli_format format = format_of(style);
    int rc = CS_OK;

    if (!doc || doc->failed)
        return cs_err_nomem(err);
    if (format == CLI_FORMAT_JSON || format == CLI_FORMAT_JSONL)
        rc = cli_json_write(doc, format == CLI_FORMAT_JSONL, stream);
    else if (format == CLI_FORMAT_NAME)
        rc = cli_names_write(doc, stream);
    else
        rc = cli_text_write(doc, stream, style);
    return rc == CS_OK ? end_writing(stream, err) : cs_err_nomem(err);
}
