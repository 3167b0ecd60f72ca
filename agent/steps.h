/* steps.h - the steps of a plan that concern files, one at a time, through the port. Each can be done again
 * where it was done before. Which of them follows which is plan.h's business, and what a failure means is
 * apply.h's. */
#ifndef AG_STEPS_H
#define AG_STEPS_H

#include "agent/core/plan.h"
#include "agent/port/port.h"

/* AG_OK, or why not, with the sentence in *err. Not for the steps that ask the application. */
enum ag_verdict ag_step_do(struct ag_port *port, const struct ag_plan *plan, const struct ag_step *step,
                           struct cs_err *err);

#endif
