#include "tests/support/deployment.h"

#include "shared/trust/merkle.h"

#include <stdio.h>

enum { DAY_S = 86400, HOUR_S = 3600 };

/* Names are short and known here, so nothing is cut. */
static void put_text(char *out, size_t room, const char *text)
{
    int written = snprintf(out, room, "%s", text);

    cs_assert(written >= 0 && (size_t)written < room);
}
#define PUT(field, text) put_text((field), sizeof(field), (text))

static struct cs_slice digest_of_text(const char *text, struct cs_digest *scratch)
{
    *scratch = cs_sha256(cs_slice_str(text));
    return cs_digest_slice(scratch);
}
#define PUT_DIGEST(field, text)                                                                              \
    do {                                                                                                     \
        struct cs_digest scratch_;                                                                           \
        CS_PB_SET((field), digest_of_text((text), &scratch_));                                               \
    } while (0)

void deployment_make_id(const char *text, uint8_t ret[16])
{
    struct cs_digest digest = cs_sha256(cs_slice_str(text));

    memcpy(ret, digest.bytes, 16);
}
#define PUT_ID(field, text)                                                                                  \
    do {                                                                                                     \
        uint8_t id_[16];                                                                                     \
        deployment_make_id((text), id_);                                                                     \
        CS_PB_SET((field), CS_SLICE_ARRAY(id_));                                                             \
    } while (0)

const struct cs_key *deployment_key(struct deployment *d, const char *name)
{
    struct cs_digest scalar = cs_sha256(cs_slice_str(name));
    struct cs_err err;

    for (size_t i = 0; i < d->key_count; i++)
        if (strcmp(d->keys[i].name, name) == 0)
            return d->keys[i].key;
    cs_assert(d->key_count < DEPLOYMENT_KEYS);
    PUT(d->keys[d->key_count].name, name);
    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalar), CS_KEY_SIGN, &d->keys[d->key_count].key, &err) ==
              CS_OK);
    return d->keys[d->key_count++].key;
}

static struct cs_slice spki_of(struct deployment *d, const char *name)
{
    return cs_key_spki(deployment_key(d, name));
}

static void add_role(countersign_v1_Operator *who, countersign_v1_Role role)
{
    cs_assert(who->roles_count < CS_ARRAY_LEN(who->roles));
    who->roles[who->roles_count++] = role;
}

countersign_v1_Operator *deployment_add_operator(struct deployment *d, const char *name,
                                                 countersign_v1_KeyKind kind, countersign_v1_Role role)
{
    countersign_v1_Operator *who = &d->body->operators[d->body->operators_count++];

    cs_assert(d->body->operators_count <= CS_ARRAY_LEN(d->body->operators));
    *who = (countersign_v1_Operator){.keys_count = 1};
    PUT(who->name, name);
    CS_PB_SET(&who->keys[0].spki, spki_of(d, name));
    who->keys[0].kind = kind;
    add_role(who, role);
    return who;
}

countersign_v1_Operator *deployment_operator(struct deployment *d, const char *name)
{
    for (size_t i = 0; i < d->body->operators_count; i++)
        if (strcmp(d->body->operators[i].name, name) == 0)
            return &d->body->operators[i];
    cs_assert_failed("no operator has this name", __FILE__, __LINE__);
    return NULL;
}

countersign_v1_Rule *deployment_add_rule(struct deployment *d, const char *name)
{
    countersign_v1_Rule *rule = &d->body->rules[d->body->rules_count++];

    cs_assert(d->body->rules_count <= CS_ARRAY_LEN(d->body->rules));
    *rule = (countersign_v1_Rule){0};
    PUT(rule->name, name);
    return rule;
}

countersign_v1_Stage *deployment_add_stage(countersign_v1_Rule *rule, const char *name,
                                           countersign_v1_Role role, uint32_t required)
{
    countersign_v1_Stage *stage = &rule->stages[rule->stages_count++];

    cs_assert(rule->stages_count <= CS_ARRAY_LEN(rule->stages));
    *stage = (countersign_v1_Stage){.role = role, .required = required};
    PUT(stage->name, name);
    return stage;
}

