/* A store that the program before wrote, with real chains: it is upgraded, wherever that is interrupted. */
#include "tests/support/check.h"

#include "controller/core/inventory.h"
#include "controller/reading.h"
#include "controller/upgrade.h"
#include "controller/writes.h"
#include "shared/base/log.h"
#include "tests/support/folder.h"
#include "tests/support/inventory.h"
#include "tests/support/pki.h"
#include "tests/support/raw_store.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CERTIFICATES = 1000, CHAINS = 4, OLD_SCHEMA = 2 };

static struct pki ca, leaves[CHAINS];

static int make_chains(void **state)
{
    struct cs_err err;

    (void)state;
    check_ok(cs_crypto_init(&err), err);
    cs_log_setup(CS_LOG_LOGFMT, CS_LOG_ERROR);
    ca = pki_make_ca("upgrade");
    for (size_t i = 0; i < CHAINS; i++)
        leaves[i] = pki_make_client(&ca, "shop.example");
    return 0;
}

static int free_chains(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHAINS; i++)
        pki_free(&leaves[i]);
    pki_free(&ca);
    return 0;
}

/* As it wrote them: the row without what is new, the name's entry, the chain. Ids and dates are made up, so
 * that a few chains do for many. */
static ctl_certificate_row old_row(size_t i)
{
    struct cs_digest chain = cs_chain_digest(leaves[i % CHAINS].chain);
    ctl_certificate_row row;

    inventory_row(i, CERTIFICATES, &row);
    row.issuer_digest.size = row.names_digest.size = 0;
    row.groups_count = 0;
    snprintf(row.common_name, sizeof row.common_name, "name-%zu", i / 2);
    row.names_count = 0;
    CTL_BYTES_SET(row.chain_digest, cs_digest_slice(&chain));
    return row;
}

static int skip_new(void *data, const struct ctl_key *key)
{
    struct cs_err err;

    return key->bytes[0] == CTL_TABLE_CERTIFICATE_NAME ? ctl_index_put(data, key, &err) : CS_OK;
}

static void make_old_store(const char *folder)
{
    struct ctl_reading reading;
    struct ctl_writes writes = {0};
    struct ctl_store *store;
    struct cs_err err;

    check_ok(ctl_store_open(folder, 0, &store, &err), err);
    check_ok(ctl_reading_open(store, &reading, &err), err);
    for (size_t i = 0; i < CERTIFICATES; i++) {
        ctl_certificate_row row = old_row(i);
        struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row.id));
        struct ctl_key chain = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(row.chain_digest));

        check_ok(ctl_put(reading.view, &key, Certificate, &row, &err), err);
        check_ok(ctl_bytes_put(reading.view, &chain, cs_chain_bytes(leaves[i % CHAINS].chain), &err), err);
        check_ok(ctl_inventory_entries(&row, skip_new, reading.view), err);
    }
    check_ok(ctl_writes_commit(&writes, reading.view, store, &err), err);
    ctl_writes_free(&writes);
    ctl_reading_close(&reading);
    ctl_store_close(store);
    raw_store_schema(folder, OLD_SCHEMA);
}

struct look {
    struct ctl_view *view;
    size_t entries;
};

static int find_entry(void *data, const struct ctl_key *key)
{
    struct look *look = data;
    struct cs_slice value;
    struct cs_err err;

    look->entries++;
    return ctl_bytes_get(look->view, key, &value, &err);
}

static void check_row(struct look *look, struct cs_slice value)
{
    struct cs_cert_info info;
    ctl_certificate_row row;
    struct cs_err err;

    check_ok(ctl_decode(value, Certificate, &row, &err), err);
    cs_chain_info(leaves[0].chain, 0, &info); /* all have one issuer */
    check_slice(CTL_BYTES(row.issuer_digest), cs_digest_slice(&info.issuer_digest));
    assert_int_equal(row.names_digest.size, 32);
    assert_true((row.replaces.size > 0) != (row.replaced_by.size > 0)); /* they came in pairs */
    check_ok(ctl_inventory_entries(&row, find_entry, look), err);
}

static void check_upgraded(struct ctl_store *store)
{
    struct ctl_reading reading;
    struct ctl_key prefix = ctl_key(CTL_TABLE_CERTIFICATE), everything = {.len = 0};
    struct ctl_walk walk = ctl_walk(&prefix);
    struct look look = {.entries = 0};
    size_t certificates = 0, keys = 0;
    struct cs_err err;

    assert_int_equal(ctl_store_schema(store), CTL_STORE_SCHEMA);
    check_ok(ctl_reading_open(store, &reading, &err), err);
    look.view = reading.view;
    while (ctl_walk_next(reading.view, &walk, &err) == CS_OK) {
        check_row(&look, walk.value);
        certificates++;
    }
    assert_int_equal(certificates, CERTIFICATES);
    for (walk = ctl_walk(&everything); ctl_walk_next(reading.view, &walk, &err) == CS_OK;)
        keys++;
    /* Nothing else is there: rows, chains, entries. */
    assert_int_equal(keys, CERTIFICATES + CHAINS + look.entries);
    ctl_reading_close(&reading);
}

static void an_older_store_gets_its_indexes(void **state)
{
    char folder[] = "/tmp/countersign-upgrade-XXXXXX";
    struct ctl_store *store;
    struct cs_err err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    make_old_store(folder);
    check_ok(ctl_store_open(folder, 0, &store, &err), err);
    assert_int_equal(ctl_store_schema(store), OLD_SCHEMA);
    check_ok(ctl_upgrade(store, &err), err);
    check_upgraded(store);
    check_ok(ctl_upgrade(store, &err), err); /* nothing more to do */
    ctl_store_close(store);
    assert_true(folder_remove(folder));
}

static void an_upgrade_that_is_killed_goes_on_at_the_next_start(void **state)
{
    char folder[] = "/tmp/countersign-upgrade-XXXXXX";
    struct ctl_store *store;
    struct cs_err err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    make_old_store(folder);
    for (unsigned i = 1; i <= 6; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(ctl_store_open(folder, 0, &store, &err) == CS_OK ? ctl_upgrade(store, &err) : 1);
        assert_true(child > 0);
        (void)usleep(i * 30000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    check_ok(ctl_store_open(folder, 0, &store, &err), err);
    check_ok(ctl_upgrade(store, &err), err);
    check_upgraded(store);
    ctl_store_close(store);
    assert_true(folder_remove(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_store_gets_its_indexes),
        cmocka_unit_test(an_upgrade_that_is_killed_goes_on_at_the_next_start),
    };

    return cmocka_run_group_tests(tests, make_chains, free_chains);
}
