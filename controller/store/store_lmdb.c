/* The one file that knows LMDB (0.9.31). One unnamed database holds everything; keys that begin with a zero
 * byte are this file's own. A value is stored behind the first eight bytes of SHA-256(key ‖ value).
 *
 * A full disk. LMDB reports a write that the disk took only in part as EIO, the same as a failed fsync, and
 * the two must not be confused: the first is "refuse and go on", the second "stop". So room for a group is
 * reserved with fallocate() before LMDB writes; there a full disk is ENOSPC and nothing has happened yet. An
 * ENOSPC that a copying file system gives all the same comes before the meta page is written: nothing of the
 * group is visible, and its pages are written again before they are ever used, so going on is sound then,
 * too. Everything else that a commit fails with ends the process. */
#include "controller/store/store.h"

#include "controller/store/checksum.h"

#include "shared/crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECKSUM_BYTES = 8,
    KEY_BYTES = 511,       /* LMDB's limit as it is built by default */
    READERS = 512,         /* snapshots open at once, all threads; a slot is 64 bytes */
    PAGES_PER_WRITE = 5,   /* a B+ tree path of four, copied on write, and what a split adds */
    GROW_BYTES = 16 << 20, /* the file grows by this much at a time */
    SNAPSHOT_KEEP = 64,    /* idle read transactions kept to be renewed */
};

#define SCHEMA_KEY CS_SLICE_LIT("\0schema")

struct ctl_store {
    MDB_env *env;
    MDB_dbi dbi;
    int lock_fd;
    bool failed; /* a sync failed: nothing may be written any more */
    size_t page_bytes;
    uint64_t file_bytes;   /* reserved on disk */
    pthread_mutex_t mutex; /* guards idle */
    struct ctl_snapshot *idle;
    size_t idle_count;
    uint32_t schema;
};

struct ctl_snapshot {
    struct ctl_store *store;
    struct ctl_snapshot *next;
    MDB_txn *txn;
    MDB_cursor *cursor;
};

static bool is_full(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG || rc == MDB_MAP_FULL || rc == MDB_TXN_FULL;
}

/* LMDB's and the system's codes in ours. */
static int translate(int rc, const char *doing, struct cs_err *err)
{
    int code = CS_EINTERNAL;

    if (is_full(rc))
        code = CS_EFULL;
    else if (rc == ENOMEM)
        return cs_err_nomem(err);
    else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID)
        code = CS_ECORRUPT;
    else if (rc == MDB_READERS_FULL)
        code = CS_EBUSY;
    else if (rc == MDB_VERSION_MISMATCH)
        code = CS_EUNSUPPORTED;
    else if (rc == MDB_PANIC || rc > 0)
        code = CS_EIO;
    return cs_err_set(err, code, "%s: %s", doing, mdb_strerror(rc));
}

static MDB_val val(struct cs_slice slice)
{
    /* LMDB takes what it only reads by a pointer that is not const. */
    union {
        const void *in;
        void *out;
    } ptr = {slice.ptr};

    return (MDB_val){slice.len, ptr.out};
}

static struct cs_slice slice(MDB_val value)
{
    return cs_slice(value.mv_data, value.mv_size);
}

/* Big-endian, as every number in the store. */
static void checksum(struct cs_slice key, struct cs_slice value, uint8_t ret[CHECKSUM_BYTES])
{
    uint64_t sum = ctl_checksum(value, ctl_checksum(key, 0));

    for (size_t i = 0; i < CHECKSUM_BYTES; i++)
        ret[i] = (uint8_t)(sum >> (56 - 8 * i));
}

/* Takes the checksum off. */
static int check(struct cs_slice key, MDB_val stored, struct cs_slice *ret_value, struct cs_err *err)
{
    struct cs_slice whole = slice(stored);
    uint8_t sum[CHECKSUM_BYTES];
    struct cs_slice value;

    if (whole.len < CHECKSUM_BYTES)
        return cs_err_set(err, CS_ECORRUPT, "the store is damaged: a record is too short");
    value = cs_slice(whole.ptr + CHECKSUM_BYTES, whole.len - CHECKSUM_BYTES);
    checksum(key, value, sum);
    if (memcmp(whole.ptr, sum, CHECKSUM_BYTES) != 0)
        return cs_err_set(err, CS_ECORRUPT,
                          "the store is damaged: a record of table '%c' does not have its checksum; "
                          "restore it from a backup",
                          key.len && key.ptr[0] > ' ' && key.ptr[0] < 127 ? (char)key.ptr[0] : '?');
    *ret_value = value;
    return CS_OK;
}

