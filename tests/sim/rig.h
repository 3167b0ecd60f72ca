/* rig.h - the agent as it runs on the mounted disk: its real device, apply and port, with a clock that stands
 * still until it waits, numbers that follow from each other, and an application that answers as it is told
 * to. What the agent tells the controller goes into the disk's log as marks: a cut afterwards must not make
 * it untrue. */
#ifndef CS_TESTS_SIM_RIG_H
#define CS_TESTS_SIM_RIG_H

#include "agent/device.h"
#include "agent/port/posix.h"

/* How a question to the application ends; one letter a question, the last of them for all that follow. */
enum rig_answer {
    RIG_GOOD = 'o',
    RIG_FAILS = 'f', /* of a probe: nothing is served */
    RIG_TIMES_OUT = 't',
    RIG_IS_KILLED = 'k',
    RIG_CANNOT_START = 's',
    RIG_STALE = 'l' /* of a probe: the leaf that was served at first */
};
struct rig_script {
    const char *validate, *reload, *probe; /* NULL: good */
};

/* Marks in the log, and what they are worth after a cut. */
enum rig_told {
    RIG_NOTHING,
    RIG_REFUSED,
    RIG_TRIES_AGAIN,
    RIG_ACCEPTED,
    RIG_FAILED,
    RIG_COMPLETED,
    RIG_TOLD_KINDS
};

struct rig_setting {
    const struct ag_config *config;
    struct rig_script script;
    int64_t now_s;
    const uint8_t *order_id;                     /* whose reports are told of */
    void (*sabotage)(struct ag_port *port);      /* NULL: none */
    void (*on_reload)(void *data, bool is_good); /* if so, the application takes what is there */
    /* The leaf that it serves now, or, with `at_first`, when the agent started; false: none. */
    bool (*serves)(void *data, bool at_first, struct cs_digest *ret);
    void *data;
};

/* What is under way, as the port has one thing at a time. */
struct rig_work {
    enum { RIG_IDLE, RIG_COMMAND, RIG_TALK, RIG_PROBE, RIG_WAIT } kind;
    char answer;
    union {
        void (*command)(void *owner, const struct ag_command_result *result);
        void (*talk)(void *owner, const struct ag_talk_result *result);
        void (*probe)(void *owner, const struct ag_probe_result *result);
        void (*wait)(void *owner);
    } on_end;
    void *owner;
};

struct rig {
    const struct rig_setting *setting;
    struct ag_posix *posix;
    struct ag_device device;
    struct rig_script script; /* what is left of it */
    struct rig_work work;
    int64_t ticks_ms;
    uint64_t random;
    unsigned questions;               /* that could change what the application uses */
    bool reload_failed, reload_asked; /* the last one */
    unsigned long_waits;

    enum rig_told told; /* by the last report of the order */
    char verdict[64], detail[512];
    bool is_deaf;      /* a report came, and there was no memory to read it */
    bool wants_policy; /* it asked for a newer one, and is told that there is none */
    char fatal[256];   /* "": none */
    char error[256];   /* the last that it logged, with what was said of it */
};

/* What runs before the applications at boot: `countersign-agent recover`. */
CS_MUST_USE int rig_restore(const struct rig_setting *setting, struct cs_err *err);
/* Starts the agent and lets it recover. On failure there is nothing to switch off. */
CS_MUST_USE int rig_on(struct rig *ret, const struct rig_setting *setting, struct cs_err *err);
CS_MUST_USE int rig_deliver(struct rig *rig, struct cs_slice delivery, struct cs_err *err);
/* The process ends. */
void rig_off(struct rig *rig);
/* It still has something to do: it waits to try again, for ever if need be. */
bool rig_is_busy(const struct rig *rig);

#endif
