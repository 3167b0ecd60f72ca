/* The part of fetch.h that is about topologies and groups: page by page. */
#include "controller/cli/fetch.h"

/* A controller could go on for ever: more than this is no page's end, but a lie. */
enum { ROWS_MOST = 1000 * 1000 };

void cli_topology_free(struct cli_topology *topology)
{
    free(topology->rows);
    free(topology->requests);
    *topology = (struct cli_topology){0};
}

const countersign_v1_RequestHistory *cli_topology_request(const struct cli_topology *topology,
                                                          uint64_t request_number)
{
    for (size_t i = 0; i < topology->request_count; i++)
        if (topology->requests[i].number == request_number)
            return &topology->requests[i];
    return NULL;
}

static int add_page(struct cli_topology *topology, const countersign_v1_TopologyRow *rows, size_t count,
                    const countersign_v1_RequestHistory *requests, size_t request_count, struct cs_err *err)
{
    countersign_v1_TopologyRow *more_rows;
    countersign_v1_RequestHistory *more_requests;

    if (topology->count + count > ROWS_MOST)
        return cs_err_set(err, CS_ETOOBIG, "the controller's topology has no end");
    more_rows = realloc(topology->rows, (topology->count + count) * sizeof *rows + 1);
    if (!more_rows)
        return cs_err_nomem(err);
    topology->rows = more_rows;
    more_requests =
        realloc(topology->requests, (topology->request_count + request_count) * sizeof *requests + 1);
    if (!more_requests)
        return cs_err_nomem(err);
    topology->requests = more_requests;
    for (size_t i = 0; i < count; i++)
        topology->rows[topology->count++] = rows[i];
    for (size_t i = 0; i < request_count; i++)
        if (!cli_topology_request(topology, requests[i].number))
            topology->requests[topology->request_count++] = requests[i];
    return CS_OK;
}

int cli_fetch_topology(struct cli *cli, struct cs_slice certificate_id, struct cli_topology *ret,
                       countersign_v1_Certificate *ret_certificate, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetTopologyResponse *reply = CLI_NEW(countersign_v1_GetTopologyResponse, err);
    countersign_v1_GetTopologyRequest request = {0};
    struct cli_topology all = {0};
    int rc = reply ? CS_OK : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&request.certificate_id, certificate_id);
    do {
        rc = cli_call(cli, &cli_rpc_GetTopology, &request, reply, err);
        if (rc == CS_OK)
            rc = add_page(&all, reply->rows, reply->rows_count, reply->requests, reply->requests_count, err);
        if (rc == CS_OK && all.count) {
            const countersign_v1_TopologyRow *last = &all.rows[all.count - 1];

            memcpy(request.after_device, last->device_name, sizeof request.after_device);
            memcpy(request.after_connector, last->connector, sizeof request.after_connector);
        }
    } while (rc == CS_OK && reply->more && reply->rows_count);
    if (rc != CS_OK) {
        cli_topology_free(&all);
        return rc;
    }
    if (ret_certificate)
        *ret_certificate = reply->certificate;
    *ret = all;
    return CS_OK;
}

int cli_fetch_device_topology(struct cli *cli, const char *device_name, struct cli_topology *ret,
                              countersign_v1_Device *ret_device, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceTopologyResponse *reply =
        CLI_NEW(countersign_v1_GetDeviceTopologyResponse, err);
    countersign_v1_GetDeviceTopologyRequest request = {0};
    struct cli_topology all = {0};
    int rc = reply ? CS_OK : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    snprintf(request.device_name, sizeof request.device_name, "%s", device_name);
    do {
        rc = cli_call(cli, &cli_rpc_GetDeviceTopology, &request, reply, err);
        if (rc == CS_OK)
            rc = add_page(&all, reply->rows, reply->rows_count, reply->requests, reply->requests_count, err);
        if (rc == CS_OK && all.count) {
            const countersign_v1_TopologyRow *last = &all.rows[all.count - 1];

            memcpy(request.after_connector, last->connector, sizeof request.after_connector);
            CS_PB_SET(&request.after_certificate_id, CS_PB_BYTES(&last->certificate_id));
        }
    } while (rc == CS_OK && reply->more && reply->rows_count);
    if (rc != CS_OK) {
        cli_topology_free(&all);
        return rc;
    }
    *ret_device = reply->device;
    *ret = all;
    return CS_OK;
}

int cli_fetch_group(struct cli *cli, const char *group, cli_device_name **ret_names, size_t *ret_count,
                    struct cs_err *err)
{
    cs_auto_free countersign_v1_ListDevicesResponse *reply = CLI_NEW(countersign_v1_ListDevicesResponse, err);
    countersign_v1_ListDevicesRequest request = {0};
    cs_auto_free cli_device_name *names = NULL;
    size_t count = 0;

    if (!reply)
        return CS_ENOMEM;
    snprintf(request.group, sizeof request.group, "%s", group);
    do {
        cli_device_name *more;
        int rc = cli_call(cli, &cli_rpc_ListDevices, &request, reply, err);

        if (rc != CS_OK)
            return rc;
        more = realloc(names, (count + reply->devices_count) * sizeof *names + 1);
        if (!more)
            return cs_err_nomem(err);
        names = more;
        for (pb_size_t i = 0; i < reply->devices_count; i++) {
            if (strcmp(reply->devices[i].name, request.after_name) <= 0)
                return cs_err_set(err, CS_EAUTH, "the controller gave device %s twice: its list has no end",
                                  reply->devices[i].name);
            memcpy(request.after_name, reply->devices[i].name, sizeof request.after_name);
            memcpy(names[count++], reply->devices[i].name, sizeof names[0]);
        }
    } while (reply->more && reply->devices_count);
    *ret_names = cs_steal(names);
    *ret_count = count;
    return CS_OK;
}
