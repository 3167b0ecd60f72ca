/* countersign device admit - who vouches for a device's keys, before an admin signs for them:
 *
 *   a new enrolment     the token's binding half, or a person who compares fingerprints
 *   a late renewal      the key that was admitted before, which signed for the fresh one
 *   banned, quarantined the admission that there is: the same keys, admitted anew */
#include "controller/cli/admit.h"
#include "controller/cli/fetch.h"
#include "controller/cli/known.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <time.h>

enum { PAGE = 16 };

/* The keys that are about to be admitted. Borrows. */
struct candidate {
    const char *name;
    struct cs_slice device_id, identity_spki, kem_spki;
    const char *because; /* why they are the device's */
    bool by_eye;         /* nothing says so: a person has to compare */
};

/* ---- signing */

static int fill(struct cli *cli, const struct candidate *candidate, const countersign_v1_Operator *admin,
                countersign_v1_Admission *ret, struct cs_err *err)
{
    struct cs_slice point;

    if (candidate->device_id.len != sizeof ret->device_id.bytes ||
        cs_spki_point(candidate->identity_spki, &point) != CS_OK ||
        cs_spki_point(candidate->kem_spki, &point) != CS_OK)
        return cs_err_set(err, CS_EPARSE, "the enrolment of device %s has a malformed id or key",
                          candidate->name);
    *ret = (countersign_v1_Admission){.policy_version = cs_policy_version(cli->policy),
                                      .admitted_at_s = time(NULL)};
    CS_PB_SET(&ret->deployment_id, CS_PB_BYTES(&cs_policy_body(cli->policy)->deployment_id));
    CS_PB_SET(&ret->device_id, candidate->device_id);
    CS_PB_SET(&ret->identity_spki, candidate->identity_spki);
    CS_PB_SET(&ret->kem_spki, candidate->kem_spki);
    memcpy(ret->admin, admin->name, sizeof ret->admin);
    snprintf(ret->device_name, sizeof ret->device_name, "%s", candidate->name);
    return CS_OK;
}

/* Everybody who saw the one before would refuse the new one. */
static int check_clock(struct cli *cli, const countersign_v1_Admission *admission, struct cs_err *err)
{
    int64_t since = cli_known_since(cli->known, admission->device_name);
    char when[CS_TIME_TEXT_BYTES];

    if (admission->admitted_at_s >= since)
        return CS_OK;
    return cs_err_set(
        err, CS_ERANGE,
        "device %s was admitted at %s, and the clock of this machine is behind that: set it, or whoever "
        "saw that admission takes the new one for the older",
        admission->device_name, cs_time_text(since, when));
}

static int sign_and_send(struct cli *cli, const struct candidate *candidate,
                         const countersign_v1_Operator *admin, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    cs_auto_free countersign_v1_Admission *decoded = NULL;
    cs_auto_free countersign_v1_AdmitDeviceRequest *request = CLI_NEW(countersign_v1_AdmitDeviceRequest, err);
    countersign_v1_Admission admission;
    countersign_v1_AdmitDeviceResponse reply;
    int rc = request ? fill(cli, candidate, admin, &admission, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cli_known_load(cli, err);
    if (rc == CS_OK)
        rc = check_clock(cli, &admission, err);
    if (rc == CS_OK)
        rc = cs_message_encode(countersign_v1_Admission_fields, &admission, &payload, err);
    if (rc == CS_OK)
        rc = cs_admission_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc != CS_OK)
        return rc;
    cli_show_admission(statement, decoded);
    cli_field(statement, "because", "These are its keys",
              cli_tinted(candidate->because, candidate->by_eye ? CLI_YELLOW : CLI_GREEN));
    rc = cli_sign(cli, CS_STATEMENT_ADMISSION, cs_buf_slice(&payload), statement, admin, &envelope, err);
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&request->envelope, cs_buf_slice(&envelope));
    rc = cli_call(cli, &cli_rpc_AdmitDevice, request, &reply, err);
    return rc == CS_OK ? cli_known_admitted(cli, cs_buf_slice(&envelope), err) : rc;
}

static int print_admitted(struct cli *cli, const struct candidate *candidate, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "device", "Device", cli_tinted(candidate->name, CLI_BOLD));
    cli_field(doc, "state", "State", cli_tinted("admitted", CLI_GREEN));
    cli_field(doc, "device_id", "Device-id", cli_hex(candidate->device_id));
    cli_hint(doc, "Next: countersign cert attach CERT %s CONNECTOR", candidate->name);
    return cli_write(cli, doc, err);
}

