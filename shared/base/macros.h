/* macros.h - the few macros that the whole tree uses: attributes, assertions that stay on, scoped cleanup. */
#ifndef CS_BASE_MACROS_H
#define CS_BASE_MACROS_H

#include <stddef.h>
#include <stdlib.h>

#define CS_MUST_USE          __attribute__((warn_unused_result))
#define CS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CS_NORETURN          __attribute__((noreturn))
#define CS_UNUSED            __attribute__((unused))

#define CS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CS_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* For our own mistakes only, never for what a peer sent; on in every build. */
#define cs_assert(condition) ((condition) ? (void)0 : cs_assert_failed(#condition, __FILE__, __LINE__))
CS_NORETURN void cs_assert_failed(const char *condition, const char *file, int line);

/* cs_auto(f): call f(&variable) when the variable leaves its scope. Such an f takes a pointer to the
 * variable, and accepts NULL or an empty object in it. cs_steal() hands the value on and leaves the variable
 * empty. */
#define cs_auto(f) __attribute__((cleanup(f)))
#define cs_steal(variable)                                                                                   \
    __extension__({                                                                                          \
        __typeof__(variable) stolen_ = (variable);                                                           \
        (variable) = NULL;                                                                                   \
        stolen_;                                                                                             \
    })

/* Defines `name`, usable with cs_auto(), for a `type *` that `destroy` frees. */
#define CS_DEFINE_AUTO(name, type, destroy)                                                                  \
    static inline void name(type **variable)                                                                 \
    {                                                                                                        \
        destroy(*variable);                                                                                  \
    }

static inline void cs_free_ptr(void *variable)
{
    free(*(void **)variable);
}
#define cs_auto_free cs_auto(cs_free_ptr)

#endif
