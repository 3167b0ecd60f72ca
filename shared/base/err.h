/* err.h - how a function says what went wrong: one code for the program, one sentence for the person.
 * Pure. A function that can fail returns 0 or a CS_E… code, takes the caller's `struct cs_err *` last, and
 * leaves its outputs untouched on failure. The sentence says what was being done, to what, and what to do
 * now. */
#ifndef CS_BASE_ERR_H
#define CS_BASE_ERR_H

#include "shared/base/macros.h"

#include <stdarg.h>

/* X(name, text): the text is for logs and tests. The gRPC status of each stands in shared/net/status.h. */
#define CS_ERR_CODES(X)                                                                                      \
    X(OK, "ok")                                                                                              \
    X(EINVAL, "invalid") /* the caller's input is wrong and stays wrong */                                   \
    X(ENOMEM, "out of memory")                                                                               \
    X(ETOOBIG, "too big")     /* a limit of limits.h */                                                      \
    X(EPARSE, "malformed")    /* bytes that do not parse */                                                  \
    X(EAUTH, "not authentic") /* a signature, MAC or certificate that does not verify */                     \
    X(EDENIED, "denied")      /* authentic, but not allowed */                                               \
    X(ENOTFOUND, "not found")                                                                                \
    X(EEXISTS, "exists already")                                                                             \
    X(ESTATE, "wrong state") /* right in another state of the thing */                                       \
    X(ESTALE, "stale")       /* made on something that has changed since: look again and retry */            \
    X(EBUSY, "busy")         /* try again later */                                                           \
    X(EFULL, "full")         /* no room: disk, table, queue */                                               \
    X(EIO, "input/output")                                                                                   \
    X(ECLOSED, "closed") /* the peer or we ended the connection */                                           \
    X(ETIMEOUT, "timed out")                                                                                 \
    X(ECANCELLED, "cancelled")                                                                               \
    X(ECORRUPT, "corrupt") /* our own stored bytes are damaged */                                            \
    X(EUNSUPPORTED, "unsupported")                                                                           \
    X(ERANGE, "out of range") /* behind what is kept, or ahead of what there is: begin anew */               \
    X(EINTERNAL, "internal")  /* a library failed in a way that it should not */

enum cs_code {
#define X(name, text) CS_##name,
    CS_ERR_CODES(X)
#undef X
};

struct cs_err {
    int code; /* enum cs_code */
    char msg[252];
};

/* The sentence is UTF-8 without control characters, whatever stood in the arguments: other bytes become '?'.
 * Fills *err (NULL is fine) and returns `code`, so that `return cs_err_set(err, CS_EPARSE, …);` reads well.
 */
int cs_err_set(struct cs_err *err, int code, const char *format, ...) CS_PRINTF(3, 4);
int cs_err_setv(struct cs_err *err, int code, const char *format, va_list args) CS_PRINTF(3, 0);

/* Puts "…: " before the sentence that *err has. Returns err's code. */
int cs_err_prefix(struct cs_err *err, const char *format, ...) CS_PRINTF(2, 3);

/* The sentence for "out of memory"; needs no memory. */
int cs_err_nomem(struct cs_err *err);

const char *cs_code_text(int code);

#endif