static int admit(struct cli *cli, const struct candidate *candidate, const countersign_v1_Operator *admin,
                 struct cs_err *err)
{
    int rc = sign_and_send(cli, candidate, admin, err);

    return rc == CS_OK ? print_admitted(cli, candidate, err) : rc;
}

/* ---- a new enrolment */

static struct candidate enrolled(const char *name, const countersign_v1_GetEnrolmentResponse *enrolment)
{
    return (struct candidate){.name = name,
                              .device_id = CS_PB_BYTES(&enrolment->device_id),
                              .identity_spki = CS_PB_BYTES(&enrolment->identity_spki),
                              .kem_spki = CS_PB_BYTES(&enrolment->kem_spki)};
}

int cli_admit_enrolled(struct cli *cli, const countersign_v1_EnrolmentToken *token,
                       const countersign_v1_GetEnrolmentResponse *enrolment,
                       const countersign_v1_Operator *admin, struct cs_err *err)
{
    struct candidate candidate = enrolled(token->device_name, enrolment);
    int rc = cli_check_enrolment(token, enrolment, err);

    candidate.because = "made by the holder of the token from this home folder";
    if (rc == CS_OK)
        rc = admit(cli, &candidate, admin, err);
    if (rc == CS_OK)
        cli_token_drop(cli, token->device_name);
    return rc;
}

static bool was_given(const struct cli *cli, struct cs_slice spki)
{
    struct cs_digest digest = cs_key_id(spki);
    char hex[2 * CS_SHA256_BYTES + 1];
    const char *given;

    cs_hex(cs_digest_slice(&digest), hex);
    for (size_t i = 0; (given = cli_args_option_at(&cli->args, "fingerprint", i)); i++)
        if (strcmp(given, hex) == 0)
            return true;
    return false;
}

/* The person has both fingerprints from the device, and compares: by eye, or by giving them. */
static int admit_compared(struct cli *cli, struct candidate *candidate, const countersign_v1_Operator *admin,
                          struct cs_err *err)
{
    bool given = cli_args_option_at(&cli->args, "fingerprint", 0) != NULL;

    if (given && (!was_given(cli, candidate->identity_spki) || !was_given(cli, candidate->kem_spki)))
        return cs_err_set(
            err, CS_EAUTH,
            "the fingerprints that were given are not those of the keys that device %s enrolled: do not "
            "admit it, find out who did",
            candidate->name);
    if (!given && cli_args_flag(&cli->args, "yes"))
        return cs_err_set(
            err, CS_EINVAL,
            "nothing vouches for the keys of device %s: a person has to compare, so give both with "
            "--fingerprint, or leave --yes out",
            candidate->name);
    candidate->by_eye = !given;
    candidate->because = given ? "both fingerprints are those that were given"
                               : "NOBODY SAYS SO: compare both with `countersign-agent status` on the device";
    return admit(cli, candidate, admin, err);
}

