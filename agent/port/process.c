/* One command at a time on the loop. The handles live in struct ag_process; `open` counts them, and a new
 * command waits for none: a run is over, and reported, once its handles are closed. */
#include "agent/core/limits.h"
#include "agent/port/posix.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct ag_process {
    uv_loop_t *loop;
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t pipe;
    int open;     /* handles that are not closed */
    bool running; /* a command was started and not reported */
    bool exited;
    bool abandoned; /* its owner does not want to hear of it */
    bool closing;   /* the whole goes once the handles are closed */
    void (*on_end)(void *owner, const struct ag_command_result *result);
    void *owner;
    struct ag_command_result result;
    char output[AG_LIMIT_COMMAND_OUTPUT];
    size_t output_len;
    char incoming[512];
};

int ag_process_new(uv_loop_t *loop, struct ag_process **ret, struct cs_err *err)
{
    struct ag_process *process = calloc(1, sizeof *process);

    if (!process)
        return cs_err_nomem(err);
    process->loop = loop;
    *ret = process;
    return CS_OK;
}

/* Keeps the end of what was said, as one line. */
static void keep_output(struct ag_process *process, const char *bytes, size_t len)
{
    size_t room = sizeof process->output - 1;

    if (len > room) {
        bytes += len - room;
        len = room;
    }
    if (process->output_len + len > room) {
        size_t drop = process->output_len + len - room;

        memmove(process->output, process->output + drop, process->output_len - drop);
        process->output_len -= drop;
    }
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];

        process->output[process->output_len++] = c >= 0x20 && c < 0x7f ? c : ' ';
    }
}

static void report(struct ag_process *process)
{
    while (process->output_len > 0 && process->output[process->output_len - 1] == ' ')
        process->output_len--;
    process->output[process->output_len] = '\0';
    process->result.output = process->output;
    process->running = false;
    if (!process->abandoned)
        process->on_end(process->owner, &process->result);
}

static void maybe_closed(struct ag_process *process)
{
    if (process->open > 0)
        return;
    bool closing = process->closing;

    if (process->running)
        report(process);
    if (closing)
        free(process);
}

static void on_closed(uv_handle_t *handle)
{
    struct ag_process *process = handle->data;

    process->open--;
    maybe_closed(process);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_handles(struct ag_process *process)
{
    close_handle((uv_handle_t *)&process->process);
    close_handle((uv_handle_t *)&process->timer);
    close_handle((uv_handle_t *)&process->pipe);
}

static void on_alloc(uv_handle_t *handle, size_t suggested CS_UNUSED, uv_buf_t *ret)
{
    struct ag_process *process = handle->data;

    *ret = uv_buf_init(process->incoming, sizeof process->incoming);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct ag_process *process = stream->data;

    if (count > 0)
        keep_output(process, buf->base, (size_t)count);
    else if (count < 0)
        uv_read_stop(stream);
}

/* A daemon that the command left behind may keep the pipe open: its end is not waited for, what has arrived
 * is taken. */
static void drain(struct ag_process *process)
{
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&process->pipe, &fd) != 0)
        return;
    for (int i = 0; i < 64; i++) {
        ssize_t count = read(fd, process->incoming, sizeof process->incoming);

        if (count <= 0)
            return;
        keep_output(process, process->incoming, (size_t)count);
    }
}

static void on_process_exit(uv_process_t *handle, int64_t status, int signal)
{
    struct ag_process *process = handle->data;

    process->exited = true;
    drain(process);
    if (process->result.how != AG_COMMAND_TIMEOUT) {
        process->result.how = signal ? AG_COMMAND_KILLED : AG_COMMAND_EXITED;
        process->result.status = signal ? signal : (int)status;
    }
    close_handles(process);
}

static void kill_group(struct ag_process *process)
{
    if (process->running && !process->exited)
        kill(-process->process.pid, SIGKILL);
}

static void on_timeout(uv_timer_t *timer)
{
    struct ag_process *process = timer->data;

    process->result.how = AG_COMMAND_TIMEOUT;
    kill_group(process);
}

/* Standard output and error go to the same pipe; the writing end is closed here, whatever happens. */
static int spawn(struct ag_process *process, const struct ag_command *command, uv_file output)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                locale[] = "LC_ALL=C", home[] = "HOME=/";
    char *environment[] = {path, locale, home, NULL};
    char **argv = NULL;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = output},
    };

    /* libuv asks for char ** and changes nothing. */
    memcpy(&argv, &command->argv, sizeof argv);
    const uv_process_options_t options = {
        .exit_cb = on_process_exit,
        .file = argv[0],
        .args = argv,
        .env = environment,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED, /* its own session and group */
        .stdio_count = 3,
        .stdio = stdio,
    };

    return uv_spawn(process->loop, &process->process, &options);
}

static void begin(struct ag_process *process)
{
    memset(&process->result, 0, sizeof process->result);
    process->output_len = 0;
    process->exited = false;
    process->abandoned = false;
    uv_timer_init(process->loop, &process->timer);
    uv_pipe_init(process->loop, &process->pipe, 0);
    process->timer.data = process->pipe.data = process;
    process->open = 3;
    process->running = true;
}

int ag_process_run(struct ag_process *process, const struct ag_command *command,
                   void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                   struct cs_err *err)
{
    if (process->running || process->closing || process->open > 0)
        return cs_err_set(err, CS_EBUSY, "a command is running already");
    uv_file ends[2];

    if (uv_pipe(ends, UV_NONBLOCK_PIPE, 0) != 0)
        return cs_err_set(err, CS_EBUSY, "too many files are open to run a command");
    process->on_end = on_end;
    process->owner = owner;
    begin(process);
    int opened = uv_pipe_open(&process->pipe, ends[0]);
    int status = spawn(process, command, ends[1]);

    close(ends[1]);
    if (opened != 0)
        close(ends[0]); /* then nobody hears what it says, and it still runs */
    process->process.data = process;
    if (status != 0) {
        process->result.how = AG_COMMAND_NOT_STARTED;
        process->result.status = -status;
        keep_output(process, uv_strerror(status), strlen(uv_strerror(status)));
        close_handles(process);
        return CS_OK;
    }
    if (opened == 0)
        uv_read_start((uv_stream_t *)&process->pipe, on_alloc, on_read);
    uv_timer_start(&process->timer, on_timeout, command->timeout_ms, 0);
    return CS_OK;
}

void ag_process_stop(struct ag_process *process)
{
    if (!process->running)
        return;
    process->abandoned = true;
    kill_group(process);
}

void ag_process_close(struct ag_process *process)
{
    process->closing = true;
    ag_process_stop(process);
    maybe_closed(process);
}
