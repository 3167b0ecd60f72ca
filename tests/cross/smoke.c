/* smoke.c - one use of each component on a target for devices: a signature, a random number, threads, a timer
 * and a TCP connection on the loop, an HTTP/2 session, 64-bit time, a file made durable. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <nghttp2/nghttp2.h>
#include <psa/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "shared/base/macros.h"
#include "shared/base/slice.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static atomic_uint_least64_t counter;

static void count_to_a_thousand(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        atomic_fetch_add(&counter, UINT64_C(0x100000001));
}

static void check_threads(void)
{
    uv_thread_t threads[3];

    for (int i = 0; i < 3; i++)
        CHECK(uv_thread_create(&threads[i], count_to_a_thousand, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(uv_thread_join(&threads[i]) == 0);
    CHECK(atomic_load(&counter) == 3000 * UINT64_C(0x100000001));
}

static void check_signature(void)
{
    static const uint8_t text[] = "countersign";
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t key;
    uint8_t signature[64];
    size_t length;

    CHECK(psa_crypto_init() == PSA_SUCCESS);
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE | PSA_KEY_USAGE_VERIFY_MESSAGE);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    CHECK(psa_generate_key(&attributes, &key) == PSA_SUCCESS);
    CHECK(psa_sign_message(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), text, sizeof text, signature,
                           sizeof signature, &length) == PSA_SUCCESS);
    CHECK(length == 64);
    CHECK(psa_verify_message(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), text, sizeof text, signature, length) ==
          PSA_SUCCESS);
    signature[63] ^= 1;
    CHECK(psa_verify_message(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), text, sizeof text, signature, length) ==
          PSA_ERROR_INVALID_SIGNATURE);
    CHECK(psa_destroy_key(key) == PSA_SUCCESS);
}

static void check_tls_sets_up(void)
{
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;

    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    CHECK(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    CHECK(mbedtls_ssl_setup(&ssl, &config) == 0);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
}

/* Both ends of the connection, and a timer that ends the test when the other end does not. */
struct loop_test {
    uv_tcp_t listener, accepted, client;
    uv_timer_t timer;
    uv_connect_t connect;
    bool connected, was_accepted;
};

static void on_loop_test_done(struct loop_test *test)
{
    if (!test->connected || !test->was_accepted)
        return;
    uv_close((uv_handle_t *)&test->listener, NULL);
    uv_close((uv_handle_t *)&test->accepted, NULL);
    uv_close((uv_handle_t *)&test->client, NULL);
    uv_close((uv_handle_t *)&test->timer, NULL);
}

static void on_timeout(uv_timer_t *timer)
{
    (void)timer;
    CHECK(!"the connection came up in time");
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct loop_test *test = listener->data;

    CHECK(status == 0);
    CHECK(uv_tcp_init(listener->loop, &test->accepted) == 0);
    CHECK(uv_accept(listener, (uv_stream_t *)&test->accepted) == 0);
    test->was_accepted = true;
    on_loop_test_done(test);
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct loop_test *test = connect->data;

    CHECK(status == 0);
    test->connected = true;
    on_loop_test_done(test);
}

static void check_loop(void)
{
    struct loop_test test = {.connected = false};
    struct sockaddr_storage address;
    int length = sizeof address;
    uv_loop_t loop;

    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_timer_init(&loop, &test.timer) == 0);
    CHECK(uv_timer_start(&test.timer, on_timeout, 30000, 0) == 0);
    CHECK(uv_tcp_init(&loop, &test.listener) == 0);
    CHECK(uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&address) == 0);
    CHECK(uv_tcp_bind(&test.listener, (const struct sockaddr *)&address, 0) == 0);
    test.listener.data = &test;
    CHECK(uv_listen((uv_stream_t *)&test.listener, 1, on_connection) == 0);
    CHECK(uv_tcp_getsockname(&test.listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(uv_tcp_init(&loop, &test.client) == 0);
    test.connect.data = &test;
    CHECK(uv_tcp_connect(&test.connect, &test.client, (const struct sockaddr *)&address, on_connect) == 0);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

static void check_http2(void)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    const uint8_t *bytes;

    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    CHECK(nghttp2_session_client_new(&session, callbacks, NULL) == 0);
    CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    CHECK(nghttp2_session_mem_send2(session, &bytes) == 24);
    CHECK(memcmp(bytes, "PRI * HTTP/2.0", 14) == 0);
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
}

static void check_time_and_files(void)
{
    char name[] = "/tmp/countersign-smoke-XXXXXX";
    /* 2100-01-01: past what 32 bits hold. */
    time_t later = (time_t)INT64_C(4102444800);
    struct tm tm;
    int fd = mkstemp(name);

    CHECK(sizeof(time_t) == 8);
    CHECK(gmtime_r(&later, &tm) && tm.tm_year == 200);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && close(fd) == 0 && unlink(name) == 0);
}

int main(void)
{
    check_threads();
    check_signature();
    check_tls_sets_up();
    check_loop();
    check_http2();
    check_time_and_files();
    printf("mbedTLS %s, libuv %s, nghttp2 %s: all work here\n", MBEDTLS_VERSION_STRING, uv_version_string(),
           nghttp2_version(0)->version_str);
    return 0;
}
