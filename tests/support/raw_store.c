#include "tests/support/raw_store.h"

#include "controller/store/checksum.h"
#include "shared/base/macros.h"

#include <lmdb.h>

enum { CHECKSUM_BYTES = 8 };

void raw_store_put(const char *folder, struct cs_slice key, struct cs_slice value, bool with_room)
{
    uint8_t key_bytes[16], bytes[CHECKSUM_BYTES + 64] = {0};
    size_t room = with_room ? CHECKSUM_BYTES : 0;
    MDB_val key_val = {key.len, key_bytes}, value_val = {room + value.len, bytes};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    cs_assert(key.len <= sizeof key_bytes && value.len <= sizeof bytes - CHECKSUM_BYTES);
    memcpy(key_bytes, key.ptr, key.len);
    memcpy(bytes + room, value.ptr, value.len);
    cs_assert(mdb_env_create(&env) == 0);
    cs_assert(mdb_env_open(env, folder, 0, 0600) == 0);
    cs_assert(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    cs_assert(mdb_dbi_open(txn, NULL, 0, &dbi) == 0);
    cs_assert(mdb_put(txn, dbi, &key_val, &value_val, 0) == 0);
    cs_assert(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

void raw_store_schema(const char *folder, uint8_t schema)
{
    const struct cs_slice key = CS_SLICE_LIT("\0schema");
    uint8_t value[CHECKSUM_BYTES + 4] = {[CHECKSUM_BYTES + 3] = schema};
    uint64_t sum = ctl_checksum(cs_slice(value + CHECKSUM_BYTES, 4), ctl_checksum(key, 0));

    for (size_t i = 0; i < CHECKSUM_BYTES; i++)
        value[i] = (uint8_t)(sum >> (56 - 8 * i));
    raw_store_put(folder, key, CS_SLICE_ARRAY(value), false);
}
