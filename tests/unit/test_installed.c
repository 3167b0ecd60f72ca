/* What is really installed: what people change on the device by hand is seen, and what is put back as well.
 */
#include "tests/support/check.h"
#include "tests/support/folder.h"
#include "tests/support/pki.h"

#include "agent/config.h"
#include "agent/installed.h"
#include "agent/port/posix.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char folder[64], certificate[96], key[96], bundle[96];
    struct ag_posix *posix;
    struct ag_port port; /* the real one, which counts reads and can fail */
    unsigned reads;
    bool broken;
    struct ag_connector web;
    struct ag_config config;
    struct ag_state state;
    struct ag_connector_state *known;
    struct ag_installed installed;
    struct pki one, two;
    struct cs_err err;
};
static struct scene *the_scene;

static int counting_read_file(struct ag_port *port, const char *path, size_t limit, struct cs_buf *out,
                              struct cs_err *err)
{
    (void)port;
    the_scene->reads++;
    return ag_posix_port(the_scene->posix)->read_file(ag_posix_port(the_scene->posix), path, limit, out, err);
}

static int failing_stamp_of(struct ag_port *port, const char *path, struct ag_stamp *ret, struct cs_err *err)
{
    (void)port;
    if (the_scene->broken)
        return cs_err_set(err, CS_EIO, "the disk is broken");
    return ag_posix_port(the_scene->posix)->stamp_of(ag_posix_port(the_scene->posix), path, ret, err);
}

static void put(const char *path, struct cs_slice content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    if (content.len > 0)
        assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    fclose(file);
}

