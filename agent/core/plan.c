#include "agent/core/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The first failure sticks, so that a plan is written down step by step and asked about once. */
struct planner {
    struct ag_plan *plan;
    int code;
    struct cs_err *err;
};

int ag_connector_folder(const char *folder, const char *name, const char *leaf, char *ret, size_t size,
                        struct cs_err *err)
{
    int len = snprintf(ret, size, "%s/connectors/%s%s%s", folder, name, leaf ? "/" : "", leaf ? leaf : "");

    if (len < 0 || (size_t)len >= size)
        return cs_err_set(err, CS_ETOOBIG, "the path of the state folder is too long: %s", folder);
    return CS_OK;
}

bool ag_generation_parse(const char *name, uint64_t *ret)
{
    char again[24];
    uint64_t generation = 0;

    if (name[0] != 'g' || strspn(name + 1, "0123456789") != strlen(name + 1) || strlen(name) > 20)
        return false;
    for (const char *digit = name + 1; *digit; digit++)
        generation = generation * 10 + (uint64_t)(*digit - '0');
    snprintf(again, sizeof again, "g%" PRIu64, generation);
    if (strcmp(again, name) != 0)
        return false;
    *ret = generation;
    return true;
}

const char *ag_generation_name(uint64_t generation, char ret[AG_PLACE_NAME_BYTES])
{
    snprintf(ret, AG_PLACE_NAME_BYTES, "g%" PRIu64, generation);
    return ret;
}

const char *ag_previous_name(uint64_t generation, uint64_t previous, char ret[AG_PLACE_NAME_BYTES])
{
    if (previous > 0)
        return ag_generation_name(previous, ret);
    snprintf(ret, AG_PLACE_NAME_BYTES, "before-%" PRIu64, generation);
    return ret;
}

int ag_generation_path(const char *folder, const char *connector, uint64_t generation, const char *file,
                       char *ret, size_t size, struct cs_err *err)
{
    char leaf[AG_PLACE_NAME_BYTES + 32];

    snprintf(leaf, sizeof leaf, "g%" PRIu64 "%s%s", generation, file ? "/" : "", file ? file : "");
    return ag_connector_folder(folder, connector, leaf, ret, size, err);
}

/* ---- writing steps down */

static struct ag_step *add_step(struct planner *planner, enum ag_step_kind kind, const char *path)
{
    if (planner->code)
        return NULL;
    cs_assert(planner->plan->count < AG_LIMIT_PLAN_STEPS);
    struct ag_step *step = &planner->plan->steps[planner->plan->count++];

    step->kind = kind;
    if (path) {
        step->path = strdup(path);
        if (!step->path)
            planner->code = cs_err_nomem(planner->err);
    }
    return planner->code ? NULL : step;
}

static struct ag_step *add_link(struct planner *planner, enum ag_step_kind kind, const char *path,
                                const char *target)
{
    struct ag_step *step = add_step(planner, kind, path);

    if (!step)
        return NULL;
    step->target = strdup(target);
    if (!step->target)
        planner->code = cs_err_nomem(planner->err);
    return planner->code ? NULL : step;
}

/* Makes FOLDER/connectors/NAME/leaf, empty after a failure. */
static void path_of(struct planner *planner, const char *leaf, char out[AG_LIMIT_PATH_BYTES])
{
    out[0] = '\0';
    if (!planner->code)
        planner->code = ag_connector_folder(planner->plan->folder, planner->plan->connector->name, leaf, out,
                                            AG_LIMIT_PATH_BYTES, planner->err);
}

static void generation_path(struct planner *planner, uint64_t generation, const char *file,
                            char out[AG_LIMIT_PATH_BYTES])
{
    out[0] = '\0';
    if (!planner->code)
        planner->code = ag_generation_path(planner->plan->folder, planner->plan->connector->name, generation,
                                           file, out, AG_LIMIT_PATH_BYTES, planner->err);
}

static void add_generation(struct planner *planner, enum ag_step_kind kind, uint64_t generation)
{
    char path[AG_LIMIT_PATH_BYTES];

    generation_path(planner, generation, NULL, path);
    struct ag_step *step = add_step(planner, kind, path);

    /* Applications of other users pass through; what is secret in it has a mode of its own. */
    if (step && kind == AG_STEP_MAKE_FOLDER)
        step->mode = 0711;
}

