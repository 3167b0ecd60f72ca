/* Lists of certificates against a model that has no index: every row is asked, and what is left is sorted. */
#include "tests/support/check.h"

#include "controller/core/inventory_plan.h"
#include "controller/core/query.h"
#include "controller/core/words.h"
#include "shared/base/text.h"
#include "tests/support/inventory.h"
#include "tests/support/memview.h"

#include <pb_encode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 4300, SOME = 200 };

typedef countersign_v1_ListCertificatesRequest list_request;
typedef countersign_v1_ListCertificatesResponse list_reply;

static uint64_t seed;

static unsigned roll(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

struct world {
    struct memview store;
    ctl_certificate_row *rows; /* the model */
    bool *gone;
    size_t count;
    size_t looks; /* at the store */
};

/* ---- the store, with its looks counted */

static int count_get(void *data, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err)
{
    struct world *w = data;
    struct ctl_source source = memview_source(&w->store);

    w->looks++;
    return source.get(source.data, key, ret_value, err);
}

static int count_seek(void *data, struct cs_slice prefix, struct cs_slice from, bool reverse,
                      struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    struct world *w = data;
    struct ctl_source source = memview_source(&w->store);

    w->looks++;
    return source.seek(source.data, prefix, from, reverse, ret_key, ret_value, err);
}

static struct ctl_view *view_of(struct world *w)
{
    struct ctl_source source = {.data = w, .get = count_get, .seek = count_seek};
    struct ctl_view *view;
    struct cs_err err;

    check_ok(ctl_view_new(&source, &view, &err), err);
    return view;
}

static void commit(struct world *w, struct ctl_view *view)
{
    memview_commit(&w->store, view);
    ctl_view_free(view);
}

static void put_row(struct world *w, size_t i)
{
    struct ctl_view *view = view_of(w);
    struct cs_err err;

    check_ok(ctl_inventory_store(view, &w->rows[i], &err), err);
    commit(w, view);
}

static int drop_entry(void *data, const struct ctl_key *key)
{
    struct cs_err err;

    return ctl_drop(data, key, &err);
}

static void drop_row(struct world *w, size_t i)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(w->rows[i].id));
    struct ctl_view *view = view_of(w);
    struct cs_err err;

    check_ok(ctl_inventory_entries(&w->rows[i], drop_entry, view), err);
    check_ok(ctl_drop(view, &key, &err), err);
    commit(w, view);
    w->gone[i] = true;
}

/* `wide`: each has a name with a word of its own, and all of these words begin alike. */
static void world_start_so(struct world *w, size_t count, bool wide)
{
    struct ctl_view *view;
    struct cs_err err;

    *w = (struct world){.count = count};
    w->rows = calloc(count, sizeof *w->rows);
    w->gone = calloc(count, sizeof *w->gone);
    assert_true(w->rows && w->gone);
    view = view_of(w);
    for (size_t i = 0; i < count; i++) {
        inventory_row(i, count, &w->rows[i]);
        if (wide)
            snprintf(w->rows[i].names[w->rows[i].names_count++], sizeof w->rows[i].names[0],
                     "dns:n.word%05zu", i);
        check_ok(ctl_inventory_store(view, &w->rows[i], &err), err);
    }
    commit(w, view);
}

static void world_start(struct world *w, size_t count)
{
    world_start_so(w, count, false);
}

static void world_end(struct world *w)
{
    memview_free(&w->store);
    free(w->rows);
    free(w->gone);
}

/* ---- the model */

static const list_request *sorting;

static int compare_text(const char *a, const char *b, size_t most)
{
    char fold_a[256] = "", fold_b[256] = "";

    ctl_fold(cs_slice(a, strnlen(a, most)), fold_a);
    ctl_fold(cs_slice(b, strnlen(b, most)), fold_b);
    return strcmp(fold_a, fold_b);
}

