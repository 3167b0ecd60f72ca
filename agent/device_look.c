/* What is installed and served, looked at: at once where the system tells of a change, else on a period. */
#include "agent/device_impl.h"

enum {
    LOOK_MS = 3000, /* for one handshake */
    WATCHED_PER_CONNECTOR = 2 + AG_FILE_COUNT,
};

bool ag_device_look(struct ag_device *device)
{
    struct cs_err err = {0};
    bool news = false;

    if (device->config->check_s == 0 || !device->recovered || device->busy)
        return false;
    if (ag_installed_look(&device->installed, device->config, &device->state, device->store.port, &news,
                          &err) != CS_OK)
        cs_log(CS_LOG_WARN, "device", "cannot see what is installed", CS_F("error", err.msg), CS_FEND);
    return news;
}

/* ---- what is served */

static void look_at_next(struct ag_device *device);

static void end_look(struct ag_device *device)
{
    device->served.under_way = false;
    if (device->served.news)
        device->events->on_change(device->owner);
}

static void on_seen(void *owner, const struct ag_probe_result *result)
{
    struct ag_device *device = owner;
    struct ag_served *served = &device->served;
    enum ag_serves serves = !result->served                              ? AG_SERVES_NOTHING
                            : cs_digest_eq(&result->leaf, &served->leaf) ? AG_SERVES_IT
                                                                         : AG_SERVES_OTHER;

    served->news |= ag_installed_serves(&device->installed, served->index, serves);
    served->index++;
    look_at_next(device);
}

/* True: there is something to look at at this connector. */
static bool should_serve(const struct ag_device *device, size_t index, struct cs_digest *ret_leaf)
{
    const struct ag_connector *connector = &device->config->connectors.items[index];
    const struct ag_connector_state *state = ag_state_connector(&device->state, connector->name);
    char files[AG_LIMIT_PATH_BYTES];

    return connector->probe.host && state && state->installed_generation > 0 &&
           ag_generation_path(device->config->state, connector->name, state->installed_generation, NULL,
                              files, sizeof files, NULL) == CS_OK &&
           ag_application_leaf(device->store.port, connector, files, ret_leaf, NULL) == CS_OK;
}

static void look_at_next(struct ag_device *device)
{
    struct ag_served *served = &device->served;
    struct ag_port *port = device->store.port;

    for (; served->index < device->config->connectors.count; served->index++) {
        struct cs_err err = {0};

        if (should_serve(device, served->index, &served->leaf) &&
            port->probe(port, &device->config->connectors.items[served->index].probe, LOOK_MS, on_seen,
                        device, &err) == CS_OK)
            return;
    }
    end_look(device);
}

void ag_device_check(struct ag_device *device)
{
    if (device->config->check_s == 0 || !device->recovered || device->busy || device->served.under_way)
        return;
    device->served = (struct ag_served){.under_way = true, .news = ag_device_look(device)};
    look_at_next(device);
}

void ag_device_stop_looking(struct ag_device *device)
{
    if (!device->served.under_way)
        return;
    device->served.under_way = false;
    device->store.port->stop(device->store.port);
}

/* ---- watching */

static void on_folder_changed(void *owner)
{
    struct ag_device *device = owner;

    if (device->busy)
        return;
    /* What was there may be another folder now. */
    ag_device_look_again(device);
    if (ag_device_look(device))
        device->events->on_change(device->owner);
}

struct watching {
    char *folders[CS_LIMIT_CONNECTORS_PER_DEVICE * WATCHED_PER_CONNECTOR];
    size_t count;
};

static void watching_free(struct watching *watching)
{
    for (size_t i = 0; i < watching->count; i++)
        free(watching->folders[i]);
}

static void add_folder(struct watching *watching, const char *path, size_t len)
{
    char *copy = len > 0 ? strndup(path, len) : NULL;

    for (size_t i = 0; copy && i < watching->count; i++) {
        if (strcmp(watching->folders[i], copy) == 0) {
            free(copy);
            return;
        }
    }
    if (copy)
        watching->folders[watching->count++] = copy;
}

/* Where the application's paths are, where `current` is, and where the files are that it leads to. */
static void add_connector(const struct ag_device *device, const struct ag_connector *connector,
                          struct watching *watching)
{
    const struct ag_connector_state *state = ag_state_connector(&device->state, connector->name);
    char path[AG_LIMIT_PATH_BYTES];

    if (!state || state->installed_generation == 0)
        return;
    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        if (connector->paths[i])
            add_folder(watching, connector->paths[i],
                       (size_t)(strrchr(connector->paths[i], '/') - connector->paths[i]));
    }
    if (ag_connector_folder(device->config->state, connector->name, NULL, path, sizeof path, NULL) == CS_OK)
        add_folder(watching, path, strlen(path));
    if (ag_generation_path(device->config->state, connector->name, state->installed_generation, NULL, path,
                           sizeof path, NULL) == CS_OK)
        add_folder(watching, path, strlen(path));
}

void ag_device_look_again(struct ag_device *device)
{
    cs_auto(watching_free) struct watching watching = {.count = 0};
    struct ag_port *port = device->store.port;
    struct cs_err err = {0};

    if (device->config->check_s == 0 || !port->watch)
        return;
    for (size_t i = 0; i < device->config->connectors.count; i++)
        add_connector(device, &device->config->connectors.items[i], &watching);
    if (port->watch(port, (const char *const *)watching.folders, watching.count, on_folder_changed, device,
                    &err) != CS_OK)
        cs_log(CS_LOG_WARN, "device", "what is installed is looked at on the period only",
               CS_F("error", err.msg), CS_FEND);
}
