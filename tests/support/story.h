/* story.h - where tests of the core begin: cmocka fixtures whose state is a `struct control`, and what such
 * tests look at. Also end with control_end() what control_begin() made and more was put into. */
#ifndef CS_TESTS_STORY_H
#define CS_TESTS_STORY_H

#include "controller/core/workflow.h"
#include "tests/support/control.h"

/* A deployment with its first policy and nothing else. */
int control_begin(void **state);
/* With a device "gw-0" and a certificate "shop" that is attached to its "web". */
int control_begin_shop(void **state);
int control_end(void **state);

void control_check_phase(struct control *c, uint64_t order, ctl_phase phase);
/* It has to be there. */
ctl_certificate_row control_certificate_row(struct control *c, const char *name);

#endif