static int put(MDB_txn *txn, MDB_dbi dbi, struct cs_slice key, struct cs_slice value)
{
    MDB_val key_val = val(key), room = {CHECKSUM_BYTES + value.len, NULL};
    int rc = mdb_put(txn, dbi, &key_val, &room, MDB_RESERVE);

    if (rc != MDB_SUCCESS)
        return rc;
    checksum(key, value, room.mv_data);
    if (value.len)
        memcpy((uint8_t *)room.mv_data + CHECKSUM_BYTES, value.ptr, value.len);
    return MDB_SUCCESS;
}

/* ---- opening */

static int take_lock(struct ctl_store *store, const char *folder, struct cs_err *err)
{
    char path[4096];

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return cs_err_set(err, CS_EIO, "cannot make the folder %s: %s", folder, strerror(errno));
    if (snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path)
        return cs_err_set(err, CS_EINVAL, "the path of the store is too long");
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return cs_err_set(err, CS_EIO, "cannot open %s: %s", path, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return cs_err_set(err, CS_EBUSY, "another countersignd already uses %s: stop it first", folder);
    return CS_OK;
}

static size_t default_map_bytes(void)
{
    /* Address space, not memory. Growing it later needs that nobody reads, so it is large from the start. */
    return sizeof(size_t) >= 8 ? (size_t)((uint64_t)256 << 30) : (size_t)1 << 30;
}

static int open_env(struct ctl_store *store, const char *folder, size_t map_bytes, struct cs_err *err)
{
    MDB_stat stat;
    int rc = mdb_env_create(&store->env);

    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_mapsize(store->env, map_bytes ? map_bytes : default_map_bytes());
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(store->env, READERS);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(store->env, folder, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_stat(store->env, &stat);
    if (rc != MDB_SUCCESS) {
        translate(rc, "opening the store", err);
        return cs_err_prefix(err, "%s", folder);
    }
    store->page_bytes = stat.ms_psize;
    return CS_OK;
}

static const uint8_t our_schema[4] = {0, 0, 0, CTL_STORE_SCHEMA};

static int check_schema(uint32_t schema, struct cs_err *err)
{
    if (schema >= CTL_STORE_SCHEMA_OLDEST && schema <= CTL_STORE_SCHEMA)
        return CS_OK;
    if (schema > CTL_STORE_SCHEMA)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the store has schema %u and this program knows schema %u only: run the newer "
                          "countersignd that wrote it",
                          (unsigned)schema, (unsigned)CTL_STORE_SCHEMA);
    return cs_err_set(err, CS_EUNSUPPORTED,
                      "the store has schema %u and this program upgrades from schema %u on: run the older "
                      "countersignd that wrote it",
                      (unsigned)schema, (unsigned)CTL_STORE_SCHEMA_OLDEST);
}

/* The number first: another schema may have another checksum. */
static int read_schema(MDB_val stored, uint32_t *ret, struct cs_err *err)
{
    const uint8_t *number = (const uint8_t *)stored.mv_data + CHECKSUM_BYTES;
    struct cs_slice value;
    int rc;

    if (stored.mv_size != CHECKSUM_BYTES + 4)
        return cs_err_set(err, CS_ECORRUPT, "the store is damaged: its schema is not a number");
    *ret = (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 | (uint32_t)number[2] << 8 | number[3];
    rc = check_schema(*ret, err);
    return rc == CS_OK ? check(SCHEMA_KEY, stored, &value, err) : rc;
}

/* Opens the database; a new one gets our schema, another one must have it. */
static int open_dbi(struct ctl_store *store, struct cs_err *err)
{
    MDB_val key = val(SCHEMA_KEY), stored;
    MDB_stat stat;
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != MDB_SUCCESS)
        return translate(rc, "opening the store", err);
    rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
    if (rc == MDB_SUCCESS)
        rc = mdb_stat(txn, store->dbi, &stat);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return translate(rc, "opening the store", err);
    }
    if (stat.ms_entries != 0) {
        rc = mdb_get(txn, store->dbi, &key, &stored);
        rc = rc == MDB_NOTFOUND
                 ? cs_err_set(err, CS_EUNSUPPORTED, "the store was not written by countersignd")
             : rc != MDB_SUCCESS ? translate(rc, "reading the store's schema", err)
                                 : read_schema(stored, &store->schema, err);
        if (rc != CS_OK) {
            mdb_txn_abort(txn);
            return rc;
        }
    } else {
        store->schema = CTL_STORE_SCHEMA;
        rc = put(txn, store->dbi, SCHEMA_KEY, CS_SLICE_ARRAY(our_schema));
        if (rc != MDB_SUCCESS) {
            mdb_txn_abort(txn);
            return translate(rc, "writing the store's schema", err);
        }
    }
    rc = mdb_txn_commit(txn);
    return rc == MDB_SUCCESS ? CS_OK : translate(rc, "opening the store", err);
}

