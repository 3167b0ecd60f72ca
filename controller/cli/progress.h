/* progress.h - how far the orders of a request are, in one line. Pure; the shell decides where it goes and
 * how often. */
#ifndef CTL_CLI_PROGRESS_H
#define CTL_CLI_PROGRESS_H

#include "controller/cli/out.h"

struct cli_progress {
    uint64_t orders, completed, failed;
    const char *state; /* of the least advanced: "Push-In Progress" */
    int64_t elapsed_s;
};

/* "[#####.....] 5 of 10 ended, 1 failed  Push-In Progress  0:42" with a bar that fits into `width` columns;
 * without one where there is no room for it, or with width 0. No newline. */
CS_MUST_USE int cli_progress_line(const struct cli_progress *progress, size_t width, struct cs_buf *out);

#endif
