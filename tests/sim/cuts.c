/* Each disk that a cut could leave: what is read from it at once, and after the agent's recovery. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* How the recovery from a disk ended; the same for the same disk, so that it runs once. */
struct outcome {
    unsigned char phase; /* enum ag_phase of the order; 0: nothing is known of it */
    unsigned char served;
    unsigned char loaded; /* when the application was last told: enum served; 0: it was not */
    bool last_failed;     /* the last time that it was told */
};

struct exploring {
    struct sim *sim;
    unsigned depth;
    enum rig_told told;
    int loaded;
};

static uint32_t pack(const struct outcome *outcome)
{
    return 1u << 31 | (uint32_t)outcome->last_failed << 24 | (uint32_t)outcome->loaded << 16 |
           (uint32_t)outcome->served << 8 | outcome->phase;
}

static struct outcome unpack(uint32_t value)
{
    return (struct outcome){(unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
                            (value >> 24 & 1) != 0};
}

static uint64_t salted(uint64_t hash, uint64_t salt)
{
    return (hash ^ salt) * 0xd6e8feb86659fd93u + salt;
}

/* ---- before the agent's recovery: the application starts first, or never stopped */

static void check_whole(struct sim *sim, const struct simfs_disk *disk, const char *when)
{
    enum served served = served_by(disk, &sim->pairs);

    if (served != SERVED_OLD && served != SERVED_NEW)
        sim_wrong(sim, "%s the application reads %s", when, served_words[served]);
}

/* ---- the recovery */

static void check_journal(struct sim *sim, const struct rig *rig, const struct outcome *outcome)
{
    if (rig->fatal[0])
        sim_wrong(sim, "the recovery gave up: %s", rig->fatal);
    else if (rig_is_busy(rig) || (outcome->phase != 0 && !ag_phase_final((enum ag_phase)outcome->phase)))
        sim_wrong(sim, "the order has no end: %s", rig->error);
    else if (outcome->phase == AG_PHASE_COMPLETED && rig->told != RIG_COMPLETED)
        sim_wrong(sim, "a completed order is not reported");
    else if (outcome->phase == AG_PHASE_PUT_BACK && rig->told != RIG_FAILED)
        sim_wrong(sim, "an order that was put back is not reported");
}

static void check_pair(struct sim *sim, const struct outcome *outcome)
{
    bool completed = outcome->phase == AG_PHASE_COMPLETED;
    enum served served = (enum served)outcome->served;

    if (served != (completed ? SERVED_NEW : SERVED_OLD))
        sim_wrong(sim, "the order is %s, and the application reads %s",
                  completed        ? "completed"
                  : outcome->phase ? "put back"
                                   : "unknown",
                  served_words[served]);
}

static unsigned char phase_of(const struct rig *rig)
{
    const struct ag_order *order =
        ag_state_order(&rig->device.state, cs_slice(rig->setting->order_id, 16), NULL);

    return order ? (unsigned char)order->phase : 0;
}

/* What is there once the machine has come up, before the agent runs. */
static bool boot(struct sim *sim, const struct rig_setting *setting)
{
    struct cs_err err = {0};

    if (sim->recovery->boots && rig_restore(setting, &err) != CS_OK) {
        sim_wrong(sim, "countersign-agent recover fails: %s", err.msg);
        return false;
    }
    if (sim->recovery->boots)
        check_whole(sim, simfs_mounted(), "after countersign-agent recover");
    return true;
}

/* False: the agent did not start. */
static bool recover(struct sim *sim, const struct simfs_disk *disk, struct outcome *ret,
                    struct simfs_trace **ret_trace)
{
    struct rig_setting setting = sim_setting(sim, sim->now->story->push, sim->recovery->script);
    struct cs_err err = {0};
    struct rig rig;

    sim->figures.recoveries++;
    simfs_mount(disk);
    bool is_up = boot(sim, &setting);

    sim->loaded = sim->loaded_at_first = (int)served_by(simfs_mounted(), &sim->pairs);
    if (sim->recovery->boots)
        simfs_mark(SIM_LOADED + sim->loaded);
    if (!is_up || rig_on(&rig, &setting, &err) != CS_OK) {
        if (is_up)
            sim_wrong(sim, "the agent does not start: %s", err.msg);
        simfs_trace_free(simfs_unmount());
        return false;
    }
    *ret = (struct outcome){.phase = phase_of(&rig),
                            .served = (unsigned char)served_by(simfs_mounted(), &sim->pairs),
                            .last_failed = rig.reload_failed || strstr(rig.detail, "but then: ")};
    if (sim->recovery->boots || (rig.reload_asked && !rig.reload_failed))
        ret->loaded = (unsigned char)sim->loaded;
    check_journal(sim, &rig, ret);
    check_pair(sim, ret);
    sim->figures.by_pair[ret->served]++;
    rig_off(&rig);
    *ret_trace = simfs_unmount();
    return true;
}

/* ---- what held before the cut holds after it */

static void check_told(struct sim *sim, const struct outcome *outcome, enum rig_told told)
{
    if (told == RIG_COMPLETED && outcome->phase != AG_PHASE_COMPLETED)
        sim_wrong(sim, "it had been reported as completed, and is not");
    if (told == RIG_FAILED && outcome->phase != AG_PHASE_PUT_BACK)
        sim_wrong(sim, "it had been reported as put back, and is not");
    if (told == RIG_ACCEPTED && outcome->phase == 0)
        sim_wrong(sim, "it had been reported as accepted, and is forgotten");
}

/* The application uses what is there: what it was told of last, or read when it started. */
static void check_loaded(struct sim *sim, const struct outcome *outcome, int loaded)
{
    if (outcome->loaded)
        loaded = outcome->loaded;
    /* haproxy cannot be told that there is nothing. */
    if (sim->connector.reload.kind == AG_RELOAD_NONE || outcome->last_failed ||
        (sim->connector.reload.kind == AG_RELOAD_HAPROXY && !served_is_any(&sim->pairs, outcome->served)))
        return;
    if (loaded != SERVED_UNKNOWN && loaded != outcome->served)
        sim_wrong(sim, "the application uses %s, and was not told of %s", served_words[loaded],
                  served_words[outcome->served]);
}

void sim_check_start(struct sim *sim, const struct simfs_disk *disk, enum rig_told told)
{
    struct simfs_trace *trace = NULL;
    struct outcome outcome;

    sim->recovery = &sim_recoveries[0];
    if (sim_is_whole_at_once(&sim->connector))
        check_whole(sim, disk, "before a start");
    if (recover(sim, disk, &outcome, &trace))
        check_told(sim, &outcome, told);
    simfs_trace_free(trace);
    sim->recovery = NULL;
}

/* ---- every cut */

/* The recovery in which all goes well; and one more, which the disk picks. */
static bool is_cut_again(const struct sim *sim, uint64_t hash)
{
    size_t index = (size_t)(sim->recovery - sim_recoveries);

    return sim->is_long || index == 0 || index == 1 + (hash >> 40) % (sim_recovery_count - 1);
}

static void recover_and_cut(struct sim *sim, const struct simfs_disk *disk, uint64_t hash,
                            struct exploring *at, enum rig_told told, struct outcome *ret)
{
    const struct sim_recovery *recovery = sim->recovery;
    uint64_t key = salted(hash, (uint64_t)(recovery - sim_recoveries) + 1);
    struct simfs_trace *trace = NULL;
    bool is_new;
    uint32_t *known = seen_at(&sim->outcomes, key, &is_new);

