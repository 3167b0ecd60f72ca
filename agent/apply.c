#include "agent/apply.h"

#include <inttypes.h>
#include <stdio.h>

static int check_entry(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    enum ag_entry_kind kind;
    char target[AG_LIMIT_PATH_BYTES];
    int code = port->look_at(port, step->path, &kind, err);

    if (code)
        return code;
    if (kind == AG_ENTRY_ABSENT || (kind == AG_ENTRY_FILE && step->adopt))
        return CS_OK;
    if (kind == AG_ENTRY_LINK &&
        (step->adopt || (port->read_link(port, step->path, target, sizeof target, NULL) == CS_OK &&
                         strcmp(target, step->target) == 0)))
        return CS_OK;
    return cs_err_set(err, CS_EEXISTS,
                      "%s is there already and is not ours: move it away, or set `adopt = yes`", step->path);
}

/* Is the link ours already? */
static bool leads_to(struct ag_port *port, const char *path, const char *target)
{
    enum ag_entry_kind kind;
    char now[AG_LIMIT_PATH_BYTES];

    return port->look_at(port, path, &kind, NULL) == CS_OK && kind == AG_ENTRY_LINK &&
           port->read_link(port, path, now, sizeof now, NULL) == CS_OK && strcmp(now, target) == 0;
}

static int enter(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    int code = leads_to(port, step->path, step->target) ? CS_OK : check_entry(port, step, err);

    return code ? code : port->switch_link(port, step->path, step->target, err);
}

static int leave(struct ag_port *port, const struct ag_step *step, struct cs_err *err)
{
    return leads_to(port, step->path, step->target) ? port->remove_link(port, step->path, err) : CS_OK;
}

static int write_file(struct ag_apply *apply, const struct ag_step *step, struct cs_err *err)
{
    const struct ag_connector *connector = apply->plan->connector;
    const struct ag_file_look look = {step->mode, connector->owner, connector->group, NULL};

    return apply->port->write_file(apply->port, step->path, cs_buf_slice(&step->content), &look, err);
}

/* Every step but RELOAD. */
static int do_step(struct ag_apply *apply, const struct ag_step *step, struct cs_err *err)
{
    struct ag_port *port = apply->port;
    int code = CS_EINTERNAL;

    switch (step->kind) {
    case AG_STEP_CHECK_ENTRY:
        return check_entry(port, step, err);
    case AG_STEP_REMOVE_FOLDER:
        return port->remove_folder(port, step->path, err);
    case AG_STEP_MAKE_FOLDER:
        return port->make_folder(port, step->path, step->mode, err);
    case AG_STEP_WRITE_FILE:
        return write_file(apply, step, err);
    case AG_STEP_SYNC_FOLDER:
        return port->sync_folder(port, step->path, err);
    case AG_STEP_SWITCH_LINK:
        code = port->switch_link(port, step->path, step->target, err);
        /* Also when it failed: the rename may have been done and its sync not. */
        apply->applied.switched = true;
        return code;
    case AG_STEP_ENTER:
        return enter(port, step, err);
    case AG_STEP_LEAVE:
        return leave(port, step, err);
    case AG_STEP_REMOVE_LINK:
        return port->remove_link(port, step->path, err);
    case AG_STEP_RELOAD:
        break;
    }
    return code;
}

static void end(struct ag_apply *apply, enum ag_verdict verdict)
{
    apply->applied.verdict = verdict;
    ag_plan_free(apply->plan);
    apply->plan = NULL;
    struct ag_applied applied = apply->applied;

    apply->on_end(apply->owner, &applied);
}

static void go_on(struct ag_apply *apply);

