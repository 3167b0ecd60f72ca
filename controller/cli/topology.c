/* countersign topology, device topology - one certificate, its app connectors, their devices, how each push
 * stands and who decided it; and the same from a device's side. What the controller says: `request show`
 * verifies the signatures behind it. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

struct drawing {
    const char *dot, *branch, *last, *bar, *gap;
};
static const struct drawing unicode_drawing = {"●", "├─ ", "└─ ", "│  ", "   "};
static const struct drawing ascii_drawing = {"*", "|- ", "`- ", "|  ", "   "};

/* ---- for machines */

static void add_rows(struct cli_doc *doc, const struct cli_topology *topology)
{
    static const struct cli_column columns[] = {
        {"device", "DEVICE", false},
        {"connector", "CONNECTOR", false},
        {"application", "APPLICATION", false},
        {"certificate", "CERTIFICATE", false},
        {"certificate_id", "CERTIFICATE ID", false},
        {"connected", "CONNECTED", false},
        {"last_seen", "LAST SEEN", false},
        {"colour", "COLOUR", false},
        {"sync", "SYNC", false},
        {"last_sync", "LAST SYNC", false},
        {"in_sync", "IN SYNC", false},
        {"remark", "REMARK", false},
        {"order", "ORDER", true},
        {"request", "REQUEST", true},
        {"action", "ACTION", false},
        {"state", "STATE", false},
        {"reason", "REASON", false},
    };

    cli_table(doc, "connectors", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < topology->count; i++) {
        const countersign_v1_TopologyRow *row = &topology->rows[i];

        CLI_ROW(doc, cli_text(row->device_name), cli_text(row->connector), cli_text(row->application),
                cli_text(row->certificate_name), cli_hex(CS_PB_BYTES(&row->certificate_id)),
                cli_bool(row->connected), cli_time(row->last_seen_s),
                cli_text(cli_show_colour_word(row->colour)), cli_text(cli_show_sync_word(row->sync)),
                cli_text(cli_show_sync_word(row->last_sync)), cli_bool(row->in_sync), cli_text(row->remark),
                cli_number(row->order.number), cli_number(row->order.request_number),
                cli_text(row->order.number ? cli_show_action_word(row->order.action) : ""),
                cli_text(cli_show_order_state(&row->order)), cli_text(row->order.reason));
    }
}

static void add_requests(struct cli_doc *doc, const struct cli_topology *topology)
{
    static const struct cli_column columns[] = {
        {"request", "REQUEST", CLI_RIGHT},
        {"requester", "REQUESTER", false},
        {"requested_at", "REQUESTED", false},
        {"comment", "COMMENT", false},
    };
    static const struct cli_column decided[] = {
        {"request", "REQUEST", CLI_RIGHT}, {"stage", "STAGE", false},
        {"decider", "DECIDER", false},     {"verdict", "VERDICT", false},
        {"manual", "MANUAL", false},       {"not_before", "NOT BEFORE", false},
        {"decided_at", "DECIDED", false},  {"orders", "ORDERS", CLI_RIGHT},
    };

    cli_table(doc, "requests", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < topology->request_count; i++) {
        const countersign_v1_RequestHistory *r = &topology->requests[i];

        CLI_ROW(doc, cli_number(r->number), cli_text(r->requester), cli_time(r->requested_at_s),
                cli_text(r->comment));
    }
    cli_table(doc, "decisions", decided, CS_ARRAY_LEN(decided), NULL);
    for (size_t i = 0; i < topology->request_count; i++)
        for (pb_size_t k = 0; k < topology->requests[i].decisions_count; k++) {
            const countersign_v1_DecisionSummary *d = &topology->requests[i].decisions[k];

            CLI_ROW(doc, cli_number(topology->requests[i].number), cli_text(d->stage), cli_text(d->decider),
                    cli_text(d->verdict == countersign_v1_Verdict_VERDICT_ACCEPT ? "accept" : "reject"),
                    cli_bool(d->mode == countersign_v1_Mode_MODE_MANUAL), cli_time(d->not_before_s),
                    cli_time(d->decided_at_s), cli_number(d->orders));
        }
}

static int write_json(struct cli *cli, const countersign_v1_Certificate *certificate,
                      const struct cli_topology *topology, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "common_name", "Common name", cli_text(certificate->common_name));
    cli_field(doc, "id", "Id", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_field(doc, "colour", "Colour", cli_text(cli_show_colour_word(certificate->colour)));
    cli_field(doc, "not_after", "Valid until", cli_time(certificate->not_after_s));
    cli_field(doc, "key_mode", "Private key", cli_text(cli_show_key_mode(cli->style, certificate->key_mode)));
    add_rows(doc, topology);
    add_requests(doc, topology);
    return cli_write(cli, doc, err);
}

