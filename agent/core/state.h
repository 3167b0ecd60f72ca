/* state.h - what this device must not forget: generations, orders with their outcome, time floor, sequence.
 * Pure: bytes to struct and back; the shell keeps the bytes in one file that is replaced as a whole, and does
 * so before anything is acted on (store.h). Orders move on through journal.h only.
 * A damaged file is refused, never read in part: whoever forgets a generation can be replayed to. */
#ifndef AG_CORE_STATE_H
#define AG_CORE_STATE_H

#include "agent/core/limits.h"
#include "shared/crypto/crypto.h"

/*   (none) ─accept─▶ ACCEPTED ──────────end──────────▶ COMPLETED
 *                     ▲    └──begin_put_back──▶ PUTTING_BACK ──end──▶ PUT_BACK
 *                     └─────────────────────accept (a retry)──────────────┘     */
enum ag_phase {
    AG_PHASE_NONE,
    AG_PHASE_ACCEPTED,
    AG_PHASE_PUTTING_BACK,
    AG_PHASE_PUT_BACK,
    AG_PHASE_COMPLETED
};

/* One order as it was journalled. */
struct ag_order {
    uint8_t order_id[16];
    struct cs_digest core_digest; /* of the order core's bytes: a retry is the same order, the same core */
    enum ag_phase phase;
    bool acknowledged; /* the controller has the final report */
    bool removes;      /* takes the certificate away: its generation is an empty one */
    uint64_t generation;
    uint64_t previous_generation; /* what to put back; 0: nothing was installed */
    uint32_t attempt;
    struct cs_digest chain_digest;
    /* The device's own account: the payload of a DeviceReport, kept to be signed and sent (again). */
    struct cs_buf account;
};

struct ag_connector_state {
    char name[CS_LIMIT_NAME_BYTES + 1];
    uint64_t highest_generation;   /* ever accepted */
    uint64_t installed_generation; /* 0: nothing */
    struct cs_digest installed_digest;
    struct ag_order orders[AG_LIMIT_ORDERS_KEPT]; /* newest first */
    size_t order_count;
};

struct ag_state {
    uint8_t device_id[16]; /* whose state this is: another enrolment has another */
    uint32_t policy_version;
    int64_t time_floor_s;
    uint64_t sequence_reserved; /* no statement beyond it was signed */
    struct ag_connector_state *connectors;
    size_t connector_count;
};

void ag_state_init(struct ag_state *state, struct cs_slice device_id);
void ag_state_free(struct ag_state *state);

/* Appends the stored form, closed by a SHA-256 over all before it. */
CS_MUST_USE int ag_state_encode(const struct ag_state *state, struct cs_buf *out, struct cs_err *err);
/* CS_ECORRUPT for anything that ag_state_encode() did not write. */
CS_MUST_USE int ag_state_decode(struct cs_slice bytes, struct ag_state *ret, struct cs_err *err);

/* NULL if nothing was ever accepted for it. */
struct ag_connector_state *ag_state_connector(const struct ag_state *state, const char *name);
/* The same, made when it is not there; CS_EFULL beyond AG_LIMIT_CONNECTORS_REMEMBERED. */
CS_MUST_USE int ag_state_connector_make(struct ag_state *state, const char *name,
                                        struct ag_connector_state **ret, struct cs_err *err);
struct ag_order *ag_state_order(const struct ag_state *state, struct cs_slice order_id,
                                struct ag_connector_state **ret_connector);

static inline bool ag_phase_final(enum ag_phase phase)
{
    return phase == AG_PHASE_PUT_BACK || phase == AG_PHASE_COMPLETED;
}

#endif