static void install(struct scene *s, const struct pki *chain, const struct pki *key)
{
    cs_auto(cs_buf_free) struct cs_buf chain_pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key_pem = CS_BUF_EMPTY;

    check_ok(cs_chain_write_pem(chain->chain, &chain_pem, &s->err), s->err);
    check_ok(cs_key_export_pem(key->key, CS_SLICE_EMPTY, &key_pem, &s->err), s->err);
    put(s->certificate, cs_buf_slice(&chain_pem));
    put(s->key, cs_buf_slice(&key_pem));
    assert_int_equal(cs_buf_append(&chain_pem, cs_buf_slice(&key_pem)), CS_OK);
    put(s->bundle, cs_buf_slice(&chain_pem));
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    the_scene = s;
    snprintf(s->folder, sizeof s->folder, "/tmp/countersign-installed-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->certificate, sizeof s->certificate, "%s/chain.pem", s->folder);
    snprintf(s->key, sizeof s->key, "%s/key.pem", s->folder);
    snprintf(s->bundle, sizeof s->bundle, "%s/bundle.pem", s->folder);
    check_ok(ag_posix_new(NULL, &s->posix, &s->err), s->err);
    s->port = (struct ag_port){.read_file = counting_read_file, .stamp_of = failing_stamp_of};
    memcpy(s->web.name, "web", 4);
    s->web.paths[AG_FILE_CERTIFICATE] = s->certificate;
    s->web.paths[AG_FILE_KEY] = s->key;
    s->web.paths[AG_FILE_BUNDLE] = s->bundle;
    s->config.connectors = (struct ag_connectors){&s->web, 1};
    s->one = pki_issue(NULL, (struct cs_issue){.common_name = "one", .client_auth = true});
    s->two = pki_issue(NULL, (struct cs_issue){.common_name = "two", .client_auth = true});
    ag_state_init(&s->state, CS_SLICE_LIT("0123456789abcdef"));
    check_ok(ag_state_connector_make(&s->state, "web", &s->known, &s->err), s->err);
    s->known->installed_generation = 7;
    s->known->installed_digest = cs_chain_digest(s->one.chain);
    install(s, &s->one, &s->one);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    ag_installed_free(&s->installed);
    ag_state_free(&s->state);
    ag_posix_close(s->posix);
    pki_free(&s->one);
    pki_free(&s->two);
    folder_remove(s->folder);
    free(s);
    return 0;
}

static bool look(struct scene *s)
{
    bool news = false;

    check_ok(ag_installed_look(&s->installed, &s->config, &s->state, &s->port, &news, &s->err), s->err);
    return news;
}

static struct ag_content content(struct scene *s)
{
    return ag_installed_content(&s->installed, 0, s->known);
}

static bool is_chain(struct scene *s, const struct pki *pki)
{
    struct cs_digest digest = cs_chain_digest(pki->chain);
    struct ag_content found = content(s);

    return found.is_there && cs_digest_eq(&found.digest, &digest);
}

static void what_a_push_left_is_no_news(void **state)
{
    struct scene *s = *state;

    assert_true(is_chain(s, &s->one)); /* before the first look, too */
    assert_false(look(s));
    assert_true(is_chain(s, &s->one));
}

static void only_what_changed_is_read_again(void **state)
{
    struct scene *s = *state;

    assert_false(look(s));
    assert_int_equal(s->reads, 4);
    assert_false(look(s));
    assert_int_equal(s->reads, 4);
    install(s, &s->one, &s->one);
    assert_false(look(s));
    assert_int_equal(s->reads, 8);
}

static void a_file_that_was_removed_is_news_until_it_is_told(void **state)
{
    struct scene *s = *state;
    const char *const files[] = {s->certificate, s->key, s->bundle};

    for (size_t i = 0; i < CS_ARRAY_LEN(files); i++) {
        unlink(files[i]);
        assert_true(look(s));
        assert_true(look(s));
        assert_false(content(s).is_there);
        ag_installed_told(&s->installed);
        assert_false(look(s));
        install(s, &s->one, &s->one);
        assert_true(look(s));
        assert_true(is_chain(s, &s->one));
        ag_installed_told(&s->installed);
    }
}

static void another_certificate_is_told_by_its_digest(void **state)
{
    struct scene *s = *state;

    install(s, &s->two, &s->two);
    assert_true(look(s));
    assert_true(is_chain(s, &s->two));
}

static void what_does_not_fit_together_is_something_else(void **state)
{
    struct scene *s = *state;

    install(s, &s->one, &s->two);
    assert_true(look(s));
    assert_true(content(s).is_there);
    assert_false(is_chain(s, &s->one));
    install(s, &s->one, &s->one);
    assert_false(look(s));
    put(s->bundle, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    assert_false(is_chain(s, &s->one));
    install(s, &s->one, &s->one);
    put(s->key, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    assert_true(content(s).is_there);
    put(s->certificate, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    assert_true(content(s).is_there);
}

static void a_new_push_is_told_by_its_report(void **state)
{
    struct scene *s = *state;

    unlink(s->certificate);
    assert_true(look(s));
    install(s, &s->two, &s->two);
    s->known->installed_generation = 8;
    s->known->installed_digest = cs_chain_digest(s->two.chain);
    assert_true(is_chain(s, &s->two));
    assert_false(look(s));
}

/* Reports have no remarks: one that was told stands until an advertisement takes it back. */
static void a_remark_is_taken_back_after_a_push_and_a_removal(void **state)
{
    struct scene *s = *state;
    const struct cs_digest two = cs_chain_digest(s->two.chain);

    unlink(s->certificate);
    assert_true(look(s));
    ag_installed_told(&s->installed);
    install(s, &s->two, &s->two);
    s->known->installed_generation = 8;
    s->known->installed_digest = two;
    ag_installed_reported(&s->installed, &s->config, "web", cs_digest_slice(&two));
    assert_true(look(s));
    ag_installed_told(&s->installed);
    assert_false(look(s));

    unlink(s->certificate);
    assert_true(look(s));
    ag_installed_told(&s->installed);
    s->known->installed_generation = 0;
    ag_installed_reported(&s->installed, &s->config, "web", CS_SLICE_EMPTY);
    assert_true(look(s));
    assert_true(look(s));
    ag_installed_told(&s->installed);
    assert_false(look(s));
}

static void a_report_that_says_otherwise_is_set_right(void **state)
{
    struct scene *s = *state;
    const struct cs_digest one = cs_chain_digest(s->one.chain);

    unlink(s->certificate);
    assert_true(look(s));
    ag_installed_told(&s->installed);
    assert_false(look(s));
    ag_installed_reported(&s->installed, &s->config, "mail", cs_digest_slice(&one));
    assert_false(look(s));
    ag_installed_reported(&s->installed, &s->config, "web", cs_digest_slice(&one));
    assert_true(look(s));
    ag_installed_reported(&s->installed, &s->config, "web", CS_SLICE_EMPTY);
    assert_false(look(s));
}

static void where_nothing_is_installed_nothing_is_looked_at(void **state)
{
    struct scene *s = *state;

    s->known->installed_generation = 0;
    assert_false(look(s));
    assert_int_equal(s->reads, 0);
    assert_false(content(s).is_there);
}

static void what_cannot_be_seen_is_said_once_and_stays_as_it_was(void **state)
{
    struct scene *s = *state;
    bool news = false;

    s->broken = true;
    check_code(ag_installed_look(&s->installed, &s->config, &s->state, &s->port, &news, &s->err), CS_EIO);
    assert_false(news);
    assert_false(look(s));
    assert_true(is_chain(s, &s->one));
    s->broken = false;
    unlink(s->key);
    assert_true(look(s));
}

/* ---- what is said for people */

static const char *remark(struct scene *s)
{
    struct ag_content found = content(s);

    return found.remark ? found.remark : "";
}

static void says_what_is_wrong(void **state)
{
    struct scene *s = *state;

    assert_false(look(s));
    assert_string_equal(remark(s), "");
    install(s, &s->one, &s->two);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "the private key does not belong"));
    put(s->certificate, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "it has none in it"));
    unlink(s->key);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "a file was removed"));
    install(s, &s->one, &s->one);
    put(s->bundle, CS_SLICE_LIT(""));
    assert_true(look(s));
    assert_true(remark(s)[0]);
    install(s, &s->one, &s->one);
    assert_false(look(s));
    assert_string_equal(remark(s), "");
}

