/* countersign console - the certificate topology in a browser, served to this machine alone. The page is
 * shown, the controller asked, and statements signed by this process, in the name of the operator who started
 * it. */
#include "controller/cli/console_forward.h"
#include "controller/cli/console_guard.h"
#include "controller/cli/console_open.h"
#include "controller/cli/console_signer.h"
#include "controller/cli/keep.h"
#include "controller/cli/known.h"
#include "controller/cli/nouns.h"

#include "controller/console/pages.h"
#include "shared/net/server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MOST = 128,
    STREAMS_MOST = 128,
    /* For calls under way when the program ends. */
    GRACE_MS = 200,
    LINK_BYTES = 128,
    /* Checkpoints of the audit are a file that is read each time. */
    KEEP_EVERY_MS = 10 * 1000,
    /* Of devices that were seen there are many, one after the other. */
    SAVE_EVERY_MS = 1000,
};

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

struct console {
    struct cli *cli;
    const char *operator; /* NULL: nobody in particular */
    uv_loop_t *loop;      /* the connection's */
    struct cs_registry *registry;
    struct cs_server *server; /* NULL once it has closed */
    struct cs_web_guard web_guard;
    struct cli_console_guard guard;
    struct cli_links links;
    struct cli_forwarder *forwarder;
    struct cli_console_signing *signing;
    struct cli_console_opening opening;
    uv_signal_t signals[CS_ARRAY_LEN(signals)];
    uv_timer_t idle;
    uv_poll_t terminal;
    bool has_terminal;
    uint64_t idle_ms; /* 0: never */
    uint64_t keep_again_ms, save_again_ms;
    unsigned handles; /* that are open */
    bool stop, wants_link;
};

/* ---- who signs */

static int load_key(struct console *console, struct cs_err *err)
{
    struct cli *cli = console->cli;
    char path[PATH_MAX];
    struct cs_err why;
    int rc;

    if (!console->operator)
        return CS_OK;
    rc = cli_home_operator_key(&cli->home, console->operator, path, err);
    if (rc != CS_OK)
        return rc;
    rc = cli_load_key(cli, path, &cli->key, &why);
    if (rc == CS_OK || rc == CS_ENOTFOUND)
        return CS_OK;
    *err = why;
    return rc;
}

/* What the person at the terminal should know of it. */
static void tell_who(const struct console *console)
{
    const struct cli *cli = console->cli;
    const countersign_v1_Operator *who =
        console->operator? cs_policy_operator(cli->policy, console->operator) : NULL;
    bool known = false;

    for (pb_size_t i = 0; who && cli->key && i < who->keys_count; i++)
        known |= cs_slice_eq(CS_PB_BYTES(&who->keys[i].spki), cs_key_spki(cli->key));
    if (known)
        fprintf(stderr,
                "What the page signs is signed by %s, with the key that is open here until this ends.\n",
                console->operator);
    else if (!console->operator)
        fputs("The page signs nothing: with --as NAME it signs with that operator's key.\n", stderr);
    else if (!who)
        fprintf(stderr, "The page signs nothing: the trust policy has no operator %s.\n", console->operator);
    else if (!cli->key)
        fprintf(stderr, "The page signs nothing: there is no key of %s in %s.\n", console->operator,
                cli->home.keys);
    else
        fprintf(stderr,
                "The page signs nothing: the key here is not the one that the trust policy "
                "has for %s.\n",
                console->operator);
}

/* ---- how long */

static void on_idle(uv_timer_t *timer)
{
    struct console *console = timer->data;

    fputs("Nothing was asked for so long as --idle says: the console ends\n", stderr);
    console->stop = true;
}

/* By the operator's own page. Strangers reach the page and OpenLink, too: they would keep it open for good.
 */
static void was_used(struct console *console)
{
    if (console->idle_ms && !console->stop)
        uv_timer_start(&console->idle, on_idle, console->idle_ms, 0);
}

/* ---- links */

static int show_link(struct console *console, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    uint8_t random[CLI_LINK_BYTES];
    char text[CLI_LINK_TEXT_BYTES], link[LINK_BYTES];
    struct cs_err why;
    int rc;

    console->wants_link = false;
    cs_random(random, sizeof random);
    cli_links_renew(&console->links, random, text);
    cs_wipe(random, sizeof random);
    snprintf(link, sizeof link, "http://127.0.0.1:%u/#link=%s", (unsigned)console->guard.port, text);
    cli_field(doc, "link", "Console", cli_text(link));
    cli_hint(doc, console->has_terminal ? "Good for one use. Enter makes another one, Ctrl-C ends"
                                        : "Good for one use. Ctrl-C ends");
    rc = cli_write(console->cli, doc, err);
    fflush(stdout);
    if (rc == CS_OK && !cli_args_flag(&console->cli->args, "no-open") &&
        cli_console_open(&console->opening, console->loop, &console->cli->home, link, &why) != CS_OK)
        fprintf(stderr, "countersign: no browser was opened: %s\n", why.msg);
    cs_wipe(text, sizeof text);
    cs_wipe(link, sizeof link);
    return rc;
}

