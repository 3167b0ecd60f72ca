/* What a hostile client may send to an HTTP/2 session, in memory: each flood ends the connection with a
 * GOAWAY that says why, after a bounded number of frames, with a bounded number of streams and of bytes that
 * wait. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/net/http2.h"

#include <string.h>

enum {
    DATA = 0,
    HEADERS = 1,
    PRIORITY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9,
    END_STREAM = 1,
    END_HEADERS = 4,
    FRAME_HEADER_BYTES = 9,
    FRAME_BYTES = 16 * 1024,
    FLOW_CONTROL_ERROR = 3,
    MAX_STREAMS = 100,
};

struct victim {
    struct cs_alarms clock;
    struct cs_http2 *session;
    struct cs_buf answer;
    struct cs_err err;
    unsigned headers, oversize, closed, goaways;
    size_t header_bytes; /* of the longest list */
    uint32_t goaway_code;
    bool over;
};

/* The handler's side */

static void on_headers(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize)
{
    struct victim *victim = cs_http2_stream_owner(stream);

    victim->headers++;
    victim->oversize += oversize;
    if (headers->bytes.len > victim->header_bytes)
        victim->header_bytes = headers->bytes.len;
}

static void on_data(struct cs_http2_stream *stream, struct cs_slice bytes)
{
    cs_http2_consume(stream, bytes.len);
}

static void on_stream(struct cs_http2_stream *stream)
{
    (void)stream;
}

static void on_close(struct cs_http2_stream *stream, uint32_t code)
{
    struct victim *victim = cs_http2_stream_owner(stream);

    (void)code;
    victim->closed++;
}

static void on_up(void *owner)
{
    (void)owner;
}

static void on_goaway(void *owner, uint32_t code)
{
    (void)owner, (void)code;
}

static const struct cs_http2_events events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_half_close = on_stream,
    .on_writable = on_stream,
    .on_close = on_close,
    .on_up = on_up,
    .on_goaway = on_goaway,
};

/* The peer's side */

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void look_for_goaway(struct victim *victim)
{
    const uint8_t *at = victim->answer.ptr;
    size_t left = victim->answer.len;

    while (left >= FRAME_HEADER_BYTES) {
        size_t len = read_u32(at) >> 8;

        assert_true(left >= FRAME_HEADER_BYTES + len);
        if (at[3] == GOAWAY) {
            victim->goaways++;
            victim->goaway_code = read_u32(at + FRAME_HEADER_BYTES + 4);
        }
        at += FRAME_HEADER_BYTES + len;
        left -= FRAME_HEADER_BYTES + len;
    }
}

static void take_answer(struct victim *victim)
{
    struct cs_err err;

    cs_buf_clear(&victim->answer);
    if (cs_http2_pull(victim->session, &victim->answer, 1 << 20, &err) != CS_OK) {
        victim->over = true;
        victim->err = err;
    }
    look_for_goaway(victim);
    if (cs_http2_is_over(victim->session, &err)) {
        victim->over = true;
        victim->err = err;
    }
}

static void feed(struct victim *victim, struct cs_slice bytes)
{
    struct cs_err err;

    if (victim->over)
        return;
    if (cs_http2_feed(victim->session, bytes, &err) != CS_OK) {
        victim->over = true;
        victim->err = err;
    }
}

static void feed_frame(struct victim *victim, uint8_t type, uint8_t flags, uint32_t stream,
                       struct cs_slice payload)
{
    struct cs_buf frame = CS_BUF_EMPTY;

    check_code(cs_buf_append_u32(&frame, (uint32_t)payload.len << 8 | type), CS_OK);
    check_code(cs_buf_append_u8(&frame, flags), CS_OK);
    check_code(cs_buf_append_u32(&frame, stream), CS_OK);
    check_code(cs_buf_append(&frame, payload), CS_OK);
    feed(victim, cs_buf_slice(&frame));
    cs_buf_free(&frame);
}

/* RFC 7541: ":method POST", ":scheme http", ":path /" from the static table, and ":authority x". */
static const uint8_t request[] = {0x83, 0x86, 0x84, 0x01, 0x01, 'x'};

