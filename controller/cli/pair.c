/* countersign operator pair - the key of a person's browser, from a link to a file with its public half. Who
 * follows the link makes a MAC with a half of it that the controller never has, so the key that comes back is
 * of whoever held the link; whether that was the right person, the words say, which stand on both screens. */
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/pair_link.h"
#include "controller/cli/public_key.h"
#include "controller/cli/remote.h"

#include "shared/base/text.h"
#include "shared/trust/spoken.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LIFE_S = 10 * 60, KEPT_BYTES = 1024, POLL_MS = 500 };

/* A link that was made, as it is kept at home until its key has come: "EXPIRES LINK". */
struct kept {
    char path[PATH_MAX];
    struct cs_buf text; /* the link, terminated; a secret */
    struct cli_pair_link link;
    int64_t expires_s;
};

static void kept_free(struct kept *kept)
{
    cs_buf_wipe(&kept->text);
    cs_wipe(&kept->link, sizeof kept->link);
}

static int keep(struct cli *cli, const struct kept *kept, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    char folder[PATH_MAX];
    int rc = cli_file_join(folder, sizeof folder, err, cli->home.folder, "pairings");

    if (rc == CS_OK)
        rc = cli_file_make_folder(folder, err);
    if (rc == CS_OK && (cs_buf_reserve(&content, KEPT_BYTES) != CS_OK ||
                        cs_buf_printf(&content, "%lld %s\n", (long long)kept->expires_s,
                                      (const char *)kept->text.ptr) != CS_OK))
        rc = cs_err_nomem(err);
    return rc == CS_OK ? cli_file_write(kept->path, 0600, cs_buf_slice(&content), err) : rc;
}

/* CS_ENOTFOUND also for what has expired, is of another deployment or does not parse: another is made. */
static int load(struct cli *cli, struct kept *kept, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    char *link;
    int rc = cs_buf_reserve(&content, KEPT_BYTES + 1) == CS_OK ? CS_OK : cs_err_nomem(err);

    if (rc == CS_OK)
        rc = cli_file_read_secret(kept->path, KEPT_BYTES, &content, err);
    if (rc != CS_OK)
        return rc;
    while (content.len && content.ptr[content.len - 1] == '\n')
        content.len--;
    content.ptr[content.len] = '\0';
    kept->expires_s = strtoll((const char *)content.ptr, &link, 10);
    link += *link == ' ';
    rc = cli_pair_link_parse(cs_slice_str(link), &kept->link, err);
    if (rc == CS_OK &&
        (kept->expires_s <= cli->now_s ||
         memcmp(kept->link.deployment_id, cli->home.pin.deployment_id, sizeof kept->link.deployment_id) != 0))
        rc = CS_ENOTFOUND;
    if (rc == CS_OK && cs_buf_append(&kept->text, cs_slice(link, strlen(link) + 1)) != CS_OK)
        rc = cs_err_nomem(err);
    return rc == CS_EPARSE ? CS_ENOTFOUND : rc;
}

/* Where the browser finds the controller: --url, or where this client does. */
static int find_url(struct cli *cli, struct cs_buf *out, struct cs_err *err)
{
    const char *text = cli_args_option(&cli->args, "url");
    struct cli_url url;
    int rc;

    if (!text && !cli->home.controller[0])
        return cli_usage(cli, err,
                         "say where the person's browser finds the controller: --url https://HOST:PORT, its "
                         "operators' listener");
    rc = cli_url_parse(text ? text : cli->home.controller, &url, err);
    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    return cli_url_write(&url, out) == CS_OK && cs_buf_append_u8(out, '\0') == CS_OK ? CS_OK
                                                                                     : cs_err_nomem(err);
}

static struct cs_digest digest_of(const struct kept *kept)
{
    return cs_sha256(CS_SLICE_ARRAY(kept->link.authentication));
}

