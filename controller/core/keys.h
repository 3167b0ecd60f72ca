/* keys.h - the key space: one prefix byte a table, then numbers big-endian so that they sort, names with a
 * zero byte behind them where something follows, ids and digests as they are. Pure.
 *
 * Where writes are hot the keys rise (audit, orders, requests, reports), so that a group's writes land on few
 * pages. Random keys (certificates, tokens, identities) are written rarely. */
#ifndef CTL_CORE_KEYS_H
#define CTL_CORE_KEYS_H

#include "shared/base/slice.h"
#include "shared/crypto/crypto.h"

/* X(name, prefix, key behind the prefix and value). Records are messages of
 * countersign/store/v1/record.proto; "bytes": as they were signed or imported; "-": an index, the key says it
 * all. 0 is the store's own. */
#define CTL_TABLES(X)                                                                                        \
    X(META, 'M', "Meta; one row")                                                                            \
    X(AUDIT, 'A', "revision: AuditRecord")                                                                   \
    X(POLICY, 'P', "version: bytes of the envelope")                                                         \
    /* devices */                                                                                            \
    X(TOKEN, 'T', "authentication digest: Token")                                                            \
    X(NAME, 'N', "device name: DeviceName")                                                                  \
    X(DEVICE, 'D', "device-id: Device")                                                                      \
    X(ENROLMENT, 'E', "device-id: Enrolment")                                                                \
    X(IDENTITY, 'I', "SPKI digest: device-id")                                                               \
    X(ADMISSION, 'a', "device-id: bytes of the envelope")                                                    \
    X(ADVERTISEMENT, 'v', "device-id: bytes of the newest envelope")                                         \
    X(SESSION, 'S', "device-id: Session, while its stream is open")                                          \
    X(CONNECTOR, 'K', "device-id, connector: Connector")                                                     \
    X(RENEWAL, 'e', "device-id, sequence: bytes of the envelope")                                            \
    /* certificates */                                                                                       \
    X(CERTIFICATE, 'C', "id: Certificate")                                                                   \
    X(CERTIFICATE_NAME, 'n', "common name, id: -")                                                           \
    X(CHAIN, 'c', "chain digest: bytes")                                                                     \
    X(HELD_KEY, 'k', "certificate id: bytes, encrypted")                                                     \
    X(ATTACHMENT, 'X', "certificate id, device name, connector: Attachment")                                 \
    X(ATTACHED, 'x', "device name, connector, certificate id: -")                                            \
    X(CERTIFICATE_BY, 'B', "order of the inventory (inventory.h), what it goes by, common name, id: -")      \
    X(CERTIFICATE_WORD, 'W', "word or its beginning, common name, id: -")                                    \
    X(CERTIFICATE_GROUP, 'G', "group, common name, id: -")                                                   \
    X(CERTIFICATE_NAMES, 'b', "names digest, not before, id: -")                                             \
    X(ISSUED, 'i', "issuer digest, serial, id: -")                                                           \
    X(CRL, 'F', "its scope: Crl")                                                                            \
    X(REVOKED, 'f', "issuer digest, serial: Revocation")                                                     \
    X(HOLD, 'Z', "scope of a CRL, serial: digest of the newest one that has it on hold")                     \
    X(DEVICE_LABELS, 'h', "device name: DeviceLabels")                                                       \
    X(DEVICE_GROUP, 'U', "group, device name: -")                                                            \
    /* what changed */                                                                                       \
    X(CHANGES, 'H', "revision: Changes")                                                                     \
    /* pushes */                                                                                             \
    X(RESERVATION, 'V', "request: Reservation")                                                              \
    X(CORE, 'o', "request, index: bytes of the order core")                                                  \
    X(TREE, 'l', "request: all levels of the Merkle tree over its cores (shared/trust/merkle.h)")            \
    X(REQUEST, 'R', "request: Request")                                                                      \
    X(REQUEST_ENVELOPE, 'r', "request: bytes")                                                               \
    X(DECISION, 'd', "request, place: Decision")                                                             \
    X(OPEN_REQUEST, 'q', "request: - while an order of it is open")                                          \
    X(ORDER, 'O', "order: Order")                                                                            \
    X(GENERATION, 'g', "device-id, connector, generation: order")                                            \
    X(LIVE, 'L', "device-id, connector, generation: order, until it has ended")                              \
    X(DEVICE_ORDER, 'w', "device name, order: -")                                                            \
    X(REPORT, 'p', "order: bytes of the device's last report")                                               \
    X(DUE, 'u', "due time, kind, number: -")                                                                 \
    /* keys */                                                                                               \
    X(KEY_REQUEST, 'Q', "key request id: KeyRequest")                                                        \
    X(KEY_REQUEST_ENVELOPE, 'j', "key request id: bytes")                                                    \
    X(CSR, 'y', "key request id: bytes of the device's answer")                                              \
    X(CSR_KEY, 'Y', "SPKI digest: key request id")                                                           \
    X(DEVICE_KEY_REQUEST, 'z', "device-id, digest of the key request: its id, until it is answered")         \
    X(SEALED_KEY, 's', "request, index: bytes of the SealedKey, until the order has ended")

