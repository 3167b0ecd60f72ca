/* The life of work orders, as stories; the table behind it is in test_workflow_table.c. */
#include "tests/support/check.h"

#include "controller/core/colour.h"
#include "controller/core/run.h"
#include "controller/core/workflow.h"
#include "tests/support/story.h"

#include <string.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name

/* ---- stories: one device "gw-0", one certificate "shop" attached to its "web" */

static ctl_attachment_row attachment(struct control *c)
{
    struct cs_digest id = control_certificate_id(c, "shop");
    struct ctl_key key = ctl_key_attachment(cs_digest_slice(&id), "gw-0", "web");
    ctl_attachment_row row;

    assert_true(control_get(c, &key, countersign_store_v1_Attachment_fields, &row));
    return row;
}

static void a_push_is_approved_implemented_and_completed(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop");
    uint64_t order = control_request(c, push).first_order;

    assert_int_equal(control_open(c, "gw-0"), CS_OK);
    control_check_phase(c, order, PHASE(PENDING));
    assert_string_equal(control_request(c, push).stage_name, "approve");

    check_ok(control_decide(c, push, "bob", 1), c->err);
    control_check_phase(c, order, PHASE(REVIEW));
    assert_int_equal(control_order(c, order).stages_done, 1);
    assert_string_equal(control_request(c, push).stage_name, "implement");

    check_ok(control_decide(c, push, "carol", 2), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_true(control_next_due(c) <= c->d.now_s);

    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    assert_true(control_delivered(c, order));

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    control_check_phase(c, order, PHASE(ACCEPTED));
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    assert_int_equal(control_meta(c).requests_open, 0);
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);
}

static void the_shards_evaluation_counts_as_our_own(void **state)
{
    struct control *c = *state;

    c->fast = true;
    a_push_is_approved_implemented_and_completed(state);
    assert_int_equal(control_decide(c, 1, "bob", 1), CS_ESTATE);
}

static void a_rejected_push_is_over(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_REJECT, 0), c->err);
    control_check_phase(c, order, PHASE(REJECTED));
    assert_string_equal(control_order(c, order).reason, "rejected by bob");
    assert_int_equal(control_decide(c, push, "carol", 2), CS_ESTATE);
}

static void a_push_that_nobody_decides_expires(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    c->d.now_s = control_request(c, push).decide_by_s + 1;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(EXPIRED));
    assert_int_equal(control_next_due(c), INT64_MAX);
}

static void a_push_waits_for_its_time(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;
    int64_t tonight_s = c->d.now_s + 6 * 3600;

    assert_int_equal(control_open(c, "gw-0"), CS_OK);
    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_ACCEPT, tonight_s), c->err);
    check_ok(control_decide(c, push, "carol", 2), c->err);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    assert_int_equal(control_next_due(c), tonight_s);
    c->d.now_s = tonight_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
}

static void an_offline_device_gets_its_push_when_it_comes(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(WAITING));
    assert_false(control_delivered(c, order));
    c->d.now_s += 60;
    check_ok(control_open(c, "gw-0"), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    assert_true(control_delivered(c, order));
}

static void an_offline_device_misses_the_window(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    c->d.now_s = control_order(c, order).end_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(EXPIRED));
    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(control_delivered(c, order));
}

static void a_push_is_delivered_again_after_a_restart(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    control_approve(c, push);
    check_ok(control_open(c, "gw-0"), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    control_restart(c);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_delivered(c, order));
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    check_ok(control_close(c, "gw-0"), c->err);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_delivered(c, order));
    control_check_phase(c, order, PHASE(ACCEPTED));
}

static void a_later_decided_push_supersedes_an_earlier_one(void **state)
{
    struct control *c = *state;
    uint64_t first = control_push(c, "shop"), second = control_push(c, "shop");

    control_approve(c, second);
    control_check_phase(c, control_request(c, first).first_order, PHASE(SUPERSEDED));
    control_check_phase(c, control_request(c, second).first_order, PHASE(SCHEDULED));
    assert_int_equal(control_decide(c, first, "bob", 1), CS_ESTATE);
}

static void a_silent_device_has_failed_until_it_speaks(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    c->d.now_s += ctl_settings_default.silence_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SILENT));
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FAILED);
    c->d.now_s += 3600;
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);
}

static void a_failed_push_is_gray_until_the_next(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    for (unsigned attempt = 0; attempt < 3; attempt++) {
        c->d.now_s += 3600;
        check_ok(control_tick(c), c->err);
        assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);
        check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    }
    control_check_phase(c, order, PHASE(FAILED));
    assert_non_null(strstr(control_order(c, order).reason, "reload-failed"));
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FAILED);

    push = control_push(c, "shop");
    order = control_request(c, push).first_order;
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);
}

static void a_certificate_removed_by_hand_is_noticed(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;
    struct cs_digest chain = control_chain_digest(c, "shop");

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_CHANGED);
    check_ok(control_advertise(c, "gw-0", &chain), c->err);
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);
}

