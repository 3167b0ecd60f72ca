#include "shared/base/text.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include <stdio.h>

static struct deployment *const d = &deployment_shared;

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
    return cs_key_spki(deployment_key(d, name));
}

static struct cs_buf sign_with(const char *const *names, size_t count)
{
    const struct cs_key *keys[CS_LIMIT_ENVELOPE_SIGNATURES];
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = deployment_key(d, names[i]);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("payload"), keys, count, &wire, &err), err);
    return wire;
}

static void verifies_what_it_signed_of_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(kinds); i++) {
        struct cs_buf wire = deployment_example(d, kinds[i].kind);
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
        struct cs_buf wire = deployment_example(d, kinds[i].kind);

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
    struct cs_buf wire = deployment_example(d, CS_STATEMENT_DECISION);

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
    struct cs_buf wire = deployment_example(d, CS_STATEMENT_DECISION);
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
    const struct cs_key *key = deployment_key(d, "bob");
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
    check_ok(cs_envelope_cosign(cs_buf_slice(&draft), deployment_key(d, "root-0"), &once, &err), err);
    check_ok(cs_envelope_cosign(cs_buf_slice(&once), deployment_key(d, "root-1"), &twice, &err), err);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("root-0")), CS_OK);
    assert_int_equal(cs_keyring_add(&keyring, spki_of("root-1")), CS_OK);
    check_code(cs_envelope_verify(cs_buf_slice(&draft), CS_STATEMENT_DECISION, &keyring, &verified, &err),
               CS_EAUTH);
    check_ok(cs_envelope_verify(cs_buf_slice(&twice), CS_STATEMENT_DECISION, &keyring, &verified, &err), err);
    assert_int_equal(verified.signer_count, 2);

    check_code(cs_envelope_cosign(cs_buf_slice(&twice), deployment_key(d, "root-0"), &once, &err),
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

/* One field of tests/vectors/dsse.txt. */
static struct cs_slice published(const char *name, char room[256])
{
    FILE *file = fopen(CS_TEST_VECTORS "/dsse.txt", "r");
    size_t len = strlen(name);

    assert_non_null(file);
    while (fgets(room, 256, file))
        if (strncmp(room, name, len) == 0 && room[len] == ' ') {
            fclose(file);
            return cs_slice(room + len + 1, strlen(room + len + 1) - 1);
        }
    fclose(file);
    fail_msg("dsse.txt has no %s", name);
    return CS_SLICE_EMPTY;
}

static void has_the_encoding_and_the_signature_that_dsse_publishes(void **state)
{
    char type[256], payload[256], text[256];
    uint8_t point[CS_POINT_BYTES] = {4}, spki[CS_SPKI_BYTES], signature[CS_SIGNATURE_BYTES];
    struct cs_buf whole = CS_BUF_EMPTY;
    struct cs_pae pae;

    (void)state;
    cs_pae_fill(&pae, published("type", type), published("payload", payload));
    for (size_t i = 0; i < CS_PAE_PARTS; i++)
        assert_int_equal(cs_buf_append(&whole, pae.parts[i]), CS_OK);
    check_slice(cs_buf_slice(&whole), published("pae", text));
    assert_int_equal(cs_unhex(published("x", text), point + 1, 32), CS_OK);
    assert_int_equal(cs_unhex(published("y", text), point + 33, 32), CS_OK);
    cs_spki_from_point(point, spki);
    assert_int_equal(cs_unhex(published("signature", text), signature, sizeof signature), CS_OK);
    assert_int_equal(cs_verify(CS_SLICE_ARRAY(spki), pae.parts, CS_PAE_PARTS, CS_SLICE_ARRAY(signature)),
                     CS_OK);
    payload[strlen("payload ") + 4]++;
    assert_int_equal(cs_verify(CS_SLICE_ARRAY(spki), pae.parts, CS_PAE_PARTS, CS_SLICE_ARRAY(signature)),
                     CS_EAUTH);
    cs_buf_free(&whole);
}

/* DSSE v1, protocol.md, "Signature definition": written out here, and checked without the code under test. */
static void signs_the_pre_authentication_encoding(void **state)
{
    const struct cs_slice pae =
        CS_SLICE_LIT("DSSEv1 39 application/vnd.countersign.decision.v1 11 hello world");
    const struct cs_key *key = deployment_key(d, "bob");
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
    const struct cs_key *key = deployment_key(d, "bob");
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

/* The cosigner's key is none of those that have signed. */
static void cosigns_no_more_than_fit(void **state)
{
    const struct cs_key *keys[CS_LIMIT_ENVELOPE_SIGNATURES + 1];
    struct cs_buf wire = CS_BUF_EMPTY, out = CS_BUF_EMPTY;
    struct cs_err err;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < CS_ARRAY_LEN(keys); i++) {
        snprintf(name, sizeof name, "signer %u", i);
        keys[i] = deployment_key(d, name);
    }
    check_code(
        cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), keys, CS_ARRAY_LEN(keys), &wire, &err),
        CS_EINVAL);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), keys, CS_LIMIT_ENVELOPE_SIGNATURES,
                              &wire, &err),
             err);
    check_code(cs_envelope_cosign(cs_buf_slice(&wire), deployment_key(d, "bob"), &out, &err), CS_EFULL);
    check_says(err, "16 signatures");
    assert_int_equal(out.len, 0);
    cs_buf_free(&wire);
}

