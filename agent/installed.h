/* installed.h - what is really installed where the applications read it: notices what people change on the
 * device by hand. A look costs a stat of each file; only what changed since the last look is read. Writes
 * nothing. Part of the device (device.h). */
#ifndef AG_INSTALLED_H
#define AG_INSTALLED_H

#include "agent/core/state.h"
#include "agent/port/port.h"

struct ag_config;

/* A chain's digest, of something else a digest that is no chain's here; or nothing. */
struct ag_content {
    bool is_there;
    struct cs_digest digest;
    const char *remark; /* why it is not as it should be; NULL: it is. A constant. */
};

/* What the application was last seen to serve. */
enum ag_serves { AG_SERVES_UNKNOWN, AG_SERVES_IT, AG_SERVES_OTHER, AG_SERVES_NOTHING };

struct ag_installed_one {
    uint64_t generation; /* that was installed at the last look; another one: look anew */
    bool looked, failed;
    struct ag_stamp stamps[AG_FILE_COUNT];
    struct ag_content found, told; /* now; and as the controller last heard it */
    enum ag_serves serves;
};

struct ag_installed {
    struct ag_installed_one *ones; /* as the configuration has its connectors; NULL: no look was taken */
    size_t count;
};

/* Looks at each connector at which something of ours is installed. True: something is not as it was told. */
CS_MUST_USE int ag_installed_look(struct ag_installed *installed, const struct ag_config *config,
                                  const struct ag_state *state, struct ag_port *port, bool *ret_news,
                                  struct cs_err *err);
/* What connector `index` was seen to serve. True: this is not as it was told. */
bool ag_installed_serves(struct ag_installed *installed, size_t index, enum ag_serves serves);
/* What to tell of connector `index`: what was found there, or what the state says where no look was taken. */
struct ag_content ag_installed_content(const struct ag_installed *installed, size_t index,
                                       const struct ag_connector_state *state);
/* The controller hears now what was found. */
void ag_installed_told(struct ag_installed *installed);
/* A report tells of a connector, too, by the journal alone: what is there may be something else. */
void ag_installed_reported(struct ag_installed *installed, const struct ag_config *config,
                           const char *connector, struct cs_slice digest);
void ag_installed_free(struct ag_installed *installed);

#endif
