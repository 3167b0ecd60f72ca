#include "controller/sessions.h"

#include "shared/base/text.h"

#include <stdio.h>

struct challenge {
    uint8_t bytes[CS_SHA256_BYTES];
    int64_t expires_s; /* 0: none */
};

struct session {
    struct ctl_session_info info;
    bool open;
};

struct ctl_sessions {
    struct ctl_sessions_options options;
    struct challenge challenges[CTL_LIMIT_CHALLENGES];
    size_t next_challenge; /* where the oldest is */
    struct session sessions[CTL_LIMIT_SESSIONS];
};

int ctl_sessions_new(const struct ctl_sessions_options *options, struct ctl_sessions **ret,
                     struct cs_err *err)
{
    struct ctl_sessions *sessions = calloc(1, sizeof *sessions);

    if (!sessions)
        return cs_err_nomem(err);
    sessions->options = *options;
    *ret = sessions;
    return CS_OK;
}

void ctl_sessions_free(struct ctl_sessions *sessions)
{
    free(sessions);
}

/* ---- challenges */

int64_t ctl_sessions_challenge(struct ctl_sessions *sessions, const uint8_t random[CS_SHA256_BYTES],
                               int64_t now_s)
{
    struct challenge *challenge = &sessions->challenges[sessions->next_challenge];

    sessions->next_challenge = (sessions->next_challenge + 1) % CTL_LIMIT_CHALLENGES;
    memcpy(challenge->bytes, random, sizeof challenge->bytes);
    challenge->expires_s = now_s + CTL_CHALLENGE_LIFE_S;
    return challenge->expires_s;
}

static bool take_challenge(struct ctl_sessions *sessions, struct cs_slice bytes, int64_t now_s)
{
    for (size_t i = 0; i < CTL_LIMIT_CHALLENGES; i++) {
        struct challenge *challenge = &sessions->challenges[i];
        bool is_good = challenge->expires_s > now_s;

        if (challenge->expires_s == 0 || !cs_slice_eq_secret(bytes, CS_SLICE_ARRAY(challenge->bytes)))
            continue;
        *challenge = (struct challenge){.expires_s = 0};
        return is_good;
    }
    return false;
}

/* ---- openings */

/* Who signed, with a key of this kind, did so for this server. */
static bool is_for_server(const countersign_v1_SessionOpening *opening, struct cs_slice server_spki,
                          countersign_v1_KeyKind kind)
{
    struct cs_slice said = CS_PB_BYTES(&opening->server_spki_digest);
    struct cs_digest server;

    if (server_spki.len == 0 || (said.len == 0 && kind == countersign_v1_KeyKind_KEY_KIND_BROWSER))
        return said.len == 0;
    server = cs_sha256(server_spki);
    return cs_slice_eq(said, cs_digest_slice(&server));
}

static int check_opening(struct ctl_sessions *sessions, const struct cs_policy *policy,
                         const struct cs_verified *verified, const countersign_v1_SessionOpening *opening,
                         struct cs_slice server_spki, int64_t now_s, countersign_v1_KeyKind *ret_kind,
                         struct cs_err *err)
{
    countersign_v1_KeyKind kind;
    int code;

    if (!take_challenge(sessions, CS_PB_BYTES(&opening->challenge), now_s))
        return cs_err_set(
            err, CS_EAUTH,
            "the opening answers no challenge that this controller gave out, or one that was used or "
            "has expired: ask for another");
    code = cs_policy_check_signer(policy, verified, opening->operator, countersign_v1_Role_ROLE_UNSPECIFIED,
                                  &kind, err);
    if (code != CS_OK)
        return code;
    if (!is_for_server(opening, server_spki, kind))
        return cs_err_set(
            err, CS_EAUTH,
            "the opening was signed for another server's key than this listener's: somebody may "
            "stand in between");
    if (!cs_slice_eq(CS_PB_BYTES(&opening->deployment_id),
                     CS_PB_BYTES(&cs_policy_body(policy)->deployment_id)))
        return cs_err_set(err, CS_EAUTH, "the opening is for another deployment");
    if (opening->policy_version > cs_policy_version(policy))
        return cs_err_set(err, CS_ESTALE,
                          "the opening was signed under trust policy %u and the newest here is %u",
                          (unsigned)opening->policy_version, (unsigned)cs_policy_version(policy));
    *ret_kind = kind;
    return CS_OK;
}

/* The first of the signers' keys that is the operator's and of this kind: there is one. */
static struct cs_digest key_of(const struct cs_verified *verified, const countersign_v1_Operator *who,
                               countersign_v1_KeyKind kind)
{
    for (pb_size_t i = 0; i < who->keys_count; i++) {
        struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&who->keys[i].spki));

        for (size_t k = 0; k < verified->signer_count; k++)
            if (who->keys[i].kind == kind && cs_digest_eq(&verified->signers[k], &key_id))
                return key_id;
    }
    cs_assert(false);
    return (struct cs_digest){.bytes = {0}};
}

