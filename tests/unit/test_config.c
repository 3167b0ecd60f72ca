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
        {"[controller]\noperators = 9443\n", "write IP:PORT"},
        {"[controller]\noperators_tls = maybe\n", "write auto, on or off"},
        {"[controller]\noperators = 0.0.0.0:9443\noperators_tls = off\n",
         "0.0.0.0 can be reached from other machines"},
        {"[controller]\noperators = [::]:9443\noperators_tls = off\n", "can be reached from other machines"},
        {"[controller]\noperators_certificate = /c.pem\n", "give both"},
        {"[controller]\noperators_key = /k.pem\n", "give both"},
        {"[controller]\noperators = 127.0.0.1:1\noperators_tls = off\noperators_key = /k.pem\n"
         "operators_certificate = /c.pem\n",
         "operators_certificate is given"},
        {"[controller]\nopen_metrics = 1\n", "write yes or no"},
        {"[controller]\nconsole = yes\n", "there is no listener to serve it: give `operators`"},
        {"[uid \"1000\"]\noperator = alice\n", "[uid \"1000\"] has operators"},
        {"[uid \"1000\"]\noperators = alice,\n", "test.ini:2: the operator's name"},
        {"[uid \"1000\"]\noperators = a/b\n", "write names of operators"},
        {"[uid \"1000\"]\noperators = alice, alice\n", "alice is named twice"},
        {"[uid \"1000\"]\noperators = alice\n[uid \"1000\"]\noperators = bob\n",
         "test.ini:4: user 1000 has operators already"},
        {"[uid 1000]\noperators = alice\n", "unknown section [uid 1000]"},
        {"[uid \"4294967295\"]\noperators = alice\n", "unknown section"},
        {"[uid \"-1\"]\noperators = alice\n", "unknown section"},
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

static void knows_whom_a_user_may_call_as(void **state)
{
    struct ctl_config config =
        parsed("[uid \"1000\"]\noperators = alice ,  bob\n[uid \"0\"]\noperators = carol\n");

    (void)state;
    assert_int_equal(ctl_uids_count(&config.uids, 1000), 2);
    assert_string_equal(ctl_uids_operator(&config.uids, 1000, 1), "bob");
    assert_null(ctl_uids_operator(&config.uids, 1000, 2));
    assert_true(ctl_uids_allow(&config.uids, 1000, "alice"));
    assert_true(ctl_uids_allow(&config.uids, 0, "carol"));
    assert_false(ctl_uids_allow(&config.uids, 1000, "carol"));
    assert_false(ctl_uids_allow(&config.uids, 1001, "alice"));
}

static void a_user_has_at_most_sixteen_operators(void **state)
{
    struct ctl_uids uids = {.count = 0};
    struct cs_err err;

    (void)state;
    check_ok(ctl_uids_add(&uids, 1, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", &err), err);
    check_code(ctl_uids_add(&uids, 2, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &err), CS_EINVAL);
    for (uint32_t uid = 3; uids.count < CTL_LIMIT_UID_OPERATORS; uid++)
        check_ok(ctl_uids_add(&uids, uid, "a", &err), err);
    check_code(ctl_uids_add(&uids, 1000, "a", &err), CS_EINVAL);
}

/* TLS wherever somebody else may listen in. */
static void the_operators_listener_has_tls_unless_it_is_local(void **state)
{
    static const struct {
        const char *text;
        enum ctl_operators_tls tls;
    } cases[] = {
        {"[controller]\noperators = 0.0.0.0:9443\n", CTL_OPERATORS_TLS_ON},
        {"[controller]\noperators = 192.0.2.1:9443\n", CTL_OPERATORS_TLS_ON},
        {"[controller]\noperators = [2001:db8::1]:9443\n", CTL_OPERATORS_TLS_ON},
        {"[controller]\noperators = [::ffff:127.0.0.1]:9443\n", CTL_OPERATORS_TLS_ON},
        {"[controller]\noperators = 127.0.0.1:9443\n", CTL_OPERATORS_TLS_OFF},
        {"[controller]\noperators = 127.9.9.9:9443\noperators_tls = on\n", CTL_OPERATORS_TLS_ON},
        {"[controller]\noperators = [::1]:9443\n", CTL_OPERATORS_TLS_OFF},
        {"[controller]\noperators = [::1]:9443\noperators_certificate = /c\noperators_key = /k\n",
         CTL_OPERATORS_TLS_ON},
    };

    (void)state;
    assert_false(parsed("").has_operators);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ctl_config config = parsed(cases[i].text);

        assert_true(config.has_operators && !config.console);
        if (config.operators_tls != cases[i].tls)
            fail_msg("%s", cases[i].text);
    }
}

static void takes_several_urls_of_revocation_lists(void **state)
{
    static const char *const bad[] = {
        "https://crl.example/a", "http://crl.example", "crl.example/a",     "http:///a",
        "http://a b/c",          "http://a:port/c",    "http://a:123456/c", "http://u@a/c",
        "http://a/b c",          "http://a/b#c",       "http://[::1/c",     "http://a:/c"};
    struct ctl_config config;
    struct cs_err err;
    char text[128];

    (void)state;
    check_ok(ctl_config_parse(
                 "[controller]\ncrls = /var/lib/crls\ncrls_every = 1h\ncrl_url = http://crl.example/a\n"
                 "crl_url = http://[::1]:8080/b?c=d\n",
                 "test.ini", &config, &err),
             err);
    assert_string_equal(config.crls, "/var/lib/crls");
    assert_int_equal(config.crls_every_s, 3600);
    assert_int_equal(config.crl_url_count, 2);
    assert_string_equal(config.crl_urls[0], "http://crl.example/a");
    assert_string_equal(config.crl_urls[1], "http://[::1]:8080/b?c=d");
    for (size_t i = 0; i < CS_ARRAY_LEN(bad); i++) {
        (void)snprintf(text, sizeof text, "[controller]\ncrl_url = %s\n", bad[i]);
        check_code(ctl_config_parse(text, "test.ini", &config, &err), CS_EINVAL);
        check_says(err, "write http://HOST");
    }
    check_code(ctl_config_parse("[controller]\ncrl_url=http://a/1\ncrl_url=http://a/2\ncrl_url=http://a/3\n"
                                "crl_url=http://a/4\ncrl_url=http://a/5\ncrl_url=http://a/6\n"
                                "crl_url=http://a/7\ncrl_url=http://a/8\ncrl_url=http://a/9\n",
                                "test.ini", &config, &err),
               CS_EINVAL);
    check_says(err, "test.ini:10");
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
        cmocka_unit_test(knows_whom_a_user_may_call_as),
        cmocka_unit_test(a_user_has_at_most_sixteen_operators),
        cmocka_unit_test(the_operators_listener_has_tls_unless_it_is_local),
        cmocka_unit_test(takes_several_urls_of_revocation_lists),
        cmocka_unit_test(refuses_a_socket_path_that_does_not_fit),
        cmocka_unit_test(says_that_the_file_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
