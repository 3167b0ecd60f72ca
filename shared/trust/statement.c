#include "shared/trust/statement.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"
#include "shared/trust/check.h"

#include <pb_decode.h>
#include <pb_encode.h>

#define TYPE(kind) "application/vnd.countersign." kind ".v1"

static const char *const types[] = {
    [CS_STATEMENT_TRUST_POLICY] = TYPE("trust-policy"),
    [CS_STATEMENT_ADMISSION] = TYPE("admission"),
    [CS_STATEMENT_PUSH_REQUEST] = TYPE("push-request"),
    [CS_STATEMENT_DECISION] = TYPE("decision"),
    [CS_STATEMENT_KEY_REQUEST] = TYPE("key-request"),
    [CS_STATEMENT_DEVICE_ADVERTISEMENT] = TYPE("device-advertisement"),
    [CS_STATEMENT_DEVICE_CSR] = TYPE("device-csr"),
    [CS_STATEMENT_DEVICE_REPORT] = TYPE("device-report"),
    [CS_STATEMENT_PUSH_BATCH] = TYPE("push-batch"),
    [CS_STATEMENT_DEVICE_RENEWAL] = TYPE("device-renewal"),
    [CS_STATEMENT_AUDIT_CHECKPOINT] = TYPE("audit-checkpoint"),
    [CS_STATEMENT_SESSION_OPENING] = TYPE("session-opening"),
};

const char *cs_statement_type(enum cs_statement_kind kind)
{
    cs_assert(kind > CS_STATEMENT_NONE && kind < CS_ARRAY_LEN(types));
    return types[kind];
}

enum cs_statement_kind cs_statement_kind_of(struct cs_slice payload_type)
{
    for (size_t kind = CS_STATEMENT_NONE + 1; kind < CS_ARRAY_LEN(types); kind++)
        if (cs_slice_eq_str(payload_type, types[kind]))
            return (enum cs_statement_kind)kind;
    return CS_STATEMENT_NONE;
}

int cs_message_encode(const pb_msgdesc_t *fields, const void *message, struct cs_buf *out, struct cs_err *err)
{
    pb_ostream_t stream;
    size_t size;
    int rc;

    if (!pb_get_encoded_size(&size, fields, message))
        return cs_err_set(err, CS_EINVAL, "encoding a message: a text in it is not UTF-8, or is too long");
    rc = cs_buf_reserve(out, size);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "encoding a message of %zu bytes: %s", size, cs_code_text(rc));
    if (size == 0)
        return CS_OK;
    stream = pb_ostream_from_buffer(out->ptr + out->len, size);
    if (!pb_encode(&stream, fields, message))
        return cs_err_set(err, CS_EINTERNAL, "encoding a message: %s", PB_GET_ERROR(&stream));
    out->len += stream.bytes_written;
    return CS_OK;
}

int cs_message_decode(const pb_msgdesc_t *fields, struct cs_slice bytes, void *message, const char *what,
                      struct cs_err *err)
{
    pb_istream_t stream = pb_istream_from_buffer(bytes.ptr, bytes.len);

    if (!pb_decode(&stream, fields, message))
        return cs_err_set(err, CS_EPARSE, "%s does not parse: %s", what, PB_GET_ERROR(&stream));
    return CS_OK;
}

/* An output stream that compares instead of writing, so that checking the form needs no memory. */
static bool compare_next(pb_ostream_t *stream, const pb_byte_t *bytes, size_t count)
{
    struct cs_reader *expected = stream->state;
    struct cs_slice next = cs_reader_take(expected, count);

    return cs_reader_ok(expected) && cs_slice_eq(next, cs_slice(bytes, count));
}

int cs_message_decode_strict(const pb_msgdesc_t *fields, struct cs_slice bytes, void *message,
                             const char *what, struct cs_err *err)
{
    struct cs_reader expected = cs_reader(bytes);
    pb_ostream_t again = {.callback = compare_next, .state = &expected, .max_size = SIZE_MAX};
    int rc = cs_message_decode(fields, bytes, message, what, err);

    if (rc != CS_OK)
        return rc;
    if (!pb_encode(&again, fields, message) || !cs_reader_done(&expected))
        return cs_err_set(err, CS_EPARSE,
                          "%s is not in canonical form: a field is unknown, repeated, out of order or padded",
                          what);
    return CS_OK;
}

