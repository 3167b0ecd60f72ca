#include "tests/fuzz/decide_scene.h"

#include "shared/crypto/hpke.h"
#include "shared/trust/merkle.h"

enum { OP_BYTES = 3, MOST_ORDERS = 4, SEALS = 256, DAY_S = 86400 };

enum op_kind {
    CORE_DEVICE,
    CORE_NAME,
    CORE_CONNECTOR,
    CORE_ACTION,
    CORE_KEY_MODE,
    CORE_GENERATION,
    CORE_EXPECTS,
    CORE_CHAIN,
    CORE_LEAF,
    REQUEST_DEPLOYMENT,
    REQUEST_POLICY,
    REQUEST_REQUESTER,
    REQUEST_TIMES,
    REQUEST_ATTEMPTS,
    REQUEST_OVERRIDES,
    REQUEST_ORDERS,
    REQUEST_KEY,
    DECIDE,
    MESSAGE_PROOF,
    MESSAGE_CHAIN,
    MESSAGE_NO_KEY,
    MESSAGE_SEALED_FOR,
    MESSAGE_SEALED_WHAT,
    MESSAGE_DECISIONS,
    MESSAGE_BYTE,
    BATCH_KEY,
    BATCH_DEPLOYMENT,
    BATCH_PLACE,
    DELIVERY_BYTE,
    FACT_TIME,
    FACT_POLICY,
    FACT_HIGHEST,
    FACT_INSTALLED,
    FACT_ORDER,
    OP_KINDS,
};

static const char *const people[] = {"alice", "bob", "ben", "carol", "clara", "dora", "eve", "mallory"};
static const char *const connectors[] = {"web", "mail", "undeclared"};

struct scene_world world;
struct scene scene;
static countersign_v1_PushMessage sent;

/* Sealing is dear, and the same core comes often. */
static struct seal {
    struct cs_digest core; /* all zero: nothing yet */
    uint8_t which;
    countersign_v1_SealedKey sealed;
} seals[SEALS];

const char *scene_person(size_t index)
{
    return people[index % CS_ARRAY_LEN(people)];
}

static void make_certificate(const struct pki *ca, const char *name, struct scene_certificate *ret)
{
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);
    struct cs_buf pem = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;

    cs_assert(plain);
    ret->pki = pki_make_client(ca, name);
    ret->digest = cs_chain_digest(ret->pki.chain);
    cs_chain_info(ret->pki.chain, 0, &ret->info);
    cs_assert(cs_key_export_pem(ret->pki.key, CS_SLICE_EMPTY, &pem, NULL) == CS_OK);
    cs_assert(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, NULL) == CS_OK);
    CS_PB_SET(&plain->pkcs8, cs_buf_slice(&pkcs8));
    ret->plain = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);
    cs_buf_free(&pem);
    cs_buf_free(&pkcs8);
    free(plain);
}

/* "web" is decided by one and one, "mail" by two and one; what is for db.example on either, by one browser.
 */
static void make_rules(struct deployment *d)
{
    countersign_v1_Rule *rule = &d->body->rules[0];

    memcpy(rule->connectors[0], "web", sizeof "web");
    memcpy(rule->names[0], "web.example", sizeof "web.example");
    rule->connectors_count = rule->names_count = 1;
    rule = deployment_add_rule(d, "mail");
    memcpy(rule->connectors[0], "mail", sizeof "mail");
    rule->connectors_count = 1;
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 2);
    deployment_add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER, 1);
    rule = deployment_add_rule(d, "database");
    memcpy(rule->names[0], "db.example", sizeof "db.example");
    rule->names_count = 1;
    rule->browser_may_finish = rule->requester_may_decide = true;
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_publish(d);
}

