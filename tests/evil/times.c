/* times.c - clocks and windows: what is due, what is over, and who may say what time it is. */
#include "shared/trust/merkle.h"
#include "tests/evil/evil.h"

enum { HOUR_S = 3600, DAY_S = 86400, WINDOW_S = 8 * HOUR_S };

static void later(struct evil *e, int64_t by_s)
{
    e->victim.clock_s += by_s;
}

static void decide_not_before(struct evil *e, const char *who, uint32_t stage, int64_t in_s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&e->push->push, who, stage, &decision);
    if (in_s != 0) {
        decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
        decision.not_before_s = e->d.now_s + in_s;
    }
    story_add_decision(&e->push->push, &decision, who);
}

/* ---- when it is due */

static void bob_says_later(struct evil *e)
{
    decide_not_before(e, "bob", 1, 2 * HOUR_S);
    story_decide(&e->push->push, "carol", 2);
}
static void carol_says_later(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    decide_not_before(e, "carol", 2, 2 * HOUR_S);
}
static void carol_says_sooner_than_bob(struct evil *e)
{
    decide_not_before(e, "bob", 1, 2 * HOUR_S);
    decide_not_before(e, "carol", 2, HOUR_S);
}
static void carol_says_at_the_end_of_time(struct evil *e)
{
    countersign_v1_Decision decision;

    story_decide(&e->push->push, "bob", 1);
    story_fill_decision(&e->push->push, "carol", 2, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = INT64_C(253402300799);
    story_add_decision(&e->push->push, &decision, "carol");
}
static void clock_is(struct evil *e)
{
    later(e, e->with);
}
static void offered_early_and_in_time(struct evil *e)
{
    evil_offer(e, e->push);
    cs_assert(e->came.verdict == AG_NOT_YET);
    later(e, 2 * HOUR_S);
    evil_offer(e, e->push);
}
static void decide_by_is_soon(struct evil *e)
{
    EVIL_REQUEST(e)->decide_by_s = e->d.now_s;
}
static void longest_window(struct evil *e)
{
    EVIL_REQUEST(e)->window_s = INT64_C(3650) * DAY_S;
}
static void no_stages(struct evil *e)
{
    e->d.body->rules[0].stages_count = 0;
}
static void nobody(struct evil *e CS_UNUSED)
{
}

/* ---- clocks that are wrong */

/* Another push, decided nine hours later, raises the floor; then the clock is set back. */
static void after_the_floor_has_risen(struct evil *e)
{
    struct delivery_story *third = evil_prepare(e, 3);

    evil_finish(e, third);
    e->d.now_s += WINDOW_S + HOUR_S;
    e->victim.clock_s = e->d.now_s;
    evil_offer(e, evil_push(e, 2));
    cs_assert(e->came.kind == EVIL_ADMITTED);
    victim_end(&e->victim, true);
    if (e->with == 1)
        victim_restart(&e->victim);
    e->victim.clock_s = 0;
    evil_offer(e, third);
}
static void after_a_policy_has_raised_the_floor(struct evil *e)
{
    e->d.body->issued_at_s = e->d.now_s + WINDOW_S + HOUR_S;
    deployment_publish(&e->d);
    evil_show_policy(e, cs_policy_wire(e->d.policy));
    e->victim.clock_s = 0;
    evil_offer(e, e->push);
}
static void decided_in_the_future(struct evil *e)
{
    countersign_v1_Decision decision;

    story_decide(&e->push->push, "bob", 1);
    story_fill_decision(&e->push->push, "carol", 2, &decision);
    decision.decided_at_s += HOUR_S;
    story_add_decision(&e->push->push, &decision, "carol");
}
static void says_the_time(struct evil *e)
{
    e->victim.session_s = e->d.now_s + (int64_t)e->with;
}
static void says_earlier_when_it_is_over(struct evil *e)
{
    later(e, WINDOW_S + HOUR_S);
    e->victim.session_s = e->d.now_s;
}

/* ---- a device that has no clock, as the policy says */

static void clockless(struct evil *e)
{
    e->d.body->clockless_devices_count = 1;
    memcpy(e->d.body->clockless_devices[0], "gw-0", 5);
}
static void another_is_clockless(struct evil *e)
{
    e->d.body->clockless_devices_count = 1;
    memcpy(e->d.body->clockless_devices[0], "gw-1", 5);
}
static void says_below_the_floor(struct evil *e)
{
    e->victim.session_s = 1;
}
static void says_below_the_floor_when_it_has_risen(struct evil *e)
{
    e->victim.session_s = e->d.now_s;
    after_a_policy_has_raised_the_floor(e);
}
static void says_a_time_before_1970(struct evil *e)
{
    e->victim.session_s = -1;
    later(e, WINDOW_S + HOUR_S);
}
static void says_far_too_late_and_then_the_truth(struct evil *e)
{
    e->victim.session_s = e->d.now_s + INT64_C(100) * 365 * DAY_S;
    evil_offer(e, e->push);
    cs_assert(e->came.verdict == AG_POLICY_EXPIRED);
    victim_restart(&e->victim);
    e->victim.session_s = e->d.now_s;
    evil_offer(e, e->push);
}
static void says_earlier_than_the_expiry(struct evil *e)
{
    e->victim.clock_s = e->d.body->expires_at_s + DAY_S;
    e->victim.session_s = e->d.now_s;
}
/* An accepted push does not make the floor what the controller said. */
static void says_late_and_delivers_twice(struct evil *e)
{
    struct delivery_story *second = evil_push(e, 2);

    e->victim.session_s = e->d.now_s + WINDOW_S;
    evil_offer(e, e->push);
    cs_assert(e->came.kind == EVIL_ADMITTED);
    victim_end(&e->victim, true);
    e->victim.session_s = e->d.now_s;
    cs_assert(e->victim.state.time_floor_s == e->d.now_s);
    evil_offer(e, second);
}

/* ---- what the controller's own statement says of time */

static void batch_of(struct evil *e)
{
    struct cs_digest leaf = cs_merkle_leaf(CS_PB_BYTES(&e->push->delivery.message));
    static const int64_t times[] = {1, INT64_C(253402300799), 0, INT64_C(253402300800)};
    countersign_v1_PushBatch batch;

    deployment_fill_batch(&e->d, &batch);
    CS_PB_SET(&batch.root, cs_digest_slice(&leaf));
    batch.issued_at_s = times[e->with];
    delivery_sign_batch(e->push, &batch);
}
static void batch_of_the_end_of_time_then_a_clock_at_zero(struct evil *e)
{
    e->with = 1;
    batch_of(e);
    evil_offer(e, e->push);
    cs_assert(e->came.kind == EVIL_ADMITTED && e->victim.state.time_floor_s == e->d.now_s);
    victim_end(&e->victim, true);
    e->victim.clock_s = 0;
    evil_offer(e, evil_push(e, 2));
}

static const struct evil_strategy strategies[] = {
    {.says = "delivers before the approver's time", .end = EVIL_ENDS(NOT_YET), .decided = bob_says_later},
    {.says = "delivers before the implementer's time",
     .end = EVIL_ENDS(NOT_YET),
     .decided = carol_says_later},
    {.says = "delivers a second before the time",
     .end = EVIL_ENDS(NOT_YET),
     .decided = carol_says_later,
     .device = clock_is,
     .with = 2 * HOUR_S - 1},
    {.says = "delivers at the time",
     .end = EVIL_ADMITS(NOTHING),
     .decided = carol_says_later,
     .device = clock_is,
     .with = 2 * HOUR_S},
    {.says = "delivers at the later stage's time, which is sooner",
     .end = EVIL_ENDS(NOT_YET),
     .decided = carol_says_sooner_than_bob,
     .device = clock_is,
     .with = HOUR_S},
    {.says = "delivers what is due at the end of time",
     .end = EVIL_ENDS(NOT_YET),
     .decided = carol_says_at_the_end_of_time},
    {.says = "delivers early, and again in time",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .decided = carol_says_later,
     .act = offered_early_and_in_time},
    {.says = "delivers an hour into the window",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .device = clock_is,
     .with = HOUR_S},
    {.says = "delivers in the window's last second",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .device = clock_is,
     .with = WINDOW_S},
    {.says = "delivers a second after the window",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .device = clock_is,
     .with = WINDOW_S + 1},
    {.says = "delivers a second after the window that began later",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .decided = carol_says_later,
     .device = clock_is,
     .with = 2 * HOUR_S + WINDOW_S + 1},
    {.says = "delivers after decide_by what was decided in time",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = decide_by_is_soon,
     .device = clock_is,
     .with = HOUR_S},
    {.says = "delivers in the longest window, near the policy's expiry",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = longest_window,
     .device = clock_is,
     .with = 90 * DAY_S},
    {.says = "delivers in the longest window, after the policy's expiry",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .prepared = longest_window,
     .device = clock_is,
     .with = 90 * DAY_S + 1},
    {.says = "delivers what nobody has decided, after the policy's expiry",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .decided = nobody,
     .device = clock_is,
     .with = 90 * DAY_S + 1},
    {.says = "delivers what needs nobody's decision",
     .end = EVIL_ADMITS(NOTHING),
     .policy = no_stages,
     .decided = nobody},
    {.says = "delivers what needs nobody's decision, after the window",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .policy = no_stages,
     .decided = nobody,
     .device = clock_is,
     .with = WINDOW_S + 1},
    {.says = "adds decisions where none are needed", .end = EVIL_ENDS(STAGE_UNKNOWN), .policy = no_stages},

    {.says = "waits until the clock is set back, and delivers what is over",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .act = after_the_floor_has_risen},
    {.says = "waits until the clock is lost in a restart, and delivers what is over",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .act = after_the_floor_has_risen,
     .with = 1},
    {.says = "delivers what was over when the policy was issued, to a clock at zero",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .act = after_a_policy_has_raised_the_floor},
    {.says = "delivers what was decided in the device's future",
     .end = EVIL_ADMITS(NOTHING),
     .decided = decided_in_the_future},
    {.says = "tells a device with a clock that it is later",
     .end = EVIL_ENDS(NOT_YET),
     .decided = carol_says_later,
     .device = says_the_time,
     .with = 3 * HOUR_S},
    {.says = "tells a device with a clock that the window is open still",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .device = says_earlier_when_it_is_over},
    {.says = "tells a device with a clock that it is later, where another has none",
     .end = EVIL_ENDS(NOT_YET),
     .policy = another_is_clockless,
     .decided = carol_says_later,
     .device = says_the_time,
     .with = 3 * HOUR_S},

    {.says = "tells a clockless device the time",
     .end = EVIL_ADMITS(NOTHING),
     .policy = clockless,
     .device = says_the_time},
    {.says = "tells a clockless device that the scheduled time has come",
     .end = EVIL_ADMITS(TELLS_THE_TIME),
     .policy = clockless,
     .decided = carol_says_later,
     .device = says_the_time,
     .with = 3 * HOUR_S},
    {.says = "tells a clockless device that it is not due yet",
     .end = EVIL_ENDS(NOT_YET),
     .policy = clockless,
     .decided = carol_says_later,
     .device = says_the_time,
     .with = HOUR_S},
    {.says = "tells a clockless device that the window is open still",
     .end = EVIL_ADMITS(TELLS_THE_TIME),
     .policy = clockless,
     .device = says_earlier_when_it_is_over},
    {.says = "tells a clockless device that the window is over",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .policy = clockless,
     .device = says_the_time,
     .with = WINDOW_S + 1},
    {.says = "tells a clockless device a time below its floor",
     .end = EVIL_ADMITS(NOTHING),
     .policy = clockless,
     .device = says_below_the_floor},
    {.says = "tells a clockless device a time before the policy that it has",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .policy = clockless,
     .act = says_below_the_floor_when_it_has_risen},
    {.says = "tells a clockless device a time before 1970",
     .end = EVIL_ENDS(WINDOW_PASSED),
     .policy = clockless,
     .device = says_a_time_before_1970},
    {.says = "tells a clockless device a far time, and then the true one",
     .end = EVIL_ADMITS(NOTHING),
     .policy = clockless,
     .act = says_far_too_late_and_then_the_truth},
    {.says = "tells a clockless device a late time, and delivers twice",
     .end = EVIL_ADMITS(TELLS_THE_TIME),
     .policy = clockless,
     .act = says_late_and_delivers_twice},
    {.says = "tells a clockless device that the policy has not expired",
     .end = EVIL_ADMITS(TELLS_THE_TIME),
     .policy = clockless,
     .device = says_earlier_than_the_expiry},

    {.says = "dates its batch 1970", .end = EVIL_ADMITS(LIES), .wrapped = batch_of},
    {.says = "dates its batch 9999", .end = EVIL_ADMITS(LIES), .wrapped = batch_of, .with = 1},
    {.says = "dates its batch at no time", .end = EVIL_ENDS(BATCH_MALFORMED), .wrapped = batch_of, .with = 2},
    {.says = "dates its batch after the end of time",
     .end = EVIL_ENDS(BATCH_MALFORMED),
     .wrapped = batch_of,
     .with = 3},
    {.says = "dates its batch 9999, to raise the floor",
     .end = EVIL_ADMITS(LIES),
     .act = batch_of_the_end_of_time_then_a_clock_at_zero},
};

void evil_times(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
