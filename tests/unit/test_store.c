/* The store on a real file system: what survives, what is refused, what a full or damaged disk means. */
#include "tests/support/check.h"

#include "controller/store/store.h"
#include "shared/crypto/crypto.h"
#include "tests/support/raw_store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    struct ctl_store *store;
    struct cs_err err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    strcpy(f->folder, "/tmp/countersign-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    check_ok(cs_crypto_init(&f->err), f->err);
    check_ok(ctl_store_open(f->folder, 0, &f->store, &f->err), f->err);
    *state = f;
    return 0;
}

static int end(void **state)
{
    static const char *const files[] = {"lock", "data.mdb", "lock.mdb"};
    struct fixture *f = *state;

    ctl_store_close(f->store);
    for (size_t i = 0; i < CS_ARRAY_LEN(files); i++) {
        char path[128];

        (void)snprintf(path, sizeof path, "%s/%s", f->folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    ctl_store_close(f->store);
    f->store = NULL;
    check_ok(ctl_store_open(f->folder, 0, &f->store, &f->err), f->err);
}

static void put(struct fixture *f, const char *key, const char *value)
{
    struct ctl_write write = {cs_slice_str(key), value ? cs_slice_str(value) : CS_SLICE_EMPTY};

    check_ok(ctl_store_commit(f->store, &write, 1, &f->err), f->err);
}

static struct ctl_snapshot *look(struct fixture *f)
{
    struct ctl_snapshot *snapshot;

    check_ok(ctl_snapshot_open(f->store, &snapshot, &f->err), f->err);
    return snapshot;
}

static void check_value(struct fixture *f, struct ctl_snapshot *snapshot, const char *key, const char *wanted)
{
    struct cs_slice value;
    int rc = ctl_snapshot_get(snapshot, cs_slice_str(key), &value, &f->err);

    assert_int_equal(rc, wanted ? CS_OK : CS_ENOTFOUND);
    if (wanted)
        check_slice(value, cs_slice_str(wanted));
}

static void check_now(struct fixture *f, const char *key, const char *wanted)
{
    struct ctl_snapshot *snapshot = look(f);

    check_value(f, snapshot, key, wanted);
    ctl_snapshot_close(snapshot);
}

static void keeps_what_was_committed(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "one");
    put(f, "b", "");
    put(f, "c", "three");
    put(f, "c", NULL);
    reopen(f);
    check_now(f, "a", "one");
    check_now(f, "b", "");
    check_now(f, "c", NULL);
}

static void a_snapshot_does_not_see_later_commits(void **state)
{
    struct fixture *f = *state;
    struct ctl_snapshot *before, *after;

    put(f, "a", "old");
    before = look(f);
    put(f, "a", "new");
    put(f, "b", "new");
    after = look(f);
    check_value(f, before, "a", "old");
    check_value(f, before, "b", NULL);
    check_value(f, after, "a", "new");
    ctl_snapshot_close(before);
    ctl_snapshot_close(after);
    /* A snapshot that is used again sees what is there now. */
    put(f, "a", "newest");
    check_now(f, "a", "newest");
}

static void check_seek(struct fixture *f, struct ctl_snapshot *snapshot, const char *prefix, const char *from,
                       bool reverse, const char *wanted)
{
    struct cs_slice key, value;
    int rc =
        ctl_snapshot_seek(snapshot, cs_slice_str(prefix), cs_slice_str(from), reverse, &key, &value, &f->err);

    assert_int_equal(rc, wanted ? CS_OK : CS_ENOTFOUND);
    if (wanted)
        check_slice(key, cs_slice_str(wanted));
}

static void seeks_in_both_directions(void **state)
{
    struct fixture *f = *state;
    struct ctl_snapshot *snapshot;

    put(f, "a1", "x");
    put(f, "b1", "x");
    put(f, "b3", "x");
    put(f, "\xff", "x");
    snapshot = look(f);
    check_seek(f, snapshot, "b", "", false, "b1");
    check_seek(f, snapshot, "b", "b1", false, "b1");
    check_seek(f, snapshot, "b", "b2", false, "b3");
    check_seek(f, snapshot, "b", "b4", false, NULL);
    check_seek(f, snapshot, "b", "", true, "b3");
    check_seek(f, snapshot, "b", "b3", true, "b1");
    check_seek(f, snapshot, "b", "b1", true, NULL);
    check_seek(f, snapshot, "a", "", true, "a1");
    check_seek(f, snapshot, "c", "", true, NULL);
    check_seek(f, snapshot, "\xff", "", true, "\xff");
    check_seek(f, snapshot, "", "", true, "\xff");
    /* The store's own rows are nobody else's. */
    check_seek(f, snapshot, "", "", false, "a1");
    check_seek(f, snapshot, "", "a1", true, NULL);
    ctl_snapshot_close(snapshot);
}

static void a_second_instance_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ctl_store *second = NULL;

    assert_int_equal(ctl_store_open(f->folder, 0, &second, &f->err), CS_EBUSY);
    check_says(f->err, "another countersignd");
    assert_null(second);
}