static void check_admission(struct cs_check *check, const countersign_v1_Admission *admission)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&admission->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "policy_version", admission->policy_version);
    cs_check_name(check, "admin", admission->admin);
    cs_check_name(check, "device_name", admission->device_name);
    cs_check_size(check, "device_id", CS_PB_BYTES(&admission->device_id), CS_ID_BYTES);
    cs_check_spki(check, "identity_spki", CS_PB_BYTES(&admission->identity_spki));
    cs_check_spki(check, "kem_spki", CS_PB_BYTES(&admission->kem_spki));
    cs_check_time(check, "admitted_at_s", admission->admitted_at_s);
}

static void check_request(struct cs_check *check, const countersign_v1_PushRequest *request)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&request->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "policy_version", request->policy_version);
    cs_check_name(check, "requester", request->requester);
    cs_check_size(check, "request_id", CS_PB_BYTES(&request->request_id), CS_ID_BYTES);
    cs_check_positive(check, "number", request->number);
    cs_check_time(check, "requested_at_s", request->requested_at_s);
    cs_check_time(check, "decide_by_s", request->decide_by_s);
    cs_check_that(check, request->decide_by_s >= request->requested_at_s,
                  "decide_by_s is before requested_at_s");
    cs_check_that(check, request->window_s > 0 && request->window_s <= CS_PERIOD_LONGEST_S,
                  "window_s must be more than 0 and at most 3650 days");
    cs_check_positive(check, "max_attempts", request->max_attempts);
    for (pb_size_t i = 0; i < request->overrides_count; i++) {
        cs_check_enum(check, "overrides", request->overrides[i], _countersign_v1_Override_MAX);
        cs_check_that(check, i == 0 || request->overrides[i - 1] < request->overrides[i],
                      "overrides must be distinct and in rising order");
    }
    cs_check_size(check, "order_root", CS_PB_BYTES(&request->order_root), CS_SHA256_BYTES);
    cs_check_that(check, request->order_count >= 1 && request->order_count <= CS_LIMIT_ORDERS_PER_REQUEST,
                  "order_count must be 1 to 16384");
    cs_check_size(check, "comment_digest", CS_PB_BYTES(&request->comment_digest), CS_SHA256_BYTES);
}

static bool any_bit(struct cs_slice bitmap)
{
    for (size_t i = 0; i < bitmap.len; i++)
        if (bitmap.ptr[i] != 0)
            return true;
    return false;
}

