/* TLS between two ends: what each says, and that nothing is lost or believed too early. */
#include "tests/support/check.h"
#include "tests/support/tls_pair.h"

static void peer_begin(struct tls_peer *peer, struct cs_tls_options options, const char *name)
{
    struct cs_err err;

    check_ok(tls_peer_begin(peer, options, name, &err), err);
}

static void connect_peers(struct tls_pair *pair, struct cs_tls_options server, struct cs_tls_options client,
                          const char *name)
{
    peer_begin(&pair->server, server, NULL);
    peer_begin(&pair->client, client, name);
    pair->client.rc = cs_tls_start(pair->client.tls, &pair->client.err);
    tls_pair_run(pair);
}

static void connect_mutually(struct tls_pair *pair)
{
    connect_peers(pair, tls_pair_server(pair), tls_pair_client(pair), "localhost");
    check_ok(pair->server.rc, pair->server.err);
    check_ok(pair->client.rc, pair->client.err);
    assert_true(cs_tls_established(pair->server.tls));
    assert_true(cs_tls_established(pair->client.tls));
}

static void send_and_check(struct tls_pair *pair, struct tls_peer *from, struct tls_peer *to,
                           struct cs_slice text)
{
    struct cs_err err;

    cs_buf_clear(&to->plain);
    check_ok(cs_tls_write(from->tls, text, &err), err);
    tls_pair_run(pair);
    check_ok(to->rc, to->err);
    check_slice(cs_buf_slice(&to->plain), text);
}

static void both_ends_know_each_other_after_the_handshake(void **state)
{
    struct tls_pair pair;

    (void)state;
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    check_slice(cs_tls_peer_certificate(pair.server.tls), cs_chain_der(pair.client_id.chain, 0));
    check_slice(cs_tls_peer_certificate(pair.client.tls), cs_chain_der(pair.server_id.chain, 0));
    send_and_check(&pair, &pair.client, &pair.server, CS_SLICE_LIT("hello"));
    send_and_check(&pair, &pair.server, &pair.client, CS_SLICE_LIT("hello yourself"));
    tls_pair_end(&pair);
}

static void a_handshake_survives_one_byte_at_a_time(void **state)
{
    struct tls_pair pair;

    (void)state;
    tls_pair_begin(&pair);
    pair.step = 1;
    connect_mutually(&pair);
    send_and_check(&pair, &pair.client, &pair.server, CS_SLICE_LIT("slowly"));
    tls_pair_end(&pair);
}

/* Nobody may be taken for somebody before the last message of the handshake has been verified. */
static void there_is_no_identity_before_the_handshake_is_complete(void **state)
{
    struct tls_pair pair;
    struct cs_buf *pending;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    peer_begin(&pair.server, tls_pair_server(&pair), NULL);
    peer_begin(&pair.client, tls_pair_client(&pair), "localhost");
    check_ok(cs_tls_start(pair.client.tls, &err), err);
    tls_pair_carry(&pair.client, &pair.server, 0);
    tls_pair_carry(&pair.server, &pair.client, 0);
    pending = cs_tls_pending(pair.client.tls);
    assert_true(pending->len > 1);
    pending->len--; /* all but the last byte of the client's Finished */
    tls_pair_carry(&pair.client, &pair.server, 0);
    check_ok(pair.server.rc, pair.server.err);
    assert_false(cs_tls_established(pair.server.tls));
    assert_int_equal(cs_tls_peer_certificate(pair.server.tls).len, 0);
    check_code(cs_tls_write(pair.server.tls, CS_SLICE_LIT("x"), &err), CS_ESTATE);
    check_code(cs_tls_feed_end(pair.server.tls, &err), CS_EIO);
    check_says(err, "during the TLS handshake");
    tls_pair_end(&pair);
}

