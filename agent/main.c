/* countersign-agent: installs what people decided, on the device that it runs on. Everything is wired here
 * and torn down in reverse. */
#include "agent/config.h"
#include "agent/connector_check.h"
#include "agent/connectors/presets.h"
#include "agent/device.h"
#include "agent/link/enrol.h"
#include "agent/link/session.h"
#include "agent/platform.h"
#include "agent/port/posix.h"
#include "agent/status.h"
#include "agent/unit.h"
#include "shared/base/version.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_BUSY };

enum { LOCK_TRIES = 20, LOCK_WAIT_US = 50 * 1000 };

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

static int complain(const struct cs_err *err)
{
    fprintf(stderr, "countersign-agent: %s\n", err->msg);
    return err->code == CS_EBUSY ? EXIT_BUSY : EXIT_FAILED;
}

/* ---- run */

struct program {
    uv_loop_t loop;
    struct ag_posix *posix;
    struct ag_device device;
    struct ag_session *session;
    uv_signal_t terminate, interrupt;
    bool ending, failed;
};

static void end_program(struct program *program)
{
    if (program->ending)
        return;
    program->ending = true;
    uv_close((uv_handle_t *)&program->terminate, NULL);
    uv_close((uv_handle_t *)&program->interrupt, NULL);
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

static void on_fatal(void *owner, const struct cs_err *why)
{
    struct program *program = owner;

    cs_log(CS_LOG_ERROR, "agent", "ending: the agent cannot go on", CS_F("error", why->msg), CS_FEND);
    program->failed = true;
    end_program(program);
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
    program->terminate.data = program->interrupt.data = program;
    uv_signal_start(&program->terminate, on_signal, SIGTERM);
    uv_signal_start(&program->interrupt, on_signal, SIGINT);
    cs_log(CS_LOG_INFO, "agent", "started", CS_F("version", CS_VERSION),
           CS_F("device", program->device.identity.device_name),
           CS_FU("connectors", config->connectors.count), CS_FEND);
    ag_device_recover(&program->device);
    if (!program->ending)
        ag_session_start(program->session);
    return CS_OK;
}

static int run_locked(const struct ag_config *config)
{
    struct program *program = calloc(1, sizeof *program);
    struct cs_err err = {0};

    /* libuv's threads look up names, one at a time; its usual four would lie about ever after. */
    setenv("UV_THREADPOOL_SIZE", "1", 0);
    if (!program || uv_loop_init(&program->loop) != 0) {
        free(program);
        return complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
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
    int status = code ? complain(&err) : program->failed ? EXIT_FAILED : EXIT_OK;

    free(program);
    return status;
}

/* A command that an agent began which was killed just then has the lock, too, until it is the program that it
 * becomes: a moment is waited. */
static int with_lock(const struct ag_config *config, int *ret_lock, struct cs_err *err)
{
    char path[AG_LIMIT_PATH_BYTES];
    int code;

    snprintf(path, sizeof path, "%s/lock", config->state);
    for (unsigned i = 0;; i++) {
        code = ag_posix_lock(path, ret_lock, err);
        if (code != CS_EBUSY || i == LOCK_TRIES)
            return code;
        usleep(LOCK_WAIT_US);
    }
}

static int run(const struct ag_config *config)
{
    struct cs_err err = {0};
    int lock = -1;

    if (config->controller.port == 0)
        return complain(
            &(struct cs_err){CS_EINVAL, "the configuration names no controller: controller = HOST:PORT"});
    if (access(config->state, F_OK) != 0)
        return complain(&(struct cs_err){
            CS_ENOTFOUND, "this device is not enrolled: run `countersign-agent enrol --token TOKEN`"});
    if (with_lock(config, &lock, &err) != CS_OK)
        return complain(&err);
    int status = run_locked(config);

    close(lock);
    return status;
}

/* ---- recover */

static int recover_locked(const struct ag_config *config, struct ag_posix *posix)
{
    struct ag_device device;
    unsigned restored = 0;
    struct cs_err err = {0};
    int code = ag_device_open(&device, config, ag_posix_port(posix), &err);

    if (!code)
        code = ag_device_restore(&device, &restored, &err);
    ag_device_free(&device);
    if (code)
        return complain(&err);
    printf(restored ? "%u app connectors were in the middle of a push: their files are whole\n"
                    : "nothing was interrupted\n",
           restored);
    return EXIT_OK;
}

static int recover(const struct ag_config *config)
{
    struct ag_posix *posix = NULL;
    char identity[AG_LIMIT_PATH_BYTES];
    struct cs_err err = {0};
    int lock = -1;

    snprintf(identity, sizeof identity, "%s/identity", config->state);
    if (access(identity, F_OK) != 0) {
        puts("this device is not enrolled: there is nothing to recover");
        return EXIT_OK;
    }
    if (with_lock(config, &lock, &err) != CS_OK)
        return complain(&err);
    int status = ag_posix_new(NULL, &posix, &err) == CS_OK ? recover_locked(config, posix) : complain(&err);

    ag_posix_close(posix);
    close(lock);
    return status;
}

/* ---- connectors */

static int check_connector(const struct ag_config *config, const char *name, bool reload)
{
    const struct ag_connector *connector = ag_connectors_find(&config->connectors, name);
    struct ag_posix *posix = NULL;
    struct cs_err err = {0};
    uv_loop_t loop;
    unsigned wrong = 1;

    if (!connector) {
        fprintf(stderr, "countersign-agent: there is no [connector \"%s\"] in the configuration\n", name);
        return EXIT_USAGE;
    }
    if (uv_loop_init(&loop) != 0)
        return complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
    if (ag_posix_new(&loop, &posix, &err) == CS_OK)
        wrong = ag_connector_check(&loop, ag_posix_port(posix), config, connector, reload, stdout);
    else
        complain(&err);
    ag_posix_close(posix);
    uv_run(&loop, UV_RUN_DEFAULT);
    cs_assert(uv_loop_close(&loop) == 0);
    return wrong ? EXIT_FAILED : EXIT_OK;
}

static int show_presets(const char *name)
{
    const struct ag_preset *preset = name ? ag_preset_find(name) : NULL;

    if (name && !preset) {
        fprintf(stderr, "countersign-agent: there is no preset \"%s\"; `connector presets` lists them\n",
                name);
        return EXIT_USAGE;
    }
    if (preset)
        fputs(preset->text, stdout);
    for (size_t i = 0; !name && i < ag_preset_count; i++)
        puts(ag_presets[i].name);
    return EXIT_OK;
}

static int connector(const struct options *options, const struct ag_config *config)
{
    const char *what = options->operands[0], *name = options->operands[1];

    if (what && strcmp(what, "check") == 0 && name)
        return check_connector(config, name, options->reload);
    fputs("countersign-agent: connector takes `check NAME` or `presets [NAME]`\n", stderr);
    return EXIT_USAGE;
}

static int show_unit(const struct ag_config *config)
{
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;

    if (ag_unit_write(config, &text) != CS_OK)
        return complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
    fwrite(text.ptr, 1, text.len, stdout);
    return EXIT_OK;
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
        return complain(
            &(struct cs_err){CS_EINVAL, "enrol needs --token TOKEN; `countersign device add` prints one"});
    int code = read_token(token_argument, &token, &err);

    if (!code)
        code = ag_posix_new(NULL, &posix, &err);
    if (code)
        return complain(&err);
    const struct ag_store store = {ag_posix_port(posix), config->state};

    code = ag_store_prepare(&store, &err);
    if (!code)
        code = with_lock(config, &lock, &err);
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
    return code ? complain(&err) : EXIT_OK;
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
        return complain(&err);
    fwrite(text.ptr, 1, text.len, stdout);
    return EXIT_OK;
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

    *ret_status = EXIT_OK;
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
            *ret_status = EXIT_USAGE;
            return false;
        }
    }
    options->command = optind < argc ? argv[optind] : NULL;
    int most = options->command && strcmp(options->command, "connector") == 0 ? 3 : 1;

    for (int i = 0; i < 2 && optind + 1 + i < argc; i++)
        options->operands[i] = argv[optind + 1 + i];
    if (optind + most < argc || (!options->command && !options->check)) {
        fputs(help, stderr);
        *ret_status = EXIT_USAGE;
        return false;
    }
    return true;
}

