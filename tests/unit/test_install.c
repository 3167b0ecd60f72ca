/* Plans and how they are applied, in a folder of the test: the power is cut before each change in turn, and
 * what the application reads is the old pair or the new one, never a mix. */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "agent/apply.h"
#include "agent/port/posix.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A machine whose power goes before the change number `left` (counted down): from then on nothing changes any
 * more. */
struct cut_port {
    struct ag_port port;
    struct ag_port *real;
    int left;
    unsigned reloads;
    int reload_status;
};

static struct cut_port *cut_of(struct ag_port *port)
{
    return CS_CONTAINER_OF(port, struct cut_port, port);
}

/* True: the power is off. */
static bool cut(struct ag_port *port, struct cs_err *err)
{
    struct cut_port *self = cut_of(port);

    if (self->left > 0) {
        self->left--;
        return false;
    }
    cs_err_set(err, CS_EIO, "power cut");
    return true;
}

#define REAL(port) (cut_of(port)->real)

static int cut_write_file(struct ag_port *port, const char *path, struct cs_slice content,
                          const struct ag_file_look *look, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->write_file(REAL(port), path, content, look, err);
}
static int cut_make_folder(struct ag_port *port, const char *path, unsigned mode, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->make_folder(REAL(port), path, mode, err);
}
static int cut_sync_folder(struct ag_port *port, const char *path, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->sync_folder(REAL(port), path, err);
}
static int cut_remove_folder(struct ag_port *port, const char *path, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->remove_folder(REAL(port), path, err);
}
static int cut_switch_link(struct ag_port *port, const char *path, const char *target, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->switch_link(REAL(port), path, target, err);
}
static int cut_remove_link(struct ag_port *port, const char *path, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->remove_link(REAL(port), path, err);
}
static int cut_copy_name(struct ag_port *port, const char *path, const char *second, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->copy_name(REAL(port), path, second, err);
}
static int cut_rename(struct ag_port *port, const char *path, const char *to, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->rename(REAL(port), path, to, err);
}
static int cut_look_at(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err)
{
    return REAL(port)->look_at(REAL(port), path, ret, err);
}
static int cut_read_link(struct ag_port *port, const char *path, char *ret, size_t size, struct cs_err *err)
{
    return REAL(port)->read_link(REAL(port), path, ret, size, err);
}
static int cut_list_folder(struct ag_port *port, const char *path,
                           void (*on_entry)(void *data, const char *name), void *data, struct cs_err *err)
{
    return REAL(port)->list_folder(REAL(port), path, on_entry, data, err);
}
static int cut_run(struct ag_port *port, const struct ag_command *command CS_UNUSED,
                   void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                   struct cs_err *err)
{
    struct cut_port *self = cut_of(port);

    if (cut(port, err))
        return CS_EIO;
    self->reloads++;
    on_end(owner, &(struct ag_command_result){AG_COMMAND_EXITED, self->reload_status, ""});
    return CS_OK;
}

struct stage {
    char folder[64], certificate[96], key[96], bundle[96], word[8];
    struct ag_connector connector;
    struct ag_posix *posix;
    struct cut_port cut;
    struct ag_applied applied;
};

