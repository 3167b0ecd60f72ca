#include "controller/core/streams.h"

int ctl_position_compare(const struct ctl_position *a, const struct ctl_position *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return cs_slice_cmp(a->rest, b->rest);
}

void ctl_streams_free(struct ctl_streams *streams)
{
    free(streams->list);
    free(streams->gathered);
    *streams = (struct ctl_streams){0};
}

int ctl_streams_add(struct ctl_streams *streams, const struct ctl_stream *stream, struct cs_err *err)
{
    if (streams->count == streams->capacity) {
        size_t capacity = streams->capacity ? 2 * streams->capacity : 1;
        struct ctl_stream *grown = reallocarray(streams->list, capacity, sizeof *grown);

        if (!grown)
            return cs_err_nomem(err);
        streams->list = grown;
        streams->capacity = capacity;
    }
    streams->list[streams->count++] = *stream;
    return CS_OK;
}

/* In the direction of the search. */
static int compare(const struct ctl_search *search, const struct ctl_position *a,
                   const struct ctl_position *b)
{
    int order = ctl_position_compare(a, b);

    return search->reverse ? -order : order;
}

static bool reached(const struct ctl_search *search, const struct ctl_position *at,
                    const struct ctl_place *place)
{
    int order = place->anywhere ? 1 : compare(search, at, &place->at);

    return place->past ? order > 0 : order >= 0;
}

static struct ctl_position position_of(const struct ctl_stream *stream)
{
    return (struct ctl_position){stream->rank, stream->at};
}

/* ---- one stream */

static void seek_gathered(const struct ctl_search *search, struct ctl_stream *stream,
                          const struct ctl_place *place)
{
    size_t low = 0, high = stream->gathered_count;

    /* The first that is reached, counted from the side on which the search begins. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct ctl_position at = {
            stream->rank, stream->gathered[search->reverse ? stream->gathered_count - 1 - middle : middle]};

        if (reached(search, &at, place))
            high = middle;
        else
            low = middle + 1;
    }
    stream->ended = low == stream->gathered_count;
    if (!stream->ended)
        stream->at = stream->gathered[search->reverse ? stream->gathered_count - 1 - low : low];
}

/* The key from which to look: the place, or the bound where that is nearer. Of no length: the beginning. */
static struct ctl_key start_of(const struct ctl_search *search, const struct ctl_stream *stream,
                               const struct ctl_place *place)
{
    struct ctl_key from = {.len = 0};
    const struct ctl_key *bound = search->reverse ? &stream->below : &stream->least;
    bool at_place = !place->anywhere && place->at.rank == stream->rank;

    if (!at_place && bound->len == 0)
        return from;
    ctl_key_add_bytes(&from, cs_slice(stream->prefix.bytes, stream->head));
    if (at_place) {
        ctl_key_add_bytes(&from, place->at.rest);
        /* Forward a seek finds what is at the key, in reverse what is before it. */
        if (place->past != search->reverse)
            ctl_key_add_u8(&from, 0);
    }
    if (bound->len) {
        struct ctl_key to = {.len = 0};
        int order;

        ctl_key_add_bytes(&to, cs_slice(stream->prefix.bytes, stream->head));
        ctl_key_add_bytes(&to, ctl_key_slice(bound));
        order = cs_slice_cmp(ctl_key_slice(&from), ctl_key_slice(&to));
        if (!at_place || (search->reverse ? order > 0 : order < 0))
            from = to;
    }
    return from;
}

static int seek_index(struct ctl_search *search, struct ctl_stream *stream, const struct ctl_place *place)
{
    struct ctl_key from = start_of(search, stream, place);
    struct cs_slice key, value;
    int rc;

    search->credit--;
    rc = ctl_view_seek(search->view, ctl_key_slice(&stream->prefix), ctl_key_slice(&from), search->reverse,
                       &key, &value, search->err);
    stream->ended = rc != CS_OK;
    if (rc != CS_OK)
        return rc == CS_ENOTFOUND ? CS_OK : rc;
    stream->at = cs_slice(key.ptr + stream->head, key.len - stream->head);
    if (search->reverse)
        stream->ended = stream->least.len && cs_slice_cmp(stream->at, ctl_key_slice(&stream->least)) < 0;
    else
        stream->ended = stream->below.len && cs_slice_cmp(stream->at, ctl_key_slice(&stream->below)) >= 0;
    return CS_OK;
}

static int seek_stream(struct ctl_search *search, struct ctl_stream *stream, const struct ctl_place *place)
{
    struct ctl_position at = position_of(stream);

    if (stream->ended || (stream->begun && reached(search, &at, place)))
        return CS_OK;
    stream->begun = true;
    if (!place->anywhere &&
        (search->reverse ? place->at.rank < stream->rank : place->at.rank > stream->rank)) {
        stream->ended = true;
        return CS_OK;
    }
    if (stream->gathered) {
        seek_gathered(search, stream, place);
        return CS_OK;
    }
    return seek_index(search, stream, place);
}

/* ---- many */

static int seek_streams(struct ctl_search *search, struct ctl_streams *streams, const struct ctl_place *place,
                        struct ctl_position *ret)
{
    bool found = false;

    for (size_t i = 0; i < streams->count; i++) {
        struct ctl_stream *stream = &streams->list[i];
        struct ctl_position at;
        int rc = seek_stream(search, stream, place);

        if (rc != CS_OK)
            return rc;
        if (stream->ended)
            continue;
        at = position_of(stream);
        if (!found || compare(search, &at, ret) < 0)
            *ret = at;
        found = true;
    }
    return found ? CS_OK : CS_ENOTFOUND;
}

int ctl_search_next(struct ctl_search *search, struct ctl_streams *terms, size_t count,
                    struct ctl_place *place)
{
    size_t agreed = 0;

    cs_assert(count > 0);
    for (size_t i = 0; agreed < count; i = (i + 1) % count) {
        struct ctl_position at;
        int rc = search->credit > 0 ? seek_streams(search, &terms[i], place, &at) : CS_EBUSY;

        if (rc != CS_OK)
            return rc;
        if (!place->anywhere && !place->past && ctl_position_compare(&at, &place->at) == 0) {
            agreed++;
            continue;
        }
        *place = (struct ctl_place){.at = at};
        agreed = 1;
    }
    return CS_OK;
}
