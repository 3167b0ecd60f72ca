#include "controller/core/reservations.h"

#include "controller/core/actions.h"
#include "controller/core/overrides.h"
#include "controller/core/sealed_keys.h"
#include "controller/core/targets.h"
#include "shared/base/text.h"
#include "shared/trust/merkle.h"

#include <inttypes.h>

int ctl_reservation_load(struct ctl_run *run, uint64_t number, ctl_reservation_row *ret)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, number);
    int rc = ctl_get(run->view, &key, Reservation, ret, run->err);

    return rc == CS_ENOTFOUND
               ? cs_err_set(run->err, rc, "nothing is reserved as REQ-%" PRIu64 ": prepare the push again",
                            number)
               : rc;
}

int ctl_reservation_end(struct ctl_run *run, const ctl_reservation_row *reserved)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, reserved->number);
    struct ctl_key due = ctl_key_due(reserved->expires_at_s, CTL_DUE_RESERVATION, reserved->number);
    int rc = ctl_drop(run->view, &key, run->err);

    run->meta.reservations--;
    return rc == CS_OK ? ctl_drop(run->view, &due, run->err) : rc;
}

/* A generation that nothing follows can be given again, so that lapsed reservations do not make jumps that
 * devices refuse. Nobody has signed it. */
static int give_back(struct ctl_run *run, struct cs_slice core_bytes)
{
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    ctl_connector_row connector;
    int rc = cs_core_decode(core_bytes, &core, run->err);

    if (rc == CS_OK)
        rc = ctl_connector_load(run, CTL_BYTES(core->device_id), core->connector, &connector);
    if (rc == CS_ENOTFOUND) /* the device was enrolled anew */
        return CS_OK;
    if (rc != CS_OK || connector.last_generation != core->generation)
        return rc;
    connector.last_generation--;
    return ctl_connector_store(run, CTL_BYTES(core->device_id), &connector);
}

int ctl_reservation_lapse(struct ctl_run *run, uint64_t number, uint32_t *ret_orders)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_CORE, number);
    struct ctl_key tree = ctl_key_number(CTL_TABLE_TREE, number);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_reservation_row reserved;
    int rc = ctl_reservation_load(run, number, &reserved);

    if (rc != CS_OK)
        return rc;
    *ret_orders = reserved.order_count;
    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = give_back(run, walk.value);
        if (rc == CS_OK)
            rc = ctl_view_delete(run->view, walk.key, run->err);
        if (rc != CS_OK)
            return rc;
    }
    if (rc == CS_ENOTFOUND)
        rc = ctl_drop(run->view, &tree, run->err);
    if (rc == CS_OK)
        rc = ctl_sealed_keys_drop_all(run, number);
    return rc == CS_OK ? ctl_reservation_end(run, &reserved) : rc;
}

/* ---- PreparePush */

/* What is on its way of a reservation in the making. */
struct preparation {
    ctl_reservation_row reserved;
    ctl_certificate_row certificate;
    struct cs_digest *leaves; /* reserved.order_count of them, then the rest of the tree */
    size_t leaf_room;
};

static void preparation_free(struct preparation **prep)
{
    if (!*prep)
        return;
    free((*prep)->leaves);
    free(*prep);
}

static int make_room(struct preparation *prep, size_t count, struct cs_err *err)
{
    struct cs_digest *grown;

    if (count <= prep->leaf_room)
        return CS_OK;
    if (count < 2 * prep->leaf_room)
        count = 2 * prep->leaf_room;
    grown = realloc(prep->leaves, count * sizeof *grown);
    if (!grown)
        return cs_err_nomem(err);
    prep->leaves = grown;
    prep->leaf_room = count;
    return CS_OK;
}

static void random_bytes(struct ctl_run *run, void *out, size_t len)
{
    run->context->random(run->context->random_data, out, len);
}

/* The app connector as its device stated it last. */
static int load_connector(struct ctl_run *run, const ctl_device_row *device, const char *name,
                          ctl_connector_row *ret)
{
    int rc = ctl_connector_load(run, CTL_BYTES(device->device_id), name, ret);

    if (rc == CS_ENOTFOUND || (rc == CS_OK && !ret->declared))
        return cs_err_set(run->err, CS_ESTATE, "device %s does not advertise an app connector %s",
                          device->name, name);
    return rc;
}

