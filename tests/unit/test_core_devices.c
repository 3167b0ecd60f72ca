/* Tokens, enrolment, admission, sessions: what is refused and what may be said twice. */
#include "tests/support/check.h"

#include "controller/core/query.h"
#include "tests/support/story.h"

#include <pb_encode.h>
#include <stdio.h>

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

static bool nobody(void *data, const uint8_t device_id[16])
{
    (void)data, (void)device_id;
    return false;
}

/* As many app connectors as a device can have, each with all that can be said of one. */
static void fill_connectors(struct control *c, const char *device)
{
    const ctl_device_row row = control_device_row(c, device);

    for (unsigned i = 0; i < CS_ARRAY_LEN(((countersign_v1_Device *)NULL)->connectors) - 1; i++) {
        ctl_connector_row connector = {.declared = true, .generation = UINT64_MAX};
        struct ctl_key key;

        memset(connector.name, 'n', sizeof connector.name - 1);
        (void)snprintf(connector.name, sizeof connector.name, "%061u", i);
        memset(connector.application, 'a', sizeof connector.application - 1);
        memset(connector.remark, 'r', sizeof connector.remark - 1);
        connector.certificate_id.size = connector.installed_digest.size = CS_SHA256_BYTES;
        key = ctl_key_connector(CTL_TABLE_CONNECTOR, CTL_BYTES(row.device_id), connector.name);
        control_put(c, &key, countersign_store_v1_Connector_fields, &connector);
    }
}

static void a_page_of_devices_with_much_to_say_fits_a_message(void **state)
{
    enum { DEVICES = 16 };
    static const struct ctl_presence presence = {.connected = nobody};
    struct control *c = *state;
    cs_auto_free countersign_v1_ListDevicesResponse *reply = malloc(sizeof *reply);
    countersign_v1_ListDevicesRequest ask = countersign_v1_ListDevicesRequest_init_zero;
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    unsigned seen = 0, pages = 0;
    size_t bytes;

    assert_non_null(reply);
    c->unchecked = true;
    for (unsigned i = 0; i < DEVICES; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "gw-%02u", i);
        control_device(c, name);
        fill_connectors(c, name);
    }
    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    do {
        memset(reply, 0, sizeof *reply);
        check_ok(ctl_query_ListDevices(view, &presence, c->d.now_s, &ask, reply, &c->err), c->err);
        assert_true(reply->devices_count > 0);
        assert_true(pb_get_encoded_size(&bytes, countersign_v1_ListDevicesResponse_fields, reply));
        assert_true(bytes <= CS_LIMIT_MESSAGE_BYTES);
        seen += reply->devices_count;
        memcpy(ask.after_name, reply->devices[reply->devices_count - 1].name, sizeof ask.after_name);
        pages++;
    } while (reply->more);
    assert_int_equal(seen, DEVICES);
    assert_true(pages > 1);
    ctl_view_free(view);
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
        test(a_page_of_devices_with_much_to_say_fits_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