/* ---- for people */

/* Prints text of the controller's, cleaned. */
static void put(const char *text)
{
    struct cs_buf clean = CS_BUF_EMPTY;

    if (cli_clean(cs_slice_str(text), &clean) == CS_OK)
        printf("%.*s", (int)clean.len, (const char *)clean.ptr);
    cs_buf_free(&clean);
}

static void put_tinted(struct cli_style style, enum cli_tint tint, const char *text)
{
    fputs(cli_tint_on(style, tint), stdout);
    put(text);
    fputs(cli_tint_off(style, tint), stdout);
}

static void put_colour(struct cli_style style, const struct drawing *drawing, countersign_v1_Colour colour)
{
    put_tinted(style, cli_show_colour_tint(colour), drawing->dot);
    putchar(' ');
    put_tinted(style, cli_show_colour_tint(colour), cli_show_colour_word(colour));
    printf(" (%s)", cli_show_colour_meaning(colour));
}

static void put_order(struct cli_style style, const countersign_v1_TopologyRow *row)
{
    char number[CLI_TEXT_BYTES], request[CLI_TEXT_BYTES];

    if (row->order.number == 0) {
        fputs("not pushed yet", stdout);
        return;
    }
    if (row->order.action != countersign_v1_Action_ACTION_INSTALL)
        printf("%s: ", cli_show_action_word(row->order.action));
    put_tinted(style, cli_show_state_tint(row->order.state), cli_show_order_state(&row->order));
    printf("  %s of %s, generation %llu", cli_show_order_number(row->order.number, number),
           cli_show_request_number(row->order.request_number, request),
           (unsigned long long)row->order.generation);
    if (row->order.reason[0]) {
        fputs(": ", stdout);
        put(row->order.reason);
    }
}

static void put_root(struct cli_style style, const struct drawing *drawing,
                     const countersign_v1_Certificate *certificate)
{
    char until[CS_TIME_TEXT_BYTES], key[CLI_TEXT_BYTES], id[2 * sizeof certificate->id.bytes + 1];

    put_tinted(style, CLI_BOLD, certificate->common_name);
    fputs("  ", stdout);
    put_colour(style, drawing, certificate->colour);
    printf("\n%sid %.16s, %s, private key %s, valid until %s\n", drawing->bar,
           cs_hex(CS_PB_BYTES(&certificate->id), id),
           cli_show_key_kind(certificate->key, certificate->key_bits, key),
           cli_show_key_mode(style, certificate->key_mode), cs_time_text(certificate->not_after_s, until));
}

/* Then that it is missing is as it should be. */
static bool is_removed(const countersign_v1_TopologyRow *row)
{
    return row->sync == countersign_v1_SyncState_SYNC_STATE_MISSING &&
           row->order.action == countersign_v1_Action_ACTION_REMOVE &&
           row->order.state == countersign_v1_OrderState_ORDER_STATE_COMPLETED;
}

static void put_sync(struct cli_style style, const countersign_v1_TopologyRow *row)
{
    char since[CS_TIME_TEXT_BYTES];

    if (is_removed(row)) {
        fputs("nothing is installed: it was removed, as people decided", stdout);
        return;
    }
    put_tinted(style, cli_show_sync_tint(row->sync), cli_show_sync_word(row->sync));
    if (row->sync != countersign_v1_SyncState_SYNC_STATE_UNKNOWN)
        return;
    if (row->last_seen_s == 0)
        fputs(" (the device was never heard)", stdout);
    else if (row->connected)
        fputs(" (the device does not state this app connector any more", stdout);
    else
        printf(" (offline since %s", cs_time_text(row->last_seen_s, since));
    if (row->last_seen_s == 0)
        return;
    if (row->last_sync != countersign_v1_SyncState_SYNC_STATE_UNSPECIFIED)
        printf("; was %s then)", cli_show_sync_word(row->last_sync));
    else
        putchar(')');
}

/* Which lines stand left of what is written. */
struct margin {
    struct cli_style style;
    const struct drawing *drawing;
    const char *device, *connector;
};

static void put_margin(const struct margin *margin)
{
    printf("%s%s", margin->device, margin->connector);
}

