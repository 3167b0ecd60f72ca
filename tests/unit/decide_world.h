/* decide_world.h - a device, and a push to it that is whole and decided, with one thing wrong: what the tests
 * of the decision share. Each case names its verdict. */
#ifndef CS_TESTS_DECIDE_WORLD_H
#define CS_TESTS_DECIDE_WORLD_H

#include "tests/support/check.h"

#include "agent/core/decide.h"
#include "agent/core/journal.h"
#include "tests/support/delivery.h"

struct world {
    struct deployment d;
    struct cs_key *kem, *other_kem;
    struct cs_buf other_pkcs8;
    struct cs_buf kept_chain, kept_key; /* PEM of an earlier generation */
    struct ag_connector web;
    struct ag_connectors connectors;
    struct ag_state state;
    uint8_t device_id[16];
    struct ag_facts facts;
};

struct spoiling {
    struct world *world;
    struct delivery_story *story;
};

struct case_ {
    const char *says;
    enum ag_verdict verdict;
    void (*before)(struct spoiling *s);  /* what is signed: cores, request */
    void (*decide)(struct spoiling *s);  /* in place of bob and carol */
    void (*message)(struct spoiling *s); /* what the controller sends */
    void (*delivery)(struct spoiling *s);
    void (*facts)(struct spoiling *s); /* what the device knows */
};

#define CORE(s)    (&(s)->story->push.cores[0])
#define REQUEST(s) (&(s)->story->push.request)

static inline void make_world(struct world *world)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    memset(world, 0, sizeof *world);
    deployment_make(&world->d);
    check_ok(cs_key_generate(CS_KEY_AGREE, &world->kem, &err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &world->other_kem, &err), err);
    check_ok(cs_key_export_pem(world->other_kem, CS_SLICE_EMPTY, &pem, &err), err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &world->other_pkcs8, &err), err);
    deployment_make_id("gw-0", world->device_id);
    memcpy(world->web.name, "web", 4);
    world->connectors = (struct ag_connectors){&world->web, 1};
    ag_state_init(&world->state, CS_SLICE_ARRAY(world->device_id));
}

static inline void free_world(struct world *world)
{
    ag_state_free(&world->state);
    cs_key_free(world->kem);
    cs_key_free(world->other_kem);
    cs_buf_wipe(&world->other_pkcs8);
    cs_buf_free(&world->kept_chain);
    cs_buf_wipe(&world->kept_key);
    deployment_free(&world->d);
}

static inline void set_facts(struct world *world)
{
    world->facts = (struct ag_facts){
        .deployment_id = CS_SLICE_ARRAY(world->d.id),
        .device_id = CS_SLICE_ARRAY(world->device_id),
        .device_name = "gw-0",
        .policy = world->d.policy,
        .state = &world->state,
        .connectors = &world->connectors,
        .kem_key = world->kem,
        .now_s = world->d.now_s,
        .time_known = true,
    };
}

static inline void call(void (*spoil)(struct spoiling *s), struct spoiling *s)
{
    if (spoil)
        spoil(s);
}

static inline struct ag_decision *play(const struct case_ *one, struct world *world)
{
    struct spoiling s = {world, delivery_prepare(&world->d, "gw-0", world->device_id, 1)};

    call(one->before, &s);
    delivery_submit(s.story);
    if (one->decide) {
        one->decide(&s);
    } else {
        story_decide(&s.story->push, "bob", 1);
        story_decide(&s.story->push, "carol", 2);
    }
    delivery_assemble(s.story, cs_key_spki(world->kem));
    call(one->message, &s);
    delivery_wrap(s.story);
    call(one->delivery, &s);
    set_facts(world);
    call(one->facts, &s);
    struct ag_decision *decision = ag_decide(&world->facts, &s.story->delivery);

    delivery_free(s.story);
    assert_non_null(decision);
    return decision;
}

static inline void check_verdicts(const struct case_ *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct world world;

        make_world(&world);
        cs_auto(ag_decision_freep) struct ag_decision *decision = play(&cases[i], &world);

        if (decision->verdict != cases[i].verdict)
            fail_msg("%s: '%s' (%s) where '%s' was wanted", cases[i].says, ag_verdict_word(decision->verdict),
                     decision->report.detail, ag_verdict_word(cases[i].verdict));
        assert_string_equal(decision->report.verdict, ag_verdict_word(cases[i].verdict));
        assert_true(decision->report.detail[0] != '\0');
        free_world(&world);
    }
}

#endif
