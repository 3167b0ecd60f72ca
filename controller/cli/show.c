#include "controller/cli/show.h"

#include <stdio.h>

static void number_field(struct out_doc *doc, const char *key, const char *label, const char *prefix,
                         uint64_t number)
{
    char text[SHOW_TEXT_BYTES];

    snprintf(text, sizeof text, "%s%llu", prefix, (unsigned long long)number);
    out_field(doc, key, label, out_tinted(text, OUT_BOLD));
}

/* "1 approve: 1 approver, then 2 implement: …" */
static void describe_stages(const countersign_v1_Rule *rule, struct cs_buf *out)
{
    if (rule->stages_count == 0)
        (void)!cs_buf_append_str(out, "nobody has to decide");
    for (pb_size_t i = 0; i < rule->stages_count; i++) {
        const countersign_v1_Stage *stage = &rule->stages[i];

        (void)!cs_buf_printf(out, "%s%s: %u %s%s", i ? ", then " : "", stage->name, stage->required,
                             show_role_word(stage->role), stage->required == 1 ? "" : "s");
        for (pb_size_t k = 0; k < stage->operators_count; k++)
            (void)!cs_buf_printf(out, "%s%s", k ? ", " : " of ", stage->operators[k]);
    }
}

static void append_names(struct cs_buf *out, const char *what, const char *names, size_t stride, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)!cs_buf_printf(out, "%s%s%s",
                             i          ? " or "
                             : out->len ? ", "
                                        : "",
                             i ? "" : what, names + i * stride);
}

static void describe_conditions(const countersign_v1_Rule *rule, struct cs_buf *out)
{
    append_names(out, "device ", rule->devices[0], sizeof rule->devices[0], rule->devices_count);
    append_names(out, "connector ", rule->connectors[0], sizeof rule->connectors[0], rule->connectors_count);
    append_names(out, "issuer ", rule->issuers[0], sizeof rule->issuers[0], rule->issuers_count);
    append_names(out, "name ", rule->names[0], sizeof rule->names[0], rule->names_count);
    if (out->len == 0)
        (void)!cs_buf_append_str(out, "everything");
}

static struct out_value text_of(const struct cs_buf *buf)
{
    return (struct out_value){OUT_TEXT, OUT_PLAIN, cs_buf_slice(buf), 0};
}

static void show_rules(struct out_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct out_column columns[] = {
        {"name", "RULE", false},
        {"matches", "MATCHES", false},
        {"stages", "WHO DECIDES", false},
        {"requester_may_decide", "REQUESTER TOO", false},
    };

    out_table(doc, "rules", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->rules_count; i++) {
        const countersign_v1_Rule *rule = &policy->rules[i];
        struct cs_buf conditions = CS_BUF_EMPTY, stages = CS_BUF_EMPTY;

        describe_conditions(rule, &conditions);
        describe_stages(rule, &stages);
        OUT_ROW(doc, out_text(rule->name), text_of(&conditions), text_of(&stages),
                out_bool(rule->requester_may_decide));
        cs_buf_free(&conditions);
        cs_buf_free(&stages);
    }
}

static void show_operators(struct out_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct out_column columns[] = {
        {"name", "OPERATOR", false},
        {"roles", "ROLES", false},
        {"key_id", "KEY (SHA-256)", false},
    };

    out_table(doc, "operators", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->operators_count; i++) {
        const countersign_v1_Operator *who = &policy->operators[i];
        struct cs_buf roles = CS_BUF_EMPTY;

        for (pb_size_t k = 0; k < who->roles_count; k++)
            (void)!cs_buf_printf(&roles, "%s%s", k ? "\n" : "", show_role_word(who->roles[k]));
        for (pb_size_t k = 0; k < who->keys_count; k++) {
            struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&who->keys[k].spki));

            OUT_ROW(doc, out_text(who->name), out_list(cs_buf_slice(&roles)),
                    out_hex(cs_digest_slice(&key_id)));
        }
        cs_buf_free(&roles);
    }
}

