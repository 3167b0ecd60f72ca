#include "controller/cli/keep.h"

#include "controller/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Some 400 bytes each: more than 100,000 of them. */
enum { FILE_BYTES = 64 * 1024 * 1024 };

int cli_keep_load(const struct cli_home *home, struct cli_checkpoints *ret, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = cli_home_checkpoints(home, path, err);

    if (rc == CS_OK)
        rc = cli_file_read(path, FILE_BYTES, &text, err);
    if (rc == CS_OK)
        rc = cli_checkpoints_parse(cs_buf_slice(&text), path, ret, err);
    cs_buf_free(&text);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int lock_file(const char *path, int *ret_fd, struct cs_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    int rc;

    if (fd < 0)
        return cs_err_set(err, CS_EIO, "opening %.120s: %s", path, strerror(errno));
    do
        rc = flock(fd, LOCK_EX);
    while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        close(fd);
        return cs_err_set(err, CS_EIO, "locking %.120s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    return CS_OK;
}

/* Behind the last whole line: what a stop of the machine left half written goes away. */
static int append_line(int fd, const char *path, struct cs_slice before, struct cs_slice line,
                       struct cs_err *err)
{
    const uint8_t *last = before.len ? memrchr(before.ptr, '\n', before.len) : NULL;
    size_t whole = last ? (size_t)(last - before.ptr) + 1 : 0;

    if ((whole == before.len || ftruncate(fd, (off_t)whole) == 0) &&
        write(fd, line.ptr, line.len) == (ssize_t)line.len && fsync(fd) == 0)
        return CS_OK;
    return cs_err_set(err, CS_EIO, "writing %.120s: %s", path, strerror(errno));
}

static void alarm_people(struct cli *cli, const char *path, const struct cs_err *what)
{
    struct cs_buf clean = CS_BUF_EMPTY;

    cli->altered = true;
    if (cli_clean(cs_slice_str(what->msg), &clean) == CS_OK)
        fprintf(stderr,
                "countersign: THE CONTROLLER'S AUDIT WAS ALTERED OR ROLLED BACK: %.*s.\n"
                "countersign: both are signed by the controller and kept in %s: save that file, stop using "
                "the controller, and find out who had access to it\n",
                (int)clean.len, (const char *)clean.ptr, path);
    cs_buf_free(&clean);
}

/* Compared with everything that is there by now: another command may have kept some meanwhile. */
static int compare_and_keep(struct cli *cli, uint64_t newest_before, const struct cli_checkpoint *fresh,
                            struct cs_err *err)
{
    struct cli_checkpoints kept = {0};
    struct cs_buf text = CS_BUF_EMPTY, line = CS_BUF_EMPTY;
    char path[PATH_MAX];
    struct cs_err what;
    bool known;
    int fd, rc = cli_home_checkpoints(&cli->home, path, err);

    if (rc == CS_OK)
        rc = lock_file(path, &fd, err);
    if (rc != CS_OK)
        return rc;
    rc = cli_file_read(path, FILE_BYTES, &text, err);
    if (rc == CS_OK)
        rc = cli_checkpoints_parse(cs_buf_slice(&text), path, &kept, err);
    if (rc == CS_OK) {
        if (cli_checkpoints_compare(&kept, newest_before, fresh, &known, &what) != CS_OK)
            alarm_people(cli, path, &what);
        if (!known && cli_checkpoint_write(fresh, &line) != CS_OK)
            rc = cs_err_nomem(err);
        if (rc == CS_OK && !known)
            rc = append_line(fd, path, cs_buf_slice(&text), cs_buf_slice(&line), err);
    }
    close(fd);
    cs_buf_free(&text);
    cs_buf_free(&line);
    cli_checkpoints_free(&kept);
    return rc;
}

static int check_under(const struct cli_checkpoint *checkpoint, const struct cs_policy *policy,
                       struct cs_err *err)
{
    struct cs_keyring keys = {.count = 0};

    cs_policy_message_keys(policy, &keys);
    return cli_checkpoint_check(checkpoint, &keys, err);
}

/* Under a version that was kept at home: the newest is pinned, those before it were verified when they were
 * kept. */
static int check_under_kept(struct cli *cli, const struct cli_checkpoint *checkpoint, uint32_t version,
                            struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    struct cs_buf wire = CS_BUF_EMPTY;
    int rc = cli_home_load_policy(&cli->home, version, &wire, err);

    if (rc == CS_OK)
        rc = version == cli->home.pin.least_version
                 ? cs_policy_open_pinned(cs_buf_slice(&wire), &cli->home.pin, &policy, err)
                 : cs_policy_open_stored(cs_buf_slice(&wire), &policy, err);
    if (rc == CS_OK)
        rc = check_under(checkpoint, policy, err);
    cs_buf_free(&wire);
    return rc;
}

/* The newest that is known here first, which costs no call; then the controller's newest; then the older
 * ones. */
static int check_signature(struct cli *cli, const struct cli_checkpoint *checkpoint, struct cs_err *err)
{
    const struct cs_policy *newest;
    struct cs_err why;
    int rc = check_under_kept(cli, checkpoint, cli->home.pin.least_version, err);

    if (rc != CS_EAUTH && rc != CS_ENOTFOUND)
        return rc;
    rc = cli_policy(cli, &newest, err);
    if (rc == CS_OK)
        rc = check_under(checkpoint, newest, err);
    for (uint32_t version = cli->home.pin.least_version; rc == CS_EAUTH && version > 1; version--)
        if (check_under_kept(cli, checkpoint, version - 1, &why) == CS_OK)
            rc = CS_OK;
    return rc;
}

static int ask(struct cli *cli, struct cli_checkpoint *ret, struct cs_err *err)
{
    countersign_v1_GetCheckpointRequest request = {0};
    countersign_v1_GetCheckpointResponse reply;
    int rc = cli_call(cli, &cli_rpc_GetCheckpoint, &request, &reply, err);

    return rc == CS_OK ? cli_checkpoint_open(CS_PB_BYTES(&reply.envelope), ret, err) : rc;
}

int cli_keep_newest(struct cli *cli, struct cli_checkpoint *ret, struct cs_err *err)
{
    struct cli_checkpoints kept = {0};
    struct cli_checkpoint fresh = {0};
    uint64_t newest_before;
    int rc;

    cli->keep_checkpoint = false;
    if (!cli->home.pinned)
        return ask(cli, ret, err);
    rc = cli_keep_load(&cli->home, &kept, err);
    newest_before = cli_checkpoints_newest(&kept, cli->home.pin.deployment_id);
    cli_checkpoints_free(&kept);
    if (rc == CS_OK)
        rc = ask(cli, &fresh, err);
    if (rc == CS_OK && memcmp(fresh.deployment_id, cli->home.pin.deployment_id, 16) != 0)
        rc = cs_err_set(err, CS_EDENIED, "its checkpoint is of another deployment than the one pinned here");
    if (rc == CS_OK)
        rc = check_signature(cli, &fresh, err);
    if (rc == CS_OK)
        rc = compare_and_keep(cli, newest_before, &fresh, err);
    if (rc == CS_OK)
        *ret = fresh;
    else
        cli_checkpoint_free(&fresh);
    return rc;
}

void cli_keep_after(struct cli *cli)
{
    enum cli_exit failure = cli->failure;
    struct cli_checkpoint fresh = {0};
    struct cs_err why;

    if (!cli->keep_checkpoint || !cli->home.pinned)
        return;
    if (cli_keep_newest(cli, &fresh, &why) != CS_OK) {
        struct cs_buf clean = CS_BUF_EMPTY;

        if (cli_clean(cs_slice_str(why.msg), &clean) == CS_OK)
            fprintf(stderr, "countersign: warning: no checkpoint of the controller's audit was kept: %.*s\n",
                    (int)clean.len, (const char *)clean.ptr);
        cs_buf_free(&clean);
    }
    cli_checkpoint_free(&fresh);
    cli->failure = failure;
}