static void add_home(struct planner *planner, enum ag_step_kind kind)
{
    char path[AG_LIMIT_PATH_BYTES];

    path_of(planner, NULL, path);
    struct ag_step *step = add_step(planner, kind, path);

    if (step && kind == AG_STEP_MAKE_FOLDER)
        step->mode = 0711;
}

static void add_switch(struct planner *planner, const char *target)
{
    char current[AG_LIMIT_PATH_BYTES];

    path_of(planner, "current", current);
    add_link(planner, AG_STEP_SWITCH_LINK, current, target);
}

/* One step for each path that the application reads. `generation`: what it is a copy of; else what it leads
 * to. */
static void add_entries(struct planner *planner, enum ag_step_kind kind, bool adopt, const char *generation)
{
    const struct ag_connector *connector = planner->plan->connector;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        char leaf[48], target[AG_LIMIT_PATH_BYTES];

        if (!connector->paths[i])
            continue;
        snprintf(leaf, sizeof leaf, "%s/%s", generation ? generation : "current",
                 ag_file_leaf(connector, (enum ag_file)i));
        path_of(planner, leaf, target);
        struct ag_step *step = add_link(planner, kind, connector->paths[i], target);

        if (step) {
            step->file = (enum ag_file)i;
            step->adopt = adopt;
        }
    }
}

static void add_links(struct planner *planner, enum ag_step_kind kind, bool adopt)
{
    add_entries(planner, kind, adopt, NULL);
}

/* What lies behind the switch to this folder, and can be done again from it. */
static void add_placing(struct planner *planner, const char *folder)
{
    if (planner->plan->connector->placement == AG_PLACE_COPIES)
        add_entries(planner, AG_STEP_COPY, false, folder);
    else
        add_links(planner, AG_STEP_ENTER, false);
}

static void add_about(struct planner *planner, enum ag_step_kind kind, const char *folder)
{
    char path[AG_LIMIT_PATH_BYTES];

    path_of(planner, folder, path);
    add_step(planner, kind, path);
}

/* The application is told, and has to show that it serves what is in the folder, or that in `gone` no more
 * (NULL: that does not matter). */
static void add_telling(struct planner *planner, const char *folder, const char *gone)
{
    const struct ag_connector *connector = planner->plan->connector;

    if (connector->validate[0])
        add_step(planner, AG_STEP_VALIDATE, NULL);
    if (connector->reload.kind != AG_RELOAD_NONE)
        add_about(planner, AG_STEP_RELOAD, folder);
    if (!connector->probe.host)
        return;
    add_about(planner, AG_STEP_PROVE, gone ? gone : folder);
    if (!planner->code)
        planner->plan->steps[planner->plan->count - 1].is_gone = gone != NULL;
}

/* ---- the files of a generation */

static void add_file(struct planner *planner, uint64_t generation, const char *leaf, enum ag_file file,
                     struct cs_slice first, struct cs_slice second)
{
    char path[AG_LIMIT_PATH_BYTES];

    generation_path(planner, generation, leaf, path);
    struct ag_step *step = add_step(planner, AG_STEP_WRITE_FILE, path);

    if (!step)
        return;
    step->mode = ag_file_is_secret(file) ? planner->plan->connector->key_mode : 0644;
    step->file = file;
    if (cs_buf_reserve(&step->content, first.len + second.len) != CS_OK ||
        cs_buf_append(&step->content, first) != CS_OK || cs_buf_append(&step->content, second) != CS_OK)
        planner->code = cs_err_nomem(planner->err);
}

/* Chain and key are always there in PEM, whatever the application reads: to look at, and to go back to. */
static void add_files(struct planner *planner, const struct ag_install *install)
{
    const struct ag_connector *connector = install->connector;
    const struct ag_material *material = install->material;
    uint64_t generation = install->generation;

    add_file(planner, generation, "key.pem", AG_FILE_KEY, material->key_pem, CS_SLICE_EMPTY);
    add_file(planner, generation, "chain.pem", AG_FILE_CERTIFICATE, material->chain_pem, CS_SLICE_EMPTY);
    if (connector->format == AG_FORMAT_DER && connector->paths[AG_FILE_KEY])
        add_file(planner, generation, ag_file_leaf(connector, AG_FILE_KEY), AG_FILE_KEY, material->key_der,
                 CS_SLICE_EMPTY);
    if (connector->format == AG_FORMAT_DER && connector->paths[AG_FILE_CERTIFICATE])
        add_file(planner, generation, ag_file_leaf(connector, AG_FILE_CERTIFICATE), AG_FILE_CERTIFICATE,
                 material->leaf_der, CS_SLICE_EMPTY);
    if (connector->paths[AG_FILE_INTERMEDIATES] && material->intermediates_pem.len > 0)
        add_file(planner, generation, ag_file_leaf(connector, AG_FILE_INTERMEDIATES), AG_FILE_INTERMEDIATES,
                 material->intermediates_pem, CS_SLICE_EMPTY);
    if (connector->paths[AG_FILE_BUNDLE])
        add_file(planner, generation, ag_file_leaf(connector, AG_FILE_BUNDLE), AG_FILE_BUNDLE,
                 connector->key_first ? material->key_pem : material->chain_pem,
                 connector->key_first ? material->chain_pem : material->key_pem);
}