/* A file whose folder is not on disk is lost with it. */
static int sync_folder(const char *folder, struct cs_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0
                 ? cs_err_set(err, CS_EIO, "cannot sync the folder %s: %s", folder, strerror(errno))
                 : CS_OK;

    if (fd >= 0)
        close(fd);
    return rc;
}

int ctl_store_open(const char *folder, size_t map_bytes, struct ctl_store **ret, struct cs_err *err)
{
    struct ctl_store *store = calloc(1, sizeof *store);
    int rc;

    if (!store)
        return cs_err_nomem(err);
    store->lock_fd = -1;
    pthread_mutex_init(&store->mutex, NULL);
    rc = take_lock(store, folder, err);
    if (rc == CS_OK)
        rc = open_env(store, folder, map_bytes, err);
    if (rc == CS_OK) {
        rc = open_dbi(store, err);
        if (rc != CS_OK)
            cs_err_prefix(err, "%s", folder);
    }
    if (rc == CS_OK)
        rc = sync_folder(folder, err);
    if (rc != CS_OK) {
        ctl_store_close(store);
        return rc;
    }
    *ret = store;
    return CS_OK;
}

static void snapshot_free(struct ctl_snapshot *snapshot)
{
    mdb_cursor_close(snapshot->cursor);
    mdb_txn_abort(snapshot->txn);
    free(snapshot);
}

void ctl_store_close(struct ctl_store *store)
{
    if (!store)
        return;
    while (store->idle) {
        struct ctl_snapshot *snapshot = store->idle;

        store->idle = snapshot->next;
        snapshot_free(snapshot);
    }
    if (store->env)
        mdb_env_close(store->env);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

/* ---- reading */

static struct ctl_snapshot *take_idle(struct ctl_store *store)
{
    struct ctl_snapshot *snapshot;

    pthread_mutex_lock(&store->mutex);
    snapshot = store->idle;
    if (snapshot) {
        store->idle = snapshot->next;
        store->idle_count--;
    }
    pthread_mutex_unlock(&store->mutex);
    return snapshot;
}

static int snapshot_new(struct ctl_store *store, struct ctl_snapshot **ret)
{
    struct ctl_snapshot *snapshot = calloc(1, sizeof *snapshot);
    int rc;

    if (!snapshot)
        return ENOMEM;
    snapshot->store = store;
    rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &snapshot->txn);
    if (rc == MDB_SUCCESS) {
        rc = mdb_cursor_open(snapshot->txn, store->dbi, &snapshot->cursor);
        if (rc != MDB_SUCCESS)
            mdb_txn_abort(snapshot->txn);
    }
    if (rc != MDB_SUCCESS) {
        free(snapshot);
        return rc;
    }
    *ret = snapshot;
    return MDB_SUCCESS;
}

