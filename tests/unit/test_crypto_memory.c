/* Keys, certificates, requests and sealed secrets with allocations failing in turn: the answer is "out
 * of memory" and nothing else, outputs are untouched, nothing leaks. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/pki.h"

#include "shared/crypto/hpke.h"

/* What the scenarios read: made before memory runs out. */
struct supply {
    struct pki ca, leaf, other; /* other: a CA with the same name */
    struct cs_key *agree;
    struct cs_buf pem, ders, key_pem, pkcs8, csr, sealed;
    uint8_t enc[CS_HPKE_ENC_BYTES], signature[CS_SIGNATURE_BYTES];
};

static struct supply supply;

/* An allocation failed and was missed, or none did: then the call succeeded. */
static bool answered(int rc)
{
    if (rc != CS_OK && (rc != CS_ENOMEM || !alloc_fail_happened()))
        fail_msg("'%s' where memory %s", cs_code_text(rc), alloc_fail_happened() ? "ran out" : "was enough");
    return rc == CS_OK;
}

/* Where mbedTLS swallows the reason: it tries a key in one form after the other, and takes a signature that
 * it had no memory to check for a wrong one. That is a refusal, which is what counts. */
static bool answered_or_refused(int rc)
{
    if (rc == CS_EAUTH || rc == CS_EPARSE)
        assert_true(alloc_fail_happened());
    else
        answered(rc);
    return rc == CS_OK;
}

static void parse_chain(void *data)
{
    struct cs_chain *chain = NULL;

    (void)data;
    assert_true(answered(cs_chain_parse(cs_buf_slice(&supply.ders), &chain, NULL)) == (chain != NULL));
    cs_chain_free(chain);
}

static void parse_chain_pem(void *data)
{
    struct cs_chain *chain = NULL;

    (void)data;
    assert_true(answered(cs_chain_parse_pem(cs_buf_slice(&supply.pem), &chain, NULL)) == (chain != NULL));
    cs_chain_free(chain);
}

static void check_chain(void *data)
{
    struct cs_chain *chain = NULL;

    (void)data;
    if (answered(cs_chain_parse(cs_buf_slice(&supply.ders), &chain, NULL))) {
        answered_or_refused(cs_chain_check_links(chain, NULL));
        answered_or_refused(cs_chain_check_anchored(chain, supply.ca.chain, pki_now(), NULL));
        answered_or_refused(cs_chain_check_key(chain, cs_buf_slice(&supply.pkcs8), NULL));
    }
    cs_chain_free(chain);
}

