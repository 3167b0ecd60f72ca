#include "controller/cli/check.h"

#include "shared/trust/merkle.h"

static int open_device(const struct cs_policy *policy, const countersign_v1_GetDeviceResponse *reply,
                       const char *name, struct cs_device **ret, struct cs_err *err)
{
    struct cs_slice admission = CS_PB_BYTES(&reply->admission);
    int rc;

    if (admission.len == 0)
        return cs_err_set(err, CS_EDENIED,
                          "device %s is not admitted: an admin does it with `countersign device admit %s`",
                          name, name);
    rc = cs_device_open(policy, admission, ret, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the admission of device %s", name);
        return rc;
    }
    if (strcmp(cs_device_admission(*ret)->device_name, name) != 0)
        return cs_err_set(err, CS_EAUTH, "what the controller gave as admission of device %s is that of %s",
                          name, cs_device_admission(*ret)->device_name);
    return CS_OK;
}

int cli_check_device(const struct cs_policy *policy, const countersign_v1_GetDeviceResponse *reply,
                     const char *name, struct cs_device **ret, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    int rc = open_device(policy, reply, name, &device, err);

    for (pb_size_t i = 0; rc == CS_OK && i < reply->renewals_count; i++) {
        rc = cs_device_follow(device, CS_PB_BYTES(&reply->renewals[i]), err);
        if (rc != CS_OK)
            cs_err_prefix(err, "renewal %u of device %s", (unsigned)i + 1, name);
    }
    if (rc == CS_OK)
        *ret = cs_steal(device);
    return rc;
}

int cli_check_advertisement(const struct cs_device *device, struct cs_slice wire,
                            countersign_v1_DeviceAdvertisement **ret, struct cs_err *err)
{
    const char *name = cs_device_admission(device)->device_name;
    struct cs_verified verified;
    int rc;

    if (wire.len == 0)
        return cs_err_set(err, CS_ENOTFOUND,
                          "device %s has not said yet which app connectors it has: is its agent running?",
                          name);
    rc = cs_device_verify(device, wire, CS_STATEMENT_DEVICE_ADVERTISEMENT, &verified, err);
    if (rc == CS_OK)
        rc = cs_advertisement_decode(verified.payload, ret, err);
    if (rc != CS_OK)
        cs_err_prefix(err, "the statement of device %s about its connectors", name);
    return rc;
}

int cli_check_report(const struct cs_device *device, const countersign_v1_OrderCore *core,
                     struct cs_slice wire, countersign_v1_DeviceReport **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    struct cs_verified verified;
    int rc = cs_device_verify(device, wire, CS_STATEMENT_DEVICE_REPORT, &verified, err);

    if (rc == CS_OK)
        rc = cs_report_decode(verified.payload, &report, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the report of device %s", cs_device_admission(device)->device_name);
        return rc;
    }
    if (!cs_slice_eq(CS_PB_BYTES(&report->device_id), CS_PB_BYTES(&core->device_id)) ||
        !cs_slice_eq(CS_PB_BYTES(&report->order_id), CS_PB_BYTES(&core->order_id)))
        return cs_err_set(err, CS_EAUTH, "the report that the controller gave for WO-%llu is not about it",
                          (unsigned long long)core->number);
    *ret = cs_steal(report);
    return CS_OK;
}

static int say_wrong(const countersign_v1_Admission *admission, const countersign_v1_OrderCore *core,
                     const char *wrong, struct cs_err *err)
{
    return cs_err_set(err, CS_EAUTH, "the report of device %s on WO-%llu %s", admission->device_name,
                      (unsigned long long)core->number, wrong);
}

/* The core is what the controller gave: what counts of it is what the report says, too. */
int cli_check_left(const struct cs_device *device, const countersign_v1_OrderCore *core,
                   struct cs_slice report_wire, struct cs_digest *ret, struct cs_err *err)
{
    const countersign_v1_Admission *admission = cs_device_admission(device);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    const char *wrong = NULL;
    int rc;

    if (report_wire.len == 0)
        return cs_err_set(err, CS_ENOTFOUND, "there is no report of device %s on WO-%llu",
                          admission->device_name, (unsigned long long)core->number);
    rc = cli_check_report(device, core, report_wire, &report, err);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CS_PB_BYTES(&report->device_id), CS_PB_BYTES(&admission->device_id)))
        wrong = "was made before the device was enrolled anew";
    else if (report->outcome != countersign_v1_Outcome_OUTCOME_COMPLETED)
        wrong = "does not say that it was completed";
    else if (strcmp(report->connector, core->connector) != 0 || report->generation != core->generation)
        wrong = "is about another app connector or generation";
    if (wrong)
        return say_wrong(admission, core, wrong, err);
    *ret = (struct cs_digest){0};
    if (report->installed_digest.size == sizeof ret->bytes)
        memcpy(ret->bytes, report->installed_digest.bytes, sizeof ret->bytes);
    return CS_OK;
}

