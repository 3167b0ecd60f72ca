/* Digests in words. */
#include "tests/support/check.h"

#include "shared/trust/spoken.h"

#include <string.h>

/* Letters to change, add or take away before one word is the other. */
static unsigned edits(const char *a, const char *b)
{
    unsigned row[CS_SPOKEN_LONGEST + 1];

    for (unsigned k = 0; k <= CS_SPOKEN_LONGEST; k++)
        row[k] = k;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned k = 1; b[k - 1]; k++) {
            unsigned best = diagonal + (a[i - 1] != b[k - 1]);

            diagonal = row[k];
            best = best < row[k] + 1 ? best : row[k] + 1;
            row[k] = best < row[k - 1] + 1 ? best : row[k - 1] + 1;
        }
    }
    return row[strlen(b)];
}

static void every_word_is_short_and_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_SPOKEN_LIST; i++) {
        const char *word = cs_spoken_list[i];

        if (!word || strlen(word) < 3 || strlen(word) > CS_SPOKEN_LONGEST ||
            strspn(word, "abcdefghijklmnopqrstuvwxyz") != strlen(word))
            fail_msg("word %zu, '%s', is not 3 to 7 lower-case letters", i, word ? word : "");
        if (i > 0 && strcmp(cs_spoken_list[i - 1], word) >= 0)
            fail_msg("'%s' does not stand in the order of the alphabet", word);
    }
}

static void no_word_is_taken_for_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_SPOKEN_LIST; i++)
        for (size_t k = 0; k < i; k++) {
            const char *a = cs_spoken_list[i], *b = cs_spoken_list[k];

            if (strncmp(a, b, 3) == 0)
                fail_msg("'%s' and '%s' begin alike", a, b);
            if (edits(a, b) < 3)
                fail_msg("'%s' and '%s' are too near each other", a, b);
        }
}

static void says_the_first_eight_bytes(void **state)
{
    static const struct {
        const char *of, *says;
    } cases[] = {
        {"", "tennis orbit quartz diesel mentor wool buffalo bench"},
        {"abc", "planet jaguar bishop prairie lilac acorn sailor twig"},
        {"countersign", "vanilla swan smoke eagle temple goblet human tennis"},
    };
    char text[CS_SPOKEN_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_digest digest = cs_sha256(cs_slice_str(cases[i].of));

        assert_string_equal(cs_spoken_text(&digest, text), cases[i].says);
    }
}

static void says_every_word_and_changes_with_every_bit(void **state)
{
    char text[CS_SPOKEN_TEXT_BYTES], other[CS_SPOKEN_TEXT_BYTES];
    struct cs_digest digest = {{0}};

    (void)state;
    for (unsigned value = 0; value < CS_SPOKEN_LIST; value++) {
        memset(digest.bytes, (int)value, sizeof digest.bytes);
        cs_spoken_text(&digest, text);
        assert_memory_equal(text, cs_spoken_list[value], strlen(cs_spoken_list[value]));
    }
    for (unsigned bit = 0; bit < 8 * CS_SPOKEN_WORDS; bit++) {
        digest.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_string_not_equal(cs_spoken_text(&digest, other), text);
        digest.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_short_and_plain),
        cmocka_unit_test(no_word_is_taken_for_another),
        cmocka_unit_test(says_the_first_eight_bytes),
        cmocka_unit_test(says_every_word_and_changes_with_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
