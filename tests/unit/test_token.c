#include "tests/support/check.h"

#include "agent/core/token.h"
#include "shared/trust/statement.h"
#include "tests/support/alloc_fail.h"

static countersign_v1_EnrolmentToken example(void)
{
    countersign_v1_EnrolmentToken token = countersign_v1_EnrolmentToken_init_zero;

    for (uint8_t i = 0; i < 16; i++) {
        token.deployment_id.bytes[i] = i;
        token.authentication.bytes[i] = (uint8_t)(0xf0 + i); /* '-' and '_' are in its text */
        token.binding.bytes[i] = (uint8_t)(0xfb - i);
    }
    token.deployment_id.size = token.authentication.size = token.binding.size = 16;
    token.roots_digest.size = CS_SHA256_BYTES;
    memset(token.roots_digest.bytes, 0xff, CS_SHA256_BYTES);
    CS_PB_SET(&token.agent_ca, CS_SLICE_LIT("authority"));
    memcpy(token.device_name, "gw-0", sizeof "gw-0");
    return token;
}

static struct cs_buf text_of(const countersign_v1_EnrolmentToken *token)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(ag_token_write(token, &out, &err), err);
    return out;
}

static void comes_back_from_its_text_with_blanks_around_it(void **unused CS_UNUSED)
{
    countersign_v1_EnrolmentToken token = example(), *read = NULL;
    struct cs_buf text = text_of(&token), padded = CS_BUF_EMPTY;
    struct cs_err err;

    assert_true(cs_slice_starts_with(cs_buf_slice(&text), CS_SLICE_LIT("cst1.")));
    assert_null(memchr(text.ptr, '=', text.len));
    assert_non_null(memchr(text.ptr, '_', text.len));
    assert_non_null(memchr(text.ptr, '-', text.len));
    assert_int_equal(cs_buf_append_str(&padded, " \t\r\n"), CS_OK);
    assert_int_equal(cs_buf_append(&padded, cs_buf_slice(&text)), CS_OK);
    assert_int_equal(cs_buf_append_str(&padded, "\n\r\t "), CS_OK);
    check_ok(ag_token_parse(cs_buf_slice(&padded), &read, &err), err);
    assert_memory_equal(read, &token, sizeof token);
    free(read);
    cs_buf_free(&padded);
    cs_buf_free(&text);
}

static void refuses_texts_that_are_no_token(void **unused CS_UNUSED)
{
    static const struct {
        const char *says, *text, *sentence;
    } cases[] = {
        {"nothing", "", "not an enrolment token"},
        {"blanks", " \n", "not an enrolment token"},
        {"another prefix", "cst2.AAAA", "not an enrolment token"},
        {"the standard alphabet's plus", "cst1.AA+A", "damaged"},
        {"the standard alphabet's slash", "cst1.AA/A", "damaged"},
        {"padding", "cst1.AA==", "damaged"},
        {"one character too many", "cst1.AAAAA", "damaged"},
        {"a character of no alphabet", "cst1.AA*A", "damaged"},
        {"nothing behind the prefix", "cst1.", "not complete"},
        {"no message", "cst1.____", "does not parse"},
    };
    countersign_v1_EnrolmentToken *read = NULL;
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        int rc = ag_token_parse(cs_slice_str(cases[i].text), &read, &err);

        if (rc != CS_EPARSE || !strstr(err.msg, cases[i].sentence))
            fail_msg("%s: %s", cases[i].says, err.msg);
    }
    assert_null(read);
}

static void refuses_a_text_that_is_too_long(void **unused CS_UNUSED)
{
    static char text[5000];
    countersign_v1_EnrolmentToken *read = NULL;
    struct cs_err err;

    memset(text, 'A', sizeof text);
    memcpy(text, "cst1.", 5);
    check_code(ag_token_parse(CS_SLICE_ARRAY(text), &read, &err), CS_EPARSE);
    check_says(err, "not an enrolment token");
}

static void refuses_a_token_that_is_not_complete(void **unused CS_UNUSED)
{
    for (unsigned missing = 0; missing < 6; missing++) {
        countersign_v1_EnrolmentToken token = example(), *read = NULL;
        struct cs_buf text;
        struct cs_err err;
        int rc;

        switch (missing) {
        case 0:
            token.deployment_id.size--;
            break;
        case 1:
            token.authentication.size--;
            break;
        case 2:
            token.binding.size--;
            break;
        case 3:
            token.roots_digest.size--;
            break;
        case 4:
            token.agent_ca.size = 0;
            break;
        default:
            token.device_name[0] = ' ';
            break;
        }
        text = text_of(&token);
        rc = ag_token_parse(cs_buf_slice(&text), &read, &err);
        assert_int_not_equal(rc, CS_OK);
        check_says(err, missing < 5 ? "not complete" : "the token's device name");
        assert_null(read);
        cs_buf_free(&text);
    }
}

static void refuses_to_write_a_name_that_is_not_utf8(void **unused CS_UNUSED)
{
    countersign_v1_EnrolmentToken token = example();
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    memcpy(token.device_name, "\xff", 2);
    check_code(ag_token_write(&token, &out, &err), CS_EINVAL);
    assert_int_equal(out.len, 0);
}

/* HMAC-SHA-256 over the parts as proto/README.md has them, put together here. */
static void the_binding_mac_covers_name_id_and_keys(void **unused CS_UNUSED)
{
    countersign_v1_EnrolmentToken token = example();
    const struct cs_slice whole[] = {
        CS_SLICE_LIT("countersign/v1/enrol\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                     "\x04gw-0IDIDENTITYKEM")};
    struct cs_digest wanted = cs_hmac_sha256(CS_PB_BYTES(&token.binding), whole, 1);
    struct cs_digest mac =
        ag_token_binding_mac(&token, CS_SLICE_LIT("ID"), CS_SLICE_LIT("IDENTITY"), CS_SLICE_LIT("KEM"));

    check_slice(cs_digest_slice(&mac), cs_digest_slice(&wanted));
}

static void there_and_back_short_of_memory(void *data CS_UNUSED)
{
    countersign_v1_EnrolmentToken token = example(), *read = NULL;
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;
    int rc = ag_token_write(&token, &text, &err);

    if (rc == CS_OK)
        rc = ag_token_parse(cs_buf_slice(&text), &read, &err);
    assert_true(rc == CS_OK ? read != NULL : read == NULL && alloc_fail_happened());
    free(read);
    cs_buf_free(&text);
}

static void says_when_memory_runs_out(void **unused CS_UNUSED)
{
    assert_true(alloc_fail_run(there_and_back_short_of_memory, NULL) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_from_its_text_with_blanks_around_it),
        cmocka_unit_test(refuses_texts_that_are_no_token),
        cmocka_unit_test(refuses_a_text_that_is_too_long),
        cmocka_unit_test(refuses_a_token_that_is_not_complete),
        cmocka_unit_test(refuses_to_write_a_name_that_is_not_utf8),
        cmocka_unit_test(the_binding_mac_covers_name_id_and_keys),
        cmocka_unit_test(says_when_memory_runs_out),
    };

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
