/* What the client keeps: pin, configuration, tokens, keys. */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "controller/cli/file.h"
#include "controller/cli/home.h"
#include "controller/cli/public_key.h"
#include "controller/cli/token.h"

#include <stdio.h>
#include <sys/stat.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_cli_home.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder) ? 0 : -1;
}

static void put(const char *name, const char *content)
{
    char path[PATH_MAX];
    struct cs_err err;

    check_ok(cli_file_join(path, sizeof path, &err, folder, "%s", name), err);
    check_ok(cli_file_write(path, 0600, cs_slice_str(content), &err), err);
}

static void a_pin_comes_back_as_it_was_written(void **state)
{
    struct cs_pin pin = {.deployment_id = {1, 2, 3}, .least_version = 7}, read;
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    pin.roots_digest.bytes[31] = 9;
    assert_int_equal(cli_home_pin_write(&pin, &text), CS_OK);
    assert_int_equal(cs_buf_append_u8(&text, 0), CS_OK);
    check_ok(cli_home_pin_parse((const char *)text.ptr, "pin", &read, &err), err);
    assert_memory_equal(pin.deployment_id, read.deployment_id, sizeof pin.deployment_id);
    assert_true(cs_digest_eq(&pin.roots_digest, &read.roots_digest));
    assert_int_equal(read.least_version, 7);
    cs_buf_free(&text);
}

static void a_wrong_pin_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "lacks"},
        {"[pin]\ndeployment = 00\n", "line 2"},
        {"[pin]\nleast_version = 0\n", "from 1"},
        {"[pin]\nleast_version = 4294967296\n", "from 1"},
        {"[pin]\nrots = 1\n", "knows"},
        {"[pun]\ndeployment = 00\n", "[pin]"},
        {"[pin]\nnonsense\n", "line 2"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_pin pin;
        struct cs_err err;

        check_code(cli_home_pin_parse(cases[i].text, "pin", &pin, &err), CS_EPARSE);
        check_says(err, cases[i].says);
    }
}

static void a_new_home_has_defaults_and_no_pin(void **state)
{
    struct cli_home home;
    struct cs_err err;

    (void)state;
    check_ok(cli_home_open(folder, &home, &err), err);
    assert_false(home.pinned);
    assert_string_equal(home.socket, "");
    assert_non_null(strstr(home.keys, "/operators"));
}

static void reads_the_configuration_and_refuses_what_it_does_not_know(void **state)
{
    struct cli_home home;
    struct cs_err err;

    (void)state;
    put("config", "[client]\nas = alice\nsocket = /x/y\n");
    check_ok(cli_home_open(folder, &home, &err), err);
    assert_string_equal(home.as, "alice");
    assert_string_equal(home.socket, "/x/y");
    put("config", "[client]\nass = alice\n");
    check_code(cli_home_open(folder, &home, &err), CS_EPARSE);
    check_says(err, "config line 2");
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    struct cs_buf content = CS_BUF_EMPTY;
    char path[PATH_MAX];
    struct cs_err err;

    (void)state;
    put("a.key", "secret");
    check_ok(cli_file_join(path, sizeof path, &err, folder, "a.key"), err);
    check_ok(cli_file_read_secret(path, 100, &content, &err), err);
    assert_int_equal(chmod(path, 0640), 0);
    check_code(cli_file_read_secret(path, 100, &content, &err), CS_EDENIED);
    check_says(err, "chmod 600");
    check_code(cli_file_create(path, 0600, CS_SLICE_LIT("other"), &err), CS_EEXISTS);
    check_code(cli_file_read(path, 3, &content, &err), CS_ETOOBIG);
    cs_buf_free(&content);
}

static void names_cannot_leave_the_folder(void **state)
{
    struct cli_home home;
    char path[PATH_MAX];
    struct cs_err err;

    (void)state;
    check_ok(cli_home_open(folder, &home, &err), err);
    check_code(cli_home_operator_key(&home, "../alice", path, &err), CS_EINVAL);
    check_code(cli_home_operator_key(&home, "", path, &err), CS_EINVAL);
    check_ok(cli_home_operator_key(&home, "alice", path, &err), err);
}

static void a_token_comes_back_as_it_was_written(void **state)
{
    countersign_v1_EnrolmentToken token = {.policy_version = 3, .expires_at_s = 1234567890};
    cs_auto_free countersign_v1_EnrolmentToken *read = calloc(1, sizeof *read);
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    snprintf(token.device_name, sizeof token.device_name, "gw-1");
    token.deployment_id.size = token.authentication.size = token.binding.size = 16;
    token.roots_digest.size = CS_SHA256_BYTES;
    token.agent_ca.size = 300;
    memset(token.authentication.bytes, 0xfb, 16); /* '+' and '/' in base64, '-' and '_' here */
    memset(token.binding.bytes, 0xff, 16);
    check_ok(cli_token_write(&token, &text, &err), err);
    assert_memory_equal(text.ptr, "cst1.", 5);
    assert_null(memchr(text.ptr, '+', text.len));
    assert_null(memchr(text.ptr, '/', text.len));
    assert_null(memchr(text.ptr, '=', text.len));
    check_ok(cli_token_parse(cs_buf_slice(&text), read, &err), err);
    assert_string_equal(read->device_name, "gw-1");
    assert_memory_equal(read->binding.bytes, token.binding.bytes, 16);
    for (size_t len = 0; len < text.len; len++)
        assert_int_not_equal(cli_token_parse(cs_slice(text.ptr, len), read, &err), CS_OK);
    cs_buf_free(&text);
}

static void public_keys_are_read_as_openssl_writes_them(void **state)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\r\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeKQR9Efke8u51u1I9RGpj9KtW7cZ\r\n"
                              "P02D1MrFDfDK2muV4b4n4GshKvap5hECC9M06rXl/l9xxtPKZ+h2nhl0QQ==\r\n"
                              "-----END PUBLIC KEY-----\r\n";
    uint8_t spki[CS_SPKI_BYTES];
    struct cs_err err;

    (void)state;
    check_ok(cli_public_key_parse(cs_slice_str(pem), spki, &err), err);
    assert_int_equal(spki[0], 0x30);
    check_code(cli_public_key_parse(CS_SLICE_EMPTY, spki, &err), CS_EPARSE);
    for (size_t len = 0; len + 4 < sizeof pem; len++)
        assert_int_not_equal(cli_public_key_parse(cs_slice(pem, len), spki, &err), CS_OK);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pin_comes_back_as_it_was_written),
        cmocka_unit_test(a_wrong_pin_is_refused_with_its_line),
        IN_FOLDER(a_new_home_has_defaults_and_no_pin),
        IN_FOLDER(reads_the_configuration_and_refuses_what_it_does_not_know),
        IN_FOLDER(a_key_that_others_may_read_is_refused),
        IN_FOLDER(names_cannot_leave_the_folder),
        cmocka_unit_test(a_token_comes_back_as_it_was_written),
        cmocka_unit_test(public_keys_are_read_as_openssl_writes_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