static int create(struct cli *cli, const char *name, struct kept *kept, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf url = CS_BUF_EMPTY;
    countersign_v1_CreatePairingRequest request = {.expires_at_s = cli->now_s + LIFE_S};
    countersign_v1_CreatePairingResponse reply;
    struct cs_digest digest;
    int rc = find_url(cli, &url, err);

    if (rc != CS_OK)
        return rc;
    cs_random(kept->link.authentication, sizeof kept->link.authentication);
    cs_random(kept->link.binding, sizeof kept->link.binding);
    memcpy(kept->link.deployment_id, cli->home.pin.deployment_id, sizeof kept->link.deployment_id);
    kept->expires_s = request.expires_at_s;
    cs_buf_clear(&kept->text);
    if (cs_buf_reserve(&kept->text, KEPT_BYTES) != CS_OK ||
        cli_pair_link_write(&kept->link, (const char *)url.ptr, &kept->text) != CS_OK ||
        cs_buf_append_u8(&kept->text, '\0') != CS_OK)
        return cs_err_nomem(err);
    snprintf(request.operator, sizeof request.operator, "%s", name);
    digest = digest_of(kept);
    CS_PB_SET(&request.authentication_digest, cs_digest_slice(&digest));
    rc = keep(cli, kept, err);
    return rc == CS_OK ? cli_call(cli, &cli_rpc_CreatePairing, &request, &reply, err) : rc;
}

/* For people nothing but the link goes to standard output, as with a device's token. */
static int print_link(struct cli *cli, const char *name, const struct kept *kept, bool waits,
                      struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const char *link = (const char *)kept->text.ptr;

    if (!cli->style.json) {
        printf("%s\n", link);
        fflush(stdout);
        fprintf(stderr,
                "%s opens it in the own browser, within ten minutes; whoever has it first has it. %s%s%s\n",
                name, waits ? "Waiting for that…" : "Then, here:  countersign operator pair ",
                waits ? "" : name, waits ? "" : " --wait");
        return CS_OK;
    }
    cli_field(doc, "operator", "Operator", cli_text(name));
    cli_field(doc, "link", "Link", cli_text(link));
    cli_field(doc, "expires_at", "Expires", cli_time(kept->expires_s));
    return cli_write(cli, doc, err);
}

/* ---- the key comes */

static int poll_pairing(struct cli *cli, const char *name, const struct kept *kept, int64_t until_s,
                        countersign_v1_GetPairingResponse *ret, struct cs_err *err)
{
    const struct timespec pause = {POLL_MS / 1000, POLL_MS % 1000 * 1000000L};
    countersign_v1_GetPairingRequest request = {.authentication_digest = {0}};
    struct cs_digest digest = digest_of(kept);

    CS_PB_SET(&request.authentication_digest, cs_digest_slice(&digest));
    for (;;) {
        int rc = cli_call(cli, &cli_rpc_GetPairing, &request, ret, err);

        if (rc != CS_OK || ret->spki.size)
            return rc;
        if (time(NULL) >= until_s) {
            cli->failure = CLI_TIMED_OUT;
            return cs_err_set(err, CS_ETIMEOUT,
                              "nobody has followed the link of %s yet: `countersign operator pair %s --wait` "
                              "waits on, or makes another",
                              name, name);
        }
        nanosleep(&pause, NULL);
    }
}

static int check_pairing(const char *name, const struct kept *kept,
                         const countersign_v1_GetPairingResponse *reply, struct cs_err *err)
{
    struct cs_digest mac = cli_pair_link_mac(&kept->link, CS_PB_BYTES(&reply->spki));

    if (strcmp(reply->operator, name) != 0)
        return cs_err_set(err, CS_EAUTH, "the controller gave a pairing of %s instead of %s", reply->operator,
                          name);
    if (cs_spki_check(CS_PB_BYTES(&reply->spki)) != CS_OK)
        return cs_err_set(err, CS_EAUTH, "the controller gave something that is no P-256 key");
    if (!cs_slice_eq_secret(CS_PB_BYTES(&reply->binding_mac), cs_digest_slice(&mac)))
        return cs_err_set(
            err, CS_EAUTH,
            "this key was not made by who had the whole link: somebody, maybe the controller, put "
            "it in the place of the browser's; nothing was written");
    return CS_OK;
}