static void put_decision(const struct margin *margin, const countersign_v1_DecisionSummary *decision)
{
    const bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    char at[CS_TIME_TEXT_BYTES], not_before[CS_TIME_TEXT_BYTES];

    put_margin(margin);
    fputs("  ", stdout);
    put(decision->stage);
    fputs(": ", stdout);
    put(decision->decider);
    printf(" %s", cs_time_text(decision->decided_at_s, at));
    if (!accepts)
        put_tinted(margin->style, CLI_RED, ", rejected");
    else if (decision->mode == countersign_v1_Mode_MODE_SCHEDULED)
        printf(", Manual Implementation off, not before %s",
               cs_time_text(decision->not_before_s, not_before));
    else
        fputs(", Manual Implementation on", stdout);
    printf(" (%u work order%s)\n", (unsigned)decision->orders, decision->orders == 1 ? "" : "s");
}

/* Once a request: `told` has those that were. */
static void put_history(const struct margin *margin, const struct cli_topology *topology,
                        uint64_t request_number, bool *told)
{
    const countersign_v1_RequestHistory *history = cli_topology_request(topology, request_number);
    char number[CLI_TEXT_BYTES], at[CS_TIME_TEXT_BYTES];

    if (!history || told[history - topology->requests])
        return;
    told[history - topology->requests] = true;
    put_margin(margin);
    printf("%s: ", cli_show_request_number(history->number, number));
    put(history->requester);
    printf(" %s", cs_time_text(history->requested_at_s, at));
    if (history->comment[0]) {
        fputs(", \"", stdout);
        put(history->comment);
        putchar('"');
    }
    putchar('\n');
    for (pb_size_t i = 0; i < history->decisions_count; i++)
        put_decision(margin, &history->decisions[i]);
}

/* Beneath the name of the connector, or of the certificate at it. */
static void put_standing(const struct margin *margin, const struct cli_topology *topology,
                         const countersign_v1_TopologyRow *row, bool *told)
{
    put_margin(margin);
    put_sync(margin->style, row);
    if (row->remark[0]) {
        fputs(": ", stdout);
        put(row->remark);
    }
    putchar('\n');
    put_margin(margin);
    put_order(margin->style, row);
    putchar('\n');
    put_history(margin, topology, row->order.request_number, told);
}

static bool same_device(const struct cli_topology *topology, size_t a, size_t b)
{
    return b < topology->count && strcmp(topology->rows[a].device_name, topology->rows[b].device_name) == 0;
}

static void put_connector(const struct margin *margin, const countersign_v1_TopologyRow *row, bool last)
{
    printf("%s%s", margin->device, last ? margin->drawing->last : margin->drawing->branch);
    put_tinted(margin->style, CLI_BOLD, row->connector);
    fputs(" (", stdout);
    put(row->application[0] ? row->application : "not stated by the device");
    fputs(")  ", stdout);
    put_colour(margin->style, margin->drawing, row->colour);
    putchar('\n');
}

static void put_presence(struct cli_style style, const char *device_name, bool is_connected)
{
    put_tinted(style, CLI_BOLD, device_name);
    fputs("  ", stdout);
    put_tinted(style, is_connected ? CLI_GREEN : CLI_GRAY, is_connected ? "connected" : "offline");
    putchar('\n');
}

static void put_tree(struct cli_style style, const struct drawing *drawing,
                     const struct cli_topology *topology, bool *told)
{
    const countersign_v1_TopologyRow *rows = topology->rows;

    for (size_t i = 0; i < topology->count; i++) {
        bool last_device = same_device(topology, topology->count - 1, i);
        bool last_connector = !same_device(topology, i, i + 1);
        const struct margin margin = {style, drawing, last_device ? drawing->gap : drawing->bar,
                                      last_connector ? drawing->gap : drawing->bar};

        if (i == 0 || !same_device(topology, i, i - 1)) {
            fputs(last_device ? drawing->last : drawing->branch, stdout);
            put_presence(style, rows[i].device_name, rows[i].connected);
        }
        put_connector(&margin, &rows[i], last_connector);
        put_standing(&margin, topology, &rows[i], told);
    }
}

static int finish(struct cs_err *err)
{
    return fflush(stdout) == 0 ? CS_OK : cs_err_set(err, CS_EIO, "writing the result failed");
}

static int write_tree(struct cli *cli, const countersign_v1_Certificate *certificate,
                      const struct cli_topology *topology, struct cs_err *err)
{
    const struct drawing *drawing = cli->style.unicode ? &unicode_drawing : &ascii_drawing;
    cs_auto_free bool *told = calloc(topology->request_count + 1, sizeof *told);

    if (!told)
        return cs_err_nomem(err);
    put_root(cli->style, drawing, certificate);
    put_tree(cli->style, drawing, topology, told);
    if (topology->count == 0)
        printf("%sno app connector yet: countersign cert attach CERT DEVICE CONNECTOR\n", drawing->last);
    return finish(err);
}

