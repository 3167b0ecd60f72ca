#include "agent/installed.h"

#include "agent/config.h"
#include "agent/core/plan.h"
#include "shared/crypto/x509.h"

/* One connector while its files are read. */
struct reading {
    struct ag_port *port;
    const char *folder; /* the agent's state folder */
    const struct ag_connector *connector;
    uint64_t generation;
    struct cs_chain *chain; /* of the certificate */
    struct ag_content content;
};

/* *ret_absent: a file that the application reads is not there. Intermediates may rightly be none. */
static int take_stamps(struct ag_port *port, const struct ag_connector *connector,
                       struct ag_stamp stamps[AG_FILE_COUNT], bool *ret_absent, struct cs_err *err)
{
    *ret_absent = false;
    memset(stamps, 0, AG_FILE_COUNT * sizeof *stamps);
    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        const char *path = connector->paths[i];
        int code = path ? port->stamp_of(port, path, &stamps[i], err) : CS_OK;

        if (code == CS_ENOTFOUND)
            *ret_absent |= i != AG_FILE_INTERMEDIATES;
        else if (code)
            return code;
    }
    return CS_OK;
}

/* What is no chain, or does not fit together, is told as something that no push can have left. */
static void set_odd(struct reading *reading, const char *remark, struct cs_slice bytes)
{
    const struct cs_slice parts[] = {CS_SLICE_LIT("changed by hand: "), cs_slice_str(remark), bytes};

    reading->content = (struct ag_content){true, cs_sha256_parts(parts, CS_ARRAY_LEN(parts)), remark};
}

/* Room for a secret at once: growing would copy it. */
static int read_file(struct reading *reading, const char *path, struct cs_buf *out, struct cs_err *err)
{
    if (cs_buf_reserve(out, CS_LIMIT_PEM_BYTES) != CS_OK)
        return cs_err_nomem(err);
    return reading->port->read_file(reading->port, path, CS_LIMIT_PEM_BYTES, out, err);
}

/* *ret stays NULL where the file has no chain. */
static int read_chain(struct reading *reading, const char *path, bool der, struct cs_chain **ret,
                      struct cs_digest *ret_bytes, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err why = {0};
    int code = read_file(reading, path, &bytes, err);

    if (code)
        return code;
    *ret_bytes = cs_sha256(cs_buf_slice(&bytes));
    code = der ? cs_chain_parse(cs_buf_slice(&bytes), ret, &why)
               : cs_chain_parse_pem(cs_buf_slice(&bytes), ret, &why);
    return code == CS_ENOMEM ? cs_err_nomem(err) : CS_OK;
}

/* The leaf alone does not tell the chain that was pushed: the generation's folder does. */
static int complete_leaf(struct reading *reading, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *kept = NULL;
    struct cs_digest bytes;
    char path[AG_LIMIT_PATH_BYTES];
    int code = ag_generation_path(reading->folder, reading->connector->name, reading->generation, "chain.pem",
                                  path, sizeof path, err);

    if (!code)
        code = read_chain(reading, path, false, &kept, &bytes, err);
    if (code && code != CS_ENOTFOUND)
        return code;
    if (kept && cs_slice_eq(cs_chain_der(kept, 0), cs_chain_der(reading->chain, 0))) {
        cs_chain_free(reading->chain);
        reading->chain = cs_steal(kept);
    }
    return CS_OK;
}

static int read_certificate(struct reading *reading, struct cs_err *err)
{
    const struct ag_connector *connector = reading->connector;
    const char *path = connector->paths[AG_FILE_CERTIFICATE];
    bool der = path && connector->format == AG_FORMAT_DER;
    struct cs_digest bytes;
    int code = read_chain(reading, path ? path : connector->paths[AG_FILE_BUNDLE], der, &reading->chain,
                          &bytes, err);

    if (code)
        return code;
    if (!reading->chain) {
        set_odd(reading, "the certificate's file was changed by hand: it has none in it",
                cs_digest_slice(&bytes));
        return CS_OK;
    }
    if (der)
        code = complete_leaf(reading, err);
    reading->content = (struct ag_content){true, cs_chain_digest(reading->chain), NULL};
    return code;
}

