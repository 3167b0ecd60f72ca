/* when.h - times as people type and read them: "tomorrow 02:00" in a zone becomes seconds since 1970, and
 * those become a time of the reader's zone with its offset. Zones are the C library's (IANA names, from
 * tzdata); UTC and offsets work without it. Reads TZ and zone files; switching zones changes the process's
 * environment for the time of a call, so only a program with one thread may use it. Start at
 * cli_when_parse().
 *
 * A local time that a zone skips (spring) or has twice (autumn) is never guessed: it is refused with the
 * times that could be meant. */
#ifndef CTL_CLI_WHEN_H
#define CTL_CLI_WHEN_H

#include "shared/base/text.h"

/* One of these, each but the first two with a zone behind it where it is not the reader's: Z, UTC, +01:00,
 * Europe/Berlin.
 *
 *   2026-12-24T02:00:00Z    RFC 3339, any offset
 *   in 3h                   from now (cs_duration_parse)
 *   today 22:00             refused when it is over
 *   tomorrow 02:00          the next day of the zone's calendar, however long it is
 *   monday 02:00            the next one to come; today's, where that is still ahead
 *   2026-12-24 02:00        seconds may follow; a T may stand between
 *
 * `zone` (NULL: none) is the one that was given apart; given twice is refused. CS_EINVAL with a sentence that
 * says what to write. */
CS_MUST_USE int cli_when_parse(const char *text, const char *zone, int64_t now_s, int64_t *ret_s,
                               struct cs_err *err);

/* "2026-12-24T03:00:00+01:00" in the reader's zone (TZ, else the system's), "…Z" where that has no offset;
 * `out` has room for CS_TIME_TEXT_BYTES. Returns out. */
char *cli_when_text(int64_t time_s, char *out);

#endif
