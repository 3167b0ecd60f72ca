/* Renewals, admissions that vouch anew, bans and quarantines, as the core decides them. Whose signature is on
 * a renewal the shard has checked: here only what follows from it. */
#include "tests/support/check.h"
#include "tests/support/story.h"

#include "controller/core/query.h"

#include <stdio.h>

enum { LIFE_S = 30 * 86400 };

static int begin(void **state)
{
    struct control *c;

    control_begin(state);
    c = *state;
    control_device(c, "gw-0");
    return 0;
}

static struct cs_slice key_of(struct control *c, const char *key)
{
    return cs_key_spki(deployment_key(&c->d, key));
}

/* The keys that control_device() enrolled. */
static const char first_key[] = "gw-0 identity 0";

/* From `before` ("": a repetition) to `fresh`; *ret_reply is filled by CTL_RENEW. */
static int renew_so(struct control *c, enum ctl_command_kind kind, uint64_t sequence, const char *before,
                    const char *fresh, countersign_v1_RenewResponse *ret_reply)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    countersign_v1_DeviceRenewal renewal;
    char envelope[64], certificate[64];
    struct ctl_renewal body = {.renewal = &renewal, .session_id = c->session, .until_s = c->d.now_s + LIFE_S};

    deployment_fill_renewal(&c->d, "gw-0", &renewal);
    renewal.sequence = sequence;
    CTL_BYTES_COPY(renewal.device_id, device.device_id);
    CTL_BYTES_SET(renewal.identity_spki, key_of(c, fresh));
    memcpy(body.device_id, device.device_id.bytes, sizeof body.device_id);
    if (before[0])
        body.before = key_of(c, before);
    (void)snprintf(envelope, sizeof envelope, "renewal %llu to %s", (unsigned long long)sequence, fresh);
    (void)snprintf(certificate, sizeof certificate, "for %s at %lld", fresh, (long long)c->d.now_s);
    body.envelope = cs_slice_str(envelope);
    body.certificate = cs_slice_str(certificate);
    return control_run(c, kind, &body, ret_reply);
}

static int renew(struct control *c, uint64_t sequence, const char *before, const char *fresh)
{
    return renew_so(c, CTL_RENEWAL, sequence, before, fresh, NULL);
}

static int renew_late(struct control *c, uint64_t sequence, const char *before, const char *fresh,
                      char ret_certificate[64])
{
    countersign_v1_RenewResponse reply = countersign_v1_RenewResponse_init_zero;
    int rc = renew_so(c, CTL_RENEW, sequence, before, fresh, &reply);

    (void)snprintf(ret_certificate, 64, "%.*s", (int)reply.certificate.size,
                   (const char *)reply.certificate.bytes);
    return rc;
}

/* A newly signed admission for this key. */
static int admit_key(struct control *c, const char *key, int64_t signed_at_s)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    char envelope[64];
    countersign_v1_Admission admission;
    countersign_v1_AdmitDeviceResponse reply = countersign_v1_AdmitDeviceResponse_init_zero;
    struct ctl_admit_device body = {CS_SLICE_EMPTY, &admission, cs_policy_version(c->d.policy)};

    (void)snprintf(envelope, sizeof envelope, "admission of %s at %lld", key, (long long)signed_at_s);
    body.envelope = cs_slice_str(envelope);
    deployment_fill_admission(&c->d, "gw-0", &admission);
    CTL_BYTES_COPY(admission.device_id, device.device_id);
    CTL_BYTES_SET(admission.identity_spki, key_of(c, key));
    CTL_BYTES_SET(admission.kem_spki, key_of(c, "gw-0 kem 0"));
    admission.admitted_at_s = signed_at_s;
    return control_run(c, CTL_ADMIT_DEVICE, &body, &reply);
}

