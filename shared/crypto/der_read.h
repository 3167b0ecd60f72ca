/* der_read.h - read DER that a stranger sent, element by element. Pure. ITU-T X.690 section 10: one form for
 * each length, none indefinite; tags of one byte. The first thing that is wrong sticks in the reader, as with
 * the other takes of reader.h. */
#ifndef CS_CRYPTO_DER_READ_H
#define CS_CRYPTO_DER_READ_H

#include "shared/base/reader.h"
#include "shared/crypto/der.h"

/* The content of the next element, and its tag. */
struct cs_slice der_take_any(struct cs_reader *reader, uint8_t *ret_tag);
/* It must have this tag. */
struct cs_slice der_take(struct cs_reader *reader, unsigned tag);
/* The same with the header: what is compared, digested or signed. */
struct cs_slice der_take_whole(struct cs_reader *reader, unsigned tag);
/* Is the next element one of this tag? */
static inline bool der_is_next(const struct cs_reader *reader, unsigned tag)
{
    return !reader->failed && reader->rest.len > 0 && reader->rest.ptr[0] == tag;
}
/* A BOOLEAN that is there only when it is true, DEFAULT FALSE. */
bool der_take_flag(struct cs_reader *reader);
/* The content of an INTEGER that is not negative and has one form: a zero stands first only before a bit that
 * would be the sign. */
struct cs_slice der_take_unsigned(struct cs_reader *reader);
/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 wants them: seconds, Z, no fraction. */
int64_t der_take_time(struct cs_reader *reader);

#endif
