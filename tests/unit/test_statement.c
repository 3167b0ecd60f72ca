#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include <stdio.h>

static struct deployment *const d = &deployment_shared;

static void knows_every_type_by_its_text(void **state)
{
    (void)state;
    for (int kind = CS_STATEMENT_TRUST_POLICY; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        struct cs_slice type = cs_slice_str(cs_statement_type((enum cs_statement_kind)kind));

        assert_int_equal(cs_statement_kind_of(type), kind);
        type.len--;
        assert_int_equal(cs_statement_kind_of(type), CS_STATEMENT_NONE);
    }
    assert_string_equal(cs_statement_type(CS_STATEMENT_DECISION), "application/vnd.countersign.decision.v1");
    assert_int_equal(cs_statement_kind_of(CS_SLICE_EMPTY), CS_STATEMENT_NONE);
}

/* Decodes a payload of this kind and frees what comes of it. */
static int decode(enum cs_statement_kind kind, struct cs_slice payload, struct cs_err *err)
{
    void *message cs_auto_free = NULL;
    int rc = CS_EINVAL;

#define DECODE(KIND, function, type)                                                                         \
    case CS_STATEMENT_##KIND: {                                                                              \
        type *decoded = NULL;                                                                                \
        rc = function(payload, &decoded, err);                                                               \
        message = decoded;                                                                                   \
        break;                                                                                               \
    }
    switch (kind) {
        DECODE(TRUST_POLICY, cs_policy_decode, countersign_v1_TrustPolicy)
        DECODE(ADMISSION, cs_admission_decode, countersign_v1_Admission)
        DECODE(PUSH_REQUEST, cs_request_decode, countersign_v1_PushRequest)
        DECODE(DECISION, cs_decision_decode, countersign_v1_Decision)
        DECODE(KEY_REQUEST, cs_key_request_decode, countersign_v1_KeyRequest)
        DECODE(DEVICE_ADVERTISEMENT, cs_advertisement_decode, countersign_v1_DeviceAdvertisement)
        DECODE(DEVICE_CSR, cs_device_csr_decode, countersign_v1_DeviceCsr)
        DECODE(DEVICE_REPORT, cs_report_decode, countersign_v1_DeviceReport)
        DECODE(PUSH_BATCH, cs_batch_decode, countersign_v1_PushBatch)
        DECODE(DEVICE_RENEWAL, cs_renewal_decode, countersign_v1_DeviceRenewal)
        DECODE(AUDIT_CHECKPOINT, cs_checkpoint_decode, countersign_v1_AuditCheckpoint)
        DECODE(SESSION_OPENING, cs_opening_decode, countersign_v1_SessionOpening)
    case CS_STATEMENT_NONE:
        break;
    }
#undef DECODE
    assert_true((rc == CS_OK) == (message != NULL));
    return rc;
}

static struct cs_buf example_payload(enum cs_statement_kind kind)
{
    struct cs_buf wire = deployment_example(d, kind), payload = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    assert_int_equal(cs_buf_append(&payload, envelope.payload), CS_OK);
    cs_buf_free(&wire);
    return payload;
}

static void decodes_a_complete_statement_of_every_kind(void **state)
{
    (void)state;
    for (int kind = CS_STATEMENT_TRUST_POLICY; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        struct cs_buf payload = example_payload((enum cs_statement_kind)kind);
        struct cs_err err;

        check_ok(decode((enum cs_statement_kind)kind, cs_buf_slice(&payload), &err), err);
        cs_buf_free(&payload);
    }
}

/* What is appended is legal protobuf that changes nothing, or nearly: only the form is wrong. */
static void refuses_what_is_appended_to_any_kind(void **state)
{
    static const struct {
        const char *says;
        struct cs_slice more;
    } cases[] = {
        {"an unknown field", {(const uint8_t *)"\xfa\x07\x00", 3}},
        {"an unknown number", {(const uint8_t *)"\xf8\x07\x01", 3}},
        {"a zero byte", {(const uint8_t *)"\x00", 1}},
        {"the first field again, empty", {(const uint8_t *)"\x0a\x00", 2}},
        {"the second field again, zero", {(const uint8_t *)"\x10\x00", 2}},
        {"the beginning of a field", {(const uint8_t *)"\x0a", 1}},
    };

    (void)state;
    for (int kind = CS_STATEMENT_TRUST_POLICY; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
            struct cs_buf payload = example_payload((enum cs_statement_kind)kind);
            struct cs_err err;

            assert_int_equal(cs_buf_append(&payload, cases[i].more), CS_OK);
            if (decode((enum cs_statement_kind)kind, cs_buf_slice(&payload), &err) != CS_EPARSE)
                fail_msg("%s with %s", cs_statement_type((enum cs_statement_kind)kind), cases[i].says);
            cs_buf_free(&payload);
        }
    }
}

