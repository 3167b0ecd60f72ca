/* Stories of requests and decisions as people make them. */
#include "tests/unit/push_scene.h"

static void every_reason_has_a_word_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < CS_PUSH_REASON_COUNT; i++) {
        assert_true(strlen(cs_push_reason_word((enum cs_push_reason)i)) > 0);
        assert_true(strlen(cs_push_reason_sentence((enum cs_push_reason)i)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(cs_push_reason_word((enum cs_push_reason)i),
                                    cs_push_reason_word((enum cs_push_reason)k));
    }
    assert_int_equal(CS_PUSH_UNDECIDED, 0);
}

static void bob_approves_and_carol_implements(void **state)
{
    struct scene *s = *state;
    struct cs_push_progress progress;

    begin(s, 1);
    check_open_stage(s, 0, 1, 0, 1);
    s->d.now_s += HOUR_S;
    check_reason(decide(s, "bob", 1), OK);
    check_open_stage(s, 0, 2, 0, 1);
    s->d.now_s += HOUR_S;
    check_reason(decide(s, "carol", 2), OK);
    progress = progress_of(s, 0);
    check_reason(progress.reason, OK);
    assert_int_equal(progress.stage, 0);
    assert_int_equal(progress.stages, 2);
    assert_int_equal(progress.decided_at_s, s->d.now_s);
    assert_int_equal(progress.start_s, s->d.now_s);
    assert_int_equal(progress.end_s, s->d.now_s + s->story.request.window_s);
}

static void a_later_stage_moves_the_start_later_and_never_earlier(void **state)
{
    static const struct {
        const char *says;
        int64_t first_h, second_h, start_h; /* hours after the decisions; 0: manual */
    } cases[] = {
        {"both manual", 0, 0, 0},          {"the first scheduled", 5, 0, 5},
        {"the second scheduled", 0, 5, 5}, {"the second later", 3, 5, 5},
        {"the second earlier", 5, 3, 5},   {"a time that has passed", -5, -3, 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        void *fresh = NULL;
        struct scene *s;
        struct cs_push_progress progress;
        int64_t now_s;

        set_up(&fresh);
        s = fresh;
        begin(s, 1);
        now_s = s->d.now_s;
        check_reason(cases[i].first_h ? decide_not_before(s, "bob", 1, now_s + cases[i].first_h * HOUR_S)
                                      : decide(s, "bob", 1),
                     OK);
        check_reason(cases[i].second_h ? decide_not_before(s, "carol", 2, now_s + cases[i].second_h * HOUR_S)
                                       : decide(s, "carol", 2),
                     OK);
        progress = progress_of(s, 0);
        if (progress.start_s != now_s + cases[i].start_h * HOUR_S)
            fail_msg("%s: %lld s after now", cases[i].says, (long long)(progress.start_s - now_s));
        assert_int_equal(progress.end_s, progress.start_s + s->story.request.window_s);
        tear_down(&fresh);
    }
}

static void with_no_stages_a_request_is_decided_when_it_is_made(void **state)
{
    struct scene *s = *state;
    struct cs_push_progress progress;

    s->d.body->rules[0].stages_count = 0;
    deployment_publish(&s->d);
    begin(s, 1);
    progress = progress_of(s, 0);
    check_reason(progress.reason, OK);
    assert_int_equal(progress.start_s, s->story.request.requested_at_s);
    assert_int_equal(progress.decided_at_s, s->story.request.requested_at_s);
    check_reason(decide(s, "bob", 1), STAGE_UNKNOWN);
}

static void the_requester_does_not_decide(void **state)
{
    struct scene *s = *state;

    story_prepare(&s->story, &s->d, 1);
    memcpy(s->story.request.requester, "dora", sizeof "dora");
    story_submit(&s->story);
    s->orders[0] = (struct cs_push_order){0, rule_at(s, 0)};
    check_reason(open_push(s), OK);
    check_reason(decide(s, "dora", 1), DECIDER_IS_REQUESTER);
    check_reason(reject(s, "dora", 1), DECIDER_IS_REQUESTER);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "dora", 2), DECIDER_IS_REQUESTER);
    check_says(s->err, "dora on stage 2");
    check_open_stage(s, 0, 2, 0, 1);
}

