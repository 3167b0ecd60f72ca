/* The part of cli.h that is about the trust policy: from the pin, version by version, to the newest. Every
 * version is kept. */
#include "controller/cli/cli.h"

static int fetch_policy(struct cli *cli, uint32_t version, countersign_v1_GetPolicyResponse *ret,
                        struct cs_err *err)
{
    countersign_v1_GetPolicyRequest request = {.version = version};

    return cli_call(cli, &cli_rpc_GetPolicy, &request, ret, err);
}

int cli_keep_policy(struct cli *cli, const struct cs_policy *policy, struct cs_err *err)
{
    struct cs_pin pin = cli->home.pin;
    int rc = cli_home_save_policy(&cli->home, cs_policy_version(policy), cs_policy_wire(policy), err);

    if (rc != CS_OK)
        return rc;
    pin.roots_digest = cs_roots_digest(&cs_policy_body(policy)->roots);
    pin.least_version = cs_policy_version(policy);
    return cli_home_save_pin(&cli->home, &pin, err);
}

static int open_kept(struct cli *cli, struct cs_policy **ret, struct cs_err *err)
{
    const struct cs_pin *pin = &cli->home.pin;
    struct cs_buf kept = CS_BUF_EMPTY;
    int rc = cli_home_load_policy(&cli->home, pin->least_version, &kept, err);

    if (rc == CS_OK)
        rc = cs_policy_open_pinned(cs_buf_slice(&kept), pin, ret, err);
    cs_buf_free(&kept);
    return rc;
}

/* The policy that the pin names: from home, or, on a machine that was only given the pin, from the
 * controller. */
static int open_pinned(struct cli *cli, struct cs_policy **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetPolicyResponse *reply = NULL;
    int rc = open_kept(cli, ret, err);

    if (rc != CS_ENOTFOUND)
        return rc;
    reply = CLI_NEW(countersign_v1_GetPolicyResponse, err);
    if (!reply)
        return CS_ENOMEM;
    rc = fetch_policy(cli, cli->home.pin.least_version, reply, err);
    if (rc == CS_OK)
        rc = cs_policy_open_pinned(CS_PB_BYTES(&reply->envelope), &cli->home.pin, ret, err);
    return rc == CS_OK ? cli_keep_policy(cli, *ret, err) : rc;
}

/* From what is known step by step to the newest that the controller has. */
static int follow_policy(struct cli *cli, struct cs_policy **policy, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetPolicyResponse *reply = CLI_NEW(countersign_v1_GetPolicyResponse, err);
    uint32_t newest;
    int rc;

    if (!reply)
        return CS_ENOMEM;
    rc = fetch_policy(cli, 0, reply, err);
    if (rc != CS_OK)
        return rc;
    newest = reply->newest_version;
    if (newest < cs_policy_version(*policy))
        return cs_err_set(
            err, CS_ESTALE,
            "the controller gives trust policy version %u, but version %u is known here: it was restored "
            "from an old copy, or it lies",
            newest, cs_policy_version(*policy));
    while (cs_policy_version(*policy) < newest) {
        struct cs_policy *next = NULL;

        rc = fetch_policy(cli, cs_policy_version(*policy) + 1, reply, err);
        if (rc == CS_OK)
            rc = cs_policy_open_next(CS_PB_BYTES(&reply->envelope), *policy, &next, err);
        if (rc != CS_OK)
            return rc;
        cs_policy_free(*policy);
        *policy = next;
        rc = cli_keep_policy(cli, next, err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static int check_pinned(const struct cli *cli, struct cs_err *err)
{
    if (cli->home.pinned)
        return CS_OK;
    return cs_err_set(
        err, CS_ESTATE,
        "%.100s has no pin, so nothing can be trusted: the owner runs `countersign trust init`, "
        "others `countersign trust pin` with what `trust show` prints there",
        cli->home.folder);
}

int cli_policy(struct cli *cli, const struct cs_policy **ret, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    int rc;

    if (!cli->policy) {
        rc = check_pinned(cli, err);
        if (rc == CS_OK)
            rc = open_pinned(cli, &policy, err);
        if (rc == CS_OK)
            rc = follow_policy(cli, &policy, err);
        if (rc != CS_OK)
            return rc;
        if (cs_policy_expired(policy, cli->now_s))
            fputs("countersign: warning: the trust policy has expired, devices refuse pushes: the owner "
                  "begins a "
                  "new version with `countersign trust draft`\n",
                  stderr);
        cli->policy = cs_steal(policy);
    }
    *ret = cli->policy;
    return CS_OK;
}

/* A later version that somebody copied here leads on, when it follows and is signed. */
static int follow_kept(struct cli *cli, struct cs_policy **policy, struct cs_err *err)
{
    for (;;) {
        struct cs_buf kept = CS_BUF_EMPTY;
        struct cs_policy *next = NULL;
        int rc = cli_home_load_policy(&cli->home, cs_policy_version(*policy) + 1, &kept, err);

        if (rc == CS_OK)
            rc = cs_policy_open_next(cs_buf_slice(&kept), *policy, &next, err);
        cs_buf_free(&kept);
        if (rc == CS_ENOTFOUND)
            return CS_OK;
        if (rc == CS_OK)
            rc = cli_keep_policy(cli, next, err);
        if (rc != CS_OK) {
            cs_policy_free(next);
            return rc;
        }
        cs_policy_free(*policy);
        *policy = next;
    }
}

int cli_policy_kept(struct cli *cli, struct cs_policy **ret, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    int rc = check_pinned(cli, err);

    if (rc == CS_OK)
        rc = open_kept(cli, &policy, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc,
                          "%.90s has no policy yet: `countersign trust show` fetches it, or copy `pin` and "
                          "`policies` from a client that has them",
                          cli->home.folder);
    if (rc == CS_OK)
        rc = follow_kept(cli, &policy, err);
    if (rc == CS_OK)
        *ret = cs_steal(policy);
    return rc;
}
