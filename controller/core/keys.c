#include "controller/core/keys.h"

#include "shared/base/reader.h"

void ctl_key_add_bytes(struct ctl_key *key, struct cs_slice bytes)
{
    cs_assert(bytes.len <= sizeof key->bytes - key->len);
    if (bytes.len)
        memcpy(key->bytes + key->len, bytes.ptr, bytes.len);
    key->len += bytes.len;
}

void ctl_key_add_u8(struct ctl_key *key, uint8_t value)
{
    ctl_key_add_bytes(key, cs_slice(&value, 1));
}

void ctl_key_add_u32(struct ctl_key *key, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        ctl_key_add_u8(key, (uint8_t)(value >> shift));
}

void ctl_key_add_u64(struct ctl_key *key, uint64_t value)
{
    ctl_key_add_u32(key, (uint32_t)(value >> 32));
    ctl_key_add_u32(key, (uint32_t)value);
}

void ctl_key_add_name(struct ctl_key *key, const char *name)
{
    ctl_key_add_bytes(key, cs_slice(name, strlen(name) + 1));
}

struct ctl_key ctl_key(enum ctl_table table)
{
    struct ctl_key key;

    key.bytes[0] = (uint8_t)table;
    key.len = 1;
    return key;
}

struct ctl_key ctl_key_number(enum ctl_table table, uint64_t number)
{
    struct ctl_key key = ctl_key(table);

    ctl_key_add_u64(&key, number);
    return key;
}

struct ctl_key ctl_key_bytes(enum ctl_table table, struct cs_slice bytes)
{
    struct ctl_key key = ctl_key(table);

    ctl_key_add_bytes(&key, bytes);
    return key;
}

struct ctl_key ctl_key_name(enum ctl_table table, const char *name)
{
    struct ctl_key key = ctl_key(table);

    ctl_key_add_name(&key, name);
    return key;
}

struct ctl_key ctl_key_numbers(enum ctl_table table, uint64_t number, uint32_t place)
{
    struct ctl_key key = ctl_key_number(table, number);

    ctl_key_add_u32(&key, place);
    return key;
}

struct ctl_key ctl_key_connector(enum ctl_table table, struct cs_slice device_id, const char *connector)
{
    struct ctl_key key = ctl_key_bytes(table, device_id);

    ctl_key_add_name(&key, connector);
    return key;
}

struct ctl_key ctl_key_generation(enum ctl_table table, struct cs_slice device_id, const char *connector,
                                  uint64_t generation)
{
    struct ctl_key key = ctl_key_connector(table, device_id, connector);

    ctl_key_add_u64(&key, generation);
    return key;
}

struct ctl_key ctl_key_attachment(struct cs_slice certificate_id, const char *device_name,
                                  const char *connector)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ATTACHMENT, certificate_id);

    ctl_key_add_name(&key, device_name);
    ctl_key_add_name(&key, connector);
    return key;
}

struct ctl_key ctl_key_attached(const char *device_name, const char *connector,
                                struct cs_slice certificate_id)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_ATTACHED, device_name);

    ctl_key_add_name(&key, connector);
    ctl_key_add_bytes(&key, certificate_id);
    return key;
}

struct ctl_key ctl_key_due(int64_t due_s, enum ctl_due_kind kind, uint64_t number)
{
    struct ctl_key key = ctl_key(CTL_TABLE_DUE);

    /* Times before 1970 would sort last; nothing is due then. */
    ctl_key_add_u64(&key, due_s > 0 ? (uint64_t)due_s : 0);
    ctl_key_add_u8(&key, (uint8_t)kind);
    ctl_key_add_u64(&key, number);
    return key;
}

struct cs_slice ctl_key_last(struct cs_slice key, size_t len)
{
    return key.len < len ? CS_SLICE_EMPTY : cs_slice(key.ptr + key.len - len, len);
}

uint64_t ctl_key_last_u64(struct cs_slice key)
{
    struct cs_reader reader = cs_reader(ctl_key_last(key, 8));

    return cs_reader_u64(&reader);
}

bool ctl_key_parse_due(struct cs_slice key, int64_t *ret_due_s, enum ctl_due_kind *ret_kind,
                       uint64_t *ret_number)
{
    struct cs_reader reader = cs_reader(key);
    bool is_due = cs_reader_u8(&reader) == CTL_TABLE_DUE;
    uint64_t due_s = cs_reader_u64(&reader);
    uint8_t kind = cs_reader_u8(&reader);
    uint64_t number = cs_reader_u64(&reader);

    if (!is_due || !cs_reader_done(&reader) || due_s > INT64_MAX)
        return false;
    *ret_due_s = (int64_t)due_s;
    *ret_kind = (enum ctl_due_kind)kind;
    *ret_number = number;
    return true;
}
