/* Looking which certificate a server has: servers of ours, of OpenSSL, and peers that are no servers. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/fake_peer.h"
#include "tests/support/folder.h"
#include "tests/support/pki.h"
#include "tests/support/port_loop.h"

#include "shared/net/tls.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    struct port_loop loop;
    struct pki ca, server_id;
    struct cs_tls_config *server;
    struct fake_peer peer;
    char folder[64];
};

static char local[] = "127.0.0.1";

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct cs_err err;

    if (!scene || cs_crypto_init(&err) != CS_OK)
        return -1;
    port_loop_begin(&scene->loop);
    scene->ca = pki_make_ca("Somebody's CA");
    scene->server_id = pki_make_server(&scene->ca);
    memcpy(scene->folder, "/tmp/cs-probe-XXXXXX", sizeof "/tmp/cs-probe-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    port_loop_end(&scene->loop);
    cs_tls_config_free(scene->server);
    pki_free(&scene->server_id);
    pki_free(&scene->ca);
    assert_true(folder_remove(scene->folder));
    free(scene);
    return 0;
}

/* ---- servers of ours */

static void make_server(struct scene *scene, bool demands_client)
{
    struct cs_err err;

    check_ok(cs_tls_config_new(&(struct cs_tls_options){.is_server = true,
                                                        .certificate = scene->server_id.chain,
                                                        .key = scene->server_id.key,
                                                        .anchors = demands_client ? scene->ca.chain : NULL,
                                                        .require_peer = demands_client},
                               &scene->server, &err),
             err);
}

/* Until the client ends it; whoever ends it without TLS's goodbye is complained of. */
static int serve(int fd, struct cs_tls_config *config, struct cs_buf *plain)
{
    struct cs_tls *tls = NULL;
    struct cs_err err;
    uint8_t bytes[2048];
    int code = cs_tls_new(config, NULL, &tls, &err);

    while (code == CS_OK) {
        ssize_t got = read(fd, bytes, sizeof bytes);

        code = got > 0 ? cs_tls_feed(tls, cs_slice(bytes, (size_t)got), plain, &err) : CS_EIO;
        struct cs_buf *pending = cs_tls_pending(tls);

        if (pending->len && send(fd, pending->ptr, pending->len, MSG_NOSIGNAL) < 0)
            code = CS_EIO;
        cs_buf_clear(pending);
    }
    cs_tls_free(tls);
    return code;
}

static void serve_politely(int fd, void *data)
{
    struct scene *scene = data;
    struct cs_buf plain = CS_BUF_EMPTY;

    if (serve(fd, scene->server, &plain) != CS_ECLOSED)
        _exit(1);
    cs_buf_free(&plain);
}

static void serve_impolitely(int fd, void *data)
{
    struct scene *scene = data;
    struct cs_buf plain = CS_BUF_EMPTY;

    (void)serve(fd, scene->server, &plain);
    cs_buf_free(&plain);
}

static void probe(struct scene *scene, uint16_t port, enum ag_starttls starttls, uint32_t timeout_ms)
{
    const struct ag_probe what = {.host = local, .port = port, .server_name = local, .starttls = starttls};

    port_loop_probe(&scene->loop, &what, timeout_ms);
}

static void check_served(const struct scene *scene)
{
    struct cs_digest wanted = cs_sha256(cs_chain_der(scene->server_id.chain, 0));

    if (!scene->loop.probe.served)
        fail_msg("not served: %s", scene->loop.probe.why);
    assert_true(cs_digest_eq(&scene->loop.probe.leaf, &wanted));
}

static void check_not_served(const struct scene *scene, const char *why)
{
    assert_false(scene->loop.probe.served);
    if (!strstr(scene->loop.probe.why, why))
        fail_msg("'%s' does not say '%s'", scene->loop.probe.why, why);
}

static void sees_the_leaf_and_leaves_politely(void **state)
{
    struct scene *scene = *state;
    const struct fake_peer_step steps[] = {{.kind = FAKE_DO, .act = serve_politely, .data = scene}, {0}};
    char host[] = "localhost", name[] = "gateway.example";
    struct ag_probe named = {.host = host, .server_name = name};

    make_server(scene, false);
    scene->peer = fake_peer_start(NULL, steps);
    probe(scene, scene->peer.port, AG_STARTTLS_NONE, 5000);
    check_served(scene);
    named.port = scene->peer.port;
    port_loop_probe(&scene->loop, &named, 5000);
    check_served(scene);
    named.server_name = NULL;
    port_loop_probe(&scene->loop, &named, 5000);
    check_served(scene);
    assert_true(fake_peer_stop(&scene->peer));
}