static void refuses_every_shortened_statement(void **state)
{
    (void)state;
    for (int kind = CS_STATEMENT_ADMISSION; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        struct cs_buf payload = example_payload((enum cs_statement_kind)kind);

        for (size_t len = 0; len < payload.len; len++) {
            uint8_t *copy = malloc(len ? len : 1);
            struct cs_err err;
            int rc;

            assert_non_null(copy);
            memcpy(copy, payload.ptr, len);
            rc = decode((enum cs_statement_kind)kind, cs_slice(copy, len), &err);
            free(copy);
            /* Lists at the end may lose their last entries and be lists still. */
            if (rc == CS_OK && kind != CS_STATEMENT_DEVICE_ADVERTISEMENT &&
                kind != CS_STATEMENT_DEVICE_REPORT)
                fail_msg("%s of %zu bytes", cs_statement_type((enum cs_statement_kind)kind), len);
        }
        cs_buf_free(&payload);
    }
}

/* Decodes at `payload` with the bytes that `from` and its length name replaced. */
static int decode_replaced(enum cs_statement_kind kind, struct cs_slice payload, struct cs_slice from,
                           struct cs_slice to)
{
    struct cs_buf changed = CS_BUF_EMPTY;
    const uint8_t *at = memmem(payload.ptr, payload.len, from.ptr, from.len);
    struct cs_err err;
    size_t before;
    int rc;

    assert_non_null(at);
    before = (size_t)(at - payload.ptr);
    assert_int_equal(cs_buf_append(&changed, cs_slice(payload.ptr, before)), CS_OK);
    assert_int_equal(cs_buf_append(&changed, to), CS_OK);
    assert_int_equal(cs_buf_append(&changed, cs_slice_from(payload, before + from.len)), CS_OK);
    rc = decode(kind, cs_buf_slice(&changed), &err);
    cs_buf_free(&changed);
    return rc;
}

static void refuses_other_forms_of_the_same_meaning(void **state)
{
    struct cs_buf request = example_payload(CS_STATEMENT_PUSH_REQUEST);
    struct cs_buf report = example_payload(CS_STATEMENT_DEVICE_REPORT);
    struct cs_buf policy = example_payload(CS_STATEMENT_TRUST_POLICY);

    (void)state;
#define REFUSES(kind, payload, from, to)                                                                     \
    assert_int_equal(                                                                                        \
        decode_replaced((kind), cs_buf_slice(&(payload)), CS_SLICE_LIT(from), CS_SLICE_LIT(to)), CS_EPARSE)
    /* policy_version 1 in two bytes; the requester with a zero behind the name; text that is not UTF-8. */
    REFUSES(CS_STATEMENT_PUSH_REQUEST, request,
            "\x10\x01\x1a\x05"
            "alice",
            "\x10\x81\x00\x1a\x05"
            "alice");
    REFUSES(CS_STATEMENT_PUSH_REQUEST, request,
            "\x1a\x05"
            "alice",
            "\x1a\x06"
            "alice\0");
    REFUSES(CS_STATEMENT_PUSH_REQUEST, request,
            "\x1a\x05"
            "alice",
            "\x1a\x06"
            "al\0ice");
    REFUSES(CS_STATEMENT_DEVICE_REPORT, report, "installed, reloaded",
            "installed, \xff\xfe"
            "loaded");
    REFUSES(CS_STATEMENT_DEVICE_REPORT, report, "installed, reloaded", "installed, \x1b[0oaded");
    /* Fields out of order; roles of "dora" one by one instead of packed. */
    REFUSES(CS_STATEMENT_PUSH_REQUEST, request,
            "\x10\x01\x1a\x05"
            "alice",
            "\x1a\x05"
            "alice\x10\x01");
    REFUSES(CS_STATEMENT_TRUST_POLICY, policy, "\x1a\x03\x01\x02\x03", "\x1a\x01\x01\x1a\x02\x02\x03");
#undef REFUSES
    cs_buf_free(&request);
    cs_buf_free(&report);
    cs_buf_free(&policy);
}

