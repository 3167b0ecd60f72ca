/* core.h - every change of the controller's state: (view, command, now, random bytes) → (writes, reply,
 * effects). Pure: reads no clock, opens no socket, rolls no dice, checks no signature that a shard has not
 * checked before; links neither libuv nor nghttp2 nor LMDB. A refusal leaves no trace. Each command that
 * changed anything writes one audit record and raises the one revision by one. Start at ctl_core_run(); the
 * order's state machine is in workflow.h.
 *
 * Commands that come from operators carry the request message of their RPC
 * (proto/countersign/v1/operator.proto) and answer with its reply message; those of devices and of the clock
 * have structs here. */
#ifndef CTL_CORE_CORE_H
#define CTL_CORE_CORE_H

#include "controller/core/settings.h"
#include "controller/core/view.h"
#include "shared/crypto/crl.h"
#include "shared/trust/policy.h"
#include "shared/trust/push.h"

#include "countersign/store/v1/record.pb.h"
#include "countersign/v1/agent.pb.h"
#include "countersign/v1/operator.pb.h"

/* X(name, body struct, reply struct or void). The body is borrowed for the run. */
#define CTL_COMMANDS(X)                                                                                      \
    /* operators */                                                                                          \
    X(PUBLISH_POLICY, struct ctl_publish_policy, countersign_v1_PublishPolicyResponse)                       \
    X(CREATE_TOKEN, countersign_v1_CreateTokenRequest, countersign_v1_CreateTokenResponse)                   \
    X(ADMIT_DEVICE, struct ctl_admit_device, countersign_v1_AdmitDeviceResponse)                             \
    X(IMPORT_CERTIFICATE, struct ctl_import_certificate, countersign_v1_ImportCertificateResponse)           \
    X(ATTACH, countersign_v1_AttachRequest, countersign_v1_AttachResponse)                                   \
    X(DETACH, countersign_v1_DetachRequest, countersign_v1_DetachResponse)                                   \
    X(ATTACH_LIKE, countersign_v1_AttachLikeRequest, countersign_v1_AttachLikeResponse)                      \
    X(SET_CERTIFICATE_GROUPS, countersign_v1_SetCertificateGroupsRequest,                                    \
      countersign_v1_SetCertificateGroupsResponse)                                                           \
    X(PREPARE_PUSH, countersign_v1_PreparePushRequest, countersign_v1_PreparePushResponse)                   \
    X(SUBMIT_PUSH, struct ctl_submit_push, countersign_v1_SubmitPushResponse)                                \
    X(DECIDE, struct ctl_decide, countersign_v1_DecideResponse)                                              \
    X(CANCEL_REQUEST, countersign_v1_CancelRequestRequest, countersign_v1_CancelRequestResponse)             \
    X(BAN_DEVICE, countersign_v1_BanDeviceRequest, countersign_v1_BanDeviceResponse)                         \
    X(SET_DEVICE_GROUPS, countersign_v1_SetDeviceGroupsRequest, countersign_v1_SetDeviceGroupsResponse)      \
    X(REQUEST_KEY, struct ctl_request_key, countersign_v1_RequestKeyResponse)                                \
    X(PUT_SEALED_KEYS, countersign_v1_PutSealedKeysRequest, countersign_v1_PutSealedKeysResponse)            \
    X(REVOKE_CERTIFICATE, countersign_v1_RevokeCertificateRequest, countersign_v1_RevokeCertificateResponse) \
    X(IMPORT_CRL, struct ctl_import_crl, countersign_v1_ImportCrlResponse)                                   \
    X(OPEN_SESSION, struct ctl_operator_event, void) /* of an operator */                                    \
    X(CLOSE_SESSION, struct ctl_operator_event, void)                                                        \
    X(CREATE_PAIRING, struct ctl_operator_event, void) /* of a browser's key with an operator */             \
    X(PAIR, struct ctl_operator_event, void)                                                                 \
    /* devices */                                                                                            \
    X(ENROL, struct ctl_enrol, countersign_v1_EnrolResponse)                                                 \
    X(SESSION_OPENED, struct ctl_session_opened, void)                                                       \
    X(SESSION_CLOSED, struct ctl_session_closed, void)                                                       \
    X(ADVERTISEMENT, struct ctl_device_statement, void)                                                      \
    X(REPORT, struct ctl_device_statement, void)                                                             \
    X(DEVICE_CSR, struct ctl_device_csr, void)                                                               \
    X(RENEWAL, struct ctl_renewal, void)                       /* in a session */                            \
    X(RENEW, struct ctl_renewal, countersign_v1_RenewResponse) /* after the identity has expired */          \
    X(QUARANTINE_DEVICE, struct ctl_quarantine, void)                                                        \
    /* the clock: orders that are due, that expired, reservations that lapsed; at most a bounded number a    \
     * run */                                                                                                \
    X(TICK, struct ctl_tick, void)

