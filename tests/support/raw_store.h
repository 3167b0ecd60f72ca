/* raw_store.h - writes into a closed store past its own code, as another program or an older one would.
 * Failing ends the test. */
#ifndef CS_TESTS_RAW_STORE_H
#define CS_TESTS_RAW_STORE_H

#include "shared/base/slice.h"

/* At most 16 and 64 bytes. `with_room`: eight zero bytes where the checksum stands. */
void raw_store_put(const char *folder, struct cs_slice key, struct cs_slice value, bool with_room);
/* The store says that it has this schema, with a checksum that holds. */
void raw_store_schema(const char *folder, uint8_t schema);

#endif
