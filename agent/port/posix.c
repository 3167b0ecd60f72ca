/* The wiring of the real machine, and what of it is no file. */
#include "agent/port/posix.h"

#include "agent/port/os_error.h"
#include "agent/port/pid_file.h"
#include "agent/port/place.h"
#include "agent/port/posix_impl.h"
#include "agent/port/watch.h"
#include "agent/port/work.h"
#include "shared/crypto/crypto.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct ag_posix {
    struct ag_port port;
    struct ag_work work;
    struct ag_watch *watch; /* NULL without a loop */
};

/* ---- clock, random */

static int64_t posix_clock_s(struct ag_port *port CS_UNUSED)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static int64_t posix_ticks_ms(struct ag_port *port CS_UNUSED)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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

static int posix_watch(struct ag_port *port, const char *const *folders, size_t count,
                       void (*on_change)(void *owner), void *owner, struct cs_err *err)
{
    struct ag_posix *posix = CS_CONTAINER_OF(port, struct ag_posix, port);

    if (!posix->watch)
        return cs_err_set(err, CS_EUNSUPPORTED, "folders are watched by a running agent only");
    return ag_watch_set(posix->watch, folders, count, on_change, owner, err);
}

/* ---- the wiring */

static const struct ag_port posix_port = {
    .clock_s = posix_clock_s,
    .clock_synchronised = posix_clock_synchronised,
    .ticks_ms = posix_ticks_ms,
    .random = posix_random,
    .read_file = ag_posix_read_file,
    .write_file = ag_posix_write_file,
    .replace_file = ag_posix_replace_file,
    .copy = ag_posix_copy,
    .make_folder = ag_posix_make_folder,
    .sync_folder = ag_posix_sync_folder,
    .list_folder = ag_posix_list_folder,
    .remove_folder = ag_posix_remove_folder,
    .look_at = ag_posix_look_at,
    .stamp_of = ag_posix_stamp_of,
    .read_link = ag_posix_read_link,
    .switch_link = ag_posix_switch_link,
    .remove_link = ag_posix_remove_link,
    .check_place = ag_posix_check_place,
    .room = ag_posix_room,
    .run = posix_run,
    .talk = posix_talk,
    .probe = posix_probe,
    .wait = posix_wait,
    .stop = posix_stop,
    .send_signal = posix_send_signal,
    .watch = posix_watch,
};

int ag_posix_new(uv_loop_t *loop, struct ag_posix **ret, struct cs_err *err)
{
    struct ag_posix *posix = calloc(1, sizeof *posix);

    if (!posix)
        return cs_err_nomem(err);
    posix->port = posix_port;
    posix->work.loop = loop;
    int code = loop ? ag_watch_new(loop, &posix->watch, err) : CS_OK;

    if (code)
        ag_posix_close(posix);
    else
        *ret = posix;
    return code;
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
    ag_watch_close(posix->watch);
    free(posix);
}

static int open_lock(const struct ag_place *place, int access)
{
    return AG_AGAIN(openat(place->folder, place->name, access | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           (mode_t)0600));
}

/* Not for writing: that would keep people from making the file system read-only while the agent runs. NFS
 * wants it so (flock(2)). */
static int open_and_lock(const struct ag_place *place, int *ret_fd)
{
    for (int access = O_RDONLY;; access = O_RDWR) {
        int fd = open_lock(place, access);

        if (fd < 0 || AG_AGAIN(flock(fd, LOCK_EX | LOCK_NB)) == 0) {
            *ret_fd = fd;
            return fd < 0 ? errno : 0;
        }
        int number = errno;

        close(fd);
        if (number != EBADF || access == O_RDWR)
            return number;
    }
}

int ag_posix_lock(const char *path, int *ret_fd, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    int fd = -1, code = ag_place_open(path, &place, err);

    if (code)
        return code;
    errno = open_and_lock(&place, &fd);
    if (errno == EWOULDBLOCK)
        return cs_err_set(err, CS_EBUSY, "another countersign-agent uses this state folder (%s is locked)",
                          path);
    if (errno)
        return ag_os_error(err, "cannot lock", path);
    *ret_fd = fd;
    return CS_OK;
}
