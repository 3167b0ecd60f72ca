/* replays.c - the same again, somewhere else, later, before: devices, device-ids, connectors, deployments,
 * generations, attempts, each also over a restart of the device. */
#include "shared/trust/merkle.h"
#include "tests/evil/evil.h"

#include <stdio.h>

/* In `with`: the device restarts in the middle. The lower bits are the row's own. */
enum { RESTARTED = 1 << 8 };

static void pause(struct evil *e)
{
    if (e->with & RESTARTED)
        victim_restart(&e->victim);
}
static void accepts(struct evil *e, const struct delivery_story *story)
{
    evil_offer(e, story);
    cs_assert(e->came.kind == EVIL_ADMITTED);
}
static void completes(struct evil *e, const struct delivery_story *story)
{
    accepts(e, story);
    victim_end(&e->victim, true);
    victim_acknowledge(&e->victim);
}
static void fails(struct evil *e, const struct delivery_story *story)
{
    accepts(e, story);
    victim_end(&e->victim, false);
    victim_acknowledge(&e->victim);
}

/* ---- the same order again */

static void again_in_progress(struct evil *e)
{
    accepts(e, e->push);
    pause(e);
    evil_offer(e, e->push);
}
static void again_when_completed(struct evil *e)
{
    completes(e, e->push);
    pause(e);
    evil_offer(e, e->push);
}
static void again_before_its_failure_is_known(struct evil *e)
{
    accepts(e, e->push);
    victim_end(&e->victim, false);
    pause(e);
    evil_offer(e, e->push);
}
static void again_after_a_failure(struct evil *e)
{
    fails(e, e->push);
    pause(e);
    evil_offer(e, e->push);
}
static void again_beyond_the_attempts(struct evil *e)
{
    for (size_t i = 0; i < 3; i++) {
        fails(e, e->push);
        pause(e);
    }
    evil_offer(e, e->push);
}
static void one_attempt(struct evil *e)
{
    EVIL_REQUEST(e)->max_attempts = 1;
}
static void again_after_completing_at_the_second_attempt(struct evil *e)
{
    fails(e, e->push);
    completes(e, e->push);
    pause(e);
    evil_offer(e, e->push);
}
static void again_when_much_has_come_since(struct evil *e)
{
    completes(e, e->push);
    for (uint64_t generation = 2; generation <= 2 + AG_LIMIT_ORDERS_KEPT; generation++)
        completes(e, evil_push(e, generation));
    pause(e);
    evil_offer(e, e->push);
}
static void again_under_the_next_policy(struct evil *e)
{
    struct cs_err err;

    completes(e, e->push);
    deployment_publish(&e->d);
    cs_assert(victim_take_policy(&e->victim, cs_policy_wire(e->d.policy), &err) == CS_OK);
    pause(e);
    evil_offer(e, e->push);
}
/* People signed a second request for an order that has the first one's id. */
static void other_content_under_the_same_id(struct evil *e)
{
    struct delivery_story *other = evil_prepare(e, 2);

    delivery_core(other)->order_id = EVIL_CORE(e)->order_id;
    evil_finish(e, other);
    if ((e->with & 1) == 0)
        completes(e, e->push);
    else
        accepts(e, e->push);
    pause(e);
    evil_offer(e, other);
}

/* ---- generations */

