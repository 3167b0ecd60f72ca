#include "tests/support/control.h"

#include "controller/core/evaluate.h"
#include "shared/trust/merkle.h"

#include <stdio.h>

/* A test that cannot go on says where. */
static void must(struct control *c, int rc, const char *doing)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "%s: %s\n", doing, c->err.msg);
    cs_assert_failed("the test's own step failed", __FILE__, __LINE__);
}

static void next_random(void *data, void *out, size_t len)
{
    struct control *c = data;
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++) {
        c->random = c->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(c->random >> 56);
    }
}

void control_start(struct control *ret)
{
    *ret = (struct control){0};
    ret->settings = ctl_settings_default;
    deployment_make(&ret->d);
    pki_set_now(ret->d.now_s);
    ret->random = 1;
    ret->ca = pki_make_ca("Test CA");
    control_policy(ret);
}

void control_stop(struct control *c)
{
    for (size_t i = 0; i < CONTROL_CERTIFICATES; i++)
        pki_free(&c->certificates[i].pki);
    pki_free(&c->ca);
    memview_free(&c->store);
    free(c->outcome.effects);
    deployment_free(&c->d);
}

static struct ctl_view *open_view(struct control *c)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;

    must(c, ctl_view_new(&source, &view, &c->err), "opening a view");
    return view;
}

static struct ctl_context context_of(struct control *c)
{
    return (struct ctl_context){c->d.policy, c->d.now_s, next_random, c, &c->settings};
}

static void commit(struct control *c, struct ctl_view *view)
{
    if (c->on_commit)
        c->on_commit(c->on_commit_data, view);
    memview_commit(&c->store, view);
    ctl_view_free(view);
}

int control_run(struct control *c, enum ctl_command_kind kind, const void *body, void *reply)
{
    static const struct ctl_actor actor = {.name = "tester", .peer = "unix:uid=1000,pid=1", .uid = 1000};
    struct ctl_context context = context_of(c);
    struct ctl_view *view = open_view(c);
    int rc;

    c->outcome.reply = reply;
    c->outcome.effect_count = 0;
    c->outcome.changed = false;
    c->err = (struct cs_err){0};
    ctl_view_mark(view);
    rc = ctl_core_run(view, &context, kind, body, &actor, &c->outcome, &c->err);
    if (rc != CS_OK)
        ctl_view_rewind(view);
    cs_assert(rc == CS_OK || c->err.msg[0]);
    commit(c, view);
    if (!c->unchecked)
        control_check(c);
    return rc;
}

void control_restart(struct control *c)
{
    struct ctl_context context = context_of(c);
    struct ctl_view *view = open_view(c);

    c->outcome.effect_count = 0;
    must(c, ctl_core_start(view, &context, &c->outcome, &c->err), "starting");
    commit(c, view);
}

bool control_get(struct control *c, const struct ctl_key *key, const pb_msgdesc_t *fields, void *row)
{
    struct ctl_view *view = open_view(c);
    int rc = ctl_record_get(view, key, fields, row, &c->err);

    ctl_view_free(view);
    cs_assert(rc == CS_OK || rc == CS_ENOTFOUND);
    return rc == CS_OK;
}

void control_put(struct control *c, const struct ctl_key *key, const pb_msgdesc_t *fields, const void *row)
{
    struct ctl_view *view = open_view(c);

    must(c, ctl_record_put(view, key, fields, row, &c->err), "writing a row");
    commit(c, view);
}

ctl_order_row control_order(struct control *c, uint64_t number)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
    ctl_order_row row;

    cs_assert(control_get(c, &key, countersign_store_v1_Order_fields, &row));
    return row;
}

ctl_request_row control_request(struct control *c, uint64_t number)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, number);
    ctl_request_row row;

    cs_assert(control_get(c, &key, countersign_store_v1_Request_fields, &row));
    return row;
}

ctl_meta_row control_meta(struct control *c)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    ctl_meta_row row = countersign_store_v1_Meta_init_zero;

    (void)control_get(c, &key, countersign_store_v1_Meta_fields, &row);
    return row;
}

