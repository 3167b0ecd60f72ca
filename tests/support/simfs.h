/* simfs.h - a file system in memory behind the very system calls that the agent's port makes, with a log of
 * everything that was done to it, from which every disk follows that a power cut could have left.
 * The linker sends the calls here (tests/sim/CMakeLists.txt): paths below /sim, and descriptors that came
 * from there, are the model's; all else is the machine's own. One disk is mounted at a time; one thread.
 *
 *   simfs_mount(disk) ─▶ the program runs ─▶ simfs_unmount() ─▶ simfs_cuts(): each disk that a cut could
 * leave
 *
 * Strict POSIX: a file's fsync makes its bytes and its look durable, a folder's fsync its entries; nothing
 * else is durable, and what is not may be lost in any combination. Only a rename is all or nothing. */
#ifndef CS_TESTS_SIMFS_H
#define CS_TESTS_SIMFS_H

#include "shared/base/slice.h"

#define SIMFS_ROOT "/sim"

/* What lies on a disk. */
struct simfs_disk;
/* One run: the disk that it began with, and what it did, in order. */
struct simfs_trace;

/* With an empty folder SIMFS_ROOT. */
struct simfs_disk *simfs_disk_new(void);
struct simfs_disk *simfs_disk_copy(const struct simfs_disk *disk);
void simfs_disk_free(struct simfs_disk *disk);
/* The same for disks with the same names, bytes, links and looks. */
uint64_t simfs_disk_hash(const struct simfs_disk *disk);

struct simfs_stat {
    char kind; /* 'f'ile, 'd' for a folder, 'l'ink */
    unsigned mode, uid, gid;
    struct cs_slice content; /* borrowed: a file's bytes, a link's target */
};
/* Follows links, but not at the last part of the path unless `follow`. False: there is nothing. */
bool simfs_disk_stat(const struct simfs_disk *disk, const char *path, bool follow, struct simfs_stat *ret);
/* Every path with its stat, in no particular order. */
void simfs_disk_walk(const struct simfs_disk *disk,
                     void (*on_entry)(void *data, const char *path, const struct simfs_stat *stat),
                     void *data);

/* A copy of the disk becomes what the program sees. Nothing may be mounted. */
void simfs_mount(const struct simfs_disk *disk);
/* The caller frees the trace. Descriptors that are still open are a leak and end the test. */
struct simfs_trace *simfs_unmount(void);
/* What the program sees; changes with what it does. NULL: nothing is mounted. */
const struct simfs_disk *simfs_mounted(void);
/* Stands in the log: what the program said to the outside by then must hold after a cut, too. */
void simfs_mark(int mark);
/* Things done to the disk since it was mounted, without syncs. */
size_t simfs_changes(void);
/* How long the log is. */
size_t simfs_log_len(void);
/* The machine has openat2(); it has not unless this is called. */
void simfs_has_openat2(bool has);

void simfs_trace_free(struct simfs_trace *trace);
/* As the run left it, with nothing lost. The caller frees it. */
struct simfs_disk *simfs_trace_end(const struct simfs_trace *trace);

/* One way in which the power went. */
struct simfs_cut {
    const struct simfs_trace *trace;
    size_t at; /* so many things of the log had been done */
    const size_t *pending;
    size_t pending_count;
    uint64_t kept; /* which of the pending ones reached the disk */
    int torn;      /* index of the pending write that reached it in part, -1: none */
    int how_torn;
};
/* The last mark of these before the cut; 0: none. */
int simfs_cut_mark(const struct simfs_cut *cut, int least, int most);
/* Nothing was lost: the process ended, not the machine. */
bool simfs_cut_lost_nothing(const struct simfs_cut *cut);
/* One line for people. */
void simfs_cut_describe(const struct simfs_cut *cut, char *out, size_t size);

/* Calls on_disk for each disk that a cut before or after any thing in the log could leave, from the one with
 * the number `first` on; the same disk may come several times. Of up to `all_subsets` pending things every
 * subset is lost; of more than that: none, all, each one, each two, and all from each one on. `on_disk`
 * borrows both. */
void simfs_cuts(const struct simfs_trace *trace, size_t first, unsigned all_subsets,
                void (*on_disk)(void *data, const struct simfs_disk *disk, const struct simfs_cut *cut),
                void *data);

#endif
