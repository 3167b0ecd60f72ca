/* lines.h - a file's lines one after the other, each up to a limit: what is larger than memory is read so,
 * and garbage without a newline stops at the limit. */
#ifndef CTL_CLI_LINES_H
#define CTL_CLI_LINES_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <stdio.h>

struct cli_lines {
    FILE *stream; /* the caller's */
    struct cs_buf line;
    uint64_t number; /* of the line that was read last, from 1 */
};

/* The next line without its newline, until the next call. CS_ENOTFOUND at the end; CS_EPARSE for a last line
 * without a newline; CS_ETOOBIG for one beyond `most_bytes`; CS_EIO. */
CS_MUST_USE int cli_lines_next(struct cli_lines *lines, size_t most_bytes, struct cs_slice *ret,
                               struct cs_err *err);
/* From the first line again. CS_EIO for what cannot be read twice. */
CS_MUST_USE int cli_lines_again(struct cli_lines *lines, struct cs_err *err);
void cli_lines_free(struct cli_lines *lines);

#endif
