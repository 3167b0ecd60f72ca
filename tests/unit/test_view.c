/* The overlay against a plain sorted array: whatever is written, undone and asked, both say the same. */
#include "tests/support/check.h"

#include "tests/support/memview.h"

static uint64_t seed;

static unsigned roll(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

/* Few keys, so that writes meet; with prefixes, and bytes at both ends of the range. */
static struct cs_slice roll_key(uint8_t room[4])
{
    static const uint8_t bytes[] = {1, 2, 'a', 0xfe, 0xff, 0};
    size_t len = 1 + roll(4);

    for (size_t i = 0; i < len; i++)
        room[i] = bytes[roll(i ? 6 : 5)];
    return cs_slice(room, len);
}

static struct ctl_view *open_view(struct memview *map)
{
    struct ctl_source source = memview_source(map);
    struct ctl_view *view;
    struct cs_err err;

    check_ok(ctl_view_new(&source, &view, &err), err);
    return view;
}

/* The model is what the map would be after a commit. */
static void check_same(struct ctl_view *view, struct memview *model)
{
    struct ctl_source wanted = memview_source(model);
    uint8_t key_room[4], prefix_room[4], from_room[4];
    struct cs_slice key = roll_key(key_room), prefix = roll_key(prefix_room), from = roll_key(from_room);
    struct cs_slice view_key, view_value, model_key, model_value;
    bool reverse = roll(2);
    int rc;

    rc = ctl_view_get(view, key, &view_value, NULL);
    assert_int_equal(rc, wanted.get(wanted.data, key, &model_value, NULL));
    if (rc == CS_OK)
        check_slice(view_value, model_value);
    prefix.len = roll((unsigned)prefix.len + 1);
    if (roll(4) == 0)
        from.len = 0;
    rc = ctl_view_seek(view, prefix, from, reverse, &view_key, &view_value, NULL);
    assert_int_equal(rc, wanted.seek(wanted.data, prefix, from, reverse, &model_key, &model_value, NULL));
    if (rc == CS_OK) {
        check_slice(view_key, model_key);
        check_slice(view_value, model_value);
    }
}

static void write_both(struct ctl_view *view, struct memview *model)
{
    uint8_t room[4], value[3] = {(uint8_t)roll(256), 2, 3};
    struct cs_slice key = roll_key(room);
    struct cs_err err;

    if (roll(3) == 0) {
        check_ok(ctl_view_delete(view, key, &err), err);
        memview_delete(model, key);
    } else {
        struct cs_slice bytes = cs_slice(value, roll(4));

        check_ok(ctl_view_put(view, key, bytes, &err), err);
        memview_put(model, key, bytes);
    }
}

static void copy(struct memview *to, const struct memview *from)
{
    memview_free(to);
    for (size_t i = 0; i < from->count; i++)
        memview_put(to, cs_buf_slice(&from->pairs[i].key), cs_buf_slice(&from->pairs[i].value));
}

struct marked {
    struct ctl_view *view;
    struct memview *before, *now, seen;
};

static int check_write(void *data, const struct ctl_view_write *write)
{
    struct marked *marked = data;
    struct ctl_source before = memview_source(marked->before), now = memview_source(marked->now),
                      seen = memview_source(&marked->seen);
    struct cs_slice wanted, value;
    int rc = now.get(now.data, write->key, &wanted, NULL);

    assert_int_equal(rc == CS_OK, write->value.ptr != NULL);
    if (rc == CS_OK)
        check_slice(write->value, wanted);
    rc = before.get(before.data, write->key, &wanted, NULL);
    assert_int_equal(ctl_view_before(marked->view, write, &value, NULL), rc);
    if (rc == CS_OK)
        check_slice(value, wanted);
    assert_int_equal(seen.get(seen.data, write->key, &value, NULL), CS_ENOTFOUND);
    memview_put(&marked->seen, write->key, CS_SLICE_EMPTY);
    return CS_OK;
}

/* Whatever differs from the mark was seen, once, with what it was and what it is. */
static void check_marked(struct ctl_view *view, struct memview *before, struct memview *now)
{
    struct marked marked = {view, before, now, {0}};
    struct ctl_source seen = memview_source(&marked.seen), then = memview_source(before);
    struct cs_slice value;

    assert_int_equal(ctl_view_marked(view, check_write, &marked), CS_OK);
    for (size_t i = 0; i < now->count; i++) {
        struct cs_slice key = cs_buf_slice(&now->pairs[i].key);

        if (then.get(then.data, key, &value, NULL) != CS_OK ||
            !cs_slice_eq(value, cs_buf_slice(&now->pairs[i].value)))
            assert_int_equal(seen.get(seen.data, key, &value, NULL), CS_OK);
    }
    memview_free(&marked.seen);
}

static void says_what_a_plain_map_says(void **state)
{
    (void)state;
    for (seed = 1; seed < 200; seed++) {
        uint64_t round = seed;
        struct memview map = {0}, model = {0}, marked = {0};
        struct ctl_view *view;

        for (unsigned i = 0; i < 30; i++) {
            uint8_t room[4];

            memview_put(&map, roll_key(room), CS_SLICE_LIT("old"));
        }
        copy(&model, &map);
        view = open_view(&map);
        for (unsigned command = 0; command < 12; command++) {
            ctl_view_mark(view);
            copy(&marked, &model);
            for (unsigned i = 0; i < 6; i++) {
                write_both(view, &model);
                check_same(view, &model);
            }
            check_marked(view, &marked, &model);
            if (roll(2)) {
                ctl_view_rewind(view);
                copy(&model, &marked);
            }
            for (unsigned i = 0; i < 6; i++)
                check_same(view, &model);
        }
        memview_commit(&map, view);
        assert_int_equal(map.count, model.count);
        for (size_t i = 0; i < map.count; i++) {
            check_slice(cs_buf_slice(&map.pairs[i].key), cs_buf_slice(&model.pairs[i].key));
            check_slice(cs_buf_slice(&map.pairs[i].value), cs_buf_slice(&model.pairs[i].value));
        }
        ctl_view_free(view);
        memview_free(&map);
        memview_free(&model);
        memview_free(&marked);
        seed = round;
    }
}

static void check_rising(void *data, struct cs_slice key, struct cs_slice value)
{
    struct cs_slice *last = data;

    (void)value;
    assert_true(cs_slice_cmp(*last, key) < 0);
    *last = key;
}

static void writes_come_in_key_order(void **state)
{
    struct memview map = {0};
    struct ctl_view *view = open_view(&map);
    struct cs_slice last = CS_SLICE_EMPTY;
    struct cs_err err;

    (void)state;
    seed = 7;
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t key = roll(1u << 30);

        check_ok(ctl_view_put(view, cs_slice(&key, sizeof key), CS_SLICE_LIT("x"), &err), err);
    }
    assert_true(ctl_view_writes(view, check_rising, &last) > 4900);
    ctl_view_free(view);
}

