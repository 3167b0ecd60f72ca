#include "agent/store.h"

#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>

static const struct ag_file_look secret = {.mode = 0600};

static int path_in(const struct ag_store *store, const char *name, char out[AG_LIMIT_PATH_BYTES],
                   struct cs_err *err)
{
    int len = snprintf(out, AG_LIMIT_PATH_BYTES, "%s/%s", store->folder, name);

    if (len < 0 || len >= AG_LIMIT_PATH_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "the path of the state folder is too long: %s", store->folder);
    return CS_OK;
}

static int load(const struct ag_store *store, const char *name, size_t limit_bytes, struct cs_buf *out,
                struct cs_err *err)
{
    char path[AG_LIMIT_PATH_BYTES];
    int code = path_in(store, name, path, err);

    return code ? code : store->port->read_file(store->port, path, limit_bytes, out, err);
}

static int save(const struct ag_store *store, const char *name, struct cs_slice content, struct cs_err *err)
{
    char path[AG_LIMIT_PATH_BYTES];
    int code = path_in(store, name, path, err);

    return code ? code : store->port->replace_file(store->port, path, content, &secret, err);
}

int ag_store_prepare(const struct ag_store *store, struct cs_err *err)
{
    /* Applications of other users pass through to connectors/NAME/; what is secret has mode 0600. */
    static const struct {
        const char *name;
        unsigned mode;
    } folders[] = {{"", 0711}, {"policies", 0700}, {"connectors", 0711}};

    for (size_t i = 0; i < CS_ARRAY_LEN(folders); i++) {
        char path[AG_LIMIT_PATH_BYTES];
        int code = path_in(store, folders[i].name, path, err);

        if (!code)
            code = store->port->make_folder(store->port, i == 0 ? store->folder : path, folders[i].mode, err);
        if (code)
            return code;
    }
    return CS_OK;
}

/* ---- identity and keys */

int ag_store_load_identity(const struct ag_store *store, struct ag_identity *ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = load(store, "identity", 16 * 1024, &bytes, err);

    if (code == CS_ENOTFOUND)
        return cs_err_set(
            err, CS_ENOTFOUND,
            "this device is not enrolled: ask for a token (`countersign device add NAME`) and run "
            "`countersign-agent enrol --token TOKEN`");
    return code ? code : ag_identity_decode(cs_buf_slice(&bytes), ret, err);
}

int ag_store_save_identity(const struct ag_store *store, const struct ag_identity *identity,
                           struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = ag_identity_encode(identity, &bytes, err);

    return code ? code : save(store, "identity", cs_buf_slice(&bytes), err);
}

static int load_key(const struct ag_store *store, const char *name, enum cs_key_use use, struct cs_key **ret,
                    struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    int code = load(store, name, CS_LIMIT_PRIVATE_KEY_BYTES, &pem, err);

    if (!code)
        code = cs_key_parse(cs_buf_slice(&pem), CS_SLICE_EMPTY, use, ret, err);
    if (code && code != CS_ENOTFOUND)
        cs_err_prefix(err, "the device's key %s", name);
    return code;
}

static const char *const identity_keys[] = {"identity.key", "identity-2.key"};

static int make_new_key(const struct ag_store *store, const char *name, enum cs_key_use use,
                        struct cs_key **ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_key *key = NULL;
    int code = cs_key_generate(use, &key, err);

    if (!code && cs_buf_reserve(&pem, 1024) != CS_OK)
        code = cs_err_nomem(err);
    if (!code)
        code = cs_key_export_pem(key, CS_SLICE_EMPTY, &pem, err);
    if (!code)
        code = save(store, name, cs_buf_slice(&pem), err);
    if (code)
        cs_key_free(key);
    else
        *ret = key;
    return code;
}

/* One that is there already is kept. */
static int make_key(const struct ag_store *store, const char *name, enum cs_key_use use, struct cs_key **ret,
                    struct cs_err *err)
{
    int code = load_key(store, name, use, ret, err);

    return code == CS_ENOTFOUND ? make_new_key(store, name, use, ret, err) : code;
}

int ag_store_load_keys(const struct ag_store *store, unsigned key_slot, struct ag_keys *ret,
                       struct cs_err *err)
{
    struct ag_keys keys = {0};
    int code = load_key(store, identity_keys[key_slot], CS_KEY_SIGN, &keys.identity, err);