/* Everything that the side which is cut off can be asked. */
static void check_is_nobody_yet(struct tls_peer *peer)
{
    struct cs_err err;

    check_ok(peer->rc, peer->err);
    assert_false(cs_tls_established(peer->tls));
    assert_int_equal(cs_tls_peer_certificate(peer->tls).len, 0);
    assert_int_equal(peer->plain.len, 0);
    check_code(cs_tls_feed_end(peer->tls, &err), CS_EIO);
    check_says(err, "during the TLS handshake");
    check_code(cs_tls_feed(peer->tls, CS_SLICE_LIT("x"), &peer->plain, &err), CS_ECLOSED);
}

/* Cuts the flight with this number (0: ClientHello, 1: the server's, 2: the client's) behind `len` bytes.
 * False if it has no more than that. */
static bool cut_flight(struct tls_pair *pair, unsigned flight, size_t len)
{
    struct tls_peer *ends[2] = {&pair->client, &pair->server};
    struct tls_peer *from = ends[flight % 2], *to = ends[(flight + 1) % 2];
    struct cs_buf *pending;
    bool cut;

    peer_begin(&pair->server, tls_pair_server(pair), NULL);
    peer_begin(&pair->client, tls_pair_client(pair), "localhost");
    check_ok(cs_tls_start(pair->client.tls, &pair->client.err), pair->client.err);
    for (unsigned i = 0; i < flight; i++)
        tls_pair_carry(ends[i % 2], ends[(i + 1) % 2], 0);
    pending = cs_tls_pending(from->tls);
    cut = len < pending->len;
    if (cut) {
        pending->len = len;
        tls_pair_carry(from, to, 0);
        check_is_nobody_yet(to);
    }
    tls_pair_disconnect(pair);
    return cut;
}

/* A ClientHello at every offset. The others cost a handshake each, so a prime stride; byte by byte is above.
 */
static void a_handshake_that_breaks_off_leaves_nobody(void **state)
{
    static const size_t strides[] = {1, 13, 17};
    struct tls_pair pair;

    (void)state;
    tls_pair_begin(&pair);
    for (unsigned flight = 0; flight < CS_ARRAY_LEN(strides); flight++) {
        size_t len = 0;

        while (cut_flight(&pair, flight, len))
            len += strides[flight];
        assert_true(len > 100);
    }
    tls_pair_end(&pair);
}

static void a_server_knows_localhost_by_its_address_too(void **state)
{
    struct tls_pair pair;

    (void)state;
    tls_pair_begin(&pair);
    connect_peers(&pair, tls_pair_server(&pair), tls_pair_client(&pair), "127.0.0.1");
    check_ok(pair.client.rc, pair.client.err);
    assert_true(cs_tls_established(pair.server.tls));
    tls_pair_end(&pair);
}

/* What each end says. The one that refuses names the cause; the other learns it from the alert. */
struct refusal {
    const char *says;
    void (*arrange)(struct tls_pair *pair, struct cs_tls_options *server, struct cs_tls_options *client,
                    const char **name, struct pki *spare);
    const char *server_says, *client_says;
    bool server_was_content; /* the client refused when the server's handshake was complete */
};

static void no_client_certificate(struct tls_pair *pair, struct cs_tls_options *server,
                                  struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)pair, (void)server, (void)name, (void)spare;
    client->certificate = NULL;
    client->key = NULL;
}

static void client_of_another_ca(struct tls_pair *pair, struct cs_tls_options *server,
                                 struct cs_tls_options *client, const char **name, struct pki *spare)
{
    struct pki other = pki_make_ca("Fleet CA");

    (void)pair, (void)server, (void)name;
    *spare = pki_make_client(&other, "gw-1");
    client->certificate = spare->chain;
    client->key = spare->key;
    pki_free(&other);
}

static void use_client(struct tls_pair *pair, struct cs_tls_options *client, struct pki *spare,
                       struct cs_issue what)
{
    what.common_name = "gw-1";
    *spare = pki_issue(&pair->ca, what);
    client->certificate = spare->chain;
    client->key = spare->key;
}

