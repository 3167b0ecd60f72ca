/* Two TLS peers in memory: what one leaves pending is fed to the other. */
#include "tests/support/check.h"
#include "tests/support/pki.h"

#include "shared/net/tls.h"

struct peer {
    struct cs_tls_config *config;
    struct cs_tls *tls;
    struct cs_buf plain;
    struct cs_err err;
    int rc;
};

/* A CA, both ends' certificates, and the two ends. */
struct world {
    struct pki ca, server_id, client_id;
    struct peer server, client;
    size_t step; /* bytes in one feed; 0: all that is there */
};

static void world_begin(struct world *world)
{
    *world = (struct world){.step = 0};
    world->ca = pki_make_ca("Fleet CA");
    world->server_id = pki_make_server(&world->ca);
    world->client_id = pki_make_client(&world->ca, "gw-1");
}

static void world_end(struct world *world)
{
    struct peer *peers[] = {&world->server, &world->client};

    for (size_t i = 0; i < CS_ARRAY_LEN(peers); i++) {
        cs_tls_free(peers[i]->tls);
        cs_tls_config_free(peers[i]->config);
        cs_buf_free(&peers[i]->plain);
    }
    pki_free(&world->client_id);
    pki_free(&world->server_id);
    pki_free(&world->ca);
}

static struct cs_tls_options server_options(const struct world *world)
{
    return (struct cs_tls_options){.is_server = true,
                                   .certificate = world->server_id.chain,
                                   .key = world->server_id.key,
                                   .anchors = world->ca.chain,
                                   .require_peer = true,
                                   .alpn = "h2"};
}

static struct cs_tls_options client_options(const struct world *world)
{
    return (struct cs_tls_options){.certificate = world->client_id.chain,
                                   .key = world->client_id.key,
                                   .anchors = world->ca.chain,
                                   .alpn = "h2"};
}

static void peer_begin(struct peer *peer, struct cs_tls_options options, const char *name)
{
    struct cs_err err;

    check_ok(cs_tls_config_new(&options, &peer->config, &err), err);
    check_ok(cs_tls_new(peer->config, name, &peer->tls, &err), err);
}

/* Carries what `from` has pending to `to`. Returns whether anything moved. */
static bool carry(struct peer *from, struct peer *to, size_t step)
{
    struct cs_buf *pending = cs_tls_pending(from->tls);
    struct cs_slice bytes = cs_buf_slice(pending);
    bool any = bytes.len > 0;

    for (size_t at = 0; at < bytes.len && to->rc == CS_OK;) {
        size_t len = step && step < bytes.len - at ? step : bytes.len - at;

        to->rc = cs_tls_feed(to->tls, cs_slice(bytes.ptr + at, len), &to->plain, &to->err);
        at += len;
    }
    cs_buf_clear(pending);
    return any;
}

static void run(struct world *world)
{
    bool moved;

    do {
        moved = carry(&world->client, &world->server, world->step);
        moved = carry(&world->server, &world->client, world->step) || moved;
    } while (moved);
}

static void connect_peers(struct world *world, struct cs_tls_options server, struct cs_tls_options client,
                          const char *name)
{
    peer_begin(&world->server, server, NULL);
    peer_begin(&world->client, client, name);
    world->client.rc = cs_tls_start(world->client.tls, &world->client.err);
    run(world);
}

static void connect_mutually(struct world *world)
{
    connect_peers(world, server_options(world), client_options(world), "localhost");
    check_ok(world->server.rc, world->server.err);
    check_ok(world->client.rc, world->client.err);
    assert_true(cs_tls_established(world->server.tls));
    assert_true(cs_tls_established(world->client.tls));
}

static void send_and_check(struct world *world, struct peer *from, struct peer *to, struct cs_slice text)
{
    struct cs_err err;

    cs_buf_clear(&to->plain);
    check_ok(cs_tls_write(from->tls, text, &err), err);
    run(world);
    check_ok(to->rc, to->err);
    check_slice(cs_buf_slice(&to->plain), text);
}