int ctl_snapshot_open(struct ctl_store *store, struct ctl_snapshot **ret, struct cs_err *err)
{
    struct ctl_snapshot *snapshot = take_idle(store);
    int rc;

    if (!snapshot) {
        rc = snapshot_new(store, &snapshot);
        if (rc != MDB_SUCCESS)
            return translate(rc, "reading the store", err);
    } else {
        rc = mdb_txn_renew(snapshot->txn);
        if (rc == MDB_SUCCESS)
            rc = mdb_cursor_renew(snapshot->txn, snapshot->cursor);
        if (rc != MDB_SUCCESS) {
            snapshot_free(snapshot);
            return translate(rc, "reading the store", err);
        }
    }
    *ret = snapshot;
    return CS_OK;
}

void ctl_snapshot_close(struct ctl_snapshot *snapshot)
{
    struct ctl_store *store;

    if (!snapshot)
        return;
    store = snapshot->store;
    mdb_txn_reset(snapshot->txn);
    pthread_mutex_lock(&store->mutex);
    if (store->idle_count < SNAPSHOT_KEEP) {
        snapshot->next = store->idle;
        store->idle = snapshot;
        store->idle_count++;
        snapshot = NULL;
    }
    pthread_mutex_unlock(&store->mutex);
    if (snapshot)
        snapshot_free(snapshot);
}

int ctl_snapshot_get(struct ctl_snapshot *snapshot, struct cs_slice key, struct cs_slice *ret_value,
                     struct cs_err *err)
{
    MDB_val key_val = val(key), stored;
    int rc = mdb_get(snapshot->txn, snapshot->store->dbi, &key_val, &stored);

    if (rc == MDB_NOTFOUND)
        return cs_err_set(err, CS_ENOTFOUND, "no such record");
    if (rc != MDB_SUCCESS)
        return translate(rc, "reading the store", err);
    return check(key, stored, ret_value, err);
}

/* Puts the cursor on the last pair before `end` (empty: the last of all). */
static int seek_before(MDB_cursor *cursor, struct cs_slice end, MDB_val *key, MDB_val *stored)
{
    int rc = MDB_NOTFOUND;

    /* A key longer than LMDB's cannot be looked for: what is before it is what is not after its beginning. */
    if (end.len > KEY_BYTES)
        end.len = KEY_BYTES;
    if (end.len) {
        *key = val(end);
        rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);
    }
    return mdb_cursor_get(cursor, key, stored,
                          rc == MDB_SUCCESS    ? MDB_PREV
                          : rc == MDB_NOTFOUND ? MDB_LAST
                                               : MDB_GET_CURRENT);
}

/* The first key behind all that begin with the prefix; empty: there is none. */
static struct cs_slice prefix_end(struct cs_slice prefix, uint8_t room[KEY_BYTES])
{
    while (prefix.len && prefix.ptr[prefix.len - 1] == 0xff)
        prefix.len--;
    if (prefix.len == 0)
        return CS_SLICE_EMPTY;
    memcpy(room, prefix.ptr, prefix.len);
    room[prefix.len - 1]++;
    return cs_slice(room, prefix.len);
}

int ctl_snapshot_seek(struct ctl_snapshot *snapshot, struct cs_slice prefix, struct cs_slice from,
                      bool reverse, struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    uint8_t room[KEY_BYTES];
    MDB_val key, stored;
    int rc;

    cs_assert(prefix.len <= KEY_BYTES);
    if (reverse) {
        struct cs_slice end = prefix_end(prefix, room);

        if (from.len == 0 || (end.len && cs_slice_cmp(end, from) < 0))
            from = end;
        rc = seek_before(snapshot->cursor, from, &key, &stored);
    } else {
        if (cs_slice_cmp(from, prefix) < 0)
            from = prefix;
        cs_assert(from.len <= KEY_BYTES);
        key = val(from);
        rc = from.len ? mdb_cursor_get(snapshot->cursor, &key, &stored, MDB_SET_RANGE)
                      : mdb_cursor_get(snapshot->cursor, &key, &stored, MDB_FIRST);
        /* Our own rows come first and are not for the caller. */
        while (rc == MDB_SUCCESS && slice(key).ptr[0] == 0)
            rc = mdb_cursor_get(snapshot->cursor, &key, &stored, MDB_NEXT);
    }
    if (rc == MDB_SUCCESS && (!cs_slice_starts_with(slice(key), prefix) || slice(key).ptr[0] == 0))
        rc = MDB_NOTFOUND;
    if (rc == MDB_NOTFOUND)
        return cs_err_set(err, CS_ENOTFOUND, "no more records");
    if (rc != MDB_SUCCESS)
        return translate(rc, "reading the store", err);
    *ret_key = slice(key);
    return check(*ret_key, stored, ret_value, err);
}

