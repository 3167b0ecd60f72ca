#include "tests/support/check.h"
#include "tests/support/deployment.h"

static struct deployment d;

static int set_up(void **state)
{
    (void)state;
    deployment_make(&d);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    deployment_free(&d);
    return 0;
}

static const struct {
    enum cs_statement_kind kind;
    const char *signer;
} kinds[] = {
    {CS_STATEMENT_TRUST_POLICY, "root-0"},   {CS_STATEMENT_ADMISSION, "ada"},
    {CS_STATEMENT_PUSH_REQUEST, "alice"},    {CS_STATEMENT_DECISION, "bob"},
    {CS_STATEMENT_KEY_REQUEST, "alice"},     {CS_STATEMENT_DEVICE_ADVERTISEMENT, "gw-0"},
    {CS_STATEMENT_DEVICE_CSR, "gw-0"},       {CS_STATEMENT_DEVICE_REPORT, "gw-0"},
    {CS_STATEMENT_PUSH_BATCH, "controller"},
};

static struct cs_slice spki_of(const char *name)
{
    return cs_key_spki(deployment_key(&d, name));
}

static struct cs_buf sign_with(const char *const *names, size_t count)
{
    const struct cs_key *keys[CS_LIMIT_ENVELOPE_SIGNATURES];
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = deployment_key(&d, names[i]);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("payload"), keys, count, &wire, &err), err);
    return wire;
}

static void verifies_what_it_signed_of_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(kinds); i++) {
        struct cs_buf wire = deployment_example(&d, kinds[i].kind);
        struct cs_digest key_id = cs_key_id(spki_of(kinds[i].signer)), payload_digest;
        struct cs_verified verified;
        struct cs_err err;

        check_ok(cs_envelope_verify_one(cs_buf_slice(&wire), kinds[i].kind, spki_of(kinds[i].signer),
                                        &verified, &err),
                 err);
        payload_digest = cs_sha256(verified.payload);
        assert_int_equal(verified.kind, kinds[i].kind);
        assert_int_equal(verified.signer_count, 1);
        assert_true(cs_digest_eq(&verified.signers[0], &key_id));
        assert_true(cs_digest_eq(&verified.digest, &payload_digest));
        cs_buf_free(&wire);
    }
}

/* Some of the flips make another valid envelope (of an unknown key, say): none of them may verify. */
static void refuses_every_flipped_byte_of_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(kinds); i++) {
        struct cs_buf wire = deployment_example(&d, kinds[i].kind);

        for (size_t at = 0; at < wire.len; at++) {
            struct cs_verified verified;
            struct cs_err err;
            uint8_t flip = (uint8_t)(1u << at % 8);

            wire.ptr[at] ^= flip;
            if (cs_envelope_verify_one(cs_buf_slice(&wire), kinds[i].kind, spki_of(kinds[i].signer),
                                       &verified, &err) == CS_OK) {
                /* The policy has two signatures, and only one of the two keys is known here. */
                assert_int_equal(kinds[i].kind, CS_STATEMENT_TRUST_POLICY);
                assert_true(at > wire.len - 102);
            }
            wire.ptr[at] ^= flip;
        }
        cs_buf_free(&wire);
    }
}

static void refuses_every_shortened_envelope(void **state)
{
    struct cs_buf wire = deployment_example(&d, CS_STATEMENT_DECISION);

    (void)state;
    for (size_t len = 0; len < wire.len; len++) {
        /* A copy of exactly this size, so that a read behind its end is seen. */
        uint8_t *copy = malloc(len ? len : 1);
        struct cs_verified verified;
        struct cs_err err;

        assert_non_null(copy);
        memcpy(copy, wire.ptr, len);
        assert_int_not_equal(cs_envelope_verify_one(cs_slice(copy, len), CS_STATEMENT_DECISION,
                                                    spki_of("bob"), &verified, &err),
                             CS_OK);
        free(copy);
    }
    cs_buf_free(&wire);
}