static bool has_effect(const struct control *c, enum ctl_effect_kind kind, uint64_t order)
{
    for (size_t i = 0; i < c->outcome.effect_count; i++)
        if (c->outcome.effects[i].kind == kind && c->outcome.effects[i].order_number == order)
            return true;
    return false;
}

bool control_delivered(const struct control *c, uint64_t order)
{
    return has_effect(c, CTL_EFFECT_DELIVER, order);
}

bool control_cancel_sent(const struct control *c, uint64_t order)
{
    return has_effect(c, CTL_EFFECT_CANCEL, order);
}

/* ---- people */

void control_policy(struct control *c)
{
    struct ctl_publish_policy body = {cs_policy_wire(c->d.policy), c->d.policy};
    countersign_v1_PublishPolicyResponse reply = countersign_v1_PublishPolicyResponse_init_zero;

    must(c, control_run(c, CTL_PUBLISH_POLICY, &body, &reply), "publishing a policy");
}

static struct pki *certificate_of(struct control *c, const char *name)
{
    for (size_t i = 0; i < CONTROL_CERTIFICATES; i++) {
        if (!c->certificates[i].pki.chain) {
            (void)snprintf(c->certificates[i].name, sizeof c->certificates[i].name, "%s", name);
            c->certificates[i].pki =
                pki_issue(&c->ca, (struct cs_issue){.common_name = name,
                                                    .client_auth = true,
                                                    .not_before_s = c->d.now_s - 86400,
                                                    .not_after_s = c->d.now_s + 365 * 86400});
        }
        if (strcmp(c->certificates[i].name, name) == 0)
            return &c->certificates[i].pki;
    }
    cs_assert_failed("too many certificates", __FILE__, __LINE__);
}

struct cs_digest control_certificate_id(struct control *c, const char *name)
{
    struct cs_cert_info info;

    cs_chain_info(certificate_of(c, name)->chain, 0, &info);
    return info.digest;
}

struct cs_digest control_chain_digest(struct control *c, const char *name)
{
    return cs_chain_digest(certificate_of(c, name)->chain);
}

void control_certificate(struct control *c, const char *name)
{
    struct pki *pki = certificate_of(c, name);
    struct cs_cert_info info;
    struct ctl_import_certificate body = {cs_chain_bytes(pki->chain), &info,
                                          (uint32_t)cs_chain_count(pki->chain), CS_SLICE_LIT("sealed")};
    countersign_v1_ImportCertificateResponse reply = countersign_v1_ImportCertificateResponse_init_zero;

    cs_chain_info(pki->chain, 0, &info);
    must(c, control_run(c, CTL_IMPORT_CERTIFICATE, &body, &reply), "importing a certificate");
}

void control_revoke(struct control *c, const char *name)
{
    struct cs_digest id = control_certificate_id(c, name);
    countersign_v1_RevokeCertificateRequest body = countersign_v1_RevokeCertificateRequest_init_zero;
    countersign_v1_RevokeCertificateResponse reply = countersign_v1_RevokeCertificateResponse_init_zero;

    CTL_BYTES_SET(body.certificate_id, cs_digest_slice(&id));
    body.reason = countersign_v1_RevocationReason_REVOCATION_REASON_KEY_COMPROMISE;
    must(c, control_run(c, CTL_REVOKE_CERTIFICATE, &body, &reply), "revoking");
}

int control_attach_at(struct control *c, const char *certificate, const char *device, const char *connector)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    countersign_v1_AttachRequest body = countersign_v1_AttachRequest_init_zero;
    countersign_v1_AttachResponse reply = countersign_v1_AttachResponse_init_zero;

    CTL_BYTES_SET(body.certificate_id, cs_digest_slice(&id));
    CTL_TEXT_SET(body.device_name, device);
    CTL_TEXT_SET(body.connector, connector);
    return control_run(c, CTL_ATTACH, &body, &reply);
}

int control_attach(struct control *c, const char *certificate, const char *device)
{
    return control_attach_at(c, certificate, device, "web");
}