static void on_opened(void *owner)
{
    struct console *console = owner;

    cli_console_opened(&console->opening);
    was_used(console);
}

/* ---- events: they only take note of what the top of the loop is to do */

static void on_signal(uv_signal_t *signal, int number)
{
    struct console *console = signal->data;

    (void)number;
    console->stop = true;
}

static void on_terminal(uv_poll_t *poll, int status, int events)
{
    struct console *console = poll->data;
    char bytes[256];
    ssize_t count;

    (void)events;
    /* A shell's background is not to be stopped for reading. */
    if (status == 0 && tcgetpgrp(STDIN_FILENO) != getpgrp())
        return;
    count = status == 0 ? read(STDIN_FILENO, bytes, sizeof bytes) : -1;
    if (count > 0)
        console->wants_link |= memchr(bytes, '\n', (size_t)count) != NULL;
    else if (status < 0 || count == 0 || (errno != EINTR && errno != EAGAIN))
        uv_poll_stop(poll);
}

static enum cs_status on_request(void *owner, struct cs_slice method, struct cs_slice path,
                                 const struct cs_metadata_list *headers, struct cs_err *err)
{
    struct console *console = owner;
    enum cs_status status = cli_console_check(&console->guard, method, path, headers, err);

    if (status == CS_STATUS_OK && cli_console_has_token(&console->guard, headers))
        was_used(console);
    return status;
}

/* ---- life */

static void opened(struct console *console, uv_handle_t *handle)
{
    handle->data = console;
    console->handles++;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct console *console = handle->data;

    console->handles--;
}

static int watch_for_the_end(struct console *console, struct cs_err *err)
{
    int64_t idle_s;
    int rc = cli_duration(console->cli, "idle", 0, &idle_s, err);

    if (rc != CS_OK)
        return rc;
    console->idle_ms = (uint64_t)idle_s * 1000;
    for (size_t i = 0; i < CS_ARRAY_LEN(signals); i++) {
        uv_signal_init(console->loop, &console->signals[i]);
        opened(console, (uv_handle_t *)&console->signals[i]);
        uv_signal_start(&console->signals[i], on_signal, signals[i]);
    }
    uv_timer_init(console->loop, &console->idle);
    opened(console, (uv_handle_t *)&console->idle);
    was_used(console);
    if (isatty(STDIN_FILENO) && uv_poll_init(console->loop, &console->terminal, STDIN_FILENO) == 0) {
        console->has_terminal = true;
        opened(console, (uv_handle_t *)&console->terminal);
        uv_poll_start(&console->terminal, UV_READABLE, on_terminal);
    }
    return CS_OK;
}

static int read_port(struct console *console, uint16_t *ret, struct cs_err *err)
{
    const char *text = cli_args_option(&console->cli->args, "port");
    unsigned long number = 0;
    char *end = NULL;

    errno = 0;
    if (text)
        number = strtoul(text, &end, 10);
    if (text && (errno || *text < '0' || *text > '9' || *end || number > UINT16_MAX))
        return cli_usage(console->cli, err,
                         "--port is a number from 1 to 65535; 0 or nothing: any that is free");
    *ret = (uint16_t)number;
    return CS_OK;
}

static int listen_here(struct console *console, uint16_t port, struct cs_err *err)
{
    const struct cli_console_signing_options signing = {
        .cli = console->cli,
        .operator= console->operator,
        .links = & console->links,
        .on_opened = on_opened,
        .owner = console,
    };
    struct cs_server_options options = {
        .max_connections = CONNECTIONS_MOST,
        .max_streams = STREAMS_MOST,
        .http1 = true,
        .web = {.connect = true, .otherwise = &ctl_pages_of_console, .guard = &console->web_guard},
        .owner = console,
    };
    int rc = cs_registry_new(&console->registry, err);

    if (rc == CS_OK)
        rc = cli_forwarder_new(console->cli, console->registry, &console->forwarder, err);
    if (rc == CS_OK)
        rc = cli_console_signing_new(&signing, console->registry, &console->signing, err);
    options.registry = console->registry;
    console->guard.links = &console->links;
    console->web_guard = (struct cs_web_guard){on_request, console};
    if (rc == CS_OK)
        rc = cs_server_new(console->loop, &options, &console->server, err);
    if (rc == CS_OK)
        rc = cs_server_listen_tcp(console->server, "127.0.0.1", port, false, &console->guard.port, err);
    return rc;
}

