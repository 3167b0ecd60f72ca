#include "agent/unit.h"

/* A folder as a unit's word: quoted, % doubled (systemd.unit(5), systemd.syntax(7)); one that is not there is
 * passed over. */
static int put_path(struct cs_buf *out, struct cs_slice path)
{
    int code = cs_buf_append_str(out, "ReadWritePaths=\"-");

    for (size_t i = 0; !code && i < path.len; i++) {
        char c = (char)path.ptr[i];

        if (c == '%')
            code = cs_buf_append_str(out, "%%");
        else if (c == '"' || c == '\\')
            code = cs_buf_printf(out, "\\%c", c);
        else
            code = cs_buf_append_u8(out, (uint8_t)c);
    }
    return code ? code : cs_buf_append_str(out, "\"\n");
}

static struct cs_slice folder_of(const char *path)
{
    size_t len = (size_t)(strrchr(path, '/') - path);

    return cs_slice(path, len > 0 ? len : 1);
}

/* Most files of a connector share one folder. */
static bool is_named_before(char *const *paths, size_t count, struct cs_slice folder)
{
    for (size_t i = 0; i < count; i++) {
        if (paths[i] && cs_slice_eq(folder_of(paths[i]), folder))
            return true;
    }
    return false;
}

static int put_connector(const struct ag_connector *connector, struct cs_buf *out)
{
    int code = cs_buf_printf(out, "# %s (%s)\n", connector->name, connector->application);

    for (size_t i = 0; !code && i < AG_FILE_COUNT; i++) {
        const char *path = connector->paths[i];

        if (path && !is_named_before(connector->paths, i, folder_of(path)))
            code = put_path(out, folder_of(path));
    }
    for (size_t i = 0; !code && connector->writes[i]; i++)
        code = put_path(out, cs_slice_str(connector->writes[i]));
    return code;
}

int ag_unit_write(const struct ag_config *config, struct cs_buf *out)
{
    int code = cs_buf_append_str(
        out, "# Made by `countersign-agent unit` from the connectors that are declared; make it anew when "
             "they change:\n"
             "#   countersign-agent unit > /etc/systemd/system/countersign-agent.service.d/connectors.conf\n"
             "[Service]\n");

    if (!code)
        code = put_path(out, cs_slice_str(config->state));
    for (size_t i = 0; !code && i < config->connectors.count; i++)
        code = put_connector(&config->connectors.items[i], out);
    return code ? CS_ENOMEM : CS_OK;
}
