/* port.h - the one seam between the agent and its machine: clock, random, files, processes. posix.h has the
 * real one; tests put one in front of it that stops between any two steps.
 *
 * Paths are as the caller has them; a change of a folder's content is durable when the function returns.
 * Nothing follows a link at the last part of a path unless it says so. All file functions block: they are
 * short and rare. */
#ifndef AG_PORT_PORT_H
#define AG_PORT_PORT_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <stdint.h>

enum ag_entry_kind { AG_ENTRY_ABSENT, AG_ENTRY_FILE, AG_ENTRY_FOLDER, AG_ENTRY_LINK, AG_ENTRY_OTHER };

/* What a stat says of a file: it is another one, or was written or touched, when any of this differs. */
struct ag_stamp {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
};

/* How a new file is to be. */
struct ag_file_look {
    unsigned mode;
    const char *owner, *group; /* name or number, NULL: as the agent runs */
};

/* An argument list, never a shell: clean environment, own session and process group, no inherited descriptors
 * but the null device and a pipe for what it says; killed with its group when its time is over. */
struct ag_command {
    char *const *argv;
    uint32_t timeout_ms;
};

struct ag_command_result {
    enum { AG_COMMAND_EXITED, AG_COMMAND_KILLED, AG_COMMAND_TIMEOUT, AG_COMMAND_NOT_STARTED } how;
    int status;         /* exit status or signal */
    const char *output; /* the end of what it said, cleaned for a log line */
};

struct ag_port {
    /* Seconds since 1970 of the system's clock, and whether the system says that it is synchronised. */
    int64_t (*clock_s)(struct ag_port *port);
    bool (*clock_synchronised)(struct ag_port *port);
    void (*random)(struct ag_port *port, void *out, size_t len);

    /* Appends the content; CS_ENOTFOUND without the file, CS_ETOOBIG beyond limit_bytes. */
    int (*read_file)(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                     struct cs_err *err);
    /* A new file with this content, synced; the folder is not. CS_EEXISTS if there is one. */
    int (*write_file)(struct ag_port *port, const char *path, struct cs_slice content,
                      const struct ag_file_look *look, struct cs_err *err);
    /* The same in place of any that is there: beside, synced, renamed over it, folder synced. */
    int (*replace_file)(struct ag_port *port, const char *path, struct cs_slice content,
                        const struct ag_file_look *look, struct cs_err *err);
    /* Present is fine. */
    int (*make_folder)(struct ag_port *port, const char *path, unsigned mode, struct cs_err *err);
    int (*sync_folder)(struct ag_port *port, const char *path, struct cs_err *err);
    /* `on_entry` must not change the folder. CS_ENOTFOUND without it. */
    int (*list_folder)(struct ag_port *port, const char *path, void (*on_entry)(void *data, const char *name),
                       void *data, struct cs_err *err);
    /* With the files in it, not with folders in it. Absent is fine. */
    int (*remove_folder)(struct ag_port *port, const char *path, struct cs_err *err);

    int (*look_at)(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err);
    /* Follows links. CS_ENOTFOUND without the file. */
    int (*stamp_of)(struct ag_port *port, const char *path, struct ag_stamp *ret, struct cs_err *err);
    int (*read_link)(struct ag_port *port, const char *path, char *ret, size_t size, struct cs_err *err);
    /* `path` leads to `target` by one rename over whatever link or file is there. */
    int (*switch_link)(struct ag_port *port, const char *path, const char *target, struct cs_err *err);
    int (*remove_link)(struct ag_port *port, const char *path,
                       struct cs_err *err); /* or file; absent is fine */
    /* Within one folder. `copy_name`: `path` has a second name afterwards; CS_EEXISTS is fine for the caller.
     */
    int (*copy_name)(struct ag_port *port, const char *path, const char *second, struct cs_err *err);
    int (*rename)(struct ag_port *port, const char *path, const char *to, struct cs_err *err);

    /* One command at a time. on_end comes from the loop, never from here. */
    int (*run)(struct ag_port *port, const struct ag_command *command,
               void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
               struct cs_err *err);
    /* Ends a command that runs, by its group; its on_end is not called any more. */
    void (*stop)(struct ag_port *port);
};

#endif
