/* The agent as a program, against a controller of the tests: it enrols, takes pushes, is killed, and comes
 * back. */
#include "tests/support/agent_scene.h"
#include "tests/support/check.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* `reload` is the text of a shell script that the connector "web" runs; it stands in the scene's folder. */
static void write_config(struct agent_scene *scene, const char *reload)
{
    agent_scene_write(scene, "reload", reload, 0755);
    agent_scene_configure(
        scene, "[connector \"web\"]\napplication = nginx\ncertificate = %s\nkey = %s\nreload = %s\n",
        agent_scene_path(scene, "web.pem"), agent_scene_path(scene, "web.key"),
        agent_scene_path(scene, "reload"));
}

static void begin(struct agent_scene *scene, const char *reload)
{
    agent_scene_begin(scene);
    write_config(scene, reload);
    agent_scene_enrol(scene);
}

/* What the application would read is this story's certificate, and a key that fits. */
static bool serves(const struct agent_scene *scene, const struct delivery_story *story)
{
    struct cs_digest leaf, wanted = agent_scene_leaf(story);
    struct cs_err err;

    return agent_scene_pair(agent_scene_path(scene, "web.pem"), agent_scene_path(scene, "web.key"), &leaf,
                            &err) &&
           cs_digest_eq(&leaf, &wanted);
}

/* ---- the cases */

static void enrols_and_completes_a_push(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;
    countersign_v1_AdvertisedConnector web;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    agent_scene_start(&scene);
    struct delivery_story *story = agent_scene_push(&scene);

    agent_scene_wait(&scene, story, &reports);
    if (reports.completed != 1)
        agent_scene_show_log(&scene);
    assert_int_equal(reports.accepted, 1);
    assert_int_equal(reports.completed, 1);
    assert_string_equal(reports.last.requester, "alice");
    assert_string_equal(reports.last.deciders[1], "implement: carol");
    assert_true(serves(&scene, story));
    assert_true(fake_controller_advertised(scene.controller, "web", &web));
    assert_string_equal(web.application, "nginx");
    delivery_free(story);
    agent_scene_end(&scene);
}

static void puts_back_what_the_application_does_not_take(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    agent_scene_start(&scene);
    struct delivery_story *good = agent_scene_push(&scene);

    agent_scene_wait(&scene, good, &reports);
    assert_int_equal(reports.completed, 1);
    write_config(&scene, "#!/bin/sh\necho no such thing >&2; exit 3\n");
    struct delivery_story *bad = agent_scene_push(&scene);

    agent_scene_wait(&scene, bad, &reports);
    assert_int_equal(reports.failed, 1);
    assert_string_equal(reports.last.verdict, "reload-failed");
    assert_non_null(strstr(reports.last.detail, "status 3: no such thing"));
    assert_true(serves(&scene, good));

    /* The same order again is a retry, and may end well. */
    write_config(&scene, "#!/bin/sh\nexit 0\n");
    usleep(100 * 1000);
    fake_controller_push_again(scene.controller, agent_scene_order(bad));
    for (int i = 0; i < 500 && reports.completed == 0; i++) {
        usleep(10 * 1000);
        fake_controller_reports(scene.controller, agent_scene_order(bad), &reports);
    }
    assert_int_equal(reports.completed, 1);
    assert_int_equal(reports.last.attempt, 2);
    assert_true(serves(&scene, bad));
    delivery_free(good);
    delivery_free(bad);
    agent_scene_end(&scene);
}

static void reports_again_until_it_is_heard(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    fake_controller_set_acks(scene.controller, false);
    agent_scene_start(&scene);
    struct delivery_story *story = agent_scene_push(&scene);

    agent_scene_wait(&scene, story, &reports);
    assert_int_equal(reports.repeated, 0);
    assert_int_equal(agent_scene_kill(&scene, SIGTERM), 0);
    fake_controller_set_acks(scene.controller, true);
    agent_scene_start(&scene);
    for (int i = 0; i < 500 && reports.repeated == 0; i++) {
        usleep(10 * 1000);
        fake_controller_reports(scene.controller, agent_scene_order(story), &reports);
    }
    assert_int_equal(reports.repeated, 1);
    assert_int_equal(reports.completed, 1);
    delivery_free(story);
    agent_scene_end(&scene);
}

static void refuses_a_second_instance(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    agent_scene_start(&scene);
    struct delivery_story *story = agent_scene_push(&scene);

    agent_scene_wait(&scene, story, &reports);
    assert_int_equal(WEXITSTATUS(agent_scene_run(&scene, "run")), 3);
    delivery_free(story);
    agent_scene_end(&scene);
}

