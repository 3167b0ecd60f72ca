/* Questions to applications' sockets: what is a good answer, and that no peer can make them last or grow. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/fake_peer.h"
#include "tests/support/folder.h"
#include "tests/support/port_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scene {
    struct port_loop loop;
    char folder[64], path[96];
    struct fake_peer peer;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    if (!scene)
        return -1;
    memcpy(scene->folder, "/tmp/cs-talk-XXXXXX", sizeof "/tmp/cs-talk-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->path, sizeof scene->path, "%s/admin", scene->folder);
    port_loop_begin(&scene->loop);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    port_loop_end(&scene->loop);
    assert_true(folder_remove(scene->folder));
    free(scene);
    return 0;
}

#define LINE64 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2"

static void nap(int fd, void *data)
{
    (void)fd, (void)data;
    usleep(400000);
}

struct conversation {
    const char *says;
    struct fake_peer_step steps[5];
    const char *expect;
    bool good, timed_out;
    const char *answer; /* a part of it */
};

static void tells_a_good_answer_from_a_bad_one(void **state)
{
    static const struct conversation cases[] = {
        {"a good answer, and the end",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "Success!\n\n"}},
         "Success!",
         true,
         false,
         "Success!"},
        {"a good answer, and the connection stays",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "200 OK\nmore"}, {.kind = FAKE_HANG}},
         "200 OK",
         true,
         false,
         "200 OK | more"},
        {"in two pieces",
         {{FAKE_EXPECT, .text = "reload\n"},
          {FAKE_SEND, .text = "a\n2"},
          {FAKE_DO, .act = nap},
          {FAKE_SEND, .text = "00 OK\n"}},
         "200 OK",
         true,
         false,
         "a | 200 OK"},
        {"without its line end, in time's end",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "200 OK"}, {.kind = FAKE_HANG}},
         "200 OK",
         true,
         true,
         "200 OK"},
        {"another answer",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "Unknown command\n"}},
         "Success!",
         false,
         false,
         "Unknown command"},
        {"no answer", {{FAKE_EXPECT, .text = "reload\n"}}, "Success!", false, false, "ended the connection"},
        {"no answer and no end",
         {{FAKE_EXPECT, .text = "reload\n"}, {.kind = FAKE_HANG}},
         "Success!",
         false,
         true,
         "did not answer within 0.3 s"},
        {"an end before the question", {{.kind = FAKE_RESET}}, "Success!", false, false, "connection"},
        {"NULs and escapes",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "\0\x1b[31mgood\n", .len = 11}},
         "good",
         true,
         false,
         "good"},
        {"a key",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "is " LINE64 "\nQQ==\nit is good\n"}},
         "good",
         true,
         false,
         "is [...] | it is good"},
        {"a flood of lines", {{FAKE_FLOOD, .text = "never\n"}}, "good", false, false, "| never |"},
        {"a flood without lines", {{FAKE_FLOOD, .text = "never "}}, "good", false, false, "never never"},
        {"any answer",
         {{FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "what?\n"}, {.kind = FAKE_HANG}},
         NULL,
         true,
         false,
         "what?"},
        {"any answer, and it is an end", {{FAKE_EXPECT, .text = "reload\n"}}, NULL, true, false, "ended"},
        {"any answer, and it is silence",
         {{FAKE_EXPECT, .text = "reload\n"}, {.kind = FAKE_HANG}},
         NULL,
         true,
         true,
         "did not answer"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < 2 * CS_ARRAY_LEN(cases); i++) {
        const struct conversation *talk = &cases[i / 2];
        const char *path = i % 2 ? scene->path : NULL; /* TCP, then a unix socket */
        char address[128];

        print_message("    %s\n", talk->says);
        scene->peer = fake_peer_start(path, talk->steps);
        snprintf(address, sizeof address, "127.0.0.1:%u", scene->peer.port);
        port_loop_talk(&scene->loop, &(struct ag_talk){.address = path ? path : address,
                                                       .send = CS_SLICE_LIT("reload\n"),
                                                       .expect = talk->expect,
                                                       .timeout_ms = talk->timed_out ? 300 : 10000});
        assert_int_equal(scene->loop.talk.good, talk->good);
        assert_int_equal(scene->loop.talk.timed_out, talk->timed_out);
        if (!strstr(scene->loop.talk.answer, talk->answer))
            fail_msg("'%s' does not say '%s'", scene->loop.talk.answer, talk->answer);
        assert_null(strstr(scene->loop.talk.answer, "MIGH"));
        assert_true(fake_peer_stop(&scene->peer));
        if (path)
            assert_int_equal(unlink(path), 0);
    }
}

/* A bundle with its key goes to HAProxy so: more than a socket takes at once. */
static void sends_much(void **state)
{
    static const struct fake_peer_step steps[] = {
        {FAKE_EXPECT, .text = "the end\n"}, {FAKE_SEND, .text = "done\n"}, {0}};
    struct scene *scene = *state;
    struct cs_buf much = CS_BUF_EMPTY;

    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(cs_buf_append_str(&much, "0123456789"), CS_OK);
    assert_int_equal(cs_buf_append_str(&much, "the end\n"), CS_OK);
    scene->peer = fake_peer_start(scene->path, steps);
    port_loop_talk(&scene->loop, &(struct ag_talk){.address = scene->path,
                                                   .send = cs_buf_slice(&much),
                                                   .expect = "done",
                                                   .timeout_ms = 5000});
    assert_true(scene->loop.talk.good);
    assert_true(fake_peer_stop(&scene->peer));
    cs_buf_free(&much);
}

