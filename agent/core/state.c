#include "agent/core/state.h"

#include "shared/base/reader.h"

/* Version 1 had no removals. It is read, and written no more. */
static const char magic[] = "countersign-agent-state 2\n";
static const char magic_1[] = "countersign-agent-state 1\n";

void ag_state_init(struct ag_state *state, struct cs_slice device_id)
{
    *state = (struct ag_state){.time_floor_s = AG_BUILD_TIME_S};
    cs_assert(device_id.len == sizeof state->device_id);
    memcpy(state->device_id, device_id.ptr, device_id.len);
}

void ag_state_free(struct ag_state *state)
{
    for (size_t i = 0; i < state->connector_count; i++) {
        for (size_t k = 0; k < AG_LIMIT_ORDERS_KEPT; k++)
            cs_buf_free(&state->connectors[i].orders[k].account);
    }
    free(state->connectors);
    *state = (struct ag_state){0};
}

/* ---- writing: a failure sticks, as in a reader */

struct writer {
    struct cs_buf *out;
    int code;
};

static void put(struct writer *writer, struct cs_slice bytes)
{
    if (!writer->code)
        writer->code = cs_buf_append(writer->out, bytes);
}

static void put_u8(struct writer *writer, uint8_t value)
{
    put(writer, cs_slice(&value, 1));
}

static void put_u32(struct writer *writer, uint32_t value)
{
    if (!writer->code)
        writer->code = cs_buf_append_u32(writer->out, value);
}

static void put_u64(struct writer *writer, uint64_t value)
{
    if (!writer->code)
        writer->code = cs_buf_append_u64(writer->out, value);
}

static void put_order(struct writer *writer, const struct ag_order *order)
{
    put(writer, CS_SLICE_ARRAY(order->order_id));
    put(writer, cs_digest_slice(&order->core_digest));
    put_u8(writer, (uint8_t)order->phase);
    put_u8(writer, order->acknowledged);
    put_u8(writer, order->removes);
    put_u64(writer, order->generation);
    put_u64(writer, order->previous_generation);
    put_u32(writer, order->attempt);
    put(writer, cs_digest_slice(&order->chain_digest));
    put_u32(writer, (uint32_t)order->account.len);
    put(writer, cs_buf_slice(&order->account));
}

static void put_connector(struct writer *writer, const struct ag_connector_state *connector)
{
    struct cs_slice name = cs_slice_str(connector->name);

    put_u8(writer, (uint8_t)name.len);
    put(writer, name);
    put_u64(writer, connector->highest_generation);
    put_u64(writer, connector->installed_generation);
    put(writer, cs_digest_slice(&connector->installed_digest));
    put_u8(writer, (uint8_t)connector->order_count);
    for (size_t i = 0; i < connector->order_count; i++)
        put_order(writer, &connector->orders[i]);
}

int ag_state_encode(const struct ag_state *state, struct cs_buf *out, struct cs_err *err)
{
    size_t start = out->len;
    struct writer writer = {out, CS_OK};

    put(&writer, cs_slice_str(magic));
    put(&writer, CS_SLICE_ARRAY(state->device_id));
    put_u32(&writer, state->policy_version);
    put_u64(&writer, (uint64_t)state->time_floor_s);
    put_u64(&writer, state->sequence_reserved);
    put_u32(&writer, (uint32_t)state->connector_count);
    for (size_t i = 0; i < state->connector_count; i++)
        put_connector(&writer, &state->connectors[i]);
    if (!writer.code) {
        struct cs_digest digest = cs_sha256(cs_slice_from(cs_buf_slice(out), start));

        put(&writer, cs_digest_slice(&digest));
    }
    if (!writer.code)
        return CS_OK;
    out->len = start;
    return cs_err_set(err, writer.code, "the device's state cannot be written: %s",
                      cs_code_text(writer.code));
}

/* ---- reading */

static int take_order(struct cs_reader *reader, bool version_1, struct ag_order *order)
{
    cs_reader_copy(reader, order->order_id, sizeof order->order_id);
    cs_reader_copy(reader, order->core_digest.bytes, sizeof order->core_digest.bytes);
    order->phase = (enum ag_phase)cs_reader_u8(reader);
    order->acknowledged = cs_reader_u8(reader) == 1;
    order->removes = !version_1 && cs_reader_u8(reader) == 1;
    order->generation = cs_reader_u64(reader);
    order->previous_generation = cs_reader_u64(reader);
    order->attempt = cs_reader_u32(reader);
    cs_reader_copy(reader, order->chain_digest.bytes, sizeof order->chain_digest.bytes);
    struct cs_slice account = cs_reader_take(reader, cs_reader_u32(reader));

    if (!cs_reader_ok(reader) || order->phase == AG_PHASE_NONE || order->phase > AG_PHASE_COMPLETED)
        return CS_ECORRUPT;
    return cs_buf_append(&order->account, account);
}

