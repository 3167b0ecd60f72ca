/* countersign trust init, keygen, show, pin - the trust policy: who may decide what, signed by the owner's
 * roots. */
#include "controller/cli/compose.h"
#include "controller/cli/draft.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/public_key.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <stdio.h>

enum { ROOTS = 3 };

/* The keys of a new deployment. */
struct founding {
    struct cs_key *keys[CS_LIMIT_ROOTS];
    char paths[CS_LIMIT_ROOTS][PATH_MAX];
    size_t count;
    uint32_t threshold;
};

static void founding_free(struct founding *founding)
{
    for (size_t i = 0; i < founding->count; i++)
        cs_key_free(founding->keys[i]);
}

static int roots_folder(struct cli *cli, char ret[PATH_MAX], struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, "root-keys");
    int rc = given ? cli_draft_path(cli, given, ret, err)
                   : cli_file_join(ret, PATH_MAX, err, cli->home.folder, "roots");

    return rc == CS_OK ? cli_file_make_folder(ret, err) : rc;
}

/* NAME.key and NAME.pub in the roots' folder. A key that is there is used again when it may be: an init that
 * was not finished left it. */
static int make_root(struct cli *cli, const char *name, bool again, char ret_path[PATH_MAX],
                     struct cs_key **ret, struct cs_err *err)
{
    char folder[PATH_MAX], public_path[PATH_MAX];
    int rc = roots_folder(cli, folder, err);

    if (rc == CS_OK)
        rc = cli_file_join(ret_path, PATH_MAX, err, folder, "%s.key", name);
    if (rc == CS_OK)
        rc = cli_file_join(public_path, PATH_MAX, err, folder, "%s.pub", name);
    if (rc == CS_OK)
        rc = again ? cli_load_key(cli, ret_path, ret, err) : CS_ENOTFOUND;
    if (rc == CS_ENOTFOUND)
        rc = cli_key_make(cli, ret_path, ret, err);
    return rc == CS_OK ? cli_public_key_write(public_path, cs_key_spki(*ret), err) : rc;
}

static int make_roots(struct cli *cli, struct founding *founding, size_t count, struct cs_err *err)
{
    int rc = CS_OK;

    while (rc == CS_OK && founding->count < count) {
        char name[32];

        snprintf(name, sizeof name, "root-%zu", founding->count + 1);
        rc = make_root(cli, name, true, founding->paths[founding->count], &founding->keys[founding->count],
                       err);
        if (founding->keys[founding->count])
            founding->count++;
    }
    return rc;
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
    if (status->policy_version != 0)
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

/* Shows what the bytes say, asks, and signs them with as many roots as it takes. */
static int sign_first(struct cli *cli, const struct founding *founding, struct cs_slice payload,
                      const countersign_v1_TrustPolicy *decoded, struct cs_buf *envelope, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    struct cs_digest digest = cs_sha256(payload);
    char question[128];
    int rc;

    cli_show_policy(statement, decoded);
    cli_show_digest(statement, &digest);
    snprintf(question, sizeof question, "Sign this trust policy with %u root key%s and publish it?",
             founding->threshold, founding->threshold == 1 ? "" : "s");
    rc = cli_confirm(cli, statement, question, err);
    return rc == CS_OK ? cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, payload,
                                          (const struct cs_key *const *)founding->keys, founding->threshold,
                                          envelope, err)
                       : rc;
}

/* Checks it as everybody will, publishes, and keeps it. */
static int publish_first(struct cli *cli, const countersign_v1_TrustPolicy *policy, struct cs_slice envelope,
                         struct cs_err *err)
{
    cs_auto_free countersign_v1_PublishPolicyRequest *request =
        CLI_NEW(countersign_v1_PublishPolicyRequest, err);
    countersign_v1_PublishPolicyResponse reply = {0};
    struct cs_pin pin = {.least_version = policy->version, .roots_digest = cs_roots_digest(&policy->roots)};
    cs_auto(cs_policy_freep) struct cs_policy *opened = NULL;
    int rc;

