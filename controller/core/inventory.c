#include "controller/core/inventory.h"

#include "controller/core/words.h"

/* ---- keys */

struct ctl_key ctl_inventory_by(enum ctl_inventory_by by)
{
    struct ctl_key key = ctl_key(CTL_TABLE_CERTIFICATE_BY);

    ctl_key_add_u8(&key, (uint8_t)by);
    return key;
}

struct ctl_key ctl_inventory_group(const char *group)
{
    return ctl_key_name(CTL_TABLE_CERTIFICATE_GROUP, group);
}

struct ctl_key ctl_inventory_word(enum ctl_inventory_word kind, struct cs_slice word, bool whole)
{
    struct ctl_key key = ctl_key(CTL_TABLE_CERTIFICATE_WORD);

    ctl_key_add_u8(&key, (uint8_t)kind);
    ctl_key_add_bytes(&key, word);
    if (whole)
        ctl_key_add_u8(&key, 0);
    return key;
}

struct ctl_key ctl_key_issued(struct cs_slice issuer_digest, const char *serial)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ISSUED, issuer_digest);

    ctl_key_add_name(&key, serial);
    return key;
}

void ctl_inventory_add_time(struct ctl_key *key, int64_t time_s)
{
    ctl_key_add_u64(key, (uint64_t)time_s ^ (uint64_t)1 << 63);
}

void ctl_inventory_add_week(struct ctl_key *key, int64_t time_s)
{
    int64_t week = time_s / CTL_INVENTORY_WEEK_S - (time_s % CTL_INVENTORY_WEEK_S < 0);

    ctl_inventory_add_time(key, week);
}

void ctl_inventory_add_text(struct ctl_key *key, const char *text, size_t most)
{
    struct cs_slice cut = cs_slice_str(text);
    char folded[CTL_KEY_BYTES];

    cs_assert(most <= sizeof folded);
    if (cut.len > most)
        cut.len = most;
    ctl_fold(cut, folded);
    ctl_key_add_bytes(key, cs_slice(folded, cut.len));
    ctl_key_add_u8(key, 0);
}

/* What every entry ends with. */
static void add_end(struct ctl_key *key, const ctl_certificate_row *row)
{
    ctl_inventory_add_text(key, row->common_name, CTL_INVENTORY_NAME_BYTES);
    ctl_key_add_bytes(key, CTL_BYTES(row->id));
}

static void add_position(const ctl_certificate_row *row, enum ctl_inventory_by by, struct ctl_key *key)
{
    switch (by) {
    case CTL_BY_ISSUER:
        ctl_inventory_add_text(key, row->issuer, CTL_INVENTORY_ISSUER_BYTES);
        break;
    case CTL_BY_SERIAL:
        ctl_key_add_name(key, row->serial);
        break;
    case CTL_BY_NOT_AFTER:
    case CTL_BY_COLOUR:
        ctl_inventory_add_time(key, row->not_after_s);
        break;
    case CTL_BY_NOT_BEFORE:
        ctl_inventory_add_time(key, row->not_before_s);
        break;
    case CTL_BY_IMPORTED:
        ctl_inventory_add_time(key, row->imported_at_s);
        break;
    case CTL_BY_ATTACHMENTS:
        ctl_key_add_u32(key, row->attachments);
        break;
    case CTL_BY_KEY:
        ctl_key_add_u8(key, (uint8_t)row->key);
        break;
    case CTL_BY_KEY_MODE:
        ctl_key_add_u8(key, (uint8_t)row->key_mode);
        break;
    case CTL_BY_ATTACHED:
        ctl_key_add_u8(key, row->attachments > 0);
        break;
    case CTL_BY_RENEWED:
        ctl_key_add_u8(key, 1);
        break;
    case CTL_BY_CONDITION:
        ctl_key_add_u8(key, (uint8_t)ctl_inventory_condition(row));
        break;
    case CTL_BY_WEEK:
        ctl_inventory_add_week(key, row->not_after_s);
        break;
    case CTL_BY_COMMON_NAME:
        break;
    }
    add_end(key, row);
}

void ctl_inventory_position(const ctl_certificate_row *row, enum ctl_inventory_by by, struct ctl_key *ret)
{
    ret->len = 0;
    add_position(row, by, ret);
}

enum ctl_inventory_condition ctl_inventory_condition(const ctl_certificate_row *row)
{
    return row->revoked   ? CTL_IS_REVOKED
           : row->failed  ? CTL_IS_FAILED
           : row->changed ? CTL_IS_CHANGED
                          : CTL_IS_FINE;
}

static struct ctl_key entry(const ctl_certificate_row *row, enum ctl_inventory_by by)
{
    struct ctl_key key = ctl_inventory_by(by);

    if (by == CTL_BY_COLOUR)
        ctl_key_add_u8(&key, (uint8_t)ctl_inventory_condition(row));
    add_position(row, by, &key);
    return key;
}

/* ---- what never changes of a certificate */

static int each_word(const ctl_certificate_row *row, ctl_inventory_each *each, void *data)
{
    struct ctl_word words[CTL_WORDS_MOST];
    size_t count = ctl_words_of(row, words);
    struct cs_slice shorts[CTL_WORDS_MOST];
    size_t short_count = 0;
    int rc = CS_OK;

    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        struct cs_slice word = cs_slice(words[i].bytes, words[i].len), beginning = word;
        struct ctl_key key = ctl_inventory_word(CTL_WORD_WHOLE, word, true);
        bool there = false;

        add_end(&key, row);
        if (word.len > CTL_WORD_SHORT_BYTES)
            rc = each(data, &key);
        if (beginning.len > CTL_WORD_SHORT_BYTES)
            beginning.len = CTL_WORD_SHORT_BYTES;
        for (size_t j = 0; j < short_count && !there; j++)
            there = cs_slice_eq(shorts[j], beginning);
        if (rc != CS_OK || there)
            continue;
        shorts[short_count++] = beginning;
        key = ctl_inventory_word(CTL_WORD_SHORT, beginning, true);
        add_end(&key, row);
        rc = each(data, &key);
    }
    return rc;
}