static int compare_number(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_value(const ctl_certificate_row *a, const ctl_certificate_row *b)
{
    int order;

    switch (sorting->sort) {
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_ISSUER:
        return compare_text(a->issuer, b->issuer, CTL_INVENTORY_ISSUER_BYTES);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_SERIAL:
        return strcmp(a->serial, b->serial);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_AFTER:
        return compare_number(a->not_after_s, b->not_after_s);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_BEFORE:
        return compare_number(a->not_before_s, b->not_before_s);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_IMPORTED:
        return compare_number(a->imported_at_s, b->imported_at_s);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_ATTACHMENTS:
        return compare_number(a->attachments, b->attachments);
    case countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR:
        order =
            compare_number(ctl_colour_of(b, NULL, INVENTORY_NOW_S), ctl_colour_of(a, NULL, INVENTORY_NOW_S));
        return order ? order : compare_number(a->not_after_s, b->not_after_s);
    default:
        return 0;
    }
}

static int compare_rows(const void *left, const void *right)
{
    const ctl_certificate_row *a = *(const ctl_certificate_row *const *)left;
    const ctl_certificate_row *b = *(const ctl_certificate_row *const *)right;
    int order = compare_value(a, b);

    if (order == 0)
        order = compare_text(a->common_name, b->common_name, CTL_INVENTORY_NAME_BYTES);
    if (order == 0)
        order = memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
    return sorting->descending ? -order : order;
}

static size_t model(const struct world *w, const list_request *request, const ctl_certificate_row **ret)
{
    struct ctl_filter filter;
    struct cs_err err;
    size_t count = 0;

    check_ok(ctl_filter_read(request, NULL, INVENTORY_NOW_S, &filter, &err), err);
    for (size_t i = 0; i < w->count; i++)
        if (!w->gone[i] && ctl_filter_fits(&filter, &w->rows[i]))
            ret[count++] = &w->rows[i];
    sorting = request;
    qsort(ret, count, sizeof *ret, compare_rows);
    return count;
}

/* ---- lists */

static bool nobody(void *data, const uint8_t device_id[16])
{
    (void)data;
    (void)device_id;
    return false;
}

static int ask(struct world *w, const list_request *request, list_reply *reply, struct cs_err *err)
{
    const struct ctl_presence presence = {.connected = nobody};
    struct ctl_view *view = view_of(w);
    int rc;

    memset(reply, 0, sizeof *reply);
    w->looks = 0;
    rc = ctl_query_ListCertificates(view, &presence, INVENTORY_NOW_S, request, reply, err);
    /* Planning, an attempt to sort, the page: each is bounded, wherever it ends. */
    assert_true(w->looks <= CTL_PLAN_CREDIT + 2000 + 2500 + 1500);
    ctl_view_free(view);
    return rc;
}

/* The whole list, page by page; ids in their order. */
static size_t read_all(struct world *w, list_request request, uint8_t (*ret)[32], size_t most,
                       size_t *ret_pages)
{
    list_reply *reply = malloc(sizeof *reply);
    size_t count = 0, pages = 0;
    struct cs_err err;

    assert_non_null(reply);
    do {
        check_ok(ask(w, &request, reply, &err), err);
        assert_true(count + reply->certificates_count <= most);
        for (pb_size_t i = 0; i < reply->certificates_count; i++)
            memcpy(ret[count++], reply->certificates[i].id.bytes, 32);
        memcpy(&request.page_token, &reply->next_page_token, sizeof reply->next_page_token);
        assert_int_equal(reply->more, reply->next_page_token.size > 0);
        assert_true(++pages < 100000);
    } while (reply->more);
    free(reply);
    if (ret_pages)
        *ret_pages = pages;
    return count;
}

static void check_list(struct world *w, const list_request *request)
{
    const ctl_certificate_row **wanted = calloc(w->count, sizeof *wanted);
    uint8_t(*got)[32] = calloc(w->count, sizeof *got);
    size_t count, wanted_count;

    assert_true(wanted && got);
    wanted_count = model(w, request, wanted);
    count = read_all(w, *request, got, w->count, NULL);
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(got[i], wanted[i]->id.bytes, 32);
    free(wanted);
    free(got);
}

static void random_word(struct world *w, char *out, size_t room)
{
    static const char *const words[] = {
        "gw",     "gw-0", "GW-0001", "router",   "router0002",    "example", "acme",   "is",
        "c",      "7",    "00",      "fleet.ex", "m\xc3\xbcller", "dns",     "berlin", "prague",
        "shop-1", "gw-",  "zzz",     "0",        "o=acme",        "ca",      "f",      "router"};
    const ctl_certificate_row *row = &w->rows[roll((unsigned)w->count)];
    char id[65];

    switch (roll(6)) {
    case 0:
        snprintf(out, room, "%.*s", (int)(1 + roll(16)), row->serial);
        break;
    case 1:
        snprintf(out, room, "%.*s", (int)(1 + roll(64)), cs_hex(CTL_BYTES(row->id), id));
        break;
    case 2:
        snprintf(out, room, "%.*s", (int)(1 + roll(20)), row->common_name);
        break;
    case 3:
        snprintf(out, room, "%.*s", (int)(1 + roll(20)), row->names[0] + 4);
        break;
    default:
        snprintf(out, room, "%s", words[roll(CS_ARRAY_LEN(words))]);
        break;
    }
    /* Cut in the middle of a character it would be none. */
    while (*out && (out[strlen(out) - 1] & 0x80))
        out[strlen(out) - 1] = 0;
    if (strcspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(out))
        snprintf(out, room, "gw");
}

static list_request random_request(struct world *w)
{
    const ctl_certificate_row *row = &w->rows[roll((unsigned)w->count)];
    list_request request = countersign_v1_ListCertificatesRequest_init_zero;

    request.limit = roll(3) ? 15 + roll(86) : 0;
    request.sort = (countersign_v1_CertificateSort)roll(9);
    request.descending = roll(2);
    for (unsigned filters = roll(4); filters > 0; filters--) {
        char word[64];

        switch (roll(11)) {
        case 0:
            snprintf(request.name, sizeof request.name, "%s", row->common_name);
            break;
        case 1:
            random_word(w, request.search, 64);
            break;
        case 2:
            random_word(w, request.search, 64);
            random_word(w, word, sizeof word);
            snprintf(request.search + strlen(request.search), 66, " %s", word);
            break;
        case 3:
            request.colours_count = (pb_size_t)(1 + roll(3));
            for (pb_size_t i = 0; i < request.colours_count; i++)
                request.colours[i] = (countersign_v1_Colour)(1 + roll(8));
            break;
        case 4:
            snprintf(request.group, sizeof request.group, "%s", row->groups_count ? row->groups[0] : "none");
            break;
        case 5:
            snprintf(request.issuer, sizeof request.issuer, "%s", row->issuer);
            break;
        case 6:
            request.key = (countersign_v1_CertificateKey)(1 + roll(3));
            break;
        case 7:
            request.key_mode = (countersign_v1_KeyMode)(1 + roll(4));
            break;
        case 8:
            request.expires_from_s = INVENTORY_NOW_S - 86400 * (int64_t)roll(30);
            if (roll(2))
                request.expires_before_s = request.expires_from_s + 86400 * (int64_t)roll(500);
            break;
        case 9:
            request.attached = roll(2);
            request.unattached = !request.attached;
            break;
        default:
            request.renewable = roll(4) == 0;
            break;
        }
    }
    return request;
}

static void random_change(struct world *w, size_t i)
{
    ctl_certificate_row *row = &w->rows[i];

    switch (roll(6)) {
    case 0:
        row->groups_count = 0;
        for (unsigned j = roll(4); j > 0; j--)
            snprintf(row->groups[row->groups_count++], sizeof row->groups[0], "site-%u", 10 * j + roll(10));
        break;
    case 1:
        row->revoked = true;
        break;
    case 2:
        row->attachments = roll(4);
        break;
    case 3:
        row->failed = roll(2);
        row->changed = roll(2);
        break;
    case 4:
        row->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
        break;
    default:
        CTL_BYTES_COPY(row->replaced_by, row->id);
        break;
    }
    put_row(w, i);
}

/* Nothing in the indexes but what the rows want. */
static int count_entry(void *data, const struct ctl_key *key)
{
    (void)key;
    ++*(size_t *)data;
    return CS_OK;
}

static void check_entries(struct world *w)
{
    size_t wanted = 0;

    for (size_t i = 0; i < w->count; i++)
        if (!w->gone[i]) {
            struct cs_err err;

            check_ok(ctl_inventory_entries(&w->rows[i], count_entry, &wanted), err);
            wanted++; /* the row */
        }
    assert_int_equal(w->store.count, wanted);
}

static void any_filter_and_order_gives_what_asking_every_row_gives(void **state)
{
    struct world w;

    (void)state;
    seed = 1;
    world_start(&w, SOME);
    for (unsigned i = 0; i < 70; i++) {
        list_request request = random_request(&w);
        size_t who = roll(SOME);

        check_list(&w, &request);
        if (w.gone[who]) {
            w.gone[who] = false;
            inventory_row(who, SOME, &w.rows[who]);
            put_row(&w, who);
        } else if (roll(4) == 0) {
            drop_row(&w, who);
        } else {
            random_change(&w, who);
        }
    }
    check_entries(&w);
    world_end(&w);
}

/* So many that words have too many continuations for streams, and too many entries to gather. */
static void a_large_inventory_gives_the_same(void **state)
{
    static const char *const searches[] = {"word0", "gw-0 word04"};
    struct world w;

    (void)state;
    seed = 2;
    world_start_so(&w, MANY, true);
    for (unsigned i = 0; i < CS_ARRAY_LEN(searches); i++) {
        list_request request = countersign_v1_ListCertificatesRequest_init_zero;

        snprintf(request.search, sizeof request.search, "%s", searches[i]);
        request.descending = i % 2;
        check_list(&w, &request);
        request.sort = countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR;
        check_list(&w, &request);
    }
    world_end(&w);
}

/* Too many to be sorted in memory: the order's index is walked, and the filters' are asked. */
static void many_of_two_filters_come_in_any_order(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, MANY / 2);
    for (int sort = 2; sort <= 8; sort++) {
        list_request request = {.sort = (countersign_v1_CertificateSort)sort,
                                .descending = sort % 2,
                                .group = "prod",
                                .key_mode = countersign_v1_KeyMode_KEY_MODE_HELD};

        check_list(&w, &request);
    }
    world_end(&w);
}

