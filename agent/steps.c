#include "agent/steps.h"

#include "agent/apply.h"

#include <stdio.h>

/* Is the application's path ours already? What cannot be told is an error: taken for a no, it would make the
 * way back pass over a path, and then take away what was kept of it. */
static int leads_to(struct ag_port *port, const char *path, const char *target, bool *ret, struct cs_err *err)
{
    enum ag_entry_kind kind;
    char now[AG_LIMIT_PATH_BYTES];
    int code = port->look_at(port, path, &kind, err);

    *ret = false;
    if (code || kind != AG_ENTRY_LINK)
        return code;
    code = port->read_link(port, path, now, sizeof now, err);
    if (code == CS_ETOOBIG || code == CS_ENOTFOUND) /* none of ours is so long; it went meanwhile */
        return CS_OK;
    *ret = !code && strcmp(now, target) == 0;
    return code;
}

/* ---- before anything is changed */

static int check_entry(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    enum ag_entry_kind kind;
    bool ours = false;
    int code = port->look_at(port, step->path, &kind, err);

    if (!code)
        code = leads_to(port, step->path, step->target, &ours, err);
    if (code || ours || kind == AG_ENTRY_ABSENT ||
        ((kind == AG_ENTRY_FILE || kind == AG_ENTRY_LINK) && step->adopt))
        return code;
    if (kind == AG_ENTRY_FILE || kind == AG_ENTRY_LINK)
        return cs_err_set(err, CS_EEXISTS,
                          "%s is there already and is not ours: move it away, or, before the first push, set "
                          "`adopt = yes`",
                          step->path);
    return cs_err_set(err, CS_EEXISTS, "%s is in the way: it is no file; remove it", step->path);
}

