#include "agent/status.h"

#include "agent/core/decide.h"
#include "agent/core/pending_key.h"
#include "shared/base/text.h"
#include "shared/crypto/x509.h"

#include <inttypes.h>

/* A line that does not fit memory is a line less; the caller is told by the buffer's end. */
#define LINE(out, ...)                                                                                       \
    do {                                                                                                     \
        if (cs_buf_printf((out), __VA_ARGS__) != CS_OK)                                                      \
            return CS_ENOMEM;                                                                                \
    } while (0)

static int write_fingerprint(const char *label, const struct cs_key *key, struct cs_buf *out)
{
    struct cs_digest digest = cs_key_id(cs_key_spki(key));
    char hex[2 * CS_SHA256_BYTES + 1];

    LINE(out, "%s  %s\n", label, cs_hex(cs_digest_slice(&digest), hex));
    return CS_OK;
}

/* What an admin compares who admits this device without its token. */
static int write_fingerprints(const struct ag_store *store, const struct ag_identity *identity,
                              struct cs_buf *out)
{
    cs_auto(cs_buf_free) struct cs_buf renewal = CS_BUF_EMPTY;
    struct cs_key *fresh = NULL;
    struct ag_keys keys;
    int code;

    if (ag_store_load_keys(store, identity->key_slot, &keys, NULL) != CS_OK) {
        LINE(out, "keys        not readable\n");
        return CS_OK;
    }
    code = write_fingerprint("identity key", keys.identity, out);
    if (!code && ag_store_load_renewal(store, &renewal, NULL) == CS_OK &&
        ag_store_load_fresh_key(store, 1 - identity->key_slot, &fresh, NULL) == CS_OK)
        code = write_fingerprint("fresh identity key, renewal under way", fresh, out);
    if (!code)
        code = write_fingerprint("KEM key     ", keys.kem, out);
    cs_key_free(fresh);
    ag_keys_free(&keys);
    return code;
}

static int write_identity(const struct ag_identity *identity, const struct ag_config *config,
                          struct cs_buf *out)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    cs_auto_free struct cs_cert_info *info = calloc(1, sizeof *info);
    char id[33], until[CS_TIME_TEXT_BYTES];

    LINE(out, "device      %s\n", identity->device_name);
    LINE(out, "device-id   %s\n", cs_hex(CS_SLICE_ARRAY(identity->device_id), id));
    LINE(out, "deployment  %s\n", cs_hex(CS_SLICE_ARRAY(identity->pin.deployment_id), id));
    LINE(out, "controller  %s:%u\n", config->controller.host, (unsigned)config->controller.port);
    if (info && cs_chain_parse(cs_buf_slice(&identity->certificate), &chain, NULL) == CS_OK) {
        cs_chain_info(chain, 0, info);
        LINE(out, "identity    valid until %s\n", cs_time_text(info->not_after_s, until));
    }
    return CS_OK;
}

static int write_policy(const struct ag_store *store, const struct ag_state *state, struct cs_buf *out)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    char until[CS_TIME_TEXT_BYTES];

    if (state->policy_version == 0 ||
        ag_store_load_policy(store, state->policy_version, &policy, NULL) != CS_OK) {
        LINE(out, "policy      none yet: the controller has not been reached since enrolment\n");
        return CS_OK;
    }
    LINE(out, "policy      version %u, pushes are accepted until %s\n", (unsigned)state->policy_version,
         cs_time_text(cs_policy_body(policy)->expires_at_s, until));
    return CS_OK;
}

static const char *outcome_text(const struct ag_order *order)
{
    switch (order->phase) {
    case AG_PHASE_COMPLETED:
        return "completed";
    case AG_PHASE_PUT_BACK:
        return "failed and put back";
    default:
        return "being applied";
    }
}

