#include "controller/cli/known.h"

#include "controller/cli/cli.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"

#include "shared/base/text.h"

#include <sys/stat.h>
#include <unistd.h>

/* A line has at most 63 bytes of name: more devices than a controller serves. */
enum { FILE_BYTES = 64 * 1024 * 1024 };

void cli_known_free(struct cli_known *known)
{
    free(known->list);
    *known = (struct cli_known){0};
}

/* Where the name is, or would be. */
static size_t place_of(const struct cli_known *known, const char *name, bool *ret_there)
{
    size_t low = 0, high = known->count;

    *ret_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(known->list[middle].name, name);

        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t cli_known_since(const struct cli_known *known, const char *name)
{
    bool there;
    size_t at = place_of(known, name, &there);

    return there ? known->list[at].admitted_at_s : 0;
}

int cli_known_note(struct cli_known *known, const char *name, int64_t admitted_at_s, struct cs_err *err)
{
    bool there;
    size_t at = place_of(known, name, &there);

    if (there) {
        if (known->list[at].admitted_at_s < admitted_at_s) {
            known->list[at].admitted_at_s = admitted_at_s;
            known->list[at].verified = false;
            known->list[at].fresh = true;
            known->changed = true;
        }
        return CS_OK;
    }
    if (known->count == known->capacity) {
        size_t capacity = known->capacity ? 2 * known->capacity : 16;
        struct cli_known_device *grown = reallocarray(known->list, capacity, sizeof *grown);

        if (!grown)
            return cs_err_nomem(err);
        known->list = grown;
        known->capacity = capacity;
    }
    memmove(&known->list[at + 1], &known->list[at], (known->count - at) * sizeof known->list[0]);
    known->list[at] = (struct cli_known_device){.admitted_at_s = admitted_at_s, .fresh = true};
    snprintf(known->list[at].name, sizeof known->list[at].name, "%s", name);
    known->count++;
    known->changed = true;
    return CS_OK;
}

bool cli_known_verified(const struct cli_known *known, const char *name, const struct cs_digest *digest)
{
    bool there;
    size_t at = place_of(known, name, &there);

    return there && known->list[at].verified &&
           cs_slice_eq(cs_digest_slice(&known->list[at].digest), cs_digest_slice(digest));
}

void cli_known_note_verified(struct cli_known *known, const char *name, const struct cs_digest *digest)
{
    bool there;
    size_t at = place_of(known, name, &there);

    if (!there || cli_known_verified(known, name, digest))
        return;
    known->list[at].verified = true;
    known->list[at].fresh = true;
    known->list[at].digest = *digest;
    known->changed = true;
}

/* Digests of fixed length, so that nothing can be cut elsewhere. */
struct cs_digest cli_known_digest(const struct cs_policy *policy,
                                  const countersign_v1_GetDeviceResponse *reply)
{
    struct cs_digest parts[2 + CS_ARRAY_LEN(reply->renewals)];
    size_t count = 0;

    parts[count++] = cs_policy_digest(policy);
    parts[count++] = cs_sha256(CS_PB_BYTES(&reply->admission));
    for (pb_size_t i = 0; i < reply->renewals_count; i++)
        parts[count++] = cs_sha256(CS_PB_BYTES(&reply->renewals[i]));
    return cs_sha256(cs_slice(parts[0].bytes, count * sizeof parts[0]));
}

bool cli_known_forget(struct cli_known *known, const char *name)
{
    bool there;
    size_t at = place_of(known, name, &there);

    if (!there)
        return false;
    known->count--;
    memmove(&known->list[at], &known->list[at + 1], (known->count - at) * sizeof known->list[0]);
    known->changed = true;
    return true;
}

static int parse_line(struct cs_slice line, struct cli_known *known, struct cs_err *err)
{
    struct cs_slice name = cs_slice_cut(&line, ' ', NULL), when = cs_slice_cut(&line, ' ', NULL);
    char text[CS_LIMIT_NAME_BYTES + 1];
    struct cs_digest digest;
    int64_t admitted_at_s;
    int rc = cs_name_check(name, "the name", err);

    if (rc == CS_OK)
        rc = cs_time_parse(when, &admitted_at_s, err);
    if (rc == CS_OK && line.len && cs_unhex(line, digest.bytes, sizeof digest.bytes) != CS_OK)
        rc = cs_err_set(err, CS_EPARSE, "the digest is not 64 hex digits");
    if (rc != CS_OK)
        return CS_EPARSE;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    rc = cli_known_note(known, text, admitted_at_s, err);
    if (rc == CS_OK && line.len && cli_known_since(known, text) == admitted_at_s)
        cli_known_note_verified(known, text, &digest);
    return rc;
}

int cli_known_parse(struct cs_slice text, const char *where, struct cli_known *ret, struct cs_err *err)
{
    for (unsigned line = 1; text.len; line++) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct cs_err why = {0};
        int rc = parse_line(cs_slice(text.ptr, len), ret, &why);

        if (rc == CS_ENOMEM)
            return cs_err_nomem(err);
        if (rc != CS_OK)
            return cs_err_set(err, CS_EPARSE, "%.120s line %u: %.100s", where, line, why.msg);
        text = cs_slice_from(text, end ? len + 1 : len);
    }
    return CS_OK;
}

