/* What people change by hand on a device is told to the controller soon, from wherever the agent is:
 * connected, without a session, in the middle of a push, not running. It is told and never repaired; and told
 * again when it is as it was. */
#include "tests/support/agent_scene.h"
#include "tests/support/check.h"
#include "tests/support/nginx.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 3,
    /* Machines are busy: what is asserted is that it comes, the figure says how soon. */
    LONGEST_MS = 10 * 1000,
};

struct scene {
    struct agent_scene agent;
    struct delivery_story *story;
    char certificate[160], key[160], aside[160], other[160], other_key[160];
    unsigned told;
    double worst_ms;
};

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A pair that no push brought. */
static void write_other_pair(struct scene *s)
{
    struct pki other = pki_issue(NULL, (struct cs_issue){.common_name = "other", .server_auth = true});
    cs_auto(cs_buf_free) struct cs_buf chain = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_chain_write_pem(other.chain, &chain, &err), err);
    check_ok(cs_key_export_pem(other.key, CS_SLICE_EMPTY, &key, &err), err);
    assert_int_equal(cs_buf_append_u8(&chain, 0), CS_OK);
    assert_int_equal(cs_buf_append_u8(&key, 0), CS_OK);
    agent_scene_write(&s->agent, "other.pem", (const char *)chain.ptr, 0644);
    agent_scene_write(&s->agent, "other.key", (const char *)key.ptr, 0600);
    pki_free(&other);
}

static void configure(struct scene *s, const char *agent_keys, const char *reload, const char *placement)
{
    agent_scene_write(&s->agent, "reload", reload, 0755);
    agent_scene_configure(
        &s->agent, "%s[connector \"web\"]\ncertificate = %s\nkey = %s\nreload = %s\nplacement = %s\n",
        agent_keys, s->certificate, s->key, agent_scene_path(&s->agent, "reload"), placement);
}

/* Enrolled, and the first push is installed. */
static void begin(struct scene *s, const char *agent_keys, const char *reload, const char *placement)
{
    memset(s, 0, sizeof *s);
    agent_scene_begin(&s->agent);
    snprintf(s->certificate, sizeof s->certificate, "%s", agent_scene_path(&s->agent, "web.pem"));
    snprintf(s->key, sizeof s->key, "%s", agent_scene_path(&s->agent, "web.key"));
    snprintf(s->aside, sizeof s->aside, "%s", agent_scene_path(&s->agent, "aside"));
    snprintf(s->other, sizeof s->other, "%s", agent_scene_path(&s->agent, "other.pem"));
    snprintf(s->other_key, sizeof s->other_key, "%s", agent_scene_path(&s->agent, "other.key"));
    write_other_pair(s);
    configure(s, agent_keys, reload, placement);
    agent_scene_enrol(&s->agent);
    agent_scene_start(&s->agent);
    agent_scene_install(&s->agent, &s->story);
}

static void end(struct scene *s)
{
    delivery_free(s->story);
    agent_scene_end(&s->agent);
}

/* ---- what the controller hears */

static bool hears(struct scene *s, bool well, const char *says)
{
    countersign_v1_AdvertisedConnector web;
    struct cs_digest pushed = cs_sha256(cs_buf_slice(&s->story->chain));

    if (!fake_controller_advertised(s->agent.controller, "web", &web) || web.generation == 0)
        return false;
    bool same = cs_slice_eq(CS_PB_BYTES(&web.installed_digest), cs_digest_slice(&pushed));

    return well ? same && !web.remark[0] : !same && strstr(web.remark, says) != NULL;
}

/* The worst is kept. */
static void wait_until_heard(struct scene *s, bool well, const char *says)
{
    double begun = now_ms();

    while (!hears(s, well, says)) {
        if (now_ms() - begun > LONGEST_MS) {
            countersign_v1_AdvertisedConnector web = {0};

            agent_scene_show_log(&s->agent);
            (void)fake_controller_advertised(s->agent.controller, "web", &web);
            fail_msg("'%s' was not told, but '%s'", well ? "as it was" : says, web.remark);
        }
        usleep(1000);
    }
    s->told++;
    if (now_ms() - begun > s->worst_ms)
        s->worst_ms = now_ms() - begun;
}

/* ---- what people do, and how they undo it */

static void copy_over(const char *from, const char *to)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = agent_scene_read(from);
    FILE *file = fopen(to, "r+");

    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

