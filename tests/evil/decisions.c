/* decisions.c - decisions left out, repeated, moved, spliced between requests, stages and orders. */
#include "tests/evil/evil.h"

static void bob(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
}

/* ---- out of what was decided */

static void drop(struct evil *e)
{
    countersign_v1_PushMessage *message = EVIL_MESSAGE(e);

    for (size_t i = e->with; i + 1 < message->decisions_count; i++)
        message->decisions[i] = message->decisions[i + 1];
    message->decisions_count--;
}
static void drop_all(struct evil *e)
{
    EVIL_MESSAGE(e)->decisions_count = 0;
}
static void repeat(struct evil *e)
{
    EVIL_MESSAGE(e)->decisions[EVIL_MESSAGE(e)->decisions_count++] = EVIL_MESSAGE(e)->decisions[e->with];
}
static void reverse(struct evil *e)
{
    EVIL_MESSAGE(e)->decisions[2] = EVIL_MESSAGE(e)->decisions[0];
    EVIL_MESSAGE(e)->decisions[0] = EVIL_MESSAGE(e)->decisions[1];
    EVIL_MESSAGE(e)->decisions[1] = EVIL_MESSAGE(e)->decisions[2];
}
static void fill_up(struct evil *e)
{
    while (EVIL_MESSAGE(e)->decisions_count < CS_LIMIT_DECISIONS)
        repeat(e);
}
/* The field of one more decision than a message may have, before the chain's. */
static void one_more_than_may_be(struct evil *e)
{
    static const uint8_t one_more[] = {5 << 3 | 2, 1, 'x'};
    countersign_v1_PushDelivery *delivery = &e->push->delivery;
    struct cs_slice chain = CS_PB_BYTES(&EVIL_MESSAGE(e)->chain);
    size_t at = 0;

    while (at + chain.len < delivery->message.size &&
           memcmp(delivery->message.bytes + at, chain.ptr, chain.len) != 0)
        at++;
    at -= 3; /* the chain's own tag and length */
    memmove(delivery->message.bytes + at + sizeof one_more, delivery->message.bytes + at,
            delivery->message.size - at);
    memcpy(delivery->message.bytes + at, one_more, sizeof one_more);
    delivery->message.size += sizeof one_more;
    struct cs_buf batch = story_batch(&e->push->push, CS_PB_BYTES(&delivery->message));

    CS_PB_SET(&delivery->batch, cs_buf_slice(&batch));
    cs_buf_free(&batch);
}

/* ---- out of another request */

static void take_from(struct evil *e, const struct delivery_story *other, size_t index)
{
    EVIL_MESSAGE(e)->decisions[index] = other->message.decisions[index];
}
static void take_one_of_another(struct evil *e)
{
    take_from(e, evil_push(e, 2), e->with);
}
static void take_all_of_another(struct evil *e)
{
    const struct delivery_story *other = evil_push(e, 2);

    take_from(e, other, 0);
    take_from(e, other, 1);
}
static void add_one_of_another(struct evil *e)
{
    EVIL_MESSAGE(e)->decisions[EVIL_MESSAGE(e)->decisions_count++] = evil_push(e, 2)->message.decisions[0];
}
static void take_request_of_another(struct evil *e)
{
    EVIL_MESSAGE(e)->request = evil_push(e, 2)->message.request;
}
static void take_request_and_decisions_of_another(struct evil *e)
{
    const struct delivery_story *other = evil_push(e, 2);

    EVIL_MESSAGE(e)->request = other->message.request;
    take_from(e, other, 0);
    take_from(e, other, 1);
}
static void take_core_of_another(struct evil *e)
{
    const struct delivery_story *other = evil_push(e, 2);

    EVIL_MESSAGE(e)->order_core = other->message.order_core;
    EVIL_MESSAGE(e)->chain = other->message.chain;
    EVIL_MESSAGE(e)->sealed_key = other->message.sealed_key;
}
static void of_another_device(struct evil *e)
{
    struct delivery_story *other = evil_prepare_for(e, "gw-1", 2);

    evil_finish(e, other);
    take_from(e, other, 0);
    take_from(e, other, 1);
}

/* ---- lists that do not fit each other */

