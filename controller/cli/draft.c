#include "controller/cli/draft.h"

#include "controller/cli/file.h"

#include <stdio.h>

enum { DRAFT_BYTES = CS_LIMIT_POLICY_BYTES + CS_LIMIT_STATEMENT_BYTES };

void cli_draft_free(struct cli_draft *draft)
{
    free(draft->body);
    cs_buf_free(&draft->wire);
    *draft = (struct cli_draft){0};
}

int cli_draft_path(const struct cli *cli, const char *given, char ret[PATH_MAX], struct cs_err *err)
{
    if (!given)
        return cli_file_join(ret, PATH_MAX, err, cli->home.folder, "draft");
    if (strlen(given) >= PATH_MAX)
        return cs_err_set(err, CS_EINVAL, "the path %.60s… is too long", given);
    memcpy(ret, given, strlen(given) + 1);
    return CS_OK;
}

static int decode(struct cli_draft *draft, struct cs_err *err)
{
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(cs_buf_slice(&draft->wire), &envelope, err);

    if (rc == CS_OK && envelope.kind != CS_STATEMENT_TRUST_POLICY)
        return cs_err_set(err, CS_EPARSE, "it holds %s", cs_statement_type(envelope.kind));
    if (rc == CS_OK)
        rc = cs_policy_decode(envelope.payload, &draft->body, err);
    if (rc != CS_OK)
        return rc;
    draft->payload = envelope.payload;
    draft->signature_count = envelope.signature_count;
    return CS_OK;
}

int cli_draft_open(const struct cli *cli, const char *given, struct cli_draft *ret, struct cs_err *err)
{
    struct cli_draft draft = {0};
    int rc = cli_draft_path(cli, given, draft.path, err);

    if (rc == CS_OK)
        rc = cli_file_read(draft.path, DRAFT_BYTES, &draft.wire, err);
    if (rc == CS_ENOTFOUND)
        cs_err_set(err, rc, "there is no draft %.150s: `countersign trust draft` begins one", draft.path);
    if (rc == CS_OK) {
        rc = decode(&draft, err);
        if (rc != CS_OK)
            cs_err_prefix(err, "%.100s is no trust policy or draft of one", draft.path);
    }
    if (rc == CS_OK)
        *ret = draft;
    else
        cli_draft_free(&draft);
    return rc;
}

static int check_follows(const struct cli_draft *draft, const struct cs_policy *current, struct cs_err *err)
{
    int rc = cs_policy_check_next(draft->body, current, err);

    if (rc == CS_ESTATE)
        return cs_err_set(
            err, rc,
            "the draft is version %u, and version %u is the newest here: `countersign trust show` fetches "
            "those between, or copy policies/%u and on from a client that has them",
            draft->body->version, cs_policy_version(current), cs_policy_version(current) + 1);
    if (rc == CS_ESTALE)
        return cs_err_set(
            err, rc,
            "the draft is version %u, and version %u is published already: begin again with `countersign "
            "trust draft --replace`",
            draft->body->version, cs_policy_version(current));
    return rc;
}

int cli_draft_open_following(struct cli *cli, const char *given, struct cli_draft *ret,
                             struct cs_policy **ret_current, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *current = NULL;
    struct cli_draft draft = {0};
    int rc = cli_policy_kept(cli, &current, err);

    if (rc == CS_OK)
        rc = cli_draft_open(cli, given, &draft, err);
    if (rc == CS_OK)
        rc = check_follows(&draft, current, err);
    if (rc != CS_OK) {
        cli_draft_free(&draft);
        return rc;
    }
    *ret = draft;
    *ret_current = cs_steal(current);
    return CS_OK;
}

int cli_draft_write(const char *path, const countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    struct cs_buf payload = CS_BUF_EMPTY, wire = CS_BUF_EMPTY;
    int rc = cs_policy_check(body, err);

    if (rc == CS_OK)
        rc = cs_message_encode(countersign_v1_TrustPolicy_fields, body, &payload, err);
    if (rc == CS_OK)
        rc = cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), NULL, 0, &wire, err);
    if (rc == CS_OK)
        rc = cli_file_write(path, 0644, cs_buf_slice(&wire), err);
    cs_buf_free(&payload);
    cs_buf_free(&wire);
    return rc;
}

static bool has_key_id(const struct cs_envelope *envelope, const struct cs_digest *key_id)
{
    for (size_t i = 0; i < envelope->signature_count; i++)
        if (cs_slice_eq(envelope->signatures[i].key_id, cs_digest_slice(key_id)))
            return true;
    return false;
}