static void both_ends_know_each_other_after_the_handshake(void **state)
{
    struct world world;

    (void)state;
    world_begin(&world);
    connect_mutually(&world);
    check_slice(cs_tls_peer_certificate(world.server.tls), cs_chain_der(world.client_id.chain, 0));
    check_slice(cs_tls_peer_certificate(world.client.tls), cs_chain_der(world.server_id.chain, 0));
    send_and_check(&world, &world.client, &world.server, CS_SLICE_LIT("hello"));
    send_and_check(&world, &world.server, &world.client, CS_SLICE_LIT("hello yourself"));
    world_end(&world);
}

static void a_handshake_survives_one_byte_at_a_time(void **state)
{
    struct world world;

    (void)state;
    world_begin(&world);
    world.step = 1;
    connect_mutually(&world);
    send_and_check(&world, &world.client, &world.server, CS_SLICE_LIT("slowly"));
    world_end(&world);
}

/* Nobody may be taken for somebody before the last message of the handshake has been verified. */
static void there_is_no_identity_before_the_handshake_is_complete(void **state)
{
    struct world world;
    struct cs_buf *pending;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    peer_begin(&world.server, server_options(&world), NULL);
    peer_begin(&world.client, client_options(&world), "localhost");
    check_ok(cs_tls_start(world.client.tls, &err), err);
    carry(&world.client, &world.server, 0);
    carry(&world.server, &world.client, 0);
    pending = cs_tls_pending(world.client.tls);
    assert_true(pending->len > 1);
    pending->len--; /* all but the last byte of the client's Finished */
    carry(&world.client, &world.server, 0);
    check_ok(world.server.rc, world.server.err);
    assert_false(cs_tls_established(world.server.tls));
    assert_int_equal(cs_tls_peer_certificate(world.server.tls).len, 0);
    check_code(cs_tls_write(world.server.tls, CS_SLICE_LIT("x"), &err), CS_ESTATE);
    check_code(cs_tls_feed_end(world.server.tls, &err), CS_EIO);
    check_says(err, "during the TLS handshake");
    world_end(&world);
}

static void a_server_knows_localhost_by_its_address_too(void **state)
{
    struct world world;

    (void)state;
    world_begin(&world);
    connect_peers(&world, server_options(&world), client_options(&world), "127.0.0.1");
    check_ok(world.client.rc, world.client.err);
    assert_true(cs_tls_established(world.server.tls));
    world_end(&world);
}

/* What each end says. The one that refuses names the cause; the other learns it from the alert. */
struct refusal {
    const char *says;
    void (*arrange)(struct world *world, struct cs_tls_options *server, struct cs_tls_options *client,
                    const char **name, struct pki *spare);
    const char *server_says, *client_says;
    bool server_was_content; /* the client refused when the server's handshake was complete */
};

static void no_client_certificate(struct world *world, struct cs_tls_options *server,
                                  struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)world, (void)server, (void)name, (void)spare;
    client->certificate = NULL;
    client->key = NULL;
}

static void client_of_another_ca(struct world *world, struct cs_tls_options *server,
                                 struct cs_tls_options *client, const char **name, struct pki *spare)
{
    struct pki other = pki_make_ca("Fleet CA");

    (void)world, (void)server, (void)name;
    *spare = pki_make_client(&other, "gw-1");
    client->certificate = spare->chain;
    client->key = spare->key;
    pki_free(&other);
}

static void use_client(struct world *world, struct cs_tls_options *client, struct pki *spare,
                       struct cs_issue what)
{
    what.common_name = "gw-1";
    *spare = pki_issue(&world->ca, what);
    client->certificate = spare->chain;
    client->key = spare->key;
}

static void expired_client(struct world *world, struct cs_tls_options *server, struct cs_tls_options *client,
                           const char **name, struct pki *spare)
{
    (void)server, (void)name;
    use_client(world, client, spare, (struct cs_issue){.client_auth = true, .not_after_s = pki_now() - 60});
}

static void early_client(struct world *world, struct cs_tls_options *server, struct cs_tls_options *client,
                         const char **name, struct pki *spare)
{
    (void)server, (void)name;
    use_client(world, client, spare, (struct cs_issue){.client_auth = true, .not_before_s = pki_now() + 600});
}

