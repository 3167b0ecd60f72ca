/* Where groups for commands are found and made, seen on folders that look as the kernel's do: their files
 * take what is written and do nothing. test_hostile_commands.c has the kernel's own. */
#include "agent/core/limits.h"
#include "agent/port/cgroup.h"

#include "tests/support/check.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char top[64], proc[96], mount[96];
};

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void check_file(const char *folder, const char *name, const char *wanted)
{
    char path[512], text[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");

    if (!file)
        fail_msg("there is no %s", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, wanted);
}

static char *make_group(const struct scene *scene, const char *below, char *out)
{
    snprintf(out, 256, "%s%s", scene->mount, below);
    mkdir(out, 0755);
    write_file(out, "cgroup.procs", "");
    return out;
}

static void set_proc(struct scene *scene, const char *own, const char *mounts)
{
    char text[1024];

    const char *here = strstr(mounts, "%s");

    assert_non_null(here);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(here - mounts), mounts, scene->mount, here + 2);
    write_file(scene->proc, "cgroup", own);
    write_file(scene->proc, "mountinfo", text);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    if (!scene)
        return -1;
    memcpy(scene->top, "/tmp/cs-cgroup-XXXXXX", sizeof "/tmp/cs-cgroup-XXXXXX");
    assert_non_null(mkdtemp(scene->top));
    snprintf(scene->proc, sizeof scene->proc, "%s/proc", scene->top);
    snprintf(scene->mount, sizeof scene->mount, "%s/mount", scene->top);
    assert_int_equal(mkdir(scene->proc, 0755), 0);
    assert_int_equal(mkdir(scene->mount, 0755), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    assert_true(folder_remove(scene->top));
    free(scene);
    return 0;
}

static const char v2_mounts[] = "25 1 0:23 / / rw - ext4 /dev/sda rw\n"
                                "31 25 0:28 / %s rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
                  v1_mounts[] = "32 31 0:29 / /nonexistent rw - cgroup cgroup rw,cpu,cpuacct\n"
                                "39 31 0:36 / %s rw,relatime - cgroup cgroup rw,pids\n";

/* The fakes make no cgroup.procs in a new folder, as the kernel does: entering must fail there, tidily. */
static void check_refused(const struct scene *scene, const char *says)
{
    struct ag_cgroup group;
    struct cs_err err;

    assert_int_not_equal(ag_cgroup_enter(scene->proc, AG_LIMIT_COMMAND_PROCESSES, &group, &err), CS_OK);
    check_says(err, says);
    assert_string_equal(group.path, "");
}

static void without_control_groups_it_says_so(void **state)
{
    struct scene *scene = *state;

    check_refused(scene, "no control groups here that limit processes");
    set_proc(scene, "0::/\n", "25 1 0:23 / %s rw - ext4 /dev/sda rw\n");
    check_refused(scene, "no control groups here");
    /* Outside of what this process may see. */
    make_group(scene, "", (char[256]){0});
    set_proc(scene, "0::/../other\n", v2_mounts);
    check_refused(scene, "no control groups here");
    set_proc(scene, "nonsense\n::\n\n9:pids\n", "nonsense\n1 2 3\n\n1 2 3 4 5 - \n1 2 3 4 5 - cgroup2\n%s");
    check_refused(scene, "no control groups here");
}

static void v2_without_delegation_is_refused(void **state)
{
    struct scene *scene = *state;
    char group[256];

    make_group(scene, "/agent.service", group);
    write_file(group, "cgroup.controllers", "cpu memory\n");
    set_proc(scene, "0::/agent.service\n", v2_mounts);
    check_refused(scene, "agent.service cannot limit processes: the service manager must delegate");
}

static void v2_moves_the_agent_to_a_place_of_its_own(void **state)
{
    struct scene *scene = *state;
    char group[256], place[300];
    struct stat info;

    make_group(scene, "/agent.service", group);
    write_file(group, "cgroup.controllers", "cpu memory pids\n");
    write_file(group, "cgroup.events", "populated 1\n");
    write_file(group, "cgroup.subtree_control", "");
    set_proc(scene, "0::/agent.service\n", v2_mounts);
    snprintf(place, sizeof place, "%s/countersign-agent", group);
    assert_int_equal(mkdir(place, 0755), 0);
    write_file(place, "cgroup.procs", "");
    check_refused(scene, "making a group for a command in");
    check_file(place, "cgroup.procs", "0");
    check_file(group, "cgroup.subtree_control", "+pids");
    /* With somebody else in it the agent goes back, and turns nothing on. */
    write_file(place, "cgroup.procs", "");
    write_file(group, "cgroup.subtree_control", "");
    write_file(group, "cgroup.procs", "4711\n");
    check_refused(scene, "making a place for the agent alone in");
    check_file(place, "cgroup.procs", "0");
    check_file(group, "cgroup.procs", "0711\n");
    check_file(group, "cgroup.subtree_control", "");
    assert_int_equal(stat(place, &info), 0);
}

static void v2_finds_the_place_that_a_service_manager_made(void **state)
{
    struct scene *scene = *state;
    char group[256], place[256];

    make_group(scene, "/agent.service", group);
    write_file(group, "cgroup.controllers", "pids\n");
    write_file(group, "cgroup.subtree_control", "pids\n");
    make_group(scene, "/agent.service/countersign-agent", place);
    set_proc(scene, "12:memory:/x\n0::/agent.service/countersign-agent\n", v2_mounts);
    check_refused(scene, "agent.service: ");
    check_file(group, "cgroup.subtree_control", "pids\n");
    check_file(place, "cgroup.procs", "");
}

static void the_root_of_v2_needs_no_moving(void **state)
{
    struct scene *scene = *state;
    char group[256];

    make_group(scene, "", group);
    write_file(group, "cgroup.controllers", "cpu pids\n");
    write_file(group, "cgroup.subtree_control", "cpu\n");
    set_proc(scene, "0::/\n", v2_mounts);
    check_refused(scene, "making a group for a command in");
    check_file(group, "cgroup.subtree_control", "+pids");
    check_file(group, "cgroup.procs", "");
}

static void v1_is_found_below_a_container_s_root_and_through_blanks(void **state)
{
    struct scene *scene = *state;
    char folder[256];

    make_group(scene, "/a b", folder);
    make_group(scene, "/a b/deep", folder);
    set_proc(scene, "0::/\n9:cpu,pids:/docker/1234/deep\n",
             "39 31 0:36 /docker/1234 %s/a\\040b rw,relatime - cgroup cgroup rw,cpu,pids\n");
    check_refused(scene, "a b/deep: ");
    /* Another container's. */
    set_proc(scene, "9:cpu,pids:/docker/12345/deep\n",
             "39 31 0:36 /docker/1234 %s/a\\040b rw,relatime - cgroup cgroup rw,cpu,pids\n");
    check_refused(scene, "no control groups here");
    make_group(scene, "", folder);
    set_proc(scene, "9:pids:/\n", v1_mounts);
    check_refused(scene, "making a group for a command in");
}

static void sweeps_what_nobody_needs_any_more(void **state)
{
    struct scene *scene = *state;
    char folder[256], own[300], dead[300], others[300];
    struct stat info;

    make_group(scene, "", folder);
    set_proc(scene, "9:pids:/\n", v1_mounts);
    snprintf(own, sizeof own, "%s/countersign-command-%ld-1", folder, (long)getpid());
    snprintf(dead, sizeof dead, "%s/countersign-command-999999999-1", folder);
    snprintf(others, sizeof others, "%s/countersign-command-1-1", folder);
    assert_int_equal(mkdir(own, 0755) | mkdir(dead, 0755) | mkdir(others, 0755), 0);
    check_refused(scene, "making a group for a command in");
    assert_int_not_equal(stat(own, &info), 0);
    assert_int_not_equal(stat(dead, &info), 0);
    assert_int_equal(stat(others, &info), 0);
}

/* Nothing listed may be killed but processes: not this one, not all of them. */
static void ends_only_what_is_a_process_of_the_group(void **state)
{
    struct scene *scene = *state;
    struct ag_cgroup group = {.path = ""};
    char folder[256], text[4096], limit[300];
    size_t len = 0;

    make_group(scene, "/group", folder);
    write_file(folder, "pids.max", "128\n");
    for (unsigned i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "0\n1\n%ld\n-1\n", (long)getpid());
    write_file(folder, "cgroup.procs", text);
    memcpy(group.path, folder, sizeof folder);
    assert_false(ag_cgroup_end(&group));
    check_file(folder, "pids.max", "028\n");
    snprintf(limit, sizeof limit, "%s/pids.max", folder);
    assert_int_equal(unlink(limit), 0);
    write_file(folder, "cgroup.procs", "");
    assert_false(ag_cgroup_end(&group)); /* these files stay, and so the folder */
    assert_true(folder_remove(folder));
    assert_true(ag_cgroup_end(&group));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(without_control_groups_it_says_so),
        CASE(v2_without_delegation_is_refused),
        CASE(v2_moves_the_agent_to_a_place_of_its_own),
        CASE(v2_finds_the_place_that_a_service_manager_made),
        CASE(the_root_of_v2_needs_no_moving),
        CASE(v1_is_found_below_a_container_s_root_and_through_blanks),
        CASE(sweeps_what_nobody_needs_any_more),
        CASE(ends_only_what_is_a_process_of_the_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