static void cosigns_what_parses_and_fits(void **state)
{
    const struct cs_key *bob = deployment_key(d, "bob");
    struct cs_buf wire = CS_BUF_EMPTY, out = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_code(cs_envelope_cosign(CS_SLICE_LIT("no envelope"), bob, &out, &err), CS_EPARSE);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), NULL, 0, &wire, &err), err);
    out.limit_bytes = wire.len + 10;
    check_code(cs_envelope_cosign(cs_buf_slice(&wire), bob, &out, &err), CS_ETOOBIG);
    assert_int_equal(out.len, 0);
    cs_buf_free(&out);
    cs_buf_free(&wire);
}

/* Key id and signature have one size each, and nothing stands behind them. */
static void refuses_a_signature_of_another_form(void **state)
{
    static const struct {
        size_t key_id, signature, behind;
        int wanted;
    } cases[] = {{32, 64, 0, CS_OK}, {31, 64, 0, CS_EPARSE}, {32, 63, 0, CS_EPARSE}, {32, 64, 1, CS_EPARSE}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        static const uint8_t zeros[64];
        uint8_t head[] = {0x1a, (uint8_t)(4 + cases[i].key_id + cases[i].signature + cases[i].behind), 0x0a,
                          (uint8_t)cases[i].key_id};
        uint8_t middle[] = {0x12, (uint8_t)cases[i].signature};
        struct cs_buf wire = CS_BUF_EMPTY;
        struct cs_envelope envelope;
        struct cs_err err;

        check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), NULL, 0, &wire, &err), err);
        assert_int_equal(cs_buf_append(&wire, CS_SLICE_ARRAY(head)), CS_OK);
        assert_int_equal(cs_buf_append(&wire, cs_slice(zeros, cases[i].key_id)), CS_OK);
        assert_int_equal(cs_buf_append(&wire, CS_SLICE_ARRAY(middle)), CS_OK);
        assert_int_equal(cs_buf_append(&wire, cs_slice(zeros, cases[i].signature)), CS_OK);
        assert_int_equal(cs_buf_append(&wire, cs_slice(zeros, cases[i].behind)), CS_OK);
        check_code(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), cases[i].wanted);
        cs_buf_free(&wire);
    }
}

static void refuses_a_payload_beyond_the_limit(void **state)
{
    static uint8_t large[CS_LIMIT_POLICY_BYTES + 1];
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    (void)state;
    check_ok(
        cs_envelope_sign(CS_STATEMENT_DECISION, cs_slice(large, CS_LIMIT_POLICY_BYTES), NULL, 0, &wire, &err),
        err);
    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    /* One byte more: its length is 0xc001 as a varint, behind the type's field and the payload's tag. */
    wire.ptr[2 + envelope.payload_type.len + 1]++;
    assert_int_equal(cs_buf_append_u8(&wire, 0), CS_OK);
    check_code(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), CS_EPARSE);
    check_says(err, "49153 bytes");
    cs_buf_free(&wire);
}

static void a_keyring_takes_as_many_keys_as_all_operators_have(void **state)
{
    static struct cs_keyring keyring;
    uint8_t spki[CS_SPKI_BYTES] = {0};

    (void)state;
    for (unsigned i = 0; i <= CS_ARRAY_LEN(keyring.keys); i++) {
        memcpy(spki, &i, sizeof i);
        assert_int_equal(cs_keyring_add(&keyring, CS_SLICE_ARRAY(spki)),
                         i < CS_ARRAY_LEN(keyring.keys) ? CS_OK : CS_EFULL);
    }
    assert_int_equal(cs_keyring_add(&keyring, CS_SLICE_ARRAY(spki)), CS_EFULL);
    memset(spki, 0, sizeof spki);
    assert_int_equal(cs_keyring_add(&keyring, CS_SLICE_ARRAY(spki)), CS_OK); /* is there already */
    assert_int_equal(keyring.count, CS_ARRAY_LEN(keyring.keys));
}

/* Both ends with what was in the buffer before. */
static void sign_and_cosign_short_of_memory(void *data)
{
    const struct cs_key *const *keys = data;
    struct cs_buf wire = CS_BUF_EMPTY, out = CS_BUF_EMPTY;
    struct cs_err err;
    int rc = cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), &keys[0], 2, &wire, &err);

    if (rc == CS_OK) {
        rc = cs_envelope_cosign(cs_buf_slice(&wire), keys[2], &out, &err);
        assert_true(rc == CS_OK ? out.len > wire.len : out.len == 0);
    } else {
        assert_int_equal(wire.len, 0);
    }
    assert_true(rc == CS_OK || alloc_fail_happened());
    cs_buf_free(&wire);
    cs_buf_free(&out);
}

static void without_memory_it_signs_nothing(void **state)
{
    const struct cs_key *keys[] = {deployment_key(d, "bob"), deployment_key(d, "carol"),
                                   deployment_key(d, "ben")};

    (void)state;
    assert_true(alloc_fail_sample(sign_and_cosign_short_of_memory, (void *)keys, 60) > 10);
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
        cmocka_unit_test(has_the_encoding_and_the_signature_that_dsse_publishes),
        cmocka_unit_test(signs_the_pre_authentication_encoding),
        cmocka_unit_test(refuses_to_sign_beyond_the_limits),
        cmocka_unit_test(cosigns_no_more_than_fit),
        cmocka_unit_test(cosigns_what_parses_and_fits),
        cmocka_unit_test(refuses_a_signature_of_another_form),
        cmocka_unit_test(refuses_a_payload_beyond_the_limit),
        cmocka_unit_test(a_keyring_takes_as_many_keys_as_all_operators_have),
        cmocka_unit_test(without_memory_it_signs_nothing),
    };

    return cmocka_run_group_tests(tests, deployment_share, deployment_unshare);
}