static void check_decision(struct cs_check *check, const countersign_v1_Decision *decision)
{
    bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    bool scheduled = decision->mode == countersign_v1_Mode_MODE_SCHEDULED;

    cs_check_size(check, "deployment_id", CS_PB_BYTES(&decision->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "policy_version", decision->policy_version);
    cs_check_name(check, "decider", decision->decider);
    cs_check_size(check, "request_digest", CS_PB_BYTES(&decision->request_digest), CS_SHA256_BYTES);
    cs_check_positive(check, "stage", decision->stage);
    cs_check_that(check, decision->orders.size == 0 || any_bit(CS_PB_BYTES(&decision->orders)),
                  "orders names no order: leave it out to cover all");
    cs_check_enum(check, "verdict", decision->verdict, _countersign_v1_Verdict_MAX);
    if (accepts || decision->mode != countersign_v1_Mode_MODE_UNSPECIFIED)
        cs_check_enum(check, "mode", decision->mode, _countersign_v1_Mode_MAX);
    if (scheduled)
        cs_check_time(check, "not_before_s", decision->not_before_s);
    else
        cs_check_that(check, decision->not_before_s == 0, "not_before_s is only for MODE_SCHEDULED");
    cs_check_time(check, "decided_at_s", decision->decided_at_s);
    for (pb_size_t i = 0; i < decision->earlier_count; i++)
        cs_check_size(check, "earlier", CS_PB_BYTES(&decision->earlier[i]), CS_SHA256_BYTES);
    cs_check_size(check, "comment_digest", CS_PB_BYTES(&decision->comment_digest), CS_SHA256_BYTES);
}

static void check_core(struct cs_check *check, const countersign_v1_OrderCore *core)
{
    bool installs = core->action == countersign_v1_Action_ACTION_INSTALL;
    bool rolls_back = core->action == countersign_v1_Action_ACTION_ROLL_BACK;
    /* A roll back carries no chain, but people sign which one comes back. */
    size_t certificate_digest_bytes = installs || rolls_back ? CS_SHA256_BYTES : 0;

    cs_check_size(check, "order_id", CS_PB_BYTES(&core->order_id), CS_ID_BYTES);
    cs_check_positive(check, "number", core->number);
    cs_check_name(check, "device_name", core->device_name);
    cs_check_size(check, "device_id", CS_PB_BYTES(&core->device_id), CS_ID_BYTES);
    cs_check_name(check, "connector", core->connector);
    cs_check_enum(check, "action", core->action, _countersign_v1_Action_MAX);
    cs_check_positive(check, "generation", core->generation);
    cs_check_size_or_empty(check, "expects", CS_PB_BYTES(&core->expects), CS_SHA256_BYTES);
    cs_check_that(check, installs || core->expects.size > 0, "expects may be left out for an install only");
    cs_check_size(check, "chain_digest", CS_PB_BYTES(&core->chain_digest), certificate_digest_bytes);
    cs_check_size(check, "leaf_spki_digest", CS_PB_BYTES(&core->leaf_spki_digest), certificate_digest_bytes);
    cs_check_enum(check, "key_mode", core->key_mode, _countersign_v1_KeyMode_MAX);
    cs_check_that(check, installs == (core->key_mode != countersign_v1_KeyMode_KEY_MODE_NONE),
                  "key_mode must be KEY_MODE_NONE for remove and roll back, and for them only");
    if (rolls_back)
        cs_check_that(check, core->target_generation > 0 && core->target_generation < core->generation,
                      "target_generation must be an earlier generation");
    else
        cs_check_that(check, core->target_generation == 0, "target_generation is only for a roll back");
}

static void check_key_request(struct cs_check *check, const countersign_v1_KeyRequest *request)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&request->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "policy_version", request->policy_version);
    cs_check_name(check, "requester", request->requester);
    cs_check_size(check, "key_request_id", CS_PB_BYTES(&request->key_request_id), CS_ID_BYTES);
    cs_check_size(check, "device_id", CS_PB_BYTES(&request->device_id), CS_ID_BYTES);
    cs_check_name(check, "connector", request->connector);
    cs_check_text_filled(check, "common_name", request->common_name);
    for (pb_size_t i = 0; i < request->dns_names_count; i++)
        cs_check_text_filled(check, "dns_names", request->dns_names[i]);
    cs_check_time(check, "requested_at_s", request->requested_at_s);
    cs_check_time(check, "expires_at_s", request->expires_at_s);
    cs_check_that(check, request->expires_at_s > request->requested_at_s,
                  "expires_at_s is not after requested_at_s");
}

/* A device may not know the time yet. */
static void check_made_at(struct cs_check *check, int64_t made_at_s)
{
    cs_check_that(check, made_at_s >= 0 && made_at_s <= CS_TIME_LATEST_S, "made_at_s is not a time");
}

static void check_advertisement(struct cs_check *check, const countersign_v1_DeviceAdvertisement *message)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&message->deployment_id), CS_ID_BYTES);
    cs_check_size(check, "device_id", CS_PB_BYTES(&message->device_id), CS_ID_BYTES);
    cs_check_positive(check, "sequence", message->sequence);
    check_made_at(check, message->made_at_s);
    cs_check_text_filled(check, "agent_version", message->agent_version);
    cs_check_text_filled(check, "platform", message->platform);
    for (pb_size_t i = 0; i < message->connectors_count; i++) {
        const countersign_v1_AdvertisedConnector *connector = &message->connectors[i];

        cs_check_name(check, "connectors.name", connector->name);
        cs_check_name(check, "connectors.application", connector->application);
        cs_check_size_or_empty(check, "connectors.installed_digest",
                               CS_PB_BYTES(&connector->installed_digest), CS_SHA256_BYTES);
        cs_check_text(check, "connectors.remark", connector->remark);
        for (pb_size_t k = 0; k < i; k++)
            cs_check_that(check, strcmp(message->connectors[k].name, connector->name) != 0,
                          "two connectors have one name");
    }
    for (pb_size_t i = 0; i < message->payload_types_count; i++)
        cs_check_text_filled(check, "payload_types", message->payload_types[i]);
}

