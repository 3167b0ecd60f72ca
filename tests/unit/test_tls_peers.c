/* A client of ours and servers of others, whose certificates are of other kinds than those that we make: RSA,
 * P-384, and one that is too weak. The other side is mbedTLS itself. */
#include "tests/support/check.h"
#include "tests/support/tls_pair.h"

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

/* A key as mbedTLS has it. */
static void make_key(psa_key_type_t type, size_t bits, mbedtls_pk_context *ret)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;

    psa_set_key_type(&attributes, type);
    psa_set_key_bits(&attributes, bits);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT | PSA_KEY_USAGE_SIGN_HASH);
    psa_set_key_algorithm(&attributes, PSA_KEY_TYPE_IS_RSA(type) ? PSA_ALG_RSA_PKCS1V15_SIGN(PSA_ALG_ANY_HASH)
                                                                 : PSA_ALG_ECDSA(PSA_ALG_ANY_HASH));
    assert_int_equal(psa_generate_key(&attributes, &id), PSA_SUCCESS);
    mbedtls_pk_init(ret);
    assert_int_equal(mbedtls_pk_copy_from_psa(id, ret), 0);
    psa_destroy_key(id);
}

/* Appends the DER of a certificate for `subject`, signed by `issuer`. */
static void write_certificate(mbedtls_pk_context *subject, mbedtls_pk_context *issuer, bool is_ca,
                              struct cs_buf *out)
{
    static unsigned char serial = 1;
    mbedtls_x509_san_list name = {
        .node = {.type = MBEDTLS_X509_SAN_DNS_NAME,
                 .san.unstructured_name = {.tag = 0, .len = 9, .p = (unsigned char[]){"localhost"}}}};
    mbedtls_x509write_cert writer;
    uint8_t room[4096];
    int len;

    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, subject);
    mbedtls_x509write_crt_set_issuer_key(&writer, issuer);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&writer, "CN=Elsewhere"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&writer, is_ca ? "CN=Elsewhere" : "CN=localhost"),
                     0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&writer, &serial, 1), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&writer, "20200101000000", "20991231235959"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&writer, is_ca, -1), 0);
    if (!is_ca)
        assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(&writer, &name), 0);
    len = mbedtls_x509write_crt_der(&writer, room, sizeof room, mbedtls_psa_get_random,
                                    MBEDTLS_PSA_RANDOM_STATE);
    assert_true(len > 0);
    assert_int_equal(cs_buf_append(out, cs_slice(room + sizeof room - len, (size_t)len)), CS_OK);
    mbedtls_x509write_crt_free(&writer);
    serial++;
}

/* A TLS server of mbedTLS alone, between two buffers. */
struct witness {
    mbedtls_pk_context key;
    mbedtls_x509_crt certificate;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    struct cs_buf input, output;
};

static int on_send(void *context, const unsigned char *bytes, size_t len)
{
    struct witness *witness = context;

    assert_int_equal(cs_buf_append(&witness->output, cs_slice(bytes, len)), CS_OK);
    return (int)len;
}

