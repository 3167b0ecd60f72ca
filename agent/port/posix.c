/* Files by *at() calls in the opened folder, so that a path is walked once; every change ends with a sync of
 * the folder that it changed. */
#include "agent/port/posix.h"

#include "agent/port/pid_file.h"
#include "agent/port/work.h"

#include "shared/crypto/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct ag_posix {
    struct ag_port port;
    struct ag_work work;
};

static int fail(struct cs_err *err, const char *doing, const char *path)
{
    int number = errno;
    int code = number == ENOENT                                         ? CS_ENOTFOUND
               : number == EEXIST                                       ? CS_EEXISTS
               : number == ENOSPC || number == EDQUOT                   ? CS_EFULL
               : number == EACCES || number == EPERM || number == EROFS ? CS_EDENIED
                                                                        : CS_EIO;

    return cs_err_set(err, code, "%s %s: %s", doing, path, strerror(number));
}

/* ---- a path as an open folder and a name in it */

struct place {
    int folder;
    const char *name;
};

static int open_place(const char *path, struct place *ret, struct cs_err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (len >= sizeof folder)
        return cs_err_set(err, CS_ETOOBIG, "the path is too long: %s", path);
    if (slash == path)
        memcpy(folder, "/", 2);
    else if (!slash)
        memcpy(folder, ".", 2);
    else {
        memcpy(folder, path, len);
        folder[len] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail(err, "cannot open folder", folder);
    *ret = (struct place){fd, slash ? slash + 1 : path};
    return CS_OK;
}

static void close_place(struct place *place)
{
    close(place->folder);
}

enum { TEMPORARY_NAME_BYTES = 256 };

/* What stands beside `name` until it is renamed over it. */
static int temporary_name(const char *name, char out[TEMPORARY_NAME_BYTES], struct cs_err *err)
{
    int len = snprintf(out, TEMPORARY_NAME_BYTES, ".%s.new", name);

    return len < 0 || len >= TEMPORARY_NAME_BYTES
               ? cs_err_set(err, CS_ETOOBIG, "the name is too long: %s", name)
               : CS_OK;
}

/* Opens the folder for something that will be renamed over `path`, and names it; what a power cut left there
 * goes. */
static int open_beside(const char *path, struct place *ret, char ret_name[TEMPORARY_NAME_BYTES],
                       struct cs_err *err)
{
    int code = open_place(path, ret, err);

    if (!code)
        code = temporary_name(ret->name, ret_name, err);
    if (!code)
        unlinkat(ret->folder, ret_name, 0);
    return code;
}

static int sync_fd(int fd, const char *path, struct cs_err *err)
{
    return fsync(fd) == 0 ? CS_OK : fail(err, "cannot sync", path);
}

/* ---- owners */

static int find_id(const char *text, bool is_group, unsigned *ret, struct cs_err *err)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    struct passwd *user = NULL;
    struct group *group = NULL;

    if (*text && !*end) {
        *ret = (unsigned)number;
        return CS_OK;
    }
    if (is_group && (group = getgrnam(text)))
        *ret = group->gr_gid;
    else if (!is_group && (user = getpwnam(text)))
        *ret = user->pw_uid;
    else
        return cs_err_set(err, CS_ENOTFOUND, "this device has no %s \"%s\"", is_group ? "group" : "user",
                          text);
    return CS_OK;
}

static int set_look(int fd, const char *path, const struct ag_file_look *look, struct cs_err *err)
{
    unsigned uid = (unsigned)-1, gid = (unsigned)-1;
    int code = look->owner ? find_id(look->owner, false, &uid, err) : CS_OK;

    if (!code && look->group)
        code = find_id(look->group, true, &gid, err);
    if (code)
        return code;
    if ((look->owner || look->group) && fchown(fd, uid, gid) != 0)
        return fail(err, "cannot set the owner of", path);
    return fchmod(fd, (mode_t)look->mode) == 0 ? CS_OK : fail(err, "cannot set the mode of", path);
}

/* ---- files */

static int posix_read_file(struct ag_port *port CS_UNUSED, const char *path, size_t limit_bytes,
                           struct cs_buf *out, struct cs_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;

    if (fd < 0)
        return fail(err, "cannot open", path);
    int code = fstat(fd, &info) == 0 ? CS_OK : fail(err, "cannot read", path);

    if (!code && (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > limit_bytes))
        code = cs_err_set(err, CS_ETOOBIG, "%s is no file of at most %zu bytes", path, limit_bytes);
    if (!code && cs_buf_reserve(out, (size_t)info.st_size) != CS_OK)
        code = cs_err_nomem(err);
    for (size_t left = code ? 0 : (size_t)info.st_size; left > 0;) {
        ssize_t got = read(fd, out->ptr + out->len, left);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = fail(err, "cannot read", path);
        if (got <= 0)
            break;
        out->len += (size_t)got;
        left -= (size_t)got;
    }
    close(fd);
    return code;
}

