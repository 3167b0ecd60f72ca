/* port_loop.h - the real port on a loop of its own, whose beat is watched: how long it ever stood still. What
 * a task ends with is kept here. Failing ends the test. */
#ifndef CS_TESTS_PORT_LOOP_H
#define CS_TESTS_PORT_LOOP_H

#include "agent/port/posix.h"

struct port_loop {
    uv_loop_t loop;
    uv_timer_t beat;
    uint64_t last_beat_ms, longest_gap_ms;
    struct ag_posix *posix;
    struct ag_port *port;
    unsigned ended; /* how many tasks have told their end */
    struct ag_command_result command;
    struct ag_talk_result talk;
    struct ag_probe_result probe;
    char text[512], unlimited[300]; /* what the results point to */
};

/* For cmocka: the case's state is a port_loop of its own. */
int port_loop_set_up(void **state);
int port_loop_tear_down(void **state);

void port_loop_begin(struct port_loop *loop);
/* Gives up what is under way, runs the loop to its end, and checks that nothing is left on it. */
void port_loop_end(struct port_loop *loop);

/* Each runs the loop until the task has ended. */
void port_loop_run(struct port_loop *loop, const struct ag_command *command);
/* `sh -c script`, for at most so many ms. */
void port_loop_shell(struct port_loop *loop, const char *script, uint32_t timeout_ms);
void port_loop_talk(struct port_loop *loop, const struct ag_talk *talk);
void port_loop_probe(struct port_loop *loop, const struct ag_probe *probe, uint32_t timeout_ms);
void port_loop_wait(struct port_loop *loop, uint32_t ms);

/* Callbacks for those who begin a task themselves; the owner is the port_loop. */
void port_loop_on_command(void *owner, const struct ag_command_result *result);
void port_loop_on_talk(void *owner, const struct ag_talk_result *result);
void port_loop_on_probe(void *owner, const struct ag_probe_result *result);
void port_loop_on_wait(void *owner);
/* Runs the loop until `count` tasks have ended in all. */
void port_loop_until(struct port_loop *loop, unsigned count);

#endif
