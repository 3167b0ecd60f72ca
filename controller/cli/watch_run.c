/* countersign watch - what there is, and what changes, until it is stopped. On a terminal a picture that is
 * drawn anew; elsewhere the rows, and then each row again that changed. The controller says when to look
 * (watch.h); without that, this looks every second. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"
#include "controller/cli/watch.h"

#include "shared/base/text.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Rows that are looked at: the newest, or the first. AROUND: lines of the picture that are none of them. */
enum { ROWS_MOST = 200, ROWS_LEAST = 3, AROUND = 4, BLIND_PAUSE_MS = 1000, GLANCE_MS = 250, LOOKS_S = 30 };

/* Alternate screen, no cursor, long lines cut by the terminal; and back. */
#define SCREEN_ON  "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_OFF "\033[?7h\033[?25h\033[?1049l"

static volatile sig_atomic_t stopped, resized;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else
        stopped = 1;
}

struct watching;

/* What can be watched. `fill` adds at most so many rows. */
struct view {
    const char *word, *title;
    const struct cli_column *columns;
    size_t column_count;
    int (*fill)(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err);
};

struct watching {
    struct cli *cli;
    const struct view *view;
    uint64_t request_number;
    countersign_v1_Certificate *certificate;
    struct cli_watch *watch; /* NULL: none can be had */
    struct cli_doc *before;  /* the last picture */
    struct cli_doc *lines;   /* elsewhere than on a terminal: what is written of it */
    int64_t until_s;         /* 0: until it is stopped */
    bool live;
};

/* ---- the views */

static const struct cli_column request_columns[] = {
    {"request", "REQUEST", CLI_ID},  {"certificate", "CERTIFICATE", 0},     {"state", "STATE", 0},
    {"orders", "ORDERS", CLI_RIGHT}, {"completed", "COMPLETED", CLI_RIGHT}, {"failed", "FAILED", CLI_RIGHT},
    {"requester", "REQUESTER", 0},
};

static int fill_requests(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListRequestsResponse, err);
    countersign_v1_ListRequestsRequest ask = {0};
    size_t count = 0;

    if (!reply)
        return CS_ENOMEM;
    do {
        int rc = cli_call(w->cli, &cli_rpc_ListRequests, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->requests_count && count < most; i++, count++) {
            const countersign_v1_Request *r = &reply->requests[i];
            char number[CLI_TEXT_BYTES];

            CLI_ROW(doc, cli_text(cli_show_request_number(r->number, number)), cli_text(r->certificate_name),
                    cli_tinted(cli_show_state_word(r->state), cli_show_state_tint(r->state)),
                    cli_number(r->order_count), cli_number(r->completed), cli_number(r->failed),
                    cli_text(r->requester));
            ask.before_number = r->number;
        }
    } while (reply->more && reply->requests_count && count < most);
    return CS_OK;
}

static const struct cli_column order_columns[] = {
    {"order", "ORDER", CLI_ID},    {"request", "REQUEST", 0}, {"device", "DEVICE", 0},
    {"connector", "CONNECTOR", 0}, {"state", "STATE", 0},     {"reason", "REASON", 0},
};

/* Of all requests, or of one. */
static int fill_orders(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListOrdersResponse *reply = CLI_NEW(countersign_v1_ListOrdersResponse, err);
    countersign_v1_ListOrdersRequest ask = {.request_number = w->request_number};
    size_t count = 0;

    if (!reply)
        return CS_ENOMEM;
    do {
        int rc = cli_call(w->cli, &cli_rpc_ListOrders, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->orders_count && count < most; i++, count++) {
            const countersign_v1_Order *o = &reply->orders[i];
            char number[CLI_TEXT_BYTES], request[CLI_TEXT_BYTES];

            CLI_ROW(doc, cli_text(cli_show_order_number(o->number, number)),
                    cli_text(cli_show_request_number(o->request_number, request)), cli_text(o->device_name),
                    cli_text(o->connector),
                    cli_tinted(cli_show_order_state(o), cli_show_state_tint(o->state)), cli_text(o->reason));
            ask.before_number = o->number;
        }
    } while (reply->more && reply->orders_count && count < most);
    return CS_OK;
}

static const struct cli_column certificate_columns[] = {
    {"common_name", "COMMON NAME", 0},
    {"id", "ID", CLI_ID},
    {"colour", "COLOUR", 0},
    {"not_after", "VALID UNTIL", 0},
    {"attachments", "CONNECTORS", CLI_RIGHT},
};

