/* limits.h - the agent's own limits, each with its reason. Those of the wire are in shared/base/limits.h. */
#ifndef AG_CORE_LIMITS_H
#define AG_CORE_LIMITS_H

#include "shared/base/limits.h"

#include <stdint.h>

/* No clock is believed below this: 2026-01-01, or what the packager says. Rises with releases. */
#ifndef AG_BUILD_TIME_S
#define AG_BUILD_TIME_S 1767225600
#endif

enum {
    AG_LIMIT_PATH_BYTES = 512,
    AG_LIMIT_ARGUMENTS = 16,       /* of a command */
    AG_LIMIT_CONNECTOR_NAMES = 8,  /* that a connector wants its certificate to bear */
    AG_LIMIT_CONNECTOR_WRITES = 8, /* folders that its commands write */
    AG_LIMIT_STATE_BYTES = 1024 * 1024,
    /* Connectors that the state remembers, those no longer declared included: a generation must not be
     * forgotten because a section was taken out of the configuration and came back. */
    AG_LIMIT_CONNECTORS_REMEMBERED = 2 * CS_LIMIT_CONNECTORS_PER_DEVICE,
    /* Orders remembered for each connector: the newest and those whose report may be asked for again. */
    AG_LIMIT_ORDERS_KEPT = 4,
    /* Deliveries that wait while one is applied, and their bytes: then the stream is paused. */
    AG_LIMIT_DELIVERIES_WAITING = CS_LIMIT_CONNECTORS_PER_DEVICE,
    AG_LIMIT_DELIVERIES_BYTES = CS_LIMIT_MESSAGE_BYTES,
    AG_LIMIT_STATEMENTS_WAITING = 128,
    /* Keys that were made on request and wait for their certificates: whoever asks for more has forgotten
     * some. */
    AG_LIMIT_KEYS_PENDING = 4,
    /* One of them as it is stored: a CSR and a P-256 key. */
    AG_LIMIT_PENDING_KEY_BYTES = 4096,
    /* Key requests that wait for a newer policy; the controller sends them again in the next session. */
    AG_LIMIT_KEY_REQUESTS_WAITING = 8,
    /* Sequence numbers that are reserved with one write of the state, so that a refusal costs no write. */
    AG_SEQUENCE_BLOCK = 64,
    /* The last of what a command says, for the report. */
    AG_LIMIT_COMMAND_OUTPUT = 320,
    /* The most of an answer that is looked at when an application is asked through its socket. */
    AG_LIMIT_ANSWER_BYTES = 4096,
    /* Processes and threads that a command may have at once, where a cgroup can hold it to that: a service
     * manager's client has some, a fork bomb thousands. */
    AG_LIMIT_COMMAND_PROCESSES = 128,
    /* A plan for one push: checks and entries of four files, six files of a generation, syncs, switch, the
       rest. */
    AG_LIMIT_PLAN_STEPS = 40,
};

#endif
