/* The device's decision at its edges: what memory, room and odd but valid statements do to it. */
#include "tests/support/check.h"

#include "agent/core/decide.h"
#include "shared/trust/merkle.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/delivery.h"

enum { DAY_S = 24 * 60 * 60 };

struct world {
    struct deployment d;
    struct cs_key *kem;
    struct ag_connector web;
    struct ag_connectors connectors;
    struct ag_state state;
    uint8_t device_id[16];
    struct ag_facts facts;
    struct delivery_story *story;
};

#define CORE(w) (&(w)->story->push.cores[0])

/* A delivery that is not signed yet: edit, then finish(). Its certificate is made so much later than now. */
static struct world *begin_certified(int64_t later_s)
{
    struct world *w = calloc(1, sizeof *w);
    struct cs_err err;

    assert_non_null(w);
    deployment_make(&w->d);
    check_ok(cs_key_generate(CS_KEY_AGREE, &w->kem, &err), err);
    deployment_make_id("gw-0", w->device_id);
    memcpy(w->web.name, "web", 4);
    w->connectors = (struct ag_connectors){&w->web, 1};
    ag_state_init(&w->state, CS_SLICE_ARRAY(w->device_id));
    w->story = delivery_prepare(&w->d, "gw-0", w->device_id, 1);
    delivery_certify(w->story, w->d.now_s + later_s - DAY_S, w->d.now_s + later_s + 365 * DAY_S);
    w->facts = (struct ag_facts){
        .deployment_id = CS_SLICE_ARRAY(w->d.id),
        .device_id = CS_SLICE_ARRAY(w->device_id),
        .device_name = "gw-0",
        .policy = w->d.policy,
        .state = &w->state,
        .connectors = &w->connectors,
        .kem_key = w->kem,
        .now_s = w->d.now_s,
        .time_known = true,
    };
    return w;
}

static struct world *begin(void)
{
    return begin_certified(0);
}

static void decide(struct world *w)
{
    story_decide(&w->story->push, "bob", 1);
    story_decide(&w->story->push, "carol", 2);
}

static void finish(struct world *w)
{
    delivery_assemble(w->story, cs_key_spki(w->kem));
    delivery_wrap(w->story);
}

static void whole(struct world *w)
{
    delivery_submit(w->story);
    decide(w);
    finish(w);
}

static void end(struct world *w)
{
    delivery_free(w->story);
    ag_state_free(&w->state);
    cs_key_free(w->kem);
    deployment_free(&w->d);
    free(w);
}

/* Decides, checks the verdict, and ends the world. */
static void check_verdict_and_end(struct world *w, enum ag_verdict wanted)
{
    struct ag_decision *decision = ag_decide(&w->facts, &w->story->delivery);

    assert_non_null(decision);
    if (decision->verdict != wanted)
        fail_msg("'%s' (%s) where '%s' was wanted", ag_verdict_word(decision->verdict),
                 decision->report.detail, ag_verdict_word(wanted));
    ag_decision_free(decision);
    end(w);
}

