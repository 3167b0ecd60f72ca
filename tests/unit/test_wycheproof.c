/* Project Wycheproof's vectors (github.com/C2SP/wycheproof, testvectors_v1): inputs at which other
 * implementations have gone wrong. They are not part of this project; COUNTERSIGN_VECTORS names the folder
 * that has them, and without them the whole suite is skipped. With them every vector counts: each is checked,
 * or is in a group that is left out for a reason that is printed, and how many there are of both is known. */
#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/crypto/crypto.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

enum { ROOM = 64 * 1024, REASONS = 4, SKIPPED = 77 };

static char folder[4096];

static struct cs_slice hex_of(yyjson_val *object, const char *name, uint8_t room[ROOM])
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, name));
    size_t len = text ? strlen(text) / 2 : 0;

    assert_non_null(text);
    assert_true(len <= ROOM);
    assert_int_equal(cs_unhex(cs_slice_str(text), room, len), CS_OK);
    return cs_slice(room, len);
}

static bool is(yyjson_val *test, const char *result)
{
    return yyjson_equals_str(yyjson_obj_get(test, "result"), result);
}

struct reasons {
    const char *why[REASONS];
    unsigned left_out[REASONS];
};

static void leave_out(struct reasons *reasons, const char *why)
{
    size_t i = 0;

    while (reasons->why[i] && strcmp(reasons->why[i], why) != 0)
        assert_true(++i < REASONS);
    reasons->why[i] = why;
    reasons->left_out[i]++;
}

/* Calls `check` for each test of the file; it fails the test, answers NULL when all was right, or says why
 * the vector is not for us. */
static void run(const char *name, const char *(*check)(yyjson_val *group, yyjson_val *test), unsigned passed,
                unsigned left_out)
{
    struct reasons reasons = {{NULL}, {0}};
    yyjson_arr_iter groups, tests;
    yyjson_val *group, *test;
    unsigned right = 0, total = 0;
    yyjson_doc *doc;
    char path[sizeof folder + 128];

    snprintf(path, sizeof path, "%s/%s_test.json", folder, name);
    doc = yyjson_read_file(path, 0, NULL, NULL);
    if (!doc)
        fail_msg("%s cannot be read", path);
    groups = yyjson_arr_iter_with(yyjson_obj_get(yyjson_doc_get_root(doc), "testGroups"));
    while ((group = yyjson_arr_iter_next(&groups)) != NULL) {
        tests = yyjson_arr_iter_with(yyjson_obj_get(group, "tests"));
        while ((test = yyjson_arr_iter_next(&tests)) != NULL) {
            const char *why = check(group, test);

            total++;
            if (why)
                leave_out(&reasons, why);
            else
                right++;
        }
    }
    yyjson_doc_free(doc);
    print_message("    %s: %u of %u passed\n", name, right, total);
    for (size_t i = 0; i < REASONS && reasons.why[i]; i++)
        print_message("      %u left out: %s\n", reasons.left_out[i], reasons.why[i]);
    assert_int_equal(right, passed);
    assert_int_equal(total - right, left_out);
}

static void wrong(yyjson_val *test, const char *what)
{
    fail_msg("tcId %d (%s): %s", yyjson_get_int(yyjson_obj_get(test, "tcId")),
             yyjson_get_str(yyjson_obj_get(test, "comment")), what);
}

/* What people and devices sign: r and s as they are. */
static const char *check_signature(yyjson_val *group, yyjson_val *test)
{
    static uint8_t spki_room[ROOM], msg_room[ROOM], sig_room[ROOM];
    struct cs_slice spki = hex_of(group, "publicKeyDer", spki_room), msg = hex_of(test, "msg", msg_room);
    int rc = cs_verify(spki, &msg, 1, hex_of(test, "sig", sig_room));

    if ((rc == CS_OK) != is(test, "valid"))
        wrong(test, cs_code_text(rc));
    return NULL;
}

static void ecdsa_signatures_of_statements(void **state)
{
    (void)state;
    run("ecdsa_secp256r1_sha256_p1363", check_signature, 262, 0);
}

/* What certificates are signed with, by the calls that check a chain (x509_check.c), which take no bare
 * signature. */
