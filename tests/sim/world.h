/* world.h - what all runs of the simulator share: one deployment, pushes that its people decided, and the
 * disk of a device that has just enrolled. Failing ends the test. */
#ifndef CS_TESTS_SIM_WORLD_H
#define CS_TESTS_SIM_WORLD_H

#include "agent/config.h"
#include "tests/support/delivery.h"
#include "tests/support/simfs.h"

#define WORLD_STATE  SIMFS_ROOT "/state"
#define WORLD_DEVICE "gw-0"

/* To the connector "web". An install has the certificate of its generation. */
enum world_push_name {
    PUSH_NONE,
    INSTALL_1,
    INSTALL_2,
    INSTALL_3,
    INSTALL_4,
    REMOVE_2,    /* what INSTALL_1 left */
    ROLL_BACK_3, /* from INSTALL_2 to generation 1 */
    WORLD_PUSHES
};

struct world_push {
    struct cs_buf delivery; /* encoded */
    uint8_t order_id[16];
};

struct world {
    struct deployment d;
    struct world_push pushes[WORLD_PUSHES];
    struct simfs_disk *enrolled;
};

void world_make(struct world *ret);
/* Whether the kernel is one that has it, and as if the agent had not asked yet. */
void world_has_openat2(bool has);
void world_free(struct world *world);

#endif
