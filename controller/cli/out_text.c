/* What a document looks like to people: fields and tables, laid out and cleaned. And as names. */
#include "controller/cli/fit.h"
#include "controller/cli/out_doc.h"
#include "controller/cli/when.h"

#include "shared/base/text.h"

enum { TABLE_HEX_BYTES = 8, COLUMN_GAP = 2 };

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

int cli_render_hex(struct cs_slice bytes, bool brief, struct cs_buf *out)
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

static int render(const struct cli_cell *cell, bool brief, struct cs_buf *out)
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
        return cli_render_hex(cs_buf_slice(&cell->bytes), brief, out);
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
    size_t missing = width - cli_fit_width(text);

    if (right)
        pad(stream, missing);
    fprintf(stream, "%s%.*s%s", cli_tint_on(style, tint), (int)text.len, (const char *)text.ptr,
            cli_tint_off(style, tint));
    if (!last)
        pad(stream, (right ? 0 : missing) + COLUMN_GAP);
}

/* The cells' texts, in order; the caller frees each and the array. */
static struct cs_buf *render_all(const struct cli_section *section, bool brief)
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
    for (size_t i = 0; texts && i < count; i++)
        cs_buf_wipe(&texts[i]);
    free(texts);
}

static int write_fields(const struct cli_section *section, FILE *stream, struct cli_style style)
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
        write_padded(stream, style, cs_buf_slice(&texts[i]), cli_fit_width(cs_buf_slice(&texts[i])),
                     section->cells[i].tint, false, true);
        fputc('\n', stream);
    }
    free_texts(texts, section->count);
    return CS_OK;
}

/* A table while some of its rows are written: the columns that are seen, and how wide each is. */
struct layout {
    FILE *stream;
    struct cli_style style;
    const struct cli_column *columns;
    size_t *seen, *widths; /* of the columns that are seen: index, and width */
    size_t count;
};

static bool is_seen(const struct cli_column *column, struct cli_style style)
{
    return style.format == CLI_FORMAT_WIDE || !(column->flags & CLI_WIDE);
}

/* What the page before had, and what these rows need. */
static void measure(const struct cli_section *section, const struct cs_buf *texts, struct cli_style style,
                    size_t *widths)
{
    for (size_t i = 0; i < section->column_count; i++)
        widths[i] = section->widths ? section->widths[i] : 0;
    for (size_t i = 0; !style.no_headers && i < section->column_count; i++) {
        size_t width = strlen(section->columns[i].title);

        widths[i] = width > widths[i] ? width : widths[i];
    }
    for (size_t i = 0; i < section->count; i++) {
        size_t width = cli_fit_width(cs_buf_slice(&texts[i])), *widest = &widths[i % section->column_count];

        *widest = width > *widest ? width : *widest;
    }
}

/* Which columns are seen, and how wide each may be. Names and numbers are never cut. */
static int lay_out(struct layout *layout, const struct cli_section *section, const size_t *natural)
{
    cs_auto_free bool *fixed = calloc(section->column_count, sizeof *fixed);

    if (!fixed)
        return CS_ENOMEM;
    for (size_t i = 0; i < section->column_count; i++) {
        if (!is_seen(&section->columns[i], layout->style))
            continue;
        fixed[layout->count] = (section->columns[i].flags & (CLI_RIGHT | CLI_ID)) != 0;
        layout->widths[layout->count] = natural[i];
        layout->seen[layout->count++] = i;
    }
    if (layout->style.width)
        cli_fit(layout->widths, fixed, layout->count, COLUMN_GAP, layout->style.width);
    return CS_OK;
}

static int write_cell(const struct layout *layout, size_t at, struct cs_slice text, enum cli_tint tint)
{
    size_t column = layout->seen[at], width = layout->widths[at];
    struct cs_buf cut = CS_BUF_EMPTY;
    int rc = cli_fit_cut(text, width, layout->style.unicode, &cut);

    if (rc == CS_OK)
        write_padded(layout->stream, layout->style, cs_buf_slice(&cut), width, tint,
                     (layout->columns[column].flags & CLI_RIGHT) != 0, at + 1 == layout->count);
    cs_buf_wipe(&cut);
    if (at + 1 == layout->count)
        fputc('\n', layout->stream);
    return rc;
}

