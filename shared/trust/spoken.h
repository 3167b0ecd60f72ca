/* spoken.h - a digest in words: short enough that two people can read it to each other and hear whether they
 * see the same statement. Pure. It compares, it proves nothing: 64 of 256 bits, so whoever matters verifies
 * signatures. */
#ifndef CS_TRUST_SPOKEN_H
#define CS_TRUST_SPOKEN_H

#include "shared/crypto/crypto.h"

/* The words: 256 of 3 to 7 letters, in the order of the alphabet. The first three letters of each are its
 * own, and any two differ in three places at least, so that none is heard or typed as another. Never changed:
 * two versions of a client must print the same. */
enum { CS_SPOKEN_LIST = 256, CS_SPOKEN_WORDS = 8, CS_SPOKEN_LONGEST = 7 };
extern const char *const cs_spoken_list[CS_SPOKEN_LIST];

/* The first eight bytes of the digest, each a word, with spaces between. Returns out. */
enum { CS_SPOKEN_TEXT_BYTES = CS_SPOKEN_WORDS * (CS_SPOKEN_LONGEST + 1) };
char *cs_spoken_text(const struct cs_digest *digest, char out[CS_SPOKEN_TEXT_BYTES]);

#endif
