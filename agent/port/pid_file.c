#include "agent/port/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum {
    FILE_BYTES = 64,
    /* What the kernel keeps of a program's name: TASK_COMM_LEN without its end, proc(5). */
    COMM_BYTES = 15,
    NO_HANDLE = -1,
    NO_FILE = -2,
};

/* ---- the number */

/* The first line has it, with blanks around it, as Postfix pads it; what stands below, as in PostgreSQL's, is
 * not looked at. */
static bool parse_pid(const char *text, pid_t *ret)
{
    long pid = 0;

    text += strspn(text, " \t");
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        pid = pid * 10 + (text[i] - '0');
    text += digits;
    text += strspn(text, " \t\r");
    if (pid <= 1 || (*text != '\n' && *text != '\0'))
        return false;
    *ret = (pid_t)pid;
    return true;
}

static int read_pid(const char *path, pid_t *ret, struct cs_err *err)
{
    char text[FILE_BYTES + 1];
    /* Its folder may be the application's: what is in its place must not be opened if it is a device, which
     * may do something by that, nor hold the agent up. */
    struct stat info;
    int fd = stat(path, &info) != 0   ? -1
             : !S_ISREG(info.st_mode) ? NO_FILE
                                      : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
        close(fd);
        fd = NO_FILE;
    }
    if (fd == NO_FILE)
        return cs_err_set(err, CS_EPARSE, "%s is no file", path);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return cs_err_set(err, CS_ENOTFOUND,
                          "there is no pid file %s: is the application running, and is that its pid file?",
                          path);
    if (fd < 0)
        return cs_err_set(err, CS_EDENIED, "cannot open the pid file %s: %s", path, strerror(errno));
    ssize_t len = read(fd, text, FILE_BYTES);

    close(fd);
    text[len > 0 ? len : 0] = '\0';
    if (len < 0 || strlen(text) != (size_t)len || !parse_pid(text, ret))
        return cs_err_set(err, CS_EPARSE,
                          "%s is no pid file: its first line must be the number of a process, and no more",
                          path);
    return CS_OK;
}

/* ---- the process */

static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return NO_HANDLE;
#endif
}

static int signal_process(int handle, pid_t pid, int number)
{
#ifdef SYS_pidfd_send_signal
    if (handle != NO_HANDLE)
        return (int)syscall(SYS_pidfd_send_signal, handle, number, NULL, 0);
#endif
    (void)handle;
    return kill(pid, number);
}

static bool comm_is(pid_t pid, const char *program, char comm[FILE_BYTES])
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, comm, FILE_BYTES - 1);

    if (fd >= 0)
        close(fd);
    comm[len > 0 ? len : 0] = '\0';
    comm[strcspn(comm, "\n")] = '\0';
    return comm[0] && (strlen(comm) == COMM_BYTES ? strncmp(comm, program, COMM_BYTES) == 0
                                                  : strcmp(comm, program) == 0);
}

/* The kernel adds " (deleted)" when the file was replaced since, as by an upgrade. */
static bool executable_is(pid_t pid, const char *program)
{
    static const char deleted[] = " (deleted)";
    char path[64], target[1024];

    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    ssize_t len = readlink(path, target, sizeof target - 1);

    if (len <= 0)
        return false;
    target[len] = '\0';
    size_t tail = sizeof deleted - 1;

    if ((size_t)len > tail && strcmp(target + len - tail, deleted) == 0)
        target[(size_t)len - tail] = '\0';
    const char *slash = strrchr(target, '/');

    return slash && strcmp(slash + 1, program) == 0;
}

static int gone(const char *path, pid_t pid, struct cs_err *err)
{
    return cs_err_set(err, CS_ENOTFOUND,
                      "%s names process %ld, and there is none: is the application running? Its pid file may "
                      "be an old one",
                      path, (long)pid);
}

static int check_and_signal(int handle, const char *path, pid_t pid, const char *program, int number,
                            struct cs_err *err)
{
    char comm[FILE_BYTES];

    if (!comm_is(pid, program, comm) && !executable_is(pid, program)) {
        if (!comm[0])
            return gone(path, pid, err);
        return cs_err_set(err, CS_EDENIED,
                          "%s names process %ld, which is %s and not %s: the file is an old one, or the "
                          "program has another name in the agent's configuration",
                          path, (long)pid, comm, program);
    }
    if (signal_process(handle, pid, number) == 0)
        return CS_OK;
    if (errno == ESRCH)
        return gone(path, pid, err);
    return cs_err_set(err, CS_EDENIED, "cannot send signal %d to %s (process %ld): %s", number, program,
                      (long)pid, strerror(errno));
}

int ag_pid_file_signal(const char *path, const char *program, int number, struct cs_err *err)
{
    pid_t pid;
    int code = read_pid(path, &pid, err);

    if (code)
        return code;
    int handle = open_process(pid);

    /* Old kernels have none, and sandboxes may forbid it; then the number must do. */
    if (handle < 0 && errno == ESRCH)
        return gone(path, pid, err);
    code = check_and_signal(handle < 0 ? NO_HANDLE : handle, path, pid, program, number, err);
    if (handle >= 0)
        close(handle);
    return code;
}
