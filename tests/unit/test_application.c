/* What is asked of an application, and what each answer means: against a machine that answers as the test
 * wants, when it wants. */
#include "tests/support/check.h"
#include "tests/support/pki.h"

#include "agent/application.h"

#include <signal.h>
#include <stdio.h>

struct scene {
    struct ag_port port;
    struct ag_connector web;
    struct ag_application application;
    struct ag_answer answer;
    unsigned answers;

    int begin_code; /* of run, talk, probe, wait, send_signal */
    /* What is open at the machine. */
    char *const *argv;
    char user[32], address[64], sent[8192], expect[64], signalled[64];
    uint32_t timeout_ms;
    unsigned runs, talks, probes, waits, stops;
    int signal;
    int64_t now_ms;
    void (*on_command)(void *owner, const struct ag_command_result *result);
    void (*on_talk)(void *owner, const struct ag_talk_result *result);
    void (*on_probe)(void *owner, const struct ag_probe_result *result);
    void (*on_wait)(void *owner);
    void *waiting;

    const char *path; /* the one file that is there */
    struct cs_slice content;
};

static struct scene *of(struct ag_port *port)
{
    return CS_CONTAINER_OF(port, struct scene, port);
}

/* ---- the machine */

static int begin_task(struct scene *s, void *owner, uint32_t timeout_ms, struct cs_err *err)
{
    assert_false(s->on_command || s->on_talk || s->on_probe || s->on_wait);
    if (s->begin_code)
        return cs_err_set(err, s->begin_code, "the machine is unwell");
    s->waiting = owner;
    s->timeout_ms = timeout_ms;
    return CS_OK;
}

static int run(struct ag_port *port, const struct ag_command *command,
               void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
               struct cs_err *err)
{
    struct scene *s = of(port);
    int code = begin_task(s, owner, command->timeout_ms, err);

    s->runs++;
    s->argv = command->argv;
    snprintf(s->user, sizeof s->user, "%s", command->user ? command->user : "");
    s->on_command = code ? NULL : on_end;
    return code;
}
static int talk(struct ag_port *port, const struct ag_talk *question,
                void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                struct cs_err *err)
{
    struct scene *s = of(port);
    int code = begin_task(s, owner, question->timeout_ms, err);

    s->talks++;
    snprintf(s->address, sizeof s->address, "%s", question->address);
    snprintf(s->sent, sizeof s->sent, "%.*s", (int)question->send.len, (const char *)question->send.ptr);
    snprintf(s->expect, sizeof s->expect, "%s", question->expect ? question->expect : "(any)");
    s->on_talk = code ? NULL : on_end;
    return code;
}
static int probe(struct ag_port *port, const struct ag_probe *what CS_UNUSED, uint32_t timeout_ms,
                 void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                 struct cs_err *err)
{
    struct scene *s = of(port);
    int code = begin_task(s, owner, timeout_ms, err);

    s->probes++;
    s->on_probe = code ? NULL : on_end;
    return code;
}
static int wait(struct ag_port *port, uint32_t ms, void (*on_end)(void *owner), void *owner,
                struct cs_err *err)
{
    struct scene *s = of(port);
    int code = begin_task(s, owner, ms, err);

    s->waits++;
    s->on_wait = code ? NULL : on_end;
    return code;
}
static int send_signal(struct ag_port *port, const char *pid_file, const char *program, int number,
                       struct cs_err *err)
{
    struct scene *s = of(port);

    snprintf(s->signalled, sizeof s->signalled, "%s %s", pid_file, program);
    s->signal = number;
    return s->begin_code ? cs_err_set(err, s->begin_code, "the machine is unwell") : CS_OK;
}
static void forget(struct scene *s)
{
    s->on_command = NULL;
    s->on_talk = NULL;
    s->on_probe = NULL;
    s->on_wait = NULL;
}
static void stop(struct ag_port *port)
{
    of(port)->stops++;
    forget(of(port));
}
static int64_t ticks_ms(struct ag_port *port)
{
    return of(port)->now_ms;
}
static int read_file(struct ag_port *port, const char *path, size_t limit_bytes CS_UNUSED, struct cs_buf *out,
                     struct cs_err *err)
{
    struct scene *s = of(port);

