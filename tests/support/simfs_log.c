/* The log of a run, and the disks that a power cut could leave of it. */
#include "tests/support/simfs_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one thing done to a disk */

static size_t torn_len(size_t len, enum simfs_tear tear)
{
    switch (tear) {
    case SIMFS_FIRST_BYTE:
        return len < 1 ? len : 1;
    case SIMFS_HALF:
        return len / 2;
    case SIMFS_ALL_BUT_ONE:
        return len < 1 ? 0 : len - 1;
    default:
        return len;
    }
}

static void apply_write(struct simfs_node *file, const struct simfs_op *op, enum simfs_tear tear)
{
    const struct simfs_blob *old = file->content;
    size_t len = torn_len(op->bytes->len, tear), end = op->offset + len;
    struct cs_slice none = CS_SLICE_EMPTY;
    struct simfs_blob *made;

    if (tear == SIMFS_WHOLE && op->offset == 0 && old->len <= len) {
        simfs_blob_unref(file->content);
        file->content = simfs_blob_ref(op->bytes);
        return;
    }
    size_t total = end > old->len ? end : old->len;
    uint8_t *bytes = simfs_alloc(total + 1);

    memcpy(bytes, old->bytes, old->len);
    if (tear == SIMFS_ZEROS)
        memset(bytes + op->offset, 0, len);
    else
        memcpy(bytes + op->offset, op->bytes->bytes, len);
    made = simfs_blob(total > 0 ? cs_slice(bytes, total) : none);
    free(bytes);
    simfs_blob_unref(file->content);
    file->content = made;
}

static void apply_truncate(struct simfs_node *file, uint64_t len)
{
    uint8_t *bytes = simfs_alloc(len + 1);
    const struct simfs_blob *old = file->content;

    memcpy(bytes, old->bytes, old->len < len ? old->len : len);
    struct simfs_blob *made = simfs_blob(cs_slice(bytes, len));

    free(bytes);
    simfs_blob_unref(file->content);
    file->content = made;
}

void simfs_apply(struct simfs_disk *disk, const struct simfs_op *op, enum simfs_tear tear)
{
    struct simfs_node *node = op->kind == SIMFS_OP_MARK ? NULL : &disk->nodes[op->node];

    switch (op->kind) {
    case SIMFS_OP_ENTRY:
        simfs_entry_set(node, op->name, op->target);
        break;
    case SIMFS_OP_RENAME:
        simfs_entry_set(node, op->name, SIMFS_NONE);
        simfs_entry_set(&disk->nodes[op->to_node], op->to_name, op->target);
        break;
    case SIMFS_OP_WRITE:
        apply_write(node, op, tear);
        break;
    case SIMFS_OP_TRUNCATE:
        apply_truncate(node, op->offset);
        break;
    case SIMFS_OP_LOOK:
        node->mode = op->mode;
        node->uid = op->uid;
        node->gid = op->gid;
        break;
    case SIMFS_OP_SYNC:
    case SIMFS_OP_MARK:
        break;
    }
}

/* ---- the log */

struct simfs_trace *simfs_trace_new(const struct simfs_disk *base)
{
    struct simfs_trace *trace = simfs_alloc(sizeof *trace);

    trace->base = simfs_disk_copy(base);
    return trace;
}

void simfs_trace_free(struct simfs_trace *trace)
{
    if (!trace)
        return;
    for (size_t i = 0; i < trace->op_count; i++)
        simfs_blob_unref(trace->ops[i].bytes);
    for (size_t i = 0; i < trace->born_count; i++)
        simfs_blob_unref(trace->born[i].content);
    simfs_disk_free(trace->base);
    free(trace->born);
    free(trace->ops);
    free(trace);
}

void simfs_log_born(struct simfs_trace *trace, const struct simfs_node *node)
{
    trace->born = simfs_room(trace->born, trace->born_count, &trace->born_room, sizeof *trace->born);
    trace->born[trace->born_count++] = *node;
    simfs_blob_ref(node->content);
}

/* A rename between folders is durable with the new entry: file systems keep the two together. */
static bool syncs(simfs_id synced, const struct simfs_op *op)
{
    switch (op->kind) {
    case SIMFS_OP_RENAME:
        return op->to_node == synced;
    case SIMFS_OP_SYNC:
    case SIMFS_OP_MARK:
        return false;
    default:
        return op->node == synced;
    }
}

void simfs_log(struct simfs_trace *trace, const struct simfs_op *op)
{
    size_t at = trace->op_count;

    for (size_t i = 0; op->kind == SIMFS_OP_SYNC && i < at; i++)
        if (trace->ops[i].durable_at == SIZE_MAX && syncs(op->node, &trace->ops[i]))
            trace->ops[i].durable_at = at;
    trace->ops = simfs_room(trace->ops, at, &trace->op_room, sizeof *trace->ops);
    trace->ops[at] = *op;
    trace->ops[at].durable_at = SIZE_MAX;
    simfs_blob_ref(op->bytes);
    trace->op_count++;
}

static struct simfs_disk *base_with_born(const struct simfs_trace *trace)
{
    struct simfs_disk *disk = simfs_disk_copy(trace->base);

