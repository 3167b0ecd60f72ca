/* countersign trust … - the trust policy: who may decide what, signed by the owner's roots. */
#include "controller/cli/compose.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#define DAY_S ((int64_t)24 * 3600)

enum { POLICY_DAYS = 90 };

static int roots_folder(struct cli *cli, char ret[PATH_MAX], struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, "root-keys");

    if (given && strlen(given) < PATH_MAX) {
        memcpy(ret, given, strlen(given) + 1);
        return CS_OK;
    }
    return cli_file_join(ret, PATH_MAX, err, cli->home.folder, "roots");
}

static int root_path(struct cli *cli, char ret[PATH_MAX], struct cs_err *err)
{
    char folder[PATH_MAX];
    int rc = roots_folder(cli, folder, err);

    if (rc == CS_OK)
        rc = cli_file_make_folder(folder, err);
    return rc == CS_OK ? cli_file_join(ret, PATH_MAX, err, folder, "root-1.key") : rc;
}

/* The root key: that of an init that was not finished is used again. */
static int make_root(struct cli *cli, struct cs_key **ret, struct cs_err *err)
{
    char path[PATH_MAX];
    int rc = root_path(cli, path, err);

    if (rc == CS_OK)
        rc = cli_load_key(cli, path, ret, err);
    return rc == CS_ENOTFOUND ? cli_key_make(cli, path, ret, err) : rc;
}

/* What the policy must say about the controller itself, from the controller: the owner runs this on its
 * machine. */
static int ask_controller(struct cli *cli, countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetStatusResponse *status = CLI_NEW(countersign_v1_GetStatusResponse, err);
    countersign_v1_GetStatusRequest request = {0};
    int rc;

    if (!status)
        return CS_ENOMEM;
    rc = cli_call(cli, &cli_rpc_GetStatus, &request, status, err);
    if (rc != CS_OK)
        return rc;
    if (policy->version == 1 && status->policy_version != 0)
        return cs_err_set(
            err, CS_EEXISTS,
            "the controller has a deployment already, with trust policy version %u: to use it from here, "
            "run `countersign trust pin` with what its owner's `trust show` prints",
            status->policy_version);
    policy->message_keys_count = policy->agent_cas_count = 1;
    CS_PB_SET(&policy->message_keys[0], CS_PB_BYTES(&status->message_key));
    CS_PB_SET(&policy->agent_cas[0], CS_PB_BYTES(&status->agent_ca));
    return CS_OK;
}

static int add_operators(struct cli *cli, countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    const char *text;
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && (text = cli_args_option_at(&cli->args, "operator", i)) != NULL; i++)
        rc = cli_compose_operator(policy, text, &cli->home, err);
    return rc;
}

/* Shows, asks, signs, checks as everybody will, publishes, and keeps. */
static int sign_and_publish(struct cli *cli, const countersign_v1_TrustPolicy *draft,
                            const struct cs_key *root, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto_free countersign_v1_TrustPolicy *decoded = NULL;
    cs_auto_free countersign_v1_PublishPolicyRequest *request =
        CLI_NEW(countersign_v1_PublishPolicyRequest, err);
    countersign_v1_PublishPolicyResponse reply = {0};
    struct cs_buf payload = CS_BUF_EMPTY, envelope = CS_BUF_EMPTY;
    const struct cs_key *keys[] = {root};
    struct cs_pin pin = {.least_version = draft->version};
    cs_auto(cs_policy_freep) struct cs_policy *opened = NULL;
    int rc = request ? cs_policy_check(draft, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cs_message_encode(countersign_v1_TrustPolicy_fields, draft, &payload, err);
    if (rc == CS_OK)
        rc = cs_policy_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc == CS_OK) {
        cli_show_policy(statement, decoded);
        rc = cli_confirm(cli, statement, "Sign this trust policy with the root key and publish it?", err);
    }
    if (rc == CS_OK)
        rc = cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), keys, 1, &envelope, err);
    if (rc == CS_OK) {
        memcpy(pin.deployment_id, decoded->deployment_id.bytes, sizeof pin.deployment_id);
        pin.roots_digest = cs_roots_digest(&decoded->roots);
        rc = cs_policy_open_pinned(cs_buf_slice(&envelope), &pin, &opened, err);
    }
    if (rc == CS_OK) {
        CS_PB_SET(&request->envelope, cs_buf_slice(&envelope));
        rc = cli_call(cli, &cli_rpc_PublishPolicy, request, &reply, err);
    }
    if (rc == CS_OK)
        rc = cli_home_save_policy(&cli->home, pin.least_version, cs_buf_slice(&envelope), err);
    if (rc == CS_OK)
        rc = cli_home_save_pin(&cli->home, &pin, err);
    cs_buf_free(&payload);
    cs_buf_free(&envelope);
    return rc;
}

static void pin_hint(struct cli_doc *doc, const struct cs_pin *pin)
{
    char deployment[2 * sizeof pin->deployment_id + 1], roots[2 * CS_SHA256_BYTES + 1];

    cli_hint(doc, "Others pin the same roots; give them this line on a way that you trust:");
    cli_hint(doc, "  countersign trust pin %s %s --least-version %u",
             cs_hex(CS_SLICE_ARRAY(pin->deployment_id), deployment),
             cs_hex(cs_digest_slice(&pin->roots_digest), roots), pin->least_version);
}