static int verify_as_a_chain_does(yyjson_val *group, yyjson_val *test, mbedtls_pk_type_t type,
                                  mbedtls_md_type_t md, psa_algorithm_t algorithm)
{
    static uint8_t key_room[ROOM], msg_room[ROOM], sig_room[ROOM];
    const mbedtls_pk_rsassa_pss_options pss = {.mgf1_hash_id = md, .expected_salt_len = 32};
    struct cs_slice key = hex_of(group, "publicKeyDer", key_room), msg = hex_of(test, "msg", msg_room);
    struct cs_slice sig = hex_of(test, "sig", sig_room);
    uint8_t hash[PSA_HASH_MAX_SIZE];
    mbedtls_pk_context pk;
    size_t hash_len;
    int rc;

    mbedtls_pk_init(&pk);
    assert_int_equal(mbedtls_pk_parse_public_key(&pk, key.ptr, key.len), 0);
    assert_int_equal(psa_hash_compute(algorithm, msg.ptr, msg.len, hash, sizeof hash, &hash_len),
                     PSA_SUCCESS);
    rc = mbedtls_pk_verify_ext(type, type == MBEDTLS_PK_RSASSA_PSS ? &pss : NULL, &pk, md, hash, hash_len,
                               sig.ptr, sig.len);
    mbedtls_pk_free(&pk);
    return rc;
}

/* Has the flag, or a comment that begins so. */
static bool is_about(yyjson_val *test, const char *what)
{
    yyjson_arr_iter flags = yyjson_arr_iter_with(yyjson_obj_get(test, "flags"));
    yyjson_val *each;

    while ((each = yyjson_arr_iter_next(&flags)) != NULL)
        if (yyjson_equals_str(each, what))
            return true;
    return strncmp(yyjson_get_str(yyjson_obj_get(test, "comment")), what, strlen(what)) == 0;
}

/* `lenience` is what mbedTLS lets pass on purpose, and `why` nothing rests on it; NULL: nothing. */
static const char *check_certificate_signature(yyjson_val *test, int rc, const char *lenience,
                                               const char *why)
{
    if (rc == 0 && lenience && is_about(test, lenience))
        return why;
    if ((rc == 0) != is(test, "valid"))
        wrong(test, rc == 0 ? "is taken" : "is refused");
    return NULL;
}

static const char ber[] =
    "a length has BER's longer form, which mbedTLS reads: the numbers are the ones that "
    "were signed";

static const char *check_p256_of_certificates(yyjson_val *group, yyjson_val *test)
{
    return check_certificate_signature(
        test, verify_as_a_chain_does(group, test, MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256),
        "BerEncodedSignature", ber);
}

static const char *check_p384_of_certificates(yyjson_val *group, yyjson_val *test)
{
    return check_certificate_signature(
        test, verify_as_a_chain_does(group, test, MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA384, PSA_ALG_SHA_384),
        "BerEncodedSignature", ber);
}

/* One is "acceptable": a DigestInfo without the NULL of its parameters. RFC 8017 section 9.2 wants it there.
 */
static const char *check_rsa_of_certificates(yyjson_val *group, yyjson_val *test)
{
    return check_certificate_signature(
        test, verify_as_a_chain_does(group, test, MBEDTLS_PK_RSA, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256), NULL,
        NULL);
}

static const char *check_rsa_pss_of_certificates(yyjson_val *group, yyjson_val *test)
{
    return check_certificate_signature(
        test, verify_as_a_chain_does(group, test, MBEDTLS_PK_RSASSA_PSS, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256),
        "s_len changed", "the salt has another length: PSA's PSS takes any, and none is safer to forge");
}

static void signatures_of_certificates(void **state)
{
    (void)state;
    run("ecdsa_secp256r1_sha256", check_p256_of_certificates, 478, 6);
    run("ecdsa_secp384r1_sha384", check_p384_of_certificates, 498, 6);
    run("rsa_signature_2048_sha256", check_rsa_of_certificates, 259, 0);
    run("rsa_pss_2048_sha256_mgf1_32", check_rsa_pss_of_certificates, 102, 6);
}

