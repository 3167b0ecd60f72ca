#include "agent/steps.h"

#include <stdio.h>
#include <string.h>

/* Is the application's path ours already? */
static bool leads_to(struct ag_port *port, const char *path, const char *target)
{
    enum ag_entry_kind kind;
    char now[AG_LIMIT_PATH_BYTES];

    return port->look_at(port, path, &kind, NULL) == CS_OK && kind == AG_ENTRY_LINK &&
           port->read_link(port, path, now, sizeof now, NULL) == CS_OK && strcmp(now, target) == 0;
}

/* ---- before anything is changed */

static int check_entry(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    enum ag_entry_kind kind;
    int code = port->look_at(port, step->path, &kind, err);

    if (code)
        return code;
    if (kind == AG_ENTRY_ABSENT || ((kind == AG_ENTRY_FILE || kind == AG_ENTRY_LINK) && step->adopt) ||
        leads_to(port, step->path, step->target))
        return CS_OK;
    if (kind == AG_ENTRY_FILE || kind == AG_ENTRY_LINK)
        return cs_err_set(err, CS_EEXISTS,
                          "%s is there already and is not ours: move it away, or set `adopt = yes`",
                          step->path);
    return cs_err_set(err, CS_EEXISTS, "%s is in the way: it is no file; remove it", step->path);
}

/* A link that is still to be made; one that is there, on a read-only root say, needs nothing. */
static int check_link(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                      struct cs_err *err)
{
    uint64_t bytes = 0;
    int code;

    if (plan->connector->placement != AG_PLACE_LINKS || leads_to(port, step->path, step->target))
        return CS_OK;
    code = port->room(port, step->path, &bytes, err);
    if (code || bytes > 0)
        return code;
    return cs_err_set(
        err, CS_EFULL,
        "no link can be made: make room there, or, on a read-only root, have it in there: ln -s "
        "%s %s",
        step->target, step->path);
}

static int check_room(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    uint64_t bytes = 0;
    int code = port->room(port, step->path, &bytes, err);

    if (code || bytes >= step->size)
        return code;
    return cs_err_set(err, CS_EFULL, "%llu KB are free at %s, %llu are needed: make room there",
                      (unsigned long long)bytes / 1024, step->path, (unsigned long long)step->size / 1024);
}

/* ---- what the application had before */

struct keeping {
    struct ag_port *port;
    const struct ag_plan *plan;
    char home[AG_LIMIT_PATH_BYTES], folder[AG_LIMIT_PATH_BYTES + 8], current[AG_LIMIT_PATH_BYTES + 16];
};

/* A path that is ours already, on a read-only root say, has nothing to be kept. */
static int keep_one(struct keeping *keeping, enum ag_file file, struct cs_err *err)
{
    const char *path = keeping->plan->connector->paths[file];
    const char *leaf = ag_file_leaf(keeping->plan->connector, file);
    char kept[AG_LIMIT_PATH_BYTES + 64], ours[AG_LIMIT_PATH_BYTES + 64];
    enum ag_entry_kind kind;
    int code;

    snprintf(kept, sizeof kept, "%s/%s", keeping->folder, leaf);
    snprintf(ours, sizeof ours, "%s/%s", keeping->current, leaf);
    code = keeping->port->look_at(keeping->port, path, &kind, err);
    if (code || kind == AG_ENTRY_ABSENT || leads_to(keeping->port, path, ours))
        return code;
    return keeping->port->copy(keeping->port, path, kept, CS_LIMIT_PEM_BYTES, err);
}

/* Complete before current leads there: a kept generation is never half. */
static int keep_old(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                    struct cs_err *err)
{
    struct keeping keeping = {.port = port, .plan = plan};
    int code;

    snprintf(keeping.home, sizeof keeping.home, "%s", step->path);
    snprintf(keeping.folder, sizeof keeping.folder, "%s/g0", keeping.home);
    snprintf(keeping.current, sizeof keeping.current, "%s/current", keeping.home);
    if (leads_to(port, keeping.current, "g0"))
        return CS_OK;
    code = port->remove_folder(port, keeping.folder, err);
    if (!code)
        code = port->make_folder(port, keeping.folder, 0711, err);
    for (size_t i = 0; !code && i < AG_FILE_COUNT; i++) {
        if (plan->connector->paths[i])
            code = keep_one(&keeping, (enum ag_file)i, err);
    }
    if (!code)
        code = port->sync_folder(port, keeping.folder, err);
    return code ? code : port->switch_link(port, keeping.current, "g0", err);
}

/* ---- the application's paths */

static int enter(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                 struct cs_err *err)
{
    int code;

    if (leads_to(port, step->path, step->target))
        return CS_OK;
    code = check_entry(port, step, err);
    /* On the way back: whoever put a file there meanwhile meant it. */
    if (code == CS_EEXISTS && plan->is_way_back)
        return CS_OK;
    return code ? code : port->switch_link(port, step->path, step->target, err);
}

