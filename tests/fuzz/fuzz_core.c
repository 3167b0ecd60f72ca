/* Any sequence of commands keeps the invariants: two bytes a command. control_check() runs after each. */
#include "tests/support/control_random.h"

enum { MOST_COMMANDS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control *c = malloc(sizeof *c);

    cs_assert(c);
    control_random_start(c);
    for (size_t i = 0; i + 1 < size && i / 2 < MOST_COMMANDS; i += 2)
        (void)control_random_step(c, data[i], data[i + 1]);
    control_stop(c);
    free(c);
    return 0;
}
