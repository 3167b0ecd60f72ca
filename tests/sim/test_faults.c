/* Each system call of a push, of a start and of a recovery fails in turn, and each allocation: the agent
 * never crashes, leaks nothing, says what is the matter, and leaves the old pair or the new one. */
#include "tests/sim/sim.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/sys_fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct scene {
    struct sim sim;
    struct simfs_disk *start;       /* of the case under way */
    const struct simfs_disk *begin; /* of the run under way */
    struct sys_failure failure;
    bool delivers;
    bool happened;
    bool is_long;
    unsigned turn;
    unsigned long calls, allocations; /* that failed in turn */
    unsigned long by_end[RIG_TOLD_KINDS], waiting, stopped, not_started;
};

/* What each call does in turn; a short one does half of what it was asked for, or a byte. */
static const struct {
    const char *says;
    int error;
} faults[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EMFILE", EMFILE}, {"short", 0}};

static const struct sim_way ways[] = {
    {.says = "a push"},
    {.says = "a push whose reload fails", .script = {.reload = "fo"}, .wants_reload = true},
};

/* Of the tables: links and copies, and each story. */
static const size_t connectors[] = {0, 7, 11};

/* ---- one run */

/* It may end in any way but without a word. */
static void check_words(struct scene *scene, const struct rig *rig)
{
    const char *call = scene->failure.nth ? sys_fail_call() : "an allocation";

    if (rig->is_deaf)
        return;
    if (rig->fatal[0])
        scene->stopped++;
    else if (rig_is_busy(rig))
        scene->waiting++;
    else
        scene->by_end[rig->told]++;
    if (scene->delivers && rig->told == RIG_NOTHING && !rig->fatal[0] && !rig->error[0])
        sim_wrong(&scene->sim, "%s fails, and nobody is told", call);
    if (scene->delivers && !rig_is_busy(rig) && !rig->fatal[0] && !rig->error[0] &&
        (rig->told == RIG_ACCEPTED || rig->told == RIG_TRIES_AGAIN))
        sim_wrong(&scene->sim, "%s fails, and the push has no end", call);
    if (rig_is_busy(rig) && !rig->fatal[0] && !rig->error[0])
        sim_wrong(&scene->sim, "%s fails, and nobody is told why it waits", call);
    if (rig->told != RIG_NOTHING && (!rig->verdict[0] || !rig->detail[0]))
        sim_wrong(&scene->sim, "%s fails, and the report does not say why", call);
    if (scene->failure.nth && scene->failure.error == 0 && rig->told == RIG_REFUSED)
        sim_wrong(&scene->sim, "%s does less than it was asked for, and that is taken for a failure: %s",
                  call, rig->detail);
}

/* The agent runs, from its start to the end of its push, with the failure. */
static enum rig_told run_agent(struct scene *scene)
{
    enum world_push_name push = scene->sim.now->story->push;
    struct rig_setting setting = sim_setting(&scene->sim, push, scene->sim.now->way->script);
    struct cs_err err = {0};
    struct rig rig;

    scene->sim.loaded = scene->sim.loaded_at_first = (int)served_by(scene->begin, &scene->sim.pairs);
    sys_fail_set(scene->failure.nth ? &scene->failure : NULL);
    if (rig_on(&rig, &setting, &err) != CS_OK) {
        scene->happened = sys_fail_happened();
        scene->not_started++;
        if (!err.msg[0])
            sim_wrong(&scene->sim, "the start fails without a word");
        return RIG_NOTHING;
    }
    /* One that is not taken is offered again. */
    bool is_taken = !scene->delivers ||
                    rig_deliver(&rig, cs_buf_slice(&scene->sim.world.pushes[push].delivery), &err) == CS_OK;
    enum rig_told told = rig.told;

    scene->happened = sys_fail_happened();
    if (is_taken)
        check_words(scene, &rig);
    rig_off(&rig);
    return told;
}

static void run(struct scene *scene)
{
    simfs_mount(scene->begin);
    enum rig_told told = run_agent(scene);
    sys_fail_set(NULL);
    alloc_fail_off();
    struct simfs_trace *trace = simfs_unmount();
    struct simfs_disk *end = simfs_trace_end(trace);

    sim_check_start(&scene->sim, end, told);
    simfs_disk_free(end);
    simfs_trace_free(trace);
}

/* ---- every call, every allocation */

/* The first kind of failure at each call; the others, which most code does not tell from it, at some, others
 * each time. */
static void fail_calls(struct scene *scene)
{
    const unsigned step = scene->is_long ? 1 : scene->delivers ? 7 : 23;

    for (unsigned i = 0; i < 2 * CS_ARRAY_LEN(faults); i++) {
        bool each = i == 0 && scene->delivers;

        if (faults[i / 2].error == EINTR && i % 2 == 1)
            continue; /* it is right to try such a call again, for good */
        scene->failure = (struct sys_failure){.error = faults[i / 2].error, .for_good = i % 2 == 1};
        scene->failure.nth = each ? 1 : 1 + (i + scene->turn++) % step;
        for (scene->happened = true; scene->happened; scene->failure.nth += each ? 1 : step) {
            run(scene);
            scene->calls += scene->happened;
        }
    }
    scene->failure = (struct sys_failure){0};
}

static void run_once(void *data)
{
    run(data);
}

static void fail_everything(struct scene *scene)
{
    fail_calls(scene);
    scene->allocations += alloc_fail_sample(run_once, scene,
                                            scene->is_long    ? 1000
                                            : scene->delivers ? 60
                                                              : 15);
}

/* Disks on which an order has no end: the push met a disk that was full from some call on. */
static struct simfs_disk *interrupted_disk(struct scene *scene, unsigned nth, bool *ret_happened)
{
    const struct sys_failure failure = {.nth = nth, .error = ENOSPC, .for_good = true, .writing = true};

    scene->begin = scene->start;
    scene->delivers = true;
    scene->failure = failure;
    simfs_mount(scene->begin);
    run_agent(scene);
    *ret_happened = scene->happened;
    sys_fail_set(NULL);
    struct simfs_trace *trace = simfs_unmount();
    struct simfs_disk *disk = simfs_trace_end(trace);

    simfs_trace_free(trace);
    return disk;
}

static void fail_recoveries(struct scene *scene)
{
    enum { STEP = 9 };
    bool happened = true;

    for (unsigned nth = 1; happened; nth += STEP) {
        struct simfs_disk *disk = interrupted_disk(scene, nth, &happened);

        scene->begin = disk;
        scene->delivers = false;
        fail_everything(scene);
        simfs_disk_free(disk);
    }
}

/* ---- */

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    sim_begin(&scene->sim);
    scene->is_long = getenv("CS_LONG") != NULL;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;

    sim_end(&scene->sim);
    free(scene);
    return 0;
}

