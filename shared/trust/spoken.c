#include "shared/trust/spoken.h"

#include "shared/base/slice.h"

const char *const cs_spoken_list[CS_SPOKEN_LIST] = {
#include "shared/trust/spoken_words.inc"
};

char *cs_spoken_text(const struct cs_digest *digest, char out[CS_SPOKEN_TEXT_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; i < CS_SPOKEN_WORDS; i++) {
        const char *word = cs_spoken_list[digest->bytes[i]];
        size_t len = strlen(word);

        cs_assert(len <= CS_SPOKEN_LONGEST);
        memcpy(out + used, word, len);
        used += len;
        out[used++] = i + 1 < CS_SPOKEN_WORDS ? ' ' : '\0';
    }
    return out;
}