/* A block for each file and folder, once more for copies, and for the state that is written on the way. */
static uint64_t room_for(const struct ag_install *install)
{
    const uint64_t block = 4096;
    uint64_t bytes = 8 * block;

    if (install->material) {
        const struct ag_material *material = install->material;

        bytes += 2 * (material->chain_pem.len + material->key_pem.len) + material->intermediates_pem.len +
                 material->leaf_der.len + material->key_der.len + AG_FILE_COUNT * block;
    }
    return bytes;
}

static void add_checks(struct planner *planner, const struct ag_install *install)
{
    const struct ag_connector *connector = install->connector;
    bool copies = connector->placement == AG_PLACE_COPIES;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        if (connector->paths[i])
            add_step(planner, AG_STEP_CHECK_PLACE, connector->paths[i]);
    }
    /* Later, a file in the place of a link is somebody's who meant it. */
    add_links(planner, AG_STEP_CHECK_ENTRY, install->previous == 0 ? connector->adopt : copies);
    for (size_t i = 0; i < AG_FILE_COUNT && copies; i++) {
        struct ag_step *step =
            connector->paths[i] ? add_step(planner, AG_STEP_CHECK_ROOM, connector->paths[i]) : NULL;

        if (step)
            step->size = room_for(install);
    }
}

/* ---- plans */

static int begin(struct planner *planner, const char *folder, const struct ag_connector *connector,
                 struct cs_err *err)
{
    *planner = (struct planner){calloc(1, sizeof(struct ag_plan)), CS_OK, err};
    if (!planner->plan)
        return cs_err_nomem(err);
    planner->plan->folder = folder;
    planner->plan->connector = connector;
    return CS_OK;
}

static int finish(struct planner *planner, struct ag_plan **ret)
{
    if (planner->code)
        ag_plan_free(planner->plan);
    else
        *ret = planner->plan;
    return planner->code;
}

static void add_keeping(struct planner *planner, const struct ag_install *install)
{
    const struct ag_connector *connector = install->connector;
    char kept[AG_PLACE_NAME_BYTES], previous[AG_PLACE_NAME_BYTES], path[AG_LIMIT_PATH_BYTES],
        target[AG_LIMIT_PATH_BYTES];

    ag_previous_name(install->generation, 0, kept);
    if (install->previous == 0) {
        memcpy(planner->plan->kept, kept, sizeof kept);
        add_about(planner, AG_STEP_KEEP_OLD, kept);
    } else if (connector->placement == AG_PLACE_COPIES) {
        path_of(planner, kept, path);
        path_of(planner, ag_previous_name(install->generation, install->previous, previous), target);
        add_link(planner, AG_STEP_KEEP_CHANGED, path, target);
    }
}

int ag_plan_install(const struct ag_install *install, struct ag_plan **ret, struct cs_err *err)
{
    const struct ag_connector *connector = install->connector;
    bool copies = connector->placement == AG_PLACE_COPIES;
    char name[AG_PLACE_NAME_BYTES], previous[AG_PLACE_NAME_BYTES];
    struct planner planner;
    int code = begin(&planner, install->folder, connector, err);

    if (code)
        return code;
    ag_generation_name(install->generation, name);
    ag_previous_name(install->generation, install->previous, previous);
    add_checks(&planner, install);
    add_home(&planner, AG_STEP_MAKE_FOLDER);
    add_home(&planner, AG_STEP_CHECK_ROOM);
    if (!planner.code)
        planner.plan->steps[planner.plan->count - 1].size = room_for(install);
    add_keeping(&planner, install);
    add_generation(&planner, AG_STEP_REMOVE_FOLDER, install->generation); /* of an earlier attempt */
    add_generation(&planner, AG_STEP_MAKE_FOLDER, install->generation);
    if (install->material)
        add_files(&planner, install);
    add_generation(&planner, AG_STEP_SYNC_FOLDER, install->generation);
    add_home(&planner, AG_STEP_SYNC_FOLDER);
    /* Links first, to what is still there: then one rename changes all of them. */
    if (!copies)
        add_links(&planner, AG_STEP_ENTER, install->previous == 0 && connector->adopt);
    add_switch(&planner, name);
    if (copies)
        add_placing(&planner, name);
    add_telling(&planner, name, install->material ? NULL : previous);
    if (!install->material && !copies)
        add_links(&planner, AG_STEP_CLEAR, false);
    return finish(&planner, ret);
}

