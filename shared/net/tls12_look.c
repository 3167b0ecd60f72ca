#include "shared/net/tls12_look.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"

/* RFC 5246 section 6.2 and 7.4, RFC 4492 section 5, RFC 6066 section 3. */
enum {
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_MOST = 16384 + 2048,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    SERVER_HELLO_DONE = 14,
    CERTIFICATE_STATUS = 22,
    NAMED_CURVE = 3,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_GROUPS = 10,
    EXTENSION_POINT_FORMATS = 11,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_MASTER_SECRET = 23,
    TLS_1_2 = 0x0303,
    /* A chain of a few certificates with large keys; a server that says more is not looked at. */
    MESSAGE_MOST = 64 * 1024,
};

/* ---- the ClientHello */

/* A failure sticks, and is asked about once. */
struct writer {
    struct cs_buf bytes;
    int code;
};

static void put(struct writer *writer, struct cs_slice bytes)
{
    if (!writer->code)
        writer->code = cs_buf_append(&writer->bytes, bytes);
}

static void put_u8(struct writer *writer, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    put(writer, cs_slice(&byte, 1));
}

static void put_u16(struct writer *writer, unsigned value)
{
    put_u8(writer, value >> 8);
    put_u8(writer, value & 0xff);
}

static void put_extension(struct writer *writer, unsigned kind, struct cs_slice content)
{
    put_u16(writer, kind);
    put_u16(writer, (unsigned)content.len);
    put(writer, content);
}

static void put_server_name(struct writer *writer, const char *name)
{
    struct writer list = {.code = writer->code};
    unsigned len = (unsigned)strlen(name);

    put_u16(&list, len + 3);
    put_u8(&list, 0);
    put_u16(&list, len);
    put(&list, cs_slice(name, len));
    if (list.code)
        writer->code = list.code;
    put_extension(writer, EXTENSION_SERVER_NAME, cs_buf_slice(&list.bytes));
    cs_buf_free(&list.bytes);
}

/* ECDHE with ECDSA or RSA: AES-GCM, ChaCha20, and for what is old CBC. Nothing is ever encrypted with them.
 */
static const uint8_t suites[] = {
    0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x2f, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8, 0xc0, 0x23, 0xc0, 0x24, 0xc0,
    0x27, 0xc0, 0x28, 0xc0, 0x09, 0xc0, 0x0a, 0xc0, 0x13, 0xc0, 0x14,
    /* No renegotiation, which strict servers want to hear: RFC 5746 section 3.3. */
    0x00, 0xff};
/* P-256, P-384, P-521, X25519: the server's share is only signed, never used. */
static const uint8_t groups[] = {0, 8, 0, 29, 0, 23, 0, 24, 0, 25};
static const uint8_t point_formats[] = {1, 0};
/* What cs_chain_check_signature() knows. */
static const uint8_t signatures[] = {0, 18, 4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1};

static void put_extensions(struct writer *writer, const char *server_name)
{
    struct writer list = {.code = writer->code};

    if (server_name)
        put_server_name(&list, server_name);
    put_extension(&list, EXTENSION_GROUPS, CS_SLICE_ARRAY(groups));
    put_extension(&list, EXTENSION_POINT_FORMATS, CS_SLICE_ARRAY(point_formats));
    put_extension(&list, EXTENSION_SIGNATURES, CS_SLICE_ARRAY(signatures));
    put_extension(&list, EXTENSION_MASTER_SECRET, CS_SLICE_EMPTY); /* likewise: RFC 7627 */
    if (list.code)
        writer->code = list.code;
    put_u16(writer, (unsigned)list.bytes.len);
    put(writer, cs_buf_slice(&list.bytes));
    cs_buf_free(&list.bytes);
}

int cs_tls12_look_hello(struct cs_tls12_look *look, const char *server_name, struct cs_buf *out,
                        struct cs_err *err)
{
    struct writer hello = {.code = CS_OK}, record = {.code = CS_OK};

    cs_random(look->client_random, sizeof look->client_random);
    put_u16(&hello, TLS_1_2);
    put(&hello, CS_SLICE_ARRAY(look->client_random));
    put_u8(&hello, 0); /* no session */
    put_u16(&hello, sizeof suites);
    put(&hello, CS_SLICE_ARRAY(suites));
    put_u8(&hello, 1);
    put_u8(&hello, 0); /* no compression */
    put_extensions(&hello, server_name);

    put_u8(&record, RECORD_HANDSHAKE);
    put_u16(&record, 0x0301); /* what every server takes in a first record: RFC 5246 appendix E.1 */
    put_u16(&record, (unsigned)hello.bytes.len + 4);
    put_u8(&record, CLIENT_HELLO);
    put_u8(&record, 0);
    put_u16(&record, (unsigned)hello.bytes.len);
    put(&record, cs_buf_slice(&hello.bytes));
    int code = hello.code ? hello.code : record.code;

    if (!code)
        code = cs_buf_append(out, cs_buf_slice(&record.bytes));
    cs_buf_free(&hello.bytes);
    cs_buf_free(&record.bytes);
    return code ? cs_err_nomem(err) : CS_OK;
}

/* ---- what the server says */

static int malformed(struct cs_err *err)
{
    return cs_err_set(err, CS_EPARSE, "the peer's TLS 1.2 handshake does not parse");
}

static int take_hello(struct cs_tls12_look *look, struct cs_slice body, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(body);
    unsigned version = cs_reader_u16(&reader);

    cs_reader_copy(&reader, look->server_random, sizeof look->server_random);
    if (!cs_reader_ok(&reader))
        return malformed(err);
    if (version != TLS_1_2)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the peer speaks neither TLS 1.3 nor TLS 1.2: it is too old to be looked at");
    look->answered = true;
    return CS_OK;
}

