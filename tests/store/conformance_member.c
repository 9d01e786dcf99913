/*
 * The conformance suite of members: rows, imports, and who is found by what.
 */
#include "tests/store/conformance.h"

#include "store/grant.h"
#include "base/error.h"
#include "store/member.h"

#include <stdio.h>
#include <string.h>

static const struct conformance_backend *suite_backend;

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    suite_backend->create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    suite_backend->remove(fixture->location);
    test_free(fixture);
    return 0;
}

static struct rows *rows_of(void **state)
{
    return &((struct fixture *)*state)->rows;
}

static struct member make(const struct rows *rows, const char *first_name, const char *last_name)
{
    struct member member = {
        .tenant_id = rows->tenant.id, .created_at_us = ROWS_NOW_US, .account.is_active = true};
    snprintf(member.first_name, sizeof(member.first_name), "%s", first_name);
    snprintf(member.last_name, sizeof(member.last_name), "%s", last_name);
    return member;
}

static struct member add(struct rows *rows, const char *first_name, const char *last_name)
{
    struct member member = make(rows, first_name, last_name);
    assert_int_equal(store_add_member(rows->store, &member), 0);
    return member;
}

/* David Kent, of whom everything is known. */
static struct member add_david(struct rows *rows)
{
    struct member member = make(rows, "David", "Kent");
    memcpy(member.code, "VIP-7", sizeof("VIP-7"));
    memcpy(member.email, "David.Kent@example.com", sizeof("David.Kent@example.com"));
    memcpy(member.phone, "+61 400 000 123", sizeof("+61 400 000 123"));
    memcpy(member.card_number, "6036 2800 0001", sizeof("6036 2800 0001"));
    memcpy(member.icon_url, "https://x.test/i.png", sizeof("https://x.test/i.png"));
    memcpy(member.intro_text, "Likes flat white", sizeof("Likes flat white"));
    memcpy(member.tier, "Gold", sizeof("Gold"));
    assert_int_equal(store_add_member(rows->store, &member), 0);
    return member;
}

static void assert_same_member(const struct member *a, const struct member *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_string_equal(a->code, b->code);
    assert_string_equal(a->first_name, b->first_name);
    assert_string_equal(a->last_name, b->last_name);
    assert_string_equal(a->email, b->email);
    assert_string_equal(a->phone, b->phone);
    assert_string_equal(a->card_number, b->card_number);
    assert_string_equal(a->icon_url, b->icon_url);
    assert_string_equal(a->intro_text, b->intro_text);
    assert_string_equal(a->tier, b->tier);
    assert_int_equal(a->created_at_us, b->created_at_us);
    assert_int_equal(a->account.member_id, b->account.member_id);
    assert_int_equal(a->account.points, b->account.points);
    assert_int_equal(a->account.points_held, b->account.points_held);
    assert_int_equal(a->account.version, b->account.version);
    assert_int_equal(a->account.last_entry_id, b->account.last_entry_id);
    assert_int_equal(a->account.active_at_us, b->account.active_at_us);
    assert_int_equal(a->account.is_active, b->account.is_active);
}

static struct member read_back(struct rows *rows, int64_t id)
{
    struct member member;
    assert_int_equal(store_read_member(rows->store, rows->tenant.id, id, &member), 0);
    return member;
}

struct found {
    struct member members[64];
    int count;
};

static void on_member(void *context, const struct member *member)
{
    struct found *found = context;
    assert_true(found->count < (int)COUNT_OF(found->members));
    found->members[found->count++] = *member;
}

static struct found *search_at(struct rows *rows, int64_t tenant_id, struct text keyword,
                               int32_t limit)
{
    static struct found found;
    found.count = 0;
    assert_int_equal(
        store_search_members(rows->store, tenant_id, keyword, limit, on_member, &found), 0);
    assert_true(found.count <= limit);
    return &found;
}

static struct found *search(struct rows *rows, const char *keyword)
{
    return search_at(rows, rows->tenant.id, text_of(keyword), SEARCH_RESULTS_MAX);
}