    if (!request)
        return CS_ENOMEM;
    memcpy(pin.deployment_id, policy->deployment_id.bytes, sizeof pin.deployment_id);
    rc = cs_policy_open_pinned(envelope, &pin, &opened, err);
    if (rc == CS_OK) {
        CS_PB_SET(&request->envelope, envelope);
        rc = cli_call(cli, &cli_rpc_PublishPolicy, request, &reply, err);
    }
    if (rc != CS_OK)
        return rc;
    cli->home.pin = pin;
    return cli_keep_policy(cli, opened, err);
}

static int sign_and_publish(struct cli *cli, const struct founding *founding,
                            const countersign_v1_TrustPolicy *draft, struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *decoded = NULL;
    struct cs_buf payload = CS_BUF_EMPTY, envelope = CS_BUF_EMPTY;
    int rc = cs_policy_check(draft, err);

    if (rc == CS_OK)
        rc = cs_message_encode(countersign_v1_TrustPolicy_fields, draft, &payload, err);
    if (rc == CS_OK)
        rc = cs_policy_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc == CS_OK)
        rc = sign_first(cli, founding, cs_buf_slice(&payload), decoded, &envelope, err);
    if (rc == CS_OK)
        rc = publish_first(cli, decoded, cs_buf_slice(&envelope), err);
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

static int print_founded(struct cli *cli, const struct founding *founding, struct cs_err *err)
{
    static const struct cli_column columns[] = {{"key_id", "ROOT KEY (SHA-256)", false},
                                                {"file", "FILE", false}};
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const struct cs_pin *pin = &cli->home.pin;
    char signers[64];

    snprintf(signers, sizeof signers, "%u of %zu root keys", founding->threshold, founding->count);
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_SLICE_ARRAY(pin->deployment_id)));
    cli_field(doc, "version", "Policy version", cli_number(pin->least_version));
    cli_field(doc, "roots_digest", "Roots (SHA-256)", cli_hex(cs_digest_slice(&pin->roots_digest)));
    cli_field(doc, "signers", "Next version signed by", cli_text(signers));
    cli_table(doc, "root_keys", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < founding->count; i++) {
        struct cs_digest key_id = cs_key_id(cs_key_spki(founding->keys[i]));

        CLI_ROW(doc, cli_hex(cs_digest_slice(&key_id)), cli_text(founding->paths[i]));
    }
    if (founding->count > 1)
        cli_hint(doc, "Give each root key to another person, who keeps it off this machine; they are needed "
                      "for the next "
                      "version of the policy only.");
    else
        cli_hint(doc,
                 "Keep the root key off this machine; it is needed for the next version of the policy only.");
    pin_hint(doc, pin);
    cli_hint(doc, "Next: countersign device add NAME --wait --as ADMIN");
    return cli_write(cli, doc, err);
}