static void expired_client(struct tls_pair *pair, struct cs_tls_options *server,
                           struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)server, (void)name;
    use_client(pair, client, spare, (struct cs_issue){.client_auth = true, .not_after_s = pki_now() - 60});
}

static void early_client(struct tls_pair *pair, struct cs_tls_options *server, struct cs_tls_options *client,
                         const char **name, struct pki *spare)
{
    (void)server, (void)name;
    use_client(pair, client, spare, (struct cs_issue){.client_auth = true, .not_before_s = pki_now() + 600});
}

static void client_with_a_server_certificate(struct tls_pair *pair, struct cs_tls_options *server,
                                             struct cs_tls_options *client, const char **name,
                                             struct pki *spare)
{
    (void)server, (void)name;
    use_client(pair, client, spare, (struct cs_issue){.server_auth = true});
}

static void server_of_another_name(struct tls_pair *pair, struct cs_tls_options *server,
                                   struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)pair, (void)server, (void)client, (void)spare;
    *name = "elsewhere.example";
}

static void server_of_another_address(struct tls_pair *pair, struct cs_tls_options *server,
                                      struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)pair, (void)server, (void)client, (void)spare;
    *name = "127.0.0.2";
}

static void server_of_another_ca(struct tls_pair *pair, struct cs_tls_options *server,
                                 struct cs_tls_options *client, const char **name, struct pki *spare)
{
    struct pki other = pki_make_ca("Other CA");

    (void)pair, (void)client, (void)name;
    *spare = pki_make_server(&other);
    server->certificate = spare->chain;
    server->key = spare->key;
    pki_free(&other);
}

static void another_protocol(struct tls_pair *pair, struct cs_tls_options *server,
                             struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)pair, (void)server, (void)name, (void)spare;
    client->alpn = "http/1.1";
}

static void no_protocol(struct tls_pair *pair, struct cs_tls_options *server, struct cs_tls_options *client,
                        const char **name, struct pki *spare)
{
    (void)pair, (void)server, (void)name, (void)spare;
    client->alpn = NULL;
}

static void server_without_protocol(struct tls_pair *pair, struct cs_tls_options *server,
                                    struct cs_tls_options *client, const char **name, struct pki *spare)
{
    (void)pair, (void)client, (void)name, (void)spare;
    server->alpn = NULL;
}

static void optional_client_of_another_ca(struct tls_pair *pair, struct cs_tls_options *server,
                                          struct cs_tls_options *client, const char **name, struct pki *spare)
{
    server->require_peer = false;
    client_of_another_ca(pair, server, client, name, spare);
}

static void optional_client_with_a_server_certificate(struct tls_pair *pair, struct cs_tls_options *server,
                                                      struct cs_tls_options *client, const char **name,
                                                      struct pki *spare)
{
    server->require_peer = false;
    client_with_a_server_certificate(pair, server, client, name, spare);
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
        struct tls_pair pair;

        print_message("    %s\n", refusal->says);
        tls_pair_begin(&pair);
        server = tls_pair_server(&pair);
        client = tls_pair_client(&pair);
        refusal->arrange(&pair, &server, &client, &name, &spare);
        connect_peers(&pair, server, client, name);
        assert_int_not_equal(pair.server.rc, CS_OK);
        assert_int_not_equal(pair.client.rc, CS_OK);
        check_says(pair.server.err, refusal->server_says);
        check_says(pair.client.err, refusal->client_says);
        /* By this code a client knows that it has to renew. */
        assert_int_equal(pair.client.err.code == CS_ESTALE, refusal->arrange == expired_client);
        assert_false(cs_tls_established(pair.server.tls));
        if (!refusal->server_was_content)
            assert_int_equal(cs_tls_peer_certificate(pair.server.tls).len, 0);
        tls_pair_end(&pair);
        pki_free(&spare);
    }
}

