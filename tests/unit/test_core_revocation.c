/* Revocation in the core: by hand, by the issuers' lists, for certificates that are there and that come
 * later; what a hold is; and which list is newer. */
#include "tests/support/check.h"

#include "controller/core/revocation.h"
#include "tests/support/crl_make.h"
#include "tests/support/story.h"

#include "controller/core/query.h"

#define REASON(name) countersign_v1_RevocationReason_REVOCATION_REASON_##name

enum { HOLD = CS_CRL_REASON_HOLD };

struct scene {
    struct control c;
    struct cs_buf der;
    struct cs_crl crl;
    countersign_v1_ImportCrlResponse reply;
};

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    control_start(&s->c);
    control_device(&s->c, "gw-0");
    control_certificate(&s->c, "shop");
    assert_int_equal(control_attach(&s->c, "shop", "gw-0"), CS_OK);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    cs_buf_free(&s->der);
    control_stop(&s->c);
    free(s);
    return 0;
}

static ctl_certificate_row row_of(struct scene *s, const char *name)
{
    return control_certificate_row(&s->c, name);
}

static const struct pki *pki_of(struct scene *s, const char *name)
{
    (void)control_certificate_id(&s->c, name); /* made, if it is not there yet */
    for (size_t i = 0; i < CONTROL_CERTIFICATES; i++)
        if (strcmp(s->c.certificates[i].name, name) == 0)
            return &s->c.certificates[i].pki;
    return NULL;
}

static struct crl_make_entry entry_of(struct scene *s, const char *name, unsigned reason)
{
    return (struct crl_make_entry){.serial = crl_make_serial(pki_of(s, name)->chain), .reason = reason};
}

static struct ctl_import_crl make(struct scene *s, struct crl_make what)
{
    cs_buf_clear(&s->der);
    if (!what.this_update_s)
        what.this_update_s = s->c.d.now_s;
    crl_make(&s->c.ca, &what, &s->der);
    check_ok(cs_crl_parse(cs_buf_slice(&s->der), &s->crl, &s->c.err), s->c.err);
    return (struct ctl_import_crl){
        .crl = &s->crl,
        .digest = cs_sha256(cs_buf_slice(&s->der)),
        .issuer = "CN=Test CA",
        .source = "",
        .entries = s->crl.entries,
        .is_last = true,
    };
}

static int run(struct scene *s, const struct ctl_import_crl *body)
{
    s->reply = (countersign_v1_ImportCrlResponse)countersign_v1_ImportCrlResponse_init_zero;
    return control_run(&s->c, CTL_IMPORT_CRL, body, &s->reply);
}

/* A list of one entry, or of none without a name. */
static void import(struct scene *s, uint32_t number, const char *name, unsigned reason)
{
    struct crl_make_entry entry = name ? entry_of(s, name, reason) : (struct crl_make_entry){0};
    struct ctl_import_crl body =
        make(s, (struct crl_make){.entries = &entry, .entry_count = name ? 1 : 0, .number = number});

    check_ok(run(s, &body), s->c.err);
}

static int by_hand(struct scene *s, const char *name, countersign_v1_RevocationReason reason)
{
    struct cs_digest id = control_certificate_id(&s->c, name);
    countersign_v1_RevokeCertificateRequest body = countersign_v1_RevokeCertificateRequest_init_zero;
    countersign_v1_RevokeCertificateResponse reply;

    CTL_BYTES_SET(body.certificate_id, cs_digest_slice(&id));
    body.reason = reason;
    CTL_TEXT_SET(body.comment, "laptop stolen");
    return control_run(&s->c, CTL_REVOKE_CERTIFICATE, &body, &reply);
}

static countersign_v1_AuditRecord audit(struct scene *s)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_AUDIT, control_meta(&s->c).revision);
    countersign_v1_AuditRecord record;

    assert_true(control_get(&s->c, &key, countersign_v1_AuditRecord_fields, &record));
    return record;
}