int cli_check_kept(const struct cs_device *device, const countersign_v1_OrderCore *core,
                   struct cs_slice report_wire, const struct cs_digest *chain_digest, struct cs_err *err)
{
    struct cs_digest left;
    int rc = cli_check_left(device, core, report_wire, &left, err);

    if (rc == CS_OK && !cs_digest_eq(&left, chain_digest))
        return say_wrong(cs_device_admission(device), core, "names another certificate", err);
    return rc;
}

int cli_check_enrolment(const countersign_v1_EnrolmentToken *token,
                        const countersign_v1_GetEnrolmentResponse *enrolment, struct cs_err *err)
{
    struct cs_slice name = cs_slice_str(token->device_name);
    uint8_t name_len = (uint8_t)name.len;
    const struct cs_slice parts[] = {
        CS_SLICE_LIT("countersign/v1/enrol"),
        CS_PB_BYTES(&token->deployment_id),
        cs_slice(&name_len, 1),
        name,
        CS_PB_BYTES(&enrolment->device_id),
        CS_PB_BYTES(&enrolment->identity_spki),
        CS_PB_BYTES(&enrolment->kem_spki),
    };
    struct cs_slice point;
    struct cs_digest mac;

    /* Without fixed sizes the parts of the MAC's input could be cut elsewhere. */
    if (enrolment->device_id.size != 16 ||
        cs_spki_point(CS_PB_BYTES(&enrolment->identity_spki), &point) != CS_OK ||
        cs_spki_point(CS_PB_BYTES(&enrolment->kem_spki), &point) != CS_OK)
        return cs_err_set(err, CS_EPARSE, "the enrolment of device %s has a malformed id or key",
                          token->device_name);
    mac = cs_hmac_sha256(CS_PB_BYTES(&token->binding), parts, CS_ARRAY_LEN(parts));
    if (!cs_slice_eq_secret(cs_digest_slice(&mac), CS_PB_BYTES(&enrolment->binding_mac)))
        return cs_err_set(
            err, CS_EAUTH,
            "the keys enrolled for %s were not made by the holder of the token: do not admit it, find "
            "out who used the token",
            token->device_name);
    return CS_OK;
}

void cli_check_certificate_free(struct cli_check_certificate *certificate)
{
    cs_chain_free(certificate->chain);
    certificate->chain = NULL;
}

int cli_check_certificate(struct cs_slice id, struct cs_slice chain, struct cli_check_certificate *ret,
                          struct cs_err *err)
{
    struct cli_check_certificate certificate = {0};
    int rc = cs_chain_parse(chain, &certificate.chain, err);

    if (rc != CS_OK)
        return rc;
    cs_chain_info(certificate.chain, 0, &certificate.leaf);
    if (!cs_slice_eq(cs_digest_slice(&certificate.leaf.digest), id)) {
        cli_check_certificate_free(&certificate);
        return cs_err_set(err, CS_EAUTH, "the controller gave another certificate than the one asked for");
    }
    certificate.chain_digest = cs_chain_digest(certificate.chain);
    *ret = certificate;
    return CS_OK;
}

static bool is_chain_of(struct cs_slice digest, const struct cli_check_certificate *certificate)
{
    return cs_slice_eq(digest, cs_digest_slice(&certificate->chain_digest));
}

/* What is wrong with it; NULL: nothing. */
static const char *find_wrong(const countersign_v1_OrderCore *core,
                              const struct cli_check_certificate *certificate)
{
    const bool has_key = core->key_mode != countersign_v1_KeyMode_KEY_MODE_NONE;

    if (core->action == countersign_v1_Action_ACTION_REMOVE) {
        if (core->chain_digest.size || core->leaf_spki_digest.size || has_key)
            return "names a chain or key, though nothing is to be installed";
        return is_chain_of(CS_PB_BYTES(&core->expects), certificate)
                   ? NULL
                   : "removes another certificate than the one that is meant";
    }
    if (!is_chain_of(CS_PB_BYTES(&core->chain_digest), certificate))
        return "names another chain than the certificate's";
    if (!cs_slice_eq(CS_PB_BYTES(&core->leaf_spki_digest), cs_digest_slice(&certificate->leaf.spki_digest)))
        return "names another key than the certificate's";
    if (core->action != countersign_v1_Action_ACTION_ROLL_BACK)
        return has_key ? NULL : "brings no private key";
    if (has_key)
        return "brings a private key, though the device has it";
    return core->expects.size ? NULL : "rolls back whatever is there";
}