int control_detach(struct control *c, const char *certificate, const char *device)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    countersign_v1_DetachRequest body = countersign_v1_DetachRequest_init_zero;
    countersign_v1_DetachResponse reply = countersign_v1_DetachResponse_init_zero;

    CTL_BYTES_SET(body.certificate_id, cs_digest_slice(&id));
    CTL_TEXT_SET(body.device_name, device);
    CTL_TEXT_SET(body.connector, "web");
    return control_run(c, CTL_DETACH, &body, &reply);
}

static pb_size_t fill_overrides(const struct control *c, countersign_v1_Override ret[2])
{
    pb_size_t count = 0;

    if (c->even_expired)
        ret[count++] = countersign_v1_Override_OVERRIDE_EXPIRED;
    if (c->even_revoked)
        ret[count++] = countersign_v1_Override_OVERRIDE_REVOKED;
    return count;
}

int control_prepare(struct control *c, const char *certificate, const char *device, uint64_t *ret_number)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    cs_auto_free countersign_v1_PreparePushRequest *body = calloc(1, sizeof *body);
    countersign_v1_PreparePushResponse reply = countersign_v1_PreparePushResponse_init_zero;
    int rc;

    cs_assert(body);
    CTL_BYTES_SET(body->certificate_id, cs_digest_slice(&id));
    body->action = c->action;
    body->overrides_count = fill_overrides(c, body->overrides);
    if (device) {
        body->targets_count = 1;
        CTL_TEXT_SET(body->targets[0].device_name, device);
        CTL_TEXT_SET(body->targets[0].connector, "web");
    }
    rc = control_run(c, CTL_PREPARE_PUSH, body, &reply);
    if (rc == CS_OK)
        *ret_number = reply.number;
    return rc;
}

static struct cs_digest payload_digest(const struct cs_buf *wire)
{
    struct cs_envelope envelope;
    struct cs_err err;

    cs_assert(cs_envelope_parse(cs_buf_slice(wire), &envelope, &err) == CS_OK);
    return cs_sha256(envelope.payload);
}

int control_submit(struct control *c, uint64_t number)
{
    static const char comment[] = "new certificate";
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, number);
    countersign_v1_PushRequest request;
    countersign_v1_SubmitPushResponse reply = countersign_v1_SubmitPushResponse_init_zero;
    ctl_reservation_row reserved;
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    cs_auto(cs_push_freep) struct cs_push *push = NULL;
    struct ctl_submit_push body;
    enum cs_push_reason reason;
    struct cs_digest digest = cs_sha256(CS_SLICE_LIT("new certificate"));

    deployment_fill_request(&c->d, &request);
    request.number = number;
    request.overrides_count = fill_overrides(c, request.overrides);
    if (c->max_attempts)
        request.max_attempts = c->max_attempts;
    if (c->decide_within_s)
        request.decide_by_s = c->d.now_s + c->decide_within_s;
    if (control_get(c, &key, countersign_store_v1_Reservation_fields, &reserved)) {
        CTL_BYTES_COPY(request.request_id, reserved.request_id);
        CTL_BYTES_COPY(request.order_root, reserved.order_root);
        request.order_count = reserved.order_count;
    }
    CTL_BYTES_SET(request.comment_digest, cs_digest_slice(&digest));
    wire = deployment_sign(&c->d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields, &request,
                           request.requester);
    body = (struct ctl_submit_push){
        cs_buf_slice(&wire), &request, payload_digest(&wire), comment, cs_policy_version(c->d.policy), NULL};
    if (c->fast) {
        must(c, cs_push_open(c->d.policy, body.envelope, c->d.now_s, &push, &reason, &c->err), "evaluating");
        body.push = push;
    }
    return control_run(c, CTL_SUBMIT_PUSH, &body, &reply);
}

uint64_t control_push(struct control *c, const char *certificate)
{
    uint64_t number = 0;

    must(c, control_prepare(c, certificate, NULL, &number), "preparing a push");
    must(c, control_submit(c, number), "submitting a push");
    return number;
}

/* What the shard does: the stored request and decisions, and this one. */
static int evaluate(struct control *c, uint64_t number, struct cs_slice wire, struct ctl_evaluation *ret)
{
    struct ctl_view *view = open_view(c);
    int rc = ctl_evaluation_load(view, c->d.policy, number, c->d.now_s, ret, &c->err);

    if (rc == CS_OK)
        rc = ctl_evaluation_add(ret, wire, &c->err);
    ctl_view_free(view);
    return rc;
}

