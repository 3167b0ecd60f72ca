/* control_random.h - a controller that people, devices and time do random things to. What can be refused may
 * be: the invariants of control.h hold all the same. */
#ifndef CS_TESTS_CONTROL_RANDOM_H
#define CS_TESTS_CONTROL_RANDOM_H

#include "tests/support/control.h"

/* Devices "gw-0" to "gw-2", certificates "shop" and "mail", all attached. */
void control_random_start(struct control *c);
/* What `what` says is done to whom `whom` says; both may be any bytes. Gives the command's code. */
int control_random_step(struct control *c, uint8_t what, uint8_t whom);

#endif
