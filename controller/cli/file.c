#include "controller/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return CS_ENOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return CS_EDENIED;
    case EEXIST:
        return CS_EEXISTS;
    case ENOSPC:
    case EDQUOT:
        return CS_EFULL;
    case ENOMEM:
        return CS_ENOMEM;
    default:
        return CS_EIO;
    }
}

static int fail(struct cs_err *err, const char *doing, const char *path)
{
    int number = errno;

    return cs_err_set(err, code_of_errno(number), "%s %s: %s", doing, path, strerror(number));
}

static int too_big(struct cs_err *err, const char *path, size_t most_bytes)
{
    return cs_err_set(err, CS_ETOOBIG,
                      "%s is larger than %zu KiB, the most that is taken here: is it the right file?", path,
                      most_bytes / 1024);
}

static int read_all(int fd, const char *path, size_t most_bytes, struct cs_buf *out, struct cs_err *err)
{
    size_t before = out->len;

    for (;;) {
        ssize_t got;

        /* One byte more than allowed, to see whether there is more. */
        if (cs_buf_reserve(out, most_bytes + 1) != CS_OK)
            return cs_err_nomem(err);
        got = read(fd, out->ptr + out->len, before + most_bytes + 1 - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(err, "reading", path);
        if (got == 0)
            return CS_OK;
        out->len += (size_t)got;
        if (out->len - before > most_bytes) {
            cs_wipe(out->ptr + before, out->len - before);
            out->len = before;
            return too_big(err, path, most_bytes);
        }
    }
}

static int read_path(const char *path, bool secret, size_t most_bytes, struct cs_buf *out, struct cs_err *err)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    int rc = CS_OK;

    if (fd < 0)
        return fail(err, "opening", path);
    if (fstat(fd, &info) != 0)
        rc = fail(err, "opening", path);
    else if (S_ISDIR(info.st_mode))
        rc = cs_err_set(err, CS_EINVAL, "%s is a folder: give a file", path);
    else if (S_ISREG(info.st_mode) && (size_t)info.st_size > most_bytes)
        rc = too_big(err, path, most_bytes);
    else if (secret && S_ISREG(info.st_mode) && (info.st_mode & 077))
        rc = cs_err_set(err, CS_EDENIED, "others may read the private key %s: chmod 600 %s", path, path);
    if (rc == CS_OK)
        rc = read_all(fd, standard_input ? "standard input" : path, most_bytes, out, err);
    if (!standard_input)
        close(fd);
    return rc;
}

int cli_file_read(const char *path, size_t most_bytes, struct cs_buf *out, struct cs_err *err)
{
    return read_path(path, false, most_bytes, out, err);
}

int cli_file_read_secret(const char *path, size_t most_bytes, struct cs_buf *out, struct cs_err *err)
{
    return read_path(path, true, most_bytes, out, err);
}

static int write_all(int fd, struct cs_slice content)
{
    while (content.len) {
        ssize_t put = write(fd, content.ptr, content.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        content = cs_slice_from(content, (size_t)put);
    }
    return fsync(fd);
}

static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd;

    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Some file systems cannot sync folders; the file itself is safe. */
    (void)!fsync(fd);
    close(fd);
}

/* Writes a new file beside `path` and hands it over by `place`, which does not replace (link) or does
 * (rename). */
static int write_beside(const char *path, mode_t mode, struct cs_slice content,
                        int (*place)(const char *from, const char *to), struct cs_err *err)
{
    char temporary[PATH_MAX];
    int rc = CS_OK;
    int fd;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary)
        return cs_err_set(err, CS_EINVAL, "the path %.60s… is too long", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail(err, "writing", path);
    if (fchmod(fd, mode) != 0 || write_all(fd, content) != 0 || place(temporary, path) != 0)
        rc = fail(err, "writing", path);
    close(fd);
    /* Gone already after a rename. */
    unlink(temporary);
    if (rc == CS_OK)
        sync_folder_of(path);
    return rc;
}

int cli_file_write(const char *path, mode_t mode, struct cs_slice content, struct cs_err *err)
{
    return write_beside(path, mode, content, rename, err);
}

int cli_file_create(const char *path, mode_t mode, struct cs_slice content, struct cs_err *err)
{
    return write_beside(path, mode, content, link, err);
}

int cli_file_begin(const char *path, mode_t mode, struct cli_file_stream *ret, struct cs_err *err)
{
    int fd;

    *ret = (struct cli_file_stream){.stream = stdout};
    if (!path)
        return CS_OK;
    if ((size_t)snprintf(ret->path, sizeof ret->path, "%s", path) >= sizeof ret->path ||
        (size_t)snprintf(ret->temporary, sizeof ret->temporary, "%s.XXXXXX", path) >= sizeof ret->temporary)
        return cs_err_set(err, CS_EINVAL, "the path %.60s… is too long", path);
    fd = mkostemp(ret->temporary, O_CLOEXEC);
    if (fd < 0)
        return fail(err, "writing", path);
    ret->stream = fdopen(fd, "w");
    if (!ret->stream || fchmod(fd, mode) != 0) {
        int rc = fail(err, "writing", path);

        if (!ret->stream)
            close(fd);
        cli_file_abandon(ret);
        return rc;
    }
    return CS_OK;
}

int cli_file_finish(struct cli_file_stream *file, struct cs_err *err)
{
    bool named = file->temporary[0] != '\0';
    const char *name = named ? file->path : "standard output";
    int rc = CS_OK;

    if (fflush(file->stream) != 0 || ferror(file->stream) || (named && fsync(fileno(file->stream)) != 0))
        rc = fail(err, "writing", name);
    if (rc == CS_OK && named && rename(file->temporary, file->path) != 0)
        rc = fail(err, "writing", name);
    if (rc == CS_OK && named)
        sync_folder_of(file->path);
    cli_file_abandon(file);
    return rc;
}

void cli_file_abandon(struct cli_file_stream *file)
{
    if (!file->temporary[0])
        return;
    if (file->stream)
        fclose(file->stream);
    /* Gone already once it has its name. */
    unlink(file->temporary);
    *file = (struct cli_file_stream){.stream = NULL};
}

int cli_file_make_folder(const char *path, struct cs_err *err)
{
    char part[PATH_MAX];

    if (strlen(path) >= sizeof part)
        return cs_err_set(err, CS_EINVAL, "the path %.60s… is too long", path);
    memcpy(part, path, strlen(path) + 1);
    for (char *at = part + 1;; at++) {
        char kept = *at;

        if (kept != '/' && kept != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return fail(err, "making the folder", part);
        if (kept == '\0')
            return CS_OK;
        *at = kept;
    }
}

int cli_file_join(char *ret, size_t room, struct cs_err *err, const char *folder, const char *format, ...)
{
    int used = snprintf(ret, room, "%s/", folder);
    va_list args;

    if (used > 0 && (size_t)used < room) {
        int more;

        va_start(args, format);
        more = vsnprintf(ret + used, room - (size_t)used, format, args);
        va_end(args);
        if (more >= 0 && (size_t)more < room - (size_t)used)
            return CS_OK;
    }
    return cs_err_set(err, CS_EINVAL, "the path %.60s/… is too long", folder);
}
