/* query.h - answers to reads, from a snapshot: run on the shards, never on the core thread. Pure.
 * Each fills the reply struct (zeroed by the caller) of its RPC in proto/countersign/v1/operator.proto. Pages
 * are filled as far as the message holds; `more` says that there is more. */
#ifndef CTL_CORE_QUERY_H
#define CTL_CORE_QUERY_H

#include "controller/core/core.h"
#include "controller/core/record.h"
#include "shared/trust/device.h"

/* What a query needs beside the store: who is connected is known to the fleet, and the configuration to the
 * program. */
struct ctl_presence {
    void *data;
    bool (*connected)(void *data, const uint8_t device_id[16]);
    uint32_t (*count)(void *data);       /* how many are; NULL: nobody counts */
    const struct ctl_settings *settings; /* borrowed; NULL: the defaults */
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
    X(GetDeviceTopology) \
    X(GetOrderCores) \
    X(ListRequests) \
    X(GetRequest) \
    X(ListOrders) \
    X(GetOrder) \
    X(GetKeyRequest) \
    X(ListKeyRequests) \
    X(ListCrls) \
    X(ExplainPush)
/* clang-format on */

/* int ctl_query_GetStatus(view, presence, now_s, const countersign_v1_GetStatusRequest *,
 * countersign_v1_GetStatusResponse *, err); … */
#define X(name)                                                                                              \
    CS_MUST_USE int ctl_query_##name(struct ctl_view *view, const struct ctl_presence *presence,             \
                                     int64_t now_s, const countersign_v1_##name##Request *request,           \
                                     countersign_v1_##name##Response *reply, struct cs_err *err);
CTL_QUERIES(X)
#undef X

/* Where the issuer of a CRL may be found: chains of certificates that it issued, one after the other to
 * `each` until that says true; at most `most`. */
CS_MUST_USE int ctl_query_issuers(struct ctl_view *view, struct cs_slice issuer_digest, size_t most,
                                  bool (*each)(void *data, struct cs_slice chain), void *data,
                                  struct cs_err *err);
/* The digest of the newest CRL of a scope; all zero: none is known. */
CS_MUST_USE int ctl_query_crl_digest(struct ctl_view *view, struct cs_slice scope, struct cs_digest *ret,
                                     bool *ret_found, struct cs_err *err);

/* What a shard needs to build deliveries. What all orders of a request have in common is read once for many
 * of them; slices are good as long as the view's snapshot is. */
struct ctl_delivery_request {
    uint64_t number;                             /* 0: nothing was read yet */
    struct cs_slice request, chain, held_key;    /* envelope; DER; as stored (still encrypted) or empty */
    bool sealed;                                 /* each order has a key that the requester sealed */
    struct cs_buf decisions[CS_LIMIT_DECISIONS]; /* envelopes, owned */
    size_t decision_count;
    struct cs_slice tree; /* over the order cores */
    uint32_t order_count;
    uint8_t certificate_id[32];
};
void ctl_delivery_request_free(struct ctl_delivery_request *request);

/* And one order of it: its core, index and proof, the key that was sealed for it (an encoded SealedKey, or
 * empty), and the device with its KEM key. */
struct ctl_delivery {
    struct cs_slice core, sealed_key;
    uint32_t order_index;
    struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
    size_t proof_len;
    uint8_t device_id[16];
    uint8_t order_id[16];
    uint8_t kem_spki[CS_SPKI_BYTES];
};

CS_MUST_USE int ctl_query_delivery_request(struct ctl_view *view, uint64_t request_number,
                                           struct ctl_delivery_request *ret, struct cs_err *err);
CS_MUST_USE int ctl_query_delivery(struct ctl_view *view, const struct ctl_delivery_request *request,
                                   const ctl_order_row *order, struct ctl_delivery *ret, struct cs_err *err);

/* The device with this identity key, for a session's handshake; CS_ENOTFOUND if there is none (any more),
 * CS_EDENIED if it is banned or quarantined: then *ret is filled, too. */
struct ctl_identity {
    char name[64];
    uint8_t device_id[16];
    struct cs_digest key; /* SHA-256 of the SPKI */
    bool admitted;
};
CS_MUST_USE int ctl_query_identity(struct ctl_view *view, struct cs_slice identity_spki,
                                   struct ctl_identity *ret, struct cs_err *err);
/* The keys that speak for a device, to verify what it says; its statements under a renewal that waits for an
 * admission included. `name` may be NULL. The caller owns *ret. */
CS_MUST_USE int ctl_query_device(struct ctl_view *view, const uint8_t device_id[16], struct cs_device **ret,
                                 char ret_name[64], struct cs_err *err);
/* What a renewal has to follow: the same without the one that waits, which it may replace. *ret_known: it is
 * byte for byte the newest one, or the one that waits. */
CS_MUST_USE int ctl_query_renewal(struct ctl_view *view, const uint8_t device_id[16],
                                  struct cs_slice envelope, struct cs_device **ret, bool *ret_known,
                                  char ret_name[64], struct cs_err *err);
/* The certificate of the newest identity key, appended. */
CS_MUST_USE int ctl_query_certificate_of(struct ctl_view *view, const uint8_t device_id[16],
                                         struct cs_buf *out, struct cs_err *err);
/* Does any order of the request wait for people? CS_ESTATE says where one stands, and what is possible. Asked
 * before the signatures are verified, which costs more. */
CS_MUST_USE int ctl_query_decidable(struct ctl_view *view, uint64_t request_number, struct cs_err *err);
/* Is this envelope, byte for byte, a decision of the request that was taken? Whoever asks sends it again
 * after a lost answer. A request that is not there has none. */
CS_MUST_USE int ctl_query_decided(struct ctl_view *view, uint64_t request_number, struct cs_slice envelope,
                                  bool *ret_decided, struct cs_err *err);
/* Envelope of a policy version; appended to `out`. */
CS_MUST_USE int ctl_query_policy(struct ctl_view *view, uint32_t version, struct cs_buf *out,
                                 struct cs_err *err);
/* The audit's end, complete and unsigned. CS_ESTATE before the first policy: there is no deployment yet. */
CS_MUST_USE int ctl_query_checkpoint(struct ctl_view *view, int64_t now_s,
                                     countersign_v1_AuditCheckpoint *ret, struct cs_err *err);
/* Envelopes of the key requests that wait for this device's answer and have not expired: one after the other
 * to `each`, until it says false. */
CS_MUST_USE int ctl_query_key_requests(struct ctl_view *view, const uint8_t device_id[16], int64_t now_s,
                                       bool (*each)(void *data, struct cs_slice envelope), void *data,
                                       struct cs_err *err);
/* Order numbers that wait for this device to take them, in the order of their generations: at most `most`. */
CS_MUST_USE int ctl_query_waiting(struct ctl_view *view, const uint8_t device_id[16], uint64_t *ret_numbers,
                                  size_t most, size_t *ret_count, struct cs_err *err);

#endif
