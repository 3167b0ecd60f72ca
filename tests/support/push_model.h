/* push_model.h - what becomes of pushes, once more and in a few hundred lines: written from DESIGN.md,
 * sections 2 and 4, and "Counting decisions" in proto/README.md, without a look at the code that is tested
 * against it. Knows no bytes, no signatures and no store: requests, orders, decisions and people by their
 * names, and the policy's own message. Slow on purpose: whatever it is asked it counts again from the first
 * decision. */
#ifndef CS_TESTS_PUSH_MODEL_H
#define CS_TESTS_PUSH_MODEL_H

#include "countersign/v1/operator.pb.h"
#include "countersign/v1/statement.pb.h"

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_REQUESTS = 12, MODEL_ORDERS = 6, MODEL_DECISIONS = 16, MODEL_PLACES = 6 };

enum model_state {
    MODEL_PENDING,
    MODEL_REVIEW,
    MODEL_SCHEDULED,
    MODEL_IN_PROGRESS,
    MODEL_COMPLETED,
    MODEL_FAILED,
    MODEL_REJECTED,
    MODEL_CANCELLED,
    MODEL_EXPIRED,
    MODEL_SUPERSEDED,
};

struct model_decision {
    const char *who;
    unsigned stage; /* from 1 */
    bool accepts;
    unsigned orders;      /* bit i: order i */
    int64_t not_before_s; /* 0: manual */
    int64_t decided_at_s;
};

/* An app connector of a device, by its number in the world of the test. */
struct model_place {
    const char *device, *connector;
    uint64_t decided_generation;
    bool connected;
};

struct model_order {
    unsigned place;
    uint64_t generation;
    enum model_state state;
    unsigned stages_done;
    int64_t start_s, end_s; /* once it was decided */
    int64_t silent_from_s;  /* IN_PROGRESS: when it is given up */
    bool accepted;          /* the device said that it begins */
    bool silent;            /* FAILED because nothing was heard: a late report still counts */
};

struct model_request {
    uint64_t number, first_order;
    const char *requester, *common_name, *issuer;
    int64_t requested_at_s, decide_by_s, window_s;
    struct model_order orders[MODEL_ORDERS];
    unsigned order_count;
    struct model_decision decisions[MODEL_DECISIONS];
    unsigned decision_count;
};

struct model {
    const countersign_v1_TrustPolicy *policy; /* the newest */
    int64_t now_s, silence_s;
    struct model_place places[MODEL_PLACES];
    unsigned place_count;
    struct model_request requests[MODEL_REQUESTS];
    unsigned request_count;
};

/* Each that can be refused answers false then, and changes nothing. */

/* May this person ask for pushes? Who nobody has to decide for is decided at once. `request` is filled but
 * for its orders' states. */
bool model_submit(struct model *model, const struct model_request *request);
bool model_decide(struct model *model, unsigned request, const struct model_decision *decision);
bool model_cancel(struct model *model, unsigned request);
/* Is any order of it on its way? */
bool model_open(const struct model *model, unsigned request);
/* After `policy` and with every review done. */
void model_review(struct model *model);
/* Time has come to now_s. */
void model_tick(struct model *model);
void model_connect(struct model *model, const char *device, bool connected);
/* What the device says of an order that it has, or had: it accepts, it completed, it failed for good. */
void model_accepted(struct model *model, struct model_order *order);
void model_reported(struct model *model, struct model_order *order, bool completed);

#endif
