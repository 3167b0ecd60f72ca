/* The core thread with a core that only counts: what is shown is the thread's own work - order, groups,
 * rewinding, what is durable when, a full disk, the clock, the end. The real core takes no part: its four
 * functions are here.
 *
 *   ATTACH    adds one to the counter and answers with its new value (in *reply, a uint64_t)
 *   DETACH    adds one, then is refused
 *   TICK      takes the due time away and adds 1000
 *   CREATE_TOKEN  sets the due time to *body (an int64_t)
 *   DECIDE    writes *body (a size_t) bytes that are never needed again */
#include "tests/support/check.h"
#include "tests/support/deployment.h"
#include "tests/support/folder.h"

#include "controller/core/query.h"
#include "controller/core_thread.h"
#include "controller/reading.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define COUNTER CS_SLICE_LIT("counter")
#define DUE     CS_SLICE_LIT("due")

static uint64_t read_number(struct ctl_view *view, struct cs_slice key)
{
    struct cs_slice value;
    uint64_t number = 0;

    if (ctl_view_get(view, key, &value, NULL) == CS_OK)
        memcpy(&number, value.ptr, sizeof number);
    return number;
}

static int write_number(struct ctl_view *view, struct cs_slice key, uint64_t number, struct cs_err *err)
{
    return ctl_view_put(view, key, cs_slice(&number, sizeof number), err);
}

enum { EFFECTS = 4096 };

static int add(struct ctl_view *view, struct ctl_outcome *outcome, uint64_t more, struct cs_err *err)
{
    uint64_t number = read_number(view, COUNTER) + more;

    if (outcome->reply)
        memcpy(outcome->reply, &number, sizeof number);
    if (!outcome->effects)
        outcome->effects = calloc(EFFECTS, sizeof outcome->effects[0]);
    cs_assert(outcome->effect_count < EFFECTS);
    outcome->effects[outcome->effect_count++] =
        (struct ctl_effect){.kind = CTL_EFFECT_REQUEST, .request_number = number};
    return write_number(view, COUNTER, number, err);
}

static int write_much(struct ctl_view *view, size_t size, struct cs_err *err)
{
    static uint8_t bytes[1024 * 1024];
    char key[32];

    snprintf(key, sizeof key, "much-%zu", size);
    return ctl_view_put(view, cs_slice_str(key), cs_slice(bytes, size), err);
}

int ctl_core_run(struct ctl_view *view, const struct ctl_context *context, enum ctl_command_kind kind,
                 const void *body, const struct ctl_actor *actor, struct ctl_outcome *outcome,
                 struct cs_err *err)
{
    int code;

    (void)context, (void)actor;
    switch (kind) {
    case CTL_ATTACH:
        return add(view, outcome, 1, err);
    case CTL_DETACH:
        code = add(view, outcome, 1, err);
        return code != CS_OK ? code : cs_err_set(err, CS_ESTATE, "refused as it should be");
    case CTL_TICK:
        code = ctl_view_delete(view, DUE, err);
        return code != CS_OK ? code : add(view, outcome, 1000, err);
    case CTL_CREATE_TOKEN:
        return ctl_view_put(view, DUE, cs_slice(body, sizeof(int64_t)), err);
    case CTL_DECIDE:
        return write_much(view, *(const size_t *)body, err);
    default:
        return CS_OK;
    }
}

int ctl_core_next_due(struct ctl_view *view, int64_t *ret_due_s, struct cs_err *err)
{
    uint64_t due = read_number(view, DUE);

    (void)err;
    *ret_due_s = due ? (int64_t)due : INT64_MAX;
    return CS_OK;
}

int ctl_core_start(struct ctl_view *view, const struct ctl_context *context, struct ctl_outcome *outcome,
                   struct cs_err *err)
{
    (void)view, (void)context, (void)outcome, (void)err;
    return CS_OK;
}

int ctl_query_GetPolicy(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                        const countersign_v1_GetPolicyRequest *request,
                        countersign_v1_GetPolicyResponse *reply, struct cs_err *err)
{
    (void)view, (void)presence, (void)now_s, (void)request, (void)reply;
    return cs_err_set(err, CS_ENOTFOUND, "no policy");
}

/* ---- a store, the thread, and what it hands on */

struct fixture {
    char folder[64];
    struct ctl_store *store;
    struct ctl_core_thread *core;
    pthread_mutex_t lock;
    uint64_t last_effect; /* highest number in an effect */
    uint32_t policy_version;
    sem_t effects;
};

