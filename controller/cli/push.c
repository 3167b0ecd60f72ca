/* countersign push - a requester asks that a certificate be installed at its app connectors, and signs that.
 */
#include "controller/cli/push.h"
#include "controller/cli/attach_like.h"
#include "controller/cli/fetch.h"
#include "controller/cli/key_file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/seal.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#define HOUR_S ((int64_t)3600)

enum { WINDOW_HOURS = 24, DECIDE_BY_DAYS = 7, ATTEMPTS = 3, ATTEMPTS_MOST = 100 };

/* What the person asked for, and what came of it. */
struct pushing {
    const struct cli_push_wish *wish;
    countersign_v1_Certificate *certificate;
    struct cli_check_certificate checked;
    struct cli_topology attached;
    struct cli_push_place *asked; /* sorted; the strings are borrowed */
    size_t asked_count;
    countersign_v1_PreparePushRequest *prepare; /* its targets are --to, its groups --group; neither: every
                                                   attachment */
    countersign_v1_PreparePushResponse prepared;
    struct cli_fetched_cores cores;
    int64_t window_s, decide_by_s;
    uint64_t attempts;
    const char *comment;
    struct cs_buf pkcs8; /* with --key: sealed here, and wiped */
};

static void pushing_free(struct pushing *pushing)
{
    cli_fetched_cores_free(&pushing->cores);
    cli_check_certificate_free(&pushing->checked);
    free(pushing->certificate);
    cli_topology_free(&pushing->attached);
    free(pushing->asked);
    free(pushing->prepare);
    cs_buf_wipe(&pushing->pkcs8);
}

static int read_options(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    const char *attempts = cli_args_option(&cli->args, "attempts");
    int rc = cli_comment(cli, &pushing->comment, err);

    if (rc == CS_OK && !*pushing->comment && !cli_args_flag(&cli->args, "dry-run"))
        return cli_usage(cli, err, "say why: --comment TEXT; the people who decide read it");
    if (rc == CS_OK)
        rc = cli_duration(cli, "window", WINDOW_HOURS * HOUR_S, &pushing->window_s, err);
    if (rc == CS_OK)
        rc = cli_duration(cli, "decide-by", DECIDE_BY_DAYS * 24 * HOUR_S, &pushing->decide_by_s, err);
    pushing->attempts = ATTEMPTS;
    if (rc == CS_OK && attempts &&
        (cli_args_number(attempts, "", &pushing->attempts, NULL) != CS_OK ||
         pushing->attempts > ATTEMPTS_MOST))
        return cli_usage(cli, err, "--attempts is a number from 1 to %d", ATTEMPTS_MOST);
    return rc;
}

static int by_place(const void *a, const void *b)
{
    const struct cli_push_place *x = a, *y = b;
    int order = strcmp(x->device, y->device);

    return order ? order : strcmp(x->connector, y->connector);
}

static bool is_attached(const struct pushing *pushing, const char *device, const char *connector)
{
    for (size_t i = 0; i < pushing->attached.count; i++)
        if (strcmp(pushing->attached.rows[i].device_name, device) == 0 &&
            strcmp(pushing->attached.rows[i].connector, connector) == 0)
            return true;
    return false;
}

static bool is_given(const countersign_v1_PreparePushRequest *prepare, const char *device,
                     const char *connector)
{
    for (pb_size_t i = 0; i < prepare->targets_count; i++)
        if (strcmp(prepare->targets[i].device_name, device) == 0 &&
            strcmp(prepare->targets[i].connector, connector) == 0)
            return true;
    return false;
}

static int add_place(struct cli *cli, struct pushing *pushing, const char *device, const char *connector,
                     struct cs_err *err)
{
    countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    countersign_v1_PushTarget target = {0};

    if (strlen(device) >= sizeof target.device_name || strlen(connector) >= sizeof target.connector)
        return cli_usage(cli, err, "%.60s/%.60s is no app connector", device, connector);
    memcpy(target.device_name, device, strlen(device));
    memcpy(target.connector, connector, strlen(connector));
    if (is_given(prepare, device, connector))
        return cli_usage(cli, err, "--to %s/%s is given twice", device, connector);
    if (!is_attached(pushing, device, connector))
        return cs_err_set(err, CS_ESTATE,
                          "\"%.60s\" is not attached to %s/%s: countersign cert attach \"%.60s\" %s %s",
                          pushing->certificate->common_name, device, connector,
                          pushing->certificate->common_name, device, connector);
    if (prepare->targets_count == CS_ARRAY_LEN(prepare->targets))
        return cli_usage(cli, err, "at most %zu --to can be given; without any, every app connector is meant",
                         CS_ARRAY_LEN(prepare->targets));
    prepare->targets[prepare->targets_count++] = target;
    return CS_OK;
}

