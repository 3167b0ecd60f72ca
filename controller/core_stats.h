/* core_stats.h - what the core thread does, in numbers that any thread may read. Counters of this run of the
 * process.
 */
#ifndef CTL_CORE_STATS_H
#define CTL_CORE_STATS_H

#include "shared/base/macros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Upper ends of the buckets of a commit's duration, in microseconds; one more counts what is above. */
#define CTL_COMMIT_BUCKETS_US                                                                                \
    {                                                                                                        \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000                 \
    }
enum { CTL_COMMIT_BUCKETS = 12 };

struct ctl_core_stats {
    _Atomic uint64_t accepted, refused; /* commands */
    _Atomic uint64_t waiting;           /* commands, now */
    _Atomic uint64_t commits;           /* each with one sync */
    _Atomic uint64_t commit_us;         /* all of them together */
    _Atomic uint64_t commits_in[CTL_COMMIT_BUCKETS + 1];
    _Atomic bool last_failed;     /* the last group could not be written */
    _Atomic int64_t busy_since_s; /* by the monotonic clock: a group is under way since then; 0: none is */
};

#endif