static void all_at_once(struct evil *e)
{
    struct push_story *story = &e->push->push;
    countersign_v1_Decision decision;

    bob(e);
    story_fill_decision(story, "carol", 2, &decision);
    decision.earlier_count = 0;
    story_add_decision(story, &decision, "carol");
}
static void seen_in_another_order(struct evil *e)
{
    struct push_story *story = &e->push->push;
    countersign_v1_Decision decision;

    story_decide(story, "bob", 1);
    story_decide(story, "ben", 1);
    story_fill_decision(story, "carol", 2, &decision);
    CS_PB_SET(&decision.earlier[0], cs_digest_slice(&story->decision_digests[1]));
    CS_PB_SET(&decision.earlier[1], cs_digest_slice(&story->decision_digests[0]));
    story_add_decision(story, &decision, "carol");
}
static void two_must_approve(struct evil *e)
{
    e->d.body->rules[0].stages[0].required = 2;
}
/* Two people were shown the same list: each is the first. */
static void two_first_ones(struct evil *e)
{
    struct push_story *story = &e->push->push;
    countersign_v1_Decision decision;

    bob(e);
    story_fill_decision(story, "ben", 1, &decision);
    decision.earlier_count = 0;
    story_add_decision(story, &decision, "ben");
}
/* Bob decided on a list that had nobody, as ben did: the controller delivers only what followed from ben's.
 */
static void one_of_two_first_ones(struct evil *e)
{
    struct push_story *story = &e->push->push;

    story_decide(story, "ben", 1);
    story_decide(story, "carol", 2);
}

/* ---- rejects */