static void client_with_a_server_certificate(struct world *world, struct cs_tls_options *server,
                                             struct cs_tls_options *client, const char **name,
                                             struct pki *spare)
{
    (void)server, (void)name;
    use_client(world, client, spare, (struct cs_issue){.server_auth = true});
}

static void server_of_another_name(struct world *world, struct cs_tls_options *server,
                                   struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)world, (void)server, (void)client, (void)spare;
    *name = "elsewhere.example";
}

static void server_of_another_address(struct world *world, struct cs_tls_options *server,
                                      struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)world, (void)server, (void)client, (void)spare;
    *name = "127.0.0.2";
}

static void server_of_another_ca(struct world *world, struct cs_tls_options *server,
                                 struct cs_tls_options *client, const char **name, struct pki *spare)
{
    struct pki other = pki_make_ca("Other CA");

    (void)world, (void)client, (void)name;
    *spare = pki_make_server(&other);
    server->certificate = spare->chain;
    server->key = spare->key;
    pki_free(&other);
}

static void another_protocol(struct world *world, struct cs_tls_options *server,
                             struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)world, (void)server, (void)name, (void)spare;
    client->alpn = "http/1.1";
}

static void no_protocol(struct world *world, struct cs_tls_options *server, struct cs_tls_options *client,
                        const char **name, struct pki *spare)
{
    (void)world, (void)server, (void)name, (void)spare;
    client->alpn = NULL;
}

static void server_without_protocol(struct world *world, struct cs_tls_options *server,
                                    struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)world, (void)client, (void)name, (void)spare;
    server->alpn = NULL;
}

static void optional_client_of_another_ca(struct world *world, struct cs_tls_options *server,
                                          struct cs_tls_options *client, const char **name, struct pki *spare)
{
    server->require_peer = false;
    client_of_another_ca(world, server, client, name, spare);
}

static void optional_client_with_a_server_certificate(struct world *world, struct cs_tls_options *server,
                                                      struct cs_tls_options *client, const char **name,
                                                      struct pki *spare)
{
    server->require_peer = false;
    client_with_a_server_certificate(world, server, client, name, spare);
}

