/* config.h - what countersignd is told: one INI file, read once at the start.
 * Reads the file, touches nothing else. Every key has a default; an unknown section or key, a key given
 * twice, or a value that is not allowed is an error that names file, line and what is allowed. Start at the
 * table of keys in config.c: it is also the reference. */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H

#include "controller/core/settings.h"
#include "controller/limits.h"
#include "controller/uids.h"
#include "shared/base/err.h"
#include "shared/base/log.h"

#include <stdio.h>

struct ctl_address {
    char ip[46]; /* IPv4 or IPv6, without brackets */
    uint16_t port;
};

/* TLS on the operators' listener. AUTO: unless the address is of this machine alone. */
enum ctl_operators_tls { CTL_OPERATORS_TLS_AUTO, CTL_OPERATORS_TLS_ON, CTL_OPERATORS_TLS_OFF };

struct ctl_config {
    char state[CTL_LIMIT_PATH_BYTES];
    char kek[CTL_LIMIT_PATH_BYTES]; /* key-encryption key; by default STATE/keys/kek */
    char admin_socket[CTL_LIMIT_SOCKET_PATH_BYTES];
    struct ctl_address agents, enrolment;
    uint32_t shards;
    uint32_t max_connections;  /* of agents, all shards together */
    int64_t identity_life_s;   /* of the certificates that devices get */
    uint32_t enrolments_per_s; /* from one address */
    struct ctl_settings settings;
    uint32_t keepalive_s;
    uint32_t drain_s;
    char crls[CTL_LIMIT_PATH_BYTES]; /* folder that is watched; empty: none */
    char crl_urls[CTL_LIMIT_CRL_URLS][CTL_LIMIT_PATH_BYTES];
    size_t crl_url_count;
    int64_t crls_every_s;
    bool has_operators; /* the operators' listener; all that follows of it only then */
    struct ctl_address operators;
    enum ctl_operators_tls operators_tls;             /* after parsing: ON or OFF */
    char operators_certificate[CTL_LIMIT_PATH_BYTES]; /* PEM files; empty: the deployment's own */
    char operators_key[CTL_LIMIT_PATH_BYTES];
    int64_t session_idle_s, session_life_s;
    bool console;                  /* the operators' listener serves the console's pages, too */
    bool open_metrics;             /* /metrics without a session also where there is TLS */
    uint32_t metrics_certificates; /* with series of their own */
    struct ctl_uids uids;          /* whom users of this machine may call as, on the admin socket */
    enum cs_log_format log_format;
    enum cs_log_level log_level;
};

/* `path` NULL: the defaults alone. */
CS_MUST_USE int ctl_config_load(const char *path, struct ctl_config *ret, struct cs_err *err);
/* The same from text; `name` stands for the file in errors. */
CS_MUST_USE int ctl_config_parse(const char *text, const char *name, struct ctl_config *ret,
                                 struct cs_err *err);
/* Every key with its meaning and default, for --help. */
void ctl_config_describe(FILE *out);

/* "127.0.0.1:7443" or "[::1]:7443"; false if it is neither. Port 0 lets the system choose. */
bool ctl_address_parse(const char *text, struct ctl_address *ret);
/* "[::1]:7443"; `out` has room for CTL_ADDRESS_TEXT_BYTES. Returns out. */
enum { CTL_ADDRESS_TEXT_BYTES = 64 };
char *ctl_address_text(const struct ctl_address *address, char *out);

#endif
