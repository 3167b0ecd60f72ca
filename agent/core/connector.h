/* connector.h - the app connectors that are declared in this device's configuration: one place each where an
 * application reads its certificate. Plain data, filled by config.c; decide and plan only read it.
 * No path and no command here ever comes over the wire. */
#ifndef AG_CORE_CONNECTOR_H
#define AG_CORE_CONNECTOR_H

#include "agent/core/limits.h"

#include <stdbool.h>
#include <stddef.h>

struct ag_connector {
    char name[CS_LIMIT_NAME_BYTES + 1];
    char application[32]; /* a word for people: "nginx", "file" */
    /* Absolute; the agent keeps symbolic links there. `bundle` (chain and key in one file) may be NULL. */
    char *certificate, *key, *bundle;
    /* Of the files that hold the private key: names or numbers, NULL: as the agent runs. */
    char *owner, *group;
    unsigned key_mode;
    bool adopt; /* a file that is there already may be replaced; it is kept beside */
    char *reload[AG_LIMIT_ARGUMENTS + 1]; /* argument list, NULL at its end; empty: nothing to reload */
    unsigned reload_timeout_s;
};

struct ag_connectors {
    struct ag_connector *items;
    size_t count;
};

/* NULL if none has the name. */
const struct ag_connector *ag_connectors_find(const struct ag_connectors *connectors, const char *name);
void ag_connectors_free(struct ag_connectors *connectors);

/* Splits `text` on blanks into `argv` (own copies): "…" and '…' keep blanks, \ takes the next character as it
 * is outside '…'. Nothing is expanded: no shell is ever asked. False when a quote stays open, or there are
 * too many arguments. */
bool ag_arguments_split(const char *text, char *argv[AG_LIMIT_ARGUMENTS + 1]);

#endif