static void each_refusal_has_its_sentence_at_both_ends(void **state)
{
    static const struct refusal refusals[] = {
        {.says = "no client certificate",
         .arrange = no_client_certificate,
         .server_says = "sent no client certificate",
         .client_says = "wants a client certificate"},
        {.says = "client of another CA",
         .arrange = client_of_another_ca,
         .server_says = "issued by another CA",
         .client_says = "does not trust the CA of our"},
        {.says = "expired client",
         .arrange = expired_client,
         .server_says = "the peer's certificate expired at 20",
         .client_says = "our certificate has expired"},
        {.says = "early client",
         .arrange = early_client,
         .server_says = "is not valid before 20",
         .client_says = "check its dates"},
        {.says = "client with a server's certificate",
         .arrange = client_with_a_server_certificate,
         .server_says = "not meant for its side",
         .client_says = "not meant for our side"},
        {.says = "server of another name",
         .arrange = server_of_another_name,
         .server_says = "does not fit its name",
         .client_says = "for another name or address"},
        {.says = "server of another address",
         .arrange = server_of_another_address,
         .server_says = "does not fit its name",
         .client_says = "for another name or address"},
        {.says = "server of another CA",
         .arrange = server_of_another_ca,
         .server_says = "does not trust the CA of our",
         .client_says = "issued by another CA"},
        {.says = "another ALPN",
         .arrange = another_protocol,
         .server_says = "(ALPN)",
         .client_says = "(ALPN)"},
        {.says = "no ALPN", .arrange = no_protocol, .server_says = "(ALPN)", .client_says = "(ALPN)"},
        {.says = "a server without ALPN",
         .arrange = server_without_protocol,
         .server_says = "(ALPN)",
         .client_says = "(ALPN)",
         .server_was_content = true},
        {.says = "optional client of another CA",
         .arrange = optional_client_of_another_ca,
         .server_says = "issued by another CA",
         .client_says = "refuses our"},
        {.says = "optional client with a server's certificate",
         .arrange = optional_client_with_a_server_certificate,
         .server_says = "not meant for its side",
         .client_says = "refuses our"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        struct cs_tls_options server, client;
        const char *name = "localhost";
        struct pki spare = {NULL, NULL};
        struct world world;

        print_message("    %s\n", refusal->says);
        world_begin(&world);
        server = server_options(&world);
        client = client_options(&world);
        refusal->arrange(&world, &server, &client, &name, &spare);
        connect_peers(&world, server, client, name);
        assert_int_not_equal(world.server.rc, CS_OK);
        assert_int_not_equal(world.client.rc, CS_OK);
        check_says(world.server.err, refusal->server_says);
        check_says(world.client.err, refusal->client_says);
        assert_false(cs_tls_established(world.server.tls));
        if (!refusal->server_was_content)
            assert_int_equal(cs_tls_peer_certificate(world.server.tls).len, 0);
        world_end(&world);
        pki_free(&spare);
    }
}

static void dates_can_be_left_to_the_caller(void **state)
{
    struct world world;
    struct cs_tls_options server, client;
    struct pki spare = {NULL, NULL};

    (void)state;
    world_begin(&world);
    server = server_options(&world);
    client = client_options(&world);
    server.ignore_peer_expiry = true;
    expired_client(&world, &server, &client, NULL, &spare);
    connect_peers(&world, server, client, "localhost");
    check_ok(world.server.rc, world.server.err);
    check_slice(cs_tls_peer_certificate(world.server.tls), cs_chain_der(spare.chain, 0));
    world_end(&world);
    pki_free(&spare);
}

static void an_optional_client_certificate_may_be_absent(void **state)
{
    struct world world;
    struct cs_tls_options server, client;

    (void)state;
    world_begin(&world);
    server = server_options(&world);
    client = client_options(&world);
    server.require_peer = false;
    no_client_certificate(&world, &server, &client, NULL, NULL);
    connect_peers(&world, server, client, "localhost");
    check_ok(world.server.rc, world.server.err);
    assert_true(cs_tls_established(world.server.tls));
    assert_int_equal(cs_tls_peer_certificate(world.server.tls).len, 0);
    world_end(&world);
}

static void plain_text_is_called_that(void **state)
{
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    peer_begin(&world.server, server_options(&world), NULL);
    peer_begin(&world.client, client_options(&world), "localhost");
    check_code(cs_tls_feed(world.server.tls, CS_SLICE_LIT("GET / HTTP/1.1\r\n"), &world.server.plain, &err),
               CS_EPARSE);
    check_says(err, "does not speak TLS");
    assert_int_equal(cs_tls_pending(world.server.tls)->len, 0);
    check_code(cs_tls_feed(world.server.tls, CS_SLICE_LIT("\x16"), &world.server.plain, &err), CS_ECLOSED);
    check_ok(cs_tls_start(world.client.tls, &err), err);
    check_code(cs_tls_feed(world.client.tls, CS_SLICE_LIT("HTTP/1.1 400"), &world.client.plain, &err),
               CS_EPARSE);
    check_says(err, "does not speak TLS");
    world_end(&world);
}

/* A ClientHello without the supported_versions extension, which is what TLS 1.2 sends; RFC 5246
 * section 7.4.1.2. */
static const uint8_t tls12_hello[] = {
    0x16, 0x03, 0x01, 0x00, 0x3f,       /* record */
    0x01, 0x00, 0x00, 0x3b, 0x03, 0x03, /* ClientHello, TLS 1.2 */
    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11, 12, 13, 14, 15, 16,   17,
    18,   19,   20,   21,   22,   23,   24,   25,   26,   27,   28, 29, 30, 31, 32, 0x00, /* no session */
    0x00, 0x02, 0xc0, 0x2b, 0x01, 0x00,                         /* ECDHE-ECDSA-AES128-GCM, no compression */
    0x00, 0x10, 0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, /* extensions: groups */
    0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03,             /* signature algorithms */
};

static void a_peer_of_tls_1_2_is_called_that(void **state)
{
    static const uint8_t alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70 /* protocol_version */};
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    peer_begin(&world.server, server_options(&world), NULL);
    peer_begin(&world.client, client_options(&world), "localhost");
    check_code(cs_tls_feed(world.server.tls, CS_SLICE_ARRAY(tls12_hello), &world.server.plain, &err),
               CS_EUNSUPPORTED);
    check_says(err, "TLS 1.2 at most");
    check_slice(cs_buf_slice(cs_tls_pending(world.server.tls)), CS_SLICE_ARRAY(alert));
    check_ok(cs_tls_start(world.client.tls, &err), err);
    check_code(cs_tls_feed(world.client.tls, CS_SLICE_ARRAY(alert), &world.client.plain, &err),
               CS_EUNSUPPORTED);
    check_says(err, "does not speak TLS 1.3");
    world_end(&world);
}

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(i * 31 + i / 251);
}

