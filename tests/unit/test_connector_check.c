/* `connector check`: what is wrong with a connector is found without a push, explained, and nothing is
 * changed. */
#include "tests/support/check.h"
#include "tests/support/folder.h"
#include "tests/support/pki.h"

#include "agent/connector_check.h"
#include "agent/port/posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char folder[64], certificate[96], key[96];
    uv_loop_t loop;
    struct ag_posix *posix;
    struct ag_config config;
    struct ag_connector web;
    char *said;
    struct cs_err err;
};

static char good_program[] = "/bin/true", bad_program[] = "/bin/false";

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    snprintf(s->folder, sizeof s->folder, "/tmp/countersign-check-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->certificate, sizeof s->certificate, "%s/web.pem", s->folder);
    snprintf(s->key, sizeof s->key, "%s/web.key", s->folder);
    snprintf(s->config.state, sizeof s->config.state, "%s/state", s->folder);
    assert_int_equal(mkdir(s->config.state, 0700), 0);
    s->web = (struct ag_connector){
        .name = "web",
        .application = "webd",
        .paths = {[AG_FILE_KEY] = s->key, [AG_FILE_CERTIFICATE] = s->certificate},
        .key_mode = 0600,
        .validate_timeout_s = 5,
        .reload_timeout_s = 5,
        .probe_timeout_s = 1,
    };
    s->config.connectors = (struct ag_connectors){&s->web, 1};
    assert_int_equal(uv_loop_init(&s->loop), 0);
    check_ok(ag_posix_new(&s->loop, &s->posix, &s->err), s->err);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    ag_posix_close(s->posix);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    assert_true(folder_remove(s->folder));
    free(s->said);
    free(s);
    return 0;
}

/* How many things are wrong; what is said is kept. */
static unsigned check(struct scene *s, bool reload)
{
    size_t len;
    FILE *out;

    free(s->said);
    out = open_memstream(&s->said, &len);
    assert_non_null(out);
    unsigned wrong = ag_connector_check(&s->loop, ag_posix_port(s->posix), &s->config, &s->web, reload, out);

    assert_int_equal(fclose(out), 0);
    return wrong;
}

static void says(const struct scene *s, const char *what)
{
    if (!strstr(s->said, what))
        fail_msg("'%s' is not said:\n%s", what, s->said);
}

static void put(const char *path, struct cs_slice content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

/* ---- files */

static void a_connector_at_its_beginning_is_well(void **state)
{
    struct scene *s = *state;
    char link[400];

    assert_int_equal(check(s, false), 0);
    says(s, "connector web (webd)\n");
    says(s, "web.pem: nothing is there yet");
    snprintf(link, sizeof link, "ln -s %s/connectors/web/current/key.pem %s", s->config.state, s->key);
    says(s, link);
    says(s, "validate  not set");
    says(s, "reload    not set");
    says(s, "probe     not set");
    assert_int_equal(access(s->certificate, F_OK), -1);
}

static void names_files_that_are_in_the_way(void **state)
{
    struct scene *s = *state;

    put(s->certificate, CS_SLICE_LIT("theirs"));
    assert_int_equal(check(s, false), 1);
    says(s, "WRONG  certificate");
    says(s, "adopt = yes");
    s->web.adopt = true;
    assert_int_equal(check(s, false), 0);
    says(s, "a file that is not ours; the first push keeps it");
    assert_int_equal(mkdir(s->key, 0700), 0);
    assert_int_equal(check(s, false), 1);
    says(s, "it is no file; remove it");
}

/* Copies are ours to replace once something of ours is installed, and not before. */
static void a_first_copy_replaces_nothing_unasked(void **state)
{
    struct scene *s = *state;
    char path[320];

    s->web.placement = AG_PLACE_COPIES;
    put(s->certificate, CS_SLICE_LIT("theirs"));
    assert_int_equal(check(s, false), 1);
    says(s, "adopt = yes");
    snprintf(path, sizeof path, "%s/connectors", s->config.state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web", s->config.state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web/current", s->config.state);
    assert_int_equal(symlink("g3", path), 0);
    assert_int_equal(check(s, false), 1); /* the empty one of a removal */
    snprintf(path, sizeof path, "%s/connectors/web/g3", s->config.state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web/g3/chain.pem", s->config.state);
    put(path, CS_SLICE_LIT("ours"));
    assert_int_equal(check(s, false), 0);
    says(s, "a file; a push replaces it");
}

static void knows_its_own_links(void **state)
{
    struct scene *s = *state;
    char target[320];

    snprintf(target, sizeof target, "%s/connectors/web/current/key.pem", s->config.state);
    assert_int_equal(symlink(target, s->key), 0);
    assert_int_equal(check(s, false), 0);
    says(s, "web.key: a link of ours");
}

static void names_a_place_that_others_decide_about(void **state)
{
    struct scene *s = *state;

    assert_int_equal(chmod(s->folder, 0777), 0);
    assert_true(check(s, false) >= 2);
    says(s, "WRONG  place");
    assert_int_equal(chmod(s->folder, 0700), 0);
    snprintf(s->config.state, sizeof s->config.state, "/nowhere/at/all");
    assert_true(check(s, false) >= 1);
    says(s, "WRONG  room");
}

/* ---- the application */

static void asks_the_application(void **state)
{
    struct scene *s = *state;

    s->web.validate[0] = good_program;
    s->web.reload = (struct ag_reload){.kind = AG_RELOAD_COMMAND, .argv = {good_program}};
    assert_int_equal(check(s, false), 0);
    says(s, "good   validate  /bin/true");
    says(s, "reload    not tried; --reload does");
    assert_int_equal(check(s, true), 0);
    says(s, "good   reload    done");
    s->web.validate[0] = s->web.reload.argv[0] = bad_program;
    assert_int_equal(check(s, true), 2);
    says(s, "WRONG  validate  /bin/false ended with status 1");
    says(s, "WRONG  reload    /bin/false ended with status 1");
}

static void gives_haproxy_nothing_before_there_is_something(void **state)
{
    static char address[] = "/run/nobody/here.sock", bundle[] = "/tmp/none.pem";
    struct scene *s = *state;

    s->web.paths[AG_FILE_BUNDLE] = bundle;
    s->web.reload = (struct ag_reload){.kind = AG_RELOAD_HAPROXY, .address = address};
    assert_int_equal(check(s, true), 0);
    says(s, "nothing is installed that haproxy could be given");
}

static void sees_that_nothing_is_served(void **state)
{
    static char host[] = "127.0.0.1";
    struct scene *s = *state;

    s->web.probe = (struct ag_probe){.host = host, .port = 1};
    assert_int_equal(check(s, false), 1);
    says(s, "WRONG  probe     127.0.0.1:1: ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_connector_at_its_beginning_is_well),
        TEST(names_files_that_are_in_the_way),
        TEST(a_first_copy_replaces_nothing_unasked),
        TEST(knows_its_own_links),
        TEST(names_a_place_that_others_decide_about),
        TEST(asks_the_application),
        TEST(gives_haproxy_nothing_before_there_is_something),
        TEST(sees_that_nothing_is_served),
    };

    return cmocka_run_group_tests_name("connector check", tests, NULL, NULL);
}
