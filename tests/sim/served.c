#include "tests/sim/served.h"

#include "shared/crypto/x509.h"

#include <string.h>

const char *const served_words[SERVED_KINDS] = {"unknown",        "the old pair", "the new pair",
                                                "the third pair", "nothing",      "a mixture"};

/* ---- pairs */

static int parse_chain(const struct served_pair *pair, const struct ag_connector *connector,
                       struct cs_chain **ret, struct cs_err *err)
{
    enum ag_file file = pair->there[AG_FILE_CERTIFICATE] ? AG_FILE_CERTIFICATE : AG_FILE_BUNDLE;
    struct cs_slice bytes = cs_buf_slice(&pair->files[file]);

    if (file == AG_FILE_CERTIFICATE && connector->format == AG_FORMAT_DER)
        return cs_chain_parse(bytes, ret, err);
    return cs_chain_parse_pem(bytes, ret, err);
}

struct served_pair served_take(const struct simfs_disk *disk, const struct ag_connector *connector)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct served_pair pair = {0};
    struct simfs_stat stat;
    struct cs_err err;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        if (!connector->paths[i] || !simfs_disk_stat(disk, connector->paths[i], true, &stat) ||
            stat.kind != 'f')
            continue;
        pair.there[i] = true;
        cs_assert(cs_buf_append(&pair.files[i], stat.content) == CS_OK);
    }
    pair.has_leaf = parse_chain(&pair, connector, &chain, &err) == CS_OK;
    if (pair.has_leaf)
        pair.leaf = cs_sha256(cs_chain_der(chain, 0));
    return pair;
}

void served_pair_free(struct served_pair *pair)
{
    for (size_t i = 0; i < AG_FILE_COUNT; i++)
        cs_buf_free(&pair->files[i]);
    *pair = (struct served_pair){0};
}

/* The bundle's key: its PEM stands before or behind the certificates. */
static struct cs_slice key_in(struct cs_slice bundle)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----", end[] = "-----END PRIVATE KEY-----\n";
    const uint8_t *start = memmem(bundle.ptr, bundle.len, begin, sizeof begin - 1);
    const uint8_t *stop =
        start ? memmem(start, bundle.len - (size_t)(start - bundle.ptr), end, sizeof end - 1) : NULL;

    return stop ? cs_slice(start, (size_t)(stop - start) + sizeof end - 1) : CS_SLICE_EMPTY;
}

static int check_key(const struct cs_chain *chain, struct cs_slice key, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    int code = cs_private_key_to_pkcs8(key, CS_SLICE_EMPTY, &pkcs8, err);

    return code ? code : cs_chain_check_key(chain, cs_buf_slice(&pkcs8), err);
}

bool served_pair_fits(const struct served_pair *pair, const struct ag_connector *connector,
                      struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_slice bundle = cs_buf_slice(&pair->files[AG_FILE_BUNDLE]);

    for (size_t i = 0; i < AG_FILE_COUNT; i++)
        if (connector->paths[i] && !pair->there[i])
            return cs_err_set(err, CS_ENOTFOUND, "%s is missing", connector->paths[i]) == CS_OK;
    if (parse_chain(pair, connector, &chain, err) != CS_OK)
        return false;
    if (pair->there[AG_FILE_KEY] && check_key(chain, cs_buf_slice(&pair->files[AG_FILE_KEY]), err) != CS_OK)
        return false;
    if (!pair->there[AG_FILE_BUNDLE])
        return true;
    if (connector->key_first != (key_in(bundle).ptr == bundle.ptr))
        return cs_err_set(err, CS_EPARSE, "the bundle's key is in the wrong place") == CS_OK;
    return check_key(chain, key_in(bundle), err) == CS_OK;
}

const struct served_pair *served_pair(const struct served_pairs *pairs, enum served which)
{
    return which == SERVED_OLD     ? &pairs->old
           : which == SERVED_NEW   ? &pairs->new
           : which == SERVED_THIRD ? &pairs->third
                                   : NULL;
}

bool served_is_any(const struct served_pairs *pairs, enum served which)
{
    const struct served_pair *pair = served_pair(pairs, which);

    for (size_t i = 0; pair && i < AG_FILE_COUNT; i++)
        if (pair->there[i])
            return true;
    return which == SERVED_MIXED;
}

/* ---- which one it is */

static bool has(const struct served_pair *pair, size_t file, bool is_there, const struct simfs_stat *stat)
{
    return pair->there[file] == is_there &&
           (!is_there || cs_slice_eq(stat->content, cs_buf_slice(&pair->files[file])));
}

enum served served_by(const struct simfs_disk *disk, const struct served_pairs *pairs)
{
    bool is_any = false, is[SERVED_THIRD + 1] = {false, true, true, true};
    struct simfs_stat stat;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        const char *path = pairs->connector->paths[i];
        bool is_there = path && simfs_disk_stat(disk, path, true, &stat) && stat.kind == 'f';

        is_any |= is_there;
        for (int which = SERVED_OLD; which <= SERVED_THIRD; which++)
            is[which] &= has(served_pair(pairs, (enum served)which), i, is_there, &stat);
    }
    for (int which = SERVED_OLD; which <= SERVED_THIRD; which++)
        if (is[which])
            return (enum served)which;
    return is_any ? SERVED_MIXED : SERVED_NOTHING;
}
