#include "shared/trust/check.h"

#include "shared/base/text.h"
#include "shared/crypto/crypto.h"

static void fail(struct cs_check *check, const char *format, ...) CS_PRINTF(2, 3);

static void fail(struct cs_check *check, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    check->code = cs_err_setv(check->err, CS_EPARSE, format, args);
    va_end(args);
    cs_err_prefix(check->err, "%s", check->what);
}

void cs_check_that(struct cs_check *check, bool holds, const char *requirement)
{
    if (check->code == CS_OK && !holds)
        fail(check, "%s", requirement);
}

void cs_check_size(struct cs_check *check, const char *field, struct cs_slice bytes, size_t size)
{
    if (check->code == CS_OK && bytes.len != size)
        fail(check, "%s has %zu bytes and must have %zu", field, bytes.len, size);
}

void cs_check_size_or_empty(struct cs_check *check, const char *field, struct cs_slice bytes, size_t size)
{
    if (bytes.len > 0)
        cs_check_size(check, field, bytes, size);
}

void cs_check_filled(struct cs_check *check, const char *field, struct cs_slice bytes)
{
    if (check->code == CS_OK && bytes.len == 0)
        fail(check, "%s is missing", field);
}

void cs_check_spki(struct cs_check *check, const char *field, struct cs_slice spki)
{
    struct cs_slice point;

    if (check->code == CS_OK && cs_spki_point(spki, &point) != CS_OK)
        fail(check, "%s is not the SubjectPublicKeyInfo of a P-256 key", field);
}

void cs_check_name(struct cs_check *check, const char *field, const char *name)
{
    if (check->code == CS_OK && cs_name_check(cs_slice_str(name), field, check->err) != CS_OK) {
        check->code = CS_EPARSE;
        if (check->err)
            check->err->code = CS_EPARSE;
        cs_err_prefix(check->err, "%s", check->what);
    }
}

void cs_check_name_or_empty(struct cs_check *check, const char *field, const char *name)
{
    if (name[0] != '\0')
        cs_check_name(check, field, name);
}

void cs_check_text(struct cs_check *check, const char *field, const char *text)
{
    if (check->code == CS_OK && cs_text_check(cs_slice_str(text), SIZE_MAX, field, NULL) != CS_OK)
        fail(check, "%s has a control character, or is not UTF-8", field);
}

void cs_check_text_filled(struct cs_check *check, const char *field, const char *text)
{
    cs_check_filled(check, field, cs_slice_str(text));
    cs_check_text(check, field, text);
}

void cs_check_time(struct cs_check *check, const char *field, int64_t time_s)
{
    if (check->code == CS_OK && (time_s <= 0 || time_s > CS_TIME_LATEST_S))
        fail(check, "%s is not a time after 1970 and before the year 10000", field);
}

void cs_check_positive(struct cs_check *check, const char *field, uint64_t number)
{
    if (check->code == CS_OK && number == 0)
        fail(check, "%s must be at least 1", field);
}

void cs_check_enum(struct cs_check *check, const char *field, unsigned value, unsigned last)
{
    if (check->code == CS_OK && (value == 0 || value > last))
        fail(check, "%s is %u, which is not known: 1 to %u are", field, value, last);
}