/* The first of the list is the server's own. */
static int take_certificate(struct cs_tls12_look *look, struct cs_slice body, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(body);
    size_t len;

    (void)cs_reader_take(&reader, 3);
    len = (size_t)cs_reader_u8(&reader) << 16;
    len |= cs_reader_u16(&reader);
    struct cs_slice der = cs_reader_take(&reader, len);

    if (!cs_reader_ok(&reader) || look->leaf)
        return malformed(err);
    return cs_chain_parse(der, &look->leaf, err);
}

/* Signed are both random values and the parameters: what was signed for another handshake does not do. */
static int take_key_exchange(struct cs_tls12_look *look, struct cs_slice body, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(body);
    bool named = cs_reader_u8(&reader) == NAMED_CURVE;

    (void)cs_reader_u16(&reader);
    (void)cs_reader_take(&reader, cs_reader_u8(&reader));
    struct cs_slice parameters = cs_slice(body.ptr, body.len - reader.rest.len);
    unsigned scheme = cs_reader_u16(&reader);
    struct cs_slice signature = cs_reader_take(&reader, cs_reader_u16(&reader));
    const struct cs_slice parts[] = {CS_SLICE_ARRAY(look->client_random), CS_SLICE_ARRAY(look->server_random),
                                     parameters};

    if (!cs_reader_done(&reader) || !named || !look->leaf || !look->answered)
        return malformed(err);
    int code =
        cs_chain_check_signature(look->leaf, (uint16_t)scheme, parts, CS_ARRAY_LEN(parts), signature, err);

    if (code == CS_EAUTH)
        return cs_err_set(err, code, "the peer has not the private key of the certificate that it shows");
    look->proven = code == CS_OK;
    return code;
}

static int take_message(struct cs_tls12_look *look, unsigned kind, struct cs_slice body, struct cs_err *err)
{
    switch (kind) {
    case SERVER_HELLO:
        return look->answered ? malformed(err) : take_hello(look, body, err);
    case CERTIFICATE:
        return take_certificate(look, body, err);
    case SERVER_KEY_EXCHANGE:
        return take_key_exchange(look, body, err);
    case CERTIFICATE_STATUS:
    case CERTIFICATE_REQUEST:
        return CS_OK;
    case SERVER_HELLO_DONE:
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the peer exchanges keys without a signature: whether it has the certificate's key "
                          "cannot be seen");
    default:
        return malformed(err);
    }
}

static int take_messages(struct cs_tls12_look *look, struct cs_err *err)
{
    while (!look->proven) {
        struct cs_reader reader = cs_reader(cs_buf_slice(&look->messages));
        unsigned kind = cs_reader_u8(&reader);
        size_t len = (size_t)cs_reader_u8(&reader) << 16;
        int code;

        len |= cs_reader_u16(&reader);
        if (len > MESSAGE_MOST)
            return malformed(err);
        struct cs_slice body = cs_reader_take(&reader, len);

        if (!cs_reader_ok(&reader)) /* more is to come */
            return CS_OK;
        code = take_message(look, kind, body, err);
        if (code)
            return code;
        cs_buf_consume(&look->messages, 4 + len);
    }
    return CS_OK;
}

static int take_alert(struct cs_slice body, struct cs_err *err)
{
    enum { HANDSHAKE_FAILURE = 40, PROTOCOL_VERSION = 70 };
    unsigned description = body.len == 2 ? body.ptr[1] : 0;

    if (description == PROTOCOL_VERSION)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the peer speaks neither TLS 1.3 nor TLS 1.2: it is too old to be looked at");
    if (description == HANDSHAKE_FAILURE)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the peer found nothing in common with us, neither in TLS 1.3 nor in TLS 1.2");
    return cs_err_set(err, CS_EPARSE, "the peer ended the handshake with alert %u", description);
}

int cs_tls12_look_feed(struct cs_tls12_look *look, struct cs_slice bytes, struct cs_err *err)
{
    if (cs_buf_append(&look->records, bytes) != CS_OK)
        return cs_err_nomem(err);
    while (!look->proven) {
        struct cs_reader reader = cs_reader(cs_buf_slice(&look->records));
        unsigned kind = cs_reader_u8(&reader);
        int code;

        (void)cs_reader_u16(&reader);
        size_t len = cs_reader_u16(&reader);

        if (look->records.len > 0 && kind != RECORD_HANDSHAKE && kind != RECORD_ALERT)
            return malformed(err);
        if (len > RECORD_MOST)
            return malformed(err);
        struct cs_slice body = cs_reader_take(&reader, len);

        if (!cs_reader_ok(&reader)) /* more is to come */
            return CS_OK;
        if (kind == RECORD_ALERT)
            return take_alert(body, err);
        if (look->messages.len > MESSAGE_MOST || cs_buf_append(&look->messages, body) != CS_OK)
            return look->messages.len > MESSAGE_MOST ? malformed(err) : cs_err_nomem(err);
        cs_buf_consume(&look->records, 5 + len);
        code = take_messages(look, err);
        if (code)
            return code;
    }
    return CS_OK;
}

void cs_tls12_look_free(struct cs_tls12_look *look)
{
    cs_buf_free(&look->records);
    cs_buf_free(&look->messages);
    cs_chain_free(look->leaf);
    *look = (struct cs_tls12_look){.leaf = NULL};
}
