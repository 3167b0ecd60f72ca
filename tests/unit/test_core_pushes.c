/* Certificates, reservations, requests and decisions: what is refused and what may be said twice. */
#include "tests/support/check.h"

#include "controller/core/run.h"
#include "tests/support/story.h"

static int begin(void **state)
{
    struct control *c;

    control_begin(state);
    c = *state;
    control_device(c, "gw-0");
    control_device(c, "gw-1");
    control_certificate(c, "shop");
    assert_int_equal(control_attach(c, "shop", "gw-0"), CS_OK);
    return 0;
}

static void the_same_certificate_is_imported_once(void **state)
{
    struct control *c = *state;

    control_certificate(c, "shop");
    assert_false(c->outcome.changed);
    assert_int_equal(control_meta(c).certificates, 1);
    control_certificate(c, "mail");
    assert_int_equal(control_meta(c).certificates, 2);
}

static void attaching_needs_a_connector_that_is_advertised(void **state)
{
    struct control *c = *state;
    struct cs_digest id = control_certificate_id(c, "shop");
    countersign_v1_AttachRequest body = countersign_v1_AttachRequest_init_zero;
    countersign_v1_AttachResponse reply;

    CTL_BYTES_SET(body.certificate_id, cs_digest_slice(&id));
    CTL_TEXT_SET(body.device_name, "gw-0");
    CTL_TEXT_SET(body.connector, "mail");
    assert_int_equal(control_run(c, CTL_ATTACH, &body, &reply), CS_ENOTFOUND);
    check_says(c->err, "does not advertise");
    CTL_TEXT_SET(body.connector, "../web");
    assert_int_equal(control_run(c, CTL_ATTACH, &body, &reply), CS_EINVAL);
    assert_int_equal(control_attach(c, "shop", "gw-9"), CS_ENOTFOUND);
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    assert_false(c->outcome.changed);
    assert_int_equal(control_certificate_row(c, "shop").attachments, 1);
}

static void a_push_under_way_holds_its_attachment(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop");

    assert_int_equal(control_detach(c, "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "WO-1");
    check_ok(control_cancel(c, push), c->err);
    check_ok(control_detach(c, "shop", "gw-0"), c->err);
    assert_int_equal(control_detach(c, "shop", "gw-0"), CS_ENOTFOUND);
    assert_int_equal(control_certificate_row(c, "shop").attachments, 0);
}

static void a_push_needs_an_attachment(void **state)
{
    struct control *c = *state;
    uint64_t number;

    control_certificate(c, "mail");
    assert_int_equal(control_prepare(c, "mail", NULL, &number), CS_ESTATE);
    check_says(c->err, "no app connector");
    assert_int_equal(control_prepare(c, "shop", "gw-1", &number), CS_ESTATE);
    check_says(c->err, "attach it first");
}

static ctl_connector_row connector(struct control *c)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    struct ctl_key key = ctl_key_connector(CTL_TABLE_CONNECTOR, CTL_BYTES(device.device_id), "web");
    ctl_connector_row row;

    assert_true(control_get(c, &key, countersign_store_v1_Connector_fields, &row));
    return row;
}

static void a_reservation_lapses_and_gives_its_generation_back(void **state)
{
    struct control *c = *state;
    uint64_t number;

    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
    assert_int_equal(connector(c).last_generation, 1);
    assert_int_equal(control_next_due(c), c->d.now_s + CTL_RESERVATION_S);
    c->d.now_s += CTL_RESERVATION_S;
    check_ok(control_tick(c), c->err);
    assert_int_equal(connector(c).last_generation, 0);
    assert_int_equal(control_submit(c, number), CS_ENOTFOUND);
    check_says(c->err, "prepare the push again");
}

static void a_request_is_submitted_once(void **state)
{
    struct control *c = *state;
    uint64_t number;
    uint64_t revision;

    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
    check_ok(control_submit(c, number), c->err);
    revision = control_meta(c).revision;
    /* control_submit() signs anew what is no longer reserved: another request under the same number. */
    assert_int_equal(control_submit(c, number), CS_EEXISTS);
    assert_int_equal(control_meta(c).revision, revision);
}

static void a_request_has_to_match_its_reservation(void **state)
{
    struct control *c = *state;
    uint64_t first, second;
    struct ctl_key key;
    ctl_reservation_row row;
    struct ctl_submit_push body = {.comment = ""};
    countersign_v1_PushRequest request;
    countersign_v1_SubmitPushResponse reply;
    struct cs_digest empty = cs_sha256(CS_SLICE_EMPTY);

    check_ok(control_prepare(c, "shop", NULL, &first), c->err);
    check_ok(control_prepare(c, "shop", NULL, &second), c->err);
    key = ctl_key_number(CTL_TABLE_RESERVATION, second);
    assert_true(control_get(c, &key, countersign_store_v1_Reservation_fields, &row));
    deployment_fill_request(&c->d, &request);
    CTL_BYTES_SET(request.comment_digest, cs_digest_slice(&empty));
    CTL_BYTES_COPY(request.request_id, row.request_id);
    CTL_BYTES_COPY(request.order_root, row.order_root);
    request.number = first;
    body.request = &request;
    body.policy_version = cs_policy_version(c->d.policy);
    assert_int_equal(control_run(c, CTL_SUBMIT_PUSH, &body, &reply), CS_EINVAL);
    check_says(c->err, "does not sign what was prepared");
    body.comment = "another";
    assert_int_equal(control_run(c, CTL_SUBMIT_PUSH, &body, &reply), CS_EINVAL);
    check_says(c->err, "comment");
}

static void a_decision_made_on_a_stale_list_is_refused(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop");

    check_ok(control_decide(c, push, "bob", 1), c->err);
    /* The same bytes again are the same decision; a second one of the same person is not. */
    c->d.now_s++;
    assert_int_not_equal(control_decide(c, push, "bob", 1), CS_OK);
    assert_int_not_equal(control_decide(c, push, "alice", 2), CS_OK);
    assert_int_not_equal(control_decide(c, push, "bob", 2), CS_OK);
    assert_int_equal(control_request(c, push).decision_count, 1);
}

static void one_request_spans_devices_and_its_state_is_the_least_advanced(void **state)
{
    struct control *c = *state;
    uint64_t push, first;

    check_ok(control_attach(c, "shop", "gw-1"), c->err);
    push = control_push(c, "shop");
    first = control_request(c, push).first_order;
    assert_int_equal(control_request(c, push).order_count, 2);
    control_approve(c, push);
    check_ok(control_open(c, "gw-0"), c->err);
    assert_true(control_delivered(c, first));
    check_ok(control_tick(c), c->err);
    assert_false(control_delivered(c, first + 1));
    check_ok(control_report(c, first, countersign_v1_Outcome_OUTCOME_COMPLETED), c->err);
    assert_int_equal(control_meta(c).requests_open, 1);
    check_ok(control_open(c, "gw-1"), c->err);
    check_ok(control_report(c, first + 1, countersign_v1_Outcome_OUTCOME_REFUSED), c->err);
    assert_int_equal(control_meta(c).requests_open, 0);
    assert_int_equal(control_certificate_row(c, "shop").failed, 1);
}

static void reports_may_come_twice(void **state)
{
    struct control *c = *state;
    uint64_t push = control_push(c, "shop"), order = control_request(c, push).first_order;
    uint64_t revision;

    control_approve(c, push);
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_ACCEPTED), c->err);
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_COMPLETED), c->err);
    revision = control_meta(c).revision;
    c->sequence -= 2;
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_ACCEPTED), c->err);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_ACK);
    check_ok(control_report(c, order, countersign_v1_Outcome_OUTCOME_COMPLETED), c->err);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_ACK);
    assert_int_equal(control_meta(c).revision, revision);
}

