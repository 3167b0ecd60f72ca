/* Races against the folder of an application: a second process swaps what is on the way and at its end for
 * links that lead outside, 100,000 times, while this one installs as the agent does. Nothing outside may be
 * touched. Two ways of doing it by path, plainly and after a careful look, show that this test would see it.
 */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "agent/port/place.h"
#include "agent/port/posix.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 100000, PATH_BYTES = 160 };

/* What both processes see. */
struct shared {
    atomic_uint tries;
    atomic_bool stop;
};

static char root[64];
static struct shared *shared;

/* "%" is the test's folder; the same text has the same place, so that the swapper prints nothing anew. */
#define AT(name, path)                                                                                       \
    char name[PATH_BYTES];                                                                                   \
    snprintf(name, sizeof name, "%s%s", root, (path) + 1)

/* ---- the scene */

static void put(const char *path, const char *content)
{
    AT(whole, path);
    int fd = open(whole, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static void make(const char *path)
{
    AT(whole, path);
    assert_int_equal(mkdir(whole, 0750), 0);
}

/* Outside has every name that the target has, so that whoever is led there finds something to damage; once
 * for a link in the place of the target's folder, once for one in that of the folder before. */
static void make_scene(void)
{
    static const char *const outside[] = {"%/outside", "%/outside/target"};
    char path[PATH_BYTES];

    snprintf(root, sizeof root, "%s/countersign-races-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < CS_ARRAY_LEN(outside); i++) {
        static const char *const files[] = {"app.pem", ".app.pem.new", "kept", "g1/cert", "victim"};

        make(outside[i]);
        snprintf(path, sizeof path, "%s/g1", outside[i]);
        make(path);
        for (size_t k = 0; k < CS_ARRAY_LEN(files); k++) {
            snprintf(path, sizeof path, "%s/%s", outside[i], files[k]);
            put(path, "outside");
        }
    }
    make("%/way");
    make("%/way/target");
    make("%/way/target/g1");
    put("%/way/target/app.pem", "before");
}

/* Everything that an application or a person could notice of the folder outside; a file that came and went
 * has left its trace in the time of its folder. Not when a second name was made for a file: the swapper does
 * that.
 */
static struct cs_buf picture;

static int add_to_picture(const char *path, const struct stat *info, int kind CS_UNUSED,
                          struct FTW *ftw CS_UNUSED)
{
    char content[64] = "";
    int fd = S_ISREG(info->st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        content[CS_ARRAY_LEN(content) - 1] = '\0';
        if (read(fd, content, sizeof content - 1) < 0)
            content[0] = '?';
        close(fd);
    }
    return cs_buf_printf(&picture, "%s %o %u:%u %lld %lld.%09ld '%s'\n", path, (unsigned)info->st_mode,
                         (unsigned)info->st_uid, (unsigned)info->st_gid,
                         S_ISREG(info->st_mode) ? (long long)info->st_size : 0,
                         (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec, content);
}

static struct cs_buf look_outside(void)
{
    struct cs_buf seen;

    AT(outside, "%/outside");
    picture = CS_BUF_EMPTY;
    assert_int_equal(nftw(outside, add_to_picture, 8, FTW_PHYS), 0);
    seen = picture;
    picture = CS_BUF_EMPTY;
    return seen;
}

static bool is_as_before(struct cs_buf *before)
{
    cs_auto(cs_buf_free) struct cs_buf now = look_outside();

    return cs_slice_eq(cs_buf_slice(&now), cs_buf_slice(before));
}

/* ---- the second process */

struct swap {
    const char *name; /* what is swapped, away and back; NULL: only put there */
    const char *away;
    const char *entry, *leads_to; /* what is put there */
    bool hard;
};

static const struct swap swaps[] = {
    {"%/way/target", "%/way/target.away", "%/way/target", "%/outside", false},
    {"%/way", "%/way.away", "%/way", "%/outside", false},
    {"%/way/target/g1", "%/way/target/g1.away", "%/way/target/g1", "%/outside/g1", false},
    {NULL, NULL, "%/way/target/app.pem", "%/outside/victim", false},
    {NULL, NULL, "%/way/target/app.pem", "%/outside/victim", true},
    {NULL, NULL, "%/way/target/.app.pem.new", "%/outside/victim", false},
    {NULL, NULL, "%/way/target/.app.pem.new", "%/outside/victim", true},
    {NULL, NULL, "%/way/target/.app.pem.new", "%/outside/made-by-a-link", false},
    {NULL, NULL, "%/way/target/.link.new", "%/outside/g1", false},
    {NULL, NULL, "%/way/target/.kept.new", "%/outside/victim", false},
    {NULL, NULL, "%/way/target/kept", "%/outside/victim", true},
    {NULL, NULL, "%/way/target/g1/cert", "%/outside/victim", false},
};

struct ready_swap {
    char name[PATH_BYTES], away[PATH_BYTES], entry[PATH_BYTES], leads_to[PATH_BYTES];
    bool moves, hard;
};

static void get_ready(struct ready_swap ready[CS_ARRAY_LEN(swaps)])
{
    for (size_t i = 0; i < CS_ARRAY_LEN(swaps); i++) {
        const struct swap *swap = &swaps[i];

        ready[i].moves = swap->name;
        ready[i].hard = swap->hard;
        if (swap->name) {
            snprintf(ready[i].name, PATH_BYTES, "%s%s", root, swap->name + 1);
            snprintf(ready[i].away, PATH_BYTES, "%s%s", root, swap->away + 1);
        }
        snprintf(ready[i].entry, PATH_BYTES, "%s%s", root, swap->entry + 1);
        snprintf(ready[i].leads_to, PATH_BYTES, "%s%s", root, swap->leads_to + 1);
    }
}

/* Away with the folder, a link in its place, and back. What this process made there meanwhile makes room. */
static void swap_folder(const struct ready_swap *swap, bool wait)
{
    char file[PATH_BYTES + 8];

    if (rename(swap->name, swap->away) != 0)
        return;
    if (symlink(swap->leads_to, swap->entry) == 0) {
        if (wait)
            sched_yield();
        unlink(swap->entry);
    }
    if (rename(swap->away, swap->name) != 0) {
        snprintf(file, sizeof file, "%s/cert", swap->away);
        unlink(file);
        rmdir(swap->away);
    }
}

/* In the place of what is there; every other time where nothing is. */
static void put_link(const struct ready_swap *swap, bool wait, bool over)
{
    char beside[PATH_BYTES + 8];
    const char *entry = swap->entry;

    if (over) {
        snprintf(beside, sizeof beside, "%s.swap", swap->entry);
        entry = beside;
    }
    if ((swap->hard ? link(swap->leads_to, entry) : symlink(swap->leads_to, entry)) != 0)
        return;
    if (over && rename(beside, swap->entry) != 0)
        unlink(beside);
    if (wait)
        sched_yield();
}

CS_NORETURN static void swap_on(void)
{
    struct ready_swap ready[CS_ARRAY_LEN(swaps)];

    get_ready(ready);
    for (unsigned i = 0; i < TRIES && !atomic_load(&shared->stop); i++) {
        /* The folders, which need the luckiest moment, every other time. */
        const struct ready_swap *swap = &ready[i % 2 ? (i / 2) % 3 : (i / 2) % CS_ARRAY_LEN(swaps)];

        if (swap->moves)
            swap_folder(swap, i % 16 == 1);
        else
            put_link(swap, i % 16 == 0, i % 5 < 3);
        atomic_fetch_add(&shared->tries, 1);
    }
    _exit(0);
}

static pid_t start_swapper(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        swap_on();
    return child;
}

static void end_swapper(pid_t child)
{
    int status = 0;

    atomic_store(&shared->stop, true);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the agent */

struct paths {
    char app[PATH_BYTES], link[PATH_BYTES], kept[PATH_BYTES], folder[PATH_BYTES], cert[PATH_BYTES];
    char target[PATH_BYTES];
};

static void find_paths(struct paths *paths)
{
    snprintf(paths->target, PATH_BYTES, "%s/way/target", root);
    snprintf(paths->app, PATH_BYTES, "%s/way/target/app.pem", root);
    snprintf(paths->link, PATH_BYTES, "%s/way/target/link", root);
    snprintf(paths->kept, PATH_BYTES, "%s/way/target/kept", root);
    snprintf(paths->folder, PATH_BYTES, "%s/way/target/g1", root);
    snprintf(paths->cert, PATH_BYTES, "%s/way/target/g1/cert", root);
}

struct tally {
    unsigned done, refused;
};

static void count(struct tally *tally, int code)
{
    if (code)
        tally->refused++;
    else
        tally->done++;
}

static const struct ag_file_look look = {.mode = 0600};
static const struct cs_slice ours = CS_SLICE_LIT("ours");

static void install(struct ag_port *port, const struct paths *paths, struct tally *tally)
{
    enum ag_entry_kind kind;
    struct cs_err err;

    count(tally, port->replace_file(port, paths->app, ours, &look, &err));
    count(tally, port->remove_folder(port, paths->folder, &err));
    count(tally, port->make_folder(port, paths->folder, 0711, &err));
    count(tally, port->write_file(port, paths->cert, ours, &look, &err));
    count(tally, port->sync_folder(port, paths->folder, &err));
    count(tally, port->switch_link(port, paths->link, tally->done % 2 ? "g1" : "g2", &err));
    count(tally, port->copy(port, paths->app, paths->kept, 100, &err));
    count(tally, port->look_at(port, paths->kept, &kind, &err));
    count(tally, port->copy(port, paths->kept, paths->app, 100, &err));
    count(tally, port->remove_link(port, paths->kept, &err));
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nobody swaps any more: everything works. */
static void check_that_it_works(struct ag_port *port, const struct paths *paths)
{
    cs_auto(cs_buf_free) struct cs_buf content = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(port->replace_file(port, paths->app, ours, &look, &err), err);
    check_ok(port->read_file(port, paths->app, 100, &content, &err), err);
    check_slice(cs_buf_slice(&content), ours);
    check_ok(port->remove_folder(port, paths->folder, &err), err);
    check_ok(port->make_folder(port, paths->folder, 0711, &err), err);
    check_ok(port->switch_link(port, paths->link, "g3", &err), err);
    check_ok(port->remove_link(port, paths->kept, &err), err);
}

static void race(enum ag_walk walk, const char *name)
{
    struct ag_posix *posix = NULL;
    struct paths paths;
    struct tally tally = {0, 0};
    struct cs_err err;
    int64_t begun = now_ms();

    make_scene();
    find_paths(&paths);
    check_ok(ag_posix_new(NULL, &posix, &err), err);
    struct ag_port *port = ag_posix_port(posix);
    cs_auto(cs_buf_free) struct cs_buf before = look_outside();

    ag_place_walk_by(walk);
    pid_t child = start_swapper();

    while (atomic_load(&shared->tries) < TRIES)
        install(port, &paths, &tally);
    end_swapper(child);
    print_message("%s: %u tries in %" PRId64 " ms against %u calls that were done and %u that were refused\n",
                  ag_place_walk() == walk ? name : "steps (this kernel has no openat2)",
                  atomic_load(&shared->tries), now_ms() - begun, tally.done, tally.refused);
    assert_true(is_as_before(&before));
    /* Both had their share: else nothing was shown. */
    assert_true(tally.done > 1000);
    assert_true(tally.refused > 100);
    check_that_it_works(port, &paths);
    assert_true(is_as_before(&before));
    ag_posix_close(posix);
    ag_place_walk_by(AG_WALK_KERNEL);
    assert_true(folder_remove(root));
}

static void nothing_outside_is_touched_by_the_kernels_walk(void **unused CS_UNUSED)
{
    race(AG_WALK_KERNEL, "openat2");
}

static void nothing_outside_is_touched_by_the_walk_in_steps(void **unused CS_UNUSED)
{
    race(AG_WALK_STEPS, "steps");
}

/* ---- how it is not to be done */

static void write_by_path(const char *path, int flags)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd < 0)
        return;
    if (write(fd, "ours", 4) == 4)
        fchmod(fd, 0600);
    close(fd);
}

static void install_plainly(const struct paths *paths)
{
    char beside[PATH_BYTES + 16];

    snprintf(beside, sizeof beside, "%s/.app.pem.new", paths->target);
    write_by_path(beside, O_TRUNC);
    rename(beside, paths->app);
}

static bool has_no_link(const struct paths *paths)
{
    char way[PATH_BYTES];
    struct stat info;

    snprintf(way, sizeof way, "%s/way", root);
    return lstat(way, &info) == 0 && S_ISDIR(info.st_mode) && lstat(paths->target, &info) == 0 &&
           S_ISDIR(info.st_mode);
}

/* Looks at every folder before, and would never open what is there already. */
static void install_after_a_look(const struct paths *paths)
{
    char beside[PATH_BYTES + 16];

    snprintf(beside, sizeof beside, "%s/.app.pem.new", paths->target);
    if (!has_no_link(paths))
        return;
    unlink(beside);
    write_by_path(beside, O_EXCL | O_NOFOLLOW);
    rename(beside, paths->app);
}

static void expect_to_be_caught(const char *name, void (*wrong)(const struct paths *paths))
{
    struct paths paths;
    bool caught = false;

    make_scene();
    find_paths(&paths);
    cs_auto(cs_buf_free) struct cs_buf before = look_outside();
    pid_t child = start_swapper();

    while (!caught && atomic_load(&shared->tries) < TRIES) {
        for (int i = 0; i < 20; i++)
            wrong(&paths);
        caught = !is_as_before(&before);
    }
    unsigned tries = atomic_load(&shared->tries);

    end_swapper(child);
    print_message("%s: %s within %u tries\n", name, caught ? "caught" : "not caught", tries);
    assert_true(caught);
    assert_true(folder_remove(root));
}

static void by_path_is_caught(void **unused CS_UNUSED)
{
    expect_to_be_caught("by path", install_plainly);
}

static void by_path_after_a_look_is_caught(void **unused CS_UNUSED)
{
    expect_to_be_caught("by path after a look", install_after_a_look);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_path_is_caught),
        cmocka_unit_test(by_path_after_a_look_is_caught),
        cmocka_unit_test(nothing_outside_is_touched_by_the_kernels_walk),
        cmocka_unit_test(nothing_outside_is_touched_by_the_walk_in_steps),
    };

    return cmocka_run_group_tests_name("races", tests, NULL, NULL);
}
