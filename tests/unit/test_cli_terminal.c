/* The program at a terminal: it asks for passphrases silently, twice for a new one, and signs only after a
 * yes. */
#include "tests/support/check.h"
#include "tests/support/deployment.h"
#include "tests/support/folder.h"

#include "controller/cli/file.h"
#include "controller/cli/home.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 60, SEEN_BYTES = 64 * 1024 };

static char folder[64];
static const char secret[] = "correct horse";

/* One run of the program at a terminal of its own. */
struct terminal {
    int fd;
    pid_t pid;
    char seen[SEEN_BYTES];
    size_t len, from; /* what was expected already lies before `from` */
};

static int make_folder(void **state)
{
    struct cs_err err;

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_cli_terminal.XXXXXX");
    return mkdtemp(folder) && cs_crypto_init(&err) == CS_OK ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void start(struct terminal *terminal, const char *const *args)
{
    static char program[] = CS_TEST_BIN "/countersign";
    static char home[] = "--home";
    char *argv[16] = {program, home, folder};

    for (size_t i = 0; args[i]; i++)
        argv[3 + i] = strdup(args[i]);
    *terminal = (struct terminal){.fd = -1};
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, NULL);
    assert_true(terminal->pid >= 0);
    if (terminal->pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    for (size_t i = 3; argv[i]; i++)
        free(argv[i]);
}
#define START(terminal, ...) start((terminal), (const char *const[]){__VA_ARGS__, NULL})

/* Takes what comes; false when the other end is closed. */
static bool take_more(struct terminal *terminal, time_t end)
{
    struct pollfd ready = {.fd = terminal->fd, .events = POLLIN};
    time_t now = time(NULL);
    ssize_t got;

    if (now > end || poll(&ready, 1, (int)(end - now + 1) * 1000) <= 0)
        fail_msg("nothing more in time, after: %s", terminal->seen);
    got = read(terminal->fd, terminal->seen + terminal->len, sizeof terminal->seen - 1 - terminal->len);
    if (got <= 0)
        return false;
    terminal->len += (size_t)got;
    terminal->seen[terminal->len] = '\0';
    return true;
}

static void expect(struct terminal *terminal, const char *text)
{
    time_t end = time(NULL) + PATIENCE_S;
    const char *found;

    while (!(found = strstr(terminal->seen + terminal->from, text)))
        if (!take_more(terminal, end))
            fail_msg("the program ended before '%s': %s", text, terminal->seen);
    terminal->from = (size_t)(found - terminal->seen) + strlen(text);
}

static void type(struct terminal *terminal, const char *text)
{
    assert_int_equal(write(terminal->fd, text, strlen(text)), strlen(text));
}

/* The exit status; all that was seen stays in `seen`, and the secret is nowhere in it. */
static int finish(struct terminal *terminal)
{
    time_t end = time(NULL) + PATIENCE_S;
    struct termios now;
    int status;

    while (take_more(terminal, end))
        continue;
    assert_int_equal(tcgetattr(terminal->fd, &now), 0);
    assert_true(now.c_lflag & ECHO);
    assert_int_equal(waitpid(terminal->pid, &status, 0), terminal->pid);
    close(terminal->fd);
    if (strstr(terminal->seen, secret))
        fail_msg("the terminal showed the passphrase: %s", terminal->seen);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- new keys */

static int open_key(const char *path, const char *passphrase)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;
    int rc;

    check_ok(cli_file_read_secret(path, CS_LIMIT_PRIVATE_KEY_BYTES * 2, &pem, &err), err);
    assert_non_null(memmem(pem.ptr, pem.len, "BEGIN ENCRYPTED PRIVATE KEY", 27));
    rc = cs_key_parse(cs_buf_slice(&pem), cs_slice_str(passphrase), CS_KEY_SIGN, &key, &err);
    cs_buf_free(&pem);
    return rc;
}

static void a_new_key_takes_a_passphrase_said_twice(void **state)
{
    struct terminal terminal;

    (void)state;
    START(&terminal, "operator", "keygen", "alice");
    expect(&terminal, "Passphrase for ");
    type(&terminal, secret);
    type(&terminal, "\n");
    expect(&terminal, "The same again:");
    type(&terminal, secret);
    type(&terminal, "\n");
    expect(&terminal, "alice.pub");
    assert_int_equal(finish(&terminal), 0);
    check_code(open_key(in_folder("operators/alice.key"), secret), CS_OK);
    check_code(open_key(in_folder("operators/alice.key"), "correct hors"), CS_EAUTH);
    check_code(open_key(in_folder("operators/alice.key"), ""), CS_EDENIED);
}

static void no_key_is_written_without_a_passphrase_that_is_sure(void **state)
{
    static const struct {
        const char *first, *second, *says;
    } cases[] = {
        {"correct horse\n", "correct house\n", "the two passphrases differ: nothing was written"},
        {"correct horse\n", "\n", "the two passphrases differ: nothing was written"},
        {"\n", NULL, "an empty passphrase protects nothing"},
        {"\x03\n", NULL, "cancelled at the keyboard"},
        {"correct horse\n", "\x03\n", "cancelled at the keyboard"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct terminal terminal;

        START(&terminal, "operator", "keygen", "bob");
        expect(&terminal, "Passphrase for ");
        type(&terminal, cases[i].first);
        if (cases[i].second) {
            expect(&terminal, "The same again:");
            type(&terminal, cases[i].second);
        }
        expect(&terminal, cases[i].says);
        assert_int_equal(finish(&terminal), 1);
        assert_int_not_equal(access(in_folder("operators/bob.key"), F_OK), 0);
    }
}

static void without_a_terminal_it_says_what_to_give(void **state)
{
    char command[PATH_MAX + 128];

    (void)state;
    snprintf(command, sizeof command,
             "setsid -w " CS_TEST_BIN "/countersign --home %s operator keygen carol </dev/null 2>%s/said",
             folder, folder);
    assert_int_equal(WEXITSTATUS(system(command)), 2);
    snprintf(command, sizeof command, "grep -q -- '--passphrase-file FILE, or --no-passphrase' %s/said",
             folder);
    assert_int_equal(system(command), 0);
    assert_int_not_equal(access(in_folder("operators/carol.key"), F_OK), 0);
}

/* ---- signing */

/* A home with a pin, the first policy, an unsigned draft of the second, and the key of a root under the
 * passphrase. */
static void make_home(void)
{
    struct deployment d;
    struct cli_home home;
    struct cs_pin pin;
    struct cs_digest previous;
    struct cs_buf draft, pem = CS_BUF_EMPTY;
    struct cs_err err;

    deployment_make(&d);
    check_ok(cli_home_open(folder, &home, &err), err);
    pin = deployment_pin(&d);
    check_ok(cli_home_save_policy(&home, 1, cs_policy_wire(d.policy), &err), err);
    check_ok(cli_home_save_pin(&home, &pin, &err), err);
    previous = cs_policy_digest(d.policy);
    d.body->version = 2;
    CS_PB_SET(&d.body->previous_digest, cs_digest_slice(&previous));
    draft = deployment_sign_policy(&d, 0);
    check_ok(cli_file_write(in_folder("draft"), 0600, cs_buf_slice(&draft), &err), err);
    check_ok(cs_key_export_pem(deployment_key(&d, "root-0"), cs_slice_str(secret), &pem, &err), err);
    check_ok(cli_file_write(in_folder("root.key"), 0600, cs_buf_slice(&pem), &err), err);
    cs_buf_free(&draft);
    cs_buf_free(&pem);
    deployment_free(&d);
}

static size_t signatures_of_the_draft(void)
{
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_envelope envelope;
    struct cs_err err;

    check_ok(cli_file_read(in_folder("draft"), SEEN_BYTES, &wire, &err), err);
    check_ok(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err), err);
    cs_buf_free(&wire);
    return envelope.signature_count;
}

static void begin_to_sign(struct terminal *terminal)
{
    START(terminal, "trust", "sign", "--root-key", in_folder("root.key"));
    expect(terminal, "In words");
    expect(terminal, "Sign this trust policy with the root key? [y/N]");
}

static void signs_after_a_yes_and_the_right_passphrase_only(void **state)
{
    struct terminal terminal;

    (void)state;
    make_home();
    begin_to_sign(&terminal);
    type(&terminal, "n\n");
    expect(&terminal, "nothing was signed or sent");
    assert_int_equal(finish(&terminal), 1);
    assert_null(strstr(terminal.seen, "Passphrase"));
    assert_int_equal(signatures_of_the_draft(), 0);

    begin_to_sign(&terminal);
    type(&terminal, "y\n");
    expect(&terminal, "Passphrase for ");
    type(&terminal, "correct house\n");
    expect(&terminal, "the passphrase does not open");
    assert_int_equal(finish(&terminal), 1);
    assert_int_equal(signatures_of_the_draft(), 0);

    begin_to_sign(&terminal);
    type(&terminal, "yes\n");
    expect(&terminal, "Passphrase for ");
    type(&terminal, secret);
    type(&terminal, "\n");
    expect(&terminal, "1 of the 2 that it takes");
    assert_int_equal(finish(&terminal), 0);
    assert_null(strstr(terminal.seen, "The same again"));
    assert_int_equal(signatures_of_the_draft(), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_takes_a_passphrase_said_twice),
        TEST(no_key_is_written_without_a_passphrase_that_is_sure),
        TEST(without_a_terminal_it_says_what_to_give),
        TEST(signs_after_a_yes_and_the_right_passphrase_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
