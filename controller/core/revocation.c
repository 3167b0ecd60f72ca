#include "controller/core/revocation.h"

#include "controller/core/inventory.h"
#include "controller/core/overrides.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"

#define REASON(name) countersign_v1_RevocationReason_REVOCATION_REASON_##name

struct ctl_key ctl_key_serial(enum ctl_table table, struct cs_slice digest, const char *serial)
{
    struct ctl_key key = ctl_key_bytes(table, digest);

    ctl_key_add_name(&key, serial);
    return key;
}

static bool is_revoked_for_good(bool revoked, countersign_v1_RevocationReason reason)
{
    return revoked && reason != REASON(CERTIFICATE_HOLD);
}

/* ---- one certificate */

static void mark(ctl_certificate_row *certificate, int64_t revoked_at_s,
                 countersign_v1_RevocationReason reason)
{
    certificate->revoked = true;
    certificate->revoked_at_s = revoked_at_s;
    certificate->revocation_reason = reason;
}

static int revoke(struct ctl_run *run, ctl_certificate_row *certificate, int64_t revoked_at_s,
                  countersign_v1_RevocationReason reason)
{
    mark(certificate, revoked_at_s, reason);
    return ctl_certificate_store(run, certificate);
}

int ctl_revocation_look(struct ctl_run *run, ctl_certificate_row *certificate)
{
    struct ctl_key key =
        ctl_key_serial(CTL_TABLE_REVOKED, CTL_BYTES(certificate->issuer_digest), certificate->serial);
    ctl_revocation_row row;
    int rc = ctl_get(run->view, &key, Revocation, &row, run->err);

    if (rc == CS_OK)
        mark(certificate, row.revoked_at_s, row.reason);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* ---- by hand */

static int check_by_hand(struct ctl_run *run, const countersign_v1_RevokeCertificateRequest *request)
{
    switch (request->reason) {
    case REASON(UNSPECIFIED):
    case REASON(KEY_COMPROMISE):
    case REASON(CA_COMPROMISE):
    case REASON(AFFILIATION_CHANGED):
    case REASON(SUPERSEDED):
    case REASON(CESSATION_OF_OPERATION):
    case REASON(PRIVILEGE_WITHDRAWN):
    case REASON(AA_COMPROMISE):
        return cs_text_check(cs_slice_str(request->comment), CS_LIMIT_COMMENT_BYTES, "the comment", run->err);
    case REASON(CERTIFICATE_HOLD):
        return cs_err_set(run->err, CS_EINVAL,
                          "a hold can end, and a revocation by hand cannot: let the issuer put it on hold in "
                          "its CRL, or give another reason");
    default:
        return cs_err_set(run->err, CS_EINVAL, "say why the certificate is revoked: it has no reason");
    }
}

int ctl_revoke_certificate_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_RevokeCertificateRequest *request = body;
    ctl_certificate_row certificate;
    char since[CS_TIME_TEXT_BYTES];
    int rc = check_by_hand(run, request);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &certificate);
    if (rc != CS_OK)
        return rc;
    if (is_revoked_for_good(certificate.revoked, certificate.revocation_reason))
        return cs_err_set(run->err, CS_EEXISTS, "%s is revoked already, since %s", certificate.common_name,
                          cs_time_text(certificate.revoked_at_s, since));
    rc = revoke(run, &certificate, run->now_s, request->reason);
    if (rc == CS_OK)
        rc = ctl_orders_end_for_revoked(run);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, request->comment, "certificate %s", certificate.common_name);
    ctl_run_detail(run, "(%s)", cs_crl_reason_text((unsigned)request->reason - 1));
    return CS_OK;
}

/* ---- lists */

static int compare_numbers(const ctl_crl_row *known, struct cs_slice number)
{
    char text[sizeof known->number];
    size_t known_len = strlen(known->number), len;

    while (number.len > 1 && number.ptr[0] == 0)
        number = cs_slice_from(number, 1);
    if (known_len == 0 || number.len == 0)
        return 0;
    len = strlen(cs_hex(number, text));
    return known_len != len ? (known_len < len ? -1 : 1) : strcmp(known->number, text);
}

/* By its number where both have one, then by its time. */
static bool is_older_than(const struct cs_crl *crl, const ctl_crl_row *known)
{
    int order = compare_numbers(known, crl->number);

    return order != 0 ? order > 0 : crl->this_update_s <= known->this_update_s;
}

