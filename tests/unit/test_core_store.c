/* The core on a real store, killed in the middle of its work: what was acknowledged is there, and what is
 * there is whole. */
#include "tests/support/check.h"

#include "controller/store/store.h"
#include "tests/support/control_random.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 25 };

static uint64_t seed = 42;

static unsigned roll(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

struct writes {
    struct ctl_store *store;
    struct ctl_write *list;
    size_t count, capacity;
};

static void collect(void *data, struct cs_slice key, struct cs_slice value)
{
    struct writes *writes = data;

    if (writes->count == writes->capacity) {
        writes->capacity = writes->capacity ? 2 * writes->capacity : 64;
        writes->list = realloc(writes->list, writes->capacity * sizeof *writes->list);
        cs_assert(writes->list);
    }
    writes->list[writes->count++] = (struct ctl_write){key, value};
}

static void commit(void *data, struct ctl_view *view)
{
    struct writes *writes = data;
    struct cs_err err;

    writes->count = 0;
    if (ctl_view_writes(view, collect, writes) != 0)
        cs_assert(ctl_store_commit(writes->store, writes->list, writes->count, &err) == CS_OK);
}

/* The child: random commands for as long as it lives; says each revision once it is durable. */
static CS_NORETURN void work(const char *folder, int report_fd)
{
    struct control *c = malloc(sizeof *c);
    struct writes writes = {0};
    struct cs_err err;
    uint64_t first;

    cs_assert(c && ctl_store_open(folder, 0, &writes.store, &err) == CS_OK);
    /* What the start writes has to be in the store, too: the map is copied there as a whole. */
    control_random_start(c);
    for (size_t i = 0; i < c->store.count; i++) {
        struct cs_slice value = cs_buf_slice(&c->store.pairs[i].value);

        collect(&writes, cs_buf_slice(&c->store.pairs[i].key), value.len ? value : CS_SLICE_LIT(""));
    }
    cs_assert(ctl_store_commit(writes.store, writes.list, writes.count, &err) == CS_OK);
    c->on_commit = commit;
    c->on_commit_data = &writes;
    c->unchecked = true;
    for (;;) {
        (void)control_random_step(c, (uint8_t)roll(256), (uint8_t)roll(256));
        first = control_meta(c).revision;
        if (write(report_fd, &first, sizeof first) != (ssize_t)sizeof first)
            _exit(0);
    }
}

/* Everything that the store holds, as a controller that can be checked. */
static void load(const char *folder, struct control *ret)
{
    struct ctl_snapshot *snapshot;
    struct ctl_store *store;
    struct cs_slice key, value;
    uint8_t from[512];
    size_t from_len = 0;
    struct cs_err err;
    int rc;

    *ret = (struct control){0};
    check_ok(ctl_store_open(folder, 0, &store, &err), err);
    check_ok(ctl_snapshot_open(store, &snapshot, &err), err);
    while ((rc = ctl_snapshot_seek(snapshot, CS_SLICE_EMPTY, cs_slice(from, from_len), false, &key, &value,
                                   &err)) == CS_OK) {
        memview_put(&ret->store, key, value);
        memcpy(from, key.ptr, key.len);
        from[key.len] = 0;
        from_len = key.len + 1;
    }
    assert_int_equal(rc, CS_ENOTFOUND);
    ctl_snapshot_close(snapshot);
    ctl_store_close(store);
}

static void remove_store(const char *folder)
{
    static const char *const files[] = {"lock", "data.mdb", "lock.mdb"};

    for (size_t i = 0; i < CS_ARRAY_LEN(files); i++) {
        char path[128];

        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    for (unsigned round = 0; round < KILLS; round++) {
        char folder[] = "/tmp/countersign-kill-XXXXXX";
        uint64_t acknowledged = 0;
        struct control after;
        int ends[2];
        pid_t child;

        assert_non_null(mkdtemp(folder));
        assert_int_equal(pipe(ends), 0);
        (void)roll(2);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            work(folder, ends[1]);
        }
        assert_true(child > 0);
        close(ends[1]);
        for (unsigned i = 1 + roll(120); i > 0; i--)
            assert_int_equal(read(ends[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
        /* Anywhere in its work, not only between two commands. */
        (void)usleep(roll(3000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(ends[0]);

        load(folder, &after);
        control_check(&after);
        assert_true(control_meta(&after).revision >= acknowledged);
        memview_free(&after.store);
        remove_store(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
