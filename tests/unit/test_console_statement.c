/* What `countersign console` signs for its page: the four kinds of people's daily work, of the own
 * deployment, in the own name. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "controller/cli/console_statement.h"

#include <stdio.h>

static struct deployment *const d = &deployment_shared;

static struct cs_buf payload_of(enum cs_statement_kind kind)
{
    struct cs_buf wire = deployment_example(d, kind), payload = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    check_code(cs_buf_append(&payload, envelope.payload), CS_OK);
    cs_buf_free(&wire);
    return payload;
}

static struct cli_console_signer signer_of(const char *name)
{
    return (struct cli_console_signer){
        .deployment_id = d->id, .operator= name, .policy_version = cs_policy_version(d->policy)};
}

/* Who signs the examples, and how their line begins. */
static const struct {
    enum cs_statement_kind kind;
    const char *name, *begins;
} good[] = {
    {CS_STATEMENT_ADMISSION, "ada", "admission: device "},
    {CS_STATEMENT_PUSH_REQUEST, "alice", "push request: REQ-"},
    {CS_STATEMENT_DECISION, "bob", "decision: accept stage 1 of the request "},
    {CS_STATEMENT_KEY_REQUEST, "alice", "key request: app connector web of device-id "},
};

static void signs_peoples_daily_work_in_their_own_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(good); i++) {
        struct cs_buf payload = payload_of(good[i].kind), line = CS_BUF_EMPTY;
        struct cli_console_signer signer = signer_of(good[i].name);
        uint8_t other[16] = {1};
        struct cs_err err;

        check_ok(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), err);
        if (!cs_slice_starts_with(cs_buf_slice(&line), cs_slice_str(good[i].begins)) ||
            memchr(line.ptr, '\n', line.len))
            fail_msg("%.*s", (int)line.len, (const char *)line.ptr);
        cs_buf_clear(&line);

        signer.operator= "mallory";
        check_code(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), CS_EDENIED);
        signer = signer_of(good[i].name);
        signer.deployment_id = other;
        check_code(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), CS_EDENIED);
        signer = signer_of(good[i].name);
        signer.policy_version--;
        check_code(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), CS_ESTALE);
        assert_int_equal(line.len, 0);

        /* Legal protobuf that changes nothing. */
        check_code(cs_buf_append(&payload, CS_SLICE_LIT("\xf8\x07\x01")), CS_OK);
        signer = signer_of(good[i].name);
        check_code(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), CS_EPARSE);
        payload.len -= 4;
        check_code(cli_console_look(good[i].kind, cs_buf_slice(&payload), &signer, &line, &err), CS_EPARSE);
        cs_buf_free(&payload);
        cs_buf_free(&line);
    }
}

static void signs_no_other_kind_and_no_kind_as_another(void **state)
{
    const struct cli_console_signer signer = signer_of("bob");

    (void)state;
    for (int kind = CS_STATEMENT_NONE; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        bool is_good = false;

        for (size_t i = 0; i < CS_ARRAY_LEN(good); i++)
            is_good |= (enum cs_statement_kind)kind == good[i].kind;
        for (int as = CS_STATEMENT_TRUST_POLICY; as <= CS_STATEMENT_SESSION_OPENING; as++) {
            struct cs_buf payload = payload_of((enum cs_statement_kind)as), line = CS_BUF_EMPTY;
            struct cs_err err;
            int rc =
                cli_console_look((enum cs_statement_kind)kind, cs_buf_slice(&payload), &signer, &line, &err);

            if (!is_good)
                check_code(rc, CS_EUNSUPPORTED);
            else if (as != kind)
                assert_true(rc != CS_OK);
            cs_buf_free(&payload);
            cs_buf_free(&line);
        }
    }
}

static void tells_one_decision_from_another(void **state)
{
    static const struct {
        countersign_v1_Verdict verdict;
        countersign_v1_Mode mode;
        int64_t not_before_s;
        bool some;
        const char *part;
    } cases[] = {
        {countersign_v1_Verdict_VERDICT_REJECT, countersign_v1_Mode_MODE_UNSPECIFIED, 0, false,
         "reject stage 2 of"},
        {countersign_v1_Verdict_VERDICT_ACCEPT, countersign_v1_Mode_MODE_MANUAL, 0, false,
         ", Manual Implementation"},
        {countersign_v1_Verdict_VERDICT_ACCEPT, countersign_v1_Mode_MODE_SCHEDULED, 1800000000, false,
         ", not before 2027-01-15T08:00:00Z"},
        {countersign_v1_Verdict_VERDICT_ACCEPT, countersign_v1_Mode_MODE_MANUAL, 0, true,
         ", some of its orders"},
    };
    const struct cli_console_signer signer = signer_of("carol");

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        countersign_v1_Decision *decision = calloc(1, sizeof *decision);
        struct cs_digest digest = cs_sha256(CS_SLICE_LIT("request"));
        struct cs_buf payload, line = CS_BUF_EMPTY;
        struct cs_err err;

        deployment_fill_decision(d, "carol", 2, &digest, decision);
        decision->verdict = cases[i].verdict;
        decision->mode = cases[i].mode;
        decision->not_before_s = cases[i].not_before_s;
        if (cases[i].some)
            CS_PB_SET(&decision->orders, CS_SLICE_LIT("\x01"));
        payload = deployment_encode(countersign_v1_Decision_fields, decision);
        check_ok(cli_console_look(CS_STATEMENT_DECISION, cs_buf_slice(&payload), &signer, &line, &err), err);
        if (!memmem(line.ptr, line.len, cases[i].part, strlen(cases[i].part)))
            fail_msg("%.*s", (int)line.len, (const char *)line.ptr);
        cs_buf_free(&payload);
        cs_buf_free(&line);
        free(decision);
    }
}

static void look_with_failures(void *data)
{
    const struct cli_console_signer signer = signer_of("alice");
    struct cs_buf *payload = data, line = CS_BUF_EMPTY;
    struct cs_err err;

    (void)!cli_console_look(CS_STATEMENT_PUSH_REQUEST, cs_buf_slice(payload), &signer, &line, &err);
    cs_buf_free(&line);
}

static void every_allocation_may_fail(void **state)
{
    struct cs_buf payload = payload_of(CS_STATEMENT_PUSH_REQUEST);

    (void)state;
    assert_true(alloc_fail_sample(look_with_failures, &payload, 100) > 1);
    cs_buf_free(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_peoples_daily_work_in_their_own_name),
        cmocka_unit_test(signs_no_other_kind_and_no_kind_as_another),
        cmocka_unit_test(tells_one_decision_from_another),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, deployment_share, deployment_unshare);
}