/* Who did not change is in the list once, in its place, whatever others did between two pages. */
static void pages_neither_repeat_nor_hide_while_others_change(void **state)
{
    list_reply *reply = malloc(sizeof *reply);
    struct world w;

    (void)state;
    assert_non_null(reply);
    seed = 3;
    world_start(&w, SOME);
    for (unsigned round = 0; round < 8; round++) {
        const ctl_certificate_row **wanted = calloc(SOME, sizeof *wanted);
        bool *changed = calloc(SOME, sizeof *changed);
        unsigned *seen = calloc(SOME, sizeof *seen);
        list_request request = random_request(&w);
        size_t count, at = 0;
        struct cs_err err;

        assert_true(wanted && changed && seen);
        request.limit = 1 + roll(9);
        count = model(&w, &request, wanted);
        do {
            check_ok(ask(&w, &request, reply, &err), err);
            for (pb_size_t i = 0; i < reply->certificates_count; i++)
                for (size_t j = 0; j < SOME; j++)
                    if (memcmp(w.rows[j].id.bytes, reply->certificates[i].id.bytes, 32) == 0)
                        seen[j]++;
            /* In the order of the model: the unchanged ones rise. */
            for (pb_size_t i = 0; i < reply->certificates_count; i++)
                for (size_t j = at; j < count; j++)
                    if (memcmp(wanted[j]->id.bytes, reply->certificates[i].id.bytes, 32) == 0) {
                        at = j + 1;
                        break;
                    }
            memcpy(&request.page_token, &reply->next_page_token, sizeof reply->next_page_token);
            for (unsigned i = roll(4); i > 0; i--) {
                size_t who = roll(SOME);

                changed[who] = true;
                if (w.gone[who]) {
                    w.gone[who] = false;
                    put_row(&w, who);
                } else if (roll(2)) {
                    drop_row(&w, who);
                } else {
                    random_change(&w, who);
                }
            }
        } while (reply->more);
        for (size_t i = 0; i < count; i++) {
            size_t who = (size_t)(wanted[i] - w.rows);

            if (!changed[who])
                assert_int_equal(seen[who], 1);
        }
        for (size_t i = 0; i < SOME; i++)
            assert_true(seen[i] <= 1 || changed[i]);
        free(wanted);
        free(changed);
        free(seen);
    }
    check_entries(&w);
    world_end(&w);
    free(reply);
}