int ctl_sessions_verify(struct ctl_sessions *sessions, const struct cs_policy *policy,
                        struct cs_slice envelope, struct cs_slice server_spki, int64_t now_s,
                        struct ctl_session_info *ret, struct cs_err *err)
{
    countersign_v1_SessionOpening *opening cs_auto_free = NULL;
    countersign_v1_KeyKind kind;
    struct cs_verified verified;
    int rc;

    if (!policy)
        return cs_err_set(
            err, CS_ESTATE,
            "this controller has no trust policy yet, so nobody is an operator: publish one over "
            "its admin socket");
    rc = cs_policy_verify(policy, envelope, CS_STATEMENT_SESSION_OPENING, &verified, err);
    if (rc == CS_OK)
        rc = cs_opening_decode(verified.payload, &opening, err);
    if (rc == CS_OK)
        rc = check_opening(sessions, policy, &verified, opening, server_spki, now_s, &kind, err);
    if (rc != CS_OK)
        return rc;
    *ret = (struct ctl_session_info){
        .key_id = key_of(&verified, cs_policy_operator(policy, opening->operator), kind),
        .key_kind = kind,
    };
    snprintf(ret->operator, sizeof ret->operator, "%s", opening->operator);
    return CS_OK;
}

/* ---- sessions */

static void end(struct ctl_sessions *sessions, struct session *session, const char *why)
{
    struct ctl_session_info info = session->info;

    *session = (struct session){.open = false};
    sessions->options.on_ended(sessions->options.owner, &info, why);
}

/* Why the session may not go on, NULL if it may. */
static const char *why_not(const struct ctl_sessions *sessions, const countersign_v1_TrustPolicy *policy,
                           const struct ctl_session_info *info, int64_t now_s)
{
    const countersign_v1_Operator *who = policy ? cs_operators_find(policy, info->operator) : NULL;
    bool has_key = false;

    if (!who)
        return "the operator is no longer in the trust policy";
    for (pb_size_t i = 0; i < who->keys_count; i++) {
        struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&who->keys[i].spki));

        has_key = has_key || cs_digest_eq(&key_id, &info->key_id);
    }
    if (!has_key)
        return "the key is no longer in the trust policy";
    if (now_s - info->opened_s >= sessions->options.life_s)
        return "too old";
    if (now_s - info->seen_s >= sessions->options.idle_s)
        return "idle";
    return NULL;
}

void ctl_sessions_sweep(struct ctl_sessions *sessions, const countersign_v1_TrustPolicy *policy,
                        int64_t now_s)
{
    for (size_t i = 0; i < CTL_LIMIT_SESSIONS; i++) {
        struct session *session = &sessions->sessions[i];
        const char *why = session->open ? why_not(sessions, policy, &session->info, now_s) : NULL;

        if (why)
            end(sessions, session, why);
    }
}

/* Ends the operator's session that was unused for longest, when there is no room for one more. */
static void make_room(struct ctl_sessions *sessions, const char *operator)
{
    struct session *oldest = NULL;
    size_t count = 0;

    for (size_t i = 0; i < CTL_LIMIT_SESSIONS; i++) {
        struct session *session = &sessions->sessions[i];

        if (!session->open || strcmp(session->info.operator, operator) != 0)
            continue;
        count++;
        if (!oldest || session->info.seen_s < oldest->info.seen_s)
            oldest = session;
    }
    if (count >= CTL_LIMIT_OPERATOR_SESSIONS)
        end(sessions, oldest, "the operator opened more");
}

int ctl_sessions_open(struct ctl_sessions *sessions, const struct ctl_session_info *info,
                      const uint8_t token[CTL_TOKEN_BYTES], int64_t now_s, struct cs_err *err)
{
    make_room(sessions, info->operator);
    for (size_t i = 0; i < CTL_LIMIT_SESSIONS; i++) {
        struct session *session = &sessions->sessions[i];

        if (session->open)
            continue;
        session->info = *info;
        session->info.opened_s = session->info.seen_s = now_s;
        session->info.id = cs_sha256(cs_slice(token, CTL_TOKEN_BYTES));
        session->open = true;
        return CS_OK;
    }
    return cs_err_set(err, CS_EBUSY, "too many sessions are open: try again later");
}

int ctl_sessions_parse_text(struct cs_slice text, uint8_t ret_token[CTL_TOKEN_BYTES])
{
    struct cs_buf token = CS_BUF_EMPTY;
    int rc = cs_buf_reserve(&token, CTL_TOKEN_TEXT_BYTES);

    if (rc == CS_OK)
        rc = cs_base64_decode(text, &token);
    if (rc == CS_OK && token.len == CTL_TOKEN_BYTES)
        memcpy(ret_token, token.ptr, CTL_TOKEN_BYTES);
    else
        rc = CS_EPARSE;
    cs_buf_wipe(&token);
    return rc;
}

