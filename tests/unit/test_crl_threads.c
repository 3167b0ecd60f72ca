/* The watched folder with the real core and store, each on its own thread: lists come, change and go while
 * the core works, and the end may come at any time. */
#include "tests/support/check.h"
#include "tests/support/crl_make.h"
#include "tests/support/folder.h"

#include "controller/core/query.h"
#include "controller/crl_folder.h"
#include "controller/limits.h"
#include "controller/reading.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { WAIT_MS = 20000, STEP_MS = 10, ENTRIES = 2 * CTL_LIMIT_CRL_PART + 1 };

struct scene {
    char folder[64], crls[80], path[128];
    struct ctl_store *store;
    struct ctl_core_thread *core;
    struct ctl_crl_folder *watched;
    struct pki ca;
    struct cs_err err;
};

static void on_effects(void *owner, const struct ctl_effect *effects, size_t count, struct ctl_trust *trust)
{
    (void)owner;
    (void)effects;
    (void)count;
    (void)trust;
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    char store[96];

    pki_set_now(0);
    snprintf(s->folder, sizeof s->folder, "/tmp/countersign-crls-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->crls, sizeof s->crls, "%s/crls", s->folder);
    snprintf(store, sizeof store, "%s/store", s->folder);
    assert_int_equal(mkdir(s->crls, 0700), 0);
    s->ca = pki_make_ca("Fleet CA");
    check_ok(ctl_store_open(store, 64 * 1024 * 1024, &s->store, &s->err), s->err);
    check_ok(
        ctl_core_thread_new(&(struct ctl_core_thread_options){.store = s->store, .on_effects = on_effects},
                            &s->core, &s->err),
        s->err);
    check_ok(ctl_core_thread_start(s->core, &s->err), s->err);
    check_ok(ctl_crl_folder_new(s->crls, 1, s->store, s->core, &s->watched, &s->err), s->err);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    ctl_crl_folder_free(s->watched);
    ctl_core_thread_stop(s->core);
    ctl_core_thread_free(s->core);
    ctl_store_close(s->store);
    pki_free(&s->ca);
    assert_true(folder_remove(s->folder));
    free(s);
    return 0;
}

static void place(struct scene *s, const char *name, struct cs_slice content)
{
    char draft[160];
    FILE *file;

    snprintf(s->path, sizeof s->path, "%s/%s", s->crls, name);
    snprintf(draft, sizeof draft, "%s.new", s->path);
    file = fopen(draft, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    fclose(file);
    assert_int_equal(rename(draft, s->path), 0);
}

static void place_list(struct scene *s, uint32_t number, size_t count)
{
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    struct crl_make_entry *entries = calloc(count + 1, sizeof *entries);
    uint8_t *serials = calloc(count + 1, 3);

    for (size_t i = 0; i < count; i++) {
        const uint8_t serial[3] = {1, (uint8_t)(i >> 8), (uint8_t)i};

        memcpy(serials + 3 * i, serial, sizeof serial);
        entries[i].serial = cs_slice(serials + 3 * i, sizeof serial);
    }
    crl_make(&s->ca, &(struct crl_make){.entries = entries, .entry_count = count, .number = number}, &der);
    place(s, "fleet.crl", cs_buf_slice(&der));
    free(serials);
    free(entries);
}

static void place_issuer(struct scene *s)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;

    check_ok(cs_chain_write_pem(s->ca.chain, &pem, &s->err), s->err);
    place(s, "fleet.pem", cs_buf_slice(&pem));
}

/* Entries of the list that is known; -1: none is. */
static int known(struct scene *s)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    cs_auto_free countersign_v1_ListCrlsResponse *reply = calloc(1, sizeof *reply);
    const countersign_v1_ListCrlsRequest request = countersign_v1_ListCrlsRequest_init_zero;
    const struct ctl_presence nobody = {0};

    check_ok(ctl_reading_open(s->store, &reading, &s->err), s->err);
    check_ok(ctl_query_ListCrls(reading.view, &nobody, 0, &request, reply, &s->err), s->err);
    return reply->crls_count ? (int)reply->crls[0].entries : -1;
}

static void wait_until_known(struct scene *s, int entries)
{
    for (int waited_ms = 0; known(s) != entries; waited_ms += STEP_MS) {
        assert_true(waited_ms < WAIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000}, NULL);
    }
}

static void lists_come_and_change(void **state)
{
    struct scene *s = *state;

    place_list(s, 1, ENTRIES);
    place_issuer(s);
    check_ok(ctl_crl_folder_start(s->watched, &s->err), s->err);
    wait_until_known(s, ENTRIES);
    place_list(s, 2, 3);
    wait_until_known(s, 3);
    place(s, "other.crl", CS_SLICE_LIT("no list"));
    remove(s->path);
    place_list(s, 3, 4);
    wait_until_known(s, 4);
}

static void the_issuer_may_come_later(void **state)
{
    struct scene *s = *state;

    check_ok(ctl_crl_folder_start(s->watched, &s->err), s->err);
    place_list(s, 1, 1);
    assert_int_equal(known(s), -1);
    place_issuer(s);
    wait_until_known(s, 1);
}

/* What was begun and not ended begins anew with the next start: the list is not known before its last part.
 */
static void the_end_may_come_in_the_middle_of_a_list(void **state)
{
    struct scene *s = *state;

    place_list(s, 1, ENTRIES);
    place_issuer(s);
    check_ok(ctl_crl_folder_start(s->watched, &s->err), s->err);
    ctl_crl_folder_free(s->watched);
    check_ok(ctl_crl_folder_new(s->crls, 1, s->store, s->core, &s->watched, &s->err), s->err);
    check_ok(ctl_crl_folder_start(s->watched, &s->err), s->err);
    wait_until_known(s, ENTRIES);
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    struct scene *s = *state;
    struct ctl_crl_folder *folder = NULL;

    check_code(ctl_crl_folder_new("/nowhere/crls", 1, s->store, s->core, &folder, &s->err), CS_ENOTFOUND);
    check_says(s->err, "no folder /nowhere/crls");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(lists_come_and_change),
        TEST(the_issuer_may_come_later),
        TEST(the_end_may_come_in_the_middle_of_a_list),
        TEST(a_folder_that_is_not_there_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
