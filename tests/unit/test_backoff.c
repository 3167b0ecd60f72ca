/* Waiting before dialling again: bounded, and spread so that a fleet does not come back at once. */
#include "tests/support/check.h"

#include "agent/core/backoff.h"
#include "shared/crypto/crypto.h"

enum { AGENTS = 1000 };

static uint32_t draw(void)
{
    uint32_t random;

    cs_random(&random, sizeof random);
    return random;
}

static void grows_up_to_its_bound(void **unused CS_UNUSED)
{
    static const uint32_t ceilings[] = {4000, 8000, 16000, 32000, 60000, 60000};
    struct ag_backoff backoff = {4000, 60000, 0};

    for (size_t i = 0; i < CS_ARRAY_LEN(ceilings); i++) {
        uint32_t wait_ms = ag_backoff_next_ms(&backoff, UINT32_MAX);

        assert_in_range(wait_ms, ceilings[i] - 1, ceilings[i]);
    }
    ag_backoff_reset(&backoff);
    assert_in_range(ag_backoff_next_ms(&backoff, UINT32_MAX), 3999, 4000);
}

static void stays_bounded_for_ever(void **unused CS_UNUSED)
{
    struct ag_backoff backoff = {4000, 300000, UINT32_MAX - 1};

    for (int i = 0; i < 4; i++)
        assert_in_range(ag_backoff_next_ms(&backoff, UINT32_MAX), 0, 300000);
}

/* The fullest second of the first attempt and of the third: far from all of them. */
static void a_thousand_agents_do_not_come_back_in_one_second(void **unused CS_UNUSED)
{
    for (uint32_t failures = 0; failures <= 2; failures += 2) {
        unsigned seconds[32] = {0}, fullest = 0;

        for (unsigned i = 0; i < AGENTS; i++) {
            struct ag_backoff backoff = {4000, 300000, failures};
            uint32_t second = ag_backoff_next_ms(&backoff, draw()) / 1000;

            assert_true(second < CS_ARRAY_LEN(seconds));
            seconds[second]++;
        }
        for (size_t i = 0; i < CS_ARRAY_LEN(seconds); i++)
            fullest = seconds[i] > fullest ? seconds[i] : fullest;
        assert_true(fullest < AGENTS * (failures ? 12 : 35) / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_bound),
        cmocka_unit_test(stays_bounded_for_ever),
        cmocka_unit_test(a_thousand_agents_do_not_come_back_in_one_second),
    };
    struct cs_err err;

    cs_assert(cs_crypto_init(&err) == CS_OK);
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
