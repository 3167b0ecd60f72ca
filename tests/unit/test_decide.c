/* Who asks, who decides, which order, when: each verdict of the device in one case. */
#include "tests/unit/decide_world.h"

/* ---- what people sign */

static void other_device(struct spoiling *s)
{
    CORE(s)->device_id.bytes[0] ^= 1;
}
static void other_name(struct spoiling *s)
{
    CORE(s)->device_name[0] = 'x';
}
static void other_connector(struct spoiling *s)
{
    CORE(s)->connector[0] = 'x';
}
static void unknown_action(struct spoiling *s)
{
    /* As a newer controller may have it; what signs and parses here knows three. */
    CORE(s)->action = (countersign_v1_Action)4;
}
static void generation_too_far(struct spoiling *s)
{
    CORE(s)->generation = CS_LIMIT_GENERATION_JUMP + 1;
}
static void generation_just_near(struct spoiling *s)
{
    CORE(s)->generation = CS_LIMIT_GENERATION_JUMP;
}
static void expects_something(struct spoiling *s)
{
    CORE(s)->expects.size = 32;
    memset(CORE(s)->expects.bytes, 7, 32);
}
static void expects_nothing(struct spoiling *s)
{
    CORE(s)->expects.size = 32;
}
static void sees_newer_policy(struct spoiling *s)
{
    REQUEST(s)->policy_version = 9;
}
static void requested_by_bob(struct spoiling *s)
{
    memcpy(REQUEST(s)->requester, "bob", 4);
}
static void leaves_a_year_to_decide(struct spoiling *s)
{
    REQUEST(s)->decide_by_s += 365LL * 86400;
}
static void other_deployment(struct spoiling *s)
{
    REQUEST(s)->deployment_id.bytes[0] ^= 1;
}

/* ---- what is decided */

