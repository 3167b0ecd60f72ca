/* sys_fail.h - one system call after the other fails, once or from then on for good. Counts only calls that
 * reach the disk of simfs.h. */
#ifndef CS_TESTS_SYS_FAIL_H
#define CS_TESTS_SYS_FAIL_H

#include <stdbool.h>
#include <stddef.h>

struct sys_failure {
    unsigned nth;  /* this call from now on, 1 is the next; 0: none */
    int error;     /* an errno; 0: the call does less than it was asked for, where it can */
    bool for_good; /* and all that follow */
    bool writing;  /* only calls that need room on the disk are counted */
};

/* From now on; NULL: nothing fails. */
void sys_fail_set(const struct sys_failure *failure);
bool sys_fail_happened(void);
/* How long the disk's log was then: up to there all is as without the failure. */
size_t sys_fail_log_len(void);
/* The name of the call that failed first. */
const char *sys_fail_call(void);

/* For sys_wrap.c: 0, or the errno with which the call fails. */
int sys_fail_next(const char *call, bool writing);
/* The same for calls with a length, which may be cut short. */
int sys_fail_shorten(const char *call, bool writing, size_t *len);

#endif