static void make_once(void)
{
    struct pki ca;

    if (world.kems[0])
        return;
    deployment_make_at(&world.d, pki_now());
    make_rules(&world.d);
    cs_assert(cs_key_generate(CS_KEY_AGREE, &world.kems[0], NULL) == CS_OK);
    cs_assert(cs_key_generate(CS_KEY_AGREE, &world.kems[1], NULL) == CS_OK);
    ca = pki_make_ca("Example CA");
    make_certificate(&ca, "web.example", &world.certificates[0]);
    make_certificate(&ca, "db.example", &world.certificates[1]);
    pki_free(&ca);
    deployment_make_id("gw-0", world.device_id);
    memcpy(world.declared[0].name, "web", sizeof "web");
    memcpy(world.declared[1].name, "mail", sizeof "mail");
}

/* ---- what people sign */

static void set_certificate(countersign_v1_OrderCore *core, const struct scene_certificate *certificate)
{
    CS_PB_SET(&core->chain_digest, cs_digest_slice(&certificate->digest));
    CS_PB_SET(&core->leaf_spki_digest, cs_digest_slice(&certificate->info.spki_digest));
}

static void set_expects(countersign_v1_OrderCore *core, const struct scene_op *op)
{
    core->expects.size = 32;
    memset(core->expects.bytes, op->a % 3, 32); /* 0: nothing is installed */
    if (op->a % 4 == 3)
        core->expects.size = 0;
}

static void edit_core(countersign_v1_OrderCore *core, const struct scene_op *op)
{
    static const uint64_t generations[] = {0, 1, 2, 5, 6, 1024, 1025, 1029, 1030, UINT64_MAX};

    switch (op->kind) {
    case CORE_DEVICE:
        core->device_id.bytes[op->a % 16] ^= op->b;
        break;
    case CORE_NAME:
        core->device_name[3] = (char)('0' + op->a % 3);
        break;
    case CORE_CONNECTOR:
        memcpy(core->connector, connectors[op->a % 3], strlen(connectors[op->a % 3]) + 1);
        break;
    case CORE_ACTION:
        core->action = (countersign_v1_Action)(op->a % 5);
        break;
    case CORE_KEY_MODE:
        core->key_mode = (countersign_v1_KeyMode)(op->a % 6);
        break;
    case CORE_GENERATION:
        core->generation = generations[op->a % CS_ARRAY_LEN(generations)];
        core->target_generation = op->b % 2;
        break;
    case CORE_EXPECTS:
        set_expects(core, op);
        break;
    case CORE_CHAIN:
        set_certificate(core, &world.certificates[op->a % 2]);
        break;
    case CORE_LEAF:
        core->leaf_spki_digest.bytes[op->a % 32] ^= op->b;
        break;
    default:
        break;
    }
}

static void edit_request(countersign_v1_PushRequest *request, const struct scene_op *op)
{
    switch (op->kind) {
    case REQUEST_DEPLOYMENT:
        request->deployment_id.bytes[op->a % 16] ^= op->b;
        break;
    case REQUEST_POLICY:
        request->policy_version = op->a % 4;
        break;
    case REQUEST_REQUESTER:
        scene.request_key = people[op->a % 8];
        memcpy(request->requester, scene.request_key, strlen(scene.request_key) + 1);
        break;
    case REQUEST_TIMES:
        request->requested_at_s += (int8_t)op->a * 60;
        request->window_s = op->b * 60;
        break;
    case REQUEST_ATTEMPTS:
        request->max_attempts = op->a % 4;
        break;
    case REQUEST_OVERRIDES:
        request->overrides_count = 1;
        request->overrides[0] = (countersign_v1_Override)(op->a % 4);
        break;
    case REQUEST_KEY:
        scene.request_key = people[op->a % 8];
        break;
    default:
        break;
    }
}

static void sign_request(void)
{
    story_submit(&scene.push);
    if (strcmp(scene.request_key, scene.push.request.requester) == 0)
        return;
    cs_buf_free(&scene.push.request_wire);
    scene.push.request_wire =
        deployment_sign(&world.d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields,
                        &scene.push.request, scene.request_key);
}

/* a: who, stage, bit 5: rejects, bit 6: covers one order only. b: who signs if not the same, bits 3 and 4:
 * when, bit 5: scheduled, bit 6: has not seen the last, bit 7: another request. */
