/* Stories of requests and decisions. Who is who stands in tests/support/deployment.h. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include <stdio.h>

enum { HOUR_S = 3600 };

/* A deployment, one story in it, and the evaluation under test, which knows all orders of the story. */
struct scene {
    struct deployment d;
    struct push_story story;
    struct cs_push *push;
    struct cs_push_order orders[STORY_ORDERS];
    struct cs_err err;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    deployment_make(&s->d);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    cs_push_free(s->push);
    story_free(&s->story);
    deployment_free(&s->d);
    free(s);
    return 0;
}

static const countersign_v1_Rule *rule_at(const struct scene *s, size_t index)
{
    return &cs_policy_body(s->d.policy)->rules[index];
}

static enum cs_push_reason open_push(struct scene *s)
{
    enum cs_push_reason reason;
    int rc = cs_push_open(s->d.policy, cs_buf_slice(&s->story.request_wire), s->d.now_s, &s->push, &reason,
                          &s->err);

    assert_true((rc == CS_OK) == (reason == CS_PUSH_OK) && (rc == CS_OK) == (s->push != NULL));
    return reason;
}

/* Everything under the policy's first rule, unless a test changes `orders`. */
static void begin(struct scene *s, size_t order_count)
{
    story_begin(&s->story, &s->d, order_count);
    for (uint32_t i = 0; i < order_count; i++)
        s->orders[i] = (struct cs_push_order){i, rule_at(s, 0)};
    assert_int_equal(open_push(s), CS_PUSH_OK);
}

static enum cs_push_reason feed_wire(struct scene *s, struct cs_slice wire)
{
    size_t before = cs_push_decision_count(s->push);
    enum cs_push_reason reason;
    int rc = cs_push_add_decision(s->push, wire, s->orders, s->story.order_count, &reason, &s->err);

    assert_true((rc == CS_OK) == (reason == CS_PUSH_OK));
    assert_int_equal(cs_push_decision_count(s->push), before + (rc == CS_OK));
    return reason;
}

/* Feeds the newest decision of the story; one that is refused is taken out of the story, too. */
static enum cs_push_reason feed(struct scene *s)
{
    size_t last = s->story.decision_count - 1;
    enum cs_push_reason reason = feed_wire(s, cs_buf_slice(&s->story.decision_wires[last]));

    if (reason != CS_PUSH_OK) {
        cs_buf_free(&s->story.decision_wires[last]);
        s->story.decision_count--;
    }
    return reason;
}

static enum cs_push_reason decide(struct scene *s, const char *who, uint32_t stage)
{
    story_decide(&s->story, who, stage);
    return feed(s);
}

static enum cs_push_reason add(struct scene *s, const countersign_v1_Decision *decision, const char *key_of)
{
    story_add_decision(&s->story, decision, key_of);
    return feed(s);
}

static enum cs_push_reason reject(struct scene *s, const char *who, uint32_t stage)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    decision.mode = countersign_v1_Mode_MODE_UNSPECIFIED;
    return add(s, &decision, who);
}

/* For some orders only: bit i of `orders` is order i. */
static enum cs_push_reason decide_for(struct scene *s, const char *who, uint32_t stage, uint8_t orders)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.orders.size = 1;
    decision.orders.bytes[0] = orders;
    return add(s, &decision, who);
}

static enum cs_push_reason decide_not_before(struct scene *s, const char *who, uint32_t stage,
                                             int64_t not_before_s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = not_before_s;
    return add(s, &decision, who);
}

static struct cs_push_progress progress_of(const struct scene *s, size_t order)
{
    struct cs_push_progress progress;

    cs_push_progress(s->push, &s->orders[order], &progress);
    return progress;
}

