/* Commands that mean harm, or are broken as if they did: each time the loop goes on, the next command works,
 * no process is left, and memory stays what it was. */
#include "agent/port/cgroup.h"
#include "tests/support/check.h"
#include "tests/support/port_loop.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Sanitizers and a busy machine are slow; what is meant is that no flood and no bomb stops the loop. */
    LONGEST_GAP_MS = 3000,
    TIMEOUT_MS = 1000,
    GROWTH_KIB = 8 * 1024,
};

/* Where every script begins, and where all that it starts is found: nothing else is there. */
static char folder_of_all[] = "/tmp/cs-hostile-XXXXXX";
static char *own_program;
static bool have_groups;

/* ---- what is left */

static bool is_ours(const char *pid)
{
    char path[300], target[256];

    snprintf(path, sizeof path, "/proc/%s/cwd", pid);
    ssize_t len = readlink(path, target, sizeof target - 1);

    if (len <= 0)
        return false;
    target[len] = '\0';
    return strncmp(target, folder_of_all, strlen(folder_of_all)) == 0;
}

static unsigned count_left(int number)
{
    DIR *folder = opendir("/proc");
    unsigned count = 0;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid > 1 && pid != getpid() && is_ours(entry->d_name)) {
            count++;
            if (number)
                kill((pid_t)pid, number);
        }
    }
    closedir(folder);
    return count;
}

/* The dead may still be on their way out. */
static bool nothing_is_left(void)
{
    for (unsigned i = 0; i < 100; i++) {
        if (count_left(0) == 0)
            return true;
        usleep(10000);
    }
    return false;
}

/* Of what is the process's own: its program's pages come and go as the machine has memory for them. */
static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long size = 0, resident = 0, of_files = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld %ld", &size, &resident, &of_files), 3);
    fclose(file);
    return (resident - of_files) * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- a place for groups */

static bool can_make_groups(void)
{
    struct ag_cgroup group;
    struct cs_err err;

    if (ag_cgroup_enter("/proc/self", AG_LIMIT_COMMAND_PROCESSES, &group, &err) != CS_OK)
        return false;
    assert_int_equal(ag_cgroup_leave(&group, &err), CS_OK);
    ag_cgroup_let_go(&group);
    return true;
}

/* Where this system shows none, a hierarchy of processes in a mount namespace of our own. */
static void find_groups(void)
{
    have_groups = can_make_groups();
    if (have_groups || geteuid() != 0 || unshare(CLONE_NEWNS) != 0)
        return;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("tmp", "/mnt", "tmpfs", 0, NULL) != 0)
        return;
    if (mount("cgroup", "/mnt", "cgroup", 0, "pids") == 0 ||
        mount("cgroup2", "/mnt", "cgroup2", 0, NULL) == 0)
        have_groups = can_make_groups();
}

/* ---- cases */

static int tear_down(void **state)
{
    port_loop_tear_down(state);
    while (count_left(SIGKILL) > 0) /* of a case that failed */
        usleep(1000);
    return 0;
}

static void run_script(struct port_loop *loop, const char *script, uint32_t timeout_ms)
{
    char shell[] = "/bin/sh", option[] = "-c", whole[512];
    char *const argv[] = {shell, option, whole, own_program, NULL};

    snprintf(whole, sizeof whole, "cd %s; %s", folder_of_all, script);
    loop->longest_gap_ms = 0;
    port_loop_run(loop, &(struct ag_command){.argv = argv, .timeout_ms = timeout_ms});
    assert_int_equal(loop->command.unlimited == NULL, have_groups);
    if (loop->longest_gap_ms > LONGEST_GAP_MS)
        fail_msg("the loop stood still for %u ms", (unsigned)loop->longest_gap_ms);
}

