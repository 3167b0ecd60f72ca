/* actions.c - removals and roll backs: of other places and other certificates, made out of installs, and with
 * things alongside that nobody signed for. */
#include "tests/evil/evil.h"

#include <stdio.h>

enum { INSTALLED = 7 };

static void set_expects(struct evil *e, struct cs_slice digest)
{
    CS_PB_SET(&EVIL_CORE(e)->expects, digest);
}

static struct cs_digest digest_of(const struct delivery_story *story)
{
    return cs_sha256(cs_buf_slice(&story->chain));
}

/* ---- what people sign */

static void removes(struct evil *e)
{
    struct cs_digest digest = digest_of(e->push);

    EVIL_CORE(e)->action = countersign_v1_Action_ACTION_REMOVE;
    EVIL_CORE(e)->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    EVIL_CORE(e)->chain_digest.size = EVIL_CORE(e)->leaf_spki_digest.size = 0;
    EVIL_CORE(e)->generation = INSTALLED + 1;
    set_expects(e, cs_digest_slice(&digest));
}
static void rolls_back(struct evil *e)
{
    static const uint8_t nothing[CS_SHA256_BYTES];

    EVIL_CORE(e)->action = countersign_v1_Action_ACTION_ROLL_BACK;
    EVIL_CORE(e)->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    EVIL_CORE(e)->generation = INSTALLED + 1;
    EVIL_CORE(e)->target_generation = INSTALLED;
    set_expects(e, CS_SLICE_ARRAY(nothing));
}

/* ---- what is on the device */

static void keep_generation(struct evil *e, const struct delivery_story *story, const struct pki *key)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_err err;

    cs_assert(cs_chain_parse(cs_buf_slice(&story->chain), &chain, &err) == CS_OK);
    victim_has_installed(&e->victim, "web", INSTALLED, chain, key->key);
}
static void set_installed(struct evil *e, const struct cs_digest *digest)
{
    struct ag_connector_state *connector = NULL;
    struct cs_err err;

    cs_assert(ag_state_connector_make(&e->victim.state, "web", &connector, &err) == CS_OK);
    connector->installed_generation = connector->highest_generation = INSTALLED;
    connector->installed_digest = *digest;
}
static void is_installed(struct evil *e)
{
    struct cs_digest digest = digest_of(e->push);

    set_installed(e, &digest);
}
static void another_is_installed(struct evil *e)
{
    const struct cs_digest other = {{9}};

    set_installed(e, &other);
}
static void is_kept(struct evil *e)
{
    keep_generation(e, e->push, &e->push->certificate);
}
static void is_kept_below_another(struct evil *e)
{
    is_kept(e);
    another_is_installed(e);
}
static void another_is_kept(struct evil *e)
{
    struct delivery_story *other = evil_push(e, 2);

    keep_generation(e, other, &other->certificate);
}
static void is_kept_with_another_key(struct evil *e)
{
    keep_generation(e, e->push, &evil_push(e, 2)->certificate);
}
static void wants_another_name(struct evil *e)
{
    static char name[] = "mail.example";

    e->victim.declared[0].names[0] = name;
}

/* ---- what is sent */

static void nothing_with_it(struct evil *e)
{
    EVIL_MESSAGE(e)->chain.size = 0;
    EVIL_MESSAGE(e)->has_sealed_key = false;
}
static void another_chain_with_it(struct evil *e)
{
    CS_PB_SET(&EVIL_MESSAGE(e)->chain, cs_buf_slice(&evil_push(e, 2)->chain));
}
/* The core says something else than the one that is in the request's tree. */
static void change_core(struct evil *e, void (*change)(struct evil *e))
{
    cs_auto(cs_buf_free) struct cs_buf core = CS_BUF_EMPTY;

    change(e);
    core = deployment_encode(countersign_v1_OrderCore_fields, EVIL_CORE(e));
    CS_PB_SET(&EVIL_MESSAGE(e)->order_core, cs_buf_slice(&core));
}
static void made_a_removal(struct evil *e)
{
    change_core(e, removes);
    nothing_with_it(e);
}
static void made_a_roll_back(struct evil *e)
{
    change_core(e, rolls_back);
    nothing_with_it(e);
}
static void to_another_generation(struct evil *e)
{
    EVIL_CORE(e)->target_generation = INSTALLED - 1;
}
static void made_for_another_generation(struct evil *e)
{
    change_core(e, to_another_generation);
    nothing_with_it(e);
}

static const struct evil_strategy strategies[] = {
    {.says = "delivers a removal",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = removes,
     .sent = nothing_with_it,
     .device = is_installed},
    {.says = "delivers a removal with a chain and a key that nobody asked for",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = removes,
     .device = is_installed},
    {.says = "delivers a removal of what is not there", .end = EVIL_ENDS(EXPECTS_OTHER), .prepared = removes},
    {.says = "delivers a removal once another certificate is there",
     .end = EVIL_ENDS(EXPECTS_OTHER),
     .prepared = removes,
     .device = another_is_installed},
    {.says = "makes a removal of an install",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = made_a_removal,
     .device = is_installed},
    {.says = "delivers a roll back",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = rolls_back,
     .sent = nothing_with_it,
     .device = is_kept},
    {.says = "delivers a roll back with another chain, and a key",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = rolls_back,
     .sent = another_chain_with_it,
     .device = is_kept},
    {.says = "delivers a roll back to what is not kept",
     .end = EVIL_ENDS(GENERATION_GONE),
     .prepared = rolls_back},
    {.says = "delivers a roll back to a generation with another certificate",
     .end = EVIL_ENDS(GENERATION_OTHER),
     .prepared = rolls_back,
     .device = another_is_kept},
    {.says = "delivers a roll back to a generation with another key",
     .end = EVIL_ENDS(KEY_MISMATCH),
     .prepared = rolls_back,
     .device = is_kept_with_another_key},
    {.says = "delivers a roll back once another certificate is there",
     .end = EVIL_ENDS(EXPECTS_OTHER),
     .prepared = rolls_back,
     .device = is_kept_below_another},
    {.says = "makes a roll back of an install",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = made_a_roll_back,
     .device = is_kept},
    {.says = "rolls back further than people said",
     .end = EVIL_ENDS(GENERATION_GONE),
     .prepared = rolls_back,
     .sent = made_for_another_generation,
     .device = is_kept},
    {.says = "delivers a certificate that is not for the name which the connector must have",
     .end = EVIL_ENDS(NAMES_OTHER),
     .device = wants_another_name},
};

void evil_actions(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
