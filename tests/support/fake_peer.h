/* fake_peer.h - the other end of a connection, as a script has it: a process of its own that listens at a
 * unix socket or at a port of 127.0.0.1, and does with each connection what it is told, step by step. Failing
 * ends the test. */
#ifndef CS_TESTS_FAKE_PEER_H
#define CS_TESTS_FAKE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fake_peer_step_kind {
    FAKE_END, /* of the script: the connection is closed */
    FAKE_SEND,
    FAKE_EXPECT, /* reads until it has had this text, and ends the process with status 1 if it never comes */
    FAKE_FLOOD,  /* sends the text until nobody takes it */
    FAKE_HANG,   /* keeps the connection and says no more */
    FAKE_RESET,  /* breaks the connection off */
    FAKE_DO,     /* calls a function */
};

struct fake_peer_step {
    enum fake_peer_step_kind kind;
    const char *text;
    size_t len;                      /* 0: of the text */
    void (*act)(int fd, void *data); /* FAKE_DO */
    void *data;
};

struct fake_peer {
    pid_t pid;
    uint16_t port;
};

/* `path` NULL: at a port, which is told. One connection after the other. */
struct fake_peer fake_peer_start(const char *path, const struct fake_peer_step *steps);
/* Whether it was content with all that it heard. */
bool fake_peer_stop(struct fake_peer *peer);

#endif