enum ctl_command_kind {
#define X(name, body, reply) CTL_##name,
    CTL_COMMANDS(X)
#undef X
};

/* Who asks; goes into the audit record. */
struct ctl_actor {
    char name[80]; /* operator or device, as far as it is known; "controller" for the clock */
    char peer[64]; /* as cs_peer.address */
    uint32_t uid;
};

/* The newest policy as the core thread holds it, NULL before the first. The shard verified against
 * `policy_version`; where that is no longer the newest the command is refused as CS_ESTALE and the shard
 * tries again. */
struct ctl_context {
    const struct cs_policy *policy;
    int64_t now_s;
    /* Fills `out`; the shell's source of randomness, a fixed sequence in tests. */
    void (*random)(void *data, void *out, size_t len);
    void *random_data;
    const struct ctl_settings *settings; /* borrowed; NULL: the defaults */
};

struct ctl_publish_policy {
    struct cs_slice envelope; /* verified by the shard: follows the newest, or is the first */
    const struct cs_policy *policy;
};
struct ctl_admit_device {
    struct cs_slice envelope;
    const countersign_v1_Admission *admission; /* signed by an admin of policy_version */
    uint32_t policy_version;
};
struct ctl_import_certificate {
    struct cs_slice chain; /* concatenated DER; parsed, links checked, key checked by the shard */
    const struct cs_cert_info *leaf;
    uint32_t chain_count;
    struct cs_slice sealed_key; /* encrypted under the key-encryption key; empty: none */
};
/* A list in one command, or the next part of a larger one: each part a transaction of its own, the last one
 * makes the list known. A part is taken only while `before` is what is known, or is CS_ESTALE. */
struct ctl_import_crl {
    const struct cs_crl *crl; /* signature and dates checked by the shard */
    struct cs_digest digest;  /* of its DER */
    const char *issuer;       /* its name as people read it */
    const char *source;       /* where it is from; empty: from the actor */
    struct cs_slice entries;  /* of this part */
    bool is_part, is_last;
    struct cs_slice
        before; /* digest of the list of this scope that was known at the first part; empty: none */
};
struct ctl_submit_push {
    struct cs_slice envelope; /* signature checked under policy_version */
    const countersign_v1_PushRequest *request;
    struct cs_digest digest; /* of its payload */
    const char *comment;
    uint32_t policy_version;
    /* The shard's own evaluation of the request under policy_version, alive until the reply. NULL: the core
     * evaluates, which costs its thread a millisecond for each signature. */
    const struct cs_push *push;
};
struct ctl_decide {
    uint64_t number;
    struct cs_slice envelope; /* likewise */
    const countersign_v1_Decision *decision;
    struct cs_digest digest;
    const char *comment;
    uint32_t policy_version;
    /* Likewise, with this decision added (evaluate.h). The core takes it if it holds exactly the decisions
     * that are stored, and this one. */
    const struct cs_push *push;
};
struct ctl_request_key {
    struct cs_slice envelope; /* signed by a requester of policy_version */
    const countersign_v1_KeyRequest *request;
    struct cs_digest digest; /* of its payload */
    uint32_t policy_version;
};
/* What lives in a shard's memory and only leaves a record: sessions, and pairings of browsers' keys. */
struct ctl_operator_event {
    const char *operator;
    const char *detail; /* why a session ended; until when a pairing is open, or with which key it was used */
};
struct ctl_enrol {
    const countersign_v1_EnrolRequest *request; /* its CSR was checked */
    uint8_t identity_spki[CS_SPKI_BYTES];
    struct cs_slice certificate; /* DER, issued by the shard for these keys; kept for repeats */
    int64_t until_s;             /* when it expires */
};
struct ctl_session_opened {
    const char *device_name;
    uint8_t device_id[16];
    uint64_t session_id; /* unique in this run of the process */
    const countersign_v1_Hello *hello;
    const char *address;
    struct cs_digest identity_key; /* SHA-256 of the SPKI of the key that opened it */
};
struct ctl_session_closed {
    uint8_t device_id[16];
    uint64_t session_id;
};
struct ctl_device_statement {
    uint8_t device_id[16];
    uint64_t session_id;
    struct cs_slice envelope; /* signed by the device's identity key: checked */
    const void *statement;    /* DeviceAdvertisement, DeviceReport or DeviceCsr */
    struct cs_digest digest;
};
struct ctl_renewal {
    uint8_t device_id[16];
    uint64_t session_id; /* CTL_RENEWAL */
    struct cs_slice envelope;
    const countersign_v1_DeviceRenewal *renewal; /* checked, unless it is a repetition */
    struct cs_slice before; /* SPKI of the key that it was checked to follow; empty: a repetition */
    struct cs_slice
        certificate; /* DER, issued by the shard for the fresh key; one that is kept already wins */
    int64_t until_s;
};
struct ctl_quarantine {
    uint8_t device_id[16];
    uint64_t older_session, newer_session; /* both alive, in different processes */
};
struct ctl_device_csr {
    struct ctl_device_statement said; /* a DeviceCsr */
    /* Of the CSR's key, where the CSR is one and signed by it; `holds` is false for any other. */
    struct cs_digest spki_digest;
    bool holds;
};
struct ctl_tick {
    uint32_t most; /* orders to move in this run */
};

