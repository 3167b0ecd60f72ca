/* workflow.h - the life of a work order: which event takes it from which phase to which. A table and nothing
 * else; what an event brings with it (due times, supersession, colours) is in orders.c. Pure.
 *
 *   NEW ───▶ PENDING ───▶ REVIEW ───▶ SCHEDULED ────────▶ HANDED_OVER ───▶ ACCEPTED ───▶ COMPLETED
 *     OPENED     REVIEWED    DECIDED   │   ▲   HANDED_OVER   │     ACCEPTED    │  COMPLETED    ▲
 *                                  DUE │   └─ NOT_YET, RETRY ┼─────────────────┤               │
 *                                      ▼                     ├──── FAILED ─────┴──▶ FAILED     │
 *                                   WAITING ─ HANDED_OVER ─▶ └──── SILENT ───────▶ SILENT ─────┘
 *                                                                             late report
 *
 *   PENDING, REVIEW, SCHEDULED, WAITING ──▶ REJECTED · CANCELLED · EXPIRED · SUPERSEDED
 *
 * Decisions and newer policies move an order back and forth between PENDING and REVIEW. RETRY takes an order
 * whose attempt failed back before the line, until its signed attempts are used. CALLED_OFF, the device's
 * word that it obeyed a cancel and has begun nothing, takes HANDED_OVER and ACCEPTED to CANCELLED.
 *
 * People see fewer states: WAITING is Push-Scheduled, HANDED_OVER and ACCEPTED are Push-In Progress, SILENT
 * is Failed. Hand-over is the line: before it the controller decides what becomes of an order, behind it only
 * the device's word does. */
#ifndef CTL_CORE_WORKFLOW_H
#define CTL_CORE_WORKFLOW_H

#include "shared/base/err.h"

#include "countersign/store/v1/record.pb.h"

#include <stdbool.h>

typedef countersign_store_v1_Phase ctl_phase;
#define CTL_PHASE_COUNT ((size_t)_countersign_store_v1_Phase_ARRAYSIZE)

/* X(name, what cannot be done in a phase that refuses it, what people call it where it is possible: "" for an
 * event that nobody asks for) */
#define CTL_ORDER_EVENTS(X)                                                                                  \
    /* people */                                                                                             \
    X(OPENED, "be opened for its first stage", "")                                                           \
    X(REVIEWED, "be accepted", "decide")                                                                     \
    X(DECIDED, "be scheduled", "")                                                                           \
    X(REJECTED, "be rejected", "reject")                                                                     \
    X(CANCELLED, "be cancelled", "cancel")                                                                   \
    /* the controller */                                                                                     \
    X(POLICY_CHANGED, "be cancelled", "")                                                                    \
    X(SUPERSEDED, "be superseded", "")                                                                       \
    X(EXPIRED, "expire", "")                                                                                 \
    X(DUE, "wait for its device", "")                                                                        \
    X(HANDED_OVER, "be handed over", "")                                                                     \
    X(SILENT, "be given up", "")                                                                             \
    X(UNFIT, "be cancelled for its certificate", "")                                                         \
    /* the device */                                                                                         \
    X(ACCEPTED, "be accepted", "")                                                                           \
    X(NOT_YET, "be put off", "")                                                                             \
    X(COMPLETED, "be completed", "")                                                                         \
    X(FAILED, "fail", "")                                                                                    \
    X(RETRY, "be tried again", "")                                                                           \
    X(CALLED_OFF, "be cancelled by its device", "")

enum ctl_order_event {
#define X(name, cannot, people) CTL_ORDER_##name,
    CTL_ORDER_EVENTS(X)
#undef X
        CTL_ORDER_EVENT_COUNT
};

struct ctl_phase_info {
    const char *name; /* for audit and tests */
    countersign_v1_OrderState shown;
    bool undecided; /* decisions still move it */
    bool handed_over;
    bool ended;
};
const struct ctl_phase_info *ctl_phase_info(ctl_phase phase);
/* "Push-Review In Progress". */
const char *ctl_state_text(countersign_v1_OrderState state);

/* CS_OK with the next phase (the same one: the event changes nothing), or CS_ESTATE with the sentence of
 * ctl_workflow_refuse(). `number` is the order's. */
CS_MUST_USE int ctl_workflow_next(uint64_t number, ctl_phase phase, enum ctl_order_event event,
                                  ctl_phase *ret_next, struct cs_err *err);

/* "decide, reject, cancel": what people can do about an order in this phase, read out of the table. Returns
 * out, which has room for CTL_POSSIBLE_BYTES. */
enum { CTL_POSSIBLE_BYTES = 96 };
char *ctl_workflow_possible(ctl_phase phase, char *out);
/* CS_ESTATE: "WO-3 is Completed: it cannot be rejected; possible: push again". */
int ctl_workflow_refuse(uint64_t number, ctl_phase phase, enum ctl_order_event event, struct cs_err *err);
/* A phase that people see as this state; of several the first. */
ctl_phase ctl_workflow_phase_of(countersign_v1_OrderState state);

#endif
