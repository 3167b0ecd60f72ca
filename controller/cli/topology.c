/* countersign topology - one certificate, its app connectors, their devices, and how each push stands. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

struct drawing {
    const char *dot, *branch, *last, *bar, *gap;
};
static const struct drawing unicode_drawing = {"●", "├─ ", "└─ ", "│  ", "   "};
static const struct drawing ascii_drawing = {"*", "|- ", "`- ", "|  ", "   "};

static int write_json(struct cli *cli, const countersign_v1_Certificate *certificate,
                      const countersign_v1_TopologyRow *rows, size_t count, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"device", "DEVICE", false},           {"connector", "CONNECTOR", false},
        {"application", "APPLICATION", false}, {"connected", "CONNECTED", false},
        {"last_seen", "LAST SEEN", false},     {"colour", "COLOUR", false},
        {"in_sync", "IN SYNC", false},         {"order", "ORDER", true},
        {"request", "REQUEST", true},          {"state", "STATE", false},
        {"reason", "REASON", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "common_name", "Common name", cli_text(certificate->common_name));
    cli_field(doc, "id", "Id", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_field(doc, "colour", "Colour", cli_text(cli_show_colour_word(certificate->colour)));
    cli_field(doc, "not_after", "Valid until", cli_time(certificate->not_after_s));
    cli_field(doc, "key_mode", "Private key", cli_text(cli_show_key_mode(cli->style, certificate->key_mode)));
    cli_table(doc, "connectors", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < count; i++) {
        const countersign_v1_TopologyRow *row = &rows[i];

        CLI_ROW(doc, cli_text(row->device_name), cli_text(row->connector), cli_text(row->application),
                cli_bool(row->connected), cli_time(row->last_seen_s),
                cli_text(cli_show_colour_word(row->colour)), cli_bool(row->in_sync),
                cli_number(row->order.number), cli_number(row->order.request_number),
                cli_text(cli_show_order_state(&row->order)), cli_text(row->order.reason));
    }
    return cli_write(cli, doc, err);
}

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

static void put_connector(struct cli_style style, const struct drawing *drawing,
                          const countersign_v1_TopologyRow *row, bool last_device, bool last_connector)
{
    const char *left = last_device ? drawing->gap : drawing->bar;

    printf("%s%s", left, last_connector ? drawing->last : drawing->branch);
    put_tinted(style, CLI_BOLD, row->connector);
    fputs(" (", stdout);
    put(row->application[0] ? row->application : "not stated by the device");
    fputs(")  ", stdout);
    put_colour(style, drawing, row->colour);
    printf("\n%s%s", left, last_connector ? drawing->gap : drawing->bar);
    put_order(style, row);
    puts(row->in_sync ? "; the device has it installed" : "");
}

static bool same_device(const countersign_v1_TopologyRow *rows, size_t count, size_t a, size_t b)
{
    return b < count && strcmp(rows[a].device_name, rows[b].device_name) == 0;
}

static void put_tree(struct cli_style style, const struct drawing *drawing,
                     const countersign_v1_TopologyRow *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool last_device = strcmp(rows[i].device_name, rows[count - 1].device_name) == 0;

        if (i == 0 || !same_device(rows, count, i, i - 1)) {
            fputs(last_device ? drawing->last : drawing->branch, stdout);
            put_tinted(style, CLI_BOLD, rows[i].device_name);
            fputs("  ", stdout);
            put_tinted(style, rows[i].connected ? CLI_GREEN : CLI_GRAY,
                       rows[i].connected ? "connected" : "offline");
            putchar('\n');
        }
        put_connector(style, drawing, &rows[i], last_device, !same_device(rows, count, i, i + 1));
    }
}

int cli_topology_run(struct cli *cli, struct cs_err *err)
{
    const struct drawing *drawing = cli->style.unicode ? &unicode_drawing : &ascii_drawing;
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    cs_auto_free countersign_v1_TopologyRow *rows = NULL;
    size_t count;
    int rc = cli_fetch_certificate(cli, cli->args.operands[0], &certificate, err);

    if (rc == CS_OK)
        rc = cli_fetch_topology(cli, CS_PB_BYTES(&certificate->id), &rows, &count, certificate, err);
    if (rc != CS_OK)
        return rc;
    if (cli->style.json)
        return write_json(cli, certificate, rows, count, err);
    put_root(cli->style, drawing, certificate);
    put_tree(cli->style, drawing, rows, count);
    if (count == 0)
        printf("%sno app connector yet: countersign cert attach CERT DEVICE CONNECTOR\n", drawing->last);
    return fflush(stdout) == 0 ? CS_OK : cs_err_set(err, CS_EIO, "writing the result failed");
}
