#include "controller/api/api.h"
#include "controller/api/unary.h"
#include "controller/version.h"

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
    snprintf(status->version, sizeof status->version, "%s", CTL_VERSION);
    CS_PB_SET(&status->message_key, cs_key_spki(ctl_vault_message_key(vault)));
    CS_PB_SET(&status->agent_ca, cs_chain_der(ctl_vault_agent_ca(vault), 0));
    return CS_OK;
}

#define SERVICE "countersign.v1.ControllerService"
#define METHODS(READ, WRITE)                                                                                 \
    READ(GetStatus, get_status, CTL_MAY_ANYONE)                                                              \
    READ(ListAudit, ctl_read_ListAudit, CTL_MAY_ANYONE)
CTL_SERVICE(ctl_controller_methods, METHODS)