static int admit_enrolment(struct cli *cli, const char *name,
                           const countersign_v1_GetEnrolmentResponse *enrolment, bool pending,
                           const countersign_v1_Operator *admin, struct cs_err *err)
{
    cs_auto_free countersign_v1_EnrolmentToken *token = CLI_NEW(countersign_v1_EnrolmentToken, err);
    struct candidate candidate = enrolled(name, enrolment);
    int rc = token ? cli_token_load(cli, name, token, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cli_admit_enrolled(cli, token, enrolment, admin, err);
    else if (rc == CS_ENOTFOUND && pending)
        rc = admit_compared(cli, &candidate, admin, err);
    else if (rc == CS_ENOTFOUND)
        cs_err_set(err, rc,
                   "the token of %s is not in this home folder: `countersign device admit %s --pending` "
                   "compares fingerprints instead",
                   name, name);
    if (token)
        cs_wipe(token, sizeof *token);
    return rc;
}

/* ---- devices that were admitted before */

/* CS_ERANGE: the controller gave an older admission than was seen here. */
static int check_renewal(struct cli *cli, const countersign_v1_GetDeviceResponse *reply,
                         const countersign_v1_GetEnrolmentResponse *enrolment, struct cs_device **ret,
                         struct cs_err *err)
{
    countersign_v1_DeviceRenewal renewal;
    int rc = cli_known_open(cli, reply, reply->device.name, ret, err);

    if (rc == CS_OK)
        rc = cs_device_check_renewal(*ret, CS_PB_BYTES(&enrolment->renewal), &renewal, err);
    if (rc == CS_OK &&
        !cs_slice_eq(CS_PB_BYTES(&renewal.identity_spki), CS_PB_BYTES(&enrolment->identity_spki)))
        rc = cs_err_set(err, CS_EAUTH, "the controller gave another key than the one that the renewal names");
    return rc;
}

/* Device-id and KEM key stay: they come from the admission, not from what the controller says. */
static int admit_renewal(struct cli *cli, const countersign_v1_GetDeviceResponse *reply,
                         const countersign_v1_GetEnrolmentResponse *enrolment, bool pending,
                         const countersign_v1_Operator *admin, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct candidate candidate = enrolled(reply->device.name, enrolment);
    const countersign_v1_Admission *before;
    char because[160], when[CS_TIME_TEXT_BYTES];
    int rc = check_renewal(cli, reply, enrolment, &device, err);

    /* Nothing that a person could compare makes up for that. */
    if (rc == CS_ERANGE)
        return rc;
    if (rc != CS_OK && pending)
        return admit_compared(cli, &candidate, admin, err);
    if (rc != CS_OK)
        return cs_err_prefix(err,
                             "nobody whom this policy knows vouches for the fresh key (--pending compares "
                             "fingerprints instead)");
    before = cs_device_admission(device);
    candidate.device_id = CS_PB_BYTES(&before->device_id);
    candidate.kem_spki = CS_PB_BYTES(&before->kem_spki);
    snprintf(because, sizeof because, "signed for by the key that %s admitted at %s, renewed %zu times since",
             before->admin, cs_time_text(before->admitted_at_s, when), cs_device_renewals(device));
    candidate.because = because;
    return admit(cli, &candidate, admin, err);
}

static int admit_again(struct cli *cli, const countersign_v1_GetDeviceResponse *reply,
                       const countersign_v1_Operator *admin, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    const countersign_v1_Admission *before;
    struct candidate candidate = {.name = reply->device.name};
    char because[160], when[CS_TIME_TEXT_BYTES];
    int rc = cli_known_open(cli, reply, reply->device.name, &device, err);

    if (rc != CS_OK)
        return rc;
    before = cs_device_admission(device);
    candidate.device_id = CS_PB_BYTES(&before->device_id);
    candidate.identity_spki = cs_device_identity(device);
    candidate.kem_spki = CS_PB_BYTES(&before->kem_spki);
    snprintf(because, sizeof because, "%s admitted them at %s, renewed %zu times since%s", before->admin,
             cs_time_text(before->admitted_at_s, when), cs_device_renewals(device),
             reply->device.banned        ? "; this lifts the BAN"
             : reply->device.quarantined ? "; this lifts the QUARANTINE"
                                         : "");
    candidate.because = because;
    return admit(cli, &candidate, admin, err);
}

/* ---- which of them it is */

static int get_enrolment(struct cli *cli, const char *name, countersign_v1_GetEnrolmentResponse **ret,
                         struct cs_err *err)
{
    cs_auto_free countersign_v1_GetEnrolmentResponse *reply =
        CLI_NEW(countersign_v1_GetEnrolmentResponse, err);
    countersign_v1_GetEnrolmentRequest request = {0};
    int rc = reply ? CS_OK : CS_ENOMEM;

    snprintf(request.device_name, sizeof request.device_name, "%s", name);
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_GetEnrolment, &request, reply, err);
    if (rc == CS_OK)
        *ret = cs_steal(reply);
    return rc;
}

static int refuse_unused(struct cli *cli, const char *name, struct cs_err *err)
{
    cli->failure = CLI_TIMED_OUT;
    return cs_err_set(err, CS_ETIMEOUT,
                      "device %s has not used its token yet: run `countersign-agent enrol` there, then "
                      "`countersign device admit %s`",
                      name, name);
}

static int admit_one(struct cli *cli, const char *name, bool pending, const countersign_v1_Operator *admin,
                     struct cs_err *err)
{
    cs_auto_free countersign_v1_GetEnrolmentResponse *enrolment = NULL;
    cs_auto_free countersign_v1_GetDeviceResponse *device = NULL;
    int rc = get_enrolment(cli, name, &enrolment, err);

    if (rc == CS_OK && enrolment->enrolled && !enrolment->admitted && enrolment->renewal.size == 0)
        return admit_enrolment(cli, name, enrolment, pending, admin, err);
    if (rc == CS_OK)
        rc = cli_fetch_device(cli, name, &device, err);
    if (rc == CS_ENOTFOUND && enrolment && !enrolment->enrolled)
        return refuse_unused(cli, name, err);
    if (rc != CS_OK)
        return rc;
    if (strcmp(device->device.name, name) != 0)
        return cs_err_set(err, CS_EAUTH, "the controller gave another device than %s", name);
    if (enrolment->renewal.size)
        return admit_renewal(cli, device, enrolment, pending, admin, err);
    /* A token that waits for its use comes before an admission that there is, unless that is to be lifted. */
    if (!enrolment->enrolled && !device->device.banned && !device->device.quarantined)
        return refuse_unused(cli, name, err);
    return admit_again(cli, device, admin, err);
}

