/* countersign cert request, requests, csr - keys that devices make, and the CSRs that they answer with. */
#include "controller/cli/fetch.h"
#include "controller/cli/file.h"
#include "controller/cli/known.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <time.h>

enum { EXPIRES_S = 7 * 24 * 3600, FIRST_PAUSE_MS = 50, LONGEST_PAUSE_MS = 1000, LEAST_PREFIX_DIGITS = 4 };

#define STATE(name) countersign_v1_KeyRequestState_KEY_REQUEST_STATE_##name

/* ---- request */

/* What is asked for, and of whom. */
struct asking {
    countersign_v1_GetDeviceResponse *device;
    struct cs_device *known;                   /* by its admission and renewals */
    const countersign_v1_Admission *admission; /* of `known` */
    countersign_v1_KeyRequest *request;
};

static void asking_free(struct asking *asking)
{
    free(asking->device);
    cs_device_free(asking->known);
    free(asking->request);
}

static int copy_option(struct cli *cli, const char *option, char *out, size_t size, struct cs_err *err)
{
    const char *value = cli_args_option(&cli->args, option);

    if (!value || !*value)
        return cli_usage(
            cli, err, "give --%s: a key is made for one app connector of one device, and one name", option);
    if (strlen(value) >= size)
        return cli_usage(cli, err, "--%s has at most %zu characters", option, size - 1);
    memcpy(out, value, strlen(value) + 1);
    return CS_OK;
}

static int read_names(struct cli *cli, countersign_v1_KeyRequest *request, struct cs_err *err)
{
    const char *name;
    int rc = copy_option(cli, "name", request->common_name, sizeof request->common_name, err);

    for (size_t i = 0; rc == CS_OK && (name = cli_args_option_at(&cli->args, "dns", i)) != NULL; i++) {
        if (i == CS_ARRAY_LEN(request->dns_names))
            return cli_usage(cli, err, "at most %zu --dns can be given", i);
        if (strlen(name) >= sizeof request->dns_names[0] || cs_csr_check_dns_name(name, err) != CS_OK)
            return cli_usage(cli, err, "--dns \"%.80s\" is not a DNS name", name);
        memcpy(request->dns_names[request->dns_names_count++], name, strlen(name) + 1);
    }
    return rc;
}

/* The device itself says that it has the connector, and that its agent knows what a key request is. */
static int check_device(const struct asking *asking, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceAdvertisement *said = NULL;
    const char *type = cs_statement_type(CS_STATEMENT_KEY_REQUEST);
    bool has_connector = false, knows = false;
    int rc = cli_check_advertisement(asking->known, CS_PB_BYTES(&asking->device->advertisement), &said, err);

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < said->connectors_count; i++)
        has_connector |= strcmp(said->connectors[i].name, asking->request->connector) == 0;
    for (pb_size_t i = 0; i < said->payload_types_count; i++)
        knows |= strcmp(said->payload_types[i], type) == 0;
    if (!has_connector)
        return cs_err_set(err, CS_ENOTFOUND, "device %s does not say that it has an app connector %s",
                          asking->admission->device_name, asking->request->connector);
    if (!knows)
        return cs_err_set(err, CS_EUNSUPPORTED, "the agent of device %s (%s) cannot make keys on request",
                          asking->admission->device_name, said->agent_version);
    return CS_OK;
}

static int compose(struct cli *cli, const countersign_v1_Operator *requester, struct asking *asking,
                   struct cs_err *err)
{
    countersign_v1_KeyRequest *request = asking->request;
    int64_t expires_s;
    int rc = cli_duration(cli, "expires", EXPIRES_S, &expires_s, err);

    CS_PB_SET(&request->deployment_id, CS_SLICE_ARRAY(cli->home.pin.deployment_id));
    request->policy_version = cs_policy_version(cli->policy);
    memcpy(request->requester, requester->name, sizeof request->requester);
    request->key_request_id.size = sizeof request->key_request_id.bytes;
    cs_random(request->key_request_id.bytes, sizeof request->key_request_id.bytes);
    CS_PB_SET(&request->device_id, CS_PB_BYTES(&asking->admission->device_id));
    request->requested_at_s = cli->now_s;
    request->expires_at_s = cli->now_s + expires_s;
    return rc;
}

static int prepare(struct cli *cli, const countersign_v1_Operator *requester, struct asking *asking,
                   struct cs_err *err)
{
    char device[sizeof(asking->device->device.name)];
    int rc;

