#include "agent/commands.h"

#include "agent/connector_check.h"
#include "agent/connectors/presets.h"
#include "agent/device.h"
#include "agent/port/posix.h"
#include "agent/unit.h"

#include <stdio.h>
#include <unistd.h>

int ag_complain(const struct cs_err *err)
{
    fprintf(stderr, "countersign-agent: %s\n", err->msg);
    return err->code == CS_EBUSY ? AG_EXIT_BUSY : AG_EXIT_FAILED;
}

/* A command that an agent began which was killed just then has the lock, too, until it is the program that it
 * becomes: a moment is waited. */
int ag_lock_state(const struct ag_config *config, int *ret_lock, struct cs_err *err)
{
    enum { LOCK_TRIES = 20, LOCK_WAIT_US = 50 * 1000 };
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
        return ag_complain(&err);
    printf(restored ? "%u app connectors were in the middle of a push: their files are whole\n"
                    : "nothing was interrupted\n",
           restored);
    return AG_EXIT_OK;
}

int ag_recover(const struct ag_config *config)
{
    struct ag_posix *posix = NULL;
    char identity[AG_LIMIT_PATH_BYTES];
    struct cs_err err = {0};
    int lock = -1;

    snprintf(identity, sizeof identity, "%s/identity", config->state);
    if (access(identity, F_OK) != 0) {
        puts("this device is not enrolled: there is nothing to recover");
        return AG_EXIT_OK;
    }
    if (ag_lock_state(config, &lock, &err) != CS_OK)
        return ag_complain(&err);
    int status =
        ag_posix_new(NULL, &posix, &err) == CS_OK ? recover_locked(config, posix) : ag_complain(&err);

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
        return AG_EXIT_USAGE;
    }
    if (uv_loop_init(&loop) != 0)
        return ag_complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
    if (ag_posix_new(&loop, &posix, &err) == CS_OK)
        wrong = ag_connector_check(&loop, ag_posix_port(posix), config, connector, reload, stdout);
    else
        ag_complain(&err);
    ag_posix_close(posix);
    uv_run(&loop, UV_RUN_DEFAULT);
    cs_assert(uv_loop_close(&loop) == 0);
    return wrong ? AG_EXIT_FAILED : AG_EXIT_OK;
}

int ag_show_presets(const char *name)
{
    const struct ag_preset *preset = name ? ag_preset_find(name) : NULL;

    if (name && !preset) {
        fprintf(stderr, "countersign-agent: there is no preset \"%s\"; `connector presets` lists them\n",
                name);
        return AG_EXIT_USAGE;
    }
    if (preset)
        fputs(preset->text, stdout);
    for (size_t i = 0; !name && i < ag_preset_count; i++)
        puts(ag_presets[i].name);
    return AG_EXIT_OK;
}

int ag_connector_command(const struct ag_config *config, const char *what, const char *name, bool reload)
{
    if (what && strcmp(what, "check") == 0 && name)
        return check_connector(config, name, reload);
    fputs("countersign-agent: connector takes `check NAME` or `presets [NAME]`\n", stderr);
    return AG_EXIT_USAGE;
}

int ag_show_unit(const struct ag_config *config)
{
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;

    if (ag_unit_write(config, &text) != CS_OK)
        return ag_complain(&(struct cs_err){CS_ENOMEM, "out of memory"});
    fwrite(text.ptr, 1, text.len, stdout);
    return AG_EXIT_OK;
}