static void dates_can_be_left_to_the_caller(void **state)
{
    struct tls_pair pair;
    struct cs_tls_options server, client;
    struct pki spare = {NULL, NULL};

    (void)state;
    tls_pair_begin(&pair);
    server = tls_pair_server(&pair);
    client = tls_pair_client(&pair);
    server.ignore_peer_expiry = true;
    expired_client(&pair, &server, &client, NULL, &spare);
    connect_peers(&pair, server, client, "localhost");
    check_ok(pair.server.rc, pair.server.err);
    check_slice(cs_tls_peer_certificate(pair.server.tls), cs_chain_der(spare.chain, 0));
    tls_pair_end(&pair);
    pki_free(&spare);
}

static void an_optional_client_certificate_may_be_absent(void **state)
{
    struct tls_pair pair;
    struct cs_tls_options server, client;

    (void)state;
    tls_pair_begin(&pair);
    server = tls_pair_server(&pair);
    client = tls_pair_client(&pair);
    server.require_peer = false;
    no_client_certificate(&pair, &server, &client, NULL, NULL);
    connect_peers(&pair, server, client, "localhost");
    check_ok(pair.server.rc, pair.server.err);
    assert_true(cs_tls_established(pair.server.tls));
    assert_int_equal(cs_tls_peer_certificate(pair.server.tls).len, 0);
    tls_pair_end(&pair);
}

static void plain_text_is_called_that(void **state)
{
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    peer_begin(&pair.server, tls_pair_server(&pair), NULL);
    peer_begin(&pair.client, tls_pair_client(&pair), "localhost");
    check_code(cs_tls_feed(pair.server.tls, CS_SLICE_LIT("GET / HTTP/1.1\r\n"), &pair.server.plain, &err),
               CS_EPARSE);
    check_says(err, "does not speak TLS");
    assert_int_equal(cs_tls_pending(pair.server.tls)->len, 0);
    check_code(cs_tls_feed(pair.server.tls, CS_SLICE_LIT("\x16"), &pair.server.plain, &err), CS_ECLOSED);
    check_ok(cs_tls_start(pair.client.tls, &err), err);
    check_code(cs_tls_feed(pair.client.tls, CS_SLICE_LIT("HTTP/1.1 400"), &pair.client.plain, &err),
               CS_EPARSE);
    check_says(err, "does not speak TLS");
    tls_pair_end(&pair);
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
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    peer_begin(&pair.server, tls_pair_server(&pair), NULL);
    peer_begin(&pair.client, tls_pair_client(&pair), "localhost");
    check_code(cs_tls_feed(pair.server.tls, CS_SLICE_ARRAY(tls12_hello), &pair.server.plain, &err),
               CS_EUNSUPPORTED);
    check_says(err, "TLS 1.2 at most");
    check_slice(cs_buf_slice(cs_tls_pending(pair.server.tls)), CS_SLICE_ARRAY(alert));
    check_ok(cs_tls_start(pair.client.tls, &err), err);
    check_code(cs_tls_feed(pair.client.tls, CS_SLICE_ARRAY(alert), &pair.client.plain, &err),
               CS_EUNSUPPORTED);
    check_says(err, "does not speak TLS 1.3");
    tls_pair_end(&pair);
}

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(i * 31 + i / 251);
}

static void carries_large_amounts_both_ways(void **state)
{
    enum { MEGABYTE = 1024 * 1024 };
    struct tls_pair pair;
    uint8_t *bytes = malloc(MEGABYTE);

    (void)state;
    assert_non_null(bytes);
    fill(bytes, MEGABYTE);
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    send_and_check(&pair, &pair.client, &pair.server, cs_slice(bytes, MEGABYTE));
    pair.step = 1000;
    send_and_check(&pair, &pair.server, &pair.client, cs_slice(bytes, MEGABYTE));
    tls_pair_end(&pair);
    free(bytes);
}