void control_fill_decision(struct control *c, uint64_t number, const char *who, uint32_t stage,
                           countersign_v1_Decision *ret)
{
    const ctl_request_row request = control_request(c, number);
    struct cs_digest request_digest, comment = cs_sha256(CS_SLICE_LIT("fine"));

    memcpy(request_digest.bytes, request.digest.bytes, sizeof request_digest.bytes);
    deployment_fill_decision(&c->d, who, stage, &request_digest, ret);
    CTL_BYTES_SET(ret->comment_digest, cs_digest_slice(&comment));
    for (uint32_t i = 0; i < request.decision_count && i < CS_ARRAY_LEN(ret->earlier);
         i++, ret->earlier_count++) {
        struct ctl_key key = ctl_key_numbers(CTL_TABLE_DECISION, number, i);
        ctl_decision_row stored;

        cs_assert(control_get(c, &key, countersign_store_v1_Decision_fields, &stored));
        CTL_BYTES_COPY(ret->earlier[i], stored.digest);
    }
}

int control_send_decision(struct control *c, uint64_t number, const countersign_v1_Decision *decision,
                          const char *key_of)
{
    countersign_v1_DecideResponse reply = countersign_v1_DecideResponse_init_zero;
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    struct ctl_evaluation evaluation = {0};
    struct ctl_decide body;
    int rc = CS_OK;

    wire = deployment_sign(&c->d, CS_STATEMENT_DECISION, countersign_v1_Decision_fields, decision, key_of);
    body = (struct ctl_decide){
        number, cs_buf_slice(&wire), decision, payload_digest(&wire), "fine", cs_policy_version(c->d.policy),
        NULL};
    if (c->fast) {
        rc = evaluate(c, number, body.envelope, &evaluation);
        body.push = evaluation.push;
    }
    if (rc == CS_OK)
        rc = control_run(c, CTL_DECIDE, &body, &reply);
    ctl_evaluation_free(&evaluation);
    return rc;
}

int control_decide_so(struct control *c, uint64_t number, const char *who, uint32_t stage,
                      countersign_v1_Verdict verdict, int64_t not_before_s)
{
    countersign_v1_Decision decision;

    control_fill_decision(c, number, who, stage, &decision);
    decision.verdict = verdict;
    if (not_before_s) {
        decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
        decision.not_before_s = not_before_s;
    }
    return control_send_decision(c, number, &decision, who);
}

int control_decide(struct control *c, uint64_t request, const char *who, uint32_t stage)
{
    return control_decide_so(c, request, who, stage, countersign_v1_Verdict_VERDICT_ACCEPT, 0);
}

void control_approve(struct control *c, uint64_t request)
{
    must(c, control_decide(c, request, "bob", 1), "approving");
    must(c, control_decide(c, request, "carol", 2), "implementing");
}

int control_cancel(struct control *c, uint64_t request)
{
    cs_auto_free countersign_v1_CancelRequestRequest *body = calloc(1, sizeof *body);
    countersign_v1_CancelRequestResponse reply = countersign_v1_CancelRequestResponse_init_zero;

    cs_assert(body);
    body->number = request;
    return control_run(c, CTL_CANCEL_REQUEST, body, &reply);
}

/* ---- devices */

/* Keys and ids follow from the device's name and which enrolment it is. */
static const char *keys_of(const char *name, const char *what, unsigned generation, char out[64])
{
    (void)snprintf(out, 64, "%s %s %u", name, what, generation);
    return out;
}

static void id_of(const char *name, unsigned generation, uint8_t ret[16])
{
    char text[64];

    deployment_make_id(keys_of(name, "id", generation, text), ret);
}

int control_token(struct control *c, const char *name, const char *token)
{
    uint8_t authentication[16];
    struct cs_digest digest;
    countersign_v1_CreateTokenRequest body = countersign_v1_CreateTokenRequest_init_zero;
    countersign_v1_CreateTokenResponse reply = countersign_v1_CreateTokenResponse_init_zero;

    deployment_make_id(token, authentication);
    digest = cs_sha256(CS_SLICE_ARRAY(authentication));
    CTL_TEXT_SET(body.device_name, name);
    CTL_BYTES_SET(body.authentication_digest, cs_digest_slice(&digest));
    body.expires_at_s = c->d.now_s + 3600;
    return control_run(c, CTL_CREATE_TOKEN, &body, &reply);
}