/* The next generation for the connector, written down so that nobody else gets it. */
static int take_generation(struct ctl_run *run, const ctl_device_row *device, ctl_connector_row *connector,
                           uint64_t *ret_generation)
{
    uint64_t highest = connector->generation > connector->last_generation ? connector->generation
                                                                          : connector->last_generation;

    if (highest + 1 - connector->generation > CS_LIMIT_GENERATION_JUMP)
        return cs_err_set(run->err, CS_ESTATE,
                          "too many pushes for %s on %s were requested since the device last accepted one",
                          connector->name, device->name);
    connector->last_generation = *ret_generation = highest + 1;
    return ctl_connector_store(run, CTL_BYTES(device->device_id), connector);
}

static int add_order(struct ctl_run *run, struct preparation *prep, const ctl_device_row *device,
                     ctl_connector_row *connector, bool named)
{
    const struct ctl_action_place place = {device, connector, named};
    const uint32_t index = prep->reserved.order_count;
    countersign_v1_OrderCore core = countersign_v1_OrderCore_init_zero;
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct ctl_key key;
    bool means;
    int rc = ctl_action_means(run, &prep->certificate, prep->reserved.action, &place, &means);

    if (rc != CS_OK || !means)
        return rc;
    if (index == CS_LIMIT_ORDERS_PER_REQUEST)
        return cs_err_set(run->err, CS_ETOOBIG, "one push request has at most %d app connectors",
                          CS_LIMIT_ORDERS_PER_REQUEST);
    rc = make_room(prep, index + 1, run->err);
    if (rc == CS_OK)
        rc = ctl_action_fill(run, &prep->certificate, prep->reserved.action, prep->reserved.key_mode, &place,
                             &core);
    if (rc == CS_OK)
        rc = take_generation(run, device, connector, &core.generation);
    if (rc != CS_OK)
        return rc;
    core.order_id.size = sizeof core.order_id.bytes;
    random_bytes(run, core.order_id.bytes, sizeof core.order_id.bytes);
    core.number = ++run->meta.last_order;
    CTL_TEXT_SET(core.device_name, device->name);
    CTL_BYTES_COPY(core.device_id, device->device_id);
    CTL_TEXT_SET(core.connector, connector->name);

    rc = cs_message_encode(countersign_v1_OrderCore_fields, &core, &bytes, run->err);
    if (rc != CS_OK)
        return rc;
    if (index == 0)
        prep->reserved.first_order = core.number;
    prep->leaves[index] = cs_merkle_leaf(cs_buf_slice(&bytes));
    prep->reserved.order_count++;
    key = ctl_key_numbers(CTL_TABLE_CORE, prep->reserved.number, index);
    return ctl_bytes_put(run->view, &key, cs_buf_slice(&bytes), run->err);
}

static int add_target(struct ctl_run *run, struct preparation *prep, const char *device_name,
                      const char *connector_name, bool named)
{
    ctl_device_row device;
    ctl_connector_row connector;
    int rc = ctl_device_load_named(run, device_name, &device);

    if (rc == CS_OK)
        rc = ctl_device_check_open(run, &device);
    if (rc == CS_OK)
        rc = ctl_action_check_key(run, &prep->certificate, prep->reserved.key_mode, &device, connector_name);
    if (rc == CS_OK)
        rc = load_connector(run, &device, connector_name, &connector);
    return rc == CS_OK ? add_order(run, prep, &device, &connector, named) : rc;
}

struct adding {
    struct ctl_run *run;
    struct preparation *prep;
    size_t named; /* that are still to come: they are first */
};

static int on_target(void *data, const char *device_name, const char *connector, struct cs_err *err)
{
    struct adding *adding = data;
    const bool named = adding->named > 0;

    (void)err; /* the run's */
    if (named)
        adding->named--;
    return add_target(adding->run, adding->prep, device_name, connector, named);
}

static int add_targets(struct ctl_run *run, struct preparation *prep,
                       const countersign_v1_PreparePushRequest *request)
{
    const struct ctl_targets targets = {
        .certificate_id = CTL_BYTES(prep->certificate.id),
        .named = request->targets,
        .named_count = request->targets_count,
        .groups = request->groups,
        .group_count = request->groups_count,
    };
    struct adding adding = {run, prep, request->targets_count};
    int rc = ctl_targets_walk(run->view, &targets, on_target, &adding, run->err);

    if (rc == CS_OK && prep->reserved.order_count == 0)
        return cs_err_set(run->err, CS_ESTATE,
                          "no completed work order left this certificate at any of these app connectors, or "
                          "later ones took it away: there is nothing to remove");
    return rc;
}

