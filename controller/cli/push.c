/* countersign push, remove - a requester asks that a certificate be installed at its app connectors, or
 * removed from them, and signs that. What `roll-back` asks for goes the same way. */
#include "controller/cli/attach_like.h"
#include "controller/cli/key_file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/push_impl.h"
#include "controller/cli/seal.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#define HOUR_S ((int64_t)3600)

enum { WINDOW_HOURS = 24, DECIDE_BY_DAYS = 7, ATTEMPTS = 3, ATTEMPTS_MOST = 100 };

static void pushing_free(struct pushing *pushing)
{
    cli_fetched_cores_free(&pushing->cores);
    cli_check_certificate_free(&pushing->checked);
    free(pushing->certificate);
    cli_topology_free(&pushing->attached);
    free(pushing->asked.list);
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

static bool installs(const struct pushing *pushing)
{
    return pushing->wish->action == countersign_v1_Action_ACTION_INSTALL;
}

static bool removes(const struct pushing *pushing)
{
    return pushing->wish->action == countersign_v1_Action_ACTION_REMOVE;
}

/* In the order of their numbers, as they are signed. A removal takes none. */
static pb_size_t read_overrides(struct cli *cli, const struct pushing *pushing,
                                countersign_v1_Override ret[2])
{
    pb_size_t count = 0;

    if (removes(pushing))
        return 0;
    if (cli_args_flag(&cli->args, "even-expired"))
        ret[count++] = countersign_v1_Override_OVERRIDE_EXPIRED;
    if (cli_args_flag(&cli->args, "even-revoked"))
        ret[count++] = countersign_v1_Override_OVERRIDE_REVOKED;
    return count;
}

/* --key: the person brings the key, and nobody but the devices is to see it. */
static int look_at_key(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    const char *path = installs(pushing) ? cli_args_option(&cli->args, "key") : NULL;
    const countersign_v1_Certificate *certificate = pushing->certificate;
    int rc;

    if (!installs(pushing))
        return CS_OK;
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

static int look_at_certificate(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    int rc = cli_fetch_certificate(cli, pushing->wish->certificate, &pushing->certificate, err);

    if (rc == CS_OK)
        rc = cli_fetch_chain(cli, CS_PB_BYTES(&pushing->certificate->id), &pushing->checked, err);
    if (rc != CS_OK)
        return rc;
    if (!removes(pushing) && pushing->checked.leaf.not_after_s < cli->now_s &&
        !cli_args_flag(&cli->args, "even-expired") && !cli_args_flag(&cli->args, "dry-run"))
        return cs_err_set(err, CS_ESTATE,
                          "\"%.80s\" has expired: give --even-expired if it must go there all the same",
                          pushing->certificate->common_name);
    return CS_OK;
}

/* Asks for everything that is asked of the controller. */
static int compose_ask(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    const struct cli_push_wish *wish = pushing->wish;
    countersign_v1_PreparePushRequest *prepare = CLI_NEW(countersign_v1_PreparePushRequest, err);

    if (!prepare)
        return CS_ENOMEM;
    pushing->prepare = prepare;
    prepare->action = wish->action;
    if (pushing->pkcs8.len)
        prepare->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    CS_PB_SET(&prepare->certificate_id, CS_PB_BYTES(&pushing->certificate->id));
    prepare->overrides_count = read_overrides(cli, pushing, prepare->overrides);
    pushing->asked.action = wish->action;
    pushing->asked.target_generation = wish->target_generation;
    pushing->asked.expects = wish->expects;
    pushing->asked.key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    if (installs(pushing))
        pushing->asked.key_mode = prepare->key_mode ? prepare->key_mode : pushing->certificate->key_mode;
    return cli_push_find_places(cli, pushing, err);
}

static int prepare_push(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    int rc = cli_call(cli, &cli_rpc_PreparePush, pushing->prepare, &pushing->prepared, err);

    if (rc == CS_OK)
        rc = cli_fetch_cores(cli, pushing->prepared.number, pushing->prepared.order_count, &pushing->cores,
                             err);
    if (rc == CS_OK)
        rc = cli_places_check(&pushing->asked, pushing->cores.cores, pushing->cores.count, err);
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
    ret->overrides_count = read_overrides(cli, pushing, ret->overrides);
    CS_PB_SET(&ret->order_root, cs_digest_slice(&root));
    ret->order_count = (uint32_t)pushing->cores.count;
    CS_PB_SET(&ret->comment_digest, cs_digest_slice(&comment));
}

static void show_note(struct cli_doc *doc, const struct pushing *pushing)
{
    if (pushing->wish->note)
        cli_field(doc, "roll_back", "Roll back", cli_text(pushing->wish->note));
}

/* Where the device itself says that something else is there than the order takes away. Its journal still
 * holds what was pushed, so it does what is asked for, and what somebody put there goes with it. */
static void show_changes_by_hand(struct cli_doc *doc, const struct pushing *pushing)
{
    static const uint8_t nothing[CS_SHA256_BYTES];

    for (size_t i = 0; i < pushing->cores.count && !installs(pushing); i++) {
        const countersign_v1_OrderCore *core = pushing->cores.cores[i];
        const countersign_v1_AdvertisedConnector *said = &pushing->cores.said[i];
        struct cs_slice there =
            said->installed_digest.size ? CS_PB_BYTES(&said->installed_digest) : CS_SLICE_ARRAY(nothing);
        const char *how = said->remark;
        char place[CLI_TEXT_BYTES], text[2 * CLI_TEXT_BYTES + sizeof said->remark];

        if (!*how && cs_slice_eq(there, CS_PB_BYTES(&core->expects)))
            continue;
        if (!*how)
            how = said->installed_digest.size ? "another certificate is there" : "nothing is there";
        cli_show_target(core->device_name, core->connector, place);
        snprintf(text, sizeof text, "%s: the device reports that it is not as it was pushed: %s", place, how);
        cli_field(doc, "changed_by_hand", "Changed by hand", cli_tinted(text, CLI_RED));
    }
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
        cli_show_task(statement, pushing->cores.cores, pushing->cores.count,
                      pushing->checked.leaf.common_name);
        show_changes_by_hand(statement, pushing);
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
    if (removes(pushing))
        return;
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
    cli_field(doc, "action", "Action", cli_text(cli_show_action_word(pushing->wish->action)));
    cli_show_certificate(doc, &pushing->checked);
    show_overrides(cli, doc, pushing);
    cli_field(doc, "requester", "Requester", cli_text(requester->name));
    cli_field(doc, "orders", "Work orders", cli_number(pushing->asked.count));
    cli_field(doc, "policy_version", "Trust policy", cli_number(cs_policy_version(policy)));
    cli_show_needs(doc, policy, removes(pushing) ? NULL : &pushing->checked.leaf, &pushing->asked,
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
        rc = compose_ask(cli, &pushing, err);
    if (rc == CS_OK)
        rc = cli_args_flag(&cli->args, "dry-run") ? dry_run(cli, &pushing, requester, err)
                                                  : ask_for_it(cli, &pushing, requester, err);
    pushing_free(&pushing);
    return rc;
}

int cli_push_run(struct cli *cli, struct cs_err *err)
{
    const struct cli_push_wish wish = {
        .action = countersign_v1_Action_ACTION_INSTALL, .certificate = cli->args.operands[0], .like = true};

    return cli_push(cli, &wish, err);
}

int cli_remove_run(struct cli *cli, struct cs_err *err)
{
    const struct cli_push_wish wish = {.action = countersign_v1_Action_ACTION_REMOVE,
                                       .certificate = cli->args.operands[0]};

    return cli_push(cli, &wish, err);
}
