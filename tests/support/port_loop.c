#include "tests/support/port_loop.h"

#include "tests/support/check.h"

#include <signal.h>

enum { BEAT_MS = 5 };

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_beat(uv_timer_t *timer)
{
    struct port_loop *loop = timer->data;
    uint64_t now = now_ms();

    if (now - loop->last_beat_ms > loop->longest_gap_ms)
        loop->longest_gap_ms = now - loop->last_beat_ms;
    loop->last_beat_ms = now;
}

void port_loop_begin(struct port_loop *loop)
{
    struct cs_err err;

    memset(loop, 0, sizeof *loop);
    signal(SIGPIPE, SIG_IGN); /* as the program has it */
    assert_int_equal(uv_loop_init(&loop->loop), 0);
    uv_timer_init(&loop->loop, &loop->beat);
    loop->beat.data = loop;
    loop->last_beat_ms = now_ms();
    uv_timer_start(&loop->beat, on_beat, 0, BEAT_MS);
    check_ok(ag_posix_new(&loop->loop, &loop->posix, &err), err);
    loop->port = ag_posix_port(loop->posix);
}

void port_loop_end(struct port_loop *loop)
{
    unsigned ended = loop->ended;

    ag_posix_close(loop->posix);
    uv_close((uv_handle_t *)&loop->beat, NULL);
    uv_run(&loop->loop, UV_RUN_DEFAULT);
    assert_int_equal(loop->ended, ended);
    assert_int_equal(uv_loop_close(&loop->loop), 0);
}

void port_loop_until(struct port_loop *loop, unsigned count)
{
    loop->last_beat_ms = now_ms();
    while (loop->ended < count)
        assert_true(uv_run(&loop->loop, UV_RUN_ONCE) != 0);
    assert_int_equal(loop->ended, count);
}

static void keep(struct port_loop *loop, const char **text)
{
    assert_non_null(*text);
    assert_true(strlen(*text) < sizeof loop->text);
    memcpy(loop->text, *text, strlen(*text) + 1);
    *text = loop->text;
    loop->ended++;
}

void port_loop_on_command(void *owner, const struct ag_command_result *result)
{
    struct port_loop *loop = owner;

    loop->command = *result;
    if (result->unlimited) {
        assert_true(strlen(result->unlimited) < sizeof loop->unlimited);
        memcpy(loop->unlimited, result->unlimited, strlen(result->unlimited) + 1);
        loop->command.unlimited = loop->unlimited;
    }
    keep(loop, &loop->command.output);
}

void port_loop_on_talk(void *owner, const struct ag_talk_result *result)
{
    struct port_loop *loop = owner;

    loop->talk = *result;
    keep(loop, &loop->talk.answer);
}

void port_loop_on_probe(void *owner, const struct ag_probe_result *result)
{
    struct port_loop *loop = owner;

    loop->probe = *result;
    if (result->served)
        loop->probe.why = "";
    keep(loop, &loop->probe.why);
}

void port_loop_on_wait(void *owner)
{
    struct port_loop *loop = owner;

    loop->ended++;
}

void port_loop_run(struct port_loop *loop, const struct ag_command *command)
{
    struct cs_err err;

    check_ok(loop->port->run(loop->port, command, port_loop_on_command, loop, &err), err);
    port_loop_until(loop, loop->ended + 1);
}

void port_loop_shell(struct port_loop *loop, const char *script, uint32_t timeout_ms)
{
    char shell[] = "/bin/sh", option[] = "-c", *copy = strdup(script);
    char *const argv[] = {shell, option, copy, NULL};

    port_loop_run(loop, &(struct ag_command){.argv = argv, .timeout_ms = timeout_ms});
    free(copy);
}

void port_loop_talk(struct port_loop *loop, const struct ag_talk *talk)
{
    struct cs_err err;

    check_ok(loop->port->talk(loop->port, talk, port_loop_on_talk, loop, &err), err);
    port_loop_until(loop, loop->ended + 1);
}

void port_loop_probe(struct port_loop *loop, const struct ag_probe *probe, uint32_t timeout_ms)
{
    struct cs_err err;

    check_ok(loop->port->probe(loop->port, probe, timeout_ms, port_loop_on_probe, loop, &err), err);
    port_loop_until(loop, loop->ended + 1);
}

void port_loop_wait(struct port_loop *loop, uint32_t ms)
{
    struct cs_err err;

    check_ok(loop->port->wait(loop->port, ms, port_loop_on_wait, loop, &err), err);
    port_loop_until(loop, loop->ended + 1);
}

int port_loop_set_up(void **state)
{
    struct port_loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return -1;
    port_loop_begin(loop);
    *state = loop;
    return 0;
}

int port_loop_tear_down(void **state)
{
    port_loop_end(*state);
    free(*state);
    return 0;
}