/* Signs a batch of these messages, ours first. */
static void sign_batch(struct world *w, countersign_v1_PushBatch *batch, struct cs_slice other)
{
    countersign_v1_PushDelivery *delivery = &w->story->delivery;
    struct cs_digest leaves[] = {cs_merkle_leaf(CS_PB_BYTES(&delivery->message)), cs_merkle_leaf(other)};
    struct cs_digest scratch[2], root = cs_merkle_root(leaves, 2, scratch);
    struct cs_buf wire;

    batch->count = 2;
    CS_PB_SET(&batch->root, cs_digest_slice(&root));
    delivery->proof_count = 1;
    CS_PB_SET(&delivery->proof[0], cs_digest_slice(&leaves[1]));
    wire =
        deployment_sign(&w->d, CS_STATEMENT_PUSH_BATCH, countersign_v1_PushBatch_fields, batch, "controller");
    CS_PB_SET(&delivery->batch, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}

static void journals_what_was_decided(void **unused CS_UNUSED)
{
    struct world *w = begin();
    const struct ag_connector_state *connector;
    struct ag_order *order;
    struct cs_err err;

    whole(w);
    cs_auto(ag_decision_freep) struct ag_decision *decision = ag_decide(&w->facts, &w->story->delivery);

    assert_int_equal(decision->verdict, AG_OK);
    struct ag_acceptance acceptance = ag_decision_acceptance(decision, CS_SLICE_LIT("the account"));

    assert_int_equal(acceptance.decided_at_s, w->story->push.request.requested_at_s);
    assert_int_equal(acceptance.policy_issued_at_s, cs_policy_body(w->d.policy)->issued_at_s);
    check_ok(ag_journal_accept(&w->state, &acceptance, &order, &err), err);
    check_slice(CS_SLICE_ARRAY(order->order_id), CS_PB_BYTES(&w->story->push.cores[0].order_id));
    assert_true(cs_digest_eq(&order->core_digest, &decision->core_digest));
    assert_true(cs_digest_eq(&order->chain_digest, &decision->chain_digest));
    check_slice(cs_buf_slice(&order->account), CS_SLICE_LIT("the account"));
    connector = ag_state_connector(&w->state, "web");
    assert_non_null(connector);
    assert_int_equal(connector->highest_generation, w->story->push.cores[0].generation);
    assert_int_equal(w->state.time_floor_s, decision->decided_at_s);
    end(w);
}

static void takes_a_push_that_is_one_of_two_in_its_batch(void **unused CS_UNUSED)
{
    struct world *w = begin();
    countersign_v1_PushBatch batch;

    whole(w);
    deployment_fill_batch(&w->d, &batch);
    sign_batch(w, &batch, CS_SLICE_LIT("another message"));
    check_verdict_and_end(w, AG_OK);
}

static void refuses_a_batch_whose_payload_is_none(void **unused CS_UNUSED)
{
    struct world *w = begin();
    const struct cs_key *key = deployment_key(&w->d, "controller");
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    whole(w);
    check_ok(cs_envelope_sign(CS_STATEMENT_PUSH_BATCH, CS_SLICE_LIT("no batch"), &key, 1, &wire, &err), err);
    CS_PB_SET(&w->story->delivery.batch, cs_buf_slice(&wire));
    cs_buf_free(&wire);
    check_verdict_and_end(w, AG_BATCH_MALFORMED);
}

/* The controller may call itself what it likes: the request is of the policy's deployment. */
static void refuses_a_request_of_a_deployment_that_is_not_the_devices(void **unused CS_UNUSED)
{
    static const uint8_t other[16] = "another";
    struct world *w = begin();
    countersign_v1_PushBatch batch;

    whole(w);
    deployment_fill_batch(&w->d, &batch);
    memcpy(batch.deployment_id.bytes, other, sizeof other);
    sign_batch(w, &batch, CS_SLICE_LIT("another message"));
    w->facts.deployment_id = CS_SLICE_ARRAY(other);
    check_verdict_and_end(w, AG_WRONG_DEPLOYMENT);
}

static void two_orders(struct world *w)
{
    struct push_story *push = &w->story->push;

    push->order_count = 2;
    push->cores[1] = push->cores[0];
    push->cores[1].order_id.bytes[0] ^= 1;
}

static void takes_one_order_of_two(void **unused CS_UNUSED)
{
    struct world *w = begin();

    two_orders(w);
    CORE(w)->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    whole(w);
    check_verdict_and_end(w, AG_OK);
}

/* Their order may have a rule with more stages than ours. */
static void names_a_stage_of_another_order_that_our_rule_has_not(void **unused CS_UNUSED)
{
    struct world *w = begin();
    struct ag_decision *decision;
    countersign_v1_Decision said;

    two_orders(w);
    delivery_submit(w->story);
    story_fill_decision(&w->story->push, "ben", 3, &said);
    said.orders.size = 1;
    said.orders.bytes[0] = 2;
    story_add_decision(&w->story->push, &said, "ben");
    decide(w);
    finish(w);
    decision = ag_decide(&w->facts, &w->story->delivery);
    assert_non_null(decision);
    assert_int_equal(decision->verdict, AG_OK);
    assert_int_equal(decision->report.deciders_count, 3);
    assert_string_equal(decision->report.deciders[0], "?: ben");
    ag_decision_free(decision);
    end(w);
}

static void takes_what_expects_the_certificate_that_is_there(void **unused CS_UNUSED)
{
    struct world *w = begin();
    struct ag_connector_state *connector = NULL;
    struct cs_err err;

    CORE(w)->generation = 2;
    CORE(w)->expects.size = 32;
    memset(CORE(w)->expects.bytes, 7, 32);
    whole(w);
    check_ok(ag_state_connector_make(&w->state, "web", &connector, &err), err);
    connector->highest_generation = connector->installed_generation = 1;
    memset(connector->installed_digest.bytes, 7, 32);
    check_verdict_and_end(w, AG_OK);
}

static void takes_a_certificate_of_the_future_while_time_is_unknown(void **unused CS_UNUSED)
{
    for (int known = 0; known < 2; known++) {
        struct world *w = begin_certified(INT64_C(3) * 86400);

        whole(w);
        w->facts.time_known = known;
        check_verdict_and_end(w, known ? AG_CERTIFICATE_NOT_YET : AG_OK);
    }
}

static void another_override_lets_no_expired_certificate_pass(void **unused CS_UNUSED)
{
    struct world *w = begin_certified(-INT64_C(400) * 86400);

    w->story->push.request.overrides_count = 1;
    w->story->push.request.overrides[0] = countersign_v1_Override_OVERRIDE_REVOKED;
    whole(w);
    check_verdict_and_end(w, AG_CERTIFICATE_EXPIRED);
}

static void refuses_a_sealed_nothing(void **unused CS_UNUSED)
{
    struct world *w = begin();
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);
    struct cs_buf wire;

    assert_non_null(plain);
    plain->padding.size = 512;
    wire = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);
    whole(w);
    delivery_seal(w->story, cs_key_spki(w->kem), cs_buf_slice(&wire));
    delivery_wrap(w->story);
    cs_buf_free(&wire);
    free(plain);
    check_verdict_and_end(w, AG_KEY_MALFORMED);
}

