/* An order that was accepted, up to its end, while the disk fails at chosen moments: whatever cannot be
 * written is tried again, with growing waits, is told of once, and the order ends once. */
#include "tests/support/check.h"
#include "tests/support/delivery.h"
#include "tests/support/folder.h"

#include "agent/device.h"
#include "agent/port/posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REPORTS = 64, WAITS = 64 };

/* The real files, and a machine around them that fails when it is told to. */
struct scene {
    struct ag_port port;
    struct ag_port *real;
    unsigned saves;     /* of the state, so far */
    unsigned fail_save; /* this one, counted from 1; 0: none */
    bool full;          /* no save at all */
    bool stuck;         /* the connector's link cannot be switched */
    bool blind;         /* nor read */
    bool no_waiting;
    int reload_status;

    void (*on_command)(void *owner, const struct ag_command_result *result);
    void (*on_waited)(void *owner);
    void *waiting; /* for either */
    uint32_t waits_ms[WAITS];
    unsigned wait_count;

    struct deployment d;
    char folder[64], certificate[96], key[96];
    struct ag_posix *posix;
    struct ag_config config;
    struct ag_connector web;
    struct ag_device device;
    uint8_t kem_spki[CS_SPKI_BYTES];
    countersign_v1_DeviceReport reports[REPORTS];
    size_t report_count;
    bool fatal;
    struct cs_err err;
};

static struct scene *of(struct ag_port *port)
{
    return CS_CONTAINER_OF(port, struct scene, port);
}

/* ---- the machine */

static int save(struct ag_port *port, const char *path, struct cs_slice content,
                const struct ag_file_look *look, struct cs_err *err)
{
    struct scene *s = of(port);
    const char *name = strrchr(path, '/');

    if (strcmp(name, "/state") == 0 && (++s->saves == s->fail_save || s->full))
        return cs_err_set(err, CS_EFULL, "the disk is full");
    return s->real->replace_file(s->real, path, content, look, err);
}
static int switch_link(struct ag_port *port, const char *path, const char *target, struct cs_err *err)
{
    struct scene *s = of(port);

    if (s->stuck)
        return cs_err_set(err, CS_EIO, "the link is stuck");
    return s->real->switch_link(s->real, path, target, err);
}
static int look_at(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err)
{
    struct scene *s = of(port);

    if (s->blind)
        return cs_err_set(err, CS_EIO, "nothing can be seen");
    return s->real->look_at(s->real, path, ret, err);
}
static int run(struct ag_port *port, const struct ag_command *command CS_UNUSED,
               void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
               struct cs_err *err CS_UNUSED)
{
    of(port)->on_command = on_end;
    of(port)->waiting = owner;
    return CS_OK;
}
static int wait(struct ag_port *port, uint32_t ms, void (*on_end)(void *owner), void *owner,
                struct cs_err *err)
{
    struct scene *s = of(port);

    if (s->no_waiting)
        return cs_err_nomem(err);
    assert_true(s->wait_count < WAITS);
    s->waits_ms[s->wait_count++] = ms;
    s->on_waited = on_end;
    s->waiting = owner;
    return CS_OK;
}
static void stop(struct ag_port *port)
{
    of(port)->on_command = NULL;
    of(port)->on_waited = NULL;
}
static int watch(struct ag_port *port CS_UNUSED, const char *const *folders CS_UNUSED, size_t count CS_UNUSED,
                 void (*on_change)(void *owner) CS_UNUSED, void *owner CS_UNUSED,
                 struct cs_err *err CS_UNUSED)
{
    return CS_OK;
}

/* What was begun takes its course, for at most so many waits. */
static void go_on(struct scene *s, unsigned waits)
{
    for (;;) {
        void (*on_command)(void *owner, const struct ag_command_result *result) = s->on_command;
        void (*on_waited)(void *owner) = s->on_waited;

        if (!on_command && (!on_waited || waits == 0))
            return;
        stop(&s->port);
        if (on_command) {
            on_command(s->waiting,
                       &(struct ag_command_result){AG_COMMAND_EXITED, s->reload_status, "", NULL});
        } else {
            waits--;
            on_waited(s->waiting);
        }
    }
}

