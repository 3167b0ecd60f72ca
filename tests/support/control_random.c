#include "tests/support/control_random.h"

#include <stdio.h>

enum { DEVICES = 3 };

static const char *const devices[DEVICES] = {"gw-0", "gw-1", "gw-2"};
static const char *const certificates[] = {"shop", "mail"};
static const char *const people[] = {"bob", "ben", "carol", "clara", "dora", "alice"};

void control_random_start(struct control *c)
{
    control_start(c);
    for (size_t i = 0; i < DEVICES; i++)
        control_device(c, devices[i]);
    for (size_t i = 0; i < CS_ARRAY_LEN(certificates); i++) {
        control_certificate(c, certificates[i]);
        for (size_t j = 0; j < DEVICES; j++)
            (void)control_attach(c, certificates[i], devices[j]);
    }
}

/* The newest few: older ones have mostly ended. 0: there is none. */
static uint64_t recent(uint64_t newest, uint8_t whom)
{
    uint64_t back = whom % 4;

    return newest > back ? newest - back : newest;
}

static bool request_exists(struct control *c, uint64_t number)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, number);
    ctl_request_row row;

    return control_get(c, &key, countersign_store_v1_Request_fields, &row);
}

static int decide(struct control *c, uint8_t whom)
{
    uint64_t number = recent(control_meta(c).last_request, whom);
    const char *who = people[(whom >> 2) % CS_ARRAY_LEN(people)];
    bool accept = (whom & 0xe0) != 0xe0;
    ctl_request_row request;

    if (!request_exists(c, number))
        return CS_ENOTFOUND;
    request = control_request(c, number);
    return control_decide_so(c, number, who, request.stage ? request.stage : 1,
                             accept ? countersign_v1_Verdict_VERDICT_ACCEPT
                                    : countersign_v1_Verdict_VERDICT_REJECT,
                             whom & 0x80 ? c->d.now_s + whom * 60 : 0);
}

static int report(struct control *c, uint8_t whom)
{
    uint64_t number = recent(control_meta(c).last_order, whom);
    struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
    ctl_order_row row;

    if (!control_get(c, &key, countersign_store_v1_Order_fields, &row))
        return CS_ENOTFOUND;
    return control_report(c, number, (countersign_v1_Outcome)(1 + (whom >> 2) % 5));
}

static int enrol_anew(struct control *c, uint8_t whom)
{
    const char *name = devices[whom % DEVICES];
    unsigned generation = 1 + (unsigned)control_meta(c).revision;
    char token[64];
    int rc;

    /* Each enrolment takes two of deployment's keys. */
    if (c->d.key_count + 2 > DEPLOYMENT_KEYS)
        return CS_EFULL;
    (void)snprintf(token, sizeof token, "token %u", generation);
    rc = control_token(c, name, token);
    if (rc == CS_OK)
        rc = control_enrol(c, name, token, generation);
    if (rc == CS_OK && whom & 0x80)
        rc = control_admit(c, name, generation);
    if (rc == CS_OK && whom & 0x80)
        rc = control_advertise(c, name, NULL);
    return rc;
}

static int push(struct control *c, uint8_t whom, countersign_v1_Action action)
{
    const char *certificate = certificates[whom % CS_ARRAY_LEN(certificates)];
    const char *device = whom & 0x80 ? devices[(whom >> 1) % DEVICES] : NULL;
    uint64_t number;
    int rc;

    c->action = action;
    rc = control_prepare(c, certificate, device, &number);
    if (rc != CS_OK || (whom & 0x70) == 0x70) /* nobody submits it */
        return rc;
    return control_submit(c, number);
}

static int newer_policy(struct control *c, uint8_t whom)
{
    if (c->d.body->version >= 20)
        return CS_EFULL;
    c->d.body->rules[0].stages[0].required = whom & 1 ? 2 : 1;
    deployment_publish(&c->d);
    control_policy(c);
    return CS_OK;
}

static int pass_time(struct control *c, uint8_t whom)
{
    static const int64_t steps_s[] = {1, 60, 900, 3600, 8 * 3600, 86400};

    c->d.now_s += steps_s[whom % CS_ARRAY_LEN(steps_s)];
    return control_tick(c);
}

int control_random_step(struct control *c, uint8_t what, uint8_t whom)
{
    const char *device = devices[whom % DEVICES], *certificate = certificates[(whom >> 4) % 2];
    struct cs_digest chain = control_chain_digest(c, certificate);

    switch (what % 24) {
    case 0:
    case 1:
        return push(c, whom, countersign_v1_Action_ACTION_INSTALL);
    case 2:
        return push(c, whom,
                    whom & 8 ? countersign_v1_Action_ACTION_REMOVE : countersign_v1_Action_ACTION_ROLL_BACK);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        return decide(c, whom);
    case 9:
    case 10:
    case 11:
        return control_tick(c);
    case 12:
        return pass_time(c, whom);
    case 13:
    case 14:
        return control_open(c, device);
    case 15:
        return control_close(c, device);
    case 16:
    case 17:
    case 18:
        return report(c, whom);
    case 19:
        return control_advertise(c, device, whom & 0x80 ? &chain : NULL);
    case 20:
        return whom & 0x80 ? control_detach(c, certificate, device) : control_attach(c, certificate, device);
    case 21: {
        uint64_t number = recent(control_meta(c).last_request, whom);

        return request_exists(c, number) ? control_cancel(c, number) : CS_ENOTFOUND;
    }
    case 22:
        return whom < 64 ? enrol_anew(c, whom) : whom < 96 ? newer_policy(c, whom) : control_tick(c);
    default:
        control_restart(c);
        return CS_OK;
    }
}