static void a_device_whose_clock_is_behind_is_asked_again(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, order, OUTCOME(NOT_YET)), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    c->d.now_s = control_order(c, order).offer_at_s;
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
}

static uint64_t hand_over(struct control *c, uint64_t *ret_push)
{
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    assert_true(control_delivered(c, order));
    *ret_push = push;
    return order;
}

static void check_text(struct control *c, uint64_t order, const char *text)
{
    ctl_order_row row = control_order(c, order);
    char shown[64];

    ctl_order_text(&row, shown, sizeof shown);
    assert_string_equal(shown, text);
}

static void a_cancel_after_hand_over_is_asked_of_the_device(void **state)
{
    struct control *c = *state;
    uint64_t push, order = hand_over(c, &push);

    check_ok(control_cancel(c, push), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
    assert_true(control_order(c, order).cancel_asked);
    assert_true(control_cancel_sent(c, order));
    check_text(c, order, "Push-In Progress (cancel asked)");
    /* The device was away: it is asked again, and not handed the push once more. */
    check_ok(control_close(c, "gw-0"), c->err);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_cancel_sent(c, order));
    assert_false(control_delivered(c, order));
    check_ok(control_refuse_unread(c, order, "cancelled"), c->err);
    control_check_phase(c, order, PHASE(CANCELLED));
    check_text(c, order, "Cancelled");
    assert_int_equal(control_request(c, push).orders_in[countersign_v1_OrderState_ORDER_STATE_CANCELLED], 1);
    assert_int_equal(attachment(c).condition, countersign_store_v1_Condition_CONDITION_FINE);

    push = control_push(c, "shop");
    check_ok(control_cancel(c, push), c->err);
    control_check_phase(c, control_request(c, push).first_order, PHASE(CANCELLED));
}

static void what_was_begun_ends_as_its_report_says(void **state)
{
    struct control *c = *state;
    uint64_t push, order = hand_over(c, &push);

    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_ACCEPTED), c->err);
    check_ok(control_cancel(c, push), c->err);
    check_text(c, order, "Push-In Progress (cancel asked)");
    /* What it says without knowing the order is nothing new about one that it has accepted. */
    check_ok(control_refuse_unread(c, order, "message-malformed"), c->err);
    control_check_phase(c, order, PHASE(ACCEPTED));
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_COMPLETED), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    check_text(c, order, "Completed");
}

/* The cancel and the device's "not yet" cross: nothing is offered again. */
static void what_is_put_off_after_a_cancel_is_cancelled(void **state)
{
    struct control *c = *state;
    uint64_t push, order = hand_over(c, &push);

    check_ok(control_cancel(c, push), c->err);
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_NOT_YET), c->err);
    control_check_phase(c, order, PHASE(CANCELLED));
    assert_int_equal(control_next_due(c), INT64_MAX);
}

