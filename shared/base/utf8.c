#include "shared/base/utf8.h"

size_t cs_utf8_char(struct cs_slice text)
{
    uint8_t first = text.len ? text.ptr[0] : 0xff;
    size_t need = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;

    if (need == 0 || text.len < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text.ptr[i] & 0xc0) != 0x80)
            return 0;
    /* Forms longer than needed, surrogates, and what lies beyond U+10FFFF. */
    if ((first == 0xe0 && text.ptr[1] < 0xa0) || (first == 0xed && text.ptr[1] > 0x9f) ||
        (first == 0xf0 && text.ptr[1] < 0x90) || (first == 0xf4 && text.ptr[1] > 0x8f))
        return 0;
    return need;
}

bool cs_utf8_is_control(struct cs_slice text)
{
    return text.len > 0 && (text.ptr[0] < 0x20 || text.ptr[0] == 0x7f ||
                            (text.ptr[0] == 0xc2 && text.len > 1 && text.ptr[1] < 0xa0));
}

void cs_utf8_repair(char *text)
{
    for (size_t left = strlen(text); left;) {
        size_t step = cs_utf8_char(cs_slice(text, left));

        if (step == 0) {
            *text = '?';
            step = 1;
        }
        text += step;
        left -= step;
    }
}
