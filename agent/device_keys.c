#include "agent/device_impl.h"

#include "agent/core/key_request.h"
#include "shared/base/text.h"

#include <stdio.h>

struct waiting {
    struct cs_list node;
    struct cs_buf wire;
};
#define WAITING(at) CS_CONTAINER_OF(at, struct waiting, node)

/* ---- the keys that wait for their certificates */

/* One more than there may be, so that "too many" shows. */
enum { LOADED_MOST = AG_LIMIT_KEYS_PENDING + 1 };

struct loaded {
    struct cs_buf records[LOADED_MOST];
    struct ag_pending_key keys[LOADED_MOST];
    struct cs_digest spkis[LOADED_MOST];
    size_t count;
};

static void loaded_free(struct loaded *loaded)
{
    for (size_t i = 0; i < LOADED_MOST; i++)
        cs_buf_wipe(&loaded->records[i]);
}

/* A damaged record is left where it is, and told; it takes a place. */
static int load_pending(struct ag_device *device, struct loaded *loaded, struct cs_err *err)
{
    int code = ag_store_list_pending_keys(&device->store, loaded->spkis, LOADED_MOST, &loaded->count, err);

    for (size_t i = 0; !code && i < loaded->count; i++) {
        code = ag_store_load_pending_key(&device->store, &loaded->spkis[i], &loaded->records[i], err);
        if (!code)
            code = ag_pending_key_decode(cs_buf_slice(&loaded->records[i]), &loaded->keys[i], err);
        if (code && code != CS_ENOMEM) {
            cs_log(CS_LOG_ERROR, "keys", "a key that was made on request is not readable",
                   CS_F("error", err->msg), CS_FEND);
            loaded->keys[i] = (struct ag_pending_key){.made_at_s = 0};
            code = CS_OK;
        }
    }
    return code;
}

/* ---- making one */

/* The key is on disk with its CSR before anybody hears of it. Appends the CSR. */
static int make_key(struct ag_device *device, const struct ag_key_decision *decision, struct cs_buf *csr,
                    struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf record = CS_BUF_EMPTY;
    struct cs_csr_subject subject = cs_key_request_subject(decision->request);
    struct ag_pending_key pending = {.request_digest = decision->digest,
                                     .made_at_s = ag_device_now(device, NULL).now_s};
    int code = cs_key_generate(CS_KEY_SIGN, &key, err);

    if (!code &&
        (cs_buf_reserve(&pem, 1024) != CS_OK || cs_buf_reserve(&record, AG_LIMIT_PENDING_KEY_BYTES) != CS_OK))
        code = cs_err_nomem(err);
    if (!code)
        code = cs_csr_make_for(key, &subject, csr, err);
    if (!code)
        code = cs_key_export_pem(key, CS_SLICE_EMPTY, &pem, err);
    if (code)
        return code;
    memcpy(pending.connector, decision->request->connector, sizeof pending.connector);
    pending.csr = cs_buf_slice(csr);
    pending.key = cs_buf_slice(&pem);
    code = ag_pending_key_encode(&pending, &record, err);
    if (!code) {
        struct cs_digest spki = cs_sha256(cs_key_spki(key));

        code = ag_store_save_pending_key(&device->store, &spki, cs_buf_slice(&record), err);
    }
    return code;
}

/* ---- the answer */

static int post(struct ag_device *device, countersign_v1_DeviceCsr *answer, struct cs_err *err)
{
    static const uint8_t no_order[16];
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    const struct cs_key *key = ag_renewal_newest_key(device);
    int code = ag_device_next_sequence(device, &answer->sequence, err);

    answer->made_at_s = ag_device_now(device, NULL).now_s;
    if (!code)
        code = cs_message_encode(countersign_v1_DeviceCsr_fields, answer, &payload, err);
    if (!code)
        code = cs_envelope_sign(CS_STATEMENT_DEVICE_CSR, cs_buf_slice(&payload), &key, 1, &envelope, err);
    struct cs_slice bytes = cs_buf_slice(&envelope);

    if (!code)
        code = ag_outbox_add(&device->outbox, answer->sequence, false, no_order, &envelope, err);
    if (!code)
        device->events->on_statement(device->owner, bytes);
    return code;
}

static void log_answer(const struct ag_key_decision *decision, enum ag_verdict verdict, const char *detail)
{
    char id[33];

    cs_log(verdict == AG_OK ? CS_LOG_INFO : CS_LOG_WARN, "keys",
           verdict != AG_OK  ? "key request refused"
           : decision->known ? "key request answered again"
                             : "key made on request",
           CS_F("connector", decision->request->connector),
           CS_F("key_request", cs_hex(CS_PB_BYTES(&decision->request->key_request_id), id)),
           CS_F("requester", decision->request->requester), CS_F("verdict", ag_verdict_word(verdict)),
           CS_F("detail", detail), CS_FEND);
}

