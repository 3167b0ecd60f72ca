/* Slices: where they end. */
#include "tests/support/check.h"

static void an_empty_slice_may_have_no_memory(void **state)
{
    struct cs_slice none = CS_SLICE_EMPTY, some = CS_SLICE_LIT("");

    (void)state;
    assert_true(cs_slice_eq(none, some));
    assert_true(cs_slice_eq(none, none));
    assert_int_equal(cs_slice_cmp(none, some), 0);
    assert_true(cs_slice_starts_with(none, none));
    assert_true(cs_slice_starts_with(CS_SLICE_LIT("a"), none));
    assert_false(cs_slice_starts_with(none, CS_SLICE_LIT("a")));
    assert_true(cs_slice_eq_secret(none, some));
    assert_int_equal(cs_slice_from(none, 0).len, 0);
    assert_int_equal(cs_slice_str(NULL).len, 0);
}

static void the_rest_ends_where_the_slice_ends(void **state)
{
    struct cs_slice s = CS_SLICE_LIT("abc");

    (void)state;
    check_slice(cs_slice_from(s, 0), s);
    check_slice(cs_slice_from(s, 1), CS_SLICE_LIT("bc"));
    check_slice(cs_slice_from(s, 2), CS_SLICE_LIT("c"));
    assert_int_equal(cs_slice_from(s, 3).len, 0);
    assert_int_equal(cs_slice_from(s, 4).len, 0);
    assert_int_equal(cs_slice_from(s, SIZE_MAX).len, 0);
}

static void sorts_as_the_store_does(void **state)
{
    static const struct cs_slice ordered[] = {
        {(const uint8_t *)"", 0},         {(const uint8_t *)"\x00", 1},     {(const uint8_t *)"\x00\x00", 2},
        {(const uint8_t *)"\x00\x01", 2}, {(const uint8_t *)"a", 1},        {(const uint8_t *)"a\x00", 2},
        {(const uint8_t *)"ab", 2},       {(const uint8_t *)"b", 1},        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xff", 1},     {(const uint8_t *)"\xff\xff", 2},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(ordered); i++)
        for (size_t k = 0; k < CS_ARRAY_LEN(ordered); k++) {
            int order = cs_slice_cmp(ordered[i], ordered[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(cs_slice_eq(ordered[i], ordered[k]), i == k);
            assert_int_equal(cs_slice_eq_secret(ordered[i], ordered[k]), i == k);
        }
}

static void a_prefix_is_not_longer_than_the_whole(void **state)
{
    (void)state;
    assert_true(cs_slice_starts_with(CS_SLICE_LIT("abc"), CS_SLICE_LIT("ab")));
    assert_true(cs_slice_starts_with(CS_SLICE_LIT("abc"), CS_SLICE_LIT("abc")));
    assert_false(cs_slice_starts_with(CS_SLICE_LIT("abc"), CS_SLICE_LIT("abcd")));
    assert_false(cs_slice_starts_with(CS_SLICE_LIT("abc"), CS_SLICE_LIT("b")));
    assert_true(cs_slice_eq_str(CS_SLICE_LIT("abc"), "abc"));
    assert_false(cs_slice_eq_str(CS_SLICE_LIT("abc"), "ab"));
}

static void reads_a_list_item_by_item(void **state)
{
    struct cs_slice rest = CS_SLICE_LIT(" a ,b;q=1,,\tc d\t"), none = CS_SLICE_EMPTY;
    bool found;

    (void)state;
    assert_true(cs_slice_eq_str(cs_slice_item(&rest, ','), "a"));
    assert_true(cs_slice_eq_str(cs_slice_cut(&rest, ',', &found), "b;q=1"));
    assert_true(found);
    assert_true(cs_slice_eq_str(cs_slice_item(&rest, ','), ""));
    assert_true(cs_slice_eq_str(cs_slice_cut(&rest, ',', &found), "\tc d\t"));
    assert_false(found);
    assert_int_equal(rest.len, 0);
    assert_int_equal(cs_slice_cut(&none, ',', &found).len, 0);
    assert_false(found);
    rest = CS_SLICE_LIT("a,");
    assert_true(cs_slice_eq_str(cs_slice_cut(&rest, ',', &found), "a"));
    assert_true(found);
    assert_int_equal(rest.len, 0);
    assert_int_equal(cs_slice_trim(CS_SLICE_LIT(" \t ")).len, 0);
    assert_true(cs_slice_eq_str(cs_slice_trim(CS_SLICE_LIT("\ta\nb ")), "a\nb"));
}

static void compares_ascii_without_regard_to_case(void **state)
{
    (void)state;
    assert_true(cs_slice_same_text(CS_SLICE_LIT("Content-TYPE"), CS_SLICE_LIT("content-type")));
    assert_true(cs_slice_same_text(CS_SLICE_EMPTY, CS_SLICE_LIT("")));
    assert_false(cs_slice_same_text(CS_SLICE_LIT("ab"), CS_SLICE_LIT("abc")));
    /* One bit from another, as letters are, and no letters. */
    assert_false(cs_slice_same_text(CS_SLICE_LIT("@["), CS_SLICE_LIT("`{")));
    assert_false(cs_slice_same_text(CS_SLICE_LIT("a\0b"), CS_SLICE_LIT("a\0c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_slice_may_have_no_memory),
        cmocka_unit_test(the_rest_ends_where_the_slice_ends),
        cmocka_unit_test(sorts_as_the_store_does),
        cmocka_unit_test(a_prefix_is_not_longer_than_the_whole),
        cmocka_unit_test(reads_a_list_item_by_item),
        cmocka_unit_test(compares_ascii_without_regard_to_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