static void copy_new(const char *from, const char *to)
{
    FILE *file = fopen(to, "w");

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    copy_over(from, to);
}

static void move_away(struct scene *s)
{
    assert_int_equal(rename(s->certificate, s->aside), 0);
}
static void move_back(struct scene *s)
{
    assert_int_equal(rename(s->aside, s->certificate), 0);
}
static void replace(struct scene *s)
{
    char fresh[170];

    move_away(s);
    snprintf(fresh, sizeof fresh, "%s.new", s->certificate);
    copy_new(s->other, fresh);
    assert_int_equal(rename(fresh, s->certificate), 0);
}
/* Through the link, into the agent's own folder. */
static void edit(struct scene *s)
{
    copy_new(s->certificate, s->aside);
    copy_over(s->other, s->certificate);
}
static void edit_back(struct scene *s)
{
    copy_over(s->aside, s->certificate);
    assert_int_equal(unlink(s->aside), 0);
}
static void edit_key(struct scene *s)
{
    copy_new(s->key, s->aside);
    copy_over(s->other_key, s->key);
}
static void edit_key_back(struct scene *s)
{
    copy_over(s->aside, s->key);
    assert_int_equal(unlink(s->aside), 0);
}
static void scribble(struct scene *s)
{
    copy_new(s->certificate, s->aside);
    FILE *file = fopen(s->certificate, "w");

    assert_non_null(file);
    assert_true(fputs("no certificate", file) >= 0);
    assert_int_equal(fclose(file), 0);
}
static void lead_elsewhere(struct scene *s)
{
    move_away(s);
    assert_int_equal(symlink(s->other, s->certificate), 0);
}
static void lead_nowhere(struct scene *s)
{
    move_away(s);
    assert_int_equal(symlink("/nowhere/at/all", s->certificate), 0);
}

static const struct change {
    const char *what;
    void (*change)(struct scene *s), (*undo)(struct scene *s);
    const char *says;
    bool links_only;
} changes[] = {
    {"the certificate is moved away", move_away, move_back, "a file was removed by hand", false},
    {"another certificate in its place", replace, move_back, "private key does not belong", false},
    {"edited in place", edit, edit_back, "private key does not belong", false},
    {"the key is edited in place", edit_key, edit_key_back, "private key does not belong", false},
    {"no certificate at all", scribble, edit_back, "it has none in it", false},
    {"the link leads elsewhere", lead_elsewhere, move_back, "private key does not belong", true},
    {"the link leads nowhere", lead_nowhere, move_back, "a file was removed by hand", true},
};

/* What somebody did is left as it is. */
static void check_untouched(const struct scene *s, const struct stat *before)
{
    struct stat now;
    bool is_there = lstat(s->certificate, &now) == 0;

    assert_int_equal(is_there, before->st_nlink > 0);
    if (is_there) {
        assert_int_equal(now.st_ino, before->st_ino);
        assert_int_equal(now.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
        assert_int_equal(now.st_ctim.tv_nsec, before->st_ctim.tv_nsec);
    }
}

static void change_and_undo(struct scene *s, const struct change *change)
{
    struct stat before = {.st_nlink = 0};

    change->change(s);
    (void)lstat(s->certificate, &before);
    wait_until_heard(s, false, change->says);
    usleep(50 * 1000);
    check_untouched(s, &before);
    change->undo(s);
    wait_until_heard(s, true, NULL);
}

static void tells_soon(const char *placement)
{
    bool links = strcmp(placement, "links") == 0;
    struct scene s;

    begin(&s, "", "#!/bin/sh\nexit 0\n", placement);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CS_ARRAY_LEN(changes); i++) {
            if (links || !changes[i].links_only)
                change_and_undo(&s, &changes[i]);
        }
    }
    print_message("%s: %u changes by hand, told within %.0f ms at worst\n", placement, s.told, s.worst_ms);
    end(&s);
}

/* ---- the cases */

static void tells_soon_with_links(void **unused CS_UNUSED)
{
    tells_soon("links");
}

static void tells_soon_with_copies(void **unused CS_UNUSED)
{
    tells_soon("copies");
}

