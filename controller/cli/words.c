/* The part of show.h that has no statements: words for enums, numbers and durations. */
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <stdio.h>

static const struct {
    const char *word, *meaning;
    enum cli_tint tint;
} colours[] = {
    [countersign_v1_Colour_COLOUR_UNSPECIFIED] = {"none", "state unknown", CLI_PLAIN},
    [countersign_v1_Colour_COLOUR_GREEN] = {"green", "available and valid", CLI_GREEN},
    [countersign_v1_Colour_COLOUR_BLUE] = {"blue", "expires within 90 days", CLI_BLUE},
    [countersign_v1_Colour_COLOUR_YELLOW] = {"yellow", "expires within 30 days", CLI_YELLOW},
    [countersign_v1_Colour_COLOUR_ORANGE] = {"orange", "expires within 10 days", CLI_ORANGE},
    [countersign_v1_Colour_COLOUR_PURPLE] = {"purple", "removed or changed on the device by hand",
                                             CLI_PURPLE},
    [countersign_v1_Colour_COLOUR_GRAY] = {"gray", "the push failed", CLI_GRAY},
    [countersign_v1_Colour_COLOUR_RED] = {"red", "expired", CLI_RED},
    [countersign_v1_Colour_COLOUR_BLACK] = {"black", "revoked", CLI_BLACK},
};

static const struct {
    const char *word;
    enum cli_tint tint;
    bool ended;
} states[] = {
    [countersign_v1_OrderState_ORDER_STATE_UNSPECIFIED] = {"-", CLI_PLAIN, false},
    [countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING] = {"Push-Approval Pending", CLI_YELLOW,
                                                                     false},
    [countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS] = {"Push-Review In Progress", CLI_YELLOW,
                                                                       false},
    [countersign_v1_OrderState_ORDER_STATE_PUSH_SCHEDULED] = {"Push-Scheduled", CLI_BLUE, false},
    [countersign_v1_OrderState_ORDER_STATE_PUSH_IN_PROGRESS] = {"Push-In Progress", CLI_BLUE, false},
    [countersign_v1_OrderState_ORDER_STATE_COMPLETED] = {"Completed", CLI_GREEN, true},
    [countersign_v1_OrderState_ORDER_STATE_FAILED] = {"Failed", CLI_RED, true},
    [countersign_v1_OrderState_ORDER_STATE_REJECTED] = {"Rejected", CLI_GRAY, true},
    [countersign_v1_OrderState_ORDER_STATE_CANCELLED] = {"Cancelled", CLI_GRAY, true},
    [countersign_v1_OrderState_ORDER_STATE_EXPIRED] = {"Expired", CLI_GRAY, true},
    [countersign_v1_OrderState_ORDER_STATE_SUPERSEDED] = {"Superseded", CLI_GRAY, true},
};

const char *const cli_show_state_options[] = {
    "approval-pending", "review",    "scheduled", "in-progress", "completed", "failed",
    "rejected",         "cancelled", "expired",   "superseded",  NULL,
};

/* The controller may be newer than we are. */
static size_t within(unsigned value, size_t count)
{
    return value < count ? value : 0;
}

const char *cli_show_colour_word(countersign_v1_Colour colour)
{
    return colours[within(colour, CS_ARRAY_LEN(colours))].word;
}

const char *cli_show_colour_meaning(countersign_v1_Colour colour)
{
    return colours[within(colour, CS_ARRAY_LEN(colours))].meaning;
}

enum cli_tint cli_show_colour_tint(countersign_v1_Colour colour)
{
    return colours[within(colour, CS_ARRAY_LEN(colours))].tint;
}

const char *cli_show_state_word(countersign_v1_OrderState state)
{
    return states[within(state, CS_ARRAY_LEN(states))].word;
}

enum cli_tint cli_show_state_tint(countersign_v1_OrderState state)
{
    return states[within(state, CS_ARRAY_LEN(states))].tint;
}

bool cli_show_state_ended(countersign_v1_OrderState state)
{
    return states[within(state, CS_ARRAY_LEN(states))].ended;
}

const char *cli_show_order_state(const countersign_v1_Order *order)
{
    return order->state_text[0] ? order->state_text : cli_show_state_word(order->state);
}

static const char *word_of(const char *const *words, size_t count, unsigned value)
{
    return value < count ? words[value] : "unknown";
}
#define WORD_OF(words, value) word_of((words), CS_ARRAY_LEN(words), (value))

const char *cli_show_action_word(countersign_v1_Action action)
{
    static const char *const words[] = {"-", "install", "remove", "roll back"};

    return WORD_OF(words, action);
}

const char *cli_show_key_mode(struct cli_style style, countersign_v1_KeyMode mode)
{
    static const char *const words[] = {"-", "on-device", "sealed", "held", "none"};
    static const char *const texts[] = {"-", "made on the device", "sealed by the requester",
                                        "held by the controller", "none in the controller"};

    return style.json ? WORD_OF(words, mode) : WORD_OF(texts, mode);
}