    if (!s->path || strcmp(path, s->path) != 0)
        return cs_err_set(err, CS_ENOTFOUND, "no file %s", path);
    return cs_buf_append(out, s->content);
}

/* ---- what the machine says */

static void command_ends(struct scene *s, struct ag_command_result result)
{
    void (*on_end)(void *owner, const struct ag_command_result *result) = s->on_command;

    assert_non_null(on_end);
    forget(s);
    if (!result.output)
        result.output = "";
    on_end(s->waiting, &result);
}
static void talk_ends(struct scene *s, bool good, bool timed_out, const char *answer)
{
    void (*on_end)(void *owner, const struct ag_talk_result *result) = s->on_talk;

    assert_non_null(on_end);
    forget(s);
    on_end(s->waiting, &(struct ag_talk_result){good, timed_out, answer});
}
static void probe_ends(struct scene *s, const struct cs_digest *leaf)
{
    void (*on_end)(void *owner, const struct ag_probe_result *result) = s->on_probe;
    struct ag_probe_result result = {.served = leaf != NULL, .why = leaf ? NULL : "nobody listens"};

    assert_non_null(on_end);
    forget(s);
    if (leaf)
        result.leaf = *leaf;
    on_end(s->waiting, &result);
}
static void wait_ends(struct scene *s)
{
    void (*on_end)(void *owner) = s->on_wait;

    assert_non_null(on_end);
    forget(s);
    s->now_ms += s->timeout_ms;
    on_end(s->waiting);
}

/* ---- the scene */

static void on_answer(void *owner, const struct ag_answer *answer)
{
    struct scene *s = owner;

    s->answer = *answer;
    s->answers++;
    assert_null(s->application.connector); /* the next may be asked */
}

static int begin(void **state)
{
    static char validate[] = "/bin/validate", option[] = "-t", host[] = "::1", bundle[] = "/etc/site.pem";
    struct scene *s = calloc(1, sizeof *s);

    s->port = (struct ag_port){.run = run,
                               .talk = talk,
                               .probe = probe,
                               .wait = wait,
                               .stop = stop,
                               .send_signal = send_signal,
                               .ticks_ms = ticks_ms,
                               .read_file = read_file};
    s->now_ms = 1000;
    s->web = (struct ag_connector){
        .name = "web",
        .paths = {[AG_FILE_BUNDLE] = bundle},
        .validate = {validate, option},
        .probe = {.host = host, .port = 443},
        .validate_timeout_s = 5,
        .reload_timeout_s = 7,
        .probe_timeout_s = 1,
    };
    *state = s;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void check_answer(const struct scene *s, enum ag_verdict verdict, const char *says)
{
    assert_int_equal(s->answers, 1);
    assert_string_equal(ag_verdict_word(s->answer.verdict), ag_verdict_word(verdict));
    if (!strstr(s->answer.detail, says))
        fail_msg("'%s' does not say '%s'", s->answer.detail, says);
}

static void reload(struct scene *s)
{
    s->answers = 0;
    ag_application_reload(&s->application, &s->port, &s->web, "/s/g7", on_answer, s);
}

/* ---- commands */

static const struct {
    struct ag_command_result result;
    bool good, late;
    const char *says;
} ends[] = {
    {{AG_COMMAND_EXITED, 0, "syntax is ok", NULL}, true, false, ""},
    {{AG_COMMAND_EXITED, 3, "no such key", NULL}, false, false, " ended with status 3: no such key"},
    {{AG_COMMAND_EXITED, 3, "", NULL}, false, false, " ended with status 3"},
    {{AG_COMMAND_KILLED, 11, "", NULL}, false, false, " was ended by signal 11"},
    {{AG_COMMAND_TIMEOUT, 0, "still at it", NULL}, false, true, " s: still at it"},
    {{AG_COMMAND_NOT_STARTED, 0, "no such file", NULL}, false, false, " cannot be started: no such file"},
};

static void validates(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < CS_ARRAY_LEN(ends); i++) {
        s->answers = 0;
        ag_application_validate(&s->application, &s->port, &s->web, on_answer, s);
        assert_int_equal(s->answers, 0);
        assert_string_equal(s->argv[1], "-t");
        assert_int_equal(s->timeout_ms, 5000);
        command_ends(s, ends[i].result);
        check_answer(s,
                     ends[i].good   ? AG_OK
                     : ends[i].late ? AG_VALIDATE_TIMEOUT
                                    : AG_VALIDATE_FAILED,
                     ends[i].says);
    }
}

