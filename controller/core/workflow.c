#include "controller/core/workflow.h"

#include <inttypes.h>
#include <stdio.h>

#define PHASE(name) countersign_store_v1_Phase_PHASE_##name
#define STATE(name) countersign_v1_OrderState_ORDER_STATE_##name

static const struct ctl_phase_info phases[] = {
    [PHASE(NEW)] = {"new", STATE(UNSPECIFIED), .undecided = true},
    [PHASE(PENDING)] = {"pending", STATE(PUSH_APPROVAL_PENDING), .undecided = true},
    [PHASE(REVIEW)] = {"review", STATE(PUSH_REVIEW_IN_PROGRESS), .undecided = true},
    [PHASE(SCHEDULED)] = {"scheduled", STATE(PUSH_SCHEDULED), .undecided = false},
    [PHASE(WAITING)] = {"waiting", STATE(PUSH_SCHEDULED), .undecided = false},
    [PHASE(HANDED_OVER)] = {"handed over", STATE(PUSH_IN_PROGRESS), .handed_over = true},
    [PHASE(ACCEPTED)] = {"accepted", STATE(PUSH_IN_PROGRESS), .handed_over = true},
    [PHASE(COMPLETED)] = {"completed", STATE(COMPLETED), .ended = true},
    [PHASE(FAILED)] = {"failed", STATE(FAILED), .ended = true},
    [PHASE(SILENT)] = {"silent", STATE(FAILED), .ended = true},
    [PHASE(REJECTED)] = {"rejected", STATE(REJECTED), .ended = true},
    [PHASE(CANCELLED)] = {"cancelled", STATE(CANCELLED), .ended = true},
    [PHASE(EXPIRED)] = {"expired", STATE(EXPIRED), .ended = true},
    [PHASE(SUPERSEDED)] = {"superseded", STATE(SUPERSEDED), .ended = true},
};
_Static_assert(sizeof phases / sizeof phases[0] == CTL_PHASE_COUNT, "every phase has its row");

static const char *const state_texts[] = {
    [STATE(UNSPECIFIED)] = "None",
    [STATE(PUSH_APPROVAL_PENDING)] = "Push-Approval Pending",
    [STATE(PUSH_REVIEW_IN_PROGRESS)] = "Push-Review In Progress",
    [STATE(PUSH_SCHEDULED)] = "Push-Scheduled",
    [STATE(PUSH_IN_PROGRESS)] = "Push-In Progress",
    [STATE(COMPLETED)] = "Completed",
    [STATE(FAILED)] = "Failed",
    [STATE(REJECTED)] = "Rejected",
    [STATE(CANCELLED)] = "Cancelled",
    [STATE(EXPIRED)] = "Expired",
    [STATE(SUPERSEDED)] = "Superseded",
};

static const struct {
    const char *cannot, *people;
} words[CTL_ORDER_EVENT_COUNT] = {
#define X(name, cannot, people) [CTL_ORDER_##name] = {cannot, people},
    CTL_ORDER_EVENTS(X)
#undef X
};

/* A cell says where to go; one that is not named here is a refusal. */
struct cell {
    bool allowed;
    ctl_phase next;
};
#define TO(name)                                                                                             \
    {                                                                                                        \
        true, PHASE(name)                                                                                    \
    }

/* What may happen to every order that is not handed over. */
#define CLOSED_BY_PEOPLE_OR_TIME                                                                             \
    [CTL_ORDER_CANCELLED] = TO(CANCELLED), [CTL_ORDER_POLICY_CHANGED] = TO(CANCELLED),                       \
    [CTL_ORDER_SUPERSEDED] = TO(SUPERSEDED), [CTL_ORDER_EXPIRED] = TO(EXPIRED),                              \
    [CTL_ORDER_UNFIT] = TO(CANCELLED)
#define MOVED_BY_DECISIONS                                                                                   \
    [CTL_ORDER_OPENED] = TO(PENDING), [CTL_ORDER_REVIEWED] = TO(REVIEW),                                     \
    [CTL_ORDER_DECIDED] = TO(SCHEDULED), [CTL_ORDER_REJECTED] = TO(REJECTED)
/* The device's word counts wherever the order stands, because it says what has happened. It can come for an
 * order that is scheduled again: the same message had reached the device twice, and was due the second time.
 */
#define ENDED_BY_DEVICE                                                                                      \
    [CTL_ORDER_COMPLETED] = TO(COMPLETED), [CTL_ORDER_FAILED] = TO(FAILED),                                  \
    [CTL_ORDER_CALLED_OFF] = TO(CANCELLED)
/* A failure that the signed attempts do not end with; never for an order that has ended. */
#define TRIED_AGAIN [CTL_ORDER_RETRY] = TO(SCHEDULED)

/* An order that has ended takes no event but a late report; that one is kept, and only completion moves it.
 */
#define LATE_WORD(name)                                                                                      \
    [CTL_ORDER_ACCEPTED] = TO(name), [CTL_ORDER_NOT_YET] = TO(name), [CTL_ORDER_FAILED] = TO(name),          \
    [CTL_ORDER_CALLED_OFF] = TO(name)

