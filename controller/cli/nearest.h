/* nearest.h - "did you mean": which of the words that there are is the one that was meant. Pure. */
#ifndef CTL_CLI_NEAREST_H
#define CTL_CLI_NEAREST_H

#include "shared/base/err.h"

/* How many letters must be replaced, added, left out, or swapped with their neighbour to turn one word into
 * the other (optimal string alignment, Damerau 1964); case does not count. UINT_MAX for words that are longer
 * than any of ours. */
unsigned cli_distance(const char *a, const char *b);

/* The candidate that was meant, NULL if none is near enough. Ends at a NULL candidate. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* The index of `text` among `words`, which end with NULL. CS_EINVAL says which there are, and which was
 * probably meant; `what` is "-o", "--state", … */
CS_MUST_USE int cli_choose(const char *text, const char *what, const char *const *words, size_t *ret,
                           struct cs_err *err);

#endif