static void begin(struct stage *stage)
{
    struct cs_err err;

    memset(stage, 0, sizeof *stage);
    snprintf(stage->folder, sizeof stage->folder, "/tmp/countersign-install-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->certificate, sizeof stage->certificate, "%s/web.pem", stage->folder);
    snprintf(stage->key, sizeof stage->key, "%s/web.key", stage->folder);
    snprintf(stage->bundle, sizeof stage->bundle, "%s/web.all", stage->folder);
    snprintf(stage->word, sizeof stage->word, "reload");
    stage->connector = (struct ag_connector){.name = "web",
                                             .certificate = stage->certificate,
                                             .key = stage->key,
                                             .bundle = stage->bundle,
                                             .key_mode = 0600,
                                             .reload = {stage->word},
                                             .reload_timeout_s = 5};
    check_ok(ag_posix_new(NULL, &stage->posix, &err), err);
    stage->cut = (struct cut_port){
        .port =
            {
                .write_file = cut_write_file,
                .make_folder = cut_make_folder,
                .sync_folder = cut_sync_folder,
                .remove_folder = cut_remove_folder,
                .switch_link = cut_switch_link,
                .remove_link = cut_remove_link,
                .copy_name = cut_copy_name,
                .rename = cut_rename,
                .look_at = cut_look_at,
                .read_link = cut_read_link,
                .list_folder = cut_list_folder,
                .run = cut_run,
            },
        .real = ag_posix_port(stage->posix),
        .left = 1000,
    };
    char path[96];

    snprintf(path, sizeof path, "%s/connectors", stage->folder);
    assert_int_equal(mkdir(path, 0711), 0);
}

static void end(struct stage *stage)
{
    ag_posix_close(stage->posix);
    assert_true(folder_remove(stage->folder));
}

static void on_end(void *owner, const struct ag_applied *applied)
{
    struct stage *stage = owner;

    stage->applied = *applied;
}

static enum ag_verdict apply(struct stage *stage, struct ag_plan *plan)
{
    struct ag_apply state = {0};

    ag_apply_start(&state, &stage->cut.port, plan, on_end, stage);
    assert_null(state.plan);
    return stage->applied.verdict;
}

static enum ag_verdict install(struct stage *stage, uint64_t generation)
{
    char chain[32], key[32];
    struct ag_plan *plan = NULL;
    struct cs_err err;

    snprintf(chain, sizeof chain, "chain %u\n", (unsigned)generation);
    snprintf(key, sizeof key, "key %u\n", (unsigned)generation);
    const struct ag_install what = {stage->folder, &stage->connector, generation, cs_slice_str(chain),
                                    cs_slice_str(key)};

    check_ok(ag_plan_install(&what, &plan, &err), err);
    return apply(stage, plan);
}

static enum ag_verdict put_back(struct stage *stage, uint64_t generation, uint64_t previous)
{
    const struct ag_put_back what = {stage->folder, &stage->connector, generation, previous, true};
    struct ag_plan *plan = NULL;
    struct cs_err err;

    check_ok(ag_plan_put_back(&what, &plan, &err), err);
    return apply(stage, plan);
}

/* The number in the file that the application reads; 0: nothing there. -1: not whole. */
static int read_number(const char *path, const char *word)
{
    char text[64] = {0};
    unsigned number = 0;
    FILE *file = fopen(path, "r");

    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);

    fclose(file);
    if (len == 0 || text[len - 1] != '\n' || strncmp(text, word, strlen(word)) != 0)
        return -1;
    number = (unsigned)strtoul(text + strlen(word), NULL, 10);
    return (int)number;
}

static int served(const struct stage *stage)
{
    int chain = read_number(stage->certificate, "chain ");
    int key = read_number(stage->key, "key ");

    assert_true(chain >= 0);
    assert_int_equal(chain, key);
    assert_int_equal(read_number(stage->bundle, "chain "), chain);
    return chain;
}

