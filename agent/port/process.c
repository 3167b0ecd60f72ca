/* RUNNING --exit--> CLOSING --handles closed--> told, freed
 *    |                 ^
 *    +--time, stop--> ENDING: kills again and again until nothing is left, or GIVE_UP rounds are over */
#include "agent/port/process.h"

#include "agent/port/cgroup.h"
#include "agent/port/said.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

enum {
    READ_BYTES = 1024,
    /* What may wait in a pipe that its writer has made as large as the system lets root: 1 MiB. */
    DRAIN_READS = 1024 * 1024 / READ_BYTES,
    ROUND_MS = 10,
    /* Who is not dead after three seconds hangs in the kernel, and nobody can end it. */
    GIVE_UP = 3000 / ROUND_MS,
    /* Commands whose pipes are kept; a service that was started by an older one has found its log long ago.
     */
    PIPES_KEPT = 8,
};

struct ag_process {
    struct ag_task task;
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t pipe;
    int output; /* what the command writes to; -1: closed */
    enum { RUNNING, ENDING, CLOSING } phase;
    unsigned open; /* handles that are not closed */
    unsigned rounds;
    bool exited;
    struct ag_cgroup group;
    struct ag_said said;
    struct cs_err unlimited; /* why no group holds it, if none does */
    struct ag_command_result result;
    void (*on_end)(void *owner, const struct ag_command_result *result);
    void *owner;
    char incoming[READ_BYTES];
};

/* ---- the end */

static void on_closed(uv_handle_t *handle)
{
    struct ag_process *process = handle->data;

    if (--process->open > 0)
        return;
    process->result.output = ag_said_text(&process->said);
    if (ag_task_end(&process->task))
        process->on_end(process->owner, &process->result);
    free(process);
}

/* The command may have left a service behind, as a restart does, that still says something on its way into
 * the background: without a reader it would end by SIGPIPE. So the pipe stays, and one that is full makes
 * nobody wait. The agent has one loop in one thread. */
static void keep_pipe(struct ag_process *process)
{
    static int kept[PIPES_KEPT];
    static unsigned count;
    int *place = &kept[count % PIPES_KEPT];
    uv_os_fd_t fd;

    if (process->output < 0 || uv_fileno((uv_handle_t *)&process->pipe, &fd) != 0 ||
        fcntl(process->output, F_SETFL, O_WRONLY | O_NONBLOCK) != 0)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
        return;
    if (count++ >= PIPES_KEPT)
        close(*place);
    *place = copy;
}

static void close_handles(struct ag_process *process)
{
    uv_handle_t *const handles[] = {(uv_handle_t *)&process->process, (uv_handle_t *)&process->timer,
                                    (uv_handle_t *)&process->pipe};

    process->phase = CLOSING;
    if (process->output >= 0)
        close(process->output);
    process->output = -1;
    for (size_t i = 0; i < CS_ARRAY_LEN(handles); i++)
        if (handles[i]->data) /* was begun */
            uv_close(handles[i], on_closed);
}

/* One round of killing. The process group is asked as long as its leader is there, so that no other can have
 * its number. */
static void kill_all(struct ag_process *process)
{
    bool left = false;

    if (process->group.path[0])
        left = !ag_cgroup_end(&process->group);
    if (!process->exited)
        kill(-process->process.pid, SIGKILL);
    if ((process->exited && !left) || ++process->rounds > GIVE_UP)
        close_handles(process);
}

static void on_round(uv_timer_t *timer)
{
    kill_all(timer->data);
}

static void begin_ending(struct ag_process *process)
{
    process->phase = ENDING;
    uv_read_stop((uv_stream_t *)&process->pipe);
    uv_timer_start(&process->timer, on_round, ROUND_MS, ROUND_MS);
    kill_all(process);
}

static void on_timeout(uv_timer_t *timer)
{
    struct ag_process *process = timer->data;

    process->result.how = AG_COMMAND_TIMEOUT;
    begin_ending(process);
}

static void abandon(struct ag_task *task)
{
    struct ag_process *process = CS_CONTAINER_OF(task, struct ag_process, task);

    if (process->phase == RUNNING)
        begin_ending(process);
}

/* ---- what it says */

static void on_alloc(uv_handle_t *handle, size_t suggested CS_UNUSED, uv_buf_t *ret)
{
    struct ag_process *process = handle->data;

    *ret = uv_buf_init(process->incoming, sizeof process->incoming);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct ag_process *process = stream->data;

    if (count > 0)
        ag_said_hear(&process->said, cs_slice(buf->base, (size_t)count));
    else if (count < 0)
        uv_read_stop(stream);
}

/* Somebody whom the command left behind may keep the pipe open, and even go on writing: its end is not waited
 * for, what has arrived is taken. */
static void drain(struct ag_process *process)
{
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&process->pipe, &fd) != 0)
        return;
    for (int i = 0; i < DRAIN_READS; i++) {
        ssize_t count = read(fd, process->incoming, sizeof process->incoming);

        if (count <= 0)
            return;
        ag_said_hear(&process->said, cs_slice(process->incoming, (size_t)count));
    }
}

