#include "agent/core/verdict.h"

_Static_assert((int)AG_OK == (int)CS_PUSH_OK && (int)AG_NO_POLICY == (int)CS_PUSH_REASON_COUNT,
               "the device's verdicts begin with the shared reasons");

static const struct {
    const char *word, *sentence;
} verdicts[AG_VERDICT_COUNT] = {
#define X(name, word, sentence) [AG_##name] = {word, sentence},
    CS_PUSH_REASONS(X) AG_OWN_VERDICTS(X)
#undef X
};

const char *ag_verdict_word(enum ag_verdict verdict)
{
    cs_assert((unsigned)verdict < AG_VERDICT_COUNT);
    return verdicts[verdict].word;
}

const char *ag_verdict_sentence(enum ag_verdict verdict)
{
    cs_assert((unsigned)verdict < AG_VERDICT_COUNT);
    return verdicts[verdict].sentence;
}