static int write_all(int fd, struct cs_slice content, const char *path, struct cs_err *err)
{
    while (content.len > 0) {
        ssize_t done = write(fd, content.ptr, content.len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(err, "cannot write", path);
        content = cs_slice_from(content, (size_t)done);
    }
    return CS_OK;
}

static int create(const struct place *place, const char *name, const char *path, struct cs_slice content,
                  const struct ag_file_look *look, struct cs_err *err)
{
    /* Closed to others until the look is set: the content may be a key. */
    int fd = openat(place->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(err, "cannot create", path);
    int code = write_all(fd, content, path, err);

    if (!code)
        code = set_look(fd, path, look, err);
    if (!code)
        code = sync_fd(fd, path, err);
    close(fd);
    if (code)
        unlinkat(place->folder, name, 0);
    return code;
}

static int posix_write_file(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                            const struct ag_file_look *look, struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    int code = open_place(path, &place, err);

    return code ? code : create(&place, place.name, path, content, look, err);
}

static int posix_replace_file(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                              const struct ag_file_look *look, struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    char beside[TEMPORARY_NAME_BYTES];
    int code = open_beside(path, &place, beside, err);

    if (code)
        return code;
    code = create(&place, beside, path, content, look, err);
    if (code)
        return code;
    if (renameat(place.folder, beside, place.folder, place.name) != 0)
        return fail(err, "cannot replace", path);
    return sync_fd(place.folder, path, err);
}

/* ---- folders */

static int posix_make_folder(struct ag_port *port CS_UNUSED, const char *path, unsigned mode,
                             struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    struct stat info;
    int code = open_place(path, &place, err);

    if (code)
        return code;
    if (mkdirat(place.folder, place.name, 0700) != 0) {
        if (errno != EEXIST)
            return fail(err, "cannot make folder", path);
        if (fstatat(place.folder, place.name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
            return cs_err_set(err, CS_EEXISTS, "%s is in the way: it is no folder", path);
        return CS_OK;
    }
    if (fchmodat(place.folder, place.name, (mode_t)mode, 0) != 0)
        return fail(err, "cannot set the mode of", path);
    return sync_fd(place.folder, path, err);
}

static int posix_sync_folder(struct ag_port *port CS_UNUSED, const char *path, struct cs_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail(err, "cannot open folder", path);
    int code = sync_fd(fd, path, err);

    close(fd);
    return code;
}

static int posix_list_folder(struct ag_port *port CS_UNUSED, const char *path,
                             void (*on_entry)(void *data, const char *name), void *data, struct cs_err *err)
{
    DIR *folder = opendir(path);

    if (!folder)
        return fail(err, "cannot list", path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            on_entry(data, entry->d_name);
    }
    closedir(folder);
    return CS_OK;
}

struct emptying {
    int folder;
    bool failed;
};

static void remove_entry(void *data, const char *name)
{
    struct emptying *emptying = data;

    if (unlinkat(emptying->folder, name, 0) != 0 && errno != ENOENT)
        emptying->failed = true;
}

static int posix_remove_folder(struct ag_port *port, const char *path, struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    int code = open_place(path, &place, err);

    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    struct emptying emptying = {
        openat(place.folder, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), false};

    if (emptying.folder < 0)
        return errno == ENOENT ? CS_OK : fail(err, "cannot open folder", path);
    code = posix_list_folder(port, path, remove_entry, &emptying, err);
    close(emptying.folder);
    if (!code && (emptying.failed || unlinkat(place.folder, place.name, AT_REMOVEDIR) != 0))
        code = fail(err, "cannot remove folder", path);
    return code ? code : sync_fd(place.folder, path, err);
}

/* ---- links */

static int posix_look_at(struct ag_port *port CS_UNUSED, const char *path, enum ag_entry_kind *ret,
                         struct cs_err *err)
{
    struct stat info;

    if (lstat(path, &info) != 0) {
        if (errno != ENOENT)
            return fail(err, "cannot look at", path);
        *ret = AG_ENTRY_ABSENT;
        return CS_OK;
    }
    *ret = S_ISREG(info.st_mode)   ? AG_ENTRY_FILE
           : S_ISDIR(info.st_mode) ? AG_ENTRY_FOLDER
           : S_ISLNK(info.st_mode) ? AG_ENTRY_LINK
                                   : AG_ENTRY_OTHER;
    return CS_OK;
}

static int64_t in_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int posix_stamp_of(struct ag_port *port CS_UNUSED, const char *path, struct ag_stamp *ret,
                          struct cs_err *err)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? CS_ENOTFOUND : fail(err, "cannot look at", path);
    *ret = (struct ag_stamp){info.st_dev, info.st_ino, (uint64_t)info.st_size, in_ns(&info.st_mtim),
                             in_ns(&info.st_ctim)};
    return CS_OK;
}

static int posix_read_link(struct ag_port *port CS_UNUSED, const char *path, char *ret, size_t size,
                           struct cs_err *err)
{
    ssize_t len = readlink(path, ret, size);

    if (len < 0)
        return fail(err, "cannot read the link", path);
    if ((size_t)len >= TEMPORARY_NAME_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "the link %s is too long", path);
    ret[len] = '\0';
    return CS_OK;
}

static int posix_switch_link(struct ag_port *port CS_UNUSED, const char *path, const char *target,
                             struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    char beside[TEMPORARY_NAME_BYTES];
    int code = open_beside(path, &place, beside, err);

    if (code)
        return code;
    if (symlinkat(target, place.folder, beside) != 0)
        return fail(err, "cannot make a link beside", path);
    if (renameat(place.folder, beside, place.folder, place.name) != 0)
        return fail(err, "cannot switch the link", path);
    return sync_fd(place.folder, path, err);
}

static int posix_remove_link(struct ag_port *port CS_UNUSED, const char *path, struct cs_err *err)
{
    cs_auto(close_place) struct place place = {-1, NULL};
    int code = open_place(path, &place, err);

    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    if (unlinkat(place.folder, place.name, 0) != 0 && errno != ENOENT)
        return fail(err, "cannot remove the link or file", path);
    return sync_fd(place.folder, path, err);
}

/* ---- clock, random */

static int64_t posix_clock_s(struct ag_port *port CS_UNUSED)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static bool posix_clock_synchronised(struct ag_port *port CS_UNUSED)
{
    struct timex timex = {0}; /* no modes: only asks */
    int state = adjtimex(&timex);

    return state >= 0 && state != TIME_ERROR;
}

static void posix_random(struct ag_port *port CS_UNUSED, void *out, size_t len)
{
    cs_random(out, len);
}

static int64_t posix_ticks_ms(struct ag_port *port CS_UNUSED)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what takes time */

static struct ag_work *work_of(struct ag_port *port)
{
    return &CS_CONTAINER_OF(port, struct ag_posix, port)->work;
}

static int posix_run(struct ag_port *port, const struct ag_command *command,
                     void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                     struct cs_err *err)
{
    return ag_work_run(work_of(port), command, on_end, owner, err);
}

static int posix_talk(struct ag_port *port, const struct ag_talk *talk,
                      void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                      struct cs_err *err)
{
    return ag_work_talk(work_of(port), talk, on_end, owner, err);
}

static int posix_probe(struct ag_port *port, const struct ag_probe *probe, uint32_t timeout_ms,
                       void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                       struct cs_err *err)
{
    return ag_work_probe(work_of(port), probe, timeout_ms, on_end, owner, err);
}

static int posix_wait(struct ag_port *port, uint32_t ms, void (*on_end)(void *owner), void *owner,
                      struct cs_err *err)
{
    return ag_work_wait(work_of(port), ms, on_end, owner, err);
}

static void posix_stop(struct ag_port *port)
{
    ag_work_stop(work_of(port));
}

static int posix_send_signal(struct ag_port *port CS_UNUSED, const char *pid_file, const char *program,
                             int number, struct cs_err *err)
{
    return ag_pid_file_signal(pid_file, program, number, err);
}

static const struct ag_port posix_port = {
    .clock_s = posix_clock_s,
    .clock_synchronised = posix_clock_synchronised,
    .ticks_ms = posix_ticks_ms,
    .random = posix_random,
    .read_file = posix_read_file,
    .write_file = posix_write_file,
    .replace_file = posix_replace_file,
    .make_folder = posix_make_folder,
    .sync_folder = posix_sync_folder,
    .list_folder = posix_list_folder,
    .remove_folder = posix_remove_folder,
    .look_at = posix_look_at,
    .stamp_of = posix_stamp_of,
    .read_link = posix_read_link,
    .switch_link = posix_switch_link,
    .remove_link = posix_remove_link,
    .run = posix_run,
    .talk = posix_talk,
    .probe = posix_probe,
    .wait = posix_wait,
    .stop = posix_stop,
    .send_signal = posix_send_signal,
};

int ag_posix_new(uv_loop_t *loop, struct ag_posix **ret, struct cs_err *err)
{
    struct ag_posix *posix = calloc(1, sizeof *posix);

    if (!posix)
        return cs_err_nomem(err);
    posix->port = posix_port;
    posix->work.loop = loop;
    *ret = posix;
    return CS_OK;
}

struct ag_port *ag_posix_port(struct ag_posix *posix)
{
    return &posix->port;
}

void ag_posix_close(struct ag_posix *posix)
{
    if (!posix)
        return;
    ag_work_stop(&posix->work);
    free(posix);
}

int ag_posix_lock(const char *path, int *ret_fd, struct cs_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(err, "cannot open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return cs_err_set(err, CS_EBUSY, "another countersign-agent uses this state folder (%s is locked)",
                          path);
    }
    *ret_fd = fd;
    return CS_OK;
}