/* ---- the device */

static void on_statement(void *owner, struct cs_slice wire)
{
    struct scene *s = owner;
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    struct cs_envelope envelope;

    check_ok(cs_envelope_parse(wire, &envelope, &s->err), s->err);
    check_ok(cs_report_decode(envelope.payload, &report, &s->err), s->err);
    assert_true(s->report_count < REPORTS);
    s->reports[s->report_count++] = *report;
}
static void on_policy_wanted(void *owner CS_UNUSED, uint32_t version CS_UNUSED)
{
    fail_msg("the policy is here");
}
static void on_full(void *owner CS_UNUSED, bool full CS_UNUSED)
{
}
static void on_change(void *owner CS_UNUSED)
{
}
static void on_fatal(void *owner, const struct cs_err *why CS_UNUSED)
{
    ((struct scene *)owner)->fatal = true;
}
static const struct ag_device_events events = {on_statement, on_policy_wanted, on_full, on_change, on_fatal};

static void start(struct scene *s)
{
    check_ok(ag_device_open(&s->device, &s->config, &s->port, &s->err), s->err);
    ag_device_listen(&s->device, &events, s);
    ag_device_recover(&s->device);
}

/* The process ends, however far it came. */
static void die(struct scene *s)
{
    ag_device_stop(&s->device);
    ag_device_free(&s->device);
    stop(&s->port);
}

/* An enrolled device with the deployment's policy, as its files are. */
static void write_files(struct scene *s)
{
    const struct ag_store store = {s->real, s->folder};
    struct ag_identity identity = {.pin = deployment_pin(&s->d)};
    struct ag_keys keys;
    struct ag_state state;

    check_ok(ag_store_prepare(&store, &s->err), s->err);
    check_ok(ag_store_make_keys(&store, &keys, identity.device_id, &s->err), s->err);
    memcpy(s->kem_spki, cs_key_spki(keys.kem).ptr, sizeof s->kem_spki);
    snprintf(identity.device_name, sizeof identity.device_name, "gw-0");
    assert_int_equal(cs_buf_append(&identity.agent_ca, CS_SLICE_LIT("not looked at")), CS_OK);
    check_ok(ag_store_save_identity(&store, &identity, &s->err), s->err);
    ag_state_init(&state, CS_SLICE_ARRAY(identity.device_id));
    state.policy_version = 1;
    check_ok(ag_store_save_policy(&store, 1, cs_policy_wire(s->d.policy), &s->err), s->err);
    check_ok(ag_store_save_state(&store, &state, &s->err), s->err);
    ag_keys_free(&keys);
    ag_identity_free(&identity);
    ag_state_free(&state);
}