/* ---- other files than those */

static void put_pem(const char *path, const struct pki *pki, size_t from, bool with_key)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key = CS_BUF_EMPTY;
    struct cs_err err;

    for (size_t i = from; i < cs_chain_count(pki->chain); i++)
        check_ok(cs_pem_write("CERTIFICATE", cs_chain_der(pki->chain, i), &pem, &err), err);
    if (with_key) {
        check_ok(cs_key_export_pem(pki->key, CS_SLICE_EMPTY, &key, &err), err);
        assert_int_equal(cs_buf_append(&pem, cs_buf_slice(&key)), CS_OK);
    }
    put(path, cs_buf_slice(&pem));
}

static void a_bundle_alone_tells_the_whole_chain(void **state)
{
    struct scene *s = *state;

    s->web.paths[AG_FILE_CERTIFICATE] = s->web.paths[AG_FILE_KEY] = NULL;
    assert_false(look(s));
    assert_true(is_chain(s, &s->one));
    put_pem(s->bundle, &s->two, 0, true);
    assert_true(look(s));
    assert_true(is_chain(s, &s->two));
    put_pem(s->bundle, &s->one, 0, false);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "the private key does not belong"));
    unlink(s->bundle);
    assert_true(look(s));
    assert_false(content(s).is_there);
}

static void a_bundle_beside_the_certificate_has_the_same_chain(void **state)
{
    struct scene *s = *state;
    struct pki longer =
        pki_issue(&s->two, (struct cs_issue){.common_name = "one", .subject_spki = cs_key_spki(s->one.key)});
    struct pki same_key = {.key = s->one.key, .chain = longer.chain};

    put_pem(s->bundle, &same_key, 0, true);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "another chain than the certificate's file"));
    pki_free(&longer);
}

static void intermediates_are_what_stands_behind_the_leaf(void **state)
{
    struct scene *s = *state;
    char path[128];
    struct pki root = pki_make_ca("root");
    struct pki ca = pki_issue(&root, (struct cs_issue){.common_name = "ca", .is_ca = true});
    struct pki leaf = pki_make_client(&ca, "leaf");

    assert_int_equal(cs_chain_count(leaf.chain), 2);
    snprintf(path, sizeof path, "%s/more.pem", s->folder);
    s->web.paths[AG_FILE_INTERMEDIATES] = path;
    assert_false(look(s)); /* of a chain of one there are none, and no such file */
    put_pem(path, &s->two, 0, false);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "intermediate certificates were changed"));

    install(s, &leaf, &leaf);
    s->known->installed_generation = 8;
    s->known->installed_digest = cs_chain_digest(leaf.chain);
    assert_true(look(s));
    put_pem(path, &leaf, 1, false);
    assert_false(look(s));
    put(path, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    s->web.paths[AG_FILE_INTERMEDIATES] = NULL;
    pki_free(&leaf);
    pki_free(&ca);
    pki_free(&root);
}

