/* Which key speaks for a device when: its admission, then its renewals. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "shared/trust/device.h"

#include <stdio.h>

static struct deployment d;
static struct cs_device *device; /* gw-0, as ada admitted it */

static int set_up(void **state)
{
    struct cs_buf admission;
    struct cs_err err;

    (void)state;
    deployment_make(&d);
    admission = deployment_example(&d, CS_STATEMENT_ADMISSION);
    check_ok(cs_device_open(d.policy, cs_buf_slice(&admission), &device, &err), err);
    cs_buf_free(&admission);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cs_device_free(cs_steal(device));
    deployment_free(&d);
    return 0;
}

static struct cs_slice spki_of(const char *key)
{
    return cs_key_spki(deployment_key(&d, key));
}

/* Signed by the keys whose names are given; the first is usual to be the one so far. NULL: none. */
static struct cs_buf renewal_of(const countersign_v1_DeviceRenewal *renewal, const char *old_key,
                                const char *fresh_key)
{
    struct cs_buf payload = deployment_encode(countersign_v1_DeviceRenewal_fields, renewal);
    struct cs_buf wire = CS_BUF_EMPTY;
    const struct cs_key *keys[2];
    size_t count = 0;
    struct cs_err err;

    if (old_key)
        keys[count++] = deployment_key(&d, old_key);
    if (fresh_key)
        keys[count++] = deployment_key(&d, fresh_key);
    check_ok(cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, cs_buf_slice(&payload), keys, count, &wire, &err),
             err);
    cs_buf_free(&payload);
    return wire;
}

static struct cs_buf renewal(uint64_t sequence, const char *old_key, const char *fresh_key)
{
    countersign_v1_DeviceRenewal body;

    deployment_fill_renewal(&d, "gw-0", &body);
    body.sequence = sequence;
    CS_PB_SET(&body.identity_spki, spki_of(fresh_key));
    return renewal_of(&body, old_key, fresh_key);
}

static int follow(uint64_t sequence, const char *old_key, const char *fresh_key, struct cs_err *err)
{
    struct cs_buf wire = renewal(sequence, old_key, fresh_key);
    int rc = cs_device_follow(device, cs_buf_slice(&wire), err);

    cs_buf_free(&wire);
    return rc;
}

/* gw-0 ─7─▶ second ─90─▶ third. */
static void follow_two(void)
{
    struct cs_err err;

    check_ok(follow(7, "gw-0", "second", &err), err);
    check_ok(follow(90, "second", "third", &err), err);
}

static int said(uint64_t sequence, const char *key, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);
    struct cs_verified verified;
    struct cs_buf wire;
    int rc;

    deployment_fill_report(&d, "gw-0", report);
    report->sequence = sequence;
    wire = deployment_sign(&d, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, key);
    rc = cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_REPORT, &verified, err);
    cs_buf_free(&wire);
    return rc;
}

/* ---- admission */

static void opens_what_an_admin_signed(void **state)
{
    (void)state;
    assert_string_equal(cs_device_admission(device)->device_name, "gw-0");
    assert_true(cs_slice_eq(cs_device_identity(device), spki_of("gw-0")));
    assert_int_equal(cs_device_renewals(device), 0);
}

static void signed_by_no_admin(countersign_v1_Admission *admission, const char **who)
{
    snprintf(admission->admin, sizeof admission->admin, "bob");
    *who = "bob";
}
static void signed_by_another(countersign_v1_Admission *admission, const char **who)
{
    (void)admission;
    *who = "alice";
}
static void signed_by_nobody(countersign_v1_Admission *admission, const char **who)
{
    (void)admission;
    *who = "somebody";
}
static void of_another_deployment(countersign_v1_Admission *admission, const char **who)
{
    (void)who;
    admission->deployment_id.bytes[0] ^= 1;
}
static void under_a_newer_policy(countersign_v1_Admission *admission, const char **who)
{
    (void)who;
    admission->policy_version = 2;
}