static void only_bob(struct spoiling *s)
{
    story_decide(&s->story->push, "bob", 1);
}
static void carol_rejects(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void carol_says_later(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = s->world->d.now_s + 3600;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void carol_decides_past_the_policys_expiry(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.decided_at_s = s->world->d.body->expires_at_s + 1;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void mallory_signs_for_carol(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    story_add_decision(&s->story->push, &decision, "mallory");
}
static void alice_decides(struct spoiling *s)
{
    story_decide(&s->story->push, "alice", 1);
}
static void carol_goes_first(struct spoiling *s)
{
    story_decide(&s->story->push, "carol", 2);
}
static void bob_decides_a_third_stage(struct spoiling *s)
{
    only_bob(s);
    story_decide(&s->story->push, "carol", 3);
}
static void decided_before_it_was_asked(struct spoiling *s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story->push, "bob", 1, &decision);
    decision.decided_at_s = 1;
    story_add_decision(&s->story->push, &decision, "bob");
}
static void decides_another_request(struct spoiling *s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story->push, "bob", 1, &decision);
    decision.request_digest.bytes[0] ^= 1;
    story_add_decision(&s->story->push, &decision, "bob");
}
static void bob_decides_twice(struct spoiling *s)
{
    story_decide(&s->story->push, "dora", 1);
    story_decide(&s->story->push, "dora", 2);
}

/* ---- what the controller sends */

static void other_core(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;

    CORE(s)->number++;
    wire = deployment_encode(countersign_v1_OrderCore_fields, CORE(s));
    CORE(s)->number--;
    CS_PB_SET(&s->story->message.order_core, cs_buf_slice(&wire));
}
static void core_with_more(struct spoiling *s)
{
    s->story->message.order_core.bytes[s->story->message.order_core.size++] = 0;
}
static void request_altered(struct spoiling *s)
{
    s->story->message.request.bytes[s->story->message.request.size - 1] ^= 1;
}
static void decision_dropped(struct spoiling *s)
{
    s->story->message.decisions_count--;
}

static void message_with_more(struct spoiling *s)
{
    s->story->delivery.message.bytes[s->story->delivery.message.size++] = 0;
    cs_auto(cs_buf_free) struct cs_buf batch =
        story_batch(&s->story->push, CS_PB_BYTES(&s->story->delivery.message));

    CS_PB_SET(&s->story->delivery.batch, cs_buf_slice(&batch));
}
static void batch_of_another(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf batch = story_batch(&s->story->push, CS_SLICE_LIT("another message"));

    CS_PB_SET(&s->story->delivery.batch, cs_buf_slice(&batch));
}
static void batch_altered(struct spoiling *s)
{
    s->story->delivery.batch.bytes[s->story->delivery.batch.size - 1] ^= 1;
}
static void batch_cut(struct spoiling *s)
{
    s->story->delivery.batch.size--;
}
static void other_place_in_batch(struct spoiling *s)
{
    s->story->delivery.index = 1;
}

/* ---- what the device knows */

static void of_another_deployment(struct spoiling *s)
{
    static const uint8_t other[16] = "another";

    s->world->facts.deployment_id = CS_SLICE_ARRAY(other);
}

static void no_policy(struct spoiling *s)
{
    s->world->facts.policy = NULL;
}
static void long_after(struct spoiling *s)
{
    s->world->facts.now_s += 9 * 3600;
}
static void after_the_policy(struct spoiling *s)
{
    s->world->facts.now_s += 91LL * 86400;
}
static void clock_behind(struct spoiling *s)
{
    s->world->facts.now_s -= 3600;
}
static void seen_before(struct spoiling *s)
{
    struct ag_connector_state *connector = NULL;
    struct cs_err err;

    check_ok(ag_state_connector_make(&s->world->state, "web", &connector, &err), err);
    connector->highest_generation = 1;
}
static struct ag_order *journalled(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf core = deployment_encode(countersign_v1_OrderCore_fields, CORE(s));
    const struct ag_acceptance acceptance = {.connector = "web",
                                             .order_id = CS_PB_BYTES(&CORE(s)->order_id),
                                             .core_digest = cs_sha256(cs_buf_slice(&core)),
                                             .generation = 1};
    struct ag_order *order = NULL;
    struct cs_err err;

    check_ok(ag_journal_accept(&s->world->state, &acceptance, &order, &err), err);
    return order;
}
static void in_progress(struct spoiling *s)
{
    journalled(s);
}
static void other_content_before(struct spoiling *s)
{
    journalled(s)->core_digest.bytes[0] ^= 1;
}
static void completed_before(struct spoiling *s)
{
    struct cs_err err;

    check_ok(ag_journal_end(&s->world->state, journalled(s), CS_SLICE_EMPTY, &err), err);
}
static struct ag_order *put_back_before(struct spoiling *s)
{
    struct ag_order *order = journalled(s);
    struct cs_err err;

    check_ok(ag_journal_begin_put_back(order, CS_SLICE_EMPTY, &err), err);
    check_ok(ag_journal_end(&s->world->state, order, CS_SLICE_EMPTY, &err), err);
    return order;
}
static void put_back_and_unknown(struct spoiling *s)
{
    put_back_before(s);
}
static void put_back_and_known(struct spoiling *s)
{
    put_back_before(s)->acknowledged = true;
}
static void tried_three_times(struct spoiling *s)
{
    struct ag_order *order = put_back_before(s);

    order->acknowledged = true;
    order->attempt = 3;
}
static void put_back_and_overtaken(struct spoiling *s)
{
    put_back_and_known(s);
    s->world->state.connectors[0].highest_generation = 2;
}

static const struct case_ cases[] = {
    {.says = "accepts what is whole and decided", .verdict = AG_OK},
    {.says = "accepts a jump of exactly the limit", .verdict = AG_OK, .before = generation_just_near},
    {.says = "accepts nothing installed where nothing is expected",
     .verdict = AG_OK,
     .before = expects_nothing},
    {.says = "takes the time of the decision where its clock is behind",
     .verdict = AG_OK,
     .facts = clock_behind},
    {.says = "tries again what was put back and reported", .verdict = AG_OK, .facts = put_back_and_known},
    {.says = "refuses without a policy", .verdict = AG_NO_POLICY, .facts = no_policy},
    {.says = "refuses a message with bytes behind it",
     .verdict = AG_MESSAGE_MALFORMED,
     .delivery = message_with_more},
    {.says = "refuses an order core with bytes behind it",
     .verdict = AG_ORDER_MALFORMED,
     .message = core_with_more},
    {.says = "refuses a batch that is cut", .verdict = AG_BATCH_MALFORMED, .delivery = batch_cut},
    {.says = "refuses a batch whose signature is altered",
     .verdict = AG_BATCH_SIGNATURE,
     .delivery = batch_altered},
    {.says = "refuses a message of another batch", .verdict = AG_NOT_IN_BATCH, .delivery = batch_of_another},
    {.says = "refuses another place in the batch",
     .verdict = AG_NOT_IN_BATCH,
     .delivery = other_place_in_batch},
    {.says = "refuses a batch of another deployment",
     .verdict = AG_WRONG_DEPLOYMENT,
     .facts = of_another_deployment},
    {.says = "refuses a request for another deployment",
     .verdict = AG_WRONG_DEPLOYMENT,
     .before = other_deployment},
    {.says = "refuses an order for another device-id", .verdict = AG_WRONG_DEVICE, .before = other_device},
    {.says = "refuses an order with another device name", .verdict = AG_WRONG_NAME, .before = other_name},
    {.says = "refuses a connector that is not declared",
     .verdict = AG_UNKNOWN_CONNECTOR,
     .before = other_connector},
    {.says = "refuses an action that nobody here knows",
     .verdict = AG_ORDER_MALFORMED,
     .before = unknown_action},
    {.says = "refuses an order that nobody signed for", .verdict = AG_NOT_IN_REQUEST, .message = other_core},
    {.says = "refuses a request that was altered",
     .verdict = AG_REQUEST_SIGNATURE,
     .message = request_altered},
    {.says = "refuses a requester without the role",
     .verdict = AG_REQUESTER_ROLE,
     .before = requested_by_bob},
    {.says = "wants newer policies first", .verdict = AG_POLICY_TOO_OLD, .before = sees_newer_policy},
    {.says = "refuses past the policy's expiry", .verdict = AG_POLICY_EXPIRED, .facts = after_the_policy},
    {.says = "refuses what was decided past the policy's expiry, where its clock is behind",
     .verdict = AG_POLICY_EXPIRED,
     .before = leaves_a_year_to_decide,
     .decide = carol_decides_past_the_policys_expiry},
    {.says = "refuses what only one decided", .verdict = AG_UNDECIDED, .decide = only_bob},
    {.says = "refuses when a decision is left out", .verdict = AG_UNDECIDED, .message = decision_dropped},
    {.says = "refuses what was rejected", .verdict = AG_REJECTED, .decide = carol_rejects},
    {.says = "refuses a decision signed by another",
     .verdict = AG_DECISION_SIGNATURE,
     .decide = mallory_signs_for_carol},
    {.says = "refuses the same person for two stages",
     .verdict = AG_DECIDER_TWICE,
     .decide = bob_decides_twice},
    {.says = "refuses the requester as a decider",
     .verdict = AG_DECIDER_IS_REQUESTER,
     .decide = alice_decides},
    {.says = "refuses the second stage before the first",
     .verdict = AG_STAGE_NOT_OPEN,
     .decide = carol_goes_first},
    {.says = "refuses a stage that the policy has not",
     .verdict = AG_STAGE_UNKNOWN,
     .decide = bob_decides_a_third_stage},
    {.says = "refuses a decision from before the request",
     .verdict = AG_DECISION_EARLY,
     .decide = decided_before_it_was_asked},
    {.says = "refuses a decision on another request",
     .verdict = AG_DECISION_OTHER_REQUEST,
     .decide = decides_another_request},
    {.says = "refuses a generation seen before", .verdict = AG_GENERATION_SEEN, .facts = seen_before},
    {.says = "refuses a jump over the limit", .verdict = AG_GENERATION_JUMP, .before = generation_too_far},
    {.says = "leaves alone what is in progress", .verdict = AG_IN_PROGRESS, .facts = in_progress},
    {.says = "refuses other content under a known id",
     .verdict = AG_ORDER_CHANGED,
     .facts = other_content_before},
    {.says = "answers what was completed with its report",
     .verdict = AG_ENDED_BEFORE,
     .facts = completed_before},
    {.says = "answers what was put back and not yet reported",
     .verdict = AG_ENDED_BEFORE,
     .facts = put_back_and_unknown},
    {.says = "refuses a try too many", .verdict = AG_ATTEMPTS_USED, .facts = tried_three_times},
    {.says = "refuses to try again what was overtaken",
     .verdict = AG_GENERATION_SEEN,
     .facts = put_back_and_overtaken},
    {.says = "waits for the time", .verdict = AG_NOT_YET, .decide = carol_says_later},
    {.says = "refuses after the window", .verdict = AG_WINDOW_PASSED, .facts = long_after},
    {.says = "refuses when something else is expected",
     .verdict = AG_EXPECTS_OTHER,
     .before = expects_something},
};

static void every_verdict(void **unused CS_UNUSED)
{
    check_verdicts(cases, CS_ARRAY_LEN(cases));
}

static void the_account_names_requester_deciders_and_rule(void **unused CS_UNUSED)
{
    struct world world;

    make_world(&world);
    cs_auto(ag_decision_freep) struct ag_decision *decision = play(&cases[0], &world);

    assert_string_equal(decision->report.requester, "alice");
    assert_int_equal(decision->report.deciders_count, 2);
    assert_string_equal(decision->report.deciders[0], "approve: bob");
    assert_string_equal(decision->report.deciders[1], "implement: carol");
    assert_string_equal(decision->report.rule, "default");
    assert_int_equal(decision->report.policy_version, 1);
    assert_ptr_equal(decision->connector, &world.web);
    assert_true(decision->pkcs8.len > 0);
    free_world(&world);
}

static void a_hint_names_what_cannot_be_read_and_nothing_else(void **unused CS_UNUSED)
{
    struct world world;

    make_world(&world);
    struct delivery_story *story =
        delivery_make(&world.d, "gw-0", world.device_id, 1, cs_key_spki(world.kem));
    struct cs_slice hint = CS_SLICE_ARRAY(world.device_id), id = CS_PB_BYTES(&story->push.cores[0].order_id);

    set_facts(&world);
    CS_PB_SET(&story->delivery.order_id, hint);
    cs_auto(ag_decision_freep) struct ag_decision *whole = ag_decide(&world.facts, &story->delivery);

    assert_string_equal(whole->report.verdict, "ok");
    check_slice(CS_PB_BYTES(&whole->report.order_id), id);
    story->delivery.message.size--;
    cs_auto(ag_decision_freep) struct ag_decision *torn = ag_decide(&world.facts, &story->delivery);

    assert_string_equal(torn->report.verdict, "message-malformed");
    check_slice(CS_PB_BYTES(&torn->report.order_id), hint);
    assert_string_equal(torn->report.connector, "");
    story->delivery.order_id.size = 3;
    cs_auto(ag_decision_freep) struct ag_decision *no_id = ag_decide(&world.facts, &story->delivery);

    assert_int_equal(no_id->report.order_id.size, 0);
    delivery_free(story);
    free_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(the_account_names_requester_deciders_and_rule),
        cmocka_unit_test(a_hint_names_what_cannot_be_read_and_nothing_else),
    };

    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
