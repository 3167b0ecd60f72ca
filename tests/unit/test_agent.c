/* The agent as a program, against a controller of the tests: it enrols, takes pushes, is killed, and comes
 * back. */
#include "tests/support/check.h"
#include "tests/support/fake_controller.h"
#include "tests/support/folder.h"

#include "shared/base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char agent[] = CS_TEST_BIN "/countersign-agent";

struct scene {
    struct deployment d;
    struct fake_controller *controller;
    char folder[64], config[96];
    uint8_t device_id[16], kem_spki[CS_SPKI_BYTES];
    pid_t pid; /* of the agent that runs; 0: none */
};

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int run_agent(const struct scene *scene, char *const argv[], bool wait, pid_t *ret_pid)
{
    int status = 0;
    char log[96];
    pid_t pid = fork();

    if (pid == 0) {
        snprintf(log, sizeof log, "%s/log", scene->folder);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(fd, 1);
        dup2(fd, 2);
        execv(agent, argv);
        _exit(127);
    }
    assert_true(pid > 0);
    if (ret_pid)
        *ret_pid = pid;
    if (wait)
        assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void start_agent(struct scene *scene)
{
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"}, scene->config, (char[]){"run"},
                          NULL};

    run_agent(scene, argv, false, &scene->pid);
}

static int end_agent(struct scene *scene, int number)
{
    int status = 0;

    kill(scene->pid, number);
    assert_int_equal(waitpid(scene->pid, &status, 0), scene->pid);
    scene->pid = 0;
    return status;
}

/* `reload` is the text of a shell script that the connector "web" runs; it stands in the scene's folder. */
static void write_config(struct scene *scene, const char *reload)
{
    char text[1024], path[96];

    snprintf(path, sizeof path, "%s/reload", scene->folder);
    write_file(path, reload, 0755);
    snprintf(
        text, sizeof text,
        "[agent]\ncontroller = 127.0.0.1:%u\nenrolment = 127.0.0.1:%u\nstate = %s/state\nbackoff_base = 1s\n"
        "backoff_max = 1s\n[connector \"web\"]\napplication = nginx\ncertificate = %s/web.pem\nkey = "
        "%s/web.key\nreload = %s/reload\n",
        fake_controller_agent_port(scene->controller), fake_controller_enrolment_port(scene->controller),
        scene->folder, scene->folder, scene->folder, scene->folder);
    write_file(scene->config, text, 0644);
}

static void enrol(struct scene *scene)
{
    struct cs_buf token = fake_controller_token(scene->controller, "gw-7");

    assert_int_equal(cs_buf_append_u8(&token, 0), CS_OK);
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"},    scene->config, (char[]){"enrol"},
                          (char[]){"--token"},           (char *)token.ptr, NULL};

    assert_int_equal(run_agent(scene, argv, true, NULL), 0);
    cs_buf_free(&token);
    assert_true(fake_controller_enrolled(scene->controller, scene->device_id, scene->kem_spki));
}