static int begin(void **state)
{
    static char command[] = "/bin/reload";
    struct scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    snprintf(s->folder, sizeof s->folder, "/tmp/countersign-order-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->certificate, sizeof s->certificate, "%s/web.pem", s->folder);
    snprintf(s->key, sizeof s->key, "%s/web.key", s->folder);
    deployment_make_at(&s->d, pki_now() - 60);
    check_ok(ag_posix_new(NULL, &s->posix, &s->err), s->err);
    s->real = ag_posix_port(s->posix);
    s->port = *s->real;
    s->port.replace_file = save;
    s->port.switch_link = switch_link;
    s->port.look_at = look_at;
    s->port.run = run;
    s->port.wait = wait;
    s->port.stop = stop;
    s->port.watch = watch;
    s->web = (struct ag_connector){
        .name = "web",
        .application = "test",
        .paths = {[AG_FILE_KEY] = s->key, [AG_FILE_CERTIFICATE] = s->certificate},
        .key_mode = 0600,
        .reload = {.kind = AG_RELOAD_COMMAND, .argv = {command}},
        .reload_timeout_s = 1,
    };
    s->config = (struct ag_config){.check_s = 3600, .generations_kept = 3};
    s->config.connectors = (struct ag_connectors){&s->web, 1};
    snprintf(s->config.state, sizeof s->config.state, "%s", s->folder);
    write_files(s);
    start(s);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    die(s);
    ag_posix_close(s->posix);
    deployment_free(&s->d);
    assert_true(folder_remove(s->folder));
    free(s);
    return 0;
}

/* ---- pushes */

static struct cs_digest push(struct scene *s, uint64_t number)
{
    s->d.now_s = pki_now();
    struct delivery_story *story =
        delivery_make(&s->d, "gw-0", s->device.identity.device_id, number, CS_SLICE_ARRAY(s->kem_spki));
    struct cs_digest leaf = cs_sha256(cs_chain_der(story->certificate.chain, 0));
    struct cs_buf wire = deployment_encode(countersign_v1_PushDelivery_fields, &story->delivery);

    s->report_count = s->wait_count = s->saves = 0;
    check_ok(ag_device_deliver(&s->device, cs_buf_slice(&wire), &s->err), s->err);
    cs_buf_free(&wire);
    delivery_free(story);
    return leaf;
}

/* Completed and acknowledged. */
static struct cs_digest install(struct scene *s, uint64_t number)
{
    struct cs_digest leaf = push(s, number);

    go_on(s, 0);
    assert_int_equal(s->reports[s->report_count - 1].outcome, countersign_v1_Outcome_OUTCOME_COMPLETED);
    ag_device_take_ack(&s->device, s->reports[s->report_count - 1].sequence);
    return leaf;
}

/* How often this outcome was told, with distinct sequences; *ret_last may be NULL. */
static unsigned told(const struct scene *s, countersign_v1_Outcome outcome,
                     const countersign_v1_DeviceReport **ret_last)
{
    unsigned count = 0;

    for (size_t i = 0; i < s->report_count; i++) {
        bool again = false;

        if (s->reports[i].outcome != outcome)
            continue;
        for (size_t k = 0; k < i; k++)
            again |= s->reports[k].sequence == s->reports[i].sequence;
        count += !again;
        if (ret_last)
            *ret_last = &s->reports[i];
    }
    return count;
}
#define COMPLETED countersign_v1_Outcome_OUTCOME_COMPLETED
#define FAILED    countersign_v1_Outcome_OUTCOME_FAILED
#define ACCEPTED  countersign_v1_Outcome_OUTCOME_ACCEPTED
#define REFUSED   countersign_v1_Outcome_OUTCOME_REFUSED

static void read_file(struct scene *s, const char *path, struct cs_buf *out)
{
    check_ok(s->real->read_file(s->real, path, CS_LIMIT_PEM_BYTES, out, &s->err), s->err);
}

static void check_pair(struct scene *s, const struct cs_digest *leaf)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;

    read_file(s, s->certificate, &pem);
    read_file(s, s->key, &key);
    check_ok(cs_chain_parse_pem(cs_buf_slice(&pem), &chain, &s->err), s->err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&key), CS_SLICE_EMPTY, &pkcs8, &s->err), s->err);
    check_ok(cs_chain_check_key(chain, cs_buf_slice(&pkcs8), &s->err), s->err);
    struct cs_digest found = cs_sha256(cs_chain_der(chain, 0));

    assert_true(cs_digest_eq(&found, leaf));
}

/* ---- the cases */

static void ends_however_one_save_fails(void **state)
{
    struct scene *s = *state;
    struct cs_digest leaf = install(s, 1);
    uint64_t number = 1;

    for (unsigned fail = 1;; fail++) {
        const countersign_v1_DeviceReport *last = NULL;
        struct cs_digest fresh;

        s->fail_save = fail;
        fresh = push(s, ++number);
        go_on(s, 3);
        if (told(s, COMPLETED, NULL) == 1) {
            leaf = fresh;
            assert_int_equal(told(s, REFUSED, NULL), 0);
        } else {
            assert_int_equal(told(s, REFUSED, &last), 1);
            assert_string_equal(last->verdict, "storage-failed");
        }
        assert_int_equal(told(s, FAILED, NULL), 0);
        check_pair(s, &leaf);
        assert_false(s->device.busy || s->fatal);
        if (fail > s->saves)
            break;
    }
    assert_true(number > 3);
}