    for (size_t i = 0; i < trace->born_count; i++)
        simfs_node_add(disk, &trace->born[i]);
    return disk;
}

struct simfs_disk *simfs_trace_end(const struct simfs_trace *trace)
{
    struct simfs_disk *disk = base_with_born(trace);

    for (size_t i = 0; i < trace->op_count; i++)
        simfs_apply(disk, &trace->ops[i], SIMFS_WHOLE);
    struct simfs_disk *tidy = simfs_disk_tidy(disk);

    simfs_disk_free(disk);
    return tidy;
}

/* ---- cuts */

enum { PENDING = 64 };

struct cutting {
    const struct simfs_trace *trace;
    struct simfs_disk *durable; /* what is certain */
    size_t pending[PENDING];
    struct simfs_cut cut;
    void (*on_disk)(void *data, const struct simfs_disk *disk, const struct simfs_cut *cut);
    void *data;
};

static void make(struct cutting *cutting, uint64_t kept, int torn, enum simfs_tear tear)
{
    struct simfs_disk *disk = simfs_disk_copy(cutting->durable);

    for (size_t i = 0; i < cutting->cut.pending_count; i++)
        if (kept & (UINT64_C(1) << i))
            simfs_apply(disk, &cutting->trace->ops[cutting->pending[i]], (int)i == torn ? tear : SIMFS_WHOLE);
    cutting->cut.kept = kept;
    cutting->cut.torn = torn;
    cutting->cut.how_torn = tear;
    cutting->on_disk(cutting->data, disk, &cutting->cut);
    simfs_disk_free(disk);
}

static void reach(const struct simfs_disk *disk, const struct cutting *cutting, simfs_id id, bool *reached)
{
    const struct simfs_node *node = &disk->nodes[id];

    if (reached[id])
        return;
    reached[id] = true;
    for (size_t i = 0; i < node->entry_count; i++)
        reach(disk, cutting, node->entries[i].node, reached);
    for (size_t i = 0; i < cutting->cut.pending_count; i++) {
        const struct simfs_op *op = &cutting->trace->ops[cutting->pending[i]];

        if (op->kind == SIMFS_OP_ENTRY && op->node == id && op->target != SIMFS_NONE)
            reach(disk, cutting, op->target, reached);
        if (op->kind == SIMFS_OP_RENAME && op->to_node == id)
            reach(disk, cutting, op->target, reached);
    }
}

/* What happened to files and folders that are surely gone is not worth a subset. */
static void drop_unreachable(struct cutting *cutting)
{
    bool *reached = simfs_alloc(cutting->durable->count * sizeof *reached);
    size_t kept = 0;

    reach(cutting->durable, cutting, SIMFS_TOP, reached);
    for (size_t i = 0; i < cutting->cut.pending_count; i++)
        if (reached[cutting->trace->ops[cutting->pending[i]].node])
            cutting->pending[kept++] = cutting->pending[i];
    cutting->cut.pending_count = kept;
    free(reached);
}

static void find_pending(struct cutting *cutting)
{
    cutting->cut.pending_count = 0;
    for (size_t i = 0; i < cutting->cut.at; i++) {
        const struct simfs_op *op = &cutting->trace->ops[i];

        if (op->kind == SIMFS_OP_MARK || op->kind == SIMFS_OP_SYNC || op->durable_at < cutting->cut.at)
            continue;
        cs_assert(cutting->cut.pending_count < PENDING);
        cutting->pending[cutting->cut.pending_count++] = i;
    }
    drop_unreachable(cutting);
}

static uint64_t first_bits(size_t count)
{
    return count == 0 ? 0 : UINT64_MAX >> (64 - count);
}

/* Those that keep everything in `must`: the others were made before it was done. */
static void lose_subsets(struct cutting *cutting, unsigned all_subsets, uint64_t must)
{
    size_t count = cutting->cut.pending_count;
    const uint64_t one = 1, all = first_bits(count);

    if (count <= all_subsets) {
        for (uint64_t kept = 0; kept <= all; kept++)
            if ((kept & must) == must)
                make(cutting, kept, -1, SIMFS_WHOLE);
        return;
    }
    for (size_t i = 0; i <= count; i++) {
        if ((first_bits(i) & must) == must)
            make(cutting, first_bits(i), -1, SIMFS_WHOLE);
        make(cutting, i < count ? must | one << i : must, -1, SIMFS_WHOLE);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = i; k < count; k++)
            if (!(must & (one << i | one << k)))
                make(cutting, all & ~(one << i | one << k), -1, SIMFS_WHOLE);
}

/* Each write that is pending, in part: with all that came beside it, and with what came before it. */
static void tear_writes(struct cutting *cutting, uint64_t must)
{
    size_t count = cutting->cut.pending_count;

    for (size_t i = 0; i < count; i++) {
        if (cutting->trace->ops[cutting->pending[i]].kind != SIMFS_OP_WRITE)
            continue;
        for (int tear = SIMFS_WHOLE + 1; tear < SIMFS_TEARS; tear++) {
            make(cutting, first_bits(count), (int)i, (enum simfs_tear)tear);
            if ((first_bits(i + 1) & must) == must && i + 1 < count)
                make(cutting, first_bits(i + 1), (int)i, (enum simfs_tear)tear);
        }
    }
}

