/* A device's first words: a token, its keys, and proof that it has them. It gets a certificate for its
 * identity key; what it may do with it the admission decides, which a person signs. */
#include "controller/api/unary.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/rate.h"
#include "controller/fleet/renewal.h"
#include "shared/base/text.h"

/* The enrolment listener is on one shard only. */
static struct ctl_rate rate;

static int check_size(size_t size, size_t wanted, const char *field, struct cs_err *err)
{
    return size == wanted
               ? CS_OK
               : cs_err_set(err, CS_EINVAL, "enrol: %s must have %zu bytes, not %zu", field, wanted, size);
}

static int check_request(const countersign_v1_EnrolRequest *request, uint8_t ret_spki[CS_SPKI_BYTES],
                         struct cs_err *err)
{
    struct cs_slice point;
    int code;

    code = cs_name_check(cs_slice_str(request->device_name), "the device's name", err);
    if (code == CS_OK)
        code = check_size(request->authentication.size, 16, "authentication", err);
    if (code == CS_OK)
        code = check_size(request->device_id.size, 16, "device_id", err);
    if (code == CS_OK)
        code = check_size(request->binding_mac.size, CS_SHA256_BYTES, "binding_mac", err);
    if (code == CS_OK && cs_spki_point(CS_PB_BYTES(&request->kem_spki), &point) != CS_OK)
        code = cs_err_set(err, CS_EINVAL, "enrol: kem_spki is not a P-256 key");
    if (code == CS_OK)
        code = cs_csr_check(CS_PB_BYTES(&request->csr), ret_spki, err);
    return code;
}

static int check_rate(struct ctl_op *op, struct cs_err *err)
{
    return ctl_rate_take(&rate, op->task.command.actor.peer, op->shard->shared->config->enrolments_per_s,
                         ctl_shard_now_ms(op->shard))
               ? CS_OK
               : cs_err_set(err, CS_EFULL, "too many enrolments from this address: wait a moment");
}

static int prepare_enrol(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_EnrolRequest *request = op->request;
    const struct ctl_shared *shared = op->shard->shared;
    struct ctl_enrol *body = &op->body.enrol;
    int code = check_rate(op, err);

    if (code == CS_OK)
        code = check_request(request, body->identity_spki, err);
    if (code == CS_OK)
        code = ctl_vault_issue_identity(shared->vault, request->device_name,
                                        CS_SLICE_ARRAY(body->identity_spki), ctl_shard_now_s(op->shard),
                                        shared->config->identity_life_s, &op->bytes, err);
    if (code != CS_OK)
        return code;
    snprintf(op->task.command.actor.name, sizeof op->task.command.actor.name, "%s", request->device_name);
    body->request = request;
    body->until_s = ctl_shard_now_s(op->shard) + shared->config->identity_life_s;
    body->certificate = cs_buf_slice(&op->bytes);
    op->task.command.body = body;
    return CS_OK;
}

static int prepare_renew(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_RenewRequest *request = op->request;
    int code = check_rate(op, err);

    if (code != CS_OK)
        return code;
    op->renewal = calloc(1, sizeof *op->renewal);
    if (!op->renewal)
        return cs_err_nomem(err);
    code = ctl_renewal_prepare(op->shard, CS_PB_BYTES(&request->statement), op->renewal, err);
    snprintf(op->task.command.actor.name, sizeof op->task.command.actor.name, "%s", op->renewal->device_name);
    op->task.command.body = &op->renewal->body;
    return code;
}

#define SERVICE "countersign.v1.EnrolmentService"
#define METHODS(READ, WRITE)                                                                                 \
    WRITE(Enrol, CTL_ENROL, prepare_enrol, CTL_MAY_STRANGERS)                                                \
    WRITE(Renew, CTL_RENEW, prepare_renew, CTL_MAY_STRANGERS)
CTL_SERVICE(ctl_enrolment_methods, METHODS)
