#include "tests/support/nginx.h"

#include "tests/support/check.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

bool nginx_is_here(void)
{
    bool is_here = access(NGINX, X_OK) == 0;

    if (!is_here)
        print_message(NGINX " is not here: skipped\n");
    return is_here;
}

/* One that was free a moment ago. */
static uint16_t find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return connected;
}

static void write_config(const struct nginx *nginx, const char *certificate, const char *key)
{
    static const char *const scratch[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    FILE *file = fopen(nginx->config, "w");

    assert_non_null(file);
    fprintf(file,
            "daemon off;\nworker_processes 1;\npid %s;\nerror_log %s/nginx.log;\nevents { }\nhttp {\n"
            "access_log off;\n",
            nginx->pid_file, nginx->folder);
    for (size_t i = 0; i < CS_ARRAY_LEN(scratch); i++)
        fprintf(file, "%s_temp_path %s/nginx-%s;\n", scratch[i], nginx->folder, scratch[i]);
    fprintf(file,
            "server { listen 127.0.0.1:%u ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %s; "
            "ssl_certificate_key %s; return 204; }\n}\n",
            (unsigned)nginx->port, certificate, key);
    assert_int_equal(fclose(file), 0);
}

void nginx_start(struct nginx *nginx, const char *folder, const char *certificate, const char *key)
{
    snprintf(nginx->config, sizeof nginx->config, "%s/nginx.conf", folder);
    snprintf(nginx->pid_file, sizeof nginx->pid_file, "%s/nginx.pid", folder);
    nginx->port = find_port();
    snprintf(nginx->folder, sizeof nginx->folder, "%s", folder);
    write_config(nginx, certificate, key);
    nginx->pid = fork();
    assert_true(nginx->pid >= 0);
    if (nginx->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(NGINX, "nginx", "-e", "/dev/null", "-c", nginx->config, (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 1000 && !answers(nginx->port); i++)
        usleep(10 * 1000);
    assert_true(answers(nginx->port));
}

void nginx_serve(struct nginx *nginx, const char *certificate, const char *key)
{
    write_config(nginx, certificate, key);
    assert_int_equal(kill(nginx->pid, SIGHUP), 0);
}

void nginx_stop(struct nginx *nginx)
{
    kill(nginx->pid, SIGTERM);
    assert_int_equal(waitpid(nginx->pid, NULL, 0), nginx->pid);
}