static int on_receive(void *context, unsigned char *out, size_t room)
{
    struct witness *witness = context;
    size_t take = witness->input.len < room ? witness->input.len : room;

    if (take == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(out, witness->input.ptr, take);
    cs_buf_consume(&witness->input, take);
    return (int)take;
}

/* The key has been made already. */
static void witness_begin(struct witness *witness, struct cs_slice certificate)
{
    mbedtls_x509_crt_init(&witness->certificate);
    mbedtls_ssl_config_init(&witness->config);
    mbedtls_ssl_init(&witness->ssl);
    witness->input = witness->output = CS_BUF_EMPTY;
    assert_int_equal(mbedtls_x509_crt_parse_der(&witness->certificate, certificate.ptr, certificate.len), 0);
    assert_int_equal(mbedtls_ssl_config_defaults(&witness->config, MBEDTLS_SSL_IS_SERVER,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&witness->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&witness->config, &witness->certificate, &witness->key), 0);
    assert_int_equal(mbedtls_ssl_setup(&witness->ssl, &witness->config), 0);
    mbedtls_ssl_set_bio(&witness->ssl, witness, on_send, on_receive, NULL);
}

static void witness_end(struct witness *witness)
{
    mbedtls_ssl_free(&witness->ssl);
    mbedtls_ssl_config_free(&witness->config);
    mbedtls_x509_crt_free(&witness->certificate);
    mbedtls_pk_free(&witness->key);
    cs_buf_free(&witness->input);
    cs_buf_free(&witness->output);
}

static void connect_to(struct witness *witness, struct tls_peer *client)
{
    client->rc = cs_tls_start(client->tls, &client->err);
    for (int i = 0; i < 4 && client->rc == CS_OK; i++) {
        struct cs_buf *pending = cs_tls_pending(client->tls);

        assert_int_equal(cs_buf_append(&witness->input, cs_buf_slice(pending)), CS_OK);
        cs_buf_clear(pending);
        mbedtls_ssl_handshake(&witness->ssl);
        client->rc = cs_tls_feed(client->tls, cs_buf_slice(&witness->output), &client->plain, &client->err);
        cs_buf_clear(&witness->output);
    }
}

static void reaches_servers_with_certificates_of_other_kinds(void **state)
{
    static const psa_key_type_t rsa = PSA_KEY_TYPE_RSA_KEY_PAIR,
                                ec = PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1);
    static const struct {
        const char *says;
        psa_key_type_t ca_type, type;
        size_t ca_bits, bits;
        const char *refused; /* NULL: it must work */
    } cases[] = {
        {"RSA of 2048 bits", rsa, rsa, 2048, 2048, NULL},
        {"P-384", ec, ec, 384, 384, NULL},
        {"P-256 of an RSA CA", rsa, ec, 2048, 256, NULL},
        {"RSA of 1024 bits", ec, rsa, 256, 1024, "too weak"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf ca_der = CS_BUF_EMPTY, der = CS_BUF_EMPTY;
        struct cs_tls_options options = {.is_server = false};
        struct cs_chain *anchors = NULL;
        struct tls_pair pair = {.step = 0};
        struct witness witness;
        mbedtls_pk_context ca_key;
        struct cs_err err;

        print_message("    %s\n", cases[i].says);
        make_key(cases[i].ca_type, cases[i].ca_bits, &ca_key);
        make_key(cases[i].type, cases[i].bits, &witness.key);
        write_certificate(&ca_key, &ca_key, true, &ca_der);
        write_certificate(&witness.key, &ca_key, false, &der);
        check_ok(cs_chain_parse(cs_buf_slice(&ca_der), &anchors, &err), err);
        options.anchors = anchors;
        witness_begin(&witness, cs_buf_slice(&der));
        check_ok(tls_peer_begin(&pair.client, options, "localhost", &err), err);
        connect_to(&witness, &pair.client);
        if (cases[i].refused) {
            check_code(pair.client.rc, CS_EAUTH);
            check_says(pair.client.err, cases[i].refused);
        } else {
            check_ok(pair.client.rc, pair.client.err);
            assert_true(cs_tls_established(pair.client.tls));
            check_slice(cs_tls_peer_certificate(pair.client.tls), cs_buf_slice(&der));
        }
        tls_pair_disconnect(&pair);
        witness_end(&witness);
        mbedtls_pk_free(&ca_key);
        cs_chain_free(anchors);
        cs_buf_free(&ca_der);
        cs_buf_free(&der);
    }
}

/* Whatever its certificate is: of nobody, weak, for another name. But its key must be there. */
static void a_client_that_only_looks_wants_a_proof_and_no_more(void **state)
{
    static const psa_key_type_t rsa = PSA_KEY_TYPE_RSA_KEY_PAIR,
                                ec = PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1);
    static const struct {
        const char *says;
        psa_key_type_t type;
        size_t bits;
        bool has_other_key;
    } cases[] = {
        {"of nobody", ec, 256, false},
        {"weak", rsa, 1024, false},
        {"P-256 of another's key", ec, 256, true},
        {"RSA of another's key", rsa, 2048, true},
    };
    const struct cs_tls_options options = {.only_looks = true};

    (void)state;
    for (size_t i = 0; i < 2 * CS_ARRAY_LEN(cases); i++) {
        struct cs_buf der = CS_BUF_EMPTY;
        struct tls_pair pair = {.step = 0};
        struct witness witness;
        mbedtls_pk_context certified;
        struct cs_err err;

        print_message("    %s\n", cases[i / 2].says);
        make_key(cases[i / 2].type, cases[i / 2].bits, &witness.key);
        make_key(cases[i / 2].type, cases[i / 2].bits, &certified);
        write_certificate(cases[i / 2].has_other_key ? &certified : &witness.key, &certified, false, &der);
        witness_begin(&witness, cs_buf_slice(&der));
        check_ok(tls_peer_begin(&pair.client, options, i % 2 ? "elsewhere.example" : NULL, &err), err);
        connect_to(&witness, &pair.client);
        if (cases[i / 2].has_other_key) {
            assert_int_not_equal(pair.client.rc, CS_OK);
            assert_false(cs_tls_established(pair.client.tls));
            assert_int_equal(cs_tls_peer_certificate(pair.client.tls).len, 0);
        } else {
            check_ok(pair.client.rc, pair.client.err);
            check_slice(cs_tls_peer_certificate(pair.client.tls), cs_buf_slice(&der));
        }
        tls_pair_disconnect(&pair);
        witness_end(&witness);
        mbedtls_pk_free(&certified);
        cs_buf_free(&der);
    }
}

static void who_only_looks_trusts_nobody(void **state)
{
    struct tls_pair pair;
    struct cs_tls_options options;
    struct cs_tls_config *config = NULL;
    struct cs_err err;

    (void)state;
    tls_pair_begin(&pair);
    options = tls_pair_client(&pair);
    options.only_looks = true;
    check_code(cs_tls_config_new(&options, &config, &err), CS_EINVAL);
    options = tls_pair_server(&pair);
    options.anchors = NULL;
    options.require_peer = false;
    options.only_looks = true;
    check_code(cs_tls_config_new(&options, &config, &err), CS_EINVAL);
    check_code(cs_tls_config_new(&(struct cs_tls_options){.alpn = "h2"}, &config, &err), CS_EINVAL);
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
        cmocka_unit_test(reaches_servers_with_certificates_of_other_kinds),
        cmocka_unit_test(a_client_that_only_looks_wants_a_proof_and_no_more),
        cmocka_unit_test(who_only_looks_trusts_nobody),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
