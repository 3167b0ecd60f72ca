/* Keys sort as their meaning does, and come apart again. */
#include "tests/support/check.h"

#include "controller/core/keys.h"

static int compare(struct ctl_key a, struct ctl_key b)
{
    return cs_slice_cmp(ctl_key_slice(&a), ctl_key_slice(&b));
}

static void every_table_has_its_own_prefix(void **state)
{
    static const uint8_t prefixes[] = {
#define X(name, prefix, says) prefix,
        CTL_TABLES(X)
#undef X
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(prefixes); i++) {
        assert_int_not_equal(prefixes[i], 0); /* the store's own */
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(prefixes[i], prefixes[j]);
    }
}

static void numbers_sort(void **state)
{
    static const uint64_t rising[] = {0,         1, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 40,
                                      UINT64_MAX};

    (void)state;
    for (size_t i = 1; i < CS_ARRAY_LEN(rising); i++) {
        struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, rising[i]);

        assert_true(compare(ctl_key_number(CTL_TABLE_ORDER, rising[i - 1]), key) < 0);
        assert_true(ctl_key_last_u64(ctl_key_slice(&key)) == rising[i]);
    }
}

static void a_name_is_never_the_beginning_of_another(void **state)
{
    struct ctl_key short_name = ctl_key_name(CTL_TABLE_NAME, "gw"),
                   long_name = ctl_key_name(CTL_TABLE_NAME, "gw-1");

    (void)state;
    assert_true(compare(short_name, long_name) < 0);
    assert_false(cs_slice_starts_with(ctl_key_slice(&long_name), ctl_key_slice(&short_name)));
}

static void the_longest_key_fits(void **state)
{
    char name[64];
    struct cs_digest id = {{0xff}};

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(ctl_key_attachment(cs_digest_slice(&id), name, name).len, 1 + 32 + 64 + 64);
    assert_int_equal(ctl_key_attached(name, name, cs_digest_slice(&id)).len, 1 + 64 + 64 + 32);
}

static void the_due_queue_sorts_by_time_then_kind(void **state)
{
    enum ctl_due_kind kind;
    uint64_t number;
    int64_t due_s;
    struct ctl_key key = ctl_key_due(1800000000, CTL_DUE_ORDER, 7);

    (void)state;
    assert_true(ctl_key_parse_due(ctl_key_slice(&key), &due_s, &kind, &number));
    assert_true(due_s == 1800000000 && kind == CTL_DUE_ORDER && number == 7);
    assert_true(compare(ctl_key_due(5, CTL_DUE_RESERVATION, 9), ctl_key_due(6, CTL_DUE_REVIEW, 1)) < 0);
    assert_true(compare(ctl_key_due(5, CTL_DUE_REVIEW, 9), ctl_key_due(5, CTL_DUE_ORDER, 1)) < 0);
    assert_true(compare(ctl_key_due(-5, CTL_DUE_ORDER, 1), ctl_key_due(0, CTL_DUE_ORDER, 1)) == 0);
    key.len--;
    assert_false(ctl_key_parse_due(ctl_key_slice(&key), &due_s, &kind, &number));
    assert_false(ctl_key_parse_due(CS_SLICE_EMPTY, &due_s, &kind, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_its_own_prefix),           cmocka_unit_test(numbers_sort),
        cmocka_unit_test(a_name_is_never_the_beginning_of_another), cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(the_due_queue_sorts_by_time_then_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
