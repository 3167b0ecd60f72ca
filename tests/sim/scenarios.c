#include "tests/sim/scenarios.h"

#include "shared/base/macros.h"

#include <errno.h>

/* The configuration's strings are not const. */
#define TEXT(text) ((char[]){text})
#define PATH(name) TEXT("/sim/etc/" name)
#define CHECK                                                                                                \
    {                                                                                                        \
        TEXT("check")                                                                                        \
    }
#define COMMAND                                                                                              \
    {                                                                                                        \
        .kind = AG_RELOAD_COMMAND, .argv = { TEXT("reload") }                                                \
    }
#define UNIT                                                                                                 \
    {                                                                                                        \
        .kind = AG_RELOAD_UNIT, .argv = { TEXT("reload") }                                                   \
    }
#define HAPROXY                                                                                              \
    {                                                                                                        \
        .kind = AG_RELOAD_HAPROXY, .address = TEXT("/run/admin.sock")                                        \
    }
#define SIGNAL                                                                                               \
    {                                                                                                        \
        .kind = AG_RELOAD_SIGNAL, .signal = 1, .pid_file = TEXT("/run/pid"), .program = TEXT("web")          \
    }
#define ADMIN                                                                                                \
    {                                                                                                        \
        .kind = AG_RELOAD_ADMIN, .address = TEXT("localhost:99"), .send = TEXT("reload")                     \
    }
#define PROBE                                                                                                \
    {                                                                                                        \
        .host = TEXT("localhost"), .port = 443                                                               \
    }
#define TIMEOUTS .validate_timeout_s = 5, .reload_timeout_s = 5, .probe_timeout_s = 1

const struct sim_connector sim_connectors[] = {
    {
        .says = "certificate and key, checked, reloaded, probed",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.pem")},
                      .key_mode = 0600,
                      .validate = CHECK,
                      .reload = COMMAND,
                      .probe = PROBE,
                      TIMEOUTS},
        .generations_kept = 3,
        .sweeps = true,
    },
    {
        .says = "intermediates in a file of their own, a unit, a group",
        .connector = {.name = "web",
                      .paths = {PATH("private/web.key"), PATH("web.pem"), PATH("chain.pem")},
                      .group = TEXT("77"),
                      .key_mode = 0640,
                      .validate = CHECK,
                      .reload = UNIT,
                      TIMEOUTS},
        .generations_kept = 1,
    },
    {
        .says = "a bundle, by a runtime socket, probed",
        .connector = {.name = "web",
                      .paths = {[AG_FILE_BUNDLE] = PATH("web.all")},
                      .key_mode = 0600,
                      .reload = HAPROXY,
                      .probe = PROBE,
                      TIMEOUTS},
        .generations_kept = 3,
    },
    {
        .says = "a bundle with its key first, a signal",
        .connector = {.name = "web",
                      .paths = {[AG_FILE_BUNDLE] = PATH("web.all")},
                      .key_first = true,
                      .owner = TEXT("77"),
                      .key_mode = 0400,
                      .reload = SIGNAL,
                      TIMEOUTS},
        .generations_kept = 1,
    },
    {
        .says = "all files, nothing to reload, probed",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.pem"), PATH("chain.pem"), PATH("private/web.all")},
                      .key_mode = 0600,
                      .probe = PROBE,
                      TIMEOUTS},
        .generations_kept = 3,
    },
    {
        .says = "DER, one line to a socket",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.der")},
                      .format = AG_FORMAT_DER,
                      .key_mode = 0600,
                      .reload = ADMIN,
                      TIMEOUTS},
        .generations_kept = 3,
    },
    {
        .says = "files, nothing asked of anybody",
        .connector = {.name = "web", .paths = {PATH("web.key"), PATH("web.pem")}, .key_mode = 0600, TIMEOUTS},
        .generations_kept = 2,
    },
    {
        .says = "copies, checked, reloaded, probed",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.pem")},
                      .placement = AG_PLACE_COPIES,
                      .key_mode = 0600,
                      .validate = CHECK,
                      .reload = COMMAND,
                      .probe = PROBE,
                      TIMEOUTS},
        .generations_kept = 3,
        .sweeps = true,
    },
    {
        .says = "copies of all files, nothing to reload",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.pem"), PATH("chain.pem"), PATH("private/web.all")},
                      .placement = AG_PLACE_COPIES,
                      .key_mode = 0640,
                      .group = TEXT("77"),
                      TIMEOUTS},
        .generations_kept = 1,
    },
    {
        .says = "files of before, adopted",
        .connector = {.name = "web",
                      .paths = {PATH("private/web.key"), PATH("web.pem")},
                      .key_mode = 0600,
                      .adopt = true,
                      .validate = CHECK,
                      .reload = COMMAND,
                      .probe = PROBE,
                      TIMEOUTS},
        .generations_kept = 3,
        .before = SIM_FILES,
    },
    {
        .says = "some files of before, adopted, with a bundle",
        .connector = {.name = "web",
                      .paths = {PATH("private/web.key"), PATH("web.pem"), NULL, PATH("web.all")},
                      .key_mode = 0600,
                      .adopt = true,
                      .reload = COMMAND,
                      TIMEOUTS},
        .generations_kept = 1,
        .before = SIM_SOME_FILES,
    },
    {
        .says = "links of before, adopted",
        .connector = {.name = "web",
                      .paths = {PATH("private/web.key"), PATH("web.pem")},
                      .key_mode = 0600,
                      .adopt = true,
                      .reload = COMMAND,
                      TIMEOUTS},
        .generations_kept = 3,
        .before = SIM_LINKS,
    },
    {
        .says = "copies over files of before, DER",
        .connector = {.name = "web",
                      .paths = {PATH("web.key"), PATH("web.der")},
                      .format = AG_FORMAT_DER,
                      .placement = AG_PLACE_COPIES,
                      .key_mode = 0600,
                      .adopt = true,
                      .reload = COMMAND,
                      TIMEOUTS},
        .generations_kept = 3,
        .before = SIM_FILES,
    },
};
const size_t sim_connector_count = CS_ARRAY_LEN(sim_connectors);

