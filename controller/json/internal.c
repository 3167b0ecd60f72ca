#include "controller/json/internal.h"

#include "shared/base/buf.h"
#include "shared/base/utf8.h"

#include <stdio.h>

struct json_place json_place_at(const struct json_place *up, const struct ctl_json_field *field, long index)
{
    return (struct json_place){up, field, index, up->depth + 1};
}

/* From the outermost inwards; what does not fit is cut, which only a hand-made table can reach. */
static void append_place(const struct json_place *place, char *out, size_t room)
{
    size_t used;

    if (!place->up)
        return;
    append_place(place->up, out, room);
    used = strlen(out);
    snprintf(out + used, room - used, "%s%s", used ? "." : "", place->field->json_name);
    used = strlen(out);
    if (place->index >= 0)
        snprintf(out + used, room - used, "[%ld]", place->index);
}

int json_refuse(const struct json_place *place, struct cs_err *err, const char *format, ...)
{
    char where[128] = "";
    va_list args;

    va_start(args, format);
    cs_err_setv(err, CS_EINVAL, format, args);
    va_end(args);
    append_place(place, where, sizeof where);
    if (err && where[0])
        cs_err_prefix(err, "%s", where);
    return CS_EINVAL;
}

int json_check_size(const struct json_place *place, size_t size, struct cs_err *err)
{
    if (size > place->field->most_bytes)
        return json_refuse(place, err, "%zu bytes; at most %u are allowed", size, place->field->most_bytes);
    return CS_OK;
}

int json_check_count(const struct json_place *place, size_t count, struct cs_err *err)
{
    if (count > place->field->most_count)
        return json_refuse(place, err, "%zu of them; at most %u are allowed", count,
                           place->field->most_count);
    return CS_OK;
}

int json_check_depth(const struct json_place *place, struct cs_err *err)
{
    if (place->depth > CTL_JSON_MOST_DEPTH)
        return json_refuse(place, err, "messages inside of messages more than %d deep", CTL_JSON_MOST_DEPTH);
    return CS_OK;
}

int json_check_text(const struct json_place *place, struct cs_slice text, struct cs_err *err)
{
    while (text.len) {
        size_t size = cs_utf8_char(text);

        if (size == 0)
            return json_refuse(place, err, "the text is not UTF-8");
        if (text.ptr[0] == 0)
            return json_refuse(place, err, "the text has the character U+0000: take it out");
        text = cs_slice_from(text, size);
    }
    return CS_OK;
}

/* ---- memory */

/* Before each block, so that freeing knows what to overwrite; keeps the block aligned for any type. */
struct block {
    _Alignas(16) size_t size;
};

static void *wiping_malloc(void *ctx, size_t size)
{
    struct block *block = size <= SIZE_MAX - sizeof *block ? malloc(sizeof *block + size) : NULL;

    (void)ctx;
    if (!block)
        return NULL;
    block->size = size;
    return block + 1;
}

static void wiping_free(void *ctx, void *ptr)
{
    struct block *block = ptr;

    (void)ctx;
    if (!ptr)
        return;
    block--;
    cs_wipe(ptr, block->size);
    free(block);
}

static void *wiping_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    void *moved = wiping_malloc(ctx, size);

    if (!moved)
        return NULL;
    memcpy(moved, ptr, old_size < size ? old_size : size);
    wiping_free(ctx, ptr);
    return moved;
}

const yyjson_alc json_wiping_memory = {wiping_malloc, wiping_realloc, wiping_free, NULL};
