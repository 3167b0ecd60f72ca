/* config.h - the agent's configuration file: one [agent] section and one [connector "NAME"] for each app
 * connector. Reads the file; what is wrong is an error with file and line and what is allowed. */
#ifndef AG_CONFIG_H
#define AG_CONFIG_H

#include "agent/core/connector.h"
#include "shared/base/err.h"
#include "shared/base/log.h"

struct ag_address {
    char host[256];
    uint16_t port;
};

struct ag_config {
    struct ag_address controller; /* port 0: not set */
    struct ag_address enrolment;
    char state[256];
    char server_name[128];
    enum cs_log_format log_format;
    enum cs_log_level log_level;
    uint32_t keepalive_s;
    uint32_t backoff_base_s, backoff_max_s;
    uint32_t check_s; /* between two looks at what is installed; 0: never */
    unsigned generations_kept;
    struct ag_connectors connectors;
};

#define AG_CONFIG_PATH "/etc/countersign/agent.conf"

CS_MUST_USE int ag_config_load(const char *path, struct ag_config *ret, struct cs_err *err);
void ag_config_free(struct ag_config *config);

#endif