static void more_than_may_wait_ends_the_connection(void **state)
{
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    pair.server.plain.limit_bytes = 8;
    check_ok(cs_tls_write(pair.client.tls, CS_SLICE_LIT("12345678"), &err), err);
    check_ok(cs_tls_write(pair.client.tls, CS_SLICE_LIT("9"), &err), err);
    tls_pair_run(&pair);
    check_code(pair.server.rc, CS_ETOOBIG);
    check_slice(cs_buf_slice(&pair.server.plain), CS_SLICE_LIT("12345678"));
    assert_int_not_equal(pair.client.rc, CS_OK);
    tls_pair_end(&pair);
}

static void says_goodbye_and_hears_it(void **state)
{
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    cs_tls_close(pair.client.tls);
    cs_tls_close(pair.client.tls);
    check_code(cs_tls_write(pair.client.tls, CS_SLICE_LIT("x"), &err), CS_ECLOSED);
    tls_pair_carry(&pair.client, &pair.server, 0);
    check_code(pair.server.rc, CS_ECLOSED);
    cs_tls_close(pair.server.tls);
    tls_pair_carry(&pair.server, &pair.client, 0);
    check_code(pair.client.rc, CS_ECLOSED);
    check_code(cs_tls_feed_end(pair.client.tls, &err), CS_ECLOSED);
    tls_pair_end(&pair);
}

static void a_stream_that_breaks_off_is_no_clean_close(void **state)
{
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    check_ok(cs_tls_write(pair.client.tls, CS_SLICE_LIT("half of this"), &err), err);
    cs_tls_pending(pair.client.tls)->len -= 3;
    tls_pair_run(&pair);
    check_ok(pair.server.rc, pair.server.err);
    assert_int_equal(pair.server.plain.len, 0);
    check_code(cs_tls_feed_end(pair.server.tls, &err), CS_EIO);
    check_says(err, "broke off");
    tls_pair_end(&pair);
}

static void altered_bytes_end_the_connection_with_an_alert(void **state)
{
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    check_ok(cs_tls_write(pair.client.tls, CS_SLICE_LIT("text"), &err), err);
    cs_tls_pending(pair.client.tls)->ptr[7] ^= 1;
    tls_pair_carry(&pair.client, &pair.server, 0);
    check_code(pair.server.rc, CS_EAUTH);
    assert_int_equal(pair.server.plain.len, 0);
    tls_pair_carry(&pair.server, &pair.client, 0);
    assert_int_not_equal(pair.client.rc, CS_OK);
    check_says(pair.client.err, "alert 20");
    tls_pair_end(&pair);
}

static void goes_on_after_slimming_in_both_directions(void **state)
{
    struct tls_pair pair;
    uint8_t bytes[20000];

    (void)state;
    fill(bytes, sizeof bytes);
    tls_pair_begin(&pair);
    connect_mutually(&pair);
    for (int i = 0; i < 5; i++) {
        cs_tls_slim(pair.server.tls);
        cs_tls_slim(pair.client.tls);
        cs_tls_slim(pair.client.tls);
        send_and_check(&pair, &pair.client, &pair.server, CS_SLICE_LIT("ping"));
        cs_tls_slim(pair.server.tls);
        send_and_check(&pair, &pair.server, &pair.client, CS_SLICE_ARRAY(bytes));
    }
    check_slice(cs_tls_peer_certificate(pair.server.tls), cs_chain_der(pair.client_id.chain, 0));
    cs_tls_slim(pair.server.tls);
    cs_tls_slim(pair.client.tls);
    cs_tls_close(pair.client.tls);
    tls_pair_carry(&pair.client, &pair.server, 0);
    check_code(pair.server.rc, CS_ECLOSED);
    tls_pair_end(&pair);
}

