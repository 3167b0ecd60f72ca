/* port.h - the one seam between the agent and its machine: clock, random, files, and what takes time:
 * commands, sockets, probes, waiting. posix.h has the real one; tests put one in front of it, or a machine
 * that they made up behind it.
 *
 * Paths are as the caller has them, absolute; a change of a folder's content is durable when the function
 * returns. No link is followed in the folders of a path, so that nobody who can rename one of them leads a
 * file elsewhere; at its last part none is followed unless the function says so. All file functions block:
 * they are short and rare. */
#ifndef AG_PORT_PORT_H
#define AG_PORT_PORT_H

#include "agent/core/connector.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/crypto/crypto.h"

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
    /* The path of an application, followed: the new file gets the SELinux label of what is there, or of the
     * folder where nothing is. NULL, or a system without labels: none is set. */
    const char *label_like;
};

/* An argument list, never a shell: clean environment, own session and process group, no inherited descriptors
 * but the null device and a pipe for what it says; within a process limit where the agent has a cgroup to
 * make one in; killed with all that it started when its time is over. */
struct ag_command {
    char *const *argv;
    const char *user; /* NULL: as the agent runs */
    uint32_t timeout_ms;
    unsigned
        processes; /* that it may have at once, and what it leaves running; 0: AG_LIMIT_COMMAND_PROCESSES */
};

struct ag_command_result {
    enum { AG_COMMAND_EXITED, AG_COMMAND_KILLED, AG_COMMAND_TIMEOUT, AG_COMMAND_NOT_STARTED } how;
    int status;            /* exit status or signal */
    const char *output;    /* the last lines of what it said, as one line of printable ASCII; long runs of
                              base64, which may be a key, are left out; or why it was not started */
    const char *unlimited; /* a sentence, when nothing held it to its limit of processes; or NULL */
};

/* One question to a socket, and its answer up to the peer's end of it, a newline behind `expect`, or the time
 * limit. */
struct ag_talk {
    const char *address; /* "/path" of a unix socket, or "HOST:PORT" */
    struct cs_slice send;
    const char *expect; /* NULL: any answer, none included */
    uint32_t timeout_ms;
};

struct ag_talk_result {
    bool good; /* the answer has what was expected */
    bool timed_out;
    const char *answer; /* cleaned as a command's output, or why there is none */
};

/* One TLS handshake, in which nothing is verified: what matters is which leaf the server proves to have. */
struct ag_probe_result {
    bool served;           /* a handshake was completed */
    struct cs_digest leaf; /* SHA-256 of the leaf's DER */
    const char *why;       /* a sentence, when none was */
};

struct ag_port {
    /* Seconds since 1970 of the system's clock, and whether the system says that it is synchronised. */
    int64_t (*clock_s)(struct ag_port *port);
    bool (*clock_synchronised)(struct ag_port *port);
    /* Milliseconds of a clock that nobody sets. */
    int64_t (*ticks_ms)(struct ag_port *port);
    void (*random)(struct ag_port *port, void *out, size_t len);

