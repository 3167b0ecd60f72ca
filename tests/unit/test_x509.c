/* Chains: reading, checking, keys, requests. Certificates are made by cs_cert_issue(), which OpenSSL judges
 * elsewhere. */
#include "tests/support/check.h"
#include "tests/support/pki.h"

#include "shared/base/limits.h"

static void says_what_is_in_a_certificate(void **state)
{
    struct pki ca = pki_make_ca("Fleet CA");
    struct pki leaf = pki_issue(&ca, (struct cs_issue){.common_name = "Grüße, Welt",
                                                       .not_before_s = 1700000000,
                                                       .not_after_s = 2600000000,
                                                       .client_auth = true,
                                                       .dns_name = "gw-1.example",
                                                       .uri = "urn:x",
                                                       .ip = {10, 0, 0, 7},
                                                       .has_ip = true});
    struct cs_cert_info info;

    (void)state;
    cs_chain_info(leaf.chain, 0, &info);
    assert_string_equal(info.common_name, "Grüße, Welt");
    assert_string_equal(info.issuer, "CN=Fleet CA");
    assert_string_equal(info.subject, "CN=Gr\\C3\\BC\\C3\\9Fe\\, Welt");
    assert_int_equal(info.names_count, 3);
    assert_string_equal(info.names[0], "dns:gw-1.example");
    assert_string_equal(info.names[1], "uri:urn:x");
    assert_string_equal(info.names[2], "ip:10.0.0.7");
    assert_int_equal(info.not_before_s, 1700000000);
    assert_int_equal(info.not_after_s, 2600000000);
    assert_int_equal(info.key_kind, CS_PK_P256);
    assert_int_equal(info.key_bits, 256);
    assert_false(info.is_ca);
    assert_true(info.client_auth);
    assert_false(info.server_auth);
    assert_int_equal(strlen(info.serial_hex), 32);
    cs_chain_info(ca.chain, 0, &info);
    assert_true(info.is_ca);
    assert_true(info.client_auth && info.server_auth);
    pki_free(&leaf);
    pki_free(&ca);
}

static void escapes_and_cuts_what_a_stranger_named(void **state)
{
    char name[220] = "line\nbreak";
    struct pki pki;
    struct cs_cert_info info;

    (void)state;
    memset(name + 10, 'x', sizeof name - 11);
    pki = pki_issue(NULL, (struct cs_issue){.common_name = name});
    cs_chain_info(pki.chain, 0, &info);
    assert_int_equal(strlen(info.common_name), sizeof info.common_name - 1);
    assert_memory_equal(info.common_name, "line\\0abreak", 12);
    pki_free(&pki);
}

static void reads_pem_with_other_blocks_and_writes_it_back(void **state)
{
    struct pki ca = pki_make_ca("CA"), leaf = pki_make_client(&ca, "leaf");
    cs_auto(cs_chain_freep) struct cs_chain *again = NULL;
    struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    assert_int_equal(cs_buf_append_str(&pem, "some text\n"), CS_OK);
    check_ok(cs_key_export_pem(leaf.key, CS_SLICE_EMPTY, &pem, &err), err);
    check_ok(cs_chain_write_pem(leaf.chain, &pem, &err), err);
    check_ok(cs_chain_write_pem(ca.chain, &pem, &err), err);
    check_ok(cs_chain_parse_pem(cs_buf_slice(&pem), &again, &err), err);
    assert_int_equal(cs_chain_count(again), 2);
    check_slice(cs_chain_der(again, 0), cs_chain_der(leaf.chain, 0));
    check_slice(cs_chain_der(again, 1), cs_chain_der(ca.chain, 0));
    cs_buf_free(&pem);
    pki_free(&leaf);
    pki_free(&ca);
}

static void refuses_what_is_no_chain(void **state)
{
    static const struct {
        const char *pem, *says;
        int code;
    } cases[] = {
        {"", "no block", CS_EPARSE},
        {"-----BEGIN CERTIFICATE-----\n", "malformed or cut off", CS_EPARSE},
        {"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "malformed", CS_EPARSE},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "does not parse", CS_EPARSE},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n", "malformed", CS_EPARSE},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no block", CS_EPARSE},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_chain *untouched = NULL;
        struct cs_err err;

        check_code(cs_chain_parse_pem(cs_slice_str(cases[i].pem), &untouched, &err), cases[i].code);
        check_says(err, cases[i].says);
        assert_null(untouched);
    }
}

static void refuses_bytes_behind_a_certificate(void **state)
{
    struct pki ca = pki_make_ca("CA");
    struct cs_chain *untouched = NULL;
    struct cs_buf der = CS_BUF_EMPTY;
    struct cs_slice slice;
    struct cs_err err;

    (void)state;
    assert_int_equal(cs_buf_append(&der, cs_chain_der(ca.chain, 0)), CS_OK);
    assert_int_equal(cs_buf_append_u8(&der, 0), CS_OK);
    slice = cs_buf_slice(&der);
    check_code(cs_chain_parse(slice, &untouched, &err), CS_EPARSE);
    /* Every way to cut it off. */
    for (size_t len = 0; len + 1 < der.len; len++) {
        slice.len = len;
        check_code(cs_chain_parse(slice, &untouched, &err), CS_EPARSE);
    }
    cs_buf_free(&der);
    pki_free(&ca);
}

