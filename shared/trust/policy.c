#include "shared/trust/policy.h"

struct cs_policy {
    countersign_v1_TrustPolicy *body;
    struct cs_buf wire;
    struct cs_digest digest; /* of the payload */
};

void cs_policy_free(struct cs_policy *policy)
{
    if (!policy)
        return;
    free(policy->body);
    cs_buf_free(&policy->wire);
    free(policy);
}

/* At least the threshold of these roots has signed; a root's signature that does not hold is a refusal. */
static int check_signed_by(struct cs_slice wire, const countersign_v1_RootSet *roots, const char *whose,
                           struct cs_err *err)
{
    struct cs_keyring *keyring cs_auto_free = calloc(1, sizeof *keyring);
    struct cs_verified verified;
    int rc;

    if (!keyring)
        return cs_err_nomem(err);
    for (pb_size_t i = 0; i < roots->keys_count; i++) {
        rc = cs_keyring_add(keyring, CS_PB_BYTES(&roots->keys[i]));
        cs_assert(rc == CS_OK);
    }
    rc = cs_envelope_verify(wire, CS_STATEMENT_TRUST_POLICY, keyring, &verified, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the trust policy, by %s roots", whose);
        return rc;
    }
    if (verified.signer_count < roots->threshold)
        return cs_err_set(err, CS_EAUTH, "the trust policy is signed by %zu of %s roots, and needs %u",
                          verified.signer_count, whose, (unsigned)roots->threshold);
    return CS_OK;
}

/* Parses what somebody else has verified, or will. */
static int open_unverified(struct cs_slice wire, struct cs_policy **ret, struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(wire, &envelope, err);

    if (rc != CS_OK)
        return rc;
    if (envelope.kind != CS_STATEMENT_TRUST_POLICY)
        return cs_err_set(err, CS_EPARSE, "a trust policy is due here, not %s",
                          cs_statement_type(envelope.kind));
    policy = calloc(1, sizeof *policy);
    if (!policy || cs_buf_append(&policy->wire, wire) != CS_OK)
        return cs_err_nomem(err);
    rc = cs_policy_decode(envelope.payload, &policy->body, err);
    if (rc != CS_OK)
        return rc;
    policy->digest = cs_sha256(envelope.payload);
    *ret = cs_steal(policy);
    return CS_OK;
}

/* The roots that check the signature stand in the payload itself, so for once it is parsed first. What makes
 * them believable is the pinned digest, and nothing else of the payload is used before they have signed it.
 */
int cs_policy_open_pinned(struct cs_slice wire, const struct cs_pin *pin, struct cs_policy **ret,
                          struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    struct cs_digest roots;
    int rc = open_unverified(wire, &policy, err);

    if (rc != CS_OK)
        return rc;
    roots = cs_roots_digest(&policy->body->roots);
    if (!cs_digest_eq(&roots, &pin->roots_digest))
        return cs_err_set(err, CS_EAUTH, "the trust policy has other roots than those that are pinned here");
    rc = check_signed_by(wire, &policy->body->roots, "its own", err);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CS_PB_BYTES(&policy->body->deployment_id), CS_SLICE_ARRAY(pin->deployment_id)))
        return cs_err_set(err, CS_EDENIED, "the trust policy belongs to another deployment");
    if (policy->body->version < pin->least_version)
        return cs_err_set(err, CS_ESTALE, "the trust policy is version %u; at least %u is due",
                          (unsigned)policy->body->version, (unsigned)pin->least_version);
    *ret = cs_steal(policy);
    return CS_OK;
}

int cs_policy_check_next(const countersign_v1_TrustPolicy *next, const struct cs_policy *current,
                         struct cs_err *err)
{
    const countersign_v1_TrustPolicy *body = current->body;

    if (!cs_slice_eq(CS_PB_BYTES(&next->deployment_id), CS_PB_BYTES(&body->deployment_id)))
        return cs_err_set(err, CS_EDENIED, "the trust policy belongs to another deployment");
    if (next->version <= body->version)
        return cs_err_set(err, CS_ESTALE, "the trust policy is version %u, and %u is here already",
                          (unsigned)next->version, (unsigned)body->version);
    if (next->version - 1 != body->version)
        return cs_err_set(err, CS_ESTATE, "the trust policy is version %u, and the ones after %u are missing",
                          (unsigned)next->version, (unsigned)body->version);
    if (!cs_slice_eq(CS_PB_BYTES(&next->previous_digest), cs_digest_slice(&current->digest)))
        return cs_err_set(err, CS_EAUTH,
                          "the trust policy, version %u, follows from another version %u than ours",
                          (unsigned)next->version, (unsigned)body->version);
    if (next->issued_at_s < body->issued_at_s)
        return cs_err_set(err, CS_EINVAL,
                          "the trust policy, version %u, is issued earlier than the one before it",
                          (unsigned)next->version);
    return CS_OK;
}

int cs_policy_open_next(struct cs_slice wire, const struct cs_policy *current, struct cs_policy **ret,
                        struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    int rc = check_signed_by(wire, &current->body->roots, "the current", err);

    if (rc != CS_OK)
        return rc;
    rc = open_unverified(wire, &policy, err);
    if (rc != CS_OK)
        return rc;
    rc = check_signed_by(wire, &policy->body->roots, "its own", err);
    if (rc != CS_OK)
        return rc;
    rc = cs_policy_check_next(policy->body, current, err);
    if (rc != CS_OK)
        return rc;
    *ret = cs_steal(policy);
    return CS_OK;
}

