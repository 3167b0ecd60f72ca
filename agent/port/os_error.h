/* os_error.h - what the system answered, as one of our errors; and calls that a signal does not cut short. */
#ifndef AG_PORT_OS_ERROR_H
#define AG_PORT_OS_ERROR_H

#include "shared/base/err.h"

#include <errno.h>

/* From errno: "`doing` `path`: …". Returns the code: CS_ENOTFOUND, CS_EEXISTS, CS_EFULL, CS_EDENIED or
 * CS_EIO. */
int ag_os_error(struct cs_err *err, const char *doing, const char *path);

/* The call's value; once more for as long as a signal interrupts it. Not for close(), which has closed then,
 * nor for fsync(), of which nobody knows then what it wrote. */
#define AG_AGAIN(call)                                                                                       \
    __extension__({                                                                                          \
        __typeof__(call) again_;                                                                             \
        do                                                                                                   \
            again_ = (call);                                                                                 \
        while (again_ < 0 && errno == EINTR);                                                                \
        again_;                                                                                              \
    })

#endif
