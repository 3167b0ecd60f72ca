#include "controller/cli/cli.h"

#include "controller/cli/ask.h"
#include "controller/cli/complete.h"
#include "controller/cli/file.h"
#include "controller/cli/keep.h"
#include "controller/cli/nearest.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"
#include "shared/base/version.h"

#include <locale.h>
#include <signal.h>
#include <time.h>

void *cli_alloc(size_t size, struct cs_err *err)
{
    void *zeroed = calloc(1, size);

    if (!zeroed)
        cs_err_nomem(err);
    return zeroed;
}

int cli_usage(struct cli *cli, struct cs_err *err, const char *format, ...)
{
    va_list args;

    cli->failure = CLI_USAGE;
    va_start(args, format);
    cs_err_setv(err, CS_EINVAL, format, args);
    va_end(args);
    return CS_EINVAL;
}

int cli_write(struct cli *cli, const struct cli_doc *doc, struct cs_err *err)
{
    return cli_doc_write(doc, stdout, cli->style, err);
}

int cli_connection(struct cli *cli, struct cli_rpc **ret, struct cs_err *err)
{
    int rc = cli->rpc ? CS_OK : cli_rpc_new(cli->home.socket, &cli->rpc, err);

    if (rc == CS_OK)
        *ret = cli->rpc;
    return rc;
}

int cli_page(struct cli *cli, struct cli_doc *doc, struct cs_err *err)
{
    return cli_doc_page(doc, stdout, cli->style, err);
}

int cli_call(struct cli *cli, const struct cli_rpc_method *method, const void *request, void *reply,
             struct cs_err *err)
{
    struct cli_rpc *rpc;
    int rc = cli_connection(cli, &rpc, err);

    if (rc == CS_OK && cli->hurry_ms) {
        cli_rpc_hurry(rpc, cli->hurry_ms);
        cli->hurry_ms = 0;
    }
    if (rc == CS_OK)
        rc = cli_rpc_call(rpc, method, request, reply, err);
    if (rc != CS_OK && cli->rpc && cli_rpc_unreachable(cli->rpc))
        cli->failure = CLI_UNREACHABLE;
    if (rc == CS_OK && !cli_rpc_reads(method))
        cli->keep_checkpoint = true;
    return rc;
}

int cli_signer(struct cli *cli, countersign_v1_Role role, const countersign_v1_Operator **ret,
               struct cs_err *err)
{
    const char *name = cli_args_option(&cli->args, "as");
    const struct cs_policy *policy;
    const countersign_v1_Operator *who;
    int rc;

    if (!name || !*name)
        name = getenv("COUNTERSIGN_AS");
    if (!name || !*name)
        name = cli->home.as;
    if (!*name)
        return cli_usage(
            cli, err,
            "who signs? give --as NAME, COUNTERSIGN_AS, or `as = NAME` under [client] in %.100s/config",
            cli->home.folder);
    rc = cli_policy(cli, &policy, err);
    if (rc != CS_OK)
        return rc;
    who = cs_policy_operator(policy, name);
    if (!who)
        return cs_err_set(err, CS_EDENIED,
                          "the trust policy has no operator %.63s: `countersign trust show` lists them",
                          name);
    if (role != countersign_v1_Role_ROLE_UNSPECIFIED &&
        !cs_operator_has_role(cs_policy_body(policy), who, role))
        return cs_err_set(err, CS_EDENIED,
                          "%s is no %s in the trust policy: `countersign trust show` lists the roles",
                          who->name, cli_show_role_word(role));
    *ret = who;
    return CS_OK;
}

int cli_load_key(struct cli *cli, const char *path, struct cs_key **ret, struct cs_err *err)
{
    struct cs_buf pem = CS_BUF_EMPTY, passphrase = CS_BUF_EMPTY;
    int rc = cli_file_read_secret(path, CS_LIMIT_PRIVATE_KEY_BYTES * 2, &pem, err);

    if (rc == CS_OK) {
        rc = cs_key_parse(cs_buf_slice(&pem), CS_SLICE_EMPTY, CS_KEY_SIGN, ret, err);
        if (rc == CS_EDENIED) {
            rc = cli_ask_passphrase(path, cli_args_option(&cli->args, "passphrase-file"), false, &passphrase,
                                    err);
            if (rc == CS_OK)
                rc = cs_key_parse(cs_buf_slice(&pem), cs_buf_slice(&passphrase), CS_KEY_SIGN, ret, err);
            if (rc == CS_EAUTH)
                cs_err_set(err, rc, "the passphrase does not open %.180s", path);
        }
    }
    cs_buf_wipe(&passphrase);
    cs_buf_wipe(&pem);
    return rc;
}

static int load_signer_key(struct cli *cli, const countersign_v1_Operator *signer, struct cs_key **ret,
                           struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    char path[PATH_MAX];
    int rc = cli_home_operator_key(&cli->home, signer->name, path, err);

    if (rc == CS_OK)
        rc = cli_load_key(cli, path, &key, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no key of %s here: %.150s", signer->name, path);
    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < signer->keys_count; i++) {
        if (cs_slice_eq(CS_PB_BYTES(&signer->keys[i].spki), cs_key_spki(key))) {
            *ret = cs_steal(key);
            return CS_OK;
        }
    }
    return cs_err_set(err, CS_EDENIED, "%.150s is not the key that the trust policy has for %s", path,
                      signer->name);
}