/* A device that has installed something says what, in a refusal, too. */
static void a_refusal_says_what_is_installed(void **unused CS_UNUSED)
{
    struct world *w = begin();
    struct ag_connector_state *connector = NULL;
    struct ag_decision *decision;
    struct cs_err err;

    whole(w);
    check_ok(ag_state_connector_make(&w->state, "web", &connector, &err), err);
    connector->highest_generation = connector->installed_generation = 9;
    memset(connector->installed_digest.bytes, 7, 32);
    decision = ag_decide(&w->facts, &w->story->delivery);
    assert_non_null(decision);
    assert_int_equal(decision->verdict, AG_GENERATION_SEEN);
    check_slice(CS_PB_BYTES(&decision->report.installed_digest),
                cs_digest_slice(&connector->installed_digest));
    ag_decision_free(decision);
    end(w);
}

static void a_detail_is_cut_at_the_end_of_a_character(void **unused CS_UNUSED)
{
    static countersign_v1_DeviceReport report;
    size_t room = sizeof report.detail - 1;
    char text[2 * sizeof report.detail];

    ag_report_set_verdict(&report, AG_KEY_SEAL, NULL);
    assert_string_equal(report.detail, ag_verdict_sentence(AG_KEY_SEAL));
    ag_report_set_verdict(&report, AG_KEY_SEAL, "");
    assert_string_equal(report.detail, ag_verdict_sentence(AG_KEY_SEAL));
    /* "é" is two bytes: `shift` moves where the last one is cut. */
    for (size_t shift = 0; shift < 2; shift++) {
        size_t len = shift;

        memset(text, 'x', shift);
        for (; len + 2 < sizeof text; len += 2)
            memcpy(text + len, "\xc3\xa9", 2);
        text[len] = '\0';
        ag_report_set_verdict(&report, AG_KEY_SEAL, text);
        assert_int_equal(strlen(report.detail), room - (room - shift) % 2);
    }
    memset(text, 0x80, sizeof text - 1); /* no character begins anywhere */
    text[sizeof text - 1] = '\0';
    ag_report_set_verdict(&report, AG_KEY_SEAL, text);
    assert_string_equal(report.detail, "");
}

static void decide_short_of_memory(void *data)
{
    struct world *w = data;
    cs_auto(ag_decision_freep) struct ag_decision *decision = ag_decide(&w->facts, &w->story->delivery);

    /* mbedTLS tries one form of private key after the other, and forgets that the right one had no memory;
     * and does not tell a signature that it could not check from one that is wrong (x509.h). */
    bool is_forgotten = decision && alloc_fail_happened() &&
                        (decision->verdict == AG_KEY_MALFORMED || decision->verdict == AG_KEY_MISMATCH ||
                         decision->verdict == AG_CHAIN_LINKS);

    if (decision && decision->verdict != AG_OK && decision->verdict != AG_UNDECIDED && !is_forgotten)
        fail_msg("'%s' (%s) where memory ran out", ag_verdict_word(decision->verdict),
                 decision->report.detail);
    assert_true((decision && decision->verdict == AG_OK) || alloc_fail_happened());
}

static void too_little_memory_is_no_verdict(void **unused CS_UNUSED)
{
    struct world *w = begin();

    whole(w);
    assert_true(alloc_fail_sample(decide_short_of_memory, w, 300) > 50);
    assert_true(alloc_fail_large(decide_short_of_memory, w, 120) > 15);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journals_what_was_decided),
        cmocka_unit_test(takes_a_push_that_is_one_of_two_in_its_batch),
        cmocka_unit_test(refuses_a_batch_whose_payload_is_none),
        cmocka_unit_test(refuses_a_request_of_a_deployment_that_is_not_the_devices),
        cmocka_unit_test(takes_one_order_of_two),
        cmocka_unit_test(names_a_stage_of_another_order_that_our_rule_has_not),
        cmocka_unit_test(takes_what_expects_the_certificate_that_is_there),
        cmocka_unit_test(takes_a_certificate_of_the_future_while_time_is_unknown),
        cmocka_unit_test(another_override_lets_no_expired_certificate_pass),
        cmocka_unit_test(refuses_a_sealed_nothing),
        cmocka_unit_test(a_refusal_says_what_is_installed),
        cmocka_unit_test(a_detail_is_cut_at_the_end_of_a_character),
        cmocka_unit_test(too_little_memory_is_no_verdict),
    };

    return cmocka_run_group_tests_name("decide_edges", tests, NULL, NULL);
}
