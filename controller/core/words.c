#include "controller/core/words.h"

#include "shared/base/text.h"

static bool in_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

void ctl_fold(struct cs_slice text, char *out)
{
    for (size_t i = 0; i < text.len; i++)
        out[i] = (char)fold(text.ptr[i]);
}

bool ctl_word_next(struct cs_slice *rest, struct cs_slice *ret)
{
    size_t from = 0, to;

    while (from < rest->len && !in_word(rest->ptr[from]))
        from++;
    for (to = from; to < rest->len && in_word(rest->ptr[to]);)
        to++;
    *ret = cs_slice(rest->ptr + from, to - from);
    *rest = cs_slice(rest->ptr + to, rest->len - to);
    return to > from;
}

struct cs_slice ctl_word_text(const char *name)
{
    const char *colon = strchr(name, ':');

    return cs_slice_str(colon ? colon + 1 : name);
}

/* At the beginning of a part of the name: "C=DE, O=Acme + CN=x". */
static bool names_what_comes(struct cs_slice issuer, struct cs_slice word)
{
    const uint8_t *end = issuer.ptr + issuer.len;

    if (word.ptr + word.len == end || word.ptr[word.len] != '=')
        return false;
    return word.ptr == issuer.ptr || word.ptr[-1] == ' ';
}

bool ctl_word_next_issuer(struct cs_slice issuer, struct cs_slice *rest, struct cs_slice *ret)
{
    while (ctl_word_next(rest, ret))
        if (!names_what_comes(issuer, *ret))
            return true;
    return false;
}

/* ---- for the index */

struct words {
    struct ctl_word *list;
    size_t count;
};

static bool same_folded(struct cs_slice a, struct cs_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold(a.ptr[i]) != fold(b.ptr[i]))
            return false;
    return true;
}

static void add_word(struct words *words, struct cs_slice text)
{
    struct ctl_word word = {.len = (uint8_t)(text.len < CTL_WORD_BYTES ? text.len : CTL_WORD_BYTES)};

    ctl_fold(cs_slice(text.ptr, word.len), (char *)word.bytes);
    for (size_t i = 0; i < words->count; i++)
        if (words->list[i].len == word.len && memcmp(words->list[i].bytes, word.bytes, word.len) == 0)
            return;
    cs_assert(words->count < CTL_WORDS_MOST);
    words->list[words->count++] = word;
}

size_t ctl_words_of(const ctl_certificate_row *row, struct ctl_word ret[CTL_WORDS_MOST])
{
    struct cs_slice common_name = cs_slice_str(row->common_name), issuer = cs_slice_str(row->issuer);
    struct words words = {.list = ret};
    struct cs_slice rest = common_name, word, first = CS_SLICE_EMPTY;

    while (ctl_word_next(&rest, &word)) {
        if (word.ptr == common_name.ptr)
            first = word;
        else
            add_word(&words, word);
    }
    for (pb_size_t i = 0; i < row->names_count; i++) {
        struct cs_slice name = ctl_word_text(row->names[i]);

        if (same_folded(name, common_name))
            continue;
        for (rest = name; ctl_word_next(&rest, &word);)
            if (word.ptr != name.ptr || !same_folded(word, first))
                add_word(&words, word);
    }
    for (rest = issuer; ctl_word_next_issuer(issuer, &rest, &word);)
        add_word(&words, word);
    return words.count;
}

/* ---- for a row */

static bool begins(struct cs_slice text, struct cs_slice word)
{
    if (text.len < word.len)
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (fold(text.ptr[i]) != word.ptr[i])
            return false;
    return true;
}

static bool in_text(struct cs_slice text, struct cs_slice word)
{
    struct cs_slice rest = text, at;

    while (ctl_word_next(&rest, &at))
        if (begins(cs_slice(at.ptr, (size_t)(text.ptr + text.len - at.ptr)), word))
            return true;
    return false;
}

static bool in_issuer(struct cs_slice issuer, struct cs_slice word)
{
    struct cs_slice rest = issuer, at;

    while (ctl_word_next_issuer(issuer, &rest, &at))
        if (begins(cs_slice(at.ptr, (size_t)(issuer.ptr + issuer.len - at.ptr)), word))
            return true;
    return false;
}

bool ctl_word_is_hex(struct cs_slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!strchr("0123456789abcdef", word.ptr[i]) || word.ptr[i] == 0)
            return false;
    return word.len > 0;
}

static bool in_numbers(const ctl_certificate_row *row, struct cs_slice word)
{
    struct cs_slice serial = cs_slice_str(row->serial);
    char id[2 * sizeof row->id.bytes + 1];

    if (!ctl_word_is_hex(word))
        return false;
    if (begins(serial, word) && (word.len >= CTL_WORD_HEX_LEAST || serial.len == word.len))
        return true;
    if (word.len < CTL_WORD_HEX_LEAST)
        return false;
    return begins(cs_slice_str(cs_hex(CTL_BYTES(row->id), id)), word);
}

bool ctl_word_fits(const ctl_certificate_row *row, struct cs_slice word)
{
    if (in_text(cs_slice_str(row->common_name), word) || in_issuer(cs_slice_str(row->issuer), word) ||
        in_numbers(row, word))
        return true;
    for (pb_size_t i = 0; i < row->names_count; i++)
        if (in_text(ctl_word_text(row->names[i]), word))
            return true;
    return false;
}
