#include "controller/core/changes.h"
#include "controller/core/run.h"

#include "shared/base/utf8.h"
#include "shared/trust/audit.h"

#include <stdio.h>

static const struct {
    const char *name; /* in the audit record: the RPC's name where there is one */
    ctl_handler *run;
} commands[] = {
    [CTL_PUBLISH_POLICY] = {"PublishPolicy", ctl_publish_policy_run},
    [CTL_CREATE_TOKEN] = {"CreateToken", ctl_create_token_run},
    [CTL_ADMIT_DEVICE] = {"AdmitDevice", ctl_admit_device_run},
    [CTL_IMPORT_CERTIFICATE] = {"ImportCertificate", ctl_import_certificate_run},
    [CTL_ATTACH] = {"Attach", ctl_attach_run},
    [CTL_DETACH] = {"Detach", ctl_detach_run},
    [CTL_ATTACH_LIKE] = {"AttachLike", ctl_attach_like_run},
    [CTL_SET_CERTIFICATE_GROUPS] = {"SetCertificateGroups", ctl_set_certificate_groups_run},
    [CTL_PREPARE_PUSH] = {"PreparePush", ctl_prepare_push_run},
    [CTL_SUBMIT_PUSH] = {"SubmitPush", ctl_submit_push_run},
    [CTL_DECIDE] = {"Decide", ctl_decide_run},
    [CTL_CANCEL_REQUEST] = {"CancelRequest", ctl_cancel_request_run},
    [CTL_REQUEST_KEY] = {"RequestKey", ctl_request_key_run},
    [CTL_PUT_SEALED_KEYS] = {"PutSealedKeys", ctl_put_sealed_keys_run},
    [CTL_REVOKE_CERTIFICATE] = {"RevokeCertificate", ctl_revoke_certificate_run},
    [CTL_IMPORT_CRL] = {"ImportCrl", ctl_import_crl_run},
    [CTL_OPEN_SESSION] = {"OpenSession", ctl_open_session_run},
    [CTL_CLOSE_SESSION] = {"CloseSession", ctl_close_session_run},
    [CTL_CREATE_PAIRING] = {"CreatePairing", ctl_create_pairing_run},
    [CTL_PAIR] = {"Pair", ctl_pair_run},
    [CTL_ENROL] = {"Enrol", ctl_enrol_run},
    [CTL_SESSION_OPENED] = {"SessionOpened", ctl_session_opened_run},
    [CTL_SESSION_CLOSED] = {"SessionClosed", ctl_session_closed_run},
    [CTL_ADVERTISEMENT] = {"Advertisement", ctl_advertisement_run},
    [CTL_REPORT] = {"Report", ctl_report_run},
    [CTL_DEVICE_CSR] = {"DeviceCsr", ctl_device_csr_run},
    [CTL_TICK] = {"Tick", ctl_tick_run},
    [CTL_BAN_DEVICE] = {"BanDevice", ctl_ban_device_run},
    [CTL_SET_DEVICE_GROUPS] = {"SetDeviceGroups", ctl_set_device_groups_run},
    [CTL_RENEWAL] = {"Renewal", ctl_renewal_run},
    [CTL_RENEW] = {"Renew", ctl_renew_run},
    [CTL_QUARANTINE_DEVICE] = {"QuarantineDevice", ctl_quarantine_device_run},
};

/* ---- what every command shares */

void ctl_run_changed(struct ctl_run *run, const char *detail, const char *subject_format, ...)
{
    char subject[sizeof run->audit.subject];
    va_list args;

    va_start(args, subject_format);
    (void)vsnprintf(subject, sizeof subject, subject_format, args);
    va_end(args);
    CTL_TEXT_SET(run->audit.subject, subject);
    CTL_TEXT_SET(run->audit.detail, detail);
    run->changed = true;
}

void ctl_run_detail(struct ctl_run *run, const char *format, ...)
{
    char words[sizeof run->audit.detail];
    size_t used = strlen(run->audit.detail);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (used + 1 + strlen(words) >= sizeof run->audit.detail)
        return;
    if (used)
        run->audit.detail[used++] = ' ';
    memcpy(run->audit.detail + used, words, strlen(words) + 1);
}

int ctl_run_effect(struct ctl_run *run, const struct ctl_effect *effect)
{
    struct ctl_outcome *outcome = run->outcome;

    if (outcome->effect_count == outcome->effect_capacity) {
        size_t capacity = outcome->effect_capacity ? 2 * outcome->effect_capacity : 16;
        struct ctl_effect *grown = realloc(outcome->effects, capacity * sizeof *grown);

        if (!grown)
            return cs_err_nomem(run->err);
        outcome->effects = grown;
        outcome->effect_capacity = capacity;
    }
    outcome->effects[outcome->effect_count++] = *effect;
    return CS_OK;
}

int ctl_run_wake(struct ctl_run *run, uint64_t request_number)
{
    const struct ctl_outcome *outcome = run->outcome;
    const struct ctl_effect effect = {.kind = CTL_EFFECT_REQUEST, .request_number = request_number};

    if (outcome->effect_count) {
        const struct ctl_effect *last = &outcome->effects[outcome->effect_count - 1];

        if (last->kind == CTL_EFFECT_REQUEST && last->request_number == request_number)
            return CS_OK;
    }
    return ctl_run_effect(run, &effect);
}