static int start(struct console *console, struct cs_err *err)
{
    const struct cs_policy *policy;
    struct cli_rpc *rpc;
    uint16_t port;
    int rc = read_port(console, &port, err);

    if (rc == CS_OK && !ctl_pages_are_built())
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "this program was built without the console's pages, which takes Node: see "
                          "toolchain/README.md");
    if (rc == CS_OK)
        rc = cli_operator(console->cli, &console->operator, err);
    /* Before anything that may want to sign in with it: its passphrase is asked for once. */
    if (rc == CS_OK)
        rc = load_key(console, err);
    if (rc == CS_OK)
        rc = cli_policy(console->cli, &policy, err);
    if (rc == CS_OK)
        rc = cli_connection(console->cli, &rpc, err);
    if (rc != CS_OK)
        return rc;
    console->loop = cli_rpc_loop(rpc);
    rc = watch_for_the_end(console, err);
    if (rc == CS_OK)
        rc = listen_here(console, port, err);
    if (rc == CS_OK)
        tell_who(console);
    return rc == CS_OK ? show_link(console, err) : rc;
}

/* After a change, as every command does; once for those that come together. */
static void keep_checkpoint(struct console *console)
{
    struct cli *cli = console->cli;

    if (!cli->keep_checkpoint || uv_now(console->loop) < console->keep_again_ms)
        return;
    console->keep_again_ms = uv_now(console->loop) + KEEP_EVERY_MS;
    cli->signed_in_anew = false;
    cli_keep_after(cli);
}

/* Not at the end alone: that may come without a word. */
static void save_known(struct console *console)
{
    struct cli *cli = console->cli;
    struct cs_err err;

    if (!cli->known || !cli->known->changed || uv_now(console->loop) < console->save_again_ms)
        return;
    console->save_again_ms = uv_now(console->loop) + SAVE_EVERY_MS;
    if (cli_known_save(cli, &err) != CS_OK)
        fprintf(stderr, "countersign: warning: when devices were admitted was not kept: %s\n", err.msg);
}

static void run(struct console *console)
{
    struct cs_err err;

    while (!console->stop) {
        uv_run(console->loop, UV_RUN_ONCE);
        console->cli->now_s = time(NULL);
        if (cli_forwarder_waits(console->forwarder))
            cli_forwarder_run(console->forwarder);
        if (cli_console_signing_waits(console->signing))
            cli_console_signing_run(console->signing);
        if (console->wants_link && !console->stop && show_link(console, &err) != CS_OK)
            fprintf(stderr, "countersign: %s\n", err.msg);
        keep_checkpoint(console);
        save_known(console);
    }
}

static void on_server_closed(void *owner)
{
    struct console *console = owner;

    console->server = NULL;
}

/* In any state that start() may have left behind. */
static void stop(struct console *console)
{
    console->stop = true;
    if (console->server)
        cs_server_close(console->server, GRACE_MS, on_server_closed);
    while (console->server)
        uv_run(console->loop, UV_RUN_ONCE);
    cli_forwarder_free(console->forwarder);
    cli_console_signing_free(console->signing);
    cs_registry_free(console->registry);
    cli_console_open_close(&console->opening);
    if (console->handles) {
        for (size_t i = 0; i < CS_ARRAY_LEN(signals); i++)
            uv_close((uv_handle_t *)&console->signals[i], on_handle_closed);
        uv_close((uv_handle_t *)&console->idle, on_handle_closed);
        if (console->has_terminal)
            uv_close((uv_handle_t *)&console->terminal, on_handle_closed);
    }
    while (console->handles || console->opening.is_running)
        uv_run(console->loop, UV_RUN_ONCE);
}

int cli_console_run(struct cli *cli, struct cs_err *err)
{
    struct console *console = CLI_NEW(struct console, err);
    int rc;

    if (!console)
        return CS_ENOMEM;
    console->cli = cli;
    rc = start(console, err);
    if (rc == CS_OK)
        run(console);
    stop(console);
    cs_wipe(console, sizeof *console);
    free(console);
    return rc;
}
