#include "controller/cli/nearest.h"

#include "shared/base/slice.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>

enum { WORD_MAX = 40, LIST_BYTES = 200 };

static unsigned least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned cli_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    unsigned rows[3][WORD_MAX + 1]; /* the last two are needed for a swap */

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return UINT_MAX;
    for (unsigned k = 0; k <= b_len; k++)
        rows[0][k] = k;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned k = 1; k <= b_len; k++) {
            row[k] =
                least_of(above[k - 1] + !same(a[i - 1], b[k - 1]), least_of(above[k] + 1, row[k - 1] + 1));
            if (i > 1 && k > 1 && same(a[i - 1], b[k - 2]) && same(a[i - 2], b[k - 1]))
                row[k] = least_of(row[k], two_above[k - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

static bool is_beginning(const char *a, const char *b)
{
    size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return len >= 3 && strncmp(a, b, len) == 0;
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    unsigned least = strlen(word) < 4 ? 2 : 3; /* "ls" must not become every word of two letters */

    for (; *candidates; candidates++) {
        unsigned d = cli_distance(word, *candidates);

        /* A beginning is meant, however much is missing or too much: "certificate" for "cert". */
        if (d >= least && is_beginning(word, *candidates))
            d = least - 1;
        if (d < least) {
            least = d;
            nearest = *candidates;
        }
    }
    return nearest;
}

int cli_choose(const char *text, const char *what, const char *const *words, size_t *ret, struct cs_err *err)
{
    const char *nearest = cli_nearest(text, words);
    char list[LIST_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; words[i]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret = i;
            return CS_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i ? words[i + 1] ? ", " : " or " : "", words[i]);
    }
    if (nearest)
        return cs_err_set(err, CS_EINVAL, "%s is %s, not \"%.40s\"; did you mean \"%s\"?", what, list, text,
                          nearest);
    return cs_err_set(err, CS_EINVAL, "%s is %s, not \"%.40s\"", what, list, text);
}
