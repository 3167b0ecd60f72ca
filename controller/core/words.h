/* words.h - the words by which people find a certificate: what stands in its common name, names and issuer,
 * cut at everything that is neither letter nor digit. The index (inventory.h) and the last look at a row go
 * by the same words, so that no page depends on which of the two answered. Pure.
 *
 * Capital and small letters are one in ASCII; every byte of another alphabet counts as a letter, as it is. */
#ifndef CTL_CORE_WORDS_H
#define CTL_CORE_WORDS_H

#include "controller/core/record.h"

enum {
    CTL_WORD_BYTES = 32, /* of a word, as far as the index knows it; the row is asked about the rest */
    /* As many as a row's texts have room for, each of one letter. */
    CTL_WORDS_MOST =
        (sizeof((ctl_certificate_row *)NULL)->common_name + sizeof((ctl_certificate_row *)NULL)->names +
         sizeof((ctl_certificate_row *)NULL)->issuer) /
        2,
    CTL_WORD_HEX_LEAST = 4, /* digits from which on the beginning of a serial or an id is looked for */
};

/* Lower case; `out` has room for text.len. */
void ctl_fold(struct cs_slice text, char *out);

/* The next run of letters and digits; moves *rest behind it. False at the end. */
bool ctl_word_next(struct cs_slice *rest, struct cs_slice *ret);

/* A text of a certificate as it is searched: a name without its kind ("dns:"). */
struct cs_slice ctl_word_text(const char *name);
/* The next word of an issuer: those that name what comes ("O=") are none. */
bool ctl_word_next_issuer(struct cs_slice issuer, struct cs_slice *rest, struct cs_slice *ret);

/* The words that stand in the index, folded, each once; the common name's beginning is left out: the order by
 * common name finds it. Returns how many. */
struct ctl_word {
    uint8_t bytes[CTL_WORD_BYTES];
    uint8_t len;
};
size_t ctl_words_of(const ctl_certificate_row *row, struct ctl_word ret[CTL_WORDS_MOST]);

/* `word` (folded, begins with a letter or digit) begins a word of the common name, of a name or of the
 * issuer, goes on as the text does, is the serial, or begins serial or id with at least CTL_WORD_HEX_LEAST
 * digits. */
bool ctl_word_fits(const ctl_certificate_row *row, struct cs_slice word);
/* Hex digits only, so it may be a serial or an id. */
bool ctl_word_is_hex(struct cs_slice word);

#endif
