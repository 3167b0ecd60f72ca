/* rpc.h - one unary call after the other to the controller's admin socket, each waited for.
 * Owns a libuv loop of its own; connects at the first call, and again when the connection went down between
 * two calls (a person may think for long at a question). Requests and replies are nanopb's structs, named by
 * their descriptors. */
#ifndef CTL_CLI_RPC_H
#define CTL_CLI_RPC_H

#include "shared/base/err.h"

#include "countersign/v1/operator.pb.h"

struct rpc;

CS_MUST_USE int rpc_new(const char *socket_path, struct rpc **ret, struct cs_err *err);
/* Ends the connection, waits for its handles. */
void rpc_free(struct rpc *rpc);

struct rpc_method {
    const char *path;
    const pb_msgdesc_t *request, *reply;
};

/* `reply` is filled on success, zeroed otherwise; a failure has the controller's own sentence. */
CS_MUST_USE int rpc_call(struct rpc *rpc, const struct rpc_method *method, const void *request, void *reply,
                         struct cs_err *err);
/* The last failure was of the connection, not an answer. */
bool rpc_unreachable(const struct rpc *rpc);

/* X(service, method): declares rpc_method as `RPC_GetStatus` and so on. */
#define RPC_METHODS(X)                                                                                       \
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
    X(CertificateService, GetTopology)                                                                       \
    X(PushService, PreparePush)                                                                              \
    X(PushService, GetOrderCores)                                                                            \
    X(PushService, SubmitPush)                                                                               \
    X(PushService, Decide)                                                                                   \
    X(PushService, CancelRequest)                                                                            \
    X(PushService, ListRequests)                                                                             \
    X(PushService, GetRequest)                                                                               \
    X(PushService, ListOrders)                                                                               \
    X(PushService, GetOrder)

#define X(service, method) extern const struct rpc_method RPC_##method;
RPC_METHODS(X)
#undef X

#endif