static void decide(uint8_t a, uint8_t b)
{
    size_t at = scene.push.decision_count;
    countersign_v1_Decision *said;

    if (at == SCENE_DECISIONS)
        return;
    said = &scene.decided[at].said;
    story_fill_decision(&scene.push, people[a & 7], (a >> 3 & 3) + 1u, said);
    scene.decided[at].key = b & 7 ? people[((a & 7) + (b & 7)) % 8] : people[a & 7];
    if (a & 0x20)
        said->verdict = countersign_v1_Verdict_VERDICT_REJECT;
    if (a & 0x40) {
        said->orders.size = 1;
        said->orders.bytes[0] = (uint8_t)(1 << (scene.at + (a >> 7)) % 8);
    }
    said->decided_at_s += ((b >> 3 & 3) - 1) * 1800;
    if (b & 0x20) {
        said->mode = countersign_v1_Mode_MODE_SCHEDULED;
        said->not_before_s = said->decided_at_s + 3600;
    }
    if (b & 0x40 && said->earlier_count > 0)
        said->earlier_count--;
    if (b & 0x80)
        said->request_digest.bytes[0] ^= 1;
    story_add_decision(&scene.push, said, scene.decided[at].key);
}

static void people_sign(void)
{
    bool decided = false;

    for (size_t i = 0; i < scene.op_count; i++)
        if (scene.ops[i].kind == REQUEST_ORDERS) {
            scene.push.order_count = scene.ops[i].a % MOST_ORDERS + 1u;
            scene.at = scene.ops[i].b % (uint32_t)scene.push.order_count;
        }
    deployment_fill_core(&world.d, "gw-0", 7, CORE);
    CORE->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
    set_certificate(CORE, &world.certificates[0]);
    for (size_t i = 0; i < scene.op_count; i++) {
        edit_core(CORE, &scene.ops[i]);
        edit_request(&scene.push.request, &scene.ops[i]);
    }
    sign_request();
    for (size_t i = 0; i < scene.op_count; i++)
        if (scene.ops[i].kind == DECIDE) {
            decide(scene.ops[i].a, scene.ops[i].b);
            decided = true;
        }
    if (!decided) {
        decide(1, 8);          /* bob, the first stage, now */
        decide(3 | 1 << 3, 8); /* carol, the second */
    }
}

/* ---- what the controller makes of it */

static const countersign_v1_SealedKey *seal(uint8_t kem, uint8_t what)
{
    struct cs_slice core = cs_buf_slice(&scene.push.core_wires[scene.at]);
    struct cs_digest digest = cs_sha256(core);
    uint8_t which = (uint8_t)(kem << 2 | what);
    struct seal *once = &seals[(digest.bytes[0] ^ which * 37u) % SEALS];
    const struct cs_slice plains[] = {cs_buf_slice(&world.certificates[0].plain),
                                      cs_buf_slice(&world.certificates[1].plain), CS_SLICE_LIT("not a key"),
                                      CS_SLICE_EMPTY};
    struct cs_buf info = CS_BUF_EMPTY, sealed = CS_BUF_EMPTY;

    if (cs_digest_eq(&once->core, &digest) && once->which == which)
        return &once->sealed;
    *once = (struct seal){.core = digest, .which = which, .sealed.enc.size = CS_HPKE_ENC_BYTES};
    cs_assert(cs_buf_append_str(&info, "countersign/v1/sealed-key") == CS_OK);
    cs_assert(cs_buf_append(&info, CS_SLICE_ARRAY(world.d.id)) == CS_OK);
    cs_assert(cs_buf_append(&info, CS_PB_BYTES(&CORE->device_id)) == CS_OK);
    cs_assert(cs_buf_append(&info, CS_PB_BYTES(&CORE->order_id)) == CS_OK);
    cs_assert(cs_hpke_seal(cs_key_spki(world.kems[kem]), cs_buf_slice(&info), core, plains[what],
                           once->sealed.enc.bytes, &sealed, NULL) == CS_OK);
    CS_PB_SET(&once->sealed.ciphertext, cs_buf_slice(&sealed));
    cs_buf_free(&info);
    cs_buf_free(&sealed);
    return &once->sealed;
}