/* Who is found, as ids: "1 3". */
static const char *ids(struct rows *rows, const char *keyword)
{
    static char bytes[64 * 20];
    struct text_buffer buffer;
    struct found *found = search(rows, keyword);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    for (int i = 0; i < found->count; i++)
        text_append_format(&buffer, "%s%d", i == 0 ? "" : " ", (int)found->members[i].id);
    return bytes;
}

/* --- rows --- */

static void member_is_read_back_field_by_field(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    assert_int_equal(david.id, 1);
    struct member kept = read_back(rows, david.id);
    assert_same_member(&kept, &david);
    assert_int_equal(kept.account.points, 0);
    assert_int_equal(kept.account.active_at_us, ROWS_NOW_US);
    assert_int_equal(store_read_member_by_code(rows->store, rows->tenant.id, TEXT("VIP-7"), &kept),
                     0);
    assert_same_member(&kept, &david);
}

static void unknown_member_is_not_found(void **state)
{
    struct rows *rows = rows_of(state);
    struct member member;
    int64_t tenant_id = rows->tenant.id;
    static const struct text codes[] = {
        {"VIP-8", 5}, {"vip-7", 5}, {"", 0}, {"VIP-7\0x", 7}, {"VIP-7 ", 6}};
    (void)add_david(rows);
    assert_int_equal(store_read_member(rows->store, tenant_id, 2, &member), ERR_NOT_FOUND);
    assert_int_equal(store_read_member(rows->store, tenant_id + 1, 1, &member), ERR_NOT_FOUND);
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(store_read_member_by_code(rows->store, tenant_id, codes[i], &member),
                         ERR_NOT_FOUND);
    assert_int_equal(store_read_member_by_code(rows->store, tenant_id + 1, TEXT("VIP-7"), &member),
                     ERR_NOT_FOUND);
}

static void code_is_made_of_the_id_when_none_is_given(void **state)
{
    struct rows *rows = rows_of(state);
    assert_string_equal(add(rows, "A", "A").code, "M-1");
    struct member taken = make(rows, "B", "B");
    memcpy(taken.code, "M-3", sizeof("M-3"));
    assert_int_equal(store_add_member(rows->store, &taken), 0);
    assert_string_equal(add(rows, "C", "C").code, "M-3-2");
    assert_string_equal(add(rows, "D", "D").code, "M-4");
}

/* As of a restored store: who was added after the copy was made is still known elsewhere. */
static void ids_of_one_generation_are_not_given_out_in_a_later_one(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t generation;
    assert_int_equal(add(rows, "A", "A").id, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_raise_token_generation(rows->store, &generation), 0);
    assert_string_equal(add(rows, "B", "B").code, "M-200000001");
    assert_int_equal(add(rows, "C", "C").id, 200000002);
}

static void code_is_taken_once_per_tenant(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant other = rows_tenant(8765);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    (void)add_david(rows);
    struct member twin = make(rows, "Dora", "Kent");
    memcpy(twin.code, "VIP-7", sizeof("VIP-7"));
    struct member untouched = twin;
    assert_int_equal(store_add_member(rows->store, &twin), ERR_ALREADY_EXISTS);
    assert_memory_equal(&twin, &untouched, sizeof(twin));
    assert_string_equal(ids(rows, "dora"), "");
    twin.tenant_id = other.id;
    assert_int_equal(store_add_member(rows->store, &twin), 0);
    assert_int_equal(twin.id, 2);
}

static void member_of_no_tenant_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct member member = make(rows, "David", "Kent");
    member.tenant_id = 99;
    assert_int_equal(store_add_member(rows->store, &member), ERR_NOT_FOUND);
}

