#include "agent/unit.h"

/* A path as a unit's word: quoted, % doubled (systemd.unit(5), systemd.syntax(7)). */
static int put_path(struct cs_buf *out, const char *path, size_t len)
{
    int code = cs_buf_append_str(out, "ReadWritePaths=\"-");

    for (size_t i = 0; !code && i < len; i++) {
        if (path[i] == '%')
            code = cs_buf_append_str(out, "%%");
        else if (path[i] == '"' || path[i] == '\\')
            code = cs_buf_printf(out, "\\%c", path[i]);
        else
            code = cs_buf_append_u8(out, (uint8_t)path[i]);
    }
    return code ? code : cs_buf_append_str(out, "\"\n");
}

static int put_connector(const struct ag_connector *connector, struct cs_buf *out)
{
    int code = cs_buf_printf(out, "# %s (%s)\n", connector->name, connector->application);

    for (size_t i = 0; !code && i < AG_FILE_COUNT; i++) {
        const char *path = connector->paths[i];

        if (path)
            code = put_path(out, path, (size_t)(strrchr(path, '/') - path) + (strrchr(path, '/') == path));
    }
    for (size_t i = 0; !code && connector->writes[i]; i++)
        code = put_path(out, connector->writes[i], strlen(connector->writes[i]));
    if (!code && connector->run_as)
        code = cs_buf_append_str(out, "CapabilityBoundingSet=CAP_SETUID CAP_SETGID\n");
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
        code = put_path(out, config->state, strlen(config->state));
    for (size_t i = 0; !code && i < config->connectors.count; i++)
        code = put_connector(&config->connectors.items[i], out);
    return code ? CS_ENOMEM : CS_OK;
}