static int write_rows(const struct layout *layout, const struct cli_section *section,
                      const struct cs_buf *texts)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && !section->written && !layout->style.no_headers && i < layout->count;
         i++)
        rc = write_cell(layout, i, cs_slice_str(layout->columns[layout->seen[i]].title), CLI_BOLD);
    for (size_t row = 0; rc == CS_OK && row < section->count; row += section->column_count)
        for (size_t i = 0; rc == CS_OK && i < layout->count; i++)
            rc = write_cell(layout, i, cs_buf_slice(&texts[row + layout->seen[i]]),
                            section->cells[row + layout->seen[i]].tint);
    return rc;
}

/* *ret_widths: as wide as these rows would be if there were room; free() it. */
static int write_page(const struct cli_section *section, FILE *stream, struct cli_style style,
                      size_t **ret_widths)
{
    struct cs_buf *texts = render_all(section, true);
    cs_auto_free size_t *natural = calloc(section->column_count, sizeof *natural);
    cs_auto_free size_t *widths = calloc(section->column_count, sizeof *widths);
    cs_auto_free size_t *seen = calloc(section->column_count, sizeof *seen);
    struct layout layout = {stream, style, section->columns, seen, widths, 0};
    int rc = texts && natural && widths && seen ? CS_OK : CS_ENOMEM;

    if (rc == CS_OK) {
        measure(section, texts, style, natural);
        rc = lay_out(&layout, section, natural);
    }
    if (rc == CS_OK)
        rc = write_rows(&layout, section, texts);
    free_texts(texts, section->count);
    if (rc == CS_OK)
        *ret_widths = cs_steal(natural);
    return rc;
}

int cli_text_page(struct cli_section *section, FILE *stream, struct cli_style style)
{
    size_t *widths;
    int rc = write_page(section, stream, style, &widths);

    if (rc != CS_OK)
        return rc;
    free(section->widths);
    section->widths = widths;
    return CS_OK;
}

static int write_table(const struct cli_section *section, FILE *stream, struct cli_style style)
{
    cs_auto_free size_t *widths = NULL;

    if (section->count)
        return write_page(section, stream, style, &widths);
    if (section->empty && !section->written)
        fprintf(stream, "%s\n", section->empty);
    return CS_OK;
}

int cli_text_write(const struct cli_doc *doc, FILE *stream, struct cli_style style)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < doc->count; i++) {
        const struct cli_section *section = &doc->sections[i];

        if (i > 0)
            fputc('\n', stream);
        rc = section->key ? write_table(section, stream, style) : write_fields(section, stream, style);
    }
    if (rc == CS_OK && doc->hints.len)
        fprintf(stream, "%s%.*s", doc->count ? "\n" : "", (int)doc->hints.len, (const char *)doc->hints.ptr);
    return rc;
}

static int write_name(const struct cli_cell *cell, FILE *stream)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc = render(cell, false, &text);

    if (rc == CS_OK)
        fprintf(stream, "%.*s\n", (int)text.len, (const char *)text.ptr);
    cs_buf_wipe(&text);
    return rc;
}

int cli_names_write(const struct cli_doc *doc, FILE *stream)
{
    const struct cli_section *section = doc->count ? &doc->sections[0] : NULL;
    size_t at = 0, step;
    int rc = CS_OK;

    if (!section)
        return CS_OK;
    step = section->key ? section->column_count : section->count;
    if (section->key)
        at = cli_section_name(section);
    for (size_t i = 0; !section->key && i < step; i++) {
        if (section->cells[i].name) {
            at = i;
            break;
        }
    }
    for (; rc == CS_OK && at < section->count; at += step)
        rc = write_name(&section->cells[at], stream);
    return rc;
}
