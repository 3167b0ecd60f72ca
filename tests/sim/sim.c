#include "tests/sim/sim.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sim_begin(struct sim *sim)
{
    *sim = (struct sim){0};
    world_make(&sim->world);
}

void sim_end(struct sim *sim)
{
    sim_forget(sim);
    world_free(&sim->world);
}

void sim_forget(struct sim *sim)
{
    seen_free(&sim->disks);
    seen_free(&sim->outcomes);
    seen_free(&sim->ends);
}

/* ---- what is wrong */

/* Where the first of this kind is written down; NULL: it was, or there are too many kinds. */
static char *first_of_its_kind(struct sim *sim, const char *format)
{
    for (size_t i = 0; i < SIM_KINDS_OF_WRONG; i++) {
        if (sim->wrong[i].format && sim->wrong[i].format != format)
            continue;
        sim->wrong[i].format = format;
        return sim->wrong[i].count++ == 0 ? sim->wrong[i].first : NULL;
    }
    return NULL;
}

void sim_wrong(struct sim *sim, const char *format, ...)
{
    enum { SIZE = sizeof sim->wrong[0].first };
    char *out = first_of_its_kind(sim, format);
    va_list rest;
    size_t used;

    sim->figures.wrong++;
    if (!out)
        return;
    used = (size_t)snprintf(out, SIZE, "%s; %s; %s: ", sim->now->connector->says, sim->now->story->says,
                            sim->now->way->says);
    va_start(rest, format);
    vsnprintf(out + used, SIZE - used, format, rest);
    va_end(rest);
    for (size_t i = 0; i < SIM_DEPTH && sim->cuts[i]; i++) {
        used = strlen(out);
        snprintf(out + used, SIZE - used, "\n    ");
        used = strlen(out);
        simfs_cut_describe(sim->cuts[i], out + used, SIZE - used);
    }
    used = strlen(out);
    if (sim->recovery)
        snprintf(out + used, SIZE - used, "\n    recovery %s", sim->recovery->says);
}

void sim_print_wrong(const struct sim *sim)
{
    for (size_t i = 0; i < SIM_KINDS_OF_WRONG && sim->wrong[i].format; i++)
        printf("wrong, %lu times: %s\n", sim->wrong[i].count, sim->wrong[i].first);
    fflush(stdout);
}

/* ---- the application */

/* What an application has after a reload that failed is its own business: probably what it had. */
static void on_reload(void *data, bool is_good)
{
    struct sim *sim = data;

    if (is_good)
        sim->loaded = (int)served_by(simfs_mounted(), &sim->pairs);
    simfs_mark(SIM_LOADED + (is_good ? sim->loaded : SERVED_UNKNOWN));
}

/* One that is not to be reloaded reads its files whenever somebody connects. */
static bool serves(void *data, bool at_first, struct cs_digest *ret)
{
    struct sim *sim = data;
    int loaded = at_first ? sim->loaded_at_first : sim->loaded;
    const struct served_pair *pair;

    if (!at_first && sim->connector.reload.kind == AG_RELOAD_NONE)
        loaded = (int)served_by(simfs_mounted(), &sim->pairs);
    pair = served_pair(&sim->pairs, (enum served)loaded);
    if (!pair || !pair->has_leaf)
        return false;
    *ret = pair->leaf;
    return true;
}

struct rig_setting sim_setting(struct sim *sim, enum world_push_name push, struct rig_script script)
{
    return (struct rig_setting){
        .config = &sim->config,
        .script = script,
        .now_s = sim->world.d.now_s,
        .order_id = sim->world.pushes[push].order_id,
        .sabotage = sim->now->sabotage,
        .on_reload = on_reload,
        .serves = serves,
        .data = sim,
    };
}

/* ---- before the case begins */

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    cs_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void put_foreign(const struct sim_connector *what)
{
    bool is_first = true;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        const char *path = what->connector.paths[i];
        char text[64], other[64];

        if (!path || (what->before == SIM_SOME_FILES && !is_first))
            continue;
        is_first = false;
        snprintf(text, sizeof text, "somebody's file %u", (unsigned)i);
        snprintf(other, sizeof other, SIMFS_ROOT "/etc/old-%u", (unsigned)i);
        put_file(what->before == SIM_LINKS ? other : path, text);
        if (what->before == SIM_LINKS)
            cs_assert(symlinkat(other, AT_FDCWD, path) == 0);
    }
}

/* A push that nothing disturbs; the disk after it. NULL: it was not completed. */
static struct simfs_disk *push_undisturbed(struct sim *sim, const struct simfs_disk *disk,
                                           enum world_push_name push)
{
    struct rig_setting setting = sim_setting(sim, push, (struct rig_script){NULL, NULL, NULL});
    struct simfs_disk *end = NULL;
    struct simfs_trace *trace;
    struct rig rig = {.told = RIG_NOTHING};
    struct cs_err err = {0};

    simfs_mount(disk);
    sim->loaded = sim->loaded_at_first = (int)served_by(disk, &sim->pairs);
    if (rig_on(&rig, &setting, &err) == CS_OK) {
        if (rig_deliver(&rig, cs_buf_slice(&sim->world.pushes[push].delivery), &err) != CS_OK)
            sim_wrong(sim, "an undisturbed push is not taken: %s", err.msg);
        rig_off(&rig);
    }
    trace = simfs_unmount();
    if (rig.told == RIG_COMPLETED)
        end = simfs_trace_end(trace);
    else
        sim_wrong(sim, "an undisturbed push is not completed: %s %s %s", err.msg, rig.verdict, rig.detail);
    simfs_trace_free(trace);
    return end;
}

