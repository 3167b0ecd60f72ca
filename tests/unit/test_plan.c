/* What is to be done, step by step, without doing it. */
#include "tests/support/check.h"

#include "agent/core/plan.h"
#include "tests/support/alloc_fail.h"

#include <inttypes.h>

enum { ROOM = 4096 };

static struct ag_connector web = {.name = "web",
                                  .certificate = (char[]){"/etc/web.pem"},
                                  .key = (char[]){"/etc/web.key"},
                                  .key_mode = 0600};

static const char *word(enum ag_step_kind kind)
{
    static const char *const words[] = {
        [AG_STEP_CHECK_ENTRY] = "check", [AG_STEP_REMOVE_FOLDER] = "remove", [AG_STEP_MAKE_FOLDER] = "make",
        [AG_STEP_WRITE_FILE] = "write",  [AG_STEP_SYNC_FOLDER] = "sync",     [AG_STEP_SWITCH_LINK] = "switch",
        [AG_STEP_ENTER] = "enter",       [AG_STEP_LEAVE] = "leave",          [AG_STEP_REMOVE_LINK] = "unlink",
        [AG_STEP_RELOAD] = "reload",
    };

    return words[kind];
}

/* The plan as text: "word path > target (mode) content", a line a step. */
static const char *told(const struct ag_plan *plan, char room[ROOM])
{
    struct cs_buf out = {.limit_bytes = ROOM};

    for (size_t i = 0; i < plan->count; i++) {
        const struct ag_step *step = &plan->steps[i];

        assert_int_equal(cs_buf_printf(&out, "%s", word(step->kind)), CS_OK);
        if (step->path)
            assert_int_equal(cs_buf_printf(&out, " %s", step->path), CS_OK);
        if (step->target)
            assert_int_equal(cs_buf_printf(&out, " > %s", step->target), CS_OK);
        if (step->mode)
            assert_int_equal(cs_buf_printf(&out, " %o", step->mode), CS_OK);
        if (step->content.len)
            assert_int_equal(
                cs_buf_printf(&out, " %.*s", (int)step->content.len, (const char *)step->content.ptr), CS_OK);
        assert_int_equal(cs_buf_append_str(&out, "\n"), CS_OK);
    }
    memcpy(room, out.ptr, out.len);
    room[out.len] = '\0';
    cs_buf_free(&out);
    return room;
}

static void installs_beside_what_is_there_and_switches_one_link(void **unused CS_UNUSED)
{
    const struct ag_install install = {"/s", &web, 7, CS_SLICE_LIT("CHAIN"), CS_SLICE_LIT("KEY")};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    check_ok(ag_plan_install(&install, &plan, &err), err);
    assert_string_equal(told(plan, room), "check /etc/web.key > /s/connectors/web/current/key.pem\n"
                                          "check /etc/web.pem > /s/connectors/web/current/chain.pem\n"
                                          "make /s/connectors/web 711\n"
                                          "remove /s/connectors/web/g7\n"
                                          "make /s/connectors/web/g7 711\n"
                                          "write /s/connectors/web/g7/chain.pem 644 CHAIN\n"
                                          "write /s/connectors/web/g7/key.pem 600 KEY\n"
                                          "sync /s/connectors/web/g7\n"
                                          "sync /s/connectors/web\n"
                                          "switch /s/connectors/web/current > g7\n"
                                          "enter /etc/web.key > /s/connectors/web/current/key.pem\n"
                                          "enter /etc/web.pem > /s/connectors/web/current/chain.pem\n");
}

static struct ag_connector all_of_it(void)
{
    static char bundle[] = "/etc/web.all", reload[] = "/bin/true";
    struct ag_connector connector = web;

    connector.bundle = bundle;
    connector.reload[0] = reload;
    connector.adopt = true;
    return connector;
}

static void writes_a_bundle_and_reloads_where_the_connector_has_them(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    const struct ag_install install = {"/s", &connector, 7, CS_SLICE_LIT("CHAIN"), CS_SLICE_LIT("KEY")};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    check_ok(ag_plan_install(&install, &plan, &err), err);
    told(plan, room);
    assert_non_null(strstr(room, "write /s/connectors/web/g7/bundle.pem 600 CHAINKEY\n"));
    assert_non_null(strstr(room, "check /etc/web.all > /s/connectors/web/current/bundle.pem\n"));
    assert_string_equal(room + strlen(room) - strlen("reload\n"), "reload\n");
    assert_true(plan->steps[0].adopt);
}