static void reloads_by_a_command(void **state)
{
    static char program[] = "/bin/reload", user[] = "www-data";
    struct scene *s = *state;

    s->web.run_as = user;
    s->web.reload = (struct ag_reload){.kind = AG_RELOAD_COMMAND, .argv = {program}};
    for (size_t i = 0; i < CS_ARRAY_LEN(ends); i++) {
        s->web.reload.kind = i % 2 ? AG_RELOAD_UNIT : AG_RELOAD_COMMAND;
        reload(s);
        assert_string_equal(s->argv[0], "/bin/reload");
        assert_string_equal(s->user, "www-data");
        assert_int_equal(s->timeout_ms, 7000);
        command_ends(s, ends[i].result);
        check_answer(s,
                     ends[i].good   ? AG_OK
                     : ends[i].late ? AG_RELOAD_TIMEOUT
                                    : AG_RELOAD_FAILED,
                     ends[i].says);
    }
}

static void says_what_nothing_limited(void **state)
{
    struct scene *s = *state;

    ag_application_validate(&s->application, &s->port, &s->web, on_answer, s);
    command_ends(s, (struct ag_command_result){AG_COMMAND_EXITED, 0, "", "there is no cgroup"});
    assert_string_equal(s->answer.unlimited, "there is no cgroup");
}

static void an_agent_that_cannot_ask_says_so(void **state)
{
    static char program[] = "/bin/reload", address[] = "/run/admin.sock", line[] = "reload";
    static const struct {
        struct ag_reload reload;
        const char *says;
    } cases[] = {
        {{.kind = AG_RELOAD_COMMAND, .argv = {program}}, "/bin/reload cannot be started: the machine"},
        {{.kind = AG_RELOAD_SIGNAL, .pid_file = address, .program = program}, "the machine is unwell"},
        {{.kind = AG_RELOAD_ADMIN, .address = address, .send = line}, "/run/admin.sock: the machine"},
    };
    struct scene *s = *state;

    s->begin_code = CS_ENOMEM;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        s->web.reload = cases[i].reload;
        reload(s);
        check_answer(s, AG_RELOAD_FAILED, cases[i].says);
    }
    s->answers = 0;
    ag_application_validate(&s->application, &s->port, &s->web, on_answer, s);
    check_answer(s, AG_VALIDATE_FAILED, "/bin/validate cannot be started: the machine");
    s->answers = 0;
    ag_application_prove(&s->application, &s->port, &s->web, &(struct ag_proof){.is_gone = false}, on_answer,
                         s);
    check_answer(s, AG_PROBE_FAILED, "cannot look at what is served: the machine");
}

/* ---- nothing, signals, sockets */

