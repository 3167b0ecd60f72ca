/* A page of the inventory. What a call may cost is bounded whatever is asked for and however large the store
 * is: beyond it the page comes short, says `more`, and the next one goes on where it stopped.
 *
 * A page's token is a place in the order that was asked for: so certificates that come, go or change
 * meanwhile move nobody else. It also holds the time of the first page, by which colours go until the last
 * one, and a digest of the request: with another one the place would mean nothing. It is no secret and no
 * permission: whoever makes one up gets a page from the middle. */
#include "controller/core/inventory_plan.h"
#include "controller/core/query_rows.h"

#include "shared/base/reader.h"

#include <pb_encode.h>

enum {
    ROW_COST = 4,         /* of looking at a row, in seeks */
    PAGE_CREDIT = 6000,   /* of a page: some milliseconds */
    SORT_CREDIT = 4000,   /* of an attempt to find all that is asked for, so that it can be sorted */
    SORT_ROWS = 1024,     /* that may be found by it */
    SUBMESSAGE_BYTES = 4, /* tag and length of a certificate in the message */
    END_BYTES = 1024,     /* the token and what else follows the certificates */
    TOKEN_VERSION = 1,
    TOKEN_DIGEST_BYTES = 16,
    TOKEN_HEAD_BYTES = 1 + 1 + 8 + TOKEN_DIGEST_BYTES + 1,
    TOKEN_LIFE_S = 24 * 60 * 60,
    TOKEN_SKEW_S = 5 * 60, /* the clock may have been set back */
};

struct page {
    struct ctl_view *view;
    const struct ctl_filter *filter;
    countersign_v1_ListCertificatesResponse *reply;
    size_t most, bytes; /* certificates that it may hold; what those that it holds take in the message */
    struct ctl_place place;
    struct cs_digest digest; /* of the request and what it depends on */
    struct cs_err *err;
};

/* ---- token */

/* Everything but where the page is and how long. */
static int digest_request(const countersign_v1_ListCertificatesRequest *request,
                          const struct ctl_settings *settings, struct cs_digest *ret, struct cs_err *err)
{
    uint8_t bytes[countersign_v1_ListCertificatesRequest_size];
    pb_ostream_t stream = pb_ostream_from_buffer(bytes, sizeof bytes);
    countersign_v1_ListCertificatesRequest same = *request;
    int64_t thresholds[] = {settings->blue_s, settings->yellow_s, settings->orange_s};
    struct cs_slice parts[2];

    same.limit = 0;
    same.page_token.size = 0;
    if (!pb_encode(&stream, countersign_v1_ListCertificatesRequest_fields, &same))
        return cs_err_set(err, CS_EINVAL, "the request cannot be read: its texts are to be UTF-8");
    parts[0] = cs_slice(bytes, stream.bytes_written);
    parts[1] = cs_slice(thresholds, sizeof thresholds);
    *ret = cs_sha256_parts(parts, 2);
    return CS_OK;
}

static void write_token(const struct page *page)
{
    countersign_v1_ListCertificatesResponse *reply = page->reply;
    struct ctl_key token = {.len = 0};

    _Static_assert(CTL_KEY_BYTES + TOKEN_HEAD_BYTES <= sizeof reply->next_page_token.bytes, "tokens fit");
    ctl_key_add_u8(&token, TOKEN_VERSION);
    ctl_key_add_u8(&token, (uint8_t)(page->place.past | page->place.anywhere << 1));
    ctl_key_add_u64(&token, (uint64_t)page->filter->now_s);
    ctl_key_add_bytes(&token, cs_slice(page->digest.bytes, TOKEN_DIGEST_BYTES));
    ctl_key_add_u8(&token, page->place.at.rank);
    memcpy(reply->next_page_token.bytes, token.bytes, token.len);
    if (page->place.at.rest.len)
        memcpy(reply->next_page_token.bytes + token.len, page->place.at.rest.ptr, page->place.at.rest.len);
    reply->next_page_token.size = (pb_size_t)(token.len + page->place.at.rest.len);
    reply->more = true;
}

/* The longest position of an order. */
static size_t position_most(enum ctl_inventory_by by)
{
    size_t value = by == CTL_BY_ISSUER   ? CTL_INVENTORY_ISSUER_BYTES + 1
                   : by == CTL_BY_SERIAL ? sizeof((ctl_certificate_row *)NULL)->serial
                                         : 8;

    return value + CTL_INVENTORY_NAME_BYTES + 1 + CS_SHA256_BYTES;
}