static bool same_file(struct ag_port *port, const char *one, const char *other)
{
    cs_auto(cs_buf_wipe) struct cs_buf a = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf b = CS_BUF_EMPTY;
    enum ag_entry_kind kind;

    return port->look_at(port, one, &kind, NULL) == CS_OK && kind == AG_ENTRY_FILE &&
           cs_buf_reserve(&a, CS_LIMIT_PEM_BYTES) == CS_OK &&
           cs_buf_reserve(&b, CS_LIMIT_PEM_BYTES) == CS_OK &&
           port->read_file(port, one, CS_LIMIT_PEM_BYTES, &a, NULL) == CS_OK &&
           port->read_file(port, other, CS_LIMIT_PEM_BYTES, &b, NULL) == CS_OK &&
           cs_slice_eq(cs_buf_slice(&a), cs_buf_slice(&b));
}

static int sync_folder_of(struct ag_port *port, const char *path, struct cs_err *err)
{
    char folder[AG_LIMIT_PATH_BYTES];
    int len = snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);

    if (len < 0 || (size_t)len >= sizeof folder)
        return cs_err_set(err, CS_ETOOBIG, "the path is too long: %s", path);
    return port->sync_folder(port, len > 0 ? folder : "/", err);
}

/* What is right already is not written: flash wears, and a root may be read-only. But whoever wrote it may not
 * have come to the sync. */
static int become(struct ag_port *port, const char *path, const char *source, struct cs_err *err)
{
    enum ag_entry_kind kind;
    int code = port->look_at(port, source, &kind, err);

    /* Without a previous generation's folder, too. */
    if (code == CS_ENOTFOUND || (!code && kind == AG_ENTRY_ABSENT))
        return port->remove_link(port, path, err);
    if (code)
        return code;
    if (kind == AG_ENTRY_FILE && same_file(port, path, source))
        return sync_folder_of(port, path, err);
    return port->copy(port, source, path, CS_LIMIT_PEM_BYTES, err);
}

static int leave(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                 struct cs_err *err)
{
    char kept[AG_LIMIT_PATH_BYTES], leaf[64];
    int code;

    if (!leads_to(port, step->path, step->target))
        return CS_OK;
    snprintf(leaf, sizeof leaf, "g0/%s", ag_file_leaf(plan->connector, step->file));
    code = ag_connector_folder(plan->folder, plan->connector->name, leaf, kept, sizeof kept, err);
    return code ? code : become(port, step->path, kept, err);
}

/* A link into nothing is nothing to an application, so one that cannot be removed does no harm. */
static void clear(struct ag_port *port, const struct ag_step *step)
{
    if (leads_to(port, step->path, step->target) && port->remove_link(port, step->path, NULL) != CS_OK)
        return;
}

static int write_file(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                      struct cs_err *err)
{
    const struct ag_connector *connector = plan->connector;
    const struct ag_file_look look = {
        .mode = step->mode,
        .owner = connector->owner,
        .group = connector->group,
        .label_like = connector->paths[step->file],
    };

    return port->write_file(port, step->path, cs_buf_slice(&step->content), &look, err);
}

/* ---- all of them */

static int change(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                  struct cs_err *err)
{
    switch (step->kind) {
    case AG_STEP_MAKE_FOLDER:
        return port->make_folder(port, step->path, step->mode, err);
    case AG_STEP_REMOVE_FOLDER:
        return port->remove_folder(port, step->path, err);
    case AG_STEP_KEEP_OLD:
        return keep_old(port, plan, step, err);
    case AG_STEP_WRITE_FILE:
        return write_file(port, plan, step, err);
    case AG_STEP_SYNC_FOLDER:
        return port->sync_folder(port, step->path, err);
    case AG_STEP_SWITCH_LINK:
        return port->switch_link(port, step->path, step->target, err);
    case AG_STEP_ENTER:
        return enter(port, plan, step, err);
    case AG_STEP_COPY:
        return become(port, step->path, step->target, err);
    case AG_STEP_LEAVE:
        return leave(port, plan, step, err);
    case AG_STEP_CLEAR:
        clear(port, step);
        return CS_OK;
    case AG_STEP_REMOVE_LINK:
        return port->remove_link(port, step->path, err);
    default:
        return cs_err_set(err, CS_EINTERNAL, "this step is not about files");
    }
}

static enum ag_verdict storage_verdict(int code)
{
    return code == CS_OK ? AG_OK : code == CS_EFULL ? AG_NO_ROOM : AG_STORAGE_FAILED;
}

enum ag_verdict ag_step_do(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                           struct cs_err *err)
{
    int code;

    switch (step->kind) {
    case AG_STEP_CHECK_PLACE:
        code = port->check_place(port, step->path, plan->connector->owner, err);
        return code == CS_OK ? AG_OK : AG_TARGET_UNSAFE;
    case AG_STEP_CHECK_ENTRY:
        if (check_entry(port, step, err) != CS_OK)
            return AG_FOREIGN_FILE;
        return storage_verdict(check_link(port, plan, step, err));
    case AG_STEP_CHECK_ROOM:
        return storage_verdict(check_room(port, step, err));
    default:
        return storage_verdict(change(port, plan, step, err));
    }
}