static void needs_no_client_certificate_where_one_is_demanded(void **state)
{
    struct scene *scene = *state;
    const struct fake_peer_step steps[] = {{.kind = FAKE_DO, .act = serve_impolitely, .data = scene}, {0}};

    make_server(scene, true);
    scene->peer = fake_peer_start(NULL, steps);
    probe(scene, scene->peer.port, AG_STARTTLS_NONE, 5000);
    check_served(scene);
    assert_true(fake_peer_stop(&scene->peer));
}

static void serve_quit(int fd, void *data)
{
    struct scene *scene = data;
    struct cs_buf plain = CS_BUF_EMPTY;

    if (serve(fd, scene->server, &plain) != CS_ECLOSED || !cs_slice_eq_str(cs_buf_slice(&plain), "QUIT\r\n"))
        _exit(1);
    cs_buf_free(&plain);
}

static void serve_logout(int fd, void *data)
{
    struct scene *scene = data;
    struct cs_buf plain = CS_BUF_EMPTY;

    if (serve(fd, scene->server, &plain) != CS_ECLOSED ||
        !cs_slice_eq_str(cs_buf_slice(&plain), "b LOGOUT\r\n"))
        _exit(1);
    cs_buf_free(&plain);
}

static void asks_mail_servers_for_tls_first(void **state)
{
    struct scene *scene = *state;
    const struct fake_peer_step smtp[] = {{.kind = FAKE_SEND, .text = "220-mx.example ESMTP\r\n220 "},
                                          {.kind = FAKE_SEND, .text = "welcome\r\n"},
                                          {.kind = FAKE_EXPECT, .text = "EHLO localhost\r\n"},
                                          {.kind = FAKE_SEND, .text = "250-mx.example\r\n250-SIZE 1000\r\n"},
                                          {.kind = FAKE_SEND, .text = "250-StartTLS\r\n250 DSN\r\n"},
                                          {.kind = FAKE_EXPECT, .text = "STARTTLS\r\n"},
                                          {.kind = FAKE_SEND, .text = "220 go ahead\r\n"},
                                          {.kind = FAKE_DO, .act = serve_quit, .data = scene},
                                          {0}};
    const struct fake_peer_step imap[] = {
        {.kind = FAKE_SEND, .text = "* OK [CAPABILITY IMAP4rev1] hello\r\n"},
        {.kind = FAKE_EXPECT, .text = "a STARTTLS\r\n"},
        {.kind = FAKE_SEND, .text = "* CAPABILITY more\r\na OK begin\r\n"},
        {.kind = FAKE_DO, .act = serve_logout, .data = scene},
        {0}};

    make_server(scene, false);
    scene->peer = fake_peer_start(NULL, smtp);
    probe(scene, scene->peer.port, AG_STARTTLS_SMTP, 5000);
    check_served(scene);
    assert_true(fake_peer_stop(&scene->peer));
    scene->peer = fake_peer_start(NULL, imap);
    probe(scene, scene->peer.port, AG_STARTTLS_IMAP, 5000);
    check_served(scene);
    assert_true(fake_peer_stop(&scene->peer));
}

/* ---- peers that are no servers */

struct stranger {
    const char *says;
    enum ag_starttls starttls;
    struct fake_peer_step steps[4];
    uint32_t timeout_ms;
    const char *why;
};

#define SEND(what)                                                                                           \
    {                                                                                                        \
        .kind = FAKE_SEND, .text = what                                                                      \
    }
#define HANG                                                                                                 \
    {                                                                                                        \
        .kind = FAKE_HANG                                                                                    \
    }
#define FLOOD(what)                                                                                          \
    {                                                                                                        \
        .kind = FAKE_FLOOD, .text = what                                                                     \
    }

