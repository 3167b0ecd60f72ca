/* The audit as the core writes it: its end for a checkpoint, and texts that an export can carry. */
#include "tests/support/check.h"

#include "controller/core/query.h"
#include "tests/support/control.h"

static int ask(struct control *c, countersign_v1_AuditCheckpoint *ret)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    int rc;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    rc = ctl_query_checkpoint(view, c->d.now_s, ret, &c->err);
    ctl_view_free(view);
    return rc;
}

static void there_is_no_checkpoint_before_the_first_policy(void **state)
{
    struct control c = {.random = 0};
    countersign_v1_AuditCheckpoint checkpoint;

    (void)state;
    check_code(ask(&c, &checkpoint), CS_ESTATE);
    check_says(c.err, "no trust policy yet");
}

static void a_checkpoint_is_the_newest_record(void **state)
{
    struct control c;
    countersign_v1_AuditCheckpoint checkpoint;

    (void)state;
    control_start(&c);
    for (unsigned i = 0; i < 3; i++) {
        countersign_v1_AuditRecord record;
        ctl_meta_row meta;
        struct ctl_key key;

        control_device(&c, i == 0 ? "gw-0" : i == 1 ? "gw-1" : "gw-2");
        meta = control_meta(&c);
        key = ctl_key_number(CTL_TABLE_AUDIT, meta.revision);
        assert_true(control_get(&c, &key, countersign_v1_AuditRecord_fields, &record));
        check_ok(ask(&c, &checkpoint), c.err);
        assert_int_equal(checkpoint.revision, meta.revision);
        assert_int_equal(checkpoint.made_at_s, c.d.now_s);
        check_slice(CS_PB_BYTES(&checkpoint.hash), CS_PB_BYTES(&record.hash));
        check_slice(CS_PB_BYTES(&checkpoint.deployment_id), CS_SLICE_ARRAY(c.d.id));
    }
    control_stop(&c);
}

static void a_name_cut_inside_a_character_is_repaired(void **state)
{
    struct ctl_actor actor = {.name = "j\xc3\xbcrgen \xc3", .peer = "\xff"};
    countersign_v1_CreateTokenRequest request = {.device_name = "gw-9"};
    countersign_v1_CreateTokenResponse reply;
    struct ctl_outcome outcome = {.reply = &reply};
    countersign_v1_AuditRecord record;
    struct ctl_context context;
    struct ctl_source source;
    struct ctl_view *view;
    struct control c;
    struct ctl_key key;

    (void)state;
    control_start(&c);
    control_device(&c, "gw-0");
    context = (struct ctl_context){.policy = c.d.policy, .now_s = c.d.now_s};
    source = memview_source(&c.store);
    check_ok(ctl_view_new(&source, &view, &c.err), c.err);
    request.expires_at_s = c.d.now_s + 60;
    request.authentication_digest.size = CS_SHA256_BYTES;
    check_ok(ctl_core_run(view, &context, CTL_CREATE_TOKEN, &request, &actor, &outcome, &c.err), c.err);
    key = ctl_key_number(CTL_TABLE_AUDIT, control_meta(&c).revision + 1);
    check_ok(ctl_record_get(view, &key, countersign_v1_AuditRecord_fields, &record, &c.err), c.err);
    assert_string_equal(record.actor, "j\xc3\xbcrgen ?");
    assert_string_equal(record.peer, "?");
    ctl_view_free(view);
    free(outcome.effects);
    control_stop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_checkpoint_before_the_first_policy),
        cmocka_unit_test(a_checkpoint_is_the_newest_record),
        cmocka_unit_test(a_name_cut_inside_a_character_is_repaired),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
