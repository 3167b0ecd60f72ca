/* plan.h - what is to be done on this device for one order, as an immutable list of steps. Pure: planning
 * touches nothing; apply.h carries the list out.
 *
 * On disk a connector is   FOLDER/connectors/NAME/g7/     the files of generation 7, complete, never altered
 *                          FOLDER/connectors/NAME/before-7/  what the application had before generation 7,
 * where that was not ours; nobody but people removes it once 7 has taken place FOLDER/connectors/NAME/current
 * -> g7         switched by one rename and the paths that the application reads are links to
 * …/current/key.pem and so on, or copies of these. That one rename is the moment at which an order takes
 * place; all that lies behind it can be done again from what it leads to. A removal is an empty generation:
 * one rename takes all files away. */
#ifndef AG_CORE_PLAN_H
#define AG_CORE_PLAN_H

#include "agent/core/connector.h"
#include "agent/core/verdict.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum ag_step_kind {
    /* Nothing is changed by these; a failure stops the plan before anything was. */
    AG_STEP_CHECK_PLACE,   /* nobody but owners that are named decides what is at the path */
    AG_STEP_CHECK_ENTRY,   /* nothing is there, or what is ours, or it may be adopted */
    AG_STEP_CHECK_ROOM,    /* for `size` bytes more beside the path */
    AG_STEP_MAKE_FOLDER,   /* present is fine */
    AG_STEP_REMOVE_FOLDER, /* with the files in it; absent is fine */
    /* What the application has is copied to the path, and current leads there; done before is fine. */
    AG_STEP_KEEP_OLD,
    /* Copies that people have changed since the generation at target are copied to the path. */
    AG_STEP_KEEP_CHANGED,
    AG_STEP_WRITE_FILE, /* content, mode, owner, group; synced */
    AG_STEP_SYNC_FOLDER,
    AG_STEP_SWITCH_LINK, /* path leads to target, by one rename; the folder is synced */
    AG_STEP_ENTER,       /* the application's path leads to target */
    AG_STEP_COPY,        /* the application's path becomes what target is; nothing, if that is nothing */
    AG_STEP_LEAVE, /* undoes ENTER: the path becomes again what was kept of it, if it is a link of ours */
    AG_STEP_CLEAR, /* the application's path goes, if it is a link of ours; one that stays leads nowhere */
    AG_STEP_REMOVE_LINK, /* absent is fine */
    /* These ask the application (application.h). */
    AG_STEP_VALIDATE,
    AG_STEP_RELOAD, /* path: the generation that it is to take */
    AG_STEP_PROVE,  /* it serves the leaf of the generation at path; with is_gone, it does so no more */
};

enum { AG_PLACE_NAME_BYTES = 32 }; /* "g7", "before-7" */

struct ag_step {
    enum ag_step_kind kind;
    char *path, *target;
    struct cs_buf content; /* wiped */
    uint64_t size;
    unsigned mode;
    enum ag_file file; /* of the application's path, or what is written */
    bool adopt, is_gone;
};

struct ag_plan {
    struct ag_step steps[AG_LIMIT_PLAN_STEPS];
    size_t count;
    const char *folder;                   /* the agent's state folder; borrowed */
    const struct ag_connector *connector; /* borrowed */
    /* The application's failures are noted, and the plan goes on: there is no other way than back. */
    bool is_way_back;
    bool
        must_reload; /* on the way back, also where validate fails: the application has taken the new files */
    char kept[AG_PLACE_NAME_BYTES]; /* the folder of what was there before; "" where that is a generation */
};

/* What a generation is made of. */
struct ag_material {
    struct cs_slice chain_pem, key_pem;
    struct cs_slice intermediates_pem; /* the chain without its leaf; may be empty */
    struct cs_slice leaf_der, key_der;
};

struct ag_install {
    const char *folder; /* the agent's state folder */
    const struct ag_connector *connector;
    uint64_t generation;
    uint64_t previous; /* 0: nothing of ours is installed, and what the application has is kept first */
    const struct ag_material *material; /* NULL: a removal */
};
CS_MUST_USE int ag_plan_install(const struct ag_install *install, struct ag_plan **ret, struct cs_err *err);

/* Where `current` leads: that tells how far an order came. */
enum ag_place {
    AG_AT_OTHER,    /* nowhere, or to what was removed before: the order has entered nothing */
    AG_AT_PREVIOUS, /* to the generation before it, or to what was kept before the first */
    AG_AT_NEW,
};

struct ag_put_back {
    const char *folder;
    const struct ag_connector *connector;
    uint64_t generation; /* goes */
    uint64_t previous;   /* comes back; 0: what was there before the first push */
    enum ag_place at;
    bool seen;     /* the application may have seen the new one: it is asked to reload, and proves it */
    bool reloaded; /* it has taken it, for all that is known */
};
CS_MUST_USE int ag_plan_put_back(const struct ag_put_back *put_back, struct ag_plan **ret,
                                 struct cs_err *err);

/* After a power cut: the link is switched, what lies behind it is done again. */
struct ag_finish {
    const char *folder;
    const struct ag_connector *connector;
    uint64_t generation, previous;
    bool removes;
};
CS_MUST_USE int ag_plan_finish(const struct ag_finish *finish, struct ag_plan **ret, struct cs_err *err);

/* Before the application starts at boot: `current` leads to the order's generation, or back, and copies are
 * what that has. Nothing is asked of the application. */
struct ag_restore {
    const char *folder;
    const struct ag_connector *connector;
    uint64_t generation, previous; /* of the order */
    bool back;                     /* to what was there before it */
};
CS_MUST_USE int ag_plan_restore(const struct ag_restore *restore, struct ag_plan **ret, struct cs_err *err);

/* What `current` leads to: a generation, "g7"; and what is there before one, "g6", or "before-7" where
 * nothing of ours was. */
const char *ag_generation_name(uint64_t generation, char ret[AG_PLACE_NAME_BYTES]);
const char *ag_previous_name(uint64_t generation, uint64_t previous, char ret[AG_PLACE_NAME_BYTES]);

void ag_plan_free(struct ag_plan *plan);
CS_DEFINE_AUTO(ag_plan_freep, struct ag_plan, ag_plan_free)

/* FOLDER/connectors/NAME, and what is in it; false when it does not fit. "g7" is read back by the second. */
CS_MUST_USE int ag_connector_folder(const char *folder, const char *name, const char *leaf, char *ret,
                                    size_t size, struct cs_err *err);
bool ag_generation_parse(const char *name, uint64_t *ret);
/* The folder of a generation, or a file in it (NULL: the folder itself). CS_ETOOBIG. */
CS_MUST_USE int ag_generation_path(const char *folder, const char *connector, uint64_t generation,
                                   const char *file, char *ret, size_t size, struct cs_err *err);

#endif
