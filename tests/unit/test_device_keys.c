/* Keys that a device makes, on a real disk whose power is cut before each change in turn: whoever asks again
 * gets a CSR whose key is there, and there is one key for one request. */
#include "tests/support/check.h"

#include "agent/core/pending_key.h"
#include "agent/device_impl.h"
#include "agent/port/posix.h"
#include "shared/trust/device.h"
#include "tests/support/deployment.h"
#include "tests/support/folder.h"
#include "tests/support/pki.h"

#include <stdio.h>
#include <sys/stat.h>

/* From the change number `left` on (counted down) the power is off. */
struct cut_port {
    struct ag_port port;
    struct ag_port *real;
    int left;
};

static struct cut_port *cut_of(struct ag_port *port)
{
    return CS_CONTAINER_OF(port, struct cut_port, port);
}

static bool cut(struct ag_port *port, struct cs_err *err)
{
    if (cut_of(port)->left-- > 0)
        return false;
    cs_err_set(err, CS_EIO, "power cut");
    return true;
}

#define REAL(port) (cut_of(port)->real)

static int cut_replace_file(struct ag_port *port, const char *path, struct cs_slice content,
                            const struct ag_file_look *look, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->replace_file(REAL(port), path, content, look, err);
}
static int cut_make_folder(struct ag_port *port, const char *path, unsigned mode, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->make_folder(REAL(port), path, mode, err);
}
static int cut_remove_folder(struct ag_port *port, const char *path, struct cs_err *err)
{
    return cut(port, err) ? CS_EIO : REAL(port)->remove_folder(REAL(port), path, err);
}
static int64_t same_clock_s(struct ag_port *port)
{
    return REAL(port)->clock_s(REAL(port));
}
static bool same_clock_synchronised(struct ag_port *port)
{
    return REAL(port)->clock_synchronised(REAL(port));
}
static int same_read_file(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                          struct cs_err *err)
{
    return REAL(port)->read_file(REAL(port), path, limit_bytes, out, err);
}
static int same_list_folder(struct ag_port *port, const char *path,
                            void (*on_entry)(void *data, const char *name), void *data, struct cs_err *err)
{
    return REAL(port)->list_folder(REAL(port), path, on_entry, data, err);
}
static int same_look_at(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err)
{
    return REAL(port)->look_at(REAL(port), path, ret, err);
}

struct scene {
    struct deployment d;
    char folder[64];
    struct ag_posix *posix;
    struct cut_port cut;
    struct ag_config config;
    struct ag_connector web;
    struct ag_device device;
    countersign_v1_KeyRequest request;
    struct cs_buf wire;
    struct cs_buf answer; /* envelope of the device's last statement */
    unsigned answers, policies_wanted;
};

static void on_statement(void *owner, struct cs_slice envelope)
{
    struct scene *scene = owner;

    scene->answers++;
    cs_buf_clear(&scene->answer);
    assert_int_equal(cs_buf_append(&scene->answer, envelope), CS_OK);
}
static void on_policy_wanted(void *owner, uint32_t version CS_UNUSED)
{
    ((struct scene *)owner)->policies_wanted++;
}
static void on_busy(void *owner CS_UNUSED, bool busy CS_UNUSED)
{
}
static void on_fatal(void *owner CS_UNUSED, const struct cs_err *why CS_UNUSED)
{
}
static void on_change(void *owner CS_UNUSED)
{
}
static const struct ag_device_events events = {on_statement, on_policy_wanted, on_busy, on_change, on_fatal};

/* An enrolled device with the deployment's policy, as its files are. */
static void write_state(struct scene *scene)
{
    struct ag_store store = {ag_posix_port(scene->posix), scene->folder};
    struct ag_identity identity = {.pin = deployment_pin(&scene->d)};
    struct ag_keys keys;
    struct ag_state state;
    struct cs_err err;

    check_ok(ag_store_prepare(&store, &err), err);
    check_ok(ag_store_make_keys(&store, &keys, identity.device_id, &err), err);
    snprintf(identity.device_name, sizeof identity.device_name, "gw-0");
    assert_int_equal(cs_buf_append(&identity.agent_ca, CS_SLICE_LIT("not looked at")), CS_OK);
    check_ok(ag_store_save_identity(&store, &identity, &err), err);
    ag_state_init(&state, CS_SLICE_ARRAY(identity.device_id));
    state.policy_version = 1;
    check_ok(ag_store_save_policy(&store, 1, cs_policy_wire(scene->d.policy), &err), err);
    check_ok(ag_store_save_state(&store, &state, &err), err);
    deployment_fill_key_request(&scene->d, "gw-0", &scene->request);
    CS_PB_SET(&scene->request.device_id, CS_SLICE_ARRAY(identity.device_id));
    ag_keys_free(&keys);
    ag_identity_free(&identity);
    ag_state_free(&state);
}

