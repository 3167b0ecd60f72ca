/* That the other tests' way of running out of memory reaches where it should. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "shared/base/buf.h"

#include <mbedtls/bignum.h>
#include <nghttp2/nghttp2.h>
#include <yyjson.h>

static void allocate_twice(void *data)
{
    unsigned *runs = data;
    struct cs_buf a = CS_BUF_EMPTY, b = CS_BUF_EMPTY;
    int first = cs_buf_append_u8(&a, 1), second = cs_buf_append_u8(&b, 2);

    ++*runs;
    assert_int_equal(first, *runs == 1 ? CS_ENOMEM : CS_OK);
    assert_int_equal(second, *runs == 2 ? CS_ENOMEM : CS_OK);
    assert_int_equal(alloc_fail_happened(), *runs < 3);
    cs_buf_free(&a);
    cs_buf_free(&b);
}

static void each_allocation_fails_once_and_then_none(void **state)
{
    unsigned runs = 0;

    (void)state;
    assert_int_equal(alloc_fail_run(allocate_twice, &runs), 2);
    assert_int_equal(runs, 3);
}

static void use_mbedtls(void *data)
{
    mbedtls_mpi number;
    int rc;

    (void)data;
    mbedtls_mpi_init(&number);
    rc = mbedtls_mpi_lset(&number, 5);
    assert_int_equal(rc, alloc_fail_happened() ? MBEDTLS_ERR_MPI_ALLOC_FAILED : 0);
    mbedtls_mpi_free(&number);
}

static void use_nghttp2(void *data)
{
    nghttp2_option *option = NULL;
    int rc = nghttp2_option_new(&option);

    (void)data;
    assert_int_equal(rc, alloc_fail_happened() ? NGHTTP2_ERR_NOMEM : 0);
    nghttp2_option_del(option);
}

static void use_yyjson(void *data)
{
    yyjson_doc *doc = yyjson_read("{}", 2, 0);

    (void)data;
    assert_true((doc == NULL) == alloc_fail_happened());
    yyjson_doc_free(doc);
}

static void reaches_the_components_too(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_run(use_mbedtls, NULL), 1);
    assert_int_equal(alloc_fail_run(use_nghttp2, NULL), 1);
    assert_int_equal(alloc_fail_run(use_yyjson, NULL), 2); /* the text is copied */
}

static void nothing_fails_outside(void **state)
{
    void *ptr = malloc(1);

    (void)state;
    assert_non_null(ptr);
    free(ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once_and_then_none),
        cmocka_unit_test(reaches_the_components_too),
        cmocka_unit_test(nothing_fails_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
