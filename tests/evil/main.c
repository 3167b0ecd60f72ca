/* The controller that has been taken over, against the device's own code: named strategies, then random ones.
 */
#include "tests/evil/evil.h"
#include "tests/support/check.h"

static struct evil_tally *tally;

static void play(void (*theme)(struct evil_tally *tally))
{
    size_t before = evil_tally_failures(tally);

    theme(tally);
    assert_int_equal(evil_tally_failures(tally) - before, 0);
}

static void no_field_of_any_statement_can_be_changed(void **unused CS_UNUSED)
{
    play(evil_fields);
}

static void no_statement_stands_for_another(void **unused CS_UNUSED)
{
    play(evil_kinds);
}

static void nobody_is_counted_who_must_not_be(void **unused CS_UNUSED)
{
    play(evil_people);
}

static void there_are_two_hundred_strategies(void **unused CS_UNUSED)
{
    evil_tally_print(tally);
    assert_true(evil_tally_count(tally) >= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_field_of_any_statement_can_be_changed),
        cmocka_unit_test(no_statement_stands_for_another),
        cmocka_unit_test(nobody_is_counted_who_must_not_be),
        cmocka_unit_test(there_are_two_hundred_strategies),
    };

    tally = evil_tally_new();
    int failed = cmocka_run_group_tests_name("evil controller", tests, NULL, NULL);

    evil_tally_free(tally);
    return failed;
}