static countersign_v1_RevocationReason reason_of(const struct cs_crl_entry *entry)
{
    return (countersign_v1_RevocationReason)(entry->reason + 1);
}

struct import {
    const struct ctl_import_crl *body;
    struct cs_digest issuer, scope;
    uint32_t revoked, released;
    bool wrote;
};

/* A part that says nothing new leaves no record. */
static void note(struct ctl_run *run, const struct import *import)
{
    if (!import->wrote)
        return;
    ctl_run_changed(run, "", "CRL of %s", import->body->issuer);
    ctl_run_detail(run, "%u became revoked", (unsigned)import->revoked);
    if (import->released)
        ctl_run_detail(run, "%u released from hold", (unsigned)import->released);
}

/* Every certificate with this issuer and serial: two of them are the CA's mistake, and both are meant. */
static int each_issued(struct ctl_run *run, struct import *import, const char *serial,
                       int (*each)(struct ctl_run *run, struct import *import,
                                   ctl_certificate_row *certificate, const ctl_revocation_row *row),
                       const ctl_revocation_row *row)
{
    struct ctl_key prefix = ctl_key_issued(cs_digest_slice(&import->issuer), serial);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        ctl_certificate_row certificate;

        rc = ctl_certificate_load(run, ctl_key_last(walk.key, CS_SHA256_BYTES), &certificate);
        if (rc == CS_OK)
            rc = each(run, import, &certificate, row);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int revoke_issued(struct ctl_run *run, struct import *import, ctl_certificate_row *certificate,
                         const ctl_revocation_row *row)
{
    if (is_revoked_for_good(certificate->revoked, certificate->revocation_reason))
        return CS_OK;
    if (!certificate->revoked)
        import->revoked++;
    return revoke(run, certificate, row->revoked_at_s, row->reason);
}

static int release_issued(struct ctl_run *run, struct import *import, ctl_certificate_row *certificate,
                          const ctl_revocation_row *row)
{
    (void)row;
    if (!certificate->revoked || certificate->revocation_reason != REASON(CERTIFICATE_HOLD))
        return CS_OK;
    certificate->revoked = false;
    certificate->revoked_at_s = 0;
    certificate->revocation_reason = REASON(NONE);
    import->released++;
    return ctl_certificate_store(run, certificate);
}

/* Which list named a hold last; none for what is revoked for good. */
static int note_hold(struct ctl_run *run, struct import *import, const char *serial, bool hold)
{
    struct ctl_key key = ctl_key_serial(CTL_TABLE_HOLD, cs_digest_slice(&import->scope), serial);
    struct cs_slice digest = cs_digest_slice(&import->body->digest), known;
    int rc = ctl_bytes_get(run->view, &key, &known, run->err);

    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    if (hold ? rc == CS_OK && cs_slice_eq(known, digest) : rc == CS_ENOTFOUND)
        return CS_OK;
    import->wrote = true;
    return hold ? ctl_bytes_put(run->view, &key, digest, run->err) : ctl_drop(run->view, &key, run->err);
}

static int take_entry(struct ctl_run *run, struct import *import, const struct cs_crl_entry *entry)
{
    char serial[CS_CRL_SERIAL_TEXT_BYTES];
    struct ctl_key key =
        ctl_key_serial(CTL_TABLE_REVOKED, cs_digest_slice(&import->issuer), cs_hex(entry->serial, serial));
    ctl_revocation_row row = countersign_store_v1_Revocation_init_zero;
    int rc = ctl_get(run->view, &key, Revocation, &row, run->err);
    bool known = rc == CS_OK;

    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    if (is_revoked_for_good(known, row.reason))
        return CS_OK;
    rc = note_hold(run, import, serial, entry->reason == CS_CRL_REASON_HOLD);
    if (rc != CS_OK || (known && row.reason == reason_of(entry)))
        return rc;
    import->wrote = true;
    row.revoked_at_s = entry->revoked_at_s;
    row.reason = reason_of(entry);
    rc = ctl_put(run->view, &key, Revocation, &row, run->err);
    return rc == CS_OK ? each_issued(run, import, serial, revoke_issued, &row) : rc;
}

/* A hold that this list does not name any more. */
static int release_hold(struct ctl_run *run, struct import *import, const char *serial)
{
    struct ctl_key hold = ctl_key_serial(CTL_TABLE_HOLD, cs_digest_slice(&import->scope), serial);
    struct ctl_key revoked = ctl_key_serial(CTL_TABLE_REVOKED, cs_digest_slice(&import->issuer), serial);
    ctl_revocation_row row;
    int rc = ctl_get(run->view, &revoked, Revocation, &row, run->err);

    /* Another list of the issuer may have revoked it for good meanwhile. */
    if (rc == CS_OK && !is_revoked_for_good(true, row.reason)) {
        rc = each_issued(run, import, serial, release_issued, NULL);
        if (rc == CS_OK)
            rc = ctl_drop(run->view, &revoked, run->err);
    }
    if (rc == CS_ENOTFOUND)
        rc = CS_OK;
    import->wrote = true;
    return rc == CS_OK ? ctl_drop(run->view, &hold, run->err) : rc;
}

static int release_holds(struct ctl_run *run, struct import *import)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_HOLD, cs_digest_slice(&import->scope));
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        char serial[CS_CRL_SERIAL_TEXT_BYTES];

        if (cs_slice_eq(walk.value, cs_digest_slice(&import->body->digest)))
            continue;
        ctl_text_set(serial, sizeof serial, (const char *)walk.key.ptr + prefix.len);
        rc = release_hold(run, import, serial);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int store_crl(struct ctl_run *run, struct import *import)
{
    const struct ctl_import_crl *body = import->body;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CRL, cs_digest_slice(&import->scope));
    struct cs_slice number = body->crl->number;
    ctl_crl_row row = countersign_store_v1_Crl_init_zero;

    import->wrote = true;
    while (number.len > 1 && number.ptr[0] == 0)
        number = cs_slice_from(number, 1);
    cs_assert(2 * number.len < sizeof row.number);
    CTL_TEXT_SET(row.issuer, body->issuer);
    cs_hex(number, row.number);
    row.this_update_s = body->crl->this_update_s;
    row.next_update_s = body->crl->next_update_s;
    row.entries = (uint32_t)body->crl->entry_count;
    row.imported_at_s = run->now_s;
    CTL_TEXT_SET(row.source, body->source[0] ? body->source : run->actor->name);
    cs_utf8_repair(row.source); /* file names are bytes */
    CTL_BYTES_SET(row.digest, cs_digest_slice(&body->digest));
    return ctl_put(run->view, &key, Crl, &row, run->err);
}

