#include "agent/device_impl.h"

#include "agent/platform.h"
#include "shared/base/version.h"

#include <stdio.h>

/* ---- opening */

static void no_statement(void *owner CS_UNUSED, struct cs_slice envelope CS_UNUSED)
{
}
static void no_policy_wanted(void *owner CS_UNUSED, uint32_t version CS_UNUSED)
{
}
static void no_full(void *owner CS_UNUSED, bool full CS_UNUSED)
{
}
static void no_change(void *owner CS_UNUSED)
{
}
static void no_fatal(void *owner CS_UNUSED, const struct cs_err *why CS_UNUSED)
{
}
static const struct ag_device_events nobody = {no_statement, no_policy_wanted, no_full, no_change, no_fatal};

int ag_device_open(struct ag_device *device, const struct ag_config *config, struct ag_port *port,
                   struct cs_err *err)
{
    *device = (struct ag_device){.config = config, .store = {port, config->state}, .events = &nobody};
    ag_outbox_init(&device->outbox);
    cs_list_init(&device->deliveries);
    cs_list_init(&device->key_requests);
    int code = ag_store_load_identity(&device->store, &device->identity, err);

    if (!code)
        code = ag_store_load_keys(&device->store, device->identity.key_slot, &device->keys, err);
    if (!code)
        code = ag_store_load_state(&device->store, &device->identity, &device->state, err);
    device->sequence = device->state.sequence_reserved;
    return code ? code : ag_renewal_open(device, err);
}

void ag_device_free(struct ag_device *device)
{
    if (!device->config)
        return;
    ag_device_stop(device);
    ag_device_forget_deliveries(device);
    ag_outbox_free(&device->outbox);
    ag_renewal_free(&device->renewal);
    ag_installed_free(&device->installed);
    ag_state_free(&device->state);
    ag_keys_free(&device->keys);
    ag_identity_free(&device->identity);
    device->config = NULL;
}

void ag_device_stop(struct ag_device *device)
{
    ag_apply_stop(&device->apply);
    ag_device_stop_looking(device);
    if (device->after_wait) {
        device->store.port->stop(device->store.port);
        device->after_wait = NULL;
    }
}

void ag_device_fatal(struct ag_device *device, const struct cs_err *why)
{
    if (device->dead)
        return;
    device->dead = true;
    cs_log(CS_LOG_ERROR, "device", "state not saved", CS_F("error", why->msg), CS_FEND);
    device->events->on_fatal(device->owner, why);
}

void ag_device_listen(struct ag_device *device, const struct ag_device_events *events, void *owner)
{
    device->events = events ? events : &nobody;
    device->owner = owner;
}

/* ---- state, sequence and time */

int ag_device_save(struct ag_device *device, struct cs_err *err)
{
    struct ag_port *port = device->store.port;
    int64_t clock_s = port->clock_s(port);

    if (clock_s > device->state.time_floor_s && port->clock_synchronised(port))
        device->state.time_floor_s = clock_s;
    return ag_store_save_state(&device->store, &device->state, err);
}

int ag_device_next_sequence(struct ag_device *device, uint64_t *ret, struct cs_err *err)
{
    uint64_t reserved = device->state.sequence_reserved;

    /* Early, so that a disk that is full today still leaves some to tell of it. */
    if (device->sequence + AG_SEQUENCE_BLOCK / 2 >= reserved) {
        device->state.sequence_reserved = device->sequence + AG_SEQUENCE_BLOCK;
        int code = ag_device_save(device, err);

        if (code)
            device->state.sequence_reserved = reserved;
        if (code && device->sequence >= reserved)
            return code;
    }
    *ret = ++device->sequence;
    return CS_OK;
}

struct ag_device_time ag_device_now(const struct ag_device *device, const struct cs_policy *policy)
{
    struct ag_port *port = device->store.port;
    int64_t clock_s = port->clock_s(port);
    bool clockless = false;

    if (policy) {
        const countersign_v1_TrustPolicy *body = cs_policy_body(policy);

        for (size_t i = 0; i < body->clockless_devices_count; i++)
            clockless |= strcmp(body->clockless_devices[i], device->identity.device_name) == 0;
    }
    return ag_device_time(clock_s, device->state.time_floor_s, clockless,
                          device->has_session_time ? clock_s + device->session_time_ahead_s : 0);
}

int64_t ag_device_identity_time_s(const struct ag_device *device)
{
    struct ag_port *port = device->store.port;

    return device->has_session_time ? port->clock_s(port) + device->session_time_ahead_s
                                    : ag_device_now(device, NULL).now_s;
}

void ag_device_take_session_time(struct ag_device *device, int64_t time_s)
{
    device->session_time_ahead_s = time_s - device->store.port->clock_s(device->store.port);
    device->has_session_time = time_s > 0;
}

/* ---- acknowledgements */

void ag_device_take_ack(struct ag_device *device, uint64_t sequence)
{
    struct ag_letter *letter = ag_outbox_take(&device->outbox, sequence);

    if (letter && letter->final) {
        struct ag_order *order = ag_state_order(&device->state, CS_SLICE_ARRAY(letter->order_id), NULL);

        /* Not saved for this alone: forgotten by a crash, the report is sent and acknowledged again. */
        if (order && ag_phase_final(order->phase))
            order->acknowledged = true;
    }
    ag_letter_free(letter);
}

/* ---- policies */

uint32_t ag_device_next_policy(const struct ag_device *device)
{
    uint32_t least = device->identity.pin.least_version;

    if (device->state.policy_version > 0)
        return device->state.policy_version + 1;
    return least > 0 ? least : 1;
}

