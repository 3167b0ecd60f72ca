#include "tests/support/tls_pair.h"

void tls_pair_begin(struct tls_pair *pair)
{
    *pair = (struct tls_pair){.step = 0};
    pair->ca = pki_make_ca("Fleet CA");
    pair->server_id = pki_make_server(&pair->ca);
    pair->client_id = pki_make_client(&pair->ca, "gw-1");
}

void tls_pair_disconnect(struct tls_pair *pair)
{
    struct tls_peer *peers[] = {&pair->server, &pair->client};

    for (size_t i = 0; i < CS_ARRAY_LEN(peers); i++) {
        cs_tls_free(peers[i]->tls);
        cs_tls_config_free(peers[i]->config);
        cs_buf_free(&peers[i]->plain);
        *peers[i] = (struct tls_peer){.rc = CS_OK};
    }
}

void tls_pair_end(struct tls_pair *pair)
{
    tls_pair_disconnect(pair);
    pki_free(&pair->client_id);
    pki_free(&pair->server_id);
    pki_free(&pair->ca);
}

struct cs_tls_options tls_pair_server(const struct tls_pair *pair)
{
    return (struct cs_tls_options){.is_server = true,
                                   .certificate = pair->server_id.chain,
                                   .key = pair->server_id.key,
                                   .anchors = pair->ca.chain,
                                   .require_peer = true,
                                   .alpn = "h2"};
}

struct cs_tls_options tls_pair_client(const struct tls_pair *pair)
{
    return (struct cs_tls_options){.certificate = pair->client_id.chain,
                                   .key = pair->client_id.key,
                                   .anchors = pair->ca.chain,
                                   .alpn = "h2"};
}

int tls_peer_begin(struct tls_peer *peer, struct cs_tls_options options, const char *name, struct cs_err *err)
{
    int rc = cs_tls_config_new(&options, &peer->config, err);

    if (rc == CS_OK)
        rc = cs_tls_new(peer->config, name, &peer->tls, err);
    return rc;
}

bool tls_pair_carry(struct tls_peer *from, struct tls_peer *to, size_t step)
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

void tls_pair_run(struct tls_pair *pair)
{
    bool moved;

    do {
        moved = tls_pair_carry(&pair->client, &pair->server, pair->step);
        moved = tls_pair_carry(&pair->server, &pair->client, pair->step) || moved;
    } while (moved);
}
