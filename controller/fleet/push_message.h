/* push_message.h - the exact bytes of one push message, from what the store has of its order. What all orders
 * of a request have in common is encoded once: with many orders in one request nearly every byte is that. A
 * held key is in the clear only between the vault and its seal, in memory that is wiped; one that the
 * requester sealed passes through as it is. Inside controller/fleet/ only. */
#ifndef CTL_FLEET_PUSH_MESSAGE_H
#define CTL_FLEET_PUSH_MESSAGE_H

#include "controller/shard.h"

struct ctl_push_common {
    struct ctl_delivery_request request;
    struct cs_buf encoded; /* request, decisions and chain: the fields that stand together */
};

/* Good as long as the view's snapshot is. The caller frees it, also after a failure. */
CS_MUST_USE int ctl_push_common_read(struct ctl_view *view, uint64_t request_number,
                                     struct ctl_push_common *ret, struct cs_err *err);
void ctl_push_common_free(struct ctl_push_common *common);

/* Appends a canonical PushMessage. A held key is sealed for the device: a millisecond. */
CS_MUST_USE int ctl_push_message(const struct ctl_shard *shard, const struct ctl_push_common *common,
                                 const struct ctl_delivery *delivery, struct cs_buf *out, struct cs_err *err);

#endif
