#include "shared/trust/sealed_key.h"

#include "shared/crypto/hpke.h"
#include "shared/trust/check.h"

#include <pb_encode.h>

enum { PADDED_TO = 512, LABEL_BYTES = 25, INFO_BYTES = LABEL_BYTES + 3 * CS_ID_BYTES };

/* "countersign/v1/sealed-key" ‖ deployment_id ‖ device_id ‖ order_id. */
static struct cs_slice write_info(const struct cs_sealed_key_place *place, uint8_t out[INFO_BYTES])
{
    uint8_t *at = out;

    cs_assert(place->deployment_id.len == CS_ID_BYTES && place->device_id.len == CS_ID_BYTES &&
              place->order_id.len == CS_ID_BYTES);
    memcpy(at, "countersign/v1/sealed-key", LABEL_BYTES);
    memcpy(at += LABEL_BYTES, place->deployment_id.ptr, CS_ID_BYTES);
    memcpy(at += CS_ID_BYTES, place->device_id.ptr, CS_ID_BYTES);
    memcpy(at + CS_ID_BYTES, place->order_id.ptr, CS_ID_BYTES);
    return cs_slice(out, INFO_BYTES);
}

/* The shortest padding that makes the encoding's length a multiple of PADDED_TO. Its own length is written
 * in one byte or two, so that a few lengths are passed over; one of up to 640 always does. */
static void pad(countersign_v1_SealedKeyPlain *plain)
{
    size_t len = 0, size = 0;

    do {
        cs_assert(len <= sizeof plain->padding.bytes);
        plain->padding.size = (pb_size_t)len++;
        cs_assert(pb_get_encoded_size(&size, countersign_v1_SealedKeyPlain_fields, plain));
    } while (size % PADDED_TO != 0);
}

/* Structs on the heap that hold a key end here. */
static void plain_free(countersign_v1_SealedKeyPlain **plain)
{
    if (*plain)
        cs_wipe(*plain, sizeof **plain);
    free(*plain);
}

static int encode_plain(struct cs_slice pkcs8, struct cs_buf *out, struct cs_err *err)
{
    countersign_v1_SealedKeyPlain *plain cs_auto(plain_free) = NULL;

    if (pkcs8.len > sizeof plain->pkcs8.bytes)
        return cs_err_set(err, CS_ETOOBIG, "the private key has %zu bytes, more than fit a message",
                          pkcs8.len);
    plain = calloc(1, sizeof *plain);
    /* In full at once: growing would copy the key. */
    if (!plain || cs_buf_reserve(out, sizeof *plain) != CS_OK)
        return cs_err_nomem(err);
    CS_PB_SET(&plain->pkcs8, pkcs8);
    pad(plain);
    return cs_message_encode(countersign_v1_SealedKeyPlain_fields, plain, out, err);
}

int cs_sealed_key_seal(struct cs_slice kem_spki, const struct cs_sealed_key_place *place,
                       struct cs_slice pkcs8, countersign_v1_SealedKey *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf plain = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    uint8_t info[INFO_BYTES], enc[CS_HPKE_ENC_BYTES];
    int rc = encode_plain(pkcs8, &plain, err);

    if (rc == CS_OK)
        rc = cs_hpke_seal(kem_spki, write_info(place, info), place->core, cs_buf_slice(&plain), enc, &sealed,
                          err);
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&ret->enc, CS_SLICE_ARRAY(enc));
    CS_PB_SET(&ret->ciphertext, cs_buf_slice(&sealed));
    return CS_OK;
}

static int take_key(struct cs_slice plain, struct cs_buf *pkcs8, struct cs_err *err)
{
    countersign_v1_SealedKeyPlain *sealed cs_auto(plain_free) = calloc(1, sizeof *sealed);
    int rc = CS_OK;

    if (!sealed)
        return cs_err_nomem(err);
    rc = cs_message_decode_strict(countersign_v1_SealedKeyPlain_fields, plain, sealed, "the sealed key", err);
    if (rc == CS_OK && sealed->pkcs8.size == 0)
        rc = cs_err_set(err, CS_EPARSE, "the sealed key is empty");
    if (rc == CS_OK && cs_buf_append(pkcs8, CS_PB_BYTES(&sealed->pkcs8)) != CS_OK)
        rc = cs_err_nomem(err);
    return rc;
}

int cs_sealed_key_open(const struct cs_key *kem_key, const struct cs_sealed_key_place *place,
                       const countersign_v1_SealedKey *sealed, struct cs_buf *pkcs8, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf plain = CS_BUF_EMPTY;
    uint8_t info[INFO_BYTES];
    int rc;

    if (cs_buf_reserve(&plain, sealed->ciphertext.size) != CS_OK)
        return cs_err_nomem(err);
    rc = cs_hpke_open(kem_key, CS_PB_BYTES(&sealed->enc), write_info(place, info), place->core,
                      CS_PB_BYTES(&sealed->ciphertext), &plain, err);
    return rc == CS_OK ? take_key(cs_buf_slice(&plain), pkcs8, err) : rc;
}