int cli_draft_signers(const struct cli_draft *draft, const countersign_v1_RootSet *roots,
                      struct cli_draft_signers *ret, struct cs_err *err)
{
    cs_auto_free struct cs_keyring *signed_by = CLI_NEW(struct cs_keyring, err);
    struct cli_draft_signers signers = {.needed = roots->threshold, .roots = roots->keys_count};
    struct cs_envelope envelope;
    struct cs_verified verified;
    int rc = signed_by ? cs_envelope_parse(cs_buf_slice(&draft->wire), &envelope, err) : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < roots->keys_count && rc == CS_OK; i++) {
        struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&roots->keys[i]));

        if (has_key_id(&envelope, &key_id))
            rc = cs_keyring_add(signed_by, CS_PB_BYTES(&roots->keys[i]));
    }
    cs_assert(rc == CS_OK); /* a keyring has room for all roots */
    if (signed_by->count) {
        rc = cs_envelope_verify(cs_buf_slice(&draft->wire), CS_STATEMENT_TRUST_POLICY, signed_by, &verified,
                                err);
        if (rc != CS_OK) {
            cs_err_prefix(err, "%.120s", draft->path);
            return rc;
        }
        signers.count = verified.signer_count;
        memcpy(signers.keys, verified.signers, verified.signer_count * sizeof *verified.signers);
    }
    *ret = signers;
    return CS_OK;
}

static bool has_signed(const struct cli_draft_signers *signers, const struct cs_digest *key_id)
{
    for (size_t i = 0; i < signers->count; i++)
        if (cs_digest_eq(&signers->keys[i], key_id))
            return true;
    return false;
}

static void show_count(struct cli_doc *doc, const char *key, const char *label,
                       const struct cli_draft_signers *signers)
{
    bool enough = signers->count >= signers->needed;
    char text[128];

    snprintf(text, sizeof text, "%zu of the %zu that it takes, from %zu root keys%s", signers->count,
             signers->needed, signers->roots, enough ? "" : ": not enough");
    cli_field(doc, key, label, cli_tinted(text, enough ? CLI_GREEN : CLI_YELLOW));
}

static void show_root(struct cli_doc *doc, struct cs_slice spki, const char *of,
                      const struct cli_draft_signers *signers)
{
    struct cs_digest key_id = cs_key_id(spki);
    bool there = has_signed(signers, &key_id);

    CLI_ROW(doc, cli_hex(cs_digest_slice(&key_id)), cli_text(of),
            there ? cli_tinted("signed", CLI_GREEN) : cli_tinted("missing", CLI_YELLOW));
}

int cli_draft_show_signers(struct cli_doc *doc, const struct cli_draft *draft,
                           const struct cs_policy *current, bool *ret_complete, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"key_id", "ROOT KEY (SHA-256)", false}, {"root", "ROOT", false}, {"signature", "SIGNATURE", false}};
    const countersign_v1_RootSet *own = &draft->body->roots;
    const countersign_v1_RootSet *old = current ? &cs_policy_body(current)->roots : own;
    struct cli_draft_signers by_old, by_own;
    struct cs_digest old_roots = cs_roots_digest(old), own_roots = cs_roots_digest(own);
    bool same = cs_digest_eq(&old_roots, &own_roots);
    int rc = cli_draft_signers(draft, old, &by_old, err);

    if (rc == CS_OK)
        rc = cli_draft_signers(draft, own, &by_own, err);
    if (rc != CS_OK)
        return rc;
    show_count(doc, "signatures", same ? "Signatures" : "Signatures of the current roots", &by_old);
    if (!same)
        show_count(doc, "new_signatures", "Signatures of the new roots", &by_own);
    cli_table(doc, "root_signatures", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < old->keys_count; i++)
        show_root(doc, CS_PB_BYTES(&old->keys[i]),
                  same                                             ? ""
                  : cs_roots_have(own, CS_PB_BYTES(&old->keys[i])) ? "current and new"
                                                                   : "current",
                  &by_old);
    for (pb_size_t i = 0; !same && i < own->keys_count; i++)
        if (!cs_roots_have(old, CS_PB_BYTES(&own->keys[i])))
            show_root(doc, CS_PB_BYTES(&own->keys[i]), "new", &by_own);
    *ret_complete = by_old.count >= by_old.needed && by_own.count >= by_own.needed;
    return CS_OK;
}
