/* The files of the real machine: each function, what it does and what it leaves alone. */
#include "tests/unit/files_scene.h"

#include <sys/xattr.h>

/* ---- reading */

static void reads_what_an_application_reads(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    put("%/file", "0123456789");
    check_ok(read_into("%/file", 10, &out), err);
    check_ok(read_into("%/file", 99, &out), err); /* appends */
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("01234567890123456789"));
    check_code(read_into("%/file", 9, &out), CS_ETOOBIG);
    check_code(read_into("%/none", 9, &out), CS_ENOTFOUND);
    check_code(read_into("%/none/x", 9, &out), CS_ENOTFOUND);
    check_code(read_into("%/file/x", 9, &out), CS_ENOTFOUND);
    assert_int_equal(out.len, 20);
    cs_buf_clear(&out);
    put("%/empty", "");
    check_ok(read_into("%/empty", 0, &out), err);
    assert_int_equal(out.len, 0);
    /* A file that says that it has no size. */
    check_ok(read_into("/proc/sys/kernel/ostype", 99, &out), err);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("Linux\n"));
    check_code(read_into("/proc/sys/kernel/ostype", 3, &out), CS_ETOOBIG);
    assert_int_equal(out.len, 6);
}

static void reads_through_a_link_at_the_end_only(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    assert_int_equal(mkdir(at("%/g1"), 0700), 0);
    put("%/g1/file", "one");
    assert_int_equal(symlink("g1", at("%/current")), 0);
    assert_int_equal(symlink("current/file", at("%/link")), 0);
    assert_int_equal(symlink("link", at("%/second")), 0);
    assert_int_equal(symlink("nothing", at("%/dangling")), 0);
    check_ok(read_into("%/second", 9, &out), err);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("one"));
    check_code(read_into("%/dangling", 9, &out), CS_ENOTFOUND);
    check_code(read_into("%/current/file", 9, &out), CS_EDENIED);
    check_says(err, "/current is a symbolic link");
}

static void what_is_no_file_is_not_opened(void **unused CS_UNUSED)
{
    cs_auto(cs_buf_free) struct cs_buf out = CS_BUF_EMPTY;

    assert_int_equal(mkfifo(at("%/fifo"), 0600), 0);
    check_code(read_into("%/fifo", 9, &out), CS_ETOOBIG);
    check_says(err, "is no file");
    check_code(read_into("/dev/zero", 9, &out), CS_ETOOBIG);
    check_code(read_into("/dev", 9, &out), CS_ETOOBIG);
    check_code(read_into("/", 9, &out), CS_EINVAL);
}

/* ---- writing */

static void writes_a_new_file_only(void **unused CS_UNUSED)
{
    put("%/outside", "theirs");
    assert_int_equal(symlink("outside", at("%/link")), 0);
    assert_int_equal(symlink("not-there", at("%/dangling")), 0);
    check_ok(port->write_file(port, at("%/file"), CS_SLICE_LIT("ours"), &plain, &err), err);
    check_content("%/file", "ours");
    assert_int_equal(stat_of("%/file").st_mode, S_IFREG | 0640);
    check_code(port->write_file(port, at("%/file"), CS_SLICE_LIT("x"), &plain, &err), CS_EEXISTS);
    check_code(port->write_file(port, at("%/link"), CS_SLICE_LIT("x"), &plain, &err), CS_EEXISTS);
    check_code(port->write_file(port, at("%/dangling"), CS_SLICE_LIT("x"), &plain, &err), CS_EEXISTS);
    check_content("%/file", "ours");
    check_content("%/outside", "theirs");
    assert_false(is_there("%/not-there"));
    check_code(port->write_file(port, at("%/no/file"), CS_SLICE_LIT("x"), &plain, &err), CS_ENOTFOUND);
}

static void replaces_whatever_file_or_link_is_there(void **unused CS_UNUSED)
{
    put("%/outside", "theirs");
    check_ok(replace("%/file", "one"), err);
    check_ok(replace("%/file", "two"), err);
    check_content("%/file", "two");
    assert_int_equal(symlink("outside", at("%/link")), 0);
    check_ok(replace("%/link", "ours"), err);
    assert_true(S_ISREG(stat_of("%/link").st_mode));
    assert_int_equal(link(at("%/outside"), at("%/second")), 0);
    check_ok(replace("%/second", "ours"), err);
    check_content("%/outside", "theirs");
    assert_int_equal(stat_of("%/outside").st_nlink, 1);
    /* A folder stays, and nothing is left beside it. */
    assert_int_equal(mkdir(at("%/folder"), 0700), 0);
    assert_int_not_equal(replace("%/folder", "x"), CS_OK);
    assert_true(S_ISDIR(stat_of("%/folder").st_mode));
    assert_false(is_there("%/.folder.new"));
}