/* Applied anew from the base, in the order of the log: a sync may overtake what came before. */
static void find_durable(struct cutting *cutting)
{
    size_t at = cutting->cut.at;

    simfs_disk_free(cutting->durable);
    cutting->durable = base_with_born(cutting->trace);
    for (size_t i = 0; i < at; i++)
        if (cutting->trace->ops[i].durable_at < at)
            simfs_apply(cutting->durable, &cutting->trace->ops[i], SIMFS_WHOLE);
}

static void cut_at(struct cutting *cutting, size_t at, size_t first, unsigned all_subsets)
{
    const struct simfs_op *last = at > 0 ? &cutting->trace->ops[at - 1] : NULL;
    size_t pending_before = cutting->cut.pending_count;
    uint64_t must = 0;

    cutting->cut.at = at;
    if (last && last->kind == SIMFS_OP_SYNC)
        find_durable(cutting);
    if (at < first)
        return;
    find_pending(cutting);
    /* What a sync leaves was among the subsets already, if those were all. */
    if (at > first && last && last->kind == SIMFS_OP_SYNC && pending_before <= all_subsets)
        return;
    if (at > first && last && last->kind != SIMFS_OP_SYNC && last->kind != SIMFS_OP_MARK) {
        size_t count = cutting->cut.pending_count;

        if (count == 0 || cutting->pending[count - 1] != at - 1)
            return; /* done to what is gone */
        must = UINT64_C(1) << (count - 1);
    }
    lose_subsets(cutting, all_subsets, must);
    tear_writes(cutting, must);
}

void simfs_cuts(const struct simfs_trace *trace, size_t first, unsigned all_subsets,
                void (*on_disk)(void *data, const struct simfs_disk *disk, const struct simfs_cut *cut),
                void *data)
{
    struct cutting cutting = {.trace = trace, .on_disk = on_disk, .data = data};

    cutting.durable = base_with_born(trace);
    cutting.cut = (struct simfs_cut){.trace = trace, .pending = cutting.pending};
    for (size_t at = 0; at <= trace->op_count; at++)
        cut_at(&cutting, at, first, all_subsets);
    simfs_disk_free(cutting.durable);
}

int simfs_cut_mark(const struct simfs_cut *cut, int least, int most)
{
    for (size_t i = cut->at; i > 0; i--) {
        const struct simfs_op *op = &cut->trace->ops[i - 1];

        if (op->kind == SIMFS_OP_MARK && op->mark >= least && op->mark <= most)
            return op->mark;
    }
    return 0;
}

bool simfs_cut_lost_nothing(const struct simfs_cut *cut)
{
    return cut->torn < 0 && cut->kept == first_bits(cut->pending_count);
}

/* ---- for people */

static void describe_op(const struct simfs_op *op, char *out, size_t size)
{
    const char *name = simfs_name_text(op->name), *to = simfs_name_text(op->to_name);

    switch (op->kind) {
    case SIMFS_OP_ENTRY:
        snprintf(out, size, "%s %s in #%u", op->target == SIMFS_NONE ? "remove" : "make", name,
                 (unsigned)op->node);
        break;
    case SIMFS_OP_RENAME:
        snprintf(out, size, "rename %s to %s", name, to);
        break;
    case SIMFS_OP_WRITE:
        snprintf(out, size, "write %zu to #%u", op->bytes->len, (unsigned)op->node);
        break;
    case SIMFS_OP_TRUNCATE:
        snprintf(out, size, "truncate #%u", (unsigned)op->node);
        break;
    case SIMFS_OP_LOOK:
        snprintf(out, size, "look %o of #%u", op->mode, (unsigned)op->node);
        break;
    case SIMFS_OP_SYNC:
        snprintf(out, size, "sync #%u", (unsigned)op->node);
        break;
    case SIMFS_OP_MARK:
        snprintf(out, size, "mark %d", op->mark);
        break;
    }
}

void simfs_cut_describe(const struct simfs_cut *cut, char *out, size_t size)
{
    static const char *const tears[SIMFS_TEARS] = {"", "its first byte", "half", "all but a byte", "zeros"};
    char one[128] = "the start";
    size_t used;

    if (cut->at > 0)
        describe_op(&cut->trace->ops[cut->at - 1], one, sizeof one);
    used = (size_t)snprintf(out, size, "cut after %zu of %zu (%s);", cut->at, cut->trace->op_count, one);
    for (size_t i = 0; i < cut->pending_count && used < size; i++) {
        bool kept = (cut->kept & (UINT64_C(1) << i)) != 0;

        describe_op(&cut->trace->ops[cut->pending[i]], one, sizeof one);
        used += (size_t)snprintf(out + used, size - used, " %s %s%s%s;", kept ? "kept" : "lost", one,
                                 (int)i == cut->torn ? " torn to " : "",
                                 (int)i == cut->torn ? tears[cut->how_torn] : "");
    }
}
