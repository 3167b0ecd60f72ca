/* The files of the real machine when the system fails in the middle: what is there stays, nothing half-made
 * does, and what the caller is told is true. */
#include "tests/unit/files_scene.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* ---- a system that fails on demand */

static struct {
    int fsync_errno;  /* of files and folders */
    int fsync_passes; /* before it fails */
    int write_errno, read_errno, close_errno;
    bool writes_nothing, interrupted, short_turns;
    unsigned fsyncs;
} fault;

static void no_faults(void)
{
    memset(&fault, 0, sizeof fault);
}

static int set_up_whole(void **state)
{
    no_faults();
    return set_up(state);
}

static bool interrupts(void)
{
    static unsigned calls;

    errno = EINTR;
    return fault.interrupted && ++calls % 2 == 1;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    fault.fsyncs++;
    if (fault.fsync_errno && fault.fsync_passes-- <= 0) {
        errno = fault.fsync_errno;
        return -1;
    }
    return __real_fsync(fd);
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (fault.writes_nothing)
        return 0;
    if (interrupts())
        return -1;
    if (fault.write_errno) {
        errno = fault.write_errno;
        return -1;
    }
    return __real_write(fd, bytes, fault.short_turns && len > 1 ? 1 : len);
}

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    if (interrupts())
        return -1;
    if (fault.read_errno) {
        errno = fault.read_errno;
        return -1;
    }
    return __real_read(fd, bytes, fault.short_turns && len > 1 ? 1 : len);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int closed = __real_close(fd);

    if (fault.close_errno) {
        errno = fault.close_errno;
        return -1;
    }
    return closed;
}

/* ---- a system that fails */

static void a_sync_that_failed_is_not_tried_again(void **unused CS_UNUSED)
{
    put("%/file", "before");
    fault.fsync_errno = EIO;
    check_code(replace("%/file", "after"), CS_EIO);
    assert_int_equal(fault.fsyncs, 1);
    check_content("%/file", "before");
    assert_false(is_there("%/.file.new"));
    check_code(port->write_file(port, at("%/new"), CS_SLICE_LIT("x"), &plain, &err), CS_EIO);
    assert_false(is_there("%/new"));
    fault.fsync_errno = EINTR; /* nobody knows what it wrote */
    check_code(replace("%/file", "after"), CS_EIO);
    check_content("%/file", "before");
}

static void the_sync_of_a_folder_counts(void **unused CS_UNUSED)
{
    fault.fsync_errno = EINVAL; /* a file system that has none for folders */
    fault.fsync_passes = 1;
    check_ok(replace("%/file", "one"), err);
    fault.fsync_errno = EIO;
    fault.fsync_passes = 1;
    check_code(replace("%/file", "two"), CS_EIO);
    check_says(err, "cannot sync the folder");
    fault.fsync_passes = 0;
    check_code(port->make_folder(port, at("%/folder"), 0700, &err), CS_EIO);
    check_code(port->make_folder(port, at("%/folder"), 0700, &err), CS_EIO);
    check_code(port->sync_folder(port, root, &err), CS_EIO);
    check_code(port->switch_link(port, at("%/link"), "g1", &err), CS_EIO);
    check_code(port->remove_link(port, at("%/file"), &err), CS_EIO);
    check_code(port->remove_folder(port, at("%/folder"), &err), CS_EIO);
    fault.fsync_errno = 0;
    /* That the link is there already says nothing now: it is made anew. */
    struct stat before = stat_of("%/link");

    check_ok(port->switch_link(port, at("%/link"), "g1", &err), err);
    assert_int_not_equal(stat_of("%/link").st_ino, before.st_ino);
}

static void signals_and_short_turns_do_no_harm(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    fault.interrupted = fault.short_turns = true;
    check_ok(replace("%/file", "content"), err);
    check_ok(read_into("%/file", 99, &out), err);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("content"));
    check_ok(port->copy(port, at("%/file"), at("%/copy"), 99, &err), err);
    no_faults();
    check_content("%/copy", "content");
}

static void what_cannot_be_written_leaves_nothing(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    put("%/file", "before");
    fault.writes_nothing = true;
    check_code(replace("%/file", "after"), CS_EIO);
    fault.writes_nothing = false;
    fault.write_errno = ENOSPC;
    check_code(replace("%/file", "after"), CS_EFULL);
    fault.write_errno = 0;
    fault.close_errno = EDQUOT;
    check_code(replace("%/file", "after"), CS_EFULL);
    fault.close_errno = EINTR;
    check_ok(replace("%/other", "after"), err);
    fault.close_errno = 0;
    check_content("%/file", "before");
    assert_false(is_there("%/.file.new"));
    fault.read_errno = EIO;
    check_code(read_into("%/file", 99, &out), CS_EIO);
    assert_int_equal(out.len, 0);
    check_code(port->copy(port, at("%/other"), at("%/file"), 99, &err), CS_EIO);
    fault.read_errno = 0;
    check_content("%/file", "before");
}

