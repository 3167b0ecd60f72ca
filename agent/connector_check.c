#include "agent/connector_check.h"

#include "agent/apply.h"
#include "agent/port/look.h"
#include "agent/steps.h"
#include "shared/base/text.h"

struct checking {
    uv_loop_t *loop;
    struct ag_port *port;
    const struct ag_config *config;
    const struct ag_connector *connector;
    FILE *out;
    unsigned wrong;
    struct ag_application application;
    struct ag_answer answer;
    struct ag_probe_result seen;
    char why[200];
};

static void good(struct checking *checking, const char *what, const char *detail)
{
    fprintf(checking->out, "  good   %-9s %s\n", what, detail);
}

static void bad(struct checking *checking, const char *what, const char *detail)
{
    fprintf(checking->out, "  WRONG  %-9s %s\n", what, detail);
    checking->wrong++;
}

static void note(struct checking *checking, const char *what, const char *detail)
{
    fprintf(checking->out, "  -      %-9s %s\n", what, detail);
}

/* The folder of the generation that is installed, and its number; 0: nothing of ours is. After a removal the
 * link leads to an empty one. */
static uint64_t installed_generation(const struct checking *checking, char files[AG_LIMIT_PATH_BYTES])
{
    const char *folder = checking->config->state, *name = checking->connector->name;
    char now[AG_CURRENT_BYTES], leaf[AG_CURRENT_BYTES + 16];
    enum ag_entry_kind kind = AG_ENTRY_ABSENT;
    uint64_t generation = 0;

    if (ag_apply_current(checking->port, folder, name, now, NULL) != CS_OK ||
        !ag_generation_parse(now, &generation))
        return 0;
    snprintf(leaf, sizeof leaf, "%s/chain.pem", now);
    if (ag_connector_folder(folder, name, leaf, files, AG_LIMIT_PATH_BYTES, NULL) != CS_OK ||
        checking->port->look_at(checking->port, files, &kind, NULL) != CS_OK || kind != AG_ENTRY_FILE ||
        ag_connector_folder(folder, name, now, files, AG_LIMIT_PATH_BYTES, NULL) != CS_OK)
        return 0;
    return generation;
}

/* ---- files */

static const char *const file_words[AG_FILE_COUNT] = {"key", "certificate", "intermediates", "bundle"};

static void say_entry(struct checking *checking, const struct ag_step *step)
{
    enum ag_entry_kind kind = AG_ENTRY_ABSENT;
    char target[AG_LIMIT_PATH_BYTES] = "", text[3 * AG_LIMIT_PATH_BYTES];
    const char *is = "nothing is there yet";

    if (checking->port->look_at(checking->port, step->path, &kind, NULL) == CS_OK && kind == AG_ENTRY_LINK)
        checking->port->read_link(checking->port, step->path, target, sizeof target, NULL);
    if (kind == AG_ENTRY_LINK && strcmp(target, step->target) == 0)
        is = "a link of ours";
    else if (kind != AG_ENTRY_ABSENT && checking->connector->placement == AG_PLACE_COPIES)
        is = "a file; a push replaces it";
    else if (kind != AG_ENTRY_ABSENT)
        is = "a file that is not ours; the first push keeps it and takes its place";
    snprintf(text, sizeof text, "%s: %s", step->path, is);
    good(checking, file_words[step->file], text);
    if (checking->connector->placement == AG_PLACE_LINKS && kind == AG_ENTRY_ABSENT) {
        snprintf(text, sizeof text, "on a read-only root: ln -s %s %s", step->target, step->path);
        note(checking, "", text);
    }
}

/* The checks of a push, as a push would make them, and nothing else of it. */
static void check_files(struct checking *checking)
{
    const struct ag_material material = {.chain_pem = CS_SLICE_LIT("-"), .key_pem = CS_SLICE_LIT("-")};
    char files[AG_LIMIT_PATH_BYTES];
    const struct ag_install install = {.folder = checking->config->state,
                                       .connector = checking->connector,
                                       .generation = UINT64_MAX,
                                       .previous = installed_generation(checking, files),
                                       .material = &material};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    struct cs_err err = {0};

    if (ag_plan_install(&install, &plan, &err) != CS_OK) {
        bad(checking, "files", err.msg);
        return;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct ag_step *step = &plan->steps[i];
        struct cs_err why = {0};

        if (step->kind == AG_STEP_MAKE_FOLDER) /* from here on a push changes something */
            break;
        if (ag_step_do(checking->port, plan, step, &why) != AG_OK)
            bad(checking,
                step->kind == AG_STEP_CHECK_PLACE  ? "place"
                : step->kind == AG_STEP_CHECK_ROOM ? "room"
                                                   : file_words[step->file],
                why.msg);
        else if (step->kind == AG_STEP_CHECK_ENTRY)
            say_entry(checking, step);
    }
}

