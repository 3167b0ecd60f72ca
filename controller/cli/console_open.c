#include "controller/cli/console_open.h"

#include "controller/cli/file.h"

#include "shared/base/text.h"
#include "shared/crypto/crypto.h"

#include <stdio.h>
#include <unistd.h>

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value;
}

static void on_closed(uv_handle_t *handle)
{
    struct cli_console_opening *opening = CS_CONTAINER_OF(handle, struct cli_console_opening, process);

    opening->is_running = false;
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    (void)status, (void)signal;
    uv_close((uv_handle_t *)process, on_closed);
}

/* The session's own folder, which is in memory and nobody else's; else the home. */
static int make_file(struct cli_console_opening *opening, const struct cli_home *home, const char *link,
                     struct cs_err *err)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    cs_auto(cs_buf_wipe) struct cs_buf page = CS_BUF_EMPTY;
    uint8_t random[8];
    char name[2 * sizeof random + 1], path[PATH_MAX];
    int rc;

    cs_random(random, sizeof random);
    cs_hex(CS_SLICE_ARRAY(random), name);
    rc = cli_file_join(path, sizeof path, err, folder && *folder == '/' ? folder : home->folder,
                       "countersign-console-%s.html", name);
    if (rc == CS_OK &&
        (cs_buf_reserve(&page, 1024) != CS_OK ||
         cs_buf_printf(&page,
                       "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" "
                       "content=\"no-referrer\">\n<title>Countersign</title>\n<meta http-equiv=\"refresh\" "
                       "content=\"0; url=%s\">\n<p><a href=\"%s\">To the console</a></p>\n",
                       link, link) != CS_OK))
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_file_create(path, 0600, cs_buf_slice(&page), err);
    if (rc == CS_OK)
        memcpy(opening->path, path, sizeof path);
    return rc;
}

int cli_console_open(struct cli_console_opening *opening, uv_loop_t *loop, const struct cli_home *home,
                     const char *link, struct cs_err *err)
{
    char program[] = "xdg-open";
    char *arguments[] = {program, opening->path, NULL};
    uv_process_options_t options = {
        .file = program,
        .args = arguments,
        .exit_cb = on_exit_of,
        .flags = UV_PROCESS_DETACHED,
    };
    int rc, status;

    if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
        return cs_err_set(err, CS_ENOTFOUND, "there is no display");
    if (opening->is_running)
        return cs_err_set(err, CS_EBUSY, "xdg-open is busy with the link before");
    cli_console_opened(opening);
    rc = make_file(opening, home, link, err);
    if (rc != CS_OK)
        return rc;
    status = uv_spawn(loop, &opening->process, &options);
    opening->is_running = true;
    uv_unref((uv_handle_t *)&opening->process);
    if (status == 0)
        return CS_OK;
    uv_close((uv_handle_t *)&opening->process, on_closed);
    cli_console_opened(opening);
    return cs_err_set(err, CS_ENOTFOUND, "xdg-open cannot be started: %s", uv_strerror(status));
}

void cli_console_opened(struct cli_console_opening *opening)
{
    if (opening->path[0])
        unlink(opening->path);
    opening->path[0] = '\0';
}

void cli_console_open_close(struct cli_console_opening *opening)
{
    cli_console_opened(opening);
    if (opening->is_running && !uv_is_closing((uv_handle_t *)&opening->process))
        uv_close((uv_handle_t *)&opening->process, on_closed);
}