int control_enrol(struct control *c, const char *name, const char *token, unsigned generation)
{
    char text[64];
    struct cs_digest mac = cs_sha256(cs_slice_str(keys_of(name, "mac", generation, text)));
    countersign_v1_EnrolRequest request = countersign_v1_EnrolRequest_init_zero;
    countersign_v1_EnrolResponse reply = countersign_v1_EnrolResponse_init_zero;
    struct ctl_enrol body = {.request = &request, .certificate = CS_SLICE_LIT("certificate")};

    request.authentication.size = request.device_id.size = 16;
    deployment_make_id(token, request.authentication.bytes);
    id_of(name, generation, request.device_id.bytes);
    CTL_TEXT_SET(request.device_name, name);
    CTL_BYTES_SET(request.kem_spki,
                  cs_key_spki(deployment_key(&c->d, keys_of(name, "kem", generation, text))));
    CTL_BYTES_SET(request.binding_mac, cs_digest_slice(&mac));
    memcpy(body.identity_spki,
           cs_key_spki(deployment_key(&c->d, keys_of(name, "identity", generation, text))).ptr,
           sizeof body.identity_spki);
    return control_run(c, CTL_ENROL, &body, &reply);
}

int control_admit(struct control *c, const char *name, unsigned generation)
{
    char text[64];
    countersign_v1_Admission admission;
    countersign_v1_AdmitDeviceResponse reply = countersign_v1_AdmitDeviceResponse_init_zero;
    struct ctl_admit_device body = {CS_SLICE_LIT("admission"), &admission, cs_policy_version(c->d.policy)};

    deployment_fill_admission(&c->d, name, &admission);
    id_of(name, generation, admission.device_id.bytes);
    CTL_BYTES_SET(admission.identity_spki,
                  cs_key_spki(deployment_key(&c->d, keys_of(name, "identity", generation, text))));
    CTL_BYTES_SET(admission.kem_spki,
                  cs_key_spki(deployment_key(&c->d, keys_of(name, "kem", generation, text))));
    return control_run(c, CTL_ADMIT_DEVICE, &body, &reply);
}

void control_device(struct control *c, const char *name)
{
    char token[64];

    (void)snprintf(token, sizeof token, "token of %s", name);
    must(c, control_token(c, name, token), "making a token");
    must(c, control_enrol(c, name, token, 0), "enrolling");
    must(c, control_admit(c, name, 0), "admitting");
    must(c, control_advertise(c, name, NULL), "advertising");
}

ctl_device_row control_device_row(struct control *c, const char *name)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_NAME, name);
    ctl_name_row row;
    ctl_device_row device;

    cs_assert(control_get(c, &key, countersign_store_v1_DeviceName_fields, &row));
    key = ctl_key_bytes(CTL_TABLE_DEVICE,
                        row.device_id.size ? CTL_BYTES(row.device_id) : CTL_BYTES(row.pending_id));
    cs_assert(control_get(c, &key, countersign_store_v1_Device_fields, &device));
    return device;
}

int control_open(struct control *c, const char *name)
{
    ctl_device_row device = control_device_row(c, name);
    countersign_v1_Hello hello = countersign_v1_Hello_init_zero;
    struct ctl_session_opened body = {
        .device_name = name, .session_id = ++c->session, .hello = &hello, .address = "192.0.2.1:4000"};

    memcpy(body.device_id, device.device_id.bytes, sizeof body.device_id);
    body.identity_key = cs_sha256(CTL_BYTES(device.identity_spki));
    return control_run(c, CTL_SESSION_OPENED, &body, NULL);
}

