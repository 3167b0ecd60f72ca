#include "controller/cli/home.h"

#include "controller/cli/file.h"

#include "shared/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { SMALL_FILE_BYTES = 16 * 1024 };

/* What the handlers of inih fill; the first refusal stays in err. */
struct reading {
    const char *where;
    struct cli_home *home;
    struct cs_pin *pin;
    unsigned pin_fields; /* bits: deployment, roots, least_version */
    struct cs_err *err;
    bool refused;
};

static int refuse(struct reading *reading, int line, const char *text)
{
    if (!reading->refused)
        cs_err_set(reading->err, CS_EPARSE, "%.120s line %d: %s", reading->where, line, text);
    reading->refused = true;
    return 0;
}

static int copy_text(struct reading *reading, int line, char *to, size_t room, const char *value)
{
    if (strlen(value) >= room || !*value)
        return refuse(reading, line, "the value is empty or too long");
    memcpy(to, value, strlen(value) + 1);
    return 1;
}

static int config_on_value(void *user, const char *section, const char *name, const char *value, int line)
{
    struct reading *reading = user;
    struct cli_home *home = reading->home;

    if (strcmp(section, "client") != 0)
        return refuse(reading, line, "the only section is [client]");
    if (strcmp(name, "as") == 0)
        return copy_text(reading, line, home->as, sizeof home->as, value);
    if (strcmp(name, "socket") == 0)
        return copy_text(reading, line, home->socket, sizeof home->socket, value);
    if (strcmp(name, "controller") == 0)
        return copy_text(reading, line, home->controller, sizeof home->controller, value);
    if (strcmp(name, "ca") == 0)
        return copy_text(reading, line, home->ca, sizeof home->ca, value);
    if (strcmp(name, "keys") == 0)
        return copy_text(reading, line, home->keys, sizeof home->keys, value);
    return refuse(reading, line, "[client] knows `as`, `socket`, `keys`, `controller` and `ca`");
}

static int pin_on_value(void *user, const char *section, const char *name, const char *value, int line)
{
    struct reading *reading = user;
    struct cs_pin *pin = reading->pin;

    if (strcmp(section, "pin") != 0)
        return refuse(reading, line, "the only section is [pin]");
    if (strcmp(name, "deployment") == 0) {
        if (cs_unhex(cs_slice_str(value), pin->deployment_id, sizeof pin->deployment_id) != CS_OK)
            return refuse(reading, line, "`deployment` is 32 hex digits");
        reading->pin_fields |= 1;
    } else if (strcmp(name, "roots") == 0) {
        if (cs_unhex(cs_slice_str(value), pin->roots_digest.bytes, sizeof pin->roots_digest.bytes) != CS_OK)
            return refuse(reading, line, "`roots` is 64 hex digits");
        reading->pin_fields |= 2;
    } else if (strcmp(name, "least_version") == 0) {
        char *end;
        unsigned long number = strtoul(value, &end, 10);

        if (*end || number == 0 || number > UINT32_MAX)
            return refuse(reading, line, "`least_version` is a number from 1");
        pin->least_version = (uint32_t)number;
        reading->pin_fields |= 4;
    } else {
        return refuse(reading, line, "[pin] knows `deployment`, `roots` and `least_version`");
    }
    return 1;
}

static int parse(const char *text, ini_handler handler, struct reading *reading)
{
    int line = ini_parse_string(text, handler, reading);

    if (line != 0 && !reading->refused)
        refuse(reading, line, "is neither [section] nor name = value");
    return line == 0 && !reading->refused ? CS_OK : CS_EPARSE;
}

int cli_home_pin_parse(const char *text, const char *where, struct cs_pin *ret, struct cs_err *err)
{
    struct cs_pin pin = {0};
    struct reading reading = {.where = where, .pin = &pin, .err = err};

    if (parse(text, pin_on_value, &reading) != CS_OK)
        return CS_EPARSE;
    if (reading.pin_fields != 7)
        return cs_err_set(err, CS_EPARSE, "%.120s lacks `deployment`, `roots` or `least_version`", where);
    *ret = pin;
    return CS_OK;
}

int cli_home_pin_write(const struct cs_pin *pin, struct cs_buf *out)
{
    char deployment[2 * sizeof pin->deployment_id + 1];
    char roots[2 * sizeof pin->roots_digest.bytes + 1];

    return cs_buf_printf(
        out,
        "; What this client trusts: policies that lead to these roots, of this version or newer.\n"
        "[pin]\ndeployment = %s\nroots = %s\nleast_version = %u\n",
        cs_hex(CS_SLICE_ARRAY(pin->deployment_id), deployment),
        cs_hex(cs_digest_slice(&pin->roots_digest), roots), pin->least_version);
}

/* The file's text in `out`, terminated; CS_ENOTFOUND when there is none. */
static int read_text(const struct cli_home *home, const char *name, char path[PATH_MAX], struct cs_buf *out,
                     struct cs_err *err)
{
    int rc = cli_file_join(path, PATH_MAX, err, home->folder, "%s", name);

    if (rc == CS_OK)
        rc = cli_file_read(path, SMALL_FILE_BYTES, out, err);
    if (rc == CS_OK && cs_buf_append_u8(out, '\0') != CS_OK)
        rc = cs_err_nomem(err);
    return rc;
}