static int take_entries(struct ctl_run *run, struct import *import)
{
    struct cs_slice rest = import->body->entries;
    struct cs_crl_entry entry;

    while (cs_crl_next(&rest, &entry)) {
        int rc = take_entry(run, import, &entry);

        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

/* Parts come one after the other, and no other list of this scope in between: what is on hold would be
 * marked by the one and released by the other. */
static int check_known(struct ctl_run *run, const struct import *import, bool *ret_existed)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CRL, cs_digest_slice(&import->scope));
    ctl_crl_row known = countersign_store_v1_Crl_init_zero;
    int rc = ctl_get(run->view, &key, Crl, &known, run->err);

    *ret_existed = rc == CS_OK && is_older_than(import->body->crl, &known);
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    if (!*ret_existed && import->body->is_part && !cs_slice_eq(import->body->before, CTL_BYTES(known.digest)))
        return cs_err_set(run->err, CS_ESTALE, "another CRL of %s came in between: import this one again",
                          import->body->issuer);
    return CS_OK;
}

int ctl_import_crl_run(struct ctl_run *run, const void *body, void *reply)
{
    struct import import = {.body = body};
    countersign_v1_ImportCrlResponse *answer = reply;
    int rc;

    import.issuer = cs_issuer_digest(import.body->crl->issuer);
    import.scope = cs_crl_scope(import.body->crl);
    CTL_TEXT_SET(answer->issuer, import.body->issuer);
    answer->entries = (uint32_t)import.body->crl->entry_count;
    rc = check_known(run, &import, &answer->existed);
    if (rc != CS_OK || answer->existed)
        return rc;
    rc = take_entries(run, &import);
    if (rc == CS_OK && import.revoked)
        rc = ctl_orders_end_for_revoked(run);
    if (rc == CS_OK && import.body->is_last)
        rc = release_holds(run, &import);
    if (rc == CS_OK && import.body->is_last)
        rc = store_crl(run, &import);
    if (rc != CS_OK)
        return rc;
    answer->revoked = import.revoked;
    note(run, &import);
    return CS_OK;
}
