/* The agent's renewal of its identity, with the power cut before and after every write. */
#include "tests/support/check.h"
#include "tests/support/folder.h"
#include "tests/support/pki.h"

#include "agent/device.h"
#include "agent/device_impl.h"
#include "agent/port/posix.h"
#include "shared/trust/device.h"

#include <stdio.h>
#include <unistd.h>

enum { NOW_S = 1800000000, LIFE_S = 30 * 86400 };

/* In front of the real port: after so many writes nothing is written any more. */
struct cutting {
    struct ag_port port; /* first */
    struct ag_port *real;
    int writes_left;
    bool last_is_done; /* cut after the write, else before it */
    int64_t clock_s;
};

static bool is_cut(struct cutting *cutting, bool *ret_write)
{
    *ret_write = cutting->writes_left > 0 || (cutting->writes_left == 0 && cutting->last_is_done);
    return cutting->writes_left-- <= 0;
}

static int cutting_replace_file(struct ag_port *port, const char *path, struct cs_slice content,
                                const struct ag_file_look *look, struct cs_err *err)
{
    struct cutting *cutting = (struct cutting *)port;
    bool write, cut = is_cut(cutting, &write);
    int code = write ? cutting->real->replace_file(cutting->real, path, content, look, err) : CS_OK;

    assert_int_equal(code, CS_OK);
    return cut ? cs_err_set(err, CS_EIO, "the power is gone") : CS_OK;
}

static int cutting_remove_link(struct ag_port *port, const char *path, struct cs_err *err)
{
    struct cutting *cutting = (struct cutting *)port;
    bool write, cut = is_cut(cutting, &write);
    int code = write ? cutting->real->remove_link(cutting->real, path, err) : CS_OK;

    assert_int_equal(code, CS_OK);
    return cut ? cs_err_set(err, CS_EIO, "the power is gone") : CS_OK;
}

static int64_t cutting_clock_s(struct ag_port *port)
{
    return ((struct cutting *)port)->clock_s;
}

/* ---- a device on disk */

struct scene {
    struct ag_posix *posix;
    struct cutting cutting;
    struct ag_config config;
    struct ag_device device;
    struct pki ca;
    struct cs_key *first;
    struct cs_buf said; /* the last statement that left the device */
};

static void on_statement(void *owner, struct cs_slice envelope)
{
    struct scene *scene = owner;

    cs_buf_clear(&scene->said);
    assert_int_equal(cs_buf_append(&scene->said, envelope), CS_OK);
}
static void on_policy_wanted(void *owner, uint32_t version)
{
    (void)owner;
    (void)version;
}
static void on_busy(void *owner, bool busy)
{
    (void)owner;
    (void)busy;
}
static void on_change(void *owner CS_UNUSED)
{
}
static void on_fatal(void *owner, const struct cs_err *why)
{
    (void)owner;
    (void)why;
}

static struct cs_buf issue(struct scene *scene, struct cs_slice spki, int64_t not_before_s)
{
    const struct cs_issue what = {.common_name = "gw-1",
                                  .subject_spki = spki,
                                  .not_before_s = not_before_s,
                                  .not_after_s = not_before_s + LIFE_S,
                                  .client_auth = true};
    struct cs_buf der = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_cert_issue(&what, scene->ca.chain, scene->ca.key, &der, &err), err);
    return der;
}

static void open_device(struct scene *scene)
{
    static const struct ag_device_events events = {on_statement, on_policy_wanted, on_busy, on_change,
                                                   on_fatal};
    struct cs_err err;

    check_ok(ag_device_open(&scene->device, &scene->config, &scene->cutting.port, &err), err);
    ag_device_listen(&scene->device, &events, scene);
}

static void enrol(struct scene *scene)
{
    const struct ag_store store = {&scene->cutting.port, scene->config.state};
    struct ag_identity identity = {.device_name = "gw-1", .pin = {.least_version = 1}};
    struct ag_keys keys;
    struct ag_state state;
    struct cs_err err;

    check_ok(ag_store_prepare(&store, &err), err);
    check_ok(ag_store_make_keys(&store, &keys, identity.device_id, &err), err);
    ag_state_init(&state, CS_SLICE_ARRAY(identity.device_id));
    check_ok(ag_store_save_state(&store, &state, &err), err);
    identity.certificate = issue(scene, cs_key_spki(keys.identity), NOW_S);
    assert_int_equal(cs_buf_append(&identity.agent_ca, cs_chain_bytes(scene->ca.chain)), CS_OK);
    check_ok(ag_store_save_identity(&store, &identity, &err), err);
    scene->first = cs_steal(keys.identity);
    ag_keys_free(&keys);
    ag_identity_free(&identity);
    ag_state_free(&state);
}

