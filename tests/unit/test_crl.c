/* Revocation lists: what is read, what is refused and with which sentence, and who may have signed them. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/crl_make.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"

enum { NOW_S = 1795000000 };

struct scene {
    struct pki ca, other, leaf;
    struct cs_buf der;
    struct cs_crl crl;
    struct cs_err err;
};

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    pki_set_now(NOW_S);
    s->ca = pki_make_ca("Fleet CA");
    s->other = pki_make_ca("Fleet CA");
    s->leaf = pki_make_client(&s->ca, "gw-1");
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    pki_free(&s->leaf);
    pki_free(&s->other);
    pki_free(&s->ca);
    cs_buf_free(&s->der);
    free(s);
    return 0;
}

static int make(struct scene *s, struct crl_make what)
{
    cs_buf_clear(&s->der);
    crl_make(&s->ca, &what, &s->der);
    return cs_crl_parse(cs_buf_slice(&s->der), &s->crl, &s->err);
}

static void reads_what_a_list_says(void **state)
{
    struct scene *s = *state;
    const struct crl_make_entry entries[] = {
        {.serial = crl_make_serial(s->leaf.chain), .revoked_at_s = NOW_S - 7200, .reason = 1},
        {.serial = CS_SLICE_LIT("\x05"), .revoked_at_s = 2600000000},
        {.serial = CS_SLICE_LIT("\x00\x80"), .reason = 6},
    };
    struct cs_crl_entry entry;
    struct cs_slice rest;
    struct cs_digest scope, issuer;

    check_ok(make(s, (struct crl_make){.entries = entries,
                                       .entry_count = 3,
                                       .number = 300,
                                       .this_update_s = NOW_S - 3600,
                                       .next_update_s = NOW_S + 3600,
                                       .key_id = CS_SLICE_LIT("key")}),
             s->err);
    check_slice(s->crl.number, CS_SLICE_LIT("\x01\x2c"));
    check_slice(s->crl.key_id, CS_SLICE_LIT("key"));
    assert_int_equal(s->crl.this_update_s, NOW_S - 3600);
    assert_int_equal(s->crl.next_update_s, NOW_S + 3600);
    assert_int_equal(s->crl.entry_count, 3);
    rest = s->crl.entries;
    assert_true(cs_crl_next(&rest, &entry));
    check_slice(entry.serial, entries[0].serial);
    assert_int_equal(entry.revoked_at_s, NOW_S - 7200);
    assert_int_equal(entry.reason, 1);
    assert_true(cs_crl_next(&rest, &entry));
    assert_int_equal(entry.revoked_at_s, 2600000000);
    assert_int_equal(entry.reason, 0);
    assert_true(cs_crl_next(&rest, &entry));
    assert_int_equal(entry.reason, CS_CRL_REASON_HOLD);
    assert_false(cs_crl_next(&rest, &entry));
    scope = cs_crl_scope(&s->crl);
    issuer = cs_issuer_digest(s->crl.issuer);
    assert_true(cs_digest_eq(&scope, &issuer));
}

static void reads_a_list_that_revokes_nothing(void **state)
{
    struct scene *s = *state;
    struct cs_crl_entry entry;

    check_ok(make(s, (struct crl_make){0}), s->err);
    assert_int_equal(s->crl.entry_count, 0);
    assert_int_equal(s->crl.next_update_s, 0);
    assert_int_equal(s->crl.number.len, 0);
    assert_false(cs_crl_next(&s->crl.entries, &entry));
}

static void reads_a_file_as_pem_and_as_der(void **state)
{
    struct scene *s = *state;
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    check_ok(make(s, (struct crl_make){.number = 1}), s->err);
    check_ok(cs_pem_write("X509 CRL", cs_buf_slice(&s->der), &pem, &s->err), s->err);
    check_ok(cs_crl_read(cs_buf_slice(&pem), &out, &s->err), s->err);
    check_slice(cs_buf_slice(&out), cs_buf_slice(&s->der));
    cs_buf_clear(&out);
    check_ok(cs_crl_read(cs_buf_slice(&s->der), &out, &s->err), s->err);
    check_slice(cs_buf_slice(&out), cs_buf_slice(&s->der));
    check_code(cs_crl_read(CS_SLICE_LIT("hello"), &out, &s->err), CS_EPARSE);
    check_says(s->err, "no CRL");
    check_code(
        cs_crl_read(CS_SLICE_LIT("-----BEGIN X509 CRL-----\n?\n-----END X509 CRL-----\n"), &out, &s->err),
        CS_EPARSE);
    check_code(cs_crl_read(CS_SLICE_EMPTY, &out, &s->err), CS_EPARSE);
    out.limit_bytes = out.len;
    check_code(cs_crl_read(cs_buf_slice(&s->der), &out, &s->err), CS_ETOOBIG);
}

static void refuses_what_may_mean_something_else(void **state)
{
    struct scene *s = *state;
    const struct {
        struct crl_make what;
        struct crl_make_entry entry;
        int code;
        const char *says;
    } cases[] = {
        {{.delta = true}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EUNSUPPORTED, "delta CRL"},
        {{.unknown_critical = true}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EUNSUPPORTED, "critical extension"},
        {{.scope = CS_SLICE_LIT("\x84\x01\xff")}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EUNSUPPORTED, "indirect"},
        {{.scope = CS_SLICE_LIT("\x85\x01\xff")}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EUNSUPPORTED, "attribute"},
        {{.scope = CS_SLICE_LIT("\x86\x01\xff")}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EPARSE, "malformed"},
        {{.scope = CS_SLICE_LIT("\x84\x02\xff")}, {CS_SLICE_EMPTY, 0, 0, 0, 0}, CS_EPARSE, "malformed"},
        {{0}, {.serial = CS_SLICE_LIT("\x01"), .reason = 8}, CS_EPARSE, "delta CRL may"},
        {{0}, {.serial = CS_SLICE_LIT("\x01"), .reason = 7}, CS_EPARSE, "reason"},
        {{0}, {.serial = CS_SLICE_LIT("\x01"), .reason = 11}, CS_EPARSE, "reason"},
        {{0}, {.serial = CS_SLICE_LIT("\x01"), .other_issuer = true}, CS_EUNSUPPORTED, "indirect"},
        {{0}, {.serial = CS_SLICE_LIT("\x01"), .unknown_critical = true}, CS_EUNSUPPORTED, "not understood"},
        {{0}, {.serial = CS_SLICE_LIT("1234567890123456789012")}, CS_EPARSE, "an entry"},
        {{0}, {.serial = CS_SLICE_EMPTY, .reason = 1}, CS_EPARSE, "an entry"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct crl_make what = cases[i].what;

        what.entries = &cases[i].entry;
        what.entry_count = cases[i].entry.serial.len || cases[i].entry.reason ? 1 : 0;
        check_code(make(s, what), cases[i].code);
        check_says(s->err, cases[i].says);
    }
}

static void takes_a_list_of_a_part_as_one_of_its_own_scope(void **state)
{
    struct scene *s = *state;
    struct cs_digest whole, part;

    check_ok(make(s, (struct crl_make){0}), s->err);
    whole = cs_crl_scope(&s->crl);
    check_ok(make(s, (struct crl_make){.scope = CS_SLICE_LIT("\x81\x01\xff")}), s->err);
    part = cs_crl_scope(&s->crl);
    assert_false(cs_digest_eq(&whole, &part));
}

/* Each cut and each changed byte: refused, or what it says is still whole; never a read beyond the end. */
static void holds_against_every_cut_and_every_changed_byte(void **state)
{
    struct scene *s = *state;
    const struct crl_make_entry entry = {.serial = CS_SLICE_LIT("\x11"), .reason = 4};
    struct cs_crl crl;

    check_ok(make(s, (struct crl_make){.entries = &entry,
                                       .entry_count = 1,
                                       .number = 5,
                                       .key_id = CS_SLICE_LIT("key"),
                                       .scope = CS_SLICE_LIT("\x81\x01\xff")}),
             s->err);
    for (size_t len = 0; len < s->der.len; len++) {
        uint8_t *cut = malloc(len ? len : 1);

        memcpy(cut, s->der.ptr, len);
        check_code(cs_crl_parse(cs_slice(cut, len), &crl, &s->err), CS_EPARSE);
        free(cut);
    }
    for (size_t i = 0; i < s->der.len; i++) {
        s->der.ptr[i] ^= 0x20;
        if (cs_crl_parse(cs_buf_slice(&s->der), &crl, &s->err) == CS_OK)
            assert_int_not_equal(cs_crl_check_signature(&crl, s->ca.chain, 0, &s->err), CS_OK);
        s->der.ptr[i] ^= 0x20;
    }
}

