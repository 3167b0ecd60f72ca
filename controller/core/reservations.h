/* reservations.h - what PreparePush promises: numbers, ids and generations, until SubmitPush or a quarter of
 * an hour is over. Pure; internal to controller/core. */
#ifndef CTL_CORE_RESERVATIONS_H
#define CTL_CORE_RESERVATIONS_H

#include "controller/core/run.h"

CS_MUST_USE int ctl_reservation_load(struct ctl_run *run, uint64_t number, ctl_reservation_row *ret);
/* Submitted: only the reservation itself goes. */
CS_MUST_USE int ctl_reservation_end(struct ctl_run *run, const ctl_reservation_row *reserved);
/* Not submitted in time: cores go, and generations that nothing follows come back. Says of how many orders.
 */
CS_MUST_USE int ctl_reservation_lapse(struct ctl_run *run, uint64_t number, uint32_t *ret_orders);

#endif
