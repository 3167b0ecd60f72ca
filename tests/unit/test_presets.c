/* The presets that are part of the agent: each is a connector, or one that lacks its paths alone, and the
 * whole is no burden. */
#include "tests/support/check.h"

#include "agent/config.h"
#include "agent/connectors/presets.h"

#include <stdio.h>
#include <unistd.h>

enum { ALL_BYTES_AT_MOST = 16 * 1024 };

static int load(const char *name, const char *more, struct ag_config *ret, struct cs_err *err)
{
    char path[] = "/tmp/agent-preset-XXXXXX", text[512];
    int len = snprintf(text, sizeof text, "[connector \"c\"]\npreset = %s\n%s", name, more);
    int fd = mkstemp(path);

    assert_true(fd >= 0 && len > 0 && (size_t)len < sizeof text);
    assert_int_equal(write(fd, text, (size_t)len), len);
    close(fd);
    int code = ag_config_load(path, ret, err);

    unlink(path);
    return code;
}

static void each_is_a_connector(void **unused CS_UNUSED)
{
    for (size_t i = 0; i < ag_preset_count; i++) {
        const char *name = ag_presets[i].name;
        struct ag_config config;
        struct cs_err err = {0};

        /* What has no path of its own is for whatever reads files. */
        if (load(name, strcmp(name, "file") == 0 ? "bundle = /b.pem\n" : "", &config, &err) != CS_OK)
            fail_msg("preset %s: %s", name, err.msg);
        const struct ag_connector *connector = &config.connectors.items[0];

        /* "nginx-upstream" is a use of nginx. */
        assert_memory_equal(name, connector->application, strlen(connector->application));
        assert_int_equal(connector->key_mode & 0007, 0);
        assert_int_equal(connector->placement, AG_PLACE_LINKS);
        ag_config_free(&config);
    }
}

static void what_follows_overrides(void **unused CS_UNUSED)
{
    struct ag_config config;
    struct cs_err err;

    check_ok(load("nginx",
                  "key = /srv/web.key\nprobe = localhost:8443\nvalidate = none\nreload = unit nginx\n",
                  &config, &err),
             err);
    const struct ag_connector *connector = &config.connectors.items[0];

    assert_string_equal(connector->application, "nginx");
    assert_string_equal(connector->paths[AG_FILE_KEY], "/srv/web.key");
    assert_string_equal(connector->paths[AG_FILE_CERTIFICATE], "/etc/nginx/countersign.pem");
    assert_int_equal(connector->probe.port, 8443);
    assert_null(connector->validate[0]);
    assert_int_equal(connector->reload.kind, AG_RELOAD_UNIT);
    ag_config_free(&config);
}

static void they_are_sorted_and_small(void **unused CS_UNUSED)
{
    size_t bytes = 0;

    for (size_t i = 0; i < ag_preset_count; i++) {
        bytes += strlen(ag_presets[i].text);
        assert_ptr_equal(ag_preset_find(ag_presets[i].name), &ag_presets[i]);
        if (i > 0)
            assert_true(strcmp(ag_presets[i - 1].name, ag_presets[i].name) < 0);
        /* As it is printed on a terminal of any kind. */
        for (const char *at = ag_presets[i].text; *at; at++)
            assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
    }
    assert_true(bytes > 0 && bytes <= ALL_BYTES_AT_MOST);
    assert_null(ag_preset_find("ngin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_a_connector),
        cmocka_unit_test(what_follows_overrides),
        cmocka_unit_test(they_are_sorted_and_small),
    };

    return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}
