/* hpke_probe - our HPKE, driven by a test in another language. Everything is hex ("-" is empty); the result
 * is one line.
 *
 *   hpke_probe seal SPKI INFO AAD PLAIN            prints ENC CIPHERTEXT
 *   hpke_probe open SCALAR ENC INFO AAD CIPHERTEXT prints PLAIN, or "refused" */
#include "shared/base/text.h"
#include "shared/crypto/hpke.h"

#include <stdio.h>

enum { MOST_ARGUMENTS = 5, MOST_BYTES = 8192 };

static struct cs_slice unhex(const char *text)
{
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    uint8_t *bytes = malloc(len + 1);

    cs_assert(bytes && len <= MOST_BYTES && (len == 0 || cs_unhex(cs_slice_str(text), bytes, len) == CS_OK));
    return cs_slice(bytes, len);
}

static void print(struct cs_slice bytes, const char *end)
{
    char text[2 * MOST_BYTES + 1];

    cs_assert(bytes.len <= MOST_BYTES);
    printf("%s%s", bytes.len ? cs_hex(bytes, text) : "-", end);
}

static void seal(const struct cs_slice in[MOST_ARGUMENTS])
{
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    uint8_t enc[CS_HPKE_ENC_BYTES];

    cs_assert(cs_hpke_seal(in[0], in[1], in[2], in[3], enc, &sealed, NULL) == CS_OK);
    print(CS_SLICE_ARRAY(enc), " ");
    print(cs_buf_slice(&sealed), "\n");
}

static void open_sealed(const struct cs_slice in[MOST_ARGUMENTS])
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_free) struct cs_buf plain = CS_BUF_EMPTY;

    cs_assert(cs_key_from_scalar(in[0], CS_KEY_AGREE, &key, NULL) == CS_OK);
    if (cs_hpke_open(key, in[1], in[2], in[3], in[4], &plain, NULL) == CS_OK)
        print(cs_buf_slice(&plain), "\n");
    else
        puts("refused");
}

int main(int argc, char **argv)
{
    struct cs_slice in[MOST_ARGUMENTS] = {CS_SLICE_EMPTY};

    if (argc < 6 || argc > MOST_ARGUMENTS + 2 || cs_crypto_init(NULL) != CS_OK)
        return EXIT_FAILURE;
    for (int i = 2; i < argc; i++)
        in[i - 2] = unhex(argv[i]);
    if (strcmp(argv[1], "seal") == 0)
        seal(in);
    else
        open_sealed(in);
    for (size_t i = 0; i < MOST_ARGUMENTS; i++)
        free((void *)(uintptr_t)in[i].ptr);
    return EXIT_SUCCESS;
}