static void another_schema_is_refused(void **state)
{
    struct fixture *f = *state;

    ctl_store_close(f->store);
    f->store = NULL;
    raw_store_put(f->folder, CS_SLICE_LIT("\0schema"), CS_SLICE_LIT("\0\0\0\x09"), true);
    assert_int_equal(ctl_store_open(f->folder, 0, &f->store, &f->err), CS_EUNSUPPORTED);
    check_says(f->err, "schema 9");
    check_says(f->err, "newer");
    raw_store_put(f->folder, CS_SLICE_LIT("\0schema"), CS_SLICE_LIT("\0\0\0\x01"), true);
    assert_int_equal(ctl_store_open(f->folder, 0, &f->store, &f->err), CS_EUNSUPPORTED);
    check_says(f->err, "older");
    assert_null(f->store);
}

/* It is upgraded before it is used: controller/upgrade.h. */
static void the_schema_before_ours_is_opened_for_what_it_is(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ctl_store_schema(f->store), CTL_STORE_SCHEMA);
    ctl_store_close(f->store);
    f->store = NULL;
    raw_store_schema(f->folder, CTL_STORE_SCHEMA_OLDEST);
    check_ok(ctl_store_open(f->folder, 0, &f->store, &f->err), f->err);
    assert_int_equal(ctl_store_schema(f->store), CTL_STORE_SCHEMA_OLDEST);
    check_ok(ctl_store_raise_schema(f->store, &f->err), f->err);
    reopen(f);
    assert_int_equal(ctl_store_schema(f->store), CTL_STORE_SCHEMA);
}

static void damage_is_not_data(void **state)
{
    struct fixture *f = *state;
    struct ctl_snapshot *snapshot;
    struct cs_slice key, value;

    put(f, "a", "one");
    ctl_store_close(f->store);
    raw_store_put(f->folder, CS_SLICE_LIT("b"), CS_SLICE_LIT("12345678value"), false);
    raw_store_put(f->folder, CS_SLICE_LIT("c"), CS_SLICE_LIT("short"), false);
    check_ok(ctl_store_open(f->folder, 0, &f->store, &f->err), f->err);
    snapshot = look(f);
    check_value(f, snapshot, "a", "one");
    assert_int_equal(ctl_snapshot_get(snapshot, CS_SLICE_LIT("b"), &value, &f->err), CS_ECORRUPT);
    check_says(f->err, "damaged");
    assert_int_equal(ctl_snapshot_get(snapshot, CS_SLICE_LIT("c"), &value, &f->err), CS_ECORRUPT);
    assert_int_equal(
        ctl_snapshot_seek(snapshot, CS_SLICE_LIT("b"), CS_SLICE_EMPTY, false, &key, &value, &f->err),
        CS_ECORRUPT);
    ctl_snapshot_close(snapshot);
}