void show_policy(struct out_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct out_column columns[] = {{"key_id", "ROOT KEY (SHA-256)", false}};
    struct cs_digest roots = cs_roots_digest(&policy->roots);
    char signers[SHOW_TEXT_BYTES];

    snprintf(signers, sizeof signers, "%u of %u root keys", policy->roots.threshold,
             policy->roots.keys_count);
    out_field(doc, "deployment_id", "Deployment", out_hex(CS_PB_BYTES(&policy->deployment_id)));
    out_field(doc, "version", "Policy version", out_number(policy->version));
    out_field(doc, "roots_digest", "Roots (SHA-256)", out_hex(cs_digest_slice(&roots)));
    out_field(doc, "signers", "Signed by", out_text(signers));
    out_field(doc, "issued_at", "Issued", out_time(policy->issued_at_s));
    out_field(doc, "expires_at", "Expires", out_time(policy->expires_at_s));
    show_operators(doc, policy);
    show_rules(doc, policy);
    out_table(doc, "root_keys", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->roots.keys_count; i++) {
        struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&policy->roots.keys[i]));

        OUT_ROW(doc, out_hex(cs_digest_slice(&key_id)));
    }
}

void show_admission(struct out_doc *doc, const countersign_v1_Admission *admission)
{
    struct cs_digest identity = cs_key_id(CS_PB_BYTES(&admission->identity_spki));
    struct cs_digest kem = cs_key_id(CS_PB_BYTES(&admission->kem_spki));

    out_field(doc, "statement", "Statement", out_tinted("admission of a device", OUT_BOLD));
    out_field(doc, "device", "Device", out_tinted(admission->device_name, OUT_BOLD));
    out_field(doc, "device_id", "Device-id", out_hex(CS_PB_BYTES(&admission->device_id)));
    out_field(doc, "identity_key", "Identity key (SHA-256)", out_hex(cs_digest_slice(&identity)));
    out_field(doc, "kem_key", "KEM key (SHA-256)", out_hex(cs_digest_slice(&kem)));
    out_field(doc, "admin", "Admin", out_text(admission->admin));
    out_field(doc, "admitted_at", "Admitted at", out_time(admission->admitted_at_s));
    out_field(doc, "policy_version", "Policy version", out_number(admission->policy_version));
    out_field(doc, "deployment_id", "Deployment", out_hex(CS_PB_BYTES(&admission->deployment_id)));
}

void show_certificate(struct out_doc *doc, const struct check_certificate *certificate)
{
    const struct cs_cert_info *leaf = &certificate->leaf;

    out_field(doc, "certificate", "Certificate", out_tinted(leaf->common_name, OUT_BOLD));
    out_field(doc, "certificate_id", "Certificate id", out_hex(cs_digest_slice(&leaf->digest)));
    out_field(doc, "issuer", "Issuer", out_text(leaf->issuer));
    out_field(doc, "not_after", "Valid until", out_time(leaf->not_after_s));
}

const char *show_signed_comment(const char *comment, struct cs_slice digest)
{
    struct cs_digest own = cs_sha256(cs_slice_str(comment));

    return cs_slice_eq(cs_digest_slice(&own), digest)
               ? comment
               : "(the controller gave another comment than the signed one)";
}

