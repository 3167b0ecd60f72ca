/* A device whose disk is full, or read-only, before a push or in the middle of it: the agent stays, tells of
 * it, and the push comes to its end once there is room; at no time is there half of anything. In a mount
 * namespace of its own, where there is one to be had. */
#include "tests/support/agent_scene.h"
#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    struct agent_scene agent;
    struct delivery_story *before; /* the push that was installed first; NULL: none */
    char app[96], certificate[160], key[160], filler[128];
};

/* ---- file systems */

static void make_disk(const char *path, const char *size)
{
    char options[64];

    snprintf(options, sizeof options, "mode=0700,size=%s", size);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mount("countersign", path, "tmpfs", MS_NOSUID | MS_NODEV, options), 0);
}

static void set_read_only(const char *path, bool read_only)
{
    assert_int_equal(
        mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0), NULL), 0);
}

/* Up to the last block; then all but `left` bytes are taken. */
static void fill(const char *path, off_t left)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat info;

    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(ftruncate(fd, info.st_size - left), 0);
    close(fd);
}

/* ---- the scene */

/* What the next reloads do. */
static void set_reload(struct scene *s, const char *command, const char *path, int status)
{
    char text[512];

    assert_true(snprintf(text, sizeof text, "#!/bin/sh\n%s%s\necho said >&2\nexit %d\n", command, path,
                         status) < (int)sizeof text);
    agent_scene_write(&s->agent, "reload", text, 0755);
}

/* The application's folder and the agent's state are file systems of their own. */
static void begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    agent_scene_begin(&s->agent);
    snprintf(s->app, sizeof s->app, "%s/app", s->agent.folder);
    snprintf(s->certificate, sizeof s->certificate, "%s/web.pem", s->app);
    snprintf(s->key, sizeof s->key, "%s/web.key", s->app);
    snprintf(s->filler, sizeof s->filler, "%s/filler", s->agent.state);
    make_disk(s->app, "1m");
    make_disk(s->agent.state, "512k");
    set_reload(s, "", "", 0);
    agent_scene_configure(&s->agent, "[connector \"web\"]\ncertificate = %s\nkey = %s\nreload = %s\n",
                          s->certificate, s->key, agent_scene_path(&s->agent, "reload"));
    agent_scene_enrol(&s->agent);
}

static void begin_installed(struct scene *s)
{
    begin(s);
    agent_scene_start(&s->agent);
    agent_scene_install(&s->agent, &s->before);
}

static void end(struct scene *s)
{
    assert_true(agent_scene_is_alive(&s->agent));
    assert_int_equal(agent_scene_kill(&s->agent, SIGTERM), 0);
    if (s->before)
        delivery_free(s->before);
    assert_int_equal(umount2(s->app, MNT_DETACH), 0);
    assert_int_equal(umount2(s->agent.state, MNT_DETACH), 0);
    agent_scene_end(&s->agent);
}

static void check_pair(struct scene *s, const struct delivery_story *story)
{
    struct cs_digest leaf, wanted = agent_scene_leaf(story);
    struct cs_err err = {0};

    if (!agent_scene_pair(s->certificate, s->key, &leaf, &err))
        fail_msg("no whole pair: %s", err.msg);
    assert_true(cs_digest_eq(&leaf, &wanted));
}

/* It says that something could not be written, of an order that is not at its end. */
static void wait_for_trouble(struct scene *s, const struct delivery_story *story)
{
    struct fake_reports reports = {0};

    for (unsigned i = 0; i < 3000 && strcmp(reports.last.verdict, "storage-failed") != 0; i++) {
        usleep(10 * 1000);
        fake_controller_reports(s->agent.controller, agent_scene_order(story), &reports);
    }
    if (reports.last.outcome != countersign_v1_Outcome_OUTCOME_ACCEPTED)
        agent_scene_show_log(&s->agent);
    assert_int_equal(reports.last.outcome, countersign_v1_Outcome_OUTCOME_ACCEPTED);
    assert_string_equal(reports.last.verdict, "storage-failed");
    assert_non_null(strstr(reports.last.detail, "tried again"));
    assert_int_equal(reports.completed + reports.failed + reports.refused, 0);
    assert_true(agent_scene_is_alive(&s->agent));
}

