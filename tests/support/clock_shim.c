/* Preloaded into the real programs: their wall clock is the system's plus a number of seconds that a small
 * file holds, so that a test travels in time while they run. The file is named by COUNTERSIGN_TEST_CLOCK: 8
 * bytes, little-endian, signed. Nothing else is changed: timers go by the monotonic clock.
 *
 * Who waits on a condition until a wall time is woken at least every 50 ms, as POSIX allows at any time, and
 * looks at the clock again. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_NS = 50 * 1000 * 1000, SECOND_NS = 1000 * 1000 * 1000 };
/* Of a wall time: monotonic clocks count from the machine's start. */
enum { EARLIEST_WALL_S = 1000 * 1000 * 1000 };

static const volatile int64_t *offset_s;

__attribute__((constructor)) static void open_clock(void)
{
    const char *path = getenv("COUNTERSIGN_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file >= 0 ? mmap(NULL, sizeof *offset_s, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;

    if (page != MAP_FAILED)
        offset_s = page;
    if (file >= 0)
        close(file);
}

static int64_t travelled_s(void)
{
    return offset_s ? *offset_s : 0;
}

/* The C library's names for the parameters are its own. NOLINTBEGIN(readability-inconsistent-*) */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (syscall(SYS_clock_gettime, clock, ret) != 0)
        return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        ret->tv_sec += travelled_s();
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now = {0};

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

static int earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec now = {0}, slice;
    int rc;

    if (until->tv_sec < EARLIEST_WALL_S)
        return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
    (void)clock_gettime(CLOCK_MONOTONIC, &slice);
    slice.tv_nsec += SLICE_NS;
    if (slice.tv_nsec >= SECOND_NS) {
        slice.tv_sec++;
        slice.tv_nsec -= SECOND_NS;
    }
    rc = pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &slice);
    if (rc != ETIMEDOUT)
        return rc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return earlier(&now, until) ? 0 : ETIMEDOUT;
}
/* NOLINTEND(readability-inconsistent-*) */
