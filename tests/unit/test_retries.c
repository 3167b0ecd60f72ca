/* Failed attempts: which are repeated, when, how often, and what stops them. */
#include "tests/support/check.h"

#include "controller/core/colour.h"
#include "controller/core/query.h"
#include "controller/core/retries.h"
#include "shared/base/text.h"
#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name

static int begin(void **state)
{
    struct control *c;

    control_begin_shop(state);
    c = *state;
    assert_int_equal(control_open(c, "gw-0"), CS_OK);
    return 0;
}

/* A push that bob and carol decided and that the device has. */
static uint64_t handed_over(struct control *c, uint64_t *ret_push)
{
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    *ret_push = push;
    return order;
}

static void fail_once(struct control *c, uint64_t order)
{
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
}

/* To the time of the next attempt, and not a second before it. */
static void go_to_next_attempt(struct control *c, uint64_t order)
{
    int64_t at_s = control_order(c, order).offer_at_s;

    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_true(at_s > c->d.now_s);
    assert_int_equal(control_next_due(c), at_s);
    c->d.now_s = at_s - 1;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    c->d.now_s = at_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    assert_true(control_delivered(c, order));
}

static bool is_gray(struct control *c)
{
    ctl_certificate_row row = control_certificate_row(c, "shop");

    return ctl_colour_of(&row, NULL, c->d.now_s) == countersign_v1_Colour_COLOUR_GRAY;
}

static void a_failed_attempt_is_tried_again_and_completes(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    assert_string_equal(control_order(c, order).reason, "attempt 1 of 3 failed: reload-failed");
    assert_false(is_gray(c));
    go_to_next_attempt(c, order);
    fail_once(c, order);
    assert_string_equal(control_order(c, order).reason, "attempt 2 of 3 failed: reload-failed");
    go_to_next_attempt(c, order);
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    assert_int_equal(control_order(c, order).attempts, 3);
    assert_int_equal(control_next_due(c), INT64_MAX);
    assert_false(is_gray(c));
}

static void the_last_attempt_ends_with_the_devices_reason(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);
    unsigned handed = 1;

    for (fail_once(c, order); control_order(c, order).phase == PHASE(SCHEDULED); fail_once(c, order)) {
        assert_false(is_gray(c));
        go_to_next_attempt(c, order);
        handed++;
    }
    control_check_phase(c, order, PHASE(FAILED));
    assert_int_equal(handed, 3);
    assert_int_equal(control_order(c, order).attempts, 3);
    assert_string_equal(control_order(c, order).reason, "reload-failed");
    assert_true(is_gray(c));
    assert_int_equal(control_next_due(c), INT64_MAX);
    assert_int_equal(control_meta(c).requests_open, 0);
}

static void people_see_which_attempt_comes_when(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);
    ctl_order_row row;
    char text[64], time[CS_TIME_TEXT_BYTES], says[80];

    fail_once(c, order);
    row = control_order(c, order);
    ctl_order_text(&row, text, sizeof text);
    (void)snprintf(says, sizeof says, "Push-Scheduled (attempt 2 of 3 at %s)",
                   cs_time_text(row.offer_at_s, time));
    assert_string_equal(text, says);
    assert_int_equal(ctl_order_retry_at(&row), row.offer_at_s);
    go_to_next_attempt(c, order);
    row = control_order(c, order);
    assert_int_equal(ctl_order_retry_at(&row), 0);
}

static void waits_double_up_to_the_most_and_are_spread(void **state)
{
    const struct ctl_settings settings = {.retry_first_s = 30, .retry_most_s = 100};

    (void)state;
    assert_int_equal(ctl_retry_wait_s(&settings, 0, 0), 30);
    assert_int_equal(ctl_retry_wait_s(&settings, 1, 0), 60);
    assert_int_equal(ctl_retry_wait_s(&settings, 2, 0), 100);
    assert_int_equal(ctl_retry_wait_s(&settings, 4000000000u, 0), 100);
    assert_int_equal(ctl_retry_wait_s(&settings, 0, UINT32_MAX), 16);
    assert_int_equal(ctl_retry_wait_s(&settings, 9, UINT32_MAX), 51);
    /* The longest that can be configured. */
    assert_true(
        ctl_retry_wait_s(&(struct ctl_settings){.retry_first_s = 315360000, .retry_most_s = 315360000}, 99,
                         UINT32_MAX) > 157679999);
}