static void wait_for_end(struct scene *s, const struct delivery_story *story, const char *verdict,
                         const char *says)
{
    struct fake_reports reports;

    agent_scene_wait(&s->agent, story, &reports);
    if (strcmp(reports.last.verdict, verdict) != 0 || !strstr(reports.last.detail, says))
        fail_msg("%s: %s", reports.last.verdict, reports.last.detail);
    assert_int_equal(reports.completed, strcmp(verdict, "ok") == 0);
}

/* Whatever was, the next push finds nothing in its way. */
static void check_next(struct scene *s)
{
    struct delivery_story *story;

    set_reload(s, "", "", 0);
    agent_scene_install(&s->agent, &story);
    check_pair(s, story);
    delivery_free(story);
}

/* ---- a read-only root */

static void bake_link(const struct scene *s, const char *leaf, const char *path)
{
    char target[160];

    snprintf(target, sizeof target, "%s/connectors/web/current/%s", s->agent.state, leaf);
    assert_int_equal(symlink(target, path), 0);
}

static struct delivery_story *push_removal(struct scene *s, const struct delivery_story *installed)
{
    struct delivery_story *story = agent_scene_prepare(&s->agent);
    countersign_v1_OrderCore *core = delivery_core(story);
    struct cs_digest digest = cs_sha256(cs_buf_slice(&installed->chain));

    core->action = countersign_v1_Action_ACTION_REMOVE;
    core->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    core->chain_digest.size = core->leaf_spki_digest.size = 0;
    CS_PB_SET(&core->expects, cs_digest_slice(&digest));
    agent_scene_submit(&s->agent, story);
    return story;
}

static void works_on_a_read_only_root_with_links_in_it(void **unused CS_UNUSED)
{
    struct delivery_story *second, *removal;
    struct stat info;
    struct scene s;

    begin(&s);
    bake_link(&s, "chain.pem", s.certificate);
    bake_link(&s, "key.pem", s.key);
    set_read_only(s.app, true);
    agent_scene_start(&s.agent);
    agent_scene_install(&s.agent, &s.before);
    check_pair(&s, s.before);
    agent_scene_install(&s.agent, &second);
    check_pair(&s, second);
    removal = push_removal(&s, second);
    wait_for_end(&s, removal, "ok", "removed");
    /* Links into nothing, which an application takes for no file. */
    assert_int_equal(lstat(s.certificate, &info), 0);
    assert_int_equal(access(s.certificate, F_OK), -1);
    assert_int_equal(access(s.key, F_OK), -1);
    check_next(&s);
    delivery_free(second);
    delivery_free(removal);
    end(&s);
}

static void says_which_links_a_read_only_root_needs(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    char says[400];
    struct scene s;

    begin(&s);
    set_read_only(s.app, true);
    agent_scene_start(&s.agent);
    story = agent_scene_push(&s.agent);
    snprintf(says, sizeof says, "ln -s %s/connectors/web/current/key.pem %s", s.agent.state, s.key);
    wait_for_end(&s, story, "no-room", says);
    snprintf(says, sizeof says, "%s/connectors/web/current", s.agent.state);
    assert_int_equal(access(says, F_OK), -1);
    delivery_free(story);
    set_read_only(s.app, false);
    check_next(&s);
    end(&s);
}

/* As the root of an initramfs: it has no blocks that could be counted. */
static void takes_memory_without_a_bound_for_room(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s);
    assert_int_equal(mount(NULL, s.app, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, "size=0"), 0);
    agent_scene_start(&s.agent);
    check_next(&s);
    end(&s);
}

/* ---- a full disk */

static void refuses_what_it_cannot_write_down(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    fill(s.filler, 0);
    story = agent_scene_push(&s.agent);
    wait_for_end(&s, story, "storage-failed", "No space left");
    check_pair(&s, s.before);
    delivery_free(story);
    assert_int_equal(unlink(s.filler), 0);
    check_next(&s);
    end(&s);
}