static void begin(struct scene *scene, const char *reload)
{
    memset(scene, 0, sizeof *scene);
    snprintf(scene->folder, sizeof scene->folder, "/tmp/countersign-agent-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->config, sizeof scene->config, "%s/agent.conf", scene->folder);
    deployment_make_at(&scene->d, pki_now() - 60);
    scene->controller = fake_controller_start(&scene->d);
    write_config(scene, reload);
    enrol(scene);
}

static void end(struct scene *scene)
{
    if (scene->pid)
        assert_int_equal(end_agent(scene, SIGTERM), 0);
    fake_controller_stop(scene->controller);
    deployment_free(&scene->d);
    assert_true(folder_remove(scene->folder));
}

static struct delivery_story *push(struct scene *scene, uint64_t number)
{
    struct delivery_story *story;

    scene->d.now_s = pki_now();
    story = delivery_make(&scene->d, "gw-7", scene->device_id, number, CS_SLICE_ARRAY(scene->kem_spki));
    fake_controller_push(scene->controller, story);
    return story;
}

static const uint8_t *id_of(const struct delivery_story *story)
{
    return story->push.cores[0].order_id.bytes;
}

static struct cs_buf read_path(const struct scene *scene, const char *name)
{
    struct cs_buf out = CS_BUF_EMPTY;
    char path[128], chunk[4096];

    snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    FILE *file = fopen(path, "r");

    if (!file)
        return out;
    for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        assert_int_equal(cs_buf_append(&out, cs_slice(chunk, count)), CS_OK);
    fclose(file);
    return out;
}

/* What the application would read is this story's certificate, and a key that fits. */
static bool serves(const struct scene *scene, const struct delivery_story *story)
{
    cs_auto(cs_buf_free) struct cs_buf pem = read_path(scene, "web.pem");
    cs_auto(cs_buf_free) struct cs_buf key = read_path(scene, "web.key");
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_err err;

    return cs_chain_parse_pem(cs_buf_slice(&pem), &chain, &err) == CS_OK &&
           cs_slice_eq(cs_chain_bytes(chain), cs_buf_slice(&story->chain)) &&
           cs_private_key_to_pkcs8(cs_buf_slice(&key), CS_SLICE_EMPTY, &pkcs8, &err) == CS_OK &&
           cs_chain_check_key(chain, cs_buf_slice(&pkcs8), &err) == CS_OK;
}

static void show_log(const struct scene *scene)
{
    cs_auto(cs_buf_free) struct cs_buf log = read_path(scene, "log");

    fprintf(stderr, "%.*s", (int)log.len, (const char *)log.ptr);
}

static void wait_for(struct scene *scene, const struct delivery_story *story, struct fake_reports *ret)
{
    if (!fake_controller_wait(scene->controller, id_of(story), 30)) {
        show_log(scene);
        fail_msg("no final report of order %u", (unsigned)story->push.cores[0].number);
    }
    fake_controller_reports(scene->controller, id_of(story), ret);
}

/* ---- the cases */

static void enrols_and_completes_a_push(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;
    countersign_v1_AdvertisedConnector web;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    start_agent(&scene);
    struct delivery_story *story = push(&scene, 1);

    wait_for(&scene, story, &reports);
    if (reports.completed != 1)
        show_log(&scene);
    assert_int_equal(reports.accepted, 1);
    assert_int_equal(reports.completed, 1);
    assert_string_equal(reports.last.requester, "alice");
    assert_string_equal(reports.last.deciders[1], "implement: carol");
    assert_true(serves(&scene, story));
    assert_true(fake_controller_advertised(scene.controller, "web", &web));
    assert_string_equal(web.application, "nginx");
    delivery_free(story);
    end(&scene);
}

static void puts_back_what_the_application_does_not_take(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    start_agent(&scene);
    struct delivery_story *good = push(&scene, 1);

    wait_for(&scene, good, &reports);
    assert_int_equal(reports.completed, 1);
    write_config(&scene, "#!/bin/sh\necho no such thing >&2; exit 3\n");
    struct delivery_story *bad = push(&scene, 2);

    wait_for(&scene, bad, &reports);
    assert_int_equal(reports.failed, 1);
    assert_string_equal(reports.last.verdict, "reload-failed");
    assert_non_null(strstr(reports.last.detail, "status 3: no such thing"));
    assert_true(serves(&scene, good));

    /* The same order again is a retry, and may end well. */
    write_config(&scene, "#!/bin/sh\nexit 0\n");
    usleep(100 * 1000);
    fake_controller_push_again(scene.controller, id_of(bad));
    for (int i = 0; i < 500 && reports.completed == 0; i++) {
        usleep(10 * 1000);
        fake_controller_reports(scene.controller, id_of(bad), &reports);
    }
    assert_int_equal(reports.completed, 1);
    assert_int_equal(reports.last.attempt, 2);
    assert_true(serves(&scene, bad));
    delivery_free(good);
    delivery_free(bad);
    end(&scene);
}

static void reports_again_until_it_is_heard(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    fake_controller_set_acks(scene.controller, false);
    start_agent(&scene);
    struct delivery_story *story = push(&scene, 1);

    wait_for(&scene, story, &reports);
    assert_int_equal(reports.repeated, 0);
    assert_int_equal(end_agent(&scene, SIGTERM), 0);
    fake_controller_set_acks(scene.controller, true);
    start_agent(&scene);
    for (int i = 0; i < 500 && reports.repeated == 0; i++) {
        usleep(10 * 1000);
        fake_controller_reports(scene.controller, id_of(story), &reports);
    }
    assert_int_equal(reports.repeated, 1);
    assert_int_equal(reports.completed, 1);
    delivery_free(story);
    end(&scene);
}

static void refuses_a_second_instance(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    start_agent(&scene);
    struct delivery_story *story = push(&scene, 1);

    wait_for(&scene, story, &reports);
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"}, scene.config, (char[]){"run"}, NULL};

    assert_int_equal(WEXITSTATUS(run_agent(&scene, argv, true, NULL)), 3);
    delivery_free(story);
    end(&scene);
}

static void survives_being_killed(void **unused CS_UNUSED)
{
    enum { KILLS = 100 };
    struct scene scene;
    struct delivery_story *stories[KILLS];
    struct fake_reports reports;
    unsigned completed = 0, failed = 0;

    begin(&scene, "#!/bin/sh\nsleep 0.01\nexit 0\n");
    for (unsigned i = 0; i < KILLS; i++) {
        unsigned wait_us;

        stories[i] = push(&scene, i + 1);
        start_agent(&scene);
        cs_random(&wait_us, sizeof wait_us);
        /* Before it is up, while it connects, decides, installs, reloads, reports, and after. */
        usleep(wait_us % (i % 4 == 0 ? 150000 : 600000));
        end_agent(&scene, SIGKILL);
    }
    start_agent(&scene);
    for (unsigned i = 0; i < KILLS; i++) {
        wait_for(&scene, stories[i], &reports);
        /* It was tried once, and it ended once, however often it was delivered. */
        assert_true(reports.accepted <= 1);
        assert_true(reports.refused > 0 || reports.last.attempt == 1);
        assert_int_equal(reports.completed + reports.failed + reports.refused, 1);
        assert_false(reports.completed > 0 && reports.failed > 0);
        completed += reports.completed;
        failed += reports.failed;
        if (reports.refused > 0)
            assert_string_equal(reports.last.verdict, "generation-seen");
        else if (reports.failed > 0)
            assert_string_equal(reports.last.verdict, "interrupted");
    }
    print_message("%u completed, %u put back\n", completed, failed);
    assert_true(completed > 0);
    struct delivery_story *last = push(&scene, KILLS + 1);

    wait_for(&scene, last, &reports);
    assert_int_equal(reports.completed, 1);
    assert_true(serves(&scene, last));
    delivery_free(last);
    for (unsigned i = 0; i < KILLS; i++)
        delivery_free(stories[i]);
    end(&scene);
}

static void wait_until_accepted(struct scene *scene, const struct delivery_story *story)
{
    struct fake_reports reports = {0};

    for (unsigned i = 0; i < 300 && !reports.accepted; i++) {
        usleep(100000);
        fake_controller_reports(scene->controller, id_of(story), &reports);
    }
    assert_int_equal(reports.accepted, 1);
}

/* What the device does comes first; what waits behind it can still be taken back. */
static void leaves_what_waits_when_it_is_cancelled(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nsleep 2\nexit 0\n");
    start_agent(&scene);
    struct delivery_story *begun = push(&scene, 1), *waits = push(&scene, 2);

    wait_until_accepted(&scene, begun);
    fake_controller_cancel(scene.controller, id_of(begun));
    fake_controller_cancel(scene.controller, id_of(waits));
    wait_for(&scene, waits, &reports);
    assert_int_equal(reports.accepted, 0);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "cancelled");
    assert_string_equal(reports.last.connector, "web");
    wait_for(&scene, begun, &reports);
    assert_int_equal(reports.completed, 1);
    assert_int_equal(reports.refused, 0);
    assert_true(serves(&scene, begun));
    delivery_free(begun);
    delivery_free(waits);
    end(&scene);
}

