/* said.h - the end of what somebody said, fit for a report: one line of printable ASCII, without anything
 * that may be a key. Pure; takes any amount in any pieces and keeps no more than this struct. */
#ifndef AG_PORT_SAID_H
#define AG_PORT_SAID_H

#include "agent/core/limits.h"
#include "shared/base/slice.h"

/* Characters of base64 in a row that are left out: no word, path or number of an ordinary message has so
 * many, and every private key has more. */
enum { AG_SAID_RUN = 48 };

/* A zeroed struct has heard nothing. */
struct ag_said {
    char text[2 * AG_LIMIT_COMMAND_OUTPUT]; /* what falls out at the front goes half a buffer at a time */
    size_t len;
    unsigned run; /* how many characters at the end of the text may be part of a key */
    enum { AG_SAID_NO_GAP, AG_SAID_BLANK, AG_SAID_LINE_END } gap; /* seen, and not written yet */
    enum { AG_SAID_PLAIN, AG_SAID_ESCAPE, AG_SAID_SEQUENCE } escape;
    bool in_key;     /* what follows on this line is left out */
    bool below_key;  /* the line above ended so: this one is left out if it could be the key's rest */
    bool run_is_all; /* the run began with its line */
};

void ag_said_hear(struct ag_said *said, struct cs_slice bytes);
/* The last AG_LIMIT_COMMAND_OUTPUT - 1 characters; line ends are " | ". Nothing is heard afterwards. */
const char *ag_said_text(struct ag_said *said);

#endif
