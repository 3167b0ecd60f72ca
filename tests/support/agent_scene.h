/* agent_scene.h - one device in the field: the real agent program in a temporary folder, with the
 * configuration that the test writes, and a controller of the tests that it is enrolled with. Failing ends
 * the test. */
#ifndef CS_TESTS_AGENT_SCENE_H
#define CS_TESTS_AGENT_SCENE_H

#include "tests/support/fake_controller.h"

#include <sys/types.h>

struct agent_scene {
    struct deployment d;
    struct fake_controller *controller;
    const char *program; /* COUNTERSIGN_AGENT names another one than that of this build */
    char folder[64], config[96], state[96];
    uint8_t device_id[16], kem_spki[CS_SPKI_BYTES];
    pid_t pid;       /* of the agent that runs; 0: none */
    uint64_t number; /* of the last push, and its generation */
};

/* Folder, deployment and controller. */
void agent_scene_begin(struct agent_scene *scene);
/* Ends an agent that runs with SIGTERM, which has to end well. */
void agent_scene_end(struct agent_scene *scene);

/* Writes the configuration: the two addresses, the state folder and short waits; then this, which begins
 * with more keys of [agent]. */
void agent_scene_configure(struct agent_scene *scene, const char *format, ...) CS_PRINTF(2, 3);
void agent_scene_enrol(struct agent_scene *scene);

void agent_scene_start(struct agent_scene *scene);
/* Its wait status. */
int agent_scene_kill(struct agent_scene *scene, int signal);
bool agent_scene_is_alive(struct agent_scene *scene);
/* `countersign-agent -c CONFIG COMMAND`, up to its end. */
int agent_scene_run(struct agent_scene *scene, const char *command);

/* Decided now, and given to the controller. The caller frees it. */
struct delivery_story *agent_scene_push(struct agent_scene *scene);
/* The same, with another action, whose fields the caller fills in. */
struct delivery_story *agent_scene_prepare(struct agent_scene *scene);
void agent_scene_submit(struct agent_scene *scene, struct delivery_story *story);
const uint8_t *agent_scene_order(const struct delivery_story *story);
/* Up to its final report, at most half a minute. */
void agent_scene_wait(struct agent_scene *scene, const struct delivery_story *story,
                      struct fake_reports *ret);
/* The same for a push that has to be completed. */
void agent_scene_install(struct agent_scene *scene, struct delivery_story **ret);

/* Writes a file of the scene's folder. */
void agent_scene_write(struct agent_scene *scene, const char *name, const char *text, mode_t mode);
/* FOLDER/name, in one of a few places that are used in turn. */
const char *agent_scene_path(const struct agent_scene *scene, const char *name);
/* What the file has, nothing where it is not there; the caller frees it. */
struct cs_buf agent_scene_read(const char *path);
void agent_scene_show_log(const struct agent_scene *scene);

/* Two files are a whole pair; its leaf as SHA-256 of the DER. */
bool agent_scene_pair(const char *certificate, const char *key, struct cs_digest *ret_leaf,
                      struct cs_err *err);
struct cs_digest agent_scene_leaf(const struct delivery_story *story);

#endif
