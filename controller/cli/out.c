#include "controller/cli/out.h"

#include "controller/cli/when.h"
#include "shared/base/text.h"

#include <langinfo.h>
#include <stdarg.h>
#include <unistd.h>
#include <yyjson.h>

enum { TABLE_HEX_BYTES = 8, COLUMN_GAP = 2 };

struct cell {
    const char *key, *label; /* of a field; a table's cells have them from their column */
    enum cli_kind kind;
    enum cli_tint tint;
    struct cs_buf bytes;
    int64_t number;
};

/* A run of fields, or one table. */
struct section {
    const char *key; /* NULL: fields */
    const struct cli_column *columns;
    size_t column_count;
    const char *empty;
    struct cell *cells;
    size_t count, capacity;
};

struct cli_doc {
    struct section *sections;
    size_t count, capacity;
    struct cs_buf hints;
    bool failed;
};

struct cli_style cli_style_of(FILE *stream, bool json)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return (struct cli_style){
        .json = json,
        .colour = isatty(fileno(stream)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0,
        .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
}

struct cli_doc *cli_doc_new(void)
{
    return calloc(1, sizeof(struct cli_doc));
}

void cli_doc_free(struct cli_doc *doc)
{
    if (!doc)
        return;
    for (size_t i = 0; i < doc->count; i++) {
        for (size_t k = 0; k < doc->sections[i].count; k++)
            cs_buf_wipe(&doc->sections[i].cells[k].bytes); /* an enrolment token may be among them */
        free(doc->sections[i].cells);
    }
    free(doc->sections);
    cs_buf_free(&doc->hints);
    free(doc);
}

static struct section *add_section(struct cli_doc *doc)
{
    if (doc->count == doc->capacity) {
        size_t capacity = doc->capacity ? 2 * doc->capacity : 4;
        struct section *grown = reallocarray(doc->sections, capacity, sizeof *grown);

        if (!grown) {
            doc->failed = true;
            return NULL;
        }
        doc->sections = grown;
        doc->capacity = capacity;
    }
    doc->sections[doc->count] = (struct section){0};
    return &doc->sections[doc->count++];
}

static void add_cell(struct cli_doc *doc, struct section *section, const char *key, const char *label,
                     struct cli_value value)
{
    struct cell *cell;

    if (section->count == section->capacity) {
        size_t capacity = section->capacity ? 2 * section->capacity : 16;
        struct cell *grown = reallocarray(section->cells, capacity, sizeof *grown);

        if (!grown) {
            doc->failed = true;
            return;
        }
        section->cells = grown;
        section->capacity = capacity;
    }
    cell = &section->cells[section->count];
    *cell = (struct cell){key, label, value.kind, value.tint, CS_BUF_EMPTY, value.number};
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
    struct section *section;

