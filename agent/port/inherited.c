#include "agent/port/posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST = 3, CLOSE_ON_EXEC = 4 /* CLOSE_RANGE_CLOEXEC, which old headers lack */ };

static void mark(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags >= 0 && !(flags & FD_CLOEXEC))
        (void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

void ag_posix_close_inherited(void)
{
    DIR *folder;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, FIRST, ~0u, CLOSE_ON_EXEC) == 0)
        return;
#endif
    /* Before Linux 5.11. */
    folder = opendir("/proc/self/fd");
    if (!folder) {
        for (int fd = FIRST; fd < 1024; fd++)
            mark(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        int fd = (int)strtol(entry->d_name, NULL, 10);

        if (fd >= FIRST)
            mark(fd);
    }
    closedir(folder);
}
