#include "controller/vault.h"

#include "controller/files.h"
#include "controller/limits.h"

#include <stdio.h>

enum {
    KEK_BYTES = 32,
    HELD_VERSION = 1,
    HELD_HEAD_BYTES = 1 + CS_AEAD_NONCE_BYTES,
    DAY_S = 24 * 60 * 60,
    AGENT_CA_DAYS = 3652,
    /* Made anew at each start and not in between, so it has to outlast the longest run of the process. */
    SERVER_DAYS = 730,
    /* Clocks of devices lag: what was issued now holds since yesterday. */
    BACKDATE_S = DAY_S,
};

struct ctl_vault {
    uint8_t kek[KEK_BYTES];
    struct cs_key *message_key, *agent_ca_key, *server_key;
    struct cs_chain *agent_ca, *server_chain;
};

/* In the order in which they are made. */
enum file { FILE_KEK, FILE_MESSAGE_KEY, FILE_CA_KEY, FILE_CA, FILE_COUNT };
static const char *const file_names[FILE_COUNT] = {"kek", "message.key", "agent-ca.key", "agent-ca.pem"};

struct files {
    char paths[FILE_COUNT][CTL_LIMIT_PATH_BYTES + 32];
    bool exists[FILE_COUNT];
};

static int find_files(const char *folder, const char *kek_path, struct files *files, struct cs_err *err)
{
    int code = CS_OK;

    for (size_t i = 0; i < FILE_COUNT && code == CS_OK; i++) {
        if (i == FILE_KEK)
            snprintf(files->paths[i], sizeof files->paths[i], "%s", kek_path);
        else
            snprintf(files->paths[i], sizeof files->paths[i], "%s/%s", folder, file_names[i]);
        code = ctl_file_exists(files->paths[i], &files->exists[i], err);
    }
    return code;
}

static int check_none_lost(const struct files *files, struct cs_err *err)
{
    for (size_t i = 0; i + 1 < FILE_COUNT; i++)
        if (!files->exists[i] && files->exists[i + 1])
            return cs_err_set(err, CS_ECORRUPT,
                              "%s is missing while %s is there: put it back from the backup (a new one would "
                              "not fit what exists)",
                              files->paths[i], files->paths[i + 1]);
    return CS_OK;
}

static int load_kek(const struct files *files, uint8_t kek[KEK_BYTES], struct cs_err *err)
{
    const char *path = files->paths[FILE_KEK];
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    int code;

    if (!files->exists[FILE_KEK]) {
        cs_random(kek, KEK_BYTES);
        return ctl_file_write(path, cs_slice(kek, KEK_BYTES), err);
    }
    code = ctl_file_read(path, KEK_BYTES, true, &bytes, err);
    if (code != CS_OK)
        return code;
    if (bytes.len != KEK_BYTES)
        return cs_err_set(err, CS_ECORRUPT, "%s must have %d bytes, it has %zu", path, KEK_BYTES, bytes.len);
    memcpy(kek, bytes.ptr, KEK_BYTES);
    return CS_OK;
}

static int make_key(const char *path, struct cs_key **ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    int code;

    if (cs_buf_reserve(&pem, CTL_LIMIT_KEY_FILE_BYTES) != CS_OK)
        return cs_err_nomem(err);
    code = cs_key_generate(CS_KEY_SIGN, &key, err);
    if (code == CS_OK)
        code = cs_key_export_pem(key, CS_SLICE_EMPTY, &pem, err);
    if (code == CS_OK)
        code = ctl_file_write(path, cs_buf_slice(&pem), err);
    if (code == CS_OK)
        *ret = cs_steal(key);
    return code;
}

static int load_key(const struct files *files, enum file which, struct cs_key **ret, struct cs_err *err)
{
    const char *path = files->paths[which];
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    int code;

    if (!files->exists[which])
        return make_key(path, ret, err);
    code = ctl_file_read(path, CTL_LIMIT_KEY_FILE_BYTES, true, &pem, err);
    if (code != CS_OK)
        return code;
    code = cs_key_parse(cs_buf_slice(&pem), CS_SLICE_EMPTY, CS_KEY_SIGN, ret, err);
    return code == CS_OK ? code : cs_err_prefix(err, "%s", path);
}

