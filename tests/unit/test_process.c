/* Commands: what they get, what is told of them, and that the loop is clean whenever they are given up. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/port_loop.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void tells_how_a_command_ended(void **state)
{
    struct port_loop *loop = *state;

    port_loop_shell(loop, "echo out; echo err >&2; exit 3", 5000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    assert_int_equal(loop->command.status, 3);
    assert_string_equal(loop->command.output, "out | err");
    port_loop_shell(loop, "kill -USR1 $$", 5000);
    assert_int_equal(loop->command.how, AG_COMMAND_KILLED);
    assert_int_equal(loop->command.status, SIGUSR1);
    assert_string_equal(loop->command.output, "");
    port_loop_shell(loop, "true", 5000);
    assert_int_equal(loop->command.how, AG_COMMAND_EXITED);
    assert_int_equal(loop->command.status, 0);
}

static void a_command_gets_nothing_of_the_agents(void **state)
{
    struct port_loop *loop = *state;
    int fds[2];

    /* One that an agent inherited, and did not make itself: not closed by an exec. */
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_GETFD), 0);
    ag_posix_close_inherited();
    assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(2, F_GETFD), 0);
    setenv("LD_PRELOAD_NOT", "1", 1);
    port_loop_shell(loop, "env | sort | grep -v -e ^_= -e ^SHLVL= -e ^OLDPWD=", 5000);
    assert_string_equal(
        loop->command.output,
        "HOME=/ | LC_ALL=C | PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin | PWD=/");
    /* 3 is the folder that ls itself opened. */
    port_loop_shell(loop, "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0", 5000);
    assert_string_equal(loop->command.output, "0 1 2 3 /dev/null");
    port_loop_shell(loop, "set -- $(cat /proc/self/stat); echo $(($5 == $6)) $(($6 != $PPID))", 5000);
    assert_string_equal(loop->command.output, "1 1");
    close(fds[0]);
    close(fds[1]);
}

static void a_command_that_cannot_start_says_why(void **state)
{
    struct port_loop *loop = *state;
    char missing[] = "/nonexistent/reload", folder[] = "/etc", shell[] = "/bin/true";
    char *const no_program[] = {missing, NULL}, *const no_file[] = {folder, NULL},
                *const good[] = {shell, NULL};

    port_loop_run(loop, &(struct ag_command){.argv = no_program, .timeout_ms = 1000});
    assert_int_equal(loop->command.how, AG_COMMAND_NOT_STARTED);
    assert_string_equal(loop->command.output,
                        "there is no program /nonexistent/reload on this device, or what runs it is missing");
    port_loop_run(loop, &(struct ag_command){.argv = no_file, .timeout_ms = 1000});
    assert_int_equal(loop->command.how, AG_COMMAND_NOT_STARTED);
    assert_non_null(strstr(loop->command.output, "/etc may not be run: check its mode"));
    port_loop_run(loop, &(struct ag_command){.argv = good, .user = "no-such-user", .timeout_ms = 1000});
    assert_int_equal(loop->command.how, AG_COMMAND_NOT_STARTED);
    assert_string_equal(loop->command.output, "this device has no user \"no-such-user\": create it, or name "
                                              "another in the agent's configuration");
}

static void runs_as_another_user_with_that_users_group_alone(void **state)
{
    struct port_loop *loop = *state;
    const struct passwd *nobody = getpwnam("nobody");
    char shell[] = "/bin/sh", option[] = "-c", script[] = "id -u; id -g; id -G";
    char *const argv[] = {shell, option, script, NULL};
    const gid_t groups[] = {0, 4};
    char wanted[64], number[16];
    struct stat root;

    if (geteuid() != 0 || !nobody) {
        print_message("    skipped: only root can run commands as somebody else\n");
        return;
    }
    if (stat("/", &root) != 0 || !(root.st_mode & S_IXOTH)) {
        print_message("    skipped: nobody else can come to / here, as in a folder that is root's alone\n");
        return;
    }
    assert_int_equal(setgroups(2, groups), 0);
    snprintf(wanted, sizeof wanted, "%u | %u | %u", nobody->pw_uid, nobody->pw_gid, nobody->pw_gid);
    snprintf(number, sizeof number, "%u", nobody->pw_uid);
    port_loop_run(loop, &(struct ag_command){.argv = argv, .user = "nobody", .timeout_ms = 5000});
    assert_string_equal(loop->command.output, wanted);
    port_loop_run(loop, &(struct ag_command){.argv = argv, .user = number, .timeout_ms = 5000});
    assert_string_equal(loop->command.output, wanted);
}