static uint64_t durable(struct fixture *f)
{
    struct ctl_reading reading;
    struct cs_err err;
    uint64_t number;

    check_ok(ctl_reading_open(f->store, &reading, &err), err);
    number = read_number(reading.view, COUNTER);
    ctl_reading_close(&reading);
    return number;
}

static void on_effects(void *owner, const struct ctl_effect *effects, size_t count, struct ctl_trust *trust)
{
    struct fixture *f = owner;
    uint64_t stored = durable(f);

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < count; i++) {
        cs_assert(effects[i].request_number <= stored); /* nothing is told before it is on the disk */
        f->last_effect = effects[i].request_number;
    }
    if (trust)
        f->policy_version = ctl_trust_version(trust);
    pthread_mutex_unlock(&f->lock);
    sem_post(&f->effects);
}

static void open_with(struct fixture *f, size_t map_bytes)
{
    struct ctl_core_thread_options options = {.on_effects = on_effects, .owner = f};
    struct cs_err err;

    check_ok(ctl_store_open(f->folder, map_bytes, &f->store, &err), err);
    options.store = f->store;
    check_ok(ctl_core_thread_new(&options, &f->core, &err), err);
    check_ok(ctl_core_thread_start(f->core, &err), err);
}

static void close_all(struct fixture *f)
{
    ctl_core_thread_stop(f->core);
    ctl_core_thread_free(f->core);
    ctl_store_close(f->store);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/countersign-core-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    pthread_mutex_init(&f->lock, NULL);
    sem_init(&f->effects, 0, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_true(folder_remove(f->folder));
    free(f);
    return 0;
}

/* A command whose submitter waits for it. */
struct waited {
    struct ctl_command command;
    sem_t done;
    uint64_t reply;
};

static void on_waited(struct ctl_command *command)
{
    sem_post(&CS_CONTAINER_OF(command, struct waited, command)->done);
}

static int run(struct fixture *f, enum ctl_command_kind kind, const void *body, struct waited *ret)
{
    struct waited waited = {.command = {.kind = kind, .body = body, .on_done = on_waited}};
    struct cs_err err;

    waited.command.reply = &waited.reply;
    sem_init(&waited.done, 0, 0);
    check_ok(ctl_core_thread_submit(f->core, &waited.command, &err), err);
    while (sem_wait(&waited.done) != 0)
        ;
    sem_destroy(&waited.done);
    *ret = waited;
    return waited.command.code;
}

/* ---- the stories */

enum { SUBMITTERS = 8, COMMANDS_EACH = 200 };

struct submitter {
    struct fixture *fixture;
    pthread_t thread;
    uint64_t replies[COMMANDS_EACH];
    unsigned refused;
};

static void *submit_many(void *data)
{
    struct submitter *submitter = data;

    for (unsigned i = 0; i < COMMANDS_EACH; i++) {
        struct waited waited;

        if (run(submitter->fixture, CTL_DETACH, NULL, &waited) == CS_ESTATE)
            submitter->refused++;
        cs_assert(run(submitter->fixture, CTL_ATTACH, NULL, &waited) == CS_OK);
        cs_assert(durable(submitter->fixture) >= waited.reply);
        submitter->replies[i] = waited.reply;
    }
    return NULL;
}

static void many_submitters_get_each_its_own_answer(void **state)
{
    struct fixture *f = *state;
    static struct submitter submitters[SUBMITTERS];
    static bool seen[SUBMITTERS * COMMANDS_EACH + 1];

    open_with(f, 0);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i].fixture = f;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
    }
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
        assert_int_equal(submitters[i].refused, COMMANDS_EACH);
        for (unsigned j = 0; j < COMMANDS_EACH; j++) {
            uint64_t reply = submitters[i].replies[j];

            assert_true(reply >= 1 && reply <= SUBMITTERS * COMMANDS_EACH);
            assert_false(seen[reply]);
            seen[reply] = true;
        }
    }
    assert_int_equal(durable(f), SUBMITTERS * COMMANDS_EACH);
    close_all(f);
    assert_int_equal(f->last_effect, SUBMITTERS * COMMANDS_EACH);
}

static void a_refused_command_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct waited waited;

    open_with(f, 0);
    check_code(run(f, CTL_DETACH, NULL, &waited), CS_ESTATE);
    assert_string_equal(waited.command.err.msg, "refused as it should be");
    assert_int_equal(durable(f), 0);
    check_code(run(f, CTL_ATTACH, NULL, &waited), CS_OK);
    assert_int_equal(waited.reply, 1);
    close_all(f);
    assert_int_equal(f->last_effect, 1);
}

