#include "controller/core/inventory_plan.h"

#include "controller/core/words.h"
#include "shared/base/text.h"

/* A filter that no index narrows enough: it becomes no term. Never leaves this file. */
enum { WIDE = CS_EFULL };

void ctl_plan_free(struct ctl_plan *plan)
{
    for (size_t i = 0; i < CTL_PLAN_TERMS; i++)
        ctl_streams_free(&plan->terms[i]);
    free(plan->ids);
    plan->ids = NULL;
    plan->count = 0;
}

/* ---- streams of one term */

static int add_range(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice prefix, size_t head)
{
    struct ctl_stream stream = {.head = head};

    ctl_key_add_bytes(&stream.prefix, prefix);
    return ctl_streams_add(term, &stream, plan->search.err);
}

static int add_key(struct ctl_plan *plan, struct ctl_streams *term, const struct ctl_key *key)
{
    return add_range(plan, term, ctl_key_slice(key), key->len);
}

/* A part of an index, and how its keys are made: from `value_at` a value of `value_bytes`, or text up to its
 * zero; behind it the position. */
struct part {
    struct ctl_key prefix, from, to; /* `to`: of the last values that belong to it; no bytes: to the end */
    size_t value_at, value_bytes;
};

/* Where the position begins in an entry. */
static int value_end(const struct part *part, struct cs_slice key, size_t *ret, struct cs_err *err)
{
    size_t end = part->value_at + part->value_bytes;

    if (part->value_bytes == 0) {
        while (end < key.len && key.ptr[end] != 0)
            end++;
        end++;
    }
    if (end + 1 + CS_SHA256_BYTES > key.len)
        return cs_err_set(err, CS_ECORRUPT, "an index of the inventory has a key that is none of its own");
    *ret = end;
    return CS_OK;
}

/* The next entry of the part; CS_ENOTFOUND behind its end. */
static int next_in(struct ctl_plan *plan, const struct part *part, const struct ctl_key *from,
                   struct cs_slice *ret_key, size_t *ret_end)
{
    struct cs_slice value;
    int rc;

    if (plan->search.credit-- <= 0)
        return WIDE;
    rc = ctl_view_seek(plan->search.view, ctl_key_slice(&part->prefix), ctl_key_slice(from), false, ret_key,
                       &value, plan->search.err);
    if (rc == CS_OK)
        rc = value_end(part, *ret_key, ret_end, plan->search.err);
    if (rc == CS_OK && part->to.len &&
        cs_slice_cmp(cs_slice(ret_key->ptr, *ret_end), ctl_key_slice(&part->to)) > 0)
        rc = CS_ENOTFOUND;
    return rc;
}

