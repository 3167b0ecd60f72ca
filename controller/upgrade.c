/* Schema 3 has the inventory's indexes, and in each certificate's row the digests of issuer and names. A row
 * that has the former was upgraded. */
#include "controller/upgrade.h"

#include "controller/core/inventory.h"
#include "controller/reading.h"
#include "controller/writes.h"
#include "shared/base/log.h"
#include "shared/crypto/x509.h"

enum {
    CERTIFICATES_A_COMMIT = 256, /* some 10,000 writes: a second on a slow disk */
    CERTIFICATES_A_LINE = 256 * 100,
};

struct upgrade {
    struct ctl_store *store;
    struct ctl_writes writes;
    struct ctl_key last; /* the certificate that was looked at last */
    uint64_t certificates;
};

/* What the row does not have stands in its chain. One that does not parse has been in the inventory all the
 * same: it is listed, and found by everything but CRLs. */
static int read_chain(struct ctl_view *view, ctl_certificate_row *row, bool *ret_names_left_out,
                      struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(row->chain_digest));
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_cert_info info;
    struct cs_slice bytes;
    int code = ctl_bytes_get(view, &key, &bytes, err);

    *ret_names_left_out = true;
    if (code == CS_OK)
        code = cs_chain_parse(bytes, &chain, err);
    if (code == CS_ENOMEM)
        return code;
    if (code != CS_OK) {
        cs_log(CS_LOG_WARN, "store", "the chain of a certificate cannot be read",
               CS_F("certificate", row->common_name), CS_F("error", err->msg), CS_FEND);
        return CS_OK;
    }
    cs_chain_info(chain, 0, &info);
    CTL_BYTES_SET(row->issuer_digest, cs_digest_slice(&info.issuer_digest));
    *ret_names_left_out = info.names_left_out;
    return CS_OK;
}

static int upgrade_row(struct ctl_view *view, struct cs_slice value, struct cs_err *err)
{
    ctl_certificate_row row;
    bool names_left_out;
    int code = ctl_decode(value, Certificate, &row, err);

    if (code != CS_OK || row.issuer_digest.size)
        return code;
    code = read_chain(view, &row, &names_left_out, err);
    if (code == CS_OK)
        code = ctl_inventory_link(view, &row, names_left_out, err);
    return code == CS_OK ? ctl_inventory_adopt(view, &row, err) : code;
}

/* Some certificates, in one transaction. CS_ENOTFOUND behind the last one. */
static int upgrade_some(struct upgrade *upgrade, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct ctl_key prefix = ctl_key(CTL_TABLE_CERTIFICATE);
    struct ctl_walk walk;
    int code = ctl_reading_open(upgrade->store, &reading, err), committed;

    if (code != CS_OK)
        return code;
    walk = upgrade->last.len ? ctl_walk_after(&prefix, &upgrade->last, false) : ctl_walk(&prefix);
    for (unsigned i = 0; i < CERTIFICATES_A_COMMIT && code == CS_OK; i++) {
        code = ctl_walk_next(reading.view, &walk, err);
        if (code != CS_OK)
            break;
        upgrade->last.len = 0;
        ctl_key_add_bytes(&upgrade->last, walk.key);
        code = upgrade_row(reading.view, walk.value, err);
        upgrade->certificates++;
    }
    if (code != CS_OK && code != CS_ENOTFOUND)
        return code;
    committed = ctl_writes_commit(&upgrade->writes, reading.view, upgrade->store, err);
    return committed == CS_OK ? code : committed;
}

int ctl_upgrade(struct ctl_store *store, struct cs_err *err)
{
    struct upgrade upgrade = {.store = store};
    uint32_t from = ctl_store_schema(store);
    int code = CS_OK;

    if (from == CTL_STORE_SCHEMA)
        return CS_OK;
    cs_log(CS_LOG_INFO, "store", "the store is of an older schema: upgrading it", CS_FU("from", from),
           CS_FU("to", CTL_STORE_SCHEMA), CS_FEND);
    while (code == CS_OK) {
        code = upgrade_some(&upgrade, err);
        if (code == CS_OK && upgrade.certificates % CERTIFICATES_A_LINE == 0)
            cs_log(CS_LOG_INFO, "store", "upgrading", CS_FU("certificates", upgrade.certificates), CS_FEND);
    }
    ctl_writes_free(&upgrade.writes);
    if (code == CS_ENOTFOUND)
        code = ctl_store_raise_schema(store, err);
    if (code == CS_OK)
        cs_log(CS_LOG_INFO, "store", "the store is upgraded", CS_FU("certificates", upgrade.certificates),
               CS_FEND);
    return code == CS_OK ? CS_OK : cs_err_prefix(err, "upgrading the store");
}
