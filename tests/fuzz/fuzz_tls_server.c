/* Whatever comes as the first bytes of a connection: the server says what was wrong, or waits, and nobody is
 * established who has no key. The first byte says in which pieces the rest arrives. */
#include "tests/support/tls_pair.h"

static struct cs_tls_config *config(void)
{
    static struct cs_tls_config *made;
    static struct tls_pair pair;
    struct cs_tls_options options;

    if (!made) {
        tls_pair_begin(&pair);
        options = tls_pair_server(&pair);
        cs_assert(cs_tls_config_new(&options, &made, NULL) == CS_OK);
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice rest = cs_slice(data, size);
    struct cs_buf plain = CS_BUF_EMPTY;
    struct cs_tls *tls = NULL;
    size_t step = size ? (size_t)data[0] + 1 : 1;
    struct cs_err err;
    int rc = CS_OK;

    cs_assert(cs_tls_new(config(), NULL, &tls, NULL) == CS_OK);
    for (rest = cs_slice_from(rest, 1); rest.len && rc == CS_OK; rest = cs_slice_from(rest, step))
        rc = cs_tls_feed(tls, cs_slice(rest.ptr, rest.len < step ? rest.len : step), &plain, &err);
    cs_assert(rc == CS_OK || err.code == rc);
    cs_assert(!cs_tls_established(tls) && plain.len == 0 && cs_tls_peer_certificate(tls).len == 0);
    cs_assert(cs_tls_feed_end(tls, &err) != CS_OK);
    cs_tls_free(tls);
    cs_buf_free(&plain);
    return 0;
}