static void check_goes_on(struct port_loop *loop)
{
    run_script(loop, "echo fine", 60000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    assert_string_equal(loop->command.output, "fine");
}

/* What a process group does not reach is left where there are no control groups; the test takes it away. */
static void check_nothing_is_left(bool only_in_groups)
{
    if (only_in_groups && !have_groups) {
        count_left(SIGKILL);
        return;
    }
    if (!nothing_is_left())
        fail_msg("%u processes are left", count_left(SIGKILL));
}

struct hostile {
    const char *says, *script;
    int how, status;
    const char *output; /* a part of it, or NULL */
    bool only_in_groups;
};

static void each_is_ended_and_the_next_command_works(void **state)
{
    static const struct hostile cases[] = {
        {"hangs", "echo begin; sleep 100", AG_COMMAND_TIMEOUT, 0, "begin", false},
        {"ignores all signals that can be ignored",
         "trap '' TERM HUP INT QUIT USR1 USR2 ALRM; echo begin; while :; do sleep 100; done",
         AG_COMMAND_TIMEOUT, 0, "begin", false},
        {"stops itself", "echo begin; kill -STOP $$; echo never", AG_COMMAND_TIMEOUT, 0, "begin", false},
        {"kills its own group", "echo begin; kill -KILL 0; sleep 100", AG_COMMAND_KILLED, SIGKILL, "begin",
         false},
        {"hangs with children", "for i in 1 2 3 4 5; do sh -c 'sleep 100; :' & done; echo begin; wait",
         AG_COMMAND_TIMEOUT, 0, "begin", false},
        {"hangs with a grandchild in another session",
         "setsid sh -c 'trap \"\" TERM; sleep 100; :' & echo begin; sleep 100; :", AG_COMMAND_TIMEOUT, 0,
         "begin", true},
        {"hangs with an orphan in another session",
         "sh -c 'setsid sh -c \"sleep 100; :\" & exit'; echo begin; sleep 100; :", AG_COMMAND_TIMEOUT, 0,
         "begin", true},
        {"closes all that it has", "echo begin; exec <&- >&- 2>&-; sleep 100", AG_COMMAND_TIMEOUT, 0, "begin",
         false},
        {"closes all that it has, and ends", "echo begin; exec <&- >&- 2>&-; exit 7", AG_COMMAND_EXITED, 7,
         "begin", false},
        {"floods with lines", "yes 'this is a line'", AG_COMMAND_TIMEOUT, 0, "| this is a line", false},
        {"floods without a line end", "yes 'escape \033[2J' | tr -d '\\n'", AG_COMMAND_TIMEOUT, 0, "escape",
         false},
        {"floods with NULs", "cat /dev/zero", AG_COMMAND_TIMEOUT, 0, NULL, false},
        {"floods with noise", "cat /dev/urandom", AG_COMMAND_TIMEOUT, 0, NULL, false},
        {"floods with base64", "tr '\\000' 'A' < /dev/zero", AG_COMMAND_TIMEOUT, 0, "[...]", false},
        {"floods, and says why at its end", "yes noise | head -c 20000000; echo; echo the reason; exit 4",
         AG_COMMAND_EXITED, 4, "| the reason", false},
        {"waits for input", "read line; echo got: $line; cat; exit 5", AG_COMMAND_EXITED, 5, "got:", false},
        {"wants a terminal", "echo x > /dev/tty || exit 6", AG_COMMAND_EXITED, 6, NULL, false},
    };
    struct port_loop *loop = *state;
    long before = resident_kib(), grown;

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct hostile *hostile = &cases[i];
        bool is_long = hostile->how == AG_COMMAND_EXITED;

        print_message("    %s\n", hostile->says);
        run_script(loop, hostile->script, is_long ? 60000 : TIMEOUT_MS);
        assert_int_equal(loop->command.how, hostile->how);
        assert_int_equal(loop->command.status, hostile->status);
        assert_true(strlen(loop->command.output) < AG_LIMIT_COMMAND_OUTPUT);
        if (hostile->output && !strstr(loop->command.output, hostile->output))
            fail_msg("'%s' does not say '%s'", loop->command.output, hostile->output);
        check_nothing_is_left(hostile->only_in_groups);
        check_goes_on(loop);
    }
    grown = resident_kib() - before;
    print_message("    grew by %ld KiB\n", grown);
    assert_true(grown < GROWTH_KIB);
}

