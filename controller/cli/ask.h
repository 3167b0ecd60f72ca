/* ask.h - questions to the person at the terminal. Questions go to the terminal itself, never to standard
 * output, so that what a command prints can be piped. Does I/O. */
#ifndef CTL_CLI_ASK_H
#define CTL_CLI_ASK_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* From now on as if there were no terminal: for what runs behind a person's back. */
void cli_ask_never(void);
/* There is a person to ask. */
bool cli_ask_possible(void);

/* CS_OK for yes, CS_ECANCELLED for anything else, CS_ESTATE without a terminal (then `otherwise` says what to
 * give). */
CS_MUST_USE int cli_ask_yes(const char *question, const char *otherwise, struct cs_err *err);
/* One line, without its newline. */
CS_MUST_USE int cli_ask_line(const char *question, const char *otherwise, struct cs_buf *out,
                             struct cs_err *err);
/* Without echo; the caller wipes `out`. `again`: asked twice, refused if they differ. From `file` when that
 * is not NULL: its first line. */
CS_MUST_USE int cli_ask_passphrase(const char *of_what, const char *file, bool again, struct cs_buf *out,
                                   struct cs_err *err);

#endif
