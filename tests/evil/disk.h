/* disk.h - files in memory behind the agent's port: as many as a device has that makes keys on request. The
 * functions that this does not take are NULL. */
#ifndef CS_TESTS_EVIL_DISK_H
#define CS_TESTS_EVIL_DISK_H

#include "agent/core/limits.h"
#include "agent/port/port.h"

enum { DISK_FILES = 16 };

struct disk {
    struct ag_port port;
    struct disk_file {
        char path[AG_LIMIT_PATH_BYTES];
        struct cs_buf content;
    } files[DISK_FILES];
    size_t count;
};

void disk_make(struct disk *ret);
void disk_free(struct disk *disk);
/* In place of any that is there. */
void disk_put(struct disk *disk, const char *path, struct cs_slice content);

#endif