int ctl_run_check_policy(struct ctl_run *run, uint32_t policy_version)
{
    if (!run->context->policy || run->meta.policy_version == 0)
        return cs_err_set(run->err, CS_ESTATE, "there is no trust policy yet: publish one first");
    if (policy_version != run->meta.policy_version ||
        cs_policy_version(run->context->policy) != run->meta.policy_version)
        return cs_err_set(run->err, CS_ESTALE,
                          "the statement was checked under trust policy %u and the newest is %u: try again",
                          (unsigned)policy_version, (unsigned)run->meta.policy_version);
    return CS_OK;
}

int ctl_run_check_comment(struct ctl_run *run, const char *comment, struct cs_slice digest)
{
    struct cs_digest actual = cs_sha256(cs_slice_str(comment));

    if (!cs_slice_eq(cs_digest_slice(&actual), digest))
        return cs_err_set(run->err, CS_EINVAL, "the comment is not the one that the statement signs");
    return CS_OK;
}

/* ---- the audit chain */

static int write_audit(struct ctl_run *run, const char *command)
{
    countersign_v1_AuditRecord *audit = &run->audit;
    struct cs_audit_end end = {.revision = run->meta.revision};
    struct ctl_key key;
    int rc;

    memcpy(end.hash.bytes, run->meta.audit_hash.bytes, run->meta.audit_hash.size);
    audit->time_s = run->now_s;
    CTL_TEXT_SET(audit->command, command);
    CTL_TEXT_SET(audit->actor, run->actor->name);
    CTL_TEXT_SET(audit->peer, run->actor->peer);
    audit->peer_uid = run->actor->uid;
    /* Others' words may be cut in the middle of a character, and have to stand in an export. */
    cs_utf8_repair(audit->actor);
    cs_utf8_repair(audit->peer);
    cs_utf8_repair(audit->subject);
    cs_utf8_repair(audit->detail);

    rc = cs_audit_append(&end, audit, run->err);
    if (rc != CS_OK)
        return rc;
    run->meta.revision = end.revision;
    CTL_BYTES_SET(run->meta.audit_hash, cs_digest_slice(&end.hash));
    key = ctl_key_number(CTL_TABLE_AUDIT, audit->revision);
    return ctl_record_put(run->view, &key, countersign_v1_AuditRecord_fields, audit, run->err);
}

static int load_meta(struct ctl_run *run)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    int rc = ctl_get(run->view, &key, Meta, &run->meta, run->err);

    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int finish(struct ctl_run *run, const char *command)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);

    if (run->changed) {
        int rc = write_audit(run, command);

        if (rc == CS_OK)
            rc = ctl_changes_write(run);
        if (rc == CS_OK)
            rc = ctl_put(run->view, &key, Meta, &run->meta, run->err);
        if (rc != CS_OK)
            return rc;
    }
    run->outcome->changed = run->changed;
    return CS_OK;
}

static void run_begin(struct ctl_run *run, struct ctl_view *view, const struct ctl_context *context,
                      const struct ctl_actor *actor, struct ctl_outcome *outcome, struct cs_err *err)
{
    memset(run, 0, sizeof *run);
    run->view = view;
    run->context = context;
    run->actor = actor;
    run->outcome = outcome;
    run->err = err;
    run->settings = ctl_settings_of(context->settings);
    run->now_s = context->now_s;
}

int ctl_core_run(struct ctl_view *view, const struct ctl_context *context, enum ctl_command_kind kind,
                 const void *body, const struct ctl_actor *actor, struct ctl_outcome *outcome,
                 struct cs_err *err)
{
    size_t effects_before = outcome->effect_count;
    struct cs_err own_err = {0};
    struct ctl_run run;
    int rc;

    cs_assert((size_t)kind < CS_ARRAY_LEN(commands));
    run_begin(&run, view, context, actor, outcome, err ? err : &own_err);
    rc = load_meta(&run);
    if (rc == CS_OK)
        rc = commands[kind].run(&run, body, outcome->reply);
    if (rc == CS_OK)
        rc = finish(&run, commands[kind].name);
    if (rc != CS_OK)
        outcome->effect_count = effects_before;
    return rc;
}

int ctl_core_next_due(struct ctl_view *view, int64_t *ret_due_s, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key(CTL_TABLE_DUE);
    struct ctl_walk walk = ctl_walk(&prefix);
    enum ctl_due_kind kind;
    uint64_t number;
    int rc = ctl_walk_next(view, &walk, err);

    if (rc == CS_ENOTFOUND) {
        *ret_due_s = INT64_MAX;
        return CS_OK;
    }
    if (rc == CS_OK && !ctl_key_parse_due(walk.key, ret_due_s, &kind, &number))
        return cs_err_set(err, CS_ECORRUPT, "the due queue has a key that is none of its own");
    return rc;
}

int ctl_core_start(struct ctl_view *view, const struct ctl_context *context, struct ctl_outcome *outcome,
                   struct cs_err *err)
{
    static const struct ctl_actor actor = {.name = "controller"};
    struct ctl_run run;
    int rc;

    run_begin(&run, view, context, &actor, outcome, err);
    rc = load_meta(&run);
    if (rc != CS_OK)
        return rc;
    run.meta.run++;
    ctl_run_changed(&run, "", "controller");
    return finish(&run, "Start");
}
