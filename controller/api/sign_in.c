#include "controller/api/sign_in.h"

#include "controller/fleet/rate.h"
#include "shared/base/log.h"

#include <stdio.h>

enum { OPENINGS_PER_S = 5, CHALLENGES_PER_S = 20, PAIRINGS_PER_S = 5 };

struct ctl_sign_in {
    struct ctl_shard *shard;
    struct ctl_sessions *sessions;
    struct ctl_pairings *pairings;
    struct ctl_rate openings, challenges, pairs;
};

/* The end of a session on its way into the audit. */
struct end {
    struct ctl_task task;
    struct ctl_operator_event body;
    char operator[CS_LIMIT_NAME_BYTES + 1];
    char why[64];
};

static void on_noted(struct ctl_task *task)
{
    struct end *end = CS_CONTAINER_OF(task, struct end, task);

    if (task->command.code != CS_OK)
        cs_log(CS_LOG_WARN, "session", "the end of a session is not in the audit",
               CS_F("operator", end->operator), CS_F("error", task->command.err.msg), CS_FEND);
    free(end);
}

static void on_ended(void *owner, const struct ctl_session_info *session, const char *why)
{
    struct ctl_sign_in *sign_in = owner;
    struct end *end = calloc(1, sizeof *end);
    struct cs_err err;

    cs_log(CS_LOG_INFO, "session", "closed", CS_F("operator", session->operator), CS_F("peer", session->peer),
           CS_F("why", why), CS_FEND);
    if (!end)
        return;
    snprintf(end->operator, sizeof end->operator, "%s", session->operator);
    snprintf(end->why, sizeof end->why, "%s", why);
    end->body = (struct ctl_operator_event){.operator= end->operator, .detail = end->why };
    end->task.command.kind = CTL_CLOSE_SESSION;
    end->task.command.body = &end->body;
    snprintf(end->task.command.actor.name, sizeof end->task.command.actor.name, "%s", session->operator);
    snprintf(end->task.command.actor.peer, sizeof end->task.command.actor.peer, "%s", session->peer);
    end->task.on_done = on_noted;
    if (ctl_shard_submit(sign_in->shard, &end->task, &err) != CS_OK)
        free(end);
}

int ctl_sign_in_new(struct ctl_shard *shard, struct ctl_sign_in **ret, struct cs_err *err)
{
    struct ctl_sign_in *sign_in = calloc(1, sizeof *sign_in);
    const struct ctl_sessions_options options = {
        .idle_s = shard->shared->config->session_idle_s,
        .life_s = shard->shared->config->session_life_s,
        .on_ended = on_ended,
        .owner = sign_in,
    };
    int code;

    if (!sign_in)
        return cs_err_nomem(err);
    sign_in->shard = shard;
    code = ctl_sessions_new(&options, &sign_in->sessions, err);
    if (code == CS_OK)
        code = ctl_pairings_new(&sign_in->pairings, err);
    if (code == CS_OK)
        *ret = sign_in;
    else
        ctl_sign_in_free(sign_in);
    return code;
}

void ctl_sign_in_free(struct ctl_sign_in *sign_in)
{
    if (!sign_in)
        return;
    ctl_sessions_free(sign_in->sessions);
    ctl_pairings_free(sign_in->pairings);
    free(sign_in);
}

struct ctl_sessions *ctl_sign_in_sessions(struct ctl_sign_in *sign_in)
{
    return sign_in->sessions;
}

struct ctl_pairings *ctl_sign_in_pairings(struct ctl_sign_in *sign_in)
{
    return sign_in->pairings;
}

bool ctl_sign_in_may_open(struct ctl_sign_in *sign_in, const char *peer)
{
    return ctl_rate_take(&sign_in->openings, peer, OPENINGS_PER_S, ctl_shard_now_ms(sign_in->shard));
}

bool ctl_sign_in_may_ask(struct ctl_sign_in *sign_in, const char *peer)
{
    return ctl_rate_take(&sign_in->challenges, peer, CHALLENGES_PER_S, ctl_shard_now_ms(sign_in->shard));
}

bool ctl_sign_in_may_pair(struct ctl_sign_in *sign_in, const char *peer)
{
    return ctl_rate_take(&sign_in->pairs, peer, PAIRINGS_PER_S, ctl_shard_now_ms(sign_in->shard));
}

void ctl_sign_in_sweep(struct ctl_sign_in *sign_in)
{
    const struct ctl_trust *trust;

    if (!sign_in)
        return;
    trust = sign_in->shard->trust;
    ctl_sessions_sweep(sign_in->sessions, trust ? cs_policy_body(trust->policy) : NULL,
                       ctl_shard_now_s(sign_in->shard));
}