static int open_policy(struct ag_device *device, struct cs_slice wire, struct cs_policy **ret,
                       struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *current = NULL;

    if (device->state.policy_version == 0)
        return cs_policy_open_pinned(wire, &device->identity.pin, ret, err);
    int code = ag_store_load_policy(&device->store, device->state.policy_version, &current, err);

    return code ? code : cs_policy_open_next(wire, current, ret, err);
}

/* Not believed: only to tell a policy that is known, or too new, from one that is wrong. */
static int claimed_version(struct cs_slice wire, uint32_t *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *policy = NULL;
    struct cs_envelope envelope;
    int code = cs_envelope_parse(wire, &envelope, err);

    if (!code)
        code = cs_policy_decode(envelope.payload, &policy, err);
    if (!code)
        *ret = policy->version;
    return code;
}

int ag_device_take_policy(struct ag_device *device, struct cs_slice wire, struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    uint32_t version = 0;
    uint32_t before = device->state.policy_version;
    int64_t floor_s = device->state.time_floor_s;

    int code = claimed_version(wire, &version, err);

    if (code)
        return code;
    if (version <= before)
        return CS_OK;
    if (before > 0 && version > before + 1)
        return cs_err_set(err, CS_ESTALE, "trust policies between version %u and %u are missing",
                          (unsigned)before, (unsigned)version);
    code = open_policy(device, wire, &policy, err);
    if (!code)
        code = ag_store_save_policy(&device->store, cs_policy_version(policy), wire, err);
    if (code)
        return code;
    device->state.policy_version = cs_policy_version(policy);
    if (cs_policy_body(policy)->issued_at_s > floor_s)
        device->state.time_floor_s = cs_policy_body(policy)->issued_at_s;
    code = ag_device_save(device, err);
    if (code) {
        device->state.policy_version = before;
        device->state.time_floor_s = floor_s;
        return code;
    }
    cs_log(CS_LOG_INFO, "policy", "trust policy accepted", CS_FU("version", device->state.policy_version),
           CS_FEND);
    device->policy_expected = device->key_policy_expected = false;
    ag_keys_go_on(device);
    ag_device_go_on(device);
    return CS_OK;
}

void ag_device_give_up_policy(struct ag_device *device)
{
    if (device->key_policy_expected) {
        device->key_policy_expected = false;
        device->key_policy_given_up = true;
        ag_keys_go_on(device);
    }
    if (!device->policy_expected)
        return;
    device->policy_expected = false;
    device->policy_given_up = true;
    ag_device_go_on(device);
}

/* ---- advertising */

static void advertise_connectors(const struct ag_device *device, countersign_v1_DeviceAdvertisement *out)
{
    const struct ag_connectors *declared = &device->config->connectors;

    for (size_t i = 0; i < declared->count; i++) {
        countersign_v1_AdvertisedConnector *one = &out->connectors[out->connectors_count++];
        const struct ag_connector_state *state = ag_state_connector(&device->state, declared->items[i].name);
        struct ag_content content;

        snprintf(one->name, sizeof one->name, "%s", declared->items[i].name);
        snprintf(one->application, sizeof one->application, "%s", declared->items[i].application);
        if (!state)
            continue;
        one->generation = state->highest_generation;
        content = ag_installed_content(&device->installed, i, state);
        if (content.is_there)
            CS_PB_SET(&one->installed_digest, cs_digest_slice(&content.digest));
        if (content.remark)
            snprintf(one->remark, sizeof one->remark, "%s", content.remark);
    }
}

int ag_device_advertise(struct ag_device *device, struct cs_buf *out, struct cs_err *err)
{
    static const enum cs_statement_kind known[] = {CS_STATEMENT_TRUST_POLICY, CS_STATEMENT_PUSH_REQUEST,
                                                   CS_STATEMENT_DECISION, CS_STATEMENT_PUSH_BATCH,
                                                   CS_STATEMENT_KEY_REQUEST};
    cs_auto_free countersign_v1_DeviceAdvertisement *advertisement = calloc(1, sizeof *advertisement);
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    const struct cs_key *key = ag_renewal_newest_key(device);

    if (!advertisement)
        return cs_err_nomem(err);
    CS_PB_SET(&advertisement->deployment_id, CS_SLICE_ARRAY(device->identity.pin.deployment_id));
    CS_PB_SET(&advertisement->device_id, CS_SLICE_ARRAY(device->identity.device_id));
    advertisement->made_at_s = ag_device_now(device, NULL).now_s;
    snprintf(advertisement->agent_version, sizeof advertisement->agent_version, "%s", CS_VERSION);
    snprintf(advertisement->platform, sizeof advertisement->platform, "%s", AG_PLATFORM);
    advertise_connectors(device, advertisement);
    for (size_t i = 0; i < CS_ARRAY_LEN(known); i++)
        snprintf(advertisement->payload_types[advertisement->payload_types_count++],
                 sizeof advertisement->payload_types[0], "%s", cs_statement_type(known[i]));
    int code = ag_device_next_sequence(device, &advertisement->sequence, err);

    if (!code)
        code = cs_message_encode(countersign_v1_DeviceAdvertisement_fields, advertisement, &payload, err);
    if (!code)
        code = cs_envelope_sign(CS_STATEMENT_DEVICE_ADVERTISEMENT, cs_buf_slice(&payload), &key, 1, out, err);
    if (!code)
        ag_installed_told(&device->installed);
    return code;
}
