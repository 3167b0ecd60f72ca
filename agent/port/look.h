/* look.h - owner, group, mode and SELinux label that a file is to have or has: found before anything is made,
 * set on the open file only, never by its name. Does I/O. */
#ifndef AG_PORT_LOOK_H
#define AG_PORT_LOOK_H

#include "agent/port/port.h"

#include <sys/stat.h>

/* A label may name many categories, and still fits a page's quarter. */
enum { AG_LOOK_LABEL_BYTES = 1024 };

struct ag_look {
    unsigned mode, uid, gid; /* (unsigned)-1: as the agent runs */
    size_t label_len;        /* 0: none is set */
    char label[AG_LOOK_LABEL_BYTES];
};

/* Names and the label become what they mean. CS_ENOTFOUND for a user or group that this device has not. */
CS_MUST_USE int ag_look_find(const struct ag_file_look *look, struct ag_look *ret, struct cs_err *err);
/* Of an open file and what fstat says of it. */
CS_MUST_USE int ag_look_of(int fd, const char *path, const struct stat *info, struct ag_look *ret,
                           struct cs_err *err);
/* Owner before mode, so that nobody reads it who may not. A label that the system does not take because it
 * has none is no failure. */
CS_MUST_USE int ag_look_set(int fd, const char *path, const struct ag_look *look, struct cs_err *err);

/* A name, or a number in digits. CS_ENOTFOUND. */
CS_MUST_USE int ag_look_find_user(const char *text, unsigned *ret, struct cs_err *err);
CS_MUST_USE int ag_look_find_group(const char *text, unsigned *ret, struct cs_err *err);

#endif