const struct scene_certificate *scene_certificate(void)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(world.certificates); i++)
        if (cs_slice_eq(CS_PB_BYTES(&CORE->chain_digest), cs_digest_slice(&world.certificates[i].digest)))
            return &world.certificates[i];
    return &world.certificates[0];
}

static void edit_message(const struct scene_op *op, uint8_t *kem, uint8_t *what, bool *has_key)
{
    countersign_v1_PushMessage *m = &sent;

    switch (op->kind) {
    case MESSAGE_PROOF:
        if (op->a & 1)
            m->order_index = op->b % 8;
        else if (m->order_proof_count > 0)
            m->order_proof[op->b % m->order_proof_count].bytes[0] ^= op->a;
        break;
    case MESSAGE_CHAIN:
        CS_PB_SET(&m->chain, cs_chain_bytes(world.certificates[op->a % 2].pki.chain));
        break;
    case MESSAGE_NO_KEY:
        *has_key = false;
        break;
    case MESSAGE_SEALED_FOR:
        *kem = op->a % 2;
        break;
    case MESSAGE_SEALED_WHAT:
        *what = op->a % 4;
        break;
    case MESSAGE_DECISIONS:
        if (op->a % 8 < m->decisions_count)
            m->decisions[op->a % 8] = m->decisions[op->b % m->decisions_count];
        else if (m->decisions_count > 0)
            m->decisions_count--;
        break;
    default:
        break;
    }
}

