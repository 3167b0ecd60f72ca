/* countersign cert list - the inventory, by any filter and order. */
#include "controller/cli/cert_list.h"

#include "controller/cli/nearest.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

/* Beyond the largest inventory that is searched row by row. */
enum { PAGES_EMPTY_MOST = 10000 };

int cli_pages_next(struct cli *cli, struct cli_pages *pages, countersign_v1_ListCertificatesRequest *request,
                   countersign_v1_ListCertificatesResponse *reply, struct cs_err *err)
{
    int rc = cli_call(cli, &cli_rpc_ListCertificates, request, reply, err);

    if (rc != CS_OK)
        return rc;
    pages->more = reply->more;
    pages->empty = reply->certificates_count ? 0 : pages->empty + 1;
    if (reply->more && (reply->next_page_token.size == 0 || pages->empty > PAGES_EMPTY_MOST ||
                        cs_slice_eq(CS_PB_BYTES(&reply->next_page_token), CS_PB_BYTES(&request->page_token))))
        return cs_err_set(err, CS_EAUTH,
                          "the controller says that the list goes on, and does not let it: ask again, and "
                          "look at the controller if it stays so");
    CS_PB_SET(&request->page_token, CS_PB_BYTES(&reply->next_page_token));
    return CS_OK;
}

/* ---- words of options */

enum { WORDS_MOST = 16 };

struct word {
    const char *word;
    int value;
};

static const struct word sorts[] = {
    {"name", countersign_v1_CertificateSort_CERTIFICATE_SORT_COMMON_NAME},
    {"issuer", countersign_v1_CertificateSort_CERTIFICATE_SORT_ISSUER},
    {"serial", countersign_v1_CertificateSort_CERTIFICATE_SORT_SERIAL},
    {"expires", countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_AFTER},
    {"issued", countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_BEFORE},
    {"imported", countersign_v1_CertificateSort_CERTIFICATE_SORT_IMPORTED},
    {"colour", countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR},
    {"connectors", countersign_v1_CertificateSort_CERTIFICATE_SORT_ATTACHMENTS},
};
static const struct word keys[] = {
    {"rsa", countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA},
    {"p256", countersign_v1_CertificateKey_CERTIFICATE_KEY_P256},
    {"p384", countersign_v1_CertificateKey_CERTIFICATE_KEY_P384},
};
static const struct word key_modes[] = {
    {"held", countersign_v1_KeyMode_KEY_MODE_HELD},
    {"on-device", countersign_v1_KeyMode_KEY_MODE_ON_DEVICE},
    {"none", countersign_v1_KeyMode_KEY_MODE_NONE},
};

static int find_word(struct cli *cli, const char *option, const char *given, const struct word *words,
                     size_t count, int *ret, struct cs_err *err)
{
    const char *all[WORDS_MOST + 1] = {NULL};
    char name[64];
    size_t at;

    cs_assert(count <= WORDS_MOST);
    for (size_t i = 0; i < count; i++)
        all[i] = words[i].word;
    snprintf(name, sizeof name, "--%s", option);
    if (cli_choose(given, name, all, &at, err) != CS_OK) {
        cli->failure = CLI_USAGE;
        return CS_EINVAL;
    }
    *ret = words[at].value;
    return CS_OK;
}

const char *cli_cert_list_word(const char *option, size_t index)
{
    static const struct {
        const char *option;
        const struct word *words;
        size_t count;
    } lists[] = {
        {"sort", sorts, CS_ARRAY_LEN(sorts)},
        {"key-kind", keys, CS_ARRAY_LEN(keys)},
        {"private-key", key_modes, CS_ARRAY_LEN(key_modes)},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(lists); i++)
        if (strcmp(lists[i].option, option) == 0)
            return index < lists[i].count ? lists[i].words[index].word : NULL;
    return NULL;
}

static int read_word(struct cli *cli, const char *option, const struct word *words, size_t count, int *ret,
                     struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, option);

    *ret = 0;
    return given ? find_word(cli, option, given, words, count, ret, err) : CS_OK;
}

static int read_colours(struct cli *cli, countersign_v1_ListCertificatesRequest *request, struct cs_err *err)
{
    enum { COLOURS = countersign_v1_Colour_COLOUR_BLACK };
    struct word words[COLOURS];
    const char *given;
    int colour, rc;

    for (int i = 0; i < COLOURS; i++)
        words[i] = (struct word){cli_show_colour_word((countersign_v1_Colour)(i + 1)), i + 1};
    for (size_t i = 0; (given = cli_args_option_at(&cli->args, "colour", i)) != NULL; i++) {
        rc = find_word(cli, "colour", given, words, COLOURS, &colour, err);
        if (rc != CS_OK)
            return rc;
        if (i < CS_ARRAY_LEN(request->colours))
            request->colours[request->colours_count++] = (countersign_v1_Colour)colour;
    }
    return CS_OK;
}

static int read_text(struct cli *cli, const char *option, char *out, size_t room, struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, option);

    if (given && strlen(given) >= room)
        return cli_usage(cli, err, "--%s has %zu bytes at most", option, room - 1);
    snprintf(out, room, "%s", given ? given : "");
    return CS_OK;
}

/* Every --search is one more thing that must hold. */
static int read_search(struct cli *cli, countersign_v1_ListCertificatesRequest *request, struct cs_err *err)
{
    const char *given;
    size_t used = 0;

    for (size_t i = 0; (given = cli_args_option_at(&cli->args, "search", i)) != NULL; i++) {
        size_t len = strlen(given);

        if (used + len + 2 > sizeof request->search)
            return cli_usage(cli, err, "--search has %zu bytes at most", sizeof request->search - 2);
        used += (size_t)snprintf(request->search + used, sizeof request->search - used, "%s%s",
                                 used ? " " : "", given);
    }
    return CS_OK;
}