static int check_content(const countersign_v1_OrderCore *core,
                         const struct cli_check_certificate *certificate, struct cs_err *err)
{
    const char *wrong = find_wrong(core, certificate);

    return wrong ? cs_err_set(err, CS_EAUTH, "WO-%llu for %s/%s %s: nothing was signed",
                              (unsigned long long)core->number, core->device_name, core->connector, wrong)
                 : CS_OK;
}

const countersign_v1_AdvertisedConnector *cli_check_find_said(const countersign_v1_DeviceAdvertisement *said,
                                                              const char *connector)
{
    for (pb_size_t i = 0; i < said->connectors_count; i++)
        if (strcmp(said->connectors[i].name, connector) == 0)
            return &said->connectors[i];
    return NULL;
}

static int check_generation(const countersign_v1_OrderCore *core,
                            const countersign_v1_DeviceAdvertisement *said, struct cs_err *err)
{
    const countersign_v1_AdvertisedConnector *connector = cli_check_find_said(said, core->connector);

    if (!connector)
        return cs_err_set(err, CS_EAUTH,
                          "device %s does not say that it has an app connector %s: nothing was signed",
                          core->device_name, core->connector);
    if (core->generation > connector->generation &&
        core->generation - connector->generation <= CS_LIMIT_GENERATION_JUMP)
        return CS_OK;
    return cs_err_set(err, CS_EAUTH,
                      "WO-%llu has generation %llu, but %s/%s is at %llu and takes at most %d more: nothing "
                      "was signed",
                      (unsigned long long)core->number, (unsigned long long)core->generation,
                      core->device_name, core->connector, (unsigned long long)connector->generation,
                      CS_LIMIT_GENERATION_JUMP);
}

int cli_check_core_of(const countersign_v1_OrderCore *core, const struct cli_check_certificate *certificate,
                      const struct cs_device *device, const countersign_v1_DeviceAdvertisement *said,
                      struct cs_err *err)
{
    const countersign_v1_Admission *admission = cs_device_admission(device);
    int rc;

    if (strcmp(admission->device_name, core->device_name) != 0 ||
        !cs_slice_eq(CS_PB_BYTES(&admission->device_id), CS_PB_BYTES(&core->device_id)))
        return cs_err_set(
            err, CS_EAUTH,
            "WO-%llu names another device-id than the one that was admitted as %s: nothing was signed",
            (unsigned long long)core->number, core->device_name);
    rc = check_content(core, certificate, err);
    return rc == CS_OK && said ? check_generation(core, said, err) : rc;
}

int cli_check_core(const countersign_v1_OrderCore *core, const struct cli_check_order *order,
                   struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    cs_auto_free countersign_v1_DeviceAdvertisement *said = NULL;
    int rc = cli_check_device(order->policy, order->device, core->device_name, &device, err);

    if (rc == CS_OK && order->fresh)
        rc = cli_check_advertisement(device, CS_PB_BYTES(&order->device->advertisement), &said, err);
    return rc == CS_OK ? cli_check_core_of(core, order->certificate, device, said, err) : rc;
}

struct cs_digest cli_check_root_of(const struct cs_slice *cores, size_t count)
{
    cs_auto_free struct cs_digest *leaves = calloc(count, sizeof *leaves);

    cs_assert(leaves && count > 0 && count <= CS_LIMIT_ORDERS_PER_REQUEST);
    for (size_t i = 0; i < count; i++)
        leaves[i] = cs_merkle_leaf(cores[i]);
    return cs_merkle_root(leaves, count, leaves);
}

int cli_check_root(const countersign_v1_PushRequest *request, const struct cs_slice *cores, size_t count,
                   struct cs_err *err)
{
    struct cs_digest root;

    if (count == 0 || count != request->order_count)
        return cs_err_set(
            err, CS_EAUTH,
            "REQ-%llu was signed for %u work orders, but the controller gave %zu: nothing was signed",
            (unsigned long long)request->number, request->order_count, count);
    root = cli_check_root_of(cores, count);
    if (!cs_slice_eq(cs_digest_slice(&root), CS_PB_BYTES(&request->order_root)))
        return cs_err_set(
            err, CS_EAUTH,
            "the work orders that the controller gave for REQ-%llu are not those that %s signed: "
            "nothing was signed",
            (unsigned long long)request->number, request->requester);
    return CS_OK;
}
