#include "agent/core/plan.h"

#include <inttypes.h>
#include <stdio.h>

/* The first failure sticks, so that a plan is written down step by step and asked about once. */
struct planner {
    struct ag_plan *plan;
    const char *folder;
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

static void add_link(struct planner *planner, enum ag_step_kind kind, const char *path, const char *target)
{
    struct ag_step *step = add_step(planner, kind, path);

    if (!step)
        return;
    step->adopt = planner->plan->connector->adopt;
    step->target = strdup(target);
    if (!step->target)
        planner->code = cs_err_nomem(planner->err);
}

/* Makes FOLDER/connectors/NAME/leaf, empty after a failure. */
static void path_of(struct planner *planner, const char *leaf, char out[AG_LIMIT_PATH_BYTES])
{
    out[0] = '\0';
    if (!planner->code)
        planner->code = ag_connector_folder(planner->folder, planner->plan->connector->name, leaf, out,
                                            AG_LIMIT_PATH_BYTES, planner->err);
}

static void generation_path(struct planner *planner, uint64_t generation, const char *file,
                            char out[AG_LIMIT_PATH_BYTES])
{
    char leaf[64];

    snprintf(leaf, sizeof leaf, "g%" PRIu64 "%s%s", generation, file ? "/" : "", file ? file : "");
    path_of(planner, leaf, out);
}

static void add_file(struct planner *planner, const struct ag_install *install, const char *file,
                     unsigned mode, struct cs_slice first, struct cs_slice second)
{
    char path[AG_LIMIT_PATH_BYTES];

    generation_path(planner, install->generation, file, path);
    struct ag_step *step = add_step(planner, AG_STEP_WRITE_FILE, path);

    if (!step)
        return;
    step->mode = mode;
    if (cs_buf_reserve(&step->content, first.len + second.len) != CS_OK ||
        cs_buf_append(&step->content, first) != CS_OK || cs_buf_append(&step->content, second) != CS_OK)
        planner->code = cs_err_nomem(planner->err);
}

/* The paths that the application reads, and what each leads to. */
static void add_entries(struct planner *planner, enum ag_step_kind kind)
{
    const struct ag_connector *connector = planner->plan->connector;
    const struct {
        const char *path, *leaf;
    } entries[] = {
        {connector->paths[AG_FILE_KEY], "current/key.pem"},
        {connector->paths[AG_FILE_CERTIFICATE], "current/chain.pem"},
        {connector->paths[AG_FILE_BUNDLE], "current/bundle.pem"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(entries); i++) {
        char target[AG_LIMIT_PATH_BYTES];

        if (!entries[i].path)
            continue;
        path_of(planner, entries[i].leaf, target);
        add_link(planner, kind, entries[i].path, target);
    }
}

static int begin(struct planner *planner, const char *folder, const struct ag_connector *connector,
                 struct cs_err *err)
{
    *planner = (struct planner){calloc(1, sizeof(struct ag_plan)), folder, CS_OK, err};
    if (!planner->plan)
        return cs_err_nomem(err);
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

static void add_reload(struct planner *planner)
{
    if (planner->plan->connector->reload.kind != AG_RELOAD_NONE)
        add_step(planner, AG_STEP_RELOAD, NULL);
}

static void add_folder(struct planner *planner, const char *path)
{
    struct ag_step *step = add_step(planner, AG_STEP_MAKE_FOLDER, path);

    /* Applications of other users pass through; what is secret in it has a mode of its own. */
    if (step)
        step->mode = 0711;
}

int ag_plan_install(const struct ag_install *install, struct ag_plan **ret, struct cs_err *err)
{
    const struct ag_connector *connector = install->connector;
    char home[AG_LIMIT_PATH_BYTES], generation[AG_LIMIT_PATH_BYTES], current[AG_LIMIT_PATH_BYTES], target[24];
    struct planner planner;
    int code = begin(&planner, install->folder, connector, err);

    if (code)
        return code;
    path_of(&planner, NULL, home);
    path_of(&planner, "current", current);
    generation_path(&planner, install->generation, NULL, generation);
    snprintf(target, sizeof target, "g%" PRIu64, install->generation);

    add_entries(&planner, AG_STEP_CHECK_ENTRY);
    add_folder(&planner, home);
    add_step(&planner, AG_STEP_REMOVE_FOLDER, generation); /* what an earlier attempt left */
    add_folder(&planner, generation);
    add_file(&planner, install, "chain.pem", 0644, install->chain_pem, CS_SLICE_EMPTY);
    add_file(&planner, install, "key.pem", connector->key_mode, install->key_pem, CS_SLICE_EMPTY);
    if (connector->paths[AG_FILE_BUNDLE])
        add_file(&planner, install, "bundle.pem", connector->key_mode, install->chain_pem, install->key_pem);
    add_step(&planner, AG_STEP_SYNC_FOLDER, generation);
    add_step(&planner, AG_STEP_SYNC_FOLDER, home);
    add_link(&planner, AG_STEP_SWITCH_LINK, current, target);
    add_entries(&planner, AG_STEP_ENTER);
    add_reload(&planner);
    return finish(&planner, ret);
}

int ag_plan_put_back(const struct ag_put_back *put_back, struct ag_plan **ret, struct cs_err *err)
{
    char current[AG_LIMIT_PATH_BYTES], generation[AG_LIMIT_PATH_BYTES], target[24];
    struct planner planner;
    int code = begin(&planner, put_back->folder, put_back->connector, err);

    if (code)
        return code;
    path_of(&planner, "current", current);
    generation_path(&planner, put_back->generation, NULL, generation);
    snprintf(target, sizeof target, "g%" PRIu64, put_back->previous);
    if (put_back->previous > 0) {
        add_link(&planner, AG_STEP_SWITCH_LINK, current, target);
        if (put_back->reload)
            add_reload(&planner);
    } else {
        add_entries(&planner, AG_STEP_LEAVE);
        add_step(&planner, AG_STEP_REMOVE_LINK, current);
    }
    add_step(&planner, AG_STEP_REMOVE_FOLDER, generation);
    return finish(&planner, ret);
}

int ag_plan_finish(const char *folder, const struct ag_connector *connector, struct ag_plan **ret,
                   struct cs_err *err)
{
    struct planner planner;
    int code = begin(&planner, folder, connector, err);

    if (code)
        return code;
    add_entries(&planner, AG_STEP_ENTER);
    add_reload(&planner);
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
