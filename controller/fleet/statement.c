/* What devices state under their own key: verified on the shard, then a command. */
#include "controller/fleet/session.h"

#include "controller/fleet/renewal.h"
#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/crypto/x509.h"
#include "shared/trust/statement.h"

struct statement {
    struct ctl_task task;
    struct ctl_session *session;
    struct ctl_device_csr body; /* of other kinds only what all have */
    void *decoded;
    struct ctl_prepared_renewal *renewal;
    size_t len;
    uint8_t envelope[]; /* of `len` bytes */
};

static void statement_free(struct statement *statement)
{
    free(statement->decoded);
    ctl_renewal_free(statement->renewal);
    free(statement->renewal);
    free(statement);
}

/* Acknowledged by the effect; a refusal ends the stream, so that the device says it again later rather than
 * never. */
static void on_statement_done(struct ctl_task *task)
{
    struct statement *statement = CS_CONTAINER_OF(task, struct statement, task);
    struct ctl_session *session = statement->session;

    if (session->under_way-- == CTL_LIMIT_STATEMENTS_UNDER_WAY && session->call)
        cs_call_pause(session->call, false);
    if (task->command.code != CS_OK)
        ctl_session_fail(session, &task->command.err);
    statement_free(statement);
    ctl_session_maybe_free(session);
}

static int decode_statement(struct cs_slice payload, enum cs_statement_kind kind, void **ret,
                            struct cs_err *err)
{
    countersign_v1_DeviceAdvertisement *advertisement = NULL;
    countersign_v1_DeviceReport *report = NULL;
    countersign_v1_DeviceCsr *csr = NULL;
    int code;

    switch (kind) {
    case CS_STATEMENT_DEVICE_ADVERTISEMENT:
        code = cs_advertisement_decode(payload, &advertisement, err);
        *ret = advertisement;
        return code;
    case CS_STATEMENT_DEVICE_REPORT:
        code = cs_report_decode(payload, &report, err);
        *ret = report;
        return code;
    default:
        code = cs_device_csr_decode(payload, &csr, err);
        *ret = csr;
        return code;
    }
}

/* The keys stay with the session: renewals come through it, or end it. */
static int know_device(struct ctl_session *session, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int code;

    if (session->device)
        return CS_OK;
    code = ctl_reading_open(session->fleet->shard->shared->store, &reading, err);
    return code == CS_OK
               ? ctl_query_device(reading.view, session->identity.device_id, &session->device, NULL, err)
               : code;
}

/* What is said next may be signed by the fresh key already: it counts from here on. Should the core refuse
 * the renewal, the session ends. */
static int read_renewal(struct statement *statement, struct cs_slice wire, struct cs_err *err)
{
    struct ctl_session *session = statement->session;
    int code;

    statement->renewal = calloc(1, sizeof *statement->renewal);
    if (!statement->renewal)
        return cs_err_nomem(err);
    code = ctl_renewal_prepare(session->fleet->shard, wire, statement->renewal, err);
    if (code == CS_OK && memcmp(statement->renewal->body.device_id, session->identity.device_id,
                                sizeof session->identity.device_id) != 0)
        code = cs_err_set(err, CS_EDENIED, "the renewal is another device's");
    if (code != CS_OK)
        return code;
    cs_device_free(session->device);
    session->device = cs_steal(statement->renewal->device);
    statement->renewal->body.session_id = session->id;
    statement->task.command.kind = CTL_RENEWAL;
    statement->task.command.body = &statement->renewal->body;
    return CS_OK;
}

/* Only the key counts here; whether the rest is what was asked for the requester's client checks. */
static int check_csr(const countersign_v1_DeviceCsr *csr, struct ctl_device_csr *ret, struct cs_err *err)
{
    uint8_t spki[CS_SPKI_BYTES];
    int code = csr->csr.size ? cs_csr_check(CS_PB_BYTES(&csr->csr), spki, err) : CS_EPARSE;

    ret->holds = code == CS_OK;
    if (ret->holds)
        ret->spki_digest = cs_sha256(CS_SLICE_ARRAY(spki));
    return code == CS_ENOMEM ? code : CS_OK;
}

static int read_statement(struct statement *statement, struct cs_err *err)
{
    struct ctl_session *session = statement->session;
    struct cs_slice wire = cs_slice(statement->envelope, statement->len);
    struct ctl_command *command = &statement->task.command;
    struct cs_envelope envelope;
    struct cs_verified verified;
    int code;

    code = cs_envelope_parse(wire, &envelope, err);
    if (code != CS_OK)
        return code;
    switch (envelope.kind) {
    case CS_STATEMENT_DEVICE_ADVERTISEMENT:
        command->kind = CTL_ADVERTISEMENT;
        break;
    case CS_STATEMENT_DEVICE_REPORT:
        command->kind = CTL_REPORT;
        break;
    case CS_STATEMENT_DEVICE_CSR:
        command->kind = CTL_DEVICE_CSR;
        break;
    case CS_STATEMENT_DEVICE_RENEWAL:
        return read_renewal(statement, wire, err);
    default:
        return cs_err_set(err, CS_EINVAL, "a device does not make statements of type %s",
                          cs_statement_type(envelope.kind));
    }
    code = know_device(session, err);
    if (code == CS_OK)
        code = cs_device_verify(session->device, wire, envelope.kind, &verified, err);
    if (code == CS_OK)
        code = decode_statement(verified.payload, envelope.kind, &statement->decoded, err);
    if (code == CS_OK && envelope.kind == CS_STATEMENT_DEVICE_CSR)
        code = check_csr(statement->decoded, &statement->body, err);
    if (code != CS_OK)
        return code;
    statement->body.said.envelope = wire;
    statement->body.said.statement = statement->decoded;
    statement->body.said.digest = verified.digest;
    return CS_OK;
}

int ctl_session_on_statement(struct ctl_session *session, struct cs_slice wire, struct cs_err *err)
{
    struct statement *statement;
    int code;

    if (session->state != CTL_SESSION_OPEN)
        return cs_err_set(err, CS_EINVAL, "a statement before welcome");
    statement = calloc(1, sizeof *statement + wire.len);
    if (!statement)
        return cs_err_nomem(err);
    statement->session = session;
    statement->len = wire.len;
    if (wire.len)
        memcpy(statement->envelope, wire.ptr, wire.len);
    memcpy(statement->body.said.device_id, session->identity.device_id,
           sizeof statement->body.said.device_id);
    statement->body.said.session_id = session->id;
    statement->task.command.body = &statement->body.said; /* which is where a CSR's begins */
    statement->task.command.actor = ctl_session_actor(session);
    statement->task.on_done = on_statement_done;
    code = read_statement(statement, err);
    if (code == CS_OK)
        code = ctl_shard_submit(session->fleet->shard, &statement->task, err);
    if (code != CS_OK) {
        statement_free(statement);
        return code;
    }
    if (++session->under_way == CTL_LIMIT_STATEMENTS_UNDER_WAY)
        cs_call_pause(session->call, true);
    return CS_OK;
}