static void what_a_person_has_to_mend_is_not_repeated(void **state)
{
    static const struct {
        countersign_v1_Outcome outcome;
        const char *verdict;
        bool again;
    } cases[] = {
        {OUTCOME(FAILED), "reload-failed", true},      {OUTCOME(FAILED), "reload-timeout", true},
        {OUTCOME(FAILED), "storage-failed", true},     {OUTCOME(FAILED), "interrupted", true},
        {OUTCOME(FAILED), "a-word-of-2030", true},     {OUTCOME(FAILED), "foreign-file", false},
        {OUTCOME(FAILED), "unknown-connector", false}, {OUTCOME(REFUSED), "storage-failed", true},
        {OUTCOME(REFUSED), "wrong-device", false},     {OUTCOME(REFUSED), "policy-expired", false},
        {OUTCOME(REFUSED), "attempts-used", false},    {OUTCOME(REFUSED), "a-word-of-2030", false},
        {OUTCOME(REFUSED), "no-room", true},           {OUTCOME(FAILED), "no-room", true},
        {OUTCOME(FAILED), "validate-failed", true},    {OUTCOME(FAILED), "validate-timeout", true},
        {OUTCOME(FAILED), "probe-failed", true},       {OUTCOME(FAILED), "target-unsafe", false},
        {OUTCOME(FAILED), "names-other", false},       {OUTCOME(REFUSED), "generation-gone", false},
        {OUTCOME(FAILED), "generation-gone", false},   {OUTCOME(FAILED), "generation-other", false},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        if (ctl_retry_makes_sense(cases[i].outcome, cases[i].verdict) != cases[i].again)
            fail_msg("%s", cases[i].verdict);
}

static void a_refusal_ends_at_once(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    check_ok(control_refuse_unread(c, order, "message-malformed"), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_int_equal(control_order(c, order).attempts, 0);
}

static void a_device_that_could_not_write_is_asked_again_as_often_as_was_signed(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    for (unsigned i = 0; i < 2; i++) {
        check_ok(control_refuse_unread(c, order, "storage-failed"), c->err);
        go_to_next_attempt(c, order);
    }
    check_ok(control_refuse_unread(c, order, "storage-failed"), c->err);
    control_check_phase(c, order, PHASE(FAILED));
}

static void an_order_that_waits_for_its_next_attempt_can_be_cancelled(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    check_ok(control_cancel(c, push), c->err);
    control_check_phase(c, order, PHASE(CANCELLED));
    assert_int_equal(control_next_due(c), INT64_MAX);
}

static void what_was_asked_back_is_not_tried_again(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    check_ok(control_cancel(c, push), c->err);
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_non_null(strstr(control_order(c, order).reason, "a cancel was asked for"));
}

static void a_later_decided_order_ends_the_attempts_of_an_earlier_one(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push), later;

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    later = control_push(c, "shop");
    control_approve(c, later);
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_non_null(strstr(control_order(c, order).reason, "a later order"));
    /* And the other way round: it waits for its attempt when the later one is decided. */
    order = control_request(c, later).first_order;
    check_ok(control_tick(c), c->err);
    fail_once(c, order);
    control_check_phase(c, order, PHASE(SCHEDULED));
    control_approve(c, control_push(c, "shop"));
    control_check_phase(c, order, PHASE(SUPERSEDED));
}

static void no_attempt_is_planned_behind_the_window(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    c->d.now_s = control_order(c, order).end_s - 1;
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_non_null(strstr(control_order(c, order).reason, "its window ends before"));
}

/* It was tried, so it has not expired: it failed. */
static void a_window_that_ends_before_the_next_attempt_is_a_failure(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    check_ok(control_close(c, "gw-0"), c->err);
    c->d.now_s = control_order(c, order).offer_at_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(WAITING));
    c->d.now_s = control_order(c, order).end_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_string_equal(control_order(c, order).reason,
                        "attempt 1 of 3 failed: reload-failed; the device was not connected before the "
                        "window ended");
    assert_true(is_gray(c));
}

