/* A signal goes to the process that a pid file names, if it is the program, and to nobody else. */
#include "agent/port/pid_file.h"

#include "tests/support/check.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    char folder[64], file[96];
    pid_t child;
};

/* A child that waits to be killed, named as an application. */
static pid_t start_child(const char *name)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_NAME, name);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void set_file(const struct scene *scene, const char *text)
{
    FILE *file = fopen(scene->file, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set_pid(const struct scene *scene, const char *format, long pid)
{
    char text[64];
    const char *here = strstr(format, "%");

    snprintf(text, sizeof text, "%.*s%ld%s", (int)(here - format), format, pid, here + 1);
    set_file(scene, text);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    if (!scene)
        return -1;
    memcpy(scene->folder, "/tmp/cs-pid-XXXXXX", sizeof "/tmp/cs-pid-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->file, sizeof scene->file, "%s/app.pid", scene->folder);
    scene->child = start_child("application");
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    if (scene->child) {
        kill(scene->child, SIGKILL);
        waitpid(scene->child, NULL, 0);
    }
    assert_true(folder_remove(scene->folder));
    free(scene);
    return 0;
}

static void check_got(struct scene *scene, int number)
{
    int status;

    assert_int_equal(waitpid(scene->child, &status, 0), scene->child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
    scene->child = 0;
}

static void signals_the_process_that_the_file_names(void **state)
{
    static const char *const formats[] = {"%", "%\n", "         %\n", "\t% \r\n", "%\n/var/lib/data\n5432\n"};
    struct scene *scene = *state;
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(formats); i++) {
        if (!scene->child)
            scene->child = start_child("application");
        set_pid(scene, formats[i], scene->child);
        check_ok(ag_pid_file_signal(scene->file, "application", SIGHUP, &err), err);
        check_got(scene, SIGHUP);
    }
}

/* The kernel cuts a name, and its executable may be the only one to have all of it. */
static void knows_a_program_by_its_short_name_and_by_its_executable(void **state)
{
    struct scene *scene = *state;
    struct cs_err err;
    char own[512];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);

    assert_true(len > 0);
    own[len] = '\0';
    set_pid(scene, "%\n", scene->child);
    check_ok(ag_pid_file_signal(scene->file, strrchr(own, '/') + 1, SIGUSR1, &err), err);
    check_got(scene, SIGUSR1);
    scene->child = start_child("a-very-long-name-of-a-daemon");
    set_pid(scene, "%\n", scene->child);
    check_code(ag_pid_file_signal(scene->file, "a-very-long-nam", SIGUSR2, &err), CS_OK);
    check_got(scene, SIGUSR2);
    scene->child = start_child("a-very-long-name-of-a-daemon");
    set_pid(scene, "%\n", scene->child);
    check_ok(ag_pid_file_signal(scene->file, "a-very-long-name-of-a-daemon", SIGUSR2, &err), err);
    check_got(scene, SIGUSR2);
}

static void refuses_a_process_of_another_program(void **state)
{
    struct scene *scene = *state;
    struct cs_err err;

    set_pid(scene, "%\n", scene->child);
    check_code(ag_pid_file_signal(scene->file, "nginx", SIGKILL, &err), CS_EDENIED);
    check_says(err, "which is application and not nginx");
    check_code(ag_pid_file_signal(scene->file, "applicatio", SIGKILL, &err), CS_EDENIED);
    check_code(ag_pid_file_signal(scene->file, "", SIGKILL, &err), CS_EDENIED);
    assert_int_equal(waitpid(scene->child, NULL, WNOHANG), 0);
}

static void refuses_what_is_no_pid_file(void **state)
{
    static const char *const texts[] = {
        "",      "\n",    "0\n",  "1\n",    "-1\n",          "-4711\n",     "x\n",
        "12x\n", "1 2\n", "+5\n", "0x10\n", "99999999999\n", "4294967298\n"};
    struct scene *scene = *state;
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(texts); i++) {
        set_file(scene, texts[i]);
        check_code(ag_pid_file_signal(scene->file, "application", SIGKILL, &err), CS_EPARSE);
        check_says(err, "is no pid file");
    }
    check_code(ag_pid_file_signal(scene->folder, "application", SIGKILL, &err), CS_EPARSE);
    assert_int_equal(unlink(scene->file), 0);
    assert_int_equal(mkfifo(scene->file, 0600), 0);
    check_code(ag_pid_file_signal(scene->file, "application", SIGKILL, &err), CS_EPARSE);
    check_code(ag_pid_file_signal("/dev/zero", "application", SIGKILL, &err), CS_EPARSE);
}

static void says_that_there_is_no_file_or_no_process(void **state)
{
    struct scene *scene = *state;
    pid_t gone = scene->child;
    struct cs_err err;

    check_code(ag_pid_file_signal(scene->file, "application", SIGHUP, &err), CS_ENOTFOUND);
    check_says(err, "there is no pid file");
    kill(scene->child, SIGKILL);
    check_got(scene, SIGKILL);
    set_pid(scene, "%\n", gone);
    check_code(ag_pid_file_signal(scene->file, "application", SIGHUP, &err), CS_ENOTFOUND);
    check_says(err, "and there is none: is the application running?");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(signals_the_process_that_the_file_names),
        CASE(knows_a_program_by_its_short_name_and_by_its_executable),
        CASE(refuses_a_process_of_another_program),
        CASE(refuses_what_is_no_pid_file),
        CASE(says_that_there_is_no_file_or_no_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