/* The application does not take part: while the pairs are not known it would serve nothing. */
static struct simfs_disk *make_start(struct sim *sim)
{
    const struct ag_probe probe = sim->connector.probe;
    struct simfs_disk *disk = simfs_disk_copy(sim->world.enrolled), *next;
    struct simfs_trace *trace;

    if (sim->now->connector->before != SIM_NOTHING) {
        simfs_mount(disk);
        put_foreign(sim->now->connector);
        trace = simfs_unmount();
        simfs_disk_free(disk);
        disk = simfs_trace_end(trace);
        simfs_trace_free(trace);
    }
    sim->connector.probe.host = NULL;
    for (size_t i = 0; disk && i < SIM_MOST_BEFORE && sim->now->story->before[i] != PUSH_NONE; i++) {
        next = push_undisturbed(sim, disk, sim->now->story->before[i]);
        simfs_disk_free(disk);
        disk = next;
    }
    sim->connector.probe = probe;
    return disk;
}

/* What the push and the next one bring. */
static bool learn_pairs(struct sim *sim, const struct simfs_disk *start)
{
    const struct ag_probe probe = sim->connector.probe;
    struct simfs_disk *second = NULL, *third = NULL;
    struct cs_err err = {0};

    sim->pairs.old = served_take(start, &sim->connector);
    sim->connector.probe.host = NULL;
    second = push_undisturbed(sim, start, sim->now->story->push);
    if (second)
        third = push_undisturbed(sim, second, sim->now->story->next);
    sim->connector.probe = probe;
    if (third) {
        sim->pairs.new = served_take(second, &sim->connector);
        sim->pairs.third = served_take(third, &sim->connector);
        if (!served_pair_fits(&sim->pairs.third, &sim->connector, &err))
            sim_wrong(sim, "what was installed does not fit: %s", err.msg);
    }
    simfs_disk_free(second);
    simfs_disk_free(third);
    return third != NULL;
}

/* ---- the case */

static struct simfs_trace *run(struct sim *sim, const struct simfs_disk *start,
                               const struct sys_failure *failure, bool *ret_failed)
{
    enum world_push_name push = sim->now->story->push;
    struct rig_setting setting = sim_setting(sim, push, sim->now->way->script);
    struct cs_err err = {0};
    struct rig rig;

    simfs_mount(start);
    sim->loaded = sim->loaded_at_first = (int)served_by(start, &sim->pairs);
    if (rig_on(&rig, &setting, &err) != CS_OK) {
        sim_wrong(sim, "cannot start: %s", err.msg);
        return simfs_unmount();
    }
    sys_fail_set(failure);
    if (rig_deliver(&rig, cs_buf_slice(&sim->world.pushes[push].delivery), &err) != CS_OK)
        sim_wrong(sim, "delivery not taken: %s", err.msg);
    *ret_failed = sys_fail_happened();
    sys_fail_set(NULL);
    if (rig.told < RIG_FAILED && !*ret_failed)
        sim_wrong(sim, "the push did not end: %s %s", rig.verdict, rig.detail);
    rig_off(&rig);
    return simfs_unmount();
}

/* A sweep is as many runs as there are calls; every second one, these in one story and those in the next. */
static void run_and_cut(struct sim *sim, const struct simfs_disk *start)
{
    struct sys_failure failure = sim->now->way->failure;
    unsigned step = sim->is_long ? 1 : 2;
    bool goes_on = true;

    failure.writing = true;
    failure.nth = sim->now->way->sweeps ? 1 + (unsigned)(sim->now->story - sim_stories) % step : 0;
    for (; goes_on; failure.nth += step) {
        bool failed = false;
        struct simfs_trace *trace = run(sim, start, failure.nth ? &failure : NULL, &failed);

        /* What came before the failure is cut in the run without one. */
        sim_cut(sim, trace, failed ? sys_fail_log_len() : 0, 0, RIG_NOTHING,
                (int)served_by(start, &sim->pairs));
        simfs_trace_free(trace);
        goes_on = failed;
    }
}

static uint64_t salt_of(const struct sim_case *what)
{
    return ((uint64_t)(what->connector - sim_connectors) * 64 + (uint64_t)(what->story - sim_stories) + 1) *
           0x9e3779b97f4a7c15u;
}

struct simfs_disk *sim_prepare(struct sim *sim, const struct sim_case *what)
{
    struct simfs_disk *start;

    sim->now = what;
    sim->salt = salt_of(what);
    /* Paths are walked at once with one connector, and step by step, after a question, with the next. */
    world_has_openat2((what->connector - sim_connectors) % 2 == 0);
    sim->connector = what->connector->connector;
    sim->config = (struct ag_config){.state = WORLD_STATE,
                                     .generations_kept = what->connector->generations_kept,
                                     .connectors = {&sim->connector, 1}};
    sim->pairs = (struct served_pairs){.connector = &sim->connector};
    start = make_start(sim);
    if (start && !learn_pairs(sim, start))
        simfs_disk_free(cs_steal(start));
    return start;
}

void sim_clear(struct sim *sim)
{
    served_pair_free(&sim->pairs.old);
    served_pair_free(&sim->pairs.new);
    served_pair_free(&sim->pairs.third);
}

void sim_try(struct sim *sim, const struct sim_case *what)
{
    struct simfs_disk *start = sim_prepare(sim, what);

    if (start)
        run_and_cut(sim, start);
    sim->figures.cases++;
    sim_clear(sim);
    simfs_disk_free(start);
}
