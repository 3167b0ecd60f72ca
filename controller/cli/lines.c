#include "controller/cli/lines.h"

#include <errno.h>
#include <string.h>

int cli_lines_next(struct cli_lines *lines, size_t most_bytes, struct cs_slice *ret, struct cs_err *err)
{
    unsigned long long number = lines->number + 1;
    int byte;

    cs_buf_clear(&lines->line);
    while ((byte = getc_unlocked(lines->stream)) != EOF && byte != '\n') {
        if (lines->line.len == most_bytes)
            return cs_err_set(err, CS_ETOOBIG, "line %llu is longer than %zu KiB", number, most_bytes / 1024);
        if (cs_buf_append_u8(&lines->line, (uint8_t)byte) != CS_OK)
            return cs_err_nomem(err);
    }
    if (byte == EOF && ferror(lines->stream))
        return cs_err_set(err, CS_EIO, "reading line %llu: %s", number, strerror(errno));
    if (byte == EOF)
        return lines->line.len ? cs_err_set(err, CS_EPARSE, "line %llu is cut off", number)
                               : cs_err_set(err, CS_ENOTFOUND, "there is no line %llu", number);
    lines->number = number;
    *ret = cs_buf_slice(&lines->line);
    return CS_OK;
}

int cli_lines_again(struct cli_lines *lines, struct cs_err *err)
{
    if (fseek(lines->stream, 0, SEEK_SET) != 0)
        return cs_err_set(err, CS_EIO, "it cannot be read a second time: give a file, not a pipe");
    lines->number = 0;
    return CS_OK;
}

void cli_lines_free(struct cli_lines *lines)
{
    cs_buf_free(&lines->line);
}