static int open_with(struct control *c, const char *key)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    countersign_v1_Hello hello = countersign_v1_Hello_init_zero;
    struct ctl_session_opened body = {.device_name = "gw-0",
                                      .session_id = ++c->session,
                                      .hello = &hello,
                                      .address = "192.0.2.1:4000",
                                      .identity_key = cs_sha256(key_of(c, key))};

    memcpy(body.device_id, device.device_id.bytes, sizeof body.device_id);
    return control_run(c, CTL_SESSION_OPENED, &body, NULL);
}

static int ban(struct control *c, const char *comment)
{
    countersign_v1_BanDeviceRequest body = {.name = "gw-0"};
    countersign_v1_BanDeviceResponse reply = countersign_v1_BanDeviceResponse_init_zero;

    (void)snprintf(body.comment, sizeof body.comment, "%s", comment);
    return control_run(c, CTL_BAN_DEVICE, &body, &reply);
}

static int quarantine(struct control *c)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    struct ctl_quarantine body = {.older_session = 1, .newer_session = 2};

    memcpy(body.device_id, device.device_id.bytes, sizeof body.device_id);
    return control_run(c, CTL_QUARANTINE_DEVICE, &body, NULL);
}

static bool has_effect(const struct control *c, enum ctl_effect_kind kind)
{
    for (size_t i = 0; i < c->outcome.effect_count; i++)
        if (c->outcome.effects[i].kind == kind)
            return true;
    return false;
}

/* May this key open a session? */
static bool is_known(struct control *c, const char *key)
{
    struct cs_digest digest = cs_sha256(key_of(c, key));
    struct ctl_key index = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    struct ctl_source source = memview_source(&c->store);
    struct cs_slice there;
    struct cs_err err;

    return source.get(source.data, ctl_key_slice(&index), &there, &err) == CS_OK;
}

static bool nobody_is_connected(void *data, const uint8_t device_id[16])
{
    (void)data;
    (void)device_id;
    return false;
}

static countersign_v1_GetDeviceResponse *get_device(struct control *c)
{
    static const struct ctl_presence presence = {.connected = nobody_is_connected};
    countersign_v1_GetDeviceResponse *reply = calloc(1, sizeof *reply);
    const countersign_v1_GetDeviceRequest request = {.name = "gw-0"};
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_query_GetDevice(view, &presence, c->d.now_s, &request, reply, &c->err), c->err);
    ctl_view_free(view);
    return reply;
}

static countersign_v1_GetEnrolmentResponse get_enrolment(struct control *c)
{
    countersign_v1_GetEnrolmentResponse reply = countersign_v1_GetEnrolmentResponse_init_zero;
    const countersign_v1_GetEnrolmentRequest request = {.device_name = "gw-0"};
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_query_GetEnrolment(view, NULL, c->d.now_s, &request, &reply, &c->err), c->err);
    ctl_view_free(view);
    return reply;
}

/* The certificate has expired: what control_enrol() says has no end. */
static void let_expire(struct control *c)
{
    check_ok(renew(c, 50, first_key, "second"), c->err);
    c->d.now_s += LIFE_S;
}

/* ---- renewals in time */

static void a_renewal_is_granted_and_answered_once_it_is_durable(void **state)
{
    struct control *c = *state;
    ctl_device_row device;

    check_ok(renew(c, 50, first_key, "second"), c->err);
    assert_int_equal(c->outcome.effect_count, 2);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_ACK);
    assert_int_equal(c->outcome.effects[1].kind, CTL_EFFECT_IDENTITY);
    assert_int_equal(c->outcome.effects[1].sequence, 50);
    device = control_device_row(c, "gw-0");
    check_slice(CTL_BYTES(device.identity_spki), key_of(c, "second"));
    check_slice(CTL_BYTES(device.admitted_spki), key_of(c, first_key));
    assert_int_equal(device.identity_until_s, c->d.now_s + LIFE_S);
    assert_int_equal(device.sequence, 50);
}

