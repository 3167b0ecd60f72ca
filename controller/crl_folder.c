#include "controller/crl_folder.h"

#include "controller/crl_import.h"
#include "controller/files.h"
#include "controller/limits.h"
#include "shared/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

enum {
    SETTLE_MS = 200, /* after the last notice: who writes a file writes several times */
    NAME_BYTES = 128,
};

/* What is known of a file, so that it is read again, and complained of again, only when it has changed. */
struct file {
    struct file *next;
    char name[NAME_BYTES];
    struct timespec modified;
    off_t size;
    ino_t inode;
    bool imported, complained, seen;
};

struct ctl_crl_folder {
    const char *path;
    uint64_t every_ms;
    struct ctl_crl_importer importer;
    struct file *files;
    size_t file_count;
    bool complained; /* of the folder */

    uv_loop_t loop;
    uv_fs_event_t notices;
    uv_timer_t timer;
    uv_async_t end;
    uv_thread_t thread;
    bool started;
};

/* ---- one file */

static int read_beside(const struct ctl_crl_folder *folder, const char *name, struct cs_buf *out,
                       struct cs_err *err)
{
    static const char *const endings[] = {"pem", "crt"};
    char path[CTL_LIMIT_PATH_BYTES + NAME_BYTES + 8];
    int stem = (int)(strlen(name) - strlen(".crl"));
    int rc = CS_ENOTFOUND;