static void what_a_power_cut_left_beside_goes(void **unused CS_UNUSED)
{
    put("%/outside", "theirs");
    put("%/.file.new", "half of a k");
    check_ok(replace("%/file", "whole"), err);
    check_content("%/file", "whole");
    assert_false(is_there("%/.file.new"));
    assert_int_equal(symlink("outside", at("%/.file.new")), 0);
    check_ok(replace("%/file", "again"), err);
    assert_int_equal(link(at("%/outside"), at("%/.file.new")), 0);
    check_ok(port->switch_link(port, at("%/file"), "elsewhere", &err), err);
    check_link("%/file", "elsewhere");
    assert_int_equal(link(at("%/outside"), at("%/.file.new")), 0);
    check_ok(port->copy(port, at("%/outside"), at("%/file"), 99, &err), err);
    assert_false(is_there("%/.file.new"));
    check_content("%/outside", "theirs");
    assert_int_equal(stat_of("%/outside").st_nlink, 1);
    /* What it cannot remove it names. */
    assert_int_equal(mkdir(at("%/.file.new"), 0700), 0);
    check_code(replace("%/file", "x"), CS_EEXISTS);
    check_says(err, ".file.new is in the way");
    check_code(port->switch_link(port, at("%/file"), "x", &err), CS_EEXISTS);
    check_says(err, ".file.new is in the way");
    check_content("%/file", "theirs");
}

