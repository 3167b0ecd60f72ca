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

static void no_decision_can_be_left_out_or_moved(void **unused CS_UNUSED)
{
    play(evil_decisions);
}

static void nothing_is_accepted_again_or_elsewhere(void **unused CS_UNUSED)
{
    play(evil_replays);
}

static void no_proof_holds_but_the_right_one(void **unused CS_UNUSED)
{
    play(evil_proofs);
}

static void a_signature_in_other_clothes_changes_nothing(void **unused CS_UNUSED)
{
    play(evil_signatures);
}

static void only_the_roots_change_the_rules(void **unused CS_UNUSED)
{
    play(evil_policies);
}

static void no_clock_can_be_turned_but_a_missing_one(void **unused CS_UNUSED)
{
    play(evil_times);
}

static void no_certificate_or_key_can_be_exchanged(void **unused CS_UNUSED)
{
    play(evil_certificates);
}

static void a_device_takes_nothing_but_what_its_token_pins(void **unused CS_UNUSED)
{
    play(evil_enrolments);
}

static void no_key_is_made_that_people_did_not_ask_for(void **unused CS_UNUSED)
{
    play(evil_keys);
}

static void no_key_is_used_that_was_not_made_for_it(void **unused CS_UNUSED)
{
    play(evil_own_keys);
}

static void nothing_is_removed_or_brought_back_that_people_did_not_mean(void **unused CS_UNUSED)
{
    play(evil_actions);
}

static void every_refusal_is_reached_by_some_strategy(void **unused CS_UNUSED)
{
    assert_int_equal(evil_tally_print(tally), 0);
    assert_true(evil_tally_count(tally) >= 200);
}

static void no_mutant_is_accepted_that_people_did_not_sign(void **unused CS_UNUSED)
{
    assert_int_equal(evil_random(), 0);
}

/* With an argument: only the tests that fit it, as "no_mutant*" does. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_field_of_any_statement_can_be_changed),
        cmocka_unit_test(no_statement_stands_for_another),
        cmocka_unit_test(nobody_is_counted_who_must_not_be),
        cmocka_unit_test(no_decision_can_be_left_out_or_moved),
        cmocka_unit_test(nothing_is_accepted_again_or_elsewhere),
        cmocka_unit_test(no_proof_holds_but_the_right_one),
        cmocka_unit_test(a_signature_in_other_clothes_changes_nothing),
        cmocka_unit_test(only_the_roots_change_the_rules),
        cmocka_unit_test(no_clock_can_be_turned_but_a_missing_one),
        cmocka_unit_test(no_certificate_or_key_can_be_exchanged),
        cmocka_unit_test(a_device_takes_nothing_but_what_its_token_pins),
        cmocka_unit_test(no_key_is_made_that_people_did_not_ask_for),
        cmocka_unit_test(no_key_is_used_that_was_not_made_for_it),
        cmocka_unit_test(nothing_is_removed_or_brought_back_that_people_did_not_mean),
        cmocka_unit_test(every_refusal_is_reached_by_some_strategy),
        cmocka_unit_test(no_mutant_is_accepted_that_people_did_not_sign),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    tally = evil_tally_new();
    int failed = cmocka_run_group_tests_name("evil controller", tests, NULL, NULL);

    evil_tally_free(tally);
    return failed;
}
