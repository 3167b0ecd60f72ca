/* countersign trust diff, sign, publish - what a draft changes, the signatures of the roots under it, and its
 * way to the controller. Signing wants no network: the draft's file, what is kept at home, and the key. */
#include "controller/cli/draft.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include <stdio.h>
#include <unistd.h>

/* The file on the command line, if any. */
static const char *file_operand(const struct cli *cli)
{
    return cli->args.operand_count ? cli->args.operands[0] : NULL;
}

/* What the bytes say, what that changes, and who has signed it. */
static int show_draft(struct cli_doc *doc, const struct cli_draft *draft, const struct cs_policy *current,
                      bool *ret_complete, struct cs_err *err)
{
    struct cs_digest digest = cs_sha256(draft->payload);
    int rc = cli_draft_show_signers(doc, draft, current, ret_complete, err);

    cli_show_policy_changes(doc, cs_policy_body(current), draft->body);
    cli_show_digest(doc, &digest);
    return rc;
}

int cli_trust_diff(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto(cs_policy_freep) struct cs_policy *current = NULL;
    struct cli_draft draft = {0};
    bool complete;
    int rc = cli_draft_open_following(cli, file_operand(cli), &draft, &current, err);

    if (rc == CS_OK)
        rc = show_draft(doc, &draft, current, &complete, err);
    if (rc == CS_OK)
        rc = cli_write(cli, doc, err);
    cli_draft_free(&draft);
    return rc;
}

/* Adds the signature of one key file, and writes the draft back at once: it is the holder's work. */
static int sign_with(struct cli *cli, const char *key_path, struct cli_draft *draft,
                     const struct cs_policy *current, struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_buf cosigned = CS_BUF_EMPTY;
    int rc = cli_load_key(cli, key_path, &key, err);

    if (rc != CS_OK)
        return rc;
    if (!cs_roots_have(&cs_policy_body(current)->roots, cs_key_spki(key)) &&
        !cs_roots_have(&draft->body->roots, cs_key_spki(key)))
        return cs_err_set(err, CS_EDENIED, "%.150s is a root key neither of version %u nor of the draft",
                          key_path, cs_policy_version(current));
    rc = cs_envelope_cosign(cs_buf_slice(&draft->wire), key, &cosigned, err);
    if (rc == CS_EEXISTS)
        cs_err_set(err, rc, "%.150s has signed this draft already", key_path);
    if (rc == CS_OK)
        rc = cli_file_write(draft->path, 0644, cs_buf_slice(&cosigned), err);
    cs_buf_free(&cosigned);
    return rc;
}

/* Reads the draft again, as the next holder will, and says what is missing. */
static int print_signed(struct cli *cli, const struct cs_policy *current, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const char *file = file_operand(cli);
    struct cli_draft draft = {0};
    bool complete = false;
    int rc = cli_draft_open(cli, file, &draft, err);

    if (rc == CS_OK) {
        cli_field(doc, "draft", "Draft", cli_text(draft.path));
        cli_field(doc, "version", "Version", cli_number(draft.body->version));
        rc = cli_draft_show_signers(doc, &draft, current, &complete, err);
    }
    cli_draft_free(&draft);
    if (rc != CS_OK)
        return rc;
    if (complete)
        cli_hint(doc, "Next: countersign trust publish%s%s", file ? " " : "", file ? file : "");
    else
        cli_hint(doc, "Next: give the file to the next holder of a root key, who compares the words and runs "
                      "countersign trust sign FILE --root-key KEY");
    return cli_write(cli, doc, err);
}

int cli_trust_sign(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto(cs_policy_freep) struct cs_policy *current = NULL;
    const char *key_path = cli_args_option(&cli->args, "root-key");
    struct cli_draft draft = {0};
    bool complete;
    int rc;

    if (!key_path)
        return cli_usage(cli, err, "say with which key: --root-key FILE");
    rc = cli_draft_open_following(cli, file_operand(cli), &draft, &current, err);
    if (rc == CS_OK) {
        cli_show_policy(statement, draft.body);
        rc = show_draft(statement, &draft, current, &complete, err);
    }
    if (rc == CS_OK)
        rc = cli_confirm(cli, statement, "Sign this trust policy with the root key?", err);
    if (rc == CS_OK)
        rc = sign_with(cli, key_path, &draft, current, err);
    cli_draft_free(&draft);
    return rc == CS_OK ? print_signed(cli, current, err) : rc;
}

