/* console_open.h - shows a link to the person: the browser is told to open it, by a file of mode 0600 that
 * leads there, because what stands in a command line is seen by everybody on the machine. */
#ifndef CTL_CLI_CONSOLE_OPEN_H
#define CTL_CLI_CONSOLE_OPEN_H

#include "controller/cli/home.h"

#include <uv.h>

/* A zeroed one has no file. */
struct cli_console_opening {
    uv_process_t process;
    bool is_running;
    char path[PATH_MAX]; /* of the file; empty: none */
};

/* Starts `xdg-open` on a new file, and does not wait. CS_ENOTFOUND without a display or without xdg-open. One
 * at a time: CS_EBUSY. */
CS_MUST_USE int cli_console_open(struct cli_console_opening *opening, uv_loop_t *loop,
                                 const struct cli_home *home, const char *link, struct cs_err *err);
/* The browser has been there: the file goes away. */
void cli_console_opened(struct cli_console_opening *opening);
/* Removes the file and closes the handle; the loop must run once more. */
void cli_console_open_close(struct cli_console_opening *opening);

#endif