#define check_reason(actual, wanted)                                                                         \
    do {                                                                                                     \
        enum cs_push_reason reason_ = (actual);                                                              \
        if (reason_ != CS_PUSH_##wanted)                                                                     \
            fail_msg("%s: '%s' where '%s' was wanted", #actual, cs_push_reason_word(reason_),                \
                     cs_push_reason_word(CS_PUSH_##wanted));                                                 \
    } while (0)

static void check_open_stage(const struct scene *s, size_t order, uint32_t stage, uint32_t decided,
                             uint32_t required)
{
    struct cs_push_progress progress = progress_of(s, order);

    check_reason(progress.reason, UNDECIDED);
    assert_int_equal(progress.stage, stage);
    assert_int_equal(progress.decided, decided);
    assert_int_equal(progress.required, required);
}

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

static void one_person_decides_once(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "dora", 1), OK);
    check_reason(decide(s, "dora", 2), DECIDER_TWICE);
    check_reason(reject(s, "dora", 2), DECIDER_TWICE);
    check_open_stage(s, 0, 2, 0, 1);
}

static void one_person_with_two_keys_is_one_person(void **state)
{
    struct scene *s = *state;
    countersign_v1_Operator *bob = deployment_operator(&s->d, "bob");
    countersign_v1_Decision decision;

    bob->keys[1] = (countersign_v1_OperatorKey){.kind = countersign_v1_KeyKind_KEY_KIND_FILE};
    CS_PB_SET(&bob->keys[1].spki, cs_key_spki(deployment_key(&s->d, "bob-laptop")));
    bob->keys_count = 2;
    s->d.body->rules[0].stages[0].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    story_fill_decision(&s->story, "bob", 1, &decision);
    check_reason(add(s, &decision, "bob-laptop"), DECIDER_TWICE);
    check_open_stage(s, 0, 1, 1, 2);
    check_reason(decide(s, "ben", 1), OK);
    check_open_stage(s, 0, 2, 0, 1);
}

static void a_decision_of_two_signatures_is_one_decision(void **state)
{
    struct scene *s = *state;
    struct cs_buf cosigned = CS_BUF_EMPTY;

    s->d.body->rules[0].stages[0].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    story_decide(&s->story, "bob", 1);
    check_ok(cs_envelope_cosign(cs_buf_slice(&s->story.decision_wires[0]), deployment_key(&s->d, "ben"),
                                &cosigned, &s->err),
             s->err);
    check_reason(feed_wire(s, cs_buf_slice(&cosigned)), OK);
    check_open_stage(s, 0, 1, 1, 2);
    cs_buf_free(&cosigned);
}

static void only_those_with_the_role_decide(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "carol", 1), DECIDER_ROLE);
    check_reason(decide(s, "ada", 1), DECIDER_ROLE);
    check_reason(reject(s, "carol", 1), DECIDER_ROLE);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "ben", 2), DECIDER_ROLE);
}

static void only_those_whom_the_stage_names_decide(void **state)
{
    struct scene *s = *state;
    countersign_v1_Stage *stage = &s->d.body->rules[0].stages[0];

    stage->operators_count = 1;
    memcpy(stage->operators[0], "ben", sizeof "ben");
    deployment_publish(&s->d);
    begin(s, 1);
    check_reason(decide(s, "bob", 1), DECIDER_ROLE);
    check_reason(decide(s, "ben", 1), OK);
}

