#include "controller/api/signed.h"

#include "shared/base/text.h"

#include <stdio.h>

int ctl_signed_needs_policy(const struct ctl_op *op, struct cs_err *err)
{
    if (!op->trust)
        return cs_err_set(err, CS_ESTATE, "this controller has no trust policy yet: publish one first");
    return CS_OK;
}

int ctl_signed_name(struct ctl_op *op, const char *name, struct cs_err *err)
{
    const char *caller = op->caller.operator;

    if (*caller && strcmp(caller, name) != 0)
        return cs_err_set(err, CS_EDENIED, "the statement is signed by %s, and %s calls: whoever signs calls",
                          name, caller);
    snprintf(op->task.command.actor.name, sizeof op->task.command.actor.name, "%s", name);
    return CS_OK;
}

int ctl_signed_verify(const struct ctl_op *op, struct cs_slice wire, enum cs_statement_kind kind,
                      struct cs_verified *ret, struct cs_err *err)
{
    int code = ctl_signed_needs_policy(op, err);

    return code == CS_OK ? cs_envelope_verify(wire, kind, &op->trust->operators, ret, err) : code;
}

int ctl_signed_by(struct ctl_op *op, const struct cs_verified *verified, const char *name,
                  countersign_v1_Role role, struct cs_err *err)
{
    countersign_v1_KeyKind kind;
    int code = cs_policy_check_signer(op->trust->policy, verified, name, role, &kind, err);

    return code == CS_OK ? ctl_signed_name(op, name, err) : code;
}

int ctl_signed_comment(const char *comment, struct cs_slice digest, struct cs_err *err)
{
    struct cs_slice text = cs_slice_str(comment);
    struct cs_digest actual = cs_sha256(text);
    int code = cs_text_check(text, CS_LIMIT_COMMENT_BYTES, "the comment", err);

    if (code == CS_OK && !cs_slice_eq(cs_digest_slice(&actual), digest))
        code = cs_err_set(err, CS_EINVAL, "the comment is not the one that was signed");
    return code;
}