int ctl_sessions_parse(struct cs_slice authorization, uint8_t ret_token[CTL_TOKEN_BYTES], struct cs_err *err)
{
    static const char scheme[] = "Bearer ";
    size_t skip = sizeof scheme - 1;

    if (authorization.len == 0)
        return cs_err_set(
            err, CS_EAUTH,
            "this takes a session: sign a challenge (countersign.v1.SessionService) and send the "
            "token as \"authorization: Bearer TOKEN\"");
    if (authorization.len > skip && memcmp(authorization.ptr, scheme, skip) == 0 &&
        ctl_sessions_parse_text(cs_slice_from(authorization, skip), ret_token) == CS_OK)
        return CS_OK;
    return cs_err_set(err, CS_EAUTH, "the authorization is not \"Bearer TOKEN\" with a session's token");
}

void ctl_sessions_token_text(const uint8_t token[CTL_TOKEN_BYTES], char ret[CTL_TOKEN_TEXT_BYTES])
{
    struct cs_buf out = {
        .ptr = (uint8_t *)ret, .capacity = CTL_TOKEN_TEXT_BYTES, .limit_bytes = CTL_TOKEN_TEXT_BYTES};
    int rc = cs_base64_encode(cs_slice(token, CTL_TOKEN_BYTES), &out);

    cs_assert(rc == CS_OK && out.len == CTL_TOKEN_TEXT_BYTES - 1 && out.ptr == (uint8_t *)ret);
    ret[out.len] = '\0';
}

static const struct session *find_id(const struct ctl_sessions *sessions, struct cs_slice id)
{
    const struct session *found = NULL;

    for (size_t i = 0; i < CTL_LIMIT_SESSIONS; i++) {
        const struct session *session = &sessions->sessions[i];

        if (session->open && cs_slice_eq_secret(cs_digest_slice(&session->info.id), id))
            found = session;
    }
    return found;
}

static struct session *find(struct ctl_sessions *sessions, const uint8_t token[CTL_TOKEN_BYTES])
{
    struct cs_digest id = cs_sha256(cs_slice(token, CTL_TOKEN_BYTES));
    const struct session *found = find_id(sessions, cs_digest_slice(&id));

    return found ? &sessions->sessions[found - sessions->sessions] : NULL;
}

int ctl_sessions_use(struct ctl_sessions *sessions, const countersign_v1_TrustPolicy *policy,
                     const uint8_t token[CTL_TOKEN_BYTES], bool by_cookie, int64_t now_s,
                     const struct ctl_session_info **ret, struct cs_err *err)
{
    struct session *session = find(sessions, token);
    const char *why = session ? why_not(sessions, policy, &session->info, now_s) : "it is not known here";

    if (session && why)
        end(sessions, session, why);
    if (why)
        return cs_err_set(err, CS_EAUTH, "the session has ended (%s): open another", why);
    /* A browser sends its cookies to every port of the host: what another service there was sent is not a
     * program's session. */
    if (session->info.by_cookie != by_cookie)
        return cs_err_set(err, CS_EAUTH, "the session was opened %s, and counts only so",
                          session->info.by_cookie ? "by a browser's cookie" : "for a token in authorization");
    session->info.seen_s = now_s;
    *ret = &session->info;
    return CS_OK;
}

bool ctl_sessions_end(struct ctl_sessions *sessions, struct cs_slice id, struct ctl_session_info *ret)
{
    const struct session *found = find_id(sessions, id);

    if (!found)
        return false;
    *ret = found->info;
    sessions->sessions[found - sessions->sessions] = (struct session){.open = false};
    return true;
}

bool ctl_sessions_close(struct ctl_sessions *sessions, const uint8_t token[CTL_TOKEN_BYTES],
                        struct ctl_session_info *ret)
{
    struct cs_digest id = cs_sha256(cs_slice(token, CTL_TOKEN_BYTES));

    return ctl_sessions_end(sessions, cs_digest_slice(&id), ret);
}

const struct ctl_session_info *ctl_sessions_find(const struct ctl_sessions *sessions, struct cs_slice id)
{
    const struct session *found = find_id(sessions, id);

    return found ? &found->info : NULL;
}

const struct ctl_session_info *ctl_sessions_next(const struct ctl_sessions *sessions, size_t *cursor)
{
    while (*cursor < CTL_LIMIT_SESSIONS) {
        const struct session *session = &sessions->sessions[(*cursor)++];

        if (session->open)
            return &session->info;
    }
    return NULL;
}

size_t ctl_sessions_count(const struct ctl_sessions *sessions)
{
    size_t count = 0;

    for (size_t i = 0; i < CTL_LIMIT_SESSIONS; i++)
        count += sessions->sessions[i].open;
    return count;
}