/* Decided now, but not to run before tomorrow. */
static struct delivery_story *push_for_tomorrow(struct scene *scene, uint64_t number)
{
    struct delivery_story *story;
    countersign_v1_Decision decision;

    scene->d.now_s = pki_now();
    story = delivery_prepare(&scene->d, "gw-7", scene->device_id, number);
    delivery_submit(story);
    story_decide(&story->push, "bob", 1);
    story_fill_decision(&story->push, "carol", 2, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = scene->d.now_s + 86400;
    story_add_decision(&story->push, &decision, "carol");
    delivery_assemble(story, CS_SLICE_ARRAY(scene->kem_spki));
    delivery_wrap(story);
    fake_controller_push(scene->controller, story);
    return story;
}

/* A device keeps nothing of an order that is not due: it says so of one that is cancelled meanwhile. */
static void answers_a_cancel_of_what_it_put_off(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports = {0};

    begin(&scene, "#!/bin/sh\nexit 0\n");
    start_agent(&scene);
    struct delivery_story *tomorrow = push_for_tomorrow(&scene, 1);

    for (unsigned i = 0; i < 300 && !reports.not_yet; i++) {
        usleep(100000);
        fake_controller_reports(scene.controller, id_of(tomorrow), &reports);
    }
    assert_int_equal(reports.not_yet, 1);
    fake_controller_cancel(scene.controller, id_of(tomorrow));
    wait_for(&scene, tomorrow, &reports);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "cancelled");
    assert_string_equal(reports.last.connector, "");
    delivery_free(tomorrow);
    end(&scene);
}

static void reports_a_push_that_it_cannot_read(void **unused CS_UNUSED)
{
    struct scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    start_agent(&scene);
    scene.d.now_s = pki_now();
    struct delivery_story *story =
        delivery_make(&scene.d, "gw-7", scene.device_id, 1, CS_SLICE_ARRAY(scene.kem_spki));

    story->delivery.message.bytes[0] ^= 0x40;
    CS_PB_SET(&story->delivery.order_id, cs_slice(id_of(story), 16));
    fake_controller_push(scene.controller, story);
    wait_for(&scene, story, &reports);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "message-malformed");
    assert_string_equal(reports.last.connector, "");
    delivery_free(story);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enrols_and_completes_a_push),
        cmocka_unit_test(puts_back_what_the_application_does_not_take),
        cmocka_unit_test(reports_again_until_it_is_heard),
        cmocka_unit_test(refuses_a_second_instance),
        cmocka_unit_test(survives_being_killed),
        cmocka_unit_test(leaves_what_waits_when_it_is_cancelled),
        cmocka_unit_test(answers_a_cancel_of_what_it_put_off),
        cmocka_unit_test(reports_a_push_that_it_cannot_read),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
