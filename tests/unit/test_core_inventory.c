/* What is done to certificates as a whole, through the core's commands: to wherever another one is, groups,
 * and what an import finds. */
#include "tests/support/check.h"

#include "controller/core/query.h"
#include "tests/support/story.h"

#include <pb_encode.h>

#include <stdio.h>
#include <string.h>

static int attach_like(struct control *c, const char *certificate, const char *like,
                       countersign_v1_AttachLikeResponse *reply)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    countersign_v1_AttachLikeRequest request = {0};

    *reply = (countersign_v1_AttachLikeResponse){0};
    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    if (like) {
        id = control_certificate_id(c, like);
        CTL_BYTES_SET(request.like_certificate_id, cs_digest_slice(&id));
    }
    return control_run(c, CTL_ATTACH_LIKE, &request, reply);
}

static void a_certificate_goes_to_wherever_the_other_one_is(void **state)
{
    struct control *c = *state;
    countersign_v1_AttachLikeResponse reply;

    control_device(c, "gw-0");
    control_device(c, "gw-1");
    control_certificate(c, "old");
    control_certificate(c, "new");
    check_code(attach_like(c, "new", "old", &reply), CS_ESTATE);
    check_says(c->err, "attached to no app connector");
    check_ok(control_attach(c, "old", "gw-0"), c->err);
    check_ok(control_attach(c, "old", "gw-1"), c->err);
    check_ok(control_attach(c, "new", "gw-1"), c->err);
    check_ok(attach_like(c, "new", "old", &reply), c->err);
    assert_int_equal(reply.attached, 1);
    assert_int_equal(reply.attachments, 2);
    assert_int_equal(control_certificate_row(c, "new").attachments, 2);
    assert_int_equal(control_certificate_row(c, "old").attachments, 2);
    check_ok(attach_like(c, "new", "old", &reply), c->err);
    assert_int_equal(reply.attached, 0);
    assert_false(c->outcome.changed); /* nothing more to do: no revision */
    check_code(attach_like(c, "new", "new", &reply), CS_EINVAL);
    check_code(attach_like(c, "new", NULL, &reply), CS_ESTATE);
    check_says(c->err, "say which one");
}

/* The renewal of a fleet does not wait for one device that was taken down. */
static void what_a_device_does_not_advertise_any_more_is_passed_over(void **state)
{
    struct control *c = *state;
    countersign_v1_AttachLikeResponse reply;
    ctl_device_row device;
    struct ctl_key key;

    control_device(c, "gw-0");
    control_device(c, "gw-1");
    control_certificate(c, "old");
    control_certificate(c, "new");
    check_ok(control_attach(c, "old", "gw-0"), c->err);
    check_ok(control_attach(c, "old", "gw-1"), c->err);
    device = control_device_row(c, "gw-1");
    key = ctl_key_connector(CTL_TABLE_CONNECTOR, CTL_BYTES(device.device_id), "web");
    memview_delete(&c->store, ctl_key_slice(&key));
    check_ok(attach_like(c, "new", "old", &reply), c->err);
    assert_int_equal(reply.attached, 1);
    assert_int_equal(reply.passed_over, 1);
}

/* One place that its key does not reach: all or nothing. */
static void a_key_that_was_made_on_a_device_goes_nowhere_else(void **state)
{
    struct control *c = *state;
    countersign_v1_AttachLikeResponse reply;
    ctl_certificate_row row;
    struct ctl_key key;
    uint8_t bytes[8192];
    pb_ostream_t stream = pb_ostream_from_buffer(bytes, sizeof bytes);

    control_device(c, "gw-0");
    control_device(c, "gw-1");
    control_certificate(c, "old");
    control_certificate(c, "new");
    check_ok(control_attach(c, "old", "gw-0"), c->err);
    check_ok(control_attach(c, "old", "gw-1"), c->err);
    row = control_certificate_row(c, "new");
    row.key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
    snprintf(row.device_name, sizeof row.device_name, "gw-0");
    snprintf(row.connector, sizeof row.connector, "web");
    assert_true(pb_encode(&stream, countersign_store_v1_Certificate_fields, &row));
    key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row.id));
    memview_put(&c->store, ctl_key_slice(&key), cs_slice(bytes, stream.bytes_written));
    c->unchecked = true; /* the row was changed past its indexes */
    check_code(attach_like(c, "new", "old", &reply), CS_ESTATE);
    check_says(c->err, "made on gw-0 for web");
    assert_int_equal(control_certificate_row(c, "new").attachments, 0);
}

static int set_groups(struct control *c, const char *certificate, size_t count, const char *const *groups)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    countersign_v1_SetCertificateGroupsRequest request = {0};
    countersign_v1_SetCertificateGroupsResponse reply;

    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    for (size_t i = 0; i < count; i++)
        snprintf(request.groups[request.groups_count++], sizeof request.groups[0], "%s", groups[i]);
    return control_run(c, CTL_SET_CERTIFICATE_GROUPS, &request, &reply);
}

static void groups_are_replaced_as_a_whole(void **state)
{
    static const char *const both[] = {"prod", "berlin"}, *const other[] = {"berlin", "lab"};
    static const char *const twice[] = {"lab", "lab"}, *const wrong[] = {"no group"};
    struct control *c = *state;

    control_certificate(c, "shop");
    check_ok(set_groups(c, "shop", 2, both), c->err);
    check_ok(set_groups(c, "shop", 2, both), c->err);
    assert_false(c->outcome.changed);
    check_ok(set_groups(c, "shop", 2, other), c->err); /* the indexes are checked after each command */
    assert_string_equal(control_certificate_row(c, "shop").groups[1], "lab");
    check_code(set_groups(c, "shop", 2, twice), CS_EINVAL);
    check_code(set_groups(c, "shop", 1, wrong), CS_EINVAL);
    assert_int_equal(control_certificate_row(c, "shop").groups_count, 2);
    check_ok(set_groups(c, "shop", 0, NULL), c->err);
    assert_int_equal(control_certificate_row(c, "shop").groups_count, 0);
}

/* However many were open: the row that every command writes, and nothing else. */
static void a_start_touches_no_session(void **state)
{
    struct control *c = *state;
    size_t before;

    control_device(c, "gw-0");
    control_device(c, "gw-1");
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_open(c, "gw-1"), c->err);
    before = c->store.count;
    control_restart(c);
    assert_true(c->store.count >= before);
    assert_int_equal(control_meta(c).run, 1);
    check_ok(control_open(c, "gw-0"), c->err);
    control_restart(c);
    assert_int_equal(control_meta(c).run, 2);
}

#define test(name) cmocka_unit_test_setup_teardown(name, control_begin, control_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_certificate_goes_to_wherever_the_other_one_is),
        test(what_a_device_does_not_advertise_any_more_is_passed_over),
        test(a_key_that_was_made_on_a_device_goes_nowhere_else),
        test(groups_are_replaced_as_a_whole),
        test(a_start_touches_no_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