    asking->request = CLI_NEW(countersign_v1_KeyRequest, err);
    if (!asking->request)
        return CS_ENOMEM;
    rc = copy_option(cli, "device", device, sizeof device, err);
    if (rc == CS_OK)
        rc =
            copy_option(cli, "connector", asking->request->connector, sizeof asking->request->connector, err);
    if (rc == CS_OK)
        rc = read_names(cli, asking->request, err);
    if (rc == CS_OK)
        rc = cli_fetch_device(cli, device, &asking->device, err);
    if (rc == CS_OK)
        rc = cli_known_open(cli, asking->device, device, &asking->known, err);
    if (rc == CS_OK) {
        asking->admission = cs_device_admission(asking->known);
        rc = check_device(asking, err);
    }
    return rc == CS_OK ? compose(cli, requester, asking, err) : rc;
}

static int sign_and_send(struct cli *cli, const countersign_v1_Operator *requester,
                         const struct asking *asking, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto_free countersign_v1_RequestKeyRequest *send = CLI_NEW(countersign_v1_RequestKeyRequest, err);
    cs_auto_free countersign_v1_KeyRequest *decoded = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    countersign_v1_RequestKeyResponse reply;
    int rc = send ? cs_message_encode(countersign_v1_KeyRequest_fields, asking->request, &payload, err)
                  : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cs_key_request_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc == CS_OK) {
        cli_show_key_request(statement, asking->admission->device_name, decoded);
        rc = cli_sign(cli, CS_STATEMENT_KEY_REQUEST, cs_buf_slice(&payload), statement, requester, &envelope,
                      err);
    }
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&send->envelope, cs_buf_slice(&envelope));
    return cli_call(cli, &cli_rpc_RequestKey, send, &reply, err);
}

static int fetch(struct cli *cli, struct cs_slice id, countersign_v1_GetKeyRequestResponse *ret,
                 struct cs_err *err)
{
    countersign_v1_GetKeyRequestRequest request = {0};

    CS_PB_SET(&request.key_request_id, id);
    return cli_call(cli, &cli_rpc_GetKeyRequest, &request, ret, err);
}

static int wait_for_answer(struct cli *cli, struct cs_slice id, countersign_v1_GetKeyRequestResponse *ret,
                           struct cs_err *err)
{
    long pause_ms = FIRST_PAUSE_MS;
    int64_t timeout_s = 0;
    int64_t until_s;
    int rc = cli_duration(cli, "timeout", 0, &timeout_s, err);

    until_s = timeout_s ? time(NULL) + timeout_s : INT64_MAX;
    while (rc == CS_OK && ret->info.state == STATE(WAITING)) {
        const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000L};

        if (time(NULL) >= until_s) {
            cli->failure = CLI_TIMED_OUT;
            return cs_err_set(err, CS_ETIMEOUT,
                              "device %s has not answered within --timeout: countersign cert requests",
                              ret->info.device_name);
        }
        nanosleep(&pause, NULL);
        pause_ms = 2 * pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : 2 * pause_ms;
        rc = fetch(cli, id, ret, err);
    }
    return rc;
}

static int print_request(struct cli *cli, const countersign_v1_KeyRequestInfo *info, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    char place[CLI_TEXT_BYTES], id[33];

    cli_field(doc, "key_request_id", "Key request", cli_hex(CS_PB_BYTES(&info->key_request_id)));
    cli_field(doc, "connector", "For",
              cli_tinted(cli_show_target(info->device_name, info->connector, place), CLI_BOLD));
    cli_field(doc, "common_name", "Common name", cli_text(info->common_name));
    cli_field(doc, "state", "State",
              cli_tinted(cli_show_key_request_state(cli->style, info->state),
                         cli_show_key_request_tint(info->state)));
    if (info->reason[0])
        cli_field(doc, "reason", "Reason", cli_text(info->reason));
    cli_field(doc, "expires_at", "Expires", cli_time(info->expires_at_s));
    if (info->state == STATE(WAITING) || info->state == STATE(ANSWERED))
        cli_hint(doc, "Next: countersign cert csr %.12s --out FILE",
                 cs_hex(CS_PB_BYTES(&info->key_request_id), id));
    return cli_write(cli, doc, err);
}