static void fill_people(struct deployment *d)
{
    static const struct {
        const char *name;
        countersign_v1_Role role;
    } people[] = {
        {"alice", countersign_v1_Role_ROLE_REQUESTER},   {"bob", countersign_v1_Role_ROLE_APPROVER},
        {"ben", countersign_v1_Role_ROLE_APPROVER},      {"carol", countersign_v1_Role_ROLE_IMPLEMENTER},
        {"clara", countersign_v1_Role_ROLE_IMPLEMENTER}, {"ada", countersign_v1_Role_ROLE_ADMIN},
    };
    countersign_v1_Operator *who;

    for (size_t i = 0; i < CS_ARRAY_LEN(people); i++)
        deployment_add_operator(d, people[i].name, countersign_v1_KeyKind_KEY_KIND_FILE, people[i].role);
    who = deployment_add_operator(d, "dora", countersign_v1_KeyKind_KEY_KIND_FILE,
                                  countersign_v1_Role_ROLE_REQUESTER);
    add_role(who, countersign_v1_Role_ROLE_APPROVER);
    add_role(who, countersign_v1_Role_ROLE_IMPLEMENTER);
    who = deployment_add_operator(d, "eve", countersign_v1_KeyKind_KEY_KIND_BROWSER,
                                  countersign_v1_Role_ROLE_APPROVER);
    add_role(who, countersign_v1_Role_ROLE_IMPLEMENTER);
}

static void fill_policy(struct deployment *d)
{
    countersign_v1_TrustPolicy *body = d->body;
    countersign_v1_Rule *rule;

    CS_PB_SET(&body->deployment_id, CS_SLICE_ARRAY(d->id));
    body->issued_at_s = d->now_s;
    body->expires_at_s = d->now_s + 90 * DAY_S;
    body->has_roots = true;
    body->roots.threshold = DEPLOYMENT_ROOT_THRESHOLD;
    body->roots.keys_count = DEPLOYMENT_ROOTS;
    CS_PB_SET(&body->roots.keys[0], spki_of(d, "root-0"));
    CS_PB_SET(&body->roots.keys[1], spki_of(d, "root-1"));
    CS_PB_SET(&body->roots.keys[2], spki_of(d, "root-2"));
    fill_people(d);
    rule = deployment_add_rule(d, "default");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER, 1);
    body->message_keys_count = 1;
    CS_PB_SET(&body->message_keys[0], spki_of(d, "controller"));
}

void deployment_make(struct deployment *ret)
{
    deployment_make_at(ret, 1800000000);
}

void deployment_make_at(struct deployment *ret, int64_t now_s)
{
    struct cs_err err;

    cs_assert(cs_crypto_init(&err) == CS_OK);
    *ret = (struct deployment){.now_s = now_s};
    deployment_make_id("deployment", ret->id);
    ret->body = calloc(1, sizeof *ret->body);
    cs_assert(ret->body);
    fill_policy(ret);
    deployment_publish(ret);
}

void deployment_free(struct deployment *d)
{
    for (size_t i = 0; i < d->key_count; i++)
        cs_key_free(d->keys[i].key);
    free(d->body);
    cs_policy_free(d->policy);
    *d = (struct deployment){0};
}

int deployment_set_up(void **state)
{
    struct deployment *d = calloc(1, sizeof *d);

    cs_assert(d);
    deployment_make(d);
    *state = d;
    return 0;
}

int deployment_tear_down(void **state)
{
    deployment_free(*state);
    free(*state);
    return 0;
}

struct deployment deployment_shared;

int deployment_share(void **state)
{
    (void)state;
    deployment_make(&deployment_shared);
    return 0;
}

int deployment_unshare(void **state)
{
    (void)state;
    deployment_free(&deployment_shared);
    return 0;
}

struct cs_buf deployment_encode(const pb_msgdesc_t *fields, const void *message)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_message_encode(fields, message, &out, &err) == CS_OK);
    return out;
}