static void repeating_a_renewal_changes_nothing_and_is_answered_again(void **state)
{
    struct control *c = *state;
    char certificate[64], again[64];

    check_ok(renew_late(c, 50, first_key, "second", certificate), c->err);
    c->d.now_s += 5;
    check_ok(renew(c, 50, "", "second"), c->err);
    assert_false(c->outcome.changed);
    assert_true(has_effect(c, CTL_EFFECT_IDENTITY));
    check_ok(renew_late(c, 50, "", "second", again), c->err);
    assert_string_equal(certificate, again);
    assert_string_not_equal(certificate, "");
}

static void both_keys_open_sessions_until_the_fresh_one_has(void **state)
{
    struct control *c = *state;

    check_ok(renew(c, 50, first_key, "second"), c->err);
    assert_true(is_known(c, first_key) && is_known(c, "second"));
    check_ok(open_with(c, first_key), c->err);
    assert_true(is_known(c, first_key) && is_known(c, "second"));
    check_ok(open_with(c, "second"), c->err);
    assert_false(is_known(c, first_key));
    assert_true(is_known(c, "second"));
    /* A stream of before that has been silent until now. */
    assert_int_equal(open_with(c, first_key), CS_EAUTH);
    check_ok(open_with(c, "second"), c->err);
}

static void a_second_renewal_drops_the_key_before_the_last(void **state)
{
    struct control *c = *state;

    check_ok(renew(c, 50, first_key, "second"), c->err);
    check_ok(renew(c, 60, "second", "third"), c->err);
    assert_false(is_known(c, first_key));
    assert_true(is_known(c, "second") && is_known(c, "third"));
}

static void refuses_a_renewal_that_was_checked_against_another_key(void **state)
{
    struct control *c = *state;

    check_ok(renew(c, 50, first_key, "second"), c->err);
    assert_int_equal(renew(c, 60, first_key, "third"), CS_ESTALE);
    assert_int_equal(renew(c, 60, "", "third"), CS_ESTALE);
    assert_false(is_known(c, "third"));
}

static void refuses_a_key_that_is_in_use(void **state)
{
    struct control *c = *state;

    control_device(c, "gw-1");
    assert_int_equal(renew(c, 50, first_key, "gw-1 identity 0"), CS_EEXISTS);
}

static void refuses_a_device_that_was_never_admitted(void **state)
{
    struct control *c = *state;

    control_end(state);
    c = malloc(sizeof *c);
    *state = c;
    control_start(c);
    check_ok(control_token(c, "gw-0", "token"), c->err);
    check_ok(control_enrol(c, "gw-0", "token", 0), c->err);
    assert_int_equal(renew(c, 50, first_key, "second"), CS_ESTATE);
    check_says(c->err, "never admitted");
}

static void clients_get_the_renewals_since_the_admission(void **state)
{
    struct control *c = *state;
    cs_auto_free countersign_v1_GetDeviceResponse *before = NULL;
    cs_auto_free countersign_v1_GetDeviceResponse *after = NULL;

    check_ok(renew(c, 50, first_key, "second"), c->err);
    check_ok(renew(c, 60, "second", "third"), c->err);
    before = get_device(c);
    assert_int_equal(before->renewals_count, 2);
    check_slice(CTL_BYTES(before->renewals[0]), CS_SLICE_LIT("renewal 50 to second"));
    check_slice(CTL_BYTES(before->renewals[1]), CS_SLICE_LIT("renewal 60 to third"));
    assert_int_equal(before->device.identity_until_s, c->d.now_s + LIFE_S);
    check_ok(admit_key(c, "third", c->d.now_s + 1), c->err);
    after = get_device(c);
    assert_int_equal(after->renewals_count, 0);
    /* The device may still repeat the last one. */
    check_ok(renew(c, 60, "", "third"), c->err);
    assert_true(has_effect(c, CTL_EFFECT_IDENTITY));
}

static int says(struct control *c, uint64_t sequence, const char *key)
{
    ctl_device_row row = control_device_row(c, "gw-0");
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct ctl_source source = memview_source(&c->store);
    struct cs_verified verified;
    struct ctl_view *view;
    int rc;

    deployment_fill_report(&c->d, "gw-0", report);
    report->sequence = sequence;
    CTL_BYTES_COPY(report->device_id, row.device_id);
    cs_auto(cs_buf_free) struct cs_buf wire =
        deployment_sign(&c->d, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, key);

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_query_device(view, row.device_id.bytes, &device, NULL, &c->err), c->err);
    ctl_view_free(view);
    rc = cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_REPORT, &verified, &c->err);
    return rc;
}