int ag_plan_put_back(const struct ag_put_back *put_back, struct ag_plan **ret, struct cs_err *err)
{
    const struct ag_connector *connector = put_back->connector;
    bool copies = connector->placement == AG_PLACE_COPIES, first = put_back->previous == 0;
    bool seen = put_back->at == AG_AT_NEW || (put_back->at == AG_AT_PREVIOUS && put_back->seen);
    char previous[AG_PLACE_NAME_BYTES];
    struct planner planner;
    int code = begin(&planner, put_back->folder, connector, err);

    if (code)
        return code;
    ag_previous_name(put_back->generation, put_back->previous, previous);
    planner.plan->is_way_back = true;
    planner.plan->must_reload = put_back->reloaded;
    if (first)
        memcpy(planner.plan->kept, previous, sizeof previous);
    /* Links first, as in an install: a removal may have taken some away, and one rename brings back all.
     * Those of a first install were entered before anything was switched, and are left below. */
    if (seen && !copies && !first)
        add_placing(&planner, previous);
    /* Also where it leads there: an earlier try may not have brought that to the disk. */
    if (put_back->at != AG_AT_OTHER)
        add_switch(&planner, previous);
    if (seen && copies)
        add_placing(&planner, previous);
    if (seen)
        add_telling(&planner, previous, NULL);
    if (put_back->at != AG_AT_OTHER && first) {
        if (!copies)
            add_links(&planner, AG_STEP_LEAVE, false);
        add_about(&planner, AG_STEP_REMOVE_LINK, "current");
    }
    if (first)
        add_about(&planner, AG_STEP_REMOVE_FOLDER, previous);
    add_generation(&planner, AG_STEP_REMOVE_FOLDER, put_back->generation);
    return finish(&planner, ret);
}

int ag_plan_finish(const struct ag_finish *what, struct ag_plan **ret, struct cs_err *err)
{
    bool copies = what->connector->placement == AG_PLACE_COPIES;
    char name[AG_PLACE_NAME_BYTES], previous[AG_PLACE_NAME_BYTES];
    struct planner planner;
    int code = begin(&planner, what->folder, what->connector, err);

    if (code)
        return code;
    ag_generation_name(what->generation, name);
    ag_previous_name(what->generation, what->previous, previous);
    /* It leads there; but the process that switched it may not have come to the sync. */
    add_switch(&planner, name);
    if (!what->removes || copies)
        add_placing(&planner, name);
    add_telling(&planner, name, what->removes ? previous : NULL);
    if (what->removes && !copies)
        add_links(&planner, AG_STEP_CLEAR, false);
    return finish(&planner, ret);
}

int ag_plan_restore(const struct ag_restore *restore, struct ag_plan **ret, struct cs_err *err)
{
    char name[AG_PLACE_NAME_BYTES];
    struct planner planner;
    int code = begin(&planner, restore->folder, restore->connector, err);

    if (code)
        return code;
    if (restore->back)
        ag_previous_name(restore->generation, restore->previous, name);
    else
        ag_generation_name(restore->generation, name);
    planner.plan->is_way_back = true;
    /* Links first, as in an install: a removal may have taken some away. Those of a first push were entered.
     */
    if (restore->connector->placement == AG_PLACE_LINKS && restore->back && restore->previous > 0)
        add_placing(&planner, name);
    add_switch(&planner, name);
    if (restore->connector->placement == AG_PLACE_COPIES)
        add_placing(&planner, name);
    return finish(&planner, ret);
}

void ag_plan_free(struct ag_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->steps[i].path);
        free(plan->steps[i].target);
        cs_buf_wipe(&plan->steps[i].content);
    }
    free(plan);
}