const struct sim_story sim_stories[] = {
    {.says = "the first install", .push = INSTALL_1, .next = INSTALL_2},
    {.says = "an install over another", .before = {INSTALL_1}, .push = INSTALL_2, .next = INSTALL_3},
    {.says = "a removal", .before = {INSTALL_1}, .push = REMOVE_2, .next = INSTALL_3},
    {.says = "an install after a removal",
     .before = {INSTALL_1, REMOVE_2},
     .push = INSTALL_3,
     .next = INSTALL_4},
    {.says = "a roll back",
     .before = {INSTALL_1, INSTALL_2},
     .push = ROLL_BACK_3,
     .next = INSTALL_4,
     .least_kept = 2},
};
const size_t sim_story_count = CS_ARRAY_LEN(sim_stories);

const struct sim_way sim_ways[] = {
    {.says = "all goes well"},
    {.says = "its check fails", .script = {.validate = "f"}, .wants_validate = true},
    {.says = "its check fails, and passes when put back",
     .script = {.validate = "fo"},
     .wants_validate = true},
    {.says = "its check takes too long", .script = {.validate = "t"}, .wants_validate = true},
    {.says = "the reload fails", .script = {.reload = "fo"}, .wants_reload = true},
    {.says = "the reload fails, and again when put back", .script = {.reload = "f"}, .wants_reload = true},
    {.says = "the reload takes too long", .script = {.reload = "to"}, .wants_reload = true},
    {.says = "nothing can be asked", .script = {.reload = "s"}, .wants_reload = true},
    {.says = "the old leaf is still served", .script = {.probe = "l"}, .wants_probe = true},
    {.says = "nothing is served", .script = {.probe = "f"}, .wants_probe = true},
    {.says = "no room once", .sweeps = true, .failure = {.error = ENOSPC}},
    {.says = "no room any more", .sweeps = true, .failure = {.error = ENOSPC, .for_good = true}},
    {.says = "no room once, and the reload fails",
     .script = {.reload = "fo"},
     .wants_reload = true,
     .sweeps = true,
     .failure = {.error = ENOSPC}},
    {.says = "no room once, and nothing is served",
     .script = {.probe = "fffffffo"},
     .wants_probe = true,
     .sweeps = true,
     .failure = {.error = ENOSPC}},
    {.says = "a disk that fails once", .sweeps = true, .failure = {.error = EIO}, .is_long = true},
    {.says = "a disk that fails once, and the reload",
     .script = {.reload = "fo"},
     .wants_reload = true,
     .sweeps = true,
     .failure = {.error = EIO}},
    {.says = "a disk that fails for good", .sweeps = true, .failure = {.error = EIO, .for_good = true}},
};
const size_t sim_way_count = CS_ARRAY_LEN(sim_ways);

const struct sim_recovery sim_recoveries[] = {
    {.says = "at boot, all goes well", .boots = true},
    {.says = "of the agent alone, all goes well"},
    {.says = "at boot, the reload fails", .boots = true, .script = {.reload = "fo"}, .wants_reload = true},
    {.says = "of the agent alone, all reloads fail", .script = {.reload = "f"}, .wants_reload = true},
    {.says = "at boot, nothing is served", .boots = true, .script = {.probe = "f"}, .wants_probe = true},
};
const size_t sim_recovery_count = CS_ARRAY_LEN(sim_recoveries);

static bool fits(const struct ag_connector *connector, bool wants_validate, bool wants_reload,
                 bool wants_probe)
{
    return (!wants_validate || connector->validate[0]) &&
           (!wants_reload || connector->reload.kind != AG_RELOAD_NONE) &&
           (!wants_probe || connector->probe.host);
}

bool sim_way_fits(const struct sim_way *way, const struct sim_connector *connector)
{
    return (!way->sweeps || connector->sweeps) &&
           fits(&connector->connector, way->wants_validate, way->wants_reload, way->wants_probe);
}

bool sim_removes(const struct sim_story *story)
{
    bool removes = story->push == REMOVE_2;

    for (size_t i = 0; i < SIM_MOST_BEFORE; i++)
        removes |= story->before[i] == REMOVE_2;
    return removes;
}

/* haproxy cannot be told that a certificate is gone. */
bool sim_story_fits(const struct sim_story *story, const struct sim_connector *connector)
{
    return connector->generations_kept >= story->least_kept &&
           !(sim_removes(story) && connector->connector.reload.kind == AG_RELOAD_HAPROXY);
}

bool sim_recovery_fits(const struct sim_recovery *recovery, const struct ag_connector *connector)
{
    return fits(connector, false, recovery->wants_reload, recovery->wants_probe);
}
