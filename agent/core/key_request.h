/* key_request.h - does this device make the key that it is asked for? One pure function of the envelope, the
 * trust policy that is pinned here, what is declared, and the keys that wait for their certificates. The
 * checks stand in the order of the table in key_request.c. Nothing is made here: device_keys.c does that. */
#ifndef AG_CORE_KEY_REQUEST_H
#define AG_CORE_KEY_REQUEST_H

#include "agent/core/connector.h"
#include "agent/core/pending_key.h"
#include "agent/core/verdict.h"

/* What the device knows. Borrowed for the call. */
struct ag_key_facts {
    struct cs_slice deployment_id, device_id;
    const struct cs_policy *policy; /* NULL: none yet */
    const struct ag_connectors *connectors;
    const struct ag_pending_key *pending; /* keys that wait for their certificates */
    size_t pending_count;
    int64_t now_s; /* device time, never below the floor */
};

struct ag_key_decision {
    enum ag_verdict verdict; /* AG_OK: make the key, or answer with the known one */
    char detail[256];
    struct cs_digest digest; /* of the request's payload: what the answer names */
    /* As the bytes say it, whether or not they are believed. NULL: they do not parse, and nothing in them can
     * be answered. */
    countersign_v1_KeyRequest *request;
    const struct ag_pending_key *known; /* with AG_OK: was asked before; of facts->pending */
};

/* NULL only without memory. */
struct ag_key_decision *ag_key_decide(const struct ag_key_facts *facts, struct cs_slice envelope);
void ag_key_decision_free(struct ag_key_decision *decision);
CS_DEFINE_AUTO(ag_key_decision_freep, struct ag_key_decision, ag_key_decision_free)

#endif