static void nothing_is_pushed_without_a_key(void **state)
{
    struct control *c = *state;
    struct pki pki = pki_issue(&c->ca, (struct cs_issue){.common_name = "keyless", .client_auth = true});
    struct cs_cert_info info;
    struct ctl_import_certificate body = {cs_chain_bytes(pki.chain), &info, 1, CS_SLICE_EMPTY};
    countersign_v1_ImportCertificateResponse reply = countersign_v1_ImportCertificateResponse_init_zero;
    countersign_v1_PreparePushRequest *prepare = calloc(1, sizeof *prepare);
    countersign_v1_PreparePushResponse prepared;

    assert_non_null(prepare);
    cs_chain_info(pki.chain, 0, &info);
    check_ok(control_run(c, CTL_IMPORT_CERTIFICATE, &body, &reply), c->err);
    assert_false(reply.existed);
    CTL_BYTES_SET(prepare->certificate_id, cs_digest_slice(&info.digest));
    assert_int_equal(control_run(c, CTL_PREPARE_PUSH, prepare, &prepared), CS_ESTATE);
    check_says(c->err, "private key");
    /* The key can come later. */
    body.sealed_key = CS_SLICE_LIT("sealed");
    check_ok(control_run(c, CTL_IMPORT_CERTIFICATE, &body, &reply), c->err);
    assert_true(reply.existed && c->outcome.changed);
    free(prepare);
    pki_free(&pki);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        test(the_same_certificate_is_imported_once),
        test(attaching_needs_a_connector_that_is_advertised),
        test(a_push_under_way_holds_its_attachment),
        test(a_push_needs_an_attachment),
        test(a_reservation_lapses_and_gives_its_generation_back),
        test(a_request_is_submitted_once),
        test(a_request_has_to_match_its_reservation),
        test(a_decision_made_on_a_stale_list_is_refused),
        test(one_request_spans_devices_and_its_state_is_the_least_advanced),
        test(reports_may_come_twice),
        test(nothing_is_pushed_without_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