static int make_agent_ca(const char *path, const struct cs_key *key, int64_t now_s, struct cs_chain **ret,
                         struct cs_err *err)
{
    struct cs_issue what = {
        .common_name = "Countersign agent CA",
        .subject_spki = cs_key_spki(key),
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = now_s + (int64_t)AGENT_CA_DAYS * DAY_S,
        .is_ca = true,
    };
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    int code;

    code = cs_cert_issue(&what, NULL, key, &der, err);
    if (code == CS_OK)
        code = cs_pem_write("CERTIFICATE", cs_buf_slice(&der), &pem, err);
    if (code == CS_OK)
        code = ctl_file_write(path, cs_buf_slice(&pem), err);
    if (code == CS_OK)
        code = cs_chain_parse_pem(cs_buf_slice(&pem), ret, err);
    return code;
}

static int load_agent_ca(const struct files *files, const struct cs_key *key, int64_t now_s,
                         struct cs_chain **ret, struct cs_err *err)
{
    const char *path = files->paths[FILE_CA];
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int code;

    if (!files->exists[FILE_CA])
        return make_agent_ca(path, key, now_s, ret, err);
    code = ctl_file_read(path, CTL_LIMIT_KEY_FILE_BYTES, false, &pem, err);
    if (code != CS_OK)
        return code;
    code = cs_chain_parse_pem(cs_buf_slice(&pem), &chain, err);
    if (code != CS_OK)
        return cs_err_prefix(err, "%s", path);
    if (!cs_slice_eq(cs_chain_leaf_spki(chain), cs_key_spki(key)))
        return cs_err_set(err, CS_ECORRUPT, "%s is not the certificate of %s", path,
                          files->paths[FILE_CA_KEY]);
    *ret = cs_steal(chain);
    return CS_OK;
}

static int issue_server(struct ctl_vault *vault, int64_t now_s, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    struct cs_issue what = {
        .common_name = "countersignd",
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = now_s + (int64_t)SERVER_DAYS * DAY_S,
        .server_auth = true,
        .dns_name = "countersignd",
    };
    int code;

    code = cs_key_generate(CS_KEY_SIGN, &vault->server_key, err);
    if (code != CS_OK)
        return code;
    what.subject_spki = cs_key_spki(vault->server_key);
    code = cs_cert_issue(&what, vault->agent_ca, vault->agent_ca_key, &der, err);
    if (code != CS_OK)
        return code;
    if (cs_buf_append(&der, cs_chain_der(vault->agent_ca, 0)) != CS_OK)
        return cs_err_nomem(err);
    return cs_chain_parse(cs_buf_slice(&der), &vault->server_chain, err);
}

static int load(struct ctl_vault *vault, const struct files *files, int64_t now_s, struct cs_err *err)
{
    int code = check_none_lost(files, err);

    if (code == CS_OK)
        code = load_kek(files, vault->kek, err);
    if (code == CS_OK)
        code = load_key(files, FILE_MESSAGE_KEY, &vault->message_key, err);
    if (code == CS_OK)
        code = load_key(files, FILE_CA_KEY, &vault->agent_ca_key, err);
    if (code == CS_OK)
        code = load_agent_ca(files, vault->agent_ca_key, now_s, &vault->agent_ca, err);
    if (code == CS_OK)
        code = issue_server(vault, now_s, err);
    return code;
}

int ctl_vault_open(const char *folder, const char *kek_path, int64_t now_s, struct ctl_vault **ret,
                   struct cs_err *err)
{
    struct files files;
    cs_auto(ctl_vault_closep) struct ctl_vault *vault = NULL;
    int code;

    code = ctl_folder_make(folder, 0700, err);
    if (code == CS_OK)
        code = find_files(folder, kek_path, &files, err);
    if (code != CS_OK)
        return code;
    vault = calloc(1, sizeof *vault);
    if (!vault)
        return cs_err_nomem(err);
    code = load(vault, &files, now_s, err);
    if (code == CS_OK)
        *ret = cs_steal(vault);
    return code;
}

