/* place.h - where a path leads: a folder that is held open, and a name in it.
 *
 * The agent is root and puts files where applications want them, in folders that others may own. Whoever can
 * rename one of the folders on the way could put a link in its place and lead the agent elsewhere. So a path
 * is walked once, without following any link, and everything is done by *at() calls in the folder that was
 * found; what is renamed afterwards leads nowhere. The kernel walks (openat2) where it can, else the same is
 * done here folder by folder. Does I/O, blocks. Start at ag_place_open(). */
#ifndef AG_PORT_PLACE_H
#define AG_PORT_PLACE_H

#include "shared/base/err.h"

#include <stdbool.h>

struct ag_place {
    int folder;     /* by O_PATH: for *at() calls and fstat; ag_place_list() has one that can be read */
    char name[256]; /* of one entry: no slash, neither "." nor ".." */
};

#define AG_PLACE_CLOSED ((struct ag_place){.folder = -1})

/* `path` is absolute and has no "..": CS_EINVAL. The folder must be there (CS_ENOTFOUND, also when something
 * on the way is no folder), the name need not. CS_EDENIED where there is a symbolic link on the way, or the
 * system lets us not through. A slash at the end is passed over. */
CS_MUST_USE int ag_place_open(const char *path, struct ag_place *ret, struct cs_err *err);
/* Takes one that is closed, too. */
void ag_place_close(struct ag_place *place);

/* The path itself is the folder; the caller closes *ret_fd (O_PATH). */
CS_MUST_USE int ag_place_open_folder(const char *path, int *ret_fd, struct cs_err *err);
/* The folder once more, for readdir and fsync. */
CS_MUST_USE int ag_place_list(int folder, const char *path, int *ret_fd, struct cs_err *err);
/* Syncs the folder, so that what was made, renamed or removed in it stays. Fine where the file system cannot
 * or need not (it is read-only). A failure is never tried again: what it had to write is lost, and the next
 * sync would succeed. */
CS_MUST_USE int ag_place_sync(int folder, const char *path, struct cs_err *err);
/* A sync of a folder has failed in this process: an entry that is there may not be on the disk. */
bool ag_place_is_unsure(void);

/* May a file be put at `path` without anybody else deciding what becomes of it? As port.h's check_place. */
CS_MUST_USE int ag_place_check(const char *path, const char *owner, struct cs_err *err);

/* How paths are walked. By the kernel until it turns out that it cannot; tests ask for the steps. */
enum ag_walk { AG_WALK_KERNEL, AG_WALK_STEPS };
void ag_place_walk_by(enum ag_walk walk);
enum ag_walk ag_place_walk(void);

#endif
