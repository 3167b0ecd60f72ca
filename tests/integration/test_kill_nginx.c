/* The agent is killed with SIGKILL again and again, at any moment of a push, under a real nginx. Whenever it
 * died: nginx would read a whole pair, of one of the two pushes that the agent's state tells of; it serves
 * one of the two; and each order ends exactly once. */
#include "tests/support/agent_scene.h"
#include "tests/support/check.h"
#include "tests/support/nginx.h"
#include "tests/support/port_loop.h"

#include "agent/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILLS_WITH_LINKS = 400,
    KILLS_WITH_COPIES = 100,
    KILLS_MOST = KILLS_WITH_LINKS + 1,
    /* One kill in four comes at any time since the agent was started. The others once it has begun with an
     * order: one in its first moments, while files are written; two while it validates, reloads and proves.
     */
    LONGEST_START_US = 200 * 1000,
    LONGEST_WRITING_US = 15 * 1000,
    LONGEST_PUSH_US = 100 * 1000,
};

struct scene {
    struct agent_scene agent;
    struct nginx nginx;
    struct port_loop loop;
    struct ag_probe probe;
    bool copies;
    char certificate[160], key[160];
    struct cs_digest leaves[KILLS_MOST + 1]; /* by generation; 0: what was there before the first push */
    uint8_t orders[KILLS_MOST + 1][16];
    uint64_t oldest; /* without an end, as far as is known */
    unsigned behind; /* kills after which nginx still served the older one */
};

/* What people had before: a pair that is adopted. */
static void write_first_pair(struct scene *s)
{
    struct pki first = pki_issue(NULL, (struct cs_issue){.common_name = "before", .server_auth = true});
    cs_auto(cs_buf_free) struct cs_buf chain = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_chain_write_pem(first.chain, &chain, &err), err);
    check_ok(cs_key_export_pem(first.key, CS_SLICE_EMPTY, &key, &err), err);
    assert_int_equal(cs_buf_append_u8(&chain, 0), CS_OK);
    assert_int_equal(cs_buf_append_u8(&key, 0), CS_OK);
    agent_scene_write(&s->agent, "web.pem", (const char *)chain.ptr, 0644);
    agent_scene_write(&s->agent, "web.key", (const char *)key.ptr, 0600);
    s->leaves[0] = cs_sha256(cs_chain_der(first.chain, 0));
    pki_free(&first);
}

static void configure(struct scene *s)
{
    agent_scene_configure(&s->agent,
                          "[connector \"web\"]\napplication = nginx\nplacement = %s\ncertificate = %s\n"
                          "key = %s\nadopt = yes\nvalidate = %s -t -q -e /dev/null -c %s\n"
                          "reload = %s -s reload -e /dev/null -c %s\nprobe = 127.0.0.1:%u\n"
                          "probe_name = web.example\n",
                          s->copies ? "copies" : "links", s->certificate, s->key, NGINX, s->nginx.config,
                          NGINX, s->nginx.config, (unsigned)s->nginx.port);
}

static void begin(struct scene *s, bool copies)
{
    static char host[] = "127.0.0.1", name[] = "web.example";

    memset(s, 0, sizeof *s);
    s->oldest = 1;
    s->copies = copies;
    agent_scene_begin(&s->agent);
    snprintf(s->certificate, sizeof s->certificate, "%s", agent_scene_path(&s->agent, "web.pem"));
    snprintf(s->key, sizeof s->key, "%s", agent_scene_path(&s->agent, "web.key"));
    write_first_pair(s);
    nginx_start(&s->nginx, s->agent.folder, s->certificate, s->key);
    s->probe = (struct ag_probe){.host = host, .port = s->nginx.port, .server_name = name};
    configure(s);
    agent_scene_enrol(&s->agent);
}

static void end(struct scene *s)
{
    assert_int_equal(agent_scene_kill(&s->agent, SIGTERM), 0);
    nginx_stop(&s->nginx);
    agent_scene_end(&s->agent);
}

/* The two generations that may be there; true: the newest order has its end, and it is the first. */
struct expected {
    uint64_t now, other;
    bool ended;
};

/* The state is whole whenever the agent died. */
static struct expected read_state(struct scene *s)
{
    const struct ag_store store = {s->loop.port, s->agent.state};
    struct ag_identity identity;
    struct ag_state state;
    struct expected expected = {0};
    struct cs_err err;

    check_ok(ag_store_load_identity(&store, &identity, &err), err);
    check_ok(ag_store_load_state(&store, &identity, &state, &err), err);
    const struct ag_connector_state *web = ag_state_connector(&state, "web");

    expected.ended = true;
    if (web && web->order_count > 0) {
        const struct ag_order *order = &web->orders[0];

        expected.ended = ag_phase_final(order->phase);
        expected.now = order->phase == AG_PHASE_PUT_BACK ? order->previous_generation : order->generation;
        expected.other = order->previous_generation;
    }
    ag_state_free(&state);
    ag_identity_free(&identity);
    return expected;
}

static bool is_one_of(const struct scene *s, const struct expected *expected, const struct cs_digest *leaf)
{
    return cs_digest_eq(leaf, &s->leaves[expected->now]) || cs_digest_eq(leaf, &s->leaves[expected->other]);
}

static void check_files(struct scene *s, const struct expected *expected)
{
    struct cs_digest leaf;
    struct cs_err err = {0};

    if (!agent_scene_pair(s->certificate, s->key, &leaf, &err)) {
        agent_scene_show_log(&s->agent);
        fail_msg("no whole pair: %s", err.msg);
    }
    assert_true(expected->ended ? cs_digest_eq(&leaf, &s->leaves[expected->now])
                                : is_one_of(s, expected, &leaf));
}