static void other_rights_are_no_news(void **unused CS_UNUSED)
{
    countersign_v1_AdvertisedConnector web;
    struct scene s;

    begin(&s, "", "#!/bin/sh\nexit 0\n", "links");
    change_and_undo(&s, &changes[0]);
    assert_int_equal(chmod(s.certificate, 0604), 0);
    assert_int_equal(chmod(s.key, 0604), 0);
    usleep(400 * 1000);
    assert_true(fake_controller_advertised(s.agent.controller, "web", &web));
    assert_true(hears(&s, true, NULL));
    end(&s);
}

static void tells_in_the_next_session(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s, "", "#!/bin/sh\nexit 0\n", "links");
    fake_controller_drop_stream(s.agent.controller);
    usleep(50 * 1000);
    move_away(&s);
    wait_until_heard(&s, false, "a file was removed by hand");
    fake_controller_drop_stream(s.agent.controller);
    usleep(50 * 1000);
    move_back(&s);
    wait_until_heard(&s, true, NULL);
    end(&s);
}

static void tells_when_it_starts(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s, "", "#!/bin/sh\nexit 0\n", "links");
    agent_scene_kill(&s.agent, SIGKILL);
    replace(&s);
    agent_scene_start(&s.agent);
    wait_until_heard(&s, false, "private key does not belong");
    assert_int_equal(agent_scene_kill(&s.agent, SIGTERM), 0);
    move_back(&s);
    agent_scene_start(&s.agent);
    wait_until_heard(&s, true, NULL);
    end(&s);
}

/* By the reload itself, so that it is behind all that the push does, and before its end. */
static void tells_of_what_changed_during_a_push(void **unused CS_UNUSED)
{
    struct fake_reports reports;
    char reload[512];
    struct scene s;

    begin(&s, "", "#!/bin/sh\nexit 0\n", "links");
    snprintf(reload, sizeof reload, "#!/bin/sh\nmv %s %s\nsleep 0.5\n", s.certificate, s.aside);
    agent_scene_write(&s.agent, "reload", reload, 0755);
    delivery_free(s.story);
    s.story = agent_scene_push(&s.agent);
    agent_scene_wait(&s.agent, s.story, &reports);
    assert_int_equal(reports.completed, 1);
    wait_until_heard(&s, false, "a file was removed by hand");
    move_back(&s);
    wait_until_heard(&s, true, NULL);
    end(&s);
}

/* ---- what is served */

static void begin_serving(struct scene *s, struct nginx *nginx)
{
    begin(s, "check = 1s\n", "#!/bin/sh\nexit 0\n", "links");
    nginx_start(nginx, s->agent.folder, s->certificate, s->key);
    assert_int_equal(agent_scene_kill(&s->agent, SIGTERM), 0);
    agent_scene_configure(&s->agent,
                          "check = 1s\n[connector \"web\"]\ncertificate = %s\nkey = %s\n"
                          "reload = signal HUP %s nginx\nprobe = 127.0.0.1:%u\n",
                          s->certificate, s->key, nginx->pid_file, (unsigned)nginx->port);
    agent_scene_start(&s->agent);
    wait_until_heard(s, true, NULL);
}

static void tells_what_is_served_instead(void **unused CS_UNUSED)
{
    struct nginx nginx;
    struct scene s;

    if (!nginx_is_here())
        skip();
    begin_serving(&s, &nginx);
    nginx_serve(&nginx, s.other, s.other_key);
    wait_until_heard(&s, false, "serves another certificate");
    nginx_serve(&nginx, s.certificate, s.key);
    wait_until_heard(&s, true, NULL);
    nginx_stop(&nginx);
    /* What is installed is what was pushed: the digest stays, the remark says it. */
    for (unsigned i = 0; i < LONGEST_MS / 10; i++) {
        countersign_v1_AdvertisedConnector web;

        assert_true(fake_controller_advertised(s.agent.controller, "web", &web));
        if (strstr(web.remark, "does not answer"))
            break;
        assert_true(i + 1 < LONGEST_MS / 10);
        usleep(10 * 1000);
    }
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_soon_with_links),        cmocka_unit_test(tells_soon_with_copies),
        cmocka_unit_test(other_rights_are_no_news),     cmocka_unit_test(tells_in_the_next_session),
        cmocka_unit_test(tells_when_it_starts),         cmocka_unit_test(tells_of_what_changed_during_a_push),
        cmocka_unit_test(tells_what_is_served_instead),
    };

    return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
