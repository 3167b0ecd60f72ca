#include "controller/cli/ask.h"

#include "controller/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static bool never;

void cli_ask_never(void)
{
    never = true;
}

static int open_terminal(const char *otherwise, struct cs_err *err)
{
    int fd = never ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        cs_err_set(err, CS_ESTATE, "there is no terminal to ask at: %s", otherwise);
    return fd;
}

bool cli_ask_possible(void)
{
    int fd = isatty(STDIN_FILENO) ? open_terminal("", NULL) : -1;

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int read_line(int fd, struct cs_buf *out, struct cs_err *err)
{
    /* Reserved once, so that a passphrase leaves no copies behind. */
    if (cs_buf_reserve(out, LINE_MAX_BYTES) != CS_OK)
        return cs_err_nomem(err);
    for (size_t taken = 0; taken < LINE_MAX_BYTES;) {
        uint8_t c;
        ssize_t got = read(fd, &c, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 && taken == 0)
            return cs_err_set(err, CS_ECANCELLED, "no answer was given");
        if (got <= 0 || c == '\n')
            return CS_OK;
        out->ptr[out->len++] = c;
        taken++;
    }
    return cs_err_set(err, CS_ETOOBIG, "the answer is longer than %d bytes", LINE_MAX_BYTES);
}

int cli_ask_line(const char *question, const char *otherwise, struct cs_buf *out, struct cs_err *err)
{
    int fd = open_terminal(otherwise, err);
    int rc;

    if (fd < 0)
        return CS_ESTATE;
    dprintf(fd, "%s ", question);
    rc = read_line(fd, out, err);
    close(fd);
    return rc;
}

int cli_ask_yes(const char *question, const char *otherwise, struct cs_err *err)
{
    struct cs_buf answer = CS_BUF_EMPTY;
    char full[256];
    bool yes;
    int rc;

    snprintf(full, sizeof full, "%s [y/N]", question);
    rc = cli_ask_line(full, otherwise, &answer, err);
    yes = cs_slice_eq_str(cs_buf_slice(&answer), "y") || cs_slice_eq_str(cs_buf_slice(&answer), "yes");
    cs_buf_free(&answer);
    if (rc == CS_OK && !yes)
        return cs_err_set(err, CS_ECANCELLED, "nothing was signed or sent: the answer was not yes");
    return rc;
}

/* The signals of the keyboard wait until the echo is on again. */
static int read_silently(int fd, const char *question, struct cs_buf *out, struct cs_err *err)
{
    struct termios before, silent;
    sigset_t keyboard, old;
    int rc;

    if (tcgetattr(fd, &before) != 0)
        return cs_err_set(err, CS_EIO, "the terminal cannot be switched to silent: give --passphrase-file");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    sigemptyset(&keyboard);
    sigaddset(&keyboard, SIGINT);
    sigaddset(&keyboard, SIGQUIT);
    sigaddset(&keyboard, SIGTSTP);
    sigprocmask(SIG_BLOCK, &keyboard, &old);
    silent.c_lflag &= ~(tcflag_t)ISIG;
    tcsetattr(fd, TCSAFLUSH, &silent);
    /* Asked once the echo is off: whoever types at the first letter of the question is not seen, and loses
     * nothing. */
    dprintf(fd, "%s ", question);
    rc = read_line(fd, out, err);
    tcsetattr(fd, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &old, NULL);
    dprintf(fd, "\n");
    /* With the signals off, Ctrl-C arrives as a character. */
    if (rc == CS_OK && out->len && memchr(out->ptr, 3, out->len))
        return cs_err_set(err, CS_ECANCELLED, "cancelled at the keyboard");
    return rc;
}

static int passphrase_from_file(const char *file, struct cs_buf *out, struct cs_err *err)
{
    const uint8_t *end;
    int rc = cli_file_read(file, LINE_MAX_BYTES, out, err);

    if (rc != CS_OK)
        return rc;
    end = memchr(out->ptr, '\n', out->len);
    if (end)
        out->len = (size_t)(end - out->ptr);
    if (out->len == 0)
        return cs_err_set(err, CS_EINVAL, "the first line of %s, the passphrase, is empty", file);
    return CS_OK;
}

int cli_ask_passphrase(const char *of_what, const char *file, bool again, struct cs_buf *out,
                       struct cs_err *err)
{
    struct cs_buf repeated = CS_BUF_EMPTY;
    char question[256];
    int fd, rc;

    if (file)
        return passphrase_from_file(file, out, err);
    fd = open_terminal("give --passphrase-file FILE, or --no-passphrase where there is one", err);
    if (fd < 0)
        return CS_ESTATE;
    snprintf(question, sizeof question, "Passphrase for %s:", of_what);
    rc = read_silently(fd, question, out, err);
    if (rc == CS_OK && again && out->len == 0)
        rc = cs_err_set(err, CS_EINVAL, "an empty passphrase protects nothing: give one, or --no-passphrase");
    if (rc == CS_OK && again) {
        rc = read_silently(fd, "The same again:", &repeated, err);
        if (rc == CS_OK && !cs_slice_eq_secret(cs_buf_slice(out), cs_buf_slice(&repeated)))
            rc = cs_err_set(err, CS_EINVAL, "the two passphrases differ: nothing was written");
    }
    cs_buf_wipe(&repeated);
    close(fd);
    return rc;
}
