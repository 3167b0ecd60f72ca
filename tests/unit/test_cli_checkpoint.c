/* Checkpoints as clients keep them: what is written is read, and a contradiction is seen. */
#include "tests/support/check.h"

#include "controller/cli/checkpoint.h"
#include "tests/support/audit_file.h"

static struct audit_file f;

static int setup(void **state)
{
    (void)state;
    audit_file_make(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    audit_file_free(&f);
    return 0;
}

static void write_one(uint64_t revision, struct cs_buf *out)
{
    struct cli_checkpoint checkpoint = audit_file_checkpoint(&f, revision, "controller");

    assert_int_equal(cli_checkpoint_write(&checkpoint, out), CS_OK);
    cli_checkpoint_free(&checkpoint);
}

static void what_is_written_is_read(void **state)
{
    struct cli_checkpoint checkpoint = audit_file_checkpoint(&f, 5, "controller");
    struct cli_checkpoints read = {0};
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_keyring keys = {.count = 0};
    struct cs_err err;

    (void)state;
    write_one(3, &text);
    write_one(5, &text);
    check_ok(cli_checkpoints_parse(cs_buf_slice(&text), "kept", &read, &err), err);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.list[0].revision, 3);
    assert_int_equal(read.list[1].revision, 5);
    assert_int_equal(read.list[1].made_at_s, checkpoint.made_at_s);
    assert_true(cs_digest_eq(&read.list[1].hash, &checkpoint.hash));
    assert_memory_equal(read.list[1].deployment_id, f.d.id, 16);
    check_code(cli_checkpoint_check(&read.list[1], &keys, &err), CS_EAUTH);
    cs_policy_message_keys(f.d.policy, &keys);
    check_ok(cli_checkpoint_check(&read.list[1], &keys, &err), err);
    cs_buf_free(&text);
    cli_checkpoint_free(&checkpoint);
    cli_checkpoints_free(&read);
}

static void a_line_that_was_not_finished_is_passed_over(void **state)
{
    struct cs_buf text = CS_BUF_EMPTY;
    size_t whole;

    (void)state;
    write_one(3, &text);
    whole = text.len;
    write_one(4, &text);
    for (size_t len = whole; len < text.len; len++) {
        struct cli_checkpoints read = {0};
        struct cs_err err;

        check_ok(cli_checkpoints_parse(cs_slice(text.ptr, len), "kept", &read, &err), err);
        assert_int_equal(read.count, 1);
        cli_checkpoints_free(&read);
    }
    cs_buf_free(&text);
}

static void a_changed_line_is_named(void **state)
{
    struct cs_buf text = CS_BUF_EMPTY;
    size_t first;

    (void)state;
    write_one(3, &text);
    first = text.len;
    write_one(4, &text);
    /* The words for people, and the envelope's first bytes; its signature is not looked at here. */
    for (size_t i = first; i < first + 120; i++) {
        struct cli_checkpoints read = {0};
        struct cs_err err;

        text.ptr[i] ^= 1;
        check_code(cli_checkpoints_parse(cs_buf_slice(&text), "kept", &read, &err), CS_EPARSE);
        check_says(err, "kept line 2");
        cli_checkpoints_free(&read);
        text.ptr[i] ^= 1;
    }
    cs_buf_free(&text);
}

static void only_checkpoints_are_checkpoints(void **state)
{
    struct cs_buf request = deployment_example(&f.d, CS_STATEMENT_PUSH_BATCH);
    struct cli_checkpoint checkpoint;
    struct cs_err err;

    (void)state;
    check_code(cli_checkpoint_open(cs_buf_slice(&request), &checkpoint, &err), CS_EPARSE);
    check_says(err, "push-batch");
    cs_buf_free(&request);
}

static void a_contradiction_is_seen(void **state)
{
    static const struct {
        const char *says;
        uint64_t revision, newest_before;
        bool other_hash, other_deployment, known;
        int code;
    } cases[] = {
        {"a new one", 7, 5, false, false, false, CS_OK},
        {"the same one again", 5, 5, false, false, true, CS_OK},
        {"one that another command had meanwhile overtaken", 4, 3, false, false, false, CS_OK},
        {"an older one that is known", 3, 3, false, false, true, CS_OK},
        {"a roll-back", 4, 5, false, false, false, CS_ECORRUPT},
        {"a roll-back to one that is known", 3, 5, false, false, true, CS_ECORRUPT},
        {"another truth", 5, 5, true, false, false, CS_ECORRUPT},
        {"another truth of old", 3, 3, true, false, false, CS_ECORRUPT},
        {"another deployment's", 5, 0, true, true, false, CS_OK},
    };
    struct cli_checkpoints kept = {0};
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    write_one(3, &text);
    write_one(5, &text);
    check_ok(cli_checkpoints_parse(cs_buf_slice(&text), "kept", &kept, &err), err);
    assert_int_equal(cli_checkpoints_newest(&kept, f.d.id), 5);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_checkpoint fresh = audit_file_checkpoint(&f, cases[i].revision, "controller");
        bool known;
        int rc;

        if (cases[i].other_hash)
            fresh.hash.bytes[0] ^= 1;
        if (cases[i].other_deployment)
            fresh.deployment_id[0] ^= 1;
        rc = cli_checkpoints_compare(&kept, cases[i].newest_before, &fresh, &known, &err);
        if (rc != cases[i].code || known != cases[i].known)
            fail_msg("%s: %s, %s", cases[i].says, cs_code_text(rc), known ? "known" : "not known");
        cli_checkpoint_free(&fresh);
    }
    cs_buf_free(&text);
    cli_checkpoints_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_line_that_was_not_finished_is_passed_over),
        cmocka_unit_test(a_changed_line_is_named),
        cmocka_unit_test(only_checkpoints_are_checkpoints),
        cmocka_unit_test(a_contradiction_is_seen),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, setup, teardown) : 1;
}
