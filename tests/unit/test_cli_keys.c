/* Keys that the controller must not have: what the requester's client believes of a device's CSR, and to whom
 * it seals. */
#include "tests/support/check.h"

#include "controller/cli/check.h"
#include "controller/cli/seal.h"
#include "shared/trust/sealed_key.h"
#include "tests/support/deployment.h"

#include <stdio.h>

struct world {
    struct deployment d;
    countersign_v1_Admission admission;
    countersign_v1_KeyRequest request;
    countersign_v1_DeviceCsr csr;
    struct cs_buf request_wire, csr_wire, admission_wire;
    struct cs_digest digest;
    struct cs_key *made;
    countersign_v1_GetDeviceResponse nothing; /* of a device that nobody has admitted */
};

static void make_csr(struct world *w, const char *common_name, const char *dns_name)
{
    const struct cs_csr_subject subject = {common_name, {dns_name}, 1};
    cs_auto(cs_buf_free) struct cs_buf csr = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_csr_make_for(w->made, &subject, &csr, &err), err);
    CS_PB_SET(&w->csr.csr, cs_buf_slice(&csr));
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct cs_err err;

    assert_non_null(w);
    deployment_make(&w->d);
    check_ok(cs_key_generate(CS_KEY_SIGN, &w->made, &err), err);
    deployment_fill_admission(&w->d, "gw-0", &w->admission);
    deployment_fill_key_request(&w->d, "gw-0", &w->request);
    deployment_fill_device_csr(&w->d, "gw-0", &w->csr);
    make_csr(w, w->request.common_name, w->request.dns_names[0]);
    cs_auto(cs_buf_free) struct cs_buf payload =
        deployment_encode(countersign_v1_KeyRequest_fields, &w->request);

    w->digest = cs_sha256(cs_buf_slice(&payload));
    CS_PB_SET(&w->csr.key_request_digest, cs_digest_slice(&w->digest));
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    cs_buf_free(&w->request_wire);
    cs_buf_free(&w->csr_wire);
    cs_buf_free(&w->admission_wire);
    cs_key_free(w->made);
    deployment_free(&w->d);
    free(w);
    return 0;
}

/* ---- the request that the controller hands over */

static int check_request(struct world *w, const char *signer, struct cs_err *err)
{
    cs_auto_free countersign_v1_KeyRequest *request = NULL;
    struct cs_digest digest;
    uint8_t id[16];
    int rc;

    deployment_make_id("key request", id);
    cs_buf_free(&w->request_wire);
    w->request_wire = deployment_sign(&w->d, CS_STATEMENT_KEY_REQUEST, countersign_v1_KeyRequest_fields,
                                      &w->request, signer);
    rc = cli_check_key_request(w->d.policy, cs_buf_slice(&w->request_wire), CS_SLICE_ARRAY(id), &request,
                               &digest, err);
    if (rc == CS_OK)
        assert_true(cs_digest_eq(&digest, &w->digest));
    return rc;
}

static void only_a_requester_requests_a_key(void **state)
{
    struct world *w = *state;
    struct cs_err err;

    check_ok(check_request(w, "alice", &err), err);
    check_code(check_request(w, "mallory", &err), CS_EAUTH);
    check_code(check_request(w, "bob", &err), CS_EAUTH);
    memcpy(w->request.requester, "bob", 4);
    check_code(check_request(w, "bob", &err), CS_EDENIED);
    memcpy(w->request.requester, "alice", 6);
    w->request.key_request_id.bytes[0] ^= 1;
    check_code(check_request(w, "alice", &err), CS_EAUTH);
    check_says(err, "another key request");
}

/* ---- the device's answer */

static void another_device(struct world *w)
{
    w->csr.device_id.bytes[0] ^= 1;
}
static void another_deployment(struct world *w)
{
    w->csr.deployment_id.bytes[0] ^= 1;
}
static void another_request(struct world *w)
{
    w->csr.key_request_digest.bytes[0] ^= 1;
}
static void another_connector(struct world *w)
{
    w->csr.connector[0] = 'x';
}
static void enrolled_anew(struct world *w)
{
    w->admission.device_id.bytes[0] ^= 1;
}
static void another_name(struct world *w)
{
    make_csr(w, "evil.example", w->request.dns_names[0]);
}
static void another_dns_name(struct world *w)
{
    make_csr(w, w->request.common_name, "evil.example");
}
static void a_signature_that_is_none(struct world *w)
{
    w->csr.csr.bytes[w->csr.csr.size - 1] ^= 1;
}
static void a_refusal(struct world *w)
{
    w->csr.csr.size = 0;
    memcpy(w->csr.verdict, "keys-pending", 13);
    memcpy(w->csr.detail, "no room", 8);
}

static void sign_admission(struct world *w, const char *admin)
{
    cs_buf_free(&w->admission_wire);
    w->admission_wire =
        deployment_sign(&w->d, CS_STATEMENT_ADMISSION, countersign_v1_Admission_fields, &w->admission, admin);
}

