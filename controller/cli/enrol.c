/* countersign device add - a new device: the token with which it enrols. */
#include "controller/cli/admit.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/token.h"

#include "shared/base/text.h"

#include <time.h>
#include <unistd.h>

enum { TOKEN_LIFE_S = 3600, HALF_BYTES = 16, TOKEN_FILE_BYTES = 4096, POLL_MS = 300 };

static void mint(countersign_v1_EnrolmentToken *token, const struct cs_policy *policy,
                 const struct cli_home *home, const char *device, int64_t now_s)
{
    const countersign_v1_TrustPolicy *body = cs_policy_body(policy);

    CS_PB_SET(&token->deployment_id, CS_PB_BYTES(&body->deployment_id));
    snprintf(token->device_name, sizeof token->device_name, "%s", device);
    cs_random(token->authentication.bytes, HALF_BYTES);
    cs_random(token->binding.bytes, HALF_BYTES);
    token->authentication.size = token->binding.size = HALF_BYTES;
    CS_PB_SET(&token->roots_digest, cs_digest_slice(&home->pin.roots_digest));
    token->policy_version = home->pin.least_version;
    token->expires_at_s = now_s + TOKEN_LIFE_S;
    CS_PB_SET(&token->agent_ca, CS_PB_BYTES(&body->agent_cas[0]));
}

static int register_token(struct cli *cli, const countersign_v1_EnrolmentToken *token, struct cs_err *err)
{
    countersign_v1_CreateTokenRequest request = {.expires_at_s = token->expires_at_s};
    countersign_v1_CreateTokenResponse reply;
    struct cs_digest digest = cs_sha256(CS_PB_BYTES(&token->authentication));

    memcpy(request.device_name, token->device_name, sizeof request.device_name);
    CS_PB_SET(&request.authentication_digest, cs_digest_slice(&digest));
    return cli_call(cli, &cli_rpc_CreateToken, &request, &reply, err);
}

/* The token is kept until the device is admitted: its binding half checks the device's keys then. */
static int keep_token(struct cli *cli, const char *device, struct cs_slice text, struct cs_err *err)
{
    char path[PATH_MAX];
    int rc = cli_home_token(&cli->home, device, path, err);

    return rc == CS_OK ? cli_file_write(path, 0600, text, err) : rc;
}

int cli_token_load(struct cli *cli, const char *device, countersign_v1_EnrolmentToken *ret,
                   struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = cli_home_token(&cli->home, device, path, err);

    if (rc == CS_OK)
        rc = cli_file_read_secret(path, TOKEN_FILE_BYTES, &text, err);
    if (rc == CS_OK)
        rc = cli_token_parse(cs_buf_slice(&text), ret, err);
    if (rc == CS_ENOTFOUND)
        cs_err_set(err, rc,
                   "no token for %s was made from this home folder: `countersign device add %s` makes one",
                   device, device);
    cs_buf_wipe(&text);
    return rc;
}

void cli_token_drop(struct cli *cli, const char *device)
{
    char path[PATH_MAX];

    if (cli_home_token(&cli->home, device, path, NULL) == CS_OK)
        unlink(path);
}

static int sleep_and_poll(struct cli *cli, const char *device, int64_t until_s,
                          countersign_v1_GetEnrolmentResponse *ret, struct cs_err *err)
{
    const struct timespec pause = {POLL_MS / 1000, POLL_MS % 1000 * 1000000L};
    countersign_v1_GetEnrolmentRequest request = {0};

    snprintf(request.device_name, sizeof request.device_name, "%s", device);
    for (;;) {
        int rc = cli_call(cli, &cli_rpc_GetEnrolment, &request, ret, err);

        if (rc != CS_OK || ret->enrolled)
            return rc;
        if (time(NULL) >= until_s) {
            cli->failure = CLI_TIMED_OUT;
            return cs_err_set(
                err, CS_ETIMEOUT,
                "device %s has not used its token yet: run `countersign-agent enrol` there, then "
                "`countersign device admit %s`",
                device, device);
        }
        nanosleep(&pause, NULL);
    }
}

static int wait_and_admit(struct cli *cli, const countersign_v1_EnrolmentToken *token,
                          const countersign_v1_Operator *admin, int64_t until_s, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetEnrolmentResponse *enrolment =
        CLI_NEW(countersign_v1_GetEnrolmentResponse, err);
    int rc = enrolment ? sleep_and_poll(cli, token->device_name, until_s, enrolment, err) : CS_ENOMEM;

    return rc == CS_OK ? cli_admit_enrolled(cli, token, enrolment, admin, err) : rc;
}

static int print_token(struct cli *cli, const char *device, struct cs_slice text, bool waits,
                       struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    /* For people nothing but the token goes to standard output, so that it can be piped to the device. */
    if (!cli->style.json) {
        printf("%.*s\n", (int)text.len, (const char *)text.ptr);
        fflush(stdout);
        fprintf(stderr,
                "Within an hour, on the device:  countersign-agent --config FILE enrol --token TOKEN\n%s%s%s",
                waits ? "Waiting for it…" : "Then, here:  countersign device admit ", waits ? "" : device,
                "\n");
        return CS_OK;
    }
    cli_field(doc, "device", "Device", cli_text(device));
    cli_field(doc, "token", "Token", (struct cli_value){CLI_TEXT, CLI_PLAIN, text, 0});
    return cli_write(cli, doc, err);
}

int cli_device_add(struct cli *cli, struct cs_err *err)
{
    const char *device = cli->args.operands[0];
    bool waits = cli_args_flag(&cli->args, "wait");
    cs_auto_free countersign_v1_EnrolmentToken *token = CLI_NEW(countersign_v1_EnrolmentToken, err);
    const countersign_v1_Operator *admin = NULL;
    const struct cs_policy *policy;
    struct cs_buf text = CS_BUF_EMPTY;
    int64_t timeout_s;
    int rc = cs_name_check(cs_slice_str(device), "the device's name", err);

    if (!token)
        return CS_ENOMEM;
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_duration(cli, "timeout", TOKEN_LIFE_S, &timeout_s, err);
    if (rc == CS_OK)
        rc = cli_policy(cli, &policy, err);
    if (rc == CS_OK && waits)
        rc = cli_signer(cli, countersign_v1_Role_ROLE_ADMIN, &admin, err);
    if (rc != CS_OK)
        return rc;
    mint(token, policy, &cli->home, device, cli->now_s);
    rc = cli_token_write(token, &text, err);
    if (rc == CS_OK)
        rc = keep_token(cli, device, cs_buf_slice(&text), err);
    if (rc == CS_OK)
        rc = register_token(cli, token, err);
    if (rc == CS_OK)
        rc = print_token(cli, device, cs_buf_slice(&text), waits, err);
    if (rc == CS_OK && waits)
        rc = wait_and_admit(cli, token, admin, cli->now_s + timeout_s, err);
    cs_buf_wipe(&text);
    cs_wipe(token, sizeof *token);
    return rc;
}