static void refuses_more_certificates_than_the_limit(void **state)
{
    struct pki ca = pki_make_ca("CA");
    struct cs_buf ders = CS_BUF_EMPTY;
    struct cs_chain *untouched = NULL;
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_LIMIT_CHAIN_CERTS + 1; i++)
        assert_int_equal(cs_buf_append(&ders, cs_chain_der(ca.chain, 0)), CS_OK);
    check_code(cs_chain_parse(cs_buf_slice(&ders), &untouched, &err), CS_ETOOBIG);
    check_code(cs_chain_parse(CS_SLICE_EMPTY, &untouched, &err), CS_EPARSE);
    cs_buf_free(&ders);
    pki_free(&ca);
}

static struct cs_chain *chain_of(const struct cs_chain *a, const struct cs_chain *b, const struct cs_chain *c)
{
    struct cs_buf ders = CS_BUF_EMPTY;
    struct cs_chain *chain = NULL;

    assert_int_equal(cs_buf_append(&ders, cs_chain_der(a, 0)), CS_OK);
    assert_int_equal(cs_buf_append(&ders, cs_chain_der(b, 0)), CS_OK);
    if (c)
        assert_int_equal(cs_buf_append(&ders, cs_chain_der(c, 0)), CS_OK);
    assert_int_equal(cs_chain_parse(cs_buf_slice(&ders), &chain, NULL), CS_OK);
    assert_true(cs_slice_eq(cs_chain_bytes(chain), cs_buf_slice(&ders)));
    cs_buf_free(&ders);
    return chain;
}

static void links_hold_only_in_order_and_from_cas(void **state)
{
    struct pki root = pki_make_ca("Root"), twin = pki_make_ca("Root");
    struct pki middle = pki_issue(&root, (struct cs_issue){.common_name = "Middle", .is_ca = true});
    struct pki leaf = pki_make_client(&middle, "leaf"), under_leaf = pki_make_client(&leaf, "below");
    const struct {
        const struct cs_chain *a, *b, *c;
        int code;
        const char *says;
    } cases[] = {
        {leaf.chain, middle.chain, root.chain, CS_OK, ""},
        {leaf.chain, middle.chain, NULL, CS_OK, ""},
        {middle.chain, leaf.chain, root.chain, CS_EAUTH, "not a CA"},
        {leaf.chain, root.chain, NULL, CS_EAUTH, "issued by another"},
        {middle.chain, twin.chain, NULL, CS_EAUTH, "although the names match"},
        {under_leaf.chain, leaf.chain, middle.chain, CS_EAUTH, "certificate 2 is not a CA"},
        {leaf.chain, middle.chain, middle.chain, CS_EAUTH, "the same"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto(cs_chain_freep) struct cs_chain *chain = chain_of(cases[i].a, cases[i].b, cases[i].c);
        struct cs_err err = {0};

        check_code(cs_chain_check_links(chain, &err), cases[i].code);
        check_says(err, cases[i].says);
    }
    pki_free(&under_leaf);
    pki_free(&leaf);
    pki_free(&middle);
    pki_free(&twin);
    pki_free(&root);
}

static void leads_to_an_anchor_while_its_dates_hold(void **state)
{
    int64_t now_s = 2000000000; /* far from the system's clock: only the time that is passed in counts */
    struct pki root = pki_issue(NULL, (struct cs_issue){.common_name = "Root",
                                                        .is_ca = true,
                                                        .not_before_s = now_s - 1000,
                                                        .not_after_s = now_s + 1000});
    struct pki other = pki_make_ca("Other");
    struct pki leaf = pki_issue(
        &root,
        (struct cs_issue){.common_name = "leaf", .not_before_s = now_s - 10, .not_after_s = now_s + 10});
    struct cs_err err;

    (void)state;
    check_ok(cs_chain_check_anchored(leaf.chain, root.chain, now_s, &err), err);
    check_ok(cs_chain_check_anchored(leaf.chain, root.chain, now_s + 10, &err), err);
    check_code(cs_chain_check_anchored(leaf.chain, root.chain, now_s + 11, &err), CS_EAUTH);
    check_says(err, "expired");
    check_code(cs_chain_check_anchored(leaf.chain, root.chain, now_s - 11, &err), CS_EAUTH);
    check_says(err, "not valid yet");
    check_code(cs_chain_check_anchored(leaf.chain, other.chain, now_s, &err), CS_EAUTH);
    check_says(err, "trusted here");
    pki_free(&leaf);
    pki_free(&other);
    pki_free(&root);
}

static void finds_whether_a_key_belongs_to_a_certificate(void **state)
{
    struct pki ca = pki_make_ca("CA"), a = pki_make_client(&ca, "a"), b = pki_make_client(&ca, "b");
    struct cs_buf pem = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    /* As people have it: the certificate and its key in one file. */
    check_ok(cs_chain_write_pem(a.chain, &pem, &err), err);
    check_ok(cs_key_export_pem(a.key, CS_SLICE_EMPTY, &pem, &err), err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err), err);
    check_ok(cs_chain_check_key(a.chain, cs_buf_slice(&pkcs8), &err), err);
    check_code(cs_chain_check_key(b.chain, cs_buf_slice(&pkcs8), &err), CS_EAUTH);
    check_ok(cs_key_export_pem(b.key, CS_SLICE_EMPTY, &pem, &err), err);
    check_code(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err), CS_EINVAL);
    check_says(err, "2 private keys");
    cs_buf_wipe(&pem);
    cs_buf_wipe(&pkcs8);
    pki_free(&b);
    pki_free(&a);
    pki_free(&ca);
}

