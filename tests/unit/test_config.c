/* The configuration file: what is allowed, and how a person learns what is not. */
#include "tests/support/check.h"

#include "controller/config.h"

#include <string.h>

static struct ctl_config parsed(const char *text)
{
    struct ctl_config config;
    struct cs_err err;

    check_ok(ctl_config_parse(text, "test.ini", &config, &err), err);
    return config;
}

static void gives_every_key_a_default(void **state)
{
    struct ctl_config config = parsed("");

    (void)state;
    assert_string_equal(config.state, "/var/lib/countersign");
    assert_string_equal(config.kek, "/var/lib/countersign/keys/kek");
    assert_string_equal(config.agents.ip, "0.0.0.0");
    assert_int_equal(config.agents.port, 7443);
    assert_int_equal(config.identity_life_s, 30 * 86400);
    assert_true(config.shards >= 1 && config.shards <= CTL_LIMIT_SHARDS);
    assert_int_equal(config.log_format, CS_LOG_LOGFMT);
    assert_int_equal(config.log_level, CS_LOG_INFO);
    assert_memory_equal(&config.settings, &ctl_settings_default, sizeof config.settings);
}

static void reads_every_key(void **state)
{
    struct ctl_config config = parsed("; a comment\n[controller]\nstate = /srv/cs\nkek = /mnt/hsm/kek\n"
                                      "admin_socket = /run/a.sock\nagents = [::1]:0\nenrolment=127.0.0.1:9\n"
                                      "shards = 3\nmax_connections = 9\nidentity_lifetime = 12h\n"
                                      "keepalive_seconds = 5\ndrain_seconds = 0\nlog = json\n"
                                      "log_level = debug\ncolour_blue = 60d\ncolour_yellow = 20d\n"
                                      "colour_orange = 12h\nsilence = 90s\nretry_first = 1s\n"
                                      "retry_most = 2m\n");
    char text[CTL_ADDRESS_TEXT_BYTES];

    (void)state;
    assert_string_equal(config.state, "/srv/cs");
    assert_string_equal(config.kek, "/mnt/hsm/kek");
    assert_string_equal(config.admin_socket, "/run/a.sock");
    assert_string_equal(ctl_address_text(&config.agents, text), "[::1]:0");
    assert_string_equal(ctl_address_text(&config.enrolment, text), "127.0.0.1:9");
    assert_int_equal(config.shards, 3);
    assert_int_equal(config.max_connections, 9);
    assert_int_equal(config.identity_life_s, 12 * 3600);
    assert_int_equal(config.keepalive_s, 5);
    assert_int_equal(config.drain_s, 0);
    assert_int_equal(config.log_format, CS_LOG_JSON);
    assert_int_equal(config.log_level, CS_LOG_DEBUG);
    assert_int_equal(config.settings.blue_s, 60 * 86400);
    assert_int_equal(config.settings.yellow_s, 20 * 86400);
    assert_int_equal(config.settings.orange_s, 12 * 3600);
    assert_int_equal(config.settings.silence_s, 90);
    assert_int_equal(config.settings.retry_first_s, 1);
    assert_int_equal(config.settings.retry_most_s, 120);
}

static void says_file_line_and_what_is_allowed(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[controller]\nshard = 2\n", "test.ini:2: unknown key 'shard'; countersignd --help lists"},
        {"[controler]\nshards = 2\n", "test.ini:2: unknown section [controler]"},
        {"shards = 2\n", "test.ini:1: unknown section []"},
        {"[controller]\n\nshards = 0\n",
         "test.ini:3: '0' is not allowed for 'shards'; write a number from 1"},
        {"[controller]\nshards = 65\n", "number from 1 to 64"},
        {"[controller]\nshards = 2x\n", "test.ini:2: '2x' is not allowed"},
        {"[controller]\nshards = -1\n", "not allowed"},
        {"[controller]\nshards =\n", "test.ini:2: '' is not allowed"},
        {"[controller]\nshards = 1\nshards = 2\n", "test.ini:3: 'shards' was given before, in line 2"},
        {"[controller]\nstate = relative\n", "write an absolute path"},
        {"[controller]\nagents = localhost:7443\n", "write IP:PORT or [IPv6]:PORT"},
        {"[controller]\nagents = 127.0.0.1\n", "write IP:PORT"},
        {"[controller]\nagents = 127.0.0.1:65536\n", "write IP:PORT"},
        {"[controller]\nagents = ::1:7443\n", "write IP:PORT"},
        {"[controller]\nagents = []:7443\n", "write IP:PORT"},
        {"[controller]\nlog = xml\n", "write logfmt or json"},
        {"[controller]\nlog_level = loud\n", "write debug, info, warn or error"},
        {"[controller]\nsilence = soon\n",
         "test.ini:2: 'soon' is not allowed for 'silence'; write a duration"},
        {"[controller]\ncolour_orange = 31d\n",
         "test.ini: colour_orange may not be longer than colour_yellow"},
        {"[controller]\ncolour_blue = 29d\n", "test.ini: colour_yellow may not be longer than colour_blue"},
        {"[controller]\nretry_first = 2h\n", "test.ini: retry_first may not be longer than retry_most"},
        {"[controller]\njust words\n", "test.ini:2: expected '[controller]', 'key = value' or a comment"},
        {"[controller\nshards = 1\n", "test.ini:1: expected"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ctl_config config;
        struct cs_err err;

        check_code(ctl_config_parse(cases[i].text, "test.ini", &config, &err), CS_EINVAL);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].says);
    }
}

static void refuses_a_socket_path_that_does_not_fit(void **state)
{
    char text[256];
    struct ctl_config config;
    struct cs_err err;

    (void)state;
    snprintf(text, sizeof text, "[controller]\nadmin_socket = /%0107d\n", 1);
    check_code(ctl_config_parse(text, "test.ini", &config, &err), CS_EINVAL);
    snprintf(text, sizeof text, "[controller]\nadmin_socket = /%0106d\n", 1);
    check_ok(ctl_config_parse(text, "test.ini", &config, &err), err);
}

static void says_that_the_file_is_not_there(void **state)
{
    struct ctl_config config;
    struct cs_err err;

    (void)state;
    check_code(ctl_config_load("/nonexistent/x.ini", &config, &err), CS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/x.ini"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_every_key_a_default),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(says_file_line_and_what_is_allowed),
        cmocka_unit_test(refuses_a_socket_path_that_does_not_fit),
        cmocka_unit_test(says_that_the_file_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
