/* evil.h - the controller that has been taken over. It has every key of the controller, its database, and all
 * that people ever signed; a strategy is one harm that it tries on a device, with the end that it must come
 * to: a refusal by name, or acceptance with the harm that the design admits. Another refusal than the named
 * one is a failure, too: it would hide a check that does not bite.
 *
 * A strategy is a row. What it does hooks in where the push is made; what has no hook is as it should be:
 *
 *   policy ─▶ (publish) ─▶ prepared ─▶ (submit) ─▶ decided ─▶ (assemble) ─▶ sent ─▶ (wrap) ─▶ wrapped ─▶
 * device ─▶ act
 *
 * The default act offers the push to the device. Start at evil_play(). */
#ifndef CS_TESTS_EVIL_EVIL_H
#define CS_TESTS_EVIL_EVIL_H

#include "tests/evil/victim.h"
#include "tests/support/delivery.h"

/* What DESIGN.md, at its beginning, says that such a controller can still do. */
#define EVIL_HARMS(X)                                                                                        \
    X(NOTHING, "does no harm: what was decided is what is done")                                             \
    X(WITHHOLDS, "withholds")                                                                                \
    X(CHOOSES_WHEN, "chooses when, in the signed window, in rising generation")                              \
    X(IGNORES_A_CANCEL, "ignores a cancel")                                                                  \
    X(READS_HELD_KEYS, "reads the keys that it was given to hold")                                           \
    X(LIES, "lies about what devices have not signed")                                                       \
    X(TELLS_THE_TIME, "tells a clockless device the time, never below its floor")
enum evil_harm {
#define X(name, sentence) EVIL_##name,
    EVIL_HARMS(X)
#undef X
        EVIL_HARM_COUNT
};

struct evil_end {
    enum { EVIL_UNKNOWN, EVIL_REFUSED, EVIL_ADMITTED, EVIL_TURNED_AWAY } kind;
    enum ag_verdict verdict; /* of a push */
    enum evil_harm harm;     /* with EVIL_ADMITTED */
    int code;                /* with EVIL_TURNED_AWAY: of a policy or certificate, which has no verdict */
    const char *part;        /* and a part of its sentence */
};
#define EVIL_ENDS(name)                                                                                      \
    {                                                                                                        \
        .kind = EVIL_REFUSED, .verdict = AG_##name                                                           \
    }
#define EVIL_ADMITS(name)                                                                                    \
    {                                                                                                        \
        .kind = EVIL_ADMITTED, .verdict = AG_OK, .harm = EVIL_##name                                         \
    }
#define EVIL_TURNED(c, in)                                                                                   \
    {                                                                                                        \
        .kind = EVIL_TURNED_AWAY, .code = CS_##c, .part = (in)                                               \
    }

enum { EVIL_OTHERS = 12, EVIL_ASKED = 8, EVIL_SENTENCE_BYTES = 160 };

struct evil {
    struct deployment d;         /* the people; the controller's keys are "controller" and "agent-ca" */
    struct victim victim;        /* "gw-0" */
    struct delivery_story *push; /* for its connector "web", generation 1 */
    struct delivery_story *others[EVIL_OTHERS];
    size_t other_count;
    struct cs_digest asked[EVIL_ASKED]; /* key requests that people signed */
    size_t asked_count;
    unsigned with;      /* of the row */
    struct cs_buf kept; /* bytes that a theme keeps for a while */

    /* What came of the last thing that the device was shown. */
    struct evil_end came;
    char detail[256];
};

struct evil_strategy {
    const char *says; /* what the controller does */
    struct evil_end end;
    void (*policy)(struct evil *e);   /* edits d.body, published as version 2 */
    void (*prepared)(struct evil *e); /* what people are asked to sign */
    void (*decided)(struct evil *e);  /* in place of bob and carol */
    void (*sent)(struct evil *e);     /* push->message */
    void (*wrapped)(struct evil *e);  /* push->delivery */
    void (*device)(struct evil *e);   /* the clock, what is installed */
    void (*act)(struct evil *e);      /* in place of one offer */
    unsigned with;                    /* a number for the hooks */
    unsigned orders, at;              /* of the request; 0: one */
    bool without_push;                /* `act` alone does everything */
};