static int found(struct cli *cli, struct founding *founding, size_t roots, int64_t valid_s,
                 struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *draft = CLI_NEW(countersign_v1_TrustPolicy, err);
    struct cs_slice spkis[CS_LIMIT_ROOTS];
    int rc;

    if (!draft)
        return CS_ENOMEM;
    cli_compose_first(draft, cli->now_s, valid_s);
    rc = add_operators(cli, draft, err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = ask_controller(cli, draft, err);
    if (rc == CS_OK)
        rc = make_roots(cli, founding, roots, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < founding->count; i++)
        spkis[i] = cs_key_spki(founding->keys[i]);
    cli_compose_roots(draft, spkis, founding->count, founding->threshold);
    rc = sign_and_publish(cli, founding, draft, err);
    return rc == CS_OK ? print_founded(cli, founding, err) : rc;
}

int cli_trust_threshold(struct cli *cli, size_t roots, uint32_t *ret, struct cs_err *err)
{
    const char *text = cli_args_option(&cli->args, "threshold");
    uint64_t threshold = cli_compose_threshold(roots);

    if (text && (cli_args_number(text, "", &threshold, NULL) != CS_OK || threshold > roots))
        return cli_usage(cli, err, "--threshold is a number from 1 to that of the root keys, %zu", roots);
    *ret = (uint32_t)threshold;
    return CS_OK;
}

int cli_trust_init(struct cli *cli, struct cs_err *err)
{
    const char *roots_text = cli_args_option(&cli->args, "roots");
    cs_auto_free struct founding *founding = CLI_NEW(struct founding, err);
    uint64_t roots = ROOTS;
    int64_t valid_s;
    int rc = cli_duration(cli, "expires", CLI_POLICY_LIFE_S, &valid_s, err);

    if (!founding || rc != CS_OK)
        return founding ? rc : CS_ENOMEM;
    if (roots_text && (cli_args_number(roots_text, "", &roots, NULL) != CS_OK || roots > CS_LIMIT_ROOTS))
        return cli_usage(cli, err, "--roots is a number from 1 to %d", CS_LIMIT_ROOTS);
    rc = cli_trust_threshold(cli, (size_t)roots, &founding->threshold, err);
    if (rc != CS_OK)
        return rc;
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
    rc = found(cli, founding, (size_t)roots, valid_s, err);
    founding_free(founding);
    return rc;
}

int cli_trust_keygen(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    const char *name = cli->args.operands[0];
    struct cs_digest key_id;
    char path[PATH_MAX];
    int rc = cs_name_check(cs_slice_str(name), "the root key's name", err);

    if (rc == CS_OK)
        rc = make_root(cli, name, false, path, &key, err);
    if (rc != CS_OK)
        return rc;
    key_id = cs_key_id(cs_key_spki(key));
    cli_field(doc, "key_id", "Root key (SHA-256)", cli_hex(cs_digest_slice(&key_id)));
    cli_field(doc, "private_key", "Private key", cli_text(path));
    cli_hint(
        doc,
        "Its public half stands beside it, as %s.pub: `countersign trust set-roots FILE...` makes it a root.",
        name);
    return cli_write(cli, doc, err);
}

/* A file: as it is, and what is missing for it to be believed. */
static int show_file(struct cli *cli, struct cli_doc *doc, const char *file, struct cs_err *err)
{
    struct cli_draft draft = {0};
    cs_auto(cs_policy_freep) struct cs_policy *kept = NULL;
    struct cs_digest digest;
    bool complete;
    int rc = cli_draft_open(cli, file, &draft, err);

    if (rc == CS_OK)
        rc = cli_policy_kept(cli, &kept, err);
    if (rc == CS_OK) {
        digest = cs_sha256(draft.payload);
        cli_show_policy(doc, draft.body);
        cli_show_digest(doc, &digest);
        rc = cli_draft_show_signers(doc, &draft, kept, &complete, err);
    }
    cli_draft_free(&draft);
    return rc;
}

int cli_trust_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const struct cs_policy *policy;
    struct cs_digest digest;
    int rc;

    if (cli->args.operand_count) {
        rc = show_file(cli, doc, cli->args.operands[0], err);
        return rc == CS_OK ? cli_write(cli, doc, err) : rc;
    }
    rc = cli_policy(cli, &policy, err);
    if (rc != CS_OK)
        return rc;
    digest = cs_policy_digest(policy);
    cli_show_policy(doc, cs_policy_body(policy));
    cli_show_digest(doc, &digest);
    pin_hint(doc, &cli->home.pin);
    return cli_write(cli, doc, err);
}

/* The first policy from a file, for a machine that does not see the controller. */
static int pin_from_file(struct cli *cli, const char *file, struct cs_policy **ret, struct cs_err *err)
{
    struct cli_draft given = {0};
    int rc = cli_draft_open(cli, file, &given, err);

    if (rc == CS_OK)
        rc = cs_policy_open_pinned(cs_buf_slice(&given.wire), &cli->home.pin, ret, err);
    if (rc == CS_OK)
        rc = cli_keep_policy(cli, *ret, err);
    cli_draft_free(&given);
    return rc;
}

int cli_trust_pin(struct cli *cli, struct cs_err *err)
{
    const char *least = cli_args_option(&cli->args, "least-version");
    const char *file = cli_args_option(&cli->args, "policy");
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto(cs_policy_freep) struct cs_policy *from_file = NULL;
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
    if (file) {
        rc = pin_from_file(cli, file, &from_file, err);
        policy = from_file;
    } else {
        rc = cli_policy(cli, &policy, err);
    }
    if (rc != CS_OK)
        return rc;
    cli_show_policy(doc, cs_policy_body(policy));
    return cli_write(cli, doc, err);
}