static void check_room(struct checking *checking)
{
    uint64_t bytes = 0;
    char text[AG_LIMIT_PATH_BYTES + 64];
    struct cs_err err = {0};

    if (checking->port->room(checking->port, checking->config->state, &bytes, &err) != CS_OK) {
        bad(checking, "room", err.msg);
        return;
    }
    snprintf(text, sizeof text, "%llu KB are free at %s", (unsigned long long)bytes / 1024,
             checking->config->state);
    if (bytes < 256 * 1024)
        bad(checking, "room", text);
    else
        good(checking, "room", text);
}

/* Names that the system does not know would be found by the first push. */
static void check_names(struct checking *checking)
{
    const struct ag_connector *connector = checking->connector;
    struct cs_err err = {0};
    unsigned id;

    if (connector->owner && ag_look_find_user(connector->owner, &id, &err) != CS_OK)
        bad(checking, "owner", err.msg);
    if (connector->group && ag_look_find_group(connector->group, &id, &err) != CS_OK)
        bad(checking, "group", err.msg);
    if (connector->run_as && ag_look_find_user(connector->run_as, &id, &err) != CS_OK)
        bad(checking, "run_as", err.msg);
}

/* ---- the application */

static void on_answer(void *owner, const struct ag_answer *answer)
{
    struct checking *checking = owner;

    checking->answer = *answer;
}

/* Waits for the answer, and says it. */
static void say_answer(struct checking *checking, const char *what, const char *did)
{
    uv_run(checking->loop, UV_RUN_DEFAULT);
    if (checking->answer.verdict == AG_OK)
        good(checking, what, did);
    else
        bad(checking, what, checking->answer.detail);
}

static void check_validate(struct checking *checking)
{
    if (!checking->connector->validate[0]) {
        note(checking, "validate", "not set: nothing asks the application whether it would take the files");
        return;
    }
    ag_application_validate(&checking->application, checking->port, checking->connector, on_answer, checking);
    say_answer(checking, "validate", checking->connector->validate[0]);
}

static void check_reload(struct checking *checking, bool reload)
{
    char files[AG_LIMIT_PATH_BYTES] = "";
    bool any = installed_generation(checking, files) > 0;

    if (checking->connector->reload.kind == AG_RELOAD_NONE) {
        note(checking, "reload", "not set: the application must look at its files by itself");
    } else if (!reload) {
        note(checking, "reload", "not tried; --reload does");
    } else if (checking->connector->reload.kind == AG_RELOAD_HAPROXY && !any) {
        note(checking, "reload", "not tried: nothing is installed that haproxy could be given");
    } else {
        ag_application_reload(&checking->application, checking->port, checking->connector, files, on_answer,
                              checking);
        say_answer(checking, "reload", "done");
    }
}

static void on_seen(void *owner, const struct ag_probe_result *result)
{
    struct checking *checking = owner;

    checking->seen = *result;
    snprintf(checking->why, sizeof checking->why, "%s", result->why ? result->why : "");
}

static void say_served(struct checking *checking)
{
    const struct ag_connector *connector = checking->connector;
    struct cs_digest installed;
    char files[AG_LIMIT_PATH_BYTES], hex[2 * CS_SHA256_BYTES + 1], text[512];
    bool has = installed_generation(checking, files) > 0 &&
               ag_application_leaf(checking->port, connector, files, &installed, NULL) == CS_OK;
    const char *is = !has                                             ? "; nothing of ours is installed yet"
                     : cs_digest_eq(&installed, &checking->seen.leaf) ? ", which is installed"
                                                                      : ", which is not the one installed";

    snprintf(text, sizeof text, "%.200s:%u serves %s%s", connector->probe.host,
             (unsigned)connector->probe.port, cs_hex(cs_digest_slice(&checking->seen.leaf), hex), is);
    if (has && !cs_digest_eq(&installed, &checking->seen.leaf))
        bad(checking, "probe", text);
    else
        good(checking, "probe", text);
}

static void check_probe(struct checking *checking)
{
    const struct ag_connector *connector = checking->connector;
    char text[512];
    struct cs_err err = {0};

    if (!connector->probe.host) {
        note(checking, "probe", "not set: that the files are in place is all that a push can show");
        return;
    }
    if (checking->port->probe(checking->port, &connector->probe, 5000, on_seen, checking, &err) != CS_OK) {
        bad(checking, "probe", err.msg);
        return;
    }
    uv_run(checking->loop, UV_RUN_DEFAULT);
    if (checking->seen.served) {
        say_served(checking);
        return;
    }
    snprintf(text, sizeof text, "%.200s:%u: %s", connector->probe.host, (unsigned)connector->probe.port,
             checking->why);
    bad(checking, "probe", text);
}

unsigned ag_connector_check(uv_loop_t *loop, struct ag_port *port, const struct ag_config *config,
                            const struct ag_connector *connector, bool reload, FILE *out)
{
    struct checking checking = {
        .loop = loop, .port = port, .config = config, .connector = connector, .out = out};

    fprintf(out, "connector %s (%s)\n", connector->name, connector->application);
    check_names(&checking);
    check_files(&checking);
    check_room(&checking);
    check_validate(&checking);
    check_reload(&checking, reload);
    check_probe(&checking);
    return checking.wrong;
}
