#include "tests/support/story.h"

#include "tests/support/check.h"

#include <stdlib.h>

int control_begin(void **state)
{
    struct control *c = malloc(sizeof *c);

    assert_non_null(c);
    control_start(c);
    *state = c;
    return 0;
}

int control_begin_shop(void **state)
{
    control_begin(state);
    control_device(*state, "gw-0");
    control_certificate(*state, "shop");
    assert_int_equal(control_attach(*state, "shop", "gw-0"), CS_OK);
    return 0;
}

int control_end(void **state)
{
    control_stop(*state);
    free(*state);
    return 0;
}

void control_check_phase(struct control *c, uint64_t order, ctl_phase phase)
{
    assert_string_equal(ctl_phase_info(control_order(c, order).phase)->name, ctl_phase_info(phase)->name);
}

ctl_certificate_row control_certificate_row(struct control *c, const char *name)
{
    struct cs_digest id = control_certificate_id(c, name);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, cs_digest_slice(&id));
    ctl_certificate_row row;

    assert_true(control_get(c, &key, countersign_store_v1_Certificate_fields, &row));
    return row;
}
