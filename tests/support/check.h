/* check.h - cmocka with the few includes that it wants before it, and assertions that show our errors. */
#ifndef CS_TESTS_CHECK_H
#define CS_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/err.h"
#include "shared/base/slice.h"

/* A call that must succeed; shows the sentence when it does not. `err` is the variable that the call fills.
 */
#define check_ok(call, err)                                                                                  \
    do {                                                                                                     \
        (err).msg[0] = '\0';                                                                                 \
        if ((call) != CS_OK)                                                                                 \
            fail_msg("%s: %s", #call, (err).msg);                                                            \
    } while (0)

/* A call that must fail with `wanted`. */
#define check_code(call, wanted)                                                                             \
    do {                                                                                                     \
        int check_code_ = (call);                                                                            \
        if (check_code_ != (wanted))                                                                         \
            fail_msg("%s: '%s' where '%s' was wanted", #call, cs_code_text(check_code_),                     \
                     cs_code_text(wanted));                                                                  \
    } while (0)

#define check_slice(actual, wanted)                                                                          \
    do {                                                                                                     \
        struct cs_slice check_a_ = (actual), check_b_ = (wanted);                                            \
        assert_int_equal(check_a_.len, check_b_.len);                                                        \
        assert_memory_equal(check_a_.ptr, check_b_.ptr, check_a_.len);                                       \
    } while (0)

/* The sentence in `err` has `part`. */
#define check_says(err, part)                                                                                \
    do {                                                                                                     \
        if (!strstr((err).msg, (part)))                                                                      \
            fail_msg("'%s' does not say '%s'", (err).msg, (part));                                           \
    } while (0)

#endif
