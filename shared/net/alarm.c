/* A pairing heap: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap: a new form of self-adjusting heap",
 * 1986. */
#include "shared/net/alarm.h"

static struct cs_alarm *meld(struct cs_alarm *a, struct cs_alarm *b)
{
    struct cs_alarm *first, *second;

    if (!a || !b)
        return a ? a : b;
    first = b->at_ms < a->at_ms ? b : a;
    second = first == a ? b : a;
    second->sibling = first->child;
    if (first->child)
        first->child->before = second;
    second->before = first;
    first->child = second;
    return first;
}

/* Two passes, as a loop: the depth of the recursion would be the peer's to choose. */
static struct cs_alarm *meld_siblings(struct cs_alarm *list)
{
    struct cs_alarm *pairs = NULL, *root = NULL;

    while (list) {
        struct cs_alarm *a = list, *b = a->sibling, *pair;

        list = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b)
            b->sibling = NULL;
        pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct cs_alarm *rest = pairs->sibling;

        pairs->sibling = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void set_root(struct cs_alarms *alarms, struct cs_alarm *root)
{
    alarms->root = root;
    if (root)
        root->before = root;
}

void cs_alarm_clear(struct cs_alarms *alarms, struct cs_alarm *alarm)
{
    struct cs_alarm *orphans;

    if (!cs_alarm_is_set(alarm))
        return;
    orphans = meld_siblings(alarm->child);
    if (alarms->root == alarm) {
        set_root(alarms, orphans);
    } else {
        if (alarm->before->child == alarm)
            alarm->before->child = alarm->sibling;
        else
            alarm->before->sibling = alarm->sibling;
        if (alarm->sibling)
            alarm->sibling->before = alarm->before;
        set_root(alarms, meld(alarms->root, orphans));
    }
    alarm->child = alarm->sibling = alarm->before = NULL;
}

void cs_alarm_set(struct cs_alarms *alarms, struct cs_alarm *alarm, uint64_t at_ms,
                  void (*ring)(struct cs_alarm *alarm))
{
    cs_alarm_clear(alarms, alarm);
    alarm->at_ms = at_ms;
    alarm->ring = ring;
    set_root(alarms, meld(alarms->root, alarm));
}

void cs_alarms_run(struct cs_alarms *alarms, uint64_t now_ms)
{
    alarms->now_ms = now_ms;
    while (alarms->root && alarms->root->at_ms <= now_ms) {
        struct cs_alarm *due = alarms->root;

        cs_alarm_clear(alarms, due);
        due->ring(due);
    }
}
