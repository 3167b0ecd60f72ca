#include "tests/support/check.h"

#include "agent/core/identity.h"
#include "tests/support/alloc_fail.h"

static struct ag_identity example(void)
{
    struct ag_identity identity = {
        .device_name = "gw-0", .pin.least_version = 7, .key_slot = 1, .key_above = 90};

    memset(identity.device_id, 1, sizeof identity.device_id);
    memset(identity.pin.deployment_id, 2, sizeof identity.pin.deployment_id);
    memset(identity.pin.roots_digest.bytes, 3, sizeof identity.pin.roots_digest.bytes);
    assert_int_equal(cs_buf_append_str(&identity.agent_ca, "authority"), CS_OK);
    assert_int_equal(cs_buf_append_str(&identity.certificate, "certificate"), CS_OK);
    return identity;
}

static struct cs_buf written(void)
{
    struct ag_identity identity = example();
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(ag_identity_encode(&identity, &out, &err), err);
    ag_identity_free(&identity);
    return out;
}

static void comes_back_as_it_was(void **unused CS_UNUSED)
{
    struct ag_identity identity = example(), read;
    struct cs_buf bytes = written();
    struct cs_err err;

    check_ok(ag_identity_decode(cs_buf_slice(&bytes), &read, &err), err);
    assert_memory_equal(read.device_id, identity.device_id, sizeof read.device_id);
    assert_string_equal(read.device_name, "gw-0");
    assert_memory_equal(read.pin.deployment_id, identity.pin.deployment_id, sizeof read.pin.deployment_id);
    assert_true(cs_digest_eq(&read.pin.roots_digest, &identity.pin.roots_digest));
    assert_int_equal(read.pin.least_version, 7);
    assert_int_equal(read.key_slot, 1);
    assert_int_equal(read.key_above, 90);
    check_slice(cs_buf_slice(&read.agent_ca), CS_SLICE_LIT("authority"));
    check_slice(cs_buf_slice(&read.certificate), CS_SLICE_LIT("certificate"));
    ag_identity_free(&read);
    ag_identity_free(&identity);
    cs_buf_free(&bytes);
}

static void refuses_a_torn_write_and_every_changed_byte(void **unused CS_UNUSED)
{
    struct cs_buf bytes = written();
    struct ag_identity read;
    struct cs_err err;

    for (size_t len = 0; len < bytes.len; len++)
        check_code(ag_identity_decode(cs_slice(bytes.ptr, len), &read, &err), CS_ECORRUPT);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x10;
        check_code(ag_identity_decode(cs_buf_slice(&bytes), &read, &err), CS_ECORRUPT);
        bytes.ptr[i] ^= 0x10;
    }
    cs_buf_free(&bytes);
}

/* The checksum fits, and yet it is nothing that we wrote. */
static void refuses_what_only_has_a_checksum(void **unused CS_UNUSED)
{
    struct cs_buf whole = written();
    size_t body = whole.len - CS_SHA256_BYTES,
           name_len_at = strlen("countersign-agent-identity 1\n") + 16 + 3;
    struct ag_identity read;
    struct cs_err err;

    for (size_t len = strlen("countersign-agent-identity 1\n"); len <= body + 1; len++) {
        struct cs_buf cut = CS_BUF_EMPTY;
        struct cs_digest digest;

        assert_int_equal(cs_buf_append(&cut, cs_slice(whole.ptr, len)), CS_OK);
        digest = cs_sha256(cs_buf_slice(&cut));
        assert_int_equal(cs_buf_append(&cut, cs_digest_slice(&digest)), CS_OK);
        if (len != body)
            check_code(ag_identity_decode(cs_buf_slice(&cut), &read, &err), CS_ECORRUPT);
        cs_buf_free(&cut);
    }
    /* A name that is too long; a slot that there is not. */
    const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {{name_len_at, CS_LIMIT_NAME_BYTES + 1}, {body - 8 - 1, 2}};

    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++) {
        uint8_t right = whole.ptr[wrong[i].at];

        whole.ptr[wrong[i].at] = wrong[i].byte;
        whole.len = body;
        struct cs_digest digest = cs_sha256(cs_buf_slice(&whole));

        assert_int_equal(cs_buf_append(&whole, cs_digest_slice(&digest)), CS_OK);
        check_code(ag_identity_decode(cs_buf_slice(&whole), &read, &err), CS_ECORRUPT);
        whole.ptr[wrong[i].at] = right;
    }
    cs_buf_free(&whole);
}

static void writes_all_or_nothing(void **unused CS_UNUSED)
{
    struct ag_identity identity = example();
    struct cs_buf whole = written();
    struct cs_err err;

    for (size_t limit = 1; limit < whole.len; limit++) {
        struct cs_buf out = {.limit_bytes = limit};

        check_code(ag_identity_encode(&identity, &out, &err), CS_ETOOBIG);
        assert_int_equal(out.len, 0);
        cs_buf_free(&out);
    }
    ag_identity_free(&identity);
    cs_buf_free(&whole);
}

static void read_short_of_memory(void *bytes)
{
    struct ag_identity read = {0};
    struct cs_err err;
    int rc = ag_identity_decode(cs_buf_slice(bytes), &read, &err);

    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    ag_identity_free(&read);
}

static void says_when_memory_runs_out(void **unused CS_UNUSED)
{
    struct cs_buf bytes = written();

    assert_true(alloc_fail_run(read_short_of_memory, &bytes) >= 2);
    cs_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(refuses_a_torn_write_and_every_changed_byte),
        cmocka_unit_test(refuses_what_only_has_a_checksum),
        cmocka_unit_test(writes_all_or_nothing),
        cmocka_unit_test(says_when_memory_runs_out),
    };

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