const char *cli_show_core_key(struct cli_style style, const countersign_v1_OrderCore *core)
{
    const bool travels = core->action == countersign_v1_Action_ACTION_INSTALL;

    return travels || style.json ? cli_show_key_mode(style, core->key_mode) : "none travels";
}

static const char *const role_words[] = {"-", "requester", "approver", "implementer", "admin", "auditor"};

const char *cli_show_role_word(countersign_v1_Role role)
{
    return WORD_OF(role_words, role);
}

countersign_v1_Role cli_show_role_of(const char *word, size_t len)
{
    for (size_t i = 1; i < CS_ARRAY_LEN(role_words); i++)
        if (strlen(role_words[i]) == len && strncmp(role_words[i], word, len) == 0)
            return (countersign_v1_Role)i;
    return countersign_v1_Role_ROLE_UNSPECIFIED;
}

const char *cli_show_key_kind_word(countersign_v1_KeyKind kind)
{
    static const char *const words[] = {"-", "file", "browser", "passkey", "pkcs11"};

    return WORD_OF(words, kind);
}

const char *cli_show_outcome_word(countersign_v1_Outcome outcome)
{
    static const char *const words[] = {"-", "accepted", "completed", "failed", "refused", "not yet"};

    return WORD_OF(words, outcome);
}

char *cli_show_request_number(uint64_t number, char *out)
{
    snprintf(out, CLI_TEXT_BYTES, "REQ-%llu", (unsigned long long)number);
    return out;
}

char *cli_show_order_number(uint64_t number, char *out)
{
    snprintf(out, CLI_TEXT_BYTES, "WO-%llu", (unsigned long long)number);
    return out;
}

char *cli_show_target(const char *device, const char *connector, char *out)
{
    snprintf(out, CLI_TEXT_BYTES, "%.63s/%.63s", device, connector);
    return out;
}

char *cli_show_duration(int64_t seconds, char *out)
{
    return cs_duration_text(seconds, out);
}

char *cli_show_key_kind(countersign_v1_CertificateKey key, uint32_t bits, char *out)
{
    static const char *const words[] = {"-", "RSA", "P-256", "P-384"};

    if (key == countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA)
        snprintf(out, CLI_TEXT_BYTES, "RSA %u", bits);
    else
        snprintf(out, CLI_TEXT_BYTES, "%s", WORD_OF(words, key));
    return out;
}

static const struct {
    const char *word;
    enum cli_tint tint;
} syncs[] = {
    [countersign_v1_SyncState_SYNC_STATE_UNSPECIFIED] = {"-", CLI_PLAIN},
    [countersign_v1_SyncState_SYNC_STATE_IN_SYNC] = {"in sync", CLI_GREEN},
    [countersign_v1_SyncState_SYNC_STATE_OUT_OF_SYNC] = {"out of sync", CLI_YELLOW},
    [countersign_v1_SyncState_SYNC_STATE_MISSING] = {"missing", CLI_YELLOW},
    [countersign_v1_SyncState_SYNC_STATE_UNKNOWN] = {"unknown", CLI_GRAY},
};

const char *cli_show_sync_word(countersign_v1_SyncState state)
{
    return syncs[within(state, CS_ARRAY_LEN(syncs))].word;
}

enum cli_tint cli_show_sync_tint(countersign_v1_SyncState state)
{
    return syncs[within(state, CS_ARRAY_LEN(syncs))].tint;
}

const char *cli_show_key_request_state(struct cli_style style, countersign_v1_KeyRequestState state)
{
    static const char *const words[] = {"-", "waiting", "answered", "refused", "imported", "expired"};
    static const char *const texts[] = {"-",       "waits for the device", "CSR is here",
                                        "refused", "certificate imported", "expired"};

    return style.json ? WORD_OF(words, state) : WORD_OF(texts, state);
}

enum cli_tint cli_show_key_request_tint(countersign_v1_KeyRequestState state)
{
    switch (state) {
    case countersign_v1_KeyRequestState_KEY_REQUEST_STATE_ANSWERED:
    case countersign_v1_KeyRequestState_KEY_REQUEST_STATE_IMPORTED:
        return CLI_GREEN;
    case countersign_v1_KeyRequestState_KEY_REQUEST_STATE_REFUSED:
        return CLI_RED;
    case countersign_v1_KeyRequestState_KEY_REQUEST_STATE_EXPIRED:
        return CLI_GRAY;
    default:
        return CLI_PLAIN;
    }
}

const char *cli_show_presence(const countersign_v1_Device *device)
{
    if (device->banned)
        return "banned";
    if (device->quarantined)
        return "quarantined";
    if (device->waits_for_admission)
        return device->admitted ? "waits for a new admission" : "waits for admission";
    return !device->admitted ? "not admitted" : device->connected ? "connected" : "offline";
}

enum cli_tint cli_show_presence_tint(const countersign_v1_Device *device)
{
    if (device->banned || device->quarantined)
        return CLI_RED;
    if (!device->admitted || device->waits_for_admission)
        return CLI_YELLOW;
    return device->connected ? CLI_GREEN : CLI_GRAY;
}
