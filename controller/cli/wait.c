/* countersign wait - until every work order of a request has ended. Looks when the controller says that the
 * request changed, and now and then without that. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/progress.h"
#include "controller/cli/show.h"
#include "controller/cli/watch.h"

#include <time.h>
#include <unistd.h>

/* A look at a large request takes long: what changes in this time is looked at together. */
enum { GATHER_MS = 50, LONGEST_PAUSE_MS = 1000, BLIND_PAUSE_MS = 250 };

/* A controller that is started anew is back soon; one that is away for longer is a failure. */
enum { AWAY_MOST_S = 60 };

/* The orders of so many are told one by one; of more only how many. */
enum { FEW_ORDERS = 20 };

struct waiting {
    struct cli *cli;
    uint64_t number;
    int64_t since_s, until_s;                 /* until_s 0: as long as it takes */
    countersign_v1_GetRequestResponse *reply; /* the newest */
    countersign_v1_Order *orders;             /* as they were last told; few */
    size_t order_count;
    bool looked;        /* the controller has answered before */
    bool live;          /* a line that changes, on a terminal */
    struct cs_buf said; /* the last line that was written where nothing can be changed */
};

/* What changed since the last look, a line each, for a person who waits. */
static void tell_changes(const countersign_v1_Order *before, size_t before_count,
                         const countersign_v1_Order *now, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i >= before_count ||
            strcmp(cli_show_order_state(&before[i]), cli_show_order_state(&now[i])) != 0) {
            char number[CLI_TEXT_BYTES], target[CLI_TEXT_BYTES];
            struct cs_buf state = CS_BUF_EMPTY;

            if (cli_clean(cs_slice_str(cli_show_order_state(&now[i])), &state) == CS_OK)
                fprintf(stderr, "%s  %s  %.*s\n", cli_show_order_number(now[i].number, number),
                        cli_show_target(now[i].device_name, now[i].connector, target), (int)state.len,
                        (const char *)state.ptr);
            cs_buf_free(&state);
        }
}

/* NULL where the controller gives no stream: then this waits without knowing for what. */
static struct cli_watch *open_watch(struct cli *cli, uint64_t request_number)
{
    countersign_v1_WatchRequest request = {.request_number = request_number};
    struct cli_watch *watch = NULL;
    struct cs_err err;

    return cli_watch_open(cli, &request, &watch, &err) == CS_OK ? watch : NULL;
}

static void wait_for_change(struct cli_watch **watch)
{
    static const struct timespec blind = {0, BLIND_PAUSE_MS * 1000000L};
    cs_auto_free countersign_v1_WatchResponse *message = NULL;
    struct cs_err err;
    int rc;

    message = *watch ? CLI_NEW(countersign_v1_WatchResponse, &err) : NULL;
    if (!message) {
        nanosleep(&blind, NULL);
        return;
    }
    rc = cli_watch_next(*watch, LONGEST_PAUSE_MS, message, &err);
    for (unsigned i = 0; rc == CS_OK && i < LONGEST_PAUSE_MS / GATHER_MS; i++)
        rc = cli_watch_next(*watch, GATHER_MS, message, &err);
    if (rc != CS_OK && rc != CS_ETIMEOUT)
        cli_watch_free(cs_steal(*watch));
}

/* One look at the request; at its orders only if they are few, however many it has. */
static int look(struct waiting *w, struct cs_err *err)
{
    countersign_v1_GetRequestRequest ask = {.number = w->number};
    countersign_v1_Order *orders = NULL;
    size_t count = 0;
    int rc = cli_call(w->cli, &cli_rpc_GetRequest, &ask, w->reply, err);

    if (rc != CS_OK || !w->live || w->reply->request.order_count > FEW_ORDERS)
        return rc;
    rc = cli_fetch_orders(w->cli, w->number, &orders, &count, err);
    if (rc != CS_OK)
        return rc;
    fputs("\r\033[K", stderr);
    tell_changes(w->orders, w->order_count, orders, count);
    free(w->orders);
    w->orders = orders;
    w->order_count = count;
    return CS_OK;
}