/* As `service NAME restart` does: what it started is not ended by its own first words, nor made to wait. */
static void a_service_that_is_left_behind_may_go_on_talking(void **state)
{
    struct port_loop *loop = *state;
    char folder[] = "/tmp/countersign-left-XXXXXX", script[256], file[64];

    assert_non_null(mkdtemp(folder));
    snprintf(script, sizeof script,
             "(sleep 0.3; echo hello; head -c 300000 /dev/zero; echo again; touch %s/lives) & echo started",
             folder);
    snprintf(file, sizeof file, "%s/lives", folder);
    port_loop_shell(loop, script, 5000);
    assert_string_equal(loop->command.output, "started");
    for (int i = 0; i < 50 && access(file, F_OK) != 0; i++)
        port_loop_wait(loop, 100);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void one_thing_at_a_time(void **state)
{
    struct port_loop *loop = *state;
    struct ag_port *port = loop->port;
    char sleep[] = "/bin/sleep", long_time[] = "100";
    char *const argv[] = {sleep, long_time, NULL};
    const struct ag_command command = {.argv = argv, .timeout_ms = 60000};
    const struct ag_talk talk = {.address = "/nonexistent/socket", .timeout_ms = 1000};
    char host[] = "127.0.0.1";
    const struct ag_probe probe = {.host = host, .port = 1};
    struct cs_err err;

    check_ok(port->run(port, &command, port_loop_on_command, loop, &err), err);
    check_code(port->run(port, &command, port_loop_on_command, loop, &err), CS_EBUSY);
    check_code(port->talk(port, &talk, port_loop_on_talk, loop, &err), CS_EBUSY);
    check_code(port->probe(port, &probe, 1000, port_loop_on_probe, loop, &err), CS_EBUSY);
    check_code(port->wait(port, 1, port_loop_on_wait, loop, &err), CS_EBUSY);
    port->stop(port);
    port->stop(port);
    /* The next need not wait until the last is gone. */
    port_loop_wait(loop, 1);
    port_loop_shell(loop, "echo again", 5000);
    assert_string_equal(loop->command.output, "again");
}

static void begin_next(void *owner, const struct ag_command_result *result CS_UNUSED)
{
    struct port_loop *loop = owner;
    struct cs_err err;

    check_ok(loop->port->wait(loop->port, 1, port_loop_on_wait, loop, &err), err);
}

static void the_next_can_begin_where_the_last_is_told(void **state)
{
    struct port_loop *loop = *state;
    char program[] = "/bin/true";
    char *const argv[] = {program, NULL};
    struct cs_err err;

    check_ok(loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = 5000}, begin_next,
                             loop, &err),
             err);
    port_loop_until(loop, 1);
}

static void waits_as_long_as_it_was_asked(void **state)
{
    struct port_loop *loop = *state;
    int64_t before = loop->port->ticks_ms(loop->port);

    port_loop_wait(loop, 60);
    int64_t took = loop->port->ticks_ms(loop->port) - before;

    assert_true(took >= 59 && took < 2000);
}

/* port_loop_tear_down() sees that the loop is clean and that no end was told. */
static void can_be_given_up_at_any_moment(void **state)
{
    struct port_loop *loop = *state;
    char shell[] = "/bin/sh", option[] = "-c", script[] = "echo a; sleep 0.01; echo b";
    char *const argv[] = {shell, option, script, NULL};
    struct cs_err err;
    unsigned told = loop->ended;

    for (unsigned turns = 0; turns < 12 && loop->ended == told; turns++) {
        check_ok(loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = 5000},
                                 port_loop_on_command, loop, &err),
                 err);
        for (unsigned i = 0; i < turns; i++)
            uv_run(&loop->loop, UV_RUN_ONCE);
        loop->port->stop(loop->port);
        told = loop->ended;
    }
    check_ok(loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = 5000},
                             port_loop_on_command, loop, &err),
             err);
}

static void run_without_memory(void *data)
{
    struct port_loop *loop = data;
    char program[] = "/bin/echo", word[] = "hello";
    char *const argv[] = {program, word, NULL};
    struct cs_err err;
    int code = loop->port->run(loop->port, &(struct ag_command){.argv = argv, .timeout_ms = 5000},
                               port_loop_on_command, loop, &err);

    if (code) {
        assert_int_equal(code, CS_ENOMEM);
        assert_true(alloc_fail_happened());
        return;
    }
    port_loop_until(loop, loop->ended + 1);
    if (!alloc_fail_happened())
        assert_string_equal(loop->command.output, "hello");
}

static void wait_without_memory(void *data)
{
    struct port_loop *loop = data;
    struct cs_err err;
    int code = loop->port->wait(loop->port, 1, port_loop_on_wait, loop, &err);

    if (code)
        assert_int_equal(code, CS_ENOMEM);
    else
        port_loop_until(loop, loop->ended + 1);
}

static void survives_every_allocation_that_fails(void **state)
{
    struct port_loop *loop = *state;

    run_without_memory(loop); /* libuv's own tables have their size now */
    assert_true(alloc_fail_run(run_without_memory, loop) > 0);
    assert_int_equal(alloc_fail_run(wait_without_memory, loop), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, port_loop_set_up, port_loop_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(tells_how_a_command_ended),
        CASE(a_command_gets_nothing_of_the_agents),
        CASE(a_command_that_cannot_start_says_why),
        CASE(runs_as_another_user_with_that_users_group_alone),
        CASE(a_service_that_is_left_behind_may_go_on_talking),
        CASE(one_thing_at_a_time),
        CASE(the_next_can_begin_where_the_last_is_told),
        CASE(waits_as_long_as_it_was_asked),
        CASE(can_be_given_up_at_any_moment),
        CASE(survives_every_allocation_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
