/* Which certificate renews which. */
#include "tests/support/check.h"

#include "controller/core/inventory.h"
#include "tests/support/inventory.h"
#include "tests/support/memview.h"

#include <stdio.h>

static struct ctl_view *view_of(struct memview *store)
{
    struct ctl_source source = memview_source(store);
    struct ctl_view *view;
    struct cs_err err;

    check_ok(ctl_view_new(&source, &view, &err), err);
    return view;
}

static void renewal_row(size_t number, int64_t not_before_s, ctl_certificate_row *ret)
{
    inventory_row(number, 100, ret);
    snprintf(ret->common_name, sizeof ret->common_name, "shop.example");
    ret->names_count = 2;
    snprintf(ret->names[number % 2], sizeof ret->names[0], "dns:shop.example");
    snprintf(ret->names[1 - number % 2], sizeof ret->names[0], "dns:%s",
             number % 3 ? "WWW.example" : "www.example");
    ret->not_before_s = not_before_s;
}

static ctl_certificate_row stored(struct memview *store, const ctl_certificate_row *row)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row->id));
    struct ctl_view *view = view_of(store);
    ctl_certificate_row ret;
    struct cs_err err;

    check_ok(ctl_get(view, &key, Certificate, &ret, &err), err);
    ctl_view_free(view);
    return ret;
}

static void import_row(struct memview *store, ctl_certificate_row *row, bool names_left_out)
{
    struct ctl_view *view = view_of(store);
    struct cs_err err;

    check_ok(ctl_inventory_link(view, row, names_left_out, &err), err);
    check_ok(ctl_inventory_store(view, row, &err), err);
    memview_commit(store, view);
    ctl_view_free(view);
}

static void renewals_find_each_other_in_whatever_order_they_come(void **state)
{
    static const unsigned orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(orders); i++) {
        ctl_certificate_row rows[4], other, last;
        struct memview store = {0};

        for (size_t j = 0; j < 4; j++)
            renewal_row(j, 1000 * (int64_t)(1 + j), &rows[j]);
        for (size_t j = 0; j < 4; j++)
            import_row(&store, &rows[orders[i][j]], false);
        inventory_row(50, 100, &other);
        import_row(&store, &other, false);
        renewal_row(60, 9000, &last);
        import_row(&store, &last, true); /* it may have names that the row does not show */
        for (size_t j = 0; j < 4; j++) {
            ctl_certificate_row row = stored(&store, &rows[j]);

            check_slice(CTL_BYTES(row.replaces), j > 0 ? CTL_BYTES(rows[j - 1].id) : CS_SLICE_EMPTY);
            check_slice(CTL_BYTES(row.replaced_by), j < 3 ? CTL_BYTES(rows[j + 1].id) : CS_SLICE_EMPTY);
        }
        assert_int_equal(stored(&store, &other).replaces.size, 0);
        assert_int_equal(stored(&store, &last).replaces.size, 0);
        memview_free(&store);
    }
}

/* Two of one date (one key of each kind, say) renew the same one, and neither the other. */
static void certificates_of_one_date_do_not_renew_each_other(void **state)
{
    ctl_certificate_row old, one, two, new;
    struct memview store = {0};

    (void)state;
    renewal_row(1, 1000, &old);
    renewal_row(2, 2000, &one);
    renewal_row(3, 2000, &two);
    renewal_row(4, 3000, &new);
    import_row(&store, &one, false);
    import_row(&store, &two, false);
    import_row(&store, &new, false);
    import_row(&store, &old, false);
    one = stored(&store, &one);
    two = stored(&store, &two);
    check_slice(CTL_BYTES(one.replaced_by), CTL_BYTES(new.id));
    check_slice(CTL_BYTES(two.replaced_by), CTL_BYTES(new.id));
    check_slice(CTL_BYTES(one.replaces), CTL_BYTES(old.id));
    check_slice(CTL_BYTES(two.replaces), CTL_BYTES(old.id));
    memview_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewals_find_each_other_in_whatever_order_they_come),
        cmocka_unit_test(certificates_of_one_date_do_not_renew_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
