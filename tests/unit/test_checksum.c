#include "controller/store/checksum.h"
#include "tests/support/check.h"

static void is_the_published_xxh64(void **state)
{
    static const struct {
        const char *says, *text;
        uint64_t seed, sum;
    } cases[] = {
        {"nothing", "", 0, 0xEF46DB3751D8E999},
        {"one byte", "a", 0, 0xD24EC4F1A98C6E5B},
        {"a few", "abc", 0, 0x44BC2CF5AD770999},
        {"more than a stripe", "Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1},
        {"with a seed", "", 0x9E3779B1, 0xAC75FDA2929B17EF},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        if (ctl_checksum(cs_slice_str(cases[i].text), cases[i].seed) != cases[i].sum)
            fail_msg("%s: %llx", cases[i].says,
                     (unsigned long long)ctl_checksum(cs_slice_str(cases[i].text), cases[i].seed));
}

/* Whatever the length, and wherever the bytes stand in memory. */
static void every_bit_counts(void **state)
{
    uint8_t bytes[1 + 80];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i);
    for (size_t len = 1; len <= 80; len++) {
        const uint64_t sum = ctl_checksum(cs_slice(bytes + 1, len), 5);

        assert_true(sum != ctl_checksum(cs_slice(bytes + 1, len), 6));
        assert_true(sum != ctl_checksum(cs_slice(bytes + 1, len - 1), 5));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[1 + bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_true(sum != ctl_checksum(cs_slice(bytes + 1, len), 5));
            bytes[1 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_published_xxh64),
        cmocka_unit_test(every_bit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
