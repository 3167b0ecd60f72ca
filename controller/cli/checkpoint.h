/* checkpoint.h - signed ends of the controller's audit as clients keep them: a line each, and what two of
 * them say about the controller. Pure. proto/README.md, "The audit".
 *
 *   57 9f3c…d1 2026-11-23T14:00:00Z CjdhcHBsaWNhdGlvbi92bmQu…
 *
 * Revision, hash and time stand there for people; they must be those of the envelope behind them. */
#ifndef CTL_CLI_CHECKPOINT_H
#define CTL_CLI_CHECKPOINT_H

#include "shared/trust/envelope.h"

struct cli_checkpoint {
    uint64_t revision;
    struct cs_digest hash;
    int64_t made_at_s;
    uint8_t deployment_id[16];
    struct cs_buf envelope;
};

/* What the envelope says; nothing is believed yet. The caller owns *ret on success (cli_checkpoint_free). */
CS_MUST_USE int cli_checkpoint_open(struct cs_slice envelope, struct cli_checkpoint *ret, struct cs_err *err);
/* CS_EAUTH unless one of the keys signed it. */
CS_MUST_USE int cli_checkpoint_check(const struct cli_checkpoint *checkpoint, const struct cs_keyring *keys,
                                     struct cs_err *err);
void cli_checkpoint_free(struct cli_checkpoint *checkpoint);
/* Appends the line, with its newline. */
CS_MUST_USE int cli_checkpoint_write(const struct cli_checkpoint *checkpoint, struct cs_buf *out);

struct cli_checkpoints {
    struct cli_checkpoint *list;
    size_t count, capacity;
};
/* Appends those of a file's text. A line without its newline is one that was being written when the machine
 * stopped: passed over. Any other line that is none is CS_EPARSE, named by `where` and its number. */
CS_MUST_USE int cli_checkpoints_parse(struct cs_slice text, const char *where, struct cli_checkpoints *ret,
                                      struct cs_err *err);
void cli_checkpoints_free(struct cli_checkpoints *checkpoints);

/* The highest revision of this deployment; 0: none. */
uint64_t cli_checkpoints_newest(const struct cli_checkpoints *kept, const uint8_t deployment_id[16]);
/* CS_ECORRUPT, with what happened, when a new one cannot be true beside those that were kept: it has another
 * hash for a revision that is known, or a revision below `newest_before`, the highest that was kept when this
 * one was asked for. *ret_known: revision and hash are there already. */
CS_MUST_USE int cli_checkpoints_compare(const struct cli_checkpoints *kept, uint64_t newest_before,
                                        const struct cli_checkpoint *fresh, bool *ret_known,
                                        struct cs_err *err);

#endif