void ctl_vault_close(struct ctl_vault *vault)
{
    if (!vault)
        return;
    cs_chain_free(vault->server_chain);
    cs_key_free(vault->server_key);
    cs_chain_free(vault->agent_ca);
    cs_key_free(vault->agent_ca_key);
    cs_key_free(vault->message_key);
    cs_wipe(vault, sizeof *vault);
    free(vault);
}

const struct cs_key *ctl_vault_message_key(const struct ctl_vault *vault)
{
    return vault->message_key;
}

const struct cs_chain *ctl_vault_agent_ca(const struct ctl_vault *vault)
{
    return vault->agent_ca;
}

const struct cs_chain *ctl_vault_server_chain(const struct ctl_vault *vault)
{
    return vault->server_chain;
}

const struct cs_key *ctl_vault_server_key(const struct ctl_vault *vault)
{
    return vault->server_key;
}

int ctl_vault_issue_identity(const struct ctl_vault *vault, const char *device_name, struct cs_slice spki,
                             int64_t now_s, int64_t life_s, struct cs_buf *out, struct cs_err *err)
{
    struct cs_issue what = {
        .common_name = device_name,
        .subject_spki = spki,
        /* Little beside its life: the device renews when half of the whole is over. */
        .not_before_s = now_s - (life_s / 4 < BACKDATE_S ? life_s / 4 : BACKDATE_S),
        .not_after_s = now_s + life_s,
        .client_auth = true,
    };

    return cs_cert_issue(&what, vault->agent_ca, vault->agent_ca_key, out, err);
}

/* "countersign/v1/held-key" ‖ version ‖ certificate id. */
enum { HELD_LABEL_BYTES = 23, HELD_AAD_BYTES = HELD_LABEL_BYTES + 1 + CS_SHA256_BYTES };

static struct cs_slice held_aad(const uint8_t certificate_id[CS_SHA256_BYTES], uint8_t out[HELD_AAD_BYTES])
{
    memcpy(out, "countersign/v1/held-key", HELD_LABEL_BYTES);
    out[HELD_LABEL_BYTES] = HELD_VERSION;
    memcpy(out + HELD_LABEL_BYTES + 1, certificate_id, CS_SHA256_BYTES);
    return cs_slice(out, HELD_AAD_BYTES);
}

int ctl_vault_hold(const struct ctl_vault *vault, const uint8_t certificate_id[CS_SHA256_BYTES],
                   struct cs_slice pkcs8, struct cs_buf *out, struct cs_err *err)
{
    uint8_t head[HELD_HEAD_BYTES] = {HELD_VERSION};
    uint8_t aad[HELD_AAD_BYTES];
    size_t before = out->len;
    int code;

    /* Random nonces of 96 bits: one key is good for 2^32 of them (NIST SP 800-38D, section 8.3). */
    cs_random(head + 1, CS_AEAD_NONCE_BYTES);
    if (cs_buf_append(out, CS_SLICE_ARRAY(head)) != CS_OK)
        return cs_err_nomem(err);
    code = cs_aead_seal(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(vault->kek), head + 1, held_aad(certificate_id, aad),
                        pkcs8, out, err);
    if (code != CS_OK)
        out->len = before;
    return code;
}

int ctl_vault_release(const struct ctl_vault *vault, const uint8_t certificate_id[CS_SHA256_BYTES],
                      struct cs_slice held, struct cs_buf *out, struct cs_err *err)
{
    uint8_t aad[HELD_AAD_BYTES];
    int code;

    if (held.len < HELD_HEAD_BYTES + CS_AEAD_TAG_BYTES)
        return cs_err_set(err, CS_EAUTH, "the held key is too short to be one");
    if (held.ptr[0] != HELD_VERSION)
        return cs_err_set(err, CS_EUNSUPPORTED, "the held key has format %u; this program knows %d",
                          held.ptr[0], HELD_VERSION);
    code = cs_aead_open(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(vault->kek), held.ptr + 1,
                        held_aad(certificate_id, aad), cs_slice_from(held, HELD_HEAD_BYTES), out, err);
    return code == CS_OK
               ? code
               : cs_err_prefix(err, "the held key cannot be decrypted with this key-encryption key");
}
