#include "controller/cli/show.h"

#include "shared/trust/spoken.h"

#include <stdio.h>

static void number_field(struct cli_doc *doc, const char *key, const char *label, const char *prefix,
                         uint64_t number)
{
    char text[CLI_TEXT_BYTES];

    snprintf(text, sizeof text, "%s%llu", prefix, (unsigned long long)number);
    cli_field(doc, key, label, cli_tinted(text, CLI_BOLD));
}

void cli_show_digest(struct cli_doc *doc, const struct cs_digest *payload)
{
    char words[CS_SPOKEN_TEXT_BYTES];

    cli_field(doc, "digest", "Digest (SHA-256)", cli_hex(cs_digest_slice(payload)));
    cli_field(doc, "digest_words", "In words", cli_tinted(cs_spoken_text(payload, words), CLI_BOLD));
}

void cli_show_admission(struct cli_doc *doc, const countersign_v1_Admission *admission)
{
    struct cs_digest identity = cs_key_id(CS_PB_BYTES(&admission->identity_spki));
    struct cs_digest kem = cs_key_id(CS_PB_BYTES(&admission->kem_spki));

    cli_field(doc, "statement", "Statement", cli_tinted("admission of a device", CLI_BOLD));
    cli_field(doc, "device", "Device", cli_tinted(admission->device_name, CLI_BOLD));
    cli_field(doc, "device_id", "Device-id", cli_hex(CS_PB_BYTES(&admission->device_id)));
    cli_field(doc, "identity_key", "Identity key (SHA-256)", cli_hex(cs_digest_slice(&identity)));
    cli_field(doc, "kem_key", "KEM key (SHA-256)", cli_hex(cs_digest_slice(&kem)));
    cli_field(doc, "admin", "Admin", cli_text(admission->admin));
    cli_field(doc, "admitted_at", "Admitted at", cli_time(admission->admitted_at_s));
    cli_field(doc, "policy_version", "Policy version", cli_number(admission->policy_version));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&admission->deployment_id)));
}

void cli_show_certificate(struct cli_doc *doc, const struct cli_check_certificate *certificate)
{
    const struct cs_cert_info *leaf = &certificate->leaf;

    cli_field(doc, "certificate", "Certificate", cli_tinted(leaf->common_name, CLI_BOLD));
    cli_field(doc, "certificate_id", "Fingerprint (SHA-256)", cli_hex(cs_digest_slice(&leaf->digest)));
    cli_field(doc, "issuer", "Issuer", cli_text(leaf->issuer));
    cli_field(doc, "not_before", "Valid from", cli_time(leaf->not_before_s));
    cli_field(doc, "not_after", "Valid until", cli_time(leaf->not_after_s));
}

const char *cli_show_signed_comment(const char *comment, struct cs_slice digest)
{
    struct cs_digest own = cs_sha256(cs_slice_str(comment));

    return cs_slice_eq(cs_digest_slice(&own), digest)
               ? comment
               : "(the controller gave another comment than the signed one)";
}

void cli_show_push_terms(struct cli_doc *doc, const countersign_v1_PushRequest *request)
{
    char text[CLI_TEXT_BYTES];

    cli_field(doc, "decide_by", "Decide by", cli_time(request->decide_by_s));
    cli_field(doc, "window", "Window from start", cli_text(cli_show_duration(request->window_s, text)));
    cli_field(doc, "max_attempts", "Attempts", cli_number(request->max_attempts));
    for (pb_size_t i = 0; i < request->overrides_count; i++)
        cli_field(doc, "override", "Override",
                  cli_tinted(request->overrides[i] == countersign_v1_Override_OVERRIDE_EXPIRED
                                 ? "push although the certificate has expired"
                                 : "push although the certificate is revoked",
                             CLI_RED));
}

void cli_show_push_request(struct cli_doc *doc, const countersign_v1_PushRequest *request,
                           const char *comment)
{
    cli_field(doc, "statement", "Statement", cli_tinted("push request", CLI_BOLD));
    number_field(doc, "request", "Request", "REQ-", request->number);
    cli_field(doc, "request_id", "Request id", cli_hex(CS_PB_BYTES(&request->request_id)));
    cli_field(doc, "requester", "Requester", cli_text(request->requester));
    cli_field(doc, "requested_at", "Requested at", cli_time(request->requested_at_s));
    cli_show_push_terms(doc, request);
    cli_field(doc, "comment", "Comment",
              cli_text(cli_show_signed_comment(comment, CS_PB_BYTES(&request->comment_digest))));
    cli_field(doc, "order_count", "Work orders", cli_number(request->order_count));
    cli_field(doc, "order_root", "Root over them", cli_hex(CS_PB_BYTES(&request->order_root)));
    cli_field(doc, "policy_version", "Policy version", cli_number(request->policy_version));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&request->deployment_id)));
}