static void prepared_generation(struct evil *e)
{
    EVIL_CORE(e)->generation = e->with;
}
static void lower_after_higher(struct evil *e)
{
    struct delivery_story *other = evil_push(e, 2);

    if ((e->with & 1) == 0)
        completes(e, other);
    else
        fails(e, other);
    pause(e);
    evil_offer(e, e->push);
}
static void lower_while_higher_is_under_way(struct evil *e)
{
    accepts(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, e->push);
}
static void same_generation_of_another_order(struct evil *e)
{
    struct delivery_story *other = evil_prepare(e, 1);

    deployment_make_id("another order", delivery_core(other)->order_id.bytes);
    evil_finish(e, other);
    if ((e->with & 1) == 0)
        completes(e, e->push);
    else
        fails(e, e->push);
    pause(e);
    evil_offer(e, other);
}
static void retry_after_it_was_overtaken(struct evil *e)
{
    fails(e, e->push);
    completes(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, e->push);
}
static void retry_after_the_next_failed(struct evil *e)
{
    fails(e, e->push);
    fails(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, e->push);
}
static void in_rising_generation(struct evil *e)
{
    struct delivery_story *second = evil_push(e, 2), *third = evil_push(e, 3);

    completes(e, e->push);
    completes(e, second);
    pause(e);
    evil_offer(e, third);
}
static void with_one_left_out(struct evil *e)
{
    completes(e, e->push);
    pause(e);
    evil_offer(e, evil_push(e, 3));
}
static void the_one_left_out_afterwards(struct evil *e)
{
    struct delivery_story *second = evil_push(e, 2);

    completes(e, e->push);
    completes(e, evil_push(e, 3));
    pause(e);
    evil_offer(e, second);
}
static void jump(struct evil *e)
{
    static const uint64_t far[] = {1 + CS_LIMIT_GENERATION_JUMP, 2 + CS_LIMIT_GENERATION_JUMP, UINT64_MAX};

    completes(e, e->push);
    pause(e);
    evil_offer(e, evil_push(e, far[e->with & 3]));
}
static void jump_after_jump(struct evil *e)
{
    completes(e, e->push);
    completes(e, evil_push(e, 1 + CS_LIMIT_GENERATION_JUMP));
    pause(e);
    pause(e);
    evil_offer(e, evil_push(e, 1 + 2 * CS_LIMIT_GENERATION_JUMP));
}
static void superseded_is_delivered_first(struct evil *e)
{
    struct delivery_story *later = evil_push(e, 2);

    completes(e, e->push);
    pause(e);
    evil_offer(e, later);
}

/* ---- cancels: what people told the controller, and it did not pass on */

static void cancelled_and_delivered(struct evil *e)
{
    pause(e);
    evil_offer(e, e->push);
}
/* ---- somewhere else */

static void move_to(struct evil *e, const char *name, const char *enrolment)
{
    struct victim other;
    struct cs_err err;

    victim_make(&other, &e->d, name, enrolment);
    cs_assert(victim_take_policy(&other, cs_policy_wire(e->d.policy), &err) == CS_OK);
    victim_free(&e->victim);
    e->victim = other;
    e->victim.connectors = (struct ag_connectors){e->victim.declared, CS_ARRAY_LEN(e->victim.declared)};
    pause(e);
    evil_offer(e, e->push);
}
static void at_another_device(struct evil *e)
{
    move_to(e, "gw-1", "gw-1");
}
static void at_the_device_enrolled_again(struct evil *e)
{
    move_to(e, "gw-0", "gw-0 once more");
}
static void at_another_device_with_its_id(struct evil *e)
{
    move_to(e, "gw-1", "gw-0");
}
static void at_another_after_completion(struct evil *e)
{
    completes(e, e->push);
    move_to(e, "gw-1", "gw-1");
}
static void at_the_device_enrolled_again_after_completion(struct evil *e)
{
    completes(e, e->push);
    move_to(e, "gw-0", "gw-0 once more");
}
static void without_the_connector(struct evil *e)
{
    e->victim.connectors = (struct ag_connectors){&e->victim.declared[1], 1};
}
static void at_a_connector_that_is_gone_and_comes_back(struct evil *e)
{
    completes(e, e->push);
    without_the_connector(e);
    pause(e);
    e->victim.connectors = (struct ag_connectors){e->victim.declared, CS_ARRAY_LEN(e->victim.declared)};
    evil_offer(e, e->push);
}
static void for_mail(struct evil *e)
{
    memcpy(EVIL_CORE(e)->connector, "mail", 5);
}
static void web_does_not_count_for_mail(struct evil *e)
{
    completes(e, evil_push(e, 2));
    completes(e, evil_push(e, 3));
    pause(e);
    evil_offer(e, e->push);
}
static void of_another_deployment(struct evil *e)
{
    e->victim.deployment_id[0] ^= 1;
}
static void batch_for(struct evil *e, const uint8_t deployment_id[16])
{
    struct cs_digest root = cs_merkle_leaf(CS_PB_BYTES(&e->push->delivery.message));
    countersign_v1_PushBatch batch;

    deployment_fill_batch(&e->d, &batch);
    CS_PB_SET(&batch.deployment_id, cs_slice(deployment_id, 16));
    CS_PB_SET(&batch.root, cs_digest_slice(&root));
    delivery_sign_batch(e->push, &batch);
}
static void batch_of_the_other_deployment(struct evil *e)
{
    of_another_deployment(e);
    batch_for(e, e->victim.deployment_id);
}
static void request_of_another_deployment(struct evil *e)
{
    EVIL_REQUEST(e)->deployment_id.bytes[0] ^= 1;
}
static void decision_of_another_deployment(struct evil *e)
{
    countersign_v1_Decision decision;

    story_decide(&e->push->push, "bob", 1);
    story_fill_decision(&e->push->push, "carol", 2, &decision);
    decision.deployment_id.bytes[0] ^= 1;
    story_add_decision(&e->push->push, &decision, "carol");
}

