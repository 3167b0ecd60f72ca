/* Paths to places: the kernel's walk and ours by the same table, and ours where the kernel is not let. */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "agent/port/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];

/* "%" in a path of the tables is the test's folder. */
static const char *in_root(const char *path, char out[512])
{
    if (path[0] == '%')
        snprintf(out, 512, "%s%s", root, path + 1);
    else
        snprintf(out, 512, "%s", path);
    return out;
}

static void make_folder(const char *path, mode_t mode)
{
    char whole[512];

    assert_int_equal(mkdir(in_root(path, whole), 0700), 0);
    assert_int_equal(chmod(whole, mode), 0);
}

static void make_link(const char *path, const char *target)
{
    char whole[512];

    assert_int_equal(symlink(target, in_root(path, whole)), 0);
}

static int set_up(void **unused CS_UNUSED)
{
    char whole[512];

    snprintf(root, sizeof root, "/tmp/countersign-place-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_folder("%/a", 0755);
    make_folder("%/a/b", 0755);
    make_folder("%/a/b/c", 0755);
    make_link("%/a/link", "b");
    make_link("%/a/up", "../a/b");
    make_link("%/a/far", "/etc");
    make_link("%/a/nowhere", "nothing");
    make_link("%/a/loop", "loop");
    assert_int_equal(mkfifo(in_root("%/a/fifo", whole), 0600), 0);
    int fd = open(in_root("%/a/file", whole), O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int tear_down(void **unused CS_UNUSED)
{
    ag_place_walk_by(AG_WALK_KERNEL);
    assert_true(folder_remove(root));
    return 0;
}

/* ---- the walk */

struct walk_case {
    const char *path;
    int code;
    const char *folder, *name; /* where it leads */
    const char *says;
};

static const struct walk_case walks[] = {
    {"%/a/b/x", CS_OK, "%/a/b", "x", NULL},
    {"%/a/b/c", CS_OK, "%/a/b", "c", NULL},
    {"%/a/b/c/", CS_OK, "%/a/b", "c", NULL},
    {"%//a///b//x", CS_OK, "%/a/b", "x", NULL},
    {"//%/a/x", CS_ENOTFOUND, NULL, NULL, "/%"},
    {"%/./a/./b/x", CS_OK, "%/a/b", "x", NULL},
    {"%/a/..x/y", CS_ENOTFOUND, NULL, NULL, "/a/..x"},
    {"%/a/...", CS_OK, "%/a", "...", NULL},
    {"/x", CS_OK, "/", "x", NULL},
    {"///x", CS_OK, "/", "x", NULL},
    /* What is at the end is nobody's business here: */
    {"%/a/link", CS_OK, "%/a", "link", NULL},
    {"%/a/loop", CS_OK, "%/a", "loop", NULL},
    {"%/a/fifo", CS_OK, "%/a", "fifo", NULL},
    {"%/a/file", CS_OK, "%/a", "file", NULL},
    {"/dev/null", CS_OK, "/dev", "null", NULL},
    /* Mount points are passed. */
    {"/proc/sys/kernel/x", CS_OK, "/proc/sys/kernel", "x", NULL},
    /* Links on the way are not. */
    {"%/a/link/x", CS_EDENIED, NULL, NULL, "/a/link is a symbolic link: the agent follows none"},
    {"%/a/link/c/x", CS_EDENIED, NULL, NULL, "/a/link is a symbolic link"},
    {"%/a/link/", CS_OK, "%/a", "link", NULL},
    {"%/a/up/x", CS_EDENIED, NULL, NULL, "name the real path"},
    {"%/a/far/x", CS_EDENIED, NULL, NULL, "/a/far is a symbolic link"},
    {"%/a/nowhere/x", CS_EDENIED, NULL, NULL, "/a/nowhere is a symbolic link"},
    {"%/a/loop/x", CS_EDENIED, NULL, NULL, "/a/loop is a symbolic link"},
    {"/proc/self/x", CS_EDENIED, NULL, NULL, "/proc/self is a symbolic link"},
    /* Neither is what is no folder, or not there. */
    {"%/a/file/x", CS_ENOTFOUND, NULL, NULL, "/a/file is no folder"},
    {"%/a/fifo/x", CS_ENOTFOUND, NULL, NULL, "/a/fifo is no folder"},
    {"/dev/null/x", CS_ENOTFOUND, NULL, NULL, "/dev/null is no folder"},
    {"%/a/not/x", CS_ENOTFOUND, NULL, NULL, "/a/not"},
    {"%/a/not/b/x", CS_ENOTFOUND, NULL, NULL, "/a/not: "},
    /* Texts that are refused. */
    {"", CS_EINVAL, NULL, NULL, "not absolute"},
    {"a/b", CS_EINVAL, NULL, NULL, "not absolute"},
    {"./x", CS_EINVAL, NULL, NULL, "not absolute"},
    {"/", CS_EINVAL, NULL, NULL, "names no file"},
    {"///", CS_EINVAL, NULL, NULL, "names no file"},
    {"%/a/.", CS_EINVAL, NULL, NULL, "names no file"},
    {"%/a/./", CS_EINVAL, NULL, NULL, "names no file"},
    {"%/a/..", CS_EINVAL, NULL, NULL, "\"..\""},
    {"%/a/../", CS_EINVAL, NULL, NULL, "\"..\""},
    {"%/a/b/../x", CS_EINVAL, NULL, NULL, "\"..\""},
    {"/../x", CS_EINVAL, NULL, NULL, "\"..\""},
};

static bool is_same_folder(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void check_walk(const struct walk_case *c)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    char path[512], folder[512];
    struct cs_err err = {0};
    int code = ag_place_open(in_root(c->path, path), &place, &err);

    if (code != c->code)
        fail_msg("%s: '%s' (%s) where '%s' was wanted", path, cs_code_text(code), err.msg,
                 cs_code_text(c->code));
    if (code) {
        assert_int_equal(place.folder, -1);
        check_says(err, c->says);
        return;
    }
    assert_string_equal(place.name, c->name);
    if (!is_same_folder(place.folder, in_root(c->folder, folder)))
        fail_msg("%s does not lead to %s", path, folder);
}

static void check_walks(void)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(walks); i++)
        check_walk(&walks[i]);
}

static void walks_by_the_kernel(void **unused CS_UNUSED)
{
    ag_place_walk_by(AG_WALK_KERNEL);
    check_walks();
    if (ag_place_walk() != AG_WALK_KERNEL)
        print_message("this kernel has no openat2, or may not be asked: only the steps were tested\n");
}

static void walks_by_steps(void **unused CS_UNUSED)
{
    ag_place_walk_by(AG_WALK_STEPS);
    check_walks();
    assert_int_equal(ag_place_walk(), AG_WALK_STEPS);
}

static void refuses_what_is_too_long(void **unused CS_UNUSED)
{
    static const enum ag_walk both[] = {AG_WALK_KERNEL, AG_WALK_STEPS};
    char path[8192], name[300];
    struct ag_place place = AG_PLACE_CLOSED;
    struct cs_err err;

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    for (size_t i = 0; i < CS_ARRAY_LEN(both); i++) {
        ag_place_walk_by(both[i]);
        snprintf(path, sizeof path, "%s/%s", root, name);
        check_code(ag_place_open(path, &place, &err), CS_ETOOBIG);
        snprintf(path, sizeof path, "%s/%s/x", root, name);
        check_code(ag_place_open(path, &place, &err), CS_ETOOBIG);
        snprintf(path, sizeof path, "%s/%s", root, name + 1);
        check_ok(ag_place_open(path, &place, &err), err);
        ag_place_close(&place);
        memset(path, '/', sizeof path);
        path[4095] = 'x';
        path[4096] = '\0';
        check_code(ag_place_open(path, &place, &err), CS_ETOOBIG);
        path[4094] = 'x';
        path[4095] = '\0';
        check_ok(ag_place_open(path, &place, &err), err);
        ag_place_close(&place);
    }
}

static void opens_a_folder_itself(void **unused CS_UNUSED)
{
    static const enum ag_walk both[] = {AG_WALK_KERNEL, AG_WALK_STEPS};
    char path[512];
    struct cs_err err;
    int fd = -1;

    for (size_t i = 0; i < CS_ARRAY_LEN(both); i++) {
        ag_place_walk_by(both[i]);
        check_ok(ag_place_open_folder(in_root("%/a/b/", path), &fd, &err), err);
        assert_true(is_same_folder(fd, path));
        close(fd);
        check_ok(ag_place_open_folder("/", &fd, &err), err);
        assert_true(is_same_folder(fd, "/"));
        close(fd);
        check_code(ag_place_open_folder(in_root("%/a/link", path), &fd, &err), CS_EDENIED);
        check_code(ag_place_open_folder(in_root("%/a/link/", path), &fd, &err), CS_EDENIED);
        check_code(ag_place_open_folder(in_root("%/a/fifo", path), &fd, &err), CS_ENOTFOUND);
        check_code(ag_place_open_folder(in_root("%/a/b/..", path), &fd, &err), CS_EINVAL);
    }
}

static void a_renamed_folder_leads_nowhere_else(void **unused CS_UNUSED)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    char path[512], away[512];
    struct cs_err err;

    make_folder("%/moves", 0755);
    check_ok(ag_place_open(in_root("%/moves/x", path), &place, &err), err);
    assert_int_equal(rename(in_root("%/moves", path), in_root("%/moved", away)), 0);
    make_link("%/moves", "a");
    close(openat(place.folder, place.name, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(access(in_root("%/moved/x", path), F_OK), 0);
    assert_int_equal(access(in_root("%/a/x", path), F_OK), -1);
}

/* ---- where openat2 is not let */

#ifdef SYS_openat2
static bool forbid_openat2(int answer)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {CS_ARRAY_LEN(steps), steps};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

/* Status 77: it cannot be forbidden here. */
static int walk_without_openat2(int answer)
{
    char path[512], folder[512];
    struct ag_place place = AG_PLACE_CLOSED;
    struct cs_err err;

    ag_place_walk_by(AG_WALK_KERNEL);
    if (!forbid_openat2(answer))
        return 77;
    if (ag_place_open(in_root("%/a/b/x", path), &place, &err) != CS_OK ||
        !is_same_folder(place.folder, in_root("%/a/b", folder)))
        return 1;
    if (ag_place_open(in_root("%/a/link/x", path), &place, &err) != CS_EDENIED)
        return 2;
    return ag_place_walk() == AG_WALK_STEPS ? 0 : 3;
}
#endif

static void goes_by_steps_where_the_kernel_may_not(void **unused CS_UNUSED)
{
#ifdef SYS_openat2
    static const int answers[] = {ENOSYS, EPERM};

    for (size_t i = 0; i < CS_ARRAY_LEN(answers); i++) {
        int status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit(walk_without_openat2(answers[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            print_message("no filter of system calls can be set here\n");
            return;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
#endif
}

/* ---- whose folders */

struct owner_case {
    const char *path;
    unsigned uid;
    mode_t mode;
    const char *owner;
    int code;
    const char *says;
};

/* Of the folder %/whose, in which %/whose/in belongs to us. */
static const struct owner_case owned[] = {
    {"%/whose/x", 0, 0755, NULL, CS_OK, NULL},
    {"%/whose/x", 0, 0700, "4711", CS_OK, NULL},
    {"%/whose/x", 0, 0775, NULL, CS_EDENIED, "can be written by others"},
    {"%/whose/x", 0, 0757, NULL, CS_EDENIED, "chmod go-w"},
    {"%/whose/x", 0, 01777, NULL, CS_OK, NULL},
    {"%/whose/x", 4711, 0755, NULL, CS_EDENIED, "belongs to user 4711"},
    {"%/whose/x", 4711, 0755, "4712", CS_EDENIED, "chown it to root or 4712"},
    {"%/whose/x", 4711, 0755, "4711", CS_OK, NULL},
    {"%/whose/x", 4711, 0775, "4711", CS_EDENIED, "can be written by others"},
    {"%/whose/in/x", 4711, 0755, "4711", CS_EDENIED, "/whose belongs to user 4711"},
    {"%/whose/in/x", 0, 01777, "4711", CS_OK, NULL},
    {"%/whose/in/x", 0, 0777, "4711", CS_EDENIED, "/whose can be written by others"},
    {"%/whose/x", 0, 0755, "nobody-has-this-name", CS_ENOTFOUND, "no user"},
    {"%/whose/not/x", 0, 0755, NULL, CS_ENOTFOUND, "no file can be put at"},
    {"%/a/link/x", 0, 0755, NULL, CS_EDENIED, "is a symbolic link"},
    {"%/a/b/../x", 0, 0755, NULL, CS_EINVAL, "\"..\""},
};

static void knows_whose_folders_they_are(void **unused CS_UNUSED)
{
    char path[512], whose[512];

    make_folder("%/whose", 0755);
    make_folder("%/whose/in", 0755);
    in_root("%/whose", whose);
    for (size_t i = 0; i < CS_ARRAY_LEN(owned); i++) {
        const struct owner_case *c = &owned[i];
        struct cs_err err = {0};

        if (c->uid != 0 && geteuid() != 0) {
            print_message("only root can give a folder away: %s is not tested\n", c->says);
            continue;
        }
        assert_int_equal(chown(whose, c->uid ? c->uid : geteuid(), (gid_t)-1), 0);
        assert_int_equal(chmod(whose, c->mode), 0);
        int code = ag_place_check(in_root(c->path, path), c->owner, &err);

        if (code != c->code)
            fail_msg("case %zu, %s: '%s' (%s) where '%s' was wanted", i, path, cs_code_text(code), err.msg,
                     cs_code_text(c->code));
        if (c->says)
            check_says(err, c->says);
        check_code(ag_place_check(path, c->owner, NULL), c->code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_by_the_kernel),
        cmocka_unit_test(walks_by_steps),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(opens_a_folder_itself),
        cmocka_unit_test(a_renamed_folder_leads_nowhere_else),
        cmocka_unit_test(goes_by_steps_where_the_kernel_may_not),
        cmocka_unit_test(knows_whose_folders_they_are),
    };

    return cmocka_run_group_tests_name("place", tests, set_up, tear_down);
}
