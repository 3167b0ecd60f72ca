/* Many files and folders: private keys first, then each certificate with the key that fits. */
#include "controller/cli/cert_import.h"

#include "controller/cli/file.h"
#include "controller/cli/key_file.h"
#include "controller/cli/show.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum {
    FILES_MOST = 100000,
    KEYS_TRIED_MOST = 256, /* without a name that says which: each try costs a millisecond */
};

struct key {
    const char *path;
    struct cs_buf pkcs8; /* wiped */
    bool used;
};

struct importing {
    struct cli *cli;
    struct cli_doc *doc;
    char **paths; /* owned */
    size_t count, capacity;
    struct key *keys;
    size_t key_count;
    size_t imported, existed, refused, unsent;
};

static void importing_free(struct importing *importing)
{
    for (size_t i = 0; i < importing->count; i++)
        free(importing->paths[i]);
    for (size_t i = 0; i < importing->key_count; i++)
        cs_buf_wipe(&importing->keys[i].pkcs8);
    free(importing->paths);
    free(importing->keys);
    cli_doc_free(importing->doc);
}

/* ---- which files */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static bool is_ours(const char *name)
{
    static const char *const ends[] = {".pem", ".crt", ".cer", ".der", ".key"};

    for (size_t i = 0; name[0] != '.' && i < CS_ARRAY_LEN(ends); i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

static bool is_folder(const char *path)
{
    struct stat there;

    return strcmp(path, "-") != 0 && stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

static int add_path(struct importing *importing, const char *path, struct cs_err *err)
{
    char *copy;

    if (importing->count == FILES_MOST)
        return cs_err_set(err, CS_ETOOBIG, "at most %d files at once: import them in parts", FILES_MOST);
    if (importing->count == importing->capacity) {
        size_t capacity = importing->capacity ? 2 * importing->capacity : 64;
        char **grown = reallocarray(importing->paths, capacity, sizeof *grown);

        if (!grown)
            return cs_err_nomem(err);
        importing->paths = grown;
        importing->capacity = capacity;
    }
    copy = strdup(path);
    if (!copy)
        return cs_err_nomem(err);
    importing->paths[importing->count++] = copy;
    return CS_OK;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Its files by name, not those of folders in it. */
static int add_folder(struct importing *importing, const char *folder, struct cs_err *err)
{
    DIR *stream = opendir(folder);
    size_t before = importing->count;
    struct dirent *entry;
    int rc = CS_OK;

    if (!stream)
        return cs_err_set(err, CS_EIO, "reading the folder %s: %s", folder, strerror(errno));
    while (rc == CS_OK && (entry = readdir(stream)) != NULL) {
        char path[PATH_MAX];

        if (!is_ours(entry->d_name))
            continue;
        rc = cli_file_join(path, sizeof path, err, folder, "%s", entry->d_name);
        if (rc == CS_OK && !is_folder(path))
            rc = add_path(importing, path, err);
    }
    closedir(stream);
    if (rc == CS_OK && importing->count == before)
        return cs_err_set(err, CS_ENOTFOUND, "%s has no file that ends with .pem, .crt, .cer, .der or .key",
                          folder);
    if (rc == CS_OK)
        qsort(importing->paths + before, importing->count - before, sizeof *importing->paths, compare_paths);
    return rc;
}

bool cli_import_is_many(const struct cli *cli)
{
    for (size_t i = 0; i < cli->args.operand_count; i++)
        if (is_folder(cli->args.operands[i]))
            return true;
    return cli->args.operand_count > 1 && !cli_args_option(&cli->args, "key");
}

static int find_files(struct importing *importing, struct cs_err *err)
{
    const struct cli_args *args = &importing->cli->args;
    int rc = CS_OK;

    if (cli_args_option(args, "key"))
        return cli_usage(importing->cli, err,
                         "--key belongs to one certificate: in a folder each key is found by itself");
    for (size_t i = 0; rc == CS_OK && i < args->operand_count; i++)
        rc = is_folder(args->operands[i]) ? add_folder(importing, args->operands[i], err)
                                          : add_path(importing, args->operands[i], err);
    return rc;
}

/* ---- lines */

static void add_line(struct importing *importing, const char *path, const char *result, enum cli_tint tint,
                     const struct cs_cert_info *leaf, const char *key, const char *why)
{
    CLI_ROW(importing->doc, cli_text(path), cli_tinted(result, tint), cli_text(leaf ? leaf->common_name : ""),
            cli_hex(leaf ? cs_digest_slice(&leaf->digest) : CS_SLICE_EMPTY), cli_text(key), cli_text(why));
}

static void refuse(struct importing *importing, const char *path, const struct cs_cert_info *leaf,
                   const char *why)
{
    importing->refused++;
    add_line(importing, path, "refused", CLI_RED, leaf, "", why);
}

/* ---- keys */

/* Nothing but a key: by what it holds, and where that does not tell by its name. */
static bool is_key(const char *path, struct cs_slice content)
{
    if (cli_import_has(content, "-----BEGIN"))
        return cli_import_has(content, "PRIVATE KEY-----") && !cli_import_has(content, "CERTIFICATE-----");
    return ends_with(path, ".key");
}

static int read_file(const char *path, struct cs_buf *content, struct cs_err *err)
{
    if (cs_buf_reserve(content, CS_LIMIT_PEM_BYTES + 1) != CS_OK)
        return cs_err_nomem(err);
    return cli_file_read(path, CS_LIMIT_PEM_BYTES, content, err);
}

/* A key's file becomes a key, and its path is no certificate any more. */
static int take_key(struct importing *importing, char **path, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    struct key *key = &importing->keys[importing->key_count];
    int rc = strcmp(*path, "-") == 0 ? CS_OK : read_file(*path, &content, err);

    /* What cannot be read is told when it is its turn as a certificate. */
    if (rc != CS_OK || !is_key(*path, cs_buf_slice(&content)))
        return rc == CS_ENOMEM ? rc : CS_OK;
    *key = (struct key){.path = *path};
    importing->key_count++;
    rc =
        cli_key_file_open(importing->cli, cs_buf_slice(&content), *path, "passphrase-file", &key->pkcs8, err);
    if (rc != CS_OK) {
        refuse(importing, *path, NULL, err->msg);
        key->used = true; /* its line is there */
        cs_buf_wipe(&key->pkcs8);
    }
    return rc == CS_ENOMEM ? rc : CS_OK;
}

static bool is_key_path(const struct importing *importing, const char *path)
{
    for (size_t i = 0; i < importing->key_count; i++)
        if (importing->keys[i].path == path)
            return true;
    return false;
}

/* "a/shop.pem" and "a/shop.key". */
static bool same_stem(const char *a, const char *b)
{
    const char *dot_a = strrchr(a, '.'), *dot_b = strrchr(b, '.');

    return dot_a && dot_b && dot_a - a == dot_b - b && strncmp(a, b, (size_t)(dot_a - a)) == 0;
}

static bool fits(const struct cs_chain *chain, const struct key *key)
{
    struct cs_err err;

    return key->pkcs8.len && cs_chain_check_key(chain, cs_buf_slice(&key->pkcs8), &err) == CS_OK;
}

static struct key *find_key(struct importing *importing, const char *path, const struct cs_chain *chain)
{
    for (size_t i = 0; i < importing->key_count; i++)
        if (same_stem(importing->keys[i].path, path) && fits(chain, &importing->keys[i]))
            return &importing->keys[i];
    for (size_t i = 0; importing->key_count <= KEYS_TRIED_MOST && i < importing->key_count; i++)
        if (fits(chain, &importing->keys[i]))
            return &importing->keys[i];
    return NULL;
}

/* ---- certificates */

/* The key in the certificate's own file goes before those of other files. */
static int own_key(struct importing *importing, const char *path, const struct cs_chain *chain,
                   struct cs_slice content, struct cs_buf *pkcs8, struct cs_err *err)
{
    int rc;

    if (!cli_import_has(content, "PRIVATE KEY-----"))
        return CS_OK;
    rc = cli_key_file_open(importing->cli, content, path, "passphrase-file", pkcs8, err);
    if (rc == CS_OK)
        rc = cs_chain_check_key(chain, cs_buf_slice(pkcs8), err);
    if (rc == CS_EAUTH && pkcs8->len)
        cs_err_set(err, rc, "the private key in it does not belong to its certificate");
    return rc;
}

static int send_one(struct importing *importing, const char *path, const struct cs_chain *chain,
                    struct cs_slice pkcs8, struct cs_err *err)
{
    cs_auto_free countersign_v1_ImportCertificateResponse *reply =
        CLI_NEW(countersign_v1_ImportCertificateResponse, err);
    const char *key = pkcs8.len ? "yes" : "no";
    struct cs_cert_info leaf;
    int rc;

    if (!reply)
        return CS_ENOMEM;
    cs_chain_info(chain, 0, &leaf);
    if (cli_dry_run(importing->cli)) {
        add_line(importing, path, "would be imported", CLI_PLAIN, &leaf, key, "");
        return CS_OK;
    }
    rc = cli_import_send(importing->cli, chain, pkcs8, reply, err);
    if (rc != CS_OK)
        return rc;
    if (reply->existed)
        importing->existed++;
    else
        importing->imported++;
    add_line(importing, path, reply->existed ? "existed" : "imported", reply->existed ? CLI_PLAIN : CLI_GREEN,
             &leaf, key, "");
    return CS_OK;
}

static int import_one(struct importing *importing, const char *path, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct key *key = NULL;
    int rc = read_file(path, &content, err);

    if (rc == CS_OK)
        rc = cli_import_parse(cs_buf_slice(&content), &chain, err);
    if (rc == CS_OK)
        rc = own_key(importing, path, chain, cs_buf_slice(&content), &pkcs8, err);
    if (rc == CS_OK && pkcs8.len == 0)
        key = find_key(importing, path, chain);
    if (rc == CS_OK)
        rc = send_one(importing, path, chain, cs_buf_slice(key ? &key->pkcs8 : &pkcs8), err);
    if (rc == CS_OK && key)
        key->used = true;
    return rc;
}

/* Without the controller nothing that follows can be imported either: it is told, not tried. */
static int import_all(struct importing *importing, struct cs_err *err)
{
    int rc = CS_OK;

    for (size_t i = 0; i < importing->count; i++) {
        const char *path = importing->paths[i];

        if (is_key_path(importing, path))
            continue;
        if (importing->cli->failure == CLI_UNREACHABLE) {
            importing->unsent++;
            add_line(importing, path, "not sent", CLI_RED, NULL, "", "the controller does not answer");
            continue;
        }
        rc = import_one(importing, path, err);
        if (rc == CS_ENOMEM)
            return rc;
        if (rc != CS_OK && importing->cli->failure == CLI_UNREACHABLE) {
            importing->unsent++;
            add_line(importing, path, "not sent", CLI_RED, NULL, "", err->msg);
        } else if (rc != CS_OK) {
            refuse(importing, path, NULL, err->msg);
        }
    }
    for (size_t i = 0; i < importing->key_count && importing->unsent == 0; i++)
        if (!importing->keys[i].used)
            refuse(importing, importing->keys[i].path, NULL,
                   "it belongs to none of the certificates that were imported with it");
    return CS_OK;
}

static int report(struct importing *importing, struct cs_err *err)
{
    size_t failed = importing->refused + importing->unsent;
    int rc = cli_write(importing->cli, importing->doc, err);

    if (rc != CS_OK || failed == 0)
        return rc;
    return cs_err_set(err, importing->unsent ? CS_EIO : CS_EINVAL,
                      "%zu of %zu files were not imported: each line says why", failed, importing->count);
}

int cli_import_many(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"file", "FILE", 0},  {"result", "RESULT", 0},     {"common_name", "COMMON NAME", 0},
        {"id", "ID", CLI_ID}, {"with_key", "WITH KEY", 0}, {"why", "WHY", 0},
    };
    struct importing importing = {.cli = cli, .doc = cli_doc_new()};
    int rc = find_files(&importing, err);

    cli_table(importing.doc, "files", columns, CS_ARRAY_LEN(columns), NULL);
    importing.keys = rc == CS_OK ? calloc(importing.count + 1, sizeof *importing.keys) : NULL;
    if (rc == CS_OK && !importing.keys)
        rc = cs_err_nomem(err);
    for (size_t i = 0; rc == CS_OK && i < importing.count; i++)
        rc = take_key(&importing, &importing.paths[i], err);
    if (rc == CS_OK)
        rc = import_all(&importing, err);
    if (rc == CS_OK)
        rc = report(&importing, err);
    importing_free(&importing);
    return rc;
}
