/* Random commands: whatever is refused, everything that is counted and indexed stays right, and all ends. */
#include "tests/support/check.h"

#include "tests/support/control_random.h"

static uint64_t seed;

static uint8_t roll(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(seed >> 40);
}

static void any_commands_keep_the_invariants(void **state)
{
    unsigned accepted = 0, completed = 0;

    (void)state;
    for (uint64_t round = 1; round <= 6; round++) {
        struct control *c = malloc(sizeof *c);

        assert_non_null(c);
        seed = round;
        control_random_start(c);
        c->fast = round % 2;
        for (unsigned i = 0; i < 250; i++)
            accepted += control_random_step(c, roll(), roll()) == CS_OK;
        for (uint64_t number = 1; number <= control_meta(c).last_order; number++) {
            struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
            ctl_order_row order;

            if (control_get(c, &key, countersign_store_v1_Order_fields, &order))
                completed += order.phase == countersign_store_v1_Phase_PHASE_COMPLETED;
        }
        control_stop(c);
        free(c);
    }
    /* The dice have to reach the interesting places, too. */
    assert_true(accepted > 500);
    assert_true(completed > 5);
}

/* However things stand: once time has passed, nothing is left open. */
static void every_order_ends(void **state)
{
    struct control *c = malloc(sizeof *c);

    (void)state;
    assert_non_null(c);
    seed = 99;
    control_random_start(c);
    for (unsigned i = 0; i < 200; i++)
        (void)control_random_step(c, roll(), roll());
    for (unsigned i = 0; i < 40; i++) {
        c->d.now_s += 86400;
        check_ok(control_tick(c), c->err);
    }
    assert_int_equal(control_meta(c).orders_open, 0);
    assert_int_equal(control_meta(c).requests_open, 0);
    assert_int_equal(control_meta(c).reservations, 0);
    control_stop(c);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_commands_keep_the_invariants),
        cmocka_unit_test(every_order_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
