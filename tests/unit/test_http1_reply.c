/* An HTTP/1.1 answer as a client reads it, fed byte by byte and at once. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "shared/net/http1_reply.h"

#include <stdlib.h>

static int feed(const char *text, size_t step, size_t most, struct cs_http1_reply **ret, struct cs_err *err)
{
    struct cs_slice rest = cs_slice_str(text);
    int rc;

    *ret = NULL;
    rc = cs_http1_reply_new(most, ret, err);
    while (rc == CS_OK && rest.len) {
        size_t len = rest.len < step ? rest.len : step;

        rc = cs_http1_reply_feed(*ret, cs_slice(rest.ptr, len), err);
        rest = cs_slice_from(rest, len);
    }
    return rc == CS_OK ? cs_http1_reply_end(*ret, err) : rc;
}

static void reads_answers_of_every_length_form(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nLast-Modified: Mon, 23 Nov 2026 18:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nlast-modified: Mon, 23 Nov 2026 18:00:00 "
        "GMT\r\n\r\n"
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nLast-Modified: Mon, 23 Nov 2026 18:00:00 GMT\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nLast-Modified: Mon, 23 Nov 2026 18:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello, "
        "and more",
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(answers); i++)
        for (size_t step = 1; step < 200; step += 98) {
            cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
            struct cs_err err;

            check_ok(feed(answers[i], step, 100, &reply, &err), err);
            assert_int_equal(cs_http1_reply_status(reply), 200);
            check_slice(cs_http1_reply_body(reply), CS_SLICE_LIT("hello"));
            assert_string_equal(cs_http1_reply_last_modified(reply), "Mon, 23 Nov 2026 18:00:00 GMT");
        }
}

static void reads_that_nothing_is_new(void **state)
{
    cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
    struct cs_err err;

    (void)state;
    check_ok(feed("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", 7, 100, &reply, &err), err);
    assert_int_equal(cs_http1_reply_status(reply), 304);
    assert_int_equal(cs_http1_reply_body(reply).len, 0);
    assert_string_equal(cs_http1_reply_last_modified(reply), "");
}

static void refuses_what_is_cut_too_long_or_no_http(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", CS_EPARSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", CS_EPARSE},
        {"HTTP/1.1 200 OK\r\nContent-", CS_EPARSE},
        {"", CS_EPARSE},
        {"SSH-2.0-OpenSSH\r\n", CS_EPARSE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CS_EPARSE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901", CS_ETOOBIG},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        for (size_t step = 1; step < 200; step += 98) {
            cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
            struct cs_err err;

            check_code(feed(cases[i].text, step, 10, &reply, &err), cases[i].code);
        }
}

static void refuses_a_head_that_does_not_end(void **state)
{
    cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
    struct cs_err err = {0};
    int rc;

    (void)state;
    check_ok(cs_http1_reply_new(10, &reply, &err), err);
    rc = cs_http1_reply_feed(reply, CS_SLICE_LIT("HTTP/1.1 200 OK\r\n"), &err);
    for (unsigned i = 0; i < 2000 && rc == CS_OK; i++)
        rc = cs_http1_reply_feed(reply, CS_SLICE_LIT("X-Something-Or-Other: nothing\r\n"), &err);
    assert_int_equal(rc, CS_ETOOBIG);
}

static void read_without_memory(void *data)
{
    cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
    struct cs_err err;
    int rc = feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 3, 100, &reply, &err);

    (void)data;
    assert_true(alloc_fail_happened() ? rc == CS_ENOMEM : rc == CS_OK);
}

static void says_so_when_memory_ends(void **state)
{
    (void)state;
    assert_true(alloc_fail_run(read_without_memory, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers_of_every_length_form),
        cmocka_unit_test(reads_that_nothing_is_new),
        cmocka_unit_test(refuses_what_is_cut_too_long_or_no_http),
        cmocka_unit_test(refuses_a_head_that_does_not_end),
        cmocka_unit_test(says_so_when_memory_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
