/* countersign-agent: installs what people decided, on the device that it runs on. Everything is wired here
 * and torn down in reverse. */
#include "agent/commands.h"
#include "agent/config.h"
#include "agent/device.h"
#include "agent/link/enrol.h"
#include "agent/link/session.h"
#include "agent/platform.h"
#include "agent/port/posix.h"
#include "agent/status.h"
#include "shared/base/version.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "countersign-agent " CS_VERSION " - installs certificates that people decided on\n"
    "\n"
    "  countersign-agent [--config FILE] run             dial the controller and stay\n"
    "  countersign-agent [--config FILE] enrol --token T make this device known; T is a token, or - to read "
    "it\n"
    "                                                    from standard input\n"
    "  countersign-agent [--config FILE] status          what is installed here, and who decided it\n"
    "  countersign-agent [--config FILE] recover         make whole what a power cut left half: before the "
    "applications\n"
    "                                                    start at boot\n"
    "  countersign-agent [--config FILE] connector check NAME [--reload]\n"
    "                                                    try what the configuration says of a connector, and "
    "explain\n"
    "  countersign-agent connector presets [NAME]        what is known of applications, ready to be used\n"
    "  countersign-agent [--config FILE] unit            the sandbox that these connectors need, for "
    "systemd\n"
    "  countersign-agent [--config FILE] --check         check the configuration\n"
    "  countersign-agent --version | --help\n"
    "\n"
    "The configuration is " AG_CONFIG_PATH " unless --config (-c) names another.\n"
    "\n"
    "Exit status: 0 done, or ended by SIGTERM; 1 failed; 2 wrong use or configuration; 3 another agent runs "
    "on the\n"
    "same state folder.\n";

struct options {
    const char *config_path, *token, *command;
    const char *operands[2]; /* of a command; NULL: not given */
    bool check, reload;
};

/* ---- run */

struct program {
    uv_loop_t loop;
    struct ag_posix *posix;
    struct ag_device device;
    struct ag_session *session;
    uv_signal_t terminate, interrupt;
    uv_timer_t ender; /* ends it from the loop */
    bool ending, failed;
};

static void end_program(struct program *program)
{
    if (program->ending)
        return;
    program->ending = true;
    uv_close((uv_handle_t *)&program->terminate, NULL);
    uv_close((uv_handle_t *)&program->interrupt, NULL);
    uv_close((uv_handle_t *)&program->ender, NULL);
    ag_session_close(program->session, NULL);
    /* A reload that runs is ended too: the journal knows that its order has no end yet. */
    ag_device_stop(&program->device);
    ag_posix_close(program->posix);
}

static void on_signal(uv_signal_t *handle, int number)
{
    cs_log(CS_LOG_INFO, "agent", "ending", CS_FU("signal", number), CS_FEND);
    end_program(handle->data);
}

static void on_ender(uv_timer_t *timer)
{
    end_program(timer->data);
}

static void on_fatal(void *owner, const struct cs_err *why)
{
    struct program *program = owner;

    cs_log(CS_LOG_ERROR, "agent", "ending: the agent cannot go on", CS_F("error", why->msg), CS_FEND);
    program->failed = true;
    if (!program->ending)
        uv_timer_start(&program->ender, on_ender, 0, 0);
}

static int start(struct program *program, const struct ag_config *config, struct cs_err *err)
{
    int code = ag_device_open(&program->device, config, ag_posix_port(program->posix), err);

    if (!code)
        code = ag_session_new(&program->loop, &program->device, on_fatal, program, &program->session, err);
    if (code)
        return code;
    uv_signal_init(&program->loop, &program->terminate);
    uv_signal_init(&program->loop, &program->interrupt);
    uv_timer_init(&program->loop, &program->ender);
    program->terminate.data = program->interrupt.data = program->ender.data = program;
    uv_signal_start(&program->terminate, on_signal, SIGTERM);
    uv_signal_start(&program->interrupt, on_signal, SIGINT);
    cs_log(CS_LOG_INFO, "agent", "started", CS_F("version", CS_VERSION),
           CS_F("device", program->device.identity.device_name),
           CS_FU("connectors", config->connectors.count), CS_FEND);
    ag_device_recover(&program->device);
    if (!program->ending && !program->failed)
        ag_session_start(program->session);
    return CS_OK;
}

static int run_locked(const struct ag_config *config)
{
    struct program *program = calloc(1, sizeof *program);
    struct cs_err err = {0};

    /* libuv's threads look up names, and half of them may at a time: a controller's name that is slow to find
     * must not hold up a probe's. Its usual four would lie about ever after. */
    setenv("UV_THREADPOOL_SIZE", "3", 0);
    if (!program || uv_loop_init(&program->loop) != 0) {
        free(program);
        return ag_complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
    }
    int code = ag_posix_new(&program->loop, &program->posix, &err);

    if (!code) {
        code = start(program, config, &err);
        if (code)
            ag_posix_close(program->posix);
    }
    uv_run(&program->loop, UV_RUN_DEFAULT);
    ag_device_free(&program->device);
    cs_assert(uv_loop_close(&program->loop) == 0);
    int status = code ? ag_complain(&err) : program->failed ? AG_EXIT_FAILED : AG_EXIT_OK;

    free(program);
    return status;
}

static int run(const struct ag_config *config)
{
    struct cs_err err = {0};
    int lock = -1;

    if (config->controller.port == 0)
        return ag_complain(
            &(struct cs_err){CS_EINVAL, "the configuration names no controller: controller = HOST:PORT"});
    if (access(config->state, F_OK) != 0)
        return ag_complain(&(struct cs_err){
            CS_ENOTFOUND, "this device is not enrolled: run `countersign-agent enrol --token TOKEN`"});
    if (ag_lock_state(config, &lock, &err) != CS_OK)
        return ag_complain(&err);
    int status = run_locked(config);

    close(lock);
    return status;
}