static void refuses_what_there_is_no_room_for(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    fill(s.filler, 32 * 1024);
    story = agent_scene_push(&s.agent);
    wait_for_end(&s, story, "no-room", "make room there");
    check_pair(&s, s.before);
    delivery_free(story);
    assert_int_equal(unlink(s.filler), 0);
    check_next(&s);
    end(&s);
}

/* What the reload does in the middle of a push, as an application that logs to the same disk, or a kernel
 * that finds errors. */
static const char fills[] = "cat /dev/zero > ", turns[] = "mount -o remount,ro ";

static void completes_once_there_is_room(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    set_reload(&s, fills, s.filler, 0);
    story = agent_scene_push(&s.agent);
    wait_for_trouble(&s, story);
    check_pair(&s, story);
    assert_int_equal(unlink(s.filler), 0);
    wait_for_end(&s, story, "ok", "installed, reloaded");
    check_pair(&s, story);
    delivery_free(story);
    check_next(&s);
    end(&s);
}

/* What is put back takes its files away: that is room enough to write it down. */
static void puts_back_on_a_full_disk(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    set_reload(&s, fills, s.filler, 1);
    story = agent_scene_push(&s.agent);
    wait_for_end(&s, story, "reload-failed", "status 1: ");
    check_pair(&s, s.before);
    delivery_free(story);
    assert_int_equal(unlink(s.filler), 0);
    check_next(&s);
    end(&s);
}

/* After it the order is ended forwards: its reload is asked once more, and fills the disk once more. */
static void survives_a_kill_on_a_full_disk(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    set_reload(&s, fills, s.filler, 0);
    story = agent_scene_push(&s.agent);
    wait_for_trouble(&s, story);
    agent_scene_kill(&s.agent, SIGKILL);
    check_pair(&s, story);
    agent_scene_start(&s.agent);
    usleep(500 * 1000);
    assert_true(agent_scene_is_alive(&s.agent));
    check_pair(&s, story);
    set_reload(&s, "", "", 0);
    assert_int_equal(unlink(s.filler), 0);
    wait_for_end(&s, story, "ok", "installed, reloaded");
    check_pair(&s, story);
    delivery_free(story);
    check_next(&s);
    end(&s);
}

/* ---- a disk that turns read-only, as one does with errors */

static void completes_once_it_can_be_written(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    set_reload(&s, turns, s.agent.state, 0);
    story = agent_scene_push(&s.agent);
    wait_for_trouble(&s, story);
    check_pair(&s, story);
    set_read_only(s.agent.state, false);
    wait_for_end(&s, story, "ok", "installed, reloaded");
    check_pair(&s, story);
    delivery_free(story);
    check_next(&s);
    end(&s);
}

static void puts_back_once_it_can_be_written(void **unused CS_UNUSED)
{
    struct delivery_story *story;
    struct scene s;

    begin_installed(&s);
    set_reload(&s, turns, s.agent.state, 1);
    story = agent_scene_push(&s.agent);
    wait_for_trouble(&s, story);
    check_pair(&s, story);
    set_reload(&s, "", "", 0);
    set_read_only(s.agent.state, false);
    wait_for_end(&s, story, "reload-failed", "; put back");
    check_pair(&s, s.before);
    delivery_free(story);
    check_next(&s);
    end(&s);
}

static bool can_mount(void)
{
    bool can = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;

    if (!can)
        print_message("no mount namespace is to be had here (%s): skipped\n", strerror(errno));
    return can;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_on_a_read_only_root_with_links_in_it),
        cmocka_unit_test(says_which_links_a_read_only_root_needs),
        cmocka_unit_test(takes_memory_without_a_bound_for_room),
        cmocka_unit_test(refuses_what_it_cannot_write_down),
        cmocka_unit_test(refuses_what_there_is_no_room_for),
        cmocka_unit_test(completes_once_there_is_room),
        cmocka_unit_test(puts_back_on_a_full_disk),
        cmocka_unit_test(survives_a_kill_on_a_full_disk),
        cmocka_unit_test(completes_once_it_can_be_written),
        cmocka_unit_test(puts_back_once_it_can_be_written),
    };

    if (!can_mount())
        return 77;
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