static int do_command(const struct options *options, const struct ag_config *config)
{
    if (options->check) {
        printf("%s is in order: %zu app connector%s\n", options->config_path, config->connectors.count,
               config->connectors.count == 1 ? "" : "s");
        return EXIT_OK;
    }
    if (strcmp(options->command, "run") == 0)
        return run(config);
    if (strcmp(options->command, "enrol") == 0)
        return enrol(config, options->token);
    if (strcmp(options->command, "status") == 0)
        return show_status(config);
    if (strcmp(options->command, "recover") == 0)
        return recover(config);
    if (strcmp(options->command, "connector") == 0)
        return connector(options, config);
    if (strcmp(options->command, "unit") == 0)
        return show_unit(config);
    fprintf(stderr, "countersign-agent: there is no command \"%s\"; see --help\n", options->command);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options options = {.config_path = AG_CONFIG_PATH};
    struct ag_config config;
    struct cs_err err = {0};
    int status = EXIT_OK;

    ag_posix_close_inherited();
    if (!parse_options(argc, argv, &options, &status))
        return status;
    /* Needs no configuration, and helps to write one. */
    if (options.command && strcmp(options.command, "connector") == 0 && options.operands[0] &&
        strcmp(options.operands[0], "presets") == 0)
        return show_presets(options.operands[1]);
    if (ag_config_load(options.config_path, &config, &err) != CS_OK) {
        complain(&err);
        return EXIT_USAGE;
    }
    cs_log_setup(config.log_format, config.log_level);
    signal(SIGPIPE, SIG_IGN);
    status = cs_crypto_init(&err) == CS_OK ? do_command(&options, &config) : complain(&err);
    ag_config_free(&config);
    return status;
}