int cli_known_write(const struct cli_known *known, struct cs_buf *out)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < known->count; i++) {
        char time_text[CS_TIME_TEXT_BYTES], digest[2 * CS_SHA256_BYTES + 1] = "";

        if (known->list[i].verified)
            cs_hex(cs_digest_slice(&known->list[i].digest), digest);
        rc = cs_buf_printf(out, "%s %s%s%s\n", known->list[i].name,
                           cs_time_text(known->list[i].admitted_at_s, time_text), *digest ? " " : "", digest);
    }
    return rc;
}

/* ---- at home */

/* The file is written beside and put into its place: another one has another inode. */
static struct cli_known_stamp stamp_of(const char *path)
{
    struct stat there;

    if (stat(path, &there) != 0)
        return (struct cli_known_stamp){0};
    return (struct cli_known_stamp){there.st_ino, there.st_mtim.tv_sec, there.st_mtim.tv_nsec};
}

static bool is_same(const struct cli_known_stamp *a, const struct cli_known_stamp *b)
{
    return a->inode == b->inode && a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

static void is_kept(struct cli_known *known)
{
    known->changed = false;
    for (size_t i = 0; i < known->count; i++)
        known->list[i].fresh = false;
}

static int load(const struct cli_home *home, struct cli_known *ret, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, home->folder, "devices");

    if (rc == CS_OK) {
        ret->stamp = stamp_of(path);
        rc = cli_file_read(path, FILE_BYTES, &text, err);
    }
    if (rc == CS_OK)
        rc = cli_known_parse(cs_buf_slice(&text), path, ret, err);
    is_kept(ret);
    cs_buf_free(&text);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int save(const struct cli_home *home, struct cli_known *known, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, home->folder, "devices");

    if (rc == CS_OK && cli_known_write(known, &text) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_file_write(path, 0600, cs_buf_slice(&text), err);
    if (rc == CS_OK) {
        known->stamp = stamp_of(path);
        is_kept(known);
    }
    cs_buf_free(&text);
    return rc;
}

static int compare(struct cli *cli, const countersign_v1_Admission *admission, struct cs_err *err)
{
    char seen[CS_TIME_TEXT_BYTES], given[CS_TIME_TEXT_BYTES];
    int64_t since = cli_known_since(cli->known, admission->device_name);

    if (admission->admitted_at_s >= since)
        return CS_OK;
    return cs_err_set(
        err, CS_ERANGE,
        "the controller gave an admission of device %s of %s, but a newer one, of %s, was seen here "
        "before: its keys may be those of a device that was lost. If an admin says why: countersign "
        "device forget %s",
        admission->device_name, cs_time_text(admission->admitted_at_s, given), cs_time_text(since, seen),
        admission->device_name);
}

static int note(struct cli *cli, const countersign_v1_Admission *admission, struct cs_err *err)
{
    char given[CS_TIME_TEXT_BYTES];

    /* What the file could not say again is not noted: a year beyond four digits, signed by mistake. */
    if (admission->admitted_at_s <= 0 || *cs_time_text(admission->admitted_at_s, given) == '@')
        return CS_OK;
    return cli_known_note(cli->known, admission->device_name, admission->admitted_at_s, err);
}

/* The very bytes that were verified before, under the same policy, with a name that was compared then. */
static int open_again(const countersign_v1_GetDeviceResponse *reply, struct cs_device **ret,
                      struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    int rc = cs_device_open_checked(CS_PB_BYTES(&reply->admission), &device, err);

    for (pb_size_t i = 0; rc == CS_OK && i < reply->renewals_count; i++)
        rc = cs_device_follow_checked(device, CS_PB_BYTES(&reply->renewals[i]), err);
    if (rc == CS_OK)
        *ret = cs_steal(device);
    return rc;
}

/* What was noted here is put to what stands in the file, which another command may have written meanwhile;
 * what it has forgotten stays so. */
static int merge(struct cli *cli, struct cs_err *err)
{
    struct cli_known there = {0};
    int fd, rc = cli_home_lock(&cli->home, &fd, err);

    if (rc != CS_OK)
        return rc;
    rc = load(&cli->home, &there, err);
    for (size_t i = 0; rc == CS_OK && i < cli->known->count; i++) {
        const struct cli_known_device *device = &cli->known->list[i];

        if (!device->fresh)
            continue;
        rc = cli_known_note(&there, device->name, device->admitted_at_s, err);
        if (rc == CS_OK && device->verified && cli_known_since(&there, device->name) == device->admitted_at_s)
            cli_known_note_verified(&there, device->name, &device->digest);
    }
    if (rc == CS_OK && there.changed)
        rc = save(&cli->home, &there, err);
    close(fd);
    if (rc == CS_OK) {
        cli_known_free(cli->known);
        *cli->known = there;
    } else {
        cli_known_free(&there);
    }
    return rc;
}

int cli_known_load(struct cli *cli, struct cs_err *err)
{
    struct cli_known_stamp now;
    struct cli_known *known;
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, cli->home.folder, "devices");

    if (rc != CS_OK)
        return rc;
    now = stamp_of(path);
    if (cli->known)
        return is_same(&now, &cli->known->stamp) ? CS_OK : merge(cli, err);
    known = CLI_NEW(struct cli_known, err);
    rc = known ? load(&cli->home, known, err) : CS_ENOMEM;
    if (rc == CS_OK) {
        cli->known = known;
    } else if (known) {
        cli_known_free(known);
        free(known);
    }
    return rc;
}