static void write_chain(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered(cs_chain_write_pem(supply.leaf.chain, &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_free(&out);
}

static void parse_key(void *data)
{
    struct cs_key *key = NULL;

    (void)data;
    assert_true(answered_or_refused(cs_key_parse(cs_buf_slice(&supply.key_pem), CS_SLICE_EMPTY, CS_KEY_SIGN,
                                                 &key, NULL)) == (key != NULL));
    cs_key_free(key);
}

static void convert_key(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered_or_refused(
            cs_private_key_to_pkcs8(cs_buf_slice(&supply.key_pem), CS_SLICE_EMPTY, &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_wipe(&out);
}

static void export_key(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered(cs_key_export_pem(supply.leaf.key, CS_SLICE_EMPTY, &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_wipe(&out);
}

static void make_key(void *data)
{
    struct cs_key *key = NULL;

    (void)data;
    assert_true(answered(cs_key_generate(CS_KEY_SIGN, &key, NULL)) == (key != NULL));
    cs_key_free(key);
}

static void sign(void *data)
{
    struct cs_slice text = CS_SLICE_LIT("text");
    uint8_t signature[CS_SIGNATURE_BYTES];

    (void)data;
    answered(cs_sign(supply.leaf.key, &text, 1, signature, NULL));
}

static void verify(void *data)
{
    struct cs_slice text = CS_SLICE_LIT("text");

    (void)data;
    answered(cs_verify(cs_key_spki(supply.leaf.key), &text, 1, CS_SLICE_ARRAY(supply.signature)));
}

/* What is wrong must not become right when memory runs out in the middle of finding that out. */
static void refuse(void *data)
{
    struct cs_slice text = CS_SLICE_LIT("another text");
    int rc = cs_verify(cs_key_spki(supply.leaf.key), &text, 1, CS_SLICE_ARRAY(supply.signature));

    (void)data;
    assert_true(rc == CS_EAUTH || (rc == CS_ENOMEM && alloc_fail_happened()));
    rc = cs_chain_check_anchored(supply.leaf.chain, supply.other.chain, pki_now(), NULL);
    assert_true(rc == CS_EAUTH || (rc == CS_ENOMEM && alloc_fail_happened()));
    rc = cs_chain_check_key(supply.other.chain, cs_buf_slice(&supply.pkcs8), NULL);
    assert_true(rc == CS_EAUTH || (rc != CS_OK && alloc_fail_happened()));
}

static void seal(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;
    uint8_t enc[CS_HPKE_ENC_BYTES];

    (void)data;
    if (!answered(cs_hpke_seal(cs_key_spki(supply.agree), CS_SLICE_LIT("info"), CS_SLICE_LIT("aad"),
                               CS_SLICE_LIT("secret"), enc, &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_wipe(&out);
}

static void open_sealed(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered(cs_hpke_open(supply.agree, CS_SLICE_ARRAY(supply.enc), CS_SLICE_LIT("info"),
                               CS_SLICE_LIT("aad"), cs_buf_slice(&supply.sealed), &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_wipe(&out);
}

static void make_csr(void *data)
{
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered(cs_csr_make(supply.leaf.key, "gw-1", &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_free(&out);
}

static void check_csr(void *data)
{
    uint8_t spki[CS_SPKI_BYTES];

    (void)data;
    answered(cs_csr_check(cs_buf_slice(&supply.csr), spki, NULL));
}

static void issue(void *data)
{
    struct cs_issue what = {.common_name = "gw-1",
                            .subject_spki = cs_key_spki(supply.leaf.key),
                            .not_before_s = 1700000000,
                            .not_after_s = 2600000000,
                            .client_auth = true};
    struct cs_buf out = CS_BUF_EMPTY;

    (void)data;
    if (!answered(cs_cert_issue(&what, supply.ca.chain, supply.ca.key, &out, NULL)))
        assert_int_equal(out.len, 0);
    cs_buf_free(&out);
}

#define CASE(scenario, sentence)                                                                             \
    static void sentence(void **state)                                                                       \
    {                                                                                                        \
        unsigned count;                                                                                      \
        (void)state;                                                                                         \
        count = alloc_fail_sample(scenario, NULL, 250);                                                      \
        print_message("    %u allocations failed\n", count);                                                 \
        assert_true(count > 0);                                                                              \
    }
CASE(parse_chain, parsing_a_chain_runs_out_of_memory)
CASE(parse_chain_pem, parsing_a_pem_runs_out_of_memory)
CASE(check_chain, checking_a_chain_runs_out_of_memory)
CASE(write_chain, writing_a_chain_runs_out_of_memory)
CASE(parse_key, parsing_a_key_runs_out_of_memory)
CASE(convert_key, converting_a_key_runs_out_of_memory)
CASE(export_key, exporting_a_key_runs_out_of_memory)
CASE(make_key, making_a_key_runs_out_of_memory)
CASE(sign, signing_runs_out_of_memory)
CASE(verify, verifying_runs_out_of_memory)
CASE(refuse, what_is_wrong_stays_wrong_without_memory)
CASE(seal, sealing_runs_out_of_memory)
CASE(open_sealed, opening_runs_out_of_memory)
CASE(make_csr, making_a_request_runs_out_of_memory)
CASE(check_csr, checking_a_request_runs_out_of_memory)
CASE(issue, issuing_runs_out_of_memory)

static int set_up(void **state)
{
    struct cs_slice text = CS_SLICE_LIT("text");

    (void)state;
    cs_assert(cs_crypto_init(NULL) == CS_OK);
    supply.ca = pki_make_ca("CA");
    supply.other = pki_make_ca("CA");
    supply.leaf = pki_make_client(&supply.ca, "gw-1");
    cs_assert(cs_key_generate(CS_KEY_AGREE, &supply.agree, NULL) == CS_OK);
    cs_assert(cs_buf_append(&supply.ders, cs_chain_der(supply.leaf.chain, 0)) == CS_OK);
    cs_assert(cs_buf_append(&supply.ders, cs_chain_der(supply.ca.chain, 0)) == CS_OK);
    cs_assert(cs_chain_write_pem(supply.leaf.chain, &supply.pem, NULL) == CS_OK);
    cs_assert(cs_chain_write_pem(supply.ca.chain, &supply.pem, NULL) == CS_OK);
    cs_assert(cs_key_export_pem(supply.leaf.key, CS_SLICE_EMPTY, &supply.key_pem, NULL) == CS_OK);
    cs_assert(cs_private_key_to_pkcs8(cs_buf_slice(&supply.key_pem), CS_SLICE_EMPTY, &supply.pkcs8, NULL) ==
              CS_OK);
    cs_assert(cs_csr_make(supply.leaf.key, "gw-1", &supply.csr, NULL) == CS_OK);
    cs_assert(cs_sign(supply.leaf.key, &text, 1, supply.signature, NULL) == CS_OK);
    cs_assert(cs_hpke_seal(cs_key_spki(supply.agree), CS_SLICE_LIT("info"), CS_SLICE_LIT("aad"),
                           CS_SLICE_LIT("secret"), supply.enc, &supply.sealed, NULL) == CS_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct cs_buf *bufs[] = {&supply.pem,   &supply.ders, &supply.key_pem,
                             &supply.pkcs8, &supply.csr,  &supply.sealed};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(bufs); i++)
        cs_buf_wipe(bufs[i]);
    cs_key_free(supply.agree);
    pki_free(&supply.leaf);
    pki_free(&supply.other);
    pki_free(&supply.ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_a_chain_runs_out_of_memory),
        cmocka_unit_test(parsing_a_pem_runs_out_of_memory),
        cmocka_unit_test(checking_a_chain_runs_out_of_memory),
        cmocka_unit_test(writing_a_chain_runs_out_of_memory),
        cmocka_unit_test(parsing_a_key_runs_out_of_memory),
        cmocka_unit_test(converting_a_key_runs_out_of_memory),
        cmocka_unit_test(exporting_a_key_runs_out_of_memory),
        cmocka_unit_test(making_a_key_runs_out_of_memory),
        cmocka_unit_test(signing_runs_out_of_memory),
        cmocka_unit_test(verifying_runs_out_of_memory),
        cmocka_unit_test(what_is_wrong_stays_wrong_without_memory),
        cmocka_unit_test(sealing_runs_out_of_memory),
        cmocka_unit_test(opening_runs_out_of_memory),
        cmocka_unit_test(making_a_request_runs_out_of_memory),
        cmocka_unit_test(checking_a_request_runs_out_of_memory),
        cmocka_unit_test(issuing_runs_out_of_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
