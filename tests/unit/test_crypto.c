/* Digests, keys, signatures, AEAD and HKDF against known answers and against themselves. */
#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/crypto/crypto.h"

static struct cs_slice unhex(const char *text, uint8_t *room)
{
    size_t len = strlen(text) / 2;

    assert_int_equal(cs_unhex(cs_slice_str(text), room, len), CS_OK);
    return cs_slice(room, len);
}

static void check_digest(struct cs_digest digest, const char *hex)
{
    char text[2 * CS_SHA256_BYTES + 1];

    assert_string_equal(cs_hex(cs_digest_slice(&digest), text), hex);
}

static void digests_as_fips_180_4_shows(void **state)
{
    struct cs_slice parts[] = {CS_SLICE_LIT("a"), CS_SLICE_EMPTY, CS_SLICE_LIT("bc")};

    (void)state;
    check_digest(cs_sha256(CS_SLICE_LIT("abc")),
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(cs_sha256_parts(parts, 3),
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(cs_sha256(CS_SLICE_EMPTY),
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 sections 4.3 and 4.7 (a key longer than a block). */
static void authenticates_as_rfc_4231_shows(void **state)
{
    struct cs_slice data = CS_SLICE_LIT("what do ya want for nothing?");
    struct cs_slice large = CS_SLICE_LIT("Test Using Larger Than Block-Size Key - Hash Key First");
    uint8_t key[131];

    (void)state;
    memset(key, 0xaa, sizeof key);
    check_digest(cs_hmac_sha256(CS_SLICE_LIT("Jefe"), &data, 1),
                 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_digest(cs_hmac_sha256(CS_SLICE_ARRAY(key), &large, 1),
                 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869 appendix A.1. */
static void derives_as_rfc_5869_shows(void **state)
{
    uint8_t ikm[22], salt[13], info[10], out[42], wanted[42];
    struct cs_digest prk;

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof info; i++)
        info[i] = (uint8_t)(0xf0 + i);
    prk = cs_hkdf_extract(CS_SLICE_ARRAY(salt), CS_SLICE_ARRAY(ikm));
    check_digest(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_int_equal(cs_hkdf_expand(cs_digest_slice(&prk), CS_SLICE_ARRAY(info), out, sizeof out), CS_OK);
    unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", wanted);
    assert_memory_equal(out, wanted, sizeof out);
}

static void refuses_to_derive_more_than_255_blocks(void **state)
{
    static uint8_t out[255 * 32 + 1];

    (void)state;
    assert_int_equal(cs_hkdf_expand(CS_SLICE_LIT("prk"), CS_SLICE_EMPTY, out, sizeof out), CS_EINVAL);
    assert_int_equal(cs_hkdf_expand(CS_SLICE_LIT("prk"), CS_SLICE_EMPTY, out, sizeof out - 1), CS_OK);
}

static void random_bytes_differ(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    cs_random(a, sizeof a);
    cs_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void verifies_what_it_signed_and_nothing_else(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL, *other = NULL;
    struct cs_slice parts[] = {CS_SLICE_LIT("one "), CS_SLICE_LIT("two")}, whole = CS_SLICE_LIT("one two");
    uint8_t signature[CS_SIGNATURE_BYTES];
    struct cs_slice s = CS_SLICE_ARRAY(signature);
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_key_generate(CS_KEY_SIGN, &other, &err), err);
    check_ok(cs_sign(key, parts, 2, signature, &err), err);
    check_code(cs_verify(cs_key_spki(key), &whole, 1, s), CS_OK);
    check_code(cs_verify(cs_key_spki(other), &whole, 1, s), CS_EAUTH);
    check_code(cs_verify(cs_key_spki(key), parts, 1, s), CS_EAUTH);
    check_code(cs_verify(cs_key_spki(key), &whole, 1, cs_slice(signature, 63)), CS_EAUTH);
    check_code(cs_verify(cs_slice_from(cs_key_spki(key), 1), &whole, 1, s), CS_EAUTH);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        check_code(cs_verify(cs_key_spki(key), &whole, 1, s), CS_EAUTH);
        signature[i] ^= 1;
    }
    memset(signature, 0, sizeof signature);
    check_code(cs_verify(cs_key_spki(key), &whole, 1, s), CS_EAUTH);
}

/* WebCrypto makes either of the two values of s that verify. */
static void accepts_a_high_s(void **state)
{
    static const uint8_t n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_slice text = CS_SLICE_LIT("text");
    uint8_t signature[CS_SIGNATURE_BYTES];
    struct cs_err err;
    int borrow = 0;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_sign(key, &text, 1, signature, &err), err);
    for (size_t i = 32; i-- > 0;) {
        int digit = n[i] - signature[32 + i] - borrow;

        borrow = digit < 0;
        signature[32 + i] = (uint8_t)(digit & 0xff);
    }
    check_code(cs_verify(cs_key_spki(key), &text, 1, CS_SLICE_ARRAY(signature)), CS_OK);
}

static void a_public_key_lies_on_the_curve(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    uint8_t other[CS_SPKI_BYTES];
    struct cs_slice point;
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_code(cs_spki_check(cs_key_spki(key)), CS_OK);
    check_code(cs_spki_check(cs_slice_from(cs_key_spki(key), 1)), CS_EPARSE);
    memcpy(other, cs_key_spki(key).ptr, sizeof other);
    other[CS_SPKI_BYTES - 1] ^= 1;
    check_code(cs_spki_point(CS_SLICE_ARRAY(other), &point), CS_OK);
    check_code(cs_spki_check(CS_SLICE_ARRAY(other)), CS_EPARSE);
    memset(other + CS_SPKI_BYTES - 64, 0, 64);
    check_code(cs_spki_check(CS_SLICE_ARRAY(other)), CS_EPARSE);
}

static void reads_back_the_keys_that_it_writes(void **state)
{
    static const struct {
        const char *says, *passphrase;
    } cases[] = {{"plain", ""}, {"encrypted", "correct horse"}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto(cs_key_freep) struct cs_key *key = NULL, *again = NULL;
        struct cs_slice passphrase = cs_slice_str(cases[i].passphrase);
        struct cs_buf pem = CS_BUF_EMPTY;
        struct cs_err err;

        check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
        check_ok(cs_key_export_pem(key, passphrase, &pem, &err), err);
        check_ok(cs_key_parse(cs_buf_slice(&pem), passphrase, CS_KEY_SIGN, &again, &err), err);
        check_slice(cs_key_spki(again), cs_key_spki(key));
        cs_buf_wipe(&pem);
    }
}

static void tells_a_wrong_passphrase_from_a_missing_one(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_key *untouched = NULL;
    struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(cs_key_export_pem(key, CS_SLICE_LIT("right"), &pem, &err), err);
    check_code(cs_key_parse(cs_buf_slice(&pem), CS_SLICE_LIT("wrong"), CS_KEY_SIGN, &untouched, &err),
               CS_EAUTH);
    check_code(cs_key_parse(cs_buf_slice(&pem), CS_SLICE_EMPTY, CS_KEY_SIGN, &untouched, &err), CS_EDENIED);
    check_code(cs_key_parse(CS_SLICE_LIT("no key"), CS_SLICE_EMPTY, CS_KEY_SIGN, &untouched, &err),
               CS_EPARSE);
    check_code(cs_key_parse(CS_SLICE_LIT("-----BEGIN PRIVATE KEY-----"), CS_SLICE_EMPTY, CS_KEY_SIGN,
                            &untouched, &err),
               CS_EPARSE);
    assert_null(untouched);
    cs_buf_wipe(&pem);
}

/* The same key, as OpenSSL encrypts it with 2,048 and with 10,000,001 rounds. */
static void refuses_a_key_whose_passphrase_would_take_too_long(void **state)
{
    static const char few[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                              "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjeG/DbIyRKEwICCAAw\n"
                              "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELVSon9y8VqAhfLUzmo+dAMEgZD6\n"
                              "oe2Odf+Y7UjxTCf2BCD98GWRHLHqvLouUpVdOF/dJI1QcPoLDAPbeskuCdiPAmlU\n"
                              "1snEUvsmxSEXSIuOg46DqBjbjf2dZiSlEM5pezznrPgT3jX4VMP4fdR+VxPjpU4f\n"
                              "msw/Rlvx4vLP3w5LjamRGV/QjgHqS6AaDK1C8EWMGC6+IYSZcyDmUJ9tF1l4tBM=\n"
                              "-----END ENCRYPTED PRIVATE KEY-----\n";
    static const char many[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                               "MIHuMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAhHhiJNBUYhAwIEAJiW\n"
                               "gTAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQWl8MQJfXNRtQzPa0OeyG2QSB\n"
                               "kIByD1xxH3Yc8hIiOpoK4gAHxXpUDoYyrDmMGFzMXk9HUYs/RNqqEc+n7WcedXfj\n"
                               "hFwBcdOoe32oLuXwtmRKAddQs4nB4RFbDqkEEaUMVA5IVX9XLsknNxlLDsZnnqWn\n"
                               "GLKXJIRZ0pY7Vl3lp5+ZzsWrd5QbFWRsiJp9V2lQ00GJ5+gCSEYCzJsO9ZjCFcQu\n"
                               "Lg==\n"
                               "-----END ENCRYPTED PRIVATE KEY-----\n";
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_key *untouched = NULL;
    struct cs_err err;

    (void)state;
    check_ok(cs_key_parse(cs_slice_str(few), CS_SLICE_LIT("x"), CS_KEY_SIGN, &key, &err), err);
    check_code(cs_key_parse(cs_slice_str(many), CS_SLICE_LIT("x"), CS_KEY_SIGN, &untouched, &err),
               CS_ETOOBIG);
    check_says(err, "rounds of PBKDF2");
    assert_null(untouched);
}

static void refuses_scalars_outside_the_group(void **state)
{
    struct cs_key *untouched = NULL;
    uint8_t scalar[32] = {0};
    struct cs_err err;

    (void)state;
    check_code(cs_key_from_scalar(CS_SLICE_ARRAY(scalar), CS_KEY_SIGN, &untouched, &err), CS_EPARSE);
    memset(scalar, 0xff, sizeof scalar);
    check_code(cs_key_from_scalar(CS_SLICE_ARRAY(scalar), CS_KEY_SIGN, &untouched, &err), CS_EPARSE);
    check_code(cs_key_from_scalar(cs_slice(scalar, 31), CS_KEY_SIGN, &untouched, &err), CS_EPARSE);
    assert_null(untouched);
}

static void agrees_from_both_sides(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *a = NULL, *b = NULL;
    uint8_t from_a[32], from_b[32], bad[CS_POINT_BYTES];
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_AGREE, &a, &err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &b, &err), err);
    check_ok(cs_ecdh(a, cs_key_point(b), from_a, &err), err);
    check_ok(cs_ecdh(b, cs_key_point(a), from_b, &err), err);
    assert_memory_equal(from_a, from_b, sizeof from_a);
    memcpy(bad, cs_key_point(b).ptr, sizeof bad);
    bad[64] ^= 1;
    check_code(cs_ecdh(a, CS_SLICE_ARRAY(bad), from_a, &err), CS_EPARSE);
    check_code(cs_ecdh(a, cs_slice(bad, 33), from_a, &err), CS_EPARSE);
}

static void opens_what_it_sealed_and_nothing_else(void **state)
{
    static const struct {
        enum cs_aead aead;
        size_t key_len;
    } cases[] = {{CS_AEAD_AES_GCM, 16}, {CS_AEAD_AES_GCM, 32}, {CS_AEAD_CHACHA20_POLY1305, 32}};
    static const uint8_t key[32] = {1}, nonce[CS_AEAD_NONCE_BYTES] = {2};
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_slice k = cs_slice(key, cases[i].key_len), aad = CS_SLICE_LIT("aad");
        struct cs_buf sealed = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;

        check_ok(cs_aead_seal(cases[i].aead, k, nonce, aad, CS_SLICE_LIT("text"), &sealed, &err), err);
        assert_int_equal(sealed.len, 4 + CS_AEAD_TAG_BYTES);
        check_ok(cs_aead_open(cases[i].aead, k, nonce, aad, cs_buf_slice(&sealed), &plain, &err), err);
        check_slice(cs_buf_slice(&plain), CS_SLICE_LIT("text"));
        for (size_t at = 0; at < sealed.len; at++) {
            sealed.ptr[at] ^= 0x80;
            check_code(cs_aead_open(cases[i].aead, k, nonce, aad, cs_buf_slice(&sealed), &plain, &err),
                       CS_EAUTH);
            sealed.ptr[at] ^= 0x80;
        }
        check_code(cs_aead_open(cases[i].aead, k, nonce, CS_SLICE_EMPTY, cs_buf_slice(&sealed), &plain, &err),
                   CS_EAUTH);
        for (size_t len = 0; len < sealed.len; len++)
            check_code(cs_aead_open(cases[i].aead, k, nonce, aad, cs_slice(sealed.ptr, len), &plain, &err),
                       CS_EAUTH);
        assert_int_equal(plain.len, 4);
        cs_buf_free(&sealed);
        cs_buf_free(&plain);
    }
}

static void seals_nothing_at_all(void **state)
{
    static const uint8_t key[16], nonce[CS_AEAD_NONCE_BYTES];
    struct cs_buf sealed = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(cs_aead_seal(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(key), nonce, CS_SLICE_EMPTY, CS_SLICE_EMPTY,
                          &sealed, &err),
             err);
    check_ok(cs_aead_open(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(key), nonce, CS_SLICE_EMPTY, cs_buf_slice(&sealed),
                          &plain, &err),
             err);
    assert_int_equal(plain.len, 0);
    check_code(cs_aead_seal(CS_AEAD_AES_GCM, cs_slice(key, 15), nonce, CS_SLICE_EMPTY, CS_SLICE_EMPTY,
                            &sealed, &err),
               CS_EINVAL);
    cs_buf_free(&sealed);
    cs_buf_free(&plain);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_as_fips_180_4_shows),
        cmocka_unit_test(authenticates_as_rfc_4231_shows),
        cmocka_unit_test(derives_as_rfc_5869_shows),
        cmocka_unit_test(refuses_to_derive_more_than_255_blocks),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(verifies_what_it_signed_and_nothing_else),
        cmocka_unit_test(accepts_a_high_s),
        cmocka_unit_test(a_public_key_lies_on_the_curve),
        cmocka_unit_test(reads_back_the_keys_that_it_writes),
        cmocka_unit_test(tells_a_wrong_passphrase_from_a_missing_one),
        cmocka_unit_test(refuses_a_key_whose_passphrase_would_take_too_long),
        cmocka_unit_test(refuses_scalars_outside_the_group),
        cmocka_unit_test(agrees_from_both_sides),
        cmocka_unit_test(opens_what_it_sealed_and_nothing_else),
        cmocka_unit_test(seals_nothing_at_all),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
