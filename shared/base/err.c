#include "shared/base/err.h"

#include "shared/base/utf8.h"

#include <stdio.h>
#include <string.h>

/* What a stranger sent may stand in a sentence, and a sentence that is too long is cut where it may be in the
 * middle of a character: it must be fit for a log, a terminal and a protobuf string all the same. */
static void clean(char *msg)
{
    size_t len = strlen(msg);

    for (size_t at = 0; at < len;) {
        struct cs_slice rest = cs_slice(msg + at, len - at);
        size_t step = cs_utf8_char(rest);

        if (step > 0 && !cs_utf8_is_control(rest)) {
            at += step;
            continue;
        }
        for (size_t end = at + (step ? step : 1); at < end; at++)
            msg[at] = '?';
    }
}

int cs_err_setv(struct cs_err *err, int code, const char *format, va_list args)
{
    cs_assert(code != CS_OK);
    if (err) {
        err->code = code;
        vsnprintf(err->msg, sizeof err->msg, format, args);
        clean(err->msg);
    }
    return code;
}

int cs_err_set(struct cs_err *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cs_err_setv(err, code, format, args);
    va_end(args);
    return code;
}

int cs_err_prefix(struct cs_err *err, const char *format, ...)
{
    char rest[sizeof err->msg];
    va_list args;
    int written;

    if (!err)
        return CS_EINTERNAL;
    memcpy(rest, err->msg, sizeof rest);
    va_start(args, format);
    written = vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    if (written >= 0 && (size_t)written < sizeof err->msg)
        snprintf(err->msg + written, sizeof err->msg - (size_t)written, ": %.*s",
                 (int)(sizeof rest - (size_t)written - 3), rest);
    clean(err->msg);
    return err->code;
}

int cs_err_nomem(struct cs_err *err)
{
    return cs_err_set(err, CS_ENOMEM, "out of memory");
}

const char *cs_code_text(int code)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CS_ERR_CODES(X)
#undef X
    };
    if (code < 0 || (size_t)code >= CS_ARRAY_LEN(texts))
        return "unknown";
    return texts[code];
}
