#include "agent/core/connector.h"

#include <stdlib.h>
#include <string.h>

const struct ag_connector *ag_connectors_find(const struct ag_connectors *connectors, const char *name)
{
    for (size_t i = 0; i < connectors->count; i++) {
        if (strcmp(connectors->items[i].name, name) == 0)
            return &connectors->items[i];
    }
    return NULL;
}

void ag_connectors_free(struct ag_connectors *connectors)
{
    for (size_t i = 0; i < connectors->count; i++) {
        struct ag_connector *one = &connectors->items[i];

        free(one->certificate);
        free(one->key);
        free(one->bundle);
        free(one->owner);
        free(one->group);
        for (char **argument = one->reload; *argument; argument++)
            free(*argument);
    }
    free(connectors->items);
    *connectors = (struct ag_connectors){0};
}

/* Takes one argument from *text into `out`, which has room for all of it. */
static bool take_argument(const char **text, char *out)
{
    const char *at = *text;
    char quote = '\0';

    for (; *at && (quote || (*at != ' ' && *at != '\t')); at++) {
        if (quote && *at == quote)
            quote = '\0';
        else if (!quote && (*at == '"' || *at == '\''))
            quote = *at;
        else if (*at == '\\' && quote != '\'' && at[1])
            *out++ = *++at;
        else
            *out++ = *at;
    }
    *out = '\0';
    *text = at;
    return quote == '\0';
}

bool ag_arguments_split(const char *text, char *argv[AG_LIMIT_ARGUMENTS + 1])
{
    size_t count = 0;

    argv[0] = NULL;
    for (;;) {
        text += strspn(text, " \t");
        if (*text == '\0')
            return true;
        char *argument = count < AG_LIMIT_ARGUMENTS ? malloc(strlen(text) + 1) : NULL;
        bool whole = argument && take_argument(&text, argument);

        if (!whole) {
            free(argument);
            while (count > 0)
                free(argv[--count]);
            argv[0] = NULL;
            return false;
        }
        argv[count++] = argument;
        argv[count] = NULL;
    }
}