static void survives_being_killed(void **unused CS_UNUSED)
{
    enum { KILLS = 100 };
    struct agent_scene scene;
    struct delivery_story *stories[KILLS];
    struct fake_reports reports;
    unsigned completed = 0, failed = 0;

    begin(&scene, "#!/bin/sh\nsleep 0.01\nexit 0\n");
    for (unsigned i = 0; i < KILLS; i++) {
        unsigned wait_us;

        stories[i] = agent_scene_push(&scene);
        agent_scene_start(&scene);
        cs_random(&wait_us, sizeof wait_us);
        /* Before it is up, while it connects, decides, installs, reloads, reports, and after. */
        usleep(wait_us % (i % 4 == 0 ? 150000 : 600000));
        agent_scene_kill(&scene, SIGKILL);
    }
    agent_scene_start(&scene);
    for (unsigned i = 0; i < KILLS; i++) {
        agent_scene_wait(&scene, stories[i], &reports);
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
    struct delivery_story *last = agent_scene_push(&scene);

    agent_scene_wait(&scene, last, &reports);
    assert_int_equal(reports.completed, 1);
    assert_true(serves(&scene, last));
    delivery_free(last);
    for (unsigned i = 0; i < KILLS; i++)
        delivery_free(stories[i]);
    agent_scene_end(&scene);
}

static void wait_until_accepted(struct agent_scene *scene, const struct delivery_story *story)
{
    struct fake_reports reports = {0};

    for (unsigned i = 0; i < 300 && !reports.accepted; i++) {
        usleep(100000);
        fake_controller_reports(scene->controller, agent_scene_order(story), &reports);
    }
    assert_int_equal(reports.accepted, 1);
}

/* What the device does comes first; what waits behind it can still be taken back. */
static void leaves_what_waits_when_it_is_cancelled(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nsleep 2\nexit 0\n");
    agent_scene_start(&scene);
    struct delivery_story *begun = agent_scene_push(&scene), *waits = agent_scene_push(&scene);

    wait_until_accepted(&scene, begun);
    fake_controller_cancel(scene.controller, agent_scene_order(begun));
    fake_controller_cancel(scene.controller, agent_scene_order(waits));
    agent_scene_wait(&scene, waits, &reports);
    assert_int_equal(reports.accepted, 0);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "cancelled");
    assert_string_equal(reports.last.connector, "web");
    agent_scene_wait(&scene, begun, &reports);
    assert_int_equal(reports.completed, 1);
    assert_int_equal(reports.refused, 0);
    assert_true(serves(&scene, begun));
    delivery_free(begun);
    delivery_free(waits);
    agent_scene_end(&scene);
}

/* Decided now, but not to run before tomorrow. */
static struct delivery_story *push_for_tomorrow(struct agent_scene *scene)
{
    struct delivery_story *story = agent_scene_prepare(scene);
    countersign_v1_Decision decision;

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
    struct agent_scene scene;
    struct fake_reports reports = {0};

    begin(&scene, "#!/bin/sh\nexit 0\n");
    agent_scene_start(&scene);
    struct delivery_story *tomorrow = push_for_tomorrow(&scene);

    for (unsigned i = 0; i < 300 && !reports.not_yet; i++) {
        usleep(100000);
        fake_controller_reports(scene.controller, agent_scene_order(tomorrow), &reports);
    }
    assert_int_equal(reports.not_yet, 1);
    fake_controller_cancel(scene.controller, agent_scene_order(tomorrow));
    agent_scene_wait(&scene, tomorrow, &reports);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "cancelled");
    assert_string_equal(reports.last.connector, "");
    delivery_free(tomorrow);
    agent_scene_end(&scene);
}

static void reports_a_push_that_it_cannot_read(void **unused CS_UNUSED)
{
    struct agent_scene scene;
    struct fake_reports reports;

    begin(&scene, "#!/bin/sh\nexit 0\n");
    agent_scene_start(&scene);
    scene.d.now_s = pki_now();
    struct delivery_story *story =
        delivery_make(&scene.d, "gw-7", scene.device_id, 1, CS_SLICE_ARRAY(scene.kem_spki));

    story->delivery.message.bytes[0] ^= 0x40;
    CS_PB_SET(&story->delivery.order_id, cs_slice(agent_scene_order(story), 16));
    fake_controller_push(scene.controller, story);
    agent_scene_wait(&scene, story, &reports);
    assert_int_equal(reports.refused, 1);
    assert_string_equal(reports.last.verdict, "message-malformed");
    assert_string_equal(reports.last.connector, "");
    delivery_free(story);
    agent_scene_end(&scene);
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
