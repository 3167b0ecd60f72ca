/* A revoked or expired certificate goes to a device only where the requester signed that this is meant:
 * asked at every step, because it can happen between any two. */
#include "tests/support/check.h"

#include "controller/core/overrides.h"
#include "tests/support/story.h"

#include <string.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define ACTION(name)  countersign_v1_Action_ACTION_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name

enum { BEHIND_ITS_END_S = 366 * 86400 };

static int begin(void **state)
{
    struct control *c;

    control_begin(state);
    c = *state;
    /* So that policy, decisions and window outlive the certificate. */
    c->d.body->expires_at_s = c->d.now_s + 1000 * INT64_C(86400);
    deployment_publish(&c->d);
    control_policy(c);
    control_device(c, "gw-0");
    control_certificate(c, "shop");
    assert_int_equal(control_attach(c, "shop", "gw-0"), CS_OK);
    return 0;
}

static void check_cancelled(struct control *c, uint64_t order, const char *reason)
{
    assert_int_equal(control_order(c, order).phase, PHASE(CANCELLED));
    assert_string_equal(control_order(c, order).reason, reason);
}

static void nothing_is_prepared_for_a_revoked_certificate(void **state)
{
    struct control *c = *state;
    uint64_t number;

    control_revoke(c, "shop");
    assert_int_equal(control_prepare(c, "shop", NULL, &number), CS_ESTATE);
    check_says(c->err, "--even-revoked");
    c->even_expired = true; /* another override does not help */
    assert_int_equal(control_prepare(c, "shop", NULL, &number), CS_ESTATE);
    c->even_revoked = true;
    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
}

static void nothing_is_prepared_for_an_expired_certificate(void **state)
{
    struct control *c = *state;
    uint64_t number;

    c->d.now_s += BEHIND_ITS_END_S;
    assert_int_equal(control_prepare(c, "shop", NULL, &number), CS_ESTATE);
    check_says(c->err, "--even-expired");
    c->even_revoked = true;
    assert_int_equal(control_prepare(c, "shop", NULL, &number), CS_ESTATE);
    c->even_expired = true;
    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
}

/* PreparePush is told what will be signed; what counts is what was. */
static void a_request_has_to_sign_what_was_prepared_with(void **state)
{
    struct control *c = *state;
    uint64_t number;

    control_revoke(c, "shop");
    c->even_revoked = true;
    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
    c->even_revoked = false;
    assert_int_equal(control_submit(c, number), CS_ESTATE);
    check_says(c->err, "--even-revoked");
    c->even_revoked = true;
    check_ok(control_submit(c, number), c->err);
}

static void revoking_ends_what_waits_in_every_phase(void **state)
{
    static const char *const deciders[] = {"bob", "carol"};
    static const char *const certificates[] = {"shop", "second", "third", "fourth"};
    struct control *c = *state;

    for (uint32_t decided = 0; decided < CS_ARRAY_LEN(certificates); decided++) {
        uint64_t push, order;

        if (decided) {
            control_certificate(c, certificates[decided]);
            assert_int_equal(control_attach(c, certificates[decided], "gw-0"), CS_OK);
        }
        push = control_push(c, certificates[decided]);
        order = control_request(c, push).first_order;
        for (uint32_t stage = 1; stage <= decided && stage <= 2; stage++)
            check_ok(control_decide(c, push, deciders[stage - 1], stage), c->err);
        if (decided == 3)
            check_ok(control_tick(c), c->err); /* waiting for the device */
        control_revoke(c, certificates[decided]);
        check_cancelled(c, order, "certificate revoked");
        assert_int_equal(control_meta(c).requests_open, 0);
    }
}

static void revoking_leaves_those_alone_that_signed_for_it(void **state)
{
    struct control *c = *state;
    uint64_t without, with, order;

    check_ok(control_open(c, "gw-0"), c->err);
    without = control_push(c, "shop");
    c->even_revoked = true;
    with = control_push(c, "shop");
    control_revoke(c, "shop");
    check_cancelled(c, control_request(c, without).first_order, "certificate revoked");
    control_approve(c, with);
    check_ok(control_tick(c), c->err);
    order = control_request(c, with).first_order;
    assert_true(control_delivered(c, order));
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    assert_int_equal(control_order(c, order).phase, PHASE(COMPLETED));
}

static void what_a_device_has_is_asked_back_and_never_handed_over_again(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;

    check_ok(control_open(c, "gw-0"), c->err);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    assert_int_equal(control_order(c, order).phase, PHASE(HANDED_OVER));
    control_revoke(c, "shop");
    assert_true(control_cancel_sent(c, order));
    assert_int_equal(control_order(c, order).phase, PHASE(HANDED_OVER));
    check_ok(control_close(c, "gw-0"), c->err);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_cancel_sent(c, order));
    assert_false(control_delivered(c, order));
    check_ok(control_refuse_unread(c, order, "cancelled"), c->err);
    assert_int_equal(control_order(c, order).phase, PHASE(CANCELLED));
}

