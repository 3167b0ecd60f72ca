/* What must hold of the controller's records between any two commands. Everything that is counted or indexed
 * is counted and looked up again from the rows themselves. */
#include "controller/core/inventory.h"
#include "controller/core/workflow.h"
#include "tests/support/control.h"

struct counts {
    uint32_t orders_open, requests_open, reservations, devices, certificates, living, due;
    uint32_t entries, entries_due; /* of the inventory's indexes: there, and as the rows want them */
};

struct entries {
    struct control *c;
    uint32_t *count;
};

static struct cs_slice key_at(const struct control *c, size_t i)
{
    return cs_buf_slice(&c->store.pairs[i].key);
}

static bool has(struct control *c, const struct ctl_key *key)
{
    struct ctl_source source = memview_source(&c->store);
    struct cs_slice value;

    return source.get(source.data, ctl_key_slice(key), &value, NULL) == CS_OK;
}

static void decode(struct control *c, size_t i, const pb_msgdesc_t *fields, void *row)
{
    struct cs_err err;

    cs_assert(ctl_record_decode(cs_buf_slice(&c->store.pairs[i].value), fields, row, &err) == CS_OK);
}

static void check_order(struct control *c, size_t i, struct counts *counts)
{
    ctl_order_row order;
    struct ctl_key live, generation, due;
    bool ended;

    decode(c, i, countersign_store_v1_Order_fields, &order);
    ended = ctl_phase_info(order.phase)->ended;
    live = ctl_key_generation(CTL_TABLE_LIVE, CTL_BYTES(order.device_id), order.connector, order.generation);
    generation = ctl_key_generation(CTL_TABLE_GENERATION, CTL_BYTES(order.device_id), order.connector,
                                    order.generation);
    due = ctl_key_due(order.due_s, CTL_DUE_ORDER, order.number);
    cs_assert(order.phase != countersign_store_v1_Phase_PHASE_NEW);
    cs_assert(has(c, &live) == !ended);
    cs_assert(has(c, &generation));
    cs_assert(order.due_s == 0 || has(c, &due));
    /* Whatever is fully decided and not ended has an end that the clock will see. */
    cs_assert(ctl_phase_info(order.phase)->undecided || ended ? order.due_s == 0 : order.due_s != 0);
    counts->orders_open += !ended;
    counts->due += order.due_s != 0;
}

static void check_request(struct control *c, size_t i, struct counts *counts)
{
    ctl_request_row request;
    uint32_t in[16] = {0}, open = 0, undecided = 0;
    struct ctl_key key, due;

    decode(c, i, countersign_store_v1_Request_fields, &request);
    cs_assert(request.orders_in_count == CS_ARRAY_LEN(request.orders_in));
    for (uint32_t index = 0; index < request.order_count; index++) {
        ctl_order_row order = control_order(c, request.first_order + index);

        cs_assert(order.request_number == request.number && order.index == index);
        in[ctl_phase_info(order.phase)->shown]++;
        open += !ctl_phase_info(order.phase)->ended;
        undecided += ctl_phase_info(order.phase)->undecided;
    }
    for (size_t state = 0; state < CS_ARRAY_LEN(in); state++)
        cs_assert(request.orders_in[state] == in[state]);
    key = ctl_key_number(CTL_TABLE_OPEN_REQUEST, request.number);
    due = ctl_key_due(request.decide_by_s, CTL_DUE_DECIDE_BY, request.number);
    cs_assert(has(c, &key) == (open != 0));
    cs_assert(has(c, &due) == (undecided != 0));
    cs_assert((request.stage != 0) <= (undecided != 0));
    counts->requests_open += open != 0;
}

static void check_due(struct control *c, size_t i, struct counts *counts)
{
    enum ctl_due_kind kind;
    uint64_t number;
    int64_t due_s;

    cs_assert(ctl_key_parse_due(key_at(c, i), &due_s, &kind, &number));
    if (kind != CTL_DUE_ORDER)
        return;
    cs_assert(control_order(c, number).due_s == due_s);
    cs_assert(counts->due-- > 0);
}

static int check_entry(void *data, const struct ctl_key *key)
{
    struct entries *entries = data;

    cs_assert(has(entries->c, key));
    ++*entries->count;
    return CS_OK;
}

static void check_certificate(struct control *c, size_t i, struct counts *counts)
{
    struct entries entries = {c, &counts->entries_due};
    ctl_certificate_row certificate;
    uint32_t attachments = 0, failed = 0, changed = 0;
    struct ctl_key prefix, chain;

    decode(c, i, countersign_store_v1_Certificate_fields, &certificate);
    prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, CTL_BYTES(certificate.id));
    chain = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(certificate.chain_digest));
    cs_assert(has(c, &chain));
    for (size_t j = 0; j < c->store.count; j++) {
        ctl_attachment_row attachment;
        struct ctl_key reverse;

        if (!cs_slice_starts_with(key_at(c, j), ctl_key_slice(&prefix)))
            continue;
        decode(c, j, countersign_store_v1_Attachment_fields, &attachment);
        reverse = ctl_key_attached(attachment.device_name, attachment.connector, CTL_BYTES(certificate.id));
        cs_assert(has(c, &reverse));
        attachments++;
        failed += attachment.condition == countersign_store_v1_Condition_CONDITION_FAILED;
        changed += attachment.condition == countersign_store_v1_Condition_CONDITION_CHANGED;
    }
    cs_assert(certificate.attachments == attachments && certificate.failed == failed &&
              certificate.changed == changed);
    cs_assert(ctl_inventory_entries(&certificate, check_entry, &entries) == CS_OK);
}