static void what_needs_no_waiting_ends_at_once(void **state)
{
    static char pid_file[] = "/run/web.pid", program[] = "webd";
    struct scene *s = *state;

    reload(s);
    check_answer(s, AG_OK, "");
    s->web.reload = (struct ag_reload){
        .kind = AG_RELOAD_SIGNAL, .signal = SIGUSR1, .pid_file = pid_file, .program = program};
    reload(s);
    check_answer(s, AG_OK, "");
    assert_string_equal(s->signalled, "/run/web.pid webd");
    assert_int_equal(s->signal, SIGUSR1);
}

static void asks_an_admin_socket(void **state)
{
    static char address[] = "127.0.0.1:4040", line[] = "reload tls", expect[] = "OK";
    struct scene *s = *state;

    s->web.reload =
        (struct ag_reload){.kind = AG_RELOAD_ADMIN, .address = address, .send = line, .expect = expect};
    reload(s);
    assert_string_equal(s->address, "127.0.0.1:4040");
    assert_string_equal(s->sent, "reload tls\n");
    assert_string_equal(s->expect, "OK");
    assert_int_equal(s->timeout_ms, 7000);
    talk_ends(s, true, false, "OK");
    check_answer(s, AG_OK, "");
    reload(s);
    talk_ends(s, false, false, "unknown command");
    check_answer(s, AG_RELOAD_FAILED, "127.0.0.1:4040 answered: unknown command");
    reload(s);
    talk_ends(s, false, true, "");
    check_answer(s, AG_RELOAD_TIMEOUT, "127.0.0.1:4040 did not answer within 7 s");
    s->web.reload.expect = NULL;
    reload(s);
    assert_string_equal(s->expect, "(any)");
    talk_ends(s, true, false, "");
    check_answer(s, AG_OK, "");
}

/* ---- haproxy */

static void set_haproxy(struct scene *s)
{
    static char address[] = "/run/haproxy.sock";

    s->web.reload = (struct ag_reload){.kind = AG_RELOAD_HAPROXY, .address = address};
    s->path = "/s/g7/bundle.pem";
    s->content = CS_SLICE_LIT("CHAIN AND KEY\n");
}

static void sets_and_commits_at_haproxy(void **state)
{
    struct scene *s = *state;

    set_haproxy(s);
    reload(s);
    assert_string_equal(s->sent, "set ssl cert /etc/site.pem <<\nCHAIN AND KEY\n\n");
    assert_string_equal(s->expect, "ransaction");
    talk_ends(s, true, false, "Transaction created for certificate /etc/site.pem!");
    assert_int_equal(s->answers, 0);
    assert_string_equal(s->sent, "commit ssl cert /etc/site.pem\n");
    assert_string_equal(s->expect, "Success");
    talk_ends(s, true, false, "Success!");
    check_answer(s, AG_OK, "");
    assert_int_equal(s->talks, 2);
}

static void haproxy_may_refuse_either(void **state)
{
    struct scene *s = *state;

    set_haproxy(s);
    reload(s);
    talk_ends(s, false, false, "unable to load certificate");
    check_answer(s, AG_RELOAD_FAILED, "/run/haproxy.sock answered: unable to load certificate");
    assert_int_equal(s->talks, 1);
    reload(s);
    talk_ends(s, true, false, "Transaction created");
    talk_ends(s, false, false, "No ongoing transaction!");
    check_answer(s, AG_RELOAD_FAILED, "answered: No ongoing transaction!");
    reload(s);
    talk_ends(s, true, false, "Transaction created");
    talk_ends(s, false, true, "half");
    check_answer(s, AG_RELOAD_TIMEOUT, "did not answer within 7 s: half");
    /* The socket goes between the two. */
    reload(s);
    s->begin_code = CS_EIO;
    talk_ends(s, true, false, "Transaction created");
    check_answer(s, AG_RELOAD_FAILED, "/run/haproxy.sock: the machine is unwell");
    s->begin_code = CS_OK;
    s->path = NULL;
    reload(s);
    check_answer(s, AG_RELOAD_FAILED, "haproxy cannot be told at its runtime socket to forget");
}

