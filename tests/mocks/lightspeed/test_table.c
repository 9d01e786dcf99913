/* Records stay in the order of their ids, whatever order they came in. */
#include "mocks/lightspeed/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct record {
    int64_t id;
    int64_t value;
};

static size_t released;

static void on_release(void *record)
{
    (void)record;
    released++;
}

static void records_are_kept_in_the_order_of_their_ids(void **state)
{
    (void)state;
    static const int64_t ids[] = {50, 10, 40, 20, 30};
    struct table table;
    assert_int_equal(table_init(&table, sizeof(struct record), 7, 100, on_release), 0);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct record *record = table_add(&table, ids[i]);
        assert_int_equal(record->id, ids[i]);
        record->value = ids[i] * 2;
    }
    for (size_t i = 0; i < table.count; i++)
        assert_int_equal(((struct record *)table.records[i])->id, 10 * ((int64_t)i + 1));
    assert_int_equal(((struct record *)table_find(&table, 40))->value, 80);
    assert_null(table_find(&table, 41));
    assert_int_equal(table_lower_bound(&table, 41), 4);
    released = 0;
    table_remove(&table, 30);
    assert_int_equal(released, 1);
    assert_null(table_find(&table, 30));
    table_finish(&table);
    assert_int_equal(released, 5);
}

static void ids_count_up_and_are_taken_once(void **state)
{
    (void)state;
    struct table table;
    assert_int_equal(table_init(&table, sizeof(struct record), 3, 100, NULL), 0);
    assert_int_equal(((struct record *)table_add(&table, 0))->id, 100);
    assert_null(table_add(&table, 100));
    assert_non_null(table_add(&table, 500));
    assert_int_equal(((struct record *)table_add(&table, 0))->id, 501);
    assert_null(table_add(&table, 0)); /* full */
    table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_kept_in_the_order_of_their_ids),
        cmocka_unit_test(ids_count_up_and_are_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
