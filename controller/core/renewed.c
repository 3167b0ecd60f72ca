/* Which certificate renews which: those with the same names stand together in the index, by date, so that
 * each finds its neighbours however late it comes. */
#include "controller/core/inventory.h"

#include "controller/core/words.h"

#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Over the common name and the names, folded, sorted, each with its zero. None at all: nobody's renewal; more
 * than the row has room for: they might differ in what is not there. */
static void digest_names(ctl_certificate_row *row, bool names_left_out)
{
    enum { ROOM = sizeof row->common_name };
    char texts[1 + CS_ARRAY_LEN(row->names)][ROOM] = {{0}};
    struct cs_slice parts[CS_ARRAY_LEN(texts)];
    struct cs_digest digest;

    _Static_assert(sizeof row->names[0] <= ROOM, "a name has room where a common name has");
    row->names_digest.size = 0;
    if (names_left_out || (row->common_name[0] == 0 && row->names_count == 0))
        return;
    ctl_fold(cs_slice_str(row->common_name), texts[0]);
    for (pb_size_t i = 0; i < row->names_count; i++)
        ctl_fold(cs_slice_str(row->names[i]), texts[1 + i]);
    qsort(texts[1], row->names_count, ROOM, compare_names);
    for (size_t i = 0; i <= row->names_count; i++)
        parts[i] = cs_slice(texts[i], strlen(texts[i]) + 1);
    digest = cs_sha256_parts(parts, 1 + (size_t)row->names_count);
    CTL_BYTES_SET(row->names_digest, cs_digest_slice(&digest));
}

static struct ctl_key names_at(const ctl_certificate_row *row, int64_t not_before_s)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE_NAMES, CTL_BYTES(row->names_digest));

    ctl_inventory_add_time(&key, not_before_s);
    return key;
}

static int load(struct ctl_view *view, struct cs_slice id, ctl_certificate_row *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, id);

    return ctl_get(view, &key, Certificate, ret, err);
}

/* The last before the row's date, or the first behind it; CS_ENOTFOUND. */
static int neighbour(struct ctl_view *view, const ctl_certificate_row *row, bool older,
                     ctl_certificate_row *ret, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_CERTIFICATE_NAMES, CTL_BYTES(row->names_digest));
    struct ctl_key from = names_at(row, row->not_before_s);
    struct cs_slice key, value;
    int rc;

    if (!older) /* beyond every id of this date */
        for (size_t i = 0; i <= CS_SHA256_BYTES; i++)
            ctl_key_add_u8(&from, 0xff);
    rc = ctl_view_seek(view, ctl_key_slice(&prefix), ctl_key_slice(&from), older, &key, &value, err);
    return rc == CS_OK ? load(view, ctl_key_last(key, CS_SHA256_BYTES), ret, err) : rc;
}

/* Tells the neighbour, and all of its names and date. */
static int tell(struct ctl_view *view, const ctl_certificate_row *row, const ctl_certificate_row *of,
                bool older, struct cs_err *err)
{
    struct ctl_key prefix = names_at(of, of->not_before_s);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_certificate_row told;
    int rc = CS_OK;

    for (size_t i = 0; i < CTL_INVENTORY_TIES; i++) {
        rc = ctl_walk_next(view, &walk, err);
        if (rc == CS_OK)
            rc = load(view, ctl_key_last(walk.key, CS_SHA256_BYTES), &told, err);
        if (rc != CS_OK)
            break;
        if (older)
            CTL_BYTES_COPY(told.replaced_by, row->id);
        else
            CTL_BYTES_COPY(told.replaces, row->id);
        rc = ctl_inventory_store(view, &told, err);
        if (rc != CS_OK)
            break;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_inventory_link(struct ctl_view *view, ctl_certificate_row *row, bool names_left_out,
                       struct cs_err *err)
{
    ctl_certificate_row other;
    int rc;

    digest_names(row, names_left_out);
    if (row->names_digest.size == 0)
        return CS_OK;
    rc = neighbour(view, row, true, &other, err);
    if (rc == CS_OK) {
        CTL_BYTES_COPY(row->replaces, other.id);
        rc = tell(view, row, &other, true, err);
    }
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    rc = neighbour(view, row, false, &other, err);
    if (rc == CS_OK) {
        CTL_BYTES_COPY(row->replaced_by, other.id);
        rc = tell(view, row, &other, false, err);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}
