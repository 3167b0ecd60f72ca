/* check.h - is a decoded message complete? Checks that stick: the first that fails keeps its sentence, later
 * ones do nothing, so that a message is checked field after field and asked once. Pure. Only for the files of
 * shared/trust.
 */
#ifndef CS_TRUST_CHECK_H
#define CS_TRUST_CHECK_H

#include "shared/base/err.h"
#include "shared/base/slice.h"

struct cs_check {
    const char *what; /* begins every sentence: "the push request" */
    int code;         /* CS_OK until a check fails; then CS_EPARSE */
    struct cs_err *err;
};

/* Sizes of the fields that have one size. */
enum { CS_ID_BYTES = 16 };

/* Later than any time that makes sense (the year 9999), so that sums of times never overflow. */
#define CS_TIME_LATEST_S    INT64_C(253402300799)
#define CS_PERIOD_LONGEST_S (INT64_C(3650) * 24 * 60 * 60)

/* `requirement` ends the sentence: "order_count must be 1 to 1024". */
void cs_check_that(struct cs_check *check, bool holds, const char *requirement);

void cs_check_size(struct cs_check *check, const char *field, struct cs_slice bytes, size_t size);
void cs_check_size_or_empty(struct cs_check *check, const char *field, struct cs_slice bytes, size_t size);
void cs_check_filled(struct cs_check *check, const char *field, struct cs_slice bytes);
/* The one form of a P-256 SubjectPublicKeyInfo that is accepted. */
void cs_check_spki(struct cs_check *check, const char *field, struct cs_slice spki);
void cs_check_name(struct cs_check *check, const char *field, const char *name);
void cs_check_name_or_empty(struct cs_check *check, const char *field, const char *name);
/* Text for people: well-formed, no control characters but newline and tab. */
void cs_check_text(struct cs_check *check, const char *field, const char *text);
void cs_check_text_filled(struct cs_check *check, const char *field, const char *text);
void cs_check_time(struct cs_check *check, const char *field, int64_t time_s);
void cs_check_positive(struct cs_check *check, const char *field, uint64_t number);
/* Set, and one that we know: 1 to `last`. */
void cs_check_enum(struct cs_check *check, const char *field, unsigned value, unsigned last);

#endif
