#include "controller/cli/remote.h"

#include "controller/cli/file.h"

#include "shared/base/text.h"

#include <stdio.h>
#include <unistd.h>

enum { CERTIFICATES_BYTES = 256 * 1024, SESSION_BYTES = 4096 };

/* The name in a certificate of the deployment's own CA, whatever the address (proto/README.md). */
static const char own_name[] = "countersignd";

/* ---- who the controller is */

static int read_ca_file(const char *path, struct cs_chain **ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    int rc = cli_file_read(path, CERTIFICATES_BYTES, &pem, err);

    if (rc == CS_OK)
        rc = cs_chain_parse_pem(cs_buf_slice(&pem), ret, err);
    return rc;
}

static int policy_cas(struct cli *cli, struct cs_chain **ret, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    cs_auto(cs_buf_free) struct cs_buf ders = CS_BUF_EMPTY;
    const countersign_v1_TrustPolicy *body;
    int rc = cli_policy_kept(cli, &policy, err);

    if (rc != CS_OK)
        return cs_err_prefix(
            err, "to know the controller by its certificate takes a trust policy that is kept here "
                 "(countersign trust pin --policy FILE), or --ca FILE");
    body = cs_policy_body(policy);
    for (pb_size_t i = 0; i < body->agent_cas_count; i++)
        if (cs_buf_append(&ders, CS_PB_BYTES(&body->agent_cas[i])) != CS_OK)
            return cs_err_nomem(err);
    return cs_chain_parse(cs_buf_slice(&ders), ret, err);
}

static int make_tls(struct cli *cli, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *anchors = NULL;
    struct cs_tls_options options = {.alpn = "h2"};
    int rc = cli->home.ca[0] ? read_ca_file(cli->home.ca, &anchors, err) : policy_cas(cli, &anchors, err);

    options.anchors = anchors;
    return rc == CS_OK ? cs_tls_config_new(&options, &cli->tls, err) : rc;
}

int cli_remote_connect(struct cli *cli, struct cs_err *err)
{
    struct cli_url url;
    int rc = cli_url_parse(cli->home.controller, &url, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (url.tls)
        rc = make_tls(cli, err);
    if (rc == CS_OK) {
        const struct cli_rpc_target target = {
            .host = url.host,
            .port = url.port,
            .tls = cli->tls,
            .server_name = cli->home.ca[0] ? NULL : own_name,
            .shown = cli->home.controller,
        };

        rc = cli_rpc_new_to(&target, &cli->rpc, err);
    }
    return rc;
}

/* ---- the kept session */

/* The URL's one form, and the file of this operator's session there. */
static int find_file(struct cli *cli, const char *operator, struct cs_buf * ret_url, char ret_path[PATH_MAX],
                     struct cs_err *err)
{
    struct cli_url url;
    struct cs_digest digest;
    char hex[2 * CS_SHA256_BYTES + 1];
    int rc = cli_url_parse(cli->home.controller, &url, err);

    if (rc != CS_OK)
        return rc;
    if (cli_url_write(&url, ret_url) != CS_OK || cs_buf_append_u8(ret_url, '\0') != CS_OK)
        return cs_err_nomem(err);
    digest = cs_sha256(cs_slice_str((const char *)ret_url->ptr));
    return cli_file_join(ret_path, PATH_MAX, err, cli->home.folder, "sessions/%s-%.16s", operator,
                         cs_hex(cs_digest_slice(&digest), hex));
}

/* CS_ENOTFOUND also for one that has expired, or that does not parse: then another is opened. */
static int load_kept(struct cli *cli, const char *operator, struct cli_kept_session * ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf url = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = find_file(cli, operator, & url, path, err);

    if (rc == CS_OK && cs_buf_reserve(&text, SESSION_BYTES + 1) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_file_read_secret(path, SESSION_BYTES, &text, err);
    if (rc == CS_OK && cs_buf_append_u8(&text, '\0') != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_kept_session_parse((const char *)text.ptr, (const char *)url.ptr, ret, err);
    if (rc == CS_EPARSE || rc == CS_ENOTFOUND || (rc == CS_OK && ret->expires_s <= cli->now_s))
        rc = cs_err_set(err, CS_ENOTFOUND, "there is no session of %s here", operator);
    return rc;
}

static int keep(struct cli *cli, const struct cli_kept_session *session, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf url = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX], folder[PATH_MAX];
    int rc = find_file(cli, session->operator, & url, path, err);

    if (rc == CS_OK)
        rc = cli_file_join(folder, sizeof folder, err, cli->home.folder, "sessions");
    if (rc == CS_OK)
        rc = cli_file_make_folder(folder, err);
    if (rc == CS_OK && (cs_buf_reserve(&text, SESSION_BYTES) != CS_OK ||
                        cli_kept_session_write(session, (const char *)url.ptr, &text) != CS_OK))
        rc = cs_err_nomem(err);
    return rc == CS_OK ? cli_file_write(path, 0600, cs_buf_slice(&text), err) : rc;
}

static void forget(struct cli *cli, const char *operator)
{
    cs_auto(cs_buf_free) struct cs_buf url = CS_BUF_EMPTY;
    char path[PATH_MAX];

    if (find_file(cli, operator, & url, path, NULL) == CS_OK)
        unlink(path);
}

static void speak_as(struct cli *cli, const struct cli_kept_session *session)
{
    char value[sizeof session->token + 8];

    snprintf(value, sizeof value, "Bearer %s", session->token);
    cli_rpc_identify(cli->rpc, "authorization", value);
    cs_wipe(value, sizeof value);
}

/* ---- opening one */

static int make_opening(struct cli *cli, const char *operator,
                        const countersign_v1_GetChallengeResponse * challenge, struct cs_buf *payload,
                        struct cs_err *err)
{
    countersign_v1_SessionOpening opening = {
        .policy_version = cli->home.pin.least_version,
        .made_at_s = cli->now_s,
    };
    struct cs_digest server;
    bool has_tls;
    int rc = cli_rpc_server_key(cli->rpc, &server, &has_tls, err);

    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CS_PB_BYTES(&challenge->deployment_id), CS_SLICE_ARRAY(cli->home.pin.deployment_id)))
        return cs_err_set(err, CS_EDENIED,
                          "%.120s is the controller of another deployment than the pinned one",
                          cli->home.controller);
    CS_PB_SET(&opening.deployment_id, CS_PB_BYTES(&challenge->deployment_id));
    CS_PB_SET(&opening.challenge, CS_PB_BYTES(&challenge->challenge));
    if (has_tls)
        CS_PB_SET(&opening.server_spki_digest, cs_digest_slice(&server));
    snprintf(opening.operator, sizeof opening.operator, "%s", operator);
    return cs_message_encode(countersign_v1_SessionOpening_fields, &opening, payload, err);
}