/* With the leaves goes the whole tree: every delivery needs a proof out of it. */
static int store_reservation(struct ctl_run *run, struct preparation *prep)
{
    ctl_reservation_row *reserved = &prep->reserved;
    const size_t count = reserved->order_count, size = cs_merkle_tree_size(count);
    struct ctl_key key = ctl_key_number(CTL_TABLE_RESERVATION, reserved->number);
    struct ctl_key tree = ctl_key_number(CTL_TABLE_TREE, reserved->number);
    struct ctl_key due = ctl_key_due(reserved->expires_at_s, CTL_DUE_RESERVATION, reserved->number);
    struct cs_digest root;
    int rc = make_room(prep, size, run->err);

    if (rc != CS_OK)
        return rc;
    cs_merkle_tree_build(prep->leaves, count);
    root = cs_merkle_tree_root(prep->leaves, count);
    CTL_BYTES_SET(reserved->order_root, cs_digest_slice(&root));
    rc = ctl_bytes_put(run->view, &tree, cs_slice(prep->leaves, size * sizeof prep->leaves[0]), run->err);
    if (rc == CS_OK)
        rc = ctl_put(run->view, &key, Reservation, reserved, run->err);
    return rc == CS_OK ? ctl_index_put(run->view, &due, run->err) : rc;
}

static int check_pushable(struct ctl_run *run, const countersign_v1_PreparePushRequest *request,
                          struct preparation *prep)
{
    int rc;

    if (run->meta.policy_version == 0)
        return cs_err_set(run->err, CS_ESTATE, "there is no trust policy yet: publish one first");
    if (run->meta.reservations >= CTL_RESERVATIONS)
        return cs_err_set(run->err, CS_EBUSY,
                          "%d pushes are prepared and not submitted: try again in a few minutes",
                          CTL_RESERVATIONS);
    if (request->action > _countersign_v1_Action_MAX)
        return cs_err_set(run->err, CS_EINVAL, "this controller does not know action %d: is it too old?",
                          (int)request->action);
    prep->reserved.action = ctl_action_of(request->action);
    rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &prep->certificate);
    if (rc == CS_OK)
        rc = ctl_overrides_check(&prep->certificate, prep->reserved.action, request->overrides,
                                 request->overrides_count, run->now_s, run->err);
    return rc == CS_OK ? ctl_action_key_mode(&prep->certificate, prep->reserved.action, request->key_mode,
                                             &prep->reserved.key_mode, run->err)
                       : rc;
}

static int prepare(struct ctl_run *run, const countersign_v1_PreparePushRequest *request,
                   struct preparation *prep)
{
    int rc = check_pushable(run, request, prep);

    if (rc != CS_OK)
        return rc;
    prep->reserved.number = ++run->meta.last_request;
    prep->reserved.request_id.size = sizeof prep->reserved.request_id.bytes;
    random_bytes(run, prep->reserved.request_id.bytes, sizeof prep->reserved.request_id.bytes);
    CTL_BYTES_COPY(prep->reserved.certificate_id, prep->certificate.id);
    prep->reserved.expires_at_s = run->now_s + CTL_RESERVATION_S;
    run->meta.reservations++;
    rc = add_targets(run, prep, request);
    return rc == CS_OK ? store_reservation(run, prep) : rc;
}

int ctl_prepare_push_run(struct ctl_run *run, const void *body, void *reply)
{
    countersign_v1_PreparePushResponse *answer = reply;
    cs_auto(preparation_free) struct preparation *prep = calloc(1, sizeof *prep);
    int rc;

    if (!prep)
        return cs_err_nomem(run->err);
    rc = prepare(run, body, prep);
    if (rc != CS_OK)
        return rc;
    answer->number = prep->reserved.number;
    CTL_BYTES_COPY(answer->request_id, prep->reserved.request_id);
    answer->order_count = prep->reserved.order_count;
    ctl_run_changed(run, "", "REQ-%" PRIu64, prep->reserved.number);
    ctl_run_detail(run, "%s reserved with %u orders from WO-%" PRIu64, ctl_action_noun(prep->reserved.action),
                   (unsigned)prep->reserved.order_count, prep->reserved.first_order);
    return CS_OK;
}
