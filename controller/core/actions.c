#include "controller/core/actions.h"

#define ACTION(name) countersign_v1_Action_ACTION_##name
#define KEY(name)    countersign_v1_KeyMode_KEY_MODE_##name

const char *ctl_action_noun(countersign_v1_Action action)
{
    switch (action) {
    case ACTION(REMOVE):
        return "removal";
    case ACTION(ROLL_BACK):
        return "roll back";
    default:
        return "push";
    }
}

int ctl_action_key_mode(const ctl_certificate_row *certificate, countersign_v1_Action action,
                        countersign_v1_KeyMode wanted, countersign_v1_KeyMode *ret, struct cs_err *err)
{
    const countersign_v1_KeyMode has = certificate->key_mode;

    if (action != ACTION(INSTALL)) {
        if (wanted != KEY(UNSPECIFIED) && wanted != KEY(NONE))
            return cs_err_set(err, CS_EINVAL, "a removal and a roll back carry no key: leave key_mode out");
        *ret = KEY(NONE);
        return CS_OK;
    }
    if (wanted == KEY(UNSPECIFIED))
        wanted = has;
    if (wanted == KEY(NONE))
        return cs_err_set(err, CS_ESTATE,
                          "the controller holds no private key for this certificate: import it with its key, "
                          "or seal the key to the devices");
    if (has == KEY(ON_DEVICE) && wanted != has)
        return cs_err_set(err, CS_ESTATE,
                          "the certificate's key was made on %s and is nowhere else: no key can be sealed",
                          certificate->device_name);
    if (wanted != has && wanted != KEY(SEALED))
        return cs_err_set(err, CS_ESTATE, "the certificate's key is not there in the way that is asked for");
    *ret = wanted;
    return CS_OK;
}

int ctl_action_check_key(struct ctl_run *run, const ctl_certificate_row *certificate,
                         countersign_v1_KeyMode key_mode, const ctl_device_row *device, const char *connector)
{
    if (key_mode != KEY(ON_DEVICE))
        return CS_OK;
    if (strcmp(certificate->device_name, device->name) != 0 || strcmp(certificate->connector, connector) != 0)
        return cs_err_set(run->err, CS_ESTATE,
                          "the certificate's key was made on %s for %s: it cannot be pushed to %s on %s",
                          certificate->device_name, certificate->connector, connector, device->name);
    if (!cs_slice_eq(CTL_BYTES(certificate->device_id), CTL_BYTES(device->device_id)))
        return cs_err_set(run->err, CS_ESTATE,
                          "the certificate's key was made on %s before it was enrolled anew: request another",
                          device->name);
    return CS_OK;
}

bool ctl_action_left(const ctl_certificate_row *certificate, const ctl_connector_row *connector)
{
    return cs_slice_eq(CTL_BYTES(connector->completed_digest), CTL_BYTES(certificate->chain_digest));
}

int ctl_action_means(struct ctl_run *run, const ctl_certificate_row *certificate,
                     countersign_v1_Action action, const struct ctl_action_place *place, bool *ret_means)
{
    *ret_means = action != ACTION(REMOVE) || ctl_action_left(certificate, place->connector);
    if (*ret_means || !place->named)
        return CS_OK;
    return cs_err_set(
        run->err, CS_ESTATE,
        "no completed work order left this certificate at device %s's app connector %s, or a later one "
        "took it away: there is nothing to remove; leave it out, or detach it (countersign cert detach)",
        place->device->name, place->connector->name);
}

/* ---- what a core says */

/* The newest generation of the present enrolment that left the certificate there; CS_ENOTFOUND: none of those
 * that a device can still have. */
static int find_generation(struct ctl_run *run, const ctl_certificate_row *certificate,
                           const struct ctl_action_place *place, uint64_t *ret)
{
    struct ctl_key prefix =
        ctl_key_connector(CTL_TABLE_GENERATION, CTL_BYTES(place->device->device_id), place->connector->name);
    struct ctl_walk walk = ctl_walk(&prefix);

    walk.reverse = true;
    for (unsigned looked = 0; looked < CTL_GENERATIONS_BACK; looked++) {
        ctl_order_row order;
        int rc = ctl_walk_next(run->view, &walk, run->err);

        if (rc == CS_OK)
            rc = ctl_order_load(run, ctl_number_of(walk.value), &order);
        if (rc != CS_OK)
            return rc;
        if (order.phase == countersign_store_v1_Phase_PHASE_COMPLETED && order.action != ACTION(REMOVE) &&
            cs_slice_eq(CTL_BYTES(order.certificate_id), CTL_BYTES(certificate->id))) {
            *ret = order.generation;
            return CS_OK;
        }
    }
    return CS_ENOTFOUND;
}

static int fill_roll_back(struct ctl_run *run, const ctl_certificate_row *certificate,
                          const struct ctl_action_place *place, countersign_v1_OrderCore *core)
{
    static const uint8_t nothing[CS_SHA256_BYTES];
    int rc;

    if (ctl_action_left(certificate, place->connector))
        return cs_err_set(run->err, CS_ESTATE,
                          "this certificate is what was pushed last to %s on %s already: there is nothing to "
                          "roll back; if it was changed there by hand, push it again (countersign push)",
                          place->connector->name, place->device->name);
    rc = find_generation(run, certificate, place, &core->target_generation);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(run->err, CS_ESTATE,
                          "device %s has no generation of its app connector %s with this certificate that it "
                          "could go back to: push the certificate instead (countersign push)",
                          place->device->name, place->connector->name);
    if (place->connector->completed_digest.size)
        CTL_BYTES_COPY(core->expects, place->connector->completed_digest);
    else
        CTL_BYTES_SET(core->expects, CS_SLICE_ARRAY(nothing));
    return rc;
}

static void name_certificate(const ctl_certificate_row *certificate, countersign_v1_OrderCore *core)
{
    CTL_BYTES_COPY(core->chain_digest, certificate->chain_digest);
    CTL_BYTES_COPY(core->leaf_spki_digest, certificate->spki_digest);
}

int ctl_action_fill(struct ctl_run *run, const ctl_certificate_row *certificate, countersign_v1_Action action,
                    countersign_v1_KeyMode key_mode, const struct ctl_action_place *place,
                    countersign_v1_OrderCore *core)
{
    core->action = action;
    core->key_mode = key_mode;
    switch (action) {
    case ACTION(REMOVE):
        CTL_BYTES_COPY(core->expects, certificate->chain_digest);
        return CS_OK;
    case ACTION(ROLL_BACK):
        name_certificate(certificate, core);
        return fill_roll_back(run, certificate, place, core);
    default:
        name_certificate(certificate, core);
        return CS_OK;
    }
}