/* The worst first. */
static int fill_certificates(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListCertificatesRequest *ask =
        CLI_NEW(countersign_v1_ListCertificatesRequest, err);
    cs_auto_free countersign_v1_ListCertificatesResponse *reply =
        CLI_NEW(countersign_v1_ListCertificatesResponse, err);
    size_t count = 0;

    if (!ask || !reply)
        return CS_ENOMEM;
    ask->sort = countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR;
    do {
        int rc = cli_call(w->cli, &cli_rpc_ListCertificates, ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->certificates_count && count < most; i++, count++) {
            const countersign_v1_Certificate *c = &reply->certificates[i];

            CLI_ROW(doc, cli_text(c->common_name), cli_hex(CS_PB_BYTES(&c->id)),
                    cli_tinted(cli_show_colour_word(c->colour), cli_show_colour_tint(c->colour)),
                    cli_time(c->not_after_s), cli_number(c->attachments));
        }
        CS_PB_SET(&ask->page_token, CS_PB_BYTES(&reply->next_page_token));
    } while (reply->more && reply->next_page_token.size && count < most);
    return CS_OK;
}

static const struct cli_column device_columns[] = {
    {"name", "DEVICE", CLI_ID},
    {"state", "STATE", 0},
    {"address", "ADDRESS", 0},
    {"agent_version", "AGENT", 0},
};

static int fill_devices(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListDevicesResponse *reply = CLI_NEW(countersign_v1_ListDevicesResponse, err);
    countersign_v1_ListDevicesRequest ask = {0};
    size_t count = 0;

    if (!reply)
        return CS_ENOMEM;
    do {
        int rc = cli_call(w->cli, &cli_rpc_ListDevices, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->devices_count && count < most; i++, count++) {
            const countersign_v1_Device *d = &reply->devices[i];

            CLI_ROW(doc, cli_text(d->name), cli_tinted(cli_show_presence(d), cli_show_presence_tint(d)),
                    cli_text(d->address), cli_text(d->agent_version));
            memcpy(ask.after_name, d->name, sizeof ask.after_name);
        }
    } while (reply->more && reply->devices_count && count < most);
    return CS_OK;
}

static const struct cli_column topology_columns[] = {
    {"target", "CONNECTOR", CLI_ID}, {"connected", "CONNECTED", 0}, {"sync", "SYNC", 0},
    {"colour", "COLOUR", 0},         {"order", "ORDER", 0},         {"state", "STATE", 0},
    {"reason", "REASON", 0},
};

static int fill_topology(struct watching *w, struct cli_doc *doc, size_t most, struct cs_err *err)
{
    struct cli_topology topology = {0};
    int rc = cli_fetch_topology(w->cli, CS_PB_BYTES(&w->certificate->id), &topology, NULL, err);

    for (size_t i = 0; rc == CS_OK && i < topology.count && i < most; i++) {
        const countersign_v1_TopologyRow *row = &topology.rows[i];
        char target[CLI_TEXT_BYTES], number[CLI_TEXT_BYTES];

        CLI_ROW(doc, cli_text(cli_show_target(row->device_name, row->connector, target)),
                cli_bool(row->connected),
                cli_tinted(cli_show_sync_word(row->sync), cli_show_sync_tint(row->sync)),
                cli_tinted(cli_show_colour_word(row->colour), cli_show_colour_tint(row->colour)),
                cli_text(row->order.number ? cli_show_order_number(row->order.number, number) : ""),
                row->order.number
                    ? cli_tinted(cli_show_order_state(&row->order), cli_show_state_tint(row->order.state))
                    : cli_text("not pushed yet"),
                cli_text(row->order.reason));
    }
    cli_topology_free(&topology);
    return rc;
}

#define VIEW(word, title, columns, fill)                                                                     \
    {                                                                                                        \
        (word), (title), (columns), CS_ARRAY_LEN(columns), (fill)                                            \
    }
static const struct view views[] = {
    VIEW("requests", "push requests, newest first", request_columns, fill_requests),
    VIEW("orders", "work orders, newest first", order_columns, fill_orders),
    VIEW("certificates", "certificates, worst first", certificate_columns, fill_certificates),
    VIEW("devices", "devices", device_columns, fill_devices),
};
static const struct view request_view = VIEW("orders", "work orders", order_columns, fill_orders);
static const struct view topology_view =
    VIEW("connectors", "app connectors", topology_columns, fill_topology);

/* ---- looking */

static struct cli_doc *new_table(const struct view *view)
{
    struct cli_doc *doc = cli_doc_new();

    cli_table(doc, view->word, view->columns, view->column_count, NULL);
    return doc;
}

static size_t rows_that_fit(const struct watching *w)
{
    struct winsize size = {0};

    if (!w->live || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < AROUND + ROWS_LEAST)
        return w->live ? ROWS_LEAST : ROWS_MOST;
    return size.ws_row - AROUND < ROWS_MOST ? size.ws_row - AROUND : ROWS_MOST;
}

/* In one write, over what is there: nothing flickers. */
static int draw(struct watching *w, const struct cli_doc *doc, const char *note, struct cs_err *err)
{
    struct cli_style style = cli_style_of(stdout, w->cli->style.format);
    char *text = NULL, now[CS_TIME_TEXT_BYTES];
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    int rc;

    if (!memory)
        return cs_err_nomem(err);
    rc = cli_doc_write(doc, memory, style, err);
    fclose(memory);
    if (rc == CS_OK) {
        fputs("\033[H", stdout);
        printf("%s%s%s  %s  (Ctrl-C ends)\033[K\n%s\033[K\n\033[K\n", cli_tint_on(style, CLI_BOLD),
               w->view->title, cli_tint_off(style, CLI_BOLD), cs_time_text(time(NULL), now), note);
        for (const char *at = text; *at;) {
            size_t line = strcspn(at, "\n");

            printf("%.*s\033[K%s", (int)line, at, at[line] ? "\n" : "");
            at += line + (at[line] == '\n');
        }
        fputs("\033[J", stdout);
        fflush(stdout);
    }
    free(text);
    return rc;
}

