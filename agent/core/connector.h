/* connector.h - the app connectors that are declared in this device's configuration: one place each where an
 * application reads its certificate, how it is told, and how it is seen that it took it. Plain data, filled
 * by config.c from the configuration and the presets in connectors/; decide and plan only read it. No path
 * and no command here ever comes over the wire. */
#ifndef AG_CORE_CONNECTOR_H
#define AG_CORE_CONNECTOR_H

#include "agent/core/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an application may want to read, each in a file of its own. In the order in which they are written. */
enum ag_file {
    AG_FILE_KEY,           /* the private key, PKCS#8 */
    AG_FILE_CERTIFICATE,   /* the chain, leaf first; in DER the leaf alone */
    AG_FILE_INTERMEDIATES, /* the chain without its leaf; with none there is no such file */
    AG_FILE_BUNDLE,        /* chain and key in one, PEM */
    AG_FILE_COUNT
};

/* How the application's paths come to the files. Links switch all of them with one rename. Copies are for
 * applications that cannot follow links: they are replaced one by one, and made right after a power cut. */
enum ag_placement { AG_PLACE_LINKS, AG_PLACE_COPIES };

enum ag_format { AG_FORMAT_PEM, AG_FORMAT_DER }; /* of key and certificate: the rest is PEM */

enum ag_reload_kind {
    AG_RELOAD_NONE,
    AG_RELOAD_COMMAND, /* argv */
    AG_RELOAD_UNIT,    /* argv: systemctl reload NAME, or restart */
    AG_RELOAD_SIGNAL,  /* to the process that pid_file names, if it is the program */
    AG_RELOAD_HAPROXY, /* set and commit ssl cert at the runtime socket, with the content of the bundle */
    AG_RELOAD_ADMIN,   /* one line to a unix or TCP socket; the answer must contain a text */
};

struct ag_reload {
    enum ag_reload_kind kind;
    char *argv[AG_LIMIT_ARGUMENTS + 1]; /* NULL at its end */
    int signal;
    char *pid_file, *program; /* the program as /proc/PID/comm or the last part of its path names it */
    char *address;            /* "/path" of a unix socket, or "HOST:PORT" */
    char *send, *expect;      /* a line, without its end; expect NULL: whatever it answers */
};

enum ag_starttls { AG_STARTTLS_NONE, AG_STARTTLS_SMTP, AG_STARTTLS_IMAP };

/* Where the application serves its certificate; host NULL: nowhere, the files are all that can be seen. */
struct ag_probe {
    char *host;
    uint16_t port;
    char *server_name; /* NULL: none is sent */
    enum ag_starttls starttls;
};

struct ag_connector {
    char name[CS_LIMIT_NAME_BYTES + 1];
    char application[32]; /* a word for people: "nginx", "file" */
    /* Absolute; NULL: the application does not want it. A bundle, or both certificate and key, are there. */
    char *paths[AG_FILE_COUNT];
    enum ag_placement placement;
    enum ag_format format;
    bool key_first; /* in the bundle */
    /* Of the files that hold the private key: names or numbers, NULL: as the agent runs. */
    char *owner, *group;
    unsigned key_mode;
    bool adopt; /* files that are there already may be replaced by the first push; they are kept */
    /* What the certificate must be good for: each is one of its DNS names (a wildcard covers one label), IP
     * addresses, or, where it has neither, its common name. */
    char *names[AG_LIMIT_CONNECTOR_NAMES + 1];
    /* Argument lists; empty: nothing to ask. validate says whether the application would take its files. */
    char *validate[AG_LIMIT_ARGUMENTS + 1];
    struct ag_reload reload;
    struct ag_probe probe;
    char *run_as;       /* the user of validate and of a reload command; NULL: as the agent runs */
    unsigned processes; /* that a command may have, and what it leaves running */
    unsigned validate_timeout_s, reload_timeout_s, probe_timeout_s;
    /* Folders that validate and reload must be able to write, for the sandbox of the systemd unit. */
    char *writes[AG_LIMIT_CONNECTOR_WRITES + 1];
};

struct ag_connectors {
    struct ag_connector *items;
    size_t count;
};

/* NULL if none has the name. */
const struct ag_connector *ag_connectors_find(const struct ag_connectors *connectors, const char *name);
void ag_connectors_free(struct ag_connectors *connectors);
/* Frees what they hold, and leaves none. */
void ag_reload_clear(struct ag_reload *reload);
void ag_probe_clear(struct ag_probe *probe);

/* The name that a file has in a generation's folder: "key.pem", "chain.pem", "key.der", … */
const char *ag_file_leaf(const struct ag_connector *connector, enum ag_file file);
/* The private key is in it: it gets owner, group and key_mode. */
static inline bool ag_file_is_secret(enum ag_file file)
{
    return file == AG_FILE_KEY || file == AG_FILE_BUNDLE;
}

/* Splits `text` on blanks into `argv` (own copies): "…" and '…' keep blanks, \ takes the next character as it
 * is outside '…'. Nothing is expanded: no shell is ever asked. False when a quote stays open, or there are
 * too many arguments. */
bool ag_arguments_split(const char *text, char *argv[AG_LIMIT_ARGUMENTS + 1]);

#endif