static void update_changes_everything_but_code_and_points(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    struct member changed = make(rows, "Dave", "Clark");
    changed.id = david.id;
    memcpy(changed.code, "OTHER", sizeof("OTHER"));
    memcpy(changed.email, "dave@y.test", sizeof("dave@y.test"));
    memcpy(changed.tier, "Silver", sizeof("Silver"));
    changed.account.points = 999;
    changed.created_at_us = 1;
    assert_int_equal(store_update_member(rows->store, &changed), 0);
    struct member kept = read_back(rows, david.id);
    assert_string_equal(kept.first_name, "Dave");
    assert_string_equal(kept.email, "dave@y.test");
    assert_string_equal(kept.phone, "");
    assert_string_equal(kept.tier, "Silver");
    assert_string_equal(kept.code, "VIP-7");
    assert_int_equal(kept.account.points, 0);
    assert_int_equal(kept.created_at_us, ROWS_NOW_US);
    assert_string_equal(ids(rows, "vip7"), "1");
    assert_string_equal(ids(rows, "other"), "");
    changed.id = 2;
    assert_int_equal(store_update_member(rows->store, &changed), ERR_NOT_FOUND);
    changed.id = david.id;
    changed.tenant_id++;
    assert_int_equal(store_update_member(rows->store, &changed), ERR_NOT_FOUND);
}

static void update_changes_what_a_member_is_found_by(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    memcpy(david.last_name, "Clark", sizeof("Clark"));
    david.phone[0] = '\0';
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_string_equal(ids(rows, "clark d"), "1");
    assert_string_equal(ids(rows, "david cl"), "1");
    assert_string_equal(ids(rows, "kent davi"), "1"); /* the address is as it was */
    assert_string_equal(ids(rows, "david kent"), "1");
    memcpy(david.email, "dc@example.com", sizeof("dc@example.com"));
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_string_equal(ids(rows, "david.kent"), "");
    assert_string_equal(ids(rows, "kent davi"), "");
    assert_string_equal(ids(rows, "0400"), "");
    assert_string_equal(ids(rows, "vip7"), "1");
}

static void members_are_listed_in_pages(void **state)
{
    struct rows *rows = rows_of(state);
    struct found found = {.count = 0};
    struct tenant other = rows_tenant(8765);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    for (int i = 0; i < 5; i++) {
        struct member member = make(rows, "A", "A");
        if (i == 2)
            member.tenant_id = other.id;
        assert_int_equal(store_add_member(rows->store, &member), 0);
    }
    int64_t tenant_id = rows->tenant.id;
    assert_int_equal(store_each_member(rows->store, tenant_id, 0, 2, on_member, &found), 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.members[1].id, 2);
    assert_int_equal(store_each_member(rows->store, tenant_id, 2, 9, on_member, &found), 0);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.members[2].id, 4);
    assert_int_equal(found.members[3].id, 5);
}

static void same_person_is_known_without_a_code(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows), found;
    struct member like = make(rows, "DAVID", "K\u00E9nt");
    assert_int_equal(store_find_same_member(rows->store, &like, &found), ERR_NOT_FOUND);
    memcpy(like.phone, "0400000123", sizeof("0400000123"));
    assert_int_equal(store_find_same_member(rows->store, &like, &found), 0);
    assert_same_member(&found, &david);
    memcpy(like.email, "DAVID.KENT@example.com", sizeof("DAVID.KENT@example.com"));
    assert_int_equal(store_find_same_member(rows->store, &like, &found), 0);
    memcpy(like.email, "other@example.com", sizeof("other@example.com")); /* same phone */
    assert_int_equal(store_find_same_member(rows->store, &like, &found), ERR_NOT_FOUND);
    like = make(rows, "Dora", "Kent");
    memcpy(like.email, david.email, sizeof(like.email));
    assert_int_equal(store_find_same_member(rows->store, &like, &found), ERR_NOT_FOUND);
    like.tenant_id++;
    memcpy(like.first_name, "David", sizeof("David"));
    assert_int_equal(store_find_same_member(rows->store, &like, &found), ERR_NOT_FOUND);
}

