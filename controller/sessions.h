/* sessions.h - operators who are signed in where no socket says who calls: challenges that were given out,
 * and the sessions that signed ones opened. Pure: clock and random bytes are passed in; nothing is on disk,
 * so a restart ends every session. Of one thread.
 *
 *   GetChallenge ──32 random bytes──▶ client signs SessionOpening ──▶ OpenSession: one use, then a token
 *
 * Of a token the controller keeps the digest. A session ends when it is closed, idle or old, and at once when
 * the newest trust policy has no longer the key that opened it. */
#ifndef CTL_SESSIONS_H
#define CTL_SESSIONS_H

#include "shared/trust/policy.h"

enum {
    CTL_TOKEN_BYTES = 32,
    CTL_TOKEN_TEXT_BYTES = 45, /* base64 and its end */
    /* Time to type a passphrase. */
    CTL_CHALLENGE_LIFE_S = 5 * 60,
    /* Given out and not used; one more takes the oldest's place, so that nobody can keep others out by asking
     * once. */
    CTL_LIMIT_CHALLENGES = 4096,
    /* Of one operator: one more ends the one that was unused for longest, because a client that lost its
     * token must not be locked out by itself. */
    CTL_LIMIT_OPERATOR_SESSIONS = 8,
    CTL_LIMIT_SESSIONS = CTL_LIMIT_OPERATOR_SESSIONS * CS_LIMIT_OPERATORS,
};

struct ctl_session_info {
    char operator[CS_LIMIT_NAME_BYTES + 1];
    char peer[64];
    struct cs_digest key_id; /* of the key that opened it */
    countersign_v1_KeyKind key_kind;
    struct cs_digest id; /* SHA-256 of its token */
    bool by_cookie;      /* a browser's: its token counts as a cookie alone, any other as a bearer's */
    int64_t opened_s, seen_s;
};

struct ctl_sessions_options {
    int64_t idle_s, life_s;
    /* A session has ended by itself, and why. Not from inside ctl_sessions_free(). */
    void (*on_ended)(void *owner, const struct ctl_session_info *session, const char *why);
    void *owner;
};

struct ctl_sessions;
CS_MUST_USE int ctl_sessions_new(const struct ctl_sessions_options *options, struct ctl_sessions **ret,
                                 struct cs_err *err);
void ctl_sessions_free(struct ctl_sessions *sessions);

/* Keeps the challenge, random bytes of the caller's; returns when it expires. */
int64_t ctl_sessions_challenge(struct ctl_sessions *sessions, const uint8_t random[CS_SHA256_BYTES],
                               int64_t now_s);
/* An opening's envelope is good: it answers a challenge that was given out (which is used up by this,
 * whatever else is wrong), for this server's key (empty: no TLS), and is signed by a key that the policy has
 * for its operator. A page cannot see the server's key, so an opening by a key of kind browser may leave it
 * out: the browser keeps such a key for one origin, whose certificate it has checked, and a server in between
 * has another one. Fills `ret` but for the peer. CS_EAUTH or CS_EDENIED with a sentence; CS_ESTALE when the
 * signer saw a newer policy. */
CS_MUST_USE int ctl_sessions_verify(struct ctl_sessions *sessions, const struct cs_policy *policy,
                                    struct cs_slice envelope, struct cs_slice server_spki, int64_t now_s,
                                    struct ctl_session_info *ret, struct cs_err *err);
/* The session is open from now on. `token` is its secret, random bytes of the caller's. CS_EBUSY when there
 * are too many. */
CS_MUST_USE int ctl_sessions_open(struct ctl_sessions *sessions, const struct ctl_session_info *info,
                                  const uint8_t token[CTL_TOKEN_BYTES], int64_t now_s, struct cs_err *err);
/* "Bearer TOKEN" as metadata has it, and the token as text. */
CS_MUST_USE int ctl_sessions_parse(struct cs_slice authorization, uint8_t ret_token[CTL_TOKEN_BYTES],
                                   struct cs_err *err);
/* The token's text alone; CS_EPARSE for what is none. */
CS_MUST_USE int ctl_sessions_parse_text(struct cs_slice text, uint8_t ret_token[CTL_TOKEN_BYTES]);
void ctl_sessions_token_text(const uint8_t token[CTL_TOKEN_BYTES], char ret[CTL_TOKEN_TEXT_BYTES]);
/* The open session with this token, used now. CS_EAUTH if there is none (any more), or its token does not
 * come in the way for which it was opened; valid until the next call. */
CS_MUST_USE int ctl_sessions_use(struct ctl_sessions *sessions, const countersign_v1_TrustPolicy *policy,
                                 const uint8_t token[CTL_TOKEN_BYTES], bool by_cookie, int64_t now_s,
                                 const struct ctl_session_info **ret, struct cs_err *err);
/* Whoever has the token ends its session: true, and *ret says whose it was. on_ended does not come. */
bool ctl_sessions_close(struct ctl_sessions *sessions, const uint8_t token[CTL_TOKEN_BYTES],
                        struct ctl_session_info *ret);
/* Those that are open, one after the other: begin with *cursor = 0; NULL at the end. */
const struct ctl_session_info *ctl_sessions_next(const struct ctl_sessions *sessions, size_t *cursor);
/* The open one with this id, NULL if there is none. */
const struct ctl_session_info *ctl_sessions_find(const struct ctl_sessions *sessions, struct cs_slice id);
/* Ends the open one with this id, as ctl_sessions_close() does. */
bool ctl_sessions_end(struct ctl_sessions *sessions, struct cs_slice id, struct ctl_session_info *ret);
/* Ends what is idle, old, or of a key that the policy does not have: when a policy is published, and now and
 * then. */
void ctl_sessions_sweep(struct ctl_sessions *sessions, const countersign_v1_TrustPolicy *policy,
                        int64_t now_s);
size_t ctl_sessions_count(const struct ctl_sessions *sessions);

#endif