static void the_requester_decides_where_the_rule_lets_her(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].requester_may_decide = true;
    deployment_publish(&s->d);
    story_prepare(&s->story, &s->d, 1);
    memcpy(s->story.request.requester, "dora", sizeof "dora");
    story_submit(&s->story);
    s->orders[0] = (struct cs_push_order){0, rule_at(s, 0)};
    check_reason(open_push(s), OK);
    check_reason(decide(s, "dora", 1), OK);
    check_reason(decide(s, "dora", 2), DECIDER_TWICE);
    check_reason(decide(s, "carol", 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

static void stages_come_in_their_order(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "carol", 2), STAGE_NOT_OPEN);
    check_reason(decide(s, "carol", 3), STAGE_UNKNOWN);
    check_reason(decide(s, "carol", UINT32_MAX), STAGE_UNKNOWN);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "ben", 1), STAGE_CLOSED);
    check_reason(reject(s, "ben", 1), STAGE_CLOSED);
    check_reason(decide(s, "carol", 2), OK);
    check_reason(decide(s, "clara", 2), STAGE_CLOSED);
    check_reason(reject(s, "clara", 2), STAGE_CLOSED);
    check_reason(progress_of(s, 0).reason, OK);
}

static void a_stage_of_two_wants_two_people(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].stages[1].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "carol", 2), OK);
    check_open_stage(s, 0, 2, 1, 2);
    check_reason(decide(s, "carol", 2), DECIDER_TWICE);
    check_reason(decide(s, "clara", 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

static void one_reject_ends_it(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].stages[0].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(reject(s, "ben", 1), OK);
    check_reason(progress_of(s, 0).reason, REJECTED);
    assert_int_equal(progress_of(s, 0).stage, 0);
    check_reason(decide(s, "dora", 1), REJECTED);
    check_reason(decide(s, "carol", 2), REJECTED);
    check_reason(progress_of(s, 0).reason, REJECTED);
}

static void a_reject_closes_the_orders_that_it_covers(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    begin(s, 3);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    decision.orders.size = 1;
    decision.orders.bytes[0] = 1 << 1;
    check_reason(add(s, &decision, "bob"), OK);
    check_reason(progress_of(s, 1).reason, REJECTED);
    check_open_stage(s, 0, 1, 0, 1);
    check_open_stage(s, 2, 1, 0, 1);
    check_reason(decide(s, "ben", 1), REJECTED); /* would cover the second order, too */
    check_reason(decide_for(s, "ben", 1, 1 << 0 | 1 << 2), OK);
    check_reason(decide_for(s, "carol", 2, 1 << 0 | 1 << 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
    check_reason(progress_of(s, 1).reason, REJECTED);
    check_reason(progress_of(s, 2).reason, OK);
}

static void an_order_that_no_decision_covers_stays_undecided(void **state)
{
    struct scene *s = *state;

    begin(s, 2);
    check_reason(decide_for(s, "bob", 1, 1 << 0), OK);
    check_reason(decide_for(s, "carol", 2, 1 << 0), OK);
    check_reason(progress_of(s, 0).reason, OK);
    check_open_stage(s, 1, 1, 0, 1);
    check_reason(decide(s, "dora", 1), STAGE_CLOSED); /* the first order has its people */
    /* The same person may decide on the other order: people count once for each. */
    check_reason(decide_for(s, "bob", 1, 1 << 1), OK);
    check_reason(decide_for(s, "carol", 2, 1 << 1), OK);
    check_reason(progress_of(s, 1).reason, OK);
}

static void a_stage_must_be_open_for_every_order_covered(void **state)
{
    struct scene *s = *state;

    begin(s, 2);
    check_reason(decide_for(s, "bob", 1, 1 << 0), OK);
    check_reason(decide(s, "carol", 2), STAGE_NOT_OPEN); /* the second order is not approved */
    check_reason(decide_for(s, "carol", 2, 1 << 0), OK);
    check_reason(progress_of(s, 0).reason, OK);
    check_open_stage(s, 1, 1, 0, 1);
}

static void add_lab_rule(struct scene *s)
{
    countersign_v1_Rule *rule = deployment_add_rule(&s->d, "lab");

    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_publish(&s->d);
}

static void orders_of_one_request_keep_to_their_own_rules(void **state)
{
    struct scene *s = *state;

    add_lab_rule(s);
    begin(s, 2);
    s->orders[1].rule = rule_at(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_open_stage(s, 0, 2, 0, 1);
    check_reason(progress_of(s, 1).reason, OK);
    check_reason(decide(s, "carol", 2), STAGE_UNKNOWN); /* the second order has one stage only */
    check_reason(decide_for(s, "carol", 2, 1 << 0), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

/* A device knows its own order and rule. What the others' orders did is in the list, and counts for nothing
 * here. */
static void a_device_counts_what_covers_its_own_order(void **state)
{
    struct scene *s = *state;
    struct cs_push_order own;
    struct cs_push_progress progress;

    begin(s, 3);
    own = s->orders[2];
    s->orders[0].index = 2; /* the first of the orders given is the only one that feed() looks at, as 2 */
    s->story.order_count = 1;
    check_reason(decide_for(s, "ada", 1, 1 << 0),
                 OK); /* no approver: the device cannot tell what she may there */
    check_reason(decide_for(s, "bob", 1, 1 << 0 | 1 << 2), OK);
    check_reason(decide_for(s, "carol", 2, 1 << 1), OK);
    cs_push_progress(s->push, &own, &progress);
    check_reason(progress.reason, UNDECIDED);
    assert_int_equal(progress.stage, 2);
    check_reason(decide_for(s, "carol", 2, 1 << 2), OK);
    cs_push_progress(s->push, &own, &progress);
    check_reason(progress.reason, OK);
    s->story.order_count = 3;

    /* Whoever asks for an order that the decisions were not judged for gets nothing that its rule forbids. */
    cs_push_progress(s->push, &(struct cs_push_order){0, rule_at(s, 0)}, &progress);
    check_reason(progress.reason, UNDECIDED);
    assert_int_equal(progress.stage, 2); /* bob's counts, ada's does not */
    cs_push_progress(s->push, &(struct cs_push_order){1, rule_at(s, 0)}, &progress);
    check_reason(progress.reason, UNDECIDED);
    assert_int_equal(progress.stage, 1); /* carol's is for a stage that is not open */
    cs_push_progress(s->push, &(struct cs_push_order){3, rule_at(s, 0)}, &progress);
    check_reason(progress.reason, NOT_COVERED);
}

static void a_browser_key_does_not_complete_the_last_stage(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "eve", 2), BROWSER_KEY);
    check_reason(reject(s, "eve", 2), OK);
    check_reason(progress_of(s, 0).reason, REJECTED);
}

static void a_browser_key_takes_part_where_it_does_not_complete(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].stages[1].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "eve", 2), OK);
    check_reason(decide(s, "carol", 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

static void a_browser_key_completes_where_the_rule_lets_it(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].browser_may_finish = true;
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "eve", 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

static void a_browser_key_completes_any_stage_but_the_last(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "eve", 1), OK);
    check_reason(decide(s, "carol", 2), OK);
    check_reason(progress_of(s, 0).reason, OK);
}

static void it_shows_what_it_was_fed(void **state)
{
    struct scene *s = *state;
    struct cs_digest digest;

    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    digest = cs_push_request_digest(s->push);
    assert_true(cs_digest_eq(&digest, &s->story.request_digest));
    assert_string_equal(cs_push_request(s->push)->requester, "alice");
    assert_string_equal(cs_push_decision(s->push, 0)->decider, "bob");
    digest = cs_push_decision_digest(s->push, 0);
    assert_true(cs_digest_eq(&digest, &s->story.decision_digests[0]));
}

/* Its bitmap ends before the ninth order. */
static void a_short_bitmap_covers_none_of_the_later_orders(void **state)
{
    struct scene *s = *state;

    begin(s, 9);
    check_reason(decide_for(s, "bob", 1, 0x01), OK);
    check_open_stage(s, 0, 2, 0, 1);
    check_open_stage(s, 8, 1, 0, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_reason_has_a_word_and_a_sentence),
        TEST(bob_approves_and_carol_implements),
        TEST(a_later_stage_moves_the_start_later_and_never_earlier),
        TEST(with_no_stages_a_request_is_decided_when_it_is_made),
        TEST(the_requester_does_not_decide),
        TEST(the_requester_decides_where_the_rule_lets_her),
        TEST(stages_come_in_their_order),
        TEST(a_stage_of_two_wants_two_people),
        TEST(one_reject_ends_it),
        TEST(a_reject_closes_the_orders_that_it_covers),
        TEST(an_order_that_no_decision_covers_stays_undecided),
        TEST(a_stage_must_be_open_for_every_order_covered),
        TEST(orders_of_one_request_keep_to_their_own_rules),
        TEST(a_device_counts_what_covers_its_own_order),
        TEST(a_browser_key_does_not_complete_the_last_stage),
        TEST(a_browser_key_takes_part_where_it_does_not_complete),
        TEST(a_browser_key_completes_where_the_rule_lets_it),
        TEST(a_browser_key_completes_any_stage_but_the_last),
        TEST(it_shows_what_it_was_fed),
        TEST(a_short_bitmap_covers_none_of_the_later_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