int cli_known_open(struct cli *cli, const countersign_v1_GetDeviceResponse *reply, const char *name,
                   struct cs_device **ret, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct cs_digest digest = cli_known_digest(cli->policy, reply);
    int rc = cli_known_load(cli, err);

    if (rc == CS_OK)
        rc = cli_known_verified(cli->known, name, &digest)
                 ? open_again(reply, &device, err)
                 : cli_check_device(cli->policy, reply, name, &device, err);
    if (rc == CS_OK)
        rc = compare(cli, cs_device_admission(device), err);
    if (rc == CS_OK)
        rc = note(cli, cs_device_admission(device), err);
    if (rc != CS_OK)
        return rc;
    cli_known_note_verified(cli->known, name, &digest);
    *ret = cs_steal(device);
    return CS_OK;
}

int cli_known_pass(struct cli *cli, const countersign_v1_GetDeviceResponse *reply, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *verified = NULL, *parsed = NULL;
    struct cs_err why;
    int rc = cli_known_load(cli, err);

    if (rc != CS_OK || reply->admission.size == 0)
        return rc;
    rc = cs_device_open_checked(CS_PB_BYTES(&reply->admission), &parsed, err);
    if (rc != CS_OK)
        return cs_err_prefix(err, "the admission of device %s", reply->device.name);
    rc = compare(cli, cs_device_admission(parsed), err);
    /* There is no policy while it is looked up anew. */
    if (rc == CS_OK && cli->policy)
        (void)!cli_known_open(cli, reply, cs_device_admission(parsed)->device_name, &verified, &why);
    return rc;
}

int cli_known_admitted(struct cli *cli, struct cs_slice envelope, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    int rc = cli_known_load(cli, err);

    if (rc == CS_OK)
        rc = cs_device_open_checked(envelope, &device, err);
    return rc == CS_OK ? note(cli, cs_device_admission(device), err) : rc;
}

int cli_known_save(struct cli *cli, struct cs_err *err)
{
    return cli->known && cli->known->changed && cli->home.pinned ? merge(cli, err) : CS_OK;
}

void cli_known_keep(struct cli *cli)
{
    struct cs_err why;

    if (cli_known_save(cli, &why) != CS_OK)
        fprintf(stderr, "countersign: warning: when devices were admitted was not kept: %s\n", why.msg);
    if (cli->known)
        cli_known_free(cli->known);
    free(cs_steal(cli->known));
}

int cli_device_forget(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const char *name = cli->args.operands[0];
    struct cli_known known = {0};
    int fd, rc = cli_home_lock(&cli->home, &fd, err);
    int64_t since = 0;

    if (rc != CS_OK)
        return rc;
    rc = load(&cli->home, &known, err);
    if (rc == CS_OK) {
        since = cli_known_since(&known, name);
        if (!cli_known_forget(&known, name))
            rc = cs_err_set(err, CS_ENOTFOUND, "no admission of a device %.63s was seen here", name);
    }
    if (rc == CS_OK && !cli_dry_run(cli))
        rc = save(&cli->home, &known, err);
    close(fd);
    cli_known_free(&known);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "device", "Device", cli_tinted(name, CLI_BOLD));
    cli_field(doc, "admitted_at", "Was admitted", cli_time(since));
    cli_hint(doc, "The next admission that is verified is taken, whenever it was signed.");
    return cli_write(cli, doc, err);
}