static void on_reloaded(void *owner, const struct ag_command_result *result)
{
    struct ag_apply *apply = owner;
    const struct ag_connector *connector = apply->plan->connector;
    const char *colon = result->output[0] ? ": " : "";
    char *detail = apply->applied.detail;
    size_t size = sizeof apply->applied.detail;

    if (result->how == AG_COMMAND_EXITED && result->status == 0) {
        go_on(apply);
        return;
    }
    switch (result->how) {
    case AG_COMMAND_EXITED:
        snprintf(detail, size, "%s ended with status %d%s%s", connector->reload.argv[0], result->status,
                 colon, result->output);
        break;
    case AG_COMMAND_KILLED:
        snprintf(detail, size, "%s was ended by signal %d%s%s", connector->reload.argv[0], result->status,
                 colon, result->output);
        break;
    case AG_COMMAND_TIMEOUT:
        snprintf(detail, size, "%s did not end within %u s%s%s", connector->reload.argv[0],
                 connector->reload_timeout_s, colon, result->output);
        break;
    case AG_COMMAND_NOT_STARTED:
        snprintf(detail, size, "%s cannot be started%s%s", connector->reload.argv[0], colon, result->output);
        break;
    }
    end(apply, result->how == AG_COMMAND_TIMEOUT ? AG_RELOAD_TIMEOUT : AG_RELOAD_FAILED);
}

static bool start_reload(struct ag_apply *apply)
{
    const struct ag_connector *connector = apply->plan->connector;
    const struct ag_command command = {connector->reload.argv, connector->run_as,
                                       connector->reload_timeout_s * 1000};
    struct cs_err err = {0};

    if (apply->port->run(apply->port, &command, on_reloaded, apply, &err) == CS_OK)
        return true;
    snprintf(apply->applied.detail, sizeof apply->applied.detail, "%s", err.msg);
    return false;
}

static void go_on(struct ag_apply *apply)
{
    while (apply->next < apply->plan->count) {
        const struct ag_step *step = &apply->plan->steps[apply->next++];
        struct cs_err err = {0};

        if (step->kind == AG_STEP_RELOAD) {
            if (!start_reload(apply))
                end(apply, AG_RELOAD_FAILED);
            return;
        }
        if (do_step(apply, step, &err) != CS_OK) {
            snprintf(apply->applied.detail, sizeof apply->applied.detail, "%s", err.msg);
            end(apply, step->kind == AG_STEP_CHECK_ENTRY ? AG_FOREIGN_FILE : AG_STORAGE_FAILED);
            return;
        }
    }
    end(apply, AG_OK);
}

void ag_apply_start(struct ag_apply *apply, struct ag_port *port, struct ag_plan *plan,
                    void (*on_end)(void *owner, const struct ag_applied *applied), void *owner)
{
    cs_assert(!apply->plan);
    *apply = (struct ag_apply){.port = port, .plan = plan, .on_end = on_end, .owner = owner};
    go_on(apply);
}

void ag_apply_stop(struct ag_apply *apply)
{
    if (!apply->plan)
        return;
    apply->port->stop(apply->port);
    ag_plan_free(apply->plan);
    apply->plan = NULL;
}

/* ---- old generations */

struct old_generations {
    uint64_t below;
    unsigned count;
    uint64_t lowest; /* of those counted */
};

static void note_generation(void *data, const char *name)
{
    struct old_generations *old = data;
    uint64_t generation;

    if (!ag_generation_parse(name, &generation) || generation >= old->below)
        return;
    old->count++;
    if (old->count == 1 || generation < old->lowest)
        old->lowest = generation;
}

void ag_apply_tidy(struct ag_port *port, const char *folder, const char *connector, uint64_t installed,
                   unsigned kept)
{
    char home[AG_LIMIT_PATH_BYTES], path[AG_LIMIT_PATH_BYTES], leaf[24];

    if (ag_connector_folder(folder, connector, NULL, home, sizeof home, NULL) != CS_OK)
        return;
    for (;;) {
        struct old_generations old = {.below = installed};

        if (port->list_folder(port, home, note_generation, &old, NULL) != CS_OK || old.count < kept)
            return;
        snprintf(leaf, sizeof leaf, "g%" PRIu64, old.lowest);
        if (ag_connector_folder(folder, connector, leaf, path, sizeof path, NULL) != CS_OK ||
            port->remove_folder(port, path, NULL) != CS_OK)
            return;
    }
}