static void check_device_csr(struct cs_check *check, const countersign_v1_DeviceCsr *message)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&message->deployment_id), CS_ID_BYTES);
    cs_check_size(check, "device_id", CS_PB_BYTES(&message->device_id), CS_ID_BYTES);
    cs_check_positive(check, "sequence", message->sequence);
    check_made_at(check, message->made_at_s);
    cs_check_size(check, "key_request_digest", CS_PB_BYTES(&message->key_request_digest), CS_SHA256_BYTES);
    cs_check_name(check, "connector", message->connector);
    cs_check_name(check, "verdict", message->verdict);
    cs_check_text(check, "detail", message->detail);
    cs_check_that(check, (message->csr.size > 0) == (strcmp(message->verdict, "ok") == 0),
                  "csr is there when the verdict is \"ok\", and only then");
}

static void check_renewal(struct cs_check *check, const countersign_v1_DeviceRenewal *message)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&message->deployment_id), CS_ID_BYTES);
    cs_check_size(check, "device_id", CS_PB_BYTES(&message->device_id), CS_ID_BYTES);
    cs_check_positive(check, "sequence", message->sequence);
    check_made_at(check, message->made_at_s);
    cs_check_spki(check, "identity_spki", CS_PB_BYTES(&message->identity_spki));
}

static void check_report(struct cs_check *check, const countersign_v1_DeviceReport *report)
{
    bool refused = report->outcome == countersign_v1_Outcome_OUTCOME_REFUSED;

    cs_check_size(check, "deployment_id", CS_PB_BYTES(&report->deployment_id), CS_ID_BYTES);
    cs_check_size(check, "device_id", CS_PB_BYTES(&report->device_id), CS_ID_BYTES);
    cs_check_positive(check, "sequence", report->sequence);
    check_made_at(check, report->made_at_s);
    cs_check_enum(check, "outcome", report->outcome, _countersign_v1_Outcome_MAX);
    /* What a device refuses may be so malformed that it cannot tell the order. */
    if (refused) {
        cs_check_size_or_empty(check, "order_id", CS_PB_BYTES(&report->order_id), CS_ID_BYTES);
        cs_check_name_or_empty(check, "connector", report->connector);
    } else {
        cs_check_size(check, "order_id", CS_PB_BYTES(&report->order_id), CS_ID_BYTES);
        cs_check_name(check, "connector", report->connector);
        cs_check_positive(check, "generation", report->generation);
    }
    cs_check_name(check, "verdict", report->verdict);
    cs_check_text(check, "detail", report->detail);
    cs_check_size_or_empty(check, "installed_digest", CS_PB_BYTES(&report->installed_digest),
                           CS_SHA256_BYTES);
    cs_check_size_or_empty(check, "served_digest", CS_PB_BYTES(&report->served_digest), CS_SHA256_BYTES);
    cs_check_name_or_empty(check, "rule", report->rule);
    cs_check_size_or_empty(check, "request_digest", CS_PB_BYTES(&report->request_digest), CS_SHA256_BYTES);
    cs_check_name_or_empty(check, "requester", report->requester);
    for (pb_size_t i = 0; i < report->deciders_count; i++)
        cs_check_text_filled(check, "deciders", report->deciders[i]);
    for (pb_size_t i = 0; i < report->decision_digests_count; i++)
        cs_check_size(check, "decision_digests", CS_PB_BYTES(&report->decision_digests[i]), CS_SHA256_BYTES);
}

static void check_batch(struct cs_check *check, const countersign_v1_PushBatch *batch)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&batch->deployment_id), CS_ID_BYTES);
    cs_check_size(check, "root", CS_PB_BYTES(&batch->root), CS_SHA256_BYTES);
    cs_check_that(check, batch->count >= 1 && batch->count <= CS_LIMIT_ORDERS_PER_REQUEST,
                  "count must be 1 to 16384");
    cs_check_time(check, "issued_at_s", batch->issued_at_s);
}