static void begin(struct scene *scene)
{
    struct cs_err err;

    memset(scene, 0, sizeof *scene);
    check_ok(cs_crypto_init(&err), err);
    snprintf(scene->config.state, sizeof scene->config.state, "/tmp/countersign-renewal-XXXXXX");
    assert_non_null(mkdtemp(scene->config.state));
    check_ok(ag_posix_new(NULL, &scene->posix, &err), err);
    scene->cutting.real = ag_posix_port(scene->posix);
    scene->cutting.port = *scene->cutting.real;
    scene->cutting.port.replace_file = cutting_replace_file;
    scene->cutting.port.remove_link = cutting_remove_link;
    scene->cutting.port.clock_s = cutting_clock_s;
    scene->cutting.clock_s = NOW_S;
    scene->cutting.writes_left = 1000;
    scene->ca = pki_make_ca("Agents");
    enrol(scene);
    open_device(scene);
}

static void end(struct scene *scene)
{
    ag_device_free(&scene->device);
    assert_true(folder_remove(scene->config.state));
    ag_posix_close(scene->posix);
    pki_free(&scene->ca);
    cs_key_free(scene->first);
    cs_buf_free(&scene->said);
}

/* What the controller does: issues for the fresh key that the statement names. */
static int take(struct scene *scene, struct cs_err *err)
{
    struct cs_buf certificate = issue(scene, cs_key_spki(scene->device.renewal.key), NOW_S + LIFE_S / 2);
    int code = ag_renewal_take(&scene->device, cs_buf_slice(&certificate), err);

    cs_buf_free(&certificate);
    return code;
}

static int renew(struct scene *scene, struct cs_err *err)
{
    int code = ag_renewal_begin(&scene->device, err);

    if (!code)
        code = take(scene, err);
    if (!code)
        ag_renewal_settle(&scene->device);
    return code;
}

static struct cs_device *as_others_see_it(struct scene *scene)
{
    struct cs_device *device;
    struct cs_err err;

    check_ok(cs_device_open_stored(CS_SLICE_ARRAY(scene->device.identity.pin.deployment_id),
                                   CS_SLICE_ARRAY(scene->device.identity.device_id),
                                   cs_key_spki(scene->first), &device, &err),
             err);
    return device;
}

/* Certificate and key are a pair, whatever happened. */
static void check_pair(struct scene *scene)
{
    struct cs_chain *chain;
    struct cs_err err;

    check_ok(cs_chain_parse(cs_buf_slice(&scene->device.identity.certificate), &chain, &err), err);
    check_slice(cs_chain_leaf_spki(chain), cs_key_spki(scene->device.keys.identity));
    cs_chain_free(chain);
}

static void check_says_as_device(struct scene *scene, const struct cs_device *seen)
{
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_verified verified;
    struct cs_err err;

    check_ok(ag_device_advertise(&scene->device, &wire, &err), err);
    check_ok(cs_device_verify(seen, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_ADVERTISEMENT, &verified, &err),
             err);
    cs_buf_free(&wire);
}

/* ---- tests */

static void a_renewal_is_signed_by_both_keys_and_changes_the_pair(void **state)
{
    struct cs_device *seen;
    struct scene scene;
    struct cs_err err;

    (void)state;
    begin(&scene);
    seen = as_others_see_it(&scene);
    check_ok(ag_renewal_begin(&scene.device, &err), err);
    check_ok(cs_device_follow(seen, cs_buf_slice(&scene.said), &err), err);
    check_pair(&scene);
    check_says_as_device(&scene, seen);
    check_code(ag_renewal_begin(&scene.device, &err), CS_ESTATE);
    check_ok(take(&scene, &err), err);
    check_pair(&scene);
    check_slice(cs_key_spki(scene.device.keys.identity), cs_device_identity(seen));
    check_says_as_device(&scene, seen);
    check_code(ag_renewal_take(&scene.device, cs_device_identity(seen), &err), CS_ESTATE);
    cs_device_free(seen);
    end(&scene);
}

static void a_certificate_for_another_key_is_not_taken(void **state)
{
    struct cs_buf certificate;
    struct scene scene;
    struct cs_err err;

    (void)state;
    begin(&scene);
    check_ok(ag_renewal_begin(&scene.device, &err), err);
    certificate = issue(&scene, cs_key_spki(scene.first), NOW_S);
    check_code(ag_renewal_take(&scene.device, cs_buf_slice(&certificate), &err), CS_EAUTH);
    assert_true(ag_renewal_pending(&scene.device.renewal));
    check_pair(&scene);
    cs_buf_free(&certificate);
    end(&scene);
}