static void victim_init(struct victim *victim)
{
    struct cs_http2_options options = {.is_server = true,
                                       .max_streams = MAX_STREAMS,
                                       .clock = &victim->clock,
                                       .events = &events,
                                       .owner = victim};
    struct cs_err err;

    *victim = (struct victim){.clock.now_ms = 1000};
    check_ok(cs_http2_new(&options, &victim->session, &err), err);
    feed(victim, CS_SLICE_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    feed_frame(victim, SETTINGS, 0, 0, CS_SLICE_EMPTY);
    take_answer(victim);
    assert_false(victim->over);
}

static void victim_free(struct victim *victim)
{
    cs_http2_free(victim->session);
    cs_buf_free(&victim->answer);
}

/* One step of a flood: the n-th, on a stream of its own if it likes. */
typedef void attack_fn(struct victim *victim, uint32_t n);

static void rapid_reset(struct victim *victim, uint32_t n)
{
    feed_frame(victim, HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, CS_SLICE_ARRAY(request));
    feed_frame(victim, RST_STREAM, 0, 2 * n + 1, CS_SLICE_LIT("\0\0\0\x8"));
}

/* CVE-2025-8671: the peer makes us reset the streams, here by requests that lack their authority. */
static void make_you_reset(struct victim *victim, uint32_t n)
{
    feed_frame(victim, HEADERS, END_HEADERS, 2 * n + 1, cs_slice(request, 3));
}

/* The same by a window that overflows, and by one that grows by nothing: nghttp2 bears neither once. */
static void window_overflow(struct victim *victim, uint32_t n)
{
    feed_frame(victim, HEADERS, END_HEADERS, 2 * n + 1, CS_SLICE_ARRAY(request));
    feed_frame(victim, WINDOW_UPDATE, 0, 2 * n + 1, CS_SLICE_LIT("\x7f\xff\xff\xff"));
}

static void window_of_nothing(struct victim *victim, uint32_t n)
{
    feed_frame(victim, HEADERS, END_HEADERS, 2 * n + 1, CS_SLICE_ARRAY(request));
    feed_frame(victim, WINDOW_UPDATE, 0, 2 * n + 1, CS_SLICE_LIT("\0\0\0\0"));
}

static void ping(struct victim *victim, uint32_t n)
{
    (void)n;
    feed_frame(victim, PING, 0, 0, CS_SLICE_LIT("12345678"));
}

static void settings(struct victim *victim, uint32_t n)
{
    (void)n;
    feed_frame(victim, SETTINGS, 0, 0, CS_SLICE_LIT("\0\4\0\0\xff\xff"));
}

static void many_settings(struct victim *victim, uint32_t n)
{
    static const uint8_t entries[6 * 1000];

    (void)n;
    feed_frame(victim, SETTINGS, 0, 0, CS_SLICE_ARRAY(entries));
}

static void priority(struct victim *victim, uint32_t n)
{
    feed_frame(victim, PRIORITY, 0, 2 * n + 1, CS_SLICE_LIT("\0\0\0\0\x10"));
}

static void empty_data(struct victim *victim, uint32_t n)
{
    if (n == 0)
        feed_frame(victim, HEADERS, END_HEADERS, 1, CS_SLICE_ARRAY(request));
    feed_frame(victim, DATA, 0, 1, CS_SLICE_EMPTY);
}

/* CVE-2024-28182. */
static void continuation(struct victim *victim, uint32_t n)
{
    if (n == 0)
        feed_frame(victim, HEADERS, 0, 1, CS_SLICE_ARRAY(request));
    feed_frame(victim, CONTINUATION, 0, 1, CS_SLICE_EMPTY);
}

/* A block of 16 KB a frame, never finished. */
static void long_continuation(struct victim *victim, uint32_t n)
{
    static uint8_t block[16 * 1024];

    memset(block, 0x84, sizeof block);
    feed_frame(victim, n == 0 ? HEADERS : CONTINUATION, 0, 1, CS_SLICE_ARRAY(block));
}

static void stream_beyond_the_limit(struct victim *victim, uint32_t n)
{
    feed_frame(victim, HEADERS, END_HEADERS, 2 * n + 1, CS_SLICE_ARRAY(request));
}

static void ends_the_connection_that_floods(void **state)
{
    /* nghttp2 forgives some resets and mistakes a second, by a clock of its own: a slow machine gets further.
     */
    enum { PATIENCE = 10000, SLACK = 4000, ANSWERS_WAITING = 128 * 1024 };
    static const struct {
        const char *says;
        attack_fn *attack;
        uint32_t code; /* of the GOAWAY */
        uint32_t most; /* steps until then */
    } cases[] = {
        {"resets what it asks for", rapid_reset, CS_HTTP2_INTERNAL_ERROR,
         CS_LIMIT_STREAMS_PER_CONNECTION + SLACK},
        {"makes us reset", make_you_reset, CS_HTTP2_ENHANCE_YOUR_CALM, 1000 + SLACK},
        {"overflows a window", window_overflow, FLOW_CONTROL_ERROR, 1},
        {"opens a window by nothing", window_of_nothing, CS_HTTP2_PROTOCOL_ERROR, 1},
        {"pings", ping, CS_HTTP2_ENHANCE_YOUR_CALM, 1100},
        {"sets", settings, CS_HTTP2_ENHANCE_YOUR_CALM, 1100},
        {"sets a thousand things", many_settings, CS_HTTP2_ENHANCE_YOUR_CALM, 1},
        {"gives priorities", priority, CS_HTTP2_ENHANCE_YOUR_CALM, 1100},
        {"sends nothing, often", empty_data, CS_HTTP2_ENHANCE_YOUR_CALM, 1100},
        {"continues", continuation, CS_HTTP2_ENHANCE_YOUR_CALM, 10},
        {"continues at length", long_continuation, CS_HTTP2_ENHANCE_YOUR_CALM, 10},
        {"opens more than it may", stream_beyond_the_limit, CS_HTTP2_ENHANCE_YOUR_CALM, 1100 + SLACK},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        for (int reads_answers = 0; reads_answers < 2; reads_answers++) {
            struct victim victim;
            uint32_t step = 0;

            victim_init(&victim);
            for (; step < PATIENCE && !victim.over; step++) {
                cases[i].attack(&victim, step);
                if (reads_answers)
                    take_answer(&victim);
                assert_in_range(cs_http2_streams_open(victim.session), 0, MAX_STREAMS + 1);
            }
            take_answer(&victim);
            if (!victim.over || victim.goaways != 1 || victim.goaway_code != cases[i].code ||
                (reads_answers && step > cases[i].most))
                fail_msg("a peer that %s: %s, %u GOAWAYs, code %u, after %u", cases[i].says,
                         victim.over ? victim.err.msg : "goes on", victim.goaways, victim.goaway_code, step);
            /* What gathers for a peer that reads nothing. */
            assert_in_range(victim.answer.len, 0, ANSWERS_WAITING);
            victim_free(&victim);
        }
}

static void feed_block(struct victim *victim, uint32_t stream, const struct cs_buf *block)
{
    for (size_t at = 0; at < block->len; at += FRAME_BYTES) {
        bool last = block->len - at <= FRAME_BYTES;
        size_t len = last ? block->len - at : FRAME_BYTES;

        feed_frame(victim, at ? CONTINUATION : HEADERS, last ? END_HEADERS : 0, stream,
                   cs_slice(block->ptr + at, len));
    }
}

/* One header of 4,000 bytes goes to the table and is then named by one byte each: 16 KB become 50 MB. */
static void bears_a_header_bomb(void **state)
{
    static const uint8_t entry[] = {0x40, 0x01, 'a', 0x7f, 0xa1, 0x1e};
    static const uint8_t value[4000] = {0};
    struct cs_buf block = CS_BUF_EMPTY;
    struct victim victim;

    (void)state;
    victim_init(&victim);
    check_code(cs_buf_append(&block, CS_SLICE_ARRAY(request)), CS_OK);
    check_code(cs_buf_append(&block, CS_SLICE_ARRAY(entry)), CS_OK);
    for (size_t i = 0; i < sizeof value; i++)
        check_code(cs_buf_append_u8(&block, 'v'), CS_OK);
    for (int i = 0; i < 12000; i++)
        check_code(cs_buf_append_u8(&block, 0xbe), CS_OK);
    feed_block(&victim, 1, &block);
    take_answer(&victim);
    /* Either the library or the limit of our list stops it; what is kept stays within the limit. */
    assert_in_range(victim.header_bytes, 0, 2 * CS_LIMIT_HEADER_BYTES);
    assert_true(victim.over || victim.oversize == 1 || victim.closed == 1);
    cs_buf_free(&block);
    victim_free(&victim);
}

static void tells_that_a_list_of_headers_is_too_long(void **state)
{
    static const uint8_t header[] = {0x00, 0x01, 'a', 0x01, 'b'};
    struct cs_buf block = CS_BUF_EMPTY;
    struct victim victim;

    (void)state;
    victim_init(&victim);
    check_code(cs_buf_append(&block, CS_SLICE_ARRAY(request)), CS_OK);
    for (int i = 0; i < 5000; i++)
        check_code(cs_buf_append(&block, CS_SLICE_ARRAY(header)), CS_OK);
    feed_block(&victim, 1, &block);
    take_answer(&victim);
    assert_false(victim.over);
    assert_int_equal(victim.oversize, 1);
    /* The limit, and what the list itself needs for one more header. */
    assert_in_range(victim.header_bytes, 1, CS_LIMIT_HEADER_BYTES + 64);
    feed_frame(&victim, HEADERS, END_HEADERS, 3, CS_SLICE_ARRAY(request));
    take_answer(&victim);
    assert_int_equal(victim.headers, 2);
    cs_buf_free(&block);
    victim_free(&victim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_the_connection_that_floods),
        cmocka_unit_test(bears_a_header_bomb),
        cmocka_unit_test(tells_that_a_list_of_headers_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