    if (!is_new) {
        *ret = unpack(*known);
        return;
    }
    *known = pack(&(struct outcome){0});
    if (!recover(sim, disk, ret, &trace))
        return;
    *seen_at(&sim->outcomes, key, &is_new) = pack(ret);
    struct simfs_disk *end = simfs_trace_end(trace);

    sim_check_settled(sim, end);
    simfs_disk_free(end);
    sim->recovery = recovery;
    if (at->depth + 1 < sim->now->depth && is_cut_again(sim, hash))
        sim_cut(sim, trace, 0, at->depth + 1, told, (int)served_by(disk, &sim->pairs));
    sim->recovery = recovery;
    simfs_trace_free(trace);
}

static void try_one(struct exploring *at, const struct simfs_disk *disk, const struct simfs_cut *cut,
                    uint64_t hash, enum rig_told told)
{
    struct sim *sim = at->sim;
    int loaded = simfs_cut_mark(cut, SIM_LOADED, SIM_LOADED + SERVED_KINDS);
    struct outcome outcome = {0};

    recover_and_cut(sim, disk, hash, at, told, &outcome);
    if (outcome.served == SERVED_UNKNOWN)
        return;
    check_told(sim, &outcome, told);
    /* The agent alone ended, and the application goes on with what it has; or all was cut. */
    if (sim->recovery->boots)
        check_loaded(sim, &outcome, SERVED_UNKNOWN);
    else if (simfs_cut_lost_nothing(cut))
        check_loaded(sim, &outcome, loaded ? loaded - SIM_LOADED : at->loaded);
}

/* All of them after the first cut of a push; after the second one that the disk picks; and in a sweep, which
 * has many disks that differ little, two. */
static bool is_picked(const struct exploring *at, size_t index, size_t count, uint64_t hash)
{
    uint64_t dice = hash >> 32;

    if (at->sim->is_long || (at->depth == 0 && !at->sim->now->way->sweeps))
        return true;
    return index == dice % count || (at->depth == 0 && index == dice / count % count);
}

static void try_recoveries(struct exploring *at, const struct simfs_disk *disk, const struct simfs_cut *cut,
                           uint64_t hash, enum rig_told told)
{
    const struct sim_recovery *fitting[16];
    size_t count = 0;

    for (size_t i = 0; i < sim_recovery_count; i++)
        if (sim_recovery_fits(&sim_recoveries[i], &at->sim->connector))
            fitting[count++] = &sim_recoveries[i];
    for (size_t i = 0; i < count; i++) {
        if (!is_picked(at, i, count, hash))
            continue;
        at->sim->recovery = fitting[i];
        try_one(at, disk, cut, hash, told);
    }
}

static void on_disk(void *data, const struct simfs_disk *disk, const struct simfs_cut *cut)
{
    struct exploring *at = data;
    struct sim *sim = at->sim;
    uint64_t hash = salted(simfs_disk_hash(disk), sim->salt);
    int mark = simfs_cut_mark(cut, RIG_NOTHING + 1, RIG_TOLD_KINDS - 1);
    enum rig_told told = mark ? (enum rig_told)mark : at->told;
    bool is_new;

    sim->cuts[at->depth] = cut;
    sim->recovery = NULL;
    sim->figures.cuts++;
    seen_at(&sim->disks, hash, &is_new);
    if (is_new) {
        sim->figures.disks++;
        if (sim_is_whole_at_once(&sim->connector))
            check_whole(sim, disk, "at once");
    }
    try_recoveries(at, disk, cut, hash, told);
    sim->recovery = NULL;
    sim->cuts[at->depth] = NULL;
}

void sim_cut(struct sim *sim, const struct simfs_trace *trace, size_t first, unsigned depth,
             enum rig_told told, int loaded)
{
    struct exploring at = {sim, depth, told, loaded};

    simfs_cuts(trace, first, depth == 0 ? SIM_SUBSETS : SIM_SUBSETS_DEEP, on_disk, &at);
}