static void nobody_decides_for_another(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    begin(s, 1);
    story_fill_decision(&s->story, "bob", 1, &decision);
    check_reason(add(s, &decision, "mallory"), DECISION_SIGNATURE); /* a stranger's key */
    check_reason(add(s, &decision, "alice"), DECISION_SIGNATURE);   /* another operator's */
    check_reason(add(s, &decision, "controller"), DECISION_SIGNATURE);
    check_reason(add(s, &decision, "root-0"), DECISION_SIGNATURE);
    memcpy(decision.decider, "zoe", sizeof "zoe");
    check_reason(add(s, &decision, "bob"), DECISION_SIGNATURE); /* a name that nobody has */
    check_open_stage(s, 0, 1, 0, 1);
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

static void a_decision_made_on_a_stale_list_is_refused(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision unseen, swapped;

    s->d.body->rules[0].stages[0].required = 3;
    deployment_publish(&s->d);
    begin(s, 1);
    story_fill_decision(&s->story, "ben", 1, &unseen);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(add(s, &unseen, "ben"), DECISION_STALE);
    check_reason(decide(s, "ben", 1), OK);

    story_fill_decision(&s->story, "dora", 1, &swapped);
    swapped.earlier_count = 1; /* leaves ben's out */
    check_reason(add(s, &swapped, "dora"), DECISION_STALE);
    swapped.earlier[0] = swapped.earlier[1]; /* leaves bob's out */
    check_reason(add(s, &swapped, "dora"), DECISION_STALE);
    story_fill_decision(&s->story, "dora", 1, &swapped);
    swapped.earlier[0] = swapped.earlier[1];
    CS_PB_SET(&swapped.earlier[1], cs_digest_slice(&s->story.decision_digests[0])); /* the other way round */
    check_reason(add(s, &swapped, "dora"), DECISION_STALE);
    story_fill_decision(&s->story, "dora", 1, &swapped);
    swapped.earlier[2] = swapped.earlier[1]; /* one more than there are */
    swapped.earlier_count = 3;
    check_reason(add(s, &swapped, "dora"), DECISION_STALE);
    check_reason(decide(s, "dora", 1), OK);
}

/* What a controller that has been taken over may try with decisions that are all real. */
static void no_other_selection_or_order_of_real_decisions_is_taken(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].stages[0].required = 2;
    deployment_publish(&s->d);
    begin(s, 1);
    story_decide(&s->story, "bob", 1);
    story_decide(&s->story, "ben", 1);
    story_decide(&s->story, "carol", 2);
#define WIRE(index) cs_buf_slice(&s->story.decision_wires[index])
    check_reason(feed_wire(s, WIRE(1)), DECISION_STALE); /* without the first */
    check_reason(feed_wire(s, WIRE(2)), DECISION_STALE);
    check_reason(feed_wire(s, WIRE(0)), OK);
    check_reason(feed_wire(s, WIRE(0)), DECISION_STALE); /* the same again */
    check_reason(feed_wire(s, WIRE(2)), DECISION_STALE); /* without the second */
    check_reason(feed_wire(s, WIRE(1)), OK);
    check_reason(feed_wire(s, WIRE(2)), OK);
#undef WIRE
    check_reason(progress_of(s, 0).reason, OK);
}

static void a_decision_is_for_one_request(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    begin(s, 1);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.request_digest.bytes[31] ^= 1;
    check_reason(add(s, &decision, "bob"), DECISION_OTHER_REQUEST);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.deployment_id.bytes[0] ^= 1;
    check_reason(add(s, &decision, "bob"), WRONG_DEPLOYMENT);
}

static void a_decision_is_made_between_the_request_and_decide_by(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    begin(s, 1);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.decided_at_s = s->story.request.requested_at_s - 1;
    check_reason(add(s, &decision, "bob"), DECISION_EARLY);
    decision.decided_at_s = s->story.request.decide_by_s + 1;
    check_reason(add(s, &decision, "bob"), DECISION_LATE);
    decision.decided_at_s = s->story.request.decide_by_s;
    check_reason(add(s, &decision, "bob"), OK);
    /* Carol's clock is behind: the start is that of the latest all the same. */
    check_reason(decide(s, "carol", 2), OK);
    assert_int_equal(progress_of(s, 0).start_s, s->story.request.decide_by_s);
}