/* In the order of their numbers, as they are signed. */
static pb_size_t read_overrides(struct cli *cli, countersign_v1_Override ret[2])
{
    pb_size_t count = 0;

    if (cli_args_flag(&cli->args, "even-expired"))
        ret[count++] = countersign_v1_Override_OVERRIDE_EXPIRED;
    if (cli_args_flag(&cli->args, "even-revoked"))
        ret[count++] = countersign_v1_Override_OVERRIDE_REVOKED;
    return count;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* One --group NAME: who is in it is the controller's word, so the person sees every place before signing. */
static int add_group(struct cli *cli, struct pushing *pushing, const char *group, bool *wanted,
                     struct cs_err *err)
{
    countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    cs_auto_free cli_device_name *names = NULL;
    size_t count = 0, found = 0;
    int rc = cs_name_check(cs_slice_str(group), "--group", err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (prepare->groups_count == CS_ARRAY_LEN(prepare->groups))
        return cli_usage(cli, err, "at most %zu --group can be given", CS_ARRAY_LEN(prepare->groups));
    snprintf(prepare->groups[prepare->groups_count++], sizeof prepare->groups[0], "%s", group);
    rc = cli_fetch_group(cli, group, &names, &count, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < pushing->attached.count; i++)
        if (count && bsearch(pushing->attached.rows[i].device_name, names, count, sizeof *names, by_name)) {
            wanted[i] = true;
            found++;
        }
    return found
               ? CS_OK
               : cs_err_set(err, CS_ESTATE,
                            "\"%.60s\" is attached to none of the %zu devices in the group %s: `countersign "
                            "device group` puts devices into groups, `countersign cert attach` attaches",
                            pushing->certificate->common_name, count, group);
}

/* What was asked for, sorted: the targets and `wanted`, or everything. */
static void find_places(struct pushing *pushing, const bool *wanted)
{
    const countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    const bool all = prepare->targets_count == 0 && prepare->groups_count == 0;

    for (size_t i = 0; i < pushing->attached.count; i++) {
        const countersign_v1_TopologyRow *row = &pushing->attached.rows[i];

        if (all || wanted[i] || is_given(prepare, row->device_name, row->connector))
            pushing->asked[pushing->asked_count++] =
                (struct cli_push_place){row->device_name, row->connector, false};
    }
    qsort(pushing->asked, pushing->asked_count, sizeof *pushing->asked, by_place);
}

/* One --to DEVICE/CONNECTOR. */
static int add_target(struct cli *cli, struct pushing *pushing, const char *text, struct cs_err *err)
{
    const char *slash = strchr(text, '/');
    char device[CS_LIMIT_NAME_BYTES + 1];

    if (!slash || (size_t)(slash - text) >= sizeof device)
        return cli_usage(cli, err, "--to \"%.80s\" is not of the form DEVICE/CONNECTOR", text);
    memcpy(device, text, (size_t)(slash - text));
    device[slash - text] = '\0';
    return add_place(cli, pushing, device, slash + 1, err);
}

static int read_places(struct cli *cli, struct pushing *pushing, bool *wanted, struct cs_err *err)
{
    const char *to, *group;
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && (to = cli_args_option_at(&cli->args, "to", i)) != NULL; i++)
        rc = add_target(cli, pushing, to, err);
    for (size_t i = 0; rc == CS_OK && (group = cli_args_option_at(&cli->args, "group", i)) != NULL; i++)
        rc = add_group(cli, pushing, group, wanted, err);
    return rc;
}

static int find_targets(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    cs_auto_free bool *wanted = NULL;
    int rc = cli_fetch_topology(cli, CS_PB_BYTES(&pushing->certificate->id), &pushing->attached, NULL, err);

    if (rc != CS_OK)
        return rc;
    if (pushing->attached.count == 0)
        return cs_err_set(
            err, CS_ESTATE,
            "\"%.80s\" is not attached to any app connector, so there is nowhere to push it: `countersign "
            "device list` shows the connectors, `countersign cert attach CERT DEVICE CONNECTOR` attaches",
            pushing->certificate->common_name);
    pushing->prepare = CLI_NEW(countersign_v1_PreparePushRequest, err);
    pushing->asked = calloc(pushing->attached.count, sizeof *pushing->asked);
    wanted = calloc(pushing->attached.count, sizeof *wanted);
    if (!pushing->prepare || !pushing->asked || !wanted)
        return cs_err_nomem(err);
    pushing->prepare->action = countersign_v1_Action_ACTION_INSTALL;
    if (pushing->pkcs8.len)
        pushing->prepare->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    CS_PB_SET(&pushing->prepare->certificate_id, CS_PB_BYTES(&pushing->certificate->id));
    pushing->prepare->overrides_count = read_overrides(cli, pushing->prepare->overrides);
    if (pushing->wish->device)
        rc = add_place(cli, pushing, pushing->wish->device, pushing->wish->connector, err);
    else
        rc = read_places(cli, pushing, wanted, err);
    find_places(pushing, wanted);
    return rc;
}

/* --key: the person brings the key, and nobody but the devices is to see it. */
static int look_at_key(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    const char *path = cli_args_option(&cli->args, "key");
    const countersign_v1_Certificate *certificate = pushing->certificate;
    int rc;

    if (!path && certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_NONE)
        return cs_err_set(
            err, CS_ESTATE,
            "the controller has no private key for \"%.80s\": give --key FILE to seal it to the "
            "devices, or import the certificate again with --key FILE",
            certificate->common_name);
    if (!path)
        return CS_OK;
    if (certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_ON_DEVICE)
        return cs_err_set(err, CS_ESTATE,
                          "the key of \"%.80s\" was made on %s and is nowhere else: leave --key out",
                          certificate->common_name, certificate->device_name);
    rc = cli_key_file_read(cli, path, "key-passphrase-file", &pushing->pkcs8, err);
    if (rc == CS_OK)
        rc = cs_chain_check_key(pushing->checked.chain, cs_buf_slice(&pushing->pkcs8), err);
    if (rc == CS_EAUTH && pushing->pkcs8.len)
        cs_err_set(err, rc, "the private key in %.120s does not belong to \"%.80s\": nothing was sealed",
                   path, certificate->common_name);
    return rc;
}

/* Every core says that the key comes as it was asked for. */
static int check_key_modes(const struct pushing *pushing, struct cs_err *err)
{
    countersign_v1_KeyMode expected =
        pushing->pkcs8.len ? countersign_v1_KeyMode_KEY_MODE_SEALED : pushing->certificate->key_mode;

    for (size_t i = 0; i < pushing->cores.count; i++)
        if (pushing->cores.cores[i]->key_mode != expected)
            return cs_err_set(err, CS_EAUTH,
                              "WO-%llu brings its private key in another way than was asked for: nothing was "
                              "signed",
                              (unsigned long long)pushing->cores.cores[i]->number);
    return CS_OK;
}

static int look_at_certificate(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    int rc = cli_fetch_certificate(cli, pushing->wish->certificate, &pushing->certificate, err);

    if (rc == CS_OK)
        rc = cli_fetch_chain(cli, CS_PB_BYTES(&pushing->certificate->id), &pushing->checked, err);
    if (rc != CS_OK)
        return rc;
    if (pushing->checked.leaf.not_after_s < cli->now_s && !cli_args_flag(&cli->args, "even-expired") &&
        !cli_args_flag(&cli->args, "dry-run"))
        return cs_err_set(err, CS_ESTATE,
                          "\"%.80s\" has expired: give --even-expired if it must be pushed all the same",
                          pushing->certificate->common_name);
    return CS_OK;
}

static int check_target(const countersign_v1_OrderCore *core, struct cli_push_place *places, size_t count,
                        struct cs_err *err)
{
    const struct cli_push_place wanted = {core->device_name, core->connector, false};
    struct cli_push_place *place = bsearch(&wanted, places, count, sizeof *places, by_place);

    if (core->action != countersign_v1_Action_ACTION_INSTALL || !place)
        return cs_err_set(err, CS_EAUTH,
                          "the controller made a work order that was not asked for (%s %s/%s): nothing "
                          "was signed",
                          cli_show_action_word(core->action), core->device_name, core->connector);
    if (core->expects.size != 0)
        return cs_err_set(err, CS_EAUTH,
                          "WO-%llu replaces only one certain certificate, which was not asked for: "
                          "nothing was signed",
                          (unsigned long long)core->number);
    if (place->taken)
        return cs_err_set(err, CS_EAUTH, "the controller made two work orders for %s/%s: nothing was signed",
                          core->device_name, core->connector);
    place->taken = true;
    return CS_OK;
}

/* Every order is one that was asked for, none twice, none missing. */
static int check_targets(const struct pushing *pushing, struct cs_err *err)
{
    const struct cli_fetched_cores *cores = &pushing->cores;
    int rc = CS_OK;

    if (cores->count != pushing->asked_count)
        return cs_err_set(err, CS_EAUTH,
                          "%zu app connectors were asked for, the controller made %zu work orders: nothing "
                          "was signed",
                          pushing->asked_count, cores->count);
    for (size_t i = 0; rc == CS_OK && i < cores->count; i++)
        rc = check_target(cores->cores[i], pushing->asked, pushing->asked_count, err);
    return rc;
}

static int prepare_push(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    int rc = cli_call(cli, &cli_rpc_PreparePush, pushing->prepare, &pushing->prepared, err);

    if (rc == CS_OK)
        rc = cli_fetch_cores(cli, pushing->prepared.number, pushing->prepared.order_count, &pushing->cores,
                             err);
    if (rc == CS_OK)
        rc = check_targets(pushing, err);
    if (rc == CS_OK)
        rc = check_key_modes(pushing, err);
    return rc == CS_OK ? cli_fetch_check_cores(cli, &pushing->cores, &pushing->checked, true, err) : rc;
}

static void compose_request(struct cli *cli, const struct pushing *pushing,
                            const countersign_v1_Operator *requester, countersign_v1_PushRequest *ret)
{
    struct cs_digest root = cli_check_root_of(pushing->cores.bytes, pushing->cores.count);
    struct cs_digest comment = cs_sha256(cs_slice_str(pushing->comment));

    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(cli->home.pin.deployment_id));
    ret->policy_version = cs_policy_version(cli->policy);
    memcpy(ret->requester, requester->name, sizeof ret->requester);
    CS_PB_SET(&ret->request_id, CS_PB_BYTES(&pushing->prepared.request_id));
    ret->number = pushing->prepared.number;
    ret->requested_at_s = cli->now_s;
    ret->decide_by_s = cli->now_s + pushing->decide_by_s;
    ret->window_s = pushing->window_s;
    ret->max_attempts = (uint32_t)pushing->attempts;
    ret->overrides_count = read_overrides(cli, ret->overrides);
    CS_PB_SET(&ret->order_root, cs_digest_slice(&root));
    ret->order_count = (uint32_t)pushing->cores.count;
    CS_PB_SET(&ret->comment_digest, cs_digest_slice(&comment));
}

