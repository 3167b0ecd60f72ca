/* By which words a certificate is found. */
#include "tests/support/check.h"

#include "controller/core/words.h"

#include <string.h>

static void words_begin_where_letters_do(void **state)
{
    static const struct {
        const char *word;
        bool fits;
    } cases[] = {
        {"gw", true},
        {"gw-0001", true},
        {"w-0001", false},
        {"0001.ber", true},
        {"berlin", true},
        {"erlin", false},
        {"fleet.example", true},
        {"alt", true},
        {"dns", false},
        {"acme", true},
        {"issuing", true},
        {"o", false},
        {"de", true},
        {"ab", false},
        {"ab12", true},
        {"ab12cd", true},
        {"b12cd", false},
        {"0f0f", true},
        {"0f0", false},
        {"0f0f0f0f", true},
        {"gw-0001.berlin.fleet.example", true},
        {"gw-0001.berlin.fleet.examples", false},
    };
    ctl_certificate_row row = {.common_name = "GW-0001.Berlin.fleet.example",
                               .issuer = "C=DE, O=Acme GmbH, CN=Acme Issuing CA 3",
                               .serial = "ab12cd",
                               .names_count = 1,
                               .names = {"dns:alt.example"},
                               .id = {.size = 32}};

    (void)state;
    memset(row.id.bytes, 0x0f, 32);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        if (ctl_word_fits(&row, cs_slice_str(cases[i].word)) != cases[i].fits)
            fail_msg("'%s'", cases[i].word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_begin_where_letters_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