static void check_device(struct control *c, size_t i)
{
    ctl_device_row device;
    ctl_name_row name;
    struct ctl_key identity, by_name;
    struct cs_digest digest;

    decode(c, i, countersign_store_v1_Device_fields, &device);
    digest = cs_sha256(CTL_BYTES(device.identity_spki));
    identity = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    by_name = ctl_key_name(CTL_TABLE_NAME, device.name);
    cs_assert(has(c, &identity));
    cs_assert(control_get(c, &by_name, countersign_store_v1_DeviceName_fields, &name));
    cs_assert(cs_slice_eq(CTL_BYTES(device.device_id),
                          device.admitted ? CTL_BYTES(name.device_id) : CTL_BYTES(name.pending_id)));
}

/* By the words of proto/README.md, not by the function that wrote it. */
static void check_audit(struct control *c, size_t i, struct cs_digest *hash, uint64_t *revision)
{
    countersign_v1_AuditRecord record;
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_digest said, found;
    struct cs_err err;
    struct cs_slice parts[3];

    decode(c, i, countersign_v1_AuditRecord_fields, &record);
    cs_assert(record.revision == ++*revision && record.hash.size == sizeof said.bytes);
    memcpy(said.bytes, record.hash.bytes, sizeof said.bytes);
    memset(&record.hash, 0, sizeof record.hash);
    cs_assert(cs_message_encode(countersign_v1_AuditRecord_fields, &record, &bytes, &err) == CS_OK);
    parts[0] = CS_SLICE_LIT("countersign/v1/audit-record");
    parts[1] = cs_digest_slice(hash);
    parts[2] = cs_buf_slice(&bytes);
    found = cs_sha256_parts(parts, 3);
    cs_assert(cs_digest_eq(&said, &found));
    *hash = said;
}

/* One for each revision, in its order. */
static void check_changes(struct control *c, size_t i, uint64_t *revision)
{
    cs_auto_free ctl_changes_row *row = calloc(1, sizeof *row);

    cs_assert(row && ctl_key_last_u64(key_at(c, i)) == ++*revision);
    decode(c, i, countersign_store_v1_Changes_fields, row);
}

/* Nobody keeps a sealed key longer than it can be of use. */
static void check_sealed_key(struct control *c, size_t i)
{
    struct cs_slice key = key_at(c, i);
    uint64_t number = ctl_key_last_u64(cs_slice(key.ptr, key.len - 4));
    struct ctl_key reserved = ctl_key_number(CTL_TABLE_RESERVATION, number);
    ctl_request_row request;

    if (has(c, &reserved))
        return;
    request = control_request(c, number);
    cs_assert(
        !ctl_phase_info(
             control_order(c, request.first_order + key.ptr[key.len - 1] + 256u * key.ptr[key.len - 2]).phase)
             ->ended);
}

static void check_waiting_key_request(struct control *c, size_t i)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, cs_buf_slice(&c->store.pairs[i].value));
    ctl_key_request_row row;

    cs_assert(control_get(c, &key, countersign_store_v1_KeyRequest_fields, &row));
    cs_assert(row.state == countersign_v1_KeyRequestState_KEY_REQUEST_STATE_WAITING);
}

void control_check(struct control *c)
{
    ctl_meta_row meta = control_meta(c);
    struct counts counts = {0};
    struct cs_digest hash = {{0}};
    uint64_t revision = 0, told = 0;

    for (size_t i = 0; i < c->store.count; i++) {
        switch (key_at(c, i).ptr[0]) {
        case CTL_TABLE_ORDER:
            check_order(c, i, &counts);
            break;
        case CTL_TABLE_REQUEST:
            check_request(c, i, &counts);
            break;
        case CTL_TABLE_CERTIFICATE:
            check_certificate(c, i, &counts);
            counts.certificates++;
            break;
        case CTL_TABLE_DEVICE:
            check_device(c, i);
            break;
        case CTL_TABLE_NAME: {
            ctl_name_row name;

            decode(c, i, countersign_store_v1_DeviceName_fields, &name);
            counts.devices += name.device_id.size || name.pending_id.size;
            break;
        }
        case CTL_TABLE_RESERVATION:
            counts.reservations++;
            break;
        case CTL_TABLE_LIVE:
            counts.living++;
            break;
        case CTL_TABLE_AUDIT:
            check_audit(c, i, &hash, &revision);
            break;
        case CTL_TABLE_CHANGES:
            check_changes(c, i, &told);
            break;
        case CTL_TABLE_SEALED_KEY:
            check_sealed_key(c, i);
            break;
        case CTL_TABLE_CERTIFICATE_NAME:
        case CTL_TABLE_CERTIFICATE_BY:
        case CTL_TABLE_CERTIFICATE_WORD:
        case CTL_TABLE_CERTIFICATE_GROUP:
        case CTL_TABLE_CERTIFICATE_NAMES:
        case CTL_TABLE_ISSUED:
            counts.entries++;
            break;
        case CTL_TABLE_DEVICE_KEY_REQUEST:
            check_waiting_key_request(c, i);
            break;
        default:
            break;
        }
    }
    /* Orders come before the queue in the order of keys, so their entries are all counted by now. */
    for (size_t i = 0; i < c->store.count; i++)
        if (key_at(c, i).ptr[0] == CTL_TABLE_DUE)
            check_due(c, i, &counts);
    cs_assert(counts.due == 0);
    cs_assert(counts.entries == counts.entries_due);
    cs_assert(counts.living == counts.orders_open);
    cs_assert(meta.orders_open == counts.orders_open && meta.requests_open == counts.requests_open);
    cs_assert(meta.reservations == counts.reservations && meta.devices == counts.devices);
    cs_assert(meta.certificates == counts.certificates && meta.revision == revision);
    cs_assert(told == revision);
    cs_assert(revision == 0 || cs_slice_eq(CTL_BYTES(meta.audit_hash), cs_digest_slice(&hash)));
}