static void refuses_an_admission_that_no_admin_of_this_policy_signed(void **state)
{
    static const struct {
        void (*change)(countersign_v1_Admission *admission, const char **who);
        int code;
        const char *says;
    } cases[] = {
        {signed_by_no_admin, CS_EDENIED, "bob"},
        {signed_by_another, CS_EAUTH, "ada"},
        {signed_by_nobody, CS_EAUTH, "no key that may sign"},
        {of_another_deployment, CS_EAUTH, "another deployment"},
        {under_a_newer_policy, CS_ESTALE, "policy version 2"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        countersign_v1_Admission admission;
        struct cs_device *opened = NULL;
        const char *who = "ada";
        struct cs_buf wire;
        struct cs_err err;

        deployment_fill_admission(&d, "gw-0", &admission);
        cases[i].change(&admission, &who);
        wire = deployment_sign(&d, CS_STATEMENT_ADMISSION, countersign_v1_Admission_fields, &admission, who);
        check_code(cs_device_open(d.policy, cs_buf_slice(&wire), &opened, &err), cases[i].code);
        check_says(err, cases[i].says);
        assert_null(opened);
        cs_buf_free(&wire);
    }
}

/* ---- statements */

static void each_key_speaks_for_its_sequences_only(void **state)
{
    static const struct {
        uint64_t sequence;
        const char *key;
        bool holds;
        const char *says;
    } cases[] = {
        {1, "gw-0", true, "the first key from the beginning"},
        {7, "gw-0", true, "the renewal's own number is still the old key's"},
        {8, "gw-0", false, "the old key on the fresh one's side"},
        {1, "second", false, "the fresh key on the old one's side"},
        {7, "second", false, "the fresh key at the renewal's own number"},
        {8, "second", true, "the fresh key from the next on"},
        {90, "second", true, "and up to the next renewal"},
        {91, "second", false, "and not beyond it"},
        {90, "third", false, "the third key too early"},
        {91, "third", true, "the third key in its time"},
        {UINT64_MAX, "third", true, "the newest key to the end"},
        {91, "gw-0", false, "the first key long after"},
        {91, "somebody", false, "a key that was never the device's"},
    };

    (void)state;
    follow_two();
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_err err;
        int rc = said(cases[i].sequence, cases[i].key, &err);

        if (rc != (cases[i].holds ? CS_OK : CS_EAUTH))
            fail_msg("%s: %s", cases[i].says, rc == CS_OK ? "taken" : err.msg);
    }
}

static void refuses_what_another_device_or_deployment_said(void **state)
{
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);

    (void)state;
    for (int other_deployment = 0; other_deployment < 2; other_deployment++) {
        struct cs_verified verified;
        struct cs_buf wire;
        struct cs_err err;

        deployment_fill_report(&d, "gw-0", report);
        (other_deployment ? report->deployment_id.bytes : report->device_id.bytes)[3] ^= 1;
        wire = deployment_sign(&d, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report,
                               "gw-0");
        check_code(cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_REPORT, &verified, &err),
                   CS_EDENIED);
        cs_buf_free(&wire);
    }
}

static void refuses_what_does_not_begin_as_device_statements_do(void **state)
{
    /* Where one of the head's bytes stands, and what it is in its place. */
    static const struct {
        const char *says;
        size_t at;
        uint8_t byte;
    } cases[] = {
        {"no deployment", 0, 0x12},
        {"a deployment of 1 byte", 1, 1},
        {"no device-id", 18, 0x0a},
        {"a device-id of 1 byte", 19, 1},
        {"no sequence", 36, 0x20},
        {"a sequence of 0", 37, 0},
        {"a sequence without an end", 37, 0x80},
    };
    const struct cs_key *key = deployment_key(&d, "gw-0");
    uint8_t head[38] = {0x0a, 16, [18] = 0x12, 16, [36] = 0x18, 1};
    struct cs_verified verified;
    struct cs_err err;

    (void)state;
    memcpy(head + 2, d.id, 16);
    deployment_make_id("gw-0", head + 20);
    for (size_t i = 0; i <= CS_ARRAY_LEN(cases); i++) {
        cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
        uint8_t bytes[sizeof head];
        int rc;

        memcpy(bytes, head, sizeof bytes);
        if (i < CS_ARRAY_LEN(cases))
            bytes[cases[i].at] = cases[i].byte;
        check_ok(cs_envelope_sign(CS_STATEMENT_DEVICE_CSR, CS_SLICE_ARRAY(bytes), &key, 1, &wire, &err), err);
        rc = cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_CSR, &verified, &err);
        if (i == CS_ARRAY_LEN(cases))
            check_ok(rc, err); /* whoever decodes the rest finds that there is none */
        else if (rc != CS_EPARSE)
            fail_msg("%s: %s", cases[i].says, cs_code_text(rc));
    }
}