/* A daemon that the command started on purpose keeps the pipe, and stays. */
static void who_is_left_behind_does_not_hold_up_the_result(void **state)
{
    struct port_loop *loop = *state;
    uint64_t before = uv_hrtime();

    run_script(loop, "setsid sh -c 'while :; do echo noise; done; :' & echo begun", 60000);
    assert_true((uv_hrtime() - before) / 1000000 < 20000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    run_script(loop, "setsid sh -c 'sleep 100; :' & echo begun", 60000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    assert_string_equal(loop->command.output, "begun");
    check_goes_on(loop);
    assert_true(count_left(0) > 0);
    while (count_left(SIGKILL) > 0)
        usleep(1000);
    check_nothing_is_left(false);
}

/* Within a limit or not at all: nothing else would end it. Runs as a program of its own. */
static int be_a_bomb(void)
{
    char text[4096];
    FILE *file = fopen("/proc/self/cgroup", "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file)
        fclose(file);
    text[len] = '\0';
    if (!strstr(text, "/countersign-command-"))
        return 1;
    signal(SIGTERM, SIG_IGN);
    printf("begin\n");
    fflush(stdout);
    for (;;)
        if (fork() == 0)
            setsid();
}

static unsigned most_left(struct port_loop *loop, const char *script, uint32_t timeout_ms)
{
    unsigned most = 0, wanted = loop->ended + 1;
    char shell[] = "/bin/sh", option[] = "-c", whole[512];
    char *const argv[] = {shell, option, whole, own_program, NULL};
    struct cs_err err;

    snprintf(whole, sizeof whole, "cd %s; %s", folder_of_all, script);
    loop->longest_gap_ms = 0;
    check_ok(loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = timeout_ms},
                             port_loop_on_command, loop, &err),
             err);
    while (loop->ended < wanted) {
        unsigned now = count_left(0);

        most = now > most ? now : most;
        for (unsigned i = 0; i < 20 && loop->ended < wanted; i++)
            uv_run(&loop->loop, UV_RUN_ONCE);
    }
    return most;
}

static void a_fork_bomb_is_held_and_ended(void **state)
{
    struct port_loop *loop = *state;

    if (!have_groups) {
        print_message("    skipped: this system has no control groups that limit processes\n");
        return;
    }
    unsigned most = most_left(loop, "exec \"$0\" bomb", 6000);

    print_message("    %u processes at most, the loop stood still for %u ms at most\n", most,
                  (unsigned)loop->longest_gap_ms);
    assert_int_equal(loop->command.how, AG_COMMAND_TIMEOUT);
    assert_string_equal(loop->command.output, "begin");
    assert_true(most > 2 && most <= AG_LIMIT_COMMAND_PROCESSES);
    assert_true(loop->longest_gap_ms < LONGEST_GAP_MS);
    check_nothing_is_left(false);
    check_goes_on(loop);
    /* One that hides behind a command that ends at once stays held. */
    run_script(loop, "b() { b & b; }; b 2>/dev/null & exit 0", 60000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    check_goes_on(loop);
    assert_true(count_left(SIGKILL) <= AG_LIMIT_COMMAND_PROCESSES);
    while (count_left(SIGKILL) > 0)
        usleep(1000);
    check_goes_on(loop);
}

static void what_is_given_up_is_ended_with_all_that_it_started(void **state)
{
    struct port_loop *loop = *state;
    char shell[] = "/bin/sh", option[] = "-c";
    char script[256];
    char *const argv[] = {shell, option, script, NULL};
    struct cs_err err;

    snprintf(
        script, sizeof script,
        "cd %s; setsid sh -c 'trap \"\" TERM; sleep 100; :' & trap '' TERM; sleep 100; :", folder_of_all);
    for (unsigned i = 0; i < 5; i++) {
        check_ok(loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = 60000},
                                 port_loop_on_command, loop, &err),
                 err);
        port_loop_end(loop); /* sees that the loop is clean */
        port_loop_begin(loop);
        check_nothing_is_left(true);
    }
}

static void no_group_is_left(void **state)
{
    struct port_loop *loop = *state;
    char path[AG_CGROUP_PATH_BYTES];
    struct ag_cgroup group;
    struct cs_err err;
    struct stat info;

    if (!have_groups)
        return;
    check_goes_on(loop); /* which sweeps */
    check_ok(ag_cgroup_enter("/proc/self", AG_LIMIT_COMMAND_PROCESSES, &group, &err), err);
    memcpy(path, group.path, sizeof path);
    check_ok(ag_cgroup_leave(&group, &err), err);
    assert_int_equal(stat(path, &info), 0);
    while (!ag_cgroup_end(&group))
        usleep(1000);
    assert_int_not_equal(stat(path, &info), 0);
    *strrchr(path, '/') = '\0';
    DIR *folder = opendir(path);

    assert_non_null(folder);
    snprintf(path, sizeof path, "countersign-command-%ld-", (long)getpid());
    for (struct dirent *entry; (entry = readdir(folder));)
        assert_int_not_equal(strncmp(entry->d_name, path, strlen(path)), 0);
    closedir(folder);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, port_loop_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(each_is_ended_and_the_next_command_works),
        CASE(who_is_left_behind_does_not_hold_up_the_result),
        CASE(a_fork_bomb_is_held_and_ended),
        CASE(what_is_given_up_is_ended_with_all_that_it_started),
        CASE(no_group_is_left),
    };

    if (argc == 2 && strcmp(argv[1], "bomb") == 0)
        return be_a_bomb();
    own_program = realpath("/proc/self/exe", NULL);
    if (!own_program || !mkdtemp(folder_of_all))
        return 1;
    find_groups();
    print_message("control groups: %s\n",
                  have_groups ? "yes" : "none here, so what only they do is not seen");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(own_program);
    rmdir(folder_of_all);
    return failed;
}