/* ---- what is served */

static const struct cs_digest leaf = {{1, 2, 3, 4, 5, 6, 7, 8}}, other = {{0xee}};

static void prove(struct scene *s, bool is_gone)
{
    s->answers = s->probes = s->waits = 0;
    ag_application_prove(&s->application, &s->port, &s->web, &(struct ag_proof){leaf, is_gone}, on_answer, s);
}

static void is_content_with_what_it_sees_first(void **state)
{
    struct scene *s = *state;

    prove(s, false);
    probe_ends(s, &leaf);
    check_answer(s, AG_OK, "::1:443 serves the certificate 0102030405060708");
    assert_true(s->answer.served && cs_digest_eq(&s->answer.leaf, &leaf));
    assert_int_equal(s->waits, 0);
}

static void looks_again_until_it_is_so(void **state)
{
    struct scene *s = *state;

    prove(s, false);
    probe_ends(s, &other);
    assert_int_equal(s->answers, 0);
    wait_ends(s);
    probe_ends(s, NULL);
    wait_ends(s);
    probe_ends(s, &leaf);
    check_answer(s, AG_OK, "serves");
    assert_int_equal(s->probes, 3);
}

static void gives_up_when_its_time_is_over(void **state)
{
    struct scene *s = *state;

    prove(s, false);
    while (s->answers == 0) {
        probe_ends(s, &other);
        if (s->on_wait)
            wait_ends(s);
    }
    check_answer(s, AG_PROBE_FAILED, "serves the certificate ee00000000000000");
    assert_true(s->answer.served && cs_digest_eq(&s->answer.leaf, &other));
    assert_int_equal(s->probes, 6); /* five waits of 200 ms are the second that it has */
    prove(s, false);
    s->now_ms += 5000;
    probe_ends(s, NULL);
    check_answer(s, AG_PROBE_FAILED, "nothing is served: nobody listens");
    assert_false(s->answer.served);
}

static void gives_up_where_nothing_can_be_waited_for(void **state)
{
    struct scene *s = *state;

    prove(s, false);
    s->begin_code = CS_ENOMEM;
    probe_ends(s, &other);
    check_answer(s, AG_PROBE_FAILED, "serves");
}

/* Another certificate, or none at all, is as good. */
static void sees_that_it_is_gone(void **state)
{
    struct scene *s = *state;

    prove(s, true);
    probe_ends(s, &leaf);
    assert_int_equal(s->answers, 0);
    wait_ends(s);
    probe_ends(s, NULL);
    assert_int_equal(s->answers, 0); /* it may be just starting */
    wait_ends(s);
    probe_ends(s, NULL);
    check_answer(s, AG_OK, "nothing is served");
    prove(s, true);
    probe_ends(s, &other);
    check_answer(s, AG_OK, "serves");
    prove(s, true);
    s->now_ms += 2000;
    probe_ends(s, &leaf);
    check_answer(s, AG_PROBE_FAILED, "serves the certificate 0102");
}

/* One that hangs does not use up the time of all others, and the last has some time, too. */
static void a_handshake_has_a_part_of_the_time(void **state)
{
    struct scene *s = *state;

    s->web.probe_timeout_s = 60;
    prove(s, false);
    assert_int_equal(s->timeout_ms, 3000);
    s->now_ms += 59900;
    probe_ends(s, NULL);
    wait_ends(s);
    assert_int_equal(s->timeout_ms, 200);
    probe_ends(s, NULL);
    check_answer(s, AG_PROBE_FAILED, "nothing is served");
}

/* ---- stopping */

