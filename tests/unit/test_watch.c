/* Watching folders: what comes together is told once, what is not there is passed over, and everything is
 * closed in the end. */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "agent/port/posix.h"
#include "agent/port/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char folder[64], one[96], two[96];
    uv_loop_t loop;
    struct ag_watch *watch;
    unsigned changes;
    bool watch_again, close_now; /* in on_change */
    struct cs_err err;
};

static void begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    snprintf(s->folder, sizeof s->folder, "/tmp/countersign-watch-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->one, sizeof s->one, "%s/one", s->folder);
    snprintf(s->two, sizeof s->two, "%s/two", s->folder);
    assert_int_equal(mkdir(s->one, 0755), 0);
    assert_int_equal(mkdir(s->two, 0755), 0);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    check_ok(ag_watch_new(&s->loop, &s->watch, &s->err), s->err);
}

static void end(struct scene *s)
{
    ag_watch_close(s->watch);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    assert_true(folder_remove(s->folder));
}

static int watch_both(struct scene *s);

static void on_change(void *owner)
{
    struct scene *s = owner;

    s->changes++;
    if (s->watch_again)
        check_ok(watch_both(s), s->err);
    if (s->close_now)
        ag_watch_close(s->watch);
}

static int watch_both(struct scene *s)
{
    const char *const folders[] = {s->one, s->two};

    return ag_watch_set(s->watch, folders, 2, on_change, s, &s->err);
}

static void on_time(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    uv_stop(timer->loop);
}

static void run_for(struct scene *s, unsigned ms)
{
    uv_timer_t timer;

    uv_timer_init(&s->loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    /* Its end comes one turn later. */
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

/* Until there are as many, 10 s at most; then a little more, in which no other may come. */
static void expect_changes(struct scene *s, unsigned count)
{
    for (unsigned i = 0; i < 500 && s->changes < count; i++)
        run_for(s, 20);
    run_for(s, 160);
    assert_int_equal(s->changes, count);
}

static const char *in(const char *folder, const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s", folder, name);
    return out;
}

static void touch(const char *folder, const char *name)
{
    char path[160];
    int fd = open(in(folder, name, path), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void tells_once_of_what_comes_together(void **unused CS_UNUSED)
{
    struct scene s;
    char name[24];

    begin(&s);
    check_ok(watch_both(&s), s.err);
    run_for(&s, 150);
    assert_int_equal(s.changes, 0);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        touch(i % 2 ? s.one : s.two, name);
    }
    expect_changes(&s, 1);
    end(&s);
}

static void sees_every_kind_of_change(void **unused CS_UNUSED)
{
    struct scene s;
    char a[160], b[160];

    begin(&s);
    touch(s.one, "a");
    check_ok(watch_both(&s), s.err);
    touch(s.one, "a"); /* written */
    expect_changes(&s, 1);
    assert_int_equal(rename(in(s.one, "a", a), in(s.one, "b", b)), 0);
    expect_changes(&s, 2);
    assert_int_equal(chmod(b, 0640), 0);
    expect_changes(&s, 3);
    assert_int_equal(unlink(b), 0);
    expect_changes(&s, 4);
    assert_int_equal(symlink("nowhere", in(s.two, "link", a)), 0);
    expect_changes(&s, 5);
    assert_int_equal(rename(s.two, in(s.folder, "three", b)), 0);
    expect_changes(&s, 6);
    assert_int_equal(rmdir(s.one), 0);
    expect_changes(&s, 7);
    end(&s);
}

static void changes_without_end_are_told_of(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s);
    check_ok(watch_both(&s), s.err);
    for (int i = 0; i < 200 && s.changes < 3; i++) {
        touch(s.one, "busy");
        run_for(&s, 20);
    }
    assert_true(s.changes >= 3);
    end(&s);
}

static void passes_over_what_is_not_there(void **unused CS_UNUSED)
{
    struct scene s;
    char absent[160], link[160], file[160];

    begin(&s);
    assert_int_equal(symlink(s.two, in(s.folder, "link", link)), 0);
    touch(s.folder, "file");
    const char *const folders[] = {
        in(s.folder, "absent", absent), link, in(s.folder, "file", file), "relative", s.one, s.one};

    check_ok(ag_watch_set(s.watch, folders, CS_ARRAY_LEN(folders), on_change, &s, &s.err), s.err);
    touch(s.one, "a");
    expect_changes(&s, 1);
    touch(s.two, "a"); /* behind the link */
    expect_changes(&s, 1);
    /* It is looked for again. */
    assert_int_equal(mkdir(absent, 0755), 0);
    check_ok(ag_watch_set(s.watch, folders, CS_ARRAY_LEN(folders), on_change, &s, &s.err), s.err);
    touch(absent, "a");
    expect_changes(&s, 2);
    end(&s);
}

static void replaces_and_ends(void **unused CS_UNUSED)
{
    struct scene s;
    const char *two;

    begin(&s);
    two = s.two;
    check_ok(watch_both(&s), s.err);
    check_ok(ag_watch_set(s.watch, &two, 1, on_change, &s, &s.err), s.err);
    touch(s.one, "a");
    expect_changes(&s, 0);
    touch(s.two, "a");
    expect_changes(&s, 1);
    touch(s.two, "b");
    check_ok(ag_watch_set(s.watch, NULL, 0, NULL, NULL, &s.err), s.err);
    expect_changes(&s, 1);
    end(&s);
}

static void can_be_set_and_closed_in_its_call(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s);
    s.watch_again = true;
    check_ok(watch_both(&s), s.err);
    for (unsigned i = 1; i <= 3; i++) {
        touch(s.one, "a");
        expect_changes(&s, i);
    }
    s.watch_again = false;
    s.close_now = true;
    touch(s.one, "a");
    uv_run(&s.loop, UV_RUN_DEFAULT); /* ends by itself: nothing is open any more */
    assert_int_equal(s.changes, 4);
    s.watch = NULL;
    end(&s);
}

static void closes_with_a_change_not_told(void **unused CS_UNUSED)
{
    struct scene s;

    begin(&s);
    check_ok(watch_both(&s), s.err);
    touch(s.one, "a");
    run_for(&s, 20);
    ag_watch_close(s.watch);
    ag_watch_close(s.watch); /* still there: its handles are not closed */
    s.watch = NULL;
    end(&s);
    assert_int_equal(s.changes, 0);
}

/* ---- what the system may answer; 0: what it really does */

static int the_answer;

int __real_uv_fs_event_start(uv_fs_event_t *handle, uv_fs_event_cb cb, const char *path, unsigned flags);
int __wrap_uv_fs_event_start(uv_fs_event_t *handle, uv_fs_event_cb cb, const char *path, unsigned flags);
int __wrap_uv_fs_event_start(uv_fs_event_t *handle, uv_fs_event_cb cb, const char *path, unsigned flags)
{
    if (the_answer != 0 && strstr(path, "/two"))
        return the_answer;
    return __real_uv_fs_event_start(handle, cb, path, flags);
}

static const struct {
    int answer, code;
    const char *says;
} answers[] = {
    {UV_ENOENT, CS_OK, NULL},
    {UV_ENOTDIR, CS_OK, NULL},
    {UV_EACCES, CS_OK, NULL},
    {UV_ENOSPC, CS_EFULL, "fs.inotify.max_user_watches"},
    {UV_EMFILE, CS_EFULL, "lets nobody watch more"},
    {UV_ENFILE, CS_EFULL, "lets nobody watch more"},
    {UV_ENOMEM, CS_ENOMEM, "memory"},
    {UV_ENOSYS, CS_EUNSUPPORTED, "no inotify"},
    {UV_EIO, CS_EIO, "cannot watch"},
};

static void says_why_it_cannot_watch(void **unused CS_UNUSED)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(answers); i++) {
        struct scene s;

        begin(&s);
        the_answer = answers[i].answer;
        check_code(watch_both(&s), answers[i].code);
        if (answers[i].says)
            check_says(s.err, answers[i].says);
        the_answer = 0;
        /* The one before it is watched all the same. */
        touch(s.one, "a");
        expect_changes(&s, 1);
        end(&s);
    }
}