/* On a terminal one line that is written over; elsewhere a line whenever something changed. */
static void show_progress(struct waiting *w)
{
    const countersign_v1_Request *request = &w->reply->request;
    struct cli_progress progress = {.orders = request->order_count,
                                    .completed = request->completed,
                                    .failed = request->failed,
                                    .state = cli_show_state_word(request->state),
                                    .elapsed_s = w->live ? time(NULL) - w->since_s : 0};
    struct cs_buf line = CS_BUF_EMPTY;
    size_t width = cli_style_of(stderr, CLI_FORMAT_TABLE).width;

    if (cli_progress_line(&progress, w->live && width ? width - 1 : 0, &line) != CS_OK) {
        cs_buf_free(&line);
        return;
    }
    if (w->live)
        fprintf(stderr, "\r%.*s\033[K", (int)line.len, (const char *)line.ptr);
    else if (!cs_slice_eq(cs_buf_slice(&line), cs_buf_slice(&w->said)))
        fprintf(stderr, "REQ-%llu: %u of %u ended, %u failed  %s\n", (unsigned long long)w->number,
                request->completed + request->failed, request->order_count, request->failed, progress.state);
    fflush(stderr);
    cs_buf_free(&w->said);
    w->said = line;
}

/* The controller went away after it had answered, and not for long yet. */
static bool may_come_back(struct waiting *w, int64_t *away_since_s)
{
    static const struct timespec pause = {0, BLIND_PAUSE_MS * 1000000L};

    if (!w->looked || !w->cli->rpc || !cli_rpc_unreachable(w->cli->rpc))
        return false;
    if (!*away_since_s)
        *away_since_s = time(NULL);
    if (time(NULL) - *away_since_s > AWAY_MOST_S || (w->until_s && time(NULL) >= w->until_s))
        return false;
    nanosleep(&pause, NULL);
    return true;
}

static int wait_until(struct waiting *w, struct cs_err *err)
{
    cs_auto(cli_watch_freep) struct cli_watch *watch = open_watch(w->cli, w->number);
    const enum cli_exit failure = w->cli->failure;
    bool talks = !cli_args_flag(&w->cli->args, "quiet");
    int64_t away_since_s = 0;

    for (;;) {
        int rc = look(w, err);

        if (rc != CS_OK && may_come_back(w, &away_since_s))
            continue;
        if (rc != CS_OK)
            return rc;
        w->looked = true;
        away_since_s = 0;
        w->cli->failure = failure;
        if (talks)
            show_progress(w);
        if (cli_show_state_ended(w->reply->request.state))
            return CS_OK;
        if (w->until_s && time(NULL) >= w->until_s) {
            w->cli->failure = CLI_TIMED_OUT;
            return cs_err_set(err, CS_ETIMEOUT,
                              "REQ-%llu has not ended within --timeout: countersign request show REQ-%llu",
                              (unsigned long long)w->number, (unsigned long long)w->number);
        }
        wait_for_change(&watch);
    }
}

/* The state of the request is that of its least advanced order: once it has ended, all have. */
static int wait_for_end(struct cli *cli, uint64_t number, int64_t timeout_s, struct cs_err *err)
{
    const char *term = getenv("TERM");
    struct waiting w = {
        .cli = cli,
        .number = number,
        .since_s = time(NULL),
        .until_s = timeout_s ? time(NULL) + timeout_s : 0,
        .reply = CLI_NEW(countersign_v1_GetRequestResponse, err),
        .live =
            isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !cli_args_flag(&cli->args, "quiet"),
    };
    int rc = w.reply ? wait_until(&w, err) : CS_ENOMEM;

    if (w.live)
        fputs("\r\033[K", stderr);
    cs_buf_free(&w.said);
    free(w.orders);
    free(w.reply);
    return rc;
}

int cli_wait_for(struct cli *cli, uint64_t request_number, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    char number[CLI_TEXT_BYTES];
    int64_t timeout_s;
    size_t count = 0, failed = 0;
    int rc = cli_duration(cli, "timeout", 0, &timeout_s, err);

    if (rc == CS_OK)
        rc = wait_for_end(cli, request_number, timeout_s, err);
    if (rc == CS_OK)
        rc = cli_fetch_orders(cli, request_number, &orders, &count, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        failed += orders[i].state != countersign_v1_OrderState_ORDER_STATE_COMPLETED;
    cli_field(doc, "request", "Request",
              cli_tinted(cli_show_request_number(request_number, number), CLI_BOLD));
    cli_order_table(doc, orders, count);
    rc = cli_write(cli, doc, err);
    if (rc != CS_OK || failed == 0)
        return rc;
    cli->failure = CLI_ORDER_FAILED;
    return cs_err_set(err, CS_ESTATE,
                      "%zu of %zu work orders did not complete: `countersign order show WO-n` has the "
                      "device's own reason",
                      failed, count);
}

int cli_wait_run(struct cli *cli, struct cs_err *err)
{
    uint64_t number;
    int rc = cli_args_number(cli->args.operands[0], "REQ-", &number, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    return cli_wait_for(cli, number, err);
}