static const char *check_aead(yyjson_val *group, yyjson_val *test)
{
    static uint8_t key_room[ROOM], iv_room[ROOM], aad_room[ROOM], msg_room[ROOM], ct_room[ROOM],
        tag_room[ROOM];
    struct cs_slice key = hex_of(test, "key", key_room), iv = hex_of(test, "iv", iv_room);
    struct cs_slice aad = hex_of(test, "aad", aad_room), msg = hex_of(test, "msg", msg_room);
    struct cs_buf wanted = CS_BUF_EMPTY, sealed = CS_BUF_EMPTY, opened = CS_BUF_EMPTY;
    struct cs_err err;
    int rc;

    assert_int_equal(yyjson_get_int(yyjson_obj_get(group, "tagSize")), 8 * CS_AEAD_TAG_BYTES);
    if (iv.len != CS_AEAD_NONCE_BYTES)
        return "the nonce is not 96 bits long, and cs_aead_open() takes no other";
    if (key.len != 16 && key.len != 32)
        return "the key has 192 bits, which nothing here has";
    assert_int_equal(cs_buf_append(&wanted, hex_of(test, "ct", ct_room)), CS_OK);
    assert_int_equal(cs_buf_append(&wanted, hex_of(test, "tag", tag_room)), CS_OK);
    check_ok(cs_aead_seal(CS_AEAD_AES_GCM, key, iv.ptr, aad, msg, &sealed, &err), err);
    if (cs_slice_eq(cs_buf_slice(&sealed), cs_buf_slice(&wanted)) != is(test, "valid"))
        wrong(test, "sealing");
    rc = cs_aead_open(CS_AEAD_AES_GCM, key, iv.ptr, aad, cs_buf_slice(&wanted), &opened, &err);
    if (rc != (is(test, "valid") ? CS_OK : CS_EAUTH))
        wrong(test, cs_code_text(rc));
    if (rc == CS_OK)
        check_slice(cs_buf_slice(&opened), msg);
    else
        assert_int_equal(opened.len, 0);
    cs_buf_free(&wanted);
    cs_buf_free(&sealed);
    cs_buf_free(&opened);
    return NULL;
}

static void aes_gcm(void **state)
{
    (void)state;
    run("aes_gcm", check_aead, 133, 183);
}

static const char *check_hkdf(yyjson_val *group, yyjson_val *test)
{
    static uint8_t ikm_room[ROOM], salt_room[ROOM], info_room[ROOM], okm_room[ROOM], out[ROOM];
    struct cs_slice okm = hex_of(test, "okm", okm_room);
    size_t size = yyjson_get_uint(yyjson_obj_get(test, "size"));
    struct cs_digest prk = cs_hkdf_extract(hex_of(test, "salt", salt_room), hex_of(test, "ikm", ikm_room));
    int rc;

    (void)group;
    assert_true(size <= sizeof out);
    rc = cs_hkdf_expand(cs_digest_slice(&prk), hex_of(test, "info", info_room), out, size);
    if ((rc == CS_OK) != is(test, "valid"))
        wrong(test, cs_code_text(rc));
    if (rc == CS_OK)
        check_slice(cs_slice(out, size), okm);
    return NULL;
}

static void hkdf(void **state)
{
    (void)state;
    run("hkdf_sha256", check_hkdf, 86, 0);
}

/* The scalars are numbers: with a zero byte in front, or shorter than 32 bytes. */
static const char *check_ecdh(yyjson_val *group, yyjson_val *test)
{
    static uint8_t point_room[ROOM], private_room[ROOM], shared_room[ROOM];
    struct cs_slice point = hex_of(test, "public", point_room),
                    secret = hex_of(test, "private", private_room);
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    uint8_t scalar[32] = {0}, shared[32];
    struct cs_err err;
    int rc;

    (void)group;
    while (secret.len && secret.ptr[0] == 0)
        secret = cs_slice_from(secret, 1);
    if (secret.len > sizeof scalar)
        return "the private key is one of another curve";
    memcpy(scalar + sizeof scalar - secret.len, secret.ptr, secret.len);
    check_ok(cs_key_from_scalar(CS_SLICE_ARRAY(scalar), CS_KEY_AGREE, &key, &err), err);
    rc = cs_ecdh(key, point, shared, &err);
    if (is(test, "valid") ? rc != CS_OK : rc != CS_EPARSE)
        wrong(test, cs_code_text(rc));
    if (rc == CS_OK)
        check_slice(CS_SLICE_ARRAY(shared), hex_of(test, "shared", shared_room));
    return NULL;
}

/* Compressed points are refused, which the vectors leave to the implementation. */
static void ecdh(void **state)
{
    (void)state;
    run("ecdh_secp256r1_ecpoint", check_ecdh, 355, 0);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

/* A folder that is named must be there. */
static bool find_vectors(void)
{
    const char *named = getenv("COUNTERSIGN_VECTORS");

    snprintf(folder, sizeof folder, "%s/wycheproof",
             named ? named : CS_TEST_VECTORS "/../../../shared/vectors");
    return named || access(folder, R_OK) == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecdsa_signatures_of_statements),
        cmocka_unit_test(signatures_of_certificates),
        cmocka_unit_test(aes_gcm),
        cmocka_unit_test(hkdf),
        cmocka_unit_test(ecdh),
    };

    if (!find_vectors()) {
        print_message("public vectors not present: COUNTERSIGN_VECTORS names their folder\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, set_up, NULL);
}
