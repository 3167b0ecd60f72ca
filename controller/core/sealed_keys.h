/* sealed_keys.h - private keys that a requester's client sealed for the orders of a request: here they are
 * bytes that nobody in this process can open. They come before SubmitPush and go when their order ends.
 * Pure; internal to controller/core. */
#ifndef CTL_CORE_SEALED_KEYS_H
#define CTL_CORE_SEALED_KEYS_H

#include "controller/core/run.h"

/* Every order of the reservation has its sealed key; CS_ESTATE names the first that has none. */
CS_MUST_USE int ctl_sealed_keys_check(struct ctl_run *run, const ctl_reservation_row *reserved);
/* The order has ended; nothing is done for requests of another key mode. */
CS_MUST_USE int ctl_sealed_key_drop(struct ctl_run *run, const ctl_request_row *request,
                                    const ctl_order_row *order);
/* A reservation lapsed. */
CS_MUST_USE int ctl_sealed_keys_drop_all(struct ctl_run *run, uint64_t request_number);

#endif