/* Whoever wrote the row did not end its orders: the hand-over asks all the same. */
static void a_hand_over_asks_by_itself(void **state)
{
    struct control *c = *state;
    struct cs_digest id = control_certificate_id(c, "shop");
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, cs_digest_slice(&id));
    ctl_certificate_row row;

    c->unchecked = true;
    for (unsigned waits = 0; waits < 2; waits++) {
        uint64_t push, order;

        assert_true(control_get(c, &key, countersign_store_v1_Certificate_fields, &row));
        row.revoked = false;
        control_put(c, &key, countersign_store_v1_Certificate_fields, &row);
        push = control_push(c, "shop");
        order = control_request(c, push).first_order;
        control_approve(c, push);
        if (waits)
            check_ok(control_tick(c), c->err);
        assert_true(control_get(c, &key, countersign_store_v1_Certificate_fields, &row));
        row.revoked = true;
        control_put(c, &key, countersign_store_v1_Certificate_fields, &row);
        if (!waits) {
            check_ok(control_open(c, "gw-0"), c->err);
            check_ok(control_tick(c), c->err);
            check_ok(control_close(c, "gw-0"), c->err);
        } else {
            check_ok(control_open(c, "gw-0"), c->err);
        }
        assert_false(control_delivered(c, order));
        check_cancelled(c, order, "certificate revoked");
        assert_int_equal(control_meta(c).requests_open, 0);
    }
}

static void a_certificate_that_expires_on_its_way_is_not_handed_over(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;
    int64_t at_s = c->d.now_s + BEHIND_ITS_END_S;

    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_ACCEPT, at_s), c->err);
    check_ok(control_decide(c, push, "carol", 2), c->err);
    c->d.now_s = at_s;
    check_ok(control_tick(c), c->err);
    assert_false(control_delivered(c, order));
    check_cancelled(c, order, "certificate expired");
}

static void the_signed_override_takes_it_there(void **state)
{
    struct control *c = *state;
    uint64_t push, order;
    int64_t at_s = c->d.now_s + BEHIND_ITS_END_S;

    c->even_expired = true;
    push = control_push(c, "shop");
    order = control_request(c, push).first_order;
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_ACCEPT, at_s), c->err);
    check_ok(control_decide(c, push, "carol", 2), c->err);
    c->d.now_s = at_s;
    check_ok(control_tick(c), c->err);
    assert_true(control_delivered(c, order));
}

/* Nobody says yes to what would not be handed over; no is always possible. */
static void a_decision_for_an_expired_certificate_is_refused_unless_it_rejects(void **state)
{
    struct control *c = *state;
    uint64_t push;

    c->decide_within_s = 2 * (int64_t)BEHIND_ITS_END_S;
    push = control_push(c, "shop");
    c->d.now_s += BEHIND_ITS_END_S;
    assert_int_equal(control_decide(c, push, "bob", 1), CS_ESTATE);
    check_says(c->err, "--even-expired");
    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_REJECT, 0), c->err);
    assert_int_equal(control_order(c, control_request(c, push).first_order).phase, PHASE(REJECTED));
}

static void its_last_second_still_counts(void **state)
{
    ctl_certificate_row row = countersign_store_v1_Certificate_init_zero;
    struct cs_err err;

    (void)state;
    row.not_after_s = 1000;
    assert_int_equal(ctl_overrides_check(&row, ACTION(INSTALL), NULL, 0, 1000, &err), CS_OK);
    assert_int_equal(ctl_overrides_check(&row, ACTION(INSTALL), NULL, 0, 1001, &err), CS_ESTATE);
    assert_int_equal(ctl_overrides_check(&row, ACTION(ROLL_BACK), NULL, 0, 1001, &err), CS_ESTATE);
    assert_int_equal(ctl_overrides_check(&row, ACTION(REMOVE), NULL, 0, 1001, &err), CS_OK);
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        story(nothing_is_prepared_for_a_revoked_certificate),
        story(nothing_is_prepared_for_an_expired_certificate),
        story(a_request_has_to_sign_what_was_prepared_with),
        story(revoking_ends_what_waits_in_every_phase),
        story(revoking_leaves_those_alone_that_signed_for_it),
        story(what_a_device_has_is_asked_back_and_never_handed_over_again),
        story(a_hand_over_asks_by_itself),
        story(a_certificate_that_expires_on_its_way_is_not_handed_over),
        story(the_signed_override_takes_it_there),
        story(a_decision_for_an_expired_certificate_is_refused_unless_it_rejects),
        cmocka_unit_test(its_last_second_still_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