static void refuses_as_a_renewal_what_is_none(void **state)
{
    const struct cs_key *key = deployment_key(&d, "gw-0");
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, CS_SLICE_LIT("no message"), &key, 1, &wire, &err),
             err);
    check_code(cs_device_follow(device, cs_buf_slice(&wire), &err), CS_EPARSE);
    check_code(cs_device_follow_checked(device, cs_buf_slice(&wire), &err), CS_EPARSE);
    check_code(cs_device_follow_checked(device, CS_SLICE_LIT("no envelope"), &err), CS_EPARSE);
    assert_int_equal(cs_device_renewals(device), 0);
}

/* ---- renewals */

static void spliced(countersign_v1_DeviceRenewal *body, const char **old_key, const char **fresh_key)
{
    /* The second of another chain: signed by a key that this device never had. */
    (void)fresh_key;
    body->sequence = 200;
    *old_key = "second of another";
}
static void skipped(countersign_v1_DeviceRenewal *body, const char **old_key, const char **fresh_key)
{
    (void)fresh_key;
    body->sequence = 200;
    *old_key = "second"; /* the one before the newest */
}
static void from_the_admitted_key_again(countersign_v1_DeviceRenewal *body, const char **old_key,
                                        const char **fresh_key)
{
    (void)fresh_key;
    body->sequence = 200;
    *old_key = "gw-0";
}
static void with_the_same_sequence(countersign_v1_DeviceRenewal *body, const char **old_key,
                                   const char **fresh_key)
{
    (void)old_key;
    (void)fresh_key;
    body->sequence = 90;
}
static void with_a_lower_sequence(countersign_v1_DeviceRenewal *body, const char **old_key,
                                  const char **fresh_key)
{
    (void)old_key;
    (void)fresh_key;
    body->sequence = 8;
}
static void back_to_a_key_of_before(countersign_v1_DeviceRenewal *body, const char **old_key,
                                    const char **fresh_key)
{
    (void)old_key;
    CS_PB_SET(&body->identity_spki, spki_of("gw-0"));
    *fresh_key = "gw-0";
}
static void to_the_key_that_it_has(countersign_v1_DeviceRenewal *body, const char **old_key,
                                   const char **fresh_key)
{
    (void)old_key;
    CS_PB_SET(&body->identity_spki, spki_of("third"));
    *fresh_key = NULL;
}
static void without_the_old_key(countersign_v1_DeviceRenewal *body, const char **old_key,
                                const char **fresh_key)
{
    (void)body;
    (void)fresh_key;
    *old_key = NULL;
}
static void without_the_fresh_key(countersign_v1_DeviceRenewal *body, const char **old_key,
                                  const char **fresh_key)
{
    (void)body;
    (void)old_key;
    *fresh_key = NULL;
}
static void with_another_fresh_key(countersign_v1_DeviceRenewal *body, const char **old_key,
                                   const char **fresh_key)
{
    (void)body;
    (void)old_key;
    *fresh_key = "somebody";
}
static void of_another_device(countersign_v1_DeviceRenewal *body, const char **old_key,
                              const char **fresh_key)
{
    (void)old_key;
    (void)fresh_key;
    body->device_id.bytes[0] ^= 1;
}
static void of_a_foreign_deployment(countersign_v1_DeviceRenewal *body, const char **old_key,
                                    const char **fresh_key)
{
    (void)old_key;
    (void)fresh_key;
    body->deployment_id.bytes[0] ^= 1;
}