static int load_key(struct cli *cli, const char *operator, struct cs_key ** ret, struct cs_err *err)
{
    char path[PATH_MAX];
    int rc = cli_home_operator_key(&cli->home, operator, path, err);

    if (rc == CS_OK)
        rc = cli_load_key(cli, path, ret, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no key of %s here: %.150s", operator, path);
    return rc;
}

static int open_session(struct cli *cli, const char *operator, struct cli_kept_session * ret,
                        struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY, envelope = CS_BUF_EMPTY;
    countersign_v1_GetChallengeRequest ask = {0};
    countersign_v1_GetChallengeResponse challenge;
    countersign_v1_OpenSessionRequest request = {.envelope = {0}};
    countersign_v1_OpenSessionResponse opened;
    const struct cs_key *keys[1];
    int rc;

    if (!cli->home.pinned)
        return cs_err_set(
            err, CS_ESTATE,
            "no deployment is pinned here, so nobody knows whose challenge this would sign: `countersign "
            "trust pin` first");
    /* The key first: a passphrase takes its time, and a challenge does not wait for long. */
    fprintf(stderr, "Signing in at %s as %s\n", cli->home.controller, operator);
    rc = cli->key ? CS_OK : load_key(cli, operator, & key, err);
    if (rc == CS_OK)
        rc = cli_rpc_call(cli->rpc, &cli_rpc_GetChallenge, &ask, &challenge, err);
    if (rc == CS_OK)
        rc = make_opening(cli, operator, & challenge, &payload, err);
    keys[0] = cli->key ? cli->key : key;
    if (rc == CS_OK)
        rc = cs_envelope_sign(CS_STATEMENT_SESSION_OPENING, cs_buf_slice(&payload), keys, 1, &envelope, err);
    if (rc == CS_OK) {
        CS_PB_SET(&request.envelope, cs_buf_slice(&envelope));
        rc = cli_rpc_call(cli->rpc, &cli_rpc_OpenSession, &request, &opened, err);
    }
    if (rc != CS_OK)
        return rc;
    *ret = (struct cli_kept_session){.expires_s = opened.expires_at_s};
    snprintf(ret->operator, sizeof ret->operator, "%s", operator);
    snprintf(ret->token, sizeof ret->token, "%s", opened.token);
    cs_wipe(&opened, sizeof opened);
    return CS_OK;
}

int cli_remote_sign_in(struct cli *cli, bool fresh, struct cs_err *err)
{
    struct cli_kept_session session;
    const char *operator;
    int rc = cli_operator(cli, &operator, err);

    if (rc != CS_OK)
        return rc;
    if (!operator)
        return cli_usage(cli, err,
                         "who signs in? give --as NAME, COUNTERSIGN_AS, or `as = NAME` under [client] in "
                         "%.100s/config",
                         cli->home.folder);
    rc = fresh ? CS_ENOTFOUND : load_kept(cli, operator, & session, err);
    if (rc == CS_ENOTFOUND && cli->asks_nobody)
        return cs_err_set(err, CS_EAUTH, "there is no session of %s here", operator);
    if (rc == CS_ENOTFOUND) {
        rc = open_session(cli, operator, & session, err);
        if (rc == CS_OK)
            rc = keep(cli, &session, err);
    }
    if (rc == CS_OK)
        speak_as(cli, &session);
    cs_wipe(&session, sizeof session);
    cli->signed_in = rc == CS_OK;
    return rc;
}

int cli_remote_sign_out(struct cli *cli, struct cs_err *err)
{
    countersign_v1_CloseSessionRequest request = {0};
    countersign_v1_CloseSessionResponse reply;
    struct cli_kept_session session;
    const char *operator;
    int rc = cli_operator(cli, &operator, err);

    if (rc != CS_OK)
        return rc;
    if (!operator)
        return cli_usage(cli, err, "whose session? give --as NAME");
    rc = load_kept(cli, operator, & session, err);
    if (rc != CS_OK)
        return rc;
    speak_as(cli, &session);
    cs_wipe(&session, sizeof session);
    rc = cli_rpc_call(cli->rpc, &cli_rpc_CloseSession, &request, &reply, err);
    if (rc == CS_OK)
        forget(cli, operator);
    return rc;
}