static void a_decision_that_does_not_parse_is_refused(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    begin(s, 3);
    check_reason(feed_wire(s, CS_SLICE_LIT("\x0a")), DECISION_MALFORMED);
    check_reason(feed_wire(s, cs_buf_slice(&s->story.request_wire)), DECISION_MALFORMED);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_UNSPECIFIED;
    check_reason(add(s, &decision, "bob"), DECISION_MALFORMED);
    check_says(s->err, "verdict");
    check_reason(decide_for(s, "bob", 1, 1 << 3), DECISION_MALFORMED); /* there is no fourth order */
    check_reason(decide_for(s, "bob", 1, 0xff), DECISION_MALFORMED);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.orders.size = 128;
    decision.orders.bytes[0] = 1;
    decision.orders.bytes[127] = 0x80;
    check_reason(add(s, &decision, "bob"), DECISION_MALFORMED);
    check_reason(decide_for(s, "bob", 1, 0x07), OK);
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

static void an_order_that_is_not_there_is_never_decided(void **state)
{
    struct scene *s = *state;
    struct cs_push_progress progress;

    s->d.body->rules[0].stages_count = 0;
    deployment_publish(&s->d);
    begin(s, 1);
    cs_push_progress(s->push, &(struct cs_push_order){1, rule_at(s, 0)}, &progress);
    check_reason(progress.reason, NOT_COVERED);
    cs_push_progress(s->push, &(struct cs_push_order){UINT32_MAX, rule_at(s, 0)}, &progress);
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

static void sixteen_decisions_are_the_most(void **state)
{
    struct scene *s = *state;

    s->d.body->rules[0].stages[0].required = 1;
    s->d.body->rules[0].stages_count = 1;
    deployment_publish(&s->d);
    begin(s, STORY_ORDERS);
    for (size_t i = 0; i < STORY_ORDERS; i++) {
        countersign_v1_Decision decision;

        story_fill_decision(&s->story, "bob", 1, &decision);
        decision.orders.size = 2;
        decision.orders.bytes[i / 8] = (uint8_t)(1u << i % 8);
        check_reason(add(s, &decision, "bob"), OK);
    }
    for (size_t i = 0; i < STORY_ORDERS; i++)
        check_reason(progress_of(s, i).reason, OK);
    check_reason(feed_wire(s, cs_buf_slice(&s->story.decision_wires[0])), TOO_MANY_DECISIONS);
}

static void a_request_is_signed_by_its_requester(void **state)
{
    static const struct {
        const char *says, *requester, *key_of;
        enum cs_push_reason reason;
    } cases[] = {
        {"alice herself", "alice", "alice", CS_PUSH_OK},
        {"a stranger", "alice", "mallory", CS_PUSH_REQUEST_SIGNATURE},
        {"another operator", "alice", "bob", CS_PUSH_REQUEST_SIGNATURE},
        {"the controller", "alice", "controller", CS_PUSH_REQUEST_SIGNATURE},
        {"a name that nobody has", "mallory", "alice", CS_PUSH_REQUEST_SIGNATURE},
        {"an operator who may not", "bob", "bob", CS_PUSH_REQUESTER_ROLE},
    };
    struct scene *s = *state;

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        countersign_v1_PushRequest request;

        deployment_fill_request(&s->d, &request);
        snprintf(request.requester, sizeof request.requester, "%s", cases[i].requester);
        s->story.request_wire = deployment_sign(&s->d, CS_STATEMENT_PUSH_REQUEST,
                                                countersign_v1_PushRequest_fields, &request, cases[i].key_of);
        if (open_push(s) != cases[i].reason)
            fail_msg("%s: %s", cases[i].says, s->err.msg);
        cs_push_free(s->push);
        s->push = NULL;
        cs_buf_free(&s->story.request_wire);
    }
}

static enum cs_push_reason open_changed(struct scene *s, void (*change)(countersign_v1_PushRequest *),
                                        const char *key_of)
{
    enum cs_push_reason reason;

    story_prepare(&s->story, &s->d, 1);
    change(&s->story.request);
    s->story.request_wire = deployment_sign(&s->d, CS_STATEMENT_PUSH_REQUEST,
                                            countersign_v1_PushRequest_fields, &s->story.request, key_of);
    reason = open_push(s);
    cs_push_free(s->push);
    s->push = NULL;
    story_free(&s->story);
    return reason;
}

static void of_another_deployment(countersign_v1_PushRequest *request)
{
    request->deployment_id.bytes[0] ^= 1;
}
static void of_a_newer_policy(countersign_v1_PushRequest *request)
{
    request->policy_version = 2;
}
static void without_window(countersign_v1_PushRequest *request)
{
    request->window_s = 0;
}

static void a_request_says_where_and_under_what_it_was_made(void **state)
{
    struct scene *s = *state;

    check_reason(open_changed(s, of_another_deployment, "alice"), WRONG_DEPLOYMENT);
    check_reason(open_changed(s, of_a_newer_policy, "alice"), POLICY_TOO_OLD);
    check_reason(open_changed(s, without_window, "alice"), REQUEST_MALFORMED);
    check_says(s->err, "window_s");
}

/* The newer policy may be the one that brings the key. */
static void a_newer_policy_is_asked_for_before_a_signature_is_called_bad(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    check_reason(open_changed(s, of_a_newer_policy, "mallory"), POLICY_TOO_OLD);
    begin(s, 1);
    story_fill_decision(&s->story, "zoe", 1, &decision);
    check_reason(add(s, &decision, "zoe"), DECISION_SIGNATURE);
    decision.policy_version = 2;
    check_reason(add(s, &decision, "zoe"), POLICY_TOO_OLD);
    story_fill_decision(&s->story, "bob", 1, &decision);
    decision.policy_version = 2;
    check_reason(add(s, &decision, "bob"), POLICY_TOO_OLD);
}

static void an_older_minimum_is_judged_by_the_newer_policy(void **state)
{
    struct scene *s = *state;
    countersign_v1_Decision decision;

    story_begin(&s->story, &s->d, 1);
    story_fill_decision(&s->story, "bob", 1, &decision);
    memcpy(deployment_operator(&s->d, "bob")->name, "rob", sizeof "rob"); /* bob has left */
    deployment_publish(&s->d);
    s->orders[0] = (struct cs_push_order){0, rule_at(s, 0)};
    check_reason(open_push(s), OK);
    check_reason(add(s, &decision, "bob"), DECISION_SIGNATURE);
    check_reason(decide(s, "ben", 1), OK);
}

static void past_its_expiry_a_policy_decides_nothing(void **state)
{
    struct scene *s = *state;
    enum cs_push_reason reason;

    story_begin(&s->story, &s->d, 1);
    s->d.now_s = s->d.body->expires_at_s + 1;
    check_reason(open_push(s), POLICY_EXPIRED);
    check_ok(cs_push_open(s->d.policy, cs_buf_slice(&s->story.request_wire), CS_TIME_UNKNOWN, &s->push,
                          &reason, &s->err),
             s->err);
    check_reason(reason, OK);
}

static void a_request_with_any_byte_flipped_is_refused(void **state)
{
    struct scene *s = *state;

    story_begin(&s->story, &s->d, 1);
    for (size_t at = 0; at < s->story.request_wire.len; at++) {
        s->story.request_wire.ptr[at] ^= 0x01;
        if (open_push(s) == CS_PUSH_OK)
            fail_msg("the flip at %zu was taken", at);
        s->story.request_wire.ptr[at] ^= 0x01;
    }
    check_reason(open_push(s), OK);
}

/* With `data` a scene that has a story of two decisions: both are taken, or the memory ran out, and then
 * nothing is refused: a refusal would stay. */
static void evaluate_short_of_memory(void *data)
{
    struct scene *s = data;
    struct cs_push *push cs_auto(cs_push_freep) = NULL;
    enum cs_push_reason reason;
    int rc =
        cs_push_open(s->d.policy, cs_buf_slice(&s->story.request_wire), s->d.now_s, &push, &reason, &s->err);

    for (size_t i = 0; i < s->story.decision_count && rc == CS_OK; i++)
        rc = cs_push_add_decision(push, cs_buf_slice(&s->story.decision_wires[i]), s->orders, 1, &reason,
                                  &s->err);
    if (rc == CS_OK)
        return;
    assert_true(alloc_fail_happened());
    check_code(rc, CS_ENOMEM);
    check_reason(reason, UNDECIDED);
}

static void without_memory_it_refuses_nothing_for_good(void **state)
{
    struct scene *s = *state;

    begin(s, 1);
    check_reason(decide(s, "bob", 1), OK);
    check_reason(decide(s, "carol", 2), OK);
    assert_true(alloc_fail_sample(evaluate_short_of_memory, s, 200) > 50);
}

/* The same when the signer is not known, and the statement is looked at for its policy version. */
static void open_of_a_stranger(void *data)
{
    struct scene *s = data;
    struct cs_push *push = NULL;
    enum cs_push_reason reason;
    int rc =
        cs_push_open(s->d.policy, cs_buf_slice(&s->story.request_wire), s->d.now_s, &push, &reason, &s->err);

    if (rc == CS_ENOMEM)
        assert_true(alloc_fail_happened());
    else
        check_reason(reason, POLICY_TOO_OLD);
}

static void without_memory_a_newer_policy_is_not_overlooked(void **state)
{
    struct scene *s = *state;
    countersign_v1_PushRequest request;

    deployment_fill_request(&s->d, &request);
    request.policy_version = 2;
    s->story.request_wire = deployment_sign(&s->d, CS_STATEMENT_PUSH_REQUEST,
                                            countersign_v1_PushRequest_fields, &request, "mallory");
    assert_true(alloc_fail_run(open_of_a_stranger, s) >= 2);
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
        TEST(one_person_decides_once),
        TEST(one_person_with_two_keys_is_one_person),
        TEST(a_decision_of_two_signatures_is_one_decision),
        TEST(only_those_with_the_role_decide),
        TEST(only_those_whom_the_stage_names_decide),
        TEST(nobody_decides_for_another),
        TEST(stages_come_in_their_order),
        TEST(a_stage_of_two_wants_two_people),
        TEST(one_reject_ends_it),
        TEST(a_decision_made_on_a_stale_list_is_refused),
        TEST(no_other_selection_or_order_of_real_decisions_is_taken),
        TEST(a_decision_is_for_one_request),
        TEST(a_decision_is_made_between_the_request_and_decide_by),
        TEST(a_decision_that_does_not_parse_is_refused),
        TEST(a_reject_closes_the_orders_that_it_covers),
        TEST(an_order_that_no_decision_covers_stays_undecided),
        TEST(a_stage_must_be_open_for_every_order_covered),
        TEST(orders_of_one_request_keep_to_their_own_rules),
        TEST(a_device_counts_what_covers_its_own_order),
        TEST(an_order_that_is_not_there_is_never_decided),
        TEST(a_browser_key_does_not_complete_the_last_stage),
        TEST(a_browser_key_takes_part_where_it_does_not_complete),
        TEST(a_browser_key_completes_where_the_rule_lets_it),
        TEST(a_browser_key_completes_any_stage_but_the_last),
        TEST(sixteen_decisions_are_the_most),
        TEST(a_request_is_signed_by_its_requester),
        TEST(a_request_says_where_and_under_what_it_was_made),
        TEST(a_newer_policy_is_asked_for_before_a_signature_is_called_bad),
        TEST(an_older_minimum_is_judged_by_the_newer_policy),
        TEST(past_its_expiry_a_policy_decides_nothing),
        TEST(a_request_with_any_byte_flipped_is_refused),
        TEST(without_memory_it_refuses_nothing_for_good),
        TEST(without_memory_a_newer_policy_is_not_overlooked),
        TEST(it_shows_what_it_was_fed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