enum ctl_table {
#define X(name, prefix, says) CTL_TABLE_##name = (prefix),
    CTL_TABLES(X)
#undef X
};

/* What happens at a due time; the order of the kinds is the order in which one second's work is done. */
enum ctl_due_kind {
    CTL_DUE_REVIEW = 1,      /* of a request, under a newer policy: before anything of it is handed over */
    CTL_DUE_DECIDE_BY = 2,   /* of a request */
    CTL_DUE_ORDER = 3,       /* an order starts, ends, or was silent too long: its state says which */
    CTL_DUE_RESERVATION = 4, /* of a request number */
};

/* The longest key: the inventory by issuer and common name (inventory.h). */
enum { CTL_KEY_BYTES = 224 };

struct ctl_key {
    uint8_t bytes[CTL_KEY_BYTES];
    size_t len;
};

static inline struct cs_slice ctl_key_slice(const struct ctl_key *key)
{
    return cs_slice(key->bytes, key->len);
}

/* Build a key part by part. What does not fit is our own mistake: every name and id was checked before. */
struct ctl_key ctl_key(enum ctl_table table);
void ctl_key_add_u8(struct ctl_key *key, uint8_t value);
void ctl_key_add_u32(struct ctl_key *key, uint32_t value);
void ctl_key_add_u64(struct ctl_key *key, uint64_t value);
void ctl_key_add_bytes(struct ctl_key *key, struct cs_slice bytes);
/* With its zero byte behind it. */
void ctl_key_add_name(struct ctl_key *key, const char *name);

/* The usual shapes. A name that comes last has its zero, too: so a name is never another's prefix. */
struct ctl_key ctl_key_number(enum ctl_table table, uint64_t number);
struct ctl_key ctl_key_bytes(enum ctl_table table, struct cs_slice bytes);
struct ctl_key ctl_key_name(enum ctl_table table, const char *name);
struct ctl_key ctl_key_numbers(enum ctl_table table, uint64_t number, uint32_t place);
struct ctl_key ctl_key_connector(enum ctl_table table, struct cs_slice device_id, const char *connector);
struct ctl_key ctl_key_generation(enum ctl_table table, struct cs_slice device_id, const char *connector,
                                  uint64_t generation);
struct ctl_key ctl_key_attachment(struct cs_slice certificate_id, const char *device_name,
                                  const char *connector);
struct ctl_key ctl_key_attached(const char *device_name, const char *connector,
                                struct cs_slice certificate_id);
struct ctl_key ctl_key_due(int64_t due_s, enum ctl_due_kind kind, uint64_t number);

/* The last eight bytes of a key as a number: order, request, generation. */
uint64_t ctl_key_last_u64(struct cs_slice key);
/* The last `len` bytes: an id at the end of an index. */
struct cs_slice ctl_key_last(struct cs_slice key, size_t len);
/* False for bytes that are no key of the due queue. */
bool ctl_key_parse_due(struct cs_slice key, int64_t *ret_due_s, enum ctl_due_kind *ret_kind,
                       uint64_t *ret_number);

#endif