/* The device had the next attempt before our acknowledgement: it says its stored report once more. */
static void an_attempt_that_came_too_early_is_offered_once_more(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    go_to_next_attempt(c, order);
    c->sequence--; /* the same sequence again */
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_int_equal(control_order(c, order).attempts, 1);
    assert_int_equal(control_order(c, order).retries, 1);
    go_to_next_attempt(c, order);
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
}

/* What comes back before it was begun is cancelled without asking the device again. */
static void an_attempt_that_comes_back_cancelled_is_not_offered_again(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    go_to_next_attempt(c, order);
    check_ok(control_cancel(c, push), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    c->sequence--;
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(CANCELLED));
    assert_int_equal(control_next_due(c), INT64_MAX);
    assert_false(is_gray(c));
}

/* A later order that was decided while an earlier one was handed over wins as soon as that comes back. */
static void what_comes_back_behind_a_later_order_is_superseded(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    control_approve(c, control_push(c, "shop"));
    control_check_phase(c, order, PHASE(HANDED_OVER));
    check_ok(control_report(c, order, OUTCOME(NOT_YET)), c->err);
    control_check_phase(c, order, PHASE(SUPERSEDED));
}

static void a_newer_policy_does_not_bring_an_attempt_forward(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);
    int64_t at_s;

    fail_once(c, order);
    at_s = control_order(c, order).offer_at_s;
    deployment_publish(&c->d);
    control_policy(c);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_int_equal(control_order(c, order).offer_at_s, at_s);
}

static void a_planned_attempt_survives_a_restart(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    fail_once(c, order);
    control_restart(c);
    c->d.now_s = control_order(c, order).offer_at_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(WAITING));
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_delivered(c, order));
}

/* A late failure of an order that was given up says what happened, and begins nothing. */
static void a_late_failure_is_not_tried_again(void **state)
{
    struct control *c = *state;
    uint64_t push, order = handed_over(c, &push);

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    c->d.now_s += ctl_settings_default.silence_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SILENT));
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_string_equal(control_order(c, order).reason, "reload-failed");
}

static void the_silence_is_configured_and_stated(void **state)
{
    struct control *c = *state;
    uint64_t push, order;

    c->settings.silence_s = 90;
    order = handed_over(c, &push);
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    c->d.now_s += 89;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(ACCEPTED));
    c->d.now_s += 1;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SILENT));
    assert_string_equal(control_order(c, order).reason,
                        "silent: the device accepted and said nothing for 90s; a late report still counts");
    assert_true(is_gray(c));
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    assert_false(is_gray(c));
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        story(a_failed_attempt_is_tried_again_and_completes),
        story(the_last_attempt_ends_with_the_devices_reason),
        story(people_see_which_attempt_comes_when),
        cmocka_unit_test(waits_double_up_to_the_most_and_are_spread),
        cmocka_unit_test(what_a_person_has_to_mend_is_not_repeated),
        story(a_refusal_ends_at_once),
        story(a_device_that_could_not_write_is_asked_again_as_often_as_was_signed),
        story(an_order_that_waits_for_its_next_attempt_can_be_cancelled),
        story(what_was_asked_back_is_not_tried_again),
        story(a_later_decided_order_ends_the_attempts_of_an_earlier_one),
        story(no_attempt_is_planned_behind_the_window),
        story(a_window_that_ends_before_the_next_attempt_is_a_failure),
        story(an_attempt_that_came_too_early_is_offered_once_more),
        story(an_attempt_that_comes_back_cancelled_is_not_offered_again),
        story(what_comes_back_behind_a_later_order_is_superseded),
        story(a_newer_policy_does_not_bring_an_attempt_forward),
        story(a_planned_attempt_survives_a_restart),
        story(a_late_failure_is_not_tried_again),
        story(the_silence_is_configured_and_stated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