static void sign(struct scene *scene, const char *id)
{
    cs_buf_free(&scene->wire);
    deployment_make_id(id, scene->request.key_request_id.bytes);
    scene->wire = deployment_sign(&scene->d, CS_STATEMENT_KEY_REQUEST, countersign_v1_KeyRequest_fields,
                                  &scene->request, "alice");
}

static void begin(struct scene *scene)
{
    struct cs_err err;

    memset(scene, 0, sizeof *scene);
    snprintf(scene->folder, sizeof scene->folder, "/tmp/countersign-keys-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    deployment_make_at(&scene->d, pki_now() - 60);
    check_ok(ag_posix_new(NULL, &scene->posix, &err), err);
    scene->cut = (struct cut_port){.port = {.replace_file = cut_replace_file,
                                            .make_folder = cut_make_folder,
                                            .remove_folder = cut_remove_folder,
                                            .clock_s = same_clock_s,
                                            .clock_synchronised = same_clock_synchronised,
                                            .read_file = same_read_file,
                                            .list_folder = same_list_folder,
                                            .look_at = same_look_at},
                                   .real = ag_posix_port(scene->posix)};
    memcpy(scene->web.name, "web", 4);
    scene->config.connectors = (struct ag_connectors){&scene->web, 1};
    snprintf(scene->config.state, sizeof scene->config.state, "%s", scene->folder);
    write_state(scene);
    sign(scene, "one");
}

static void end(struct scene *scene)
{
    cs_buf_free(&scene->wire);
    cs_buf_free(&scene->answer);
    ag_posix_close(scene->posix);
    deployment_free(&scene->d);
    assert_true(folder_remove(scene->folder));
}

/* The process runs until the power goes. */
static void run(struct scene *scene, int changes)
{
    struct cs_err err;

    scene->cut.left = changes;
    check_ok(ag_device_open(&scene->device, &scene->config, &scene->cut.port, &err), err);
    ag_device_listen(&scene->device, &events, scene);
    ag_device_recover(&scene->device);
    ag_device_take_key_request(&scene->device, cs_buf_slice(&scene->wire));
    ag_device_free(&scene->device);
}

static countersign_v1_DeviceCsr *last_answer(const struct scene *scene)
{
    countersign_v1_DeviceCsr *csr = NULL;
    struct cs_envelope envelope;
    struct cs_err err;

    check_ok(cs_envelope_parse(cs_buf_slice(&scene->answer), &envelope, &err), err);
    check_ok(cs_device_csr_decode(envelope.payload, &csr, &err), err);
    return csr;
}

static size_t pending(const struct scene *scene, struct cs_digest *ret)
{
    struct ag_store store = {ag_posix_port(scene->posix), scene->folder};
    size_t count = 0;
    struct cs_err err;

    check_ok(ag_store_list_pending_keys(&store, ret, 8, &count, &err), err);
    return count;
}

/* The answer's CSR is for the one key that is on the disk, for its owner's eyes alone. */
static void check_one_key(const struct scene *scene)
{
    cs_auto_free countersign_v1_DeviceCsr *answer = last_answer(scene);
    struct cs_digest spkis[8], spki;
    uint8_t bytes[CS_SPKI_BYTES];
    char path[256], hex[65];
    struct stat info;
    struct cs_err err;

    assert_string_equal(answer->verdict, "ok");
    check_ok(cs_csr_check(CS_PB_BYTES(&answer->csr), bytes, &err), err);
    spki = cs_sha256(CS_SLICE_ARRAY(bytes));
    assert_int_equal(pending(scene, spkis), 1);
    assert_true(cs_digest_eq(&spki, &spkis[0]));
    for (size_t i = 0; i < sizeof spki.bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", spki.bytes[i]);
    snprintf(path, sizeof path, "%s/keys/%s/pending", scene->folder, hex);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_power_cut_leaves_a_key_with_its_csr_or_neither(void **state CS_UNUSED)
{
    unsigned refused = 0;

    for (int changes = 0; changes < 8; changes++) {
        struct scene scene;

        begin(&scene);
        run(&scene, changes);
        if (scene.answers) {
            cs_auto_free countersign_v1_DeviceCsr *answer = last_answer(&scene);

            /* Told only of a key that is there. */
            if (strcmp(answer->verdict, "ok") == 0)
                check_one_key(&scene);
            else
                refused++;
        }
        run(&scene, 1000);
        check_one_key(&scene);
        end(&scene);
    }
    /* A statement needs a number, and that a write: the cuts before it say nothing at all. */
    assert_int_equal(refused, 0);
}

static void the_same_request_gets_the_same_csr(void **state CS_UNUSED)
{
    struct scene scene;

    begin(&scene);
    run(&scene, 1000);
    cs_auto_free countersign_v1_DeviceCsr *first = last_answer(&scene);

    run(&scene, 1000);
    cs_auto_free countersign_v1_DeviceCsr *second = last_answer(&scene);

    assert_int_equal(scene.answers, 2);
    check_slice(CS_PB_BYTES(&second->csr), CS_PB_BYTES(&first->csr));
    assert_true(second->sequence > first->sequence);
    check_one_key(&scene);
    end(&scene);
}

static void four_keys_wait_and_no_more(void **state CS_UNUSED)
{
    static const char *const ids[] = {"one", "two", "three", "four", "five"};
    struct cs_digest spkis[8];
    struct scene scene;

    begin(&scene);
    for (size_t i = 0; i < CS_ARRAY_LEN(ids); i++) {
        sign(&scene, ids[i]);
        run(&scene, 1000);
        cs_auto_free countersign_v1_DeviceCsr *answer = last_answer(&scene);

        assert_string_equal(answer->verdict, i < 4 ? "ok" : "keys-pending");
        assert_true((answer->csr.size > 0) == (i < 4));
    }
    assert_int_equal(pending(&scene, spkis), 4);
    end(&scene);
}

static void a_request_waits_for_the_policy_that_its_signer_saw(void **state CS_UNUSED)
{
    struct scene scene;
    struct cs_err err;

    begin(&scene);
    scene.request.policy_version = 2;
    sign(&scene, "one");
    scene.cut.left = 1000;
    check_ok(ag_device_open(&scene.device, &scene.config, &scene.cut.port, &err), err);
    ag_device_listen(&scene.device, &events, &scene);
    ag_device_recover(&scene.device);
    ag_device_take_key_request(&scene.device, cs_buf_slice(&scene.wire));
    assert_int_equal(scene.policies_wanted, 1);
    assert_int_equal(scene.answers, 0);
    deployment_publish(&scene.d);
    check_ok(ag_device_take_policy(&scene.device, cs_policy_wire(scene.d.policy), &err), err);
    assert_int_equal(scene.answers, 1);
    check_one_key(&scene);

    /* One that never comes is refused. */
    scene.request.policy_version = 3;
    sign(&scene, "two");
    ag_device_take_key_request(&scene.device, cs_buf_slice(&scene.wire));
    assert_int_equal(scene.answers, 1);
    ag_device_give_up_policy(&scene.device);
    cs_auto_free countersign_v1_DeviceCsr *refusal = last_answer(&scene);

    assert_string_equal(refusal->verdict, "policy-too-old");
    ag_device_free(&scene.device);
    end(&scene);
}

/* What the device finds for an order that names this connector and leaf. */
static size_t found_key(struct scene *scene, const char *connector, const struct cs_digest *spki,
                        countersign_v1_KeyMode mode)
{
    cs_auto_free countersign_v1_PushMessage *message = calloc(1, sizeof *message);
    cs_auto_free countersign_v1_PushDelivery *delivery = calloc(1, sizeof *delivery);
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    countersign_v1_OrderCore core;
    struct cs_err err = {0};

    assert_true(message && delivery);
    deployment_fill_core(&scene->d, "gw-0", 1, &core);
    snprintf(core.connector, sizeof core.connector, "%s", connector);
    core.key_mode = mode;
    CS_PB_SET(&core.leaf_spki_digest, cs_digest_slice(spki));
    cs_auto(cs_buf_free) struct cs_buf wire = deployment_encode(countersign_v1_OrderCore_fields, &core);

    CS_PB_SET(&message->order_core, cs_buf_slice(&wire));
    CS_PB_SET(&message->request, CS_SLICE_LIT("not looked at"));
    cs_auto(cs_buf_free) struct cs_buf bytes = deployment_encode(countersign_v1_PushMessage_fields, message);

    CS_PB_SET(&delivery->message, cs_buf_slice(&bytes));
    check_ok(ag_keys_find_own(&scene->device, delivery, &pkcs8, &err), err);
    return pkcs8.len;
}

/* Puts the key and a certificate for it where an installed generation is. */
static void install(struct scene *scene, const struct cs_digest *spki)
{
    struct ag_port *port = ag_posix_port(scene->posix);
    struct ag_store store = {port, scene->folder};
    const struct ag_file_look look = {.mode = 0600};
    struct pki ca = pki_make_ca("Test CA");
    cs_auto(cs_buf_wipe) struct cs_buf record = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct ag_pending_key pending;
    char path[160];
    struct cs_err err;

    check_ok(ag_store_load_pending_key(&store, spki, &record, &err), err);
    check_ok(ag_pending_key_decode(cs_buf_slice(&record), &pending, &err), err);
    check_ok(cs_key_parse(pending.key, CS_SLICE_EMPTY, CS_KEY_SIGN, &key, &err), err);
    const struct cs_issue what = {.common_name = "gw.example",
                                  .subject_spki = cs_key_spki(key),
                                  .not_before_s = scene->d.now_s,
                                  .not_after_s = scene->d.now_s + 86400};

    check_ok(cs_cert_issue(&what, ca.chain, ca.key, &der, &err), err);
    check_ok(cs_pem_write("CERTIFICATE", cs_buf_slice(&der), &pem, &err), err);
    snprintf(path, sizeof path, "%s/connectors/web", scene->folder);
    check_ok(port->make_folder(port, path, 0711, &err), err);
    snprintf(path, sizeof path, "%s/connectors/web/g7", scene->folder);
    check_ok(port->make_folder(port, path, 0711, &err), err);
    snprintf(path, sizeof path, "%s/connectors/web/g7/chain.pem", scene->folder);
    check_ok(port->write_file(port, path, cs_buf_slice(&pem), &look, &err), err);
    snprintf(path, sizeof path, "%s/connectors/web/g7/key.pem", scene->folder);
    check_ok(port->write_file(port, path, pending.key, &look, &err), err);
    pki_free(&ca);
}

static void a_key_is_handed_to_its_own_connector_alone(void **state CS_UNUSED)
{
    const countersign_v1_KeyMode on_device = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
    struct cs_digest spkis[8], other = {{1}};
    struct scene scene;
    struct cs_err err;

    begin(&scene);
    run(&scene, 1000);
    assert_int_equal(pending(&scene, spkis), 1);
    scene.cut.left = 1000;
    check_ok(ag_device_open(&scene.device, &scene.config, &scene.cut.port, &err), err);
    assert_true(found_key(&scene, "web", &spkis[0], on_device) > 0);
    assert_int_equal(found_key(&scene, "mail", &spkis[0], on_device), 0);
    assert_int_equal(found_key(&scene, "web", &other, on_device), 0);
    assert_int_equal(found_key(&scene, "web", &spkis[0], countersign_v1_KeyMode_KEY_MODE_HELD), 0);

    /* Installed, it waits no longer, and is found there. */
    install(&scene, &spkis[0]);
    ag_keys_settle(&scene.device, "mail", 7);
    assert_int_equal(pending(&scene, spkis), 1);
    ag_keys_settle(&scene.device, "web", 7);
    other = spkis[0];
    assert_int_equal(pending(&scene, spkis), 0);
    assert_true(found_key(&scene, "web", &other, on_device) > 0);
    assert_int_equal(found_key(&scene, "mail", &other, on_device), 0);
    ag_device_free(&scene.device);
    end(&scene);
}

/* What is said after a renewal is the fresh key's word, an answer too: nobody believes the old key's. */
static void an_answer_during_a_renewal_is_signed_by_the_fresh_key(void **state CS_UNUSED)
{
    cs_auto(cs_device_freep) struct cs_device *seen = NULL;
    struct cs_verified verified;
    struct scene scene;
    struct cs_err err;

    begin(&scene);
    scene.cut.left = 1000;
    check_ok(ag_device_open(&scene.device, &scene.config, &scene.cut.port, &err), err);
    ag_device_listen(&scene.device, &events, &scene);
    ag_device_recover(&scene.device);
    check_ok(cs_device_open_stored(CS_PB_BYTES(&scene.request.deployment_id),
                                   CS_PB_BYTES(&scene.request.device_id),
                                   cs_key_spki(scene.device.keys.identity), &seen, &err),
             err);
    check_ok(ag_renewal_begin(&scene.device, &err), err);
    check_ok(cs_device_follow(seen, cs_buf_slice(&scene.answer), &err), err);
    ag_device_take_key_request(&scene.device, cs_buf_slice(&scene.wire));
    assert_int_equal(scene.answers, 2);
    check_one_key(&scene);
    check_ok(cs_device_verify(seen, cs_buf_slice(&scene.answer), CS_STATEMENT_DEVICE_CSR, &verified, &err),
             err);
    ag_device_free(&scene.device);
    end(&scene);
}

static int set_up(void **state CS_UNUSED)
{
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_leaves_a_key_with_its_csr_or_neither),
        cmocka_unit_test(the_same_request_gets_the_same_csr),
        cmocka_unit_test(four_keys_wait_and_no_more),
        cmocka_unit_test(a_key_is_handed_to_its_own_connector_alone),
        cmocka_unit_test(a_request_waits_for_the_policy_that_its_signer_saw),
        cmocka_unit_test(an_answer_during_a_renewal_is_signed_by_the_fresh_key),
    };

    return cmocka_run_group_tests_name("device_keys", tests, set_up, NULL);
}
