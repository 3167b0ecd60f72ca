/* tally.c - counts strategies, and says what came of them. */
#include "tests/evil/evil.h"

#include <stdio.h>

enum { NAMES = 4096 };

struct evil_tally {
    char names[NAMES][EVIL_SENTENCE_BYTES];
    size_t count, failures;
    unsigned verdicts[AG_VERDICT_COUNT], harms[EVIL_HARM_COUNT], turned_away;
};

/* No delivery ends so: what comes before or after a decision, and what the checks before leave no way to. A
 * verdict that is in none of the strategies and not here fails the test. */
static const struct {
    enum ag_verdict verdict;
    const char *why;
} not_by_delivery[] = {
    {AG_NOT_COVERED, "an index outside the request's tree is in no proof, which is checked before"},
    {AG_TOO_MANY_DECISIONS,
     "a message has room for as many decisions as may be, and does not parse with more"},
    {AG_CANCELLED, "a cancel, for an order that waits"},
    {AG_ACTION_UNSUPPORTED, "a core with an action that is none does not parse"},
    {AG_FOREIGN_FILE, "applying"},
    {AG_TARGET_UNSAFE, "applying"},
    {AG_NO_ROOM, "applying"},
    {AG_VALIDATE_FAILED, "applying"},
    {AG_VALIDATE_TIMEOUT, "applying"},
    {AG_PROBE_FAILED, "applying"},
    {AG_STORAGE_FAILED, "applying"},
    {AG_RELOAD_FAILED, "applying"},
    {AG_RELOAD_TIMEOUT, "applying"},
    {AG_INTERRUPTED, "applying"},
};

struct evil_tally *evil_tally_new(void)
{
    struct evil_tally *tally = calloc(1, sizeof *tally);

    cs_assert(tally);
    return tally;
}

void evil_tally_free(struct evil_tally *tally)
{
    free(tally);
}

size_t evil_tally_failures(const struct evil_tally *tally)
{
    return tally->failures;
}

size_t evil_tally_count(const struct evil_tally *tally)
{
    return tally->count;
}

static bool is_as_wanted(const struct evil_end *wanted, const struct evil_end *came, const char *detail)
{
    if (wanted->kind != came->kind)
        return false;
    if (came->kind == EVIL_TURNED_AWAY)
        return wanted->code == came->code && strstr(detail, wanted->part);
    return came->kind != EVIL_UNKNOWN && wanted->verdict == came->verdict;
}

static const char *word_of(const struct evil_end *end)
{
    if (end->kind == EVIL_UNKNOWN)
        return "(not what people signed)";
    return end->kind == EVIL_TURNED_AWAY ? cs_code_text(end->code) : ag_verdict_word(end->verdict);
}

static bool is_known(const struct evil_tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->count; i++)
        if (strcmp(tally->names[i], name) == 0)
            return true;
    return false;
}

void evil_tally_add(struct evil_tally *tally, const char *name, const struct evil_end *wanted,
                    const struct evil_end *came, const char *detail)
{
    cs_assert(tally->count < NAMES && strlen(name) < EVIL_SENTENCE_BYTES);
    if (is_known(tally, name)) {
        tally->failures++;
        printf("two strategies are called \"%s\"\n", name);
        return;
    }
    memcpy(tally->names[tally->count++], name, strlen(name) + 1);
    if (!is_as_wanted(wanted, came, detail)) {
        tally->failures++;
        printf("\"%s\" ends in '%s' (%s) where '%s' was wanted%s%s\n", name, word_of(came), detail,
               word_of(wanted), wanted->part ? ": " : "", wanted->part ? wanted->part : "");
        return;
    }
    if (wanted->kind == EVIL_TURNED_AWAY)
        tally->turned_away++;
    else
        tally->verdicts[wanted->verdict]++;
    if (wanted->kind == EVIL_ADMITTED)
        tally->harms[wanted->harm]++;
}

static const char *why_not(enum ag_verdict verdict)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(not_by_delivery); i++)
        if (not_by_delivery[i].verdict == verdict)
            return not_by_delivery[i].why;
    return NULL;
}

size_t evil_tally_print(const struct evil_tally *tally)
{
    static const char *const harms[] = {
#define X(name, sentence) sentence,
        EVIL_HARMS(X)
#undef X
    };
    size_t missing = 0;

    printf("%zu strategies; policies and certificates turned away: %u\n", tally->count, tally->turned_away);
    for (size_t i = 0; i < AG_VERDICT_COUNT; i++)
        if (tally->verdicts[i] > 0)
            printf("%6u %s\n", tally->verdicts[i], ag_verdict_word((enum ag_verdict)i));
    printf("accepted, because the controller\n");
    for (size_t i = 0; i < EVIL_HARM_COUNT; i++)
        printf("%6u %s\n", tally->harms[i], harms[i]);
    printf("reached by no strategy:\n");
    for (size_t i = 0; i < AG_VERDICT_COUNT; i++) {
        const char *why = why_not((enum ag_verdict)i);

        if (tally->verdicts[i] > 0)
            continue;
        missing += !why;
        printf("       %s: %s\n", ag_verdict_word((enum ag_verdict)i), why ? why : "A STRATEGY IS MISSING");
    }
    return missing;
}