static void believes_the_issuer_alone(void **state)
{
    struct scene *s = *state;
    struct pki stranger = pki_make_ca("Another CA");

    check_ok(make(s, (struct crl_make){.number = 1}), s->err);
    check_ok(cs_crl_check_signature(&s->crl, s->ca.chain, 0, &s->err), s->err);
    assert_true(cs_crl_is_issuer(&s->crl, s->ca.chain, 0));
    assert_false(cs_crl_is_issuer(&s->crl, stranger.chain, 0));
    check_code(cs_crl_check_signature(&s->crl, stranger.chain, 0, &s->err), CS_EAUTH);
    check_says(s->err, "another name");
    check_code(cs_crl_check_signature(&s->crl, s->other.chain, 0, &s->err), CS_EAUTH);
    check_says(s->err, "not signed by this issuer");
    check_ok(make(s, (struct crl_make){.key_id = CS_SLICE_LIT("another key")}), s->err);
    assert_false(cs_crl_is_issuer(&s->crl, s->ca.chain, 0));
    check_code(cs_crl_check_signature(&s->crl, s->ca.chain, 0, &s->err), CS_EAUTH);
    check_says(s->err, "another key");
    pki_free(&stranger);
}

static void refuses_a_list_that_is_signed_by_no_ca(void **state)
{
    struct scene *s = *state;
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    struct cs_crl crl;

    crl_make(&s->leaf, &(struct crl_make){.number = 1}, &der);
    check_ok(cs_crl_parse(cs_buf_slice(&der), &crl, &s->err), s->err);
    check_code(cs_crl_check_signature(&crl, s->leaf.chain, 0, &s->err), CS_EAUTH);
    check_says(s->err, "not a CA's");
}

