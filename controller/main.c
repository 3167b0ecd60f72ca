/* countersignd: everything wired on one page, and torn down in reverse. */
#include "controller/api/watch.h"
#include "controller/config.h"
#include "controller/crl_fetch.h"
#include "controller/crl_folder.h"
#include "controller/files.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/roster.h"
#include "controller/listeners.h"
#include "controller/shard.h"
#include "shared/base/log.h"
#include "shared/base/version.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct controller {
    struct ctl_config config;
    struct ctl_vault *vault;
    struct ctl_store *store;
    struct ctl_core_thread *core;
    struct ctl_crl_folder *crls;     /* NULL: none is watched */
    struct ctl_crl_fetch *crl_fetch; /* NULL: no URL is asked */
    struct ctl_shared shared;
    struct ctl_addresses addresses; /* as bound */
};

/* A file a connection: as many as we may have. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Signals come to this thread alone, by sigwait(); the others inherit the mask. */
static void block_signals(sigset_t *ends)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ends);
    sigaddset(ends, SIGTERM);
    sigaddset(ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, ends, NULL);
}

static int open_state(struct controller *controller, struct cs_err *err)
{
    const struct ctl_config *config = &controller->config;
    char folder[CTL_LIMIT_PATH_BYTES + 8];
    int code;

    umask(077);
    code = ctl_folder_make(config->state, 0700, err);
    if (code != CS_OK)
        return code;
    /* The store first: its lock keeps a second instance from touching the keys. */
    snprintf(folder, sizeof folder, "%s/store", config->state);
    code = ctl_store_open(folder, 0, &controller->store, err);
    if (code != CS_OK)
        return code;
    snprintf(folder, sizeof folder, "%s/keys", config->state);
    return ctl_vault_open(folder, config->kek, (int64_t)time(NULL), &controller->vault, err);
}

static int open_shared(struct controller *controller, struct cs_err *err)
{
    struct ctl_shared *shared = &controller->shared;
    struct ctl_core_thread_options options = {
        .store = controller->store,
        .settings = &controller->config.settings,
        .on_effects = ctl_fleet_route,
        .on_revision = ctl_watchers_tell,
        .owner = shared,
    };
    int code;

    shared->config = &controller->config;
    shared->vault = controller->vault;
    shared->store = controller->store;
    shared->own_uid = geteuid();
    code = ctl_roster_new(&shared->roster, err);
    if (code == CS_OK)
        code = ctl_listeners_tls_new(shared, err);
    if (code == CS_OK)
        code = ctl_core_thread_new(&options, &controller->core, err);
    shared->core = controller->core;
    return code;
}

static int open_shards(struct controller *controller, struct cs_err *err)
{
    struct ctl_shared *shared = &controller->shared;
    int code = CS_OK;

    controller->addresses = (struct ctl_addresses){controller->config.agents, controller->config.enrolment,
                                                   controller->config.operators};
    shared->shard_count = controller->config.shards;
    for (unsigned i = 0; i < shared->shard_count && code == CS_OK; i++) {
        code = ctl_shard_new(shared, i, &shared->shards[i], err);
        if (code == CS_OK)
            code = ctl_listeners_open(shared->shards[i], &controller->addresses, err);
    }
    return code;
}

static int start(struct controller *controller, struct cs_err *err)
{
    struct ctl_shared *shared = &controller->shared;
    int code = ctl_core_thread_start(controller->core, err);

    for (unsigned i = 0; i < shared->shard_count && code == CS_OK; i++)
        code = ctl_shard_start(shared->shards[i], err);
    if (code == CS_OK && controller->crls)
        code = ctl_crl_folder_start(controller->crls, err);
    if (code == CS_OK && controller->crl_fetch)
        code = ctl_crl_fetch_start(controller->crl_fetch, err);
    return code;
}

static int open_all(struct controller *controller, struct cs_err *err)
{
    int code = cs_crypto_init(err);

    if (code == CS_OK)
        code = open_state(controller, err);
    if (code == CS_OK)
        code = open_shared(controller, err);
    if (code == CS_OK)
        code = open_shards(controller, err);
    if (code == CS_OK && controller->config.crls[0])
        code = ctl_crl_folder_new(controller->config.crls, controller->config.crls_every_s, controller->store,
                                  controller->core, &controller->crls, err);
    if (code == CS_OK && controller->config.crl_url_count)
        code = ctl_crl_fetch_new(&controller->config, controller->store, controller->core,
                                 &controller->crl_fetch, err);
    if (code == CS_OK)
        code = start(controller, err);
    return code;
}

