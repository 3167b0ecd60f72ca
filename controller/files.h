/* files.h - the controller's few small files: read whole, written so that a power cut leaves the old one, the
 * new one or none, never half of one. */
#ifndef CTL_FILES_H
#define CTL_FILES_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <sys/types.h>

/* Makes the folder (and not its parents) with this mode; one that exists must be a folder that only its owner
 * can write. */
CS_MUST_USE int ctl_folder_make(const char *path, mode_t mode, struct cs_err *err);

CS_MUST_USE int ctl_file_exists(const char *path, bool *ret, struct cs_err *err);
/* Appends at most `most_bytes`; CS_ENOTFOUND, CS_ETOOBIG. With `secret` a file that others than its owner may
 * read is refused. */
CS_MUST_USE int ctl_file_read(const char *path, size_t most_bytes, bool secret, struct cs_buf *out,
                              struct cs_err *err);
/* A new file of mode 0600, with file and folder on disk when it returns. */
CS_MUST_USE int ctl_file_write(const char *path, struct cs_slice bytes, struct cs_err *err);

#endif