static void on_process_exit(uv_process_t *handle, int64_t status, int number)
{
    struct ag_process *process = handle->data;

    process->exited = true;
    if (process->phase == ENDING) {
        drain(process);
        kill_all(process);
    } else if (process->phase == RUNNING) {
        drain(process);
        process->result.how = number ? AG_COMMAND_KILLED : AG_COMMAND_EXITED;
        process->result.status = number ? number : (int)status;
        ag_cgroup_let_go(&process->group);
        keep_pipe(process);
        close_handles(process);
    }
}

/* ---- the beginning */

/* With the user's primary group; libuv drops all others. */
static int find_user(const char *name, uv_process_options_t *options, struct cs_err *err)
{
    bool is_number = name[0] != '\0' && strspn(name, "0123456789") == strlen(name);
    const struct passwd *user = is_number ? getpwuid((uid_t)strtoul(name, NULL, 10)) : getpwnam(name);

    if (!user)
        return cs_err_set(
            err, CS_ENOTFOUND,
            "this device has no user \"%s\": create it, or name another in the agent's configuration", name);
    options->uid = user->pw_uid;
    options->gid = user->pw_gid;
    options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
    return CS_OK;
}

static int explain(int status, const struct ag_command *command, struct cs_err *err)
{
    const char *program = command->argv[0];

    if (status == UV_ENOENT)
        return cs_err_set(err, CS_ENOTFOUND,
                          "there is no program %s on this device, or what runs it is missing", program);
    if (status == UV_EPERM && command->user)
        return cs_err_set(err, CS_EDENIED,
                          "%s cannot be run as the user \"%s\": the agent itself must run as root for that",
                          program, command->user);
    if (status == UV_EACCES || status == UV_EPERM)
        return cs_err_set(err, CS_EDENIED,
                          "%s may not be run: check its mode, and whom the folders on the way let through",
                          program);
    return cs_err_set(err, CS_EIO, "%s was not started: %s", program, uv_strerror(status));
}

/* Born in a group of its own where there can be one, and without otherwise. */
static int spawn_held(struct ag_process *process, uv_loop_t *loop, unsigned processes,
                      const uv_process_options_t *options)
{
    bool held = ag_cgroup_enter("/proc/self", processes ? processes : AG_LIMIT_COMMAND_PROCESSES,
                                &process->group, &process->unlimited) == CS_OK;
    int status = uv_spawn(loop, &process->process, options);

    if (held)
        held = ag_cgroup_leave(&process->group, &process->unlimited) == CS_OK;
    if (!held)
        process->result.unlimited = process->unlimited.msg;
    process->process.data = process;
    process->open++;
    return status;
}

/* Standard output and error go to the same pipe. */
static int spawn(struct ag_process *process, uv_loop_t *loop, const struct ag_command *command,
                 uv_file output, struct cs_err *err)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                locale[] = "LC_ALL=C", home[] = "HOME=/";
    char *environment[] = {path, locale, home, NULL};
    char **argv = NULL;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, /* the null device */
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = output},
    };

    /* libuv asks for char ** and changes nothing. */
    memcpy(&argv, &command->argv, sizeof argv);
    uv_process_options_t options = {
        .exit_cb = on_process_exit,
        .file = argv[0],
        .args = argv,
        .env = environment,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED, /* its own session and group */
        .stdio_count = 3,
        .stdio = stdio,
    };
    int code = command->user ? find_user(command->user, &options, err) : CS_OK;

    if (code)
        return code;
    int status = spawn_held(process, loop, command->processes, &options);

    return status == 0 ? CS_OK : explain(status, command, err);
}

static void not_started(struct ag_process *process, const struct cs_err *why)
{
    process->result.how = AG_COMMAND_NOT_STARTED;
    ag_said_hear(&process->said, cs_slice_str(why->msg));
    ag_cgroup_let_go(&process->group);
    close_handles(process);
}

static void begin_handles(struct ag_process *process, uv_loop_t *loop)
{
    uv_timer_init(loop, &process->timer);
    uv_pipe_init(loop, &process->pipe, 0);
    process->timer.data = process->pipe.data = process;
    process->open = 2;
}

int ag_process_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_command *command,
                     void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                     struct cs_err *err)
{
    struct ag_process *process;
    struct cs_err why;
    uv_file ends[2];

    if (uv_pipe(ends, UV_NONBLOCK_PIPE, 0) != 0)
        return cs_err_set(err, CS_EFULL, "no pipe can be made to run %s: too many files are open",
                          command->argv[0]);
    process = calloc(1, sizeof *process);
    if (!process) {
        close(ends[0]);
        close(ends[1]);
        return cs_err_nomem(err);
    }
    process->on_end = on_end;
    process->owner = owner;
    process->output = ends[1];
    uv_update_time(loop);
    begin_handles(process, loop);
    ag_task_begin(&process->task, slot, abandon);
    if (uv_pipe_open(&process->pipe, ends[0]) != 0)
        close(ends[0]); /* then nobody hears what it says, and it still runs */
    else
        uv_read_start((uv_stream_t *)&process->pipe, on_alloc, on_read);
    if (spawn(process, loop, command, ends[1], &why) != CS_OK)
        not_started(process, &why);
    else
        uv_timer_start(&process->timer, on_timeout, command->timeout_ms, 0);
    return CS_OK;
}
