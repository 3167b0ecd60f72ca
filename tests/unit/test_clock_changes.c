/* A clock that is set: whatever it does, no order runs before its signed time by the clock, none behind its
 * window, and none twice. The wait of the core thread is in test_core_thread.c. */
#include "tests/support/check.h"

#include "controller/core/workflow.h"
#include "shared/base/text.h"
#include "tests/support/story.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name

enum { HOUR_S = 3600 };

/* Fully decided for then. */
static uint64_t scheduled(struct control *c, int64_t at_s)
{
    uint64_t push = control_push(c, "shop");

    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_ACCEPT, at_s), c->err);
    check_ok(control_decide(c, push, "carol", 2), c->err);
    return control_request(c, push).first_order;
}

/* One look of the clock: was the order handed over by it? */
static bool runs_at(struct control *c, uint64_t order, int64_t now_s)
{
    c->d.now_s = now_s;
    check_ok(control_tick(c), c->err);
    return control_delivered(c, order);
}

static void an_hour_back_runs_nothing_early_and_nothing_twice(void **state)
{
    struct control *c = *state;
    const int64_t at_s = c->d.now_s + 6 * HOUR_S;
    const uint64_t order = scheduled(c, at_s);

    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(runs_at(c, order, at_s - 1));
    assert_false(runs_at(c, order, at_s - HOUR_S));
    assert_int_equal(control_next_due(c), at_s);
    assert_false(runs_at(c, order, at_s - 1));
    assert_true(runs_at(c, order, at_s));
    assert_false(runs_at(c, order, at_s - HOUR_S));
    assert_false(runs_at(c, order, at_s));
    control_check_phase(c, order, PHASE(HANDED_OVER));
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    assert_false(runs_at(c, order, at_s - HOUR_S));
    assert_false(runs_at(c, order, at_s));
    control_check_phase(c, order, PHASE(COMPLETED));
}

/* It was due, and its device was away; then the clock went back, and then the device came. */
static void what_waits_for_its_device_waits_for_its_time_once_more(void **state)
{
    struct control *c = *state;
    const int64_t at_s = c->d.now_s + 6 * HOUR_S;
    const uint64_t order = scheduled(c, at_s);

    assert_false(runs_at(c, order, at_s));
    control_check_phase(c, order, PHASE(WAITING));
    c->d.now_s = at_s - HOUR_S;
    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(control_delivered(c, order));
    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_int_equal(control_next_due(c), at_s);
    assert_false(runs_at(c, order, at_s - 1));
    assert_true(runs_at(c, order, at_s));
}

static void a_jump_over_the_whole_window_runs_nothing(void **state)
{
    struct control *c = *state;
    const int64_t at_s = c->d.now_s + 6 * HOUR_S;
    const uint64_t order = scheduled(c, at_s);

    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(runs_at(c, order, control_order(c, order).end_s));
    control_check_phase(c, order, PHASE(EXPIRED));
    /* It was a mistake, and is put right: what has expired stays so. */
    assert_false(runs_at(c, order, at_s));
    control_check_phase(c, order, PHASE(EXPIRED));
}

static void a_jump_into_the_window_runs_once(void **state)
{
    struct control *c = *state;
    const int64_t at_s = c->d.now_s + 6 * HOUR_S;
    const uint64_t order = scheduled(c, at_s);

    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(runs_at(c, order, at_s + 2 * HOUR_S));
    assert_false(runs_at(c, order, at_s + 2 * HOUR_S));
}

static void an_undecided_request_that_expired_stays_expired(void **state)
{
    struct control *c = *state;
    const uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;
    const int64_t before_s = c->d.now_s;

    assert_false(runs_at(c, order, control_request(c, push).decide_by_s + 1));
    control_check_phase(c, order, PHASE(EXPIRED));
    c->d.now_s = before_s;
    assert_int_equal(control_decide(c, push, "bob", 1), CS_ESTATE);
    control_check_phase(c, order, PHASE(EXPIRED));
}

static void a_clock_that_goes_back_does_not_make_a_device_silent(void **state)
{
    struct control *c = *state;
    const uint64_t order = scheduled(c, c->d.now_s + 6 * HOUR_S);
    int64_t accepted_s;

    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(runs_at(c, order, control_order(c, order).start_s));
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    accepted_s = c->d.now_s;
    assert_false(runs_at(c, order, accepted_s - HOUR_S));
    assert_false(runs_at(c, order, accepted_s + c->settings.silence_s - 1));
    control_check_phase(c, order, PHASE(ACCEPTED));
    assert_false(runs_at(c, order, accepted_s + c->settings.silence_s));
    control_check_phase(c, order, PHASE(SILENT));
}