static struct cs_buf sign(enum cs_statement_kind kind, const pb_msgdesc_t *fields, const void *message,
                          const struct cs_key *const *keys, size_t key_count)
{
    struct cs_buf payload = deployment_encode(fields, message);
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_envelope_sign(kind, cs_buf_slice(&payload), keys, key_count, &out, &err) == CS_OK);
    cs_buf_free(&payload);
    return out;
}

struct cs_buf deployment_sign(struct deployment *d, enum cs_statement_kind kind, const pb_msgdesc_t *fields,
                              const void *message, const char *who)
{
    const struct cs_key *key = deployment_key(d, who);

    return sign(kind, fields, message, &key, 1);
}

struct cs_buf deployment_sign_policy(struct deployment *d, size_t root_count)
{
    const struct cs_key *keys[] = {deployment_key(d, "root-0"), deployment_key(d, "root-1"),
                                   deployment_key(d, "root-2")};

    cs_assert(root_count <= CS_ARRAY_LEN(keys));
    return sign(CS_STATEMENT_TRUST_POLICY, countersign_v1_TrustPolicy_fields, d->body, keys, root_count);
}

void deployment_publish(struct deployment *d)
{
    struct cs_policy *policy = NULL;
    struct cs_buf wire;
    struct cs_err err = {0};
    int rc;

    if (d->policy) {
        struct cs_digest previous = cs_policy_digest(d->policy);

        CS_PB_SET(&d->body->previous_digest, cs_digest_slice(&previous));
    }
    d->body->version = d->policy ? cs_policy_version(d->policy) + 1 : 1;
    wire = deployment_sign_policy(d, DEPLOYMENT_ROOT_THRESHOLD);
    if (d->policy) {
        rc = cs_policy_open_next(cs_buf_slice(&wire), d->policy, &policy, &err);
    } else {
        struct cs_pin pin = deployment_pin(d);

        rc = cs_policy_open_pinned(cs_buf_slice(&wire), &pin, &policy, &err);
    }
    if (rc != CS_OK)
        fprintf(stderr, "deployment_publish: %s\n", err.msg);
    cs_assert(rc == CS_OK);
    cs_policy_free(d->policy);
    d->policy = policy;
    cs_buf_free(&wire);
}

struct cs_pin deployment_pin(const struct deployment *d)
{
    struct cs_pin pin = {.roots_digest = cs_roots_digest(&d->body->roots), .least_version = 1};

    memcpy(pin.deployment_id, d->id, sizeof pin.deployment_id);
    return pin;
}