static void what_was_acknowledged_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct waited waited;

    open_with(f, 0);
    check_code(run(f, CTL_ATTACH, NULL, &waited), CS_OK);
    close_all(f);
    open_with(f, 0);
    check_code(run(f, CTL_ATTACH, NULL, &waited), CS_OK);
    assert_int_equal(waited.reply, 2);
    close_all(f);
}

static void a_full_store_refuses_and_stays_up(void **state)
{
    struct fixture *f = *state;
    struct waited waited;
    size_t size;
    int code = CS_OK;

    open_with(f, 1024 * 1024);
    for (size = 100000; size < 100100 && code == CS_OK; size++)
        code = run(f, CTL_DECIDE, &size, &waited);
    assert_int_equal(code, CS_EFULL);
    check_code(run(f, CTL_DETACH, NULL, &waited), CS_ESTATE);
    check_code(run(f, CTL_PREPARE_PUSH, NULL, &waited), CS_OK);
    close_all(f);
}

static void the_clock_runs_when_it_is_due_and_not_before(void **state)
{
    struct fixture *f = *state;
    int64_t due_s = (int64_t)time(NULL) + 2;
    struct waited waited;

    open_with(f, 0);
    check_code(run(f, CTL_CREATE_TOKEN, &due_s, &waited), CS_OK);
    assert_int_equal(durable(f), 0);
    while (sem_wait(&f->effects) != 0)
        ;
    assert_true((int64_t)time(NULL) >= due_s);
    assert_int_equal(durable(f), 1000);
    close_all(f);
}

static void what_was_due_meanwhile_runs_at_the_start(void **state)
{
    struct fixture *f = *state;
    int64_t due_s = 1;
    struct waited waited;

    open_with(f, 0);
    check_code(run(f, CTL_CREATE_TOKEN, &due_s, &waited), CS_OK);
    close_all(f);
    open_with(f, 0);
    check_code(run(f, CTL_ATTACH, NULL, &waited), CS_OK);
    close_all(f);
    open_with(f, 0);
    assert_int_equal(durable(f), 1001);
    close_all(f);
}

static void a_new_policy_takes_effect_with_its_commit(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    struct ctl_publish_policy publish;
    struct waited waited;

    deployment_make(&d);
    publish.envelope = cs_policy_wire(d.policy);
    publish.policy = d.policy;
    open_with(f, 0);
    assert_null(ctl_core_thread_trust(f->core));
    check_code(run(f, CTL_PUBLISH_POLICY, &publish, &waited), CS_OK);
    close_all(f);
    assert_int_equal(f->policy_version, cs_policy_version(d.policy));
    deployment_free(&d);
}

/* Submitted from one thread without waiting: the answers come in the same order, and all before the stop
 * returns. */
enum { IN_A_ROW = 3000 };

static void on_counted(struct ctl_command *command)
{
    (void)command;
}

static void the_stop_finishes_what_waits_in_its_order(void **state)
{
    struct fixture *f = *state;
    static struct {
        struct ctl_command command;
        uint64_t reply;
    } each[IN_A_ROW];
    struct ctl_command late = {.kind = CTL_ATTACH, .on_done = on_counted};
    struct cs_err err;

    open_with(f, 0);
    for (unsigned i = 0; i < IN_A_ROW; i++) {
        each[i].command =
            (struct ctl_command){.kind = CTL_ATTACH, .reply = &each[i].reply, .on_done = on_counted};
        check_ok(ctl_core_thread_submit(f->core, &each[i].command, &err), err);
    }
    ctl_core_thread_stop(f->core);
    for (unsigned i = 0; i < IN_A_ROW; i++)
        assert_int_equal(each[i].reply, i + 1);
    check_code(ctl_core_thread_submit(f->core, &late, &err), CS_ECLOSED);
    close_all(f);
}

static int start_crypto(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

#define with_a_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_a_folder(many_submitters_get_each_its_own_answer),
        with_a_folder(a_refused_command_leaves_no_trace),
        with_a_folder(what_was_acknowledged_is_there_after_a_restart),
        with_a_folder(a_full_store_refuses_and_stays_up),
        with_a_folder(the_clock_runs_when_it_is_due_and_not_before),
        with_a_folder(what_was_due_meanwhile_runs_at_the_start),
        with_a_folder(a_new_policy_takes_effect_with_its_commit),
        with_a_folder(the_stop_finishes_what_waits_in_its_order),
    };

    return cmocka_run_group_tests(tests, start_crypto, NULL);
}
