#include "controller/cli/keep.h"

#include "controller/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Some 400 bytes each. Every command that changes something reads the newest file, so that is kept short:
 * beyond ROTATE_BYTES it becomes checkpoints.1, .2, … and a new one begins with the newest revision. Nothing
 * is thrown away: each is evidence, and `audit verify` wants to find every one of them in an export. */
enum { ROTATE_BYTES = 256 * 1024, FILE_BYTES = 64 * 1024 * 1024 };

static int older_path(const char *path, unsigned number, char ret[PATH_MAX], struct cs_err *err)
{
    int used = snprintf(ret, PATH_MAX, "%s.%u", path, number);

    return used > 0 && used < PATH_MAX ? CS_OK
                                       : cs_err_set(err, CS_EINVAL, "the path of the home is too long");
}

/* CS_ENOTFOUND when there is none. */
static int load_file(const char *path, struct cli_checkpoints *ret, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc = cli_file_read(path, FILE_BYTES, &text, err);

    if (rc == CS_OK)
        rc = cli_checkpoints_parse(cs_buf_slice(&text), path, ret, err);
    cs_buf_free(&text);
    return rc;
}

int cli_keep_load(const struct cli_home *home, struct cli_checkpoints *ret, struct cs_err *err)
{
    char path[PATH_MAX], older[PATH_MAX];
    int rc = cli_home_checkpoints(home, path, err);

    for (unsigned number = 1; rc == CS_OK; number++) {
        rc = older_path(path, number, older, err);
        if (rc == CS_OK)
            rc = load_file(older, ret, err);
    }
    if (rc == CS_ENOTFOUND)
        rc = load_file(path, ret, err);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* The highest revision that is in the newest file. */
static int load_newest(const struct cli_home *home, uint64_t *ret, struct cs_err *err)
{
    struct cli_checkpoints kept = {0};
    char path[PATH_MAX];
    int rc = cli_home_checkpoints(home, path, err);

    if (rc == CS_OK)
        rc = load_file(path, &kept, err);
    *ret = cli_checkpoints_newest(&kept, home->pin.deployment_id);
    cli_checkpoints_free(&kept);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* Behind the last whole line: what a stop of the machine left half written goes away. */
static int append_line(const char *path, struct cs_slice before, struct cs_slice line, struct cs_err *err)
{
    const uint8_t *last = before.len ? memrchr(before.ptr, '\n', before.len) : NULL;
    size_t whole = last ? (size_t)(last - before.ptr) + 1 : 0;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    bool written = fd >= 0 && (whole == before.len || ftruncate(fd, (off_t)whole) == 0) &&
                   write(fd, line.ptr, line.len) == (ssize_t)line.len && fsync(fd) == 0;

    if (!written)
        cs_err_set(err, CS_EIO, "writing %.120s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return written ? CS_OK : CS_EIO;
}

/* What the next file begins with: the newest revision of each deployment, with every hash that was signed for
 * it, so that what is compared with later stays the same. */
static int carry_over(const struct cli_checkpoints *kept, struct cs_buf *out, struct cs_err *err)
{
    for (size_t i = 0; i < kept->count; i++) {
        const struct cli_checkpoint *one = &kept->list[i];

        if (one->revision == cli_checkpoints_newest(kept, one->deployment_id) &&
            cli_checkpoint_write(one, out) != CS_OK)
            return cs_err_nomem(err);
    }
    return CS_OK;
}

/* The copy is whole before the new file stands in the old one's place: after a crash some are there twice. */
static int rotate(const char *path, struct cs_slice text, const struct cli_checkpoints *kept,
                  struct cs_slice line, struct cs_err *err)
{
    const uint8_t *last = memrchr(text.ptr, '\n', text.len);
    struct cs_buf next = CS_BUF_EMPTY;
    char older[PATH_MAX];
    int rc = older_path(path, 1, older, err);

    for (unsigned number = 2; rc == CS_OK && access(older, F_OK) == 0; number++)
        rc = older_path(path, number, older, err);
    if (rc == CS_OK)
        rc = cli_file_create(older, 0600, cs_slice(text.ptr, last ? (size_t)(last - text.ptr) + 1 : 0), err);
    if (rc == CS_OK)
        rc = carry_over(kept, &next, err);
    if (rc == CS_OK && cs_buf_append(&next, line) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_file_write(path, 0600, cs_buf_slice(&next), err);
    cs_buf_free(&next);
    return rc;
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
        rc = cli_home_lock(&cli->home, &fd, err);
    if (rc != CS_OK)
        return rc;
    rc = cli_file_read(path, FILE_BYTES, &text, err);
    if (rc == CS_ENOTFOUND)
        rc = CS_OK;
    if (rc == CS_OK)
        rc = cli_checkpoints_parse(cs_buf_slice(&text), path, &kept, err);
    if (rc == CS_OK) {
        if (cli_checkpoints_compare(&kept, newest_before, fresh, &known, &what) != CS_OK)
            alarm_people(cli, path, &what);
        if (!known && cli_checkpoint_write(fresh, &line) != CS_OK)
            rc = cs_err_nomem(err);
        if (rc == CS_OK && !known)
            rc = text.len > ROTATE_BYTES ? rotate(path, cs_buf_slice(&text), &kept, cs_buf_slice(&line), err)
                                         : append_line(path, cs_buf_slice(&text), cs_buf_slice(&line), err);
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
    struct cli_checkpoint fresh = {0};
    uint64_t newest_before;
    int rc;

    cli->keep_checkpoint = false;
    if (!cli->home.pinned)
        return ask(cli, ret, err);
    rc = load_newest(&cli->home, &newest_before, err);
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