static void a_rewound_command_leaves_no_write(void **state)
{
    struct memview map = {0};
    struct ctl_view *view = open_view(&map);
    struct cs_slice last = CS_SLICE_EMPTY;
    struct cs_err err;

    (void)state;
    ctl_view_mark(view);
    check_ok(ctl_view_put(view, CS_SLICE_LIT("a"), CS_SLICE_LIT("1"), &err), err);
    check_ok(ctl_view_delete(view, CS_SLICE_LIT("b"), &err), err);
    ctl_view_rewind(view);
    assert_int_equal(ctl_view_writes(view, check_rising, &last), 0);
    ctl_view_free(view);
}

static void slices_stay_good_while_a_command_writes(void **state)
{
    struct memview map = {0};
    struct ctl_view *view = open_view(&map);
    struct cs_slice value;
    struct cs_err err;

    (void)state;
    check_ok(ctl_view_put(view, CS_SLICE_LIT("a"), CS_SLICE_LIT("first"), &err), err);
    check_ok(ctl_view_get(view, CS_SLICE_LIT("a"), &value, &err), err);
    check_ok(ctl_view_put(view, CS_SLICE_LIT("a"), CS_SLICE_LIT("second"), &err), err);
    check_slice(value, CS_SLICE_LIT("first"));
    ctl_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_plain_map_says),
        cmocka_unit_test(writes_come_in_key_order),
        cmocka_unit_test(a_rewound_command_leaves_no_write),
        cmocka_unit_test(slices_stay_good_while_a_command_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
