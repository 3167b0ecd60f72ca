#include "tests/sim/world.h"

#include "agent/port/place.h"
#include "agent/port/posix.h"
#include "agent/store.h"

#include <stdio.h>
#include <stdlib.h>

static void must(int code)
{
    cs_assert(code == CS_OK);
}

/* The key whose name this is, as the device keeps it. */
static struct cs_key *kem_key(void)
{
    struct cs_digest scalar = cs_sha256(CS_SLICE_LIT(WORLD_DEVICE "-kem"));
    struct cs_key *key = NULL;
    struct cs_err err;

    must(cs_key_from_scalar(cs_digest_slice(&scalar), CS_KEY_AGREE, &key, &err));
    return key;
}

static void save_key(struct ag_port *port, const char *path, const struct cs_key *key)
{
    const struct ag_file_look secret = {.mode = 0600};
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    must(cs_key_export_pem(key, CS_SLICE_EMPTY, &pem, &err));
    must(port->replace_file(port, path, cs_buf_slice(&pem), &secret, &err));
}

static void save_records(struct world *world, const struct ag_store *store)
{
    struct ag_identity identity = {.pin = deployment_pin(&world->d)};
    struct ag_state state;
    struct cs_err err;

    deployment_make_id(WORLD_DEVICE, identity.device_id);
    snprintf(identity.device_name, sizeof identity.device_name, WORLD_DEVICE);
    must(cs_buf_append_str(&identity.agent_ca, "not looked at here"));
    must(cs_buf_append_str(&identity.certificate, "nor this"));
    ag_state_init(&state, CS_SLICE_ARRAY(identity.device_id));
    state.policy_version = cs_policy_version(world->d.policy);
    must(ag_store_save_policy(store, state.policy_version, cs_policy_wire(world->d.policy), &err));
    must(ag_store_save_state(store, &state, &err));
    must(ag_store_save_identity(store, &identity, &err));
    ag_state_free(&state);
    ag_identity_free(&identity);
}

static void enrol(struct world *world, const struct cs_key *kem)
{
    struct simfs_disk *empty = simfs_disk_new();
    struct ag_posix *posix = NULL;
    struct simfs_trace *trace;
    struct cs_err err;

    must(ag_posix_new(NULL, &posix, &err));
    const struct ag_store store = {ag_posix_port(posix), WORLD_STATE};

    simfs_mount(empty);
    must(ag_store_prepare(&store, &err));
    save_key(store.port, WORLD_STATE "/identity.key", deployment_key(&world->d, WORLD_DEVICE));
    save_key(store.port, WORLD_STATE "/kem.key", kem);
    save_records(world, &store);
    must(store.port->make_folder(store.port, SIMFS_ROOT "/etc", 0755, &err));
    must(store.port->make_folder(store.port, SIMFS_ROOT "/etc/private", 0755, &err));
    trace = simfs_unmount();
    world->enrolled = simfs_trace_end(trace);
    simfs_trace_free(trace);
    simfs_disk_free(empty);
    ag_posix_close(posix);
}

/* ---- pushes */

static const struct {
    countersign_v1_Action action;
    uint64_t generation, target;
    enum world_push_name installed; /* whose chain is there */
} pushes[WORLD_PUSHES] = {
    [INSTALL_1] = {countersign_v1_Action_ACTION_INSTALL, 1, 0, PUSH_NONE},
    [INSTALL_2] = {countersign_v1_Action_ACTION_INSTALL, 2, 0, PUSH_NONE},
    [INSTALL_3] = {countersign_v1_Action_ACTION_INSTALL, 3, 0, PUSH_NONE},
    [INSTALL_4] = {countersign_v1_Action_ACTION_INSTALL, 4, 0, PUSH_NONE},
    [REMOVE_2] = {countersign_v1_Action_ACTION_REMOVE, 2, 0, INSTALL_1},
    [ROLL_BACK_3] = {countersign_v1_Action_ACTION_ROLL_BACK, 3, 1, INSTALL_2},
};

struct making {
    struct world *world;
    uint8_t device_id[16];
    struct cs_slice kem_spki;
    countersign_v1_OrderCore cores[WORLD_PUSHES]; /* as they were signed */
};

/* A removal and a roll back carry neither chain nor key; people sign for what is there and what comes. */
static void make_without_chain(const struct making *making, enum world_push_name name,
                               struct delivery_story *story)
{
    countersign_v1_OrderCore *core = delivery_core(story);
    const countersign_v1_OrderCore *comes = &making->cores[INSTALL_1];

    core->action = pushes[name].action;
    core->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    core->target_generation = pushes[name].target;
    CS_PB_SET(&core->expects, CS_PB_BYTES(&making->cores[pushes[name].installed].chain_digest));
    core->chain_digest.size = core->leaf_spki_digest.size = 0;
    if (core->target_generation > 0) {
        CS_PB_SET(&core->chain_digest, CS_PB_BYTES(&comes->chain_digest));
        CS_PB_SET(&core->leaf_spki_digest, CS_PB_BYTES(&comes->leaf_spki_digest));
    }
    cs_buf_free(&story->chain);
}

static void make_push(struct making *making, enum world_push_name name)
{
    struct world_push *push = &making->world->pushes[name];
    struct delivery_story *story =
        delivery_prepare(&making->world->d, WORLD_DEVICE, making->device_id, (uint64_t)name);
    bool installs = pushes[name].action == countersign_v1_Action_ACTION_INSTALL;

    delivery_core(story)->generation = pushes[name].generation;
    if (!installs)
        make_without_chain(making, name, story);
    delivery_submit(story);
    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
    delivery_assemble(story, making->kem_spki);
    story->message.has_sealed_key = installs;
    delivery_wrap(story);
    push->delivery = deployment_encode(countersign_v1_PushDelivery_fields, &story->delivery);
    memcpy(push->order_id, delivery_core(story)->order_id.bytes, sizeof push->order_id);
    making->cores[name] = *delivery_core(story);
    delivery_free(story);
}

void world_make(struct world *ret)
{
    struct making *making = calloc(1, sizeof *making);
    struct cs_key *kem = NULL;

    cs_assert(making);
    *ret = (struct world){0};
    deployment_make(&ret->d);
    pki_set_now(ret->d.now_s);
    kem = kem_key();
    making->world = ret;
    making->kem_spki = cs_key_spki(kem);
    deployment_make_id(WORLD_DEVICE, making->device_id);
    for (int name = PUSH_NONE + 1; name < WORLD_PUSHES; name++)
        make_push(making, (enum world_push_name)name);
    enrol(ret, kem);
    cs_key_free(kem);
    free(making);
}

void world_has_openat2(bool has)
{
    simfs_has_openat2(has);
    ag_place_walk_by(AG_WALK_KERNEL);
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(world->pushes); i++)
        cs_buf_free(&world->pushes[i].delivery);
    simfs_disk_free(world->enrolled);
    deployment_free(&world->d);
}
