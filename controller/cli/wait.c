/* countersign wait - until every work order of a request has ended. Looks when the controller says that the
 * request changed, and now and then without that. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"
#include "controller/cli/watch.h"

#include <time.h>
#include <unistd.h>

/* A look at a large request takes long: what changes in this time is looked at together. */
enum { GATHER_MS = 50, LONGEST_PAUSE_MS = 1000, BLIND_PAUSE_MS = 250 };

static bool all_ended(const countersign_v1_Order *orders, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!cli_show_state_ended(orders[i].state))
            return false;
    return count > 0;
}

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

static int poll_until(struct cli *cli, uint64_t request_number, int64_t until_s, countersign_v1_Order **ret,
                      size_t *ret_count, struct cs_err *err)
{
    cs_auto(cli_watch_freep) struct cli_watch *watch = open_watch(cli, request_number);
    cs_auto_free countersign_v1_Order *seen = NULL;
    bool talks = isatty(STDERR_FILENO) != 0;
    size_t seen_count = 0;

    for (;;) {
        countersign_v1_Order *orders = NULL;
        size_t count = 0;
        int rc = cli_fetch_orders(cli, request_number, &orders, &count, err);

        if (rc != CS_OK)
            return rc;
        if (talks)
            tell_changes(seen, seen_count, orders, count);
        free(seen);
        seen = orders;
        seen_count = count;
        if (all_ended(seen, seen_count))
            break;
        if (until_s && time(NULL) >= until_s) {
            cli->failure = CLI_TIMED_OUT;
            return cs_err_set(err, CS_ETIMEOUT,
                              "REQ-%llu has not ended within --timeout: countersign request show REQ-%llu",
                              (unsigned long long)request_number, (unsigned long long)request_number);
        }
        wait_for_change(&watch);
    }
    *ret = cs_steal(seen);
    *ret_count = seen_count;
    return CS_OK;
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
        rc = poll_until(cli, request_number, timeout_s ? time(NULL) + timeout_s : 0, &orders, &count, err);
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