int cli_cert_request(struct cli *cli, struct cs_err *err)
{
    cs_auto(asking_free) struct asking asking = {0};
    cs_auto_free countersign_v1_GetKeyRequestResponse *answer =
        CLI_NEW(countersign_v1_GetKeyRequestResponse, err);
    const countersign_v1_Operator *requester;
    int rc = answer ? cli_signer(cli, countersign_v1_Role_ROLE_REQUESTER, &requester, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = prepare(cli, requester, &asking, err);
    if (rc == CS_OK)
        rc = sign_and_send(cli, requester, &asking, err);
    if (rc == CS_OK)
        rc = fetch(cli, CS_PB_BYTES(&asking.request->key_request_id), answer, err);
    if (rc == CS_OK && cli_args_flag(&cli->args, "wait"))
        rc = wait_for_answer(cli, CS_PB_BYTES(&asking.request->key_request_id), answer, err);
    if (rc == CS_OK)
        rc = print_request(cli, &answer->info, err);
    if (rc == CS_OK && (answer->info.state == STATE(REFUSED) || answer->info.state == STATE(EXPIRED)))
        return cs_err_set(err, CS_EDENIED, "device %.63s made no key: %.300s", answer->info.device_name,
                          answer->info.reason);
    return rc;
}

/* ---- requests */

/* Every key request to `each`, page by page. */
static int for_each(struct cli *cli, int (*each)(void *data, const countersign_v1_KeyRequestInfo *info),
                    void *data, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListKeyRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListKeyRequestsResponse, err);
    countersign_v1_ListKeyRequestsRequest ask = {0};
    int rc = reply ? CS_OK : CS_ENOMEM;

    do {
        if (rc == CS_OK)
            rc = cli_call(cli, &cli_rpc_ListKeyRequests, &ask, reply, err);
        for (pb_size_t i = 0; rc == CS_OK && i < reply->requests_count; i++) {
            rc = each(data, &reply->requests[i]);
            CS_PB_SET(&ask.after_id, CS_PB_BYTES(&reply->requests[i].key_request_id));
        }
    } while (rc == CS_OK && reply->more && reply->requests_count);
    return rc;
}

struct listing {
    struct cli *cli;
    struct cli_doc *doc;
};

static int list_one(void *data, const countersign_v1_KeyRequestInfo *info)
{
    const struct listing *listing = data;

    CLI_ROW(listing->doc, cli_hex(CS_PB_BYTES(&info->key_request_id)), cli_text(info->device_name),
            cli_text(info->connector), cli_text(info->common_name),
            cli_tinted(cli_show_key_request_state(listing->cli->style, info->state),
                       cli_show_key_request_tint(info->state)),
            cli_text(info->reason), cli_text(info->requester), cli_time(info->requested_at_s),
            cli_time(info->expires_at_s), cli_hex(CS_PB_BYTES(&info->certificate_id)));
    return CS_OK;
}

int cli_cert_requests(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"key_request_id", "KEY REQUEST", false},
        {"device", "DEVICE", false},
        {"connector", "CONNECTOR", false},
        {"common_name", "COMMON NAME", false},
        {"state", "STATE", false},
        {"reason", "REASON", false},
        {"requester", "REQUESTER", false},
        {"requested_at", "REQUESTED", false},
        {"expires_at", "EXPIRES", false},
        {"certificate_id", "CERTIFICATE", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct listing listing = {cli, doc};
    int rc;

    cli_table(doc, "key_requests", columns, CS_ARRAY_LEN(columns),
              "There are no key requests: countersign cert request --device NAME --connector NAME --name CN");
    rc = for_each(cli, list_one, &listing, err);
    return rc == CS_OK ? cli_write(cli, doc, err) : rc;
}

/* ---- csr */

struct lookup {
    const char *prefix;
    countersign_v1_KeyRequestInfo first;
    unsigned count;
};

static int look_at(void *data, const countersign_v1_KeyRequestInfo *info)
{
    struct lookup *lookup = data;
    char id[33];

    cs_hex(CS_PB_BYTES(&info->key_request_id), id);
    if (strncasecmp(id, lookup->prefix, strlen(lookup->prefix)) == 0 && lookup->count++ == 0)
        lookup->first = *info;
    return CS_OK;
}

static int find(struct cli *cli, const char *prefix, struct lookup *lookup, struct cs_err *err)
{
    int rc;

    if (strlen(prefix) < LEAST_PREFIX_DIGITS || prefix[strspn(prefix, "0123456789abcdefABCDEF")] != '\0')
        return cli_usage(cli, err,
                         "a key request is named by at least %d digits of its id: "
                         "`countersign cert requests` shows them",
                         LEAST_PREFIX_DIGITS);
    *lookup = (struct lookup){.prefix = prefix};
    rc = for_each(cli, look_at, lookup, err);
    if (rc == CS_OK && lookup->count == 0)
        rc =
            cs_err_set(err, CS_ENOTFOUND,
                       "no key request begins with \"%.40s\": `countersign cert requests` shows all", prefix);
    if (rc == CS_OK && lookup->count > 1)
        rc = cs_err_set(err, CS_EINVAL, "%u key requests begin with \"%.40s\": give more digits",
                        lookup->count, prefix);
    return rc;
}

