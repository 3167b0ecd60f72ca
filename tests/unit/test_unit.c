/* The sandbox that the declared connectors need, as systemd reads it. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "agent/unit.h"

#include <stdio.h>

static const char head[] =
    "# Made by `countersign-agent unit` from the connectors that are declared; make it anew when they "
    "change:\n"
    "#   countersign-agent unit > /etc/systemd/system/countersign-agent.service.d/connectors.conf\n"
    "[Service]\n"
    "ReadWritePaths=\"-/var/lib/countersign-agent\"\n";

static struct ag_config config_of(struct ag_connector *connectors, size_t count)
{
    struct ag_config config = {.state = "/var/lib/countersign-agent"};

    config.connectors = (struct ag_connectors){connectors, count};
    return config;
}

static void check_unit(struct ag_connector *connectors, size_t count, const char *wanted)
{
    const struct ag_config config = config_of(connectors, count);
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;

    assert_int_equal(ag_unit_write(&config, &text), CS_OK);
    assert_int_equal(cs_buf_append_u8(&text, 0), CS_OK);
    assert_true(strncmp((const char *)text.ptr, head, strlen(head)) == 0);
    assert_string_equal((const char *)text.ptr + strlen(head), wanted);
}

static struct ag_connector full(void)
{
    static char key[] = "/etc/nginx/tls/web.key", certificate[] = "/etc/nginx/tls/web.pem",
                bundle[] = "/web.pem", log[] = "/var/log/nginx", run[] = "/run", user[] = "www-data";

    return (struct ag_connector){
        .name = "web",
        .application = "nginx",
        .paths = {[AG_FILE_KEY] = key, [AG_FILE_CERTIFICATE] = certificate, [AG_FILE_BUNDLE] = bundle},
        .writes = {log, run},
        .run_as = user,
    };
}

static void a_device_without_connectors_writes_its_state(void **unused CS_UNUSED)
{
    check_unit(NULL, 0, "");
}

static void names_the_folders_of_each_connector(void **unused CS_UNUSED)
{
    struct ag_connector connectors[] = {full(), full()};

    memcpy(connectors[1].name, "two", 4);
    connectors[1].paths[AG_FILE_BUNDLE] = connectors[1].run_as = NULL;
    connectors[1].writes[0] = NULL;
    check_unit(connectors, 2,
               "# web (nginx)\n"
               "ReadWritePaths=\"-/etc/nginx/tls\"\n"
               "ReadWritePaths=\"-/\"\n"
               "ReadWritePaths=\"-/var/log/nginx\"\n"
               "ReadWritePaths=\"-/run\"\n"
               "# two (nginx)\n"
               "ReadWritePaths=\"-/etc/nginx/tls\"\n");
}

/* systemd expands % and reads quotes and backslashes. */
static void paths_are_taken_as_they_are(void **unused CS_UNUSED)
{
    static char odd[] = "/srv/50% \"off\"\\new/web.pem";
    struct ag_connector connector = {.name = "odd", .application = "file", .paths = {[AG_FILE_BUNDLE] = odd}};

    check_unit(&connector, 1,
               "# odd (file)\n"
               "ReadWritePaths=\"-/srv/50%% \\\"off\\\"\\\\new\"\n");
}

static void write_one(void *data)
{
    struct ag_connector connector = full();
    const struct ag_config config = config_of(&connector, 1);
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;

    (void)data;
    int code = ag_unit_write(&config, &text);

    assert_int_equal(code, alloc_fail_happened() ? CS_ENOMEM : CS_OK);
}

static void says_that_memory_is_out(void **unused CS_UNUSED)
{
    assert_true(alloc_fail_run(write_one, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_without_connectors_writes_its_state),
        cmocka_unit_test(names_the_folders_of_each_connector),
        cmocka_unit_test(paths_are_taken_as_they_are),
        cmocka_unit_test(says_that_memory_is_out),
    };

    return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