static int take_connector(struct cs_reader *reader, bool version_1, struct ag_connector_state *connector)
{
    size_t name_len = cs_reader_u8(reader);

    if (name_len == 0 || name_len > CS_LIMIT_NAME_BYTES)
        return CS_ECORRUPT;
    cs_reader_copy(reader, connector->name, name_len);
    connector->highest_generation = cs_reader_u64(reader);
    connector->installed_generation = cs_reader_u64(reader);
    cs_reader_copy(reader, connector->installed_digest.bytes, sizeof connector->installed_digest.bytes);
    connector->order_count = cs_reader_u8(reader);
    if (!cs_reader_ok(reader) || connector->order_count > AG_LIMIT_ORDERS_KEPT)
        return CS_ECORRUPT;
    for (size_t i = 0; i < connector->order_count; i++) {
        int code = take_order(reader, version_1, &connector->orders[i]);

        if (code)
            return code;
    }
    return CS_OK;
}

static int take_state(struct cs_reader *reader, bool version_1, struct ag_state *state)
{
    cs_reader_copy(reader, state->device_id, sizeof state->device_id);
    state->policy_version = cs_reader_u32(reader);
    state->time_floor_s = (int64_t)cs_reader_u64(reader);
    state->sequence_reserved = cs_reader_u64(reader);
    size_t count = cs_reader_u32(reader);

    if (!cs_reader_ok(reader) || count > AG_LIMIT_CONNECTORS_REMEMBERED)
        return CS_ECORRUPT;
    if (count > 0) {
        state->connectors = calloc(count, sizeof *state->connectors);
        if (!state->connectors)
            return CS_ENOMEM;
    }
    state->connector_count = count;
    for (size_t i = 0; i < count; i++) {
        int code = take_connector(reader, version_1, &state->connectors[i]);

        if (code)
            return code;
    }
    return cs_reader_done(reader) ? CS_OK : CS_ECORRUPT;
}

int ag_state_decode(struct cs_slice bytes, struct ag_state *ret, struct cs_err *err)
{
    struct cs_slice head = cs_slice_str(magic);
    bool version_1 = cs_slice_starts_with(bytes, cs_slice_str(magic_1));

    if ((!version_1 && !cs_slice_starts_with(bytes, head)) || bytes.len < head.len + CS_SHA256_BYTES)
        return cs_err_set(err, CS_ECORRUPT,
                          "the device's state is damaged or was written by another version");
    struct cs_slice body = cs_slice(bytes.ptr, bytes.len - CS_SHA256_BYTES);
    struct cs_digest digest = cs_sha256(body);

    if (!cs_slice_eq(cs_digest_slice(&digest), cs_slice_from(bytes, body.len)))
        return cs_err_set(err, CS_ECORRUPT, "the device's state is damaged: its checksum does not fit");
    struct ag_state state = {0};
    struct cs_reader reader = cs_reader(cs_slice_from(body, head.len));
    int code = take_state(&reader, version_1, &state);

    if (code) {
        ag_state_free(&state);
        return cs_err_set(err, code, "the device's state cannot be read: %s", cs_code_text(code));
    }
    *ret = state;
    return CS_OK;
}

/* ---- looking up */

struct ag_connector_state *ag_state_connector(const struct ag_state *state, const char *name)
{
    for (size_t i = 0; i < state->connector_count; i++) {
        if (strcmp(state->connectors[i].name, name) == 0)
            return &state->connectors[i];
    }
    return NULL;
}

int ag_state_connector_make(struct ag_state *state, const char *name, struct ag_connector_state **ret,
                            struct cs_err *err)
{
    struct ag_connector_state *known = ag_state_connector(state, name);

    if (known) {
        *ret = known;
        return CS_OK;
    }
    if (state->connector_count == AG_LIMIT_CONNECTORS_REMEMBERED)
        return cs_err_set(err, CS_EFULL, "this device remembers %d app connectors already",
                          (int)AG_LIMIT_CONNECTORS_REMEMBERED);
    struct ag_connector_state *grown =
        realloc(state->connectors, (state->connector_count + 1) * sizeof *grown);

    if (!grown)
        return cs_err_nomem(err);
    state->connectors = grown;
    struct ag_connector_state *made = &grown[state->connector_count++];

    *made = (struct ag_connector_state){0};
    size_t len = strlen(name);

    cs_assert(len <= CS_LIMIT_NAME_BYTES);
    memcpy(made->name, name, len + 1);
    *ret = made;
    return CS_OK;
}

struct ag_order *ag_state_order(const struct ag_state *state, struct cs_slice order_id,
                                struct ag_connector_state **ret_connector)
{
    for (size_t i = 0; i < state->connector_count; i++) {
        struct ag_connector_state *connector = &state->connectors[i];

        for (size_t k = 0; k < connector->order_count; k++) {
            if (!cs_slice_eq(CS_SLICE_ARRAY(connector->orders[k].order_id), order_id))
                continue;
            if (ret_connector)
                *ret_connector = connector;
            return &connector->orders[k];
        }
    }
    return NULL;
}