/* The algorithm stands twice, in what is signed and beside it: one that is not accepted, in both. */
static void refuses_weak_signatures(void **state)
{
    struct scene *s = *state;
    const char ecdsa_sha256[] = "\x2a\x86\x48\xce\x3d\x04\x03\x02";

    check_ok(make(s, (struct crl_make){0}), s->err);
    for (uint8_t *at = s->der.ptr;
         (at = memmem(at, (size_t)(s->der.ptr + s->der.len - at), ecdsa_sha256, 8));)
        at[7] = 1;
    check_ok(cs_crl_parse(cs_buf_slice(&s->der), &s->crl, &s->err), s->err);
    check_code(cs_crl_check_signature(&s->crl, s->ca.chain, 0, &s->err), CS_EUNSUPPORTED);
    check_says(s->err, "not accepted");
}

static void refuses_a_list_from_the_future(void **state)
{
    struct scene *s = *state;

    check_ok(make(s, (struct crl_make){.next_update_s = NOW_S - 1, .this_update_s = NOW_S - 10}), s->err);
    check_ok(cs_crl_check_dates(&s->crl, NOW_S, &s->err), s->err);
    check_ok(make(s, (struct crl_make){.this_update_s = NOW_S + 3600}), s->err);
    check_code(cs_crl_check_dates(&s->crl, NOW_S, &s->err), CS_EINVAL);
    check_says(s->err, "clock");
}

static void refuses_more_than_its_limits(void **state)
{
    struct scene *s = *state;
    size_t count = CS_LIMIT_CRL_ENTRIES + 1;
    struct crl_make_entry *entries = calloc(count, sizeof *entries);
    uint8_t *serials = calloc(count, 3);

    for (size_t i = 0; i < count; i++) {
        uint8_t *serial = serials + 3 * i;

        serial[0] = (uint8_t)(1 + (i >> 16));
        serial[1] = (uint8_t)(i >> 8);
        serial[2] = (uint8_t)i;
        entries[i].serial = cs_slice(serial, 3);
    }
    check_ok(make(s, (struct crl_make){.entries = entries, .entry_count = count - 1}), s->err);
    assert_int_equal(s->crl.entry_count, CS_LIMIT_CRL_ENTRIES);
    check_code(make(s, (struct crl_make){.entries = entries, .entry_count = count}), CS_ETOOBIG);
    check_says(s->err, "more than 100000 entries");
    free(serials);
    free(entries);
}

static void verify_without_memory(void *data)
{
    struct scene *s = data;
    struct cs_err err;
    int rc = cs_crl_check_signature(&s->crl, s->ca.chain, 0, &err);

    assert_true(rc == CS_OK || alloc_fail_happened());
}

static void says_so_when_memory_ends(void **state)
{
    struct scene *s = *state;

    check_ok(make(s, (struct crl_make){.number = 1}), s->err);
    assert_true(alloc_fail_sample(verify_without_memory, s, 50) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_a_list_says, begin, end),
        cmocka_unit_test_setup_teardown(reads_a_list_that_revokes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(reads_a_file_as_pem_and_as_der, begin, end),
        cmocka_unit_test_setup_teardown(refuses_what_may_mean_something_else, begin, end),
        cmocka_unit_test_setup_teardown(takes_a_list_of_a_part_as_one_of_its_own_scope, begin, end),
        cmocka_unit_test_setup_teardown(holds_against_every_cut_and_every_changed_byte, begin, end),
        cmocka_unit_test_setup_teardown(believes_the_issuer_alone, begin, end),
        cmocka_unit_test_setup_teardown(refuses_a_list_that_is_signed_by_no_ca, begin, end),
        cmocka_unit_test_setup_teardown(refuses_weak_signatures, begin, end),
        cmocka_unit_test_setup_teardown(refuses_a_list_from_the_future, begin, end),
        cmocka_unit_test_setup_teardown(refuses_more_than_its_limits, begin, end),
        cmocka_unit_test_setup_teardown(says_so_when_memory_ends, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