/* The first page's time, from the token; CS_EINVAL for one that is not of this list. */
static int read_token(const countersign_v1_ListCertificatesRequest *request, int64_t now_s,
                      enum ctl_inventory_by by, const struct cs_digest *digest, struct ctl_place *ret_place,
                      int64_t *ret_time_s, struct cs_err *err)
{
    struct cs_slice token = CTL_BYTES(request->page_token);
    struct cs_reader reader = cs_reader(token);
    uint8_t version = cs_reader_u8(&reader), flags = cs_reader_u8(&reader);
    uint64_t time_s = cs_reader_u64(&reader);
    struct cs_slice said = cs_reader_take(&reader, TOKEN_DIGEST_BYTES);
    uint8_t rank = cs_reader_u8(&reader);
    struct cs_slice rest;

    if (token.len < TOKEN_HEAD_BYTES || version != TOKEN_VERSION || flags > 3 ||
        token.len - TOKEN_HEAD_BYTES > position_most(by))
        return cs_err_set(err, CS_EINVAL,
                          "the page token is none that this controller gave: begin the list "
                          "anew, without a token");
    rest = cs_slice(token.ptr + TOKEN_HEAD_BYTES, token.len - TOKEN_HEAD_BYTES);
    if (!cs_slice_eq(said, cs_slice(digest->bytes, TOKEN_DIGEST_BYTES)))
        return cs_err_set(err, CS_EINVAL,
                          "the page token belongs to another filter, order or setting of "
                          "colours: begin the list anew, without a token");
    if (time_s > INT64_MAX || (int64_t)time_s > now_s + TOKEN_SKEW_S ||
        (int64_t)time_s < now_s - TOKEN_LIFE_S)
        return cs_err_set(err, CS_EINVAL,
                          "the page token is more than a day old: begin the list anew, "
                          "without a token");
    *ret_place = (struct ctl_place){.past = flags & 1, .anywhere = (flags & 2) != 0, .at = {rank, rest}};
    *ret_time_s = (int64_t)time_s;
    return CS_OK;
}

/* ---- rows */

static int load_row(const struct page *page, const struct ctl_position *at, ctl_certificate_row *ret)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, ctl_key_last(at->rest, CS_SHA256_BYTES));
    int rc = ctl_get(page->view, &key, Certificate, ret, page->err);

    if (rc == CS_ENOTFOUND)
        return cs_err_set(page->err, CS_ECORRUPT,
                          "an index of the inventory names a certificate that is not there");
    return rc;
}

static void show_row(struct page *page, const ctl_certificate_row *row)
{
    countersign_v1_Certificate *shown = &page->reply->certificates[page->reply->certificates_count++];
    size_t bytes = 0;

    ctl_show_certificate(row, page->filter->settings, page->filter->now_s, shown);
    cs_assert(pb_get_encoded_size(&bytes, countersign_v1_Certificate_fields, shown));
    page->bytes += bytes + SUBMESSAGE_BYTES;
}

/* A message holds a hundred usual certificates, but not a hundred with all the names that they can have. */
static bool is_full(const struct page *page)
{
    return page->reply->certificates_count == page->most ||
           page->bytes + countersign_v1_Certificate_size > CS_LIMIT_MESSAGE_BYTES - END_BYTES;
}

/* ---- along an index */

/* Where common name and id begin in a position of an order: what every index's entries end with. */
static size_t end_of_value(enum ctl_inventory_by by, struct cs_slice rest)
{
    size_t at = 0;

    switch (by) {
    case CTL_BY_ISSUER:
    case CTL_BY_SERIAL:
        while (at < rest.len && rest.ptr[at] != 0)
            at++;
        return at + 1;
    case CTL_BY_ATTACHMENTS:
        return 4;
    case CTL_BY_COMMON_NAME:
        return 0;
    default:
        return 8;
    }
}

/* False where a filter of one list does not have the certificate: a look at an index is cheaper than one at a
 * row. */
static bool may_fit(struct page *page, struct ctl_search *search, const struct ctl_plan *plan)
{
    struct cs_slice rest = page->place.at.rest, value;
    size_t at = end_of_value(ctl_plan_by(page->filter), rest);

    if (at >= rest.len)
        return true;
    for (size_t i = 0; i < plan->count; i++) {
        const struct ctl_stream *stream = plan->terms[i].list;
        struct ctl_key key;

        if (plan->terms[i].count != 1 || stream->gathered || stream->prefix.len != stream->head)
            continue;
        key = stream->prefix;
        ctl_key_add_bytes(&key, cs_slice_from(rest, at));
        search->credit--;
        if (ctl_view_get(page->view, ctl_key_slice(&key), &value, NULL) == CS_ENOTFOUND)
            return false;
    }
    return true;
}

