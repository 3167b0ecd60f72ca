/* nginx.h - a real nginx that serves one certificate on 127.0.0.1, with all that it writes in one folder.
 * Failing ends the test. */
#ifndef CS_TESTS_NGINX_H
#define CS_TESTS_NGINX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NGINX "/usr/sbin/nginx"

struct nginx {
    pid_t pid; /* of the master, a child of the test */
    uint16_t port;
    char folder[128], config[160], pid_file[160];
};

/* False where this machine has none: it is said. */
bool nginx_is_here(void);
/* Serves `certificate` and `key`, which are there. Returns once it listens. */
void nginx_start(struct nginx *nginx, const char *folder, const char *certificate, const char *key);
/* From now on another pair, as people would do it: by its configuration. */
void nginx_serve(struct nginx *nginx, const char *certificate, const char *key);
void nginx_stop(struct nginx *nginx);

#endif