static const struct cell table[CTL_PHASE_COUNT][CTL_ORDER_EVENT_COUNT] = {
    [PHASE(NEW)] = {MOVED_BY_DECISIONS},
    [PHASE(PENDING)] = {MOVED_BY_DECISIONS, CLOSED_BY_PEOPLE_OR_TIME},
    [PHASE(REVIEW)] = {MOVED_BY_DECISIONS, CLOSED_BY_PEOPLE_OR_TIME},
    [PHASE(SCHEDULED)] = {[CTL_ORDER_DECIDED] = TO(SCHEDULED),
                          [CTL_ORDER_DUE] = TO(WAITING),
                          [CTL_ORDER_HANDED_OVER] = TO(HANDED_OVER),
                          [CTL_ORDER_ACCEPTED] = TO(ACCEPTED),
                          [CTL_ORDER_NOT_YET] = TO(SCHEDULED),
                          CLOSED_BY_PEOPLE_OR_TIME,
                          TRIED_AGAIN,
                          ENDED_BY_DEVICE},
    [PHASE(WAITING)] = {[CTL_ORDER_DECIDED] = TO(WAITING),
                        [CTL_ORDER_DUE] = TO(WAITING),
                        [CTL_ORDER_HANDED_OVER] = TO(HANDED_OVER),
                        [CTL_ORDER_ACCEPTED] = TO(ACCEPTED),
                        [CTL_ORDER_NOT_YET] = TO(SCHEDULED),
                        CLOSED_BY_PEOPLE_OR_TIME,
                        TRIED_AGAIN,
                        ENDED_BY_DEVICE},
    /* Handed over: a cancel or a newer policy comes too late, and the device reports what became of it. */
    [PHASE(HANDED_OVER)] = {[CTL_ORDER_HANDED_OVER] = TO(HANDED_OVER),
                            [CTL_ORDER_ACCEPTED] = TO(ACCEPTED),
                            [CTL_ORDER_NOT_YET] = TO(SCHEDULED),
                            [CTL_ORDER_SILENT] = TO(SILENT),
                            TRIED_AGAIN,
                            ENDED_BY_DEVICE},
    [PHASE(ACCEPTED)] = {[CTL_ORDER_HANDED_OVER] = TO(ACCEPTED),
                         [CTL_ORDER_ACCEPTED] = TO(ACCEPTED),
                         [CTL_ORDER_NOT_YET] = TO(SCHEDULED),
                         [CTL_ORDER_SILENT] = TO(SILENT),
                         TRIED_AGAIN,
                         ENDED_BY_DEVICE},
    [PHASE(COMPLETED)] = {LATE_WORD(COMPLETED), [CTL_ORDER_COMPLETED] = TO(COMPLETED)},
    [PHASE(FAILED)] = {LATE_WORD(FAILED), [CTL_ORDER_COMPLETED] = TO(FAILED)},
    [PHASE(SILENT)] = {[CTL_ORDER_ACCEPTED] = TO(SILENT), [CTL_ORDER_NOT_YET] = TO(SILENT), ENDED_BY_DEVICE},
    [PHASE(REJECTED)] = {LATE_WORD(REJECTED), [CTL_ORDER_COMPLETED] = TO(COMPLETED)},
    [PHASE(CANCELLED)] = {LATE_WORD(CANCELLED), [CTL_ORDER_COMPLETED] = TO(COMPLETED)},
    [PHASE(EXPIRED)] = {LATE_WORD(EXPIRED), [CTL_ORDER_COMPLETED] = TO(COMPLETED)},
    [PHASE(SUPERSEDED)] = {LATE_WORD(SUPERSEDED), [CTL_ORDER_COMPLETED] = TO(COMPLETED)},
};

const struct ctl_phase_info *ctl_phase_info(ctl_phase phase)
{
    cs_assert((size_t)phase < CTL_PHASE_COUNT);
    return &phases[phase];
}

const char *ctl_state_text(countersign_v1_OrderState state)
{
    cs_assert((size_t)state < CS_ARRAY_LEN(state_texts));
    return state_texts[state];
}

char *ctl_workflow_possible(ctl_phase phase, char *out)
{
    size_t used = 0;

    cs_assert((size_t)phase < CTL_PHASE_COUNT);
    out[0] = '\0';
    for (size_t event = 0; event < CTL_ORDER_EVENT_COUNT; event++)
        if (table[phase][event].allowed && words[event].people[0])
            used += (size_t)snprintf(out + used, CTL_POSSIBLE_BYTES - used, "%s%s", used ? ", " : "",
                                     words[event].people);
    /* Behind the line people can only ask, or begin anew. */
    if (!used)
        (void)snprintf(out, CTL_POSSIBLE_BYTES, "%s",
                       phases[phase].handed_over ? "cancel, which asks its device to leave it"
                                                 : "push again");
    return out;
}

int ctl_workflow_refuse(uint64_t number, ctl_phase phase, enum ctl_order_event event, struct cs_err *err)
{
    char possible[CTL_POSSIBLE_BYTES];

    return cs_err_set(err, CS_ESTATE, "WO-%" PRIu64 " is %s: it cannot %s; possible: %s", number,
                      ctl_state_text(phases[phase].shown), words[event].cannot,
                      ctl_workflow_possible(phase, possible));
}

ctl_phase ctl_workflow_phase_of(countersign_v1_OrderState state)
{
    size_t phase = 0;

    while (phase + 1 < CTL_PHASE_COUNT && phases[phase].shown != state)
        phase++;
    return (ctl_phase)phase;
}

int ctl_workflow_next(uint64_t number, ctl_phase phase, enum ctl_order_event event, ctl_phase *ret_next,
                      struct cs_err *err)
{
    const struct cell *cell;

    cs_assert((size_t)phase < CTL_PHASE_COUNT && (size_t)event < CTL_ORDER_EVENT_COUNT);
    cell = &table[phase][event];
    if (!cell->allowed)
        return ctl_workflow_refuse(number, phase, event, err);
    *ret_next = cell->next;
    return CS_OK;
}