static void a_device_does_not_cancel_on_its_own(void **state)
{
    struct control *c = *state;
    uint64_t push, order = hand_over(c, &push);

    check_ok(control_refuse_unread(c, order, "cancelled"), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_string_equal(control_order(c, order).reason, "cancelled");
}

static void a_push_that_its_device_cannot_read_has_failed(void **state)
{
    struct control *c = *state;
    uint64_t push, order = hand_over(c, &push), later;

    check_ok(control_refuse_unread(c, order, "message-malformed"), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_string_equal(control_order(c, order).reason, "message-malformed");
    /* An order that was not handed over cannot be meant, whatever the device says. */
    later = control_request(c, control_push(c, "shop")).first_order;
    check_ok(control_refuse_unread(c, later, "message-malformed"), c->err);
    control_check_phase(c, later, PHASE(PENDING));
}

static void a_newer_policy_cancels_what_it_does_not_allow(void **state)
{
    struct control *c = *state;
    uint64_t lives = control_push(c, "shop"), decided;

    check_ok(control_decide(c, lives, "bob", 1), c->err);
    deployment_publish(&c->d);
    control_policy(c);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, control_request(c, lives).first_order, PHASE(REVIEW));
    assert_int_equal(control_request(c, lives).policy_version, 2);

    decided = lives;
    check_ok(control_decide(c, decided, "carol", 2), c->err);
    control_check_phase(c, control_request(c, decided).first_order, PHASE(SCHEDULED));
    c->d.body->rules[0].stages[0].required = 2;
    deployment_publish(&c->d);
    control_policy(c);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(control_delivered(c, control_request(c, decided).first_order));
    control_check_phase(c, control_request(c, decided).first_order, PHASE(CANCELLED));
    assert_string_equal(control_order(c, control_request(c, decided).first_order).reason, "policy changed");
}

static void drop_operator(struct control *c, const char *name)
{
    countersign_v1_TrustPolicy *body = c->d.body;
    countersign_v1_Operator *who = deployment_operator(&c->d, name);

    *who = body->operators[--body->operators_count];
}

static void lose_the_requester(struct control *c)
{
    drop_operator(c, "alice");
}
static void lose_the_decider(struct control *c)
{
    drop_operator(c, "bob");
}
static void take_the_deciders_key(struct control *c)
{
    deployment_operator(&c->d, "bob")->keys[0] = deployment_operator(&c->d, "carol")->keys[0];
    drop_operator(c, "carol");
}
static void take_the_deciders_role(struct control *c)
{
    deployment_operator(&c->d, "bob")->roles[0] = countersign_v1_Role_ROLE_AUDITOR;
}
static void lose_somebody_else(struct control *c)
{
    drop_operator(c, "ben");
}
static void wait_for_one_more(struct control *c)
{
    c->d.body->rules[0].stages[0].required = 2;
}
static void rule_for_another_device(struct control *c)
{
    countersign_v1_Rule *rules = c->d.body->rules;

    deployment_add_rule(&c->d, "others");
    rules[c->d.body->rules_count - 1] = rules[0];
    memcpy(rules[0].name, "strict", sizeof "strict");
    memcpy(rules[0].devices[rules[0].devices_count++], "gw-9", sizeof "gw-9");
    rules[0].stages[0].required = 2;
}

/* Each on a request that bob has approved. */
static void a_newer_policy_ends_what_it_does_not_satisfy_and_nothing_else(void **state)
{
    static const struct {
        void (*change)(struct control *c);
        const char *says;
        ctl_phase phase;
    } cases[] = {
        {lose_the_requester, "the requester is no operator any more", PHASE(CANCELLED)},
        {lose_the_decider, "the decider is no operator any more", PHASE(CANCELLED)},
        {take_the_deciders_key, "the decider has another key", PHASE(CANCELLED)},
        {take_the_deciders_role, "the decider has another role", PHASE(CANCELLED)},
        {lose_somebody_else, "somebody else is gone", PHASE(REVIEW)},
        {wait_for_one_more, "the stage wants one more", PHASE(PENDING)},
        {rule_for_another_device, "another device has a stricter rule", PHASE(REVIEW)},
    };
    struct control *c = *state;

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto_free countersign_v1_TrustPolicy *before = malloc(sizeof *before);
        uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

        assert_non_null(before);
        check_ok(control_decide(c, push, "bob", 1), c->err);
        *before = *c->d.body;
        cases[i].change(c);
        deployment_publish(&c->d);
        control_policy(c);
        check_ok(control_tick(c), c->err);
        if (control_order(c, order).phase != cases[i].phase)
            fail_msg("%s: phase %d", cases[i].says, (int)control_order(c, order).phase);
        if (cases[i].phase == PHASE(CANCELLED))
            assert_string_equal(control_order(c, order).reason, "policy changed");
        *c->d.body = *before;
        deployment_publish(&c->d);
        control_policy(c);
        check_ok(control_tick(c), c->err);
        if (cases[i].phase != PHASE(CANCELLED))
            check_ok(control_cancel(c, push), c->err);
    }
}

static void a_device_enrolled_anew_does_not_get_old_pushes(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    control_approve(c, push);
    check_ok(control_token(c, "gw-0", "another token"), c->err);
    check_ok(control_enrol(c, "gw-0", "another token", 1), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    check_ok(control_admit(c, "gw-0", 1), c->err);
    control_check_phase(c, order, PHASE(CANCELLED));
    check_ok(control_open(c, "gw-0"), c->err);
    assert_false(control_delivered(c, order));
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, control_begin_shop, control_end)
    const struct CMUnitTest tests[] = {
        story(a_push_is_approved_implemented_and_completed),
        story(the_shards_evaluation_counts_as_our_own),
        story(a_rejected_push_is_over),
        story(a_push_that_nobody_decides_expires),
        story(a_push_waits_for_its_time),
        story(an_offline_device_gets_its_push_when_it_comes),
        story(an_offline_device_misses_the_window),
        story(a_push_is_delivered_again_after_a_restart),
        story(a_later_decided_push_supersedes_an_earlier_one),
        story(a_silent_device_has_failed_until_it_speaks),
        story(a_failed_push_is_gray_until_the_next),
        story(a_certificate_removed_by_hand_is_noticed),
        story(a_device_whose_clock_is_behind_is_asked_again),
        story(a_cancel_after_hand_over_is_asked_of_the_device),
        story(what_was_begun_ends_as_its_report_says),
        story(what_is_put_off_after_a_cancel_is_cancelled),
        story(a_device_does_not_cancel_on_its_own),
        story(a_push_that_its_device_cannot_read_has_failed),
        story(a_newer_policy_cancels_what_it_does_not_allow),
        story(a_newer_policy_ends_what_it_does_not_satisfy_and_nothing_else),
        story(a_device_enrolled_anew_does_not_get_old_pushes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