static void answer(struct ag_device *device, const struct ag_key_decision *decision)
{
    cs_auto_free countersign_v1_DeviceCsr *out = calloc(1, sizeof *out);
    cs_auto(cs_buf_free) struct cs_buf csr = CS_BUF_EMPTY;
    enum ag_verdict verdict = decision->verdict;
    const char *detail = decision->detail;
    struct cs_err err = {0};
    int code = CS_OK;

    if (!out)
        return;
    if (verdict == AG_OK && decision->known)
        code = cs_buf_append(&csr, decision->known->csr);
    else if (verdict == AG_OK)
        code = make_key(device, decision, &csr, &err);
    if (code || csr.len > sizeof out->csr.bytes) {
        verdict = AG_STORAGE_FAILED;
        detail = err.msg[0] ? err.msg : ag_verdict_sentence(verdict);
        csr.len = 0;
    }
    CS_PB_SET(&out->deployment_id, CS_SLICE_ARRAY(device->identity.pin.deployment_id));
    CS_PB_SET(&out->device_id, CS_SLICE_ARRAY(device->identity.device_id));
    CS_PB_SET(&out->key_request_digest, cs_digest_slice(&decision->digest));
    memcpy(out->connector, decision->request->connector, sizeof out->connector);
    CS_PB_SET(&out->csr, cs_buf_slice(&csr));
    snprintf(out->verdict, sizeof out->verdict, "%s", ag_verdict_word(verdict));
    snprintf(out->detail, sizeof out->detail, "%s", detail);
    log_answer(decision, verdict, detail);
    if (post(device, out, &err) != CS_OK)
        cs_log(CS_LOG_ERROR, "keys", "key request not answered", CS_F("error", err.msg), CS_FEND);
}

/* ---- one request after the other */

static struct ag_key_decision *decide(struct ag_device *device, struct cs_slice wire, struct loaded *loaded)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    struct cs_err err = {0};

    if (load_pending(device, loaded, &err) != CS_OK) {
        cs_log(CS_LOG_ERROR, "keys", "keys not readable", CS_F("error", err.msg), CS_FEND);
        return NULL;
    }
    if (device->state.policy_version > 0 &&
        ag_store_load_policy(&device->store, device->state.policy_version, &policy, &err) != CS_OK)
        cs_log(CS_LOG_ERROR, "policy", "stored policy not readable", CS_F("error", err.msg), CS_FEND);
    const struct ag_key_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(device->identity.pin.deployment_id),
        .device_id = CS_SLICE_ARRAY(device->identity.device_id),
        .policy = policy,
        .connectors = &device->config->connectors,
        .pending = loaded->keys,
        .pending_count = loaded->count,
        .now_s = ag_device_now(device, policy).now_s,
    };

    return ag_key_decide(&facts, wire);
}

static bool waits_for_policy(struct ag_device *device, const struct ag_key_decision *decision)
{
    if ((decision->verdict != AG_POLICY_TOO_OLD && decision->verdict != AG_NO_POLICY) ||
        device->key_policy_given_up)
        return false;
    device->key_policy_expected = true;
    device->events->on_policy_wanted(device->owner, ag_device_next_policy(device));
    return true;
}

static void drop_front(struct ag_device *device)
{
    struct waiting *front = WAITING(cs_list_pop(&device->key_requests));

    device->key_request_count--;
    cs_buf_free(&front->wire);
    free(front);
}

void ag_keys_go_on(struct ag_device *device)
{
    while (!device->key_policy_expected && !cs_list_empty(&device->key_requests)) {
        cs_auto(loaded_free) struct loaded loaded = {.count = 0};
        cs_auto(ag_key_decision_freep) struct ag_key_decision *decision =
            decide(device, cs_buf_slice(&WAITING(device->key_requests.next)->wire), &loaded);

        if (decision && decision->request && waits_for_policy(device, decision))
            return;
        device->key_policy_given_up = false;
        drop_front(device);
        /* Nothing in what does not parse can be answered; for what had no memory it is sent again. */
        if (decision && decision->request && decision->verdict != AG_UNDECIDED)
            answer(device, decision);
        else
            cs_log(CS_LOG_WARN, "keys", "key request passed over",
                   CS_F("error", decision ? decision->detail : "out of memory"), CS_FEND);
    }
}

void ag_keys_forget_requests(struct ag_device *device)
{
    while (!cs_list_empty(&device->key_requests))
        drop_front(device);
    device->key_policy_expected = device->key_policy_given_up = false;
}

void ag_device_take_key_request(struct ag_device *device, struct cs_slice wire)
{
    struct waiting *waiting = NULL;

    if (device->key_request_count < AG_LIMIT_KEY_REQUESTS_WAITING)
        waiting = calloc(1, sizeof *waiting);
    if (!waiting || cs_buf_append(&waiting->wire, wire) != CS_OK) {
        free(waiting);
        cs_log(CS_LOG_WARN, "keys", "key request passed over", CS_F("error", "too many wait"), CS_FEND);
        return;
    }
    cs_list_append(&device->key_requests, &waiting->node);
    device->key_request_count++;
    ag_keys_go_on(device);
}

/* ---- from the certificate's arrival on */

