/* inventory_plan.h - which indexes answer a list of certificates. Pure.
 *
 * In the order of common names: each filter that an index knows is a term, its entries stand in this order,
 * and the terms are laid over each other (streams.h). A filter of many values (a beginning of words, weeks of
 * dates) is one stream for each value while these are few, else its entries are gathered while those are few,
 * else it is no term: rows are asked.
 *
 * In any other order: the index of that order, bounded where the filter is by what it is sorted by; rows are
 * asked. Before that, the terms are tried: when few certificates have them all, these are sorted in memory
 * (query_inventory.c). */
#ifndef CTL_CORE_INVENTORY_PLAN_H
#define CTL_CORE_INVENTORY_PLAN_H

#include "controller/core/inventory_filter.h"
#include "controller/core/streams.h"

enum {
    CTL_PLAN_TERMS = 20,
    CTL_PLAN_STREAMS = 64,  /* of one term: each is looked at for each entry */
    CTL_PLAN_GATHER = 4096, /* entries of one term in memory */
    CTL_PLAN_IDS = 256,     /* rows that are read for the beginning of an id */
    CTL_PLAN_CREDIT = 6000, /* seeks, all terms together: for the worst of requests */
};

struct ctl_plan {
    const struct ctl_filter *filter;
    struct ctl_search search; /* its credit is the planning's own */
    struct ctl_streams terms[CTL_PLAN_TERMS];
    size_t count;
    size_t gather_left;
    struct ctl_key *ids; /* positions that stand in no index */
    size_t id_count;
};

/* Frees what was planned so far on failure, too. */
CS_MUST_USE int ctl_plan_terms(struct ctl_plan *plan, struct ctl_view *view, const struct ctl_filter *filter,
                               struct cs_err *err);
void ctl_plan_free(struct ctl_plan *plan);

/* The one list that has every certificate of the filter (and others) in the order that is asked for. */
CS_MUST_USE int ctl_plan_order(const struct ctl_filter *filter, struct ctl_streams *ret, struct cs_err *err);
/* Where a row stands in it. */
uint8_t ctl_plan_position(const struct ctl_filter *filter, const ctl_certificate_row *row,
                          struct ctl_key *ret);
enum ctl_inventory_by ctl_plan_by(const struct ctl_filter *filter);

#endif
