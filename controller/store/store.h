/* store.h - the controller's memory: an ordered key-value space with snapshot reads and guarded, durable
 * write sets. Knows bytes only; what they mean is the core's (controller/core/keys.h). Behind it today: LMDB,
 * in store_lmdb.c alone; the interface asks for nothing that etcd could not do. Values are stored with a
 * checksum that covers key and value: damage is CS_ECORRUPT, not data.
 *
 * Threads: any number of snapshots, each used by one thread; commits by one thread at a time (the core's). */
#ifndef CTL_STORE_STORE_H
#define CTL_STORE_STORE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* Raised when the layout of keys or records changes. A store from the oldest one on is opened and has to be
 * upgraded (controller/upgrade.h); any other is refused with a clear sentence. */
enum { CTL_STORE_SCHEMA = 3, CTL_STORE_SCHEMA_OLDEST = 2 };

struct ctl_store;

/* Opens or creates the environment in `folder` (mode 0700) and takes its lock: a second process on the same
 * folder gets CS_EBUSY with a sentence. CS_EUNSUPPORTED for another schema. `map_bytes` 0: 256 GiB of address
 * space on 64-bit. */
CS_MUST_USE int ctl_store_open(const char *folder, size_t map_bytes, struct ctl_store **ret,
                               struct cs_err *err);
void ctl_store_close(struct ctl_store *store);
/* What it has, and: it has ours now, durable. */
uint32_t ctl_store_schema(const struct ctl_store *store);
CS_MUST_USE int ctl_store_raise_schema(struct ctl_store *store, struct cs_err *err);

/* A consistent view. Short-lived: a long one pins pages. */
struct ctl_snapshot;
CS_MUST_USE int ctl_snapshot_open(struct ctl_store *store, struct ctl_snapshot **ret, struct cs_err *err);
void ctl_snapshot_close(struct ctl_snapshot *snapshot);
CS_DEFINE_AUTO(ctl_snapshot_closep, struct ctl_snapshot, ctl_snapshot_close)

/* CS_OK with the value (valid until the snapshot is closed), or CS_ENOTFOUND. */
int ctl_snapshot_get(struct ctl_snapshot *snapshot, struct cs_slice key, struct cs_slice *ret_value,
                     struct cs_err *err);
/* The first pair at or after `from` (`reverse`: the last before it) that begins with `prefix`; CS_ENOTFOUND
 * at the end. An empty `from` is the beginning of the prefix, in reverse its end. Slices as above. */
int ctl_snapshot_seek(struct ctl_snapshot *snapshot, struct cs_slice prefix, struct cs_slice from,
                      bool reverse, struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err);

/* What one command writes. Owns its bytes. */
struct ctl_write {
    struct cs_slice key;
    struct cs_slice value; /* ptr NULL: delete */
};

/* Puts all writes into one transaction and syncs it to disk before it returns. CS_EFULL: nothing was written,
 * the store goes on (full disk or map). CS_EIO after a failed sync: the caller must end the process. Writes
 * are best given in key order. */
CS_MUST_USE int ctl_store_commit(struct ctl_store *store, const struct ctl_write *writes, size_t count,
                                 struct cs_err *err);

#endif