void deployment_fill_admission(struct deployment *d, const char *device, countersign_v1_Admission *ret)
{
    char kem_name[64];

    snprintf(kem_name, sizeof kem_name, "%.40s-kem", device);
    *ret = (countersign_v1_Admission){.policy_version = d->body->version, .admitted_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT(ret->admin, "ada");
    PUT(ret->device_name, device);
    PUT_ID(&ret->device_id, device);
    CS_PB_SET(&ret->identity_spki, spki_of(d, device));
    CS_PB_SET(&ret->kem_spki, spki_of(d, kem_name));
}

void deployment_fill_core(const struct deployment *d, const char *device, uint64_t number,
                          countersign_v1_OrderCore *ret)
{
    char text[96];

    (void)d;
    snprintf(text, sizeof text, "order %u of %.63s", (unsigned)number, device);
    *ret = (countersign_v1_OrderCore){.number = number,
                                      .action = countersign_v1_Action_ACTION_INSTALL,
                                      .generation = 1,
                                      .key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE};
    PUT_ID(&ret->order_id, text);
    PUT(ret->device_name, device);
    PUT_ID(&ret->device_id, device);
    PUT(ret->connector, "web");
    PUT_DIGEST(&ret->chain_digest, "chain");
    PUT_DIGEST(&ret->leaf_spki_digest, "leaf");
}

void deployment_fill_request(const struct deployment *d, countersign_v1_PushRequest *ret)
{
    *ret = (countersign_v1_PushRequest){.policy_version = d->body->version,
                                        .number = 1,
                                        .requested_at_s = d->now_s,
                                        .decide_by_s = d->now_s + 7 * DAY_S,
                                        .window_s = 8 * HOUR_S,
                                        .max_attempts = 3,
                                        .order_count = 1};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT(ret->requester, "alice");
    PUT_ID(&ret->request_id, "request");
    PUT_DIGEST(&ret->order_root, "root");
    PUT_DIGEST(&ret->comment_digest, "new certificate");
}

void deployment_fill_decision(const struct deployment *d, const char *who, uint32_t stage,
                              const struct cs_digest *request_digest, countersign_v1_Decision *ret)
{
    *ret = (countersign_v1_Decision){.policy_version = d->body->version,
                                     .stage = stage,
                                     .verdict = countersign_v1_Verdict_VERDICT_ACCEPT,
                                     .mode = countersign_v1_Mode_MODE_MANUAL,
                                     .decided_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT(ret->decider, who);
    CS_PB_SET(&ret->request_digest, cs_digest_slice(request_digest));
    PUT_DIGEST(&ret->comment_digest, "fine");
}

void deployment_fill_key_request(const struct deployment *d, const char *device,
                                 countersign_v1_KeyRequest *ret)
{
    *ret = (countersign_v1_KeyRequest){.policy_version = d->body->version,
                                       .dns_names_count = 1,
                                       .requested_at_s = d->now_s,
                                       .expires_at_s = d->now_s + DAY_S};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT(ret->requester, "alice");
    PUT_ID(&ret->key_request_id, "key request");
    PUT_ID(&ret->device_id, device);
    PUT(ret->connector, "web");
    PUT(ret->common_name, "gw.example");
    PUT(ret->dns_names[0], "gw.example");
}

void deployment_fill_advertisement(const struct deployment *d, const char *device,
                                   countersign_v1_DeviceAdvertisement *ret)
{
    *ret = (countersign_v1_DeviceAdvertisement){
        .sequence = 1, .made_at_s = d->now_s, .connectors_count = 1, .payload_types_count = 2};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_ID(&ret->device_id, device);
    PUT(ret->agent_version, "0.1.0");
    PUT(ret->platform, "linux/x86_64");
    PUT(ret->connectors[0].name, "web");
    PUT(ret->connectors[0].application, "nginx");
    PUT(ret->payload_types[0], cs_statement_type(CS_STATEMENT_PUSH_REQUEST));
    PUT(ret->payload_types[1], cs_statement_type(CS_STATEMENT_DECISION));
}

void deployment_fill_device_csr(const struct deployment *d, const char *device, countersign_v1_DeviceCsr *ret)
{
    *ret = (countersign_v1_DeviceCsr){.sequence = 2, .made_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_ID(&ret->device_id, device);
    PUT_DIGEST(&ret->key_request_digest, "key request");
    PUT(ret->connector, "web");
    CS_PB_SET(&ret->csr, CS_SLICE_LIT("not looked at by the decoder"));
    PUT(ret->verdict, "ok");
}

void deployment_fill_report(const struct deployment *d, const char *device, countersign_v1_DeviceReport *ret)
{
    *ret = (countersign_v1_DeviceReport){.sequence = 3,
                                         .made_at_s = d->now_s,
                                         .generation = 1,
                                         .attempt = 1,
                                         .outcome = countersign_v1_Outcome_OUTCOME_COMPLETED,
                                         .policy_version = d->body->version,
                                         .deciders_count = 2,
                                         .decision_digests_count = 2};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_ID(&ret->device_id, device);
    PUT_ID(&ret->order_id, "order");
    PUT(ret->connector, "web");
    PUT(ret->verdict, "ok");
    PUT(ret->detail, "installed, reloaded and seen to be served");
    PUT_DIGEST(&ret->installed_digest, "chain");
    PUT_DIGEST(&ret->served_digest, "leaf");
    PUT(ret->rule, "default");
    PUT_DIGEST(&ret->request_digest, "request");
    PUT(ret->requester, "alice");
    PUT(ret->deciders[0], "approve: bob");
    PUT(ret->deciders[1], "implement: carol");
    PUT_DIGEST(&ret->decision_digests[0], "first");
    PUT_DIGEST(&ret->decision_digests[1], "second");
}

void deployment_fill_batch(const struct deployment *d, countersign_v1_PushBatch *ret)
{
    *ret = (countersign_v1_PushBatch){.count = 1, .issued_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_DIGEST(&ret->root, "messages");
}

void deployment_fill_renewal(struct deployment *d, const char *device, countersign_v1_DeviceRenewal *ret)
{
    *ret = (countersign_v1_DeviceRenewal){.sequence = 4, .made_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_ID(&ret->device_id, device);
    CS_PB_SET(&ret->identity_spki, cs_key_spki(deployment_key(d, "gw-0 renewed")));
}

void deployment_fill_checkpoint(const struct deployment *d, countersign_v1_AuditCheckpoint *ret)
{
    *ret = (countersign_v1_AuditCheckpoint){.revision = 7, .made_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    PUT_DIGEST(&ret->hash, "audit record 7");
}

void deployment_fill_opening(const struct deployment *d, const char *who, countersign_v1_SessionOpening *ret)
{
    *ret = (countersign_v1_SessionOpening){.policy_version = d->body->version, .made_at_s = d->now_s};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(d->id));
    memcpy(ret->operator, who, strlen(who) + 1);
    PUT_DIGEST(&ret->challenge, "challenge");
}

#define EXAMPLE(type, fill, who)                                                                             \
    do {                                                                                                     \
        type *message = calloc(1, sizeof *message);                                                          \
        struct cs_buf wire;                                                                                  \
                                                                                                             \
        cs_assert(message);                                                                                  \
        fill;                                                                                                \
        wire = deployment_sign(d, kind, type##_fields, message, (who));                                      \
        free(message);                                                                                       \
        return wire;                                                                                         \
    } while (0)

struct cs_buf deployment_example(struct deployment *d, enum cs_statement_kind kind)
{
    struct cs_digest request = cs_sha256(CS_SLICE_LIT("request"));

    switch (kind) {
    case CS_STATEMENT_NONE:
        break;
    case CS_STATEMENT_TRUST_POLICY:
        return deployment_sign_policy(d, DEPLOYMENT_ROOT_THRESHOLD);
    case CS_STATEMENT_ADMISSION:
        EXAMPLE(countersign_v1_Admission, deployment_fill_admission(d, "gw-0", message), "ada");
    case CS_STATEMENT_PUSH_REQUEST:
        EXAMPLE(countersign_v1_PushRequest, deployment_fill_request(d, message), "alice");
    case CS_STATEMENT_DECISION:
        EXAMPLE(countersign_v1_Decision, deployment_fill_decision(d, "bob", 1, &request, message), "bob");
    case CS_STATEMENT_KEY_REQUEST:
        EXAMPLE(countersign_v1_KeyRequest, deployment_fill_key_request(d, "gw-0", message), "alice");
    case CS_STATEMENT_DEVICE_ADVERTISEMENT:
        EXAMPLE(countersign_v1_DeviceAdvertisement, deployment_fill_advertisement(d, "gw-0", message),
                "gw-0");
    case CS_STATEMENT_DEVICE_CSR:
        EXAMPLE(countersign_v1_DeviceCsr, deployment_fill_device_csr(d, "gw-0", message), "gw-0");
    case CS_STATEMENT_DEVICE_REPORT:
        EXAMPLE(countersign_v1_DeviceReport, deployment_fill_report(d, "gw-0", message), "gw-0");
    case CS_STATEMENT_PUSH_BATCH:
        EXAMPLE(countersign_v1_PushBatch, deployment_fill_batch(d, message), "controller");
    case CS_STATEMENT_DEVICE_RENEWAL:
        EXAMPLE(countersign_v1_DeviceRenewal, deployment_fill_renewal(d, "gw-0", message), "gw-0");
    case CS_STATEMENT_AUDIT_CHECKPOINT:
        EXAMPLE(countersign_v1_AuditCheckpoint, deployment_fill_checkpoint(d, message), "controller");
    case CS_STATEMENT_SESSION_OPENING:
        EXAMPLE(countersign_v1_SessionOpening, deployment_fill_opening(d, "bob", message), "bob");
    }
    cs_assert_failed("no such kind", __FILE__, __LINE__);
    return CS_BUF_EMPTY;
}