static void assert_same_is(struct rows *rows, const char *first_name, const char *last_name,
                           const char *email, const char *phone, int64_t id)
{
    struct member like = make(rows, first_name, last_name), found;
    snprintf(like.email, sizeof(like.email), "%s", email);
    snprintf(like.phone, sizeof(like.phone), "%s", phone);
    int err = store_find_same_member(rows->store, &like, &found);
    if (err != (id == 0 ? ERR_NOT_FOUND : 0) || (id != 0 && found.id != id))
        fail_msg("%s %s, '%s', '%s': error %d, member %d", first_name, last_name, email, phone, err,
                 err == 0 ? (int)found.id : 0);
}

static struct member add_with(struct rows *rows, const char *first_name, const char *last_name,
                              const char *email, const char *phone)
{
    struct member member = make(rows, first_name, last_name);
    snprintf(member.email, sizeof(member.email), "%s", email);
    snprintf(member.phone, sizeof(member.phone), "%s", phone);
    assert_int_equal(store_add_member(rows->store, &member), 0);
    return member;
}

static void who_is_switched_off_is_the_same_person_still(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    david.account.is_active = false;
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_same_is(rows, "David", "Kent", david.email, "", 1);
    assert_same_is(rows, "david", "kent", "", "0400000123", 1);
    assert_same_is(rows, "Dora", "Kent", david.email, "", 0);
    assert_same_is(rows, "David", "Kent", "other@example.com", "0400000123", 0);
    static const char *const keywords[] = {"david",         "kent d", "david.kent@example.com",
                                           "david.kent@ex", "0400",   "400000123",
                                           "dvaid",         "n",      "ndavid",
                                           "i400000123",    "VIP-7",  "edavid"};
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        assert_string_equal(ids(rows, keywords[i]), "");
    snprintf(david.email, sizeof(david.email), "new@example.com"); /* changed while off */
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_same_is(rows, "David", "Kent", "david.kent@example.com", "", 0);
    assert_same_is(rows, "David", "Kent", "new@example.com", "", 1);
    david.account.is_active = true;
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_same_is(rows, "David", "Kent", "new@example.com", "", 1);
    assert_string_equal(ids(rows, "david"), "1");
}

static void who_is_active_is_meant_before_who_is_switched_off(void **state)
{
    struct rows *rows = rows_of(state);
    struct member off = make(rows, "Ann", "Lee");
    memcpy(off.email, "ann@x.test", sizeof("ann@x.test"));
    off.account.is_active = false;
    assert_int_equal(store_add_member(rows->store, &off), 0);
    assert_same_is(rows, "Ann", "Lee", "ann@x.test", "", off.id);
    struct member on = add_with(rows, "Ann", "Lee", "ann@x.test", "");
    assert_same_is(rows, "Ann", "Lee", "ann@x.test", "", on.id);
}

static void somebody_else_is_not_taken_for_the_same_person(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add_with(rows, "Ann", "Lee", "ann.lee@x.test", "0400 000 111"); /* 1 */
    struct member coded = make(rows, "Ben", "Lee");                       /* 2 */
    memcpy(coded.code, "555-1234", sizeof("555-1234"));
    memcpy(coded.card_number, "6036 2800", sizeof("6036 2800"));
    assert_int_equal(store_add_member(rows->store, &coded), 0);
    assert_same_is(rows, "Ann", "Lee", "lee@x.test", "", 0);     /* from a word of the address on */
    assert_same_is(rows, "Lee", "Ann", "ann.lee@x.test", "", 0); /* the name turned round */
    assert_same_is(rows, "Ann", "", "ann.lee@x.test", "", 0);
    assert_same_is(rows, "Ann", "Lee", "ann.lee@x.tes", "", 0);
    assert_same_is(rows, "Ben", "Lee", "", "555-1234", 0); /* a code, a card */
    assert_same_is(rows, "Ben", "Lee", "", "60362800", 0);
    assert_same_is(rows, "Ann Lee", "", "ANN.LEE@x.test", "", 1); /* the same words of a name */
    coded.account.is_active = false;
    assert_int_equal(store_update_member(rows->store, &coded), 0);
    assert_same_is(rows, "Ben", "Lee", "", "555-1234", 0);
}