static void a_planned_attempt_is_not_made_early(void **state)
{
    struct control *c = *state;
    const uint64_t order = scheduled(c, c->d.now_s + 6 * HOUR_S);
    int64_t at_s;

    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(runs_at(c, order, control_order(c, order).start_s));
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    at_s = control_order(c, order).offer_at_s;
    assert_false(runs_at(c, order, at_s - HOUR_S));
    assert_false(runs_at(c, order, at_s - 1));
    assert_true(runs_at(c, order, at_s));
    assert_false(runs_at(c, order, at_s - HOUR_S));
    assert_false(runs_at(c, order, at_s));
}

static int64_t utc(const char *text)
{
    int64_t time_s = 0;
    struct cs_err err;

    check_ok(cs_time_parse(cs_slice_str(text), &time_s, &err), err);
    return time_s;
}

/* Seconds of UTC are all that counts: neither a leap day nor a zone's summer time moves anything. */
static void leap_days_and_summer_time_change_nothing(void **state)
{
    static const struct {
        const char *at, *second_before, *zone;
    } cases[] = {
        {"2028-02-29T02:00:00Z", "2028-02-29T01:59:59Z", "UTC0"},
        {"2028-03-01T00:00:00Z", "2028-02-29T23:59:59Z", "UTC0"},
        {"2027-03-28T01:00:00Z", "2027-03-28T00:59:59Z", "CET-1CEST,M3.5.0,M10.5.0/3"},
        {"2027-10-31T01:30:00Z", "2027-10-31T01:29:59Z", "CET-1CEST,M3.5.0,M10.5.0/3"},
        {"2027-10-31T00:30:00Z", "2027-10-31T00:29:59Z", "CET-1CEST,M3.5.0,M10.5.0/3"},
    };
    struct control *c = *state;

    c->d.body->expires_at_s = utc("2029-01-01T00:00:00Z");
    deployment_publish(&c->d);
    control_policy(c);
    check_ok(control_open(c, "gw-0"), c->err);
    c->even_expired = true;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        uint64_t order;

        setenv("TZ", cases[i].zone, 1);
        tzset();
        c->d.now_s = utc(cases[i].at) - 6 * HOUR_S;
        order = scheduled(c, utc(cases[i].at));
        assert_int_equal(control_next_due(c), utc(cases[i].at));
        assert_false(runs_at(c, order, utc(cases[i].second_before)));
        assert_true(runs_at(c, order, utc(cases[i].at)));
        check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    }
    unsetenv("TZ");
}

/* Any jumps, with a device that comes and goes: handed over once, and only inside the window. */
static void whatever_the_clock_does_an_order_is_handed_over_once_in_its_window(void **state)
{
    struct control *c = *state;
    uint64_t dice = 7;
    unsigned handed = 0, expired = 0;

    c->max_attempts = 1;
    c->unchecked = true;
    for (unsigned round = 0; round < 150; round++) {
        const int64_t base_s = c->d.now_s;
        const uint64_t order = scheduled(c, base_s + 6 * HOUR_S);
        const ctl_order_row row = control_order(c, order);
        unsigned times = 0;

        for (unsigned i = 0; i < 20; i++) {
            ctl_phase before = control_order(c, order).phase;
            unsigned what;

            dice = dice * 6364136223846793005u + 1442695040888963407u;
            what = (unsigned)(dice >> 40) % 5;
            c->d.now_s = base_s + (int64_t)((dice >> 33) % (16 * HOUR_S));
            if (what == 0)
                check_ok(control_close(c, "gw-0"), c->err);
            else if (what == 1)
                check_ok(control_open(c, "gw-0"), c->err);
            else
                check_ok(control_tick(c), c->err);
            if (!control_delivered(c, order) || ctl_phase_info(before)->handed_over)
                continue;
            times++;
            assert_true(c->d.now_s >= row.start_s && c->d.now_s < row.end_s);
        }
        assert_true(times <= 1);
        handed += times;
        expired += control_order(c, order).phase == PHASE(EXPIRED);
        c->d.now_s = base_s;
        (void)control_cancel(c, control_order(c, order).request_number);
    }
    assert_true(handed > 20 && expired > 10);
    control_check(c);
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, control_begin_shop, control_end)
    const struct CMUnitTest tests[] = {
        story(an_hour_back_runs_nothing_early_and_nothing_twice),
        story(what_waits_for_its_device_waits_for_its_time_once_more),
        story(a_jump_over_the_whole_window_runs_nothing),
        story(a_jump_into_the_window_runs_once),
        story(an_undecided_request_that_expired_stays_expired),
        story(a_clock_that_goes_back_does_not_make_a_device_silent),
        story(a_planned_attempt_is_not_made_early),
        story(leap_days_and_summer_time_change_nothing),
        story(whatever_the_clock_does_an_order_is_handed_over_once_in_its_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
