/* What a controller, a stranger or a colleague may try with requests and decisions, and what a lack of memory
 * must not do. */
#include "tests/support/alloc_fail.h"
#include "tests/unit/push_scene.h"

#include <stdio.h>

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

/* Nothing that can be read of what a stranger signed says that a newer policy knows him. */
static void what_a_stranger_signed_and_does_not_parse_is_no_newer_policy(void **state)
{
    struct scene *s = *state;
    const struct cs_key *key = deployment_key(&s->d, "mallory");
    struct cs_buf wire = CS_BUF_EMPTY;

    begin(s, 1);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("no decision"), &key, 1, &wire, &s->err),
             s->err);
    check_reason(feed_wire(s, cs_buf_slice(&wire)), DECISION_SIGNATURE);
    cs_buf_free(&wire);
}

/* Who asks for no sentence gets the reason all the same. */
static void a_refusal_needs_no_place_for_its_sentence(void **state)
{
    struct scene *s = *state;
    enum cs_push_reason reason = CS_PUSH_OK;

    begin(s, 1);
    assert_int_equal(cs_push_add_decision(s->push, CS_SLICE_LIT("no envelope"), s->orders, 1, &reason, NULL),
                     CS_EPARSE);
    assert_int_equal(reason, CS_PUSH_DECISION_MALFORMED);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_person_decides_once),
        TEST(one_person_with_two_keys_is_one_person),
        TEST(a_decision_of_two_signatures_is_one_decision),
        TEST(only_those_with_the_role_decide),
        TEST(only_those_whom_the_stage_names_decide),
        TEST(nobody_decides_for_another),
        TEST(a_decision_made_on_a_stale_list_is_refused),
        TEST(no_other_selection_or_order_of_real_decisions_is_taken),
        TEST(a_decision_is_for_one_request),
        TEST(a_decision_is_made_between_the_request_and_decide_by),
        TEST(a_decision_that_does_not_parse_is_refused),
        TEST(an_order_that_is_not_there_is_never_decided),
        TEST(sixteen_decisions_are_the_most),
        TEST(a_request_is_signed_by_its_requester),
        TEST(a_request_says_where_and_under_what_it_was_made),
        TEST(a_newer_policy_is_asked_for_before_a_signature_is_called_bad),
        TEST(an_older_minimum_is_judged_by_the_newer_policy),
        TEST(past_its_expiry_a_policy_decides_nothing),
        TEST(a_request_with_any_byte_flipped_is_refused),
        TEST(without_memory_it_refuses_nothing_for_good),
        TEST(without_memory_a_newer_policy_is_not_overlooked),
        TEST(what_a_stranger_signed_and_does_not_parse_is_no_newer_policy),
        TEST(a_refusal_needs_no_place_for_its_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
