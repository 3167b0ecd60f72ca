/* Buffers: growth, limits, and what a failure leaves. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "shared/base/buf.h"

static void every_append_lands_behind_the_last(void **state)
{
    struct cs_buf buf = CS_BUF_EMPTY;

    (void)state;
    assert_int_equal(cs_buf_append(&buf, CS_SLICE_LIT("ab")), CS_OK);
    assert_int_equal(cs_buf_append(&buf, CS_SLICE_EMPTY), CS_OK);
    assert_int_equal(cs_buf_append_str(&buf, "c"), CS_OK);
    assert_int_equal(cs_buf_append_u8(&buf, 0xff), CS_OK);
    assert_int_equal(cs_buf_append_u32(&buf, 0x01020304), CS_OK);
    assert_int_equal(cs_buf_append_u64(&buf, 0x05060708090a0b0c), CS_OK);
    assert_int_equal(cs_buf_printf(&buf, "%d", 42), CS_OK);
    check_slice(cs_buf_slice(&buf), CS_SLICE_LIT("abc\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"
                                                 "42"));
    cs_buf_free(&buf);
}

static void keeps_its_content_over_every_growth(void **state)
{
    struct cs_buf buf = CS_BUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(cs_buf_append_u8(&buf, (uint8_t)i), CS_OK);
        assert_int_equal(buf.len, i + 1);
        assert_true(buf.capacity >= buf.len);
    }
    for (size_t i = 0; i < buf.len; i++)
        assert_int_equal(buf.ptr[i], (uint8_t)i);
    cs_buf_free(&buf);
}

static void a_limit_holds_to_the_byte(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 200; limit++) {
        struct cs_buf buf = {.limit_bytes = limit};

        for (size_t i = 0; i < limit; i++)
            assert_int_equal(cs_buf_append_u8(&buf, 'x'), CS_OK);
        assert_int_equal(cs_buf_append_u8(&buf, 'y'), CS_ETOOBIG);
        assert_int_equal(cs_buf_append_u32(&buf, 0), CS_ETOOBIG);
        assert_int_equal(cs_buf_append(&buf, CS_SLICE_EMPTY), CS_OK);
        assert_int_equal(buf.len, limit);
        assert_true(buf.capacity <= limit);
        cs_buf_free(&buf);
        assert_int_equal(buf.limit_bytes, limit);
    }
}

static void printf_wants_room_for_its_terminator(void **state)
{
    struct cs_buf buf = {.limit_bytes = 4};

    (void)state;
    assert_int_equal(cs_buf_printf(&buf, "%s", "1234"), CS_ETOOBIG);
    assert_int_equal(buf.len, 0);
    assert_int_equal(cs_buf_printf(&buf, "%s", "123"), CS_OK);
    check_slice(cs_buf_slice(&buf), CS_SLICE_LIT("123"));
    assert_int_equal(cs_buf_printf(&buf, "%s", ""), CS_OK);
    cs_buf_free(&buf);
}

static void refuses_sizes_that_overflow(void **state)
{
    struct cs_buf buf = CS_BUF_EMPTY;

    (void)state;
    assert_int_equal(cs_buf_append_u8(&buf, 'x'), CS_OK);
    assert_int_equal(cs_buf_reserve(&buf, SIZE_MAX), CS_ETOOBIG);
    assert_int_equal(cs_buf_reserve(&buf, SIZE_MAX - 1), CS_ETOOBIG);
    assert_int_equal(buf.len, 1);
    cs_buf_free(&buf);
}

static void consumes_from_the_front(void **state)
{
    struct cs_buf buf = CS_BUF_EMPTY;

    (void)state;
    cs_buf_consume(&buf, 0);
    cs_buf_consume(&buf, 1);
    assert_int_equal(cs_buf_append_str(&buf, "abcd"), CS_OK);
    cs_buf_consume(&buf, 0);
    check_slice(cs_buf_slice(&buf), CS_SLICE_LIT("abcd"));
    cs_buf_consume(&buf, 3);
    check_slice(cs_buf_slice(&buf), CS_SLICE_LIT("d"));
    cs_buf_consume(&buf, 1);
    assert_int_equal(buf.len, 0);
    assert_int_equal(cs_buf_append_str(&buf, "ef"), CS_OK);
    cs_buf_consume(&buf, SIZE_MAX);
    assert_int_equal(buf.len, 0);
    assert_true(buf.capacity > 0);
    cs_buf_free(&buf);
    assert_null(buf.ptr);
}

static void clearing_keeps_memory_and_freeing_twice_is_harmless(void **state)
{
    struct cs_buf buf = CS_BUF_EMPTY;
    size_t capacity;

    (void)state;
    assert_int_equal(cs_buf_append_str(&buf, "x"), CS_OK);
    capacity = buf.capacity;
    cs_buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.capacity, capacity);
    cs_buf_wipe(&buf);
    cs_buf_wipe(&buf);
    cs_buf_free(&buf);
    cs_wipe(NULL, 0);
}

static void grow(void *data)
{
    struct cs_buf buf = CS_BUF_EMPTY;
    int rc = CS_OK;
    size_t appended = 0;

    (void)data;
    for (int i = 0; i < 40; i++) {
        size_t before = buf.len;

        rc = cs_buf_append_str(&buf, "0123456789");
        if (rc != CS_OK) {
            assert_int_equal(rc, CS_ENOMEM);
            assert_int_equal(buf.len, before);
            rc = cs_buf_printf(&buf, "%s", "0123456789");
            assert_int_equal(rc, CS_OK);
        }
        appended += 10;
    }
    assert_int_equal(buf.len, appended);
    for (size_t i = 0; i < buf.len; i++)
        assert_int_equal(buf.ptr[i], '0' + i % 10);
    cs_buf_free(&buf);
}

static void an_append_that_fails_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    assert_true(alloc_fail_run(grow, NULL) >= 3);
}

static void writes_protobuf_fields(void **state)
{
    static const uint8_t wanted[] = {0x0a, 3, 'a', 'b', 'c', 0x12, 0, 0x18, 0xac, 0x02, 0x82, 0x01, 1, 'x'};
    cs_auto(cs_buf_free) struct cs_buf buf = CS_BUF_EMPTY;

    (void)state;
    assert_int_equal(cs_buf_append_field(&buf, 1, CS_SLICE_LIT("abc")), CS_OK);
    assert_int_equal(cs_buf_append_field(&buf, 2, CS_SLICE_EMPTY), CS_OK);
    assert_int_equal(cs_buf_append_number(&buf, 3, 300), CS_OK);
    assert_int_equal(cs_buf_append_number(&buf, 4, 0), CS_OK); /* proto3 leaves it out */
    assert_int_equal(cs_buf_append_field(&buf, 16, CS_SLICE_LIT("x")), CS_OK);
    check_slice(cs_buf_slice(&buf), CS_SLICE_ARRAY(wanted));
    cs_buf_clear(&buf);
    assert_int_equal(cs_buf_append_varint(&buf, UINT64_MAX), CS_OK);
    assert_int_equal(buf.len, 10);
    assert_int_equal(buf.ptr[9], 1);
}

static void a_field_beyond_the_limit_leaves_the_buffer_as_it_was(void **state)
{
    cs_auto(cs_buf_free) struct cs_buf buf = {.limit_bytes = 8};

    (void)state;
    assert_int_equal(cs_buf_append_field(&buf, 1, CS_SLICE_LIT("abcdefgh")), CS_ETOOBIG);
    assert_int_equal(buf.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_protobuf_fields),
        cmocka_unit_test(a_field_beyond_the_limit_leaves_the_buffer_as_it_was),
        cmocka_unit_test(every_append_lands_behind_the_last),
        cmocka_unit_test(keeps_its_content_over_every_growth),
        cmocka_unit_test(a_limit_holds_to_the_byte),
        cmocka_unit_test(printf_wants_room_for_its_terminator),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(consumes_from_the_front),
        cmocka_unit_test(clearing_keeps_memory_and_freeing_twice_is_harmless),
        cmocka_unit_test(an_append_that_fails_leaves_the_buffer_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