/* A hundred certificates with all the names and groups that they can have are more than a message. */
static void a_page_fits_a_message(void **state)
{
    list_reply *reply = malloc(sizeof *reply);
    list_request request = countersign_v1_ListCertificatesRequest_init_zero;
    size_t count = 0, pages = 0, bytes;
    struct cs_err err;
    struct world w;

    (void)state;
    assert_non_null(reply);
    world_start(&w, SOME);
    for (size_t i = 0; i < SOME; i++) {
        ctl_certificate_row *row = &w.rows[i];

        drop_row(&w, i);
        row->names_count = CS_ARRAY_LEN(row->names);
        for (size_t k = 0; k < row->names_count; k++)
            snprintf(row->names[k], sizeof row->names[k], "dns:%0*zu.example", (int)sizeof row->names[k] - 13,
                     k);
        row->groups_count = CS_ARRAY_LEN(row->groups);
        for (size_t k = 0; k < row->groups_count; k++)
            snprintf(row->groups[k], sizeof row->groups[k], "%0*zu", (int)sizeof row->groups[k] - 1, k);
        put_row(&w, i);
    }
    for (unsigned sort = 0; sort <= (unsigned)_countersign_v1_CertificateSort_MAX; sort++) {
        memset(&request, 0, sizeof request);
        request.sort = (countersign_v1_CertificateSort)sort;
        for (count = pages = 0; pages == 0 || reply->more; pages++) {
            check_ok(ask(&w, &request, reply, &err), err);
            assert_true(pb_get_encoded_size(&bytes, countersign_v1_ListCertificatesResponse_fields, reply));
            assert_in_range(bytes, 1, CS_LIMIT_MESSAGE_BYTES);
            assert_in_range(reply->certificates_count, 1, CS_ARRAY_LEN(reply->certificates) - 1);
            count += reply->certificates_count;
            memcpy(&request.page_token, &reply->next_page_token, sizeof reply->next_page_token);
            assert_true(pages < SOME);
        }
        assert_int_equal(count, SOME);
    }
    world_end(&w);
    free(reply);
}

