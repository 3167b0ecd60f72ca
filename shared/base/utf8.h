/* utf8.h - one character of UTF-8 at a time: what every text that comes from outside is held against.
 * Pure. Unicode 15, table 3-7. */
#ifndef CS_BASE_UTF8_H
#define CS_BASE_UTF8_H

#include "shared/base/slice.h"

/* Bytes of the well-formed character at the front, 1 to 4; 0 if there is none. */
size_t cs_utf8_char(struct cs_slice text);
/* The well-formed character at the front is a control: U+0000 to U+001F, U+007F to U+009F. */
bool cs_utf8_is_control(struct cs_slice text);
/* Puts '?' in the place of every byte that is no part of a well-formed character. */
void cs_utf8_repair(char *text);

#endif
