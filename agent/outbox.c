#include "agent/outbox.h"

#include "agent/core/limits.h"

#define LETTER(at) CS_CONTAINER_OF(at, struct ag_letter, node)

void ag_outbox_init(struct ag_outbox *outbox)
{
    cs_list_init(&outbox->letters);
    outbox->count = 0;
}

void ag_letter_free(struct ag_letter *letter)
{
    if (!letter)
        return;
    cs_buf_free(&letter->envelope);
    free(letter);
}

void ag_outbox_free(struct ag_outbox *outbox)
{
    for (struct cs_list *node; (node = cs_list_pop(&outbox->letters));)
        ag_letter_free(LETTER(node));
    outbox->count = 0;
}

static void remove_letter(struct ag_outbox *outbox, struct ag_letter *letter)
{
    cs_list_remove(&letter->node);
    outbox->count--;
}

struct ag_letter *ag_outbox_take(struct ag_outbox *outbox, uint64_t sequence)
{
    CS_LIST_FOREACH(node, &outbox->letters)
    {
        struct ag_letter *letter = LETTER(node);

        if (letter->sequence != sequence)
            continue;
        remove_letter(outbox, letter);
        return letter;
    }
    return NULL;
}

void ag_outbox_drop_until(struct ag_outbox *outbox, uint64_t sequence)
{
    CS_LIST_FOREACH(node, &outbox->letters)
    {
        struct ag_letter *letter = LETTER(node);

        if (letter->sequence > sequence)
            return;
        remove_letter(outbox, letter);
        ag_letter_free(letter);
    }
}

static void make_room(struct ag_outbox *outbox)
{
    struct ag_letter *victim = LETTER(outbox->letters.next);

    CS_LIST_FOREACH(node, &outbox->letters)
    {
        if (LETTER(node)->final)
            continue;
        victim = LETTER(node);
        break;
    }
    remove_letter(outbox, victim);
    ag_letter_free(victim);
}

int ag_outbox_add(struct ag_outbox *outbox, uint64_t sequence, bool final, const uint8_t order_id[16],
                  struct cs_buf *envelope, struct cs_err *err)
{
    struct ag_letter *letter = calloc(1, sizeof *letter);

    if (!letter)
        return cs_err_nomem(err);
    ag_letter_free(ag_outbox_take(outbox, sequence));
    if (outbox->count == AG_LIMIT_STATEMENTS_WAITING)
        make_room(outbox);
    letter->sequence = sequence;
    letter->final = final;
    memcpy(letter->order_id, order_id, sizeof letter->order_id);
    letter->envelope = *envelope;
    *envelope = CS_BUF_EMPTY;
    struct cs_list *before = outbox->letters.prev;

    while (before != &outbox->letters && LETTER(before)->sequence > sequence)
        before = before->prev;
    cs_list_append(before->next, &letter->node);
    outbox->count++;
    return CS_OK;
}
