/* rpc.h - one unary call after the other to the controller, each waited for: over its admin socket, or its
 * operators' listener.
 * Owns a libuv loop of its own; connects at the first call, and again when the connection went down between
 * two calls (a person may think for long at a question). Requests and replies are nanopb's structs, named by
 * their descriptors. */
#ifndef CTL_CLI_RPC_H
#define CTL_CLI_RPC_H

#include "shared/base/err.h"

#include "shared/crypto/crypto.h"
#include "shared/net/client.h"

#include "countersign/v1/operator.pb.h"
#include "countersign/v1/session.pb.h"
#include "countersign/v1/watch.pb.h"

struct cli_rpc;

CS_MUST_USE int cli_rpc_new(const char *socket_path, struct cli_rpc **ret, struct cs_err *err);
/* Strings are copied; `tls` outlives the rpc. */
struct cli_rpc_target {
    const char *socket_path; /* or host and port */
    const char *host;
    uint16_t port;
    struct cs_tls_config *tls; /* NULL: plain */
    const char *server_name;   /* in the server's certificate; NULL: host */
    const char *shown;         /* to people, who asked for it so */
};
CS_MUST_USE int cli_rpc_new_to(const struct cli_rpc_target *target, struct cli_rpc **ret, struct cs_err *err);
/* All calls from now on carry this metadata, in the place of what they carried; `name` is static. */
void cli_rpc_identify(struct cli_rpc *rpc, const char *name, const char *value);
/* SHA-256 of the key in the server's certificate; connects if need be. *ret_has_tls false: there is none. */
CS_MUST_USE int cli_rpc_server_key(struct cli_rpc *rpc, struct cs_digest *ret, bool *ret_has_tls,
                                   struct cs_err *err);
/* Ends the connection, waits for its handles. */
void cli_rpc_free(struct cli_rpc *rpc);

/* From now on connecting and calling must be done within this time, all in all. */
void cli_rpc_hurry(struct cli_rpc *rpc, uint32_t within_ms);

struct cli_rpc_method {
    const char *path;
    const pb_msgdesc_t *request, *reply;
};

/* `reply` is filled on success, zeroed otherwise; a failure has the controller's own sentence. */
CS_MUST_USE int cli_rpc_call(struct cli_rpc *rpc, const struct cli_rpc_method *method, const void *request,
                             void *reply, struct cs_err *err);
/* The last failure was of the connection, not an answer. */
bool cli_rpc_unreachable(const struct cli_rpc *rpc);

/* A call that is answered by many messages. Unary calls may be made meanwhile; messages wait for the next
 * cli_rpc_stream_next(), the server with more until there is room. Freed before the rpc. */
struct cli_rpc_stream;
CS_MUST_USE int cli_rpc_stream_open(struct cli_rpc *rpc, const struct cli_rpc_method *method,
                                    const void *request, struct cli_rpc_stream **ret, struct cs_err *err);
/* CS_ETIMEOUT: nothing came within the time. Any other failure is the end of the stream; CS_ECLOSED: with
 * its connection, or because the controller stops. */
CS_MUST_USE int cli_rpc_stream_next(struct cli_rpc_stream *stream, uint32_t timeout_ms, void *reply,
                                    struct cs_err *err);
/* Cancels what has not ended. NULL is fine. */
void cli_rpc_stream_free(struct cli_rpc_stream *stream);

/* For those who serve others on the same loop (console_forward.h): calls that nobody waits for. */

/* The connection's own; runs inside each of the functions above. */
uv_loop_t *cli_rpc_loop(struct cli_rpc *rpc);
/* Connects if need be, and anew when the controller wants no more calls on this connection: what is open on
 * it ends then as UNAVAILABLE. Not from inside an event. */
CS_MUST_USE int cli_rpc_be_connected(struct cli_rpc *rpc, struct cs_err *err);
/* As cs_client_call_new(), with what this client says who it is. CS_ECLOSED: connect first. */
CS_MUST_USE int cli_rpc_call_new(struct cli_rpc *rpc, const struct cli_rpc_method *method,
                                 uint32_t timeout_ms, const struct cs_client_events *events, void *data,
                                 struct cs_client_call **ret, struct cs_err *err);
/* The connection is being ended here: so much for a call that ends as CANCELLED. */
bool cli_rpc_is_disconnecting(const struct cli_rpc *rpc);

/* X(service, method): declares rpc_method as `cli_rpc_GetStatus` and so on. */
#define CLI_RPC_METHODS(X)                                                                                   \
    X(ControllerService, GetStatus)                                                                          \
    X(ControllerService, ListAudit)                                                                          \
    X(TrustService, GetPolicy)                                                                               \
    X(TrustService, PublishPolicy)                                                                           \
    X(DeviceService, CreateToken)                                                                            \
    X(DeviceService, GetEnrolment)                                                                           \
    X(DeviceService, AdmitDevice)                                                                            \
    X(DeviceService, ListDevices)                                                                            \
    X(DeviceService, GetDevice)                                                                              \
    X(CertificateService, ImportCertificate)                                                                 \
    X(CertificateService, ListCertificates)                                                                  \
    X(CertificateService, GetCertificate)                                                                    \
    X(CertificateService, Attach)                                                                            \
    X(CertificateService, Detach)                                                                            \
    X(CertificateService, AttachLike)                                                                        \
    X(CertificateService, SetCertificateGroups)                                                              \
    X(CertificateService, GetTopology)                                                                       \
    X(PushService, PreparePush)                                                                              \
    X(PushService, GetOrderCores)                                                                            \
    X(PushService, SubmitPush)                                                                               \
    X(PushService, Decide)                                                                                   \
    X(PushService, CancelRequest)                                                                            \
    X(PushService, ListRequests)                                                                             \
    X(PushService, GetRequest)                                                                               \
    X(PushService, ListOrders)                                                                               \
    X(PushService, GetOrder)                                                                                 \
    X(PushService, ExplainPush)                                                                              \
    X(ControllerService, GetCheckpoint)                                                                      \
    X(ControllerService, GetSummary)                                                                         \
    X(PushService, PutSealedKeys)                                                                            \
    X(CertificateService, RequestKey)                                                                        \
    X(CertificateService, GetKeyRequest)                                                                     \
    X(CertificateService, ListKeyRequests)                                                                   \
    X(DeviceService, BanDevice)                                                                              \
    X(CertificateService, RevokeCertificate)                                                                 \
    X(CertificateService, ImportCrl)                                                                         \
    X(CertificateService, ListCrls)                                                                          \
    X(WatchService, Watch)                                                                                   \
    X(DeviceService, GetDeviceTopology)                                                                      \
    X(DeviceService, SetDeviceGroups)                                                                        \
    X(SessionService, GetChallenge)                                                                          \
    X(SessionService, OpenSession)                                                                           \
    X(SessionService, CloseSession)                                                                          \
    X(SessionService, WhoAmI)                                                                                \
    X(SessionService, ListSessions)                                                                          \
    X(SessionService, EndSession)                                                                            \
    X(SessionService, CreatePairing)                                                                         \
    X(SessionService, GetPairing)

/* It changes nothing: Get… and List…. */
bool cli_rpc_reads(const struct cli_rpc_method *method);

#define X(service, method) extern const struct cli_rpc_method cli_rpc_##method;
CLI_RPC_METHODS(X)
#undef X

#endif
