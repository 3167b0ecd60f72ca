/* outbox.h - signed statements that the controller has not acknowledged, in the order of their sequence. In
 * memory only: final reports are in the state, and come back from there after a restart; others are made
 * again. */
#ifndef AG_OUTBOX_H
#define AG_OUTBOX_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/list.h"

#include <stdint.h>

struct ag_letter {
    struct cs_list node;
    uint64_t sequence;
    bool final; /* ends an order */
    uint8_t order_id[16];
    struct cs_buf envelope;
};

struct ag_outbox {
    struct cs_list letters;
    size_t count;
};

void ag_outbox_init(struct ag_outbox *outbox);
void ag_outbox_free(struct ag_outbox *outbox);
/* Takes the envelope. A full outbox drops the oldest letter that is not final, and the oldest if all are. A
 * letter with this sequence is replaced. */
CS_MUST_USE int ag_outbox_add(struct ag_outbox *outbox, uint64_t sequence, bool final,
                              const uint8_t order_id[16], struct cs_buf *envelope, struct cs_err *err);
/* Takes a letter out: the caller frees it with ag_letter_free(). NULL if there is none with this sequence. */
struct ag_letter *ag_outbox_take(struct ag_outbox *outbox, uint64_t sequence);
/* Frees every letter with this sequence or a lower one. */
void ag_outbox_drop_until(struct ag_outbox *outbox, uint64_t sequence);
void ag_letter_free(struct ag_letter *letter);

#endif