static void ends_put_back_however_one_save_fails(void **state)
{
    struct scene *s = *state;
    struct cs_digest leaf = install(s, 1);
    uint64_t number = 1;

    s->reload_status = 3;
    for (unsigned fail = 1;; fail++) {
        const countersign_v1_DeviceReport *last = NULL;

        s->fail_save = fail;
        push(s, ++number);
        go_on(s, 3);
        assert_int_equal(told(s, FAILED, &last) + told(s, REFUSED, &last), 1);
        assert_int_equal(told(s, COMPLETED, NULL), 0);
        check_pair(s, &leaf);
        assert_false(s->device.busy || s->fatal);
        if (fail > s->saves)
            break;
    }
    assert_true(number > 4);
}

static void waits_longer_and_longer_and_tells_once(void **state)
{
    struct scene *s = *state;
    const countersign_v1_DeviceReport *last = NULL;
    struct cs_digest leaf;

    leaf = push(s, 1);
    s->full = true;
    go_on(s, 10);
    assert_int_equal(s->wait_count, 11);
    for (unsigned i = 0; i < s->wait_count; i++)
        assert_int_equal(s->waits_ms[i], i < 6 ? 1000U << i : 60000);
    assert_int_equal(told(s, COMPLETED, NULL) + told(s, FAILED, NULL), 0);
    assert_int_equal(told(s, ACCEPTED, &last), 2);
    assert_string_equal(last->verdict, "storage-failed");
    assert_non_null(strstr(last->detail, "tried again"));
    assert_non_null(strstr(last->detail, "the disk is full"));
    check_pair(s, &leaf);
    s->full = false;
    go_on(s, 1);
    assert_int_equal(told(s, COMPLETED, NULL), 1);
    assert_false(s->device.busy);
}

static void puts_back_once_that_can_be_done(void **state)
{
    struct scene *s = *state;
    const countersign_v1_DeviceReport *last = NULL;
    struct cs_digest before = install(s, 1), fresh;

    s->reload_status = 1;
    fresh = push(s, 2);
    s->stuck = true;
    go_on(s, 4);
    check_pair(s, &fresh);
    assert_true(s->device.busy);
    assert_int_equal(told(s, FAILED, NULL), 0);
    assert_int_equal(told(s, ACCEPTED, &last), 2);
    assert_non_null(strstr(last->detail, "cannot be put back"));
    s->stuck = false;
    s->reload_status = 0;
    go_on(s, 1);
    assert_int_equal(told(s, FAILED, &last), 1);
    assert_string_equal(last->verdict, "reload-failed");
    assert_non_null(strstr(last->detail, "; put back"));
    check_pair(s, &before);
}

/* The next push waits in the meantime, and is not lost. */
static void takes_the_next_push_behind_one_that_is_stuck(void **state)
{
    struct scene *s = *state;
    struct cs_digest fresh;

    install(s, 1);
    s->reload_status = 1;
    push(s, 2);
    s->stuck = true;
    go_on(s, 2);
    fresh = push(s, 3);
    assert_int_equal(s->report_count, 0);
    s->stuck = false;
    s->reload_status = 0;
    go_on(s, 1);
    assert_int_equal(told(s, FAILED, NULL), 1);
    assert_int_equal(told(s, COMPLETED, NULL), 1);
    check_pair(s, &fresh);
}

static void does_not_guess_where_a_link_leads_that_it_cannot_read(void **state)
{
    struct scene *s = *state;
    struct cs_digest fresh;

    install(s, 1);
    fresh = push(s, 2);
    die(s); /* in the middle of the reload */
    s->blind = true;
    start(s);
    go_on(s, 3);
    assert_true(s->device.busy);
    assert_true(s->wait_count >= 3);
    assert_int_equal(told(s, FAILED, NULL) + told(s, COMPLETED, NULL), 0);
    s->blind = false;
    go_on(s, 1);
    assert_int_equal(told(s, COMPLETED, NULL), 1);
    check_pair(s, &fresh);
}

