/* The part of crypto.h without keys: start-up, randomness, digests and what is built on them. */
#include "shared/crypto/mbed.h"

#include <errno.h>
#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/cipher.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/ssl.h>
#include <sys/random.h>

int cs_psa_error(psa_status_t status, const char *doing, struct cs_err *err)
{
    if (status == PSA_SUCCESS)
        return CS_OK;
    if (status == PSA_ERROR_INSUFFICIENT_MEMORY)
        return cs_err_nomem(err);
    return cs_err_set(err, CS_EINTERNAL, "%s failed in the crypto library (PSA %d)", doing, (int)status);
}

static bool is_out_of_memory(int rc)
{
    /* A code of x509, pk or ssl may stand in front of the low one that names the cause. */
    switch (-(-rc & 0xff80)) {
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
    case MBEDTLS_ERR_PK_ALLOC_FAILED:
    case MBEDTLS_ERR_ECP_ALLOC_FAILED:
    case MBEDTLS_ERR_MD_ALLOC_FAILED:
    case MBEDTLS_ERR_CIPHER_ALLOC_FAILED:
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return true;
    default:
        break;
    }
    switch (-(-rc & 0x7f)) {
    case MBEDTLS_ERR_MPI_ALLOC_FAILED:
    case MBEDTLS_ERR_ASN1_ALLOC_FAILED:
        return true;
    default:
        return rc == PSA_ERROR_INSUFFICIENT_MEMORY;
    }
}

int cs_mbed_error(int rc, const char *doing, struct cs_err *err)
{
    if (rc == 0)
        return CS_OK;
    if (is_out_of_memory(rc))
        return cs_err_nomem(err);
    return cs_err_set(err, CS_EINTERNAL, "%s failed in the crypto library (-0x%04x)", doing, (unsigned)-rc);
}

/* The library finds out at the first use of AES which instructions the processor has, and notes it without a
 * lock: using it once here keeps that out of the threads. */
static psa_status_t touch_aes(void)
{
    static const uint8_t key[16], nonce[CS_AEAD_NONCE_BYTES];
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id = PSA_KEY_ID_NULL;
    psa_status_t status;
    uint8_t tag[CS_AEAD_TAG_BYTES];
    size_t len;

    psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT);
    psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
    status = psa_import_key(&attributes, key, sizeof key, &id);
    if (status == PSA_SUCCESS)
        status =
            psa_aead_encrypt(id, PSA_ALG_GCM, nonce, sizeof nonce, NULL, 0, NULL, 0, tag, sizeof tag, &len);
    psa_destroy_key(id);
    return status;
}

int cs_crypto_init(struct cs_err *err)
{
    psa_status_t status = psa_crypto_init();

    if (status == PSA_SUCCESS)
        status = touch_aes();
    return cs_psa_error(status, "starting", err);
}

/* From the kernel and not from the library's generator: no lock, and a fork cannot make two processes draw
 * alike. */
void cs_random(void *out, size_t len)
{
    uint8_t *at = out;

    while (len) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        cs_assert(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

static void hash_part(psa_hash_operation_t *hash, struct cs_slice part)
{
    psa_status_t status = PSA_SUCCESS;

    if (part.len)
        status = psa_hash_update(hash, part.ptr, part.len);
    cs_assert(status == PSA_SUCCESS);
}

static void hash_begin(psa_hash_operation_t *hash)
{
    psa_status_t status;

    *hash = psa_hash_operation_init();
    status = psa_hash_setup(hash, PSA_ALG_SHA_256);
    cs_assert(status == PSA_SUCCESS);
}

static struct cs_digest hash_end(psa_hash_operation_t *hash)
{
    struct cs_digest digest;
    size_t len;
    psa_status_t status = psa_hash_finish(hash, digest.bytes, sizeof digest.bytes, &len);

    cs_assert(status == PSA_SUCCESS && len == sizeof digest.bytes);
    return digest;
}

struct cs_digest cs_sha256_parts(const struct cs_slice *parts, size_t count)
{
    psa_hash_operation_t hash;

    hash_begin(&hash);
    for (size_t i = 0; i < count; i++)
        hash_part(&hash, parts[i]);
    return hash_end(&hash);
}

struct cs_digest cs_sha256(struct cs_slice bytes)
{
    return cs_sha256_parts(&bytes, 1);
}

/* RFC 2104 over the digest above rather than PSA's own: that one wants a key slot, so it can fail for lack of
 * memory, and a MAC that can fail has callers that forget it. */
struct cs_digest cs_hmac_sha256(struct cs_slice key, const struct cs_slice *parts, size_t count)
{
    enum { BLOCK_BYTES = 64 };
    psa_hash_operation_t hash;
    uint8_t block[BLOCK_BYTES] = {0};
    struct cs_digest inner;

    if (key.len > sizeof block) {
        struct cs_digest short_key = cs_sha256(key);

        memcpy(block, short_key.bytes, sizeof short_key.bytes);
        cs_wipe(&short_key, sizeof short_key);
    } else if (key.len) {
        memcpy(block, key.ptr, key.len);
    }

    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36;
    hash_begin(&hash);
    hash_part(&hash, CS_SLICE_ARRAY(block));
    for (size_t i = 0; i < count; i++)
        hash_part(&hash, parts[i]);
    inner = hash_end(&hash);

    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    hash_begin(&hash);
    hash_part(&hash, CS_SLICE_ARRAY(block));
    hash_part(&hash, cs_digest_slice(&inner));
    cs_wipe(block, sizeof block);
    cs_wipe(&inner, sizeof inner);
    return hash_end(&hash);
}

struct cs_digest cs_hkdf_extract(struct cs_slice salt, struct cs_slice ikm)
{
    return cs_hmac_sha256(salt, &ikm, 1);
}

int cs_hkdf_expand(struct cs_slice prk, struct cs_slice info, uint8_t *out, size_t out_len)
{
    struct cs_digest block;
    size_t done = 0;

    if (out_len > 255 * sizeof block.bytes)
        return CS_EINVAL;
    for (uint8_t counter = 1; done < out_len; counter++) {
        struct cs_slice previous = done ? cs_digest_slice(&block) : CS_SLICE_EMPTY;
        struct cs_slice parts[] = {previous, info, cs_slice(&counter, 1)};
        size_t take = out_len - done < sizeof block.bytes ? out_len - done : sizeof block.bytes;

        block = cs_hmac_sha256(prk, parts, CS_ARRAY_LEN(parts));
        memcpy(out + done, block.bytes, take);
        done += take;
    }
    cs_wipe(&block, sizeof block);
    return CS_OK;
}