/* The public half beside the operators' keys; several browsers of one person each have their own. */
static int write_key(struct cli *cli, const char *name, struct cs_slice spki, char ret_path[PATH_MAX],
                     struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, "out");
    struct cs_digest key_id = cs_key_id(spki);
    char hex[2 * CS_SHA256_BYTES + 1];
    int rc = CS_OK;

    cs_hex(cs_digest_slice(&key_id), hex);
    if (given && snprintf(ret_path, PATH_MAX, "%s", given) >= PATH_MAX)
        rc = cs_err_set(err, CS_EINVAL, "the path of --out is too long");
    if (!given)
        rc = cli_file_make_folder(cli->home.keys, err);
    if (rc == CS_OK && !given)
        rc = cli_file_join(ret_path, PATH_MAX, err, cli->home.keys, "%s-browser-%.8s.pub", name, hex);
    return rc == CS_OK ? cli_public_key_write(ret_path, spki, err) : rc;
}

static int print_key(struct cli *cli, const char *name, struct cs_slice spki, const char *path,
                     struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct cs_digest key_id = cs_key_id(spki);
    char words[CS_SPOKEN_TEXT_BYTES];

    cli_field(doc, "operator", "Operator", cli_tinted(name, CLI_BOLD));
    cli_field(doc, "key_id", "Key (SHA-256)", cli_hex(cs_digest_slice(&key_id)));
    cli_field(doc, "words", "In words", cli_tinted(cs_spoken_text(&key_id, words), CLI_BOLD));
    cli_field(doc, "public_key", "Public key", cli_text(path));
    cli_hint(doc, "The same words stand on %s's screen: compare them, by voice. If they differ, stop here.",
             name);
    cli_hint(doc, "Then the owner of the roots puts the key into the trust policy:");
    cli_hint(doc, "  countersign trust draft");
    cli_hint(doc, "  countersign trust add-key %s %.150s --kind browser", name, path);
    cli_hint(doc, "  countersign trust sign --root-key KEY");
    cli_hint(doc, "  countersign trust publish");
    return cli_write(cli, doc, err);
}

static int wait_for_key(struct cli *cli, const char *name, const struct kept *kept, int64_t timeout_s,
                        struct cs_err *err)
{
    countersign_v1_GetPairingResponse reply;
    char path[PATH_MAX];
    int rc = poll_pairing(cli, name, kept, cli->now_s + timeout_s, &reply, err);

    /* What is not there any more, or was tampered with, is not waited for again. */
    if (rc == CS_ENOTFOUND)
        unlink(kept->path);
    if (rc != CS_OK)
        return rc;
    rc = check_pairing(name, kept, &reply, err);
    if (rc == CS_OK)
        rc = write_key(cli, name, CS_PB_BYTES(&reply.spki), path, err);
    if (rc == CS_OK || rc == CS_EAUTH)
        unlink(kept->path);
    return rc == CS_OK ? print_key(cli, name, CS_PB_BYTES(&reply.spki), path, err) : rc;
}

int cli_operator_pair(struct cli *cli, struct cs_err *err)
{
    const char *name = cli->args.operands[0];
    bool waits = cli_args_flag(&cli->args, "wait");
    struct kept kept = {.text = CS_BUF_EMPTY};
    const struct cs_policy *policy;
    int64_t timeout_s;
    int rc = cs_name_check(cs_slice_str(name), "the operator's name", err);

    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_duration(cli, "timeout", LIFE_S, &timeout_s, err);
    if (rc == CS_OK)
        rc = cli_policy(cli, &policy, err);
    if (rc == CS_OK && !cs_policy_operator(policy, name))
        rc = cs_err_set(
            err, CS_ENOTFOUND,
            "%s is no operator of the trust policy: `countersign trust add-operator` first, with a "
            "key that is not a browser's",
            name);
    if (rc == CS_OK)
        rc = cli_file_join(kept.path, sizeof kept.path, err, cli->home.folder, "pairings/%s", name);
    if (rc != CS_OK)
        return rc;
    rc = waits && !cli_args_flag(&cli->args, "new") ? load(cli, &kept, err) : CS_ENOTFOUND;
    if (rc == CS_ENOTFOUND)
        rc = create(cli, name, &kept, err);
    if (rc == CS_OK)
        rc = print_link(cli, name, &kept, waits, err);
    if (rc == CS_OK && waits)
        rc = wait_for_key(cli, name, &kept, timeout_s, err);
    kept_free(&kept);
    return rc;
}
