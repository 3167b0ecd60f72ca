/* pid_file.h - a signal to the process whose number an application has written into a file. Numbers are used
 * again, so it is looked at whose it is now, and held while it is. */
#ifndef AG_PORT_PID_FILE_H
#define AG_PORT_PID_FILE_H

#include "shared/base/err.h"

/* As `send_signal` in port.h. Blocks for a few system calls. */
CS_MUST_USE int ag_pid_file_signal(const char *path, const char *program, int number, struct cs_err *err);

#endif
