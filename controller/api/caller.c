#include "controller/api/caller.h"

#include "controller/api/sign_in.h"

#include <stdio.h>

static const countersign_v1_TrustPolicy *newest_policy(const struct ctl_shard *shard)
{
    return shard->trust ? cs_policy_body(shard->trust->policy) : NULL;
}

static int by_socket(const struct cs_call *call, const struct ctl_shard *shard, struct ctl_caller *ret,
                     struct cs_err *err)
{
    struct cs_slice metadata = cs_call_metadata(call, CTL_CALLER_METADATA);
    char named[CS_LIMIT_NAME_BYTES + 2]; /* what is cut is too long for a name still */
    const struct ctl_local local = {
        .uids = &shard->shared->config->uids,
        .own_uid = shard->shared->own_uid,
        .peer_uid = cs_call_peer(call)->uid,
        .named = named,
    };

    snprintf(named, sizeof named, "%.*s",
             (int)(metadata.len < sizeof named ? metadata.len : sizeof named - 1),
             metadata.len ? (const char *)metadata.ptr : "");
    return ctl_access_local(&local, newest_policy(shard), ret, err);
}

void ctl_caller_cookie(const struct cs_call *call, struct ctl_cookie_call *ret)
{
    struct cs_slice header;

    *ret = (struct ctl_cookie_call){
        .tls = cs_call_peer(call)->kind == CS_PEER_TLS,
        .authority = cs_call_authority(call),
        .origin = cs_call_metadata(call, "origin"),
        .fetch_site = cs_call_metadata(call, "sec-fetch-site"),
    };
    for (size_t cursor = 0; cs_call_metadata_next(call, "cookie", &cursor, &header);)
        ctl_cookie_gather(ret, header);
}

int ctl_caller_token(const struct cs_call *call, uint8_t ret_token[CTL_TOKEN_BYTES], bool *ret_by_cookie,
                     struct cs_err *err)
{
    struct cs_slice authorization = cs_call_metadata(call, "authorization");
    struct ctl_cookie_call cookie;

    *ret_by_cookie = authorization.len == 0;
    if (authorization.len)
        return ctl_sessions_parse(authorization, ret_token, err);
    ctl_caller_cookie(call, &cookie);
    return ctl_cookie_token(&cookie, ret_token, err);
}

static int by_session(const struct cs_call *call, const struct ctl_shard *shard, struct ctl_caller *ret,
                      struct cs_err *err)
{
    const struct ctl_session_info *session;
    uint8_t token[CTL_TOKEN_BYTES];
    bool by_cookie;
    int code;

    if (!shard->sign_in)
        return cs_err_set(err, CS_EDENIED, "only operators may call %s", cs_call_method(call)->name);
    code = ctl_caller_token(call, token, &by_cookie, err);
    if (code == CS_OK)
        code = ctl_sessions_use(ctl_sign_in_sessions(shard->sign_in), newest_policy(shard), token, by_cookie,
                                ctl_shard_now_s(shard), &session, err);
    cs_wipe(token, sizeof token);
    if (code != CS_OK)
        return code;
    *ret = (struct ctl_caller){.is_administrator = false, .session = session->id};
    snprintf(ret->operator, sizeof ret->operator, "%s", session->operator);
    return CS_OK;
}

int ctl_caller_find(const struct cs_call *call, struct ctl_caller *ret, struct cs_err *err)
{
    const struct ctl_shard *shard = cs_call_service(call);

    return cs_call_peer(call)->kind == CS_PEER_UNIX ? by_socket(call, shard, ret, err)
                                                    : by_session(call, shard, ret, err);
}

int ctl_caller_check(const struct cs_call *call, struct ctl_caller *ret, struct cs_err *err)
{
    const struct ctl_shard *shard = cs_call_service(call);
    const struct cs_method *method = cs_call_method(call);
    int code;

    if (method->tag & CTL_MAY_STRANGERS) {
        *ret = (struct ctl_caller){.is_administrator = false};
        return CS_OK;
    }
    code = ctl_caller_find(call, ret, err);
    return code == CS_OK ? ctl_access_check(ret, newest_policy(shard), method->name, method->tag, err) : code;
}

void ctl_caller_actor(const struct ctl_caller *caller, const struct cs_peer *peer, struct ctl_actor *ret)
{
    if (caller->operator[0])
        snprintf(ret->name, sizeof ret->name, "%s", caller->operator);
    else if (peer->kind == CS_PEER_UNIX)
        snprintf(ret->name, sizeof ret->name, "uid:%u", peer->uid);
    snprintf(ret->peer, sizeof ret->peer, "%s", peer->address);
    ret->uid = peer->uid;
}
