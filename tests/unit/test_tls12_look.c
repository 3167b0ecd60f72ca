/* The first half of a TLS 1.2 handshake, as a server says it: seen whole, in pieces, altered and cut. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/pki.h"

#include "shared/net/tls12_look.h"

struct scene {
    struct pki server, other;
    struct cs_tls12_look look;
    struct cs_buf hello; /* ours */
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct cs_err err;

    assert_non_null(scene);
    check_ok(cs_crypto_init(&err), err);
    scene->server = pki_issue(NULL, (struct cs_issue){.common_name = "server", .server_auth = true});
    scene->other = pki_issue(NULL, (struct cs_issue){.common_name = "other", .server_auth = true});
    check_ok(cs_tls12_look_hello(&scene->look, "web.example", &scene->hello, &err), err);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    cs_tls12_look_free(&scene->look);
    cs_buf_free(&scene->hello);
    pki_free(&scene->server);
    pki_free(&scene->other);
    free(scene);
    return 0;
}

/* ---- a server's side */

static void put(struct cs_buf *out, struct cs_slice bytes)
{
    assert_int_equal(cs_buf_append(out, bytes), CS_OK);
}

static void put_number(struct cs_buf *out, size_t value, unsigned bytes)
{
    while (bytes-- > 0)
        assert_int_equal(cs_buf_append_u8(out, (uint8_t)(value >> 8 * bytes)), CS_OK);
}

static void put_message(struct cs_buf *out, unsigned kind, struct cs_slice body)
{
    put_number(out, kind, 1);
    put_number(out, body.len, 3);
    put(out, body);
}

static void put_record(struct cs_buf *out, unsigned kind, struct cs_slice body)
{
    put_number(out, kind, 1);
    put_number(out, 0x0303, 2);
    put_number(out, body.len, 2);
    put(out, body);
}

static void put_hello(struct cs_buf *out, unsigned version)
{
    cs_auto(cs_buf_free) struct cs_buf body = CS_BUF_EMPTY;

    put_number(&body, version, 2);
    for (unsigned i = 0; i < 32; i++)
        put_number(&body, i, 1);
    put_number(&body, 0, 1);
    put_number(&body, 0xc02b, 2);
    put_number(&body, 0, 1);
    put_message(out, 2, cs_buf_slice(&body));
}

static void put_certificate(struct cs_buf *out, const struct pki *server)
{
    cs_auto(cs_buf_free) struct cs_buf body = CS_BUF_EMPTY;
    struct cs_slice der = cs_chain_der(server->chain, 0);

    put_number(&body, der.len + 3, 3);
    put_number(&body, der.len, 3);
    put(&body, der);
    put_message(out, 11, cs_buf_slice(&body));
}

/* r and s as ASN.1 wants them. */
static void put_integer(struct cs_buf *out, struct cs_slice raw)
{
    while (raw.len > 1 && raw.ptr[0] == 0)
        raw = cs_slice_from(raw, 1);
    put_number(out, 2, 1);
    put_number(out, raw.len + (raw.ptr[0] >> 7), 1);
    if (raw.ptr[0] >> 7)
        put_number(out, 0, 1);
    put(out, raw);
}

static void put_key_exchange(struct cs_buf *out, const struct scene *scene, const struct cs_key *key)
{
    cs_auto(cs_buf_free) struct cs_buf body = CS_BUF_EMPTY, signature = CS_BUF_EMPTY, numbers = CS_BUF_EMPTY;
    uint8_t server_random[32], raw[CS_SIGNATURE_BYTES];
    struct cs_err err;

    for (unsigned i = 0; i < 32; i++)
        server_random[i] = (uint8_t)i;
    put_number(&body, 3, 1);
    put_number(&body, 29, 2);
    put_number(&body, 32, 1);
    put(&body, CS_SLICE_ARRAY(server_random));
    const struct cs_slice parts[] = {CS_SLICE_ARRAY(scene->look.client_random), CS_SLICE_ARRAY(server_random),
                                     cs_buf_slice(&body)};

    check_ok(cs_sign(key, parts, CS_ARRAY_LEN(parts), raw, &err), err);
    put_integer(&numbers, cs_slice(raw, 32));
    put_integer(&numbers, cs_slice(raw + 32, 32));
    put_number(&signature, 0x30, 1);
    put_number(&signature, numbers.len, 1);
    put(&signature, cs_buf_slice(&numbers));
    put_number(&body, 0x0403, 2);
    put_number(&body, signature.len, 2);
    put(&body, cs_buf_slice(&signature));
    put_message(out, 12, cs_buf_slice(&body));
}

