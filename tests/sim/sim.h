/* sim.h - one push after the other on a disk in memory, the power cut everywhere, the agent's recovery on
 * each disk that a cut could leave, and the power cut in that recovery, too.
 *
 *   a case ─▶ run once ─▶ each cut's disk ─▶ what does the application read?      (before)
 *                                        ─▶ recover ─▶ is it right, and told so?  (after)
 *                                                  └─▶ each cut's disk ─▶ …
 *
 * What is wrong is counted, and the first of each kind kept in words; nothing here ends the test. */
#ifndef CS_TESTS_SIM_SIM_H
#define CS_TESTS_SIM_SIM_H

#include "tests/sim/scenarios.h"
#include "tests/sim/seen.h"
#include "tests/sim/served.h"

enum {
    SIM_DEPTH = 2, /* most cuts in one story: in the push, and in the recovery from it */
    /* Subsets of what is not durable: all of them up to so many things, at each depth. */
    SIM_SUBSETS = 6,
    SIM_SUBSETS_DEEP = 2,
    SIM_KINDS_OF_WRONG = 16,
};

struct sim_case {
    const struct sim_connector *connector;
    const struct sim_story *story;
    const struct sim_way *way;
    unsigned depth;                         /* how many cuts in one story */
    void (*sabotage)(struct ag_port *port); /* NULL: none */
};

struct sim_figures {
    unsigned long cuts;  /* ways in which the power went */
    unsigned long disks; /* distinct ones that these left */
    unsigned long recoveries, settled;
    unsigned long by_pair[SERVED_KINDS]; /* after a recovery */
    unsigned long cases, wrong;
};

struct sim {
    bool is_long; /* everything, whatever it costs */
    struct world world;
    struct sim_figures figures;
    struct {
        const char *format;
        unsigned long count;
        char first[2048];
    } wrong[SIM_KINDS_OF_WRONG];
    struct seen disks, outcomes, ends;

    /* The case under way. */
    const struct sim_case *now;
    uint64_t salt; /* connector and story: the same disk is another state for another connector */
    struct ag_config config;
    struct ag_connector connector;
    struct served_pairs pairs;
    const struct simfs_cut *cuts[SIM_DEPTH];
    const struct sim_recovery *recovery;
    /* What the application uses: enum served. At first: when it, or the agent alone, was started. */
    int loaded, loaded_at_first;
};

void sim_begin(struct sim *sim);
void sim_end(struct sim *sim);
/* Runs the case and everything that follows from it; a sweep is as many runs as there are calls to fail. */
void sim_try(struct sim *sim, const struct sim_case *what);
/* Forgets which disks were seen. */
void sim_forget(struct sim *sim);

/* The same in parts: what a case begins with, and its pairs, are known from here on. NULL: something is
 * wrong.
 */
struct simfs_disk *sim_prepare(struct sim *sim, const struct sim_case *what);
void sim_clear(struct sim *sim);
/* A start with everything in order: it must recover, and make nothing untrue that was told. */
void sim_check_start(struct sim *sim, const struct simfs_disk *disk, enum rig_told told);
struct rig_setting sim_setting(struct sim *sim, enum world_push_name push, struct rig_script script);
void sim_print_wrong(const struct sim *sim);

/* ---- for the files of the simulator */

/* `format` is a literal: what has the same is the same kind of wrong. */
void sim_wrong(struct sim *sim, const char *format, ...) CS_PRINTF(2, 3);
/* Marks the disk's log with what the application has loaded; rig.h's marks are below these. */
enum { SIM_LOADED = 100 };
/* Every check of the disk on which a recovery ended. */
void sim_check_settled(struct sim *sim, const struct simfs_disk *disk);
/* Every cut of a run from the one with the number `first` on: `told` and `loaded` are how things stood when
 * it began. */
void sim_cut(struct sim *sim, const struct simfs_trace *trace, size_t first, unsigned depth,
             enum rig_told told, int loaded);

#endif
