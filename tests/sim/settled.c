/* The disk on which a recovery ended: another recovery finds nothing to do, and the next push leaves nothing
 * behind. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

static const struct rig_script good = {NULL, NULL, NULL};

/* ---- what lies about */

struct looking {
    struct sim *sim;
    unsigned temporary, generations, kept; /* what was there before the first push */
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void count(void *data, const char *path, const struct simfs_stat *stat)
{
    struct looking *looking = data;
    const char *name = strrchr(path, '/') + 1;
    uint64_t generation = 0;

    looking->temporary += name[0] == '.' && ends_with(name, ".new");
    looking->kept += stat->kind == 'd' && strncmp(name, "before-", strlen("before-")) == 0;
    looking->generations += stat->kind == 'd' && ag_generation_parse(name, &generation) && generation > 0;
}

static void check_folder(void *data, const char *path, const struct simfs_stat *stat)
{
    struct looking *looking = data;

    if (stat->kind == 'd' && strstr(path, "/connectors") && (stat->mode & 0111) != 0111)
        sim_wrong(looking->sim, "applications of other users cannot pass through %s, which has mode %o", path,
                  stat->mode);
}

static void check_looks(struct sim *sim, const struct simfs_disk *disk)
{
    const struct ag_connector *connector = &sim->connector;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        unsigned mode = ag_file_is_secret((enum ag_file)i) ? connector->key_mode : 0644;
        struct simfs_stat stat;

        if (!connector->paths[i] || !simfs_disk_stat(disk, connector->paths[i], true, &stat))
            continue;
        bool is_secret = ag_file_is_secret((enum ag_file)i);

        if (stat.mode != mode || (is_secret && connector->owner && stat.uid != 77) ||
            (is_secret && connector->group && stat.gid != 77))
            sim_wrong(sim, "%s has mode %o of user %u and group %u", connector->paths[i], stat.mode, stat.uid,
                      stat.gid);
    }
}

/* ---- the next start, the next push */

static void start_again(struct sim *sim, const struct simfs_disk *disk)
{
    struct rig_setting setting = sim_setting(sim, sim->now->story->push, good);
    struct cs_err err = {0};
    struct rig rig = {.questions = 0};

    simfs_mount(disk);
    if (rig_restore(&setting, &err) != CS_OK || rig_on(&rig, &setting, &err) != CS_OK)
        sim_wrong(sim, "the second start fails: %s", err.msg);
    else
        rig_off(&rig);
    if (simfs_changes() > 0)
        sim_wrong(sim, "the second recovery changes the disk");
    if (rig.questions > 0)
        sim_wrong(sim, "the second recovery tells the application");
    simfs_trace_free(simfs_unmount());
}

static void push_again(struct sim *sim, const struct simfs_disk *disk)
{
    enum world_push_name push = sim->now->story->next;
    struct rig_setting setting = sim_setting(sim, push, good);
    struct looking looking = {.sim = sim};
    struct cs_err err = {0};
    struct rig rig;

    simfs_mount(disk);
    sim->loaded = sim->loaded_at_first = (int)served_by(disk, &sim->pairs);
    if (rig_on(&rig, &setting, &err) == CS_OK) {
        if (rig_deliver(&rig, cs_buf_slice(&sim->world.pushes[push].delivery), &err) != CS_OK ||
            rig.told != RIG_COMPLETED)
            sim_wrong(sim, "the next push fails: %s %s %s", err.msg, rig.verdict, rig.detail);
        rig_off(&rig);
    }
    enum served served = served_by(simfs_mounted(), &sim->pairs);

    if (served != SERVED_THIRD)
        sim_wrong(sim, "after the next push the application reads %s", served_words[served]);
    check_looks(sim, simfs_mounted());
    simfs_disk_walk(simfs_mounted(), check_folder, &looking);
    simfs_disk_walk(simfs_mounted(), count, &looking);
    if (looking.temporary > 0)
        sim_wrong(sim, "%u temporary files outlive the next push", looking.temporary);
    /* Of each push that found nothing of ours, for ever: only people take that away. */
    if (looking.kept > (sim_removes(sim->now->story) ? 2 : 1))
        sim_wrong(sim, "%u folders of what was there before outlive the next push", looking.kept);
    if (looking.generations > sim->config.generations_kept)
        sim_wrong(sim, "%u generations outlive the next push", looking.generations);
    simfs_trace_free(simfs_unmount());
}

void sim_check_settled(struct sim *sim, const struct simfs_disk *disk)
{
    enum { TEMPORARY = 4 };
    struct looking looking = {.sim = sim};
    bool is_new;

    seen_at(&sim->ends, simfs_disk_hash(disk) ^ sim->salt, &is_new);
    if (!is_new)
        return;
    sim->figures.settled++;
    simfs_disk_walk(disk, count, &looking);
    if (looking.temporary > TEMPORARY)
        sim_wrong(sim, "%u temporary files after the recovery", looking.temporary);
    start_again(sim, disk);
    push_again(sim, disk);
}