/* Takes what open_all() made, also when it stopped half-way. Shards end while the core still answers them. */
static void close_all(struct controller *controller)
{
    struct ctl_shared *shared = &controller->shared;

    for (unsigned i = 0; i < shared->shard_count; i++)
        if (shared->shards[i] && shared->shards[i]->started)
            ctl_shard_stop(shared->shards[i]);
    for (unsigned i = 0; i < shared->shard_count; i++)
        if (shared->shards[i])
            ctl_shard_join(shared->shards[i]);
    ctl_crl_fetch_free(controller->crl_fetch);
    ctl_crl_folder_free(controller->crls);
    if (controller->core)
        ctl_core_thread_stop(controller->core);
    for (unsigned i = 0; i < shared->shard_count; i++)
        ctl_shard_free(shared->shards[i]);
    ctl_core_thread_free(controller->core);
    ctl_listeners_tls_free(shared);
    ctl_roster_free(shared->roster);
    ctl_vault_close(controller->vault);
    if (controller->store)
        ctl_store_close(controller->store);
}

static void log_ready(const struct controller *controller)
{
    const struct ctl_addresses *addresses = &controller->addresses;
    bool has_operators = controller->config.has_operators;
    char agents[CTL_ADDRESS_TEXT_BYTES], enrolment[CTL_ADDRESS_TEXT_BYTES], operators[CTL_ADDRESS_TEXT_BYTES];

    cs_log(CS_LOG_INFO, "controller", "READY", CS_F("version", CS_VERSION),
           CS_F("agents", ctl_address_text(&addresses->agents, agents)),
           CS_F("enrolment", ctl_address_text(&addresses->enrolment, enrolment)),
           CS_F("admin", controller->config.admin_socket),
           CS_F("operators", has_operators ? ctl_address_text(&addresses->operators, operators) : "none"),
           CS_FU("shards", controller->config.shards), CS_FEND);
}

static int run(struct controller *controller)
{
    sigset_t ends;
    struct cs_err err;
    int got = 0, code;

    cs_log_setup(controller->config.log_format, controller->config.log_level);
    raise_file_limit();
    block_signals(&ends);
    code = open_all(controller, &err);
    if (code == CS_OK) {
        log_ready(controller);
        while (sigwait(&ends, &got) != 0)
            ;
        cs_log(CS_LOG_INFO, "controller", "stopping", CS_F("signal", got == SIGINT ? "SIGINT" : "SIGTERM"),
               CS_FEND);
    } else {
        cs_log(CS_LOG_ERROR, "controller", "cannot start", CS_F("error", err.msg), CS_FEND);
    }
    close_all(controller);
    return code == CS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void print_help(FILE *out)
{
    fputs("countersignd - the controller of Countersign\n\n"
          "usage: countersignd [--config FILE] [--check]\n\n"
          "  --config FILE  read the configuration from FILE; without it the defaults hold\n"
          "  --check        say whether the configuration is well, and end\n"
          "  --version      say which version this is, and end\n"
          "  --help         this text\n\n"
          "Ends with 0 after SIGTERM or SIGINT, 1 when it cannot start or go on, 2 for wrong usage.\n\n"
          "configuration:\n",
          out);
    ctl_config_describe(out);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct controller controller;
    const char *path = NULL;
    bool check = false;
    struct cs_err err;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'v':
            puts("countersignd " CS_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        default:
            fputs("countersignd --help says what is allowed\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "countersignd: '%s' is not understood; countersignd --help says what is allowed\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    if (ctl_config_load(path, &controller.config, &err) != CS_OK) {
        fprintf(stderr, "countersignd: %s\n", err.msg);
        return check ? EXIT_FAILURE : EXIT_USAGE;
    }
    if (check) {
        puts("the configuration is well");
        return EXIT_SUCCESS;
    }
    return run(&controller);
}
