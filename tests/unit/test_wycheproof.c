/* Project Wycheproof's vectors: inputs at which other implementations have gone wrong. They are not part of
 * this project; COUNTERSIGN_VECTORS names the folder that has them, and without them the cases pass and say
 * so.
 */
#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum { ROOM = 64 * 1024 };

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

static yyjson_doc *load(const char *name)
{
    static bool told;
    const char *folder = getenv("COUNTERSIGN_VECTORS");
    char path[4096];
    yyjson_doc *doc;

    snprintf(path, sizeof path, "%s/wycheproof/%s_test.json",
             folder ? folder : CS_TEST_VECTORS "/../../../shared/vectors", name);
    doc = yyjson_read_file(path, 0, NULL, NULL);
    if (!doc && !told) {
        print_message("public vectors not present\n");
        told = true;
    }
    return doc;
}

/* Calls `check` for each test of the file; it answers whether the test was taken for one of ours. */
static void run(const char *name, bool (*check)(yyjson_val *group, yyjson_val *test), unsigned least)
{
    yyjson_doc *doc = load(name);
    yyjson_arr_iter groups, tests;
    yyjson_val *group, *test;
    unsigned count = 0;

    if (!doc)
        return;
    groups = yyjson_arr_iter_with(yyjson_obj_get(yyjson_doc_get_root(doc), "testGroups"));
    while ((group = yyjson_arr_iter_next(&groups)) != NULL) {
        tests = yyjson_arr_iter_with(yyjson_obj_get(group, "tests"));
        while ((test = yyjson_arr_iter_next(&tests)) != NULL)
            count += check(group, test);
    }
    yyjson_doc_free(doc);
    print_message("    %u vectors\n", count);
    assert_true(count >= least);
}

static void wrong(yyjson_val *test, const char *what)
{
    fail_msg("tcId %d (%s): %s", yyjson_get_int(yyjson_obj_get(test, "tcId")),
             yyjson_get_str(yyjson_obj_get(test, "comment")), what);
}

static bool check_signature(yyjson_val *group, yyjson_val *test)
{
    static uint8_t spki_room[ROOM], msg_room[ROOM], sig_room[ROOM];
    struct cs_slice spki = hex_of(group, "publicKeyDer", spki_room), msg = hex_of(test, "msg", msg_room);
    int rc = cs_verify(spki, &msg, 1, hex_of(test, "sig", sig_room));

    if ((rc == CS_OK) != is(test, "valid"))
        wrong(test, cs_code_text(rc));
    return true;
}

static void ecdsa_signatures(void **state)
{
    (void)state;
    run("ecdsa_secp256r1_sha256_p1363", check_signature, 200);
}

static bool check_aead(yyjson_val *group, yyjson_val *test)
{
    static uint8_t key_room[ROOM], iv_room[ROOM], aad_room[ROOM], msg_room[ROOM], ct_room[ROOM],
        tag_room[ROOM];
    struct cs_slice key = hex_of(test, "key", key_room), iv = hex_of(test, "iv", iv_room);
    struct cs_slice aad = hex_of(test, "aad", aad_room), msg = hex_of(test, "msg", msg_room);
    struct cs_buf wanted = CS_BUF_EMPTY, sealed = CS_BUF_EMPTY, opened = CS_BUF_EMPTY;
    struct cs_err err;
    int rc;

    if (iv.len != CS_AEAD_NONCE_BYTES || (key.len != 16 && key.len != 32) ||
        yyjson_get_int(yyjson_obj_get(group, "tagSize")) != 8 * CS_AEAD_TAG_BYTES)
        return false;
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
    return true;
}

static void aes_gcm(void **state)
{
    (void)state;
    run("aes_gcm", check_aead, 100);
}

static bool check_hkdf(yyjson_val *group, yyjson_val *test)
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
    return true;
}

static void hkdf(void **state)
{
    (void)state;
    run("hkdf_sha256", check_hkdf, 80);
}

/* The scalars are numbers: with a zero byte in front, or shorter than 32 bytes. */
static bool check_ecdh(yyjson_val *group, yyjson_val *test)
{
    static uint8_t point_room[ROOM], private_room[ROOM], shared_room[ROOM];
    struct cs_slice point = hex_of(test, "public", point_room),
                    private = hex_of(test, "private", private_room);
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    uint8_t scalar[32] = {0}, shared[32];
    struct cs_err err;
    int rc;

    (void)group;
    while (private.len && private.ptr[0] == 0)
    private = cs_slice_from(private, 1);
    if (private.len > sizeof scalar) /* a key of another curve */
        return false;
    memcpy(scalar + sizeof scalar - private.len, private.ptr, private.len);
    check_ok(cs_key_from_scalar(CS_SLICE_ARRAY(scalar), CS_KEY_AGREE, &key, &err), err);
    rc = cs_ecdh(key, point, shared, &err);
    if (is(test, "valid") ? rc != CS_OK : rc != CS_EPARSE)
        wrong(test, cs_code_text(rc));
    if (rc == CS_OK)
        check_slice(CS_SLICE_ARRAY(shared), hex_of(test, "shared", shared_room));
    return true;
}

/* Compressed points are refused, which the vectors leave to the implementation. */
static void ecdh(void **state)
{
    (void)state;
    run("ecdh_secp256r1_ecpoint", check_ecdh, 300);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecdsa_signatures),
        cmocka_unit_test(aes_gcm),
        cmocka_unit_test(hkdf),
        cmocka_unit_test(ecdh),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