/* What the device answered, believed for its signature and for what was asked of it, which a requester
 * signed.
 */
static int verified_csr(struct cli *cli, const countersign_v1_KeyRequestInfo *info,
                        countersign_v1_KeyRequest **ret_request, countersign_v1_DeviceCsr **ret,
                        struct cs_err *err)
{
    cs_auto_free countersign_v1_GetKeyRequestResponse *reply =
        CLI_NEW(countersign_v1_GetKeyRequestResponse, err);
    cs_auto_free countersign_v1_GetDeviceResponse *device = NULL;
    cs_auto(cs_device_freep) struct cs_device *known = NULL;
    cs_auto_free countersign_v1_KeyRequest *request = NULL;
    const struct cs_policy *policy;
    struct cs_digest digest;
    int rc = reply ? cli_policy(cli, &policy, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = fetch(cli, CS_PB_BYTES(&info->key_request_id), reply, err);
    if (rc == CS_OK)
        rc = cli_check_key_request(policy, CS_PB_BYTES(&reply->request), CS_PB_BYTES(&info->key_request_id),
                                   &request, &digest, err);
    if (rc == CS_OK && reply->csr.size == 0)
        rc = cs_err_set(err, CS_ENOTFOUND, "there is no CSR: %s%s%s",
                        cli_show_key_request_state(cli->ask_style, reply->info.state),
                        reply->info.reason[0] ? ": " : "", reply->info.reason);
    if (rc == CS_OK)
        rc = cli_fetch_device(cli, info->device_name, &device, err);
    if (rc == CS_OK)
        rc = cli_known_open(cli, device, info->device_name, &known, err);
    if (rc == CS_OK)
        rc = cli_check_csr(known, request, &digest, CS_PB_BYTES(&reply->csr), ret, err);
    if (rc == CS_OK)
        *ret_request = cs_steal(request);
    return rc;
}

/* Nothing of it is the controller's word: the device has this name by its admission. */
static int write_csr(struct cli *cli, const char *device_name, const countersign_v1_KeyRequest *request,
                     struct cs_slice pem, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const char *path = cli_args_option(&cli->args, "out");
    char place[CLI_TEXT_BYTES];
    int rc = path ? cli_file_write(path, 0644, pem, err) : CS_OK;

    if (rc != CS_OK)
        return rc;
    if (!path && !cli->style.json) {
        fwrite(pem.ptr, 1, pem.len, stdout);
        return fflush(stdout) == 0 ? CS_OK : cs_err_set(err, CS_EIO, "writing the result failed");
    }
    cli_field(doc, "key_request_id", "Key request", cli_hex(CS_PB_BYTES(&request->key_request_id)));
    cli_field(doc, "connector", "Key made for",
              cli_tinted(cli_show_target(device_name, request->connector, place), CLI_BOLD));
    cli_field(doc, "common_name", "Common name", cli_text(request->common_name));
    cli_field(doc, "signature", "CSR",
              cli_tinted("signed by its key, and stated by the device's admitted identity key", CLI_GREEN));
    if (path)
        cli_field(doc, "file", "Written to", cli_text(path));
    else
        cli_field(doc, "pem", "PEM", (struct cli_value){CLI_TEXT, CLI_PLAIN, pem, 0});
    cli_hint(doc, "Next: have your CA issue a certificate for it, then countersign cert import ANSWER.pem");
    return cli_write(cli, doc, err);
}

int cli_cert_csr(struct cli *cli, struct cs_err *err)
{
    cs_auto_free struct lookup *lookup = CLI_NEW(struct lookup, err);
    cs_auto_free countersign_v1_KeyRequest *request = NULL;
    cs_auto_free countersign_v1_DeviceCsr *csr = NULL;
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    int rc = lookup ? find(cli, cli->args.operands[0], lookup, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = verified_csr(cli, &lookup->first, &request, &csr, err);
    if (rc == CS_OK)
        rc = cs_pem_write("CERTIFICATE REQUEST", CS_PB_BYTES(&csr->csr), &pem, err);
    return rc == CS_OK ? write_csr(cli, lookup->first.device_name, request, cs_buf_slice(&pem), err) : rc;
}
