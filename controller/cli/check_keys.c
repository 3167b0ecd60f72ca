/* The part of check.h about keys that devices make. */
#include "controller/cli/check.h"

int cli_check_key_request(const struct cs_policy *policy, struct cs_slice wire, struct cs_slice id,
                          countersign_v1_KeyRequest **ret, struct cs_digest *ret_digest, struct cs_err *err)
{
    cs_auto_free countersign_v1_KeyRequest *request = NULL;
    struct cs_verified verified;
    countersign_v1_KeyKind kind;
    int rc = cs_policy_verify(policy, wire, CS_STATEMENT_KEY_REQUEST, &verified, err);

    if (rc == CS_OK)
        rc = cs_key_request_decode(verified.payload, &request, err);
    if (rc == CS_OK)
        rc = cs_policy_check_signer(policy, &verified, request->requester, countersign_v1_Role_ROLE_REQUESTER,
                                    &kind, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the key request");
        return rc;
    }
    if (!cs_slice_eq(CS_PB_BYTES(&request->key_request_id), id))
        return cs_err_set(err, CS_EAUTH, "the controller gave another key request than the one asked for");
    *ret_digest = verified.digest;
    *ret = cs_steal(request);
    return CS_OK;
}

static int check_answer(const countersign_v1_Admission *admission, const countersign_v1_KeyRequest *request,
                        const struct cs_digest *request_digest, const countersign_v1_DeviceCsr *said,
                        struct cs_err *err)
{
    struct cs_csr_subject subject = cs_key_request_subject(request);
    uint8_t spki[CS_SPKI_BYTES];

    if (!cs_slice_eq(CS_PB_BYTES(&admission->device_id), CS_PB_BYTES(&request->device_id)))
        return cs_err_set(err, CS_EAUTH, "the key was requested of another enrolment of device %s",
                          admission->device_name);
    if (!cs_slice_eq(CS_PB_BYTES(&said->key_request_digest), cs_digest_slice(request_digest)) ||
        strcmp(said->connector, request->connector) != 0)
        return cs_err_set(err, CS_EAUTH, "what the controller gave is no answer of device %s to this request",
                          admission->device_name);
    if (strcmp(said->verdict, "ok") != 0)
        return cs_err_set(err, CS_EDENIED, "device %s made no key: %s: %s", admission->device_name,
                          said->verdict, said->detail);
    return cs_csr_check_for(CS_PB_BYTES(&said->csr), &subject, spki, err);
}

int cli_check_csr(const struct cs_device *device, const countersign_v1_KeyRequest *request,
                  const struct cs_digest *request_digest, struct cs_slice wire,
                  countersign_v1_DeviceCsr **ret, struct cs_err *err)
{
    const countersign_v1_Admission *admission = cs_device_admission(device);
    cs_auto_free countersign_v1_DeviceCsr *said = NULL;
    struct cs_verified verified;
    int rc = cs_device_verify(device, wire, CS_STATEMENT_DEVICE_CSR, &verified, err);

    if (rc == CS_OK)
        rc = cs_device_csr_decode(verified.payload, &said, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the answer of device %s", admission->device_name);
        return rc;
    }
    rc = check_answer(admission, request, request_digest, said, err);
    if (rc == CS_OK)
        *ret = cs_steal(said);
    return rc;
}
