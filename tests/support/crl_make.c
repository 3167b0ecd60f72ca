#include "tests/support/crl_make.h"

#include "shared/crypto/der_read.h"
#include "shared/crypto/write.h"

#include <stdio.h>
#include <time.h>

enum { ENTRY_ROOM = 256, REST_ROOM = 4096, DER_ENUMERATED = 0x0a };

/* TBSCertificate: version, serial, algorithm, issuer, validity, subject. */
static struct cs_slice part_of(const struct cs_chain *chain, bool serial)
{
    struct cs_reader der = cs_reader(cs_chain_der(chain, 0));
    struct cs_reader certificate = cs_reader(der_take(&der, DER_SEQUENCE));
    struct cs_reader tbs = cs_reader(der_take(&certificate, DER_SEQUENCE));
    struct cs_slice found;

    der_take(&tbs, DER_CONTEXT_0);
    found = der_take(&tbs, DER_INTEGER);
    if (!serial) {
        for (int i = 0; i < 3; i++)
            der_take(&tbs, DER_SEQUENCE);
        found = der_take_whole(&tbs, DER_SEQUENCE);
    }
    cs_assert(cs_reader_ok(&tbs) && found.len);
    return found;
}

struct cs_slice crl_make_serial(const struct cs_chain *chain)
{
    return part_of(chain, true);
}

static void write_time(struct der *der, int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm tm;
    char text[32];
    bool is_short;

    cs_assert(gmtime_r(&time, &tm));
    is_short = tm.tm_year < 150;
    strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
    der_value(der, is_short ? DER_UTC_TIME : DER_GENERALIZED_TIME, cs_slice_str(text + (is_short ? 2 : 0)));
}

/* Around the value that stands from `mark` on. */
static void wrap_extension(struct der *der, struct cs_slice oid, bool critical, const uint8_t *mark)
{
    der_wrap(der, DER_OCTET_STRING, mark);
    if (critical)
        der_value(der, DER_BOOLEAN, CS_SLICE_LIT("\xff"));
    der_value(der, DER_OID, oid);
    der_wrap(der, DER_SEQUENCE, mark);
}

static void write_entry(struct der *der, const struct crl_make_entry *entry, int64_t this_update_s)
{
    const uint8_t *mark = der_mark(der), *end = mark;
    uint8_t reason = (uint8_t)entry->reason;

    if (entry->other_issuer) {
        der_value(der, DER_SEQUENCE, CS_SLICE_EMPTY);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x1d"), true, end);
        end = der_mark(der);
    }
    if (entry->unknown_critical) {
        der_value(der, DER_NULL, CS_SLICE_EMPTY);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x7f"), true, end);
        end = der_mark(der);
    }
    if (entry->reason) {
        der_value(der, DER_ENUMERATED, cs_slice(&reason, 1));
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x15"), false, end);
    }
    if (der_mark(der) != mark)
        der_wrap(der, DER_SEQUENCE, mark);
    write_time(der, entry->revoked_at_s ? entry->revoked_at_s : this_update_s);
    der_value(der, DER_INTEGER, entry->serial);
    der_wrap(der, DER_SEQUENCE, mark);
}

static void write_extensions(struct der *der, const struct crl_make *what)
{
    const uint8_t *all = der_mark(der), *mark = all;

    if (what->unknown_critical) {
        der_value(der, DER_NULL, CS_SLICE_EMPTY);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x7f"), true, mark);
        mark = der_mark(der);
    }
    if (what->delta) {
        der_small(der, 1);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x1b"), true, mark);
        mark = der_mark(der);
    }
    if (what->scope.len) {
        der_value(der, DER_SEQUENCE, what->scope);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x1c"), true, mark);
        mark = der_mark(der);
    }
    if (what->number) {
        der_small(der, what->number);
        wrap_extension(der, CS_SLICE_LIT("\x55\x1d\x14"), false, mark);
        mark = der_mark(der);
    }
    if (what->key_id.len) {
        der_value(der, DER_CONTEXT_PRIMITIVE_0, what->key_id);
        der_wrap(der, DER_SEQUENCE, mark);
        wrap_extension(der, OID_AUTHORITY_KEY_ID, false, mark);
    }
    if (der_mark(der) == all)
        return;
    der_wrap(der, DER_SEQUENCE, all);
    der_wrap(der, DER_CONTEXT_0, all);
}

void crl_make(const struct pki *issuer, const struct crl_make *what, struct cs_buf *out)
{
    size_t room = REST_ROOM + what->entry_count * ENTRY_ROOM;
    int64_t this_update_s = what->this_update_s ? what->this_update_s : pki_now();
    uint8_t *bytes = malloc(room);
    struct cs_err err;
    const uint8_t *mark;
    struct der der;

    cs_assert(bytes);
    der = der_begin(bytes, room);
    write_extensions(&der, what);
    mark = der_mark(&der);
    for (size_t i = what->entry_count; i > 0; i--)
        write_entry(&der, &what->entries[i - 1], this_update_s);
    if (what->entry_count)
        der_wrap(&der, DER_SEQUENCE, mark);
    if (what->next_update_s)
        write_time(&der, what->next_update_s);
    write_time(&der, this_update_s);
    der_raw(&der, part_of(issuer->chain, false));
    write_ecdsa_sha256(&der);
    der_small(&der, 1);
    der_wrap(&der, DER_SEQUENCE, der.end);
    cs_assert(!der.failed && write_signed(der_done(&der), issuer->key, out, &err) == CS_OK);
    free(bytes);
}