static void believes_of_a_csr_only_what_was_asked_for(void **state)
{
    static const struct {
        const char *says;
        void (*spoil)(struct world *w);
        const char *signer;
        int code;
        const char *sentence;
    } cases[] = {
        {"as it was asked for", NULL, "gw-0", CS_OK, ""},
        {"signed by another device", NULL, "gw-1", CS_EAUTH, "the answer of device gw-0"},
        {"of another device-id", another_device, "gw-0", CS_EDENIED, "another device-id"},
        {"of another deployment", another_deployment, "gw-0", CS_EDENIED, "another deployment"},
        {"to another request", another_request, "gw-0", CS_EAUTH, "no answer"},
        {"for another connector", another_connector, "gw-0", CS_EAUTH, "no answer"},
        {"of an earlier enrolment", enrolled_anew, "gw-0", CS_EDENIED, "another device-id"},
        {"for another common name", another_name, "gw-0", CS_EAUTH, "another subject or other names"},
        {"for another DNS name", another_dns_name, "gw-0", CS_EAUTH, "another subject or other names"},
        {"not signed by its key", a_signature_that_is_none, "gw-0", CS_EAUTH, "not signed by the key"},
        {"a refusal", a_refusal, "gw-0", CS_EDENIED, "made no key: keys-pending: no room"},
    };

    end(state);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto_free countersign_v1_DeviceCsr *said = NULL;
        cs_auto(cs_device_freep) struct cs_device *device = NULL;
        struct cs_err err = {0};
        struct world *w;
        int rc;

        begin(state);
        w = *state;
        if (cases[i].spoil)
            cases[i].spoil(w);
        w->csr_wire = deployment_sign(&w->d, CS_STATEMENT_DEVICE_CSR, countersign_v1_DeviceCsr_fields,
                                      &w->csr, cases[i].signer);
        sign_admission(w, "ada");
        check_ok(cs_device_open(w->d.policy, cs_buf_slice(&w->admission_wire), &device, &err), err);
        rc = cli_check_csr(device, &w->request, &w->digest, cs_buf_slice(&w->csr_wire), &said, &err);
        if (rc != cases[i].code || !strstr(err.msg, cases[i].sentence))
            fail_msg("%s: '%s' (%s)", cases[i].says, cs_code_text(rc), err.msg);
        assert_true((said != NULL) == (rc == CS_OK));
        end(state);
    }
    begin(state);
}

/* ---- sealing */

static int seal(struct world *w, const char *admin, const countersign_v1_OrderCore *core,
                countersign_v1_SealedKey *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = calloc(1, sizeof *reply);
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    int rc;

    assert_non_null(reply);
    sign_admission(w, admin);
    CS_PB_SET(&reply->admission, cs_buf_slice(&w->admission_wire));
    rc = cli_check_device(w->d.policy, reply, "gw-0", &device, err);
    return rc == CS_OK
               ? cli_seal_key(device, core, CS_SLICE_LIT("the core"), CS_SLICE_LIT("a private key"), ret, err)
               : rc;
}

static void seals_to_admitted_devices_only(void **state)
{
    struct world *w = *state;
    cs_auto_free countersign_v1_SealedKey *sealed = calloc(1, sizeof *sealed);
    cs_auto(cs_device_freep) struct cs_device *nobody = NULL;
    countersign_v1_OrderCore core;
    struct cs_err err;

    assert_non_null(sealed);
    deployment_fill_core(&w->d, "gw-0", 1, &core);
    check_ok(seal(w, "ada", &core, sealed, &err), err);
    assert_int_equal(sealed->enc.size, CS_POINT_BYTES);
    memset(sealed, 0, sizeof *sealed);
    check_code(seal(w, "mallory", &core, sealed, &err), CS_EAUTH);
    check_code(seal(w, "bob", &core, sealed, &err), CS_EAUTH);
    core.device_id.bytes[0] ^= 1;
    check_code(seal(w, "ada", &core, sealed, &err), CS_EAUTH);
    check_says(err, "no key was sealed");
    core.device_id.bytes[0] ^= 1;
    w->admission.deployment_id.bytes[0] ^= 1;
    check_code(seal(w, "ada", &core, sealed, &err), CS_EAUTH);
    w->admission.deployment_id.bytes[0] ^= 1;
    memcpy(core.device_name, "gw-1", 5);
    check_code(seal(w, "ada", &core, sealed, &err), CS_EAUTH);
    check_code(cli_check_device(w->d.policy, &w->nothing, "gw-1", &nobody, &err), CS_EDENIED);
    check_says(err, "is not admitted");
    assert_int_equal(sealed->ciphertext.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_a_requester_requests_a_key, begin, end),
        cmocka_unit_test_setup_teardown(believes_of_a_csr_only_what_was_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(seals_to_admitted_devices_only, begin, end),
    };

    return cmocka_run_group_tests_name("cli_keys", tests, NULL, NULL);
}