static void installs_and_replaces(void **unused CS_UNUSED)
{
    struct stage stage;
    struct stat info;

    begin(&stage);
    assert_int_equal(install(&stage, 1), AG_OK);
    assert_int_equal(served(&stage), 1);
    assert_int_equal(install(&stage, 7), AG_OK);
    assert_int_equal(served(&stage), 7);
    assert_int_equal(stage.cut.reloads, 2);
    assert_int_equal(stat(stage.key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(stage.certificate, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    end(&stage);
}

static void is_whole_wherever_the_power_is_cut(void **unused CS_UNUSED)
{
    bool done = false;

    for (int changes = 0; !done; changes++) {
        struct stage stage;

        begin(&stage);
        assert_int_equal(install(&stage, 1), AG_OK);
        stage.cut.left = changes;
        done = install(&stage, 2) == AG_OK;
        int now = served(&stage);

        assert_true(now == 1 || now == 2);
        assert_true(!done || now == 2);
        /* The power is back: put back, or tried again, it is whole too. */
        stage.cut.left = 1000;
        if (changes % 2 == 0 && !done) {
            assert_int_equal(put_back(&stage, 2, 1), AG_OK);
            assert_int_equal(served(&stage), 1);
        }
        assert_int_equal(install(&stage, 3), AG_OK);
        assert_int_equal(served(&stage), 3);
        end(&stage);
    }
}

static void putting_back_survives_power_cuts_too(void **unused CS_UNUSED)
{
    for (uint64_t previous = 0; previous <= 1; previous++) {
        bool done = false;

        for (int changes = 0; !done; changes++) {
            struct stage stage;

            begin(&stage);
            if (previous)
                assert_int_equal(install(&stage, 1), AG_OK);
            stage.cut.reload_status = 1;
            assert_int_equal(install(&stage, 2), AG_RELOAD_FAILED);
            assert_true(stage.applied.switched);
            stage.cut.reload_status = 0;
            stage.cut.left = changes;
            done = put_back(&stage, 2, previous) == AG_OK;
            stage.cut.left = 1000;
            assert_int_equal(put_back(&stage, 2, previous), AG_OK);
            assert_int_equal(served(&stage), (int)previous);
            end(&stage);
        }
    }
}

static void leaves_a_foreign_file_alone(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    FILE *file = fopen(stage.certificate, "w");

    assert_non_null(file);
    fputs("chain 99\n", file);
    fclose(file);
    assert_int_equal(install(&stage, 1), AG_FOREIGN_FILE);
    assert_non_null(strstr(stage.applied.detail, "adopt = yes"));
    assert_int_equal(read_number(stage.certificate, "chain "), 99);
    assert_int_equal(access(stage.key, F_OK), -1);

    /* Adopted, it comes back when the first install is put back. */
    stage.connector.adopt = true;
    assert_int_equal(install(&stage, 1), AG_OK);
    assert_int_equal(served(&stage), 1);
    assert_int_equal(put_back(&stage, 1, 0), AG_OK);
    assert_int_equal(read_number(stage.certificate, "chain "), 99);
    assert_int_equal(access(stage.key, F_OK), -1);
    end(&stage);
}

static bool has_generation(const struct stage *stage, unsigned generation)
{
    char path[128];

    snprintf(path, sizeof path, "%s/connectors/web/g%u", stage->folder, generation);
    return access(path, F_OK) == 0;
}

static void keeps_some_old_generations(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    for (uint64_t generation = 1; generation <= 6; generation++)
        assert_int_equal(install(&stage, generation), AG_OK);
    ag_apply_tidy(&stage.cut.port, stage.folder, "web", 5, 3);
    assert_false(has_generation(&stage, 1));
    assert_false(has_generation(&stage, 2));
    for (unsigned generation = 3; generation <= 6; generation++)
        assert_true(has_generation(&stage, generation));
    end(&stage);
}

static void planning_touches_nothing(void **unused CS_UNUSED)
{
    static char certificate[] = "/nowhere/c", key[] = "/nowhere/k";
    static const struct ag_connector connector = {
        .name = "web", .certificate = certificate, .key = key, .key_mode = 0640};
    const struct ag_install what = {"/nowhere", &connector, 3, CS_SLICE_LIT("chain"), CS_SLICE_LIT("key")};
    static const enum ag_step_kind kinds[] = {
        AG_STEP_CHECK_ENTRY, AG_STEP_CHECK_ENTRY, AG_STEP_MAKE_FOLDER, AG_STEP_REMOVE_FOLDER,
        AG_STEP_MAKE_FOLDER, AG_STEP_WRITE_FILE,  AG_STEP_WRITE_FILE,  AG_STEP_SYNC_FOLDER,
        AG_STEP_SYNC_FOLDER, AG_STEP_SWITCH_LINK, AG_STEP_ENTER,       AG_STEP_ENTER,
    };
    cs_auto(ag_plan_freep) struct ag_plan *plan = NULL;
    struct cs_err err;

    check_ok(ag_plan_install(&what, &plan, &err), err);
    assert_int_equal(plan->count, CS_ARRAY_LEN(kinds));
    for (size_t i = 0; i < plan->count; i++)
        assert_int_equal(plan->steps[i].kind, kinds[i]);
    assert_string_equal(plan->steps[6].path, "/nowhere/connectors/web/g3/key.pem");
    assert_int_equal(plan->steps[6].mode, 0640);
    assert_string_equal(plan->steps[9].target, "g3");
}

static void only_its_own_folders_are_generations(void **unused CS_UNUSED)
{
    static const char *const bad[] = {
        "", "g", "current", "g01", "g-1", "gx", "g1x", "G1", "g99999999999999999999"};
    uint64_t generation = 0;

    for (size_t i = 0; i < CS_ARRAY_LEN(bad); i++)
        assert_false(ag_generation_parse(bad[i], &generation));
    assert_true(ag_generation_parse("g42", &generation));
    assert_int_equal(generation, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planning_touches_nothing),
        cmocka_unit_test(only_its_own_folders_are_generations),
        cmocka_unit_test(installs_and_replaces),
        cmocka_unit_test(is_whole_wherever_the_power_is_cut),
        cmocka_unit_test(putting_back_survives_power_cuts_too),
        cmocka_unit_test(leaves_a_foreign_file_alone),
        cmocka_unit_test(keeps_some_old_generations),
    };

    return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