static void a_port_without_a_loop_watches_nothing(void **unused CS_UNUSED)
{
    struct ag_posix *posix = NULL;
    struct cs_err err;
    const char *folder = "/tmp";

    check_ok(ag_posix_new(NULL, &posix, &err), err);
    struct ag_port *port = ag_posix_port(posix);

    check_code(port->watch(port, &folder, 1, on_change, NULL, &err), CS_EUNSUPPORTED);
    ag_posix_close(posix);
}

static void a_port_with_a_loop_watches(void **unused CS_UNUSED)
{
    struct scene s;
    struct ag_posix *posix = NULL;
    const char *one;

    begin(&s);
    one = s.one;
    check_ok(ag_posix_new(&s.loop, &posix, &s.err), s.err);
    struct ag_port *port = ag_posix_port(posix);

    check_ok(port->watch(port, &one, 1, on_change, &s, &s.err), s.err);
    touch(s.one, "a");
    expect_changes(&s, 1);
    ag_posix_close(posix);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_once_of_what_comes_together),
        cmocka_unit_test(sees_every_kind_of_change),
        cmocka_unit_test(changes_without_end_are_told_of),
        cmocka_unit_test(passes_over_what_is_not_there),
        cmocka_unit_test(replaces_and_ends),
        cmocka_unit_test(can_be_set_and_closed_in_its_call),
        cmocka_unit_test(closes_with_a_change_not_told),
        cmocka_unit_test(says_why_it_cannot_watch),
        cmocka_unit_test(a_port_without_a_loop_watches_nothing),
        cmocka_unit_test(a_port_with_a_loop_watches),
    };

    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