    if (!code)
        code = load_key(store, "kem.key", CS_KEY_AGREE, &keys.kem, err);
    if (code)
        ag_keys_free(&keys);
    else
        *ret = keys;
    return code;
}

static int make_device_id(const struct ag_store *store, uint8_t ret[16], struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;
    char hex[33];
    int code = load(store, "device-id", 64, &text, err);

    if (!code && cs_unhex(cs_buf_slice(&text), ret, 16) == CS_OK)
        return CS_OK;
    if (code && code != CS_ENOTFOUND)
        return code;
    store->port->random(store->port, ret, 16);
    return save(store, "device-id", cs_slice_str(cs_hex(cs_slice(ret, 16), hex)), err);
}

int ag_store_make_keys(const struct ag_store *store, struct ag_keys *ret, uint8_t ret_device_id[16],
                       struct cs_err *err)
{
    struct ag_keys keys = {0};
    int code = make_device_id(store, ret_device_id, err);

    if (!code)
        code = make_key(store, identity_keys[0], CS_KEY_SIGN, &keys.identity, err);
    if (!code)
        code = make_key(store, "kem.key", CS_KEY_AGREE, &keys.kem, err);
    if (code)
        ag_keys_free(&keys);
    else
        *ret = keys;
    return code;
}

void ag_keys_free(struct ag_keys *keys)
{
    cs_key_free(keys->identity);
    cs_key_free(keys->kem);
    *keys = (struct ag_keys){0};
}

/* ---- a renewal */

int ag_store_make_fresh_key(const struct ag_store *store, unsigned slot, struct cs_key **ret,
                            struct cs_err *err)
{
    return make_new_key(store, identity_keys[slot], CS_KEY_SIGN, ret, err);
}

int ag_store_load_fresh_key(const struct ag_store *store, unsigned slot, struct cs_key **ret,
                            struct cs_err *err)
{
    return load_key(store, identity_keys[slot], CS_KEY_SIGN, ret, err);
}

static int drop(const struct ag_store *store, const char *name, struct cs_err *err)
{
    char path[AG_LIMIT_PATH_BYTES];
    int code = path_in(store, name, path, err);

    return code ? code : store->port->remove_link(store->port, path, err);
}

int ag_store_drop_key(const struct ag_store *store, unsigned slot, struct cs_err *err)
{
    return drop(store, identity_keys[slot], err);
}

int ag_store_save_renewal(const struct ag_store *store, struct cs_slice envelope, struct cs_err *err)
{
    return save(store, "renewal", envelope, err);
}

int ag_store_load_renewal(const struct ag_store *store, struct cs_buf *out, struct cs_err *err)
{
    return load(store, "renewal", CS_LIMIT_STATEMENT_BYTES, out, err);
}

int ag_store_drop_renewal(const struct ag_store *store, struct cs_err *err)
{
    return drop(store, "renewal", err);
}

/* ---- state */

int ag_store_load_state(const struct ag_store *store, const struct ag_identity *identity,
                        struct ag_state *ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct ag_state state;
    int code = load(store, "state", AG_LIMIT_STATE_BYTES, &bytes, err);

    if (code == CS_ENOTFOUND)
        return cs_err_set(
            err, CS_ECORRUPT,
            "%s/state is missing: without it this device cannot tell old orders from new ones; enrol "
            "it anew with another state folder",
            store->folder);
    if (!code)
        code = ag_state_decode(cs_buf_slice(&bytes), &state, err);
    if (code)
        return cs_err_prefix(err, "%s/state", store->folder);
    if (!cs_slice_eq(CS_SLICE_ARRAY(state.device_id), CS_SLICE_ARRAY(identity->device_id))) {
        ag_state_free(&state);
        return cs_err_set(err, CS_ESTATE, "%s/state belongs to another enrolment of this device",
                          store->folder);
    }
    if (state.time_floor_s < AG_BUILD_TIME_S)
        state.time_floor_s = AG_BUILD_TIME_S;
    *ret = state;
    return CS_OK;
}

int ag_store_save_state(const struct ag_store *store, const struct ag_state *state, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = ag_state_encode(state, &bytes, err);

    return code ? code : save(store, "state", cs_buf_slice(&bytes), err);
}

/* ---- policies */

