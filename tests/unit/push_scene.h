/* push_scene.h - one push in a deployment, and its evaluation under test: what the stories and the attacks
 * share. Who is who stands in tests/support/deployment.h. */
#ifndef CS_TESTS_PUSH_SCENE_H
#define CS_TESTS_PUSH_SCENE_H

#include "tests/support/check.h"
#include "tests/support/deployment.h"

enum { HOUR_S = 3600 };

/* A deployment, one story in it, and the evaluation under test, which knows all orders of the story. */
struct scene {
    struct deployment d;
    struct push_story story;
    struct cs_push *push;
    struct cs_push_order orders[STORY_ORDERS];
    struct cs_err err;
};

static inline int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    deployment_make(&s->d);
    *state = s;
    return 0;
}

static inline int tear_down(void **state)
{
    struct scene *s = *state;

    cs_push_free(s->push);
    story_free(&s->story);
    deployment_free(&s->d);
    free(s);
    return 0;
}

static inline const countersign_v1_Rule *rule_at(const struct scene *s, size_t index)
{
    return &cs_policy_body(s->d.policy)->rules[index];
}

static inline enum cs_push_reason open_push(struct scene *s)
{
    enum cs_push_reason reason;
    int rc = cs_push_open(s->d.policy, cs_buf_slice(&s->story.request_wire), s->d.now_s, &s->push, &reason,
                          &s->err);

    assert_true((rc == CS_OK) == (reason == CS_PUSH_OK) && (rc == CS_OK) == (s->push != NULL));
    return reason;
}

/* Everything under the policy's first rule, unless a test changes `orders`. */
static inline void begin(struct scene *s, size_t order_count)
{
    story_begin(&s->story, &s->d, order_count);
    for (uint32_t i = 0; i < order_count; i++)
        s->orders[i] = (struct cs_push_order){i, rule_at(s, 0)};
    assert_int_equal(open_push(s), CS_PUSH_OK);
}

static inline enum cs_push_reason feed_wire(struct scene *s, struct cs_slice wire)
{
    size_t before = cs_push_decision_count(s->push);
    enum cs_push_reason reason;
    int rc = cs_push_add_decision(s->push, wire, s->orders, s->story.order_count, &reason, &s->err);

    assert_true((rc == CS_OK) == (reason == CS_PUSH_OK));
    assert_int_equal(cs_push_decision_count(s->push), before + (rc == CS_OK));
    return reason;
}

/* Feeds the newest decision of the story; one that is refused is taken out of the story, too. */
static inline enum cs_push_reason feed(struct scene *s)
{
    size_t last = s->story.decision_count - 1;
    enum cs_push_reason reason = feed_wire(s, cs_buf_slice(&s->story.decision_wires[last]));

    if (reason != CS_PUSH_OK) {
        cs_buf_free(&s->story.decision_wires[last]);
        s->story.decision_count--;
    }
    return reason;
}

static inline enum cs_push_reason decide(struct scene *s, const char *who, uint32_t stage)
{
    story_decide(&s->story, who, stage);
    return feed(s);
}

static inline enum cs_push_reason add(struct scene *s, const countersign_v1_Decision *decision,
                                      const char *key_of)
{
    story_add_decision(&s->story, decision, key_of);
    return feed(s);
}

static inline enum cs_push_reason reject(struct scene *s, const char *who, uint32_t stage)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    decision.mode = countersign_v1_Mode_MODE_UNSPECIFIED;
    return add(s, &decision, who);
}

/* For some orders only: bit i of `orders` is order i. */
static inline enum cs_push_reason decide_for(struct scene *s, const char *who, uint32_t stage, uint8_t orders)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.orders.size = 1;
    decision.orders.bytes[0] = orders;
    return add(s, &decision, who);
}

static inline enum cs_push_reason decide_not_before(struct scene *s, const char *who, uint32_t stage,
                                                    int64_t not_before_s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story, who, stage, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = not_before_s;
    return add(s, &decision, who);
}

static inline struct cs_push_progress progress_of(const struct scene *s, size_t order)
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

static inline void check_open_stage(const struct scene *s, size_t order, uint32_t stage, uint32_t decided,
                                    uint32_t required)
{
    struct cs_push_progress progress = progress_of(s, order);

    check_reason(progress.reason, UNDECIDED);
    assert_int_equal(progress.stage, stage);
    assert_int_equal(progress.decided, decided);
    assert_int_equal(progress.required, required);
}

#endif
