/* Addresses of controllers, and sessions that are kept. */
#include "tests/support/check.h"

#include "controller/cli/remote.h"

static void reads_addresses(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: refused */
    } cases[] = {
        {"https://controller.example", "https://controller.example:9443"},
        {"https://controller.example/", "https://controller.example:9443"},
        {"https://controller.example:1", "https://controller.example:1"},
        {"https://192.0.2.1:65535", "https://192.0.2.1:65535"},
        {"https://[2001:db8::1]", "https://[2001:db8::1]:9443"},
        {"https://[2001:db8::1]:9", "https://[2001:db8::1]:9"},
        {"http://127.0.0.1:9443", "http://127.0.0.1:9443"},
        {"http://localhost", "http://localhost:9443"},
        {"http://[::1]:9443", "http://[::1]:9443"},
        {"http://controller.example", NULL},
        {"http://192.0.2.1", NULL},
        {"http://127.example.com@evil", NULL},
        {"https://user@controller.example", NULL},
        {"https://controller.example:0", NULL},
        {"https://controller.example:65536", NULL},
        {"https://controller.example:", NULL},
        {"https://controller.example:1x", NULL},
        {"https://controller.example/path", NULL},
        {"https://", NULL},
        {"https://[::1", NULL},
        {"controller.example", NULL},
        {"ftp://controller.example", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf text = CS_BUF_EMPTY;
        struct cli_url url;
        struct cs_err err;
        int rc = cli_url_parse(cases[i].text, &url, &err);

        if ((rc == CS_OK) != (cases[i].written != NULL))
            fail_msg("%s", cases[i].text);
        if (rc != CS_OK)
            continue;
        assert_int_equal(cli_url_write(&url, &text), CS_OK);
        check_slice(cs_buf_slice(&text), cs_slice_str(cases[i].written));
        cs_buf_free(&text);
    }
}

/* Names that only begin like this machine's are somebody else's. */
static void plain_http_is_for_this_machine_alone(void **state)
{
    static const char *const others[] = {"http://127.example.com", "http://localhost.example",
                                         "http://0.0.0.0", "http://[2001:db8::1]"};
    struct cli_url url;
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(others); i++) {
        check_code(cli_url_parse(others[i], &url, &err), CS_EINVAL);
        check_says(err, "for this machine alone");
    }
}

static void keeps_a_session_for_one_controller(void **state)
{
    struct cli_kept_session session = {.operator= "alice", .token = "AAAA+/==", .expires_s = 1900000000};
    struct cli_kept_session again = {.expires_s = 0};
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    assert_int_equal(cli_kept_session_write(&session, "https://a:1", &text), CS_OK);
    assert_int_equal(cs_buf_append_u8(&text, '\0'), CS_OK);
    check_ok(cli_kept_session_parse((const char *)text.ptr, "https://a:1", &again, &err), err);
    assert_string_equal(again.operator, "alice");
    assert_string_equal(again.token, "AAAA+/==");
    assert_int_equal(again.expires_s, 1900000000);
    check_code(cli_kept_session_parse((const char *)text.ptr, "https://b:1", &again, &err), CS_EPARSE);
    cs_buf_free(&text);
}

static void takes_no_session_that_is_not_whole(void **state)
{
    static const char *const wrong[] = {
        "",
        "[session]\n",
        "[session]\ncontroller = u\noperator = a\ntoken = t\n",
        "[session]\ncontroller = u\noperator = a\ntoken = t\nexpires = soon\n",
        "[session]\ncontroller = u\noperator = a\ntoken =\nexpires = 1\n",
        "[session]\ncontroller = u\noperator = a\ntoken = t\nexpires = 1\nmore = 1\n",
        "[sessions]\ncontroller = u\noperator = a\ntoken = t\nexpires = 1\n",
    };
    struct cli_kept_session session;
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++)
        check_code(cli_kept_session_parse(wrong[i], "u", &session, &err), CS_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(plain_http_is_for_this_machine_alone),
        cmocka_unit_test(keeps_a_session_for_one_controller),
        cmocka_unit_test(takes_no_session_that_is_not_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