/* Slimming after every byte: at most one byte in the record buffer, at most a whole one. */
static void slimming_in_the_middle_of_a_record_loses_nothing(void **state)
{
    struct tls_pair pair;
    struct cs_slice text = CS_SLICE_LIT("in pieces");
    struct cs_buf *pending;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    peer_begin(&pair.server, tls_pair_server(&pair), NULL);
    cs_tls_slim(pair.server.tls); /* before the handshake: nothing happens */
    cs_tls_free(pair.server.tls);
    cs_tls_config_free(pair.server.config);
    connect_mutually(&pair);
    check_ok(cs_tls_write(pair.client.tls, text, &err), err);
    pending = cs_tls_pending(pair.client.tls);
    for (size_t i = 0; i < pending->len; i++) {
        cs_tls_slim(pair.server.tls);
        check_ok(cs_tls_feed(pair.server.tls, cs_slice(pending->ptr + i, 1), &pair.server.plain, &err), err);
    }
    cs_buf_clear(pending);
    check_slice(cs_buf_slice(&pair.server.plain), text);
    send_and_check(&pair, &pair.client, &pair.server, CS_SLICE_LIT("and more"));
    tls_pair_end(&pair);
}

static void a_client_refuses_to_start_without_a_name_or_an_anchor(void **state)
{
    struct cs_tls_options options;
    struct cs_tls_config *none = NULL;
    struct tls_pair pair;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    options = tls_pair_client(&pair);
    options.anchors = NULL;
    check_code(cs_tls_config_new(&options, &none, &err), CS_EINVAL);
    options = tls_pair_client(&pair);
    options.key = pair.server_id.key;
    check_code(cs_tls_config_new(&options, &none, &err), CS_EINVAL);
    check_says(err, "does not belong");
    options = tls_pair_client(&pair);
    check_ok(cs_tls_config_new(&options, &pair.client.config, &err), err);
    check_code(cs_tls_new(pair.client.config, NULL, &pair.client.tls, &err), CS_EINVAL);
    tls_pair_end(&pair);
}

static int set_up(void **state)
{
    (void)state;
    return cs_crypto_init(NULL);
}

static void agrees_on_one_of_several_protocols(void **state)
{
    static const struct {
        const char *says, *server, *client, *agreed;
        bool refused;
    } cases[] = {
        {"the server's first", "h2,http/1.1", "http/1.1,h2", "h2", false},
        {"the server's second", "h2,http/1.1", "http/1.1", "http/1.1", false},
        {"a client that says nothing, where HTTP/1.1 is spoken", "h2,http/1.1", NULL, NULL, false},
        {"a client that says nothing, where it is not", "h2", NULL, NULL, true},
        {"HTTP/1.1, where it is not spoken", "h2", "http/1.1", NULL, true},
        {"what nobody speaks", "h2,http/1.1", "h3", NULL, true},
    };
    struct tls_pair pair;

    (void)state;
    tls_pair_begin(&pair);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_tls_options server = tls_pair_server(&pair), client = tls_pair_client(&pair);
        const char *agreed;
        struct cs_err err;

        server.alpn = cases[i].server;
        client.alpn = cases[i].client;
        check_ok(tls_peer_begin(&pair.server, server, NULL, &err), err);
        check_ok(tls_peer_begin(&pair.client, client, "localhost", &err), err);
        check_ok(cs_tls_start(pair.client.tls, &err), err);
        tls_pair_run(&pair);
        if (cs_tls_established(pair.server.tls) == cases[i].refused)
            fail_msg("%s: %s", cases[i].says, pair.server.err.msg);
        agreed = cases[i].refused ? NULL : cs_tls_alpn(pair.server.tls);
        if ((agreed != NULL) != (cases[i].agreed != NULL) || (agreed && strcmp(agreed, cases[i].agreed) != 0))
            fail_msg("%s: agreed on %s", cases[i].says, agreed ? agreed : "nothing");
        tls_pair_disconnect(&pair);
    }
    tls_pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_on_one_of_several_protocols),
        cmocka_unit_test(both_ends_know_each_other_after_the_handshake),
        cmocka_unit_test(a_handshake_survives_one_byte_at_a_time),
        cmocka_unit_test(there_is_no_identity_before_the_handshake_is_complete),
        cmocka_unit_test(a_handshake_that_breaks_off_leaves_nobody),
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