static void a_revocation_by_hand_is_black_at_once_and_audited(void **state)
{
    struct scene *s = *state;
    ctl_certificate_row row;

    check_ok(by_hand(s, "shop", REASON(KEY_COMPROMISE)), s->c.err);
    row = row_of(s, "shop");
    assert_true(row.revoked);
    assert_int_equal(row.revoked_at_s, s->c.d.now_s);
    assert_int_equal(row.revocation_reason, REASON(KEY_COMPROMISE));
    assert_string_equal(audit(s).command, "RevokeCertificate");
    assert_string_equal(audit(s).subject, "certificate shop");
    assert_string_equal(audit(s).detail, "laptop stolen (key-compromise)");
}

static void a_revocation_by_hand_is_for_good(void **state)
{
    struct scene *s = *state;

    check_ok(by_hand(s, "shop", REASON(SUPERSEDED)), s->c.err);
    check_code(by_hand(s, "shop", REASON(KEY_COMPROMISE)), CS_EEXISTS);
    check_says(s->c.err, "revoked already");
    import(s, 1, "shop", HOLD);
    assert_int_equal(row_of(s, "shop").revocation_reason, REASON(SUPERSEDED));
    import(s, 2, NULL, 0);
    assert_true(row_of(s, "shop").revoked);
}

static void a_revocation_by_hand_needs_a_reason_that_cannot_end(void **state)
{
    struct scene *s = *state;

    check_code(by_hand(s, "shop", REASON(NONE)), CS_EINVAL);
    check_code(by_hand(s, "shop", (countersign_v1_RevocationReason)9), CS_EINVAL);
    check_says(s->c.err, "say why");
    check_code(by_hand(s, "shop", REASON(CERTIFICATE_HOLD)), CS_EINVAL);
    check_says(s->c.err, "hold");
    check_code(by_hand(s, "never imported", REASON(SUPERSEDED)), CS_ENOTFOUND);
    assert_false(row_of(s, "shop").revoked);
}

static void a_list_revokes_what_it_names(void **state)
{
    struct scene *s = *state;
    struct crl_make_entry entries[2];
    struct ctl_import_crl body;

    control_certificate(&s->c, "mail");
    entries[0] = (struct crl_make_entry){.serial = CS_SLICE_LIT("\x01\x02")};
    entries[1] = entry_of(s, "shop", 1);
    entries[1].revoked_at_s = s->c.d.now_s - 500;
    body = make(s, (struct crl_make){.entries = entries, .entry_count = 2, .number = 7});
    check_ok(run(s, &body), s->c.err);
    assert_int_equal(s->reply.entries, 2);
    assert_int_equal(s->reply.revoked, 1);
    assert_false(s->reply.existed);
    assert_string_equal(s->reply.issuer, "CN=Test CA");
    assert_int_equal(row_of(s, "shop").revoked_at_s, s->c.d.now_s - 500);
    assert_int_equal(row_of(s, "shop").revocation_reason, REASON(KEY_COMPROMISE));
    assert_false(row_of(s, "mail").revoked);
    assert_string_equal(audit(s).subject, "CRL of CN=Test CA");
    assert_string_equal(audit(s).detail, "1 became revoked");
}

static void a_certificate_that_is_imported_after_its_list_is_revoked_at_once(void **state)
{
    struct scene *s = *state;

    import(s, 1, "late", 1);
    assert_int_equal(s->reply.revoked, 0);
    control_certificate(&s->c, "late");
    assert_true(row_of(s, "late").revoked);
    assert_int_equal(row_of(s, "late").revocation_reason, REASON(KEY_COMPROMISE));
    assert_string_equal(audit(s).detail, "with its key revoked");
}

static void pushes_that_are_not_handed_over_end_with_a_revocation(void **state)
{
    struct scene *s = *state;
    uint64_t by_person = control_push(&s->c, "shop"), by_list;

    check_ok(by_hand(s, "shop", REASON(KEY_COMPROMISE)), s->c.err);
    assert_int_equal(control_order(&s->c, control_request(&s->c, by_person).first_order).phase,
                     countersign_store_v1_Phase_PHASE_CANCELLED);
    control_certificate(&s->c, "mail");
    assert_int_equal(control_attach(&s->c, "mail", "gw-0"), CS_OK);
    by_list = control_push(&s->c, "mail");
    import(s, 1, "mail", HOLD);
    assert_int_equal(control_order(&s->c, control_request(&s->c, by_list).first_order).phase,
                     countersign_store_v1_Phase_PHASE_CANCELLED);
}

