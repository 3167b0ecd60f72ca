/* A mutual TLS handshake, data both ways and a goodbye, with allocations failing in turn at both ends: either
 * it works, or an end says why not; nobody is believed without having been verified, and nothing leaks. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/tls_pair.h"

static bool begin(struct tls_pair *pair, struct cs_tls_options server)
{
    int rc = tls_peer_begin(&pair->server, server, NULL, NULL);

    if (rc == CS_OK)
        rc = tls_peer_begin(&pair->client, tls_pair_client(pair), "localhost", NULL);
    if (rc == CS_OK) {
        rc = cs_tls_start(pair->client.tls, &pair->client.err);
        if (rc == CS_OK)
            return true;
    }
    assert_true(rc == CS_ENOMEM && alloc_fail_happened());
    return false;
}

/* Sends, and answers whether it arrived. */
static bool send_text(struct tls_pair *pair, struct tls_peer *from, struct tls_peer *to, struct cs_slice text)
{
    cs_tls_slim(from->tls);
    cs_tls_slim(to->tls);
    from->rc = cs_tls_write(from->tls, text, &from->err);
    if (from->rc != CS_OK)
        assert_true(alloc_fail_happened());
    tls_pair_run(pair);
    if (from->rc != CS_OK || to->rc != CS_OK)
        return false;
    check_slice(cs_buf_slice(&to->plain), text);
    return true;
}

static void converse(void *data)
{
    struct tls_pair *pair = data;
    struct tls_peer *server = &pair->server, *client = &pair->client;
    bool fine = begin(pair, tls_pair_server(pair));

    if (fine) {
        tls_pair_run(pair);
        fine = server->rc == CS_OK && client->rc == CS_OK;
        assert_true(fine || alloc_fail_happened());
        /* Whoever has a peer has verified it. */
        if (cs_tls_peer_certificate(server->tls).len)
            check_slice(cs_tls_peer_certificate(server->tls), cs_chain_der(pair->client_id.chain, 0));
        if (fine)
            assert_true(cs_tls_established(server->tls) && cs_tls_peer_certificate(server->tls).len > 0);
    }
    if (fine)
        fine = send_text(pair, client, server, CS_SLICE_LIT("hello")) &&
               send_text(pair, server, client, CS_SLICE_LIT("hello yourself"));
    if (fine) {
        cs_tls_slim(client->tls);
        cs_tls_close(client->tls);
        tls_pair_run(pair);
        assert_true(server->rc == CS_ECLOSED || alloc_fail_happened());
    }
    assert_true(fine || alloc_fail_happened());
    tls_pair_disconnect(pair);
}

static void a_conversation_without_memory_ends_cleanly(void **state)
{
    struct tls_pair pair;
    unsigned count;

    (void)state;
    tls_pair_begin(&pair);
    count = alloc_fail_sample(converse, &pair, 400);
    print_message("    %u allocations failed\n", count);
    assert_true(count > 200);
    tls_pair_end(&pair);
}

/* The client's certificate is of another CA: no lack of memory may let it in. */
static void refuse_stranger(void *data)
{
    struct tls_pair *pair = data;

    if (begin(pair, tls_pair_server(pair))) {
        tls_pair_run(pair);
        assert_int_not_equal(pair->server.rc, CS_OK);
        assert_false(cs_tls_established(pair->server.tls));
        assert_int_equal(cs_tls_peer_certificate(pair->server.tls).len, 0);
    }
    tls_pair_disconnect(pair);
}

static void refuse_stranger_where_none_is_needed(void *data)
{
    struct tls_pair *pair = data;
    struct cs_tls_options server = tls_pair_server(pair);

    server.require_peer = false;
    if (begin(pair, server)) {
        tls_pair_run(pair);
        assert_int_not_equal(pair->server.rc, CS_OK);
        assert_int_equal(cs_tls_peer_certificate(pair->server.tls).len, 0);
    }
    tls_pair_disconnect(pair);
}

static void a_stranger_is_not_let_in_without_memory(void **state)
{
    struct tls_pair pair;
    struct pki other;

    (void)state;
    tls_pair_begin(&pair);
    other = pki_make_ca("Fleet CA");
    pki_free(&pair.client_id);
    pair.client_id = pki_make_client(&other, "gw-1");
    assert_true(alloc_fail_sample(refuse_stranger, &pair, 150) > 100);
    assert_true(alloc_fail_sample(refuse_stranger_where_none_is_needed, &pair, 150) > 100);
    pki_free(&other);
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
        cmocka_unit_test(a_conversation_without_memory_ends_cleanly),
        cmocka_unit_test(a_stranger_is_not_let_in_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