int cs_policy_open_stored(struct cs_slice wire, struct cs_policy **ret, struct cs_err *err)
{
    return open_unverified(wire, ret, err);
}

const countersign_v1_TrustPolicy *cs_policy_body(const struct cs_policy *policy)
{
    return policy->body;
}

struct cs_slice cs_policy_wire(const struct cs_policy *policy)
{
    return cs_buf_slice(&policy->wire);
}

struct cs_digest cs_policy_digest(const struct cs_policy *policy)
{
    return policy->digest;
}

uint32_t cs_policy_version(const struct cs_policy *policy)
{
    return policy->body->version;
}

struct cs_digest cs_roots_digest(const countersign_v1_RootSet *roots)
{
    uint8_t canonical[countersign_v1_RootSet_size];
    struct cs_buf out = {.ptr = canonical, .capacity = sizeof canonical, .limit_bytes = sizeof canonical};
    /* The buffer has room for the longest, so that nothing is allocated and nothing can fail. */
    int rc = cs_message_encode(countersign_v1_RootSet_fields, roots, &out, NULL);

    cs_assert(rc == CS_OK && out.ptr == canonical);
    return cs_sha256(cs_buf_slice(&out));
}

bool cs_roots_have(const countersign_v1_RootSet *roots, struct cs_slice spki)
{
    for (pb_size_t i = 0; i < roots->keys_count; i++)
        if (cs_slice_eq(CS_PB_BYTES(&roots->keys[i]), spki))
            return true;
    return false;
}

bool cs_policy_expired(const struct cs_policy *policy, int64_t now_s)
{
    return now_s > policy->body->expires_at_s;
}

void cs_policy_operator_keys(const struct cs_policy *policy, struct cs_keyring *ret)
{
    const countersign_v1_TrustPolicy *body = policy->body;

    ret->count = 0;
    for (pb_size_t i = 0; i < body->operators_count; i++)
        for (pb_size_t k = 0; k < body->operators[i].keys_count; k++) {
            int rc = cs_keyring_add(ret, CS_PB_BYTES(&body->operators[i].keys[k].spki));

            cs_assert(rc == CS_OK); /* a keyring has room for all operators that a policy can have */
        }
}

void cs_policy_message_keys(const struct cs_policy *policy, struct cs_keyring *ret)
{
    ret->count = 0;
    for (pb_size_t i = 0; i < policy->body->message_keys_count; i++) {
        int rc = cs_keyring_add(ret, CS_PB_BYTES(&policy->body->message_keys[i]));

        cs_assert(rc == CS_OK);
    }
}

const countersign_v1_Operator *cs_operators_find(const countersign_v1_TrustPolicy *policy, const char *name)
{
    for (pb_size_t i = 0; i < policy->operators_count; i++)
        if (strcmp(policy->operators[i].name, name) == 0)
            return &policy->operators[i];
    return NULL;
}

const countersign_v1_Operator *cs_policy_operator(const struct cs_policy *policy, const char *name)
{
    return cs_operators_find(policy->body, name);
}

int cs_policy_verify(const struct cs_policy *policy, struct cs_slice wire, enum cs_statement_kind kind,
                     struct cs_verified *ret, struct cs_err *err)
{
    struct cs_keyring *keyring cs_auto_free = calloc(1, sizeof *keyring);

    if (!keyring)
        return cs_err_nomem(err);
    cs_policy_operator_keys(policy, keyring);
    return cs_envelope_verify(wire, kind, keyring, ret, err);
}

static bool signed_with(const struct cs_verified *statement, struct cs_slice spki)
{
    struct cs_digest key_id = cs_key_id(spki);

    for (size_t i = 0; i < statement->signer_count; i++)
        if (cs_digest_eq(&statement->signers[i], &key_id))
            return true;
    return false;
}

int cs_policy_check_signer(const struct cs_policy *policy, const struct cs_verified *statement,
                           const char *name, countersign_v1_Role role, countersign_v1_KeyKind *ret_kind,
                           struct cs_err *err)
{
    const countersign_v1_Operator *who = cs_policy_operator(policy, name);
    countersign_v1_KeyKind kind = countersign_v1_KeyKind_KEY_KIND_UNSPECIFIED;

    if (!who)
        return cs_err_set(err, CS_EAUTH, "%s is no operator in trust policy version %u", name,
                          (unsigned)policy->body->version);
    for (pb_size_t i = 0; i < who->keys_count; i++) {
        bool better = kind == countersign_v1_KeyKind_KEY_KIND_UNSPECIFIED ||
                      kind == countersign_v1_KeyKind_KEY_KIND_BROWSER;

        if (better && signed_with(statement, CS_PB_BYTES(&who->keys[i].spki)))
            kind = who->keys[i].kind;
    }
    if (kind == countersign_v1_KeyKind_KEY_KIND_UNSPECIFIED)
        return cs_err_set(err, CS_EAUTH, "the statement is not signed by a key of %s", name);
    if (role != countersign_v1_Role_ROLE_UNSPECIFIED && !cs_operator_has_role(policy->body, who, role))
        return cs_err_set(err, CS_EDENIED, "%s does not have the role that this takes", name);
    *ret_kind = kind;
    return CS_OK;
}
