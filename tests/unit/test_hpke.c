#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/crypto/hpke.h"

#include <stdio.h>

/* tests/vectors/hpke-rfc9180.txt: NAME HEX lines. */
struct vector {
    uint8_t room[1024];
    size_t used;
};

static struct cs_slice unhex(struct vector *vector, const char *text)
{
    size_t len = strlen(text) / 2;
    uint8_t *at = vector->room + vector->used;

    assert_true(vector->used + len <= sizeof vector->room);
    assert_int_equal(cs_unhex(cs_slice_str(text), at, len), CS_OK);
    vector->used += len;
    return cs_slice(at, len);
}

struct rfc9180 {
    struct vector room;
    struct cs_slice info, ephemeral, recipient, enc, aad, plain, sealed;
};

static void read_vector(struct rfc9180 *v)
{
    const struct {
        const char *name;
        struct cs_slice *value;
    } fields[] = {{"info", &v->info}, {"skEm", &v->ephemeral}, {"skRm", &v->recipient}, {"enc", &v->enc},
                  {"aad", &v->aad},   {"pt", &v->plain},       {"ct", &v->sealed}};
    FILE *file = fopen(CS_TEST_VECTORS "/hpke-rfc9180.txt", "r");
    char line[512];
    size_t found = 0;

    assert_non_null(file);
    *v = (struct rfc9180){.room = {.used = 0}};
    while (fgets(line, sizeof line, file)) {
        const char *name = line[0] == '#' ? NULL : strtok(line, " \n");

        for (size_t i = 0; name && i < CS_ARRAY_LEN(fields); i++)
            if (strcmp(name, fields[i].name) == 0) {
                *fields[i].value = unhex(&v->room, strtok(NULL, " \n"));
                found++;
            }
    }
    fclose(file);
    assert_int_equal(found, CS_ARRAY_LEN(fields));
}

static void seals_and_opens_as_rfc_9180_shows(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *ephemeral = NULL, *recipient = NULL;
    struct cs_buf sealed = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;
    uint8_t enc[CS_HPKE_ENC_BYTES];
    struct rfc9180 v;
    struct cs_err err;

    (void)state;
    read_vector(&v);
    check_ok(cs_key_from_scalar(v.ephemeral, CS_KEY_AGREE, &ephemeral, &err), err);
    check_ok(cs_key_from_scalar(v.recipient, CS_KEY_AGREE, &recipient, &err), err);
    check_ok(cs_hpke_seal_with(ephemeral, cs_key_spki(recipient), v.info, v.aad, v.plain, enc, &sealed, &err),
             err);
    check_slice(CS_SLICE_ARRAY(enc), v.enc);
    check_slice(cs_buf_slice(&sealed), v.sealed);
    check_ok(cs_hpke_open(recipient, v.enc, v.info, v.aad, v.sealed, &plain, &err), err);
    check_slice(cs_buf_slice(&plain), v.plain);
    cs_buf_free(&sealed);
    cs_buf_free(&plain);
}

static void opens_only_for_the_same_device_and_purpose(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *device = NULL, *other = NULL;
    struct cs_slice info = CS_SLICE_LIT("info"), aad = CS_SLICE_LIT("aad");
    struct cs_buf sealed = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;
    uint8_t enc[CS_HPKE_ENC_BYTES];
    struct cs_slice e = CS_SLICE_ARRAY(enc);
    struct cs_err err;

    (void)state;
    check_ok(cs_key_generate(CS_KEY_AGREE, &device, &err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &other, &err), err);
    check_ok(cs_hpke_seal(cs_key_spki(device), info, aad, CS_SLICE_LIT("secret"), enc, &sealed, &err), err);
    assert_int_equal(sealed.len, 6 + CS_AEAD_TAG_BYTES);
    check_code(cs_hpke_open(other, e, info, aad, cs_buf_slice(&sealed), &plain, &err), CS_EAUTH);
    check_code(cs_hpke_open(device, e, aad, aad, cs_buf_slice(&sealed), &plain, &err), CS_EAUTH);
    check_code(cs_hpke_open(device, e, info, info, cs_buf_slice(&sealed), &plain, &err), CS_EAUTH);
    check_code(cs_hpke_open(device, cs_slice(enc, 64), info, aad, cs_buf_slice(&sealed), &plain, &err),
               CS_EAUTH);
    check_code(cs_hpke_open(device, e, info, aad, CS_SLICE_EMPTY, &plain, &err), CS_EAUTH);
    enc[40] ^= 1;
    check_code(cs_hpke_open(device, e, info, aad, cs_buf_slice(&sealed), &plain, &err), CS_EAUTH);
    enc[40] ^= 1;
    assert_int_equal(plain.len, 0);
    check_ok(cs_hpke_open(device, e, info, aad, cs_buf_slice(&sealed), &plain, &err), err);
    check_slice(cs_buf_slice(&plain), CS_SLICE_LIT("secret"));
    cs_buf_free(&sealed);
    cs_buf_wipe(&plain);
}

static void refuses_a_recipient_that_is_no_p256_key(void **state)
{
    struct cs_buf sealed = CS_BUF_EMPTY;
    uint8_t enc[CS_HPKE_ENC_BYTES];
    struct cs_err err;

    (void)state;
    check_code(cs_hpke_seal(CS_SLICE_LIT("not a key"), CS_SLICE_EMPTY, CS_SLICE_EMPTY, CS_SLICE_LIT("x"), enc,
                            &sealed, &err),
               CS_EPARSE);
    assert_int_equal(sealed.len, 0);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_opens_as_rfc_9180_shows),
        cmocka_unit_test(opens_only_for_the_same_device_and_purpose),
        cmocka_unit_test(refuses_a_recipient_that_is_no_p256_key),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