static void owners_are_names_or_numbers(void **unused CS_UNUSED)
{
    static const char *const bad[] = {"-1",         "4294967295", "4294967296", "18446744073709551616",
                                      "nobody-has", " 0",         "0x0",        ""};
    struct ag_file_look look = plain;

    for (size_t i = 0; i < CS_ARRAY_LEN(bad); i++) {
        look.owner = bad[i];
        look.group = NULL;
        check_code(port->write_file(port, at("%/file"), CS_SLICE_LIT("x"), &look, &err), CS_ENOTFOUND);
        look.owner = NULL;
        look.group = bad[i];
        check_code(port->replace_file(port, at("%/file"), CS_SLICE_LIT("x"), &look, &err), CS_ENOTFOUND);
        assert_false(is_there("%/file"));
        assert_false(is_there("%/.file.new"));
    }
    if (geteuid() != 0) {
        print_message("only root can give files to others\n");
        return;
    }
    look.owner = "4711";
    look.group = "root";
    look.mode = 0600;
    check_ok(port->write_file(port, at("%/file"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_int_equal(stat_of("%/file").st_uid, 4711);
    assert_int_equal(stat_of("%/file").st_gid, 0);
    assert_int_equal(stat_of("%/file").st_mode, S_IFREG | 0600);
}

static void copies_files_and_links(void **unused CS_UNUSED)
{
    put("%/file", "content");
    assert_int_equal(chmod(at("%/file"), 04640), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(at("%/file"), 4711, 4712), 0);
    put("%/to", "before");
    check_code(port->copy(port, at("%/file"), at("%/to"), 6, &err), CS_ETOOBIG);
    check_content("%/to", "before");
    check_ok(port->copy(port, at("%/file"), at("%/to"), 7, &err), err);
    check_content("%/to", "content");
    assert_int_equal(stat_of("%/to").st_mode, S_IFREG | 0640);
    assert_int_equal(stat_of("%/to").st_uid, stat_of("%/file").st_uid);
    assert_int_equal(stat_of("%/to").st_gid, stat_of("%/file").st_gid);

    assert_int_equal(mkdir(at("%/in"), 0700), 0);
    assert_int_equal(symlink("../file", at("%/in/relative")), 0);
    assert_int_equal(symlink("/etc/passwd", at("%/in/absolute")), 0);
    check_ok(port->copy(port, at("%/in/relative"), at("%/to"), 0, &err), err);
    check_link("%/to", "%/in/../file");
    check_content("%/to", "content");
    check_ok(port->copy(port, at("%/in/absolute"), at("%/to"), 0, &err), err);
    check_link("%/to", "/etc/passwd");
    /* Back over the link. */
    check_ok(port->copy(port, at("%/file"), at("%/to"), 99, &err), err);
    assert_true(S_ISREG(stat_of("%/to").st_mode));

    assert_int_equal(mkfifo(at("%/fifo"), 0600), 0);
    check_code(port->copy(port, at("%/none"), at("%/to"), 99, &err), CS_ENOTFOUND);
    check_code(port->copy(port, at("%/fifo"), at("%/to"), 99, &err), CS_ETOOBIG);
    check_code(port->copy(port, at("%/in"), at("%/to"), 99, &err), CS_ETOOBIG);
    check_code(port->copy(port, at("%/file"), at("%/none/to"), 99, &err), CS_ENOTFOUND);
    check_content("%/to", "content");
}

/* ---- labels */

static const char label_name[] = "security.selinux";
static const char label[] = "system_u:object_r:cert_t:s0";

static bool set_label(const char *path)
{
    return setxattr(at(path), label_name, label, sizeof label, 0) == 0;
}

static bool has_label(const char *path)
{
    char now[128];
    ssize_t len = getxattr(at(path), label_name, now, sizeof now);

    return len == (ssize_t)sizeof label && memcmp(now, label, sizeof label) == 0;
}

static void gives_the_label_of_the_applications_file(void **unused CS_UNUSED)
{
    char like[PATH_BYTES];
    const struct ag_file_look look = {.mode = 0600, .label_like = like};

    assert_int_equal(mkdir(at("%/app"), 0755), 0);
    put("%/app/file", "x");
    if (!set_label("%/app/file")) {
        print_message("nobody can set a label here\n");
        return;
    }
    snprintf(like, sizeof like, "%s", at("%/app/file"));
    check_ok(port->write_file(port, at("%/one"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_true(has_label("%/one"));
    /* Through the application's link; a FIFO or nothing there: the folder's, which has none; none at all. */
    assert_int_equal(symlink("app/file", at("%/link")), 0);
    snprintf(like, sizeof like, "%s", at("%/link"));
    check_ok(port->replace_file(port, at("%/two"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_true(has_label("%/two"));
    snprintf(like, sizeof like, "%s", at("%/app/none"));
    check_ok(port->replace_file(port, at("%/two"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_false(has_label("%/two"));
    assert_true(set_label("%/app"));
    check_ok(port->replace_file(port, at("%/two"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_true(has_label("%/two"));
    assert_int_equal(mkfifo(at("%/app/fifo"), 0600), 0);
    snprintf(like, sizeof like, "%s", at("%/app/fifo"));
    check_ok(port->replace_file(port, at("%/three"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_true(has_label("%/three"));
    snprintf(like, sizeof like, "%s", at("%/no/none"));
    check_ok(port->replace_file(port, at("%/three"), CS_SLICE_LIT("x"), &look, &err), err);
    assert_false(has_label("%/three"));
    /* A copy has it, too. */
    check_ok(port->copy(port, at("%/one"), at("%/three"), 99, &err), err);
    assert_true(has_label("%/three"));
    snprintf(like, sizeof like, "%s/x", at("%/link"));
    check_code(port->replace_file(port, at("%/three"), CS_SLICE_LIT("x"), &look, &err), CS_EDENIED);
    assert_true(has_label("%/three"));
}

/* ---- folders */

static void makes_folders(void **unused CS_UNUSED)
{
    mode_t before = umask(077);

    put("%/file", "x");
    assert_int_equal(symlink("folder", at("%/link")), 0);
    check_ok(port->make_folder(port, at("%/folder"), 0711, &err), err);
    assert_int_equal(umask(before), 077);
    assert_int_equal(stat_of("%/folder").st_mode, S_IFDIR | 0711);
    check_ok(port->make_folder(port, at("%/folder"), 0700, &err), err);
    check_ok(port->make_folder(port, at("%/folder/in/"), 0700, &err), err);
    check_code(port->make_folder(port, at("%/file"), 0700, &err), CS_EEXISTS);
    check_says(err, "is no folder");
    check_code(port->make_folder(port, at("%/link"), 0700, &err), CS_EEXISTS);
    check_says(err, "is a symbolic link");
    check_code(port->make_folder(port, at("%/no/in"), 0700, &err), CS_ENOTFOUND);
    check_ok(port->sync_folder(port, at("%/folder"), &err), err);
    check_code(port->sync_folder(port, at("%/no"), &err), CS_ENOTFOUND);
    check_code(port->sync_folder(port, at("%/link"), &err), CS_EDENIED);
}

static void count_entry(void *data, const char *name)
{
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    ++*(unsigned *)data;
}

static void lists_and_removes_folders(void **unused CS_UNUSED)
{
    char path[PATH_BYTES];
    unsigned count = 0;

    put("%/outside", "theirs");
    assert_int_equal(mkdir(at("%/folder"), 0755), 0);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(path, sizeof path, "%%/folder/a-rather-long-name-of-a-file-%u", i);
        assert_int_equal(symlink("../outside", at(path)), 0);
    }
    check_ok(port->list_folder(port, at("%/folder"), count_entry, &count, &err), err);
    assert_int_equal(count, 3000);
    check_ok(port->remove_folder(port, at("%/folder"), &err), err);
    assert_false(is_there("%/folder"));
    check_content("%/outside", "theirs");
    check_ok(port->remove_folder(port, at("%/folder"), &err), err);
    check_ok(port->remove_folder(port, at("%/folder/in/it"), &err), err);
    check_code(port->list_folder(port, at("%/folder"), count_entry, &count, &err), CS_ENOTFOUND);

    /* Not what is no folder, nor folders in it. */
    assert_int_equal(mkdir(at("%/deep"), 0755), 0);
    assert_int_equal(mkdir(at("%/deep/in"), 0755), 0);
    assert_int_equal(symlink("deep", at("%/link")), 0);
    assert_int_not_equal(port->remove_folder(port, at("%/deep"), &err), CS_OK);
    check_says(err, "cannot empty folder");
    check_code(port->remove_folder(port, at("%/link"), &err), CS_EEXISTS);
    check_code(port->remove_folder(port, at("%/outside"), &err), CS_EEXISTS);
    check_code(port->list_folder(port, at("%/link"), count_entry, &count, &err), CS_EDENIED);
    assert_true(is_there("%/deep/in"));
    check_content("%/outside", "theirs");
}

static void knows_how_much_room_there_is(void **unused CS_UNUSED)
{
    uint64_t bytes = 0;

    check_ok(port->room(port, at("%/not-there"), &bytes, &err), err);
    assert_true(bytes > 0);
    check_code(port->room(port, at("%/no/file"), &bytes, &err), CS_ENOTFOUND);
    check_ok(port->room(port, "/proc/sys/x", &bytes, &err), err);
    assert_int_equal(bytes, 0);
}

static void asks_whose_a_place_is(void **unused CS_UNUSED)
{
    check_ok(port->check_place(port, at("%/file"), NULL, &err), err);
    assert_int_equal(chmod(root, 0777), 0);
    check_code(port->check_place(port, at("%/file"), NULL, &err), CS_EDENIED);
}

/* ---- links */

static void looks_without_following(void **unused CS_UNUSED)
{
    static const struct {
        const char *path;
        enum ag_entry_kind kind;
    } entries[] = {
        {"%/file", AG_ENTRY_FILE},   {"%/link", AG_ENTRY_LINK},  {"%/dangling", AG_ENTRY_LINK},
        {"%/none", AG_ENTRY_ABSENT}, {"/dev", AG_ENTRY_FOLDER},  {"/dev/null", AG_ENTRY_OTHER},
        {"%/no/x", AG_ENTRY_ABSENT}, {"%/fifo", AG_ENTRY_OTHER}, {"%/file/x", AG_ENTRY_ABSENT},
    };
    enum ag_entry_kind kind;

    put("%/file", "x");
    assert_int_equal(symlink(root, at("%/link")), 0);
    assert_int_equal(symlink("nothing", at("%/dangling")), 0);
    assert_int_equal(mkfifo(at("%/fifo"), 0600), 0);
    for (size_t i = 0; i < CS_ARRAY_LEN(entries); i++) {
        check_ok(port->look_at(port, at(entries[i].path), &kind, &err), err);
        assert_int_equal(kind, entries[i].kind);
    }
    check_code(port->look_at(port, at("%/link/file"), &kind, &err), CS_EDENIED);
}

static void stamps_differ_when_a_file_does(void **unused CS_UNUSED)
{
    struct ag_stamp a, b;

    put("%/file", "x");
    assert_int_equal(symlink("file", at("%/link")), 0);
    check_ok(port->stamp_of(port, at("%/file"), &a, &err), err);
    check_ok(port->stamp_of(port, at("%/link"), &b, &err), err);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.size, 1);
    check_ok(replace("%/file", "y"), err);
    check_ok(port->stamp_of(port, at("%/link"), &b, &err), err);
    assert_memory_not_equal(&a, &b, sizeof a);
    check_code(port->stamp_of(port, at("%/none"), &a, &err), CS_ENOTFOUND);
    check_says(err, "/none");
    check_code(port->stamp_of(port, at("%/no/x"), &a, &err), CS_ENOTFOUND);
    check_code(port->stamp_of(port, at("%/file/x"), &a, &err), CS_ENOTFOUND);
    assert_int_equal(symlink("file/x", at("%/through")), 0);
    check_code(port->stamp_of(port, at("%/through"), &a, &err), CS_ENOTFOUND);
    check_code(port->stamp_of(port, at("%/link/x"), &a, &err), CS_EDENIED);
}

static void reads_links_of_any_length(void **unused CS_UNUSED)
{
    char target[301], read[301 + 1];

    memset(target, 't', sizeof target);
    target[300] = '\0';
    assert_int_equal(symlink(target, at("%/link")), 0);
    memset(read, '#', sizeof read);
    check_code(port->read_link(port, at("%/link"), read, 300, &err), CS_ETOOBIG);
    assert_int_equal(read[0], '#'); /* untouched, and nothing behind it either */
    assert_int_equal(read[300], '#');
    check_ok(port->read_link(port, at("%/link"), read, 301, &err), err);
    assert_string_equal(read, target);
    check_code(port->read_link(port, at("%/none"), read, sizeof read, &err), CS_ENOTFOUND);
    put("%/file", "x");
    assert_int_not_equal(port->read_link(port, at("%/file"), read, sizeof read, &err), CS_OK);
}

static void switches_and_removes_links(void **unused CS_UNUSED)
{
    put("%/file", "theirs");
    check_ok(port->switch_link(port, at("%/link"), "file", &err), err);
    check_ok(port->switch_link(port, at("%/link"), "g2", &err), err);
    check_link("%/link", "g2");
    put("%/plain", "x");
    check_ok(port->switch_link(port, at("%/plain"), "file", &err), err);
    check_link("%/plain", "file");
    /* The same again changes nothing. */
    struct stat before = stat_of("%/link");

    check_ok(port->switch_link(port, at("%/link"), "g2", &err), err);
    assert_int_equal(stat_of("%/link").st_ino, before.st_ino);
    assert_int_equal(mkdir(at("%/folder"), 0700), 0);
    assert_int_not_equal(port->switch_link(port, at("%/folder"), "g2", &err), CS_OK);
    assert_false(is_there("%/.folder.new"));

    check_ok(port->remove_link(port, at("%/plain"), &err), err);
    check_ok(port->remove_link(port, at("%/plain"), &err), err);
    check_ok(port->remove_link(port, at("%/no/x"), &err), err);
    check_ok(port->remove_link(port, at("%/file/x"), &err), err);
    assert_int_not_equal(port->remove_link(port, at("%/folder"), &err), CS_OK);
    check_code(port->remove_link(port, at("%/link/x"), &err), CS_EDENIED);
    check_content("%/file", "theirs");
    check_ok(port->remove_link(port, at("%/file"), &err), err);
    assert_false(is_there("%/file"));
}

/* ---- the rest */

static void one_process_has_the_folder(void **unused CS_UNUSED)
{
    int first = -1, second = -1;

    check_ok(ag_posix_lock(at("%/lock"), &first, &err), err);
    check_code(ag_posix_lock(at("%/lock"), &second, &err), CS_EBUSY);
    close(first);
    check_ok(ag_posix_lock(at("%/lock"), &second, &err), err);
    close(second);
    assert_int_equal(symlink("lock", at("%/link")), 0);
    assert_int_not_equal(ag_posix_lock(at("%/link"), &second, &err), CS_OK);
    check_code(ag_posix_lock(at("%/no/lock"), &second, &err), CS_ENOTFOUND);
}

static void ticks_go_on(void **unused CS_UNUSED)
{
    int64_t before = port->ticks_ms(port);

    usleep(20000);
    int64_t passed = port->ticks_ms(port) - before;

    assert_in_range(passed, 19, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_what_an_application_reads),
        TEST(reads_through_a_link_at_the_end_only),
        TEST(what_is_no_file_is_not_opened),
        TEST(writes_a_new_file_only),
        TEST(replaces_whatever_file_or_link_is_there),
        TEST(what_a_power_cut_left_beside_goes),
        TEST(owners_are_names_or_numbers),
        TEST(copies_files_and_links),
        TEST(gives_the_label_of_the_applications_file),
        TEST(makes_folders),
        TEST(lists_and_removes_folders),
        TEST(knows_how_much_room_there_is),
        TEST(asks_whose_a_place_is),
        TEST(looks_without_following),
        TEST(stamps_differ_when_a_file_does),
        TEST(reads_links_of_any_length),
        TEST(switches_and_removes_links),
        TEST(one_process_has_the_folder),
        TEST(ticks_go_on),
    };

    return cmocka_run_group_tests_name("posix_files", tests, NULL, NULL);
}