/* The leaf alone is in the application's file: the generation's folder tells its chain. */
static void a_leaf_in_der_stands_for_the_chain_that_was_pushed(void **state)
{
    struct scene *s = *state;
    struct pki root = pki_make_ca("root");
    struct pki ca = pki_issue(&root, (struct cs_issue){.common_name = "ca", .is_ca = true});
    struct pki leaf = pki_make_client(&ca, "leaf");
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    char path[160];

    check_ok(cs_key_export_pem(leaf.key, CS_SLICE_EMPTY, &pem, &s->err), s->err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &s->err), s->err);
    s->web.format = AG_FORMAT_DER;
    s->web.paths[AG_FILE_BUNDLE] = NULL;
    snprintf(s->config.state, sizeof s->config.state, "%s", s->folder);
    s->known->installed_digest = cs_chain_digest(leaf.chain);
    put(s->certificate, cs_chain_der(leaf.chain, 0));
    put(s->key, cs_buf_slice(&pkcs8));
    snprintf(path, sizeof path, "%s/connectors", s->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web", s->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web/g7", s->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/connectors/web/g7/chain.pem", s->folder);
    put_pem(path, &leaf, 0, false);
    assert_false(look(s));
    assert_true(is_chain(s, &leaf));
    put(s->certificate, cs_chain_der(s->one.chain, 0));
    assert_true(look(s));
    assert_false(is_chain(s, &leaf));
    put(s->certificate, CS_SLICE_LIT("nothing"));
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "it has none in it"));
    pki_free(&leaf);
    pki_free(&ca);
    pki_free(&root);
}

/* ---- what is served */

static void what_is_served_is_news_too(void **state)
{
    struct scene *s = *state;

    assert_false(ag_installed_serves(&s->installed, 0, AG_SERVES_OTHER)); /* before the first look */
    assert_false(look(s));
    assert_false(ag_installed_serves(&s->installed, 0, AG_SERVES_IT));
    assert_true(ag_installed_serves(&s->installed, 0, AG_SERVES_OTHER));
    assert_false(is_chain(s, &s->one));
    assert_non_null(strstr(remark(s), "serves another certificate"));
    ag_installed_told(&s->installed);
    assert_false(ag_installed_serves(&s->installed, 0, AG_SERVES_OTHER));
    assert_false(look(s));
    assert_true(ag_installed_serves(&s->installed, 0, AG_SERVES_NOTHING));
    assert_true(is_chain(s, &s->one));
    assert_non_null(strstr(remark(s), "does not answer"));
    ag_installed_told(&s->installed);
    /* What is wrong with the files says more. */
    unlink(s->key);
    assert_true(look(s));
    assert_non_null(strstr(remark(s), "a file was removed"));
    install(s, &s->one, &s->one);
    assert_false(look(s));
    assert_true(ag_installed_serves(&s->installed, 0, AG_SERVES_IT));
    assert_string_equal(remark(s), "");
    assert_false(ag_installed_serves(&s->installed, 1, AG_SERVES_OTHER));
    /* A push ends what was seen before it. */
    ag_installed_told(&s->installed);
    assert_true(ag_installed_serves(&s->installed, 0, AG_SERVES_OTHER));
    s->known->installed_generation = 8;
    assert_false(look(s));
    assert_string_equal(remark(s), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_a_push_left_is_no_news),
        TEST(only_what_changed_is_read_again),
        TEST(a_file_that_was_removed_is_news_until_it_is_told),
        TEST(another_certificate_is_told_by_its_digest),
        TEST(what_does_not_fit_together_is_something_else),
        TEST(a_new_push_is_told_by_its_report),
        TEST(a_remark_is_taken_back_after_a_push_and_a_removal),
        TEST(a_report_that_says_otherwise_is_set_right),
        TEST(where_nothing_is_installed_nothing_is_looked_at),
        TEST(what_cannot_be_seen_is_said_once_and_stays_as_it_was),
        TEST(says_what_is_wrong),
        TEST(a_bundle_alone_tells_the_whole_chain),
        TEST(a_bundle_beside_the_certificate_has_the_same_chain),
        TEST(intermediates_are_what_stands_behind_the_leaf),
        TEST(a_leaf_in_der_stands_for_the_chain_that_was_pushed),
        TEST(what_is_served_is_news_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
