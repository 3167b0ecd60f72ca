/* The reader: every length boundary, and that the first failure sticks. */
#include "tests/support/check.h"

#include "shared/base/reader.h"

static void reads_big_endian_numbers(void **state)
{
    struct cs_reader reader =
        cs_reader(CS_SLICE_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));

    (void)state;
    assert_int_equal(cs_reader_u8(&reader), 0x01);
    assert_int_equal(cs_reader_u16(&reader), 0x0203);
    assert_int_equal(cs_reader_u32(&reader), 0x04050607);
    assert_true(cs_reader_u64(&reader) == 0x08090a0b0c0d0e0fULL);
    assert_true(cs_reader_done(&reader));
}

/* Each take with 0 bytes up to one more than it needs. */
static void a_take_needs_all_of_its_bytes(void **state)
{
    static const uint8_t bytes[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    (void)state;
    for (size_t need = 1; need <= 8; need *= 2) {
        for (size_t have = 0; have <= need + 1; have++) {
            struct cs_reader reader = cs_reader(cs_slice(bytes, have));
            uint64_t value = need == 1   ? cs_reader_u8(&reader)
                             : need == 2 ? cs_reader_u16(&reader)
                             : need == 4 ? cs_reader_u32(&reader)
                                         : cs_reader_u64(&reader);

            assert_int_equal(cs_reader_ok(&reader), have >= need);
            assert_int_equal(cs_reader_done(&reader), have == need);
            assert_true((value != 0) == (have >= need));
        }
    }
}

static void takes_as_much_as_there_is_and_no_more(void **state)
{
    struct cs_slice input = CS_SLICE_LIT("abc");
    struct cs_reader reader = cs_reader(input);

    (void)state;
    check_slice(cs_reader_take(&reader, 0), CS_SLICE_EMPTY);
    assert_true(cs_reader_ok(&reader));
    check_slice(cs_reader_take(&reader, 3), input);
    assert_true(cs_reader_done(&reader));
    check_slice(cs_reader_take(&reader, 0), CS_SLICE_EMPTY);
    assert_true(cs_reader_done(&reader));
    assert_int_equal(cs_reader_take(&reader, 1).len, 0);
    assert_false(cs_reader_ok(&reader));
    reader = cs_reader(input);
    assert_int_equal(cs_reader_take(&reader, SIZE_MAX).len, 0);
    assert_false(cs_reader_ok(&reader));
    reader = cs_reader(CS_SLICE_EMPTY);
    assert_true(cs_reader_done(&reader));
}

static void the_first_failure_sticks(void **state)
{
    struct cs_reader reader = cs_reader(CS_SLICE_LIT("\x01\x02\x03"));

    (void)state;
    assert_int_equal(cs_reader_u32(&reader), 0);
    assert_int_equal(cs_reader_u8(&reader), 0);
    assert_int_equal(cs_reader_take(&reader, 1).len, 0);
    assert_true(cs_reader_varint(&reader) == 0);
    assert_false(cs_reader_ok(&reader));
    assert_false(cs_reader_done(&reader));
}

static void every_varint_has_one_form(void **state)
{
    static const struct {
        const char *says;
        struct cs_slice bytes;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"zero", {(const uint8_t *)"\x00", 1}, true, 0},
        {"one byte, largest", {(const uint8_t *)"\x7f", 1}, true, 127},
        {"two bytes, smallest", {(const uint8_t *)"\x80\x01", 2}, true, 128},
        {"300", {(const uint8_t *)"\xac\x02", 2}, true, 300},
        {"nine bytes, largest",
         {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
         true,
         UINT64_MAX >> 1},
        {"ten bytes, smallest",
         {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10},
         true,
         UINT64_C(1) << 63},
        {"the largest", {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}, true, UINT64_MAX},
        {"nothing", {NULL, 0}, false, 0},
        {"cut off", {(const uint8_t *)"\x80", 1}, false, 0},
        {"cut off later", {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9}, false, 0},
        {"zero in two bytes", {(const uint8_t *)"\x80\x00", 2}, false, 0},
        {"127 in two bytes", {(const uint8_t *)"\xff\x00", 2}, false, 0},
        {"one in ten bytes", {(const uint8_t *)"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10}, false, 0},
        {"a 65th bit", {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, false, 0},
        {"an eleventh byte", {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00", 11}, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_reader reader = cs_reader(cases[i].bytes);
        uint64_t value = cs_reader_varint(&reader);

        if (cs_reader_ok(&reader) != cases[i].ok || value != cases[i].value)
            fail_msg("%s", cases[i].says);
        assert_true(!cases[i].ok || cs_reader_done(&reader));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_big_endian_numbers),
        cmocka_unit_test(a_take_needs_all_of_its_bytes),
        cmocka_unit_test(takes_as_much_as_there_is_and_no_more),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(every_varint_has_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