static void ends_what_is_open_without_an_answer(void **state)
{
    static char program[] = "/bin/reload";
    struct scene *s = *state;

    ag_application_stop(&s->application); /* nothing is */
    assert_int_equal(s->stops, 0);
    ag_application_validate(&s->application, &s->port, &s->web, on_answer, s);
    ag_application_stop(&s->application);
    s->web.reload = (struct ag_reload){.kind = AG_RELOAD_COMMAND, .argv = {program}};
    reload(s);
    ag_application_stop(&s->application);
    set_haproxy(s);
    reload(s);
    ag_application_stop(&s->application);
    reload(s);
    talk_ends(s, true, false, "Transaction created");
    ag_application_stop(&s->application);
    prove(s, false);
    ag_application_stop(&s->application);
    prove(s, false);
    probe_ends(s, &other);
    ag_application_stop(&s->application);
    assert_int_equal(s->stops, 6);
    assert_int_equal(s->answers, 0);
    assert_null(s->application.bundle);
    assert_null(s->application.line.ptr);
}

/* ---- the leaf of a generation */

static void finds_the_leaf_in_whatever_is_there(void **state)
{
    static const struct {
        const char *path;
        enum ag_format format;
        bool der;
        int code;
    } cases[] = {
        {"/s/g0/chain.pem", AG_FORMAT_PEM, false, CS_OK},
        {"/s/g0/bundle.pem", AG_FORMAT_PEM, false, CS_OK},
        {"/s/g0/leaf.der", AG_FORMAT_DER, true, CS_OK},
        {"/s/g0/chain.pem", AG_FORMAT_DER, false, CS_OK},
        {"/s/g0/chain.pem", AG_FORMAT_PEM, true, CS_EINVAL},
        {"/s/g0/nothing", AG_FORMAT_DER, true, CS_ENOTFOUND},
    };
    struct scene *s = *state;
    struct pki pki = pki_issue(NULL, (struct cs_issue){.common_name = "web", .server_auth = true});
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_digest wanted = cs_sha256(cs_chain_der(pki.chain, 0));
    struct cs_err err;

    check_ok(cs_chain_write_pem(pki.chain, &pem, &err), err);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_digest found = {{0}};

        s->path = cases[i].path;
        s->web.format = cases[i].format;
        s->content = cases[i].der ? cs_chain_der(pki.chain, 0) : cs_buf_slice(&pem);
        int code = ag_application_leaf(&s->port, &s->web, "/s/g0", &found, &err);

        if (cases[i].code == CS_ENOTFOUND)
            assert_int_equal(code, CS_ENOTFOUND);
        else
            assert_int_equal(code == CS_OK, cases[i].code == CS_OK);
        assert_int_equal(cs_digest_eq(&found, &wanted), code == CS_OK);
    }
    pki_free(&pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(validates, begin, end),
        cmocka_unit_test_setup_teardown(reloads_by_a_command, begin, end),
        cmocka_unit_test_setup_teardown(says_what_nothing_limited, begin, end),
        cmocka_unit_test_setup_teardown(an_agent_that_cannot_ask_says_so, begin, end),
        cmocka_unit_test_setup_teardown(what_needs_no_waiting_ends_at_once, begin, end),
        cmocka_unit_test_setup_teardown(asks_an_admin_socket, begin, end),
        cmocka_unit_test_setup_teardown(sets_and_commits_at_haproxy, begin, end),
        cmocka_unit_test_setup_teardown(haproxy_may_refuse_either, begin, end),
        cmocka_unit_test_setup_teardown(is_content_with_what_it_sees_first, begin, end),
        cmocka_unit_test_setup_teardown(looks_again_until_it_is_so, begin, end),
        cmocka_unit_test_setup_teardown(gives_up_when_its_time_is_over, begin, end),
        cmocka_unit_test_setup_teardown(gives_up_where_nothing_can_be_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(sees_that_it_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(a_handshake_has_a_part_of_the_time, begin, end),
        cmocka_unit_test_setup_teardown(ends_what_is_open_without_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(finds_the_leaf_in_whatever_is_there, begin, end),
    };

    return cmocka_run_group_tests_name("application", tests, NULL, NULL);
}
