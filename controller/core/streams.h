/* streams.h - entries of the inventory's indexes in one order, from several of them at once: streams are laid
 * together (one of them has the entry) and over each other (all have it), by leaping: whoever is behind seeks
 * the place of the one in front. So a page costs what the rarest filter costs, wherever in the list it is.
 * Work is paid from a credit; when it is spent, the place is known and the next call goes on there. Pure. */
#ifndef CTL_CORE_STREAMS_H
#define CTL_CORE_STREAMS_H

#include "controller/core/inventory.h"

/* Where an entry stands in a list: rank first (colours have one), then bytes. */
struct ctl_position {
    uint8_t rank;
    struct cs_slice rest;
};
int ctl_position_compare(const struct ctl_position *a, const struct ctl_position *b);

/* A range of one index whose entries have the same beginning, or entries that were gathered and sorted. */
struct ctl_stream {
    struct ctl_key prefix; /* of the entries that it has */
    size_t head;           /* where in their keys the position begins: at most prefix.len */
    uint8_t rank;
    struct ctl_key least, below; /* bounds of the position; no bytes: none */
    const struct cs_slice *gathered;
    size_t gathered_count;
    /* where it is */
    bool begun, ended;
    struct cs_slice at;
};

/* Streams that are laid together. Owns its lists. */
struct ctl_streams {
    struct ctl_stream *list;
    size_t count, capacity;
    struct cs_slice *gathered; /* what the streams of memory point into */
    size_t gathered_count;
};
void ctl_streams_free(struct ctl_streams *streams);
CS_MUST_USE int ctl_streams_add(struct ctl_streams *streams, const struct ctl_stream *stream,
                                struct cs_err *err);

struct ctl_search {
    struct ctl_view *view;
    struct cs_err *err;
    bool reverse;
    long credit; /* a seek costs 1 */
};

/* Everything before the place is done with; with `past`, what is at it, too. */
struct ctl_place {
    bool anywhere; /* at the list's beginning */
    bool past;
    struct ctl_position at;
};

/* The next entry at the place that one stream of each of `terms` (at least one) has: the place moves there.
 * CS_ENOTFOUND at the end, CS_EBUSY when the credit is spent: then the place is where to go on. */
CS_MUST_USE int ctl_search_next(struct ctl_search *search, struct ctl_streams *terms, size_t count,
                                struct ctl_place *place);

#endif