static void leaves_alone_what_is_not_declared_any_more(void **state)
{
    struct scene *s = *state;
    const countersign_v1_DeviceReport *last = NULL;
    struct cs_digest fresh;

    install(s, 1);
    fresh = push(s, 2);
    die(s);
    s->config.connectors.count = 0;
    s->full = true;
    s->report_count = 0;
    start(s);
    s->full = false;
    go_on(s, 2);
    assert_int_equal(told(s, FAILED, &last), 1);
    assert_string_equal(last->verdict, "unknown-connector");
    check_pair(s, &fresh);
    assert_false(s->device.busy);
}

/* Again and again, at every stage: it ends the way it began to. */
static void ends_after_any_number_of_deaths(void **state)
{
    struct scene *s = *state;
    struct cs_digest before = install(s, 1), fresh = push(s, 2);

    for (unsigned i = 0; i < 3; i++) {
        die(s);
        start(s); /* finishes: asks the application once more */
        check_pair(s, &fresh);
        assert_true(s->device.busy);
    }
    s->reload_status = 9;
    s->on_command(s->waiting, &(struct ag_command_result){AG_COMMAND_EXITED, 9, "", NULL});
    for (unsigned i = 0; i < 3; i++) {
        die(s);
        s->reload_status = 0;
        start(s); /* on its way back */
        check_pair(s, &before);
    }
    go_on(s, 0);
    assert_int_equal(told(s, FAILED, NULL), 1);
    assert_int_equal(told(s, COMPLETED, NULL), 0);
    check_pair(s, &before);
}

static void ends_the_process_when_nothing_can_be_waited_for(void **state)
{
    struct scene *s = *state;

    push(s, 1);
    s->full = s->no_waiting = true;
    go_on(s, 0);
    assert_true(s->fatal);
}

/* What a power cut left is made whole before anything starts, and asks nobody. */
static void restores_what_was_interrupted(void **state)
{
    struct scene *s = *state;
    struct cs_digest fresh;
    unsigned restored = 0;

    s->web.placement = AG_PLACE_COPIES;
    install(s, 1);
    fresh = push(s, 2);
    die(s);
    assert_int_equal(unlink(s->certificate), 0);
    check_ok(ag_device_open(&s->device, &s->config, &s->port, &s->err), s->err);
    check_ok(ag_device_restore(&s->device, &restored, &s->err), s->err);
    assert_int_equal(restored, 1);
    assert_null(s->on_command);
    check_pair(s, &fresh);
    s->blind = true;
    check_code(ag_device_restore(&s->device, &restored, &s->err), CS_EIO);
    s->blind = false;
    ag_device_free(&s->device);
    start(s);
    go_on(s, 0);
    check_ok(ag_device_restore(&s->device, &restored, &s->err), s->err);
    assert_int_equal(restored, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_however_one_save_fails, begin, end),
        cmocka_unit_test_setup_teardown(ends_put_back_however_one_save_fails, begin, end),
        cmocka_unit_test_setup_teardown(waits_longer_and_longer_and_tells_once, begin, end),
        cmocka_unit_test_setup_teardown(puts_back_once_that_can_be_done, begin, end),
        cmocka_unit_test_setup_teardown(takes_the_next_push_behind_one_that_is_stuck, begin, end),
        cmocka_unit_test_setup_teardown(does_not_guess_where_a_link_leads_that_it_cannot_read, begin, end),
        cmocka_unit_test_setup_teardown(leaves_alone_what_is_not_declared_any_more, begin, end),
        cmocka_unit_test_setup_teardown(ends_after_any_number_of_deaths, begin, end),
        cmocka_unit_test_setup_teardown(ends_the_process_when_nothing_can_be_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(restores_what_was_interrupted, begin, end),
    };

    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
