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
    int reload_status, validate_status;
    bool no_room;
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
static int cut_copy(struct ag_port *port, const char *from, const char *to, size_t limit_bytes,
                    struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->copy(REAL(port), from, to, limit_bytes, err);
}
static int cut_read_file(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                         struct cs_err *err)
{
    return REAL(port)->read_file(REAL(port), path, limit_bytes, out, err);
}
static int cut_check_place(struct ag_port *port, const char *path, const char *owner, struct cs_err *err)
{
    return REAL(port)->check_place(REAL(port), path, owner, err);
}
static int cut_room(struct ag_port *port, const char *path, uint64_t *ret_bytes, struct cs_err *err)
{
    struct cut_port *self = cut_of(port);

    if (self->no_room) {
        *ret_bytes = 4096;
        return CS_OK;
    }
    return REAL(port)->room(REAL(port), path, ret_bytes, err);
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
static int cut_run(struct ag_port *port, const struct ag_command *command,
                   void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                   struct cs_err *err)
{
    struct cut_port *self = cut_of(port);

    if (cut(port, err))
        return CS_EIO;
    bool reloads = strcmp(command->argv[0], "reload") == 0;

    self->reloads += reloads;
    on_end(owner,
           &(struct ag_command_result){AG_COMMAND_EXITED,
                                       reloads ? self->reload_status : self->validate_status, "said", NULL});
    return CS_OK;
}

struct stage {
    char folder[64], certificate[96], key[96], bundle[96], word[8], question[16];
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
    snprintf(stage->question, sizeof stage->question, "validate");
    stage->connector = (struct ag_connector){
        .name = "web",
        .paths = {[AG_FILE_CERTIFICATE] = stage->certificate,
                  [AG_FILE_KEY] = stage->key,
                  [AG_FILE_BUNDLE] = stage->bundle},
        .key_mode = 0600,
        .validate = {stage->question},
        .reload = {.kind = AG_RELOAD_COMMAND, .argv = {stage->word}},
        .validate_timeout_s = 5,
        .reload_timeout_s = 5,
    };
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
                .copy = cut_copy,
                .read_file = cut_read_file,
                .check_place = cut_check_place,
                .room = cut_room,
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

static enum ag_verdict install_over(struct stage *stage, uint64_t generation, uint64_t previous)
{
    char chain[32], key[32];
    struct ag_plan *plan = NULL;
    struct cs_err err;

    snprintf(chain, sizeof chain, "chain %u\n", (unsigned)generation);
    snprintf(key, sizeof key, "key %u\n", (unsigned)generation);
    const struct ag_material written = {.chain_pem = cs_slice_str(chain), .key_pem = cs_slice_str(key)};
    const struct ag_install what = {stage->folder, &stage->connector, generation, previous, &written};

    check_ok(ag_plan_install(&what, &plan, &err), err);
    return apply(stage, plan);
}

static enum ag_verdict install(struct stage *stage, uint64_t generation)
{
    return install_over(stage, generation, generation - 1);
}

static enum ag_verdict take_away(struct stage *stage, uint64_t generation, uint64_t previous)
{
    const struct ag_install what = {stage->folder, &stage->connector, generation, previous, NULL};
    struct ag_plan *plan = NULL;
    struct cs_err err;

    check_ok(ag_plan_install(&what, &plan, &err), err);
    return apply(stage, plan);
}

static enum ag_verdict put_back_from(struct stage *stage, uint64_t generation, uint64_t previous,
                                     enum ag_place at)
{
    const struct ag_put_back what = {stage->folder, &stage->connector, generation, previous, at, true, false};
    struct ag_plan *plan = NULL;
    struct cs_err err;

    check_ok(ag_plan_put_back(&what, &plan, &err), err);
    return apply(stage, plan);
}

/* As the device does it: what `current` leads to tells how far it came. */
static enum ag_verdict put_back(struct stage *stage, uint64_t generation, uint64_t previous)
{
    char now[AG_CURRENT_BYTES], new_name[AG_PLACE_NAME_BYTES], old_name[AG_PLACE_NAME_BYTES];
    enum ag_place at = AG_AT_OTHER;
    struct cs_err err;

    check_ok(ag_apply_current(stage->cut.real, stage->folder, "web", now, &err), err);
    if (strcmp(now, ag_generation_name(generation, new_name)) == 0)
        at = AG_AT_NEW;
    else if (strcmp(now, ag_previous_name(generation, previous, old_name)) == 0)
        at = AG_AT_PREVIOUS;
    return put_back_from(stage, generation, previous, at);
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
    assert_int_equal(install_over(&stage, 7, 1), AG_OK);
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
        assert_int_equal(install_over(&stage, 3, now == 2 && changes % 2 ? 2 : 1), AG_OK);
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

static void a_removal_takes_everything_away_at_once(void **unused CS_UNUSED)
{
    bool done = false;

    for (int changes = 0; !done; changes++) {
        struct stage stage;

        begin(&stage);
        assert_int_equal(install(&stage, 1), AG_OK);
        stage.cut.left = changes;
        done = take_away(&stage, 2, 1) == AG_OK;
        int now = served(&stage);

        assert_true(now == 1 || now == 0);
        assert_true(!done || now == 0);
        stage.cut.left = 1000;
        if (!done) {
            assert_int_equal(put_back(&stage, 2, 1), AG_OK);
            assert_int_equal(served(&stage), 1);
        } else {
            assert_int_equal(access(stage.key, F_OK), -1);
            assert_int_equal(install_over(&stage, 3, 0), AG_OK);
            assert_int_equal(served(&stage), 3);
        }
        end(&stage);
    }
}

static void what_validation_refuses_goes_back_without_a_trace(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    assert_int_equal(install(&stage, 1), AG_OK);
    stage.cut.validate_status = 3;
    assert_int_equal(install(&stage, 2), AG_VALIDATE_FAILED);
    assert_string_equal(stage.applied.detail, "validate ended with status 3: said");
    assert_int_equal(stage.cut.reloads, 1);
    stage.cut.validate_status = 0;
    assert_int_equal(put_back(&stage, 2, 1), AG_OK);
    assert_int_equal(stage.applied.complaint, AG_OK);
    assert_int_equal(stage.cut.reloads, 2);
    assert_int_equal(served(&stage), 1);
    end(&stage);
}

/* lighttpd ends at a reload with a configuration that does not parse: what it had is put back on the disk,
 * and in memory it has it still. */
static void an_application_that_refuses_what_it_had_is_not_told(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    assert_int_equal(install(&stage, 1), AG_OK);
    stage.cut.validate_status = 3;
    assert_int_equal(install(&stage, 2), AG_VALIDATE_FAILED);
    assert_int_equal(put_back(&stage, 2, 1), AG_OK);
    assert_int_equal(stage.applied.complaint, AG_VALIDATE_FAILED);
    assert_int_equal(stage.cut.reloads, 1);
    assert_int_equal(served(&stage), 1);
    end(&stage);
}

static void a_reload_that_fails_on_the_way_back_is_noted(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    assert_int_equal(install(&stage, 1), AG_OK);
    stage.cut.reload_status = 1;
    assert_int_equal(install(&stage, 2), AG_RELOAD_FAILED);
    assert_int_equal(put_back(&stage, 2, 1), AG_OK);
    assert_int_equal(stage.applied.complaint, AG_RELOAD_FAILED);
    assert_string_equal(stage.applied.complaint_detail, "reload ended with status 1: said");
    assert_int_equal(served(&stage), 1);
    assert_false(has_generation(&stage, 2));
    end(&stage);
}

static void a_full_disk_is_seen_before_anything_is_changed(void **unused CS_UNUSED)
{
    struct stage stage;

    begin(&stage);
    assert_int_equal(install(&stage, 1), AG_OK);
    stage.cut.no_room = true;
    assert_int_equal(install(&stage, 2), AG_NO_ROOM);
    assert_non_null(strstr(stage.applied.detail, "make room there"));
    assert_false(stage.applied.switched);
    assert_false(has_generation(&stage, 2));
    assert_int_equal(served(&stage), 1);
    end(&stage);
}

static void copies_are_files_of_their_own(void **unused CS_UNUSED)
{
    struct stage stage;
    struct stat info;

    begin(&stage);
    stage.connector.placement = AG_PLACE_COPIES;
    assert_int_equal(install(&stage, 1), AG_OK);
    assert_int_equal(install(&stage, 2), AG_OK);
    assert_int_equal(served(&stage), 2);
    assert_int_equal(lstat(stage.key, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0600);
    stage.cut.reload_status = 1;
    assert_int_equal(install(&stage, 3), AG_RELOAD_FAILED);
    stage.cut.reload_status = 0;
    assert_int_equal(put_back(&stage, 3, 2), AG_OK);
    assert_int_equal(served(&stage), 2);
    assert_int_equal(take_away(&stage, 4, 2), AG_OK);
    assert_int_equal(served(&stage), 0);
    end(&stage);
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
        cmocka_unit_test(a_removal_takes_everything_away_at_once),
        cmocka_unit_test(what_validation_refuses_goes_back_without_a_trace),
        cmocka_unit_test(an_application_that_refuses_what_it_had_is_not_told),
        cmocka_unit_test(a_reload_that_fails_on_the_way_back_is_noted),
        cmocka_unit_test(a_full_disk_is_seen_before_anything_is_changed),
        cmocka_unit_test(copies_are_files_of_their_own),
        cmocka_unit_test(only_its_own_folders_are_generations),
        cmocka_unit_test(installs_and_replaces),
        cmocka_unit_test(is_whole_wherever_the_power_is_cut),
        cmocka_unit_test(putting_back_survives_power_cuts_too),
        cmocka_unit_test(leaves_a_foreign_file_alone),
        cmocka_unit_test(keeps_some_old_generations),
    };

    return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
