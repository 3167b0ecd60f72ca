/* The controller's own keys on disk, and the keys that it holds for others. */
#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "controller/vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t now_s = 1800000000;

struct folder {
    char root[64], keys[96], kek[128];
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);

    assert_non_null(folder);
    snprintf(folder->root, sizeof folder->root, "/tmp/countersign-vault-XXXXXX");
    assert_non_null(mkdtemp(folder->root));
    snprintf(folder->keys, sizeof folder->keys, "%s/keys", folder->root);
    snprintf(folder->kek, sizeof folder->kek, "%s/kek", folder->keys);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;

    assert_true(folder_remove(folder->root));
    free(folder);
    return 0;
}

static struct ctl_vault *opened(const struct folder *folder)
{
    struct ctl_vault *vault = NULL;
    struct cs_err err;

    check_ok(ctl_vault_open(folder->keys, folder->kek, now_s, &vault, &err), err);
    return vault;
}

static mode_t mode_of(const struct folder *folder, const char *name)
{
    char path[160];
    struct stat info;

    snprintf(path, sizeof path, "%s/%s", folder->keys, name);
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void makes_keys_once_that_only_the_owner_reads(void **state)
{
    const struct folder *folder = *state;
    struct ctl_vault *first = opened(folder), *second = opened(folder);

    assert_int_equal(mode_of(folder, ""), 0700);
    assert_int_equal(mode_of(folder, "kek"), 0600);
    assert_int_equal(mode_of(folder, "message.key"), 0600);
    assert_int_equal(mode_of(folder, "agent-ca.key"), 0600);
    assert_int_equal(mode_of(folder, "agent-ca.pem"), 0600);
    check_slice(cs_key_spki(ctl_vault_message_key(first)), cs_key_spki(ctl_vault_message_key(second)));
    check_slice(cs_chain_der(ctl_vault_agent_ca(first), 0), cs_chain_der(ctl_vault_agent_ca(second), 0));
    ctl_vault_close(first);
    ctl_vault_close(second);
}

static void proves_that_it_is_countersignd_with_a_new_key_at_each_start(void **state)
{
    struct ctl_vault *first = opened(*state), *second = opened(*state);
    const struct cs_chain *chain = ctl_vault_server_chain(first);
    struct cs_cert_info info;
    struct cs_err err;

    cs_chain_info(chain, 0, &info);
    assert_string_equal(info.names[0], "dns:countersignd");
    assert_true(info.server_auth && !info.client_auth);
    check_ok(cs_chain_check_anchored(chain, ctl_vault_agent_ca(second), now_s, &err), err);
    check_slice(cs_chain_leaf_spki(chain), cs_key_spki(ctl_vault_server_key(first)));
    assert_false(
        cs_slice_eq(cs_key_spki(ctl_vault_server_key(first)), cs_key_spki(ctl_vault_server_key(second))));
    ctl_vault_close(first);
    ctl_vault_close(second);
}

static void issues_identities_under_the_agent_ca(void **state)
{
    struct ctl_vault *vault = opened(*state);
    struct cs_key *key = NULL;
    struct cs_chain *chain = NULL;
    struct cs_buf der = CS_BUF_EMPTY;
    struct cs_cert_info info;
    struct cs_err err;

    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    check_ok(ctl_vault_issue_identity(vault, "gw-1", cs_key_spki(key), now_s, 30 * 86400, &der, &err), err);
    check_ok(cs_chain_parse(cs_buf_slice(&der), &chain, &err), err);
    cs_chain_info(chain, 0, &info);
    assert_string_equal(info.common_name, "gw-1");
    assert_true(info.client_auth && !info.server_auth && !info.is_ca);
    assert_int_equal(info.not_after_s, now_s + 30 * 86400);
    check_ok(cs_chain_check_anchored(chain, ctl_vault_agent_ca(vault), now_s, &err), err);
    cs_chain_free(chain);
    cs_key_free(key);
    cs_buf_free(&der);
    ctl_vault_close(vault);
}

static void gives_a_held_key_back_for_its_own_certificate_only(void **state)
{
    struct ctl_vault *vault = opened(*state);
    struct cs_digest id = cs_sha256(CS_SLICE_LIT("one")), other = cs_sha256(CS_SLICE_LIT("other"));
    struct cs_buf held = CS_BUF_EMPTY, plain = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(ctl_vault_hold(vault, id.bytes, CS_SLICE_LIT("secret"), &held, &err), err);
    assert_null(memmem(held.ptr, held.len, "secret", 6));
    check_ok(ctl_vault_release(vault, id.bytes, cs_buf_slice(&held), &plain, &err), err);
    check_slice(cs_buf_slice(&plain), CS_SLICE_LIT("secret"));
    check_code(ctl_vault_release(vault, other.bytes, cs_buf_slice(&held), &plain, &err), CS_EAUTH);
    for (size_t i = 0; i < held.len; i++) {
        held.ptr[i] ^= 1;
        check_code(ctl_vault_release(vault, id.bytes, cs_buf_slice(&held), &plain, &err),
                   i == 0 ? CS_EUNSUPPORTED : CS_EAUTH);
        check_code(ctl_vault_release(vault, id.bytes, cs_slice(held.ptr, i), &plain, &err), CS_EAUTH);
        held.ptr[i] ^= 1;
    }
    check_slice(cs_buf_slice(&plain), CS_SLICE_LIT("secret"));
    cs_buf_free(&held);
    cs_buf_free(&plain);
    ctl_vault_close(vault);
}

static void asks_for_a_lost_key_instead_of_making_another(void **state)
{
    static const char *const lost[] = {"kek", "message.key", "agent-ca.key"};
    const struct folder *folder = *state;
    struct ctl_vault *vault = opened(folder);

    ctl_vault_close(vault);
    for (size_t i = 0; i < CS_ARRAY_LEN(lost); i++) {
        char path[160], aside[192];
        struct cs_err err;

        snprintf(path, sizeof path, "%s/%s", folder->keys, lost[i]);
        snprintf(aside, sizeof aside, "%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        check_code(ctl_vault_open(folder->keys, folder->kek, now_s, &vault, &err), CS_ECORRUPT);
        assert_non_null(strstr(err.msg, lost[i]));
        assert_int_equal(rename(aside, path), 0);
    }
}

static void finishes_a_first_start_that_was_cut_off(void **state)
{
    const struct folder *folder = *state;
    struct ctl_vault *vault = opened(folder);
    char path[160];

    ctl_vault_close(vault);
    snprintf(path, sizeof path, "%s/agent-ca.pem", folder->keys);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/agent-ca.key", folder->keys);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/agent-ca.key.new", folder->keys);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ctl_vault_close(opened(folder));
}

static void refuses_keys_that_others_may_read(void **state)
{
    const struct folder *folder = *state;
    struct ctl_vault *vault = opened(folder);
    struct cs_err err;

    ctl_vault_close(vault);
    assert_int_equal(chmod(folder->kek, 0640), 0);
    check_code(ctl_vault_open(folder->keys, folder->kek, now_s, &vault, &err), CS_EDENIED);
    assert_non_null(strstr(err.msg, "chmod 0600"));
}

static void refuses_a_damaged_key_encryption_key(void **state)
{
    const struct folder *folder = *state;
    struct ctl_vault *vault = opened(folder);
    struct cs_err err;

    ctl_vault_close(vault);
    assert_int_equal(truncate(folder->kek, 31), 0);
    check_code(ctl_vault_open(folder->keys, folder->kek, now_s, &vault, &err), CS_ECORRUPT);
}

static int start_crypto(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_a_folder(makes_keys_once_that_only_the_owner_reads),
        in_a_folder(proves_that_it_is_countersignd_with_a_new_key_at_each_start),
        in_a_folder(issues_identities_under_the_agent_ca),
        in_a_folder(gives_a_held_key_back_for_its_own_certificate_only),
        in_a_folder(asks_for_a_lost_key_instead_of_making_another),
        in_a_folder(finishes_a_first_start_that_was_cut_off),
        in_a_folder(refuses_keys_that_others_may_read),
        in_a_folder(refuses_a_damaged_key_encryption_key),
    };

    return cmocka_run_group_tests(tests, start_crypto, NULL);
}