static void refuses_another_kind_and_another_key(void **state)
{
    struct cs_buf wire = deployment_example(&d, CS_STATEMENT_DECISION);
    struct cs_verified verified;
    struct cs_err err;

    (void)state;
    check_code(cs_envelope_verify_one(cs_buf_slice(&wire), CS_STATEMENT_PUSH_REQUEST, spki_of("bob"),
                                      &verified, &err),
               CS_EPARSE);
    check_code(
        cs_envelope_verify_one(cs_buf_slice(&wire), CS_STATEMENT_DECISION, spki_of("ben"), &verified, &err),
        CS_EAUTH);
    cs_buf_free(&wire);
}

/* What a signature is worth must not depend on who copies it where. */
static void refuses_a_signature_of_another_kind_of_statement(void **state)
{
    struct cs_buf decision = sign_with((const char *const[]){"bob"}, 1), request = CS_BUF_EMPTY;
    const struct cs_key *key = deployment_key(&d, "bob");
    struct cs_envelope from, to;
    struct cs_verified verified;
    struct cs_err err;

    (void)state;
    check_ok(cs_envelope_sign(CS_STATEMENT_PUSH_REQUEST, CS_SLICE_LIT("payload"), &key, 1, &request, &err),
             err);
    check_ok(cs_envelope_parse(cs_buf_slice(&decision), &from, &err), err);
    check_ok(cs_envelope_parse(cs_buf_slice(&request), &to, &err), err);
    memcpy(request.ptr + request.len - CS_SIGNATURE_BYTES, from.signatures[0].signature.ptr,
           CS_SIGNATURE_BYTES);
    check_code(cs_envelope_verify_one(cs_buf_slice(&request), CS_STATEMENT_PUSH_REQUEST, spki_of("bob"),
                                      &verified, &err),
               CS_EAUTH);
    cs_buf_free(&decision);
    cs_buf_free(&request);
}

static void names_the_known_signers_and_passes_over_the_others(void **state)
{
    struct cs_buf wire = sign_with((const char *const[]){"mallory", "bob", "carol"}, 3);
    struct cs_keyring keyring = {.count = 0};
    struct cs_digest bob = cs_key_id(spki_of("bob")), carol = cs_key_id(spki_of("carol"));
    struct cs_verified verified;
    struct cs_err err;

    (void)state;
    check_code(cs_envelope_verify(cs_buf_slice(&wire), CS_STATEMENT_DECISION, &keyring, &verified, &err),
               CS_EAUTH);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("carol")), CS_OK);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("bob")), CS_OK);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("bob")), CS_OK);
    assert_int_equal(keyring.count, 2);
    check_ok(cs_envelope_verify(cs_buf_slice(&wire), CS_STATEMENT_DECISION, &keyring, &verified, &err), err);
    assert_int_equal(verified.signer_count, 2);
    assert_true(cs_digest_eq(&verified.signers[0], &bob));
    assert_true(cs_digest_eq(&verified.signers[1], &carol));
    cs_buf_free(&wire);
}

static void refuses_when_one_of_the_known_signatures_does_not_hold(void **state)
{
    struct cs_buf wire = sign_with((const char *const[]){"bob", "carol"}, 2);
    struct cs_keyring keyring = {.count = 0};
    struct cs_verified verified;
    struct cs_err err;

    (void)state;
    assert_int_equal(cs_keyring_add(&keyring, spki_of("carol")), CS_OK);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("bob")), CS_OK);
    wire.ptr[wire.len - 1] ^= 1;
    check_code(cs_envelope_verify(cs_buf_slice(&wire), CS_STATEMENT_DECISION, &keyring, &verified, &err),
               CS_EAUTH);
    cs_buf_free(&wire);
}