static void print(const struct scene *scene, const char *what)
{
    printf("faults in %s: %lu calls and %lu allocations failed in turn; completed %lu, put back %lu, refused "
           "%lu, still trying %lu, stopped with a sentence %lu, not started %lu; wrong %lu\n",
           what, scene->calls, scene->allocations, scene->by_end[RIG_COMPLETED], scene->by_end[RIG_FAILED],
           scene->by_end[RIG_REFUSED], scene->waiting, scene->stopped, scene->not_started,
           scene->sim.figures.wrong);
    sim_print_wrong(&scene->sim);
}

static void try_case(struct scene *scene, const struct sim_case *one, void (*try)(struct scene *scene))
{
    scene->start = sim_prepare(&scene->sim, one);
    assert_non_null(scene->start);
    try(scene);
    sim_clear(&scene->sim);
    simfs_disk_free(scene->start);
}

static void for_each_case(struct scene *scene, void (*try)(struct scene *scene))
{
    for (size_t c = 0; c < CS_ARRAY_LEN(connectors); c++)
        for (size_t s = 0; s < sim_story_count; s++)
            for (size_t w = 0; w < CS_ARRAY_LEN(ways); w++) {
                const struct sim_case one = {&sim_connectors[connectors[c]], &sim_stories[s], &ways[w], 0,
                                             NULL};

                if (sim_story_fits(one.story, one.connector) && sim_way_fits(one.way, one.connector))
                    try_case(scene, &one, try);
            }
}

static void push_with_faults(struct scene *scene)
{
    scene->begin = scene->start;
    scene->delivers = true;
    fail_everything(scene);
}

static void a_push_says_what_failed_and_leaves_a_pair(void **state)
{
    struct scene *scene = *state;

    for_each_case(scene, push_with_faults);
    print(scene, "pushes");
    assert_int_equal(scene->sim.figures.wrong, 0);
    assert_true(scene->calls > 1000 && scene->allocations > 200);
}

static void a_recovery_that_fails_is_made_up_for_by_the_next(void **state)
{
    struct scene *scene = *state;

    for_each_case(scene, fail_recoveries);
    print(scene, "recoveries");
    assert_int_equal(scene->sim.figures.wrong, 0);
    assert_true(scene->calls > 1000 && scene->allocations > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_push_says_what_failed_and_leaves_a_pair, begin, end),
        cmocka_unit_test_setup_teardown(a_recovery_that_fails_is_made_up_for_by_the_next, begin, end),
    };

    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