static int print_published(struct cli *cli, const char *next, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const struct cs_pin *pin = &cli->home.pin;
    char path[PATH_MAX];
    int rc = root_path(cli, path, err);

    if (rc != CS_OK)
        return rc;
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_SLICE_ARRAY(pin->deployment_id)));
    cli_field(doc, "version", "Policy version", cli_number(pin->least_version));
    cli_field(doc, "roots_digest", "Roots (SHA-256)", cli_hex(cs_digest_slice(&pin->roots_digest)));
    cli_field(doc, "root_key", "Root key", cli_text(path));
    cli_hint(doc, "Keep the root key off this machine; it is needed for the next version only.");
    pin_hint(doc, pin);
    if (next)
        cli_hint(doc, "%s", next);
    return cli_write(cli, doc, err);
}

int cli_trust_init(struct cli *cli, struct cs_err *err)
{
    const char *roots = cli_args_option(&cli->args, "roots");
    cs_auto_free countersign_v1_TrustPolicy *draft = CLI_NEW(countersign_v1_TrustPolicy, err);
    cs_auto(cs_key_freep) struct cs_key *root = NULL;
    int64_t valid_s;
    int rc = cli_duration(cli, "expires", POLICY_DAYS * DAY_S, &valid_s, err);

    if (!draft || rc != CS_OK)
        return draft ? rc : CS_ENOMEM;
    if (roots && strcmp(roots, "1") != 0)
        return cli_usage(cli, err, "one root key is supported, not %.20s", roots);
    if (!cli_args_option(&cli->args, "operator"))
        return cli_usage(
            cli, err,
            "say who the people are: --operator NAME=ROLE[,ROLE][:FILE] for each; keys are made by "
            "`countersign operator keygen NAME`");
    if (cli->home.pinned)
        return cs_err_set(
            err, CS_EEXISTS,
            "%.120s is pinned to a deployment already: use another folder with --home for a second one",
            cli->home.folder);
    cli_compose_first(draft, cli->now_s, valid_s);
    rc = add_operators(cli, draft, err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = ask_controller(cli, draft, err);
    if (rc == CS_OK)
        rc = make_root(cli, &root, err);
    if (rc != CS_OK)
        return rc;
    cli_compose_roots(draft, cs_key_spki(root));
    rc = sign_and_publish(cli, draft, root, err);
    return rc == CS_OK ? print_published(cli, "Next: countersign device add NAME --wait --as ADMIN", err)
                       : rc;
}

int cli_trust_publish(struct cli *cli, struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *draft = CLI_NEW(countersign_v1_TrustPolicy, err);
    cs_auto(cs_key_freep) struct cs_key *root = NULL;
    const struct cs_policy *policy;
    char path[PATH_MAX];
    const char *removed;
    int64_t valid_s;
    int rc = cli_duration(cli, "expires", POLICY_DAYS * DAY_S, &valid_s, err);

    if (!draft)
        return CS_ENOMEM;
    if (rc == CS_OK)
        rc = cli_policy(cli, &policy, err);
    if (rc != CS_OK)
        return rc;
    cli_compose_next(draft, policy, cli->now_s, valid_s);
    for (size_t i = 0;
         rc == CS_OK && (removed = cli_args_option_at(&cli->args, "remove-operator", i)) != NULL; i++)
        rc = cli_compose_remove_operator(draft, removed, err);
    if (rc == CS_OK)
        rc = add_operators(cli, draft, err);
    if (rc == CS_OK)
        rc = root_path(cli, path, err);
    if (rc == CS_OK)
        rc = cli_load_key(cli, path, &root, err);
    if (rc == CS_OK)
        rc = sign_and_publish(cli, draft, root, err);
    return rc == CS_OK ? print_published(cli, NULL, err) : rc;
}

int cli_trust_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const struct cs_policy *policy;
    int rc = cli_policy(cli, &policy, err);

    if (rc != CS_OK)
        return rc;
    cli_show_policy(doc, cs_policy_body(policy));
    pin_hint(doc, &cli->home.pin);
    return cli_write(cli, doc, err);
}

int cli_trust_pin(struct cli *cli, struct cs_err *err)
{
    const char *least = cli_args_option(&cli->args, "least-version");
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct cs_pin pin = {.least_version = 1};
    const struct cs_policy *policy;
    uint64_t number = 1;
    int rc = least ? cli_args_number(least, "", &number, err) : CS_OK;

    if (rc != CS_OK || number > UINT32_MAX)
        return cli_usage(cli, err, "--least-version is a number from 1");
    pin.least_version = (uint32_t)number;
    if (cs_unhex(cs_slice_str(cli->args.operands[0]), pin.deployment_id, sizeof pin.deployment_id) != CS_OK)
        return cli_usage(cli, err, "the deployment is 32 hex digits, as `countersign trust show` prints it");
    if (cs_unhex(cs_slice_str(cli->args.operands[1]), pin.roots_digest.bytes,
                 sizeof pin.roots_digest.bytes) != CS_OK)
        return cli_usage(cli, err,
                         "the roots' digest is 64 hex digits, as `countersign trust show` prints it");
    if (cli->home.pinned)
        return cs_err_set(err, CS_EEXISTS,
                          "%.120s is pinned already: remove its file `pin` if you mean to trust others",
                          cli->home.folder);
    cli->home.pin = pin;
    cli->home.pinned = true;
    rc = cli_policy(cli, &policy, err);
    if (rc != CS_OK)
        return rc;
    cli_show_policy(doc, cs_policy_body(policy));
    return cli_write(cli, doc, err);
}