/* The device said something, renewed, and heard of neither; meanwhile an admin admitted its fresh key. */
static void what_was_said_before_a_renewal_is_taken_after_an_admission_anew(void **state)
{
    struct control *c = *state;
    ctl_device_row row = control_device_row(c, "gw-0");
    const struct cs_key *keys[] = {deployment_key(&c->d, first_key), deployment_key(&c->d, "second")};
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    countersign_v1_DeviceRenewal renewal;
    struct ctl_renewal body = {.renewal = &renewal,
                               .session_id = c->session,
                               .before = key_of(c, first_key),
                               .certificate = CS_SLICE_LIT("for second"),
                               .until_s = c->d.now_s + LIFE_S};

    deployment_fill_renewal(&c->d, "gw-0", &renewal);
    renewal.sequence = 50;
    CTL_BYTES_COPY(renewal.device_id, row.device_id);
    CTL_BYTES_SET(renewal.identity_spki, key_of(c, "second"));
    memcpy(body.device_id, row.device_id.bytes, sizeof body.device_id);
    cs_auto(cs_buf_free) struct cs_buf payload =
        deployment_encode(countersign_v1_DeviceRenewal_fields, &renewal);

    check_ok(cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, cs_buf_slice(&payload), keys, 2, &wire, &c->err),
             c->err);
    body.envelope = cs_buf_slice(&wire);
    check_ok(control_run(c, CTL_RENEWAL, &body, NULL), c->err);
    check_ok(admit_key(c, "second", c->d.now_s + 1), c->err);
    check_ok(says(c, 49, first_key), c->err);
    check_ok(says(c, 51, "second"), c->err);
    check_code(says(c, 51, first_key), CS_EAUTH);
    check_code(says(c, 49, "second"), CS_EAUTH);
    /* Now it has heard, and has signed anew what was not acknowledged. */
    check_ok(open_with(c, "second"), c->err);
    check_code(says(c, 49, first_key), CS_EAUTH);
    check_ok(says(c, 51, "second"), c->err);
}

/* ---- renewals that wait for a new admission */

static void a_late_renewal_waits_for_a_new_admission(void **state)
{
    struct control *c = *state;
    countersign_v1_GetEnrolmentResponse enrolment;
    cs_auto_free countersign_v1_GetDeviceResponse *shown = NULL;
    char certificate[64], again[64];

    let_expire(c);
    check_ok(renew_late(c, 60, "second", "third", certificate), c->err);
    assert_string_equal(certificate, "");
    assert_false(is_known(c, "third"));
    check_ok(renew_late(c, 60, "", "third", certificate), c->err);
    assert_false(c->outcome.changed);
    assert_string_equal(certificate, "");
    enrolment = get_enrolment(c);
    assert_true(enrolment.enrolled && !enrolment.admitted);
    check_slice(CTL_BYTES(enrolment.identity_spki), key_of(c, "third"));
    check_slice(CTL_BYTES(enrolment.renewal), CS_SLICE_LIT("renewal 60 to third"));
    shown = get_device(c);
    assert_true(shown->device.waits_for_admission);
    assert_int_equal(shown->renewals_count, 1); /* the one that waits is vouched for by nobody */

    check_ok(admit_key(c, "third", c->d.now_s), c->err);
    assert_true(is_known(c, "third"));
    check_ok(renew_late(c, 60, "", "third", certificate), c->err);
    assert_string_not_equal(certificate, "");
    c->d.now_s += 60;
    check_ok(renew_late(c, 60, "", "third", again), c->err);
    assert_string_equal(certificate, again);
    check_ok(open_with(c, "third"), c->err);
    assert_false(is_known(c, "second"));
    enrolment = get_enrolment(c);
    assert_true(enrolment.admitted && enrolment.renewal.size == 0);
}

