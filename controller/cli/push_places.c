/* Where a push, a removal or a roll back goes: what the person named, against what is attached. */
#include "controller/cli/push_impl.h"

#include "shared/base/text.h"

static bool removes(const struct pushing *pushing)
{
    return pushing->wish->action == countersign_v1_Action_ACTION_REMOVE;
}

/* NULL: it is not attached there. */
static const countersign_v1_TopologyRow *find_row(const struct pushing *pushing, const char *device,
                                                  const char *connector)
{
    for (size_t i = 0; i < pushing->attached.count; i++)
        if (strcmp(pushing->attached.rows[i].device_name, device) == 0 &&
            strcmp(pushing->attached.rows[i].connector, connector) == 0)
            return &pushing->attached.rows[i];
    return NULL;
}

static bool is_given(const countersign_v1_PreparePushRequest *prepare, const char *device,
                     const char *connector)
{
    for (pb_size_t i = 0; i < prepare->targets_count; i++)
        if (strcmp(prepare->targets[i].device_name, device) == 0 &&
            strcmp(prepare->targets[i].connector, connector) == 0)
            return true;
    return false;
}

static int add_place(struct cli *cli, struct pushing *pushing, const char *device, const char *connector,
                     struct cs_err *err)
{
    countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    const countersign_v1_TopologyRow *row = find_row(pushing, device, connector);
    countersign_v1_PushTarget target = {0};

    if (strlen(device) >= sizeof target.device_name || strlen(connector) >= sizeof target.connector)
        return cli_usage(cli, err, "%.60s/%.60s is no app connector", device, connector);
    memcpy(target.device_name, device, strlen(device));
    memcpy(target.connector, connector, strlen(connector));
    if (is_given(prepare, device, connector))
        return cli_usage(cli, err, "--to %s/%s is given twice", device, connector);
    if (!row)
        return cs_err_set(err, CS_ESTATE,
                          "\"%.60s\" is not attached to %s/%s: countersign cert attach \"%.60s\" %s %s",
                          pushing->certificate->common_name, device, connector,
                          pushing->certificate->common_name, device, connector);
    if (removes(pushing) && !row->pushed)
        return cs_err_set(
            err, CS_ESTATE,
            "no completed work order left \"%.60s\" at %s/%s, or a later one took it away: it is not "
            "installed there, and there is nothing to remove; `countersign topology` shows "
            "what is",
            pushing->certificate->common_name, device, connector);
    if (prepare->targets_count == CS_ARRAY_LEN(prepare->targets))
        return cli_usage(cli, err, "at most %zu --to can be given; without any, every app connector is meant",
                         CS_ARRAY_LEN(prepare->targets));
    prepare->targets[prepare->targets_count++] = target;
    return CS_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* One --group NAME: who is in it is the controller's word, so the person sees every place before signing. */
static int add_group(struct cli *cli, struct pushing *pushing, const char *group, bool *wanted,
                     struct cs_err *err)
{
    countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    cs_auto_free cli_device_name *names = NULL;
    size_t count = 0, found = 0;
    int rc = cs_name_check(cs_slice_str(group), "--group", err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (prepare->groups_count == CS_ARRAY_LEN(prepare->groups))
        return cli_usage(cli, err, "at most %zu --group can be given", CS_ARRAY_LEN(prepare->groups));
    snprintf(prepare->groups[prepare->groups_count++], sizeof prepare->groups[0], "%s", group);
    rc = cli_fetch_group(cli, group, &names, &count, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < pushing->attached.count; i++)
        if (count && bsearch(pushing->attached.rows[i].device_name, names, count, sizeof *names, by_name)) {
            wanted[i] = true;
            found++;
        }
    return found
               ? CS_OK
               : cs_err_set(err, CS_ESTATE,
                            "\"%.60s\" is attached to none of the %zu devices in the group %s: `countersign "
                            "device group` puts devices into groups, `countersign cert attach` attaches",
                            pushing->certificate->common_name, count, group);
}

/* What was asked for, sorted: the targets and `wanted`, or everything. */
static void find_places(struct pushing *pushing, const bool *wanted)
{
    const countersign_v1_PreparePushRequest *prepare = pushing->prepare;
    const bool all = prepare->targets_count == 0 && prepare->groups_count == 0;

    for (size_t i = 0; i < pushing->attached.count; i++) {
        const countersign_v1_TopologyRow *row = &pushing->attached.rows[i];

        if (removes(pushing) && !row->pushed)
            continue;
        if (all || wanted[i] || is_given(prepare, row->device_name, row->connector))
            pushing->asked.list[pushing->asked.count++] =
                (struct cli_push_place){row->device_name, row->connector, false};
    }
    cli_places_sort(&pushing->asked);
}

/* One --to DEVICE/CONNECTOR. */
static int add_target(struct cli *cli, struct pushing *pushing, const char *text, struct cs_err *err)
{
    const char *slash = strchr(text, '/');
    char device[CS_LIMIT_NAME_BYTES + 1];

    if (!slash || (size_t)(slash - text) >= sizeof device)
        return cli_usage(cli, err, "--to \"%.80s\" is not of the form DEVICE/CONNECTOR", text);
    memcpy(device, text, (size_t)(slash - text));
    device[slash - text] = '\0';
    return add_place(cli, pushing, device, slash + 1, err);
}

static int read_places(struct cli *cli, struct pushing *pushing, bool *wanted, struct cs_err *err)
{
    const char *to, *group;
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && (to = cli_args_option_at(&cli->args, "to", i)) != NULL; i++)
        rc = add_target(cli, pushing, to, err);
    for (size_t i = 0; rc == CS_OK && (group = cli_args_option_at(&cli->args, "group", i)) != NULL; i++)
        rc = add_group(cli, pushing, group, wanted, err);
    return rc;
}

static int check_attached(const struct pushing *pushing, struct cs_err *err)
{
    return pushing->attached.count
               ? CS_OK
               : cs_err_set(err, CS_ESTATE,
                            "\"%.80s\" is not attached to any app connector, so there is nowhere to push it: "
                            "`countersign device list` shows the connectors, `countersign cert attach CERT "
                            "DEVICE CONNECTOR` attaches",
                            pushing->certificate->common_name);
}

int cli_push_find_places(struct cli *cli, struct pushing *pushing, struct cs_err *err)
{
    cs_auto_free bool *wanted = NULL;
    int rc = cli_fetch_topology(cli, CS_PB_BYTES(&pushing->certificate->id), &pushing->attached, NULL, err);

    if (rc == CS_OK)
        rc = check_attached(pushing, err);
    if (rc != CS_OK)
        return rc;
    pushing->asked.list = calloc(pushing->attached.count, sizeof *pushing->asked.list);
    wanted = calloc(pushing->attached.count, sizeof *wanted);
    if (!pushing->asked.list || !wanted)
        return cs_err_nomem(err);
    if (pushing->wish->device)
        rc = add_place(cli, pushing, pushing->wish->device, pushing->wish->connector, err);
    else
        rc = read_places(cli, pushing, wanted, err);
    if (rc != CS_OK)
        return rc;
    find_places(pushing, wanted);
    return pushing->asked.count
               ? CS_OK
               : cs_err_set(
                     err, CS_ESTATE,
                     "no completed work order left \"%.80s\" at any of these app connectors, or later "
                     "ones took it away: there is nothing to remove; `countersign topology` shows what "
                     "is",
                     pushing->certificate->common_name);
}
