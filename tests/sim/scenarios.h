/* scenarios.h - the tables of which the simulator tries every combination that makes sense: connectors as the
 * presets have them, what is done and after what, how it goes, and how a recovery goes. To add a case is to
 * add a row. */
#ifndef CS_TESTS_SIM_SCENARIOS_H
#define CS_TESTS_SIM_SCENARIOS_H

#include "agent/core/connector.h"
#include "tests/sim/rig.h"
#include "tests/sim/world.h"
#include "tests/support/sys_fail.h"

/* What somebody else had at the application's paths. */
enum sim_before { SIM_NOTHING, SIM_FILES, SIM_SOME_FILES, SIM_LINKS };

struct sim_connector {
    const char *says;
    struct ag_connector connector; /* "web" */
    unsigned generations_kept;
    enum sim_before before;
    bool sweeps; /* ways that fail one call after the other are tried with it, too */
};
extern const struct sim_connector sim_connectors[];
extern const size_t sim_connector_count;

/* The application sees the old pair or the new one at any time; else only after `countersign-agent recover`,
 * which runs before it at each boot. */
static inline bool sim_is_whole_at_once(const struct ag_connector *connector)
{
    return connector->placement == AG_PLACE_LINKS;
}

enum { SIM_MOST_BEFORE = 2 };

struct sim_story {
    const char *says;
    enum world_push_name before[SIM_MOST_BEFORE], push, next;
    unsigned least_kept; /* generations, for what comes back */
};
extern const struct sim_story sim_stories[];
extern const size_t sim_story_count;

struct sim_way {
    const char *says;
    struct rig_script script;
    bool wants_validate, wants_reload, wants_probe;
    /* Each call that needs room on the disk fails in turn. */
    bool sweeps;
    struct sys_failure failure;
    bool is_long; /* for the long run: it differs little from another one */
};
extern const struct sim_way sim_ways[];
extern const size_t sim_way_count;

/* Tried for each disk that a cut left. */
struct sim_recovery {
    const char *says;
    bool boots; /* `countersign-agent recover` and the application's start come first; else only the agent
                   died */
    struct rig_script script;
    bool wants_reload, wants_probe;
};
extern const struct sim_recovery sim_recoveries[];
extern const size_t sim_recovery_count;

bool sim_way_fits(const struct sim_way *way, const struct sim_connector *connector);
bool sim_story_fits(const struct sim_story *story, const struct sim_connector *connector);
/* There is a removal in it. */
bool sim_removes(const struct sim_story *story);
bool sim_recovery_fits(const struct sim_recovery *recovery, const struct ag_connector *connector);

#endif