static void a_request_proves_possession_of_its_key(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_buf csr = CS_BUF_EMPTY;
    uint8_t spki[CS_SPKI_BYTES] = {0};
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_csr_make(key, "gw-1", &csr, &err), err);
    check_ok(cs_csr_check(cs_buf_slice(&csr), spki, &err), err);
    check_slice(CS_SLICE_ARRAY(spki), cs_key_spki(key));
    for (size_t len = 0; len < csr.len; len++)
        check_code(cs_csr_check(cs_slice(csr.ptr, len), spki, &err), CS_EPARSE);
    for (size_t at = 0; at < csr.len; at++) {
        csr.ptr[at] ^= 1;
        assert_int_not_equal(cs_csr_check(cs_buf_slice(&csr), spki, &err), CS_OK);
        csr.ptr[at] ^= 1;
    }
    cs_buf_free(&csr);
}

static void a_request_is_for_exactly_the_names_that_were_asked_for(void **state)
{
    const struct cs_csr_subject asked = {"web.example", {"web.example", "*.web.example"}, 2};
    const struct {
        const char *says;
        struct cs_csr_subject subject;
        int code;
    } cases[] = {
        {"the same", asked, CS_OK},
        {"another common name", {"web.exampla", {"web.example", "*.web.example"}, 2}, CS_EAUTH},
        {"fewer names", {"web.example", {"web.example"}, 1}, CS_EAUTH},
        {"no names", {"web.example", {NULL}, 0}, CS_EAUTH},
        {"other names", {"web.example", {"web.example", "*.web.exampla"}, 2}, CS_EAUTH},
        {"another order", {"web.example", {"*.web.example", "web.example"}, 2}, CS_EAUTH},
        {"a name that is none", {"web.example", {"web example"}, 1}, CS_EINVAL},
        {"a name that is empty", {"web.example", {""}, 1}, CS_EINVAL},
    };
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_free) struct cs_buf csr = CS_BUF_EMPTY;
    uint8_t spki[CS_SPKI_BYTES];
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_csr_make_for(key, &asked, &csr, &err), err);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        int code = cs_csr_check_for(cs_buf_slice(&csr), &cases[i].subject, spki, &err);

        if (code != cases[i].code)
            fail_msg("%s: '%s' where '%s' was wanted", cases[i].says, cs_code_text(code),
                     cs_code_text(cases[i].code));
    }
    check_slice(CS_SLICE_ARRAY(spki), cs_key_spki(key));
    csr.ptr[csr.len - 1] ^= 1;
    check_code(cs_csr_check_for(cs_buf_slice(&csr), &asked, spki, &err), CS_EAUTH);
}

/* Eight names of 127 characters and a common name of 64: the most that a key request can ask for. */
static void the_largest_request_fits_the_statement(void **state)
{
    char name[128], common_name[65];
    struct cs_csr_subject most = {.common_name = common_name, .dns_count = 8};
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_free) struct cs_buf csr = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    memset(common_name, 'b', sizeof common_name - 1);
    common_name[sizeof common_name - 1] = '\0';
    for (size_t i = 0; i < most.dns_count; i++)
        most.dns_names[i] = name;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_csr_make_for(key, &most, &csr, &err), err);
    assert_in_range(csr.len, 1200, 1536);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_in_a_certificate),
        cmocka_unit_test(escapes_and_cuts_what_a_stranger_named),
        cmocka_unit_test(reads_pem_with_other_blocks_and_writes_it_back),
        cmocka_unit_test(refuses_what_is_no_chain),
        cmocka_unit_test(refuses_bytes_behind_a_certificate),
        cmocka_unit_test(refuses_more_certificates_than_the_limit),
        cmocka_unit_test(links_hold_only_in_order_and_from_cas),
        cmocka_unit_test(leads_to_an_anchor_while_its_dates_hold),
        cmocka_unit_test(finds_whether_a_key_belongs_to_a_certificate),
        cmocka_unit_test(a_request_proves_possession_of_its_key),
        cmocka_unit_test(a_request_is_for_exactly_the_names_that_were_asked_for),
        cmocka_unit_test(the_largest_request_fits_the_statement),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
