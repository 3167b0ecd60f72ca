/* checksum.h - XXH64 (the xxHash specification, version 0.1.1): finds damage of the disk, at the speed of
 * memory. No defence against anybody who means it: what has to be is signed. Pure. */
#ifndef CTL_STORE_CHECKSUM_H
#define CTL_STORE_CHECKSUM_H

#include "shared/base/slice.h"

uint64_t ctl_checksum(struct cs_slice bytes, uint64_t seed);

#endif