static void cosigns_a_draft_until_all_have_signed(void **state)
{
    struct cs_buf draft = sign_with(NULL, 0), once = CS_BUF_EMPTY, twice = CS_BUF_EMPTY;
    struct cs_keyring keyring = {.count = 0};
    struct cs_verified verified;
    struct cs_envelope envelope;
    struct cs_err err;

    (void)state;
    check_ok(cs_envelope_parse(cs_buf_slice(&draft), &envelope, &err), err);
    assert_int_equal(envelope.signature_count, 0);
    check_ok(cs_envelope_cosign(cs_buf_slice(&draft), deployment_key(&d, "root-0"), &once, &err), err);
    check_ok(cs_envelope_cosign(cs_buf_slice(&once), deployment_key(&d, "root-1"), &twice, &err), err);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("root-0")), CS_OK);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("root-1")), CS_OK);
    check_code(cs_envelope_verify(cs_buf_slice(&draft), CS_STATEMENT_DECISION, &keyring, &verified, &err),
               CS_EAUTH);
    check_ok(cs_envelope_verify(cs_buf_slice(&twice), CS_STATEMENT_DECISION, &keyring, &verified, &err), err);
    assert_int_equal(verified.signer_count, 2);

    check_code(cs_envelope_cosign(cs_buf_slice(&twice), deployment_key(&d, "root-0"), &once, &err),
               CS_EEXISTS);
    cs_buf_free(&draft);
    cs_buf_free(&once);
    cs_buf_free(&twice);
}

static void refuses_two_signatures_of_one_key(void **state)
{
    struct cs_buf wire = sign_with((const char *const[]){"bob", "bob"}, 2);
    struct cs_envelope envelope;
    struct cs_err err;

    (void)state;
    check_code(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), CS_EPARSE);
    check_says(err, "two signatures of one key");
    cs_buf_free(&wire);
}

#define TYPE                                                                                                 \
    "\x0a\x29"                                                                                               \
    "application/vnd.countersign.decision.v1\0\0"
#define DECISION                                                                                             \
    "\x0a\x27"                                                                                               \
    "application/vnd.countersign.decision.v1"
#define PAYLOAD                                                                                              \
    "\x12\x01"                                                                                               \
    "p"
#define KEY_ID                                                                                               \
    "\x0a\x20"                                                                                               \
    "0123456789abcdef0123456789abcdef"
#define SIGNATURE                                                                                            \
    "\x12\x40"                                                                                               \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIGNED "\x1a\x64" KEY_ID SIGNATURE

static void takes_one_form_only(void **state)
{
#define CASE(says, wire, code)                                                                               \
    {                                                                                                        \
        says, CS_SLICE_LIT(wire), code                                                                       \
    }
    const struct {
        const char *says;
        struct cs_slice wire;
        int code;
    } cases[] = {
        CASE("one that is right", DECISION PAYLOAD SIGNED, CS_OK),
        CASE("nothing", "", CS_EPARSE),
        CASE("no type", PAYLOAD SIGNED, CS_EPARSE),
        CASE("no payload", DECISION SIGNED, CS_EPARSE),
        CASE("an empty payload", DECISION "\x12\x00" SIGNED, CS_EPARSE),
        CASE("payload before type", PAYLOAD DECISION SIGNED, CS_EPARSE),
        CASE("a second type", DECISION DECISION PAYLOAD SIGNED, CS_EPARSE),
        CASE("a second payload", DECISION PAYLOAD PAYLOAD SIGNED, CS_EPARSE),
        CASE("a payload behind the signatures", DECISION PAYLOAD SIGNED PAYLOAD, CS_EPARSE),
        CASE("an unknown field", DECISION PAYLOAD SIGNED "\x22\x00", CS_EPARSE),
        CASE("an unknown number", DECISION PAYLOAD SIGNED "\x20\x01", CS_EPARSE),
        CASE("a byte behind", DECISION PAYLOAD SIGNED "\x00", CS_EPARSE),
        CASE("a padded length",
             "\x0a\xa7\x00"
             "application/vnd.countersign.decision.v1" PAYLOAD,
             CS_EPARSE),
        CASE("a padded tag",
             "\x8a\x00\x27"
             "application/vnd.countersign.decision.v1" PAYLOAD,
             CS_EPARSE),
        CASE("a length beyond the end",
             DECISION "\x12\x02"
                      "p",
             CS_EPARSE),
        CASE("a length of 2^64 - 1",
             DECISION "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                      "p",
             CS_EPARSE),
        CASE("a signature without key id", DECISION PAYLOAD "\x1a\x42" SIGNATURE, CS_EPARSE),
        CASE("a signature without signature", DECISION PAYLOAD "\x1a\x22" KEY_ID, CS_EPARSE),
        CASE("an empty signature", DECISION PAYLOAD "\x1a\x00", CS_EPARSE),
        CASE("a byte behind a signature", DECISION PAYLOAD "\x1a\x65" KEY_ID SIGNATURE "\x00", CS_EPARSE),
        CASE("signature before key id", DECISION PAYLOAD "\x1a\x64" SIGNATURE KEY_ID, CS_EPARSE),
        CASE("a type with zeros behind", TYPE PAYLOAD SIGNED, CS_EUNSUPPORTED),
        CASE("a type that is not known",
             "\x0a\x01"
             "t" PAYLOAD SIGNED,
             CS_EUNSUPPORTED),
    };
#undef CASE

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_envelope envelope;
        struct cs_err err;
        int rc = cs_envelope_parse(cases[i].wire, &envelope, &err);

        if (rc != cases[i].code)
            fail_msg("%s: '%s' where '%s' was wanted", cases[i].says, cs_code_text(rc),
                     cs_code_text(cases[i].code));
    }
}

