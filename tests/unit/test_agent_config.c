/* The agent's configuration file: what is wrong is named with file and line. */
#include "tests/support/check.h"

#include "agent/config.h"
#include "shared/base/buf.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int load(const char *text, struct ag_config *ret, struct cs_err *err)
{
    char path[] = "/tmp/agent-conf-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int code = ag_config_load(path, ret, err);

    unlink(path);
    return code;
}

static void reads_what_is_documented(void **unused CS_UNUSED)
{
    struct ag_config config;
    struct cs_err err;

    check_ok(load("[agent]\n"
                  "controller = controller.example:7443\n"
                  "enrolment = [::1]:7444\n"
                  "state = /var/lib/x\n"
                  "log_format = json\n"
                  "keepalive = 30s\n"
                  "generations_kept = 5\n"
                  "[connector \"web\"]\n"
                  "application = nginx\n"
                  "certificate = /etc/nginx/web.pem\n"
                  "key = /etc/nginx/web.key\n"
                  "group = www-data\n"
                  "key_mode = 0640\n"
                  "validate = /usr/sbin/nginx -t\n"
                  "names = a.example b.example\n"
                  "probe = [::1]:8443\n"
                  "probe_name = a.example\n"
                  "run_as = www-data\n"
                  "reload = /usr/sbin/nginx -s 'reload now' \"a\\\"b\" c\\ d\n"
                  "reload_timeout = 1m\n"
                  "[connector \"mail\"]\n"
                  "bundle = /m.pem\n"
                  "bundle_order = key-first\n"
                  "placement = copies\n"
                  "reload = signal HUP /run/mail.pid maild\n",
                  &config, &err),
             err);
    assert_string_equal(config.controller.host, "controller.example");
    assert_int_equal(config.controller.port, 7443);
    assert_string_equal(config.enrolment.host, "::1");
    assert_string_equal(config.server_name, "countersignd");
    assert_int_equal(config.log_format, CS_LOG_JSON);
    assert_int_equal(config.generations_kept, 5);
    assert_int_equal(config.connectors.count, 2);
    const struct ag_connector *web = ag_connectors_find(&config.connectors, "web");

    assert_int_equal(web->key_mode, 0640);
    assert_int_equal(web->reload_timeout_s, 60);
    assert_string_equal(web->reload.argv[0], "/usr/sbin/nginx");
    assert_string_equal(web->reload.argv[2], "reload now");
    assert_string_equal(web->reload.argv[3], "a\"b");
    assert_string_equal(web->reload.argv[4], "c d");
    assert_null(web->reload.argv[5]);
    assert_string_equal(web->validate[1], "-t");
    assert_string_equal(web->names[1], "b.example");
    assert_string_equal(web->probe.host, "::1");
    assert_int_equal(web->probe.port, 8443);
    assert_string_equal(web->probe.server_name, "a.example");
    assert_string_equal(web->run_as, "www-data");
    const struct ag_connector *mail = ag_connectors_find(&config.connectors, "mail");

    assert_string_equal(mail->application, "file");
    assert_string_equal(mail->paths[AG_FILE_BUNDLE], "/m.pem");
    assert_true(mail->key_first);
    assert_int_equal(mail->placement, AG_PLACE_COPIES);
    assert_int_equal(mail->reload.kind, AG_RELOAD_SIGNAL);
    assert_int_equal(mail->reload.signal, SIGHUP);
    assert_string_equal(mail->reload.pid_file, "/run/mail.pid");
    assert_string_equal(mail->reload.program, "maild");
    assert_null(ag_connectors_find(&config.connectors, "ftp"));
    ag_config_free(&config);
}

