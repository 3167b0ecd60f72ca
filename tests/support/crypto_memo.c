/* crypto_memo.c - each signature is made and checked once. Stands between everything and cs_sign() and
 * cs_verify() in those fuzz targets that sign what they make (tests/fuzz/CMakeLists.txt), and remembers what
 * the real ones answered: the fuzzer's time goes to what is decided about signatures, and a signature that
 * was never made is still never taken. */
#include "shared/crypto/crypto.h"

int __real_cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                   uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err);
int __real_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature);
int __wrap_cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                   uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err);
int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature);

enum { SLOTS = 1 << 15 };

static struct signed_once {
    struct cs_digest question; /* all zero: nothing yet */
    uint8_t signature[CS_SIGNATURE_BYTES];
} made[SLOTS];

static struct verified_once {
    struct cs_digest question;
    int answer;
} checked[SLOTS];

/* SHA-256 of key, message and signature, each by its own digest, so that they cannot run into each other. */
static struct cs_digest question_of(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                                    struct cs_slice signature)
{
    const struct cs_digest digests[] = {cs_sha256(spki), cs_sha256_parts(parts, count), cs_sha256(signature)};

    return cs_sha256(CS_SLICE_ARRAY(digests));
}

static size_t slot_of(const struct cs_digest *question)
{
    return (size_t)(question->bytes[0] << 8 | question->bytes[1]) % SLOTS;
}

int __wrap_cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                   uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err)
{
    struct cs_digest question = question_of(cs_key_spki(key), parts, count, CS_SLICE_EMPTY);
    struct signed_once *once = &made[slot_of(&question)];

    if (!cs_digest_eq(&once->question, &question)) {
        int rc = __real_cs_sign(key, parts, count, once->signature, err);

        once->question = rc == CS_OK ? question : (struct cs_digest){0};
        if (rc != CS_OK)
            return rc;
    }
    memcpy(ret_signature, once->signature, CS_SIGNATURE_BYTES);
    return CS_OK;
}

int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature)
{
    struct cs_digest question = question_of(spki, parts, count, signature);
    struct verified_once *once = &checked[slot_of(&question)];

    if (!cs_digest_eq(&once->question, &question)) {
        once->answer = __real_cs_verify(spki, parts, count, signature);
        once->question = question;
    }
    return once->answer;
}