static void somebody_else_does_not_hide_the_same_person(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add_with(rows, "Lee", "Ann", "ann.lee@x.test", "");   /* 1: the name turned round */
    (void)add_with(rows, "Ann", "Lee", "m.ann.lee@x.test", ""); /* 2: a word of the address */
    (void)add_with(rows, "Ann", "Lee", "ann.lee@x.test", "");   /* 3 */
    (void)add_with(rows, "Ann", "Lee", "ann.lee@x.test", "");   /* 4 */
    assert_same_is(rows, "Ann", "Lee", "ann.lee@x.test", "", 3);
    assert_same_is(rows, "Lee", "Ann", "ann.lee@x.test", "", 1);
    assert_same_is(rows, "Ann", "Lee", "m.ann.lee@x.test", "", 2);
}

/* --- import --- */

static void import_is_there_as_a_whole_or_not_at_all(void **state)
{
    struct rows *rows = rows_of(state);
    assert_int_equal(store_begin_group(rows->store), 0);
    (void)add(rows, "Ada", "One");
    (void)add(rows, "Bea", "Two");
    store_rollback_group(rows->store);
    assert_string_equal(ids(rows, "ada"), "");
    assert_int_equal(store_begin_group(rows->store), 0);
    (void)add(rows, "Ada", "One");
    (void)add(rows, "Bea", "Two");
    assert_int_equal(store_commit_group(rows->store), 0);
    assert_string_equal(ids(rows, "ada"), "1");
    assert_string_equal(ids(rows, "two bea"), "2");
}

static void refused_row_takes_nothing_out_of_an_import(void **state)
{
    struct rows *rows = rows_of(state);
    assert_int_equal(store_begin_group(rows->store), 0);
    struct member david = add_david(rows);
    struct member twin = make(rows, "Dora", "Kent");
    memcpy(twin.code, david.code, sizeof(twin.code));
    assert_int_equal(store_add_member(rows->store, &twin), ERR_ALREADY_EXISTS);
    memcpy(david.tier, "Tin", sizeof("Tin"));
    assert_int_equal(store_update_member(rows->store, &david), 0);
    (void)add(rows, "Ada", "One");
    assert_int_equal(store_commit_group(rows->store), 0);
    assert_string_equal(read_back(rows, 1).tier, "Tin");
    assert_string_equal(ids(rows, "ada"), "2");
    assert_string_equal(ids(rows, "kent"), "1");
    (void)add(rows, "Eve", "After"); /* the next change is one of its own again */
    assert_string_equal(ids(rows, "eve"), "3");
}

/* --- search --- */

