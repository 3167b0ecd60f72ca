/* What is to be done, step by step, without doing it. */
#include "tests/support/check.h"

#include "agent/core/plan.h"
#include "tests/support/alloc_fail.h"

#include <inttypes.h>

enum { ROOM = 4096 };

static struct ag_connector web = {
    .name = "web",
    .paths = {[AG_FILE_CERTIFICATE] = (char[]){"/etc/web.pem"}, [AG_FILE_KEY] = (char[]){"/etc/web.key"}},
    .key_mode = 0600};

static const char *word(enum ag_step_kind kind)
{
    static const char *const words[] = {
        [AG_STEP_CHECK_PLACE] = "place",
        [AG_STEP_CHECK_ENTRY] = "check",
        [AG_STEP_CHECK_ROOM] = "room",
        [AG_STEP_REMOVE_FOLDER] = "remove",
        [AG_STEP_MAKE_FOLDER] = "make",
        [AG_STEP_KEEP_OLD] = "keep",
        [AG_STEP_KEEP_CHANGED] = "set-aside",
        [AG_STEP_WRITE_FILE] = "write",
        [AG_STEP_SYNC_FOLDER] = "sync",
        [AG_STEP_SWITCH_LINK] = "switch",
        [AG_STEP_ENTER] = "enter",
        [AG_STEP_COPY] = "copy",
        [AG_STEP_LEAVE] = "leave",
        [AG_STEP_CLEAR] = "clear",
        [AG_STEP_REMOVE_LINK] = "unlink",
        [AG_STEP_VALIDATE] = "validate",
        [AG_STEP_RELOAD] = "reload",
        [AG_STEP_PROVE] = "prove",
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

static const struct ag_material material = {
    .chain_pem = {(const uint8_t *)"CHAIN", 5},
    .key_pem = {(const uint8_t *)"KEY", 3},
    .intermediates_pem = {(const uint8_t *)"MORE", 4},
    .leaf_der = {(const uint8_t *)"LEAF", 4},
    .key_der = {(const uint8_t *)"SECRET", 6},
};

static struct ag_connector all_of_it(void)
{
    static char bundle[] = "/etc/web.all", more[] = "/etc/web.more", command[] = "/bin/true", host[] = "::1";
    struct ag_connector connector = web;

    connector.paths[AG_FILE_BUNDLE] = bundle;
    connector.paths[AG_FILE_INTERMEDIATES] = more;
    connector.validate[0] = command;
    connector.reload = (struct ag_reload){.kind = AG_RELOAD_COMMAND, .argv = {command}};
    connector.probe = (struct ag_probe){.host = host, .port = 443};
    connector.adopt = true;
    return connector;
}

/* Of a plan, from the first line that starts so. */
static void check_plan(const struct ag_install *install, const char *wanted)
{
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    check_ok(ag_plan_install(install, &plan, &err), err);
    assert_string_equal(told(plan, room), wanted);
}

static void installs_beside_what_is_there_and_switches_one_link(void **unused CS_UNUSED)
{
    check_plan(&(struct ag_install){"/s", &web, 7, 6, &material},
               "place /etc/web.key\n"
               "place /etc/web.pem\n"
               "check /etc/web.key > /s/connectors/web/current/key.pem\n"
               "check /etc/web.pem > /s/connectors/web/current/chain.pem\n"
               "make /s/connectors/web 711\n"
               "room /s/connectors/web\n"
               "remove /s/connectors/web/g7\n"
               "make /s/connectors/web/g7 711\n"
               "write /s/connectors/web/g7/key.pem 600 KEY\n"
               "write /s/connectors/web/g7/chain.pem 644 CHAIN\n"
               "sync /s/connectors/web/g7\n"
               "sync /s/connectors/web\n"
               "enter /etc/web.key > /s/connectors/web/current/key.pem\n"
               "enter /etc/web.pem > /s/connectors/web/current/chain.pem\n"
               "switch /s/connectors/web/current > g7\n");
}

static const char *install_and_find(const struct ag_connector *connector, uint64_t previous, bool removes,
                                    char room[ROOM])
{
    const struct ag_install install = {"/s", connector, 7, previous, removes ? NULL : &material};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    struct cs_err err;

    check_ok(ag_plan_install(&install, &plan, &err), err);
    return told(plan, room);
}

static void the_first_keeps_what_was_there(void **unused CS_UNUSED)
{
    char room[ROOM];

    assert_non_null(strstr(install_and_find(&web, 0, false, room),
                           "keep /s/connectors/web/before-7\nremove /s/connectors/web/g7\n"));
    assert_null(strstr(install_and_find(&web, 6, false, room), "keep"));
}

static void writes_what_the_connector_wants(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    char room[ROOM];

    install_and_find(&connector, 6, false, room);
    assert_non_null(strstr(room, "write /s/connectors/web/g7/bundle.pem 600 CHAINKEY\n"));
    assert_non_null(strstr(room, "write /s/connectors/web/g7/intermediates.pem 644 MORE\n"));
    assert_non_null(strstr(room, "check /etc/web.all > /s/connectors/web/current/bundle.pem\n"));
    assert_string_equal(strstr(room, "switch"),
                        "switch /s/connectors/web/current > g7\nvalidate\nreload /s/connectors/web/g7\n"
                        "prove /s/connectors/web/g7\n");
    connector.key_first = true;
    connector.format = AG_FORMAT_DER;
    install_and_find(&connector, 6, false, room);
    assert_non_null(strstr(room, "write /s/connectors/web/g7/bundle.pem 600 KEYCHAIN\n"));
    assert_non_null(strstr(room, "write /s/connectors/web/g7/key.der 600 SECRET\n"));
    assert_non_null(strstr(room, "write /s/connectors/web/g7/leaf.der 644 LEAF\n"));
    assert_non_null(strstr(room, "enter /etc/web.key > /s/connectors/web/current/key.der\n"));
}

static void copies_come_after_the_switch(void **unused CS_UNUSED)
{
    struct ag_connector connector = web;
    char room[ROOM];

    connector.placement = AG_PLACE_COPIES;
    install_and_find(&connector, 6, false, room);
    assert_string_equal(strstr(room, "switch"), "switch /s/connectors/web/current > g7\n"
                                                "copy /etc/web.key > /s/connectors/web/g7/key.pem\n"
                                                "copy /etc/web.pem > /s/connectors/web/g7/chain.pem\n");
    assert_non_null(strstr(room, "set-aside /s/connectors/web/before-7 > /s/connectors/web/g6\n"));
    assert_null(strstr(room, "enter"));
    assert_non_null(strstr(room, "room /etc/web.key\n"));
}

static void a_removal_switches_to_an_empty_generation(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    char room[ROOM];

    connector.paths[AG_FILE_BUNDLE] = connector.paths[AG_FILE_INTERMEDIATES] = NULL;
    install_and_find(&connector, 6, true, room);
    assert_null(strstr(room, "write"));
    assert_string_equal(strstr(room, "switch"),
                        "switch /s/connectors/web/current > g7\nvalidate\nreload /s/connectors/web/g7\n"
                        "prove /s/connectors/web/g6\n"
                        "clear /etc/web.key > /s/connectors/web/current/key.pem\n"
                        "clear /etc/web.pem > /s/connectors/web/current/chain.pem\n");
}

/* Copies go with what they are copies of. */
static void a_removal_of_copies_copies_nothing(void **unused CS_UNUSED)
{
    struct ag_connector connector = web;
    const struct ag_finish what = {"/s", &connector, 7, 6, true};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    connector.placement = AG_PLACE_COPIES;
    install_and_find(&connector, 6, true, room);
    assert_string_equal(strstr(room, "switch"), "switch /s/connectors/web/current > g7\n"
                                                "copy /etc/web.key > /s/connectors/web/g7/key.pem\n"
                                                "copy /etc/web.pem > /s/connectors/web/g7/chain.pem\n");
    check_ok(ag_plan_finish(&what, &plan, &err), err);
    assert_string_equal(told(plan, room), "switch /s/connectors/web/current > g7\n"
                                          "copy /etc/web.key > /s/connectors/web/g7/key.pem\n"
                                          "copy /etc/web.pem > /s/connectors/web/g7/chain.pem\n");
}

/* Only what the application reads is written in its own form, and no empty file. */
static void writes_no_form_that_nobody_reads(void **unused CS_UNUSED)
{
    static char bundle[] = "/etc/web.all", more[] = "/etc/web.more";
    struct ag_connector connector = web;
    struct ag_material alone = material;
    const struct ag_install install = {"/s", &connector, 7, 6, &alone};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    char room[ROOM];
    struct cs_err err;

    connector.format = AG_FORMAT_DER;
    connector.paths[AG_FILE_BUNDLE] = bundle;
    connector.paths[AG_FILE_KEY] = connector.paths[AG_FILE_CERTIFICATE] = NULL;
    install_and_find(&connector, 6, false, room);
    assert_null(strstr(room, ".der"));
    connector.paths[AG_FILE_INTERMEDIATES] = more;
    alone.intermediates_pem = CS_SLICE_EMPTY;
    check_ok(ag_plan_install(&install, &plan, &err), err);
    assert_null(strstr(told(plan, room), "g7/intermediates.pem"));
}

static void puts_back_the_one_before_or_what_was_there_before_the_first(void **unused CS_UNUSED)
{
    static const struct {
        const char *says;
        uint64_t previous;
        enum ag_place at;
        bool seen, copies;
        const char *wanted;
    } cases[] = {
        {"nothing was entered", 6, AG_AT_OTHER, false, false, "remove /s/connectors/web/g7\n"},
        {"nothing was entered, the first", 0, AG_AT_OTHER, true, false,
         "remove /s/connectors/web/before-7\nremove /s/connectors/web/g7\n"},
        {"not switched", 6, AG_AT_PREVIOUS, false, false,
         "switch /s/connectors/web/current > g6\nremove /s/connectors/web/g7\n"},
        {"switched", 6, AG_AT_NEW, false, false,
         "enter /etc/web.key > /s/connectors/web/current/key.pem\n"
         "enter /etc/web.pem > /s/connectors/web/current/chain.pem\n"
         "switch /s/connectors/web/current > g6\n"
         "validate\nreload /s/connectors/web/g6\nprove /s/connectors/web/g6\nremove /s/connectors/web/g7\n"},
        {"switched back before the power went", 6, AG_AT_PREVIOUS, true, true,
         "switch /s/connectors/web/current > g6\n"
         "copy /etc/web.key > /s/connectors/web/g6/key.pem\n"
         "copy /etc/web.pem > /s/connectors/web/g6/chain.pem\n"
         "validate\nreload /s/connectors/web/g6\nprove /s/connectors/web/g6\nremove /s/connectors/web/g7\n"},
        {"the first, switched", 0, AG_AT_NEW, true, false,
         "switch /s/connectors/web/current > before-7\n"
         "validate\nreload /s/connectors/web/before-7\nprove /s/connectors/web/before-7\n"
         "leave /etc/web.key > /s/connectors/web/current/key.pem\n"
         "leave /etc/web.pem > /s/connectors/web/current/chain.pem\n"
         "unlink /s/connectors/web/current\nremove /s/connectors/web/before-7\nremove "
         "/s/connectors/web/g7\n"},
        {"the first, as copies", 0, AG_AT_NEW, true, true,
         "switch /s/connectors/web/current > before-7\n"
         "copy /etc/web.key > /s/connectors/web/before-7/key.pem\n"
         "copy /etc/web.pem > /s/connectors/web/before-7/chain.pem\n"
         "validate\nreload /s/connectors/web/before-7\nprove /s/connectors/web/before-7\n"
         "unlink /s/connectors/web/current\nremove /s/connectors/web/before-7\nremove "
         "/s/connectors/web/g7\n"},
        {"the first, entered and not switched", 0, AG_AT_PREVIOUS, false, false,
         "switch /s/connectors/web/current > before-7\n"
         "leave /etc/web.key > /s/connectors/web/current/key.pem\n"
         "leave /etc/web.pem > /s/connectors/web/current/chain.pem\n"
         "unlink /s/connectors/web/current\nremove /s/connectors/web/before-7\nremove "
         "/s/connectors/web/g7\n"},
    };
    struct ag_connector connector = all_of_it();

    connector.paths[AG_FILE_BUNDLE] = connector.paths[AG_FILE_INTERMEDIATES] = NULL;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct ag_put_back put_back = {"/s",        &connector,    7,    cases[i].previous,
                                             cases[i].at, cases[i].seen, false};
        cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
        char room[ROOM];
        struct cs_err err;

        connector.placement = cases[i].copies ? AG_PLACE_COPIES : AG_PLACE_LINKS;
        check_ok(ag_plan_put_back(&put_back, &plan, &err), err);
        assert_true(plan->is_way_back);
        if (strcmp(told(plan, room), cases[i].wanted) != 0)
            fail_msg("%s:\n%s", cases[i].says, room);
    }
}

static void finishes_by_doing_again_what_follows_the_switch(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    struct ag_finish finish = {"/s", &connector, 7, 6, false};
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    cs_auto(ag_plan_freep) struct ag_plan *removal = NULL;
    char room[ROOM];
    struct cs_err err;

    connector.paths[AG_FILE_BUNDLE] = connector.paths[AG_FILE_INTERMEDIATES] = NULL;
    check_ok(ag_plan_finish(&finish, &plan, &err), err);
    assert_string_equal(told(plan, room),
                        "switch /s/connectors/web/current > g7\n"
                        "enter /etc/web.key > /s/connectors/web/current/key.pem\n"
                        "enter /etc/web.pem > /s/connectors/web/current/chain.pem\n"
                        "validate\nreload /s/connectors/web/g7\nprove /s/connectors/web/g7\n");
    finish.removes = true;
    check_ok(ag_plan_finish(&finish, &removal, &err), err);
    assert_string_equal(told(removal, room),
                        "switch /s/connectors/web/current > g7\n"
                        "validate\nreload /s/connectors/web/g7\nprove /s/connectors/web/g6\n"
                        "clear /etc/web.key > /s/connectors/web/current/key.pem\n"
                        "clear /etc/web.pem > /s/connectors/web/current/chain.pem\n");
}

static void restores_copies_and_asks_nobody(void **unused CS_UNUSED)
{
    struct ag_connector connector = all_of_it();
    struct ag_restore back = {"/s", &connector, 7, 6, true}, forth = {"/s", &connector, 7, 6, false};
    cs_auto(ag_plan_freep) struct ag_plan *links = NULL;
    cs_auto(ag_plan_freep) struct ag_plan *copies = NULL;
    char room[ROOM];
    struct cs_err err;

    connector.paths[AG_FILE_BUNDLE] = connector.paths[AG_FILE_INTERMEDIATES] = NULL;
    check_ok(ag_plan_restore(&forth, &links, &err), err);
    assert_string_equal(told(links, room), "switch /s/connectors/web/current > g7\n");
    connector.placement = AG_PLACE_COPIES;
    check_ok(ag_plan_restore(&back, &copies, &err), err);
    assert_string_equal(told(copies, room), "switch /s/connectors/web/current > g6\n"
                                            "copy /etc/web.key > /s/connectors/web/g6/key.pem\n"
                                            "copy /etc/web.pem > /s/connectors/web/g6/chain.pem\n");
}

static void refuses_a_path_that_does_not_fit(void **unused CS_UNUSED)
{
    char folder[AG_LIMIT_PATH_BYTES + 1];
    const struct ag_install install = {folder, &web, 7, 6, &material};
    const struct ag_put_back back = {folder, &web, 7, 6, AG_AT_NEW, true, true},
                             away = {folder, &web, 7, 0, AG_AT_NEW, true, true};
    const struct ag_finish finish = {folder, &web, 7, 6, false};
    const struct ag_restore restore = {folder, &web, 7, 6, true};
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
    check_code(ag_plan_finish(&finish, &plan, &err), CS_ETOOBIG);
    check_code(ag_plan_restore(&restore, &plan, &err), CS_ETOOBIG);
}

static void plan_short_of_memory(void *data)
{
    struct ag_connector *connector = data;
    const struct ag_install install = {"/s", connector, 7, 0, &material};
    const struct ag_put_back put_back = {"/s", connector, 7, 0, AG_AT_NEW, true, true};
    const struct ag_finish what = {"/s", connector, 7, 6, false};
    const struct ag_restore forth = {"/s", connector, 7, 6, false};
    struct ag_plan *plan = NULL, *back = NULL, *finish = NULL, *restore = NULL;
    struct cs_err err;
    int rc = ag_plan_install(&install, &plan, &err);

    if (rc == CS_OK)
        rc = ag_plan_put_back(&put_back, &back, &err);
    if (rc == CS_OK)
        rc = ag_plan_finish(&what, &finish, &err);
    if (rc == CS_OK)
        rc = ag_plan_restore(&forth, &restore, &err);
    assert_true(rc == CS_OK ? restore != NULL : rc == CS_ENOMEM && !restore && alloc_fail_happened());
    ag_plan_free(plan);
    ag_plan_free(back);
    ag_plan_free(finish);
    ag_plan_free(restore);
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
        {"before-77", false, 0},
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
        cmocka_unit_test(the_first_keeps_what_was_there),
        cmocka_unit_test(writes_what_the_connector_wants),
        cmocka_unit_test(copies_come_after_the_switch),
        cmocka_unit_test(a_removal_switches_to_an_empty_generation),
        cmocka_unit_test(a_removal_of_copies_copies_nothing),
        cmocka_unit_test(writes_no_form_that_nobody_reads),
        cmocka_unit_test(puts_back_the_one_before_or_what_was_there_before_the_first),
        cmocka_unit_test(finishes_by_doing_again_what_follows_the_switch),
        cmocka_unit_test(restores_copies_and_asks_nobody),
        cmocka_unit_test(refuses_a_path_that_does_not_fit),
        cmocka_unit_test(says_when_memory_runs_out),
        cmocka_unit_test(knows_a_generation_by_its_one_name),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
