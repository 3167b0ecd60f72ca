#include "shared/net/call.h"

#include <stdio.h>

/* Some dozens of methods, found once a call: a walk through the table is quicker than anything clever. */
struct entry {
    const struct cs_method *methods;
    size_t count;
    void *service;
};

struct cs_registry {
    struct entry *entries;
    size_t count;
};

int cs_registry_new(struct cs_registry **ret, struct cs_err *err)
{
    struct cs_registry *registry = calloc(1, sizeof *registry);

    if (!registry)
        return cs_err_nomem(err);
    *ret = registry;
    return CS_OK;
}

static int check_method(const struct cs_registry *registry, const struct cs_method *method,
                        struct cs_err *err)
{
    char path[256];
    int length;

    cs_assert(method->service && method->name && method->handler);
    length = snprintf(path, sizeof path, "/%s/%s", method->service, method->name);
    if (length < 0 || (size_t)length >= sizeof path)
        return cs_err_set(err, CS_ETOOBIG, "registering %s: the name is too long", method->name);
    if (cs_registry_find(registry, cs_slice_str(path), NULL))
        return cs_err_set(err, CS_EEXISTS, "registering %s: it is registered already", path);
    return CS_OK;
}

int cs_registry_add(struct cs_registry *registry, const struct cs_method *methods, size_t count,
                    void *service, struct cs_err *err)
{
    struct entry *grown;

    for (size_t i = 0; i < count; i++) {
        int rc = check_method(registry, &methods[i], err);

        if (rc != CS_OK)
            return rc;
    }
    grown = realloc(registry->entries, (registry->count + 1) * sizeof *grown);
    if (!grown)
        return cs_err_nomem(err);
    registry->entries = grown;
    grown[registry->count++] = (struct entry){methods, count, service};
    return CS_OK;
}

static bool is_path_of(struct cs_slice path, const struct cs_method *method)
{
    size_t service_len = strlen(method->service), name_len = strlen(method->name);

    return path.len == service_len + name_len + 2 && path.ptr[0] == '/' && path.ptr[service_len + 1] == '/' &&
           memcmp(path.ptr + 1, method->service, service_len) == 0 &&
           memcmp(path.ptr + service_len + 2, method->name, name_len) == 0;
}

const struct cs_method *cs_registry_find(const struct cs_registry *registry, struct cs_slice path,
                                         void **ret_service)
{
    for (size_t i = 0; i < registry->count; i++) {
        const struct entry *entry = &registry->entries[i];

        for (size_t k = 0; k < entry->count; k++) {
            if (!is_path_of(path, &entry->methods[k]))
                continue;
            if (ret_service)
                *ret_service = entry->service;
            return &entry->methods[k];
        }
    }
    return NULL;
}

void cs_registry_each(const struct cs_registry *registry,
                      void (*on_method)(const struct cs_method *method, void *data), void *data)
{
    for (size_t i = 0; i < registry->count; i++)
        for (size_t k = 0; k < registry->entries[i].count; k++)
            on_method(&registry->entries[i].methods[k], data);
}

void cs_registry_free(struct cs_registry *registry)
{
    if (!registry)
        return;
    free(registry->entries);
    free(registry);
}