    if (!doc || doc->failed)
        return;
    section = doc->count ? &doc->sections[doc->count - 1] : NULL;
    if (!section || section->key)
        section = add_section(doc);
    if (section)
        add_cell(doc, section, key, label, value);
}

void cli_table(struct cli_doc *doc, const char *key, const struct cli_column *columns, size_t count,
               const char *empty)
{
    struct section *section = doc && !doc->failed ? add_section(doc) : NULL;

    if (!section)
        return;
    section->key = key;
    section->columns = columns;
    section->column_count = count;
    section->empty = empty;
}

void cli_row(struct cli_doc *doc, const struct cli_value *values, size_t count)
{
    struct section *section;

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

/* Length of the UTF-8 sequence at the front that may be shown, 0 if there is none. */
static size_t showable(struct cs_slice s)
{
    uint8_t first = s.ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    struct cs_slice sequence = cs_slice(s.ptr, len);
    uint32_t point;

    if (first == '\n' || first == '\t' || len > s.len || cs_text_check(sequence, len, "text", NULL) != CS_OK)
        return 0;
    if (len != 3)
        return len;
    /* U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF: invisible, or they turn text around. */
    point = (uint32_t)(first & 15) << 12 | (uint32_t)(s.ptr[1] & 63) << 6 | (uint32_t)(s.ptr[2] & 63);
    if ((point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
        (point >= 0x2060 && point <= 0x206f) || point == 0xfeff)
        return 0;
    return len;
}

int cli_clean(struct cs_slice text, struct cs_buf *out)
{
    while (text.len) {
        size_t step = showable(text);
        uint8_t c = text.ptr[0];
        int rc;

        if (step)
            rc = cs_buf_append(out, cs_slice(text.ptr, step));
        else
            rc = cs_buf_append_u8(out, c == '\n' || c == '\t' ? ' ' : '?');
        if (rc != CS_OK)
            return rc;
        text = cs_slice_from(text, step ? step : 1);
    }
    return CS_OK;
}

static size_t display_width(struct cs_slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.len; i++)
        width += (text.ptr[i] & 0xc0) != 0x80;
    return width;
}

static int render_hex(struct cs_slice bytes, bool brief, struct cs_buf *out)
{
    if (bytes.len == 0)
        return cs_buf_append_str(out, "-");
    if (brief && bytes.len > TABLE_HEX_BYTES)
        bytes.len = TABLE_HEX_BYTES;
    for (size_t i = 0; i < bytes.len; i++) {
        int rc = cs_buf_printf(out, "%02x", bytes.ptr[i]);

        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static int render_list(struct cs_slice lines, struct cs_buf *out)
{
    while (lines.len) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.ptr) : lines.len;
        int rc = cli_clean(cs_slice(lines.ptr, len), out);

        lines = cs_slice_from(lines, end ? len + 1 : len);
        if (rc == CS_OK && lines.len)
            rc = cs_buf_append_str(out, ", ");
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static int render(const struct cell *cell, bool brief, struct cs_buf *out)
{
    char time_text[CS_TIME_TEXT_BYTES];

    switch (cell->kind) {
    case CLI_TEXT:
        return cell->bytes.len ? cli_clean(cs_buf_slice(&cell->bytes), out) : cs_buf_append_str(out, "-");
    case CLI_NUMBER:
        return cs_buf_printf(out, "%llu", (unsigned long long)cell->number);
    case CLI_BOOL:
        return cs_buf_append_str(out, cell->number ? "yes" : "no");
    case CLI_TIME:
        return cs_buf_append_str(out, cell->number ? cli_when_text(cell->number, time_text) : "-");
    case CLI_HEX:
        return render_hex(cs_buf_slice(&cell->bytes), brief, out);
    case CLI_LIST:
        return cell->bytes.len ? render_list(cs_buf_slice(&cell->bytes), out) : cs_buf_append_str(out, "-");
    }
    return CS_EINTERNAL;
}

const char *cli_tint_on(struct cli_style style, enum cli_tint tint)
{
    static const char *const codes[] = {
        [CLI_PLAIN] = "",
        [CLI_BOLD] = "\033[1m",
        [CLI_DIM] = "\033[2m",
        [CLI_GREEN] = "\033[32m",
        [CLI_BLUE] = "\033[94m",
        [CLI_YELLOW] = "\033[33m",
        [CLI_ORANGE] = "\033[38;5;208m",
        [CLI_PURPLE] = "\033[35m",
        [CLI_GRAY] = "\033[90m",
        [CLI_RED] = "\033[31m",
        [CLI_BLACK] = "\033[7m",
    };

    return style.colour ? codes[tint] : "";
}

const char *cli_tint_off(struct cli_style style, enum cli_tint tint)
{
    return style.colour && tint != CLI_PLAIN ? "\033[0m" : "";
}

static void pad(FILE *stream, size_t count)
{
    while (count--)
        fputc(' ', stream);
}

static void write_padded(FILE *stream, struct cli_style style, struct cs_slice text, size_t width,
                         enum cli_tint tint, bool right, bool last)
{
    size_t missing = width - display_width(text);

    if (right)
        pad(stream, missing);
    fprintf(stream, "%s%.*s%s", cli_tint_on(style, tint), (int)text.len, (const char *)text.ptr,
            cli_tint_off(style, tint));
    if (!last)
        pad(stream, (right ? 0 : missing) + COLUMN_GAP);
}

/* Every cell's text, in order; the caller frees each and the array. */
static struct cs_buf *render_all(const struct section *section, bool brief)
{
    struct cs_buf *texts = calloc(section->count + 1, sizeof *texts);

    for (size_t i = 0; texts && i < section->count; i++) {
        if (render(&section->cells[i], brief, &texts[i]) != CS_OK) {
            for (size_t k = 0; k <= i; k++)
                cs_buf_wipe(&texts[k]);
            free(texts);
            return NULL;
        }
    }
    return texts;
}

static void free_texts(struct cs_buf *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cs_buf_wipe(&texts[i]);
    free(texts);
}

static int write_fields(const struct section *section, FILE *stream, struct cli_style style)
{
    struct cs_buf *texts = render_all(section, false);
    size_t width = 0;

    if (!texts)
        return CS_ENOMEM;
    for (size_t i = 0; i < section->count; i++) {
        size_t label = strlen(section->cells[i].label);

        width = label > width ? label : width;
    }
    for (size_t i = 0; i < section->count; i++) {
        write_padded(stream, style, cs_slice_str(section->cells[i].label), width, CLI_DIM, false, false);
        write_padded(stream, style, cs_buf_slice(&texts[i]), display_width(cs_buf_slice(&texts[i])),
                     section->cells[i].tint, false, true);
        fputc('\n', stream);
    }
    free_texts(texts, section->count);
    return CS_OK;
}

static int write_table(const struct section *section, FILE *stream, struct cli_style style)
{
    size_t columns = section->column_count;
    size_t *widths;
    struct cs_buf *texts;

    if (section->count == 0) {
        if (section->empty)
            fprintf(stream, "%s\n", section->empty);
        return CS_OK;
    }
    texts = render_all(section, true);
    widths = calloc(columns, sizeof *widths);
    if (!texts || !widths) {
        free(widths);
        if (texts)
            free_texts(texts, section->count);
        return CS_ENOMEM;
    }
    for (size_t i = 0; i < columns; i++)
        widths[i] = strlen(section->columns[i].title);
    for (size_t i = 0; i < section->count; i++) {
        size_t width = display_width(cs_buf_slice(&texts[i]));

        widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
    }
    for (size_t i = 0; i < columns; i++)
        write_padded(stream, style, cs_slice_str(section->columns[i].title), widths[i], CLI_BOLD,
                     section->columns[i].right, i + 1 == columns);
    fputc('\n', stream);
    for (size_t i = 0; i < section->count; i++) {
        size_t column = i % columns;

        write_padded(stream, style, cs_buf_slice(&texts[i]), widths[column], section->cells[i].tint,
                     section->columns[column].right, column + 1 == columns);
        if (column + 1 == columns)
            fputc('\n', stream);
    }
    free(widths);
    free_texts(texts, section->count);
    return CS_OK;
}

static yyjson_mut_val *json_list(yyjson_mut_doc *json, struct cs_slice lines)
{
    yyjson_mut_val *array = yyjson_mut_arr(json);

    while (lines.len) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.ptr) : lines.len;

        if (!yyjson_mut_arr_append(array, yyjson_mut_strncpy(json, (const char *)lines.ptr, len)))
            return NULL;
        lines = cs_slice_from(lines, end ? len + 1 : len);
    }
    return array;
}

static yyjson_mut_val *json_hex(yyjson_mut_doc *json, struct cs_slice bytes)
{
    struct cs_buf text = CS_BUF_EMPTY;
    yyjson_mut_val *value = NULL;

    if (bytes.len == 0)
        return yyjson_mut_null(json);
    if (render_hex(bytes, false, &text) == CS_OK)
        value = yyjson_mut_strncpy(json, (const char *)text.ptr, text.len);
    cs_buf_free(&text);
    return value;
}

static yyjson_mut_val *json_value(yyjson_mut_doc *json, const struct cell *cell)
{
    char time_text[CS_TIME_TEXT_BYTES];

    switch (cell->kind) {
    case CLI_TEXT:
        return yyjson_mut_strncpy(json, cell->bytes.len ? (const char *)cell->bytes.ptr : "",
                                  cell->bytes.len);
    case CLI_NUMBER:
        return yyjson_mut_uint(json, (uint64_t)cell->number);
    case CLI_BOOL:
        return yyjson_mut_bool(json, cell->number != 0);
    case CLI_TIME:
        return cell->number ? yyjson_mut_strcpy(json, cs_time_text(cell->number, time_text))
                            : yyjson_mut_null(json);
    case CLI_HEX:
        return json_hex(json, cs_buf_slice(&cell->bytes));
    case CLI_LIST:
        return json_list(json, cs_buf_slice(&cell->bytes));
    }
    return NULL;
}

static bool json_put(yyjson_mut_doc *json, yyjson_mut_val *object, const char *key, const struct cell *cell)
{
    yyjson_mut_val *value = json_value(json, cell);

    return value && yyjson_mut_obj_put(object, yyjson_mut_str(json, key), value);
}

static bool json_table(yyjson_mut_doc *json, yyjson_mut_val *root, const struct section *section)
{
    yyjson_mut_val *rows = yyjson_mut_arr(json);
    yyjson_mut_val *row = NULL;

    for (size_t i = 0; i < section->count; i++) {
        size_t column = i % section->column_count;

        if (column == 0) {
            row = yyjson_mut_obj(json);
            if (!yyjson_mut_arr_append(rows, row))
                return false;
        }
        if (!json_put(json, row, section->columns[column].key, &section->cells[i]))
            return false;
    }
    return yyjson_mut_obj_put(root, yyjson_mut_str(json, section->key), rows);
}

static int write_json(const struct cli_doc *doc, FILE *stream)
{
    yyjson_mut_doc *json = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = json ? yyjson_mut_obj(json) : NULL;
    bool fine = root != NULL;
    char *text = NULL;

    for (size_t i = 0; fine && i < doc->count; i++) {
        const struct section *section = &doc->sections[i];

        if (section->key)
            fine = json_table(json, root, section);
        for (size_t k = 0; fine && !section->key && k < section->count; k++)
            fine = json_put(json, root, section->cells[k].key, &section->cells[k]);
    }
    if (fine) {
        yyjson_mut_doc_set_root(json, root);
        text = yyjson_mut_write(json, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
    }
    fine = text != NULL;
    if (fine)
        fprintf(stream, "%s\n", text);
    free(text);
    yyjson_mut_doc_free(json);
    return fine ? CS_OK : CS_ENOMEM;
}

int cli_doc_write(const struct cli_doc *doc, FILE *stream, struct cli_style style, struct cs_err *err)
{
    int rc = CS_OK;

    if (!doc || doc->failed)
        return cs_err_nomem(err);
    if (style.json)
        rc = write_json(doc, stream);
    for (size_t i = 0; !style.json && rc == CS_OK && i < doc->count; i++) {
        const struct section *section = &doc->sections[i];

        if (i > 0)
            fputc('\n', stream);
        rc = section->key ? write_table(section, stream, style) : write_fields(section, stream, style);
    }
    if (rc != CS_OK)
        return cs_err_nomem(err);
    if (!style.json && doc->hints.len)
        fprintf(stream, "%s%.*s", doc->count ? "\n" : "", (int)doc->hints.len, (const char *)doc->hints.ptr);
    if (fflush(stream) != 0 || ferror(stream))
        return cs_err_set(err, CS_EIO, "writing the result failed: is the disk full, or the pipe closed?");
    return CS_OK;
}
