/* A controller that makes other work orders than a person asked for: nothing of it is signed. */
#include "tests/support/check.h"

#include "controller/cli/places.h"
#include "shared/trust/statement.h"

#include <stdio.h>

#define ACTION(name) countersign_v1_Action_ACTION_##name
#define KEY(name)    countersign_v1_KeyMode_KEY_MODE_##name

enum { ORDERS = 2 };

struct asked {
    struct cli_push_place list[ORDERS];
    struct cli_places places;
    countersign_v1_OrderCore made[ORDERS];
    countersign_v1_OrderCore *cores[ORDERS];
};

/* gw-2/web and gw-1/web, given in this order. */
static void ask(struct asked *ret, countersign_v1_Action action)
{
    *ret = (struct asked){.list = {{"gw-2", "web", false}, {"gw-1", "web", false}}};
    ret->places = (struct cli_places){.list = ret->list, .count = ORDERS, .action = action};
    ret->places.key_mode = action == ACTION(INSTALL) ? KEY(HELD) : KEY(NONE);
    ret->places.target_generation = action == ACTION(ROLL_BACK) ? 3 : 0;
    memset(ret->places.expects.bytes, action == ACTION(ROLL_BACK) ? 7 : 0, CS_SHA256_BYTES);
    cli_places_sort(&ret->places);
    for (size_t i = 0; i < ORDERS; i++) {
        countersign_v1_OrderCore *core = ret->cores[i] = &ret->made[i];

        core->number = i + 1;
        snprintf(core->device_name, sizeof core->device_name, "gw-%zu", ORDERS - i);
        snprintf(core->connector, sizeof core->connector, "web");
        core->action = action;
        core->key_mode = ret->places.key_mode;
        core->target_generation = ret->places.target_generation;
        CS_PB_SET(&core->expects, cs_digest_slice(&ret->places.expects));
        core->expects.size = action == ACTION(INSTALL) ? 0 : CS_SHA256_BYTES;
    }
}

static void accepts_each_place_once_in_any_order(void **state)
{
    (void)state;
    for (unsigned action = ACTION(INSTALL); action <= ACTION(ROLL_BACK); action++) {
        struct asked asked;
        struct cs_err err;

        ask(&asked, (countersign_v1_Action)action);
        check_ok(cli_places_check(&asked.places, asked.cores, ORDERS, &err), err);
    }
}

static void another_device(countersign_v1_OrderCore *core)
{
    snprintf(core->device_name, sizeof core->device_name, "gw-3");
}
static void another_connector(countersign_v1_OrderCore *core)
{
    snprintf(core->connector, sizeof core->connector, "mail");
}
static void the_same_place(countersign_v1_OrderCore *core)
{
    snprintf(core->device_name, sizeof core->device_name, "gw-1");
}
static void an_install(countersign_v1_OrderCore *core)
{
    core->action = ACTION(INSTALL);
}
static void a_removal(countersign_v1_OrderCore *core)
{
    core->action = ACTION(REMOVE);
}
static void a_roll_back(countersign_v1_OrderCore *core)
{
    core->action = ACTION(ROLL_BACK);
}
static void another_key(countersign_v1_OrderCore *core)
{
    core->key_mode = KEY(SEALED);
}
static void a_certain_one(countersign_v1_OrderCore *core)
{
    core->expects.size = CS_SHA256_BYTES;
}
static void another_target(countersign_v1_OrderCore *core)
{
    core->target_generation = 2;
}

/* Such as what the device advertises after a change by hand: it would refuse the order. */
static void what_is_there_by_hand(countersign_v1_OrderCore *core)
{
    core->expects.bytes[0] ^= 1;
}
static void whatever_is_there(countersign_v1_OrderCore *core)
{
    core->expects.size = 0;
}

static void refuses_what_was_not_asked_for(void **state)
{
    static const struct {
        countersign_v1_Action asked;
        void (*made)(countersign_v1_OrderCore *core);
        const char *says;
    } cases[] = {
        {ACTION(INSTALL), another_device, "not asked for (install gw-3/web)"},
        {ACTION(INSTALL), another_connector, "not asked for"},
        {ACTION(INSTALL), the_same_place, "two work orders for gw-1/web"},
        {ACTION(INSTALL), a_removal, "not asked for (remove gw-2/web)"},
        {ACTION(INSTALL), a_roll_back, "not asked for (roll back gw-2/web)"},
        {ACTION(INSTALL), another_key, "private key in another way"},
        {ACTION(INSTALL), a_certain_one, "replaces only one certain"},
        {ACTION(INSTALL), another_target, "another generation"},
        {ACTION(REMOVE), another_device, "not asked for"},
        {ACTION(REMOVE), the_same_place, "two work orders"},
        {ACTION(REMOVE), an_install, "not asked for (install gw-2/web)"},
        {ACTION(REMOVE), a_roll_back, "not asked for (roll back gw-2/web)"},
        {ACTION(REMOVE), another_key, "private key in another way"},
        {ACTION(REMOVE), another_target, "another generation"},
        {ACTION(ROLL_BACK), another_connector, "not asked for"},
        {ACTION(ROLL_BACK), an_install, "not asked for (install gw-2/web)"},
        {ACTION(ROLL_BACK), a_removal, "not asked for (remove gw-2/web)"},
        {ACTION(ROLL_BACK), another_key, "private key in another way"},
        {ACTION(ROLL_BACK), another_target, "another generation"},
        {ACTION(ROLL_BACK), what_is_there_by_hand, "left there last"},
        {ACTION(ROLL_BACK), whatever_is_there, "left there last"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct asked asked;
        struct cs_err err;

        ask(&asked, cases[i].asked);
        cases[i].made(&asked.made[0]);
        check_code(cli_places_check(&asked.places, asked.cores, ORDERS, &err), CS_EAUTH);
        check_says(err, cases[i].says);
        check_says(err, "nothing was signed");
    }
}

static void refuses_more_and_fewer(void **state)
{
    struct asked asked;
    struct cs_err err;

    (void)state;
    ask(&asked, ACTION(REMOVE));
    check_code(cli_places_check(&asked.places, asked.cores, 1, &err), CS_EAUTH);
    asked.places.count = 1;
    check_code(cli_places_check(&asked.places, asked.cores, ORDERS, &err), CS_EAUTH);
    check_says(err, "1 app connectors were asked for, the controller made 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_each_place_once_in_any_order),
        cmocka_unit_test(refuses_what_was_not_asked_for),
        cmocka_unit_test(refuses_more_and_fewer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
