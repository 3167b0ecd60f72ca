/* signed.h - what the writes that carry an operator's statement have in common: the envelope is verified on
 * the shard, under the newest policy, before the core sees it. */
#ifndef CTL_API_SIGNED_H
#define CTL_API_SIGNED_H

#include "controller/api/unary.h"

/* CS_ESTATE before the first policy. */
CS_MUST_USE int ctl_signed_needs_policy(const struct ctl_op *op, struct cs_err *err);
/* The statement's own author is the actor of the audit, and where it is known who calls, the caller: else
 * CS_EDENIED. */
CS_MUST_USE int ctl_signed_name(struct ctl_op *op, const char *name, struct cs_err *err);
/* Verifies against the operators' keys of op->trust. CS_ESTATE before the first policy. */
CS_MUST_USE int ctl_signed_verify(const struct ctl_op *op, struct cs_slice wire, enum cs_statement_kind kind,
                                  struct cs_verified *ret, struct cs_err *err);
/* Signed by a key of `name`, who has the role (ROLE_UNSPECIFIED: any), and named so. */
CS_MUST_USE int ctl_signed_by(struct ctl_op *op, const struct cs_verified *verified, const char *name,
                              countersign_v1_Role role, struct cs_err *err);
/* The comment is text, and the one whose digest was signed. */
CS_MUST_USE int ctl_signed_comment(const char *comment, struct cs_slice digest, struct cs_err *err);

#endif