/* ServerHello, Certificate, ServerKeyExchange signed by this key; in one record or more. */
static struct cs_buf answer_by(const struct scene *scene, const struct cs_key *key, size_t record_bytes)
{
    cs_auto(cs_buf_free) struct cs_buf messages = CS_BUF_EMPTY;
    struct cs_buf out = CS_BUF_EMPTY;

    put_hello(&messages, 0x0303);
    put_certificate(&messages, &scene->server);
    put_message(&messages, 22, CS_SLICE_LIT("a status")); /* passed over */
    put_key_exchange(&messages, scene, key);
    for (struct cs_slice rest = cs_buf_slice(&messages); rest.len > 0;) {
        size_t len = rest.len < record_bytes ? rest.len : record_bytes;

        put_record(&out, 22, cs_slice(rest.ptr, len));
        rest = cs_slice_from(rest, len);
    }
    return out;
}

/* In pieces of so many bytes; the code of the first that is refused. */
static int feed(struct scene *scene, struct cs_slice bytes, size_t piece, struct cs_err *err)
{
    int code = CS_OK;

    while (bytes.len > 0 && !code) {
        size_t len = bytes.len < piece ? bytes.len : piece;

        code = cs_tls12_look_feed(&scene->look, cs_slice(bytes.ptr, len), err);
        bytes = cs_slice_from(bytes, len);
    }
    return code;
}

/* As if nothing had been said, with the same random value. */
static void forget(struct scene *scene)
{
    uint8_t random[32];

    memcpy(random, scene->look.client_random, sizeof random);
    cs_tls12_look_free(&scene->look);
    memcpy(scene->look.client_random, random, sizeof random);
}

/* ---- tests */

static void sees_the_leaf_however_it_comes(void **state)
{
    static const size_t records[] = {16384, 100, 1}, pieces[] = {65536, 7, 1};
    struct scene *scene = *state;
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(records); i++) {
        for (size_t k = 0; k < CS_ARRAY_LEN(pieces); k++) {
            cs_auto(cs_buf_free) struct cs_buf bytes = answer_by(scene, scene->server.key, records[i]);

            check_ok(feed(scene, cs_buf_slice(&bytes), pieces[k], &err), err);
            assert_true(scene->look.proven);
            assert_true(cs_slice_eq(cs_chain_der(scene->look.leaf, 0), cs_chain_der(scene->server.chain, 0)));
            forget(scene);
        }
    }
}

static void the_first_words_are_a_client_hello(void **state)
{
    struct scene *scene = *state;
    struct cs_slice hello = cs_buf_slice(&scene->hello);
    const size_t record_len = (size_t)hello.ptr[3] << 8 | hello.ptr[4];

    assert_int_equal(hello.ptr[0], 22);
    assert_int_equal(record_len + 5, hello.len);
    assert_int_equal(hello.ptr[5], 1);
    assert_int_equal(((size_t)hello.ptr[7] << 8 | hello.ptr[8]) + 9, hello.len);
    assert_non_null(memmem(hello.ptr, hello.len, "web.example", 11));
}

static void a_server_without_the_key_is_not_believed(void **state)
{
    struct scene *scene = *state;
    cs_auto(cs_buf_free) struct cs_buf bytes = answer_by(scene, scene->other.key, 16384);
    struct cs_err err;

    check_code(feed(scene, cs_buf_slice(&bytes), 65536, &err), CS_EAUTH);
    check_says(err, "has not the private key");
    assert_false(scene->look.proven);
}

