/* inventory.h - the indexes of the inventory, kept beside each certificate's row: by every order in which
 * certificates are listed, by what they are filtered by, by their words, groups and renewals. Whoever changes
 * a row does it with ctl_inventory_store(), which writes those entries that differ and no others. Pure.
 *
 * The entries of a list all end alike: common name (folded, cut), id. So whatever a list is filtered by, its
 * entries stand in the order of common names, and several filters are laid over each other by leaping from
 * one to the next (streams.h). Nothing here depends on the clock: a colour is a range of conditions and dates
 * at the time at which one asks. */
#ifndef CTL_CORE_INVENTORY_H
#define CTL_CORE_INVENTORY_H

#include "controller/core/record.h"

/* Behind CTL_TABLE_CERTIFICATE_BY. The first ones are orders of a list, by the numbers that CertificateSort
 * has; the others are there to filter. What stands between this byte and the common name: */
enum ctl_inventory_by {
    CTL_BY_COMMON_NAME = countersign_v1_CertificateSort_CERTIFICATE_SORT_COMMON_NAME, /* nothing */
    CTL_BY_ISSUER = countersign_v1_CertificateSort_CERTIFICATE_SORT_ISSUER,           /* folded, cut */
    CTL_BY_SERIAL = countersign_v1_CertificateSort_CERTIFICATE_SORT_SERIAL,           /* as text */
    CTL_BY_NOT_AFTER = countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_AFTER,
    CTL_BY_NOT_BEFORE = countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_BEFORE,
    CTL_BY_IMPORTED = countersign_v1_CertificateSort_CERTIFICATE_SORT_IMPORTED,
    CTL_BY_COLOUR = countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR, /* condition, not after */
    CTL_BY_ATTACHMENTS = countersign_v1_CertificateSort_CERTIFICATE_SORT_ATTACHMENTS,
    CTL_BY_KEY = 32,  /* kind of key */
    CTL_BY_KEY_MODE,  /* where the private key is */
    CTL_BY_ATTACHED,  /* 1: to something, 0: to nothing */
    CTL_BY_RENEWED,   /* 1: a newer one replaces it; others are not listed */
    CTL_BY_CONDITION, /* enum ctl_inventory_condition */
    CTL_BY_WEEK,      /* the week in which it expires */
};

/* What a colour goes by besides dates, worst first. */
enum ctl_inventory_condition { CTL_IS_REVOKED = 1, CTL_IS_FAILED, CTL_IS_CHANGED, CTL_IS_FINE };
enum ctl_inventory_condition ctl_inventory_condition(const ctl_certificate_row *row);

enum {
    CTL_INVENTORY_NAME_BYTES = 64, /* of a common name in a key: beyond, the id decides */
    CTL_INVENTORY_ISSUER_BYTES = 96,
    CTL_INVENTORY_WEEK_S = 7 * 24 * 60 * 60,
    /* Certificates of the same names and the same date that one import may write anew. */
    CTL_INVENTORY_TIES = 64,
};

/* Words of up to two letters, and the first two of longer ones; then whole words: so that few letters, which
 * begin very many words, need few lists. */
enum ctl_inventory_word { CTL_WORD_SHORT = 1, CTL_WORD_WHOLE = 2 };
enum { CTL_WORD_SHORT_BYTES = 2 };

/* Beginnings of keys. */
struct ctl_key ctl_inventory_by(enum ctl_inventory_by by);
struct ctl_key ctl_inventory_group(const char *group);
/* With its zero, unless the word goes on. */
struct ctl_key ctl_inventory_word(enum ctl_inventory_word kind, struct cs_slice word, bool whole);
struct ctl_key ctl_key_issued(struct cs_slice issuer_digest, const char *serial);
/* Parts of them: times that sort with their sign, the week of a time, text folded and cut. */
void ctl_inventory_add_time(struct ctl_key *key, int64_t time_s);
void ctl_inventory_add_week(struct ctl_key *key, int64_t time_s);
void ctl_inventory_add_text(struct ctl_key *key, const char *text, size_t most);
/* What a list's order goes by, without the beginning; with CTL_BY_COLOUR without the condition. */
void ctl_inventory_position(const ctl_certificate_row *row, enum ctl_inventory_by by, struct ctl_key *ret);

/* Every entry that the row must have, one after the other; CS_OK, or what `each` said. */
typedef int ctl_inventory_each(void *data, const struct ctl_key *key);
CS_MUST_USE int ctl_inventory_entries(const ctl_certificate_row *row, ctl_inventory_each *each, void *data);

/* Puts the row in the place of the one that is there, or of none, with its entries. What a certificate is by
 * itself (names, dates, issuer) never changes. */
CS_MUST_USE int ctl_inventory_store(struct ctl_view *view, const ctl_certificate_row *row,
                                    struct cs_err *err);

/* For a row that is there without its entries, as schema 2 had it. */
CS_MUST_USE int ctl_inventory_adopt(struct ctl_view *view, const ctl_certificate_row *row,
                                    struct cs_err *err);

/* Of a new row, before it is stored the first time: the digest of its names, and which certificates it renews
 * and is renewed by. The same names make a renewal, and newer dates; whatever was imported first. The
 * neighbours are stored. */
CS_MUST_USE int ctl_inventory_link(struct ctl_view *view, ctl_certificate_row *row, bool names_left_out,
                                   struct cs_err *err);

#endif
