/* text.h - bytes to text and back: hex, base64, names, and times as RFC 3339.
 * Pure; the clock is passed in. */
#ifndef CS_BASE_TEXT_H
#define CS_BASE_TEXT_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* Lower-case hex and a terminator; `out` has room for 2 * bytes.len + 1. Returns out. */
char *cs_hex(struct cs_slice bytes, char *out);
/* Exactly `len` bytes from 2 * len digits of either case; colons between bytes are allowed (fingerprints). */
CS_MUST_USE int cs_unhex(struct cs_slice text, uint8_t *out, size_t len);

/* RFC 4648 section 4 (standard alphabet, padded). Decoding refuses anything else, white space too. */
CS_MUST_USE int cs_base64_encode(struct cs_slice bytes, struct cs_buf *out);
CS_MUST_USE int cs_base64_decode(struct cs_slice text, struct cs_buf *out);
/* Section 5, without padding: for links and tokens. */
CS_MUST_USE int cs_base64url_encode(struct cs_slice bytes, struct cs_buf *out);
/* Also the URL-safe alphabet of section 5, and without padding, as JSON's bytes may come. */
CS_MUST_USE int cs_base64_decode_any(struct cs_slice text, struct cs_buf *out);

/* A name that people give to operators, devices and connectors: 1 to 63 of a-z A-Z 0-9 . _ -, beginning with
 * a letter or digit. Such a name is safe in a path, a log line and a shell. `what` begins the sentence of the
 * refusal. */
CS_MUST_USE int cs_name_check(struct cs_slice name, const char *what, struct cs_err *err);
/* Comments and other free text: valid UTF-8 without control characters but newline and tab, at most
 * `max_bytes`. */
CS_MUST_USE int cs_text_check(struct cs_slice text, size_t max_bytes, const char *what, struct cs_err *err);

/* "2026-11-23T11:27:34Z"; `out` has room for CS_TIME_TEXT_BYTES. Times are seconds since 1970 UTC. */
enum { CS_TIME_TEXT_BYTES = 32 };
char *cs_time_text(int64_t time_s, char *out);
/* RFC 3339 section 5.6 with any offset, seconds optional, a space in place of T allowed. */
CS_MUST_USE int cs_time_parse(struct cs_slice text, int64_t *ret_time_s, struct cs_err *err);
/* "30s", "15m", "8h", "7d"; at least 1 s, at most 3650 days. */
CS_MUST_USE int cs_duration_parse(struct cs_slice text, int64_t *ret_s, struct cs_err *err);
/* "24h", "7d", "90s": the largest unit that divides it; `out` has room for CS_DURATION_TEXT_BYTES. */
enum { CS_DURATION_TEXT_BYTES = 24 };
char *cs_duration_text(int64_t duration_s, char *out);
/* Days since 1970 of a civil date, proleptic Gregorian; `month` 1 to 12, `day` 1 to 31. */
int64_t cs_days_from_civil(int64_t year, unsigned month, unsigned day);

#endif