static int installed_file(struct ag_device *device, const char *connector, uint64_t generation,
                          const char *file, size_t limit_bytes, struct cs_buf *out)
{
    struct ag_port *port = device->store.port;
    char path[AG_LIMIT_PATH_BYTES];

    if (ag_generation_path(device->config->state, connector, generation, file, path, sizeof path, NULL) !=
        CS_OK)
        return CS_ETOOBIG;
    return port->read_file(port, path, limit_bytes, out, NULL);
}

static bool installed_spki(struct ag_device *device, const char *connector, uint64_t generation,
                           struct cs_digest *ret)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;

    if (installed_file(device, connector, generation, "chain.pem", CS_LIMIT_PEM_BYTES, &pem) != CS_OK ||
        cs_chain_parse_pem(cs_buf_slice(&pem), &chain, NULL) != CS_OK)
        return false;
    *ret = cs_sha256(cs_chain_leaf_spki(chain));
    return true;
}

/* The same certificate once more: its key is where it was installed. */
struct generations {
    struct ag_device *device;
    const char *connector;
    struct cs_digest spki;
    uint64_t found; /* 0: none */
};

static void look_at_generation(void *data, const char *name)
{
    struct generations *look = data;
    struct cs_digest spki;
    uint64_t generation;

    if (ag_generation_parse(name, &generation) && generation > look->found &&
        installed_spki(look->device, look->connector, generation, &spki) && cs_digest_eq(&spki, &look->spki))
        look->found = generation;
}

static int find_installed(struct ag_device *device, const char *connector, const struct cs_digest *spki,
                          struct cs_buf *pem)
{
    struct ag_port *port = device->store.port;
    struct generations look = {device, connector, *spki, 0};
    char home[AG_LIMIT_PATH_BYTES];

    if (ag_connector_folder(device->config->state, connector, NULL, home, sizeof home, NULL) != CS_OK ||
        port->list_folder(port, home, look_at_generation, &look, NULL) != CS_OK || look.found == 0)
        return CS_ENOTFOUND;
    return installed_file(device, connector, look.found, "key.pem", AG_LIMIT_PENDING_KEY_BYTES, pem);
}

static int find_pending(struct ag_device *device, const char *connector, const struct cs_digest *spki,
                        struct cs_buf *pem)
{
    cs_auto(cs_buf_wipe) struct cs_buf record = CS_BUF_EMPTY;
    struct ag_pending_key pending;
    int code = ag_store_load_pending_key(&device->store, spki, &record, NULL);

    if (!code)
        code = ag_pending_key_decode(cs_buf_slice(&record), &pending, NULL);
    /* A key that was made for one connector is not handed to another. */
    if (!code && strcmp(pending.connector, connector) != 0)
        return CS_ENOTFOUND;
    return code ? code : cs_buf_append(pem, pending.key);
}

int ag_keys_find_own(struct ag_device *device, const countersign_v1_PushDelivery *delivery,
                     struct cs_buf *pkcs8, struct cs_err *err)
{
    cs_auto_free countersign_v1_PushMessage *message = NULL;
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_digest spki;
    int code;

    if (ag_order_of(delivery, &message, &core, err) != CS_OK ||
        core->key_mode != countersign_v1_KeyMode_KEY_MODE_ON_DEVICE)
        return err->code == CS_ENOMEM ? CS_ENOMEM : CS_OK;
    /* Secrets go into room that does not grow. */
    if (cs_buf_reserve(&pem, AG_LIMIT_PENDING_KEY_BYTES + 1) != CS_OK ||
        cs_buf_reserve(pkcs8, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        return cs_err_nomem(err);
    memcpy(spki.bytes, core->leaf_spki_digest.bytes, sizeof spki.bytes);
    code = find_pending(device, core->connector, &spki, &pem);
    if (code)
        code = find_installed(device, core->connector, &spki, &pem);
    if (!code)
        code = cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, pkcs8, err);
    return code == CS_ENOMEM ? cs_err_nomem(err) : CS_OK;
}

void ag_keys_settle(struct ag_device *device, const char *connector, uint64_t generation)
{
    cs_auto(loaded_free) struct loaded loaded = {.count = 0};
    struct cs_digest spki;
    struct cs_err err = {0};
    int code = load_pending(device, &loaded, &err);

    if (code || loaded.count == 0 || !installed_spki(device, connector, generation, &spki))
        return;
    for (size_t i = 0; i < loaded.count; i++)
        if (cs_digest_eq(&loaded.spkis[i], &spki) && strcmp(loaded.keys[i].connector, connector) == 0)
            code = ag_store_remove_pending_key(&device->store, &spki, &err);
    if (code)
        cs_log(CS_LOG_WARN, "keys", "a key that is installed still waits as well",
               CS_F("connector", connector), CS_F("error", err.msg), CS_FEND);
}

void ag_keys_recover(struct ag_device *device)
{
    for (size_t i = 0; i < device->state.connector_count; i++) {
        const struct ag_connector_state *connector = &device->state.connectors[i];

        if (connector->installed_generation > 0)
            ag_keys_settle(device, connector->name, connector->installed_generation);
    }
}