/* ---- what must be installed */

static void expects_nothing(struct evil *e)
{
    EVIL_CORE(e)->expects.size = 32;
}
static void expects_something(struct evil *e)
{
    EVIL_CORE(e)->expects.size = 32;
    memset(EVIL_CORE(e)->expects.bytes, 7, 32);
}
static void second_that_expects(struct evil *e)
{
    EVIL_CORE(e)->generation = 3;
    expects_nothing(e);
}
static void where_something_is(struct evil *e)
{
    completes(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, e->push);
}
static void where_something_failed(struct evil *e)
{
    fails(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, e->push);
}
static void expects_the_first_after_the_second(struct evil *e)
{
    struct delivery_story *third = evil_prepare(e, 3);

    delivery_core(third)->expects.size = 32;
    memcpy(delivery_core(third)->expects.bytes, EVIL_CORE(e)->chain_digest.bytes, 32);
    evil_finish(e, third);
    completes(e, e->push);
    if ((e->with & 1) == 0)
        completes(e, evil_push(e, 2));
    else
        fails(e, evil_push(e, 2));
    pause(e);
    evil_offer(e, third);
}

static const struct evil_strategy strategies[] = {
    {.says = "offers again what is being applied", .end = EVIL_ENDS(IN_PROGRESS), .act = again_in_progress},
    {.says = "offers again what was completed", .end = EVIL_ENDS(ENDED_BEFORE), .act = again_when_completed},
    {.says = "offers again what failed, before the report of it",
     .end = EVIL_ENDS(ENDED_BEFORE),
     .act = again_before_its_failure_is_known},
    {.says = "offers again what failed, with attempts left",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = again_after_a_failure},
    {.says = "offers again what failed as often as it may",
     .end = EVIL_ENDS(ATTEMPTS_USED),
     .act = again_beyond_the_attempts},
    {.says = "offers again what may be tried once",
     .end = EVIL_ENDS(ATTEMPTS_USED),
     .prepared = one_attempt,
     .act = again_after_a_failure},
    {.says = "offers again what was completed at the second attempt",
     .end = EVIL_ENDS(ENDED_BEFORE),
     .act = again_after_completing_at_the_second_attempt},
    {.says = "offers again what the device has forgotten",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = again_when_much_has_come_since},
    {.says = "offers again what was completed, under the next policy",
     .end = EVIL_ENDS(ENDED_BEFORE),
     .act = again_under_the_next_policy},
    {.says = "offers another order under the id of a completed one",
     .end = EVIL_ENDS(ORDER_CHANGED),
     .act = other_content_under_the_same_id},
    {.says = "offers another order under the id of one that is being applied",
     .end = EVIL_ENDS(ORDER_CHANGED),
     .act = other_content_under_the_same_id,
     .with = 1},

    {.says = "begins at the highest generation that may be",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = prepared_generation,
     .with = CS_LIMIT_GENERATION_JUMP},
    {.says = "begins one generation above that",
     .end = EVIL_ENDS(GENERATION_JUMP),
     .prepared = prepared_generation,
     .with = CS_LIMIT_GENERATION_JUMP + 1},
    {.says = "begins at the highest number that there is",
     .end = EVIL_ENDS(GENERATION_JUMP),
     .prepared = prepared_generation,
     .with = UINT32_MAX},
    {.says = "delivers a lower generation after a higher",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = lower_after_higher},
    {.says = "delivers a lower generation after a higher that failed",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = lower_after_higher,
     .with = 1},
    {.says = "delivers a lower generation while a higher is being applied",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = lower_while_higher_is_under_way},
    {.says = "delivers another order of a generation that is completed",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = same_generation_of_another_order},
    {.says = "delivers another order of a generation that failed",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = same_generation_of_another_order,
     .with = 1},
    {.says = "tries again what was overtaken",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = retry_after_it_was_overtaken},
    {.says = "tries again what was overtaken by what failed, too",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = retry_after_the_next_failed},
    {.says = "delivers three orders in rising generation",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = in_rising_generation},
    {.says = "withholds an order, and delivers the one after it",
     .end = EVIL_ADMITS(WITHHOLDS),
     .act = with_one_left_out},
    {.says = "delivers what it withheld after the one after it",
     .end = EVIL_ENDS(GENERATION_SEEN),
     .act = the_one_left_out_afterwards},
    {.says = "jumps as far as it may", .end = EVIL_ADMITS(NOTHING), .act = jump},
    {.says = "jumps one further", .end = EVIL_ENDS(GENERATION_JUMP), .act = jump, .with = 1},
    {.says = "jumps to the highest number", .end = EVIL_ENDS(GENERATION_JUMP), .act = jump, .with = 2},
    {.says = "jumps twice as far as it may", .end = EVIL_ADMITS(NOTHING), .act = jump_after_jump},
    {.says = "delivers what was superseded, before what superseded it",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = superseded_is_delivered_first},

    {.says = "delivers what was cancelled",
     .end = EVIL_ADMITS(IGNORES_A_CANCEL),
     .act = cancelled_and_delivered},
    {.says = "tries again what was cancelled after it failed",
     .end = EVIL_ADMITS(IGNORES_A_CANCEL),
     .act = again_after_a_failure},

    {.says = "delivers to another device", .end = EVIL_ENDS(WRONG_DEVICE), .act = at_another_device},
    {.says = "delivers to the device when it has enrolled again",
     .end = EVIL_ENDS(WRONG_DEVICE),
     .act = at_the_device_enrolled_again},
    {.says = "delivers to a device of another name with this device-id",
     .end = EVIL_ENDS(WRONG_NAME),
     .act = at_another_device_with_its_id},
    {.says = "delivers to another device what one has completed",
     .end = EVIL_ENDS(WRONG_DEVICE),
     .act = at_another_after_completion},
    {.says = "delivers what was completed to the device when it has enrolled again",
     .end = EVIL_ENDS(WRONG_DEVICE),
     .act = at_the_device_enrolled_again_after_completion},
    {.says = "delivers to a connector that is not declared any more",
     .end = EVIL_ENDS(UNKNOWN_CONNECTOR),
     .device = without_the_connector},
    {.says = "delivers again to a connector that was gone and is back",
     .end = EVIL_ENDS(ENDED_BEFORE),
     .act = at_a_connector_that_is_gone_and_comes_back},
    {.says = "delivers a low generation to another connector",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = for_mail,
     .act = web_does_not_count_for_mail},
    {.says = "delivers to a device of another deployment",
     .end = EVIL_ENDS(WRONG_DEPLOYMENT),
     .device = of_another_deployment},
    {.says = "delivers to a device of another deployment in a batch for that",
     .end = EVIL_ENDS(WRONG_DEPLOYMENT),
     .device = batch_of_the_other_deployment},
    {.says = "delivers a request of another deployment",
     .end = EVIL_ENDS(WRONG_DEPLOYMENT),
     .prepared = request_of_another_deployment},
    {.says = "delivers a decision of another deployment",
     .end = EVIL_ENDS(WRONG_DEPLOYMENT),
     .decided = decision_of_another_deployment},

    {.says = "delivers what expects nothing where nothing is",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = expects_nothing},
    {.says = "delivers what expects something where nothing is",
     .end = EVIL_ENDS(EXPECTS_OTHER),
     .prepared = expects_something},
    {.says = "delivers what expects nothing where something is",
     .end = EVIL_ENDS(EXPECTS_OTHER),
     .prepared = second_that_expects,
     .act = where_something_is},
    {.says = "delivers what expects nothing where something failed",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = second_that_expects,
     .act = where_something_failed},
    {.says = "delivers what expects the first certificate after the second",
     .end = EVIL_ENDS(EXPECTS_OTHER),
     .act = expects_the_first_after_the_second},
    {.says = "delivers what expects the first certificate after the second failed",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = expects_the_first_after_the_second,
     .with = 1},
};

/* Those that act are played a second time, with a restart of the device in the middle. */
static void play_restarted(struct evil_tally *tally, const struct evil_strategy *strategy)
{
    struct evil_strategy again = *strategy;
    char says[EVIL_SENTENCE_BYTES];

    snprintf(says, sizeof says, "%s, over a restart", strategy->says);
    again.says = says;
    again.with |= RESTARTED;
    evil_play(tally, &again, 1);
}

void evil_replays(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
    for (size_t i = 0; i < CS_ARRAY_LEN(strategies); i++)
        if (strategies[i].act)
            play_restarted(tally, &strategies[i]);
}