static void an_admission_of_the_old_key_lets_no_late_renewal_in(void **state)
{
    struct control *c = *state;
    char certificate[64];

    let_expire(c);
    check_ok(renew_late(c, 60, "second", "third", certificate), c->err);
    check_ok(admit_key(c, "second", c->d.now_s), c->err);
    check_ok(renew_late(c, 60, "", "third", certificate), c->err);
    assert_string_equal(certificate, "");
    assert_int_equal(admit_key(c, "fourth", c->d.now_s + 1), CS_EINVAL);
    check_ok(admit_key(c, "third", c->d.now_s + 1), c->err);
}

static void a_device_that_lost_its_fresh_key_may_wait_with_another(void **state)
{
    struct control *c = *state;
    char certificate[64];

    let_expire(c);
    check_ok(renew_late(c, 60, "second", "third", certificate), c->err);
    assert_int_equal(renew_late(c, 55, "second", "other", certificate), CS_ESTALE);
    check_ok(renew_late(c, 70, "second", "other", certificate), c->err);
    assert_int_equal(admit_key(c, "third", c->d.now_s), CS_EINVAL);
    check_ok(admit_key(c, "other", c->d.now_s), c->err);
}

static void the_renewal_after_the_last_that_an_admission_vouches_for_waits(void **state)
{
    struct control *c = *state;
    ctl_device_row device;
    struct ctl_key key;
    struct ctl_view *view;
    struct ctl_source source = memview_source(&c->store);

    check_ok(renew(c, 50, first_key, "second"), c->err);
    device = control_device_row(c, "gw-0");
    device.renewals = CS_LIMIT_RENEWALS - 1;
    key = ctl_key_bytes(CTL_TABLE_DEVICE, CTL_BYTES(device.device_id));
    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_put(view, &key, Device, &device, &c->err), c->err);
    memview_commit(&c->store, view);
    ctl_view_free(view);

    check_ok(renew(c, 60, "second", "third"), c->err);
    assert_true(has_effect(c, CTL_EFFECT_IDENTITY));
    check_ok(renew(c, 70, "third", "fourth"), c->err);
    assert_true(has_effect(c, CTL_EFFECT_ACK));
    assert_false(has_effect(c, CTL_EFFECT_IDENTITY));
    check_ok(admit_key(c, "fourth", c->d.now_s), c->err);
    check_ok(renew(c, 70, "", "fourth"), c->err);
    assert_true(has_effect(c, CTL_EFFECT_IDENTITY));
    assert_int_equal(control_device_row(c, "gw-0").renewals, 0);
}

static void an_enrolment_anew_takes_all_keys_of_the_old_one_away(void **state)
{
    struct control *c = *state;
    char certificate[64];

    let_expire(c);
    check_ok(renew_late(c, 60, "second", "third", certificate), c->err);
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 1), c->err);
    check_ok(control_admit(c, "gw-0", 1), c->err);
    assert_false(is_known(c, first_key) || is_known(c, "second") || is_known(c, "third"));
    assert_int_equal(get_enrolment(c).renewal.size, 0);
}

/* ---- bans */

static void a_ban_ends_the_session_and_opens_no_other(void **state)
{
    struct control *c = *state;
    cs_auto_free countersign_v1_GetDeviceResponse *shown = NULL;

    check_ok(open_with(c, first_key), c->err);
    check_ok(ban(c, "stolen"), c->err);
    assert_true(has_effect(c, CTL_EFFECT_BANNED));
    assert_int_equal(open_with(c, first_key), CS_EDENIED);
    check_says(c->err, "banned");
    control_restart(c);
    assert_int_equal(open_with(c, first_key), CS_EDENIED);
    shown = get_device(c);
    assert_true(shown->device.banned);
    check_ok(ban(c, "once more"), c->err);
    assert_false(c->outcome.changed);
}

