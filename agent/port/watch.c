#include "agent/port/watch.h"

#include "agent/port/place.h"

#include <unistd.h>

/* Long enough for an editor's or a package manager's several steps, too short to be waited for. */
enum { TOGETHER_MS = 100 };

/* One watched folder. Replaced ones close while the next are open already, so each is its own. */
struct folder {
    uv_fs_event_t event;
    struct ag_watch *watch;
    struct folder *next;
};

struct ag_watch {
    uv_loop_t *loop;
    uv_timer_t timer; /* from the first change to the call */
    int open;         /* handles that are not closed: the timer, and folders */
    bool closing;
    struct folder *folders; /* those that are watched */
    void (*on_change)(void *owner);
    void *owner;
};

int ag_watch_new(uv_loop_t *loop, struct ag_watch **ret, struct cs_err *err)
{
    struct ag_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return cs_err_nomem(err);
    watch->loop = loop;
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    watch->open = 1;
    *ret = watch;
    return CS_OK;
}

static void maybe_closed(struct ag_watch *watch)
{
    if (watch->closing && watch->open == 0)
        free(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ag_watch *watch = handle->data;

    watch->open--;
    maybe_closed(watch);
}

static void on_folder_closed(uv_handle_t *handle)
{
    struct folder *folder = handle->data;
    struct ag_watch *watch = folder->watch;

    free(folder);
    watch->open--;
    maybe_closed(watch);
}

static void close_folder(struct folder *folder)
{
    uv_close((uv_handle_t *)&folder->event, on_folder_closed);
}

static void close_folders(struct ag_watch *watch)
{
    while (watch->folders) {
        struct folder *folder = watch->folders;

        watch->folders = folder->next;
        close_folder(folder);
    }
}

static void on_together(uv_timer_t *timer)
{
    struct ag_watch *watch = timer->data;

    if (!watch->closing)
        watch->on_change(watch->owner);
}

/* The timer is not put off by what comes later: changes without end are told of, too. */
static void on_event(uv_fs_event_t *event, const char *name CS_UNUSED, int events CS_UNUSED,
                     int status CS_UNUSED)
{
    const struct folder *folder = event->data;
    struct ag_watch *watch = folder->watch;

    if (!watch->closing && !uv_is_active((uv_handle_t *)&watch->timer))
        uv_timer_start(&watch->timer, on_together, TOGETHER_MS, 0);
}

/* libuv would follow links; those are no place of ours. */
static bool can_be_opened(const char *path)
{
    int fd = -1;

    if (ag_place_open_folder(path, &fd, NULL) != CS_OK)
        return false;
    close(fd);
    return true;
}

static int refusal(int status, const char *path, struct cs_err *err)
{
    switch (status) {
    case 0:
    case UV_ENOENT: /* gone since */
    case UV_ENOTDIR:
    case UV_EACCES:
        return CS_OK;
    case UV_ENOSPC:
    case UV_EMFILE:
    case UV_ENFILE:
        return cs_err_set(err, CS_EFULL,
                          "cannot watch %s: the system lets nobody watch more; raise "
                          "fs.inotify.max_user_watches and max_user_instances",
                          path);
    case UV_ENOMEM:
        return cs_err_nomem(err);
    case UV_ENOSYS:
        return cs_err_set(err, CS_EUNSUPPORTED, "cannot watch %s: this system has no inotify", path);
    default:
        return cs_err_set(err, CS_EIO, "cannot watch %s: %s", path, uv_strerror(status));
    }
}

static int add_folder(struct ag_watch *watch, const char *path, struct cs_err *err)
{
    struct folder *folder = calloc(1, sizeof *folder);

    if (!folder)
        return cs_err_nomem(err);
    uv_fs_event_init(watch->loop, &folder->event);
    folder->event.data = folder;
    folder->watch = watch;
    watch->open++;
    int status = uv_fs_event_start(&folder->event, on_event, path, 0);

    if (status != 0) {
        close_folder(folder);
        return refusal(status, path, err);
    }
    folder->next = watch->folders;
    watch->folders = folder;
    return CS_OK;
}

int ag_watch_set(struct ag_watch *watch, const char *const *folders, size_t count,
                 void (*on_change)(void *owner), void *owner, struct cs_err *err)
{
    int code = CS_OK;

    cs_assert(!watch->closing);
    close_folders(watch);
    uv_timer_stop(&watch->timer);
    watch->on_change = on_change;
    watch->owner = owner;
    for (size_t i = 0; !code && i < count; i++) {
        if (can_be_opened(folders[i]))
            code = add_folder(watch, folders[i], err);
    }
    return code;
}

void ag_watch_close(struct ag_watch *watch)
{
    if (!watch || watch->closing)
        return;
    watch->closing = true;
    close_folders(watch);
    uv_close((uv_handle_t *)&watch->timer, on_timer_closed);
}
