/* pairing_service.c - how the key of a browser comes to an admin's client: the part of SessionService. */
#include "controller/api/session_impl.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

#include <stdio.h>

static struct ctl_pairings *pairings_of(const struct cs_call *call)
{
    return ctl_sign_in_pairings(ctl_session_shard(call)->sign_in);
}

static const struct cs_policy *policy_of(const struct ctl_shard *shard)
{
    return shard->trust ? shard->trust->policy : NULL;
}

/* ---- the link is made */

static struct ctl_pairing_wish wish_of(const struct ctl_session_change *change)
{
    return (struct ctl_pairing_wish){
        .operator= change->info.operator,
        .authentication_digest = cs_digest_slice(&change->authentication),
        .expires_s = change->expires_s,
    };
}

/* Only now is it there. */
static void on_created(struct ctl_task *task)
{
    struct ctl_session_change *change = CS_CONTAINER_OF(task, struct ctl_session_change, task);
    countersign_v1_CreatePairingResponse reply = countersign_v1_CreatePairingResponse_init_zero;
    const struct ctl_pairing_wish wish = wish_of(change);
    int code = task->command.code;

    if (change->call) {
        cs_call_set_data(change->call, NULL);
        if (code == CS_OK)
            code = ctl_pairings_create(ctl_sign_in_pairings(task->shard->sign_in), policy_of(task->shard),
                                       &wish, ctl_shard_now_s(task->shard), &task->command.err);
        ctl_session_answer(change->call, countersign_v1_CreatePairingResponse_fields, &reply, code,
                           &task->command.err);
    }
    free(change);
}

static int begin_creating(struct cs_call *call, const struct ctl_caller *caller,
                          const countersign_v1_CreatePairingRequest *request, struct cs_err *err)
{
    struct ctl_shard *shard = ctl_session_shard(call);
    struct ctl_pairing_wish wish = {
        .operator= request->operator,
        .authentication_digest = CS_PB_BYTES(&request->authentication_digest),
        .expires_s = request->expires_at_s,
    };
    struct ctl_session_change *change;
    char when[CS_TIME_TEXT_BYTES];
    int code;

    if (!shard->shared->config->console)
        return cs_err_set(
            err, CS_ESTATE,
            "this controller serves no console, so there is no page that a link could open: write "
            "`console = yes` into its configuration");
    code = ctl_pairings_check(pairings_of(call), policy_of(shard), &wish, ctl_shard_now_s(shard), err);
    if (code != CS_OK)
        return code;
    change = calloc(1, sizeof *change);
    if (!change)
        return cs_err_nomem(err);
    snprintf(change->info.operator, sizeof change->info.operator, "%s", request->operator);
    memcpy(change->authentication.bytes, request->authentication_digest.bytes,
           sizeof change->authentication.bytes);
    change->expires_s = request->expires_at_s;
    snprintf(change->detail, sizeof change->detail, "until %s", cs_time_text(request->expires_at_s, when));
    change->body = (struct ctl_operator_event){.operator= change->info.operator, .detail = change->detail };
    code = ctl_session_submit(call, change, CTL_CREATE_PAIRING, caller, on_created, err);
    if (code != CS_OK)
        free(change);
    return code;
}

static void create_pairing(struct cs_call *call, struct cs_slice message)
{
    countersign_v1_CreatePairingRequest request;
    struct ctl_caller caller;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    if (code == CS_OK)
        code = cs_message_decode(countersign_v1_CreatePairingRequest_fields, message, &request,
                                 "CreatePairing", &err);
    if (code == CS_OK)
        code = begin_creating(call, &caller, &request, &err);
    if (code != CS_OK)
        cs_call_fail(call, &err);
}

/* ---- a browser follows it */

static void say_paired(struct cs_call *call, const char *operator, int code, struct cs_err *err)
{
    countersign_v1_PairResponse reply = countersign_v1_PairResponse_init_zero;

    snprintf(reply.operator, sizeof reply.operator, "%s", operator);
    ctl_session_answer(call, countersign_v1_PairResponse_fields, &reply, code, err);
}

/* It can be read from now on. Where this fails the same key may come again. */
static void on_paired(struct ctl_task *task)
{
    struct ctl_session_change *change = CS_CONTAINER_OF(task, struct ctl_session_change, task);

    if (task->command.code == CS_OK) {
        ctl_pairings_record(ctl_sign_in_pairings(task->shard->sign_in), &change->authentication);
        cs_log(CS_LOG_INFO, "session", "browser paired", CS_F("operator", change->info.operator),
               CS_F("key", change->detail), CS_F("peer", change->info.peer), CS_FEND);
    }
    if (change->call) {
        cs_call_set_data(change->call, NULL);
        say_paired(change->call, change->info.operator, task->command.code, &task->command.err);
    }
    free(change);
}