void show_push_request(struct out_doc *doc, const countersign_v1_PushRequest *request, const char *comment)
{
    char text[SHOW_TEXT_BYTES];

    out_field(doc, "statement", "Statement", out_tinted("push request", OUT_BOLD));
    number_field(doc, "request", "Request", "REQ-", request->number);
    out_field(doc, "request_id", "Request id", out_hex(CS_PB_BYTES(&request->request_id)));
    out_field(doc, "requester", "Requester", out_text(request->requester));
    out_field(doc, "requested_at", "Requested at", out_time(request->requested_at_s));
    out_field(doc, "decide_by", "Decide by", out_time(request->decide_by_s));
    out_field(doc, "window", "Window from start", out_text(show_duration(request->window_s, text)));
    out_field(doc, "max_attempts", "Attempts", out_number(request->max_attempts));
    for (pb_size_t i = 0; i < request->overrides_count; i++)
        out_field(doc, "override", "Override",
                  out_tinted(request->overrides[i] == countersign_v1_Override_OVERRIDE_EXPIRED
                                 ? "push although the certificate has expired"
                                 : "push although the certificate is revoked",
                             OUT_RED));
    out_field(doc, "comment", "Comment",
              out_text(show_signed_comment(comment, CS_PB_BYTES(&request->comment_digest))));
    out_field(doc, "order_count", "Work orders", out_number(request->order_count));
    out_field(doc, "order_root", "Root over them", out_hex(CS_PB_BYTES(&request->order_root)));
    out_field(doc, "policy_version", "Policy version", out_number(request->policy_version));
    out_field(doc, "deployment_id", "Deployment", out_hex(CS_PB_BYTES(&request->deployment_id)));
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

void show_cores(struct out_doc *doc, countersign_v1_OrderCore *const *cores, size_t count)
{
    static const struct out_column columns[] = {
        {"order", "ORDER", false},
        {"device", "DEVICE", false},
        {"connector", "CONNECTOR", false},
        {"action", "ACTION", false},
        {"generation", "GENERATION", true},
        {"expects", "REPLACES", false},
        {"key", "KEY", false},
        {"device_id", "DEVICE-ID", false},
        {"chain_digest", "CHAIN (SHA-256)", false},
    };

    out_table(doc, "orders", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < count; i++) {
        const countersign_v1_OrderCore *core = cores[i];
        char number[SHOW_TEXT_BYTES], expects[SHOW_TEXT_BYTES];

        OUT_ROW(doc, out_text(show_order_number(core->number, number)), out_text(core->device_name),
                out_text(core->connector), out_text(show_action_word(core->action)),
                out_number(core->generation), out_text(expects_text(core, expects)),
                out_text(show_key_mode_word(core->key_mode)), out_hex(CS_PB_BYTES(&core->device_id)),
                out_hex(CS_PB_BYTES(&core->chain_digest)));
    }
}

void show_decision(struct out_doc *doc, const countersign_v1_Decision *decision, const char *stage_name,
                   const char *comment)
{
    bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    char stage[SHOW_TEXT_BYTES];

    snprintf(stage, sizeof stage, "%u, %s", decision->stage, stage_name);
    out_field(doc, "statement", "Statement", out_tinted("decision on a push request", OUT_BOLD));
    out_field(doc, "verdict", "Verdict",
              accepts ? out_tinted("ACCEPT", OUT_GREEN) : out_tinted("REJECT", OUT_RED));
    out_field(doc, "stage", "Stage", out_text(stage));
    out_field(doc, "decider", "Decider", out_text(decision->decider));
    if (accepts && decision->mode == countersign_v1_Mode_MODE_SCHEDULED)
        out_field(doc, "not_before", "Manual Implementation off: not before",
                  out_time(decision->not_before_s));
    else if (accepts)
        out_field(doc, "manual", "Manual Implementation", out_text("on: no time of its own"));
    out_field(doc, "decided_at", "Decided at", out_time(decision->decided_at_s));
    out_field(doc, "comment", "Comment",
              out_text(show_signed_comment(comment, CS_PB_BYTES(&decision->comment_digest))));
    out_field(doc, "earlier", "Earlier decisions", out_number(decision->earlier_count));
    out_field(doc, "covers", "Covers",
              out_text(decision->orders.size ? "the work orders below" : "every work order of the request"));
    out_field(doc, "request_digest", "Request (SHA-256)", out_hex(CS_PB_BYTES(&decision->request_digest)));
    out_field(doc, "policy_version", "Policy version", out_number(decision->policy_version));
    out_field(doc, "deployment_id", "Deployment", out_hex(CS_PB_BYTES(&decision->deployment_id)));
}

void show_report(struct out_doc *doc, const countersign_v1_DeviceReport *report)
{
    bool fine = report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED;
    struct cs_buf deciders = CS_BUF_EMPTY;

    for (pb_size_t i = 0; i < report->deciders_count; i++)
        (void)!cs_buf_printf(&deciders, "%s%s", i ? "\n" : "", report->deciders[i]);
    out_field(doc, "outcome", "Outcome",
              out_tinted(show_outcome_word(report->outcome), fine ? OUT_GREEN : OUT_RED));
    out_field(doc, "verdict", "Verdict", out_text(report->verdict));
    out_field(doc, "detail", "Detail", out_text(report->detail));
    out_field(doc, "requester", "Requested by", out_text(report->requester));
    out_field(doc, "deciders", "Decided by", out_list(cs_buf_slice(&deciders)));
    out_field(doc, "rule", "Under the rule", out_text(report->rule));
    out_field(doc, "policy_version", "Of policy version", out_number(report->policy_version));
    out_field(doc, "generation", "Generation", out_number(report->generation));
    out_field(doc, "attempt", "Attempt", out_number(report->attempt));
    out_field(doc, "installed_digest", "Chain installed (SHA-256)",
              out_hex(CS_PB_BYTES(&report->installed_digest)));
    out_field(doc, "served_digest", "Leaf served (SHA-256)", out_hex(CS_PB_BYTES(&report->served_digest)));
    out_field(doc, "made_at", "By the device's clock", out_time(report->made_at_s));
    cs_buf_free(&deciders);
}