static int read_texts(struct cli *cli, countersign_v1_ListCertificatesRequest *request, struct cs_err *err)
{
    int rc = read_search(cli, request, err);

    if (rc == CS_OK)
        rc = read_text(cli, "name", request->name, sizeof request->name, err);
    if (rc == CS_OK)
        rc = read_text(cli, "group", request->group, sizeof request->group, err);
    return rc == CS_OK ? read_text(cli, "issuer", request->issuer, sizeof request->issuer, err) : rc;
}

static int read_dates(struct cli *cli, countersign_v1_ListCertificatesRequest *request, struct cs_err *err)
{
    int64_t within_s = 0;
    int rc = cli_duration(cli, "expires-within", 0, &within_s, err);

    if (rc != CS_OK)
        return rc;
    if (within_s) {
        request->expires_from_s = cli->now_s;
        request->expires_before_s = cli->now_s + within_s + 1;
    }
    request->attached = cli_args_flag(&cli->args, "attached");
    request->unattached = cli_args_flag(&cli->args, "unattached");
    request->renewable = cli_args_flag(&cli->args, "renewed");
    request->descending = cli_args_flag(&cli->args, "descending");
    return CS_OK;
}

static int read_filter(struct cli *cli, countersign_v1_ListCertificatesRequest *request, struct cs_err *err)
{
    int sort = 0, key = 0, mode = 0;
    int rc = read_texts(cli, request, err);

    if (rc == CS_OK)
        rc = read_colours(cli, request, err);
    if (rc == CS_OK)
        rc = read_dates(cli, request, err);
    if (rc == CS_OK)
        rc = read_word(cli, "sort", sorts, CS_ARRAY_LEN(sorts), &sort, err);
    if (rc == CS_OK)
        rc = read_word(cli, "key-kind", keys, CS_ARRAY_LEN(keys), &key, err);
    if (rc == CS_OK)
        rc = read_word(cli, "private-key", key_modes, CS_ARRAY_LEN(key_modes), &mode, err);
    request->sort = (countersign_v1_CertificateSort)sort;
    request->key = (countersign_v1_CertificateKey)key;
    request->key_mode = (countersign_v1_KeyMode)mode;
    return rc;
}

/* ---- the list */

static void add_row(struct cli *cli, struct cli_doc *doc, const countersign_v1_Certificate *c)
{
    struct cs_buf groups = CS_BUF_EMPTY;
    char key[CLI_TEXT_BYTES];

    for (pb_size_t i = 0; i < c->groups_count; i++)
        (void)!cs_buf_printf(&groups, "%s%s", i ? "\n" : "", c->groups[i]);
    CLI_ROW(doc, cli_text(c->common_name), cli_hex(CS_PB_BYTES(&c->id)),
            cli_tinted(cli_show_colour_word(c->colour), cli_show_colour_tint(c->colour)),
            cli_time(c->not_after_s), cli_text(cli_show_key_kind(c->key, c->key_bits, key)),
            cli_text(cli_show_key_mode(cli->style, c->key_mode)), cli_number(c->attachments),
            cli_text(c->issuer), cli_list(cs_buf_slice(&groups)), cli_text(c->serial),
            cli_time(c->not_before_s), cli_time(c->imported_at_s));
    cs_buf_free(&groups);
}

static int read_limit(struct cli *cli, uint64_t *ret, struct cs_err *err)
{
    const char *given = cli_args_option(&cli->args, "limit");

    *ret = UINT64_MAX;
    if (given && (cli_args_number(given, "", ret, NULL) != CS_OK || *ret == 0))
        return cli_usage(cli, err, "--limit is a number from 1 on");
    return CS_OK;
}

int cli_cert_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"common_name", "COMMON NAME", false},
        {"id", "ID", CLI_ID},
        {"colour", "COLOUR", false},
        {"not_after", "VALID UNTIL", false},
        {"key", "KEY", false},
        {"key_mode", "PRIVATE KEY", false},
        {"attachments", "CONNECTORS", CLI_RIGHT},
        {"issuer", "ISSUER", CLI_WIDE},
        {"groups", "GROUPS", CLI_WIDE},
        {"serial", "SERIAL", CLI_WIDE},
        {"not_before", "VALID FROM", CLI_WIDE},
        {"imported_at", "IMPORTED", CLI_WIDE},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListCertificatesRequest *request =
        CLI_NEW(countersign_v1_ListCertificatesRequest, err);
    cs_auto_free countersign_v1_ListCertificatesResponse *reply =
        CLI_NEW(countersign_v1_ListCertificatesResponse, err);
    struct cli_pages pages = {.more = true};
    uint64_t left = 0;
    int rc = request && reply ? read_limit(cli, &left, err) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = read_filter(cli, request, err);
    if (rc != CS_OK)
        return rc;
    cli_table(doc, "certificates", columns, CS_ARRAY_LEN(columns),
              cli->args.option_count
                  ? "No certificate has all of that."
                  : "There are no certificates yet: countersign cert import FILE --key FILE");
    while (pages.more && left > 0) {
        request->limit = left < CS_ARRAY_LEN(reply->certificates) ? (uint32_t)left : 0;
        rc = cli_pages_next(cli, &pages, request, reply, err);
        for (pb_size_t i = 0; rc == CS_OK && i < reply->certificates_count && left > 0; i++, left--)
            add_row(cli, doc, &reply->certificates[i]);
        if (rc == CS_OK)
            rc = cli_page(cli, doc, err);
        if (rc != CS_OK)
            return rc;
    }
    return cli_write(cli, doc, err);
}