static void show_task_of(struct cli_doc *doc, const countersign_v1_OrderCore *first, size_t count,
                         const char *certificate_name)
{
    char places[CLI_TEXT_BYTES], generation[CLI_TEXT_BYTES] = "", task[4 * CLI_TEXT_BYTES];

    if (count == 1)
        cli_show_target(first->device_name, first->connector, places);
    else
        snprintf(places, sizeof places, "%zu app connectors", count);
    switch (first->action) {
    case countersign_v1_Action_ACTION_REMOVE:
        snprintf(task, sizeof task, "remove %.200s from %s", certificate_name, places);
        break;
    case countersign_v1_Action_ACTION_ROLL_BACK:
        if (count == 1)
            snprintf(generation, sizeof generation, ", generation %llu",
                     (unsigned long long)first->target_generation);
        snprintf(task, sizeof task, "roll %s back to %.200s%s", places, certificate_name, generation);
        break;
    default:
        snprintf(task, sizeof task, "install %.200s at %s", certificate_name, places);
        break;
    }
    cli_field(doc, "task", "To be done", cli_tinted(task, CLI_BOLD));
}

/* A request of this program has one action; another client may have mixed them, and whoever decides sees
 * that.
 */
void cli_show_task(struct cli_doc *doc, countersign_v1_OrderCore *const *cores, size_t count,
                   const char *certificate_name)
{
    for (unsigned action = 1; action <= _countersign_v1_Action_MAX; action++) {
        const countersign_v1_OrderCore *first = NULL;
        size_t found = 0;

        for (size_t i = 0; i < count; i++) {
            if (cores[i]->action != action)
                continue;
            first = first ? first : cores[i];
            found++;
        }
        if (first)
            show_task_of(doc, first, found, certificate_name);
    }
}

static const char *expects_text(const countersign_v1_OrderCore *core, char *out)
{
    static const uint8_t nothing[CS_SHA256_BYTES];

    if (core->expects.size == 0)
        return "anything";
    if (cs_slice_eq(CS_PB_BYTES(&core->expects), CS_SLICE_ARRAY(nothing)))
        return "nothing";
    for (size_t i = 0; i < 8 && i < core->expects.size; i++)
        snprintf(out + 2 * i, 3, "%02x", core->expects.bytes[i]);
    return out;
}

static bool any_rolls_back(countersign_v1_OrderCore *const *cores, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cores[i]->action == countersign_v1_Action_ACTION_ROLL_BACK)
            return true;
    return false;
}

/* People see the target where there is one; machines always. */
#define CORE_COLUMNS(target_flags)                                                                           \
    {                                                                                                        \
        {"order", "ORDER", 0}, {"device", "DEVICE", 0}, {"connector", "CONNECTOR", 0},                       \
            {"action", "ACTION", 0}, {"generation", "GENERATION", CLI_RIGHT},                                \
            {"target_generation", "BACK TO", CLI_RIGHT | (target_flags)}, {"expects", "REPLACES", 0},        \
            {"key", "KEY", 0}, {"device_id", "DEVICE-ID", 0}, {"chain_digest", "CHAIN (SHA-256)", 0},        \
    }

void cli_show_cores(struct cli_doc *doc, countersign_v1_OrderCore *const *cores, size_t count)
{
    static const struct cli_column plain[] = CORE_COLUMNS(CLI_WIDE), rolling[] = CORE_COLUMNS(0);

    cli_table(doc, "orders", any_rolls_back(cores, count) ? rolling : plain, CS_ARRAY_LEN(plain), NULL);
    for (size_t i = 0; i < count; i++) {
        const countersign_v1_OrderCore *core = cores[i];
        char number[CLI_TEXT_BYTES], expects[CLI_TEXT_BYTES];

        CLI_ROW(doc, cli_text(cli_show_order_number(core->number, number)), cli_text(core->device_name),
                cli_text(core->connector), cli_text(cli_show_action_word(core->action)),
                cli_number(core->generation), cli_number(core->target_generation),
                cli_text(expects_text(core, expects)),
                cli_text(cli_show_core_key((struct cli_style){0}, core)),
                cli_hex(CS_PB_BYTES(&core->device_id)), cli_hex(CS_PB_BYTES(&core->chain_digest)));
    }
}

