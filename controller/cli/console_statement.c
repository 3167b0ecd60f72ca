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

/* One kind of statement: it is decoded, what all have is taken from it, and a line says the rest. */
struct kind {
    /* On CS_OK the caller frees *ret, into which `common` points. */
    int (*decode)(struct cs_slice payload, void **ret, struct common *common, struct cs_err *err);
    int (*write)(const void *statement, struct cs_buf *line);
};

#define DEFINE_DECODE(name_, type_, operator_)                                                               \
    static int decode_##name_(struct cs_slice payload, void **ret, struct common *common,                    \
                              struct cs_err *err)                                                            \
    {                                                                                                        \
        type_ *statement = NULL;                                                                             \
        int rc = cs_##name_##_decode(payload, &statement, err);                                              \
                                                                                                             \
        if (rc != CS_OK)                                                                                     \
            return rc;                                                                                       \
        *common = (struct common){CS_PB_BYTES(&statement->deployment_id), statement->policy_version,         \
                                  statement->operator_};                                                     \
        *ret = statement;                                                                                    \
        return CS_OK;                                                                                        \
    }
DEFINE_DECODE(admission, countersign_v1_Admission, admin)
DEFINE_DECODE(request, countersign_v1_PushRequest, requester)
DEFINE_DECODE(decision, countersign_v1_Decision, decider)
DEFINE_DECODE(key_request, countersign_v1_KeyRequest, requester)

static int write_admission(const void *statement, struct cs_buf *line)
{
    const countersign_v1_Admission *admission = statement;
    char id[2 * 16 + 1];

    return cs_buf_printf(line, "admission: device %s, device-id %s", admission->device_name,
                         cs_hex(CS_PB_BYTES(&admission->device_id), id));
}

static int write_request(const void *statement, struct cs_buf *line)
{
    const countersign_v1_PushRequest *request = statement;

    return cs_buf_printf(line, "push request: REQ-%" PRIu64 ", %" PRIu32 " work order%s", request->number,
                         request->order_count, request->order_count == 1 ? "" : "s");
}

static int write_decision(const void *statement, struct cs_buf *line)
{
    const countersign_v1_Decision *decision = statement;
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

static int write_key_request(const void *statement, struct cs_buf *line)
{
    const countersign_v1_KeyRequest *request = statement;
    char id[2 * 16 + 1];
    int rc = cs_buf_printf(line, "key request: app connector %s of device-id %s, for ", request->connector,
                           cs_hex(CS_PB_BYTES(&request->device_id), id));

    return rc == CS_OK ? cli_clean(cs_slice_str(request->common_name), line) : rc;
}

static const struct kind kinds[] = {
    [CS_STATEMENT_ADMISSION] = {decode_admission, write_admission},
    [CS_STATEMENT_PUSH_REQUEST] = {decode_request, write_request},
    [CS_STATEMENT_DECISION] = {decode_decision, write_decision},
    [CS_STATEMENT_KEY_REQUEST] = {decode_key_request, write_key_request},
};

int cli_console_look(enum cs_statement_kind kind, struct cs_slice payload,
                     const struct cli_console_signer *signer, struct cs_buf *ret_line, struct cs_err *err)
{
    const struct kind *known = (size_t)kind < CS_ARRAY_LEN(kinds) ? &kinds[kind] : NULL;
    cs_auto_free void *statement = NULL;
    struct common common;
    int rc;

    if (!known || !known->decode)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the console signs admissions, push requests, decisions and key requests, and "
                          "nothing else");
    rc = known->decode(payload, &statement, &common, err);
    if (rc == CS_OK)
        rc = check(&common, signer, err);
    if (rc != CS_OK)
        return rc;
    return known->write(statement, ret_line) == CS_OK ? CS_OK : cs_err_nomem(err);
}