static void each_sequence_has_the_key_of_its_time(void **state)
{
    struct scene scene;
    uint64_t sequence;
    struct cs_err err;

    (void)state;
    begin(&scene);
    assert_ptr_equal(ag_renewal_key_for(&scene.device, 1), scene.device.keys.identity);
    check_ok(ag_renewal_begin(&scene.device, &err), err);
    sequence = scene.device.renewal.sequence;
    assert_ptr_equal(ag_renewal_key_for(&scene.device, sequence), scene.device.keys.identity);
    assert_ptr_equal(ag_renewal_key_for(&scene.device, sequence + 1), scene.device.renewal.key);
    check_ok(take(&scene, &err), err);
    assert_null(ag_renewal_key_for(&scene.device, sequence)); /* the old key is gone */
    assert_ptr_equal(ag_renewal_key_for(&scene.device, sequence + 1), scene.device.keys.identity);
    end(&scene);
}

static void a_fleet_renews_spread_behind_the_half_of_its_life(void **state)
{
    int64_t due_s, expires_s, last_s;
    struct scene scene;
    struct cs_err err;

    (void)state;
    begin(&scene);
    check_ok(ag_renewal_times(&scene.device, 0, &due_s, &expires_s, &err), err);
    assert_int_equal(due_s, NOW_S + LIFE_S / 2);
    assert_int_equal(expires_s, NOW_S + LIFE_S);
    check_ok(ag_renewal_times(&scene.device, UINT32_MAX, &last_s, &expires_s, &err), err);
    assert_true(last_s > due_s + LIFE_S / 9 && last_s <= due_s + LIFE_S / 8);
    end(&scene);
}

static void what_was_said_is_repeated_byte_for_byte_after_a_restart(void **state)
{
    struct scene scene;
    struct cs_err err;

    (void)state;
    begin(&scene);
    check_ok(ag_renewal_begin(&scene.device, &err), err);
    ag_device_free(&scene.device);
    open_device(&scene);
    assert_true(ag_renewal_pending(&scene.device.renewal));
    check_slice(cs_buf_slice(&scene.device.renewal.envelope), cs_buf_slice(&scene.said));
    check_ok(take(&scene, &err), err);
    ag_device_free(&scene.device);
    open_device(&scene);
    check_pair(&scene);
    assert_false(ag_renewal_pending(&scene.device.renewal));
    end(&scene);
}

/* Twice over: the second renewal goes back to the first one's slot. False when the power lasted. */
static bool cut_in(struct scene *scene, int writes, bool last_is_done)
{
    struct cs_device *seen;
    bool cut;
    struct cs_err err;

    begin(scene);
    seen = as_others_see_it(scene);
    scene->cutting.writes_left = writes;
    scene->cutting.last_is_done = last_is_done;
    for (int i = 0; i < 2 && scene->cutting.writes_left >= 0; i++) {
        if (renew(scene, &err) == CS_OK || scene->said.len)
            if (cs_device_check_renewal(seen, cs_buf_slice(&scene->said), &(countersign_v1_DeviceRenewal){0},
                                        &err) == CS_OK)
                check_ok(cs_device_follow(seen, cs_buf_slice(&scene->said), &err), err);
    }
    cut = scene->cutting.writes_left < 0;

    ag_device_free(&scene->device);
    scene->cutting.writes_left = 1000;
    open_device(scene);
    check_pair(scene);
    /* What was on disk and not said yet is said now; others follow it like any renewal. */
    if (ag_renewal_pending(&scene->device.renewal)) {
        struct cs_slice pending = cs_buf_slice(&scene->device.renewal.envelope);

        if (!cs_slice_eq(cs_key_spki(scene->device.renewal.key), cs_device_identity(seen)))
            check_ok(cs_device_follow(seen, pending, &err), err);
        check_says_as_device(scene, seen);
        check_ok(take(scene, &err), err);
    }
    check_pair(scene);
    check_slice(cs_key_spki(scene->device.keys.identity), cs_device_identity(seen));
    check_says_as_device(scene, seen);
    /* And the next goes as if nothing had been. */
    check_ok(renew(scene, &err), err);
    check_ok(cs_device_follow(seen, cs_buf_slice(&scene->said), &err), err);
    check_pair(scene);
    cs_device_free(seen);
    end(scene);
    return cut;
}

static void a_power_cut_at_any_write_leaves_one_pair_or_the_other(void **state)
{
    struct scene scene;
    int writes = 0;

    (void)state;
    for (bool cut = true; cut; writes++) {
        cut = cut_in(&scene, writes, false);
        if (cut)
            assert_true(cut_in(&scene, writes, true));
    }
    /* Sequence, key, statement, certificate, statement forgotten, old key forgotten: twice, one block of
     * sequences. */
    assert_int_equal(writes - 1, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_renewal_is_signed_by_both_keys_and_changes_the_pair),
        cmocka_unit_test(a_certificate_for_another_key_is_not_taken),
        cmocka_unit_test(each_sequence_has_the_key_of_its_time),
        cmocka_unit_test(a_fleet_renews_spread_behind_the_half_of_its_life),
        cmocka_unit_test(what_was_said_is_repeated_byte_for_byte_after_a_restart),
        cmocka_unit_test(a_power_cut_at_any_write_leaves_one_pair_or_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
