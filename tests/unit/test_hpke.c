#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/crypto/hpke.h"

/* RFC 9180 appendix A.3.1 (DHKEM(P-256), HKDF-SHA256, AES-128-GCM, base mode), encryption with sequence
 * number 0. */
static const char INFO[] = "4f6465206f6e2061204772656369616e2055726e";
static const char EPHEMERAL[] = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb";
static const char RECIPIENT[] = "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2";
static const char ENC[] =
    "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be"
    "863c403ce65c9bfcb9382657222d18c4";
static const char AAD[] = "436f756e742d30";
static const char PLAIN[] = "4265617574792069732074727574682c20747275746820626561757479";
static const char SEALED[] =
    "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";

struct vector {
    uint8_t room[256];
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

static void seals_and_opens_as_rfc_9180_shows(void **state)
{
    cs_auto(cs_key_freep) struct cs_key *ephemeral = NULL, *recipient = NULL;
    struct vector room = {.used = 0};
    struct cs_buf sealed = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;
    struct cs_slice info = unhex(&room, INFO), aad = unhex(&room, AAD), text = unhex(&room, PLAIN);
    struct vector keys = {.used = 0};
    uint8_t enc[CS_HPKE_ENC_BYTES];
    struct cs_err err;

    (void)state;
    check_ok(cs_key_from_scalar(unhex(&keys, EPHEMERAL), CS_KEY_AGREE, &ephemeral, &err), err);
    check_ok(cs_key_from_scalar(unhex(&keys, RECIPIENT), CS_KEY_AGREE, &recipient, &err), err);
    check_ok(cs_hpke_seal_with(ephemeral, cs_key_spki(recipient), info, aad, text, enc, &sealed, &err), err);
    check_slice(CS_SLICE_ARRAY(enc), unhex(&keys, ENC));
    check_slice(cs_buf_slice(&sealed), unhex(&keys, SEALED));
    check_ok(cs_hpke_open(recipient, CS_SLICE_ARRAY(enc), info, aad, cs_buf_slice(&sealed), &plain, &err),
             err);
    check_slice(cs_buf_slice(&plain), text);
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