int cli_confirm(struct cli *cli, const struct cli_doc *statement, const char *question, struct cs_err *err)
{
    int rc = cli_doc_write(statement, stderr, cli->ask_style, err);

    if (rc != CS_OK || cli_args_flag(&cli->args, "yes"))
        return rc;
    fputc('\n', stderr);
    rc = cli_ask_yes(question, "give --yes once you know what you sign", err);
    if (rc == CS_ESTATE)
        cli->failure = CLI_USAGE;
    return rc;
}

int cli_sign(struct cli *cli, enum cs_statement_kind kind, struct cs_slice payload, struct cli_doc *statement,
             const countersign_v1_Operator *signer, struct cs_buf *envelope, struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_digest digest = cs_sha256(payload);
    const struct cs_key *keys[1];
    char question[128];
    int rc;

    cli_show_digest(statement, &digest);
    snprintf(question, sizeof question, "Sign this as %s?", signer->name);
    rc = cli_confirm(cli, statement, question, err);
    if (rc == CS_OK)
        rc = load_signer_key(cli, signer, &key, err);
    if (rc != CS_OK)
        return rc;
    keys[0] = key;
    return cs_envelope_sign(kind, payload, keys, 1, envelope, err);
}

int cli_comment(struct cli *cli, const char **ret, struct cs_err *err)
{
    const char *comment = cli_args_option(&cli->args, "comment");
    int rc = cs_text_check(cs_slice_str(comment), CS_LIMIT_COMMENT_BYTES, "the comment", err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    *ret = comment ? comment : "";
    return CS_OK;
}

int cli_duration(struct cli *cli, const char *option, int64_t otherwise_s, int64_t *ret_s, struct cs_err *err)
{
    const char *text = cli_args_option(&cli->args, option);
    int rc;

    if (!text) {
        *ret_s = otherwise_s;
        return CS_OK;
    }
    rc = cs_duration_parse(cs_slice_str(text), ret_s, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "--%s", option);
        cli->failure = CLI_USAGE;
    }
    return rc;
}

int cli_choice(struct cli *cli, const char *option, const char *const *words, size_t *ret, struct cs_err *err)
{
    const char *text = cli_args_option(&cli->args, option);
    char name[64];
    int rc;

    if (!text)
        return CS_OK;
    snprintf(name, sizeof name, "%s%s", option[1] ? "--" : "-", option);
    rc = cli_choose(text, name, words, ret, err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    return rc;
}

int cli_prepare(struct cli *cli, struct cs_err *err)
{
    const char *socket = cli_args_option(&cli->args, "socket");
    size_t format = CLI_FORMAT_TABLE;
    int rc = cli_choice(cli, "o", cli_format_words, &format, err);

    if (rc != CS_OK)
        return rc;
    cli->style = cli_style_of(stdout, (enum cli_format)format);
    cli->style.no_headers = cli_args_flag(&cli->args, "no-headers");
    cli->ask_style = cli_style_of(stderr, CLI_FORMAT_TABLE);
    rc = cli_home_open(cli_args_option(&cli->args, "home"), &cli->home, err);
    if (rc != CS_OK)
        return rc;
    if (!socket || !*socket)
        socket = getenv("COUNTERSIGN_SOCKET");
    if (!socket || !*socket)
        socket = cli->home.socket[0] ? cli->home.socket : CLI_DEFAULT_SOCKET;
    if (strlen(socket) >= sizeof cli->home.socket)
        return cli_usage(cli, err, "the path of the socket is too long");
    memmove(cli->home.socket, socket, strlen(socket) + 1);
    return cs_crypto_init(err);
}

static int run(struct cli *cli, int argc, char *const *argv, struct cs_err *err)
{
    int rc;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("countersign " CS_VERSION);
        return CS_OK;
    }
    if (argc >= 2 && strcmp(argv[1], "__complete") == 0) {
        cli_complete_run(cli, argc - 2, argv + 2);
        return CS_OK;
    }
    rc = cli_args_parse(argc, argv, &cli->args, err);
    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (cli->args.help) {
        bool asked = argc > 1;

        cli_args_help(&cli->args, asked ? stdout : stderr);
        cli->failure = CLI_USAGE;
        return asked ? CS_OK : cs_err_set(err, CS_EINVAL, "give a command");
    }
    rc = cli_prepare(cli, err);
    if (rc == CS_OK)
        rc = cli->args.command->run(cli, err);
    if (cli->rpc && !cli_rpc_unreachable(cli->rpc))
        cli_keep_after(cli);
    return rc;
}

int cli_main(int argc, char *const *argv)
{
    struct cli *cli = calloc(1, sizeof *cli);
    struct cs_err err = {0};
    enum cli_exit status = CLI_DONE;

    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    if (!cli)
        return CLI_REFUSED;
    cli->failure = CLI_REFUSED;
    cli->now_s = time(NULL);
    if (run(cli, argc, argv, &err) != CS_OK) {
        struct cs_buf clean = CS_BUF_EMPTY;

        status = cli->failure;
        if (cli_clean(cs_slice_str(err.msg), &clean) == CS_OK)
            fprintf(stderr, "countersign: %.*s\n", (int)clean.len, (const char *)clean.ptr);
        cs_buf_free(&clean);
    } else if (cli->altered) {
        status = CLI_ALTERED;
    }
    cs_policy_free(cli->policy);
    cli_rpc_free(cli->rpc);
    free(cli);
    return (int)status;
}
