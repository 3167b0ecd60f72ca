/* A document as JSON. */
#include "controller/cli/out_doc.h"

#include "shared/base/text.h"

#include <yyjson.h>

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
    if (cli_render_hex(bytes, false, &text) == CS_OK)
        value = yyjson_mut_strncpy(json, (const char *)text.ptr, text.len);
    cs_buf_free(&text);
    return value;
}

static yyjson_mut_val *json_value(yyjson_mut_doc *json, const struct cli_cell *cell)
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

static bool json_put(yyjson_mut_doc *json, yyjson_mut_val *object, const char *key,
                     const struct cli_cell *cell)
{
    yyjson_mut_val *value = json_value(json, cell);

    return value && yyjson_mut_obj_put(object, yyjson_mut_str(json, key), value);
}

/* The row that begins at this cell; NULL without memory. */
static yyjson_mut_val *json_row(yyjson_mut_doc *json, const struct cli_section *section, size_t at)
{
    yyjson_mut_val *row = yyjson_mut_obj(json);

    for (size_t i = 0; row && i < section->column_count; i++)
        if (!json_put(json, row, section->columns[i].key, &section->cells[at + i]))
            return NULL;
    return row;
}

static bool json_table(yyjson_mut_doc *json, yyjson_mut_val *root, const struct cli_section *section)
{
    yyjson_mut_val *rows = yyjson_mut_arr(json);

    for (size_t at = 0; at < section->count; at += section->column_count)
        if (!yyjson_mut_arr_append(rows, json_row(json, section, at)))
            return false;
    return yyjson_mut_obj_put(root, yyjson_mut_str(json, section->key), rows);
}

/* A row inside of a list: as yyjson would indent it there. */
static void write_indented(const char *text, FILE *stream)
{
    fputs("\n    ", stream);
    for (; *text; text++) {
        fputc(*text, stream);
        if (*text == '\n')
            fputs("    ", stream);
    }
}

int cli_json_page(const struct cli_section *section, bool lines, FILE *stream)
{
    bool first = section->written == 0;

    if (first && !lines)
        fprintf(stream, "{\n  \"%s\": [", section->key);
    for (size_t at = 0; at < section->count; at += section->column_count) {
        yyjson_mut_doc *json = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *row = json ? json_row(json, section, at) : NULL;
        yyjson_write_flag flags = lines ? YYJSON_WRITE_NOFLAG : YYJSON_WRITE_PRETTY_TWO_SPACES;
        char *text = row ? yyjson_mut_val_write(row, flags, NULL) : NULL;

        yyjson_mut_doc_free(json);
        if (!text)
            return CS_ENOMEM;
        if (lines) {
            fprintf(stream, "%s\n", text);
        } else {
            fputs(first ? "" : ",", stream);
            write_indented(text, stream);
        }
        first = false;
        free(text);
    }
    return CS_OK;
}

static int write_object(const struct cli_doc *doc, yyjson_write_flag flags, FILE *stream)
{
    yyjson_mut_doc *json = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = json ? yyjson_mut_obj(json) : NULL;
    bool fine = root != NULL;
    char *text = NULL;

    for (size_t i = 0; fine && i < doc->count; i++) {
        const struct cli_section *section = &doc->sections[i];

        if (section->key)
            fine = json_table(json, root, section);
        for (size_t k = 0; fine && !section->key && k < section->count; k++)
            fine = json_put(json, root, section->cells[k].key, &section->cells[k]);
    }
    if (fine) {
        yyjson_mut_doc_set_root(json, root);
        text = yyjson_mut_write(json, flags, NULL);
    }
    fine = text != NULL;
    if (fine)
        fprintf(stream, "%s\n", text);
    free(text);
    yyjson_mut_doc_free(json);
    return fine ? CS_OK : CS_ENOMEM;
}

int cli_json_write(const struct cli_doc *doc, bool lines, FILE *stream)
{
    const struct cli_section *list = doc->count == 1 && doc->sections[0].key ? &doc->sections[0] : NULL;
    int rc;

    if (list && (lines || list->written)) {
        rc = cli_json_page(list, lines, stream);
        if (rc == CS_OK && !lines)
            fputs("\n  ]\n}\n", stream);
        return rc;
    }
    return write_object(doc, lines ? YYJSON_WRITE_NOFLAG : YYJSON_WRITE_PRETTY_TWO_SPACES, stream);
}