static int begin_pairing(struct cs_call *call, const countersign_v1_PairRequest *request, struct cs_err *err)
{
    struct ctl_shard *shard = ctl_session_shard(call);
    const struct ctl_pairing_answer answer = {
        .authentication = CS_PB_BYTES(&request->authentication),
        .spki = CS_PB_BYTES(&request->spki),
        .binding_mac = CS_PB_BYTES(&request->binding_mac),
    };
    const struct ctl_pairing *pairing;
    struct ctl_caller actor = {.is_administrator = false};
    struct ctl_session_change *change;
    struct cs_digest key_id;
    int code = ctl_pairings_pair(pairings_of(call), policy_of(shard), &answer, ctl_shard_now_s(shard),
                                 &pairing, err);

    if (code != CS_OK)
        return code;
    if (pairing->is_recorded) {
        say_paired(call, pairing->operator, CS_OK, err);
        return CS_OK;
    }
    change = calloc(1, sizeof *change);
    if (!change)
        return cs_err_nomem(err);
    key_id = cs_key_id(answer.spki);
    cs_hex(cs_digest_slice(&key_id), change->detail);
    change->authentication = pairing->authentication;
    snprintf(change->info.operator, sizeof change->info.operator, "%s", pairing->operator);
    snprintf(change->info.peer, sizeof change->info.peer, "%s", cs_call_peer(call)->address);
    memcpy(actor.operator, change->info.operator, sizeof actor.operator);
    change->body = (struct ctl_operator_event){.operator= change->info.operator, .detail = change->detail };
    code = ctl_session_submit(call, change, CTL_PAIR, &actor, on_paired, err);
    if (code != CS_OK)
        free(change);
    return code;
}

static void pair(struct cs_call *call, struct cs_slice message)
{
    const char *peer = cs_call_peer(call)->address;
    countersign_v1_PairRequest request;
    struct cs_err err;
    int code = CS_OK;

    if (!ctl_sign_in_may_pair(ctl_session_shard(call)->sign_in, peer))
        code = cs_err_set(&err, CS_EFULL,
                          "too many links were followed from this address: try again in a second");
    if (code == CS_OK)
        code = cs_message_decode(countersign_v1_PairRequest_fields, message, &request, "Pair", &err);
    if (code == CS_OK)
        code = begin_pairing(call, &request, &err);
    if (code == CS_OK)
        return;
    if (err.code != CS_EFULL)
        cs_log(CS_LOG_WARN, "session", "pairing refused", CS_F("peer", peer), CS_F("error", err.msg),
               CS_FEND);
    cs_call_fail(call, &err);
}

/* ---- the admin's client reads it */

static void get_pairing(struct cs_call *call, struct cs_slice message)
{
    countersign_v1_GetPairingResponse reply = countersign_v1_GetPairingResponse_init_zero;
    const struct ctl_pairing *pairing;
    countersign_v1_GetPairingRequest request;
    struct ctl_caller caller;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    if (code == CS_OK)
        code =
            cs_message_decode(countersign_v1_GetPairingRequest_fields, message, &request, "GetPairing", &err);
    if (code == CS_OK)
        code = ctl_pairings_get(pairings_of(call), CS_PB_BYTES(&request.authentication_digest),
                                ctl_shard_now_s(ctl_session_shard(call)), &pairing, &err);
    if (code == CS_OK) {
        snprintf(reply.operator, sizeof reply.operator, "%s", pairing->operator);
        if (pairing->is_recorded) {
            CS_PB_SET(&reply.spki, CS_SLICE_ARRAY(pairing->spki));
            CS_PB_SET(&reply.binding_mac, cs_digest_slice(&pairing->mac));
        }
    }
    ctl_session_answer(call, countersign_v1_GetPairingResponse_fields, &reply, code, &err);
}

const struct cs_call_handler ctl_create_pairing_handler = {.on_message = create_pairing,
                                                           .on_end = ctl_session_change_on_end},
                             ctl_pair_handler = {.on_message = pair, .on_end = ctl_session_change_on_end},
                             ctl_get_pairing_handler = {.on_message = get_pairing};
