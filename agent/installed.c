#include "agent/installed.h"

#include "agent/config.h"
#include "shared/crypto/x509.h"

static const char *path_of(const struct ag_connector *connector, size_t file)
{
    const char *const paths[AG_INSTALLED_FILES] = {connector->paths[AG_FILE_KEY],
                                                   connector->paths[AG_FILE_CERTIFICATE],
                                                   connector->paths[AG_FILE_BUNDLE]};

    return paths[file];
}

/* *ret_absent: a file that the application reads is not there. */
static int take_stamps(struct ag_port *port, const struct ag_connector *connector,
                       struct ag_stamp stamps[AG_INSTALLED_FILES], bool *ret_absent, struct cs_err *err)
{
    *ret_absent = false;
    memset(stamps, 0, AG_INSTALLED_FILES * sizeof *stamps);
    for (size_t i = 0; i < AG_INSTALLED_FILES; i++) {
        const char *path = path_of(connector, i);
        int code = path ? port->stamp_of(port, path, &stamps[i], err) : CS_OK;

        if (code == CS_ENOTFOUND)
            *ret_absent = true;
        else if (code)
            return code;
    }
    return CS_OK;
}

/* What is no chain, or does not fit together, is told as something that no push can have left. */
static struct ag_content odd(const char *what, struct cs_slice bytes)
{
    const struct cs_slice parts[] = {CS_SLICE_LIT("changed by hand: "), cs_slice_str(what), bytes};

    return (struct ag_content){true, cs_sha256_parts(parts, CS_ARRAY_LEN(parts))};
}

static int read_chain(struct ag_port *port, const char *path, struct cs_buf *bytes, struct cs_chain **ret,
                      struct cs_err *err)
{
    int code = port->read_file(port, path, CS_LIMIT_PEM_BYTES, bytes, err);

    if (!code && cs_chain_parse_pem(cs_buf_slice(bytes), ret, err) == CS_ENOMEM)
        code = CS_ENOMEM;
    return code;
}

static int read_key(struct ag_port *port, const struct ag_connector *connector, const struct cs_chain *chain,
                    struct ag_content *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf file = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    int code = cs_buf_reserve(&file, CS_LIMIT_PEM_BYTES) == CS_OK ? CS_OK : cs_err_nomem(err);

    if (!code)
        code = port->read_file(port, connector->paths[AG_FILE_KEY], CS_LIMIT_PEM_BYTES, &file, err);
    if (code)
        return code;
    code = cs_private_key_to_pkcs8(cs_buf_slice(&file), CS_SLICE_EMPTY, &pkcs8, err);
    if (!code)
        code = cs_chain_check_key(chain, cs_buf_slice(&pkcs8), err);
    if (code == CS_ENOMEM)
        return code;
    if (code)
        *ret = odd("a key that does not belong to the certificate", cs_digest_slice(&ret->digest));
    return CS_OK;
}

static int read_bundle(struct ag_port *port, const struct ag_connector *connector, struct ag_content *ret,
                       struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_digest digest;
    int code = cs_buf_reserve(&bytes, CS_LIMIT_PEM_BYTES) == CS_OK ? CS_OK : cs_err_nomem(err);

    if (!code)
        code = read_chain(port, connector->paths[AG_FILE_BUNDLE], &bytes, &chain, err);
    if (code)
        return code;
    if (chain)
        digest = cs_chain_digest(chain);
    if (!chain || !cs_digest_eq(&digest, &ret->digest))
        *ret = odd("a bundle with another chain", cs_digest_slice(&ret->digest));
    return CS_OK;
}

/* Everything is there: the certificate's chain, as long as what lies beside it fits. */
static int read_content(struct ag_port *port, const struct ag_connector *connector, struct ag_content *ret,
                        struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = read_chain(port, connector->paths[AG_FILE_CERTIFICATE], &bytes, &chain, err);

    if (code)
        return code;
    if (!chain) {
        *ret = odd("no certificate", cs_buf_slice(&bytes));
        return CS_OK;
    }
    *ret = (struct ag_content){true, cs_chain_digest(chain)};
    code = read_key(port, connector, chain, ret, err);
    if (!code && connector->paths[AG_FILE_BUNDLE])
        code = read_bundle(port, connector, ret, err);
    return code;
}

static bool same_content(const struct ag_content *a, const struct ag_content *b)
{
    return a->is_there == b->is_there && (!a->is_there || cs_digest_eq(&a->digest, &b->digest));
}

static int look_at_one(struct ag_installed_one *one, const struct ag_connector *connector,
                       struct ag_port *port, struct cs_err *err)
{
    struct ag_stamp stamps[AG_INSTALLED_FILES];
    struct ag_content found = {0};
    bool absent = false;
    int code = take_stamps(port, connector, stamps, &absent, err);

    if (code || (one->looked && memcmp(stamps, one->stamps, sizeof stamps) == 0))
        return code;
    if (!absent)
        code = read_content(port, connector, &found, err);
    /* Taken away between the two: the next look sees it. */
    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    memcpy(one->stamps, stamps, sizeof stamps);
    one->found = found;
    one->looked = true;
    return CS_OK;
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

        if (generation == 0) {
            *one = (struct ag_installed_one){0};
            continue;
        }
        if (generation != one->generation) /* a push left it, and its report tells of it */
            *one = (struct ag_installed_one){.generation = generation,
                                             .found = {true, known->installed_digest},
                                             .told = {true, known->installed_digest}};
        code = look_at_one(one, connector, port, err);
        if (code && !one->failed)
            outcome = code;
        one->failed = code != CS_OK;
        *ret_news |= !same_content(&one->found, &one->told);
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
        return installed->ones[index].found;
    return (struct ag_content){true, state->installed_digest};
}

void ag_installed_told(struct ag_installed *installed)
{
    for (size_t i = 0; i < installed->count; i++)
        installed->ones[i].told = installed->ones[i].found;
}

void ag_installed_reported(struct ag_installed *installed, const struct ag_config *config,
                           const char *connector, struct cs_slice digest)
{
    for (size_t i = 0; i < installed->count; i++) {
        struct ag_content *told = &installed->ones[i].told;

        if (strcmp(config->connectors.items[i].name, connector) != 0)
            continue;
        *told = (struct ag_content){.is_there = digest.len == sizeof told->digest.bytes};
        if (told->is_there)
            memcpy(told->digest.bytes, digest.ptr, digest.len);
    }
}

void ag_installed_free(struct ag_installed *installed)
{
    free(installed->ones);
    *installed = (struct ag_installed){0};
}