/* `plan` has filters to look up first; NULL: they are the terms. */
static int walk(struct page *page, struct ctl_streams *terms, size_t count, const struct ctl_plan *plan)
{
    struct ctl_search search = {.view = page->view,
                                .err = page->err,
                                .reverse = page->filter->request->descending,
                                .credit = PAGE_CREDIT};
    ctl_certificate_row row;
    int rc;

    while ((rc = ctl_search_next(&search, terms, count, &page->place)) == CS_OK) {
        if (plan && !may_fit(page, &search, plan)) {
            page->place.past = true;
            continue;
        }
        search.credit -= ROW_COST;
        rc = load_row(page, &page->place.at, &row);
        if (rc != CS_OK)
            return rc;
        if (ctl_filter_fits(page->filter, &row)) {
            if (is_full(page))
                break;
            show_row(page, &row);
        }
        page->place.past = true;
    }
    if (rc == CS_OK || rc == CS_EBUSY)
        write_token(page);
    return rc == CS_EBUSY || rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* ---- sorted in memory */

struct found {
    struct ctl_key rest;
    uint8_t rank;
};
struct founds {
    struct found *list;
    size_t count;
};

static struct ctl_position found_at(const struct found *found)
{
    return (struct ctl_position){found->rank, ctl_key_slice(&found->rest)};
}

static int compare_found(const void *a, const void *b)
{
    struct ctl_position at = found_at(a), other = found_at(b);

    return ctl_position_compare(&at, &other);
}

/* Everything that is asked for. *ret_all is false when it is too much. */
static int find_all(struct page *page, struct ctl_plan *plan, struct founds *ret, bool *ret_all)
{
    struct ctl_search search = {.view = page->view, .err = page->err, .credit = SORT_CREDIT};
    struct ctl_place place = {.anywhere = true};
    ctl_certificate_row row;
    int rc;

    ret->list = calloc(SORT_ROWS, sizeof *ret->list);
    if (!ret->list)
        return cs_err_nomem(page->err);
    while ((rc = ctl_search_next(&search, plan->terms, plan->count, &place)) == CS_OK) {
        search.credit -= ROW_COST;
        rc = load_row(page, &place.at, &row);
        if (rc != CS_OK)
            return rc;
        place.past = true;
        if (!ctl_filter_fits(page->filter, &row))
            continue;
        if (ret->count == SORT_ROWS)
            return CS_OK;
        ret->list[ret->count].rank = ctl_plan_position(page->filter, &row, &ret->list[ret->count].rest);
        ret->count++;
    }
    *ret_all = rc == CS_ENOTFOUND;
    return rc == CS_ENOTFOUND || rc == CS_EBUSY ? CS_OK : rc;
}

static bool behind(const struct page *page, const struct ctl_position *at)
{
    int order;

    if (page->place.anywhere)
        return true;
    order = ctl_position_compare(at, &page->place.at);
    if (page->filter->request->descending)
        order = -order;
    return page->place.past ? order > 0 : order >= 0;
}

static int show_found(struct page *page, const struct founds *founds)
{
    for (size_t i = 0; i < founds->count; i++) {
        const struct found *found =
            &founds->list[page->filter->request->descending ? founds->count - 1 - i : i];
        struct ctl_position at = found_at(found);
        ctl_certificate_row row;
        int rc;

        if (!behind(page, &at))
            continue;
        if (is_full(page)) {
            page->place = (struct ctl_place){.at = at};
            write_token(page);
            return CS_OK;
        }
        rc = load_row(page, &at, &row);
        if (rc != CS_OK)
            return rc;
        show_row(page, &row);
    }
    return CS_OK;
}

static int sort_in_memory(struct page *page, struct ctl_plan *plan, bool *ret_done)
{
    struct founds founds = {0};
    int rc = find_all(page, plan, &founds, ret_done);

    if (rc == CS_OK && *ret_done) {
        qsort(founds.list, founds.count, sizeof *founds.list, compare_found);
        rc = show_found(page, &founds);
    }
    free(founds.list);
    return rc;
}

/* ---- the page */

static int walk_order(struct page *page, const struct ctl_plan *plan)
{
    struct ctl_streams order = {0};
    int rc = ctl_plan_order(page->filter, &order, page->err);

    if (rc == CS_OK)
        rc = walk(page, &order, 1, plan);
    ctl_streams_free(&order);
    return rc;
}

static int fill(struct page *page)
{
    struct ctl_plan plan;
    bool done = false;
    int rc = ctl_plan_terms(&plan, page->view, page->filter, page->err);

    if (rc != CS_OK)
        return rc;
    if (plan.count && ctl_plan_by(page->filter) == CTL_BY_COMMON_NAME) {
        rc = walk(page, plan.terms, plan.count, NULL);
        done = true;
    } else if (plan.count) {
        rc = sort_in_memory(page, &plan, &done);
    }
    if (rc == CS_OK && !done)
        rc = walk_order(page, &plan);
    ctl_plan_free(&plan);
    return rc;
}

int ctl_query_ListCertificates(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                               const countersign_v1_ListCertificatesRequest *request,
                               countersign_v1_ListCertificatesResponse *reply, struct cs_err *err)
{
    const struct ctl_settings *settings = ctl_settings_of(presence->settings);
    struct page page = {.view = view,
                        .reply = reply,
                        .most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->certificates)),
                        .place = {.anywhere = true},
                        .err = err};
    struct ctl_filter filter;
    int64_t time_s = now_s;
    int rc = ctl_filter_read(request, settings, now_s, &filter, err);

    if (rc == CS_OK)
        rc = digest_request(request, settings, &page.digest, err);
    if (rc == CS_OK && request->page_token.size)
        rc = read_token(request, now_s, ctl_plan_by(&filter), &page.digest, &page.place, &time_s, err);
    if (rc != CS_OK)
        return rc;
    filter.now_s = time_s;
    page.filter = &filter;
    return fill(&page);
}