static void show_note(struct cli_doc *doc, const struct pushing *pushing)
{
    if (pushing->wish->note)
        cli_field(doc, "roll_back", "Roll back", cli_text(pushing->wish->note));
}

static int sign_and_submit(struct cli *cli, const struct pushing *pushing,
                           const countersign_v1_Operator *requester, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto_free countersign_v1_PushRequest *request = CLI_NEW(countersign_v1_PushRequest, err);
    cs_auto_free countersign_v1_PushRequest *decoded = NULL;
    cs_auto_free countersign_v1_SubmitPushRequest *submit = CLI_NEW(countersign_v1_SubmitPushRequest, err);
    countersign_v1_SubmitPushResponse reply;
    struct cs_buf payload = CS_BUF_EMPTY, envelope = CS_BUF_EMPTY;
    int rc;

    if (!request || !submit)
        return CS_ENOMEM;
    compose_request(cli, pushing, requester, request);
    rc = cs_message_encode(countersign_v1_PushRequest_fields, request, &payload, err);
    if (rc == CS_OK)
        rc = cs_request_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc == CS_OK) {
        show_note(statement, pushing);
        cli_show_push_request(statement, decoded, pushing->comment);
        cli_show_certificate(statement, &pushing->checked);
        cli_show_cores(statement, pushing->cores.cores, pushing->cores.count);
        if (pushing->prepare->groups_count)
            cli_hint(statement,
                     "Who is in a group is the controller's word: sign if this list is what you mean.");
        rc = cli_sign(cli, CS_STATEMENT_PUSH_REQUEST, cs_buf_slice(&payload), statement, requester, &envelope,
                      err);
    }
    if (rc == CS_OK && pushing->pkcs8.len)
        rc =
            cli_seal_keys(cli, pushing->prepared.number, &pushing->cores, cs_buf_slice(&pushing->pkcs8), err);
    if (rc == CS_OK) {
        CS_PB_SET(&submit->envelope, cs_buf_slice(&envelope));
        snprintf(submit->comment, sizeof submit->comment, "%s", pushing->comment);
        rc = cli_call(cli, &cli_rpc_SubmitPush, submit, &reply, err);
    }
    cs_buf_free(&payload);
    cs_buf_free(&envelope);
    return rc;
}

