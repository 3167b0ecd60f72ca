/* file.h - small files of people: read whole up to a limit, written so that a crash leaves the old one or the
 * new. Does I/O; every sentence names the file. */
#ifndef CTL_CLI_FILE_H
#define CTL_CLI_FILE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

/* Appends the content; "-" is standard input. CS_ENOTFOUND, CS_ETOOBIG beyond `most_bytes` (nothing more is
 * read). */
CS_MUST_USE int cli_file_read(const char *path, size_t most_bytes, struct cs_buf *out, struct cs_err *err);
/* The same for private keys: refused when group or others may read the file. */
CS_MUST_USE int cli_file_read_secret(const char *path, size_t most_bytes, struct cs_buf *out,
                                     struct cs_err *err);

/* A temporary file beside it, synced, renamed, folder synced. */
CS_MUST_USE int cli_file_write(const char *path, mode_t mode, struct cs_slice content, struct cs_err *err);
/* CS_EEXISTS instead of replacing: for keys. */
CS_MUST_USE int cli_file_create(const char *path, mode_t mode, struct cs_slice content, struct cs_err *err);

/* The same for what is larger than memory: written as a stream, there only once it is whole. */
struct cli_file_stream {
    FILE *stream;
    char path[PATH_MAX], temporary[PATH_MAX]; /* empty: standard output */
};
/* `path` NULL: standard output, which is what it becomes as it is written. */
CS_MUST_USE int cli_file_begin(const char *path, mode_t mode, struct cli_file_stream *ret,
                               struct cs_err *err);
/* Either of the two ends it. */
CS_MUST_USE int cli_file_finish(struct cli_file_stream *file, struct cs_err *err);
void cli_file_abandon(struct cli_file_stream *file);

/* Makes the folder and those above it, mode 0700. */
CS_MUST_USE int cli_file_make_folder(const char *path, struct cs_err *err);

/* "folder/name" into a buffer of PATH_MAX, refused when it does not fit. */
CS_MUST_USE int cli_file_join(char *ret, size_t room, struct cs_err *err, const char *folder,
                              const char *format, ...) CS_PRINTF(5, 6);

#endif
