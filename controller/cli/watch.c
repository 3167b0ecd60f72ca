#include "controller/cli/watch.h"

#include <time.h>

enum {
    BEGIN_TIMEOUT_MS = 30 * 1000, /* as a unary call's */
    AGAIN_MS = 250,               /* between two attempts to connect */
};

struct cli_watch {
    struct cli *cli;
    countersign_v1_WatchRequest request; /* after_revision follows what was told */
    struct cli_rpc_stream *stream;       /* NULL: lost */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until the first message has come: from then on nothing is missed. */
static int begin(struct cli_watch *watch, uint32_t timeout_ms, struct cs_err *err)
{
    cs_auto_free countersign_v1_WatchResponse *first = CLI_NEW(countersign_v1_WatchResponse, err);
    struct cli_rpc *rpc;
    int rc = first ? cli_connection(watch->cli, &rpc, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cli_rpc_stream_open(rpc, &cli_rpc_Watch, &watch->request, &watch->stream, err);
    if (rc == CS_OK)
        rc = cli_rpc_stream_next(watch->stream, timeout_ms, first, err);
    if (rc == CS_OK) {
        watch->request.after_revision = first->revision;
        return CS_OK;
    }
    cli_rpc_stream_free(cs_steal(watch->stream));
    return rc;
}

int cli_watch_open(struct cli *cli, const countersign_v1_WatchRequest *request, struct cli_watch **ret,
                   struct cs_err *err)
{
    struct cli_watch *watch = CLI_NEW(struct cli_watch, err);
    int rc;

    if (!watch)
        return CS_ENOMEM;
    watch->cli = cli;
    watch->request = *request;
    rc = begin(watch, BEGIN_TIMEOUT_MS, err);
    if (rc == CS_OK)
        *ret = watch;
    else
        cli_watch_free(watch);
    return rc;
}

/* Away, and maybe soon back; anything else is an answer. */
static bool is_away(const struct cli_watch *watch, int rc)
{
    return rc == CS_ECLOSED || rc == CS_EBUSY || rc == CS_EIO ||
           (watch->cli->rpc && cli_rpc_unreachable(watch->cli->rpc));
}

static void pause_ms(uint64_t ms)
{
    const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};

    nanosleep(&pause, NULL);
}

static int come_back(struct cli_watch *watch, uint64_t until_ms, struct cs_err *err)
{
    for (;;) {
        uint64_t before_ms = now_ms(), left_ms = until_ms > before_ms ? until_ms - before_ms : 0;
        int rc = begin(watch, (uint32_t)left_ms, err);

        if (rc == CS_OK || (rc != CS_ETIMEOUT && !is_away(watch, rc)))
            return rc;
        if (rc == CS_ETIMEOUT || left_ms <= AGAIN_MS) {
            pause_ms(rc == CS_ETIMEOUT ? 0 : left_ms);
            return cs_err_set(err, CS_ETIMEOUT, "the controller does not answer");
        }
        pause_ms(AGAIN_MS);
    }
}

int cli_watch_next(struct cli_watch *watch, uint32_t timeout_ms, countersign_v1_WatchResponse *ret,
                   struct cs_err *err)
{
    const uint64_t until_ms = now_ms() + timeout_ms;

    for (;;) {
        uint64_t at_ms;
        int rc = watch->stream ? CS_OK : come_back(watch, until_ms, err);

        if (rc != CS_OK)
            return rc;
        at_ms = now_ms();
        rc =
            cli_rpc_stream_next(watch->stream, until_ms > at_ms ? (uint32_t)(until_ms - at_ms) : 0, ret, err);
        if (rc == CS_OK)
            watch->request.after_revision = ret->revision;
        if (rc == CS_OK || rc == CS_ETIMEOUT)
            return rc;
        cli_rpc_stream_free(cs_steal(watch->stream));
        if (!is_away(watch, rc))
            return rc;
    }
}

uint64_t cli_watch_revision(const struct cli_watch *watch)
{
    return watch->request.after_revision;
}

void cli_watch_free(struct cli_watch *watch)
{
    if (!watch)
        return;
    cli_rpc_stream_free(watch->stream);
    free(watch);
}
