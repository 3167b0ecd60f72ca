#include "tests/support/alloc_fail.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);

/* How many allocations are left up to the one that fails, that one included; 0: none will fail. */
static _Thread_local unsigned left;
static _Thread_local unsigned long seen;
static _Thread_local bool happened;
static _Thread_local size_t least_bytes; /* smaller ones are not counted */

static bool fails_now(size_t size)
{
    if (size < least_bytes)
        return false;
    seen++;
    if (left == 0 || --left > 0)
        return false;
    happened = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now(size) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now(strlen(text) + 1) ? NULL : __real_strdup(text);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    return fails_now(size) ? ENOMEM : __real_posix_memalign(ret, alignment, size);
}

static unsigned run_every(unsigned step, void (*scenario)(void *), void *data)
{
    unsigned failed = 0;

    for (unsigned nth = 1;; nth += step, failed++) {
        left = nth;
        happened = false;
        scenario(data);
        left = 0;
        if (!happened)
            return failed;
    }
}

unsigned alloc_fail_run(void (*scenario)(void *), void *data)
{
    return run_every(1, scenario, data);
}

unsigned alloc_fail_sample(void (*scenario)(void *), void *data, unsigned most)
{
    unsigned long before = seen;

    happened = false;
    scenario(data);
    return run_every((unsigned)((seen - before) / most) + 1, scenario, data);
}

unsigned alloc_fail_large(void (*scenario)(void *), void *data, size_t of_at_least_bytes)
{
    unsigned failed;

    least_bytes = of_at_least_bytes;
    failed = run_every(1, scenario, data);
    least_bytes = 0;
    return failed;
}

void alloc_fail_off(void)
{
    left = 0;
}

bool alloc_fail_happened(void)
{
    return happened;
}
