/* decide.h - does this device accept this push? One pure function of the delivery, the trust policy that is
 * pinned here, the device's state and the time. All that DESIGN.md section 4 asks for under "the device
 * accepts" is checked here, in the order of the table in decide.c, and nowhere else. Nothing is changed:
 * journal.h does that. Start at ag_decide(). */
#ifndef AG_CORE_DECIDE_H
#define AG_CORE_DECIDE_H

#include "agent/core/connector.h"
#include "agent/core/journal.h"
#include "agent/core/verdict.h"
#include "shared/crypto/x509.h"

#include "countersign/v1/agent.pb.h"

/* What the device knows. Borrowed for the call. */
struct ag_facts {
    struct cs_slice deployment_id, device_id;
    const char *device_name;
    const struct cs_policy *policy; /* NULL: none yet */
    const struct ag_state *state;
    const struct ag_connectors *connectors;
    const struct cs_key *kem_key;
    /* PKCS#8 of the key that was made here for the connector and leaf that the order names
     * (KEY_MODE_ON_DEVICE); empty: there is none. */
    struct cs_slice own_key;
    /* PEM of chain and key of the generation that the order goes back to (ACTION_ROLL_BACK); empty: this
     * device has it no more. */
    struct cs_slice kept_chain, kept_key;
    int64_t now_s;   /* device time, never below the floor (device_time.h) */
    bool time_known; /* false: the clock was below the floor, now_s is only a least time */
};

/* What was decided, and all that is needed to act on it. */
struct ag_decision {
    enum ag_verdict verdict; /* AG_OK: journal it, then plan and apply */
    /* What the report will say but for sequence, time and outcome: filled as far as the checks came. The
     * order is named as soon as the bytes parse, before anything is believed: report.order_id.size tells. */
    countersign_v1_DeviceReport report;

    /* With AG_OK: */
    const struct ag_connector *connector; /* of facts->connectors */
    bool removes;                         /* then there are neither: */
    struct cs_chain *chain;
    struct cs_buf pkcs8; /* in our own encoding */
    struct cs_digest core_digest;
    struct cs_digest chain_digest;
    int64_t decided_at_s;
    int64_t policy_issued_at_s;
    /* With AG_OK, AG_NOT_YET and AG_WINDOW_PASSED: */
    int64_t start_s, end_s;
};

/* NULL only without memory. */
struct ag_decision *ag_decide(const struct ag_facts *facts, const countersign_v1_PushDelivery *delivery);
/* Wipes the key. */
void ag_decision_free(struct ag_decision *decision);
CS_DEFINE_AUTO(ag_decision_freep, struct ag_decision, ag_decision_free)

/* What to journal of a decision with AG_OK before anything is done. Borrows from both. */
struct ag_acceptance ag_decision_acceptance(const struct ag_decision *decision, struct cs_slice account);

/* The outcome that a report of this verdict bears. */
countersign_v1_Outcome ag_verdict_outcome(enum ag_verdict verdict);

/* Copies into a report's text fields, cut at a character's end. */
void ag_report_set_detail(countersign_v1_DeviceReport *report, const char *detail);
/* Both; without a detail the verdict's own sentence. */
void ag_report_set_verdict(countersign_v1_DeviceReport *report, enum ag_verdict verdict, const char *detail);

#endif