/* A table of statements that are canonical and incomplete: `change` works on a valid one called `m`. */
#define INCOMPLETE(function, type, fill, decoder)                                                            \
    static void function(const char *says, void (*change)(type *), int wanted)                               \
    {                                                                                                        \
        type *m cs_auto_free = calloc(1, sizeof *m), *decoded cs_auto_free = NULL;                           \
        struct cs_buf payload;                                                                               \
        struct cs_err err = {0};                                                                             \
        int rc;                                                                                              \
                                                                                                             \
        assert_non_null(m);                                                                                  \
        fill;                                                                                                \
        change(m);                                                                                           \
        payload = deployment_encode(type##_fields, m);                                                       \
        rc = decoder(cs_buf_slice(&payload), &decoded, &err);                                                \
        cs_buf_free(&payload);                                                                               \
        if (rc != wanted)                                                                                    \
            fail_msg("%s: '%s' (%s) where '%s' was wanted", says, cs_code_text(rc), err.msg,                 \
                     cs_code_text(wanted));                                                                  \
    }

static const struct cs_digest some_digest = {{1}};
INCOMPLETE(try_request, countersign_v1_PushRequest, deployment_fill_request(d, m), cs_request_decode)
INCOMPLETE(try_decision, countersign_v1_Decision, deployment_fill_decision(d, "bob", 1, &some_digest, m),
           cs_decision_decode)
INCOMPLETE(try_core, countersign_v1_OrderCore, deployment_fill_core(d, "gw-0", 1, m), cs_core_decode)
INCOMPLETE(try_admission, countersign_v1_Admission, deployment_fill_admission(d, "gw-0", m),
           cs_admission_decode)
INCOMPLETE(try_key_request, countersign_v1_KeyRequest, deployment_fill_key_request(d, "gw-0", m),
           cs_key_request_decode)
INCOMPLETE(try_advertisement, countersign_v1_DeviceAdvertisement, deployment_fill_advertisement(d, "gw-0", m),
           cs_advertisement_decode)
INCOMPLETE(try_csr, countersign_v1_DeviceCsr, deployment_fill_device_csr(d, "gw-0", m), cs_device_csr_decode)
INCOMPLETE(try_report, countersign_v1_DeviceReport, deployment_fill_report(d, "gw-0", m), cs_report_decode)
INCOMPLETE(try_renewal, countersign_v1_DeviceRenewal, deployment_fill_renewal(d, "gw-0", m),
           cs_renewal_decode)
INCOMPLETE(try_checkpoint, countersign_v1_AuditCheckpoint, deployment_fill_checkpoint(d, m),
           cs_checkpoint_decode)
INCOMPLETE(try_opening, countersign_v1_SessionOpening, deployment_fill_opening(d, "bob", m),
           cs_opening_decode)
INCOMPLETE(try_batch, countersign_v1_PushBatch, deployment_fill_batch(d, m), cs_batch_decode)

/* CHANGE(name, type, statements): a function that changes `m`. */
#define CHANGE(name, type, ...)                                                                              \
    static void name(type *m)                                                                                \
    {                                                                                                        \
        __VA_ARGS__;                                                                                         \
    }

#define R countersign_v1_PushRequest
CHANGE(r_nothing, R, (void)m)
CHANGE(r_deployment, R, m->deployment_id.size = 15)
CHANGE(r_version, R, m->policy_version = 0)
CHANGE(r_no_requester, R, m->requester[0] = '\0')
CHANGE(r_bad_requester, R, m->requester[1] = '/')
CHANGE(r_id, R, m->request_id.size = 0)
CHANGE(r_number, R, m->number = 0)
CHANGE(r_time, R, m->requested_at_s = 0)
CHANGE(r_negative_time, R, m->requested_at_s = -1)
CHANGE(r_decide_by, R, m->decide_by_s = m->requested_at_s - 1)
CHANGE(r_decide_at_once, R, m->decide_by_s = m->requested_at_s)
CHANGE(r_far_future, R, m->decide_by_s = INT64_MAX)
CHANGE(r_window, R, m->window_s = 0)
CHANGE(r_negative_window, R, m->window_s = -1)
CHANGE(r_huge_window, R, m->window_s = INT64_MAX)
CHANGE(r_attempts, R, m->max_attempts = 0)
CHANGE(r_root, R, m->order_root.size = 31)
CHANGE(r_no_orders, R, m->order_count = 0)
CHANGE(r_most_orders, R, m->order_count = 16384)
CHANGE(r_many_orders, R, m->order_count = 16385)
CHANGE(r_comment, R, m->comment_digest.size = 0)
CHANGE(r_override, R, m->overrides_count = 1; m->overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED)
CHANGE(r_overrides, R, m->overrides_count = 2; m->overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
       m->overrides[1] = countersign_v1_Override_OVERRIDE_REVOKED)
CHANGE(r_override_unset, R, m->overrides_count = 1)
CHANGE(r_override_unknown, R, m->overrides_count = 1; m->overrides[0] = (countersign_v1_Override)3)
CHANGE(r_override_twice, R, m->overrides_count = 2;
       m->overrides[0] = m->overrides[1] = countersign_v1_Override_OVERRIDE_EXPIRED)

static void refuses_incomplete_push_requests(void **state)
{
    (void)state;
    try_request("a complete one", r_nothing, CS_OK);
    try_request("a deployment id of 15 bytes", r_deployment, CS_EPARSE);
    try_request("no policy version", r_version, CS_EPARSE);
    try_request("no requester", r_no_requester, CS_EPARSE);
    try_request("a requester that is no name", r_bad_requester, CS_EPARSE);
    try_request("no request id", r_id, CS_EPARSE);
    try_request("no number", r_number, CS_EPARSE);
    try_request("no time", r_time, CS_EPARSE);
    try_request("a time before 1970", r_negative_time, CS_EPARSE);
    try_request("decide_by before the request", r_decide_by, CS_EPARSE);
    try_request("decide_by with the request", r_decide_at_once, CS_OK);
    try_request("decide_by beyond the year 9999", r_far_future, CS_EPARSE);
    try_request("no window", r_window, CS_EPARSE);
    try_request("a negative window", r_negative_window, CS_EPARSE);
    try_request("a window that overflows", r_huge_window, CS_EPARSE);
    try_request("no attempt", r_attempts, CS_EPARSE);
    try_request("a root of 31 bytes", r_root, CS_EPARSE);
    try_request("no order", r_no_orders, CS_EPARSE);
    try_request("16384 orders", r_most_orders, CS_OK);
    try_request("16385 orders", r_many_orders, CS_EPARSE);
    try_request("no comment digest", r_comment, CS_EPARSE);
    try_request("an override", r_override, CS_OK);
    try_request("both overrides", r_overrides, CS_OK);
    try_request("an override that is not set", r_override_unset, CS_EPARSE);
    try_request("an override that is not known", r_override_unknown, CS_EPARSE);
    try_request("an override twice", r_override_twice, CS_EPARSE);
}

#define D countersign_v1_Decision
CHANGE(d_nothing, D, (void)m)
CHANGE(d_decider, D, m->decider[0] = '\0')
CHANGE(d_request, D, m->request_digest.size = 0)
CHANGE(d_stage, D, m->stage = 0)
CHANGE(d_no_order, D, m->orders.size = 2)
CHANGE(d_orders, D, m->orders.size = 2; m->orders.bytes[1] = 1)
CHANGE(d_verdict, D, m->verdict = countersign_v1_Verdict_VERDICT_UNSPECIFIED)
CHANGE(d_verdict_unknown, D, m->verdict = (countersign_v1_Verdict)3)
CHANGE(d_verdict_negative, D, m->verdict = (countersign_v1_Verdict)-1)
CHANGE(d_mode, D, m->mode = countersign_v1_Mode_MODE_UNSPECIFIED)
CHANGE(d_mode_unknown, D, m->mode = (countersign_v1_Mode)3)
CHANGE(d_reject, D, m->verdict = countersign_v1_Verdict_VERDICT_REJECT;
       m->mode = countersign_v1_Mode_MODE_UNSPECIFIED)
CHANGE(d_manual_time, D, m->not_before_s = 1800000001)
CHANGE(d_scheduled, D, m->mode = countersign_v1_Mode_MODE_SCHEDULED; m->not_before_s = 1800000001)
CHANGE(d_scheduled_never, D, m->mode = countersign_v1_Mode_MODE_SCHEDULED)
CHANGE(d_scheduled_far, D, m->mode = countersign_v1_Mode_MODE_SCHEDULED; m->not_before_s = INT64_MAX)
CHANGE(d_decided_at, D, m->decided_at_s = 0)
CHANGE(d_earlier, D, m->earlier_count = 1)
CHANGE(d_comment, D, m->comment_digest.size = 0)

static void refuses_incomplete_decisions(void **state)
{
    (void)state;
    try_decision("a complete one", d_nothing, CS_OK);
    try_decision("no decider", d_decider, CS_EPARSE);
    try_decision("no request", d_request, CS_EPARSE);
    try_decision("no stage", d_stage, CS_EPARSE);
    try_decision("orders without one", d_no_order, CS_EPARSE);
    try_decision("some orders", d_orders, CS_OK);
    try_decision("no verdict", d_verdict, CS_EPARSE);
    try_decision("a verdict that is not known", d_verdict_unknown, CS_EPARSE);
    try_decision("a negative verdict", d_verdict_negative, CS_EPARSE);
    try_decision("no mode", d_mode, CS_EPARSE);
    try_decision("a mode that is not known", d_mode_unknown, CS_EPARSE);
    try_decision("a reject without mode", d_reject, CS_OK);
    try_decision("a time of its own without being scheduled", d_manual_time, CS_EPARSE);
    try_decision("scheduled", d_scheduled, CS_OK);
    try_decision("scheduled without a time", d_scheduled_never, CS_EPARSE);
    try_decision("scheduled beyond the year 9999", d_scheduled_far, CS_EPARSE);
    try_decision("no time", d_decided_at, CS_EPARSE);
    try_decision("an earlier digest that is empty", d_earlier, CS_EPARSE);
    try_decision("no comment digest", d_comment, CS_EPARSE);
}

#define C countersign_v1_OrderCore
CHANGE(c_nothing, C, (void)m)
CHANGE(c_device, C, m->device_name[0] = '-')
CHANGE(c_connector, C, memcpy(m->connector, "../x", 5))
CHANGE(c_generation, C, m->generation = 0)
CHANGE(c_action, C, m->action = (countersign_v1_Action)4)
CHANGE(c_expects, C, m->expects.size = 31)
CHANGE(c_chain, C, m->chain_digest.size = 0)
CHANGE(c_key_mode, C, m->key_mode = countersign_v1_KeyMode_KEY_MODE_UNSPECIFIED)
CHANGE(c_no_key, C, m->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE)
CHANGE(c_target, C, m->target_generation = 1)
static void make_removal(C *m)
{
    m->action = countersign_v1_Action_ACTION_REMOVE;
    m->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    m->chain_digest.size = m->leaf_spki_digest.size = 0;
    m->expects.size = 32;
}
static void make_roll_back(C *m)
{
    m->action = countersign_v1_Action_ACTION_ROLL_BACK;
    m->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    m->expects.size = 32;
    m->generation = 3;
    m->target_generation = 1;
}
CHANGE(c_remove_any, C, make_removal(m); m->expects.size = 0)
CHANGE(c_remove_key, C, make_removal(m); m->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED)
CHANGE(c_remove_chain, C, make_removal(m); m->chain_digest.size = 32)
CHANGE(c_roll_back_nowhere, C, make_roll_back(m); m->target_generation = 0)
CHANGE(c_roll_forward, C, make_roll_back(m); m->target_generation = 3)
CHANGE(c_roll_back_any, C, make_roll_back(m); m->expects.size = 0)
CHANGE(c_roll_back_key, C, make_roll_back(m); m->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD)
CHANGE(c_roll_back_chain, C, make_roll_back(m); m->chain_digest.size = 0)
CHANGE(c_roll_back_leaf, C, make_roll_back(m); m->leaf_spki_digest.size = 0)
CHANGE(c_remove_leaf, C, make_removal(m); m->leaf_spki_digest.size = 32)
CHANGE(c_remove_target, C, make_removal(m); m->target_generation = 1)

static void refuses_incomplete_order_cores(void **state)
{
    (void)state;
    try_core("a complete one", c_nothing, CS_OK);
    try_core("a device that is no name", c_device, CS_EPARSE);
    try_core("a connector that is a path", c_connector, CS_EPARSE);
    try_core("no generation", c_generation, CS_EPARSE);
    try_core("an action that is not known", c_action, CS_EPARSE);
    try_core("expects of 31 bytes", c_expects, CS_EPARSE);
    try_core("an install without chain", c_chain, CS_EPARSE);
    try_core("no key mode", c_key_mode, CS_EPARSE);
    try_core("an install without key", c_no_key, CS_EPARSE);
    try_core("an install with a target", c_target, CS_EPARSE);
    try_core("a removal", make_removal, CS_OK);
    try_core("a removal of anything", c_remove_any, CS_EPARSE);
    try_core("a removal with a key", c_remove_key, CS_EPARSE);
    try_core("a removal with a chain", c_remove_chain, CS_EPARSE);
    try_core("a roll back", make_roll_back, CS_OK);
    try_core("a roll back to nowhere", c_roll_back_nowhere, CS_EPARSE);
    try_core("a roll back forwards", c_roll_forward, CS_EPARSE);
    try_core("a roll back whatever is there", c_roll_back_any, CS_EPARSE);
    try_core("a roll back with a key", c_roll_back_key, CS_EPARSE);
    try_core("a roll back to whatever chain", c_roll_back_chain, CS_EPARSE);
    try_core("a roll back to whatever key", c_roll_back_leaf, CS_EPARSE);
    try_core("a removal with a leaf", c_remove_leaf, CS_EPARSE);
    try_core("a removal with a target", c_remove_target, CS_EPARSE);
}

CHANGE(a_identity, countersign_v1_Admission, m->identity_spki.bytes[3] ^= 1)
CHANGE(a_kem, countersign_v1_Admission, m->kem_spki.size = 65)
CHANGE(a_device_id, countersign_v1_Admission, m->device_id.size = 8)
CHANGE(k_expiry, countersign_v1_KeyRequest, m->expires_at_s = m->requested_at_s)
CHANGE(k_name, countersign_v1_KeyRequest, m->common_name[0] = '\0')
CHANGE(k_text, countersign_v1_KeyRequest, m->common_name[0] = '\r')
CHANGE(k_dns, countersign_v1_KeyRequest, m->dns_names_count = 2)
CHANGE(v_sequence, countersign_v1_DeviceAdvertisement, m->sequence = 0)
CHANGE(v_clockless, countersign_v1_DeviceAdvertisement, m->made_at_s = 0)
CHANGE(v_twice, countersign_v1_DeviceAdvertisement, m->connectors_count = 2;
       m->connectors[1] = m->connectors[0])
CHANGE(v_digest, countersign_v1_DeviceAdvertisement, m->connectors[0].installed_digest.size = 1)
CHANGE(v_remark, countersign_v1_DeviceAdvertisement, memcpy(m->connectors[0].remark, "gone", 5))
CHANGE(v_remark_control, countersign_v1_DeviceAdvertisement, memcpy(m->connectors[0].remark, "\033[2J", 5))
CHANGE(v_nothing_declared, countersign_v1_DeviceAdvertisement, m->connectors_count = 0)
CHANGE(s_empty, countersign_v1_DeviceCsr, m->csr.size = 0)
CHANGE(s_refused, countersign_v1_DeviceCsr, m->csr.size = 0; memcpy(m->verdict, "no", 3))
CHANGE(s_both, countersign_v1_DeviceCsr, memcpy(m->verdict, "no", 3))
CHANGE(s_digest, countersign_v1_DeviceCsr, m->key_request_digest.size = 16)
CHANGE(p_outcome, countersign_v1_DeviceReport, m->outcome = (countersign_v1_Outcome)6)
CHANGE(p_verdict, countersign_v1_DeviceReport, m->verdict[0] = '\0')
CHANGE(p_detail, countersign_v1_DeviceReport, m->detail[0] = '\x1b')
CHANGE(p_order, countersign_v1_DeviceReport, m->order_id.size = 0)
CHANGE(p_refused_unread, countersign_v1_DeviceReport, m->outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
       m->order_id.size = 0; m->connector[0] = '\0'; m->generation = 0; m->request_digest.size = 0)
CHANGE(b_count, countersign_v1_PushBatch, m->count = 0)
CHANGE(b_many, countersign_v1_PushBatch, m->count = 16385)
CHANGE(n_spki, countersign_v1_DeviceRenewal, m->identity_spki.bytes[0] ^= 1)
CHANGE(n_sequence, countersign_v1_DeviceRenewal, m->sequence = 0)
CHANGE(c_revision, countersign_v1_AuditCheckpoint, m->revision = 0)
CHANGE(c_hash, countersign_v1_AuditCheckpoint, m->hash.size = 16)
CHANGE(c_time, countersign_v1_AuditCheckpoint, m->made_at_s = 0)
CHANGE(o_challenge, countersign_v1_SessionOpening, m->challenge.size = 31)
CHANGE(o_nobody, countersign_v1_SessionOpening, m->operator[0] = '\0')
CHANGE(o_time, countersign_v1_SessionOpening, m->made_at_s = 0)
CHANGE(o_version, countersign_v1_SessionOpening, m->policy_version = 0)
CHANGE(o_server, countersign_v1_SessionOpening, m->server_spki_digest.size = 32)
CHANGE(o_half_a_server, countersign_v1_SessionOpening, m->server_spki_digest.size = 16)

CHANGE(n_past, countersign_v1_DeviceRenewal, m->made_at_s = -1)
CHANGE(n_future, countersign_v1_DeviceRenewal, m->made_at_s = INT64_C(253402300800))

static void refuses_incomplete_statements_of_the_other_kinds(void **state)
{
    (void)state;
    try_admission("an identity that is no P-256 key", a_identity, CS_EPARSE);
    try_admission("a KEM key that is a bare point", a_kem, CS_EPARSE);
    try_admission("a device id of 8 bytes", a_device_id, CS_EPARSE);
    try_key_request("expired when made", k_expiry, CS_EPARSE);
    try_key_request("no common name", k_name, CS_EPARSE);
    try_key_request("a control character", k_text, CS_EPARSE);
    try_key_request("an empty DNS name", k_dns, CS_EPARSE);
    try_advertisement("no sequence", v_sequence, CS_EPARSE);
    try_advertisement("a device without a clock", v_clockless, CS_OK);
    try_advertisement("a connector twice", v_twice, CS_EPARSE);
    try_advertisement("a digest of one byte", v_digest, CS_EPARSE);
    try_advertisement("a remark", v_remark, CS_OK);
    try_advertisement("a remark with a control character", v_remark_control, CS_EPARSE);
    try_advertisement("no connector", v_nothing_declared, CS_OK);
    try_csr("no CSR", s_empty, CS_EPARSE);
    try_csr("a digest of 16 bytes", s_digest, CS_EPARSE);
    try_csr("a refusal without a CSR", s_refused, CS_OK);
    try_csr("a refusal with a CSR", s_both, CS_EPARSE);
    try_renewal("a fresh key that is no P-256 key", n_spki, CS_EPARSE);
    try_renewal("no sequence", n_sequence, CS_EPARSE);
    try_checkpoint("no revision", c_revision, CS_EPARSE);
    try_checkpoint("a hash of 16 bytes", c_hash, CS_EPARSE);
    try_checkpoint("no time", c_time, CS_EPARSE);
    try_report("an outcome that is not known", p_outcome, CS_EPARSE);
    try_report("no verdict", p_verdict, CS_EPARSE);
    try_report("an escape sequence", p_detail, CS_EPARSE);
    try_report("completed, and no order", p_order, CS_EPARSE);
    try_report("refused before it could be read", p_refused_unread, CS_OK);
    try_renewal("before 1970", n_past, CS_EPARSE);
    try_renewal("after the year 9999", n_future, CS_EPARSE);
    try_opening("a challenge of 31 bytes", o_challenge, CS_EPARSE);
    try_opening("nobody", o_nobody, CS_EPARSE);
    try_opening("no time", o_time, CS_EPARSE);
    try_opening("no policy version", o_version, CS_EPARSE);
    try_opening("a server's key", o_server, CS_OK);
    try_opening("a digest of 16 bytes", o_half_a_server, CS_EPARSE);
    try_batch("no message", b_count, CS_EPARSE);
    try_batch("16385 messages", b_many, CS_EPARSE);
}

static void decodes_a_push_message(void **state)
{
    countersign_v1_PushMessage *message cs_auto_free = NULL, *again cs_auto_free = NULL;
    struct push_story story;
    struct cs_buf wire;
    struct cs_err err;

    (void)state;
    story_begin(&story, d, 3);
    story_decide(&story, "bob", 1);
    wire = story_push_message(&story, 1, CS_SLICE_LIT("chain"));
    check_ok(cs_push_message_decode(cs_buf_slice(&wire), &message, &err), err);
    check_slice(CS_PB_BYTES(&message->request), cs_buf_slice(&story.request_wire));
    check_slice(CS_PB_BYTES(&message->order_core), cs_buf_slice(&story.core_wires[1]));
    cs_buf_free(&wire);

    message->has_sealed_key = true;
    wire = deployment_encode(countersign_v1_PushMessage_fields, message);
    check_code(cs_push_message_decode(cs_buf_slice(&wire), &again, &err), CS_EPARSE);
    check_says(err, "sealed_key.enc");
    cs_buf_free(&wire);
    story_free(&story);
}

static void passes_over_unknown_fields_where_nothing_is_signed(void **state)
{
    countersign_v1_PushBatch *batch cs_auto_free = calloc(1, sizeof *batch);
    struct cs_buf payload = example_payload(CS_STATEMENT_PUSH_BATCH);
    struct cs_err err;

    (void)state;
    assert_non_null(batch);
    assert_int_equal(cs_buf_append(&payload, CS_SLICE_LIT("\xfa\x07\x00")), CS_OK);
    check_ok(
        cs_message_decode(countersign_v1_PushBatch_fields, cs_buf_slice(&payload), batch, "a batch", &err),
        err);
    assert_int_equal(batch->count, 1);
    cs_buf_free(&payload);
}

static void appends_what_it_encodes_and_keeps_to_the_limit(void **state)
{
    struct cs_buf out = {.limit_bytes = 40};
    countersign_v1_Signature signature = {.key_id = {.size = 32}};
    struct cs_err err;

    (void)state;
    assert_int_equal(cs_buf_append_str(&out, "before"), CS_OK);
    check_ok(cs_message_encode(countersign_v1_Signature_fields, &signature, &out, &err), err);
    assert_int_equal(out.len, 6 + 34);
    check_code(cs_message_encode(countersign_v1_Signature_fields, &signature, &out, &err), CS_ETOOBIG);
    assert_int_equal(out.len, 6 + 34);
    cs_buf_free(&out);
}

static void decode_short_of_memory(void *data)
{
    const struct cs_slice *payload = data;
    struct cs_err err;
    int rc = decode((enum cs_statement_kind)payload[1].len, payload[0], &err);

    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
}

static void says_when_memory_runs_out(void **state)
{
    (void)state;
    for (int kind = CS_STATEMENT_TRUST_POLICY; kind <= CS_STATEMENT_SESSION_OPENING; kind++) {
        struct cs_buf bytes = example_payload((enum cs_statement_kind)kind);
        struct cs_slice payload_and_kind[] = {cs_buf_slice(&bytes), {NULL, (size_t)kind}};

        assert_int_equal(alloc_fail_run(decode_short_of_memory, payload_and_kind), 1);
        cs_buf_free(&bytes);
    }
}

static void core_short_of_memory(void *data)
{
    countersign_v1_OrderCore *core cs_auto_free = NULL;
    countersign_v1_PushMessage *message cs_auto_free = NULL;
    const struct cs_slice *wires = data;
    struct cs_err err;
    int rc = cs_core_decode(wires[0], &core, &err);

    if (rc == CS_OK)
        rc = cs_push_message_decode(wires[1], &message, &err);
    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
}

static void says_so_of_what_is_not_signed_by_itself(void **state)
{
    struct push_story story;
    struct cs_buf message;
    struct cs_slice wires[2];

    (void)state;
    story_begin(&story, d, 1);
    message = story_push_message(&story, 0, CS_SLICE_LIT("chain"));
    wires[0] = cs_buf_slice(&story.core_wires[0]);
    wires[1] = cs_buf_slice(&message);
    assert_int_equal(alloc_fail_run(core_short_of_memory, wires), 2);
    cs_buf_free(&message);
    story_free(&story);
}

/* proto3: what has only defaults has no bytes. */
static void encodes_nothing_to_nothing(void **state)
{
    const countersign_v1_RootSet nothing = countersign_v1_RootSet_init_zero;
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(cs_message_encode(countersign_v1_RootSet_fields, &nothing, &out, &err), err);
    assert_int_equal(out.len, 0);
    cs_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_type_by_its_text),
        cmocka_unit_test(decodes_a_complete_statement_of_every_kind),
        cmocka_unit_test(refuses_what_is_appended_to_any_kind),
        cmocka_unit_test(refuses_every_shortened_statement),
        cmocka_unit_test(refuses_other_forms_of_the_same_meaning),
        cmocka_unit_test(refuses_incomplete_push_requests),
        cmocka_unit_test(refuses_incomplete_decisions),
        cmocka_unit_test(refuses_incomplete_order_cores),
        cmocka_unit_test(refuses_incomplete_statements_of_the_other_kinds),
        cmocka_unit_test(decodes_a_push_message),
        cmocka_unit_test(passes_over_unknown_fields_where_nothing_is_signed),
        cmocka_unit_test(appends_what_it_encodes_and_keeps_to_the_limit),
        cmocka_unit_test(says_when_memory_runs_out),
        cmocka_unit_test(says_so_of_what_is_not_signed_by_itself),
        cmocka_unit_test(encodes_nothing_to_nothing),
    };

    return cmocka_run_group_tests(tests, deployment_share, deployment_unshare);
}