static void refuses_more_signatures_than_fit(void **state)
{
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    (void)state;
    assert_int_equal(cs_buf_append(&wire, CS_SLICE_LIT(DECISION PAYLOAD)), CS_OK);
    for (size_t i = 0; i < CS_LIMIT_ENVELOPE_SIGNATURES; i++) {
        assert_int_equal(cs_buf_append(&wire, CS_SLICE_LIT(SIGNED)), CS_OK);
        wire.ptr[wire.len - 90] = (uint8_t)i; /* in the key id */
    }
    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    assert_int_equal(envelope.signature_count, CS_LIMIT_ENVELOPE_SIGNATURES);
    assert_int_equal(cs_buf_append(&wire, CS_SLICE_LIT(SIGNED)), CS_OK);
    check_code(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), CS_EPARSE);
    cs_buf_free(&wire);
}

/* DSSE v1, protocol.md, "Signature definition": written out here, and checked without the code under test. */
static void signs_the_pre_authentication_encoding(void **state)
{
    const struct cs_slice pae =
        CS_SLICE_LIT("DSSEv1 39 application/vnd.countersign.decision.v1 11 hello world");
    const struct cs_key *key = deployment_key(&d, "bob");
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    (void)state;
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("hello world"), &key, 1, &wire, &err), err);
    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    assert_int_equal(cs_verify(spki_of("bob"), &pae, 1, envelope.signatures[0].signature), CS_OK);
    cs_buf_free(&wire);
}

static void refuses_to_sign_beyond_the_limits(void **state)
{
    static const uint8_t large[CS_LIMIT_POLICY_BYTES + 1];
    const struct cs_key *key = deployment_key(&d, "bob");
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_code(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_EMPTY, &key, 1, &wire, &err), CS_EINVAL);
    check_code(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_ARRAY(large), &key, 1, &wire, &err),
               CS_EINVAL);
    wire.limit_bytes = 64;
    check_code(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), &key, 1, &wire, &err), CS_ETOOBIG);
    assert_int_equal(wire.len, 0);
    cs_buf_free(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_what_it_signed_of_every_kind),
        cmocka_unit_test(refuses_every_flipped_byte_of_every_kind),
        cmocka_unit_test(refuses_every_shortened_envelope),
        cmocka_unit_test(refuses_another_kind_and_another_key),
        cmocka_unit_test(refuses_a_signature_of_another_kind_of_statement),
        cmocka_unit_test(names_the_known_signers_and_passes_over_the_others),
        cmocka_unit_test(refuses_when_one_of_the_known_signatures_does_not_hold),
        cmocka_unit_test(cosigns_a_draft_until_all_have_signed),
        cmocka_unit_test(refuses_two_signatures_of_one_key),
        cmocka_unit_test(takes_one_form_only),
        cmocka_unit_test(refuses_more_signatures_than_fit),
        cmocka_unit_test(signs_the_pre_authentication_encoding),
        cmocka_unit_test(refuses_to_sign_beyond_the_limits),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