static void the_same_list_and_an_older_one_change_nothing(void **state)
{
    struct scene *s = *state;
    struct crl_make_entry entry = entry_of(s, "shop", 1);
    struct ctl_import_crl body;
    uint64_t revision;

    import(s, 0x100, NULL, 0);
    revision = control_meta(&s->c).revision;
    /* A number with fewer digits that compares higher as text. */
    body = make(s, (struct crl_make){.entries = &entry, .entry_count = 1, .number = 0xff});
    check_ok(run(s, &body), s->c.err);
    assert_true(s->reply.existed);
    body = make(s, (struct crl_make){.entries = &entry, .entry_count = 1, .number = 0x100});
    check_ok(run(s, &body), s->c.err);
    assert_true(s->reply.existed);
    assert_int_equal(control_meta(&s->c).revision, revision);
    assert_false(row_of(s, "shop").revoked);
    /* The same number, made later. */
    body =
        make(s, (struct crl_make){
                    .entries = &entry, .entry_count = 1, .number = 0x100, .this_update_s = s->c.d.now_s + 1});
    check_ok(run(s, &body), s->c.err);
    assert_false(s->reply.existed);
    assert_true(row_of(s, "shop").revoked);
}

static void a_hold_ends_with_a_list_that_does_not_name_it(void **state)
{
    struct scene *s = *state;

    import(s, 1, "shop", HOLD);
    assert_true(row_of(s, "shop").revoked);
    import(s, 2, "shop", HOLD);
    assert_true(row_of(s, "shop").revoked);
    import(s, 3, NULL, 0);
    assert_false(row_of(s, "shop").revoked);
    assert_int_equal(row_of(s, "shop").revoked_at_s, 0);
    assert_string_equal(audit(s).detail, "0 became revoked 1 released from hold");
    import(s, 4, "shop", HOLD);
    assert_true(row_of(s, "shop").revoked);
}

static void a_hold_gives_way_to_a_reason_that_lasts(void **state)
{
    struct scene *s = *state;

    import(s, 1, "shop", HOLD);
    import(s, 2, "shop", 1);
    assert_int_equal(row_of(s, "shop").revocation_reason, REASON(KEY_COMPROMISE));
    import(s, 3, NULL, 0);
    assert_true(row_of(s, "shop").revoked);
}

/* Two lists of one issuer, each for a part: what one revoked for good is not forgotten when the other's hold
 * ends, so that a certificate that is imported later is black, too. */
static void the_end_of_one_lists_hold_leaves_what_another_revoked(void **state)
{
    struct scene *s = *state;
    struct crl_make_entry entry = entry_of(s, "shop", 1);
    struct ctl_import_crl body;
    ctl_revocation_row kept;
    struct ctl_key key;

    import(s, 1, "shop", HOLD);
    body =
        make(s, (struct crl_make){
                    .entries = &entry, .entry_count = 1, .number = 1, .scope = CS_SLICE_LIT("\x82\x01\xff")});
    check_ok(run(s, &body), s->c.err);
    import(s, 2, NULL, 0);
    assert_int_equal(row_of(s, "shop").revocation_reason, REASON(KEY_COMPROMISE));
    key = ctl_key_serial(CTL_TABLE_REVOKED, CTL_BYTES(row_of(s, "shop").issuer_digest),
                         row_of(s, "shop").serial);
    assert_true(control_get(&s->c, &key, countersign_store_v1_Revocation_fields, &kept));
    assert_int_equal(kept.reason, REASON(KEY_COMPROMISE));
}

static void a_hold_gives_way_to_a_person(void **state)
{
    struct scene *s = *state;

    import(s, 1, "shop", HOLD);
    check_ok(by_hand(s, "shop", REASON(SUPERSEDED)), s->c.err);
    import(s, 2, NULL, 0);
    assert_true(row_of(s, "shop").revoked);
    assert_int_equal(row_of(s, "shop").revocation_reason, REASON(SUPERSEDED));
}