static void refuses_a_renewal_that_does_not_follow(void **state)
{
    static const struct {
        void (*change)(countersign_v1_DeviceRenewal *body, const char **old_key, const char **fresh_key);
        int code;
    } cases[] = {
        {spliced, CS_EAUTH},
        {skipped, CS_EAUTH},
        {from_the_admitted_key_again, CS_EAUTH},
        {with_the_same_sequence, CS_ESTALE},
        {with_a_lower_sequence, CS_ESTALE},
        {back_to_a_key_of_before, CS_EEXISTS},
        {to_the_key_that_it_has, CS_EEXISTS},
        {without_the_old_key, CS_EAUTH},
        {without_the_fresh_key, CS_EAUTH},
        {with_another_fresh_key, CS_EAUTH},
        {of_another_device, CS_EDENIED},
        {of_a_foreign_deployment, CS_EDENIED},
    };
    struct cs_err err;

    (void)state;
    follow_two();
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const char *old_key = "third", *fresh_key = "fourth";
        countersign_v1_DeviceRenewal body;
        struct cs_buf wire;

        deployment_fill_renewal(&d, "gw-0", &body);
        body.sequence = 200;
        CS_PB_SET(&body.identity_spki, spki_of("fourth"));
        cases[i].change(&body, &old_key, &fresh_key);
        wire = renewal_of(&body, old_key, fresh_key);
        if (cs_device_follow(device, cs_buf_slice(&wire), &err) != cases[i].code)
            fail_msg("case %zu: %s", i, err.msg);
        assert_int_equal(cs_device_renewals(device), 2);
        assert_true(cs_slice_eq(cs_device_identity(device), spki_of("third")));
        cs_buf_free(&wire);
    }
    check_ok(follow(200, "third", "fourth", &err), err); /* none of these was in its way */
}

static void refuses_a_renewal_that_was_followed_already(void **state)
{
    struct cs_err err;

    (void)state;
    follow_two();
    check_code(follow(90, "second", "third", &err), CS_ESTALE); /* the newest key signed it, too */
    check_code(follow(7, "gw-0", "second", &err), CS_EAUTH);
}

static void refuses_every_flipped_byte_of_a_renewal(void **state)
{
    struct cs_buf wire = renewal(7, "gw-0", "second");

    (void)state;
    for (size_t at = 0; at < wire.len; at++) {
        struct cs_err err;

        wire.ptr[at] ^= 0x10;
        assert_int_not_equal(cs_device_follow(device, cs_buf_slice(&wire), &err), CS_OK);
        wire.ptr[at] ^= 0x10;
    }
    assert_int_equal(cs_device_renewals(device), 0);
    cs_buf_free(&wire);
}

static void one_admission_vouches_for_so_many_renewals_and_no_more(void **state)
{
    char before[32] = "gw-0", fresh[32];
    struct cs_buf wire;
    struct cs_err err;

    (void)state;
    for (unsigned i = 1; i <= CS_LIMIT_RENEWALS && d.key_count + 1 < DEPLOYMENT_KEYS; i++) {
        snprintf(fresh, sizeof fresh, "key %u", i);
        check_ok(follow(i * 10, before, fresh, &err), err);
        memcpy(before, fresh, sizeof before);
    }
    /* The fixture has fewer keys than the limit: the rest is followed as checked before. */
    wire = renewal(7, "gw-0", "key 1");
    while (cs_device_renewals(device) < CS_LIMIT_RENEWALS)
        check_ok(cs_device_follow_checked(device, cs_buf_slice(&wire), &err), err);
    check_code(cs_device_follow(device, cs_buf_slice(&wire), &err), CS_EFULL);
    check_says(err, "admit the device anew");
    /* The one that waits for that admission can still be known. */
    check_ok(cs_device_follow_checked(device, cs_buf_slice(&wire), &err), err);
    check_code(cs_device_follow_checked(device, cs_buf_slice(&wire), &err), CS_EFULL);
    cs_buf_free(&wire);
}

/* ---- from a record */

static void a_device_of_a_record_follows_the_same_rule(void **state)
{
    struct cs_buf wire = renewal(7, "gw-0", "second");
    uint8_t id[16];
    struct cs_err err;

    (void)state;
    deployment_make_id("gw-0", id);
    for (int known = 0; known < 2; known++) {
        cs_device_free(cs_steal(device));
        check_ok(cs_device_open_stored(known ? CS_SLICE_ARRAY(d.id) : CS_SLICE_EMPTY, CS_SLICE_ARRAY(id),
                                       spki_of("gw-0"), &device, &err),
                 err);
        check_ok(cs_device_follow_checked(device, cs_buf_slice(&wire), &err), err);
        check_ok(said(7, "gw-0", &err), err);
        check_ok(said(8, "second", &err), err);
        check_code(said(8, "gw-0", &err), CS_EAUTH);
    }
    assert_null(cs_device_admission(device));
    cs_device_free(cs_steal(device));
    check_code(cs_device_open_stored(CS_SLICE_EMPTY, CS_SLICE_LIT("short"), spki_of("gw-0"), &device, &err),
               CS_EPARSE);
    check_code(
        cs_device_open_stored(CS_SLICE_LIT("short"), CS_SLICE_ARRAY(id), spki_of("gw-0"), &device, &err),
        CS_EPARSE);
    check_code(cs_device_open_stored(CS_SLICE_EMPTY, CS_SLICE_ARRAY(id), CS_SLICE_LIT("key"), &device, &err),
               CS_EPARSE);
    cs_buf_free(&wire);
}

