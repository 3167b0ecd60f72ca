/* alloc_fail.h - run something once for each allocation that it makes, with that allocation failing.
 * Reaches every library that is linked statically, as the components are, because the linker sends their
 * malloc(), calloc(), realloc(), strdup() and posix_memalign() here (tests/CMakeLists.txt). Counts the
 * calling thread's allocations only. What does not call alloc_fail_run() is not disturbed. */
#ifndef CS_TESTS_ALLOC_FAIL_H
#define CS_TESTS_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Calls scenario(data) with its 1st, 2nd, … allocation failing until a run ends without having made so many.
 * The scenario checks its own result: an error, or success although an allocation failed; it leaves nothing
 * behind, so that the runs are alike. Returns how many allocations failed in turn, so that a test can see
 * that there were any. */
unsigned alloc_fail_run(void (*scenario)(void *), void *data);

/* The same for a scenario that makes thousands, as everything does that multiplies points of a curve: about
 * `most` of them fail, evenly spread. Returns how many did. */
unsigned alloc_fail_sample(void (*scenario)(void *), void *data, unsigned most);

/* The same with every allocation of at least so many bytes: our own, past the thousands of a curve's numbers.
 */
unsigned alloc_fail_large(void (*scenario)(void *), void *data, size_t of_at_least_bytes);

/* For a scenario that looks at what it did: no allocation fails in the rest of this run. */
void alloc_fail_off(void);

/* True when an allocation has failed in this run: an error then is as it should be. */
bool alloc_fail_happened(void);

#endif