/* What the shell does once the group is durable. X(kind) with the fields that it uses. */
enum ctl_effect_kind {
    CTL_EFFECT_DELIVER,     /* device_id, order_number: hand this order to the device's stream (state is
                               PUSH_IN_PROGRESS) */
    CTL_EFFECT_ACK,         /* device_id, sequence: the statement is durable */
    CTL_EFFECT_POLICY,      /* a new policy: load it, send it to every device */
    CTL_EFFECT_ADMITTED,    /* device_id */
    CTL_EFFECT_REQUEST,     /* request_number: something about it changed, wake those who wait */
    CTL_EFFECT_IDENTITY,    /* device_id, sequence: the certificate that this renewal asked for is there */
    CTL_EFFECT_BANNED,      /* device_id: its stream ends */
    CTL_EFFECT_QUARANTINED, /* device_id: likewise */
    CTL_EFFECT_KEY_REQUEST, /* device_id: a key request waits for the device */
    CTL_EFFECT_CANCEL,      /* device_id, order_number: tell the device's stream that this order, which it was
                               handed, is cancelled; only its report says what became of it */
};
struct ctl_effect {
    enum ctl_effect_kind kind;
    uint8_t device_id[16];
    uint64_t order_number, request_number, sequence, session_id;
};

struct ctl_outcome {
    void *reply;                /* the reply struct of the command's kind, filled on success; the caller's */
    struct ctl_effect *effects; /* appended; grows by realloc, the caller frees */
    size_t effect_count, effect_capacity;
    bool changed; /* something was written: a revision was taken */
};

/* Runs one command against the view. On a refusal the caller rewinds the view. */
CS_MUST_USE int ctl_core_run(struct ctl_view *view, const struct ctl_context *context,
                             enum ctl_command_kind kind, const void *body, const struct ctl_actor *actor,
                             struct ctl_outcome *outcome, struct cs_err *err);

/* When TICK must run next; INT64_MAX: nothing waits. Once for a group of commands: what its commands took out
 * of the due queue is passed over each time. */
CS_MUST_USE int ctl_core_next_due(struct ctl_view *view, int64_t *ret_due_s, struct cs_err *err);
/* Presence is not kept across a restart: call once at the start, in a group of its own. */
CS_MUST_USE int ctl_core_start(struct ctl_view *view, const struct ctl_context *context,
                               struct ctl_outcome *outcome, struct cs_err *err);

#endif
