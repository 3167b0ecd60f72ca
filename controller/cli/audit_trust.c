#include "controller/cli/audit_trust.h"

#include <stdio.h>

/* With one version a week: 20 years. */
enum { MOST_POLICIES = 1024 };

int cli_audit_policies_add(struct cli_audit_policies *policies, uint64_t version, struct cs_slice wire,
                           struct cs_err *err)
{
    if (version == 0 || version > UINT32_MAX ||
        (policies->count && version != policies->first + policies->count))
        return cs_err_set(err, CS_EPARSE, "the trust policies' versions do not rise by one");
    if (policies->count == MOST_POLICIES)
        return cs_err_set(err, CS_EFULL, "there are more than %d trust policies", MOST_POLICIES);
    if (policies->count == policies->capacity) {
        size_t capacity = policies->capacity ? 2 * policies->capacity : 8;
        void *grown = reallocarray(policies->list, capacity, sizeof *policies->list);

        if (!grown)
            return cs_err_nomem(err);
        policies->list = grown;
        policies->capacity = capacity;
    }
    memset(&policies->list[policies->count], 0, sizeof *policies->list);
    if (cs_buf_append(&policies->list[policies->count].wire, wire) != CS_OK)
        return cs_err_nomem(err);
    if (policies->count++ == 0)
        policies->first = (uint32_t)version;
    return CS_OK;
}

static int add_newer_from_home(struct cli_audit_policies *policies, const struct cs_pin *pin,
                               const struct cli_home *home, struct cs_err *err)
{
    int rc = CS_OK;

    while (rc == CS_OK && policies->first + policies->count <= pin->least_version) {
        uint32_t version = policies->first + (uint32_t)policies->count;
        struct cs_buf wire = CS_BUF_EMPTY;

        rc = cli_home_load_policy(home, version, &wire, err);
        if (rc == CS_OK)
            rc = cli_audit_policies_add(policies, version, cs_buf_slice(&wire), err);
        cs_buf_free(&wire);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int check_version(const struct cli_audit_policies *policies, size_t index, struct cs_err *err)
{
    if (cs_policy_version(policies->list[index].policy) == policies->first + index)
        return CS_OK;
    return cs_err_set(err, CS_EAUTH, "a trust policy has another version than is said");
}

/* The first that the pin accepts. The sentence of a failure is that of the last one tried. */
static int open_pinned(struct cli_audit_policies *policies, const struct cs_pin *pin, size_t *ret_index,
                       struct cs_err *err)
{
    int rc = cs_err_set(err, CS_EAUTH, "there is no trust policy");

    for (size_t i = 0; i < policies->count && rc != CS_OK; i++) {
        /* What is older than the pin is looked at backwards. */
        if (policies->first + i < pin->least_version && i + 1 < policies->count)
            continue;
        rc =
            cs_policy_open_pinned(cs_buf_slice(&policies->list[i].wire), pin, &policies->list[i].policy, err);
        if (rc == CS_ENOMEM)
            return rc;
        *ret_index = i;
    }
    return rc == CS_OK ? check_version(policies, *ret_index, err) : rc;
}

static int open_newer(struct cli_audit_policies *policies, size_t index, struct cs_err *err)
{
    int rc = cs_policy_open_next(cs_buf_slice(&policies->list[index].wire), policies->list[index - 1].policy,
                                 &policies->list[index].policy, err);

    return rc == CS_OK ? check_version(policies, index, err) : rc;
}

/* A policy names the digest of the one before it. */
static int open_older(struct cli_audit_policies *policies, size_t index, struct cs_err *err)
{
    const countersign_v1_TrustPolicy *after = cs_policy_body(policies->list[index + 1].policy);
    struct cs_envelope envelope;
    struct cs_digest digest;
    int rc = cs_envelope_parse(cs_buf_slice(&policies->list[index].wire), &envelope, err);

    if (rc != CS_OK)
        return rc;
    digest = cs_sha256(envelope.payload);
    if (envelope.kind != CS_STATEMENT_TRUST_POLICY ||
        !cs_slice_eq(cs_digest_slice(&digest), CS_PB_BYTES(&after->previous_digest)))
        return cs_err_set(err, CS_EAUTH, "trust policy version %zu is not the one before version %zu",
                          policies->first + index, policies->first + index + 1);
    rc = cs_policy_open_stored(cs_buf_slice(&policies->list[index].wire), &policies->list[index].policy, err);
    return rc == CS_OK ? check_version(policies, index, err) : rc;
}

int cli_audit_policies_own_pin(const struct cli_audit_policies *policies, struct cs_pin *ret,
                               struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *body = NULL;
    struct cs_envelope envelope;
    int rc;

    if (!policies->count)
        return cs_err_set(err, CS_EPARSE, "there is no trust policy");
    rc = cs_envelope_parse(cs_buf_slice(&policies->list[0].wire), &envelope, err);
    if (rc == CS_OK)
        rc = cs_policy_decode(envelope.payload, &body, err);
    if (rc != CS_OK)
        return rc;
    *ret = (struct cs_pin){.roots_digest = cs_roots_digest(&body->roots), .least_version = 1};
    memcpy(ret->deployment_id, body->deployment_id.bytes, sizeof ret->deployment_id);
    return CS_OK;
}

int cli_audit_policies_open(struct cli_audit_policies *policies, const struct cs_pin *pin,
                            const struct cli_home *home, struct cs_err *err)
{
    struct cs_pin own;
    size_t start = 0;
    int rc = CS_OK;

    if (!pin) {
        rc = cli_audit_policies_own_pin(policies, &own, err);
        pin = &own;
    } else if (home && policies->count) {
        rc = add_newer_from_home(policies, pin, home, err);
    }
    if (rc == CS_OK)
        rc = open_pinned(policies, pin, &start, err);
    for (size_t i = start + 1; rc == CS_OK && i < policies->count; i++)
        rc = open_newer(policies, i, err);
    for (size_t i = start; rc == CS_OK && i > 0; i--)
        rc = open_older(policies, i - 1, err);
    return rc;
}

int cli_audit_policies_keys(const struct cli_audit_policies *policies, struct cs_keyring *ret,
                            struct cs_err *err)
{
    ret->count = 0;
    for (size_t i = 0; i < policies->count; i++) {
        const countersign_v1_TrustPolicy *body = cs_policy_body(policies->list[i].policy);

        for (pb_size_t k = 0; k < body->message_keys_count; k++)
            if (cs_keyring_add(ret, CS_PB_BYTES(&body->message_keys[k])) != CS_OK)
                return cs_err_set(err, CS_EFULL, "the trust policies have too many message keys");
    }
    return CS_OK;
}

void cli_audit_policies_free(struct cli_audit_policies *policies)
{
    for (size_t i = 0; i < policies->count; i++) {
        cs_buf_free(&policies->list[i].wire);
        cs_policy_free(policies->list[i].policy);
    }
    free(policies->list);
    *policies = (struct cli_audit_policies){0};
}