static void member_is_found_by_everything_that_is_known(void **state)
{
    struct rows *rows = rows_of(state);
    static const char *const good[] = {
        "david",          "d",
        "DAVID KENT",     "kent, david",
        "david k",        "kent d",
        "d kent",         "k d",
        "david.kent@exa", "David.Kent@Example.COM",
        "kent@",          "vip-7",
        "VIP7",           "vip",
        "6036-2800",      "603628000001",
        "0400 000",       "+61400",
        "400000123",      "61400000123",
        "0061 400 000 1", "d\u00E1vid",
        "  david  ",      "david\tkent",
        "dav vip",
    };
    static const char *const bad[] = {
        "kentdx", "david l", "ent", "example.com", "0123", "000123", "vip-8", "+61 500",
    };
    (void)add_david(rows);
    (void)add(rows, "Zara", "Quill");
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (strcmp(ids(rows, good[i]), "1") != 0)
            fail_msg("'%s' finds '%s'", good[i], ids(rows, good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (ids(rows, bad[i])[0] != '\0')
            fail_msg("'%s' finds '%s'", bad[i], ids(rows, bad[i]));
}

static void accents_and_apostrophes_do_not_matter(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add(rows, "Zo\u00EB", "O\u2019Brien-Smith");
    (void)add(rows, "\u0418\u0432\u0430\u043D", "\u041F\u0435\u0442\u0440\u043E\u0432");
    (void)add(rows, "\u5C71\u7530", "\u592A\u90CE");
    static const char *const zoe[] = {"zoe obrien", "ZOE O'BRIEN", "smith zoe", "Zoe\u0308",
                                      "zo\xEB"};
    for (size_t i = 0; i < COUNT_OF(zoe); i++)
        assert_string_equal(ids(rows, zoe[i]), "1");
    assert_string_equal(ids(rows, "\u0418\u0412\u0410\u041D \u043F"), "2");
    assert_string_equal(ids(rows, "\u5C71"), "3");
}

static void words_may_come_in_any_order_and_from_anywhere(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    struct member ana = make(rows, "Ana Mar\u00EDa", "L\u00F3pez Garc\u00EDa");
    memcpy(ana.phone, "0411 222 333", sizeof("0411 222 333"));
    assert_int_equal(store_add_member(rows->store, &ana), 0);
    (void)david;
    static const char *const good[] = {"ana garcia",       "garcia ana", "lopez a",  "maria lopez",
                                       "garcia maria ana", "lo an ma",   "ana 0411", "0411 garcia"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (strcmp(ids(rows, good[i]), "2") != 0)
            fail_msg("'%s' finds '%s'", good[i], ids(rows, good[i]));
    assert_string_equal(ids(rows, "ana kent"), "");
    assert_string_equal(ids(rows, "ana garcia david"), "");
}

static void whole_words_come_first_then_who_joined_first(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add(rows, "Annabel", "Lee");
    (void)add(rows, "Ann", "Zed");
    (void)add(rows, "Anna", "Abel");
    (void)add(rows, "Joe", "Ann");
    assert_string_equal(ids(rows, "ann"), "2 4 1 3");
    assert_string_equal(ids(rows, "anna"), "3 1");
}

static void at_most_limit_are_found(void **state)
{
    struct rows *rows = rows_of(state);
    for (int i = 0; i < SEARCH_RESULTS_MAX + 5; i++)
        (void)add(rows, "Ann", "Lee");
    assert_int_equal(search(rows, "ann lee")->count, SEARCH_RESULTS_MAX);
    assert_int_equal(search_at(rows, rows->tenant.id, TEXT("a"), 3)->count, 3);
    assert_int_equal(search(rows, "lee ann")->members[0].id, 1);
}

static void members_of_others_are_not_found(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add_david(rows);
    assert_int_equal(search_at(rows, rows->tenant.id + 1, TEXT("david"), 5)->count, 0);
    assert_int_equal(search_at(rows, rows->tenant.id + 1, TEXT("dvaid"), 5)->count, 0);
}

static void who_is_switched_off_is_not_found(void **state)
{
    struct rows *rows = rows_of(state);
    struct member david = add_david(rows);
    david.account.is_active = false;
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_string_equal(ids(rows, "david"), "");
    assert_string_equal(ids(rows, "dvaid"), "");
    assert_string_equal(ids(rows, "vip7"), "");
    assert_false(read_back(rows, david.id).account.is_active);
    david.account.is_active = true;
    assert_int_equal(store_update_member(rows->store, &david), 0);
    assert_string_equal(ids(rows, "david"), "1");
}

static void one_typing_error_is_forgiven_in_long_words(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add_david(rows);
    (void)add(rows, "Joanna", "Smith");
    (void)add(rows, "\u0418\u0432\u0430\u043D", "\u041F\u0435\u0442\u0440\u043E\u0432");
    static const char *const david[] = {"dvaid",      "avid",       "davdi",      "daviid",
                                        "davif",      "xavid",      "dvai",       "david.kebt@e",
                                        "dvaid kent", "kent dvaid", "davi kemt",  "davidkent",
                                        "d kemt",     "dvaid vip7", "vip7 dvaid", "0400 dvaid"};
    for (size_t i = 0; i < COUNT_OF(david); i++)
        if (strcmp(ids(rows, david[i]), "1") != 0)
            fail_msg("'%s' finds '%s'", david[i], ids(rows, david[i]));
    (void)add(rows, "Marta", "Alpha");
    (void)add(rows, "Maruba", "Beta"); /* 'u' comes right after 't' */
    assert_string_equal(ids(rows, "marxba"), "5");
    assert_string_equal(ids(rows, "smiht"), "2");
    assert_string_equal(ids(rows, "joana smoth"), "2"); /* one in each */
    assert_string_equal(ids(rows, "\u0438\u0430\u0432\u043D"), "3");
    assert_string_equal(ids(rows, "\u043F\u0435\u0442\u0440\u0432"), "3");
}

/* Who sorts behind more rows than one query looks at. */
static void frequent_words_hide_nobody(void **state)
{
    struct rows *rows = rows_of(state);
    char expected[48];
    assert_int_equal(store_begin_group(rows->store), 0);
    for (int i = 0; i < SEARCH_SCAN_MAX; i++) {
        (void)add(rows, "James", "Adams");
        (void)add(rows, "Olga", "Wiatt");
    }
    assert_int_equal(store_commit_group(rows->store), 0);
    int james = (int)add(rows, "James", "Wilson").id;
    snprintf(expected, sizeof(expected), "%d", james);
    static const char *const good[] = {"james wilson", "ja wi",       "wi ja",       "j w",
                                       "jawes wilson", "james wilon", "jawes wilon", "wilon jawes"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (strcmp(ids(rows, good[i]), expected) != 0)
            fail_msg("'%s' finds '%s'", good[i], ids(rows, good[i]));
    int jaap = (int)add(rows, "Jaap", "Wisse").id; /* before all of them */
    snprintf(expected, sizeof(expected), "%d %d", james, jaap);
    assert_string_equal(ids(rows, "ja wi"), expected);
    snprintf(expected, sizeof(expected), "%d", (int)add(rows, "Jamos", "Wiatt").id);
    assert_string_equal(ids(rows, "james wiatt"), expected); /* both words are there, apart */
}

static void what_is_too_far_or_too_short_is_not_guessed(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add_david(rows);
    static const char *const bad[] = {"dvadi", "dxvxd", "dvi",     "dva",     "vip-9",
                                      "0500",  "kxnx",  "6036281", "dx kent", "+61 410"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (ids(rows, bad[i])[0] != '\0')
            fail_msg("'%s' finds '%s'", bad[i], ids(rows, bad[i]));
}

static void who_is_found_exactly_keeps_out_who_is_near(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add(rows, "Marie", "Curie");
    (void)add(rows, "Maria", "Curis");
    assert_string_equal(ids(rows, "marie"), "1");
    assert_string_equal(ids(rows, "mariX"), "1 2");
}

static void odd_keywords_find_nobody_and_break_nothing(void **state)
{
    struct rows *rows = rows_of(state);
    static const char *const odd[] = {"",
                                      " ",
                                      "%",
                                      "_",
                                      "d%",
                                      "%david%x",
                                      "d_vid_",
                                      "'; DROP TABLE member; --",
                                      "\" OR 1=1",
                                      "<script>alert(1)</script>",
                                      "\U0001F600",
                                      "\u202Edivad",
                                      "\xff\xfe\xfd",
                                      "\xC3",
                                      "\\",
                                      "*",
                                      "....",
                                      "\x01\x02"};
    (void)add_david(rows);
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        if (strcmp(odd[i], "d%") != 0) /* a letter, and a sign that does not matter */
            assert_string_equal(ids(rows, odd[i]), "");
    assert_string_equal(ids(rows, "d%"), "1");
    assert_int_equal(search_at(rows, rows->tenant.id, (struct text){"da\0vid", 6}, 5)->count, 0);
    static char long_keyword[10240];
    memset(long_keyword, 'd', sizeof(long_keyword));
    struct text text = {long_keyword, sizeof(long_keyword)};
    assert_int_equal(search_at(rows, rows->tenant.id, text, 5)->count, 0);
    for (size_t i = 1; i < sizeof(long_keyword); i += 2)
        long_keyword[i] = ' ';
    assert_int_equal(search_at(rows, rows->tenant.id, text, 5)->count, 1);
    assert_string_equal(ids(rows, "david"), "1");
}

static void names_of_letters_that_sort_last_are_found(void **state)
{
    struct rows *rows = rows_of(state);
    (void)add(rows, "\U000323AF\U000323AF", "\U000323AF"); /* the last of the Han characters */
    (void)add(rows, "zzzz", "zzzz");
    assert_string_equal(ids(rows, "\U000323AF\U000323AF"), "1");
    assert_string_equal(ids(rows, "zzzz"), "2");
    assert_string_equal(ids(rows, "zzxz"), "2");
    assert_string_equal(ids(rows, "zzz\U000323AF"), "2");
}

static void reader_searches_what_was_committed(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store *reader;
    struct found found = {.count = 0};
    if (!suite_backend->is_shared)
        skip();
    (void)add_david(rows);
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    assert_int_equal(store_open(&config, STORE_READER, &reader), 0);
    assert_int_equal(store_begin_group(rows->store), 0);
    (void)add(rows, "Dora", "Kent");
    assert_int_equal(store_search_members(reader, rows->tenant.id, TEXT("kent"), SEARCH_RESULTS_MAX,
                                          on_member, &found),
                     0);
    assert_int_equal(found.count, 1);
    assert_int_equal(store_commit_group(rows->store), 0);
    assert_int_equal(store_search_members(reader, rows->tenant.id, TEXT("kent"), SEARCH_RESULTS_MAX,
                                          on_member, &found),
                     0);
    assert_int_equal(found.count, 3);
    store_close(reader);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest conformance[] = {
    TEST_CASE(member_is_read_back_field_by_field),
    TEST_CASE(unknown_member_is_not_found),
    TEST_CASE(code_is_made_of_the_id_when_none_is_given),
    TEST_CASE(ids_of_one_generation_are_not_given_out_in_a_later_one),
    TEST_CASE(code_is_taken_once_per_tenant),
    TEST_CASE(member_of_no_tenant_is_refused),
    TEST_CASE(update_changes_everything_but_code_and_points),
    TEST_CASE(update_changes_what_a_member_is_found_by),
    TEST_CASE(members_are_listed_in_pages),
    TEST_CASE(same_person_is_known_without_a_code),
    TEST_CASE(who_is_switched_off_is_the_same_person_still),
    TEST_CASE(who_is_active_is_meant_before_who_is_switched_off),
    TEST_CASE(somebody_else_is_not_taken_for_the_same_person),
    TEST_CASE(somebody_else_does_not_hide_the_same_person),
    TEST_CASE(import_is_there_as_a_whole_or_not_at_all),
    TEST_CASE(refused_row_takes_nothing_out_of_an_import),
    TEST_CASE(member_is_found_by_everything_that_is_known),
    TEST_CASE(accents_and_apostrophes_do_not_matter),
    TEST_CASE(words_may_come_in_any_order_and_from_anywhere),
    TEST_CASE(whole_words_come_first_then_who_joined_first),
    TEST_CASE(at_most_limit_are_found),
    TEST_CASE(members_of_others_are_not_found),
    TEST_CASE(who_is_switched_off_is_not_found),
    TEST_CASE(one_typing_error_is_forgiven_in_long_words),
    TEST_CASE(frequent_words_hide_nobody),
    TEST_CASE(what_is_too_far_or_too_short_is_not_guessed),
    TEST_CASE(who_is_found_exactly_keeps_out_who_is_near),
    TEST_CASE(odd_keywords_find_nobody_and_break_nothing),
    TEST_CASE(names_of_letters_that_sort_last_are_found),
    TEST_CASE(reader_searches_what_was_committed),
};

int conformance_run_members(const struct conformance_backend *backend)
{
    suite_backend = backend;
    return _cmocka_run_group_tests("members", conformance, COUNT_OF(conformance), NULL, NULL);
}