/* The controller is asked for the newest first: somebody else may have published. *ret_there: this very draft
 * is out. */
static int check_newest(struct cli *cli, const struct cli_draft *draft, bool *ret_there, struct cs_err *err)
{
    struct cs_digest digest = cs_sha256(draft->payload), newest;
    const struct cs_policy *policy;
    int rc = cli_policy(cli, &policy, err);

    if (rc != CS_OK)
        return rc;
    newest = cs_policy_digest(policy);
    *ret_there = cs_digest_eq(&digest, &newest);
    if (*ret_there)
        return CS_OK;
    if (draft->body->version <= cs_policy_version(policy))
        return cs_err_set(
            err, CS_ESTALE,
            "the draft is version %u, and version %u was published in the meantime: begin again with "
            "`countersign trust draft --replace`",
            draft->body->version, cs_policy_version(policy));
    return cs_policy_check_next(draft->body, policy, err);
}

static int describe_missing(const struct cli_draft *draft, const struct cs_policy *current,
                            struct cs_err *err)
{
    struct cli_draft_signers old, own;
    int rc = cli_draft_signers(draft, &cs_policy_body(current)->roots, &old, err);

    if (rc == CS_OK)
        rc = cli_draft_signers(draft, &draft->body->roots, &own, err);
    if (rc != CS_OK)
        return rc;
    if (old.count >= old.needed && own.count >= own.needed)
        return CS_OK;
    return cs_err_set(err, CS_ESTATE,
                      "the draft has %zu of %zu signatures of the current roots and %zu of %zu of its own: "
                      "`countersign trust diff` lists the keys, and each holder who is missing runs "
                      "`countersign trust sign FILE --root-key KEY`",
                      old.count, old.needed, own.count, own.needed);
}

static int send_draft(struct cli *cli, const struct cli_draft *draft, struct cs_err *err)
{
    cs_auto_free countersign_v1_PublishPolicyRequest *request =
        CLI_NEW(countersign_v1_PublishPolicyRequest, err);
    cs_auto(cs_policy_freep) struct cs_policy *opened = NULL;
    countersign_v1_PublishPolicyResponse reply = {0};
    int rc = request ? describe_missing(draft, cli->policy, err) : CS_ENOMEM;

    /* Judged as everybody will. */
    if (rc == CS_OK)
        rc = cs_policy_open_next(cs_buf_slice(&draft->wire), cli->policy, &opened, err);
    if (rc == CS_OK) {
        CS_PB_SET(&request->envelope, cs_buf_slice(&draft->wire));
        rc = cli_call(cli, &cli_rpc_PublishPolicy, request, &reply, err);
    }
    return rc == CS_OK ? cli_keep_policy(cli, opened, err) : rc;
}

int cli_trust_publish(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct cli_draft draft = {0};
    bool there = false, complete;
    int rc = cli_draft_open(cli, file_operand(cli), &draft, err);

    if (rc == CS_OK)
        rc = check_newest(cli, &draft, &there, err);
    if (rc == CS_OK && !there)
        rc = send_draft(cli, &draft, err);
    if (rc == CS_OK) {
        cli_field(doc, "version", "Published version", cli_number(draft.body->version));
        cli_field(doc, "expires_at", "Expires", cli_time(draft.body->expires_at_s));
        rc = cli_draft_show_signers(doc, &draft, there ? NULL : cli->policy, &complete, err);
    }
    /* The draft at home has served; a file that was named is somebody's. */
    if (rc == CS_OK && !file_operand(cli))
        (void)!unlink(draft.path);
    cli_draft_free(&draft);
    return rc == CS_OK ? cli_write(cli, doc, err) : rc;
}