static void a_revoked_certificate_that_left_the_list_stays_revoked(void **state)
{
    struct scene *s = *state;

    import(s, 1, "shop", 0);
    import(s, 2, NULL, 0);
    assert_true(row_of(s, "shop").revoked);
}

static void another_part_of_the_issuer_is_a_list_of_its_own(void **state)
{
    struct scene *s = *state;
    struct ctl_import_crl body;

    import(s, 9, "shop", HOLD);
    body = make(s, (struct crl_make){.number = 1, .scope = CS_SLICE_LIT("\x82\x01\xff")});
    check_ok(run(s, &body), s->c.err);
    assert_false(s->reply.existed);
    assert_true(row_of(s, "shop").revoked);
}

static void a_list_in_parts_counts_with_its_last_one(void **state)
{
    struct scene *s = *state;
    struct crl_make_entry entries[2];
    struct ctl_import_crl body, part;
    struct cs_crl_entry first;
    struct cs_digest before;

    control_certificate(&s->c, "mail");
    import(s, 1, "mail", HOLD);
    before = cs_sha256(cs_buf_slice(&s->der));
    entries[0] = (struct crl_make_entry){.serial = CS_SLICE_LIT("\x01\x02")};
    entries[1] = entry_of(s, "shop", 1);
    body = make(s, (struct crl_make){.entries = entries, .entry_count = 2, .number = 2});
    body.is_part = true;
    body.before = cs_digest_slice(&before);
    part = body;
    part.is_last = false;
    assert_true(cs_crl_next(&body.entries, &first));
    part.entries.len -= body.entries.len;
    check_ok(run(s, &part), s->c.err);
    assert_int_equal(s->reply.revoked, 0);
    assert_true(row_of(s, "mail").revoked);
    check_ok(run(s, &body), s->c.err);
    assert_int_equal(s->reply.revoked, 1);
    assert_false(row_of(s, "mail").revoked);
    /* Once more, as after a restart: nothing is new. */
    check_ok(run(s, &part), s->c.err);
    assert_true(s->reply.existed);
}

static void the_first_list_of_an_issuer_comes_in_parts_too(void **state)
{
    struct scene *s = *state;
    struct crl_make_entry entry = entry_of(s, "shop", 1);
    struct ctl_import_crl body = make(s, (struct crl_make){.entries = &entry, .entry_count = 1, .number = 1});

    body.is_part = true;
    check_ok(run(s, &body), s->c.err);
    assert_true(row_of(s, "shop").revoked);
}

static void a_part_is_refused_when_another_list_came_in_between(void **state)
{
    struct scene *s = *state;
    struct cs_digest before = {{1}};
    struct ctl_import_crl body;

    import(s, 1, "shop", HOLD);
    body = make(s, (struct crl_make){.number = 3});
    body.is_part = true;
    body.before = cs_digest_slice(&before);
    check_code(run(s, &body), CS_ESTALE);
    body.before = CS_SLICE_EMPTY;
    check_code(run(s, &body), CS_ESTALE);
    assert_true(row_of(s, "shop").revoked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_revocation_by_hand_is_black_at_once_and_audited),
        TEST(a_revocation_by_hand_is_for_good),
        TEST(a_revocation_by_hand_needs_a_reason_that_cannot_end),
        TEST(a_list_revokes_what_it_names),
        TEST(a_certificate_that_is_imported_after_its_list_is_revoked_at_once),
        TEST(pushes_that_are_not_handed_over_end_with_a_revocation),
        TEST(the_same_list_and_an_older_one_change_nothing),
        TEST(a_hold_ends_with_a_list_that_does_not_name_it),
        TEST(a_hold_gives_way_to_a_reason_that_lasts),
        TEST(the_end_of_one_lists_hold_leaves_what_another_revoked),
        TEST(a_hold_gives_way_to_a_person),
        TEST(a_revoked_certificate_that_left_the_list_stays_revoked),
        TEST(another_part_of_the_issuer_is_a_list_of_its_own),
        TEST(a_list_in_parts_counts_with_its_last_one),
        TEST(the_first_list_of_an_issuer_comes_in_parts_too),
        TEST(a_part_is_refused_when_another_list_came_in_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
