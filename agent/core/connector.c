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

static void free_list(char **list)
{
    for (; *list; list++) {
        free(*list);
        *list = NULL;
    }
}

void ag_connectors_free(struct ag_connectors *connectors)
{
    for (size_t i = 0; i < connectors->count; i++) {
        struct ag_connector *one = &connectors->items[i];

        for (size_t file = 0; file < AG_FILE_COUNT; file++)
            free(one->paths[file]);
        free(one->owner);
        free(one->group);
        free(one->run_as);
        free_list(one->names);
        free_list(one->validate);
        free_list(one->writes);
        ag_reload_clear(&one->reload);
        ag_probe_clear(&one->probe);
    }
    free(connectors->items);
    *connectors = (struct ag_connectors){0};
}

void ag_reload_clear(struct ag_reload *reload)
{
    free_list(reload->argv);
    free(reload->pid_file);
    free(reload->program);
    free(reload->address);
    free(reload->send);
    free(reload->expect);
    *reload = (struct ag_reload){0};
}

void ag_probe_clear(struct ag_probe *probe)
{
    free(probe->host);
    free(probe->server_name);
    *probe = (struct ag_probe){0};
}

const char *ag_file_leaf(const struct ag_connector *connector, enum ag_file file)
{
    static const char *const leaves[][AG_FILE_COUNT] = {
        [AG_FORMAT_PEM] = {"key.pem", "chain.pem", "intermediates.pem", "bundle.pem"},
        [AG_FORMAT_DER] = {"key.der", "leaf.der", "intermediates.pem", "bundle.pem"},
    };

    return leaves[connector->format][file];
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