static int print_pushed(struct cli *cli, const struct pushing *pushing, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    char number[CLI_TEXT_BYTES];
    size_t count;
    int rc = cli_fetch_orders(cli, pushing->prepared.number, &orders, &count, err);

    if (rc != CS_OK)
        return rc;
    cli_show_request_number(pushing->prepared.number, number);
    cli_field(doc, "request", "Request", cli_tinted(number, CLI_BOLD));
    cli_field(doc, "number", "Number", cli_number(pushing->prepared.number));
    cli_order_table(doc, orders, count);
    cli_hint(doc, "Next: countersign approve %s --manual --as APPROVER", number);
    return cli_write(cli, doc, err);
}

/* The overrides that the certificate needs now: its dates are its own, that it is revoked the controller
 * says. */
static void show_overrides(struct cli *cli, struct cli_doc *doc, const struct pushing *pushing)
{
    if (pushing->checked.leaf.not_after_s < cli->now_s)
        cli_field(doc, "override", "Override", cli_tinted("it has expired: --even-expired", CLI_RED));
    if (pushing->certificate->colour == countersign_v1_Colour_COLOUR_BLACK)
        cli_field(doc, "override_revoked", "Override", cli_tinted("it is revoked: --even-revoked", CLI_RED));
}

/* Nothing is asked of the controller that it would remember, and nothing is signed. */
static int dry_run(struct cli *cli, const struct pushing *pushing, const countersign_v1_Operator *requester,
                   struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const struct cs_policy *policy;
    int rc = cli_policy(cli, &policy, err);

    if (rc != CS_OK)
        return rc;
    show_note(doc, pushing);
    cli_show_certificate(doc, &pushing->checked);
    show_overrides(cli, doc, pushing);
    cli_field(doc, "requester", "Requester", cli_text(requester->name));
    cli_field(doc, "orders", "Work orders", cli_number(pushing->asked_count));
    cli_field(doc, "policy_version", "Trust policy", cli_number(cs_policy_version(policy)));
    cli_show_needs(doc, policy, &pushing->checked.leaf, pushing->asked, pushing->asked_count,
                   requester->name);
    cli_hint(doc,
             "Nothing was signed, nothing was sent. The rules are those of your own verified trust policy.");
    return cli_write(cli, doc, err);
}

