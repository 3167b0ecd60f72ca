/* config_impl.h - what the files of config.h share: config.c has sections and [agent], config_connector.c
 * what a connector's section can say. */
#ifndef AG_CONFIG_IMPL_H
#define AG_CONFIG_IMPL_H

#include "agent/config.h"

struct ag_loading {
    const char *path;
    struct ag_config *config;
    struct ag_connector *connector; /* of the section that is being read */
    size_t keys;                    /* that the section has had */
    char section[CS_LIMIT_NAME_BYTES + 32];
    const char *preset; /* its name while its text is read */
    int line;
    struct cs_err *err;
};

/* The sentence with file and line before it, and the preset's name and its line while one is read. CS_EINVAL.
 */
int ag_config_wrong(struct ag_loading *loading, const char *format, ...) CS_PRINTF(2, 3);

CS_MUST_USE int ag_config_text(struct ag_loading *loading, const char *key, const char *value, char *out,
                               size_t size);
CS_MUST_USE int ag_config_seconds(struct ag_loading *loading, const char *key, const char *value,
                                  uint32_t least, uint32_t most, uint32_t *out);
/* HOST:PORT; the host, without the brackets of an IPv6 address, and the port. False: it is not. */
bool ag_config_host_port(const char *value, char *ret_host, size_t size, uint16_t *ret_port);

/* One `key = value` of a connector's section. */
CS_MUST_USE int ag_config_connector(struct ag_loading *loading, const char *key, const char *value);
/* The defaults of a new one. */
void ag_config_connector_begin(struct ag_connector *connector);
/* What must be there, and what goes together. */
CS_MUST_USE int ag_config_connector_check(const char *path, const struct ag_connector *connector,
                                          struct cs_err *err);

#endif