static void puts_back_the_one_before_or_leaves_nothing(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    static const struct {
        uint64_t previous;
        bool reload;
        const char *wanted;
    } cases[] = {
        {6, true, "switch /s/connectors/web/current > g6\nreload\nremove /s/connectors/web/g7\n"},
        {6, false, "switch /s/connectors/web/current > g6\nremove /s/connectors/web/g7\n"},
        {0, true,
         "leave /etc/web.key > /s/connectors/web/current/key.pem\n"
         "leave /etc/web.pem > /s/connectors/web/current/chain.pem\n"
         "leave /etc/web.all > /s/connectors/web/current/bundle.pem\n"
         "unlink /s/connectors/web/current\nremove /s/connectors/web/g7\n"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct ag_put_back put_back = {"/s", &connector, 7, cases[i].previous, cases[i].reload};
        cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
        char room[ROOM];
        struct cs_err err;

        check_ok(ag_plan_put_back(&put_back, &plan, &err), err);
        assert_string_equal(told(plan, room), cases[i].wanted);
    }
}

static void finishes_by_entering_and_reloading(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    check_ok(ag_plan_finish("/s", &connector, &plan, &err), err);
    assert_string_equal(told(plan, room), "enter /etc/web.key > /s/connectors/web/current/key.pem\n"
                                          "enter /etc/web.pem > /s/connectors/web/current/chain.pem\n"
                                          "enter /etc/web.all > /s/connectors/web/current/bundle.pem\n"
                                          "reload\n");
}

static void refuses_a_path_that_does_not_fit(void **unused CS_UNUSED)
{
    char folder[AG_LIMIT_PATH_BYTES + 1];
    const struct ag_install install = {folder, &web, 7, CS_SLICE_LIT("CHAIN"), CS_SLICE_LIT("KEY")};
    const struct ag_put_back back = {folder, &web, 7, 6, true}, away = {folder, &web, 7, 0, true};
    struct ag_plan *plan = NULL;
    struct cs_err err;

    /* The longest that fits, and one byte more. */
    for (size_t spare = strlen("/connectors/web/current/chain.pem") + 1; spare > 0; spare--) {
        memset(folder, 'f', sizeof folder);
        folder[AG_LIMIT_PATH_BYTES - spare] = '\0';
        int rc = ag_plan_install(&install, &plan, &err);

        if (rc == CS_OK) {
            assert_int_equal(spare, strlen("/connectors/web/current/chain.pem") + 1);
            ag_plan_free(plan);
            continue;
        }
        check_code(rc, CS_ETOOBIG);
        check_says(err, "too long");
    }
    check_code(ag_plan_put_back(&back, &plan, &err), CS_ETOOBIG);
    check_code(ag_plan_put_back(&away, &plan, &err), CS_ETOOBIG);
    check_code(ag_plan_finish(folder, &web, &plan, &err), CS_ETOOBIG);
}

static void plan_short_of_memory(void *data)
{
    struct ag_connector *connector = data;
    const struct ag_install install = {"/s", connector, 7, CS_SLICE_LIT("CHAIN"), CS_SLICE_LIT("KEY")};
    const struct ag_put_back put_back = {"/s", connector, 7, 0, true};
    struct ag_plan *plan = NULL, *back = NULL, *finish = NULL;
    struct cs_err err;
    int rc = ag_plan_install(&install, &plan, &err);

    if (rc == CS_OK)
        rc = ag_plan_put_back(&put_back, &back, &err);
    if (rc == CS_OK)
        rc = ag_plan_finish("/s", connector, &finish, &err);
    assert_true(rc == CS_OK ? finish != NULL : rc == CS_ENOMEM && !finish && alloc_fail_happened());
    ag_plan_free(plan);
    ag_plan_free(back);
    ag_plan_free(finish);
}

static void says_when_memory_runs_out(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();

    assert_true(alloc_fail_run(plan_short_of_memory, &connector) > 40);
}

static void knows_a_generation_by_its_one_name(void **unused CS_UNUSED)
{
    static const struct {
        const char *name;
        bool is;
        uint64_t generation;
    } cases[] = {
        {"g7", true, 7},
        {"g0", true, 0},
        {"g1234567890123456789", true, UINT64_C(1234567890123456789)},
        {"g12345678901234567890", false, 0}, /* longer than we write */
        {"g07", false, 0},
        {"g", false, 0},
        {"g7x", false, 0},
        {"7", false, 0},
        {"", false, 0},
        {"g-1", false, 0},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        uint64_t generation = 99;

        if (ag_generation_parse(cases[i].name, &generation) != cases[i].is)
            fail_msg("'%s'", cases[i].name);
        assert_int_equal(generation, cases[i].is ? cases[i].generation : 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installs_beside_what_is_there_and_switches_one_link),
        cmocka_unit_test(writes_a_bundle_and_reloads_where_the_connector_has_them),
        cmocka_unit_test(puts_back_the_one_before_or_leaves_nothing),
        cmocka_unit_test(finishes_by_entering_and_reloading),
        cmocka_unit_test(refuses_a_path_that_does_not_fit),
        cmocka_unit_test(says_when_memory_runs_out),
        cmocka_unit_test(knows_a_generation_by_its_one_name),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