/* What was verified once is the same device again; what is no admission is none. */
static void an_admission_that_was_verified_before_is_only_parsed(void **state)
{
    struct cs_buf admission = deployment_example(&d, CS_STATEMENT_ADMISSION),
                  wire = renewal(7, "gw-0", "second");
    struct cs_device *again = NULL;
    struct cs_err err;

    (void)state;
    check_ok(cs_device_open_checked(cs_buf_slice(&admission), &again, &err), err);
    assert_string_equal(cs_device_admission(again)->device_name, cs_device_admission(device)->device_name);
    check_ok(cs_device_follow(again, cs_buf_slice(&wire), &err), err);
    cs_device_free(cs_steal(again));
    check_code(cs_device_open_checked(cs_buf_slice(&wire), &again, &err), CS_EPARSE);
    check_code(cs_device_open_checked(CS_SLICE_LIT("no envelope"), &again, &err), CS_EPARSE);
    assert_null(again);
    cs_buf_free(&admission);
    cs_buf_free(&wire);
}

/* ---- short of memory */

struct wires {
    struct cs_buf admission, renewal, report;
};

/* Short of memory is no verdict: nobody is refused for it. */
static int live_short_of_memory(const struct wires *wires, struct cs_device **ret)
{
    struct cs_verified verified;
    int rc = cs_device_open(d.policy, cs_buf_slice(&wires->admission), ret, NULL);

    if (rc == CS_OK)
        rc = cs_device_follow(*ret, cs_buf_slice(&wires->renewal), NULL);
    return rc == CS_OK ? cs_device_verify(*ret, cs_buf_slice(&wires->report), CS_STATEMENT_DEVICE_REPORT,
                                          &verified, NULL)
                       : rc;
}

static void live(void *data)
{
    struct cs_device *opened = NULL;
    int rc = live_short_of_memory(data, &opened);

    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    cs_device_free(opened);
}

static void live_from_a_record(void *unused)
{
    struct cs_device *opened = NULL;
    uint8_t id[16];
    int rc;

    (void)unused;
    deployment_make_id("gw-0", id);
    rc = cs_device_open_stored(CS_SLICE_ARRAY(d.id), CS_SLICE_ARRAY(id), spki_of("gw-0"), &opened, NULL);
    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    cs_device_free(opened);
}

static void short_of_memory_is_no_verdict(void **state)
{
    struct wires wires = {.admission = deployment_example(&d, CS_STATEMENT_ADMISSION),
                          .renewal = renewal(7, "gw-0", "second")};
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);

    (void)state;
    deployment_fill_report(&d, "gw-0", report);
    report->sequence = 8;
    wires.report =
        deployment_sign(&d, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, "second");
    assert_true(alloc_fail_sample(live, &wires, 60) > 20);
    assert_true(alloc_fail_run(live_from_a_record, NULL) > 0);
    cs_buf_free(&wires.admission);
    cs_buf_free(&wires.renewal);
    cs_buf_free(&wires.report);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(opens_what_an_admin_signed),
        CASE(refuses_an_admission_that_no_admin_of_this_policy_signed),
        CASE(each_key_speaks_for_its_sequences_only),
        CASE(refuses_what_another_device_or_deployment_said),
        CASE(refuses_what_does_not_begin_as_device_statements_do),
        CASE(refuses_as_a_renewal_what_is_none),
        CASE(refuses_a_renewal_that_does_not_follow),
        CASE(refuses_a_renewal_that_was_followed_already),
        CASE(refuses_every_flipped_byte_of_a_renewal),
        CASE(one_admission_vouches_for_so_many_renewals_and_no_more),
        CASE(a_device_of_a_record_follows_the_same_rule),
        CASE(an_admission_that_was_verified_before_is_only_parsed),
        CASE(short_of_memory_is_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
