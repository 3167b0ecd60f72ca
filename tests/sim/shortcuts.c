/* shortcuts.c - past what costs more than all the rest, in a hundred thousand starts and pushes of a device:
 * what was computed with a key once is remembered. That certificates form a chain is not checked here: they
 * are signed as X.509 has it, and cheap_signatures.c would not know them. */
#include "shared/crypto/hpke.h"
#include "shared/crypto/x509.h"

int __real_cs_key_parse(struct cs_slice encoded, struct cs_slice passphrase, enum cs_key_use use,
                        struct cs_key **ret, struct cs_err *err);
int __wrap_cs_key_parse(struct cs_slice encoded, struct cs_slice passphrase, enum cs_key_use use,
                        struct cs_key **ret, struct cs_err *err);
void __real_cs_key_free(struct cs_key *key);
void __wrap_cs_key_free(struct cs_key *key);
int __real_cs_hpke_open(const struct cs_key *recipient, struct cs_slice enc, struct cs_slice info,
                        struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out, struct cs_err *err);
int __wrap_cs_hpke_open(const struct cs_key *recipient, struct cs_slice enc, struct cs_slice info,
                        struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out, struct cs_err *err);
int __real_cs_chain_check_key(const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err);
int __wrap_cs_chain_check_key(const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err);
int __wrap_cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err);
void __wrap_cs_buf_wipe(struct cs_buf *buf);

enum { REMEMBERED = 16 };

static struct {
    struct cs_digest encoded;
    enum cs_key_use use;
    struct cs_key *key;
} keys[REMEMBERED];
static size_t key_count;

int __wrap_cs_key_parse(struct cs_slice encoded, struct cs_slice passphrase, enum cs_key_use use,
                        struct cs_key **ret, struct cs_err *err)
{
    struct cs_digest digest = cs_sha256(encoded);
    int code;

    for (size_t i = 0; i < key_count; i++) {
        if (keys[i].use == use && cs_digest_eq(&keys[i].encoded, &digest)) {
            *ret = keys[i].key;
            return CS_OK;
        }
    }
    code = __real_cs_key_parse(encoded, passphrase, use, ret, err);
    if (code || key_count == REMEMBERED)
        return code;
    keys[key_count].encoded = digest;
    keys[key_count].use = use;
    keys[key_count++].key = *ret;
    return CS_OK;
}

void __wrap_cs_key_free(struct cs_key *key)
{
    for (size_t i = 0; i < key_count; i++)
        if (keys[i].key == key)
            return;
    __real_cs_key_free(key);
}

static struct {
    struct cs_digest sealed;
    struct cs_buf plain;
} opened[REMEMBERED];
static size_t opened_count;

int __wrap_cs_hpke_open(const struct cs_key *recipient, struct cs_slice enc, struct cs_slice info,
                        struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out, struct cs_err *err)
{
    const struct cs_slice parts[] = {cs_key_spki(recipient), enc, info, aad, sealed};
    struct cs_digest digest = cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
    size_t start = out->len;
    int code;

    for (size_t i = 0; i < opened_count; i++)
        if (cs_digest_eq(&opened[i].sealed, &digest))
            return cs_buf_append(out, cs_buf_slice(&opened[i].plain));
    code = __real_cs_hpke_open(recipient, enc, info, aad, sealed, out, err);
    if (code || opened_count == REMEMBERED)
        return code;
    opened[opened_count].sealed = digest;
    if (cs_buf_append(&opened[opened_count].plain, cs_slice_from(cs_buf_slice(out), start)) == CS_OK)
        opened_count++;
    return CS_OK;
}

static struct cs_digest fitting[REMEMBERED];
static size_t fitting_count;

int __wrap_cs_chain_check_key(const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err)
{
    const struct cs_slice parts[] = {cs_chain_bytes(chain), pkcs8};
    struct cs_digest digest = cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
    int code;

    for (size_t i = 0; i < fitting_count; i++)
        if (cs_digest_eq(&fitting[i], &digest))
            return CS_OK;
    code = __real_cs_chain_check_key(chain, pkcs8, err);
    if (!code && fitting_count < REMEMBERED)
        fitting[fitting_count++] = digest;
    return code;
}

/* Secrets have room for the largest of their kind, and to overwrite all of it is a third of the time. */
void __wrap_cs_buf_wipe(struct cs_buf *buf)
{
    cs_buf_free(buf);
}

int __wrap_cs_chain_check_links(const struct cs_chain *chain CS_UNUSED, struct cs_err *err CS_UNUSED)
{
    return CS_OK;
}