static struct ctl_key names_entry(const ctl_certificate_row *row)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE_NAMES, CTL_BYTES(row->names_digest));

    ctl_inventory_add_time(&key, row->not_before_s);
    ctl_key_add_bytes(&key, CTL_BYTES(row->id));
    return key;
}

static int each_fixed(const ctl_certificate_row *row, ctl_inventory_each *each, void *data)
{
    static const enum ctl_inventory_by fixed[] = {CTL_BY_COMMON_NAME, CTL_BY_ISSUER,     CTL_BY_SERIAL,
                                                  CTL_BY_NOT_AFTER,   CTL_BY_NOT_BEFORE, CTL_BY_IMPORTED,
                                                  CTL_BY_KEY,         CTL_BY_WEEK};
    struct ctl_key key = ctl_key_name(CTL_TABLE_CERTIFICATE_NAME, row->common_name);
    int rc;

    ctl_key_add_bytes(&key, CTL_BYTES(row->id));
    rc = each(data, &key);
    for (size_t i = 0; i < CS_ARRAY_LEN(fixed) && rc == CS_OK; i++) {
        key = entry(row, fixed[i]);
        rc = each(data, &key);
    }
    if (rc == CS_OK && row->issuer_digest.size) {
        key = ctl_key_issued(CTL_BYTES(row->issuer_digest), row->serial);
        ctl_key_add_bytes(&key, CTL_BYTES(row->id));
        rc = each(data, &key);
    }
    if (rc == CS_OK && row->names_digest.size) {
        key = names_entry(row);
        rc = each(data, &key);
    }
    return rc == CS_OK ? each_word(row, each, data) : rc;
}

/* ---- and what does */

enum {
    CHANGING_ORDERS = 6,
    CHANGING = CHANGING_ORDERS + CS_ARRAY_LEN(((ctl_certificate_row *)NULL)->groups),
};

/* Of no length: there is none. An entry has the same place in every row's list, groups aside. */
static void list_changing(const ctl_certificate_row *row, struct ctl_key ret[CHANGING])
{
    size_t count = 0;

    ret[count++] = entry(row, CTL_BY_COLOUR);
    ret[count++] = entry(row, CTL_BY_CONDITION);
    ret[count++] = entry(row, CTL_BY_ATTACHMENTS);
    ret[count++] = entry(row, CTL_BY_ATTACHED);
    ret[count++] = entry(row, CTL_BY_KEY_MODE);
    ret[count] = entry(row, CTL_BY_RENEWED);
    if (row->replaced_by.size == 0)
        ret[count].len = 0;
    count++;
    cs_assert(count == CHANGING_ORDERS);
    for (size_t i = 0; i < CS_ARRAY_LEN(row->groups); i++, count++) {
        ret[count].len = 0;
        if (i < row->groups_count) {
            ret[count] = ctl_inventory_group(row->groups[i]);
            add_end(&ret[count], row);
        }
    }
}

int ctl_inventory_entries(const ctl_certificate_row *row, ctl_inventory_each *each, void *data)
{
    struct ctl_key changing[CHANGING];
    int rc = each_fixed(row, each, data);

    list_changing(row, changing);
    for (size_t i = 0; i < CHANGING && rc == CS_OK; i++)
        if (changing[i].len)
            rc = each(data, &changing[i]);
    return rc;
}

struct put {
    struct ctl_view *view;
    struct cs_err *err;
};

static int put_entry(void *data, const struct ctl_key *key)
{
    struct put *put = data;

    return ctl_index_put(put->view, key, put->err);
}

/* First all that go, then all that come: a group may have moved to another place in the list. */
static int change_entries(struct ctl_view *view, const ctl_certificate_row *before,
                          const ctl_certificate_row *after, struct cs_err *err)
{
    struct ctl_key old[CHANGING], new[CHANGING];
    bool same[CHANGING];
    int rc = CS_OK;

    list_changing(before, old);
    list_changing(after, new);
    for (size_t i = 0; i < CHANGING && rc == CS_OK; i++) {
        same[i] = cs_slice_eq(ctl_key_slice(&old[i]), ctl_key_slice(&new[i]));
        if (!same[i] && old[i].len)
            rc = ctl_drop(view, &old[i], err);
    }
    for (size_t i = 0; i < CHANGING && rc == CS_OK; i++)
        if (!same[i] && new[i].len)
            rc = ctl_index_put(view, &new[i], err);
    return rc;
}

int ctl_inventory_adopt(struct ctl_view *view, const ctl_certificate_row *row, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row->id));
    struct put put = {view, err};
    int rc = ctl_inventory_entries(row, put_entry, &put);

    return rc == CS_OK ? ctl_put(view, &key, Certificate, row, err) : rc;
}

int ctl_inventory_store(struct ctl_view *view, const ctl_certificate_row *row, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row->id));
    ctl_certificate_row before;
    int rc = ctl_get(view, &key, Certificate, &before, err);

    if (rc == CS_ENOTFOUND)
        return ctl_inventory_adopt(view, row, err);
    if (rc == CS_OK)
        rc = change_entries(view, &before, row, err);
    return rc == CS_OK ? ctl_put(view, &key, Certificate, row, err) : rc;
}
