/* fetch.h - things that several commands ask of the controller, looked up by what people type and checked
 * (check.h) before they are used. */
#ifndef CTL_CLI_FETCH_H
#define CTL_CLI_FETCH_H

#include "controller/cli/check.h"
#include "controller/cli/cli.h"

/* `text` is a common name that only one certificate has, or the beginning of an id (at least 4 hex digits).
 * free() *ret. */
CS_MUST_USE int cli_fetch_certificate(struct cli *cli, const char *text, countersign_v1_Certificate **ret,
                                      struct cs_err *err);
/* The chain; cli_check_certificate_free(ret). */
CS_MUST_USE int cli_fetch_chain(struct cli *cli, struct cs_slice id, struct cli_check_certificate *ret,
                                struct cs_err *err);

CS_MUST_USE int cli_fetch_device(struct cli *cli, const char *name, countersign_v1_GetDeviceResponse **ret,
                                 struct cs_err *err);

/* The order cores of a request: exact bytes, and what they say; once they are checked, the device of each.
 */
struct cli_fetched_cores {
    struct cs_slice *bytes;
    countersign_v1_OrderCore **cores;
    struct cs_device **devices; /* by core, as verified; orders of one device stand together and share it */
    countersign_v1_AdvertisedConnector *said; /* by core, as the device signed it; NULL: not `fresh` */
    size_t count;
    struct cs_buf *storage;
};
CS_MUST_USE int cli_fetch_cores(struct cli *cli, uint64_t number, uint32_t expected,
                                struct cli_fetched_cores *ret, struct cs_err *err);
void cli_fetched_cores_free(struct cli_fetched_cores *cores);
/* cli_check_core_of() for each, and that no device's admission is older than one that was seen here before
 * (known.h); `fresh`: for a request to be signed now, generations must be the next that devices take. Each
 * device is asked for and verified once. */
CS_MUST_USE int cli_fetch_check_cores(struct cli *cli, struct cli_fetched_cores *cores,
                                      const struct cli_check_certificate *certificate, bool fresh,
                                      struct cs_err *err);

/* Every order of a request, oldest first; free() *ret_orders. */
CS_MUST_USE int cli_fetch_orders(struct cli *cli, uint64_t request_number, countersign_v1_Order **ret_orders,
                                 size_t *ret_count, struct cs_err *err);

/* App connectors with their certificates and newest orders, and the requests of these, each once
 * (fetch_topology.c). */
struct cli_topology {
    countersign_v1_TopologyRow *rows;
    size_t count;
    countersign_v1_RequestHistory *requests;
    size_t request_count;
};
void cli_topology_free(struct cli_topology *topology);
/* Of a certificate; `ret_certificate` may be NULL. cli_topology_free(ret). */
CS_MUST_USE int cli_fetch_topology(struct cli *cli, struct cs_slice certificate_id, struct cli_topology *ret,
                                   countersign_v1_Certificate *ret_certificate, struct cs_err *err);
/* Of a device. */
CS_MUST_USE int cli_fetch_device_topology(struct cli *cli, const char *device_name, struct cli_topology *ret,
                                          countersign_v1_Device *ret_device, struct cs_err *err);
/* NULL: nothing was told of it. */
const countersign_v1_RequestHistory *cli_topology_request(const struct cli_topology *topology,
                                                          uint64_t request_number);

/* The names of the devices that the controller says are in the group, rising; free() *ret_names. */
typedef char cli_device_name[64];
CS_MUST_USE int cli_fetch_group(struct cli *cli, const char *group, cli_device_name **ret_names,
                                size_t *ret_count, struct cs_err *err);

#endif
