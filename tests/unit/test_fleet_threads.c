/* A whole controller in this process, with devices that are calls: what reaches a device's stream, and what
 * does not.
 */
#include "tests/support/check.h"
#include "tests/support/crowd.h"

#include <unistd.h>

enum { DEVICES = 40 };

static int set_up(void **state)
{
    static struct crowd crowd;
    struct cs_err err;

    check_ok(cs_crypto_init(&err), err);
    crowd_start(&crowd, 2);
    crowd_enrol(&crowd, DEVICES);
    crowd_connect(&crowd);
    *state = &crowd;
    return 0;
}

static int tear_down(void **state)
{
    crowd_stop(*state);
    return 0;
}

static void decide(struct crowd *crowd, const char *certificate, bool held, struct crowd_push *ret)
{
    struct cs_digest id = crowd_import(crowd, certificate, held);

    crowd_attach(crowd, &id);
    crowd_prepare(crowd, &id, held, ret);
    crowd_submit(crowd, ret);
    crowd_decide(crowd, ret, "bob", 1);
    crowd_decide(crowd, ret, "carol", 2);
}

static bool wait_for(atomic_size_t *counter, size_t count)
{
    for (unsigned i = 0; i < 1000 && atomic_load(counter) < count; i++)
        usleep(10000);
    return atomic_load(counter) == count;
}

static void each_device_gets_its_order_once(void **state)
{
    struct crowd *crowd = *state;
    struct crowd_push push;

    decide(crowd, "plain.example", false, &push);
    assert_int_equal(push.order_count, DEVICES);
    assert_true(crowd_wait_pushes(crowd, DEVICES, 10000));
    atomic_store(&crowd->pushes, 0);
    decide(crowd, "held.example", true, &push);
    assert_true(crowd_wait_pushes(crowd, DEVICES, 10000));
    usleep(50000);
    assert_int_equal(atomic_load(&crowd->pushes), DEVICES);
}

/* A device that comes back hears of both orders that it has not answered; of the one that people cancelled it
 * is not sent the push again. */
static void a_cancel_goes_out_at_once_and_again_until_it_is_answered(void **state)
{
    struct crowd *crowd = *state;
    struct crowd_push stands, cancelled;

    decide(crowd, "stands.example", false, &stands);
    decide(crowd, "cancelled.example", false, &cancelled);
    assert_true(crowd_wait_pushes(crowd, 2 * DEVICES, 10000));
    assert_int_equal(atomic_load(&crowd->cancels), 0);
    assert_int_equal(crowd_cancel(crowd, &cancelled), DEVICES);
    assert_true(wait_for(&crowd->cancels, DEVICES));
    atomic_store(&crowd->cancels, 0);
    atomic_store(&crowd->pushes, 0);
    crowd_connect(crowd);
    assert_true(wait_for(&crowd->cancels, DEVICES));
    assert_true(crowd_wait_pushes(crowd, DEVICES, 10000));
    usleep(50000);
    assert_int_equal(atomic_load(&crowd->pushes), DEVICES);
    assert_int_equal(atomic_load(&crowd->cancels), DEVICES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_device_gets_its_order_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancel_goes_out_at_once_and_again_until_it_is_answered, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
