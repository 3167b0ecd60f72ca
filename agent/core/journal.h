/* journal.h - how an order moves on in the state, step by step, each step made durable by the shell before
 * the next thing is done. The picture is in state.h. Pure.
 *
 * The state says what is meant to happen, before any of it does; how far it came is told by the connector's
 * link `current`, which one rename switches between ACCEPTED and COMPLETED (plan.h). After a power cut: not
 * switched, the order is put back; switched, its files are whole, and all that follows the rename is done
 * again, as it can be. */
#ifndef AG_CORE_JOURNAL_H
#define AG_CORE_JOURNAL_H

#include "agent/core/state.h"

/* What is journalled of an accepted order. */
struct ag_acceptance {
    const char *connector;
    struct cs_slice order_id;
    struct cs_digest core_digest;
    struct cs_digest chain_digest;
    uint64_t generation;
    bool removes;
    int64_t decided_at_s, policy_issued_at_s; /* raise the time floor */
    struct cs_slice account;
};

/* Accepts: the connector's highest generation and the time floor rise, the attempt is counted. *ret is valid
 * until the next call. CS_EFULL: the device remembers too many connectors. */
CS_MUST_USE int ag_journal_accept(struct ag_state *state, const struct ag_acceptance *acceptance,
                                  struct ag_order **ret, struct cs_err *err);
/* From here on the order only ends as put back, whatever happens. `account` says why. */
CS_MUST_USE int ag_journal_begin_put_back(struct ag_order *order, struct cs_slice account,
                                          struct cs_err *err);
/* ACCEPTED becomes COMPLETED and the connector has its generation, after a removal none; PUTTING_BACK becomes
 * PUT_BACK. */
CS_MUST_USE int ag_journal_end(struct ag_state *state, struct ag_order *order, struct cs_slice account,
                               struct cs_err *err);

/* An order without an end, NULL if there is none: a process that died left it. At most one a connector. */
struct ag_order *ag_journal_unfinished(const struct ag_state *state,
                                       struct ag_connector_state **ret_connector);

#endif
