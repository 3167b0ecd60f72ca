/* Tokens, enrolment, admission, sessions: what is refused and what may be said twice. */
#include "tests/support/check.h"

#include "tests/support/story.h"

static void a_token_serves_one_set_of_keys(void **state)
{
    struct control *c = *state;
    uint64_t revision;

    check_ok(control_token(c, "gw-0", "token"), c->err);
    check_ok(control_enrol(c, "gw-0", "token", 0), c->err);
    revision = control_meta(c).revision;
    /* The answer was lost: the same keys get the same certificate, and nothing changes. */
    check_ok(control_enrol(c, "gw-0", "token", 0), c->err);
    assert_false(c->outcome.changed);
    assert_int_equal(control_meta(c).revision, revision);
    assert_int_equal(control_enrol(c, "gw-0", "token", 1), CS_EDENIED);
    check_says(c->err, "other keys");
}

static void a_token_is_for_one_name(void **state)
{
    struct control *c = *state;

    check_ok(control_token(c, "gw-0", "token"), c->err);
    assert_int_equal(control_enrol(c, "gw-1", "token", 0), CS_EAUTH);
    assert_int_equal(control_enrol(c, "gw-0", "guess", 0), CS_EAUTH);
}

static void a_token_expires(void **state)
{
    struct control *c = *state;

    check_ok(control_token(c, "gw-0", "token"), c->err);
    c->d.now_s += 3600;
    assert_int_equal(control_enrol(c, "gw-0", "token", 0), CS_EDENIED);
    check_says(c->err, "expired");
}

static void a_new_token_withdraws_the_one_before(void **state)
{
    struct control *c = *state;

    check_ok(control_token(c, "gw-0", "first"), c->err);
    assert_int_equal(control_token(c, "gw-0", "first"), CS_EEXISTS);
    check_ok(control_token(c, "gw-0", "second"), c->err);
    assert_int_equal(control_enrol(c, "gw-0", "first", 0), CS_EAUTH);
    check_ok(control_enrol(c, "gw-0", "second", 0), c->err);
}

static void a_device_is_none_before_its_admission(void **state)
{
    struct control *c = *state;

    control_certificate(c, "shop");
    check_ok(control_token(c, "gw-0", "token"), c->err);
    assert_int_equal(control_attach(c, "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "not admitted");
    check_ok(control_enrol(c, "gw-0", "token", 0), c->err);
    assert_int_equal(control_admit(c, "gw-0", 1), CS_ENOTFOUND);
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_int_equal(control_attach(c, "shop", "gw-0"), CS_ESTATE);
    check_ok(control_admit(c, "gw-0", 0), c->err);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_ADMITTED);
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    /* Once more the same is no mistake. */
    check_ok(control_admit(c, "gw-0", 0), c->err);
    assert_false(c->outcome.changed);
}

static void an_admission_has_to_name_the_enrolled_keys(void **state)
{
    struct control *c = *state;
    countersign_v1_Admission admission;
    struct ctl_admit_device body = {CS_SLICE_LIT("x"), &admission, cs_policy_version(c->d.policy)};
    ctl_device_row device;

    check_ok(control_token(c, "gw-0", "token"), c->err);
    check_ok(control_enrol(c, "gw-0", "token", 0), c->err);
    device = control_device_row(c, "gw-0");
    deployment_fill_admission(&c->d, "gw-0", &admission);
    CTL_BYTES_COPY(admission.device_id, device.device_id);
    assert_int_equal(control_run(c, CTL_ADMIT_DEVICE, &body, NULL), CS_EINVAL);
    body.policy_version--;
    assert_int_equal(control_run(c, CTL_ADMIT_DEVICE, &body, NULL), CS_ESTALE);
}

static void a_new_enrolment_waits_beside_the_old_one(void **state)
{
    struct control *c = *state;
    ctl_device_row before, after;

    control_device(c, "gw-0");
    before = control_device_row(c, "gw-0");
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 1), c->err);
    after = control_device_row(c, "gw-0");
    check_slice(CTL_BYTES(after.device_id), CTL_BYTES(before.device_id));
    check_ok(control_admit(c, "gw-0", 1), c->err);
    after = control_device_row(c, "gw-0");
    assert_false(cs_slice_eq(CTL_BYTES(after.device_id), CTL_BYTES(before.device_id)));
    assert_int_equal(control_meta(c).devices, 1);
}

static void an_old_sessions_end_does_not_close_the_new_one(void **state)
{
    struct control *c = *state;
    struct ctl_session_closed closed;
    ctl_session_row session;
    struct ctl_key key;
    ctl_device_row device;

    control_device(c, "gw-0");
    device = control_device_row(c, "gw-0");
    check_ok(control_open(c, "gw-0"), c->err);
    closed.session_id = c->session;
    memcpy(closed.device_id, device.device_id.bytes, sizeof closed.device_id);
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_run(c, CTL_SESSION_CLOSED, &closed, NULL), c->err);
    assert_false(c->outcome.changed);
    key = ctl_key_bytes(CTL_TABLE_SESSION, CTL_BYTES(device.device_id));
    assert_true(control_get(c, &key, countersign_store_v1_Session_fields, &session));
    check_ok(control_close(c, "gw-0"), c->err);
    assert_false(control_get(c, &key, countersign_store_v1_Session_fields, &session));
    check_ok(control_open(c, "gw-0"), c->err);
    control_restart(c);
    assert_true(!control_get(c, &key, countersign_store_v1_Session_fields, &session) ||
                session.run != control_meta(c).run);
}

static void an_old_advertisement_is_acknowledged_and_no_more(void **state)
{
    struct control *c = *state;

    control_device(c, "gw-0");
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    c->sequence -= 1;
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_false(c->outcome.changed);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_ACK);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, control_begin, control_end)
    const struct CMUnitTest tests[] = {
        test(a_token_serves_one_set_of_keys),
        test(a_token_is_for_one_name),
        test(a_token_expires),
        test(a_new_token_withdraws_the_one_before),
        test(a_device_is_none_before_its_admission),
        test(an_admission_has_to_name_the_enrolled_keys),
        test(a_new_enrolment_waits_beside_the_old_one),
        test(an_old_sessions_end_does_not_close_the_new_one),
        test(an_old_advertisement_is_acknowledged_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