static int read_key(struct reading *reading, enum ag_file file, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    struct cs_err why = {0};
    int code = read_file(reading, reading->connector->paths[file], &bytes, err);

    if (code)
        return code;
    if (cs_buf_reserve(&pkcs8, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        return cs_err_nomem(err);
    code = cs_private_key_to_pkcs8(cs_buf_slice(&bytes), CS_SLICE_EMPTY, &pkcs8, &why);
    if (!code)
        code = cs_chain_check_key(reading->chain, cs_buf_slice(&pkcs8), &why);
    if (code == CS_ENOMEM)
        return cs_err_nomem(err);
    if (code)
        set_odd(reading, "changed by hand: the private key does not belong to the certificate",
                cs_digest_slice(&reading->content.digest));
    return CS_OK;
}

static int read_bundle(struct reading *reading, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_digest bytes, digest;
    int code = read_chain(reading, reading->connector->paths[AG_FILE_BUNDLE], false, &chain, &bytes, err);

    if (code)
        return code;
    if (chain)
        digest = cs_chain_digest(chain);
    if (!chain || !cs_digest_eq(&digest, &reading->content.digest))
        set_odd(reading, "the bundle was changed by hand: it has another chain than the certificate's file",
                cs_digest_slice(&reading->content.digest));
    return CS_OK;
}

static int read_intermediates(struct reading *reading, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_digest bytes;
    size_t wanted = cs_chain_count(reading->chain) - 1;
    int code =
        read_chain(reading, reading->connector->paths[AG_FILE_INTERMEDIATES], false, &chain, &bytes, err);
    size_t count = chain ? cs_chain_count(chain) : 0;
    bool same = count == wanted;

    if (code && code != CS_ENOTFOUND)
        return code;
    for (size_t i = 0; same && i < count; i++)
        same = cs_slice_eq(cs_chain_der(chain, i), cs_chain_der(reading->chain, i + 1));
    if (!same)
        set_odd(reading, "the intermediate certificates were changed by hand",
                cs_digest_slice(&reading->content.digest));
    return CS_OK;
}

/* Everything is there: the certificate's chain, as long as what lies beside it fits. */
static int read_content(struct reading *reading, struct cs_err *err)
{
    char *const *paths = reading->connector->paths;
    int code = read_certificate(reading, err);

    if (code || !reading->chain)
        return code;
    if (paths[AG_FILE_KEY])
        code = read_key(reading, AG_FILE_KEY, err);
    if (!code && paths[AG_FILE_BUNDLE])
        code = read_key(reading, AG_FILE_BUNDLE, err);
    if (!code && paths[AG_FILE_BUNDLE] && paths[AG_FILE_CERTIFICATE] && !reading->content.remark)
        code = read_bundle(reading, err);
    if (!code && paths[AG_FILE_INTERMEDIATES] && !reading->content.remark)
        code = read_intermediates(reading, err);
    return code;
}

static bool same_content(const struct ag_content *a, const struct ag_content *b)
{
    return a->is_there == b->is_there && (!a->is_there || cs_digest_eq(&a->digest, &b->digest)) &&
           strcmp(a->remark ? a->remark : "", b->remark ? b->remark : "") == 0;
}

static int look_at_one(struct ag_installed_one *one, struct reading *reading, struct cs_err *err)
{
    struct ag_stamp stamps[AG_FILE_COUNT];
    bool absent = false;
    int code = take_stamps(reading->port, reading->connector, stamps, &absent, err);

    if (code || (one->looked && memcmp(stamps, one->stamps, sizeof stamps) == 0))
        return code;
    if (absent)
        reading->content.remark = "a file was removed by hand";
    else
        code = read_content(reading, err);
    cs_chain_free(reading->chain);
    /* Taken away between the two: the next look sees it. */
    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    memcpy(one->stamps, stamps, sizeof stamps);
    one->found = reading->content;
    one->looked = true;
    return CS_OK;
}

/* What was found, and, where that is as it should be, what is served. */
static struct ag_content shown(const struct ag_installed_one *one)
{
    struct ag_content content = one->found;

    if (content.remark)
        return content;
    if (one->serves == AG_SERVES_OTHER) {
        struct reading reading = {.connector = NULL};

        set_odd(&reading, "the application serves another certificate than the one that is installed",
                cs_digest_slice(&content.digest));
        return reading.content;
    }
    if (one->serves == AG_SERVES_NOTHING)
        content.remark = "the application does not answer where it should serve the certificate";
    return content;
}

int ag_installed_look(struct ag_installed *installed, const struct ag_config *config,
                      const struct ag_state *state, struct ag_port *port, bool *ret_news, struct cs_err *err)
{
    int outcome = CS_OK;

    if (!installed->ones && config->connectors.count > 0) {
        installed->ones = calloc(config->connectors.count, sizeof *installed->ones);
        if (!installed->ones)
            return cs_err_nomem(err);
        installed->count = config->connectors.count;
    }
    *ret_news = false;
    for (size_t i = 0; i < installed->count; i++) {
        struct ag_installed_one *one = &installed->ones[i];
        const struct ag_connector *connector = &config->connectors.items[i];
        const struct ag_connector_state *known = ag_state_connector(state, connector->name);
        uint64_t generation = known ? known->installed_generation : 0;
        int code;

        /* An order left it, and its report tells what is there; but no report takes a remark back. */
        if (generation == 0) {
            *one = (struct ag_installed_one){.told.remark = one->told.remark};
            *ret_news |= one->told.remark != NULL;
            continue;
        }
        if (generation != one->generation)
            *one = (struct ag_installed_one){.generation = generation,
                                             .found = {true, known->installed_digest, NULL},
                                             .told = {true, known->installed_digest, one->told.remark}};
        struct reading reading = {
            .port = port, .folder = config->state, .connector = connector, .generation = generation};
        struct ag_content now;

        code = look_at_one(one, &reading, err);
        now = shown(one);
        if (code && !one->failed)
            outcome = code;
        one->failed = code != CS_OK;
        *ret_news |= !same_content(&now, &one->told);
    }
    return outcome;
}

struct ag_content ag_installed_content(const struct ag_installed *installed, size_t index,
                                       const struct ag_connector_state *state)
{
    uint64_t generation = state ? state->installed_generation : 0;

    if (generation == 0)
        return (struct ag_content){0};
    if (index < installed->count && installed->ones[index].generation == generation)
        return shown(&installed->ones[index]);
    return (struct ag_content){true, state->installed_digest, NULL};
}

bool ag_installed_serves(struct ag_installed *installed, size_t index, enum ag_serves serves)
{
    struct ag_installed_one *one = index < installed->count ? &installed->ones[index] : NULL;
    struct ag_content now;

    if (!one || one->generation == 0)
        return false;
    one->serves = serves;
    now = shown(one);
    return !same_content(&now, &one->told);
}

void ag_installed_told(struct ag_installed *installed)
{
    for (size_t i = 0; i < installed->count; i++)
        installed->ones[i].told = shown(&installed->ones[i]);
}

void ag_installed_reported(struct ag_installed *installed, const struct ag_config *config,
                           const char *connector, struct cs_slice digest)
{
    for (size_t i = 0; i < installed->count; i++) {
        struct ag_content *told = &installed->ones[i].told;

        if (strcmp(config->connectors.items[i].name, connector) != 0)
            continue;
        told->is_there = digest.len == sizeof told->digest.bytes;
        if (told->is_there)
            memcpy(told->digest.bytes, digest.ptr, digest.len);
    }
}

void ag_installed_free(struct ag_installed *installed)
{
    free(installed->ones);
    *installed = (struct ag_installed){0};
}