static int write_order(const struct ag_order *order, struct cs_buf *out)
{
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    char when[CS_TIME_TEXT_BYTES];

    if (cs_report_decode(cs_buf_slice(&order->account), &report, NULL) != CS_OK)
        return CS_OK;
    LINE(out, "  generation %" PRIu64 " %s at %s, attempt %u\n", order->generation, outcome_text(order),
         cs_time_text(report->made_at_s, when), (unsigned)order->attempt);
    LINE(out, "    requested by %s\n", report->requester);
    for (size_t i = 0; i < report->deciders_count; i++)
        LINE(out, "    decided by   %s\n", report->deciders[i]);
    LINE(out, "    under rule   %s of policy version %u\n", report->rule, (unsigned)report->policy_version);
    LINE(out, "    verdict      %s: %s\n", report->verdict, report->detail);
    if (ag_phase_final(order->phase) && !order->acknowledged)
        LINE(out, "    the controller may not have this report yet\n");
    return CS_OK;
}

static int write_connector(const struct ag_state *state, const struct ag_connector *connector,
                           struct cs_buf *out)
{
    const struct ag_connector_state *known = ag_state_connector(state, connector->name);
    char digest[2 * CS_SHA256_BYTES + 1];

    LINE(out, "\nconnector \"%s\" (%s) at %s\n", connector->name, connector->application,
         connector->paths[AG_FILE_CERTIFICATE] ? connector->paths[AG_FILE_CERTIFICATE]
                                               : connector->paths[AG_FILE_BUNDLE]);
    if (!known || known->installed_generation == 0)
        LINE(out, "  nothing is installed by Countersign\n");
    else
        LINE(out, "  installed    generation %" PRIu64 ", chain %s\n", known->installed_generation,
             cs_hex(cs_digest_slice(&known->installed_digest), digest));
    for (size_t i = 0; known && i < known->order_count; i++) {
        int code = write_order(&known->orders[i], out);

        if (code)
            return code;
    }
    return CS_OK;
}

static int write_pending_keys(const struct ag_store *store, struct cs_buf *out)
{
    struct cs_digest spkis[2 * AG_LIMIT_KEYS_PENDING];
    size_t count = 0;

    if (ag_store_list_pending_keys(store, spkis, CS_ARRAY_LEN(spkis), &count, NULL) != CS_OK || count == 0)
        return CS_OK;
    LINE(out, "\n%zu key%s for %s certificate%s\n", count, count == 1 ? " waits" : "s wait",
         count == 1 ? "its" : "their", count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        cs_auto(cs_buf_wipe) struct cs_buf record = CS_BUF_EMPTY;
        char spki[2 * CS_SHA256_BYTES + 1], when[CS_TIME_TEXT_BYTES];
        struct ag_pending_key pending;

        if (ag_store_load_pending_key(store, &spkis[i], &record, NULL) == CS_OK &&
            ag_pending_key_decode(cs_buf_slice(&record), &pending, NULL) == CS_OK)
            LINE(out, "  for \"%s\", made at %s, SPKI %s\n", pending.connector,
                 cs_time_text(pending.made_at_s, when), cs_hex(cs_digest_slice(&spkis[i]), spki));
    }
    return CS_OK;
}

int ag_status_write(const struct ag_store *store, const struct ag_config *config, struct cs_buf *out,
                    struct cs_err *err)
{
    struct ag_identity identity;
    struct ag_state state = {0};
    int code = ag_store_load_identity(store, &identity, err);

    if (code)
        return code;
    code = ag_store_load_state(store, &identity, &state, err);
    if (!code)
        code = write_identity(&identity, config, out);
    if (!code)
        code = write_fingerprints(store, &identity, out);
    if (!code)
        code = write_policy(store, &state, out);
    for (size_t i = 0; !code && i < config->connectors.count; i++)
        code = write_connector(&state, &config->connectors.items[i], out);
    if (!code)
        code = write_pending_keys(store, out);
    ag_identity_free(&identity);
    ag_state_free(&state);
    return code == CS_ENOMEM ? cs_err_nomem(err) : code;
}