static void policy_name(uint32_t version, char out[32])
{
    snprintf(out, 32, "policies/%" PRIu32, version);
}

int ag_store_load_policy(const struct ag_store *store, uint32_t version, struct cs_policy **ret,
                         struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    char name[32];

    policy_name(version, name);
    int code = load(store, name, CS_LIMIT_POLICY_BYTES + 4096, &wire, err);

    return code ? code : cs_policy_open_stored(cs_buf_slice(&wire), ret, err);
}

int ag_store_save_policy(const struct ag_store *store, uint32_t version, struct cs_slice wire,
                         struct cs_err *err)
{
    char name[32];

    policy_name(version, name);
    return save(store, name, wire, err);
}

/* ---- keys that were made on request */

enum { PENDING_NAME_BYTES = 96 };

/* "keys/SPKI" and what is in it. */
static const char *pending_name(const struct cs_digest *spki, const char *leaf, char out[PENDING_NAME_BYTES])
{
    char hex[2 * CS_SHA256_BYTES + 1];

    snprintf(out, PENDING_NAME_BYTES, "keys/%s%s%s", cs_hex(cs_digest_slice(spki), hex), leaf ? "/" : "",
             leaf ? leaf : "");
    return out;
}

struct pending_list {
    struct cs_digest *spkis;
    size_t most, count;
};

static void on_pending_entry(void *data, const char *name)
{
    struct pending_list *list = data;

    if (list->count < list->most && strlen(name) == 2 * CS_SHA256_BYTES &&
        cs_unhex(cs_slice_str(name), list->spkis[list->count].bytes, CS_SHA256_BYTES) == CS_OK)
        list->count++;
}

int ag_store_list_pending_keys(const struct ag_store *store, struct cs_digest *ret_spkis, size_t most,
                               size_t *ret_count, struct cs_err *err)
{
    struct pending_list list = {ret_spkis, most, 0};
    char path[AG_LIMIT_PATH_BYTES], name[PENDING_NAME_BYTES];
    size_t kept = 0;
    int code = path_in(store, "keys", path, err);

    if (!code)
        code = store->port->list_folder(store->port, path, on_pending_entry, &list, err);
    for (size_t i = 0; !code && i < list.count; i++) {
        enum ag_entry_kind kind;

        code = path_in(store, pending_name(&ret_spkis[i], "pending", name), path, err);
        if (!code)
            code = store->port->look_at(store->port, path, &kind, err);
        if (!code && kind == AG_ENTRY_FILE)
            ret_spkis[kept++] = ret_spkis[i];
        else if (!code)
            code = ag_store_remove_pending_key(store, &ret_spkis[i], err);
    }
    if (code == CS_ENOTFOUND)
        code = CS_OK;
    *ret_count = kept;
    return code;
}

int ag_store_load_pending_key(const struct ag_store *store, const struct cs_digest *spki, struct cs_buf *out,
                              struct cs_err *err)
{
    char name[PENDING_NAME_BYTES];

    /* In full at once: growing would copy the key. */
    if (cs_buf_reserve(out, AG_LIMIT_PENDING_KEY_BYTES + 1) != CS_OK)
        return cs_err_nomem(err);
    return load(store, pending_name(spki, "pending", name), AG_LIMIT_PENDING_KEY_BYTES, out, err);
}

int ag_store_save_pending_key(const struct ag_store *store, const struct cs_digest *spki,
                              struct cs_slice record, struct cs_err *err)
{
    char name[PENDING_NAME_BYTES], path[AG_LIMIT_PATH_BYTES];
    int code = path_in(store, "keys", path, err);

    if (!code)
        code = store->port->make_folder(store->port, path, 0700, err);
    if (!code)
        code = path_in(store, pending_name(spki, NULL, name), path, err);
    if (!code)
        code = store->port->make_folder(store->port, path, 0700, err);
    return code ? code : save(store, pending_name(spki, "pending", name), record, err);
}

int ag_store_remove_pending_key(const struct ag_store *store, const struct cs_digest *spki,
                                struct cs_err *err)
{
    char name[PENDING_NAME_BYTES], path[AG_LIMIT_PATH_BYTES];
    int code = path_in(store, pending_name(spki, NULL, name), path, err);

    return code ? code : store->port->remove_folder(store->port, path, err);
}