    /* Follows a link at the end of the path, as an application does, and then whatever links are on its way:
     * the application's leads through the state folder. What others may read by the agent's eyes is for the
     * caller to think of. Appends the content; CS_ENOTFOUND without the file, CS_ETOOBIG beyond limit_bytes
     * or for what is no file, which is not opened. */
    int (*read_file)(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                     struct cs_err *err);
    /* A new file with this content, synced; the folder is not. CS_EEXISTS if there is one. */
    int (*write_file)(struct ag_port *port, const char *path, struct cs_slice content,
                      const struct ag_file_look *look, struct cs_err *err);
    /* The same in place of any that is there: beside, synced, renamed over it, folder synced. */
    int (*replace_file)(struct ag_port *port, const char *path, struct cs_slice content,
                        const struct ag_file_look *look, struct cs_err *err);
    /* `to` becomes what `from` is: a file of the same content, with its owner, mode and label, in place of
     * any that is there, durably as replace_file; or a link (the agent's), that leads where `from` leads,
     * made absolute. CS_ENOTFOUND without `from`, CS_ETOOBIG for a file beyond limit_bytes or for what is
     * neither. */
    int (*copy)(struct ag_port *port, const char *from, const char *to, size_t limit_bytes,
                struct cs_err *err);
    /* Present is fine. */
    int (*make_folder)(struct ag_port *port, const char *path, unsigned mode, struct cs_err *err);
    int (*sync_folder)(struct ag_port *port, const char *path, struct cs_err *err);
    /* `on_entry` must not change the folder. CS_ENOTFOUND without it. */
    int (*list_folder)(struct ag_port *port, const char *path, void (*on_entry)(void *data, const char *name),
                       void *data, struct cs_err *err);
    /* With the files in it, not with folders in it. Absent is fine. */
    int (*remove_folder)(struct ag_port *port, const char *path, struct cs_err *err);

    int (*look_at)(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err);
    /* Follows a link at the end as read_file does. CS_ENOTFOUND without the file. */
    int (*stamp_of)(struct ag_port *port, const char *path, struct ag_stamp *ret, struct cs_err *err);
    int (*read_link)(struct ag_port *port, const char *path, char *ret, size_t size, struct cs_err *err);
    /* `path` leads to `target` by one rename over whatever link or file is there; nothing is written when it
     * does so already. */
    int (*switch_link)(struct ag_port *port, const char *path, const char *target, struct cs_err *err);
    int (*remove_link)(struct ag_port *port, const char *path,
                       struct cs_err *err); /* or file; absent is fine */

    /* May a file be put at `path` without anybody else deciding what becomes of it? Every folder on the way
     * belongs to root, to the agent's user or, the last one, to `owner` (NULL: nobody else), and only its
     * owner can write it, or it is sticky as /tmp; none is a link. CS_EDENIED says which is not, and what to
     * do; CS_ENOTFOUND likewise. */
    int (*check_place)(struct ag_port *port, const char *path, const char *owner, struct cs_err *err);
    /* Bytes that can still be written beside `path` by the agent, which leaves alone what is kept for root;
     * 0 on a file system that is read-only. */
    int (*room)(struct ag_port *port, const char *path, uint64_t *ret_bytes, struct cs_err *err);

    /* One of these at a time; CS_EBUSY when one is under way. on_end comes from the loop, never from here.
     * What a result points to is good until on_end returns, in which the next can be begun. */
    int (*run)(struct ag_port *port, const struct ag_command *command,
               void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
               struct cs_err *err);
    int (*talk)(struct ag_port *port, const struct ag_talk *talk,
                void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                struct cs_err *err);
    int (*probe)(struct ag_port *port, const struct ag_probe *probe, uint32_t timeout_ms,
                 void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                 struct cs_err *err);
    int (*wait)(struct ag_port *port, uint32_t ms, void (*on_end)(void *owner), void *owner,
                struct cs_err *err);
    /* Ends what is under way, a command with its group; its on_end is not called any more. */
    void (*stop)(struct ag_port *port);

    /* To the process whose number stands in the file, if it is `program` by /proc/PID/comm or the last part
     * of its executable's path. CS_ENOTFOUND: no such file or process; CS_EDENIED: it is another program. */
    int (*send_signal)(struct ag_port *port, const char *pid_file, const char *program, int number,
                       struct cs_err *err);

    /* Calls on_change from the loop soon after something was made, changed or removed in one of the folders,
     * once for what comes together; a folder that is not there is passed over, and looked for again at the
     * next call. Replaces what was watched before; count 0 ends it. What changed before is for the caller to
     * look at, once it watches. CS_EFULL: the system lets nobody watch more than the first of them. */
    int (*watch)(struct ag_port *port, const char *const *folders, size_t count,
                 void (*on_change)(void *owner), void *owner, struct cs_err *err);
};

#endif