static void says_why_nothing_is_served(void **state)
{
    static const struct stranger cases[] = {
        {"hangs", AG_STARTTLS_NONE, {HANG}, 300, "did not answer within 0.3 s"},
        {"ends at once", AG_STARTTLS_NONE, {{.kind = FAKE_END}}, 5000, "during the TLS handshake"},
        {"breaks off", AG_STARTTLS_NONE, {{.kind = FAKE_RESET}}, 5000, "the connection"},
        {"plain HTTP",
         AG_STARTTLS_NONE,
         {SEND("HTTP/1.1 400 Bad Request\r\n"), HANG},
         5000,
         "does not speak TLS but something else"},
        {"half a record", AG_STARTTLS_NONE, {SEND("\x16\x03\x03"), HANG}, 300, "did not answer"},
        {"garbage",
         AG_STARTTLS_NONE,
         {SEND("\x16\x03\x03\x01\x01garbage"), FLOOD("garbage")},
         5000,
         "broke the rules"},
        {"a flood of records", AG_STARTTLS_NONE, {FLOOD("\x16\x03\x03\x11\x11\x02\x01")}, 5000, ""},
        {"a mail server that hangs", AG_STARTTLS_SMTP, {SEND("220-"), HANG}, 300, "did not answer"},
        {"a mail server that ends",
         AG_STARTTLS_SMTP,
         {SEND("220 hello\r\n"), {.kind = FAKE_EXPECT, .text = "EHLO localhost\r\n"}},
         5000,
         "ended the connection"},
        {"a mail server that is closed",
         AG_STARTTLS_SMTP,
         {SEND("554 no\033[2J service\r\n"), HANG},
         5000,
         "it says: 554 no service"},
        {"a mail server without TLS",
         AG_STARTTLS_SMTP,
         {SEND("220 hello\r\n"), {.kind = FAKE_EXPECT, .text = "EHLO"}, SEND("250-x\r\n250 DSN\r\n"), HANG},
         5000,
         "offers no STARTTLS"},
        {"a mail server that changes its mind",
         AG_STARTTLS_SMTP,
         {SEND("220 hello\r\n250 STARTTLS\r\n454 not now\r\n"), HANG},
         5000,
         "it says: 454 not now"},
        {"a mail server that says more",
         AG_STARTTLS_SMTP,
         {SEND("220 hello\r\n250 STARTTLS\r\n220 go\r\n250 smuggled\r\n"), HANG},
         5000,
         "more before TLS"},
        {"a mail server that never stops", AG_STARTTLS_SMTP, {FLOOD("220-hello\r\n")}, 5000, "says much"},
        {"a line that never stops", AG_STARTTLS_SMTP, {FLOOD("220-hello ")}, 300, "did not answer"},
        {"TLS without being asked",
         AG_STARTTLS_SMTP,
         {SEND("\x16\x03\x03\n"), HANG},
         5000,
         "does not begin TLS"},
        {"IMAP that is closed", AG_STARTTLS_IMAP, {SEND("* BYE\r\n"), HANG}, 5000, "it says: * BYE"},
        {"IMAP that knows everybody",
         AG_STARTTLS_IMAP,
         {SEND("* PREAUTH hello\r\n"), HANG},
         5000,
         "it says: * PREAUTH hello"},
        {"IMAP without TLS",
         AG_STARTTLS_IMAP,
         {SEND("* OK\r\n* x\r\na BAD what?\r\n"), HANG},
         5000,
         "it says: a BAD what?"},
        {"IMAP that leaves",
         AG_STARTTLS_IMAP,
         {SEND("* OK\r\n* BYE bye\r\n"), HANG},
         5000,
         "it says: * BYE bye"},
        {"IMAP that never stops",
         AG_STARTTLS_IMAP,
         {SEND("* OK\r\n"), FLOOD("* more\r\n")},
         5000,
         "says much"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        print_message("    %s\n", cases[i].says);
        scene->peer = fake_peer_start(NULL, cases[i].steps);
        probe(scene, scene->peer.port, cases[i].starttls, cases[i].timeout_ms);
        check_not_served(scene, cases[i].why);
        assert_true(fake_peer_stop(&scene->peer));
    }
    probe(scene, 1, AG_STARTTLS_NONE, 5000);
    check_not_served(scene, "connecting to 127.0.0.1:1: connection refused");
}

static void can_be_given_up_at_any_moment(void **state)
{
    struct scene *scene = *state;
    const struct fake_peer_step steps[] = {{.kind = FAKE_DO, .act = serve_impolitely, .data = scene}, {0}};
    struct ag_probe what = {.host = local};
    struct cs_err err;

    make_server(scene, false);
    scene->peer = fake_peer_start(NULL, steps);
    what.port = scene->peer.port;
    for (unsigned i = 0; i < 12; i++) {
        check_ok(
            scene->loop.port->probe(scene->loop.port, &what, 5000, port_loop_on_probe, &scene->loop, &err),
            err);
        for (unsigned turn = 0; turn < i; turn++)
            uv_run(&scene->loop.loop, UV_RUN_ONCE);
        scene->loop.port->stop(scene->loop.port);
    }
    assert_true(fake_peer_stop(&scene->peer));
}

static void probe_without_memory(void *data)
{
    struct scene *scene = data;
    struct ag_probe what = {.host = local, .port = scene->peer.port};
    struct cs_err err;
    int code = scene->loop.port->probe(scene->loop.port, &what, 5000, port_loop_on_probe, &scene->loop, &err);

    if (code) {
        assert_int_equal(code, CS_ENOMEM);
        return;
    }
    port_loop_until(&scene->loop, scene->loop.ended + 1);
    if (scene->loop.probe.served)
        check_served(scene);
    else
        assert_true(alloc_fail_happened());
}

static void survives_allocations_that_fail(void **state)
{
    struct scene *scene = *state;
    const struct fake_peer_step steps[] = {{.kind = FAKE_DO, .act = serve_impolitely, .data = scene}, {0}};

    make_server(scene, false);
    scene->peer = fake_peer_start(NULL, steps);
    probe_without_memory(scene); /* libuv's own tables have their size now */
    assert_true(alloc_fail_large(probe_without_memory, scene, 200) > 10);
    assert_true(alloc_fail_sample(probe_without_memory, scene, 100) > 50);
    assert_true(fake_peer_stop(&scene->peer));
}

/* ---- OpenSSL's */

static bool have_openssl(void)
{
    return system("openssl version >/dev/null 2>&1") == 0;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* `openssl s_server` with these options; what it says goes to the file "log". */
static pid_t start_openssl(const struct scene *scene, uint16_t port, const char *options)
{
    char command[512], text[256];

    snprintf(
        command, sizeof command,
        "cd %s && exec openssl s_server -www -accept 127.0.0.1:%u -key key.pem -cert cert.pem %s >log 2>&1",
        scene->folder, port, options);
    snprintf(text, sizeof text, "%s/log", scene->folder);
    (void)!unlink(text);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    snprintf(text, sizeof text, "grep -q ^ACCEPT %s/log 2>/dev/null", scene->folder);
    for (int i = 0; i < 500 && system(text) != 0; i++)
        usleep(10000);
    return pid;
}

static void make_openssl_certificate(const struct scene *scene, const char *key, struct cs_digest *ret)
{
    char command[512];
    uint8_t room[4096];

    snprintf(
        command, sizeof command,
        "cd %s && openssl req -x509 -newkey %s -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=other "
        "2>/dev/null && openssl x509 -in cert.pem -outform DER -out cert.der",
        scene->folder, key);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/cert.der", scene->folder);
    FILE *file = fopen(command, "re");

    assert_non_null(file);
    *ret = cs_sha256(cs_slice(room, fread(room, 1, sizeof room, file)));
    fclose(file);
}

static void probes_servers_of_openssl(void **state)
{
    static const char p256[] = "ec -pkeyopt ec_paramgen_curve:P-256";
    static const struct {
        const char *says, *key, *options;
        const char *why; /* NULL: it is served */
    } cases[] = {
        {"P-256", p256, "", NULL},
        {"P-384", "ec -pkeyopt ec_paramgen_curve:P-384", "", NULL},
        {"RSA of 2048 bits", "rsa:2048", "", NULL},
        {"RSA of 3072 bits, X25519 first", "rsa:3072", "-groups X25519:P-256", NULL},
        {"a demand for a client's certificate", p256, "-Verify 1 -verify_return_error", NULL},
        {"TLS 1.2", p256, "-no_tls1_3", NULL},
        {"TLS 1.2, P-384 and a demand for a client's certificate", "ec -pkeyopt ec_paramgen_curve:P-384",
         "-no_tls1_3 -Verify 1 -verify_return_error", NULL},
        {"TLS 1.2, RSA", "rsa:2048", "-no_tls1_3", NULL},
        {"TLS 1.2, RSA by PKCS #1", "rsa:2048", "-no_tls1_3 -sigalgs RSA+SHA256", NULL},
        {"TLS 1.2, nothing signed", "rsa:2048", "-no_tls1_3 -cipher AES128-GCM-SHA256", "nothing in common"},
        {"TLS 1.1", "rsa:2048", "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "too old to be looked at"},
        {"Ed25519", "ed25519", "", "nothing in common"},
        {"no curve in common", p256, "-groups X448", "nothing in common"},
    };
    struct scene *scene = *state;

    if (!have_openssl()) {
        print_message("    skipped: there is no openssl here\n");
        return;
    }
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_digest wanted;
        uint16_t port = free_port();
        char check[256];

        print_message("    %s\n", cases[i].says);
        make_openssl_certificate(scene, cases[i].key, &wanted);
        pid_t pid = start_openssl(scene, port, cases[i].options);

        probe(scene, port, AG_STARTTLS_NONE, 5000);
        if (cases[i].why) {
            check_not_served(scene, cases[i].why);
        } else {
            if (!scene->loop.probe.served)
                fail_msg("not served: %s", scene->loop.probe.why);
            assert_true(cs_digest_eq(&scene->loop.probe.leaf, &wanted));
        }
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        snprintf(check, sizeof check, "grep -i error %s/log", scene->folder);
        /* One of TLS 1.2 hears no end of its handshake. */
        if (!cases[i].why && !strstr(cases[i].options, "-Verify") && !strstr(cases[i].options, "-no_tls1_3"))
            assert_int_not_equal(system(check), 0);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(sees_the_leaf_and_leaves_politely), CASE(needs_no_client_certificate_where_one_is_demanded),
        CASE(asks_mail_servers_for_tls_first),   CASE(says_why_nothing_is_served),
        CASE(can_be_given_up_at_any_moment),     CASE(survives_allocations_that_fail),
        CASE(probes_servers_of_openssl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
