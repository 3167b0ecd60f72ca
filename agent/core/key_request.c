#include "agent/core/key_request.h"

#include "shared/crypto/x509.h"

#include <stdio.h>

struct deciding {
    const struct ag_key_facts *facts;
    struct cs_slice envelope;
    struct ag_key_decision *decision;
    struct cs_err err; /* the sentence, when a check has a better one than its verdict's */
};

/* Too little memory says nothing about the request: it stays undecided, and comes again. */
static enum ag_verdict refused(int code, enum ag_verdict verdict)
{
    return code == CS_ENOMEM ? AG_UNDECIDED : verdict;
}

static enum ag_verdict say(struct deciding *d, enum ag_verdict verdict, const char *sentence)
{
    cs_err_set(&d->err, CS_EDENIED, "%s", sentence);
    return verdict;
}

/* Only names what is asked, so that a refusal can be answered; nothing of it is believed yet. */
static enum ag_verdict read_request(struct deciding *d)
{
    struct cs_envelope envelope;
    int code = cs_envelope_parse(d->envelope, &envelope, &d->err);

    if (!code && envelope.kind != CS_STATEMENT_KEY_REQUEST)
        return AG_KEY_REQUEST_MALFORMED;
    if (!code)
        code = cs_key_request_decode(envelope.payload, &d->decision->request, &d->err);
    if (code)
        return refused(code, AG_KEY_REQUEST_MALFORMED);
    d->decision->digest = cs_sha256(envelope.payload);
    for (pb_size_t i = 0; i < d->decision->request->dns_names_count; i++)
        if (cs_csr_check_dns_name(d->decision->request->dns_names[i], &d->err) != CS_OK)
            return AG_KEY_REQUEST_MALFORMED;
    return AG_OK;
}

static enum ag_verdict check_policy(struct deciding *d)
{
    return d->facts->policy ? AG_OK : AG_NO_POLICY;
}

/* Before the signature: a newer policy may be what names its key. */
static enum ag_verdict check_policy_version(struct deciding *d)
{
    return d->decision->request->policy_version <= cs_policy_version(d->facts->policy) ? AG_OK
                                                                                       : AG_POLICY_TOO_OLD;
}

static enum ag_verdict check_requester(struct deciding *d)
{
    struct cs_verified verified;
    countersign_v1_KeyKind kind;
    int code = cs_policy_verify(d->facts->policy, d->envelope, CS_STATEMENT_KEY_REQUEST, &verified, &d->err);

    if (!code)
        code = cs_policy_check_signer(d->facts->policy, &verified, d->decision->request->requester,
                                      countersign_v1_Role_ROLE_REQUESTER, &kind, &d->err);
    if (code == CS_EDENIED)
        return say(d, AG_REQUESTER_ROLE, "the requester may not request keys");
    return code ? refused(code, AG_KEY_REQUEST_SIGNATURE) : AG_OK;
}

static enum ag_verdict check_policy_expiry(struct deciding *d)
{
    return cs_policy_expired(d->facts->policy, d->facts->now_s) ? AG_POLICY_EXPIRED : AG_OK;
}

static enum ag_verdict check_addressee(struct deciding *d)
{
    const countersign_v1_KeyRequest *request = d->decision->request;

    if (!cs_slice_eq(CS_PB_BYTES(&request->deployment_id), d->facts->deployment_id))
        return say(d, AG_WRONG_DEPLOYMENT, "the key request is for another deployment");
    if (!cs_slice_eq(CS_PB_BYTES(&request->device_id), d->facts->device_id))
        return say(d, AG_WRONG_DEVICE, "the key request is for another device-id");
    return ag_connectors_find(d->facts->connectors, request->connector) ? AG_OK : AG_UNKNOWN_CONNECTOR;
}

/* The answer that was lost is given once more, also when its time is over by now. */
static enum ag_verdict check_time(struct deciding *d)
{
    for (size_t i = 0; i < d->facts->pending_count; i++)
        if (cs_digest_eq(&d->facts->pending[i].request_digest, &d->decision->digest))
            d->decision->known = &d->facts->pending[i];
    return d->decision->known || d->facts->now_s < d->decision->request->expires_at_s
               ? AG_OK
               : AG_KEY_REQUEST_EXPIRED;
}

static enum ag_verdict check_room(struct deciding *d)
{
    return d->decision->known || d->facts->pending_count < AG_LIMIT_KEYS_PENDING ? AG_OK : AG_KEYS_PENDING;
}

/* In this order; the first that is not AG_OK is the verdict. */
static enum ag_verdict (*const checks[])(struct deciding *) = {
    read_request,        check_policy,    check_policy_version, check_requester,
    check_policy_expiry, check_addressee, check_time,           check_room,
};

struct ag_key_decision *ag_key_decide(const struct ag_key_facts *facts, struct cs_slice envelope)
{
    struct ag_key_decision *decision = calloc(1, sizeof *decision);
    struct deciding d = {.facts = facts, .envelope = envelope, .decision = decision};

    if (!decision)
        return NULL;
    for (size_t i = 0; i < CS_ARRAY_LEN(checks); i++) {
        decision->verdict = checks[i](&d);
        if (decision->verdict != AG_OK)
            break;
    }
    if (decision->verdict == AG_OK)
        snprintf(decision->detail, sizeof decision->detail, "the key was made here and stays here");
    else
        snprintf(decision->detail, sizeof decision->detail, "%s",
                 d.err.msg[0] ? d.err.msg : ag_verdict_sentence(decision->verdict));
    return decision;
}

void ag_key_decision_free(struct ag_key_decision *decision)
{
    if (!decision)
        return;
    free(decision->request);
    free(decision);
}
