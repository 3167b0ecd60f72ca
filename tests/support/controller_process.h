/* controller_process.h - a real countersignd in a temporary folder, for benches and tests that measure it
 * from outside. */
#ifndef TESTS_SUPPORT_CONTROLLER_PROCESS_H
#define TESTS_SUPPORT_CONTROLLER_PROCESS_H

#include "shared/base/err.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct controller_process {
    pid_t pid;
    char folder[PATH_MAX / 2];
    char socket[PATH_MAX];
    uint16_t agents_port, enrolment_port;
    unsigned shards;
};

/* Makes the folder (first call, `folder` empty) or starts again on the same one; its log is the file `log`
 * there. Waits until it listens. */
int controller_process_start(struct controller_process *process, const char *program, unsigned shards,
                             struct cs_err *err);
/* SIGTERM, waits. */
void controller_process_stop(struct controller_process *process);
/* Stops, and removes the folder. */
void controller_process_destroy(struct controller_process *process);

/* Resident bytes, and processor time in milliseconds (user and system) since it started. */
uint64_t controller_process_resident(const struct controller_process *process);
uint64_t controller_process_cpu_ms(const struct controller_process *process);

#endif
