#include "controller/cli/console_statement.h"

#include "controller/cli/out.h"

#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHORT_DIGEST_BYTES = 8 };

/* What all kinds have. */
struct common {
    struct cs_slice deployment_id;
    uint32_t policy_version;
    const char *operator;
};

static int check(const struct common *statement, const struct cli_console_signer *signer, struct cs_err *err)
{
    if (!cs_slice_eq(statement->deployment_id, cs_slice(signer->deployment_id, 16)))
        return cs_err_set(err, CS_EDENIED,
                          "the statement is of another deployment than the one that is pinned here");
    if (strcmp(statement->operator, signer->operator) != 0)
        return cs_err_set(err, CS_EDENIED, "the statement is in the name of %s, and the key here is of %s",
                          statement->operator, signer->operator);
    if (statement->policy_version > signer->policy_version)
        return cs_err_set(err, CS_ESTALE,
                          "the statement names version %" PRIu32
                          " of the trust policy, and the newest that was verified here is %" PRIu32,
                          statement->policy_version, signer->policy_version);
    return CS_OK;
}

static int look_at_admission(struct cs_slice payload, const struct cli_console_signer *signer,
                             struct cs_buf *line, struct cs_err *err)
{
    cs_auto_free countersign_v1_Admission *admission = NULL;
    char id[2 * 16 + 1];
    int rc = cs_admission_decode(payload, &admission, err);

    if (rc == CS_OK)
        rc = check(&(struct common){CS_PB_BYTES(&admission->deployment_id), admission->policy_version,
                                    admission->admin},
                   signer, err);
    if (rc != CS_OK)
        return rc;
    rc = cs_buf_printf(line, "admission: device %s, device-id %s", admission->device_name,
                       cs_hex(CS_PB_BYTES(&admission->device_id), id));
    return rc == CS_OK ? rc : cs_err_nomem(err);
}

static int look_at_request(struct cs_slice payload, const struct cli_console_signer *signer,
                           struct cs_buf *line, struct cs_err *err)
{
    cs_auto_free countersign_v1_PushRequest *request = NULL;
    int rc = cs_request_decode(payload, &request, err);

    if (rc == CS_OK)
        rc = check(&(struct common){CS_PB_BYTES(&request->deployment_id), request->policy_version,
                                    request->requester},
                   signer, err);
    if (rc != CS_OK)
        return rc;
    rc = cs_buf_printf(line, "push request: REQ-%" PRIu64 ", %" PRIu32 " work order%s", request->number,
                       request->order_count, request->order_count == 1 ? "" : "s");
    return rc == CS_OK ? rc : cs_err_nomem(err);
}

static int write_decision(const countersign_v1_Decision *decision, struct cs_buf *line)
{
    char digest[2 * SHORT_DIGEST_BYTES + 1], time[CS_TIME_TEXT_BYTES];
    int rc = cs_buf_printf(line, "decision: %s stage %" PRIu32 " of the request %s…%s",
                           decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT ? "accept" : "reject",
                           decision->stage,
                           cs_hex(cs_slice(decision->request_digest.bytes, SHORT_DIGEST_BYTES), digest),
                           decision->orders.size ? ", some of its orders" : "");

    if (rc == CS_OK && decision->mode == countersign_v1_Mode_MODE_SCHEDULED)
        rc = cs_buf_printf(line, ", not before %s", cs_time_text(decision->not_before_s, time));
    else if (rc == CS_OK && decision->mode == countersign_v1_Mode_MODE_MANUAL)
        rc = cs_buf_append_str(line, ", Manual Implementation");
    return rc;
}

static int look_at_decision(struct cs_slice payload, const struct cli_console_signer *signer,
                            struct cs_buf *line, struct cs_err *err)
{
    cs_auto_free countersign_v1_Decision *decision = NULL;
    int rc = cs_decision_decode(payload, &decision, err);

    if (rc == CS_OK)
        rc = check(&(struct common){CS_PB_BYTES(&decision->deployment_id), decision->policy_version,
                                    decision->decider},
                   signer, err);
    if (rc != CS_OK)
        return rc;
    return write_decision(decision, line) == CS_OK ? CS_OK : cs_err_nomem(err);
}

static int look_at_key_request(struct cs_slice payload, const struct cli_console_signer *signer,
                               struct cs_buf *line, struct cs_err *err)
{
    cs_auto_free countersign_v1_KeyRequest *request = NULL;
    char id[2 * 16 + 1];
    int rc = cs_key_request_decode(payload, &request, err);

    if (rc == CS_OK)
        rc = check(&(struct common){CS_PB_BYTES(&request->deployment_id), request->policy_version,
                                    request->requester},
                   signer, err);
    if (rc != CS_OK)
        return rc;
    rc = cs_buf_printf(line, "key request: app connector %s of device-id %s, for ", request->connector,
                       cs_hex(CS_PB_BYTES(&request->device_id), id));
    if (rc == CS_OK)
        rc = cli_clean(cs_slice_str(request->common_name), line);
    return rc == CS_OK ? rc : cs_err_nomem(err);
}

int cli_console_look(enum cs_statement_kind kind, struct cs_slice payload,
                     const struct cli_console_signer *signer, struct cs_buf *ret_line, struct cs_err *err)
{
    switch (kind) {
    case CS_STATEMENT_ADMISSION:
        return look_at_admission(payload, signer, ret_line, err);
    case CS_STATEMENT_PUSH_REQUEST:
        return look_at_request(payload, signer, ret_line, err);
    case CS_STATEMENT_DECISION:
        return look_at_decision(payload, signer, ret_line, err);
    case CS_STATEMENT_KEY_REQUEST:
        return look_at_key_request(payload, signer, ret_line, err);
    default:
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the console signs admissions, push requests, decisions and key requests, and "
                          "nothing else");
    }
}