static void sign_batch(struct cs_slice message)
{
    struct cs_digest leaf = cs_merkle_leaf(message);
    countersign_v1_PushBatch batch;
    struct cs_buf wire;

    deployment_fill_batch(&world.d, &batch);
    CS_PB_SET(&batch.root, cs_digest_slice(&leaf));
    scene.batch_key = "controller";
    scene.batch_ours = true;
    for (size_t i = 0; i < scene.op_count; i++) {
        if (scene.ops[i].kind == BATCH_KEY)
            scene.batch_key = people[scene.ops[i].a % 8];
        if (scene.ops[i].kind == BATCH_DEPLOYMENT)
            batch.deployment_id.bytes[scene.ops[i].a % 16] ^= scene.ops[i].b;
        if (scene.ops[i].kind == BATCH_PLACE) {
            batch.count = scene.ops[i].a;
            scene.delivery.index = scene.ops[i].b;
        }
    }
    scene.batch_ours = cs_slice_eq(CS_PB_BYTES(&batch.deployment_id), CS_SLICE_ARRAY(world.d.id));
    wire = deployment_sign(&world.d, CS_STATEMENT_PUSH_BATCH, countersign_v1_PushBatch_fields, &batch,
                           scene.batch_key);
    CS_PB_SET(&scene.delivery.batch, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}

static void controller_sends(void)
{
    struct cs_slice chain = cs_chain_bytes(scene_certificate()->pki.chain);
    struct cs_buf wire = story_push_message(&scene.push, scene.at, chain);
    uint8_t kem = 0, what = scene_certificate() == &world.certificates[1];
    bool has_key = true;

    cs_assert(cs_message_decode(countersign_v1_PushMessage_fields, cs_buf_slice(&wire), &sent, "it", NULL) ==
              CS_OK);
    cs_buf_free(&wire);
    for (size_t i = 0; i < scene.op_count; i++)
        edit_message(&scene.ops[i], &kem, &what, &has_key);
    sent.has_sealed_key = has_key;
    if (has_key)
        sent.sealed_key = *seal(kem, what);
    wire = deployment_encode(countersign_v1_PushMessage_fields, &sent);
    for (size_t i = 0; i < scene.op_count; i++)
        if (scene.ops[i].kind == MESSAGE_BYTE)
            wire.ptr[(size_t)scene.ops[i].a * wire.len / 256] ^= scene.ops[i].b;
    CS_PB_SET(&scene.delivery.message, cs_buf_slice(&wire));
    sign_batch(cs_buf_slice(&wire));
    cs_buf_free(&wire);
    for (size_t i = 0; i < scene.op_count; i++)
        if (scene.ops[i].kind == DELIVERY_BYTE) {
            size_t place = (size_t)scene.ops[i].a;

            if (place & 1)
                scene.delivery.message.bytes[place * scene.delivery.message.size / 256] ^= scene.ops[i].b;
            else
                scene.delivery.batch.bytes[place * scene.delivery.batch.size / 256] ^= scene.ops[i].b;
        }
}

/* ---- what the device knows */

/* As a journal can have it: under its own connector, not above the highest generation. */
static void remember_order(const struct scene_op *op)
{
    struct ag_connector_state *connector = NULL;
    struct ag_order *order;

    cs_assert(ag_state_connector_make(&scene.state, CORE->connector, &connector, NULL) == CS_OK);
    if (connector->highest_generation < CORE->generation)
        connector->highest_generation = CORE->generation;
    order = &connector->orders[0];
    connector->order_count = 1;
    *order = (struct ag_order){.phase = (enum ag_phase)(op->a % 4 + 1),
                               .acknowledged = op->a & 0x10,
                               .generation = CORE->generation,
                               .attempt = op->b % 4};
    memcpy(order->order_id, CORE->order_id.bytes, sizeof order->order_id);
    order->core_digest = cs_sha256(cs_buf_slice(&scene.push.core_wires[scene.at]));
    order->core_digest.bytes[0] ^= op->a >> 7;
}

static void device_knows(void)
{
    static const struct ag_connectors declared = {world.declared, CS_ARRAY_LEN(world.declared)};
    struct ag_connector_state *connector = NULL;

    ag_state_init(&scene.state, CS_SLICE_ARRAY(world.device_id));
    scene.facts = (struct ag_facts){
        .deployment_id = CS_SLICE_ARRAY(world.d.id),
        .device_id = CS_SLICE_ARRAY(scene.state.device_id),
        .device_name = "gw-0",
        .policy = world.d.policy,
        .state = &scene.state,
        .connectors = &declared,
        .kem_key = world.kems[0],
        .now_s = world.d.now_s,
        .time_known = true,
    };
    for (size_t i = 0; i < scene.op_count; i++) {
        const struct scene_op *op = &scene.ops[i];

        if (op->kind == FACT_HIGHEST || op->kind == FACT_INSTALLED)
            cs_assert(ag_state_connector_make(&scene.state, connectors[scene.ops[i].a >> 5 & 1], &connector,
                                              NULL) == CS_OK);
        if (op->kind == FACT_TIME) {
            scene.facts.now_s += (int8_t)op->a * (op->b & 1 ? DAY_S * 4 : 900);
            scene.facts.time_known = !(op->b & 2);
        } else if (op->kind == FACT_POLICY) {
            scene.facts.policy = NULL;
        } else if (op->kind == FACT_HIGHEST) {
            if (connector->highest_generation < op->b % 8)
                connector->highest_generation = op->b % 8;
        } else if (op->kind == FACT_INSTALLED) {
            connector->installed_generation = op->b % 2;
            memset(connector->installed_digest.bytes, op->b >> 1 & 3, 32);
        } else if (op->kind == FACT_ORDER) {
            remember_order(op);
        }
    }
}

void scene_make_device(void)
{
    make_once();
    memset(&scene, 0, sizeof scene);
    device_knows();
}

void scene_make(struct cs_slice input)
{
    make_once();
    memset(&scene, 0, sizeof scene);
    for (; input.len >= OP_BYTES && scene.op_count < SCENE_OPS; input = cs_slice_from(input, OP_BYTES))
        scene.ops[scene.op_count++] = (struct scene_op){input.ptr[0] % OP_KINDS, input.ptr[1], input.ptr[2]};
    story_prepare(&scene.push, &world.d, 1);
    for (size_t i = 1; i < STORY_ORDERS; i++)
        scene.push.cores[i] = scene.push.cores[0];
    scene.request_key = "alice";
    people_sign();
    controller_sends();
    device_knows();
}

void scene_free(void)
{
    story_free(&scene.push);
    ag_state_free(&scene.state);
}