void cli_show_decision(struct cli_doc *doc, const countersign_v1_Decision *decision, const char *stage_name,
                       const char *comment)
{
    bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    char stage[CLI_TEXT_BYTES];

    snprintf(stage, sizeof stage, "%u, %s", decision->stage, stage_name);
    cli_field(doc, "statement", "Statement", cli_tinted("decision on a push request", CLI_BOLD));
    cli_field(doc, "verdict", "Verdict",
              accepts ? cli_tinted("ACCEPT", CLI_GREEN) : cli_tinted("REJECT", CLI_RED));
    cli_field(doc, "stage", "Stage", cli_text(stage));
    cli_field(doc, "decider", "Decider", cli_text(decision->decider));
    if (accepts && decision->mode == countersign_v1_Mode_MODE_SCHEDULED)
        cli_field(doc, "not_before", "Manual Implementation off: not before",
                  cli_time(decision->not_before_s));
    else if (accepts)
        cli_field(doc, "manual", "Manual Implementation", cli_text("on: no time of its own"));
    cli_field(doc, "decided_at", "Decided at", cli_time(decision->decided_at_s));
    cli_field(doc, "comment", "Comment",
              cli_text(cli_show_signed_comment(comment, CS_PB_BYTES(&decision->comment_digest))));
    cli_field(doc, "earlier", "Earlier decisions", cli_number(decision->earlier_count));
    cli_field(doc, "covers", "Covers",
              cli_text(decision->orders.size ? "the work orders below" : "every work order of the request"));
    cli_field(doc, "request_digest", "Request (SHA-256)", cli_hex(CS_PB_BYTES(&decision->request_digest)));
    cli_field(doc, "policy_version", "Policy version", cli_number(decision->policy_version));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&decision->deployment_id)));
}

void cli_show_key_request(struct cli_doc *doc, const char *device_name,
                          const countersign_v1_KeyRequest *request)
{
    char place[CLI_TEXT_BYTES];
    struct cs_buf names = CS_BUF_EMPTY;

    for (pb_size_t i = 0; i < request->dns_names_count; i++)
        (void)!cs_buf_printf(&names, "%s%s", i ? "\n" : "", request->dns_names[i]);
    cli_field(doc, "statement", "Statement", cli_tinted("key request", CLI_BOLD));
    cli_field(doc, "connector", "Make a key for",
              cli_tinted(cli_show_target(device_name, request->connector, place), CLI_BOLD));
    cli_field(doc, "device_id", "Device-id", cli_hex(CS_PB_BYTES(&request->device_id)));
    cli_field(doc, "common_name", "Common name", cli_tinted(request->common_name, CLI_BOLD));
    cli_field(doc, "dns_names", "DNS names", cli_list(cs_buf_slice(&names)));
    cli_field(doc, "requester", "Requester", cli_text(request->requester));
    cli_field(doc, "requested_at", "Requested at", cli_time(request->requested_at_s));
    cli_field(doc, "expires_at", "Expires", cli_time(request->expires_at_s));
    cli_field(doc, "key_request_id", "Key request", cli_hex(CS_PB_BYTES(&request->key_request_id)));
    cli_field(doc, "policy_version", "Policy version", cli_number(request->policy_version));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&request->deployment_id)));
    cs_buf_free(&names);
}

void cli_show_report(struct cli_doc *doc, const countersign_v1_DeviceReport *report)
{
    bool fine = report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED;
    struct cs_buf deciders = CS_BUF_EMPTY;

    for (pb_size_t i = 0; i < report->deciders_count; i++)
        (void)!cs_buf_printf(&deciders, "%s%s", i ? "\n" : "", report->deciders[i]);
    cli_field(doc, "outcome", "Outcome",
              cli_tinted(cli_show_outcome_word(report->outcome), fine ? CLI_GREEN : CLI_RED));
    cli_field(doc, "verdict", "Verdict", cli_text(report->verdict));
    cli_field(doc, "detail", "Detail", cli_text(report->detail));
    cli_field(doc, "requester", "Requested by", cli_text(report->requester));
    cli_field(doc, "deciders", "Decided by", cli_list(cs_buf_slice(&deciders)));
    cli_field(doc, "rule", "Under the rule", cli_text(report->rule));
    cli_field(doc, "policy_version", "Of policy version", cli_number(report->policy_version));
    cli_field(doc, "generation", "Generation", cli_number(report->generation));
    cli_field(doc, "attempt", "Attempt", cli_number(report->attempt));
    cli_field(doc, "installed_digest", "Chain installed (SHA-256)",
              cli_hex(CS_PB_BYTES(&report->installed_digest)));
    cli_field(doc, "served_digest", "Leaf served (SHA-256)", cli_hex(CS_PB_BYTES(&report->served_digest)));
    cli_field(doc, "made_at", "By the device's clock", cli_time(report->made_at_s));
    cs_buf_free(&deciders);
}
