#include "agent/apply.h"

#include "agent/steps.h"

#include <stdio.h>

static void end(struct ag_apply *apply, enum ag_verdict verdict)
{
    apply->applied.verdict = verdict;
    ag_plan_free(apply->plan);
    apply->plan = NULL;
    struct ag_applied applied = apply->applied;

    apply->on_end(apply->owner, &applied);
}

static void go_on(struct ag_apply *apply);

static void end_saying(struct ag_apply *apply, enum ag_verdict verdict, const char *detail)
{
    snprintf(apply->applied.detail, sizeof apply->applied.detail, "%s", detail);
    end(apply, verdict);
}

/* ---- the application's answers */

static void complain(struct ag_apply *apply, const struct ag_answer *answer)
{
    struct ag_applied *applied = &apply->applied;

    if (applied->complaint != AG_OK)
        return;
    applied->complaint = answer->verdict;
    snprintf(applied->complaint_detail, sizeof applied->complaint_detail, "%.*s",
             (int)sizeof applied->complaint_detail - 1, answer->detail);
}

/* An application whose own check refuses what it had before, too, has another reason, such as a broken
 * configuration. It runs on with what it has in memory, and a reload may end it; but not where it has the new
 * files in memory, which must not stay. */
static void pass_over_reload(struct ag_apply *apply)
{
    const struct ag_step *steps = apply->plan->steps;

    if (!apply->plan->must_reload && steps[apply->next - 1].kind == AG_STEP_VALIDATE &&
        apply->next < apply->plan->count && steps[apply->next].kind == AG_STEP_RELOAD)
        apply->next++;
}

static void on_answer(void *owner, const struct ag_answer *answer)
{
    struct ag_apply *apply = owner;

    if (answer->unlimited[0])
        memcpy(apply->applied.unlimited, answer->unlimited, sizeof answer->unlimited);
    if (answer->served) {
        apply->applied.served = true;
        apply->applied.leaf = answer->leaf;
    }
    if (answer->verdict == AG_OK) {
        go_on(apply);
    } else if (apply->plan->is_way_back) {
        complain(apply, answer);
        pass_over_reload(apply);
        go_on(apply);
    } else {
        end_saying(apply, answer->verdict, answer->detail);
    }
}

static void on_proven(void *owner, const struct ag_answer *answer)
{
    struct ag_apply *apply = owner;

    apply->applied.proven = answer->verdict == AG_OK;
    on_answer(owner, answer);
}

/* What was there before the first push may be no certificate at all: then there is nothing to prove. */
static void prove(struct ag_apply *apply, const struct ag_step *step)
{
    const struct ag_connector *connector = apply->plan->connector;
    struct ag_proof proof = {.is_gone = step->is_gone};
    struct cs_err err = {0};
    int code = ag_application_leaf(apply->port, connector, step->path, &proof.leaf, &err);

    if (code && (apply->plan->is_way_back || step->is_gone))
        go_on(apply);
    else if (code)
        end_saying(apply, AG_STORAGE_FAILED, err.msg);
    else
        ag_application_prove(&apply->application, apply->port, connector, &proof, on_proven, apply);
}

/* False: the step is about files. */
static bool ask(struct ag_apply *apply, const struct ag_step *step)
{
    switch (step->kind) {
    case AG_STEP_VALIDATE:
        ag_application_validate(&apply->application, apply->port, apply->plan->connector, on_answer, apply);
        return true;
    case AG_STEP_RELOAD:
        apply->applied.reloaded = true;
        ag_application_reload(&apply->application, apply->port, apply->plan->connector, step->path, on_answer,
                              apply);
        return true;
    case AG_STEP_PROVE:
        prove(apply, step);
        return true;
    default:
        return false;
    }
}

/* ---- step by step */

static void go_on(struct ag_apply *apply)
{
    while (apply->next < apply->plan->count) {
        const struct ag_step *step = &apply->plan->steps[apply->next++];
        struct cs_err err = {0};
        enum ag_verdict verdict;

        if (ask(apply, step))
            return;
        verdict = ag_step_do(apply->port, apply->plan, step, &err);
        /* Also when it failed: the rename may have been done and its sync not. */
        if (step->kind == AG_STEP_SWITCH_LINK)
            apply->applied.switched = true;
        if (verdict != AG_OK) {
            end_saying(apply, verdict, err.msg);
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
    apply->applied.complaint = AG_OK;
    go_on(apply);
}

void ag_apply_stop(struct ag_apply *apply)
{
    if (!apply->plan)
        return;
    ag_application_stop(&apply->application);
    ag_plan_free(apply->plan);
    apply->plan = NULL;
}

/* ---- which generation is there, and which are old */

int ag_apply_current(struct ag_port *port, const char *folder, const char *connector,
                     char ret[AG_CURRENT_BYTES], struct cs_err *err)
{
    char path[AG_LIMIT_PATH_BYTES], target[AG_LIMIT_PATH_BYTES];
    enum ag_entry_kind kind = AG_ENTRY_ABSENT;
    int code = ag_connector_folder(folder, connector, "current", path, sizeof path, err);

    ret[0] = '\0';
    if (!code)
        code = port->look_at(port, path, &kind, err);
    if (code == CS_ENOTFOUND) /* the connector's folder is not there yet */
        return CS_OK;
    if (!code && kind == AG_ENTRY_LINK)
        code = port->read_link(port, path, target, sizeof target, err);
    if (!code && kind == AG_ENTRY_LINK && strlen(target) < AG_CURRENT_BYTES)
        memcpy(ret, target, strlen(target) + 1);
    return code;
}

struct old_generations {
    uint64_t below;
    unsigned count;
    uint64_t lowest; /* of those counted */
};

static void note_generation(void *data, const char *name)
{
    struct old_generations *old = data;
    uint64_t generation;

    if (!ag_generation_parse(name, &generation) || generation == 0 || generation >= old->below)
        return;
    old->count++;
    if (old->count == 1 || generation < old->lowest)
        old->lowest = generation;
}

void ag_apply_tidy(struct ag_port *port, const char *folder, const char *connector, uint64_t current,
                   unsigned kept)
{
    char home[AG_LIMIT_PATH_BYTES], path[AG_LIMIT_PATH_BYTES];

    if (ag_connector_folder(folder, connector, NULL, home, sizeof home, NULL) != CS_OK)
        return;
    for (;;) {
        struct old_generations old = {.below = current};

        if (port->list_folder(port, home, note_generation, &old, NULL) != CS_OK || old.count < kept)
            return;
        if (ag_generation_path(folder, connector, old.lowest, NULL, path, sizeof path, NULL) != CS_OK ||
            port->remove_folder(port, path, NULL) != CS_OK)
            return;
    }
}