/* ---- small and read-only disks, each in a process with mounts of its own */

enum { CANNOT_MOUNT = 77 };

static void in_own_mounts(void (*story)(void))
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("countersign", root, "tmpfs", 0, "size=64k,mode=755") != 0)
            _exit(CANNOT_MOUNT);
        story();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_MOUNT)
        print_message("no file system can be mounted here\n");
    else
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* cmocka's assertions are for the process that runs the tests. */
#define expect(condition)                                                                                    \
    ((condition) ? (void)0                                                                                   \
                 : (fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, err.msg), _exit(1)))

static bool has_content(const char *path, const char *wanted)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    return read_into(path, 99, &out) == CS_OK && cs_slice_eq_str(cs_buf_slice(&out), wanted);
}

static void fill_the_disk(void)
{
    static uint8_t large[128 * 1024];
    const struct cs_slice too_much = CS_SLICE_ARRAY(large);
    uint64_t room = 0;

    expect(replace("%/file", "before") == CS_OK);
    expect(port->room(port, at("%/file"), &room, &err) == CS_OK && room > 0 && room < sizeof large);
    expect(port->replace_file(port, at("%/file"), too_much, &plain, &err) == CS_EFULL);
    expect(port->write_file(port, at("%/new"), too_much, &plain, &err) == CS_EFULL);
    expect(!is_there("%/.file.new") && !is_there("%/new"));
    expect(has_content("%/file", "before"));
    expect(port->write_file(port, at("%/rest"), cs_slice(large, room), &plain, &err) == CS_OK);
    expect(port->room(port, at("%/file"), &room, &err) == CS_OK && room == 0);
    expect(replace("%/file", "after") == CS_EFULL);
    expect(port->copy(port, at("%/file"), at("%/copy"), 99, &err) == CS_EFULL);
    expect(!is_there("%/.file.new") && !is_there("%/.copy.new") && !is_there("%/copy"));
    expect(has_content("%/file", "before"));
}

static void work_read_only(void)
{
    uint64_t room = 1;

    expect(replace("%/file", "before") == CS_OK);
    expect(port->make_folder(port, at("%/folder"), 0755, &err) == CS_OK);
    expect(port->switch_link(port, at("%/link"), "file", &err) == CS_OK);
    expect(mount(NULL, root, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    /* What has nothing to change. */
    expect(port->make_folder(port, at("%/folder"), 0755, &err) == CS_OK);
    expect(port->sync_folder(port, at("%/folder"), &err) == CS_OK);
    expect(port->switch_link(port, at("%/link"), "file", &err) == CS_OK);
    expect(port->remove_link(port, at("%/none"), &err) == CS_OK);
    expect(port->remove_folder(port, at("%/none"), &err) == CS_OK);
    expect(port->check_place(port, at("%/file"), NULL, &err) == CS_OK);
    expect(port->room(port, at("%/file"), &room, &err) == CS_OK && room == 0);
    expect(has_content("%/link", "before"));
    /* What has. */
    expect(replace("%/file", "after") == CS_EDENIED);
    expect(port->write_file(port, at("%/new"), CS_SLICE_LIT("x"), &plain, &err) == CS_EDENIED);
    expect(port->copy(port, at("%/file"), at("%/copy"), 99, &err) == CS_EDENIED);
    expect(port->make_folder(port, at("%/new"), 0755, &err) == CS_EDENIED);
    expect(port->switch_link(port, at("%/link"), "other", &err) == CS_EDENIED);
    expect(port->remove_link(port, at("%/link"), &err) == CS_EDENIED);
    expect(port->remove_folder(port, at("%/folder"), &err) == CS_EDENIED);
    expect(has_content("%/link", "before"));
}

static void says_when_the_disk_is_full(void **unused CS_UNUSED)
{
    in_own_mounts(fill_the_disk);
}

static void a_read_only_disk_is_fine_when_nothing_changes(void **unused CS_UNUSED)
{
    in_own_mounts(work_read_only);
}

#define FAULT(name) cmocka_unit_test_setup_teardown(name, set_up_whole, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT(signals_and_short_turns_do_no_harm),
        FAULT(what_cannot_be_written_leaves_nothing),
        FAULT(says_when_the_disk_is_full),
        FAULT(a_read_only_disk_is_fine_when_nothing_changes),
        /* From here on this process remembers that a sync has failed. */
        FAULT(a_sync_that_failed_is_not_tried_again),
        FAULT(the_sync_of_a_folder_counts),
    };

    return cmocka_run_group_tests_name("posix_faults", tests, NULL, NULL);
}