/* ---- all that waits */

struct waiting {
    char (*names)[CS_LIMIT_NAME_BYTES + 1];
    size_t count;
};

static int add_waiting(struct waiting *waiting, const char *name, struct cs_err *err)
{
    void *grown = reallocarray(waiting->names, waiting->count + 1, sizeof waiting->names[0]);

    if (!grown)
        return cs_err_nomem(err);
    waiting->names = grown;
    snprintf(waiting->names[waiting->count++], sizeof waiting->names[0], "%s", name);
    return CS_OK;
}

static int find_waiting(struct cli *cli, struct waiting *waiting, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListDevicesResponse *reply = CLI_NEW(countersign_v1_ListDevicesResponse, err);
    countersign_v1_ListDevicesRequest request = {.limit = PAGE};
    int rc = reply ? CS_OK : CS_ENOMEM;

    while (rc == CS_OK) {
        rc = cli_call(cli, &cli_rpc_ListDevices, &request, reply, err);
        for (pb_size_t i = 0; rc == CS_OK && i < reply->devices_count; i++) {
            memcpy(request.after_name, reply->devices[i].name, sizeof request.after_name);
            if (reply->devices[i].waits_for_admission)
                rc = add_waiting(waiting, reply->devices[i].name, err);
        }
        if (!reply->more || !reply->devices_count)
            break;
    }
    return rc;
}

/* Fingerprints in full: they are compared. */
static int show_waiting(struct cli *cli, const struct waiting *waiting, struct cs_err *err)
{
    static const struct cli_column columns[] = {{"device", "DEVICE", false},
                                                {"waits", "WAITS AFTER", false},
                                                {"identity_key", "IDENTITY KEY (SHA-256)", false},
                                                {"kem_key", "KEM KEY (SHA-256)", false}};
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_table(doc, "waiting", columns, CS_ARRAY_LEN(columns), "No device waits for its admission.");
    for (size_t i = 0; i < waiting->count; i++) {
        cs_auto_free countersign_v1_GetEnrolmentResponse *enrolment = NULL;
        char identity[2 * CS_SHA256_BYTES + 1], kem[2 * CS_SHA256_BYTES + 1];
        struct cs_digest digest;
        int rc = get_enrolment(cli, waiting->names[i], &enrolment, err);

        if (rc != CS_OK)
            return rc;
        digest = cs_key_id(CS_PB_BYTES(&enrolment->identity_spki));
        cs_hex(cs_digest_slice(&digest), identity);
        digest = cs_key_id(CS_PB_BYTES(&enrolment->kem_spki));
        cs_hex(cs_digest_slice(&digest), kem);
        CLI_ROW(doc, cli_text(waiting->names[i]),
                cli_text(enrolment->renewal.size ? "late renewal" : "enrolment"), cli_text(identity),
                cli_text(kem));
    }
    return cli_write(cli, doc, err);
}

/* One "no" is not the end: the next is asked for. */
static int admit_waiting(struct cli *cli, const struct waiting *waiting, const countersign_v1_Operator *admin,
                         struct cs_err *err)
{
    int result = CS_OK;

    for (size_t i = 0; i < waiting->count; i++) {
        int rc = admit_one(cli, waiting->names[i], true, admin, err);

        if (rc != CS_OK && rc != CS_ECANCELLED)
            return rc;
        if (rc != CS_OK)
            result = rc;
    }
    return result;
}

int cli_device_admit(struct cli *cli, struct cs_err *err)
{
    const char *name = cli->args.operand_count ? cli->args.operands[0] : NULL;
    bool pending = cli_args_flag(&cli->args, "pending");
    const countersign_v1_Operator *admin;
    struct waiting waiting = {0};
    int rc;

    if (!name && !pending)
        return cli_usage(cli, err, "give the device's name, or --pending for all that waits");
    rc = name ? add_waiting(&waiting, name, err) : find_waiting(cli, &waiting, err);
    if (rc == CS_OK && !name)
        rc = show_waiting(cli, &waiting, err);
    if (rc == CS_OK && (name || waiting.count))
        rc = cli_signer(cli, countersign_v1_Role_ROLE_ADMIN, &admin, err);
    if (rc == CS_OK && name)
        rc = admit_one(cli, name, pending, admin, err);
    else if (rc == CS_OK && waiting.count)
        rc = admit_waiting(cli, &waiting, admin, err);
    free(waiting.names);
    return rc;
}