static void carries_large_amounts_both_ways(void **state)
{
    enum { MEGABYTE = 1024 * 1024 };
    struct world world;
    uint8_t *bytes = malloc(MEGABYTE);

    (void)state;
    assert_non_null(bytes);
    fill(bytes, MEGABYTE);
    world_begin(&world);
    connect_mutually(&world);
    send_and_check(&world, &world.client, &world.server, cs_slice(bytes, MEGABYTE));
    world.step = 1000;
    send_and_check(&world, &world.server, &world.client, cs_slice(bytes, MEGABYTE));
    world_end(&world);
    free(bytes);
}

static void more_than_may_wait_ends_the_connection(void **state)
{
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    connect_mutually(&world);
    world.server.plain.limit_bytes = 8;
    check_ok(cs_tls_write(world.client.tls, CS_SLICE_LIT("12345678"), &err), err);
    check_ok(cs_tls_write(world.client.tls, CS_SLICE_LIT("9"), &err), err);
    run(&world);
    check_code(world.server.rc, CS_ETOOBIG);
    check_slice(cs_buf_slice(&world.server.plain), CS_SLICE_LIT("12345678"));
    assert_int_not_equal(world.client.rc, CS_OK);
    world_end(&world);
}

static void says_goodbye_and_hears_it(void **state)
{
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    connect_mutually(&world);
    cs_tls_close(world.client.tls);
    cs_tls_close(world.client.tls);
    check_code(cs_tls_write(world.client.tls, CS_SLICE_LIT("x"), &err), CS_ECLOSED);
    carry(&world.client, &world.server, 0);
    check_code(world.server.rc, CS_ECLOSED);
    cs_tls_close(world.server.tls);
    carry(&world.server, &world.client, 0);
    check_code(world.client.rc, CS_ECLOSED);
    check_code(cs_tls_feed_end(world.client.tls, &err), CS_ECLOSED);
    world_end(&world);
}

static void a_stream_that_breaks_off_is_no_clean_close(void **state)
{
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    connect_mutually(&world);
    check_ok(cs_tls_write(world.client.tls, CS_SLICE_LIT("half of this"), &err), err);
    cs_tls_pending(world.client.tls)->len -= 3;
    run(&world);
    check_ok(world.server.rc, world.server.err);
    assert_int_equal(world.server.plain.len, 0);
    check_code(cs_tls_feed_end(world.server.tls, &err), CS_EIO);
    check_says(err, "broke off");
    world_end(&world);
}

static void altered_bytes_end_the_connection_with_an_alert(void **state)
{
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    connect_mutually(&world);
    check_ok(cs_tls_write(world.client.tls, CS_SLICE_LIT("text"), &err), err);
    cs_tls_pending(world.client.tls)->ptr[7] ^= 1;
    carry(&world.client, &world.server, 0);
    check_code(world.server.rc, CS_EAUTH);
    assert_int_equal(world.server.plain.len, 0);
    carry(&world.server, &world.client, 0);
    assert_int_not_equal(world.client.rc, CS_OK);
    check_says(world.client.err, "alert 20");
    world_end(&world);
}