/* ---- writing */

static int refuse_room(int rc, struct cs_err *err)
{
    if (!is_full(rc))
        return translate(rc, "reserving room in the store", err);
    return cs_err_set(err, CS_EFULL,
                      "the disk has no room for the store (%s): nothing was changed; make room and try again",
                      mdb_strerror(rc));
}

/* Makes the file as large as the commit may need it. */
static int reserve_room(struct ctl_store *store, const struct ctl_write *writes, size_t count,
                        struct cs_err *err)
{
    uint64_t need = 0;
    MDB_envinfo info;
    int fd, rc;

    for (size_t i = 0; i < count; i++)
        need += PAGES_PER_WRITE * store->page_bytes + 2 * (writes[i].key.len + writes[i].value.len);
    rc = mdb_env_info(store->env, &info);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_get_fd(store->env, &fd);
    if (rc != MDB_SUCCESS)
        return translate(rc, "reserving room in the store", err);
    need += (info.me_last_pgno + 1) * (uint64_t)store->page_bytes;
    /* The map's own end is LMDB's to report. */
    if (need > info.me_mapsize)
        need = info.me_mapsize;
    if (need <= store->file_bytes)
        return CS_OK;

    for (uint64_t step = GROW_BYTES; store->file_bytes < need; step = store->page_bytes) {
        uint64_t size = (need + step - 1) / step * step;

        rc = fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : errno;
        if (rc == 0 || rc == EOPNOTSUPP) /* then LMDB's own writes find out */
            store->file_bytes = size;
        else if (rc != EINTR && step == store->page_bytes)
            return refuse_room(rc, err);
    }
    return CS_OK;
}

static int write_all(struct ctl_store *store, MDB_txn *txn, const struct ctl_write *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MDB_val key = val(writes[i].key);
        int rc;

        cs_assert(writes[i].key.len != 0 && writes[i].key.ptr[0] != 0 && writes[i].key.len <= KEY_BYTES);
        if (writes[i].value.ptr) {
            rc = put(txn, store->dbi, writes[i].key, writes[i].value);
        } else {
            rc = mdb_del(txn, store->dbi, &key, NULL);
            if (rc == MDB_NOTFOUND)
                rc = MDB_SUCCESS;
        }
        if (rc != MDB_SUCCESS)
            return rc;
    }
    return MDB_SUCCESS;
}

uint32_t ctl_store_schema(const struct ctl_store *store)
{
    return store->schema;
}

int ctl_store_raise_schema(struct ctl_store *store, struct cs_err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != MDB_SUCCESS)
        return translate(rc, "raising the store's schema", err);
    rc = put(txn, store->dbi, SCHEMA_KEY, CS_SLICE_ARRAY(our_schema));
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return translate(rc, "raising the store's schema", err);
    }
    rc = mdb_txn_commit(txn);
    if (rc != MDB_SUCCESS)
        return translate(rc, "raising the store's schema", err);
    store->schema = CTL_STORE_SCHEMA;
    return CS_OK;
}

int ctl_store_commit(struct ctl_store *store, const struct ctl_write *writes, size_t count,
                     struct cs_err *err)
{
    MDB_txn *txn;
    int rc;

    if (store->failed)
        return cs_err_set(err, CS_EIO, "writing the store failed before: the process must end");
    rc = reserve_room(store, writes, count, err);
    if (rc != CS_OK)
        return rc;
    rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return translate(rc, "writing the store", err);
    rc = write_all(store, txn, writes, count);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return translate(rc, "writing the store", err);
    }
    rc = mdb_txn_commit(txn);
    if (rc == MDB_SUCCESS)
        return CS_OK;
    if (is_full(rc) || rc == ENOMEM)
        return translate(rc, "writing the store", err);
    store->failed = true;
    return cs_err_set(err, CS_EIO, "writing the store to disk failed: %s", mdb_strerror(rc));
}