/* A link that is still to be made; one that is there, on a read-only root say, needs nothing. */
static int check_link(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                      struct cs_err *err)
{
    uint64_t bytes = 0;
    bool ours = false;
    int code;

    if (plan->connector->placement != AG_PLACE_LINKS)
        return CS_OK;
    code = leads_to(port, step->path, step->target, &ours, err);
    if (code || ours)
        return code;
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

/* Where the file really is that is to be kept: a link of ours leads through `current`, and what the
 * application reads there counts. *ret_any: there is one. */
static int find_old(struct ag_port *port, const struct ag_plan *plan, enum ag_file file, const char *now,
                    char ret[AG_LIMIT_PATH_BYTES], bool *ret_any, struct cs_err *err)
{
    const char *path = plan->connector->paths[file], *leaf = ag_file_leaf(plan->connector, file);
    char name[96], ours[AG_LIMIT_PATH_BYTES];
    enum ag_entry_kind kind = AG_ENTRY_ABSENT;
    bool is_ours = false;
    int code;

    *ret_any = false;
    snprintf(ret, AG_LIMIT_PATH_BYTES, "%s", path);
    snprintf(name, sizeof name, "current/%s", leaf);
    code = ag_connector_folder(plan->folder, plan->connector->name, name, ours, sizeof ours, err);
    if (!code)
        code = leads_to(port, path, ours, &is_ours, err);
    if (!code && is_ours) {
        if (!now[0])
            return CS_OK;
        snprintf(name, sizeof name, "%s/%s", now, leaf);
        code = ag_connector_folder(plan->folder, plan->connector->name, name, ret, AG_LIMIT_PATH_BYTES, err);
    }
    if (!code)
        code = port->look_at(port, ret, &kind, err);
    if (code == CS_ENOTFOUND)
        return CS_OK;
    *ret_any = kind != AG_ENTRY_ABSENT;
    return code;
}

static int keep_one(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                    const char *from, enum ag_file file, struct cs_err *err)
{
    char kept[AG_LIMIT_PATH_BYTES + 64];

    snprintf(kept, sizeof kept, "%s/%s", step->path, ag_file_leaf(plan->connector, file));
    return port->copy(port, from, kept, CS_LIMIT_PEM_BYTES, err);
}

/* Complete before current leads there: what is kept is never half. */
static int keep_old(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                    struct cs_err *err)
{
    const char *name = plan->connector->name;
    char current[AG_LIMIT_PATH_BYTES], now[AG_CURRENT_BYTES], from[AG_LIMIT_PATH_BYTES];
    int code = ag_apply_current(port, plan->folder, name, now, err);

    if (!code)
        code = ag_connector_folder(plan->folder, name, "current", current, sizeof current, err);
    if (code || strcmp(now, plan->kept) == 0)
        return code;
    code = port->remove_folder(port, step->path, err); /* of an earlier attempt */
    if (!code)
        code = port->make_folder(port, step->path, 0711, err);
    for (size_t i = 0; !code && i < AG_FILE_COUNT; i++) {
        bool any = false;

        if (plan->connector->paths[i])
            code = find_old(port, plan, (enum ag_file)i, now, from, &any, err);
        if (!code && any)
            code = keep_one(port, plan, step, from, (enum ag_file)i, err);
    }
    if (!code)
        code = port->sync_folder(port, step->path, err);
    return code ? code : port->switch_link(port, current, plan->kept, err);
}

static bool same_content(struct ag_port *port, const char *one, const char *other)
{
    cs_auto(cs_buf_wipe) struct cs_buf a = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf b = CS_BUF_EMPTY;

    return cs_buf_reserve(&a, CS_LIMIT_PEM_BYTES) == CS_OK &&
           cs_buf_reserve(&b, CS_LIMIT_PEM_BYTES) == CS_OK &&
           port->read_file(port, one, CS_LIMIT_PEM_BYTES, &a, NULL) == CS_OK &&
           port->read_file(port, other, CS_LIMIT_PEM_BYTES, &b, NULL) == CS_OK &&
           cs_slice_eq(cs_buf_slice(&a), cs_buf_slice(&b));
}

/* Whoever changed a copy by hand meant it: it is replaced, and not lost. */
static int keep_changed(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                        struct cs_err *err)
{
    bool made = false;
    int code = CS_OK;

    for (size_t i = 0; !code && i < AG_FILE_COUNT; i++) {
        const char *path = plan->connector->paths[i];
        char was[AG_LIMIT_PATH_BYTES + 64];
        enum ag_entry_kind kind = AG_ENTRY_ABSENT;

        code = path ? port->look_at(port, path, &kind, err) : CS_OK;
        if (code || kind != AG_ENTRY_FILE)
            continue;
        snprintf(was, sizeof was, "%s/%s", step->target, ag_file_leaf(plan->connector, (enum ag_file)i));
        if (same_content(port, path, was))
            continue;
        if (!made)
            code = port->make_folder(port, step->path, 0711, err);
        made = true;
        if (!code)
            code = keep_one(port, plan, step, path, (enum ag_file)i, err);
    }
    return code;
}

/* ---- the application's paths */

/* Also where the link is right already: it may still be in memory only (port.h). */
static int enter(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                 struct cs_err *err)
{
    int code = check_entry(port, step, err);

    /* On the way back: whoever put a file there meanwhile meant it. */
    if (code == CS_EEXISTS && plan->is_way_back)
        return CS_OK;
    return code ? code : port->switch_link(port, step->path, step->target, err);
}

/* Owner and mode, too: so also what has the content already is made anew. */
static int become(struct ag_port *port, const char *path, const char *source, struct cs_err *err)
{
    enum ag_entry_kind kind;
    int code = port->look_at(port, source, &kind, err);

    /* Without a previous generation's folder, too. */
    if (code == CS_ENOTFOUND || (!code && kind == AG_ENTRY_ABSENT))
        return port->remove_link(port, path, err);
    return code ? code : port->copy(port, source, path, CS_LIMIT_PEM_BYTES, err);
}

/* A link into nothing is nothing to an application, so one that cannot be removed, on a read-only root, does
 * no harm. */
static void clear(struct ag_port *port, const struct ag_step *step)
{
    bool ours = false;

    if (leads_to(port, step->path, step->target, &ours, NULL) == CS_OK && ours &&
        port->remove_link(port, step->path, NULL) != CS_OK)
        return;
}

static int leave(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                 struct cs_err *err)
{
    char kept[AG_LIMIT_PATH_BYTES], leaf[96];
    enum ag_entry_kind kind;
    bool ours = false;
    int code = leads_to(port, step->path, step->target, &ours, err);

    if (code || !ours)
        return code;
    snprintf(leaf, sizeof leaf, "%s/%s", plan->kept, ag_file_leaf(plan->connector, step->file));
    code = ag_connector_folder(plan->folder, plan->connector->name, leaf, kept, sizeof kept, err);
    if (!code)
        code = port->look_at(port, kept, &kind, err);
    if (code == CS_ENOTFOUND || (!code && kind == AG_ENTRY_ABSENT)) {
        clear(port, step);
        return CS_OK;
    }
    return code ? code : port->copy(port, kept, step->path, CS_LIMIT_PEM_BYTES, err);
}

static int write_file(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                      struct cs_err *err)
{
    const struct ag_connector *connector = plan->connector;
    const struct ag_file_look look = {
        .mode = step->mode,
        /* The certificates are for everybody to read, and for nobody to change. */
        .owner = ag_file_is_secret(step->file) ? connector->owner : NULL,
        .group = ag_file_is_secret(step->file) ? connector->group : NULL,
        .label_like = connector->paths[step->file],
    };

    return port->write_file(port, step->path, cs_buf_slice(&step->content), &look, err);
}

/* On the way back nothing hangs on it any more: the next push removes what stayed. */
static int remove_folder(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                         struct cs_err *err)
{
    int code = port->remove_folder(port, step->path, err);

    return plan->is_way_back ? CS_OK : code;
}

/* ---- all of them */

static int change(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                  struct cs_err *err)
{
    switch (step->kind) {
    case AG_STEP_MAKE_FOLDER:
        return port->make_folder(port, step->path, step->mode, err);
    case AG_STEP_REMOVE_FOLDER:
        return remove_folder(port, plan, step, err);
    case AG_STEP_KEEP_OLD:
        return keep_old(port, plan, step, err);
    case AG_STEP_KEEP_CHANGED:
        return keep_changed(port, plan, step, err);
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
        code = check_entry(port, step, err);
        if (code)
            return code == CS_EEXISTS ? AG_FOREIGN_FILE : storage_verdict(code);
        return storage_verdict(check_link(port, plan, step, err));
    case AG_STEP_CHECK_ROOM:
        return storage_verdict(check_room(port, step, err));
    default:
        return storage_verdict(change(port, plan, step, err));
    }
}
