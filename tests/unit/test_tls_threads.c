/* One TLS configuration and one key for several threads, as the controller's workers have it. Says more under
 * ThreadSanitizer. */
#include "tests/support/check.h"
#include "tests/support/tls_pair.h"

#include <pthread.h>

enum { THREADS = 4, HANDSHAKES = 15 };

/* What all threads share, made before them. */
struct shared {
    const struct tls_pair *pair;
    struct cs_tls_config *server, *client;
};

static bool converse(const struct shared *shared)
{
    struct tls_pair own = {.step = 0};
    struct cs_slice text = CS_SLICE_LIT("hello");
    bool fine;

    fine = cs_tls_new(shared->server, NULL, &own.server.tls, NULL) == CS_OK &&
           cs_tls_new(shared->client, "localhost", &own.client.tls, NULL) == CS_OK &&
           cs_tls_start(own.client.tls, NULL) == CS_OK;
    if (fine) {
        tls_pair_run(&own);
        fine = own.server.rc == CS_OK && own.client.rc == CS_OK && cs_tls_established(own.server.tls) &&
               cs_slice_eq(cs_tls_peer_certificate(own.server.tls),
                           cs_chain_der(shared->pair->client_id.chain, 0)) &&
               cs_tls_write(own.client.tls, text, NULL) == CS_OK;
    }
    if (fine) {
        tls_pair_run(&own);
        fine = cs_slice_eq(cs_buf_slice(&own.server.plain), text);
    }
    tls_pair_disconnect(&own);
    return fine;
}

/* The same key signs for other purposes meanwhile, and the same chain is read. */
static bool use_key(const struct shared *shared)
{
    const struct pki *id = &shared->pair->server_id;
    struct cs_slice text = CS_SLICE_LIT("text");
    uint8_t signature[CS_SIGNATURE_BYTES];

    return cs_sign(id->key, &text, 1, signature, NULL) == CS_OK &&
           cs_verify(cs_key_spki(id->key), &text, 1, CS_SLICE_ARRAY(signature)) == CS_OK &&
           cs_chain_check_anchored(id->chain, shared->pair->ca.chain, pki_now(), NULL) == CS_OK;
}

/* cmocka's assertions belong to the main thread: a thread only counts. */
static void *work(void *data)
{
    const struct shared *shared = data;
    uintptr_t failed = 0;

    for (int i = 0; i < HANDSHAKES; i++) {
        failed += !converse(shared);
        failed += !use_key(shared);
    }
    return (void *)failed;
}

static void threads_share_a_configuration_and_its_key(void **state)
{
    pthread_t threads[THREADS];
    struct shared shared;
    struct tls_pair pair;
    struct cs_tls_options server, client;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    server = tls_pair_server(&pair);
    client = tls_pair_client(&pair);
    shared.pair = &pair;
    check_ok(cs_tls_config_new(&server, &shared.server, &err), err);
    check_ok(cs_tls_config_new(&client, &shared.client, &err), err);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    cs_tls_config_free(shared.client);
    cs_tls_config_free(shared.server);
    tls_pair_end(&pair);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_configuration_and_its_key),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