/* Whatever byte is another one, nothing is proven but what was signed. */
static void no_changed_byte_proves_another_leaf(void **state)
{
    struct scene *scene = *state;
    cs_auto(cs_buf_free) struct cs_buf bytes = answer_by(scene, scene->server.key, 16384);
    struct cs_err err;

    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x41;
        if (feed(scene, cs_buf_slice(&bytes), 65536, &err) == CS_OK && scene->look.proven)
            assert_true(
                cs_slice_eq(cs_chain_leaf_spki(scene->look.leaf), cs_chain_leaf_spki(scene->server.chain)));
        bytes.ptr[i] ^= 0x41;
        forget(scene);
    }
    for (size_t len = 0; len < bytes.len; len++) {
        check_ok(feed(scene, cs_slice(bytes.ptr, len), 65536, &err), err);
        assert_false(scene->look.proven);
        forget(scene);
    }
}

static void says_what_is_wrong(void **state)
{
    struct scene *scene = *state;
    cs_auto(cs_buf_free) struct cs_buf old = CS_BUF_EMPTY, unsigned_ = CS_BUF_EMPTY, early = CS_BUF_EMPTY,
                                       records = CS_BUF_EMPTY;
    struct cs_err err;

    put_hello(&old, 0x0302);
    put_record(&records, 22, cs_buf_slice(&old));
    check_code(feed(scene, cs_buf_slice(&records), 65536, &err), CS_EUNSUPPORTED);
    check_says(err, "too old");
    forget(scene);

    cs_buf_clear(&records);
    put_message(&unsigned_, 14, CS_SLICE_EMPTY);
    put_record(&records, 22, cs_buf_slice(&unsigned_));
    check_code(feed(scene, cs_buf_slice(&records), 65536, &err), CS_EUNSUPPORTED);
    check_says(err, "without a signature");
    forget(scene);

    cs_buf_clear(&records);
    put_key_exchange(&early, scene, scene->server.key);
    put_record(&records, 22, cs_buf_slice(&early));
    check_code(feed(scene, cs_buf_slice(&records), 65536, &err), CS_EPARSE);
    forget(scene);

    check_code(feed(scene, CS_SLICE_LIT("HTTP/1.1 400 Bad Request"), 65536, &err), CS_EPARSE);
    forget(scene);
    check_code(feed(scene, CS_SLICE_LIT("\x15\x03\x03\x00\x02\x02\x46"), 1, &err), CS_EUNSUPPORTED);
    forget(scene);
    check_code(feed(scene, CS_SLICE_LIT("\x16\x03\x03\x00\x04\x0b\xff\xff\xff"), 1, &err), CS_EPARSE);
}

static void look_short_of_memory(void *data)
{
    struct scene *scene = data;
    cs_auto(cs_buf_free) struct cs_buf hello = CS_BUF_EMPTY;
    struct cs_tls12_look look = {.leaf = NULL};
    struct cs_err err;
    int code = cs_tls12_look_hello(&look, "web.example", &hello, &err);

    if (!code)
        memcpy(look.client_random, scene->look.client_random, sizeof look.client_random);
    if (!code)
        code = cs_tls12_look_feed(&look, cs_buf_slice(&scene->hello), &err);
    assert_true(alloc_fail_happened() || (!code && look.proven));
    /* mbedTLS tells a signature that it had no memory to check like one that is wrong. */
    assert_true(code != CS_OK || look.proven);
    cs_tls12_look_free(&look);
}

static void says_when_memory_runs_out(void **state)
{
    struct scene *scene = *state;

    cs_buf_free(&scene->hello);
    scene->hello = answer_by(scene, scene->server.key, 100);
    assert_true(alloc_fail_sample(look_short_of_memory, scene, 200) > 20);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(sees_the_leaf_however_it_comes),
        CASE(the_first_words_are_a_client_hello),
        CASE(a_server_without_the_key_is_not_believed),
        CASE(no_changed_byte_proves_another_leaf),
        CASE(says_what_is_wrong),
        CASE(says_when_memory_runs_out),
    };

    return cmocka_run_group_tests_name("tls12-look", tests, NULL, NULL);
}
