#include "controller/cli/places.h"

#include "controller/cli/show.h"

static int by_place(const void *a, const void *b)
{
    const struct cli_push_place *x = a, *y = b;
    int order = strcmp(x->device, y->device);

    return order ? order : strcmp(x->connector, y->connector);
}

void cli_places_sort(struct cli_places *places)
{
    if (places->count)
        qsort(places->list, places->count, sizeof *places->list, by_place);
}

/* NULL: as it was asked for. A removal's expectation is a matter of its certificate: check.h. */
static const char *find_wrong(const struct cli_places *places, const countersign_v1_OrderCore *core)
{
    if (core->key_mode != places->key_mode)
        return "brings its private key in another way than was asked for";
    if (core->action == countersign_v1_Action_ACTION_INSTALL && core->expects.size != 0)
        return "replaces only one certain certificate, which was not asked for";
    if (core->action == countersign_v1_Action_ACTION_ROLL_BACK &&
        !cs_slice_eq(CS_PB_BYTES(&core->expects), cs_digest_slice(&places->expects)))
        return "replaces another certificate than the one that the device reported to be left there last";
    if (core->target_generation != places->target_generation)
        return "goes back to another generation than the one that the device reported";
    return NULL;
}

static int check_place(const struct cli_places *places, const countersign_v1_OrderCore *core,
                       struct cs_err *err)
{
    const struct cli_push_place wanted = {core->device_name, core->connector, false};
    struct cli_push_place *place = bsearch(&wanted, places->list, places->count, sizeof wanted, by_place);
    const char *wrong;

    if (core->action != places->action || !place)
        return cs_err_set(err, CS_EAUTH,
                          "the controller made a work order that was not asked for (%s %s/%s): nothing "
                          "was signed",
                          cli_show_action_word(core->action), core->device_name, core->connector);
    if (place->taken)
        return cs_err_set(err, CS_EAUTH, "the controller made two work orders for %s/%s: nothing was signed",
                          core->device_name, core->connector);
    place->taken = true;
    wrong = find_wrong(places, core);
    return wrong ? cs_err_set(err, CS_EAUTH, "WO-%llu %s: nothing was signed",
                              (unsigned long long)core->number, wrong)
                 : CS_OK;
}

int cli_places_check(const struct cli_places *places, countersign_v1_OrderCore *const *cores, size_t count,
                     struct cs_err *err)
{
    int rc = CS_OK;

    if (count != places->count)
        return cs_err_set(err, CS_EAUTH,
                          "%zu app connectors were asked for, the controller made %zu work orders: nothing "
                          "was signed",
                          places->count, count);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = check_place(places, cores[i], err);
    return rc;
}
