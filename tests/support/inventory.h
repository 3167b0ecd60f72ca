/* inventory.h - rows of certificates that never were: as many as a test or a bench wants, each made from its
 * number alone, with names, dates, groups and conditions as fleets have them. No X.509 behind them. */
#ifndef CS_TESTS_INVENTORY_H
#define CS_TESTS_INVENTORY_H

#include "controller/core/inventory.h"

enum { INVENTORY_NOW_S = 1800000000 };

/* The numbers 0 to below `of` are one inventory. */
void inventory_row(uint64_t number, uint64_t of, ctl_certificate_row *ret);
/* A number from a number: the same every time, and nothing like its neighbours'. */
uint64_t inventory_mix(uint64_t number);

#endif