static void goes_on_after_slimming_in_both_directions(void **state)
{
    struct world world;
    uint8_t bytes[20000];

    (void)state;
    fill(bytes, sizeof bytes);
    world_begin(&world);
    connect_mutually(&world);
    for (int i = 0; i < 5; i++) {
        cs_tls_slim(world.server.tls);
        cs_tls_slim(world.client.tls);
        cs_tls_slim(world.client.tls);
        send_and_check(&world, &world.client, &world.server, CS_SLICE_LIT("ping"));
        cs_tls_slim(world.server.tls);
        send_and_check(&world, &world.server, &world.client, CS_SLICE_ARRAY(bytes));
    }
    check_slice(cs_tls_peer_certificate(world.server.tls), cs_chain_der(world.client_id.chain, 0));
    cs_tls_slim(world.server.tls);
    cs_tls_slim(world.client.tls);
    cs_tls_close(world.client.tls);
    carry(&world.client, &world.server, 0);
    check_code(world.server.rc, CS_ECLOSED);
    world_end(&world);
}

/* Slimming after every byte: at most one byte in the record buffer, at most a whole one. */
static void slimming_in_the_middle_of_a_record_loses_nothing(void **state)
{
    struct world world;
    struct cs_slice text = CS_SLICE_LIT("in pieces");
    struct cs_buf *pending;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    peer_begin(&world.server, server_options(&world), NULL);
    cs_tls_slim(world.server.tls); /* before the handshake: nothing happens */
    cs_tls_free(world.server.tls);
    cs_tls_config_free(world.server.config);
    connect_mutually(&world);
    check_ok(cs_tls_write(world.client.tls, text, &err), err);
    pending = cs_tls_pending(world.client.tls);
    for (size_t i = 0; i < pending->len; i++) {
        cs_tls_slim(world.server.tls);
        check_ok(cs_tls_feed(world.server.tls, cs_slice(pending->ptr + i, 1), &world.server.plain, &err),
                 err);
    }
    cs_buf_clear(pending);
    check_slice(cs_buf_slice(&world.server.plain), text);
    send_and_check(&world, &world.client, &world.server, CS_SLICE_LIT("and more"));
    world_end(&world);
}

static void a_client_refuses_to_start_without_a_name_or_an_anchor(void **state)
{
    struct cs_tls_options options;
    struct cs_tls_config *none = NULL;
    struct world world;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    options = client_options(&world);
    options.anchors = NULL;
    check_code(cs_tls_config_new(&options, &none, &err), CS_EINVAL);
    options = client_options(&world);
    options.key = world.server_id.key;
    check_code(cs_tls_config_new(&options, &none, &err), CS_EINVAL);
    check_says(err, "does not belong");
    options = client_options(&world);
    check_ok(cs_tls_config_new(&options, &world.client.config, &err), err);
    check_code(cs_tls_new(world.client.config, NULL, &world.client.tls, &err), CS_EINVAL);
    world_end(&world);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_know_each_other_after_the_handshake),
        cmocka_unit_test(a_handshake_survives_one_byte_at_a_time),
        cmocka_unit_test(there_is_no_identity_before_the_handshake_is_complete),
        cmocka_unit_test(a_server_knows_localhost_by_its_address_too),
        cmocka_unit_test(each_refusal_has_its_sentence_at_both_ends),
        cmocka_unit_test(dates_can_be_left_to_the_caller),
        cmocka_unit_test(an_optional_client_certificate_may_be_absent),
        cmocka_unit_test(plain_text_is_called_that),
        cmocka_unit_test(a_peer_of_tls_1_2_is_called_that),
        cmocka_unit_test(carries_large_amounts_both_ways),
        cmocka_unit_test(more_than_may_wait_ends_the_connection),
        cmocka_unit_test(says_goodbye_and_hears_it),
        cmocka_unit_test(a_stream_that_breaks_off_is_no_clean_close),
        cmocka_unit_test(altered_bytes_end_the_connection_with_an_alert),
        cmocka_unit_test(goes_on_after_slimming_in_both_directions),
        cmocka_unit_test(slimming_in_the_middle_of_a_record_loses_nothing),
        cmocka_unit_test(a_client_refuses_to_start_without_a_name_or_an_anchor),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