/* One stream for each value, if they are few. */
static int add_values(struct ctl_plan *plan, struct ctl_streams *term, const struct part *part)
{
    struct ctl_key from = part->from;
    struct cs_slice key;
    size_t end;
    int rc;

    while ((rc = next_in(plan, part, &from, &key, &end)) == CS_OK) {
        if (term->count == CTL_PLAN_STREAMS)
            return WIDE;
        rc = add_range(plan, term, cs_slice(key.ptr, end), end);
        if (rc != CS_OK)
            return rc;
        /* Behind all entries of this value. */
        from.len = 0;
        ctl_key_add_bytes(&from, cs_slice(key.ptr, end));
        for (size_t i = end; i > 0 && ++from.bytes[i - 1] == 0; i--)
            ;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int compare_slices(const void *a, const void *b)
{
    return cs_slice_cmp(*(const struct cs_slice *)a, *(const struct cs_slice *)b);
}

static int reserve_gathered(struct ctl_plan *plan, struct ctl_streams *term)
{
    struct cs_slice *grown;

    if (term->gathered)
        return CS_OK;
    grown = calloc(CTL_PLAN_GATHER, sizeof *grown);
    if (!grown)
        return cs_err_nomem(plan->search.err);
    term->gathered = grown;
    return CS_OK;
}

/* The positions of all entries, if they are few. They point into the snapshot. */
static int gather(struct ctl_plan *plan, struct ctl_streams *term, const struct part *part)
{
    struct ctl_key from = part->from;
    struct cs_slice key;
    size_t end;
    int rc = reserve_gathered(plan, term);

    if (rc != CS_OK)
        return rc;
    while ((rc = next_in(plan, part, &from, &key, &end)) == CS_OK) {
        if (plan->gather_left == 0)
            return WIDE;
        plan->gather_left--;
        term->gathered[term->gathered_count++] = cs_slice(key.ptr + end, key.len - end);
        from.len = 0;
        ctl_key_add_bytes(&from, key);
        ctl_key_add_u8(&from, 0);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int add_part(struct ctl_plan *plan, struct ctl_streams *term, const struct part *part)
{
    size_t before = term->count;
    int rc = add_values(plan, term, part);

    if (rc != WIDE)
        return rc;
    term->count = before;
    return gather(plan, term, part);
}

/* ---- terms: one that turns out wide is forgotten */

static struct ctl_streams *begin_term(struct ctl_plan *plan)
{
    plan->gather_left = CTL_PLAN_GATHER;
    return &plan->terms[plan->count];
}

static int end_term(struct ctl_plan *plan, struct ctl_streams *term, int rc)
{
    if (rc == CS_OK && term->gathered_count) {
        struct ctl_stream stream = {.gathered = term->gathered, .gathered_count = term->gathered_count};

        qsort(term->gathered, term->gathered_count, sizeof *term->gathered, compare_slices);
        rc = ctl_streams_add(term, &stream, plan->search.err);
    }
    if (rc == CS_OK && plan->count + 1 < CTL_PLAN_TERMS) {
        plan->count++;
        return CS_OK;
    }
    ctl_streams_free(term);
    return rc == WIDE ? CS_OK : rc;
}

static int add_term(struct ctl_plan *plan, const struct ctl_key *key)
{
    struct ctl_streams *term = begin_term(plan);

    return end_term(plan, term, add_key(plan, term, key));
}

static int add_flag(struct ctl_plan *plan, enum ctl_inventory_by by, unsigned value)
{
    struct ctl_key key = ctl_inventory_by(by);

    ctl_key_add_u8(&key, (uint8_t)value);
    return add_term(plan, &key);
}

static int add_texts(struct ctl_plan *plan)
{
    const countersign_v1_ListCertificatesRequest *want = plan->filter->request;
    struct ctl_streams *term;
    struct ctl_key key;
    int rc = CS_OK;

    if (want->name[0]) {
        key = ctl_inventory_by(CTL_BY_COMMON_NAME);
        ctl_inventory_add_text(&key, want->name, CTL_INVENTORY_NAME_BYTES);
        term = begin_term(plan);
        rc = end_term(plan, term, add_range(plan, term, ctl_key_slice(&key), 2));
    }
    if (rc == CS_OK && want->group[0]) {
        key = ctl_inventory_group(want->group);
        rc = add_term(plan, &key);
    }
    if (rc == CS_OK && want->issuer[0]) {
        key = ctl_inventory_by(CTL_BY_ISSUER);
        ctl_inventory_add_text(&key, want->issuer, CTL_INVENTORY_ISSUER_BYTES);
        rc = add_term(plan, &key);
    }
    return rc;
}

static int add_flags(struct ctl_plan *plan)
{
    const countersign_v1_ListCertificatesRequest *want = plan->filter->request;
    int rc = CS_OK;

    if (want->renewable)
        rc = add_flag(plan, CTL_BY_RENEWED, 1);
    if (rc == CS_OK && (want->attached || want->unattached))
        rc = add_flag(plan, CTL_BY_ATTACHED, want->attached);
    if (rc == CS_OK && want->key)
        rc = add_flag(plan, CTL_BY_KEY, want->key);
    if (rc == CS_OK && want->key_mode)
        rc = add_flag(plan, CTL_BY_KEY_MODE, want->key_mode);
    return rc;
}

/* ---- dates and colours */

static struct part weeks_of(struct ctl_dates dates)
{
    struct part part = {.prefix = ctl_inventory_by(CTL_BY_WEEK), .value_at = 2, .value_bytes = 8};

    part.from = part.to = part.prefix;
    ctl_inventory_add_week(&part.from, dates.from_s);
    ctl_inventory_add_week(&part.to, dates.to_s);
    return part;
}

static struct part dates_of(struct ctl_dates dates)
{
    struct part part = {.prefix = ctl_inventory_by(CTL_BY_NOT_AFTER), .value_at = 2, .value_bytes = 8};

    part.from = part.to = part.prefix;
    ctl_inventory_add_time(&part.from, dates.from_s);
    ctl_inventory_add_time(&part.to, dates.to_s);
    return part;
}

/* Certificates with these dates, and others of the same weeks. */
static int add_dates(struct ctl_plan *plan, struct ctl_streams *term, struct ctl_dates dates)
{
    struct part weeks = weeks_of(dates), exactly = dates_of(dates);
    size_t before = term->count;
    int rc = add_values(plan, term, &weeks);

    if (rc != WIDE)
        return rc;
    term->count = before;
    return gather(plan, term, &exactly);
}

static struct ctl_dates expiry_of(const struct ctl_filter *filter)
{
    const countersign_v1_ListCertificatesRequest *want = filter->request;

    return (struct ctl_dates){want->expires_from_s ? want->expires_from_s : INT64_MIN,
                              want->expires_before_s ? want->expires_before_s - 1 : INT64_MAX};
}

static int add_expiry(struct ctl_plan *plan)
{
    const countersign_v1_ListCertificatesRequest *want = plan->filter->request;
    struct ctl_streams *term = begin_term(plan);

    if (want->expires_from_s == 0 && want->expires_before_s == 0)
        return CS_OK;
    return end_term(plan, term, add_dates(plan, term, expiry_of(plan->filter)));
}

static int add_colour(struct ctl_plan *plan, struct ctl_streams *term, countersign_v1_Colour colour)
{
    struct ctl_key key = ctl_inventory_by(CTL_BY_CONDITION);

    switch (colour) {
    case countersign_v1_Colour_COLOUR_BLACK:
        ctl_key_add_u8(&key, CTL_IS_REVOKED);
        break;
    case countersign_v1_Colour_COLOUR_GRAY:
        ctl_key_add_u8(&key, CTL_IS_FAILED);
        break;
    case countersign_v1_Colour_COLOUR_PURPLE:
        ctl_key_add_u8(&key, CTL_IS_CHANGED);
        break;
    default:
        return add_dates(plan, term, ctl_filter_dates(plan->filter, colour));
    }
    return add_key(plan, term, &key);
}

static int add_colours(struct ctl_plan *plan)
{
    struct ctl_streams *term = begin_term(plan);
    int rc = CS_OK;

    if (plan->filter->colours == 0)
        return CS_OK;
    for (unsigned i = countersign_v1_Colour_COLOUR_GREEN;
         rc == CS_OK && i <= countersign_v1_Colour_COLOUR_BLACK; i++)
        if (plan->filter->colours & 1u << i)
            rc = add_colour(plan, term, (countersign_v1_Colour)i);
    return end_term(plan, term, rc);
}

/* ---- words */

static int add_run(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice run, bool whole)
{
    struct part part = {.value_at = 2};
    struct ctl_key key;

    if (run.len > CTL_WORD_BYTES) {
        run.len = CTL_WORD_BYTES;
        whole = false;
    }
    if (run.len == CTL_WORD_SHORT_BYTES || (run.len < CTL_WORD_SHORT_BYTES && whole)) {
        key = ctl_inventory_word(CTL_WORD_SHORT, run, true);
        return add_key(plan, term, &key);
    }
    if (whole) {
        key = ctl_inventory_word(CTL_WORD_WHOLE, run, true);
        return add_key(plan, term, &key);
    }
    part.prefix = part.from =
        ctl_inventory_word(run.len < CTL_WORD_SHORT_BYTES ? CTL_WORD_SHORT : CTL_WORD_WHOLE, run, false);
    return add_part(plan, term, &part);
}

static int gather_id(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice value)
{
    ctl_certificate_row row;
    int rc = ctl_decode(value, Certificate, &row, plan->search.err);

    if (rc != CS_OK)
        return rc;
    if (plan->id_count == CTL_PLAN_IDS || plan->gather_left == 0)
        return WIDE;
    plan->gather_left--;
    ctl_inventory_position(&row, CTL_BY_COMMON_NAME, &plan->ids[plan->id_count]);
    term->gathered[term->gathered_count++] = ctl_key_slice(&plan->ids[plan->id_count++]);
    return CS_OK;
}

/* Ids that begin with these digits: whole bytes are a prefix, an odd digit is asked of each. */
static int gather_ids(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice digits)
{
    struct ctl_key prefix = ctl_key(CTL_TABLE_CERTIFICATE);
    struct ctl_walk walk;
    uint8_t bytes[CS_SHA256_BYTES + 1];
    size_t whole = digits.len / 2;
    int rc = reserve_gathered(plan, term);

    if (rc != CS_OK || digits.len > 2 * (size_t)CS_SHA256_BYTES)
        return rc;
    if (!plan->ids && !(plan->ids = calloc(CTL_PLAN_IDS, sizeof *plan->ids)))
        return cs_err_nomem(plan->search.err);
    if (cs_unhex(cs_slice(digits.ptr, 2 * whole), bytes, whole) != CS_OK)
        return CS_OK;
    ctl_key_add_bytes(&prefix, cs_slice(bytes, whole));
    walk = ctl_walk(&prefix);
    while ((rc = ctl_walk_next(plan->search.view, &walk, plan->search.err)) == CS_OK) {
        char id[2 * CS_SHA256_BYTES + 1];

        if (plan->search.credit-- <= 0)
            return WIDE;
        cs_hex(ctl_key_last(walk.key, CS_SHA256_BYTES), id);
        if (!cs_slice_starts_with(cs_slice_str(id), digits))
            continue;
        rc = gather_id(plan, term, walk.value);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int gather_numbers(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice word)
{
    struct part serials = {.prefix = ctl_inventory_by(CTL_BY_SERIAL), .value_at = 2};
    int rc;

    if (!ctl_word_is_hex(word) || word.len >= sizeof((ctl_certificate_row *)NULL)->serial + CS_SHA256_BYTES)
        return CS_OK;
    ctl_key_add_bytes(&serials.prefix, word);
    if (word.len < CTL_WORD_HEX_LEAST) /* the whole serial */
        ctl_key_add_u8(&serials.prefix, 0);
    serials.from = serials.prefix;
    rc = gather(plan, term, &serials);
    return rc == CS_OK && word.len >= CTL_WORD_HEX_LEAST ? gather_ids(plan, term, word) : rc;
}

/* Certificates whose common name begins with it: the order of common names is their index. */
static int add_beginning(struct ctl_plan *plan, struct ctl_streams *term, struct cs_slice run)
{
    struct ctl_key key = ctl_inventory_by(CTL_BY_COMMON_NAME);

    if (run.len > CTL_INVENTORY_NAME_BYTES)
        run.len = CTL_INVENTORY_NAME_BYTES;
    ctl_key_add_bytes(&key, run);
    return add_range(plan, term, ctl_key_slice(&key), 2);
}

/* Each run of letters and digits in the word is a term: all but the last are whole words of the certificate.
 * What stands between them only the row knows. */
static int add_word(struct ctl_plan *plan, struct cs_slice word)
{
    struct cs_slice rest = word, run;
    int rc = CS_OK;

    while (rc == CS_OK && ctl_word_next(&rest, &run)) {
        struct ctl_streams *term = begin_term(plan);
        bool first = run.ptr == word.ptr, last = rest.len == 0;

        rc = first ? add_beginning(plan, term, run) : CS_OK;
        if (rc == CS_OK)
            rc = add_run(plan, term, run, !last);
        if (rc == CS_OK && first && last)
            rc = gather_numbers(plan, term, word);
        rc = end_term(plan, term, rc);
    }
    return rc;
}

int ctl_plan_terms(struct ctl_plan *plan, struct ctl_view *view, const struct ctl_filter *filter,
                   struct cs_err *err)
{
    int rc;

    memset(plan, 0, sizeof *plan);
    plan->filter = filter;
    plan->search = (struct ctl_search){.view = view, .err = err, .credit = CTL_PLAN_CREDIT};
    rc = add_texts(plan);
    for (size_t i = 0; i < filter->word_count && rc == CS_OK; i++)
        rc = add_word(plan, filter->words[i]);
    if (rc == CS_OK)
        rc = add_flags(plan);
    if (rc == CS_OK)
        rc = add_colours(plan);
    if (rc == CS_OK)
        rc = add_expiry(plan);
    if (rc != CS_OK)
        ctl_plan_free(plan);
    return rc;
}

/* ---- the order */

enum ctl_inventory_by ctl_plan_by(const struct ctl_filter *filter)
{
    return filter->request->sort ? (enum ctl_inventory_by)filter->request->sort : CTL_BY_COMMON_NAME;
}

/* The worst colour comes first. */
static uint8_t rank_of(countersign_v1_Colour colour)
{
    return (uint8_t)(countersign_v1_Colour_COLOUR_BLACK + 1 - colour);
}

uint8_t ctl_plan_position(const struct ctl_filter *filter, const ctl_certificate_row *row,
                          struct ctl_key *ret)
{
    enum ctl_inventory_by by = ctl_plan_by(filter);

    ctl_inventory_position(row, by, ret);
    return by == CTL_BY_COLOUR ? rank_of(ctl_colour_of(row, filter->settings, filter->now_s)) : 0;
}

static void bound_dates(struct ctl_stream *stream, struct ctl_dates dates)
{
    if (dates.from_s != INT64_MIN)
        ctl_inventory_add_time(&stream->least, dates.from_s);
    if (dates.to_s != INT64_MAX)
        ctl_inventory_add_time(&stream->below, dates.to_s + 1);
}

/* A colour is a range of dates in each condition that it may have. */
static int add_ranked(const struct ctl_filter *filter, countersign_v1_Colour colour, struct ctl_streams *ret,
                      struct cs_err *err)
{
    enum ctl_inventory_condition least = CTL_IS_FINE, most = CTL_IS_FINE;
    int rc = CS_OK;

    if (colour == countersign_v1_Colour_COLOUR_BLACK)
        least = most = CTL_IS_REVOKED;
    else if (colour == countersign_v1_Colour_COLOUR_GRAY)
        least = most = CTL_IS_FAILED;
    else if (colour == countersign_v1_Colour_COLOUR_PURPLE)
        least = most = CTL_IS_CHANGED;
    else if (colour == countersign_v1_Colour_COLOUR_RED)
        least = CTL_IS_FAILED;
    for (unsigned condition = least; condition <= most && rc == CS_OK; condition++) {
        struct ctl_stream stream = {.prefix = ctl_inventory_by(CTL_BY_COLOUR), .rank = rank_of(colour)};

        ctl_key_add_u8(&stream.prefix, (uint8_t)condition);
        stream.head = stream.prefix.len;
        bound_dates(&stream, ctl_filter_dates(filter, colour));
        rc = ctl_streams_add(ret, &stream, err);
    }
    return rc;
}

static int add_ranks(const struct ctl_filter *filter, struct ctl_streams *ret, struct cs_err *err)
{
    int rc = CS_OK;

    for (unsigned i = countersign_v1_Colour_COLOUR_GREEN;
         rc == CS_OK && i <= countersign_v1_Colour_COLOUR_BLACK; i++)
        if (filter->colours == 0 || filter->colours & 1u << i)
            rc = add_ranked(filter, (countersign_v1_Colour)i, ret, err);
    return rc;
}

int ctl_plan_order(const struct ctl_filter *filter, struct ctl_streams *ret, struct cs_err *err)
{
    const countersign_v1_ListCertificatesRequest *want = filter->request;
    enum ctl_inventory_by by = ctl_plan_by(filter);
    struct ctl_stream stream = {.prefix = ctl_inventory_by(by)};

    if (by == CTL_BY_COLOUR)
        return add_ranks(filter, ret, err);
    stream.head = stream.prefix.len;
    if (by == CTL_BY_NOT_AFTER)
        bound_dates(&stream, expiry_of(filter));
    if (by == CTL_BY_ISSUER && want->issuer[0])
        ctl_inventory_add_text(&stream.prefix, want->issuer, CTL_INVENTORY_ISSUER_BYTES);
    if (by == CTL_BY_ATTACHMENTS && (want->attached || want->unattached))
        ctl_key_add_u32(want->attached ? &stream.least : &stream.below, 1);
    return ctl_streams_add(ret, &stream, err);
}