static void rejects(struct evil *e, const char *who, uint32_t stage)
{
    countersign_v1_Decision decision;

    story_fill_decision(&e->push->push, who, stage, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    story_add_decision(&e->push->push, &decision, who);
}
static void bob_rejects(struct evil *e)
{
    rejects(e, "bob", 1);
}
static void carol_rejects(struct evil *e)
{
    bob(e);
    rejects(e, "carol", 2);
}
static void bob_rejects_and_carol_accepts(struct evil *e)
{
    bob_rejects(e);
    story_decide(&e->push->push, "carol", 2);
}
static void bob_rejects_and_ben_accepts(struct evil *e)
{
    bob_rejects(e);
    story_decide(&e->push->push, "ben", 1);
}
static void carol_rejects_and_clara_accepts(struct evil *e)
{
    carol_rejects(e);
    story_decide(&e->push->push, "clara", 2);
}
/* Clara was not told that carol had rejected: what she signed follows from bob's alone. */
static void carols_reject_is_withheld(struct evil *e)
{
    bob(e);
    story_decide(&e->push->push, "clara", 2);
}

/* ---- the orders that are covered */

static void covering(struct evil *e, const char *who, uint32_t stage, uint8_t bitmap,
                     countersign_v1_Verdict verdict)
{
    countersign_v1_Decision decision;

    story_fill_decision(&e->push->push, who, stage, &decision);
    decision.orders.size = 1;
    decision.orders.bytes[0] = bitmap;
    decision.verdict = verdict;
    story_add_decision(&e->push->push, &decision, who);
}
#define ACCEPT countersign_v1_Verdict_VERDICT_ACCEPT
#define REJECT countersign_v1_Verdict_VERDICT_REJECT
static void first_for_others(struct evil *e)
{
    covering(e, "bob", 1, 1 << 1, ACCEPT);
    story_decide(&e->push->push, "carol", 2);
}
static void last_for_others(struct evil *e)
{
    bob(e);
    covering(e, "carol", 2, 1 << 1 | 1 << 2, ACCEPT);
}
static void all_for_others(struct evil *e)
{
    covering(e, "bob", 1, 1 << 2, ACCEPT);
    covering(e, "carol", 2, 1 << 2, ACCEPT);
}
static void each_for_its_own(struct evil *e)
{
    covering(e, "bob", 1, 1 << 0, ACCEPT);
    covering(e, "carol", 2, 1 << 0 | 1 << 2, ACCEPT);
}
static void rejected_for_others(struct evil *e)
{
    bob(e);
    covering(e, "carol", 2, 1 << 1, REJECT);
    covering(e, "clara", 2, 1 << 0, ACCEPT);
}
static void rejected_for_this(struct evil *e)
{
    bob(e);
    covering(e, "carol", 2, 1 << 0, REJECT);
    covering(e, "clara", 2, 1 << 1, ACCEPT);
}
static void for_an_order_beyond(struct evil *e)
{
    covering(e, "bob", 1, 1 << 0 | 1 << 3, ACCEPT);
}
/* ---- stages */

static void stage_after_stage(struct evil *e)
{
    static const struct {
        const char *who;
        uint32_t stage;
    } tried[][3] = {
        {{"carol", 2}, {"bob", 1}},
        {{"bob", 1}, {"ben", 1}, {"carol", 2}},
        {{"bob", 1}, {"carol", 3}},
        {{"bob", 1}, {"carol", UINT32_MAX}},
        {{"bob", 1}, {"carol", 2}, {"clara", 2}},
        {{"bob", 1}, {"carol", 2}, {"ada", 3}},
        {{"bob", 1}, {"dora", 1}},
    };

    for (size_t i = 0; i < 3 && tried[e->with][i].who; i++)
        story_decide(&e->push->push, tried[e->with][i].who, tried[e->with][i].stage);
}

/* ---- times of decisions */

static void decided_at(struct evil *e, int64_t from_now_s)
{
    countersign_v1_Decision decision;

    bob(e);
    story_fill_decision(&e->push->push, "carol", 2, &decision);
    decision.decided_at_s += from_now_s;
    story_add_decision(&e->push->push, &decision, "carol");
}
static void decided_too_late(struct evil *e)
{
    decided_at(e, 7 * 86400 + 1);
}
static void decided_too_early(struct evil *e)
{
    decided_at(e, -1);
}

static const struct evil_strategy strategies[] = {
    {.says = "leaves out the first decision", .end = EVIL_ENDS(DECISION_STALE), .sent = drop},
    {.says = "leaves out the last decision", .end = EVIL_ENDS(UNDECIDED), .sent = drop, .with = 1},
    {.says = "leaves out all decisions", .end = EVIL_ENDS(UNDECIDED), .sent = drop_all},
    {.says = "sends the first decision twice", .end = EVIL_ENDS(DECISION_STALE), .sent = repeat},
    {.says = "sends the last decision twice", .end = EVIL_ENDS(DECISION_STALE), .sent = repeat, .with = 1},
    {.says = "sends the decisions the other way round", .end = EVIL_ENDS(DECISION_STALE), .sent = reverse},
    {.says = "fills the list with one decision, as often as there is room",
     .end = EVIL_ENDS(DECISION_STALE),
     .sent = fill_up},
    {.says = "sends more decisions than there is room for",
     .end = EVIL_ENDS(MESSAGE_MALFORMED),
     .sent = fill_up,
     .wrapped = one_more_than_may_be},

    {.says = "takes the first decision from another request",
     .end = EVIL_ENDS(DECISION_OTHER_REQUEST),
     .sent = take_one_of_another},
    {.says = "takes the last decision from another request",
     .end = EVIL_ENDS(DECISION_OTHER_REQUEST),
     .sent = take_one_of_another,
     .with = 1},
    {.says = "takes all decisions from another request",
     .end = EVIL_ENDS(DECISION_OTHER_REQUEST),
     .sent = take_all_of_another},
    {.says = "adds a decision from another request",
     .end = EVIL_ENDS(DECISION_OTHER_REQUEST),
     .sent = add_one_of_another},
    {.says = "takes all decisions from another device's request",
     .end = EVIL_ENDS(DECISION_OTHER_REQUEST),
     .sent = of_another_device},
    {.says = "takes the request itself from another push",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = take_request_of_another},
    {.says = "takes request and decisions from another push",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = take_request_and_decisions_of_another},
    {.says = "takes core, chain and key from another push",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = take_core_of_another},

    {.says = "sends a last decision that saw none before",
     .end = EVIL_ENDS(DECISION_STALE),
     .decided = all_at_once},
    {.says = "sends a last decision that saw them in another order",
     .end = EVIL_ENDS(DECISION_STALE),
     .policy = two_must_approve,
     .decided = seen_in_another_order},
    {.says = "sends two first decisions in a stage of two",
     .end = EVIL_ENDS(DECISION_STALE),
     .policy = two_must_approve,
     .decided = two_first_ones},
    {.says = "picks one of two people who decided first, and withholds the other",
     .end = EVIL_ADMITS(WITHHOLDS),
     .decided = one_of_two_first_ones},

    {.says = "delivers what the approver rejected", .end = EVIL_ENDS(REJECTED), .decided = bob_rejects},
    {.says = "delivers what the implementer rejected", .end = EVIL_ENDS(REJECTED), .decided = carol_rejects},
    {.says = "delivers what the approver rejected and the implementer accepted",
     .end = EVIL_ENDS(REJECTED),
     .decided = bob_rejects_and_carol_accepts},
    {.says = "delivers what one approver rejected and another accepted",
     .end = EVIL_ENDS(REJECTED),
     .decided = bob_rejects_and_ben_accepts},
    {.says = "delivers what one implementer rejected and another accepted",
     .end = EVIL_ENDS(REJECTED),
     .decided = carol_rejects_and_clara_accepts},
    {.says = "leaves out a reject that came last",
     .end = EVIL_ENDS(UNDECIDED),
     .decided = carol_rejects,
     .sent = drop,
     .with = 1},
    {.says = "leaves out a reject that a later decision saw",
     .end = EVIL_ENDS(DECISION_STALE),
     .decided = carol_rejects_and_clara_accepts,
     .sent = drop,
     .with = 1},
    {.says = "leaves out the approver's reject, which the other approver saw",
     .end = EVIL_ENDS(DECISION_STALE),
     .decided = bob_rejects_and_ben_accepts,
     .sent = drop},
    {.says = "withholds a reject from the one who decides next",
     .end = EVIL_ADMITS(WITHHOLDS),
     .decided = carols_reject_is_withheld},

    {.says = "delivers an order that the first decision does not cover",
     .end = EVIL_ENDS(STAGE_NOT_OPEN),
     .decided = first_for_others,
     .orders = 3},
    {.says = "delivers an order that the last decision does not cover",
     .end = EVIL_ENDS(UNDECIDED),
     .decided = last_for_others,
     .orders = 3},
    {.says = "delivers an order that no decision covers",
     .end = EVIL_ENDS(UNDECIDED),
     .decided = all_for_others,
     .orders = 3},
    {.says = "delivers an order that decisions on different orders cover",
     .end = EVIL_ADMITS(NOTHING),
     .decided = each_for_its_own,
     .orders = 3},
    {.says = "delivers an order of a request of which others were rejected",
     .end = EVIL_ADMITS(NOTHING),
     .decided = rejected_for_others,
     .orders = 3},
    {.says = "delivers an order that was rejected alone",
     .end = EVIL_ENDS(REJECTED),
     .decided = rejected_for_this,
     .orders = 3},
    {.says = "leaves out a reject of other orders",
     .end = EVIL_ENDS(DECISION_STALE),
     .decided = rejected_for_others,
     .sent = drop,
     .with = 1,
     .orders = 3},
    {.says = "delivers with a decision on an order that there is not",
     .end = EVIL_ENDS(DECISION_MALFORMED),
     .decided = for_an_order_beyond,
     .orders = 3},

    {.says = "puts the last stage before the first",
     .end = EVIL_ENDS(STAGE_NOT_OPEN),
     .decided = stage_after_stage},
    {.says = "adds a second approver to a closed stage",
     .end = EVIL_ENDS(STAGE_CLOSED),
     .decided = stage_after_stage,
     .with = 1},
    {.says = "sends a decision on a stage that there is not",
     .end = EVIL_ENDS(STAGE_UNKNOWN),
     .decided = stage_after_stage,
     .with = 2},
    {.says = "sends a decision on the highest stage number",
     .end = EVIL_ENDS(STAGE_UNKNOWN),
     .decided = stage_after_stage,
     .with = 3},
    {.says = "adds a decision after the last stage is closed",
     .end = EVIL_ENDS(STAGE_CLOSED),
     .decided = stage_after_stage,
     .with = 4},
    {.says = "adds a stage behind the last one",
     .end = EVIL_ENDS(STAGE_UNKNOWN),
     .decided = stage_after_stage,
     .with = 5},
    {.says = "closes the first stage twice and the last one not at all",
     .end = EVIL_ENDS(STAGE_CLOSED),
     .decided = stage_after_stage,
     .with = 6},

    {.says = "sends a decision made after decide_by",
     .end = EVIL_ENDS(DECISION_LATE),
     .decided = decided_too_late},
    {.says = "sends a decision made before its request",
     .end = EVIL_ENDS(DECISION_EARLY),
     .decided = decided_too_early},
};

void evil_decisions(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
