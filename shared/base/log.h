/* log.h - one line for each thing that happened, as logfmt or JSON. Written by the programs' shells only:
 * shared/ and the cores return errors, they never log.
 * Thread-safe; one write(2) a line, to standard error. The clock is the system's.
 *
 *   cs_log(CS_LOG_INFO, "session", "agent connected", CS_F("device", name), CS_FU("streams", n), CS_FEND);
 *   ts=2026-11-23T11:27:34Z level=info group=session msg="agent connected" device=gw-1 streams=1 */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include "shared/base/slice.h"

enum cs_log_level { CS_LOG_DEBUG, CS_LOG_INFO, CS_LOG_WARN, CS_LOG_ERROR };
enum cs_log_format { CS_LOG_LOGFMT, CS_LOG_JSON };

/* A field's name is one of the documented words (device, connector, request, order, peer, error, …). */
struct cs_log_field {
    const char *name; /* NULL ends the list */
    const char *text; /* NULL: the number counts */
    int64_t number;
};
#define CS_F(name, text)    ((struct cs_log_field){(name), (text), 0})
#define CS_FU(name, number) ((struct cs_log_field){(name), NULL, (int64_t)(number)})
#define CS_FEND             ((struct cs_log_field){NULL, NULL, 0})

/* Call before any thread is started. The default is logfmt from info on. */
void cs_log_setup(enum cs_log_format format, enum cs_log_level least);
bool cs_log_level_parse(const char *text, enum cs_log_level *ret);

void cs_log_fields(enum cs_log_level level, const char *group, const char *msg,
                   const struct cs_log_field *fields);
#define cs_log(level, group, msg, ...)                                                                       \
    cs_log_fields((level), (group), (msg), (const struct cs_log_field[]){__VA_ARGS__})

/* The line without writing it: `out` receives at most out_bytes, which are CS_LOG_LEAST_BYTES or more, with
 * the newline and no terminator. A line that does not fit is cut at a character, remains valid, and ends with
 * cut=true. For tests. */
enum { CS_LOG_LEAST_BYTES = 64, CS_LOG_LINE_BYTES = 2048 };
size_t cs_log_render(char *out, size_t out_bytes, int64_t now_s, enum cs_log_level level, const char *group,
                     const char *msg, const struct cs_log_field *fields);

#endif