static void check_checkpoint(struct cs_check *check, const countersign_v1_AuditCheckpoint *checkpoint)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&checkpoint->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "revision", checkpoint->revision);
    cs_check_size(check, "hash", CS_PB_BYTES(&checkpoint->hash), CS_SHA256_BYTES);
    cs_check_time(check, "made_at_s", checkpoint->made_at_s);
}

static void check_opening(struct cs_check *check, const countersign_v1_SessionOpening *opening)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&opening->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "policy_version", opening->policy_version);
    cs_check_name(check, "operator", opening->operator);
    cs_check_size(check, "challenge", CS_PB_BYTES(&opening->challenge), CS_SHA256_BYTES);
    cs_check_time(check, "made_at_s", opening->made_at_s);
    cs_check_size_or_empty(check, "server_spki_digest", CS_PB_BYTES(&opening->server_spki_digest),
                           CS_SHA256_BYTES);
}

static void check_push_message(struct cs_check *check, const countersign_v1_PushMessage *message)
{
    cs_check_filled(check, "order_core", CS_PB_BYTES(&message->order_core));
    for (pb_size_t i = 0; i < message->order_proof_count; i++)
        cs_check_size(check, "order_proof", CS_PB_BYTES(&message->order_proof[i]), CS_SHA256_BYTES);
    cs_check_filled(check, "request", CS_PB_BYTES(&message->request));
    for (pb_size_t i = 0; i < message->decisions_count; i++)
        cs_check_filled(check, "decisions", CS_PB_BYTES(&message->decisions[i]));
    if (message->has_sealed_key) {
        cs_check_size(check, "sealed_key.enc", CS_PB_BYTES(&message->sealed_key.enc), CS_POINT_BYTES);
        cs_check_that(check, message->sealed_key.ciphertext.size > CS_AEAD_TAG_BYTES,
                      "sealed_key.ciphertext is too short");
    }
}

/* Defines `function`: a strict decoder of `type` whose completeness `checks` looks at. */
#define DECODER(function, type, name, checks)                                                                \
    int function(struct cs_slice bytes, type **ret, struct cs_err *err)                                      \
    {                                                                                                        \
        type *message cs_auto_free = calloc(1, sizeof *message);                                             \
        struct cs_check check = {.what = (name), .err = err};                                                \
                                                                                                             \
        if (!message)                                                                                        \
            return cs_err_nomem(err);                                                                        \
        check.code = cs_message_decode_strict(type##_fields, bytes, message, (name), err);                   \
        if (check.code == CS_OK)                                                                             \
            checks(&check, message);                                                                         \
        if (check.code == CS_OK)                                                                             \
            *ret = cs_steal(message);                                                                        \
        return check.code;                                                                                   \
    }

DECODER(cs_admission_decode, countersign_v1_Admission, "the admission", check_admission)
DECODER(cs_request_decode, countersign_v1_PushRequest, "the push request", check_request)
DECODER(cs_decision_decode, countersign_v1_Decision, "the decision", check_decision)
DECODER(cs_core_decode, countersign_v1_OrderCore, "the order core", check_core)
DECODER(cs_key_request_decode, countersign_v1_KeyRequest, "the key request", check_key_request)
DECODER(cs_advertisement_decode, countersign_v1_DeviceAdvertisement, "the device advertisement",
        check_advertisement)
DECODER(cs_device_csr_decode, countersign_v1_DeviceCsr, "the device's CSR", check_device_csr)
DECODER(cs_report_decode, countersign_v1_DeviceReport, "the device report", check_report)
DECODER(cs_renewal_decode, countersign_v1_DeviceRenewal, "the device renewal", check_renewal)
DECODER(cs_checkpoint_decode, countersign_v1_AuditCheckpoint, "the audit checkpoint", check_checkpoint)
DECODER(cs_opening_decode, countersign_v1_SessionOpening, "the session opening", check_opening)
DECODER(cs_batch_decode, countersign_v1_PushBatch, "the push batch", check_batch)
DECODER(cs_push_message_decode, countersign_v1_PushMessage, "the push message", check_push_message)

struct cs_csr_subject cs_key_request_subject(const countersign_v1_KeyRequest *request)
{
    struct cs_csr_subject subject = {.common_name = request->common_name};

    while (subject.dns_count < request->dns_names_count) {
        subject.dns_names[subject.dns_count] = request->dns_names[subject.dns_count];
        subject.dns_count++;
    }
    return subject;
}