/* What is there now, compared with what was. */
static int look(struct watching *w, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *now = new_table(w->view);
    int rc = w->view->fill(w, now, rows_that_fit(w), err);

    /* On a terminal somebody waits until the controller is there again. */
    if (rc != CS_OK && w->live && w->before && cli_rpc_unreachable(w->cli->rpc)) {
        w->cli->failure = CLI_REFUSED;
        return draw(w, w->before, "The controller does not answer: what stands here may be old.", err);
    }
    if (rc != CS_OK)
        return rc;
    if (w->live) {
        rc = draw(w, now, "", err);
    } else {
        cli_add_changed(w->lines, w->before, now);
        rc = cli_doc_flush(w->lines, stdout, w->cli->style, err);
    }
    cli_doc_free(w->before);
    w->before = cs_steal(now);
    return rc;
}

static bool is_over(const struct watching *w)
{
    return stopped || (w->until_s && time(NULL) >= w->until_s);
}

static void open_watch(struct watching *w)
{
    countersign_v1_WatchRequest request = {.request_number = w->request_number};
    struct cs_err ignored;

    if (w->certificate)
        CS_PB_SET(&request.certificate_id, CS_PB_BYTES(&w->certificate->id));
    if (cli_watch_open(w->cli, &request, &w->watch, &ignored) != CS_OK)
        w->watch = NULL;
}

/* Until something changed, or it is time to look all the same: dates pass, and devices come and go. */
static void pause_until_change(struct watching *w)
{
    static const struct timespec blind = {BLIND_PAUSE_MS / 1000, BLIND_PAUSE_MS % 1000 * 1000000L};
    struct cs_err ignored;
    cs_auto_free countersign_v1_WatchResponse *message = CLI_NEW(countersign_v1_WatchResponse, &ignored);
    time_t look_at = time(NULL) + LOOKS_S;

    if (!w->watch || !message) {
        nanosleep(&blind, NULL);
        return;
    }
    while (!is_over(w) && !resized && time(NULL) < look_at) {
        int rc = cli_watch_next(w->watch, GLANCE_MS, message, &ignored);

        if (rc == CS_OK && message->changes_count)
            break;
        if (rc != CS_OK && rc != CS_ETIMEOUT) {
            cli_watch_free(cs_steal(w->watch));
            open_watch(w);
            break;
        }
    }
    resized = 0;
}

static int watch(struct watching *w, struct cs_err *err)
{
    int rc;

    open_watch(w);
    if (w->live)
        fputs(SCREEN_ON, stdout);
    /* Once at least, however short the time and slow the controller. */
    do {
        rc = look(w, err);
        if (rc == CS_OK && !is_over(w))
            pause_until_change(w);
    } while (rc == CS_OK && !is_over(w));
    if (w->live) {
        fputs(SCREEN_OFF, stdout);
        fflush(stdout);
        if (rc == CS_OK && w->before)
            rc = cli_write(w->cli, w->before, err);
    }
    return rc;
}

/* ---- what is asked for */

static int find_view(struct watching *w, const char *what, struct cs_err *err)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(views); i++) {
        if (strcmp(what, views[i].word) == 0) {
            w->view = &views[i];
            return CS_OK;
        }
    }
    if (strncasecmp(what, "REQ-", 4) == 0 &&
        cli_args_number(what, "REQ-", &w->request_number, err) == CS_OK) {
        w->view = &request_view;
        return CS_OK;
    }
    w->view = &topology_view;
    return cli_fetch_certificate(w->cli, what, &w->certificate, err);
}

static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < CS_ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
}

int cli_watch_run(struct cli *cli, struct cs_err *err)
{
    const char *term = getenv("TERM");
    struct watching w = {
        .cli = cli,
        .live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !cli->style.json,
    };
    int64_t for_s;
    int rc = cli_duration(cli, "for", 0, &for_s, err);

    if (rc != CS_OK)
        return rc;
    if (cli->style.format == CLI_FORMAT_JSON)
        return cli_usage(cli, err,
                         "what is watched has no end: -o jsonl has a line for each row that changed");
    w.until_s = for_s ? time(NULL) + for_s : 0;
    rc = find_view(&w, cli->args.operand_count ? cli->args.operands[0] : "requests", err);
    if (rc == CS_OK) {
        w.lines = new_table(w.view);
        catch_signals();
        rc = watch(&w, err);
    }
    cli_watch_free(w.watch);
    cli_doc_free(w.before);
    cli_doc_free(w.lines);
    free(w.certificate);
    return rc;
}
