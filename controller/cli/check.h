/* check.h - what a client checks before it signs something or believes it: what the controller hands over is
 * material, and only the policy that leads to the own pin, people's and devices' signatures, and digests
 * count. Pure. Start at cli_check_core(). */
#ifndef CTL_CLI_CHECK_H
#define CTL_CLI_CHECK_H

#include "shared/trust/device.h"
#include "shared/trust/push.h"

#include "countersign/v1/agent.pb.h"
#include "countersign/v1/operator.pb.h"

/* The admission is for this device, an admin of the policy signed it, and its renewals follow from it. The
 * caller owns *ret, which has an admission. */
CS_MUST_USE int cli_check_device(const struct cs_policy *policy,
                                 const countersign_v1_GetDeviceResponse *reply, const char *name,
                                 struct cs_device **ret, struct cs_err *err);
/* The device itself said which connectors it has. free() *ret. */
CS_MUST_USE int cli_check_advertisement(const struct cs_device *device, struct cs_slice wire,
                                        countersign_v1_DeviceAdvertisement **ret, struct cs_err *err);
/* What it says of one of them; NULL: it has none of this name. Lives in `said`. */
const countersign_v1_AdvertisedConnector *cli_check_find_said(const countersign_v1_DeviceAdvertisement *said,
                                                              const char *connector);
/* The device itself reported on exactly this order. free() *ret. */
CS_MUST_USE int cli_check_report(const struct cs_device *device, const countersign_v1_OrderCore *core,
                                 struct cs_slice wire, countersign_v1_DeviceReport **ret, struct cs_err *err);

/* The device that is admitted now said of this order that it was completed, and what it left there: the
 * digest of a chain, or zero for nothing. As long as no later order is completed its journal holds just that,
 * also where people have changed the files since. Whether one was is the controller's word; a wrong
 * expectation can only make the device refuse. */
CS_MUST_USE int cli_check_left(const struct cs_device *device, const countersign_v1_OrderCore *core,
                               struct cs_slice report, struct cs_digest *ret, struct cs_err *err);
/* The same, and that it is exactly this chain: its generation can be gone back to, as far as the device still
 * has it. */
CS_MUST_USE int cli_check_kept(const struct cs_device *device, const countersign_v1_OrderCore *core,
                               struct cs_slice report, const struct cs_digest *chain_digest,
                               struct cs_err *err);

/* A requester of the policy asked for this key (check_keys.c). free() *ret. */
CS_MUST_USE int cli_check_key_request(const struct cs_policy *policy, struct cs_slice wire,
                                      struct cs_slice id, countersign_v1_KeyRequest **ret,
                                      struct cs_digest *ret_digest, struct cs_err *err);
/* The admitted device itself answered exactly this request, with a CSR for the subject that was asked for,
 * signed by the key that it is for. CS_EDENIED with the device's sentence when it refused. free() *ret. */
CS_MUST_USE int cli_check_csr(const struct cs_device *device, const countersign_v1_KeyRequest *request,
                              const struct cs_digest *request_digest, struct cs_slice wire,
                              countersign_v1_DeviceCsr **ret, struct cs_err *err);

/* The token's binding half made the MAC over exactly these keys: they are the device's that holds the token.
 */
CS_MUST_USE int cli_check_enrolment(const countersign_v1_EnrolmentToken *token,
                                    const countersign_v1_GetEnrolmentResponse *enrolment, struct cs_err *err);

/* A certificate as its own bytes say it is. */
struct cli_check_certificate {
    struct cs_chain *chain;
    struct cs_cert_info leaf;
    struct cs_digest chain_digest;
};
/* The chain's leaf has the id that was asked for. */
CS_MUST_USE int cli_check_certificate(struct cs_slice id, struct cs_slice chain,
                                      struct cli_check_certificate *ret, struct cs_err *err);
void cli_check_certificate_free(struct cli_check_certificate *certificate);

/* What a core must be. */
struct cli_check_order {
    const struct cs_policy *policy;
    const struct cli_check_certificate *certificate;
    const countersign_v1_GetDeviceResponse *device; /* the core's, with its envelopes */
    /* For a new request: the generation is the next that the device takes. A decider judges later, when the
     * device may have moved on. */
    bool fresh;
};
/* The device is admitted under this name and device-id; install: chain and leaf key are the certificate's and
 * a key comes along; roll back: they are the certificate's, too, and no key comes along (which generation it
 * is cannot be told from here: the device holds it against the chain); remove: what is expected is the
 * certificate's chain; the connector is one that the device says it has, the generation the next that it
 * takes. */
CS_MUST_USE int cli_check_core(const countersign_v1_OrderCore *core, const struct cli_check_order *order,
                               struct cs_err *err);
/* The same for a device that was checked already, so that its signatures are verified once for all of its
 * orders. `said`: what it advertises, for a new request; NULL: for one that is decided. */
CS_MUST_USE int cli_check_core_of(const countersign_v1_OrderCore *core,
                                  const struct cli_check_certificate *certificate,
                                  const struct cs_device *device,
                                  const countersign_v1_DeviceAdvertisement *said, struct cs_err *err);

/* Root and count of the request are those of these cores. */
CS_MUST_USE int cli_check_root(const countersign_v1_PushRequest *request, const struct cs_slice *cores,
                               size_t count, struct cs_err *err);
struct cs_digest cli_check_root_of(const struct cs_slice *cores, size_t count);

#endif