/* ---- enrol, status */

static int read_token(const char *argument, struct cs_buf *out, struct cs_err *err)
{
    char line[4096];

    if (strcmp(argument, "-") != 0)
        return cs_buf_append_str(out, argument) == CS_OK ? CS_OK : cs_err_nomem(err);
    setvbuf(stdin, NULL, _IONBF, 0); /* its buffer would keep a copy */
    if (!fgets(line, sizeof line, stdin))
        return cs_err_set(err, CS_EINVAL, "no token on standard input");
    int code = cs_buf_append_str(out, line);

    cs_wipe(line, sizeof line);
    return code == CS_OK ? CS_OK : cs_err_nomem(err);
}

static int enrol(const struct ag_config *config, const char *token_argument)
{
    cs_auto(cs_buf_wipe) struct cs_buf token = CS_BUF_EMPTY;
    struct ag_identity identity;
    struct ag_posix *posix = NULL;
    struct cs_err err = {0};
    int lock = -1;

    if (!token_argument)
        return ag_complain(
            &(struct cs_err){CS_EINVAL, "enrol needs --token TOKEN; `countersign device add` prints one"});
    int code = read_token(token_argument, &token, &err);

    if (!code)
        code = ag_posix_new(NULL, &posix, &err);
    if (code)
        return ag_complain(&err);
    const struct ag_store store = {ag_posix_port(posix), config->state};

    code = ag_store_prepare(&store, &err);
    if (!code)
        code = ag_lock_state(config, &lock, &err);
    if (!code)
        code = ag_enrol(&store, config, cs_buf_slice(&token), &identity, &err);
    if (!code) {
        printf("enrolled as \"%s\"; it can be pushed to once an admin has admitted it\n",
               identity.device_name);
        ag_identity_free(&identity);
    }
    if (lock >= 0)
        close(lock);
    ag_posix_close(posix);
    return code ? ag_complain(&err) : AG_EXIT_OK;
}

static int show_status(const struct ag_config *config)
{
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;
    struct ag_posix *posix = NULL;
    struct cs_err err = {0};
    int code = ag_posix_new(NULL, &posix, &err);

    if (!code) {
        const struct ag_store store = {ag_posix_port(posix), config->state};

        code = ag_status_write(&store, config, &text, &err);
    }
    ag_posix_close(posix);
    if (code)
        return ag_complain(&err);
    fwrite(text.ptr, 1, text.len, stdout);
    return AG_EXIT_OK;
}

/* ---- the command line */

static bool parse_options(int argc, char **argv, struct options *options, int *ret_status)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"token", required_argument, NULL, 't'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"reload", no_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };

    *ret_status = AG_EXIT_OK;
    for (int option; (option = getopt_long(argc, argv, "c:hv", known, NULL)) != -1;) {
        switch (option) {
        case 'c':
            options->config_path = optarg;
            break;
        case 't':
            options->token = optarg;
            break;
        case 'k':
            options->check = true;
            break;
        case 'r':
            options->reload = true;
            break;
        case 'v':
            puts("countersign-agent " CS_VERSION " " AG_PLATFORM);
            return false;
        case 'h':
            fputs(help, stdout);
            return false;
        default:
            *ret_status = AG_EXIT_USAGE;
            return false;
        }
    }
    options->command = optind < argc ? argv[optind] : NULL;
    int most = options->command && strcmp(options->command, "connector") == 0 ? 3 : 1;

    for (int i = 0; i < 2 && optind + 1 + i < argc; i++)
        options->operands[i] = argv[optind + 1 + i];
    if (optind + most < argc || (!options->command && !options->check)) {
        fputs(help, stderr);
        *ret_status = AG_EXIT_USAGE;
        return false;
    }
    return true;
}

static int do_command(const struct options *options, const struct ag_config *config)
{
    if (options->check) {
        printf("%s is in order: %zu app connector%s\n", options->config_path, config->connectors.count,
               config->connectors.count == 1 ? "" : "s");
        return AG_EXIT_OK;
    }
    if (strcmp(options->command, "run") == 0)
        return run(config);
    if (strcmp(options->command, "enrol") == 0)
        return enrol(config, options->token);
    if (strcmp(options->command, "status") == 0)
        return show_status(config);
    if (strcmp(options->command, "recover") == 0)
        return ag_recover(config);
    if (strcmp(options->command, "connector") == 0)
        return ag_connector_command(config, options->operands[0], options->operands[1], options->reload);
    if (strcmp(options->command, "unit") == 0)
        return ag_show_unit(config);
    fprintf(stderr, "countersign-agent: there is no command \"%s\"; see --help\n", options->command);
    return AG_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options options = {.config_path = AG_CONFIG_PATH};
    struct ag_config config;
    struct cs_err err = {0};
    int status = AG_EXIT_OK;

    ag_posix_close_inherited();
    if (!parse_options(argc, argv, &options, &status))
        return status;
    /* Needs no configuration, and helps to write one. */
    if (options.command && strcmp(options.command, "connector") == 0 && options.operands[0] &&
        strcmp(options.operands[0], "presets") == 0)
        return ag_show_presets(options.operands[1]);
    if (ag_config_load(options.config_path, &config, &err) != CS_OK) {
        ag_complain(&err);
        return AG_EXIT_USAGE;
    }
    cs_log_setup(config.log_format, config.log_level);
    signal(SIGPIPE, SIG_IGN);
    status = cs_crypto_init(&err) == CS_OK ? do_command(&options, &config) : ag_complain(&err);
    ag_config_free(&config);
    return status;
}