int cli_topology_run(struct cli *cli, struct cs_err *err)
{
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    struct cli_topology topology = {0};
    int rc = cli_fetch_certificate(cli, cli->args.operands[0], &certificate, err);

    if (rc == CS_OK)
        rc = cli_fetch_topology(cli, CS_PB_BYTES(&certificate->id), &topology, certificate, err);
    if (rc == CS_OK)
        rc = cli->style.json ? write_json(cli, certificate, &topology, err)
                             : write_tree(cli, certificate, &topology, err);
    cli_topology_free(&topology);
    return rc;
}

/* ---- the same from a device's side */

static int write_device_json(struct cli *cli, const countersign_v1_Device *device,
                             const struct cli_topology *topology, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "name", "Device", cli_text(device->name));
    cli_field(doc, "connected", "Connected", cli_bool(device->connected));
    cli_field(doc, "last_seen", "Last seen", cli_time(device->last_seen_s));
    add_rows(doc, topology);
    add_requests(doc, topology);
    return cli_write(cli, doc, err);
}

/* One certificate at one of the device's app connectors. */
static void put_certificate(const struct margin *margin, const countersign_v1_TopologyRow *row, bool last)
{
    char id[2 * sizeof row->certificate_id.bytes + 1];

    printf("%s%s", margin->device, last ? margin->drawing->last : margin->drawing->branch);
    put_tinted(margin->style, CLI_BOLD, row->certificate_name);
    printf(" (%.16s)  ", cs_hex(CS_PB_BYTES(&row->certificate_id), id));
    put_colour(margin->style, margin->drawing, row->colour);
    putchar('\n');
}

/* The rows of one connector come one behind the other, from `from` on; gives the place behind them. */
static size_t put_certificates(struct cli_style style, const struct drawing *drawing,
                               const struct cli_topology *topology, const char *connector,
                               bool last_connector, bool *told)
{
    const countersign_v1_TopologyRow *rows = topology->rows;
    size_t put_count = 0;

    for (size_t i = 0; i < topology->count; i++) {
        bool last = i + 1 == topology->count || strcmp(rows[i + 1].connector, connector) != 0;
        const struct margin margin = {style, drawing, last_connector ? drawing->gap : drawing->bar,
                                      last ? drawing->gap : drawing->bar};

        if (strcmp(rows[i].connector, connector) != 0)
            continue;
        put_certificate(&margin, &rows[i], last);
        put_standing(&margin, topology, &rows[i], told);
        put_count++;
    }
    return put_count;
}

static void put_device_tree(struct cli_style style, const struct drawing *drawing,
                            const countersign_v1_Device *device, const struct cli_topology *topology,
                            bool *told)
{
    put_presence(style, device->name, device->connected);
    for (pb_size_t i = 0; i < device->connectors_count; i++) {
        const countersign_v1_DeviceConnector *connector = &device->connectors[i];
        bool last = i + 1 == device->connectors_count;

        fputs(last ? drawing->last : drawing->branch, stdout);
        put_tinted(style, CLI_BOLD, connector->name);
        fputs(" (", stdout);
        put(connector->application);
        puts(connector->installed_digest.size ? ")" : ")  nothing is installed");
        if (put_certificates(style, drawing, topology, connector->name, last, told) > 0)
            continue;
        printf("%s%sno certificate is attached", last ? drawing->gap : drawing->bar, drawing->last);
        if (connector->remark[0]) {
            fputs("; ", stdout);
            put(connector->remark);
        }
        putchar('\n');
    }
    if (device->connectors_count == 0)
        printf("%sno app connector: declare one on the device\n", drawing->last);
}

int cli_device_topology(struct cli *cli, struct cs_err *err)
{
    const struct drawing *drawing = cli->style.unicode ? &unicode_drawing : &ascii_drawing;
    cs_auto_free countersign_v1_Device *device = CLI_NEW(countersign_v1_Device, err);
    struct cli_topology topology = {0};
    cs_auto_free bool *told = NULL;
    int rc = cs_name_check(cs_slice_str(cli->args.operands[0]), "the device's name", err);

    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (!device)
        return CS_ENOMEM;
    if (rc == CS_OK)
        rc = cli_fetch_device_topology(cli, cli->args.operands[0], &topology, device, err);
    if (rc == CS_OK && cli->style.json)
        rc = write_device_json(cli, device, &topology, err);
    else if (rc == CS_OK && (told = calloc(topology.request_count + 1, sizeof *told)) == NULL)
        rc = cs_err_nomem(err);
    else if (rc == CS_OK) {
        put_device_tree(cli->style, drawing, device, &topology, told);
        rc = finish(err);
    }
    cli_topology_free(&topology);
    return rc;
}
