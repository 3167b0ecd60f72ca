/* The record of a key that waits for its certificate: it comes back as it was, or not at all. */
#include "tests/support/check.h"

#include "agent/core/pending_key.h"
#include "tests/support/alloc_fail.h"

static const struct ag_pending_key example = {
    .request_digest = {{1, 2, 3}},
    .connector = "web",
    .made_at_s = 1800000000,
    .csr = {(const uint8_t *)"a request", 9},
    .key = {(const uint8_t *)"a key", 5},
};

static struct cs_buf record(const struct ag_pending_key *pending)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(ag_pending_key_encode(pending, &out, &err), err);
    return out;
}

static void comes_back_as_it_was(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = record(&example);
    struct ag_pending_key again;
    struct cs_err err;

    check_ok(ag_pending_key_decode(cs_buf_slice(&bytes), &again, &err), err);
    assert_true(cs_digest_eq(&again.request_digest, &example.request_digest));
    assert_string_equal(again.connector, "web");
    assert_int_equal(again.made_at_s, example.made_at_s);
    check_slice(again.csr, example.csr);
    check_slice(again.key, example.key);
}

static void is_refused_when_cut_or_altered(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = record(&example);
    struct ag_pending_key again;
    struct cs_err err;

    for (size_t len = 0; len < bytes.len; len++)
        check_code(ag_pending_key_decode(cs_slice(bytes.ptr, len), &again, &err), CS_ECORRUPT);
    for (size_t at = 0; at < bytes.len; at++) {
        bytes.ptr[at] ^= 1;
        check_code(ag_pending_key_decode(cs_buf_slice(&bytes), &again, &err), CS_ECORRUPT);
        bytes.ptr[at] ^= 1;
    }
}

/* With a checksum that fits: what an agent of another mind may have written. */
static void is_refused_when_it_makes_no_sense(void **unused CS_UNUSED)
{
    struct ag_pending_key wrong[] = {example, example, example};
    struct ag_pending_key again;
    struct cs_err err;

    memcpy(wrong[0].connector, "../x", 5);
    wrong[1].csr = CS_SLICE_EMPTY;
    wrong[2].key = CS_SLICE_EMPTY;
    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++) {
        cs_auto(cs_buf_wipe) struct cs_buf bytes = record(&wrong[i]);

        check_code(ag_pending_key_decode(cs_buf_slice(&bytes), &again, &err), CS_ECORRUPT);
    }
    cs_auto(cs_buf_wipe) struct cs_buf longer = record(&example);

    longer.ptr[longer.len - CS_SHA256_BYTES] = 0;
    longer.len -= CS_SHA256_BYTES - 1;
    struct cs_digest digest = cs_sha256(cs_buf_slice(&longer));

    assert_int_equal(cs_buf_append(&longer, cs_digest_slice(&digest)), CS_OK);
    check_code(ag_pending_key_decode(cs_buf_slice(&longer), &again, &err), CS_ECORRUPT);
}

static void encode_short_of_memory(void *data CS_UNUSED)
{
    cs_auto(cs_buf_wipe) struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    if (ag_pending_key_encode(&example, &out, &err) != CS_OK)
        assert_true(alloc_fail_happened());
}

static void survives_a_lack_of_memory(void **unused CS_UNUSED)
{
    assert_true(alloc_fail_run(encode_short_of_memory, NULL) > 0);
}

static int set_up(void **state CS_UNUSED)
{
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(is_refused_when_cut_or_altered),
        cmocka_unit_test(is_refused_when_it_makes_no_sense),
        cmocka_unit_test(survives_a_lack_of_memory),
    };

    return cmocka_run_group_tests_name("pending_key", tests, set_up, NULL);
}