static int read_config(struct cli_home *home, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    struct reading reading = {.where = path, .home = home, .err = err};
    int rc = read_text(home, "config", path, &text, err);

    if (rc == CS_OK)
        rc = parse((const char *)text.ptr, config_on_value, &reading);
    cs_buf_free(&text);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int read_pin(struct cli_home *home, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = read_text(home, "pin", path, &text, err);

    if (rc == CS_OK)
        rc = cli_home_pin_parse((const char *)text.ptr, path, &home->pin, err);
    home->pinned = rc == CS_OK;
    cs_buf_free(&text);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int find_folder(const char *folder, struct cli_home *home, struct cs_err *err)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *person = getenv("HOME");
    int used;

    if (!folder || !*folder)
        folder = getenv("COUNTERSIGN_HOME");
    if (folder && *folder)
        used = snprintf(home->folder, sizeof home->folder, "%s", folder);
    else if (xdg && *xdg)
        used = snprintf(home->folder, sizeof home->folder, "%s/countersign", xdg);
    else if (person && *person)
        used = snprintf(home->folder, sizeof home->folder, "%s/.config/countersign", person);
    else
        return cs_err_set(err, CS_EINVAL, "HOME is not set: say where keys and pin are with --home DIR");
    if (used < 0 || (size_t)used >= sizeof home->folder)
        return cs_err_set(err, CS_EINVAL, "the path of the home folder is too long");
    return CS_OK;
}

int cli_home_open(const char *folder, struct cli_home *ret, struct cs_err *err)
{
    struct cli_home *home = calloc(1, sizeof *home);
    int rc;

    if (!home)
        return cs_err_nomem(err);
    rc = find_folder(folder, home, err);
    if (rc == CS_OK)
        rc = cli_file_join(home->keys, sizeof home->keys, err, home->folder, "operators");
    if (rc == CS_OK)
        rc = read_config(home, err);
    if (rc == CS_OK)
        rc = read_pin(home, err);
    if (rc == CS_OK)
        *ret = *home;
    free(home);
    return rc;
}

int cli_home_save_pin(struct cli_home *home, const struct cs_pin *pin, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_EMPTY;
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, home->folder, "pin");

    if (rc == CS_OK && cli_home_pin_write(pin, &text) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_file_make_folder(home->folder, err);
    if (rc == CS_OK)
        rc = cli_file_write(path, 0600, cs_buf_slice(&text), err);
    if (rc == CS_OK) {
        home->pin = *pin;
        home->pinned = true;
    }
    cs_buf_free(&text);
    return rc;
}

int cli_home_save_policy(const struct cli_home *home, uint32_t version, struct cs_slice wire,
                         struct cs_err *err)
{
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, home->folder, "policies");

    if (rc == CS_OK)
        rc = cli_file_make_folder(path, err);
    if (rc == CS_OK)
        rc = cli_file_join(path, sizeof path, err, home->folder, "policies/%u", version);
    return rc == CS_OK ? cli_file_write(path, 0600, wire, err) : rc;
}

int cli_home_load_policy(const struct cli_home *home, uint32_t version, struct cs_buf *out,
                         struct cs_err *err)
{
    char path[PATH_MAX];
    int rc = cli_file_join(path, sizeof path, err, home->folder, "policies/%u", version);

    return rc == CS_OK ? cli_file_read(path, CS_LIMIT_POLICY_BYTES + CS_LIMIT_STATEMENT_BYTES, out, err) : rc;
}

static int named_path(const char *folder, const char *name, const char *what, const char *suffix,
                      char ret[PATH_MAX], struct cs_err *err)
{
    int rc = cs_name_check(cs_slice_str(name), what, err);

    return rc == CS_OK ? cli_file_join(ret, PATH_MAX, err, folder, "%s%s", name, suffix) : rc;
}

int cli_home_operator_key(const struct cli_home *home, const char *name, char ret[PATH_MAX],
                          struct cs_err *err)
{
    return named_path(home->keys, name, "the operator's name", ".key", ret, err);
}

int cli_home_operator_public(const struct cli_home *home, const char *name, char ret[PATH_MAX],
                             struct cs_err *err)
{
    return named_path(home->keys, name, "the operator's name", ".pub", ret, err);
}

int cli_home_token(const struct cli_home *home, const char *device, char ret[PATH_MAX], struct cs_err *err)
{
    char folder[PATH_MAX];
    int rc = cli_file_join(folder, sizeof folder, err, home->folder, "tokens");

    if (rc == CS_OK)
        rc = cli_file_make_folder(folder, err);
    return rc == CS_OK ? named_path(folder, device, "the device's name", "", ret, err) : rc;
}

int cli_home_lock(const struct cli_home *home, int *ret_fd, struct cs_err *err)
{
    int fd, rc = cli_file_make_folder(home->folder, err);

    if (rc != CS_OK)
        return rc;
    fd = open(home->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cs_err_set(err, CS_EIO, "opening %.120s: %s", home->folder, strerror(errno));
    do
        rc = flock(fd, LOCK_EX);
    while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        cs_err_set(err, CS_EIO, "locking %.120s: %s", home->folder, strerror(errno));
        close(fd);
        return CS_EIO;
    }
    *ret_fd = fd;
    return CS_OK;
}

int cli_home_checkpoints(const struct cli_home *home, char ret[PATH_MAX], struct cs_err *err)
{
    return cli_file_join(ret, PATH_MAX, err, home->folder, "checkpoints");
}