static void a_token_of_another_list_is_refused(void **state)
{
    list_request request = countersign_v1_ListCertificatesRequest_init_zero, other;
    list_reply *reply = malloc(sizeof *reply);
    struct cs_err err;
    struct world w;

    (void)state;
    assert_non_null(reply);
    world_start(&w, SOME);
    request.limit = 5;
    snprintf(request.search, sizeof request.search, "gw");
    check_ok(ask(&w, &request, reply, &err), err);
    assert_true(reply->more);
    memcpy(&request.page_token, &reply->next_page_token, sizeof reply->next_page_token);
    request.limit = 7; /* how long a page is is no part of the list */
    check_ok(ask(&w, &request, reply, &err), err);
    other = request;
    other.descending = true;
    check_code(ask(&w, &other, reply, &err), CS_EINVAL);
    check_says(err, "another filter");
    other = request;
    snprintf(other.search, sizeof other.search, "gx");
    check_code(ask(&w, &other, reply, &err), CS_EINVAL);
    other = request;
    other.page_token.bytes[2] ^= 0x40; /* its time */
    check_code(ask(&w, &other, reply, &err), CS_EINVAL);
    other = request;
    other.page_token.size = 9;
    check_code(ask(&w, &other, reply, &err), CS_EINVAL);
    check_says(err, "begin the list anew");
    world_end(&w);
    free(reply);
}

/* Any bytes: a page or a sentence, within bounds, and no harm. */
static void tokens_that_are_made_up_do_no_harm(void **state)
{
    list_reply *reply = malloc(sizeof *reply);
    struct cs_err err;
    struct world w;

    (void)state;
    assert_non_null(reply);
    seed = 5;
    world_start(&w, SOME);
    for (unsigned round = 0; round < 200; round++) {
        list_request request = random_request(&w);

        request.limit = 3;
        check_ok(ask(&w, &request, reply, &err), err);
        memcpy(&request.page_token, &reply->next_page_token, sizeof reply->next_page_token);
        for (unsigned i = 1 + roll(6); i > 0 && request.page_token.size; i--)
            request.page_token.bytes[roll(request.page_token.size)] = (uint8_t)roll(256);
        if (roll(2))
            request.page_token.size = (pb_size_t)roll(sizeof request.page_token.bytes);
        if (roll(2) && request.page_token.size > 27) /* behind what is checked */
            for (pb_size_t i = 26; i < request.page_token.size; i++)
                request.page_token.bytes[i] = (uint8_t)roll(256);
        (void)!ask(&w, &request, reply, &err);
    }
    world_end(&w);
    free(reply);
}

static void what_cannot_be_meant_is_refused_with_a_sentence(void **state)
{
    static const struct {
        list_request request;
        const char *says;
    } cases[] = {
        {{.search = "shop ---"}, "neither letter nor digit"},
        {{.search = "1 2 3 4 5 6 7 8 9"}, "more than 8 words"},
        {{.search = "\x01"}, "the search"},
        {{.attached = true, .unattached = true}, "one of the two"},
        {{.colours_count = 1, .colours = {(countersign_v1_Colour)9}}, "no colour with the number 9"},
        {{.sort = (countersign_v1_CertificateSort)77}, "no order with the number 77"},
        {{.group = "no group"}, "the group"},
        {{.expires_from_s = -1}, "since 1970"},
    };
    list_reply *reply = malloc(sizeof *reply);
    struct cs_err err;
    struct world w;

    (void)state;
    assert_non_null(reply);
    world_start(&w, 10);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        check_code(ask(&w, &cases[i].request, reply, &err), CS_EINVAL);
        check_says(err, cases[i].says);
    }
    world_end(&w);
    free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_filter_and_order_gives_what_asking_every_row_gives),
        cmocka_unit_test(a_large_inventory_gives_the_same),
        cmocka_unit_test(many_of_two_filters_come_in_any_order),
        cmocka_unit_test(pages_neither_repeat_nor_hide_while_others_change),
        cmocka_unit_test(a_page_fits_a_message),
        cmocka_unit_test(a_token_of_another_list_is_refused),
        cmocka_unit_test(tokens_that_are_made_up_do_no_harm),
        cmocka_unit_test(what_cannot_be_meant_is_refused_with_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
