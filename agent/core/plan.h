/* plan.h - what is to be done on this device for one order, as an immutable list of steps. Pure: planning
 * touches nothing; apply.h carries the list out, and stops at the first step that fails.
 *
 * On disk a connector is   FOLDER/connectors/NAME/g7/{chain.pem,key.pem,bundle.pem}
 *                          FOLDER/connectors/NAME/current -> g7         switched by one rename
 * and the paths that the application reads are links to …/current/chain.pem and so on. */
#ifndef AG_CORE_PLAN_H
#define AG_CORE_PLAN_H

#include "agent/core/connector.h"
#include "agent/core/verdict.h"

enum ag_step_kind {
    AG_STEP_CHECK_ENTRY,   /* path is absent, a link, or may be adopted: else the plan stops before anything
                              changed */
    AG_STEP_REMOVE_FOLDER, /* with the files in it; absent is fine */
    AG_STEP_MAKE_FOLDER,   /* present is fine */
    AG_STEP_WRITE_FILE,    /* content, mode, owner, group; synced */
    AG_STEP_SYNC_FOLDER,
    AG_STEP_SWITCH_LINK, /* path leads to target, by one rename; the folder is synced */
    AG_STEP_ENTER,       /* the application's path leads to target; what was there is kept beside */
    AG_STEP_LEAVE,       /* undoes ENTER */
    AG_STEP_REMOVE_LINK,
    AG_STEP_RELOAD,
};

struct ag_step {
    enum ag_step_kind kind;
    char *path, *target;
    struct cs_buf content; /* wiped */
    unsigned mode;
    bool adopt;
};

struct ag_plan {
    struct ag_step steps[AG_LIMIT_PLAN_STEPS];
    size_t count;
    const struct ag_connector *connector; /* borrowed: owner, group, reload */
};

/* What is written. PEM. */
struct ag_install {
    const char *folder; /* the agent's state folder */
    const struct ag_connector *connector;
    uint64_t generation;
    struct cs_slice chain_pem, key_pem;
};
CS_MUST_USE int ag_plan_install(const struct ag_install *install, struct ag_plan **ret, struct cs_err *err);

struct ag_put_back {
    const char *folder;
    const struct ag_connector *connector;
    uint64_t generation; /* goes */
    uint64_t previous;   /* comes back; 0: nothing was installed */
    bool reload;         /* the application may have seen the new one */
};
CS_MUST_USE int ag_plan_put_back(const struct ag_put_back *put_back, struct ag_plan **ret,
                                 struct cs_err *err);

/* After a power cut: the files are whole and the link is switched, the application has to be told. */
CS_MUST_USE int ag_plan_finish(const char *folder, const struct ag_connector *connector, struct ag_plan **ret,
                               struct cs_err *err);

void ag_plan_free(struct ag_plan *plan);
CS_DEFINE_AUTO(ag_plan_freep, struct ag_plan, ag_plan_free)

/* FOLDER/connectors/NAME, and what is in it; false when it does not fit. "g7" is read back by the second. */
CS_MUST_USE int ag_connector_folder(const char *folder, const char *name, const char *leaf, char *ret,
                                    size_t size, struct cs_err *err);
bool ag_generation_parse(const char *name, uint64_t *ret);

#endif
