#include "controller/api/api.h"
#include "controller/api/monitor.h"
#include "controller/api/unary.h"
#include "shared/base/version.h"

#include <stdio.h>

/* The store knows what there is; which keys this process has, the vault. */
static int get_status(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,
                      struct cs_err *err)
{
    countersign_v1_GetStatusResponse *status = reply;
    const struct ctl_vault *vault = shard->shared->vault;
    int code = ctl_read_GetStatus(shard, view, request, reply, err);

    if (code != CS_OK)
        return code;
    status->schema = CTL_STORE_SCHEMA;
    snprintf(status->version, sizeof status->version, "%s", CS_VERSION);
    CS_PB_SET(&status->message_key, cs_key_spki(ctl_vault_message_key(vault)));
    CS_PB_SET(&status->agent_ca, cs_chain_der(ctl_vault_agent_ca(vault), 0));
    return CS_OK;
}

/* Newest revision and hash are of one snapshot. */
static int get_checkpoint(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,
                          struct cs_err *err)
{
    const struct cs_key *key = ctl_vault_message_key(shard->shared->vault);
    countersign_v1_GetCheckpointResponse *signed_one = reply;
    countersign_v1_AuditCheckpoint checkpoint;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    int code = ctl_query_checkpoint(view, ctl_shard_now_s(shard), &checkpoint, err);

    (void)request;
    if (code == CS_OK)
        code = cs_message_encode(countersign_v1_AuditCheckpoint_fields, &checkpoint, &payload, err);
    if (code == CS_OK)
        code =
            cs_envelope_sign(CS_STATEMENT_AUDIT_CHECKPOINT, cs_buf_slice(&payload), &key, 1, &envelope, err);
    if (code == CS_OK)
        CS_PB_SET(&signed_one->envelope, cs_buf_slice(&envelope));
    return code;
}

/* No snapshot is read for it. */
static int get_summary(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,
                       struct cs_err *err)
{
    (void)view;
    (void)request;
    (void)err;
    ctl_monitor_summary(shard->monitor, reply);
    return CS_OK;
}

#define SERVICE "countersign.v1.ControllerService"
#define METHODS(READ, WRITE)                                                                                 \
    READ(GetStatus, get_status, CTL_MAY_ANYONE)                                                              \
    READ(ListAudit, ctl_read_ListAudit, CTL_MAY_ANYONE)                                                      \
    READ(GetCheckpoint, get_checkpoint, CTL_MAY_ANYONE)                                                      \
    READ(GetSummary, get_summary, CTL_MAY_ANYONE)
CTL_SERVICE(ctl_controller_methods, METHODS)