static void a_ban_refuses_renewals_also_late_ones(void **state)
{
    struct control *c = *state;
    char certificate[64];

    check_ok(ban(c, "stolen"), c->err);
    assert_int_equal(renew(c, 50, first_key, "second"), CS_EDENIED);
    c->d.now_s += LIFE_S;
    assert_int_equal(renew_late(c, 50, first_key, "second", certificate), CS_EDENIED);
    check_says(c->err, "banned");
}

static void a_ban_cancels_what_was_not_handed_over(void **state)
{
    struct control *c = *state;
    uint64_t undecided, decided, handed_over;

    control_certificate(c, "shop");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(open_with(c, first_key), c->err);
    handed_over = control_push(c, "shop");
    control_approve(c, handed_over);
    check_ok(control_tick(c), c->err);
    check_ok(control_close(c, "gw-0"), c->err);
    decided = control_push(c, "shop");
    control_approve(c, decided);
    check_ok(control_tick(c), c->err);
    undecided = control_push(c, "shop");
    check_ok(ban(c, "stolen from the van"), c->err);
    assert_int_equal(control_order(c, control_request(c, handed_over).first_order).phase,
                     countersign_store_v1_Phase_PHASE_HANDED_OVER);
    assert_int_equal(control_order(c, control_request(c, decided).first_order).phase,
                     countersign_store_v1_Phase_PHASE_CANCELLED);
    assert_int_equal(control_order(c, control_request(c, undecided).first_order).phase,
                     countersign_store_v1_Phase_PHASE_CANCELLED);
    assert_string_equal(control_order(c, control_request(c, undecided).first_order).reason,
                        "the device was banned: stolen from the van");
}

static void nothing_is_prepared_or_submitted_for_a_banned_device(void **state)
{
    struct control *c = *state;
    uint64_t number = 0, other;

    control_certificate(c, "shop");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
    check_ok(ban(c, ""), c->err);
    assert_int_equal(control_submit(c, number), CS_EDENIED);
    assert_int_equal(control_prepare(c, "shop", NULL, &other), CS_EDENIED);
    check_says(c->err, "banned");
}

static void only_a_newly_signed_admission_lifts_a_ban(void **state)
{
    struct control *c = *state;
    uint64_t number;

    control_certificate(c, "shop");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(admit_key(c, first_key, c->d.now_s + 10), c->err);
    c->d.now_s += 3600;
    check_ok(ban(c, ""), c->err);
    check_ok(admit_key(c, first_key, c->d.now_s - 3590), c->err); /* word for word the one before: nothing */
    assert_false(c->outcome.changed);
    assert_int_equal(admit_key(c, first_key, c->d.now_s - 1800), CS_ESTALE);
    check_says(c->err, "before device gw-0 was banned");
    assert_int_equal(open_with(c, first_key), CS_EDENIED);
    check_ok(admit_key(c, first_key, c->d.now_s + 1), c->err);
    check_ok(open_with(c, first_key), c->err);
    check_ok(control_prepare(c, "shop", NULL, &number), c->err);
}

static void bans_what_is_there_only(void **state)
{
    struct control *c = *state;
    countersign_v1_BanDeviceRequest body = {.name = "gw-9"};
    countersign_v1_BanDeviceResponse reply = countersign_v1_BanDeviceResponse_init_zero;

    assert_int_equal(control_run(c, CTL_BAN_DEVICE, &body, &reply), CS_ENOTFOUND);
    check_ok(control_token(c, "gw-9", "token"), c->err);
    assert_int_equal(control_run(c, CTL_BAN_DEVICE, &body, &reply), CS_ENOTFOUND);
    check_ok(control_enrol(c, "gw-9", "token", 0), c->err);
    check_ok(control_run(c, CTL_BAN_DEVICE, &body, &reply), c->err);
}