/* Workers that a reload has sent away may answer for some tenths of a second more, with what they had. */
static void check_served(struct scene *s, const struct expected *expected)
{
    for (unsigned i = 0; i < 100; i++) {
        port_loop_probe(&s->loop, &s->probe, 3000);
        if (s->loop.probe.served && is_one_of(s, expected, &s->loop.probe.leaf)) {
            s->behind += !cs_digest_eq(&s->loop.probe.leaf, &s->leaves[expected->now]);
            return;
        }
        usleep(20 * 1000);
    }
    fail_msg("nginx serves neither of the two: %s", s->loop.probe.served ? "another" : s->loop.probe.why);
}

/* Of one order; *ret_ended: the last was among them. */
static unsigned count_reports_of(struct scene *s, uint64_t number, bool *ret_ended)
{
    struct fake_reports reports;

    fake_controller_reports(s->agent.controller, s->orders[number], &reports);
    *ret_ended = reports.completed + reports.failed + reports.refused > 0;
    return reports.accepted + *ret_ended;
}

/* Rises with each report, but for those of the oldest orders that are at their end. */
static unsigned count_reports(struct scene *s)
{
    unsigned count = 0;
    bool ended = true;

    while (s->oldest < s->agent.number && ended) {
        (void)count_reports_of(s, s->oldest, &ended);
        s->oldest += ended;
    }
    for (uint64_t i = s->oldest; i <= s->agent.number; i++)
        count += count_reports_of(s, i, &ended);
    return count;
}

/* Machines may be busy: an agent that did nothing before it was killed shows nothing. */
static void let_live(struct scene *s, bool for_a_push, unsigned longest_us)
{
    unsigned random_us, before = count_reports(s);
    uint64_t oldest = s->oldest;

    agent_scene_start(&s->agent);
    for (unsigned i = 0; for_a_push && i < 5000; i++) {
        if (count_reports(s) != before || s->oldest != oldest)
            break;
        usleep(1000);
    }
    cs_random(&random_us, sizeof random_us);
    usleep(random_us % longest_us);
}

static void kill_once(struct scene *s, unsigned turn)
{
    static const unsigned longest_us[] = {LONGEST_START_US, LONGEST_WRITING_US, LONGEST_PUSH_US,
                                          LONGEST_PUSH_US};
    struct delivery_story *story = agent_scene_push(&s->agent);

    s->leaves[s->agent.number] = agent_scene_leaf(story);
    memcpy(s->orders[s->agent.number], agent_scene_order(story), sizeof s->orders[0]);
    delivery_free(story);
    let_live(s, turn % 4 > 0, longest_us[turn % 4]);
    /* Until then it was alive. */
    assert_true(WIFSIGNALED(agent_scene_kill(&s->agent, SIGKILL)));
    const struct expected expected = read_state(s);

    /* As before the application starts at boot: nginx itself reads nothing unless it is told. */
    if (s->copies)
        assert_int_equal(agent_scene_run(&s->agent, "recover"), 0);
    check_files(s, &expected);
    check_served(s, &expected);
}

struct tally {
    unsigned completed, put_back, refused;
};

static void count_ends(struct scene *s, struct tally *ret)
{
    for (uint64_t i = 1; i <= s->agent.number; i++) {
        struct fake_reports reports;

        if (!fake_controller_wait(s->agent.controller, s->orders[i], 30)) {
            agent_scene_show_log(&s->agent);
            fail_msg("no final report of order %u", (unsigned)i);
        }
        fake_controller_reports(s->agent.controller, s->orders[i], &reports);
        assert_int_equal(reports.completed + reports.failed + reports.refused, 1);
        assert_true(reports.accepted <= 1 && !reports.out_of_order);
        if (reports.failed > 0)
            assert_string_equal(reports.last.verdict, "interrupted");
        ret->completed += reports.completed;
        ret->put_back += reports.failed;
        ret->refused += reports.refused;
    }
}

static void kill_again_and_again(struct scene *s, unsigned kills)
{
    struct tally tally = {0};
    struct delivery_story *last;

    port_loop_begin(&s->loop);
    for (unsigned i = 0; i < kills; i++)
        kill_once(s, i);
    agent_scene_start(&s->agent);
    count_ends(s, &tally);
    agent_scene_install(&s->agent, &last);
    s->leaves[s->agent.number] = agent_scene_leaf(last);
    delivery_free(last);
    const struct expected expected = {s->agent.number, s->agent.number, true};

    check_files(s, &expected);
    check_served(s, &expected);
    port_loop_end(&s->loop);
    print_message("%u kills with %s: %u pushes completed, %u put back, %u refused; after %u of them nginx "
                  "still served the one before\n",
                  kills, s->copies ? "copies" : "links", tally.completed, tally.put_back, tally.refused,
                  s->behind);
    assert_true(tally.completed > kills / 10);
}

static void killed_under_nginx_with_links(void **unused CS_UNUSED)
{
    struct scene *s = malloc(sizeof *s);

    assert_non_null(s);
    begin(s, false);
    kill_again_and_again(s, KILLS_WITH_LINKS);
    end(s);
    free(s);
}

static void killed_under_nginx_with_copies(void **unused CS_UNUSED)
{
    struct scene *s = malloc(sizeof *s);

    assert_non_null(s);
    begin(s, true);
    kill_again_and_again(s, KILLS_WITH_COPIES);
    end(s);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_under_nginx_with_links),
        cmocka_unit_test(killed_under_nginx_with_copies),
    };

    if (!nginx_is_here())
        return 77;
    return cmocka_run_group_tests_name("kill nginx", tests, NULL, NULL);
}
