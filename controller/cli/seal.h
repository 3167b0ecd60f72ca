/* seal.h - KEY_MODE_SEALED: the requester's own client seals the private key to each device of a request, so
 * that the controller carries what it cannot open. Start at cli_seal_keys(). */
#ifndef CTL_CLI_SEAL_H
#define CTL_CLI_SEAL_H

#include "controller/cli/fetch.h"

/* Seals for one order. The KEM key of the device's verified admission is the only one that a key is sealed
 * to. Pure. */
CS_MUST_USE int cli_seal_key(const struct cs_device *device, const countersign_v1_OrderCore *core,
                             struct cs_slice core_bytes, struct cs_slice pkcs8, countersign_v1_SealedKey *ret,
                             struct cs_err *err);
/* Seals for every core, which cli_fetch_check_cores() has checked, and hands them to the controller in pages,
 * before the request is submitted. */
CS_MUST_USE int cli_seal_keys(struct cli *cli, uint64_t request_number, const struct cli_fetched_cores *cores,
                              struct cs_slice pkcs8, struct cs_err *err);

#endif