static void what_is_not_sent_is_not_good(void **state)
{
    static const struct fake_peer_step steps[] = {{FAKE_DO, .act = nap}, {0}};
    struct scene *scene = *state;
    size_t len = 32 * 1024 * 1024;
    uint8_t *much = calloc(1, len);

    assert_non_null(much);
    scene->peer = fake_peer_start(scene->path, steps);
    port_loop_talk(&scene->loop,
                   &(struct ag_talk){.address = scene->path, .send = cs_slice(much, len), .timeout_ms = 300});
    assert_false(scene->loop.talk.good);
    assert_true(fake_peer_stop(&scene->peer));
    port_loop_talk(
        &scene->loop,
        &(struct ag_talk){.address = "/nonexistent/socket", .send = CS_SLICE_LIT("x\n"), .timeout_ms = 1000});
    assert_false(scene->loop.talk.good);
    assert_non_null(strstr(scene->loop.talk.answer, "connecting to /nonexistent/socket: no such file"));
    port_loop_talk(
        &scene->loop,
        &(struct ag_talk){.address = "127.0.0.1:1", .send = CS_SLICE_LIT("x\n"), .timeout_ms = 1000});
    assert_false(scene->loop.talk.good);
    assert_non_null(strstr(scene->loop.talk.answer, "connecting to 127.0.0.1:1: connection refused"));
    free(much);
}

static void refuses_what_is_no_address(void **state)
{
    static const char *const addresses[] = {
        "", "nginx", ":80", "host:", "host:0", "host:65536", "host:8x", "[]:80"};
    struct scene *scene = *state;
    struct ag_port *port = scene->loop.port;
    char long_path[300];
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(addresses); i++)
        check_code(port->talk(port, &(struct ag_talk){.address = addresses[i], .timeout_ms = 100},
                              port_loop_on_talk, &scene->loop, &err),
                   CS_EINVAL);
    memset(long_path, '/', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    check_code(port->talk(port, &(struct ag_talk){.address = long_path, .timeout_ms = 100}, port_loop_on_talk,
                          &scene->loop, &err),
               CS_EINVAL);
}

static void finds_names(void **state)
{
    static const struct fake_peer_step steps[] = {{FAKE_SEND, .text = "hello\n"}, {0}};
    struct scene *scene = *state;
    char address[64];

    scene->peer = fake_peer_start(NULL, steps);
    snprintf(address, sizeof address, "localhost:%u", scene->peer.port);
    port_loop_talk(&scene->loop,
                   &(struct ag_talk){.address = address, .expect = "hello", .timeout_ms = 5000});
    assert_true(scene->loop.talk.good);
    snprintf(address, sizeof address, "[::ffff:127.0.0.1]:%u", scene->peer.port);
    port_loop_talk(&scene->loop,
                   &(struct ag_talk){.address = address, .expect = "hello", .timeout_ms = 5000});
    assert_true(scene->loop.talk.good);
    assert_true(fake_peer_stop(&scene->peer));
    /* RFC 6761: there is never such a name. */
    port_loop_talk(&scene->loop, &(struct ag_talk){.address = "host.invalid:80", .timeout_ms = 20000});
    assert_false(scene->loop.talk.good);
    assert_non_null(strstr(scene->loop.talk.answer, "host.invalid:80"));
}

static void can_be_given_up_at_any_moment(void **state)
{
    static const struct fake_peer_step steps[] = {
        {FAKE_EXPECT, .text = "reload\n"}, {FAKE_SEND, .text = "hello\n"}, {0}};
    struct scene *scene = *state;
    struct ag_port *port = scene->loop.port;
    const char *addresses[] = {scene->path, "localhost:1", "host.invalid:80"};
    struct cs_err err;

    scene->peer = fake_peer_start(scene->path, steps);
    for (unsigned i = 0; i < 30; i++) {
        unsigned told = scene->loop.ended;

        check_ok(port->talk(port,
                            &(struct ag_talk){.address = addresses[i % 3],
                                              .send = CS_SLICE_LIT("reload\n"),
                                              .timeout_ms = 5000},
                            port_loop_on_talk, &scene->loop, &err),
                 err);
        for (unsigned turn = 0; turn < i / 3; turn++)
            uv_run(&scene->loop.loop, UV_RUN_NOWAIT);
        port->stop(port);
        if (scene->loop.ended == told)
            continue;
        assert_int_equal(scene->loop.ended, told + 1);
    }
    fake_peer_stop(&scene->peer);
}

static void talk_without_memory(void *data)
{
    struct scene *scene = data;
    struct ag_port *port = scene->loop.port;
    struct cs_err err;
    int code = port->talk(
        port,
        &(struct ag_talk){
            .address = scene->path, .send = CS_SLICE_LIT("reload\n"), .expect = "hello", .timeout_ms = 5000},
        port_loop_on_talk, &scene->loop, &err);

    if (code) {
        assert_int_equal(code, CS_ENOMEM);
        return;
    }
    port_loop_until(&scene->loop, scene->loop.ended + 1);
    assert_true(scene->loop.talk.good || alloc_fail_happened());
}

static void survives_every_allocation_that_fails(void **state)
{
    static const struct fake_peer_step steps[] = {{FAKE_SEND, .text = "hello\n"}, {.kind = FAKE_HANG}, {0}};
    struct scene *scene = *state;

    scene->peer = fake_peer_start(scene->path, steps);
    talk_without_memory(scene); /* libuv's own tables have their size now */
    assert_true(alloc_fail_run(talk_without_memory, scene) >= 3);
    assert_true(fake_peer_stop(&scene->peer));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(tells_a_good_answer_from_a_bad_one),   CASE(sends_much),  CASE(what_is_not_sent_is_not_good),
        CASE(refuses_what_is_no_address),           CASE(finds_names), CASE(can_be_given_up_at_any_moment),
        CASE(survives_every_allocation_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