    for (size_t i = 0; i < CS_ARRAY_LEN(endings) && rc == CS_ENOTFOUND; i++) {
        snprintf(path, sizeof path, "%s/%.*s.%s", folder->path, stem, name, endings[i]);
        rc = ctl_file_read(path, CS_LIMIT_PEM_BYTES, false, out, err);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int read_and_import(struct ctl_crl_folder *folder, const char *name, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf content = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf issuer = CS_BUF_EMPTY;
    char path[CTL_LIMIT_PATH_BYTES + NAME_BYTES + 2];
    int rc;

    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    /* PEM is a third larger, and has lines. */
    rc = ctl_file_read(path, CS_LIMIT_CRL_BYTES / 2 * 3, false, &content, err);
    if (rc == CS_OK)
        rc = read_beside(folder, name, &issuer, err);
    if (rc == CS_OK)
        rc = ctl_crl_import(&folder->importer, cs_buf_slice(&content), cs_buf_slice(&issuer), name, err);
    return rc;
}

static void import_file(struct ctl_crl_folder *folder, struct file *file)
{
    struct cs_err err;
    int rc = read_and_import(folder, file->name, &err);

    file->imported = rc == CS_OK;
    if (rc == CS_OK || rc == CS_ECLOSED || rc == CS_EBUSY || file->complained)
        return;
    file->complained = true;
    cs_log(CS_LOG_WARN, "crl", "CRL not imported; it is tried again, and said again once the file changes",
           CS_F("source", file->name), CS_F("error", err.msg), CS_FEND);
}

/* ---- the folder */

static bool is_list(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 4 && len < NAME_BYTES && strcmp(name + len - 4, ".crl") == 0;
}

static struct file *find_file(struct ctl_crl_folder *folder, const char *name)
{
    struct file *file = folder->files;

    while (file && strcmp(file->name, name) != 0)
        file = file->next;
    if (file || folder->file_count == CTL_LIMIT_CRL_FILES)
        return file;
    file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    memcpy(file->name, name, strnlen(name, sizeof file->name - 1)); /* is_list() has seen that it fits */
    file->next = folder->files;
    folder->files = file;
    folder->file_count++;
    return file;
}

static bool is_as_it_was(const struct file *file, const struct stat *info)
{
    return file->inode == info->st_ino && file->size == info->st_size &&
           file->modified.tv_sec == info->st_mtim.tv_sec && file->modified.tv_nsec == info->st_mtim.tv_nsec;
}

static void look_at_file(struct ctl_crl_folder *folder, int fd, const char *name)
{
    struct file *file = find_file(folder, name);
    struct stat info;

    if (!file || fstatat(fd, name, &info, 0) != 0)
        return;
    file->seen = true;
    if (!is_as_it_was(file, &info)) {
        file->inode = info.st_ino;
        file->size = info.st_size;
        file->modified = info.st_mtim;
        file->imported = file->complained = false;
    }
    if (!file->imported)
        import_file(folder, file);
}

static void forget_gone(struct ctl_crl_folder *folder)
{
    for (struct file **at = &folder->files; *at;) {
        struct file *file = *at;

        if (file->seen) {
            file->seen = false;
            at = &file->next;
        } else {
            *at = file->next;
            folder->file_count--;
            free(file);
        }
    }
}

static void look(struct ctl_crl_folder *folder)
{
    DIR *entries = opendir(folder->path);

    if (!entries) {
        if (!folder->complained)
            cs_log(CS_LOG_WARN, "crl", "cannot read the folder of CRLs; it is tried again",
                   CS_F("folder", folder->path), CS_F("error", strerror(errno)), CS_FEND);
        folder->complained = true;
        return;
    }
    folder->complained = false;
    for (const struct dirent *entry; !folder->importer.ending && (entry = readdir(entries)) != NULL;)
        if (is_list(entry->d_name))
            look_at_file(folder, dirfd(entries), entry->d_name);
    closedir(entries);
    forget_gone(folder);
}

/* ---- the thread */

static void on_timer(uv_timer_t *timer)
{
    struct ctl_crl_folder *folder = timer->data;

    look(folder);
    uv_timer_start(timer, on_timer, folder->every_ms, 0);
}

static void on_notice(uv_fs_event_t *notices, const char *name, int events, int status)
{
    struct ctl_crl_folder *folder = notices->data;

    (void)name;
    (void)events;
    (void)status;
    uv_timer_start(&folder->timer, on_timer, SETTLE_MS, 0);
}

static void on_end(uv_async_t *end)
{
    struct ctl_crl_folder *folder = end->data;

    uv_close((uv_handle_t *)&folder->notices, NULL);
    uv_close((uv_handle_t *)&folder->timer, NULL);
    uv_close((uv_handle_t *)&folder->end, NULL);
}

static void thread_main(void *data)
{
    struct ctl_crl_folder *folder = data;

    pthread_setname_np(pthread_self(), "crls");
    uv_run(&folder->loop, UV_RUN_DEFAULT);
}

int ctl_crl_folder_new(const char *path, int64_t every_s, struct ctl_store *store,
                       struct ctl_core_thread *core, struct ctl_crl_folder **ret, struct cs_err *err)
{
    struct ctl_crl_folder *folder;
    struct stat info;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return cs_err_set(err, CS_ENOTFOUND,
                          "there is no folder %s: make it, or take `crls` out of the "
                          "configuration",
                          path);
    folder = calloc(1, sizeof *folder);
    if (!folder)
        return cs_err_nomem(err);
    folder->path = path;
    folder->every_ms = (uint64_t)every_s * 1000;
    ctl_crl_importer_init(&folder->importer, store, core);
    if (uv_loop_init(&folder->loop) != 0) {
        ctl_crl_importer_free(&folder->importer);
        free(folder);
        return cs_err_set(err, CS_ENOMEM, "cannot make the event loop for CRLs");
    }
    uv_timer_init(&folder->loop, &folder->timer);
    uv_fs_event_init(&folder->loop, &folder->notices);
    cs_assert(uv_async_init(&folder->loop, &folder->end, on_end) == 0);
    folder->timer.data = folder->notices.data = folder->end.data = folder;
    *ret = folder;
    return CS_OK;
}

int ctl_crl_folder_start(struct ctl_crl_folder *folder, struct cs_err *err)
{
    /* Without notices the looks go on. */
    if (uv_fs_event_start(&folder->notices, on_notice, folder->path, 0) != 0)
        cs_log(CS_LOG_WARN, "crl", "the system gives no notices of changed files: they are found later",
               CS_F("folder", folder->path), CS_FEND);
    uv_timer_start(&folder->timer, on_timer, 0, 0);
    if (uv_thread_create(&folder->thread, thread_main, folder) != 0)
        return cs_err_set(err, CS_ENOMEM, "cannot start the thread for CRLs");
    folder->started = true;
    return CS_OK;
}

void ctl_crl_folder_free(struct ctl_crl_folder *folder)
{
    if (!folder)
        return;
    if (folder->started) {
        folder->importer.ending = true;
        uv_async_send(&folder->end);
        uv_thread_join(&folder->thread);
    } else {
        on_end(&folder->end);
        uv_run(&folder->loop, UV_RUN_DEFAULT);
    }
    cs_assert(uv_loop_close(&folder->loop) == 0);
    forget_gone(folder); /* none was seen since the last look */
    ctl_crl_importer_free(&folder->importer);
    free(folder);
}
