/* broken.h - ports that do one thing wrongly which nothing but a power cut shows: the simulator has to find
 * each of them. */
#ifndef CS_TESTS_SIM_BROKEN_H
#define CS_TESTS_SIM_BROKEN_H

#include "agent/port/port.h"

struct broken_port {
    const char *says;
    bool with_copies; /* links do not show it */
    void (*sabotage)(struct ag_port *port);
};
extern const struct broken_port broken_ports[];
extern const size_t broken_port_count;

#endif
