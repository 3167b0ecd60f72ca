/* The power is cut before and after each thing that the agent does to its disk and inside each write, in
 * every push of the tables in scenarios.h and in the recoveries from it; and the checks are shown to bite. */
#include "tests/sim/broken.h"
#include "tests/sim/sim.h"
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where memory was got is worth little here, and costs a third of the time. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "malloc_context_size=2:quarantine_size_mb=16";
}

static int begin(void **state)
{
    struct sim *sim = calloc(1, sizeof *sim);

    assert_non_null(sim);
    sim_begin(sim);
    sim->is_long = getenv("CS_LONG") != NULL;
    *state = sim;
    return 0;
}

static int end(void **state)
{
    sim_end(*state);
    free(*state);
    return 0;
}

static void print(const struct sim *sim)
{
    const struct sim_figures *figures = &sim->figures;

    printf("power cuts: %lu distinct states of %lu cuts, %zu connectors, 3 actions in %zu stories, "
           "%lu cases; %lu recoveries; old pair %lu, new pair %lu; %lu distinct ends; wrong %lu\n",
           figures->disks, figures->cuts, sim_connector_count, sim_story_count, figures->cases,
           figures->recoveries, figures->by_pair[SERVED_OLD], figures->by_pair[SERVED_NEW], figures->settled,
           figures->wrong);
    sim_print_wrong(sim);
}

static void try_ways(struct sim *sim, const struct sim_connector *connector, const struct sim_story *story)
{
    for (size_t i = 0; i < sim_way_count; i++) {
        /* A sweep is as many runs as there are calls. */
        unsigned depth = sim_ways[i].sweeps && !sim->is_long ? 1 : SIM_DEPTH;
        const struct sim_case one = {connector, story, &sim_ways[i], depth, NULL};

        if (sim_way_fits(one.way, connector) && (sim->is_long || !one.way->is_long))
            sim_try(sim, &one);
    }
}

static void the_pair_is_old_or_new_wherever_the_power_is_cut(void **state)
{
    struct sim *sim = *state;

    for (size_t c = 0; c < sim_connector_count; c++)
        for (size_t s = 0; s < sim_story_count; s++)
            if (sim_story_fits(&sim_stories[s], &sim_connectors[c]))
                try_ways(sim, &sim_connectors[c], &sim_stories[s]);
    print(sim);
    assert_int_equal(sim->figures.wrong, 0);
    assert_true(sim->figures.by_pair[SERVED_OLD] > 1000 && sim->figures.by_pair[SERVED_NEW] > 1000);
    assert_true(sim->figures.disks >= 60000);
}

static const struct sim_connector *first_with(enum ag_placement placement)
{
    size_t at = 0;

    while (sim_connectors[at].connector.placement != placement)
        at++;
    return &sim_connectors[at];
}

/* An agent that is right with power can be wrong without: the same checks must find it. */
static void an_agent_that_syncs_wrongly_is_found_out(void **state)
{
    struct sim *sim = *state;

    for (size_t i = 0; i < broken_port_count; i++) {
        const struct sim_connector *connector =
            first_with(broken_ports[i].with_copies ? AG_PLACE_COPIES : AG_PLACE_LINKS);
        const struct sim_case one = {connector, &sim_stories[1], &sim_ways[0], 1, broken_ports[i].sabotage};
        unsigned long before = sim->figures.wrong;

        memset(sim->wrong, 0, sizeof sim->wrong);
        sim_forget(sim);
        sim_try(sim, &one);
        printf("an agent that %s: wrong on %lu occasions\n", broken_ports[i].says,
               sim->figures.wrong - before);
        if (sim->figures.wrong == before)
            fail_msg("an agent that %s is not found out", broken_ports[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_agent_that_syncs_wrongly_is_found_out, begin, end),
        cmocka_unit_test_setup_teardown(the_pair_is_old_or_new_wherever_the_power_is_cut, begin, end),
    };

    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