/* One flipped bit in the file, wherever the value stands. */
static void a_flipped_bit_is_seen(void **state)
{
    struct fixture *f = *state;
    struct ctl_snapshot *snapshot;
    struct cs_slice value;
    char path[128];
    static uint8_t file[1 << 20];
    ssize_t size;
    int fd, flipped = 0;

    put(f, "a", "a value that stands in the file as it is");
    ctl_store_close(f->store);
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->folder);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    size = read(fd, file, sizeof file);
    for (ssize_t i = 0; i + 40 < size; i++)
        if (memcmp(file + i, "a value that stands", 19) == 0) {
            uint8_t bad = file[i] ^ 1;

            assert_int_equal(pwrite(fd, &bad, 1, i), 1);
            flipped++;
        }
    assert_true(flipped > 0);
    close(fd);
    check_ok(ctl_store_open(f->folder, 0, &f->store, &f->err), f->err);
    snapshot = look(f);
    assert_int_equal(ctl_snapshot_get(snapshot, CS_SLICE_LIT("a"), &value, &f->err), CS_ECORRUPT);
    ctl_snapshot_close(snapshot);
}

/* Fills until the store refuses; then what is in it is whole, and it goes on once there is room. */
static void check_full(struct fixture *f, void (*make_room)(struct fixture *f))
{
    static const char big[64 * 1024];
    unsigned written = 0;
    int rc;

    for (;; written++) {
        char name[16];
        struct ctl_write writes[2];

        (void)snprintf(name, sizeof name, "k%06u", written);
        writes[0] = (struct ctl_write){cs_slice_str(name), CS_SLICE_ARRAY(big)};
        writes[1] = (struct ctl_write){CS_SLICE_LIT("last"), cs_slice_str(name)};
        rc = ctl_store_commit(f->store, writes, 2, &f->err);
        if (rc != CS_OK)
            break;
        assert_true(written < 100000);
    }
    assert_int_equal(rc, CS_EFULL);
    assert_true(written > 0);
    for (unsigned again = 0; again < 2; again++) {
        char wanted[16], refused[16];

        (void)snprintf(wanted, sizeof wanted, "k%06u", written - 1);
        (void)snprintf(refused, sizeof refused, "k%06u", written);
        check_now(f, "last", wanted);
        check_now(f, refused, NULL);
        reopen(f);
    }
    make_room(f);
    put(f, "after", "room");
    check_now(f, "after", "room");
}

static void reopen_with_a_larger_map(struct fixture *f)
{
    ctl_store_close(f->store);
    check_ok(ctl_store_open(f->folder, (size_t)64 << 20, &f->store, &f->err), f->err);
}

static void a_full_map_refuses_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct ctl_store *small = NULL;

    ctl_store_close(f->store);
    f->store = NULL;
    check_ok(ctl_store_open(f->folder, (size_t)1 << 20, &small, &f->err), f->err);
    f->store = small;
    check_full(f, reopen_with_a_larger_map);
}

static void lift_limit(struct fixture *f)
{
    struct rlimit limit;

    (void)f;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit on the size of files stands for the full disk: the same call fails in the same place. */
static void a_full_disk_refuses_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 40 << 20;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_full(f, lift_limit);
}

static void many_snapshots_at_once(void **state)
{
    struct fixture *f = *state;
    struct ctl_snapshot *open[200];

    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < CS_ARRAY_LEN(open); i++)
            open[i] = look(f);
        for (size_t i = 0; i < CS_ARRAY_LEN(open); i++)
            ctl_snapshot_close(open[i]);
    }
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        test(keeps_what_was_committed),
        test(a_snapshot_does_not_see_later_commits),
        test(seeks_in_both_directions),
        test(a_second_instance_is_refused),
        test(another_schema_is_refused),
        test(the_schema_before_ours_is_opened_for_what_it_is),
        test(damage_is_not_data),
        test(a_flipped_bit_is_seen),
        test(a_full_map_refuses_and_goes_on),
        test(a_full_disk_refuses_and_goes_on),
        test(many_snapshots_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
