#include "controller/cli/cli.h"

#include "controller/cli/ask.h"
#include "controller/cli/complete.h"
#include "controller/cli/file.h"
#include "controller/cli/keep.h"
#include "controller/cli/known.h"
#include "controller/cli/nearest.h"
#include "controller/cli/remote.h"
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

int cli_page(struct cli *cli, struct cli_doc *doc, struct cs_err *err)
{
    return cli_doc_page(doc, stdout, cli->style, err);
}

int cli_operator(struct cli *cli, const char **ret, struct cs_err *err)
{
    const char *name = cli_args_option(&cli->args, "as");

    if (!name || !*name)
        name = getenv("COUNTERSIGN_AS");
    if (!name || !*name)
        name = cli->home.as;
    *ret = *name ? name : NULL;
    if (*name && cs_name_check(cs_slice_str(name), "the operator's name", err) != CS_OK) {
        cli->failure = CLI_USAGE;
        return CS_EINVAL;
    }
    return CS_OK;
}

/* Over the admin socket: the system says which user calls, and this which operator that is. */
static int connect_socket(struct cli *cli, struct cs_err *err)
{
    const char *operator;
    int rc = cli_operator(cli, &operator, err);

    if (rc == CS_OK)
        rc = cli_rpc_new(cli->home.socket, &cli->rpc, err);
    if (rc == CS_OK && operator)
        cli_rpc_identify(cli->rpc, "countersign-operator", operator);
    return rc;
}

static int be_known(struct cli *cli, struct cs_err *err)
{
    if (cli->rpc && (cli->signed_in || !cli->home.controller[0]))
        return CS_OK;
    if (!cli->home.controller[0])
        return connect_socket(cli, err);
    if (!cli->rpc) {
        int rc = cli_remote_connect(cli, err);

        if (rc != CS_OK)
            return rc;
    }
    return cli_remote_sign_in(cli, false, err);
}

int cli_connection(struct cli *cli, struct cli_rpc **ret, struct cs_err *err)
{
    int rc = be_known(cli, err);

    if (rc == CS_OK)
        *ret = cli->rpc;
    return rc;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With -v; its number of milliseconds is the whole call, as a person waits for it. */
static void tell_call(const struct cli *cli, const struct cli_rpc_method *method, int64_t began_ms, int rc)
{
    if (cli_args_flag(&cli->args, "v"))
        fprintf(stderr, "countersign: %s: %s, %lld ms\n", strrchr(method->path, '/') + 1, cs_code_text(rc),
                (long long)(now_ms() - began_ms));
}

int cli_call(struct cli *cli, const struct cli_rpc_method *method, const void *request, void *reply,
             struct cs_err *err)
{
    int64_t began_ms = now_ms();
    struct cli_rpc *rpc;
    int rc = cli_connection(cli, &rpc, err);

    if (rc == CS_OK && cli->hurry_ms) {
        cli_rpc_hurry(rpc, cli->hurry_ms);
        cli->hurry_ms = 0;
    }
    if (rc == CS_OK)
        rc = cli_rpc_call(rpc, method, request, reply, err);
    /* A kept session may have ended, or the controller have started anew. */
    if (rc == CS_EAUTH && cli->home.controller[0] && cli->signed_in && !cli->signed_in_anew) {
        cli->signed_in_anew = true;
        rc = cli_remote_sign_in(cli, true, err);
        if (rc == CS_OK)
            rc = cli_rpc_call(rpc, method, request, reply, err);
    }
    tell_call(cli, method, began_ms, rc);
    if (rc != CS_OK && cli->rpc && cli_rpc_unreachable(cli->rpc))
        cli->failure = CLI_UNREACHABLE;
    if (rc == CS_OK && !cli_rpc_reads(method))
        cli->keep_checkpoint = true;
    return rc;
}

int cli_signer(struct cli *cli, countersign_v1_Role role, const countersign_v1_Operator **ret,
               struct cs_err *err)
{
    const struct cs_policy *policy;
    const countersign_v1_Operator *who;
    const char *name;
    int rc = cli_operator(cli, &name, err);

    if (rc != CS_OK)
        return rc;
    if (!name)
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

bool cli_dry_run(const struct cli *cli)
{
    return cli_args_find_option(cli->args.command, "dry-run", strlen("dry-run")) &&
           cli_args_flag(&cli->args, "dry-run");
}

int cli_dry_end(struct cli *cli, struct cli_doc *statement, struct cs_err *err)
{
    cli_hint(statement, "Nothing was changed: --dry-run");
    return cli_write(cli, statement, err);
}

static int set(struct cli *cli, char *field, size_t room, const char *text, struct cs_err *err)
{
    if (strlen(text) >= room)
        return cli_usage(cli, err, "\"%.60s…\" is too long", text);
    memmove(field, text, strlen(text) + 1);
    return CS_OK;
}
#define SET(cli, field, text, err) set((cli), (field), sizeof(field), (text), (err))

/* An option comes before the environment, and that before the configuration. At each the socket or the
 * listener's URL may be given; --socket makes nothing of a URL from further behind, and the other way round.
 */
static int find_controller(struct cli *cli, struct cs_err *err)
{
    struct cli_home *home = &cli->home;
    const char *ca = cli_args_option(&cli->args, "ca");
    const char *sockets[] = {cli_args_option(&cli->args, "socket"), getenv("COUNTERSIGN_SOCKET")};
    const char *urls[] = {cli_args_option(&cli->args, "controller"), getenv("COUNTERSIGN_CONTROLLER")};
    int rc = ca ? SET(cli, home->ca, ca, err) : CS_OK;

    for (size_t i = 0; i < CS_ARRAY_LEN(urls) && rc == CS_OK; i++) {
        bool has_socket = sockets[i] && *sockets[i], has_url = urls[i] && *urls[i];

        if (has_socket && has_url)
            return cli_usage(cli, err, "the controller is either at a socket or at a URL: give one of them");
        if (has_url)
            return SET(cli, home->controller, urls[i], err);
        if (has_socket) {
            home->controller[0] = '\0';
            return SET(cli, home->socket, sockets[i], err);
        }
    }
    if (rc == CS_OK && !home->socket[0])
        rc = SET(cli, home->socket, CLI_DEFAULT_SOCKET, err);
    return rc;
}

int cli_prepare(struct cli *cli, struct cs_err *err)
{
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
    rc = find_controller(cli, err);
    return rc == CS_OK ? cs_crypto_init(err) : rc;
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
    cli_known_keep(cli);
    cs_policy_free(cli->policy);
    cs_key_free(cli->key);
    cli_rpc_free(cli->rpc);
    cs_tls_config_free(cli->tls);
    free(cli);
    return (int)status;
}