/* ---- telling what came of them (tally.c) */

struct evil_tally;
struct evil_tally *evil_tally_new(void);
void evil_tally_free(struct evil_tally *tally);
/* Counts one strategy: its name must be new, its end the wanted one. Says so where it is not. */
void evil_tally_add(struct evil_tally *tally, const char *name, const struct evil_end *wanted,
                    const struct evil_end *came, const char *detail);
/* Every strategy of the theme, each in a world of its own. */
void evil_play(struct evil_tally *tally, const struct evil_strategy *strategies, size_t count);
size_t evil_tally_failures(const struct evil_tally *tally);
size_t evil_tally_count(const struct evil_tally *tally);
/* Prints strategies, verdicts and harms. Returns how many verdicts should have been reached, and were not. */
size_t evil_tally_print(const struct evil_tally *tally);

/* ---- for strategies (evil.c) */

void evil_make(struct evil *ret);
void evil_free(struct evil *e);

/* What was accepted is what people signed: the same core, chain and key byte for byte, and the same payloads
 * of request and decisions in their order. Their envelopes may have signatures that change nothing. */
bool evil_is_as_signed(const struct delivery_story *story, const countersign_v1_PushDelivery *delivery,
                       const struct ag_decision *decision);
/* Shows a delivery to the device, and keeps what came of it. What it accepts must be one of the pushes of
 * this world, as signed. */
void evil_offer(struct evil *e, const struct delivery_story *story);
void evil_show_policy(struct evil *e, struct cs_slice wire);
void evil_note_code(struct evil *e, int code, const struct cs_err *err);
/* Shows a key request to the device. A key is made for those in `asked` only. */
void evil_show_key_request(struct evil *e, struct cs_slice wire);
/* Signs it, and takes it for what people asked for. The caller frees it. */
struct cs_buf evil_sign_key_request(struct evil *e, const countersign_v1_KeyRequest *request,
                                    const char *who);

/* Another push for gw-0's "web" with this generation, at the present time; kept in `others`. */
struct delivery_story *evil_prepare(struct evil *e, uint64_t generation);
struct delivery_story *evil_prepare_for(struct evil *e, const char *device, uint64_t generation);
/* Submitted, decided by bob and carol, assembled, wrapped. */
void evil_finish(struct evil *e, struct delivery_story *story);
struct delivery_story *evil_push(struct evil *e, uint64_t generation);
/* The key-encryption key of the device with this name. */
void evil_kem_spki(const char *device, uint8_t ret[CS_SPKI_BYTES]);

#define EVIL_CORE(e)    delivery_core((e)->push)
#define EVIL_REQUEST(e) (&(e)->push->push.request)
#define EVIL_MESSAGE(e) (&(e)->push->message)

/* ---- the themes, a file each */

void evil_fields(struct evil_tally *tally);       /* every field of every statement */
void evil_kinds(struct evil_tally *tally);        /* one statement in place of another */
void evil_people(struct evil_tally *tally);       /* who decided, and how often */
void evil_decisions(struct evil_tally *tally);    /* decisions left out, moved, spliced */
void evil_signatures(struct evil_tally *tally);   /* signatures in other clothes */
void evil_replays(struct evil_tally *tally);      /* again, elsewhere, later */
void evil_proofs(struct evil_tally *tally);       /* Merkle trees */
void evil_policies(struct evil_tally *tally);     /* what the device holds people's rules to be */
void evil_times(struct evil_tally *tally);        /* clocks and windows */
void evil_certificates(struct evil_tally *tally); /* chains and keys */
void evil_enrolments(struct evil_tally *tally);   /* what a device pins */
void evil_keys(struct evil_tally *tally);         /* keys that the device makes on request */
void evil_actions(struct evil_tally *tally);      /* removals and roll backs */
void evil_own_keys(struct evil_tally *tally);     /* and certificates for them */

/* Random mutants of valid pushes. Returns how many were accepted that are not what people signed. */
unsigned evil_random(void);

#endif
