/* A private key sealed for one order: padded so that its length tells nothing, opened for that order alone.
 */
#include "tests/support/check.h"

#include "shared/crypto/hpke.h"
#include "shared/trust/sealed_key.h"
#include "tests/support/alloc_fail.h"

struct world {
    struct cs_key *kem, *other;
    uint8_t ids[3][16];
    struct cs_sealed_key_place place;
    countersign_v1_SealedKey sealed;
};

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct cs_err err;

    assert_non_null(w);
    check_ok(cs_crypto_init(&err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &w->kem, &err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &w->other, &err), err);
    for (size_t i = 0; i < CS_ARRAY_LEN(w->ids); i++)
        memset(w->ids[i], (int)i + 1, sizeof w->ids[i]);
    w->place = (struct cs_sealed_key_place){CS_SLICE_ARRAY(w->ids[0]), CS_SLICE_ARRAY(w->ids[1]),
                                            CS_SLICE_ARRAY(w->ids[2]), CS_SLICE_LIT("the core")};
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    cs_key_free(w->kem);
    cs_key_free(w->other);
    free(w);
    return 0;
}

static void seal(struct world *w, struct cs_slice pkcs8)
{
    struct cs_err err;

    check_ok(cs_sealed_key_seal(cs_key_spki(w->kem), &w->place, pkcs8, &w->sealed, &err), err);
}

static int open_at(struct world *w, const struct cs_key *kem, const struct cs_sealed_key_place *place,
                   struct cs_slice wanted)
{
    cs_auto(cs_buf_wipe) struct cs_buf plain = CS_BUF_EMPTY;
    struct cs_err err;
    int rc = cs_sealed_key_open(kem, place, &w->sealed, &plain, &err);

    if (rc == CS_OK)
        check_slice(cs_buf_slice(&plain), wanted);
    else
        assert_int_equal(plain.len, 0);
    return rc;
}

static void opens_for_its_own_place_alone(void **state)
{
    struct world *w = *state;
    struct cs_slice key = CS_SLICE_LIT("a key");
    struct cs_sealed_key_place other;

    seal(w, key);
    check_code(open_at(w, w->kem, &w->place, key), CS_OK);
    check_code(open_at(w, w->other, &w->place, key), CS_EAUTH);
    other = w->place;
    other.deployment_id = CS_SLICE_ARRAY(w->ids[1]);
    check_code(open_at(w, w->kem, &other, key), CS_EAUTH);
    other = w->place;
    other.device_id = CS_SLICE_ARRAY(w->ids[2]);
    check_code(open_at(w, w->kem, &other, key), CS_EAUTH);
    other = w->place;
    other.order_id = CS_SLICE_ARRAY(w->ids[1]);
    check_code(open_at(w, w->kem, &other, key), CS_EAUTH);
    other = w->place;
    other.core = CS_SLICE_LIT("another core");
    check_code(open_at(w, w->kem, &other, key), CS_EAUTH);
}

/* Every length that fits, the ones whose padding has a length of one byte more among them. */
static void every_length_is_padded_to_a_multiple_of_512(void **state)
{
    static const uint8_t bytes[sizeof((countersign_v1_SealedKeyPlain){0}.pkcs8.bytes)];
    struct world *w = *state;

    for (size_t len = 1; len <= sizeof bytes; len += len > 530 ? 97 : 1) {
        seal(w, cs_slice(bytes, len));
        assert_int_equal((w->sealed.ciphertext.size - CS_AEAD_TAG_BYTES) % 512, 0);
        assert_true(w->sealed.ciphertext.size - CS_AEAD_TAG_BYTES <= len + 3 + 644);
    }
    seal(w, cs_slice(bytes, sizeof bytes));
    check_code(open_at(w, w->kem, &w->place, cs_slice(bytes, sizeof bytes)), CS_OK);
}

static void refuses_what_is_no_key_and_what_is_too_large(void **state)
{
    static const uint8_t bytes[sizeof((countersign_v1_SealedKeyPlain){0}.pkcs8.bytes) + 1];
    struct world *w = *state;
    struct cs_buf info = CS_BUF_EMPTY, sealed = CS_BUF_EMPTY;
    struct cs_err err;

    check_code(cs_sealed_key_seal(cs_key_spki(w->kem), &w->place, CS_SLICE_ARRAY(bytes), &w->sealed, &err),
               CS_ETOOBIG);
    check_code(cs_sealed_key_seal(CS_SLICE_LIT("no key"), &w->place, CS_SLICE_LIT("x"), &w->sealed, &err),
               CS_EPARSE);
    assert_int_equal(cs_buf_append_str(&info, "countersign/v1/sealed-key"), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(w->ids); i++)
        assert_int_equal(cs_buf_append(&info, CS_SLICE_ARRAY(w->ids[i])), CS_OK);
    check_ok(cs_hpke_seal(cs_key_spki(w->kem), cs_buf_slice(&info), w->place.core,
                          CS_SLICE_LIT("\x12\x01\x00"), w->sealed.enc.bytes, &sealed, &err),
             err);
    w->sealed.enc.size = CS_HPKE_ENC_BYTES;
    CS_PB_SET(&w->sealed.ciphertext, cs_buf_slice(&sealed));
    check_code(open_at(w, w->kem, &w->place, CS_SLICE_EMPTY), CS_EPARSE);
    cs_buf_free(&info);
    cs_buf_free(&sealed);
}

static void seal_short_of_memory(void *data)
{
    struct world *w = data;
    struct cs_err err;
    int rc = cs_sealed_key_seal(cs_key_spki(w->kem), &w->place, CS_SLICE_LIT("a key"), &w->sealed, &err);

    if (rc == CS_OK)
        rc = open_at(w, w->kem, &w->place, CS_SLICE_LIT("a key"));
    if (rc != CS_OK)
        assert_true(alloc_fail_happened());
}

static void survives_a_lack_of_memory(void **state)
{
    assert_true(alloc_fail_sample(seal_short_of_memory, *state, 200) > 20);
    assert_true(alloc_fail_large(seal_short_of_memory, *state, 512) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_for_its_own_place_alone, begin, end),
        cmocka_unit_test_setup_teardown(every_length_is_padded_to_a_multiple_of_512, begin, end),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_key_and_what_is_too_large, begin, end),
        cmocka_unit_test_setup_teardown(survives_a_lack_of_memory, begin, end),
    };

    return cmocka_run_group_tests_name("sealed_key", tests, NULL, NULL);
}