static void names_what_is_wrong(void **unused CS_UNUSED)
{
#define WEB "[connector \"web\"]\ncertificate = /a\nkey = /b\n"
    static const struct {
        const char *says, *text, *sentence;
    } cases[] = {
        {"unknown key", "[agent]\nspeed = 3\n", ":2: \"speed\" is not known in [agent]; it takes controller"},
        {"unknown section", "[agnet]\nstate = /x\n", ":2: there is no section [agnet]"},
        {"key before a section", "state = /x\n", "there is no section"},
        {"no key at all", "[agent]\nstate\n", ":2: neither a section nor"},
        {"port 0", "[agent]\ncontroller = a:0\n", ":2: controller takes HOST:PORT"},
        {"port too high", "[agent]\ncontroller = a:65536\n", ":2: controller takes HOST:PORT"},
        {"no port", "[agent]\nenrolment = a\n", ":2: enrolment takes HOST:PORT"},
        {"relative state", "[agent]\nstate = x\n", ":2: state takes the absolute path"},
        {"log format", "[agent]\nlog_format = xml\n", ":2: log_format takes logfmt or json"},
        {"keepalive too short", "[agent]\nkeepalive = 1s\n", ":2: keepalive takes a duration from 5s"},
        {"back-off upside down", "[agent]\nbackoff_base = 10s\nbackoff_max = 5s\n", "backoff_max is below"},
        {"unknown connector key", WEB "run = x\n", ":4: \"run\" is not known in a connector"},
        {"world-readable key", WEB "key_mode = 0644\n",
         ":4: key_mode takes an octal mode without rights for others"},
        {"key that cannot be read", WEB "key_mode = 0200\n", ":4: key_mode"},
        {"open quote", WEB "reload = a 'b\n", ":4: reload takes /PROGRAM"},
        {"adopt", WEB "adopt = maybe\n", ":4: adopt takes yes or no"},
        {"a path that is none", "[connector \"web\"]\nkey = b\n", ":2: key takes the absolute path"},
        {"no key", "[connector \"web\"]\ncertificate = /a\n", "connector \"web\" needs certificate and key"},
        {"one path twice", "[connector \"web\"]\ncertificate = /a\nkey = /a\n", "names one path twice"},
        {"a name that is a path", "[connector \"../x\"]\nkey = /a\n", ":2: a connector's name"},
        {"a path with .. in it", WEB "bundle = /etc/../x\n", ":4: bundle takes the absolute path"},
        {"a relative command", WEB "validate = nginx -t\n",
         ":4: validate takes the absolute path of a program"},
        {"an unknown reload", WEB "reload = gently\n", ":4: reload takes /PROGRAM"},
        {"an unknown signal", WEB "reload = signal KILL /run/x.pid x\n", ":4: reload = signal takes HUP"},
        {"a signal to nobody", WEB "reload = signal HUP /run/x.pid\n", ":4: reload takes /PROGRAM"},
        {"haproxy without a bundle", WEB "reload = haproxy /run/haproxy.sock\n", "which takes a bundle"},
        {"a probe without a port", WEB "probe = 127.0.0.1\n", ":4: probe takes HOST:PORT"},
        {"an unknown protocol", WEB "probe_starttls = ldap\n", ":4: probe_starttls takes"},
        {"too many names", WEB "names = 1 2 3 4 5 6 7 8 9\n", ":4: names takes at most 8"},
        {"a placement", WEB "placement = hardlinks\n", ":4: placement takes links or copies"},
        {"an unknown preset", "[connector \"web\"]\npreset = none\n",
         ":2: there is no preset \"none\"; there are"},
        {"a preset that comes late", WEB "preset = file\n", ":4: preset stands first"},
        {"declared twice", WEB "[agent]\nkeepalive = 9s\n" WEB, ":7: connector \"web\" is declared twice"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ag_config config;
        struct cs_err err = {0};

        if (load(cases[i].text, &config, &err) == CS_OK)
            fail_msg("%s: taken", cases[i].says);
        check_says(err, cases[i].sentence);
    }
}

/* With what is commented out taken in, too. */
static void the_example_names_only_what_there_is(void **unused CS_UNUSED)
{
    FILE *file = fopen(CS_TEST_VECTORS "/../../agent/agent.conf.example", "r");
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;
    char line[512];
    struct ag_config plain, full;
    struct cs_err err;

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        assert_int_equal(
            cs_buf_append_str(&text, line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' ? line + 1 : line),
            CS_OK);
    fclose(file);
    assert_int_equal(cs_buf_append(&text, CS_SLICE_LIT("\0")), CS_OK);
    check_ok(load((const char *)text.ptr, &full, &err), err);
    check_ok(ag_config_load(CS_TEST_VECTORS "/../../agent/agent.conf.example", &plain, &err), err);
    /* What it says of the defaults is true. */
    assert_string_equal(plain.state, full.state);
    assert_string_equal(plain.server_name, full.server_name);
    assert_int_equal(plain.log_format, full.log_format);
    assert_int_equal(plain.log_level, full.log_level);
    assert_int_equal(plain.keepalive_s, full.keepalive_s);
    assert_int_equal(plain.backoff_base_s, full.backoff_base_s);
    assert_int_equal(plain.backoff_max_s, full.backoff_max_s);
    assert_int_equal(plain.generations_kept, full.generations_kept);
    assert_int_equal(plain.connectors.items[0].key_mode, full.connectors.items[0].key_mode);
    assert_int_equal(plain.connectors.items[0].reload_timeout_s, full.connectors.items[0].reload_timeout_s);
    ag_config_free(&plain);
    ag_config_free(&full);
}

static void says_when_the_file_is_missing(void **unused CS_UNUSED)
{
    struct ag_config config;
    struct cs_err err;

    check_code(ag_config_load("/nowhere/agent.conf", &config, &err), CS_ENOTFOUND);
    check_says(err, "/nowhere/agent.conf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_documented),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(the_example_names_only_what_there_is),
        cmocka_unit_test(says_when_the_file_is_missing),
    };

    return cmocka_run_group_tests_name("agent-config", tests, NULL, NULL);
}
