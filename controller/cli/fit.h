/* fit.h - how wide a table's columns are where the line is only so long, and text cut to that. Pure. */
#ifndef CTL_CLI_FIT_H
#define CTL_CLI_FIT_H

#include "shared/base/buf.h"

/* So much of a column stays, however narrow the terminal: less says nothing. */
enum { CLI_FIT_LEAST = 8 };

/* Columns on the screen that text takes: one a code point. */
size_t cli_fit_width(struct cs_slice text);

/* Narrows the widest columns until `count` of them with `gap` between them fit into `room`, or until nothing
 * can be narrowed any more. Those that are `fixed` stay as they are. */
void cli_fit(size_t *widths, const bool *fixed, size_t count, size_t gap, size_t room);

/* Appends `text`, at most `width` columns of it; where something was cut off, an ellipsis says so. */
CS_MUST_USE int cli_fit_cut(struct cs_slice text, size_t width, bool unicode, struct cs_buf *out);

#endif
