/* victim_keys.c - the keys that a victim makes on request, in its files as the agent keeps them. */
#include "agent/core/key_request.h"
#include "agent/device_impl.h"
#include "tests/evil/victim.h"

#include <inttypes.h>
#include <stdio.h>

#define FOLDER "/state"

static struct ag_store store_of(struct victim *victim)
{
    return (struct ag_store){&victim->disk.port, FOLDER};
}

/* ---- keys that wait for their certificates */

struct pending {
    struct cs_digest spkis[DISK_FILES];
    struct cs_buf records[DISK_FILES];
    struct ag_pending_key keys[DISK_FILES];
    size_t count;
};

static void pending_free(struct pending *pending)
{
    for (size_t i = 0; i < pending->count; i++)
        cs_buf_wipe(&pending->records[i]);
}

static void load(struct victim *victim, struct pending *ret)
{
    struct ag_store store = store_of(victim);
    struct cs_err err;

    *ret = (struct pending){.count = 0};
    cs_assert(ag_store_list_pending_keys(&store, ret->spkis, DISK_FILES, &ret->count, &err) == CS_OK);
    for (size_t i = 0; i < ret->count; i++)
        cs_assert(ag_store_load_pending_key(&store, &ret->spkis[i], &ret->records[i], &err) == CS_OK &&
                  ag_pending_key_decode(cs_buf_slice(&ret->records[i]), &ret->keys[i], &err) == CS_OK);
}

size_t victim_pending(struct victim *victim)
{
    cs_auto(pending_free) struct pending pending;

    load(victim, &pending);
    return pending.count;
}

void victim_keep_key(struct victim *victim, const char *connector, const struct cs_digest *request,
                     const struct cs_key *key)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY, record = CS_BUF_EMPTY;
    struct ag_pending_key pending = {
        .request_digest = *request, .made_at_s = victim_now(victim).now_s, .csr = CS_SLICE_LIT("its CSR")};
    struct cs_digest spki = cs_sha256(cs_key_spki(key));
    struct ag_store store = store_of(victim);
    struct cs_err err;

    snprintf(pending.connector, sizeof pending.connector, "%s", connector);
    cs_assert(cs_key_export_pem(key, CS_SLICE_EMPTY, &pem, &err) == CS_OK);
    pending.key = cs_buf_slice(&pem);
    cs_assert(ag_pending_key_encode(&pending, &record, &err) == CS_OK &&
              ag_store_save_pending_key(&store, &spki, cs_buf_slice(&record), &err) == CS_OK);
}

struct victim_answer victim_ask(struct victim *victim, struct cs_slice envelope)
{
    cs_auto(pending_free) struct pending pending;

    load(victim, &pending);
    const struct ag_key_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(victim->deployment_id),
        .device_id = CS_SLICE_ARRAY(victim->device_id),
        .policy = victim->policy,
        .connectors = &victim->connectors,
        .pending = pending.keys,
        .pending_count = pending.count,
        .now_s = victim_now(victim).now_s,
    };
    cs_auto(ag_key_decision_freep) struct ag_key_decision *decision = ag_key_decide(&facts, envelope);

    cs_assert(decision);
    struct victim_answer answer = {
        .verdict = decision->verdict, .digest = decision->digest, .again = decision->known != NULL};

    snprintf(answer.detail, sizeof answer.detail, "%s", decision->detail);
    if (answer.verdict == AG_OK && !answer.again) {
        cs_auto(cs_key_freep) struct cs_key *key = NULL;
        struct cs_err err;

        cs_assert(cs_key_generate(CS_KEY_SIGN, &key, &err) == CS_OK);
        victim_keep_key(victim, decision->request->connector, &decision->digest, key);
    }
    return answer;
}

/* ---- with a delivery */

/* What the agent's own code looks at when it searches for a key. */
struct searched {
    struct ag_config config;
    struct ag_device device;
};

static struct searched *searched_of(struct victim *victim)
{
    struct searched *searched = calloc(1, sizeof *searched);

    cs_assert(searched);
    snprintf(searched->config.state, sizeof searched->config.state, "%s", FOLDER);
    searched->device.config = &searched->config;
    searched->device.store = store_of(victim);
    return searched;
}

void victim_has_installed(struct victim *victim, const char *connector, uint64_t generation,
                          const struct cs_chain *chain, const struct cs_key *key)
{
    cs_auto(cs_buf_wipe) struct cs_buf chain_pem = CS_BUF_EMPTY, key_pem = CS_BUF_EMPTY;
    struct searched *searched = searched_of(victim);
    char path[AG_LIMIT_PATH_BYTES];
    struct cs_err err;

    cs_assert(cs_chain_write_pem(chain, &chain_pem, &err) == CS_OK &&
              cs_key_export_pem(key, CS_SLICE_EMPTY, &key_pem, &err) == CS_OK);
    snprintf(path, sizeof path, FOLDER "/connectors/%s/g%" PRIu64 "/chain.pem", connector, generation);
    disk_put(&victim->disk, path, cs_buf_slice(&chain_pem));
    snprintf(path, sizeof path, FOLDER "/connectors/%s/g%" PRIu64 "/key.pem", connector, generation);
    disk_put(&victim->disk, path, cs_buf_slice(&key_pem));
    ag_keys_settle(&searched->device, connector, generation);
    free(searched);
}

void victim_find_own_key(struct victim *victim, const countersign_v1_PushDelivery *delivery,
                         struct cs_buf *pkcs8)
{
    struct searched *searched = searched_of(victim);
    struct cs_err err = {0};

    cs_assert(ag_keys_find_own(&searched->device, delivery, pkcs8, &err) == CS_OK);
    free(searched);
}

void victim_find_kept(struct victim *victim, const countersign_v1_PushDelivery *delivery,
                      struct cs_buf *chain, struct cs_buf *key)
{
    struct searched *searched = searched_of(victim);
    struct cs_err err = {0};

    searched->config.connectors = victim->connectors;
    cs_assert(ag_order_find_kept(&searched->device, delivery, chain, key, &err) == CS_OK);
    free(searched);
}