static int ask_for_it(struct cli *cli, struct pushing *pushing, const countersign_v1_Operator *requester,
                      struct cs_err *err)
{
    int rc = prepare_push(cli, pushing, err);

    if (rc == CS_OK)
        rc = sign_and_submit(cli, pushing, requester, err);
    if (rc != CS_OK)
        return rc;
    return cli_args_flag(&cli->args, "wait") ? cli_wait_for(cli, pushing->prepared.number, err)
                                             : print_pushed(cli, pushing, err);
}

int cli_push(struct cli *cli, const struct cli_push_wish *wish, struct cs_err *err)
{
    struct pushing pushing = {.wish = wish};
    const countersign_v1_Operator *requester;
    int rc = read_options(cli, &pushing, err);

    if (rc == CS_OK)
        rc = cli_signer(cli, countersign_v1_Role_ROLE_REQUESTER, &requester, err);
    if (rc == CS_OK)
        rc = look_at_certificate(cli, &pushing, err);
    if (rc == CS_OK)
        rc = look_at_key(cli, &pushing, err);
    if (rc == CS_OK && wish->like)
        rc = cli_attach_like(cli, pushing.certificate, err);
    if (rc == CS_OK)
        rc = find_targets(cli, &pushing, err);
    if (rc == CS_OK)
        rc = cli_args_flag(&cli->args, "dry-run") ? dry_run(cli, &pushing, requester, err)
                                                  : ask_for_it(cli, &pushing, requester, err);
    pushing_free(&pushing);
    return rc;
}

int cli_push_run(struct cli *cli, struct cs_err *err)
{
    const struct cli_push_wish wish = {.certificate = cli->args.operands[0], .like = true};

    return cli_push(cli, &wish, err);
}