int control_close(struct control *c, const char *name)
{
    ctl_device_row device = control_device_row(c, name);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_SESSION, CTL_BYTES(device.device_id));
    struct ctl_session_closed body;
    ctl_session_row session = countersign_store_v1_Session_init_zero;

    (void)control_get(c, &key, countersign_store_v1_Session_fields, &session);
    memcpy(body.device_id, device.device_id.bytes, sizeof body.device_id);
    body.session_id = session.session_id;
    return control_run(c, CTL_SESSION_CLOSED, &body, NULL);
}

/* The core does not look into envelopes of devices; that they differ is enough. One that is said again is
 * signed again, and differs, too. */
static int say(struct control *c, enum ctl_command_kind kind, const uint8_t device_id[16],
               const void *statement)
{
    char envelope[64];
    struct ctl_device_statement body = {.statement = statement, .session_id = c->session};

    (void)snprintf(envelope, sizeof envelope, "statement %llu behind revision %llu",
                   (unsigned long long)c->sequence, (unsigned long long)control_meta(c).revision);
    body.envelope = cs_slice_str(envelope);
    memcpy(body.device_id, device_id, sizeof body.device_id);
    return control_run(c, kind, &body, NULL);
}

int control_advertise(struct control *c, const char *name, const struct cs_digest *installed)
{
    ctl_device_row device = control_device_row(c, name);
    cs_auto_free countersign_v1_DeviceAdvertisement *statement = calloc(1, sizeof *statement);

    cs_assert(statement);
    deployment_fill_advertisement(&c->d, name, statement);
    CTL_BYTES_COPY(statement->device_id, device.device_id);
    statement->sequence = ++c->sequence;
    if (c->with_mail) {
        statement->connectors[statement->connectors_count] = statement->connectors[0];
        CTL_TEXT_SET(statement->connectors[statement->connectors_count].name, "mail");
        statement->connectors_count++;
    }
    if (installed)
        CTL_BYTES_SET(statement->connectors[0].installed_digest, cs_digest_slice(installed));
    if (c->remark)
        CTL_TEXT_SET(statement->connectors[0].remark, c->remark);
    return say(c, CTL_ADVERTISEMENT, device.device_id.bytes, statement);
}

int control_report(struct control *c, uint64_t number, countersign_v1_Outcome outcome)
{
    ctl_order_row order = control_order(c, number);
    ctl_request_row request = control_request(c, order.request_number);
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);

    cs_assert(report);
    deployment_fill_report(&c->d, order.device_name, report);
    CTL_BYTES_COPY(report->device_id, order.device_id);
    CTL_BYTES_COPY(report->order_id, order.order_id);
    report->sequence = ++c->sequence;
    CTL_TEXT_SET(report->connector, order.connector);
    report->generation = order.generation;
    report->outcome = outcome;
    report->attempt =
        order.phase == countersign_store_v1_Phase_PHASE_ACCEPTED ? order.attempts : order.attempts + 1;
    report->installed_digest.size = 0;
    if (outcome == countersign_v1_Outcome_OUTCOME_COMPLETED)
        CTL_BYTES_COPY(report->installed_digest, request.chain_digest);
    else
        report->detail[0] = '\0';
    if (outcome > countersign_v1_Outcome_OUTCOME_COMPLETED)
        CTL_TEXT_SET(report->verdict, "reload-failed");
    return say(c, CTL_REPORT, order.device_id.bytes, report);
}

int control_refuse_unread(struct control *c, uint64_t number, const char *verdict)
{
    ctl_order_row order = control_order(c, number);
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);

    cs_assert(report);
    CS_PB_SET(&report->deployment_id, CS_SLICE_ARRAY(c->d.id));
    CTL_BYTES_COPY(report->device_id, order.device_id);
    CTL_BYTES_COPY(report->order_id, order.order_id);
    report->sequence = ++c->sequence;
    report->outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
    CTL_TEXT_SET(report->verdict, verdict);
    return say(c, CTL_REPORT, order.device_id.bytes, report);
}

int control_tick(struct control *c)
{
    const struct ctl_tick body = {.most = 1024};

    return control_run(c, CTL_TICK, &body, NULL);
}

int64_t control_next_due(struct control *c)
{
    struct ctl_view *view = open_view(c);
    int64_t due_s;

    must(c, ctl_core_next_due(view, &due_s, &c->err), "looking at the due queue");
    ctl_view_free(view);
    return due_s;
}
