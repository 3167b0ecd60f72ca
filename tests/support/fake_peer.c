#include "tests/support/fake_peer.h"

#include "tests/support/check.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect(int fd, const char *text)
{
    char heard[16384];
    size_t len = 0;

    while (len < sizeof heard - 1) {
        ssize_t got = read(fd, heard + len, sizeof heard - 1 - len);

        if (got <= 0)
            break;
        len += (size_t)got;
        heard[len] = '\0';
        if (strstr(heard, text))
            return;
    }
    _exit(1);
}

static void flood(int fd, const char *text)
{
    while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
        ;
}

/* Until the other end goes. */
static void hang(int fd)
{
    char bytes[256];

    while (read(fd, bytes, sizeof bytes) > 0)
        ;
}

static void reset(int fd)
{
    const struct linger linger = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void follow(int fd, const struct fake_peer_step *steps)
{
    for (const struct fake_peer_step *step = steps; step->kind != FAKE_END; step++) {
        if (step->kind == FAKE_SEND)
            (void)!send(fd, step->text, step->len ? step->len : strlen(step->text), MSG_NOSIGNAL);
        else if (step->kind == FAKE_EXPECT)
            expect(fd, step->text);
        else if (step->kind == FAKE_FLOOD)
            flood(fd, step->text);
        else if (step->kind == FAKE_HANG)
            hang(fd);
        else if (step->kind == FAKE_DO)
            step->act(fd, step->data);
        else
            reset(fd);
    }
    close(fd);
}

static int listen_at(const char *path, uint16_t *ret_port)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof inet;
    int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (path) {
        assert_true(strlen(path) < sizeof local.sun_path);
        memcpy(local.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
    } else {
        assert_int_equal(bind(fd, (struct sockaddr *)&inet, sizeof inet), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&inet, &size), 0);
        *ret_port = ntohs(inet.sin_port);
    }
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static volatile sig_atomic_t is_over;

static void on_over(int number)
{
    (void)number;
    is_over = 1;
}

struct fake_peer fake_peer_start(const char *path, const struct fake_peer_step *steps)
{
    struct fake_peer peer = {0};
    int listener = listen_at(path, &peer.port);

    peer.pid = fork();
    assert_true(peer.pid >= 0);
    if (peer.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);                      /* a test that fails leaves nobody behind */
        const struct sigaction over = {.sa_handler = on_over}; /* interrupts accept() */

        sigaction(SIGTERM, &over, NULL);
        while (!is_over) {
            struct pollfd ready = {.fd = listener, .events = POLLIN};

            if (poll(&ready, 1, 50) == 1)
                follow(accept(listener, NULL, NULL), steps);
        }
        _exit(0);
    }
    close(listener);
    return peer;
}

bool fake_peer_stop(struct fake_peer *peer)
{
    int status = 0;

    kill(peer->pid, SIGTERM);
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
