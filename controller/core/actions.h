/* actions.h - installing, removing, rolling back: what sets their work orders apart. All orders of a request
 * have one action; people, stages and life are the same for each (orders.h, workflow.h). Pure; internal to
 * controller/core.
 *
 * install    brings the certificate, with its key
 * remove     takes it away; it must be what is there
 * roll back  makes a generation that the device still has current again; the certificate is that generation's
 *
 * "What is there" is what the last completed order of this enrolment left: the device holds what an order
 * expects against its journal, not against files that people may have changed.
 */
#ifndef CTL_CORE_ACTIONS_H
#define CTL_CORE_ACTIONS_H

#include "controller/core/run.h"

/* A generation that is further back than this is not looked for: no device keeps more (generations_kept of
 * the agent's configuration). */
enum { CTL_GENERATIONS_BACK = 100 };

/* What rows and requests that are older than the other actions mean. */
static inline countersign_v1_Action ctl_action_of(countersign_v1_Action stored)
{
    return stored == countersign_v1_Action_ACTION_UNSPECIFIED ? countersign_v1_Action_ACTION_INSTALL : stored;
}

/* What people call a request for it: "push", "removal", "roll back". */
const char *ctl_action_noun(countersign_v1_Action action);

/* How the private key comes to the device: as the certificate has it, unless the client brings it along.
 * CS_ESTATE with a sentence where that cannot be. */
CS_MUST_USE int ctl_action_key_mode(const ctl_certificate_row *certificate, countersign_v1_Action action,
                                    countersign_v1_KeyMode wanted, countersign_v1_KeyMode *ret,
                                    struct cs_err *err);

/* A key that was made on a device is nowhere else: CS_ESTATE for another device, connector or enrolment. */
CS_MUST_USE int ctl_action_check_key(struct ctl_run *run, const ctl_certificate_row *certificate,
                                     countersign_v1_KeyMode key_mode, const ctl_device_row *device,
                                     const char *connector);

/* An app connector of a device as it stands, and whether the person named it. */
struct ctl_action_place {
    const ctl_device_row *device;
    const ctl_connector_row *connector;
    bool named;
};

/* Is this certificate what the last completed order of the device's enrolment left there? The device's
 * journal says the same, whatever it advertises after a change by hand. */
bool ctl_action_left(const ctl_certificate_row *certificate, const ctl_connector_row *connector);

/* Does the request mean this place? Only a removal can pass over some: those of "wherever it is attached"
 * that it was not pushed to. CS_ESTATE for a place that was named and cannot be meant. */
CS_MUST_USE int ctl_action_means(struct ctl_run *run, const ctl_certificate_row *certificate,
                                 countersign_v1_Action action, const struct ctl_action_place *place,
                                 bool *ret_means);

/* Fills what the core says of certificates and generations, all but its own generation: chain, key, what it
 * expects, what comes back. CS_ESTATE with a sentence where this action cannot be done there. */
CS_MUST_USE int ctl_action_fill(struct ctl_run *run, const ctl_certificate_row *certificate,
                                countersign_v1_Action action, countersign_v1_KeyMode key_mode,
                                const struct ctl_action_place *place, countersign_v1_OrderCore *core);

#endif
