/* query.h - answers to reads, from a snapshot: run on the shards, never on the core thread. Pure.
 * Each fills the reply struct (zeroed by the caller) of its RPC in proto/countersign/v1/operator.proto. Pages
 * are filled as far as the message holds; `more` says that there is more. */
#ifndef CTL_CORE_QUERY_H
#define CTL_CORE_QUERY_H

#include "controller/core/core.h"

/* Who is connected is known to the fleet, not to the store. */
struct ctl_presence {
    void *data;
    bool (*connected)(void *data, const uint8_t device_id[16]);
};

/* clang-format off */
#define CTL_QUERIES(X) \
    X(GetStatus) \
    X(ListAudit) \
    X(GetPolicy) \
    X(GetEnrolment) \
    X(ListDevices) \
    X(GetDevice) \
    X(ListCertificates) \
    X(GetCertificate) \
    X(GetTopology) \
    X(GetOrderCores) \
    X(ListRequests) \
    X(GetRequest) \
    X(ListOrders) \
    X(GetOrder) \
    X(GetKeyRequest) \
    X(ListKeyRequests)
/* clang-format on */

/* int ctl_query_GetStatus(view, presence, now_s, const countersign_v1_GetStatusRequest *,
 * countersign_v1_GetStatusResponse *, err); … */
#define X(name)                                                                                              \
    CS_MUST_USE int ctl_query_##name(struct ctl_view *view, const struct ctl_presence *presence,             \
                                     int64_t now_s, const countersign_v1_##name##Request *request,           \
                                     countersign_v1_##name##Response *reply, struct cs_err *err);
CTL_QUERIES(X)
#undef X

/* What a shard needs to build a delivery: the order's core, index and proof, the envelopes, the chain, the
 * device's KEM key, and the private key as stored: held, still encrypted; or as the requester sealed it; or
 * neither. Owned by the caller: ctl_delivery_free(). */
struct ctl_delivery {
    uint8_t device_id[16];
    struct cs_buf core, request, chain, held_key, sealed_key;
    uint32_t order_index;
    struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
    size_t proof_len;
    struct cs_buf decisions[CS_LIMIT_DECISIONS];
    size_t decision_count;
    uint8_t order_id[16];
    uint8_t certificate_id[32];
    uint8_t kem_spki[CS_SPKI_BYTES];
};
CS_MUST_USE int ctl_query_delivery(struct ctl_view *view, uint64_t order_number, struct ctl_delivery *ret,
                                   struct cs_err *err);
void ctl_delivery_free(struct ctl_delivery *delivery);

/* The device with this identity key, for a session's handshake; CS_ENOTFOUND if there is none (any more). */
struct ctl_identity {
    char name[64];
    uint8_t device_id[16];
    uint8_t identity_spki[CS_SPKI_BYTES];
    bool admitted;
};
CS_MUST_USE int ctl_query_identity(struct ctl_view *view, struct cs_slice identity_spki,
                                   struct ctl_identity *ret, struct cs_err *err);
/* Envelope of a policy version; appended to `out`. */
CS_MUST_USE int ctl_query_policy(struct ctl_view *view, uint32_t version, struct cs_buf *out,
                                 struct cs_err *err);
/* Envelopes of the key requests that wait for this device's answer and have not expired: one after the other
 * to `each`, until it says false. */
CS_MUST_USE int ctl_query_key_requests(struct ctl_view *view, const uint8_t device_id[16], int64_t now_s,
                                       bool (*each)(void *data, struct cs_slice envelope), void *data,
                                       struct cs_err *err);
/* Order numbers that wait for this device to take them, in the order of their generations: at most `most`. */
CS_MUST_USE int ctl_query_waiting(struct ctl_view *view, const uint8_t device_id[16], uint64_t *ret_numbers,
                                  size_t most, size_t *ret_count, struct cs_err *err);

#endif