/* Its stream is open before anybody has admitted it: it can be closed, and its first admission opens it. */
static void the_first_admission_lifts_a_ban_or_a_quarantine_too(void **state)
{
    struct control *c = *state;
    countersign_v1_BanDeviceRequest banned = {.name = "gw-8"};
    countersign_v1_BanDeviceResponse reply = countersign_v1_BanDeviceResponse_init_zero;
    struct ctl_quarantine quarantined = {.older_session = 1, .newer_session = 2};
    ctl_device_row device;

    check_ok(control_token(c, "gw-8", "eight"), c->err);
    check_ok(control_enrol(c, "gw-8", "eight", 0), c->err);
    check_ok(control_run(c, CTL_BAN_DEVICE, &banned, &reply), c->err);
    check_ok(control_token(c, "gw-9", "nine"), c->err);
    check_ok(control_enrol(c, "gw-9", "nine", 0), c->err);
    device = control_device_row(c, "gw-9");
    memcpy(quarantined.device_id, device.device_id.bytes, sizeof quarantined.device_id);
    check_ok(control_run(c, CTL_QUARANTINE_DEVICE, &quarantined, NULL), c->err);
    assert_int_equal(control_open(c, "gw-8"), CS_EDENIED);
    assert_int_equal(control_open(c, "gw-9"), CS_EDENIED);

    c->d.now_s += 3600;
    check_ok(control_admit(c, "gw-8", 0), c->err);
    check_ok(control_admit(c, "gw-9", 0), c->err);
    check_ok(control_open(c, "gw-8"), c->err);
    check_ok(control_open(c, "gw-9"), c->err);
}

/* ---- quarantine */

static void a_quarantined_device_gets_nothing_and_its_orders_wait(void **state)
{
    struct control *c = *state;
    uint64_t request, number;

    control_certificate(c, "shop");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(open_with(c, first_key), c->err);
    request = control_push(c, "shop");
    check_ok(quarantine(c), c->err);
    assert_true(has_effect(c, CTL_EFFECT_QUARANTINED));
    control_approve(c, request);
    check_ok(control_tick(c), c->err);
    assert_int_equal(control_order(c, control_request(c, request).first_order).phase,
                     countersign_store_v1_Phase_PHASE_WAITING);
    assert_int_equal(open_with(c, first_key), CS_EDENIED);
    assert_int_equal(renew(c, 50, first_key, "second"), CS_EDENIED);
    assert_int_equal(control_prepare(c, "shop", NULL, &number), CS_EDENIED);
    check_says(c->err, "quarantined");
    control_restart(c);
    assert_int_equal(open_with(c, first_key), CS_EDENIED);

    check_ok(admit_key(c, first_key, c->d.now_s + 1), c->err);
    check_ok(open_with(c, first_key), c->err);
    assert_true(control_delivered(c, control_request(c, request).first_order));
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        test(a_renewal_is_granted_and_answered_once_it_is_durable),
        test(repeating_a_renewal_changes_nothing_and_is_answered_again),
        test(both_keys_open_sessions_until_the_fresh_one_has),
        test(a_second_renewal_drops_the_key_before_the_last),
        test(what_was_said_before_a_renewal_is_taken_after_an_admission_anew),
        test(refuses_a_renewal_that_was_checked_against_another_key),
        test(refuses_a_key_that_is_in_use),
        test(refuses_a_device_that_was_never_admitted),
        test(clients_get_the_renewals_since_the_admission),
        test(a_late_renewal_waits_for_a_new_admission),
        test(an_admission_of_the_old_key_lets_no_late_renewal_in),
        test(a_device_that_lost_its_fresh_key_may_wait_with_another),
        test(the_renewal_after_the_last_that_an_admission_vouches_for_waits),
        test(an_enrolment_anew_takes_all_keys_of_the_old_one_away),
        test(a_ban_ends_the_session_and_opens_no_other),
        test(a_ban_refuses_renewals_also_late_ones),
        test(a_ban_cancels_what_was_not_handed_over),
        test(nothing_is_prepared_or_submitted_for_a_banned_device),
        test(only_a_newly_signed_admission_lifts_a_ban),
        test(bans_what_is_there_only),
        test(the_first_admission_lifts_a_ban_or_a_quarantine_too),
        test(a_quarantined_device_gets_nothing_and_its_orders_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
