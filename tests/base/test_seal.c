/* Keys: known vectors for HMAC and HKDF, the master key file, sealed text and what must not open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/seal.h"

#include "base/banned.h"

static void assert_mac(const uint8_t mac[SEAL_MAC_BYTES], const char *hex_wanted)
{
    char hex[2 * SEAL_MAC_BYTES + 1];
    text_hex_encode(hex, mac, SEAL_MAC_BYTES);
    assert_string_equal(hex, hex_wanted);
}

static void sign(struct text key, struct text message, uint8_t out[SEAL_MAC_BYTES])
{
    struct seal_hmac *hmac = seal_hmac_create(key);
    seal_hmac_sign(hmac, message, out);
    seal_hmac_destroy(hmac);
}

static struct seal *seal_of(uint8_t first)
{
    uint8_t master[SEAL_KEY_BYTES];
    for (uint8_t i = 0; i < SEAL_KEY_BYTES; i++)
        master[i] = (uint8_t)(first + i);
    struct seal *seal;
    assert_int_equal(seal_from_bytes(master, &seal), 0);
    return seal;
}

/* --- HMAC ------------------------------------------------------------------------------------ */

/* RFC 4231 sections 4.2 to 4.8 (case 5 is about truncation and left out). */
static void hmac_gives_the_rfc_4231_vectors(void **state)
{
    (void)state;
    char aa[131];
    char dd[50];
    char cd[50];
    char b20[20];
    char key4[25];
    memset(aa, 0xaa, sizeof(aa));
    memset(dd, 0xdd, sizeof(dd));
    memset(cd, 0xcd, sizeof(cd));
    memset(b20, 0x0b, sizeof(b20));
    for (size_t i = 0; i < sizeof(key4); i++)
        key4[i] = (char)(i + 1);
    const struct {
        struct text key;
        struct text message;
        const char *mac;
    } cases[] = {
        {{b20, 20},
         TEXT("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {TEXT("Jefe"), TEXT("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{aa, 20}, {dd, 50}, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {{key4, 25}, {cd, 50}, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {{aa, 131},
         TEXT("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {{aa, 131},
         TEXT("This is a test using a larger than block-size key and a larger than block-size "
              "data. The key needs to be hashed before being used by the HMAC algorithm."),
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t mac[SEAL_MAC_BYTES];
        sign(cases[i].key, cases[i].message, mac);
        assert_mac(mac, cases[i].mac);
    }
}

/* Protocol o-series section 4. */
static void hmac_gives_the_signatures_of_the_protocol(void **state)
{
    (void)state;
    const struct {
        struct text body;
        const char *mac;
    } cases[] = {
        {TEXT("{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065908,"
              "\"keyword\":\"6036280000012345\",\"amount\":25.5}"),
         "e218f006caa7dd13a7ee3fe31f02b3a279734f3f9a310241d8683f52645ad77f"},
        {TEXT("{\"company_id\": 5678, \"site_id\": 923, \"register_id\": 9091, "
              "\"order_id\": 2802065908, \"keyword\": \"6036280000012345\", \"amount\": 25.5}"),
         "8d2144c69556fc158699e078a8c32a0bbfa82b9cceeea70b26f88b03604e2562"},
        {TEXT("{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065909,"
              "\"keyword\":\"6036280000012345\",\"topup_amount\":\"50.00\"}"),
         "03502f99aef71927ef703258ba65e2d3c5797876cab6cca77d4a80c52bb17682"},
        {{NULL, 0}, "f0fb4ed64fa82948cb59c32e69d704d7aa25ef0e47f12bc655dc5bb2b005200e"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t mac[SEAL_MAC_BYTES];
        sign(TEXT("sig-token-EXAMPLE-1234"), cases[i].body, mac);
        assert_mac(mac, cases[i].mac);
    }
}

static void hmac_key_signs_again_and_again(void **state)
{
    (void)state;
    struct seal_hmac *hmac = seal_hmac_create(TEXT("sig-token-EXAMPLE-1234"));
    uint8_t mac[SEAL_MAC_BYTES];
    for (int i = 0; i < 3; i++) {
        seal_hmac_sign(hmac, TEXT("something else"), mac);
        seal_hmac_sign(hmac, TEXT(""), mac);
        assert_mac(mac, "f0fb4ed64fa82948cb59c32e69d704d7aa25ef0e47f12bc655dc5bb2b005200e");
    }
    seal_hmac_destroy(hmac);
    seal_hmac_destroy(NULL);
}

/* On both sides of the block size; computed with another implementation. */
static void hmac_key_of_a_block_is_used_whole_and_a_longer_one_hashed(void **state)
{
    (void)state;
    char key[65];
    uint8_t mac[SEAL_MAC_BYTES];
    memset(key, 'k', sizeof(key));
    sign((struct text){key, 64}, TEXT("m"), mac);
    assert_mac(mac, "3b7a8d453e76edb519238a515105a57508d0f169f480ebeee120a9e7803289fa");
    sign((struct text){key, 65}, TEXT("m"), mac);
    assert_mac(mac, "c2d7d4c2256ddb097409ec0c67e1d58fa1a007fc6932cac0d892a525d08af7cc");
}

static void hmac_of_an_empty_key_is_defined(void **state)
{
    (void)state;
    uint8_t mac[SEAL_MAC_BYTES];
    sign(text_of(NULL), text_of(NULL), mac);
    assert_mac(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void *sign_many(void *context)
{
    const struct seal_hmac *hmac = context;
    size_t wrong = 0;
    for (int i = 0; i < 2000; i++) {
        uint8_t mac[SEAL_MAC_BYTES];
        char hex[2 * SEAL_MAC_BYTES + 1];
        seal_hmac_sign(hmac, TEXT(""), mac);
        text_hex_encode(hex, mac, sizeof(mac));
        wrong += !text_equal(
            text_of(hex), TEXT("f0fb4ed64fa82948cb59c32e69d704d7aa25ef0e47f12bc655dc5bb2b005200e"));
    }
    return wrong == 0 ? NULL : context;
}

static void hmac_key_may_be_used_by_many_threads(void **state)
{
    (void)state;
    struct seal_hmac *hmac = seal_hmac_create(TEXT("sig-token-EXAMPLE-1234"));
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, hmac), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    seal_hmac_destroy(hmac);
}

/* --- derived keys ---------------------------------------------------------------------------- */

/* RFC 5869 sections 2.2 and 2.3, written with the HMAC that was proven above. */
static void hkdf(struct text input, const char *info, uint8_t *out, size_t size)
{
    const char salt[SEAL_MAC_BYTES] = {0};
    uint8_t key[SEAL_MAC_BYTES];
    uint8_t block[SEAL_MAC_BYTES];
    size_t block_size = 0;
    sign((struct text){salt, sizeof(salt)}, input, key);
    for (char counter = 1; size > 0; counter++) {
        char memory[128];
        struct text_buffer message;
        text_buffer_init(&message, memory, sizeof(memory));
        text_append(&message, (struct text){(char *)block, block_size});
        text_append(&message, text_of(info));
        text_append_char(&message, counter);
        sign((struct text){(char *)key, sizeof(key)}, text_buffer_text(&message), block);
        block_size = sizeof(block);
        size_t part = size < block_size ? size : block_size;
        memcpy(out, block, part);
        out += part;
        size -= part;
    }
}

/* RFC 5869 A.3 proves the helper; the helper then proves seal.c's keys. */
static void keys_are_derived_by_hkdf(void **state)
{
    (void)state;
    char input[22];
    uint8_t out[42];
    char hex[85];
    memset(input, 0x0b, sizeof(input));
    hkdf((struct text){input, sizeof(input)}, "", out, sizeof(out));
    text_hex_encode(hex, out, sizeof(out));
    assert_string_equal(hex, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                             "9d201395faa4b61a96c8");

    uint8_t master[SEAL_KEY_BYTES];
    for (uint8_t i = 0; i < SEAL_KEY_BYTES; i++)
        master[i] = i;
    struct seal *seal = seal_of(0);
    uint8_t wanted[SEAL_MAC_BYTES];
    uint8_t value[SEAL_MAC_BYTES];
    hkdf((struct text){(char *)master, sizeof(master)}, "counterpart check value", wanted, 32);
    seal_check_value(seal, value);
    assert_memory_equal(value, wanted, sizeof(wanted));
    seal_destroy(seal);
}

/* HKDF-Expand of a key that is itself derived: the same helper's HMAC, put together by hand. */
static void a_labelled_key_is_expanded_from_a_key_of_its_own(void **state)
{
    (void)state;
    uint8_t master[SEAL_KEY_BYTES];
    uint8_t root[SEAL_KEY_BYTES], wanted[SEAL_KEY_BYTES], key[SEAL_KEY_BYTES];
    struct seal *seal = seal_of(0);
    for (uint8_t i = 0; i < SEAL_KEY_BYTES; i++)
        master[i] = i;
    hkdf((struct text){(char *)master, sizeof(master)}, "counterpart labelled keys", root, 32);
    sign((struct text){(char *)root, sizeof(root)}, TEXT("token 1\x01"), wanted);
    seal_derive_key(seal, TEXT("token 1"), key);
    assert_memory_equal(key, wanted, sizeof(wanted));
    seal_derive_key(seal, TEXT("token 2"), key);
    assert_memory_not_equal(key, wanted, sizeof(wanted));

    struct seal *other = seal_of(1);
    seal_derive_key(other, TEXT("token 1"), key);
    assert_memory_not_equal(key, wanted, sizeof(wanted));
    seal_destroy(other);
    seal_destroy(seal);
}

/* Computed with two other implementations. Were one of these to change, no stored card could be
 * found or opened any more. */
static void stored_values_stay_what_they_are(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    uint8_t index[SEAL_MAC_BYTES];
    uint8_t pin[SEAL_MAC_BYTES];
    uint8_t check[SEAL_MAC_BYTES];
    seal_check_value(seal, check);
    assert_mac(check, "a4bd4e5a0c3132c1523e14f35e5925b5c4a53cc58ae64fa185260c5b453d50a3");
    seal_card_index(seal, 7, TEXT("6036280000012345"), index);
    assert_mac(index, "cb8a49ea1dc3a7fad3097a5a202548f476e6fa14800677c803fec4510c697b99");
    seal_pin_hash(seal, 7, index, TEXT("1234"), pin);
    assert_mac(pin, "05a20a3f2211806db5f75cc8ed383e6a9ff92fc6e888ca2748d752681f3c1949");

    uint8_t sealed[16 + SEAL_OVERHEAD];
    char text[16];
    assert_true(text_hex_decode(sealed, sizeof(sealed),
                                TEXT("016465666768696a6b6c6d6e6f358f834d0f9f6fe541ce418e85e352c955f"
                                     "e7b2a2fc07f9fe15d98dcaa97c1fd")));
    assert_int_equal(seal_text_open(seal, "card.number", sealed, sizeof(sealed), text), 0);
    assert_memory_equal(text, "6036280000012345", 16);
    seal_destroy(seal);
}

static void index_and_pin_depend_on_all_that_goes_in(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    struct seal *other_seal = seal_of(1);
    uint8_t a[SEAL_MAC_BYTES];
    uint8_t b[SEAL_MAC_BYTES];
    uint8_t pin_a[SEAL_MAC_BYTES];
    uint8_t pin_b[SEAL_MAC_BYTES];
    seal_card_index(seal, 1, TEXT("1234"), a);
    seal_card_index(seal, 1, TEXT("1234"), b);
    assert_memory_equal(a, b, sizeof(a));
    seal_card_index(seal, 2, TEXT("1234"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    seal_card_index(seal, 1, TEXT("12345"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    seal_card_index(other_seal, 1, TEXT("1234"), b);
    assert_memory_not_equal(a, b, sizeof(a));

    seal_pin_hash(seal, 1, a, TEXT("9999"), pin_a);
    seal_pin_hash(seal, 1, b, TEXT("9999"), pin_b); /* the same PIN on another card */
    assert_memory_not_equal(pin_a, pin_b, sizeof(pin_a));
    seal_pin_hash(seal, 2, a, TEXT("9999"), pin_b);
    assert_memory_not_equal(pin_a, pin_b, sizeof(pin_a));
    seal_pin_hash(seal, 1, a, TEXT("9998"), pin_b);
    assert_memory_not_equal(pin_a, pin_b, sizeof(pin_a));
    seal_destroy(seal);
    seal_destroy(other_seal);
    seal_destroy(NULL);
}

/* --- sealed text ----------------------------------------------------------------------------- */

#define SECRET TEXT("6036280000012345")
#define SEALED_BYTES (16 + SEAL_OVERHEAD)

static void sealed_text_opens_again_and_never_looks_the_same(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    uint8_t a[SEALED_BYTES];
    uint8_t b[SEALED_BYTES];
    char text[16];
    seal_text(seal, id_source_system(), "card.number", SECRET, a);
    seal_text(seal, id_source_system(), "card.number", SECRET, b);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(a[0], SEAL_KEY_VERSION);
    assert_null(memmem(a, sizeof(a), "60362800", 8));
    assert_int_equal(seal_text_open(seal, "card.number", a, sizeof(a), text), 0);
    assert_memory_equal(text, SECRET.base, SECRET.length);
    seal_destroy(seal);
}

static void empty_and_long_text_can_be_sealed(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    static char plain[10000];
    static char back[10000];
    static uint8_t sealed[sizeof(plain) + SEAL_OVERHEAD];
    memset(plain, 'x', sizeof(plain));
    seal_text(seal, id_source_system(), "l", text_of(NULL), sealed);
    assert_int_equal(seal_text_open(seal, "l", sealed, SEAL_OVERHEAD, back), 0);
    sealed[SEAL_OVERHEAD - 1] ^= 1;
    assert_int_equal(seal_text_open(seal, "l", sealed, SEAL_OVERHEAD, back), ERR_BAD_SEAL);
    seal_text(seal, id_source_system(), "l", (struct text){plain, sizeof(plain)}, sealed);
    assert_int_equal(seal_text_open(seal, "l", sealed, sizeof(sealed), back), 0);
    assert_memory_equal(plain, back, sizeof(plain));
    seal_destroy(seal);
}

static void sealed_text_with_any_bit_flipped_does_not_open(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    uint64_t seed = 5;
    uint8_t sealed[SEALED_BYTES];
    seal_text(seal, id_source_seeded(&seed), "card.number", SECRET, sealed);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        char text[16];
        memset(text, '#', sizeof(text));
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(seal_text_open(seal, "card.number", sealed, sizeof(sealed), text),
                         ERR_BAD_SEAL);
        assert_null(memmem(text, sizeof(text), "6036", 4)); /* nothing unproven is left behind */
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    seal_destroy(seal);
}

static void sealed_text_opens_only_whole_under_its_label_and_key(void **state)
{
    (void)state;
    struct seal *seal = seal_of(0);
    struct seal *other_seal = seal_of(1);
    uint8_t sealed[SEALED_BYTES];
    char text[16];
    seal_text(seal, id_source_system(), "card.number", SECRET, sealed);
    const char *const labels[] = {"", "card.numbe", "card.number2", "tenant.token"};
    for (size_t i = 0; i < COUNT_OF(labels); i++)
        assert_int_equal(seal_text_open(seal, labels[i], sealed, sizeof(sealed), text),
                         ERR_BAD_SEAL);
    assert_int_equal(seal_text_open(other_seal, "card.number", sealed, sizeof(sealed), text),
                     ERR_BAD_SEAL);
    for (size_t size = 0; size < sizeof(sealed); size++)
        assert_int_equal(seal_text_open(seal, "card.number", sealed, size, text), ERR_BAD_SEAL);
    assert_int_equal(seal_text_open(seal, "card.number", sealed, sizeof(sealed), text), 0);
    seal_destroy(seal);
    seal_destroy(other_seal);
}

static void equal_compares_all_bytes_and_wipe_clears_them(void **state)
{
    (void)state;
    char a[] = "abcd";
    assert_true(seal_equal(a, "abcd", 4));
    assert_false(seal_equal(a, "abce", 4));
    assert_false(seal_equal(a, "xbcd", 4));
    assert_true(seal_equal(a, "xyz", 0));
    seal_wipe(a, 4);
    assert_memory_equal(a, "\0\0\0\0", 4);
}

/* --- the master key file --------------------------------------------------------------------- */

struct folder {
    char path[64];
    char key[80];
};

static void folder_init(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/counterpart_seal_XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->key, sizeof(folder->key), "%s/master.key", folder->path);
}

static void folder_finish(struct folder *folder)
{
    unlink(folder->key);
    assert_int_equal(rmdir(folder->path), 0); /* fails when a temporary file was left behind */
}

static void write_key(const struct folder *folder, struct text content, mode_t mode)
{
    unlink(folder->key);
    int file = open(folder->key, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, content.base, content.length), content.length);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void key_file_is_created_once_and_read_after(void **state)
{
    (void)state;
    struct folder folder;
    struct seal *seal = NULL;
    uint8_t first[SEAL_MAC_BYTES];
    uint8_t again[SEAL_MAC_BYTES];
    folder_init(&folder);
    assert_int_equal(seal_open(folder.key, false, &seal), ERR_NOT_FOUND);
    assert_int_equal(access(folder.key, F_OK), -1); /* not created unless asked */

    mode_t umask_before = umask(0);
    assert_int_equal(seal_open(folder.key, true, &seal), 0);
    umask(umask_before);
    seal_check_value(seal, first);
    seal_destroy(seal);
    struct stat status;
    assert_int_equal(stat(folder.key, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 65); /* 64 hex digits and a newline */

    for (int may_create = 0; may_create <= 1; may_create++) {
        assert_int_equal(seal_open(folder.key, may_create, &seal), 0);
        seal_check_value(seal, again);
        seal_destroy(seal);
        assert_memory_equal(first, again, sizeof(first));
    }
    folder_finish(&folder);
}

static void two_created_keys_differ(void **state)
{
    (void)state;
    uint8_t values[2][SEAL_MAC_BYTES];
    for (size_t i = 0; i < 2; i++) {
        struct folder folder;
        struct seal *seal;
        folder_init(&folder);
        assert_int_equal(seal_open(folder.key, true, &seal), 0);
        seal_check_value(seal, values[i]);
        seal_destroy(seal);
        folder_finish(&folder);
    }
    assert_memory_not_equal(values[0], values[1], SEAL_MAC_BYTES);
}

static void key_file_holds_the_master_key_as_hex(void **state)
{
    (void)state;
    struct folder folder;
    folder_init(&folder);
    const struct text contents[] = {
        TEXT(HEX "\n"), TEXT(HEX),
        TEXT("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n")};
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct seal *seal;
        uint8_t value[SEAL_MAC_BYTES];
        write_key(&folder, contents[i], 0600);
        assert_int_equal(seal_open(folder.key, false, &seal), 0);
        seal_check_value(seal, value);
        assert_mac(value, "a4bd4e5a0c3132c1523e14f35e5925b5c4a53cc58ae64fa185260c5b453d50a3");
        seal_destroy(seal);
    }
    folder_finish(&folder);
}

static void malformed_key_files_are_refused_and_left_alone(void **state)
{
    (void)state;
    struct folder folder;
    folder_init(&folder);
    const struct text contents[] = {
        TEXT(""),
        TEXT("\n"),
        TEXT("00"),
        TEXT(HEX "0"),
        TEXT(HEX "\n\n"),
        TEXT(HEX "\r\n"),
        TEXT(HEX "\nmore"),
        TEXT(" " HEX),
        TEXT("0x" HEX),
        TEXT("g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")};
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct seal *seal = NULL;
        struct stat status;
        write_key(&folder, contents[i], 0600);
        assert_int_equal(seal_open(folder.key, true, &seal), ERR_BAD_KEY);
        assert_null(seal);
        assert_int_equal(stat(folder.key, &status), 0);
        assert_int_equal(status.st_size, contents[i].length);
    }
    folder_finish(&folder);
}

static void key_files_that_others_may_use_are_refused(void **state)
{
    (void)state;
    struct folder folder;
    folder_init(&folder);
    const mode_t modes[] = {0640, 0604, 0620, 0601, 0610, 0666};
    struct seal *seal = NULL;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        write_key(&folder, TEXT(HEX "\n"), modes[i]);
        assert_int_equal(seal_open(folder.key, true, &seal), ERR_BAD_KEY);
        assert_null(seal);
    }
    write_key(&folder, TEXT(HEX "\n"), 0400);
    assert_int_equal(seal_open(folder.key, false, &seal), 0);
    seal_destroy(seal);
    folder_finish(&folder);
}

static void what_is_no_file_is_no_key(void **state)
{
    (void)state;
    struct folder folder;
    struct seal *seal = NULL;
    folder_init(&folder);
    assert_int_equal(seal_open(folder.path, true, &seal), ERR_BAD_KEY); /* a folder, 0700 */
    assert_int_equal(mkfifo(folder.key, 0600), 0);
    assert_int_equal(seal_open(folder.key, true, &seal), ERR_BAD_KEY); /* and does not hang */
    unlink(folder.key);
    char missing[128];
    snprintf(missing, sizeof(missing), "%s/no/such/folder/master.key", folder.path);
    assert_int_equal(seal_open(missing, false, &seal), ERR_NOT_FOUND);
    assert_int_equal(seal_open(missing, true, &seal), ERR_IO);
    assert_null(seal);
    folder_finish(&folder);
}

/* A disk without room, by a limit on the size of files. */
static void key_that_cannot_be_written_whole_is_not_there_at_all(void **state)
{
    (void)state;
    struct folder folder;
    struct seal *seal = NULL;
    struct rlimit before;
    folder_init(&folder);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler_before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10, before.rlim_max}), 0);
    int err = seal_open(folder.key, true, &seal);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler_before);
    assert_int_equal(err, ERR_IO);
    assert_null(seal);
    assert_int_equal(access(folder.key, F_OK), -1);
    assert_int_equal(seal_open(folder.key, true, &seal), 0); /* and the next start is clean */
    seal_destroy(seal);
    folder_finish(&folder);
}

struct racer {
    const char *path;
    int err;
    uint8_t value[SEAL_MAC_BYTES];
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct seal *seal;
    racer->err = seal_open(racer->path, true, &seal);
    if (racer->err == 0) {
        seal_check_value(seal, racer->value);
        seal_destroy(seal);
    }
    return NULL;
}

static void processes_that_create_at_once_end_with_one_key(void **state)
{
    (void)state;
    struct folder folder;
    struct racer racers[8];
    pthread_t threads[COUNT_OF(racers)];
    folder_init(&folder);
    for (size_t i = 0; i < COUNT_OF(racers); i++) {
        racers[i].path = folder.key;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(racers); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT_OF(racers); i++) {
        assert_int_equal(racers[i].err, 0);
        assert_memory_equal(racers[i].value, racers[0].value, SEAL_MAC_BYTES);
    }
    folder_finish(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_gives_the_rfc_4231_vectors),
        cmocka_unit_test(hmac_gives_the_signatures_of_the_protocol),
        cmocka_unit_test(hmac_key_signs_again_and_again),
        cmocka_unit_test(hmac_key_of_a_block_is_used_whole_and_a_longer_one_hashed),
        cmocka_unit_test(hmac_of_an_empty_key_is_defined),
        cmocka_unit_test(hmac_key_may_be_used_by_many_threads),
        cmocka_unit_test(keys_are_derived_by_hkdf),
        cmocka_unit_test(a_labelled_key_is_expanded_from_a_key_of_its_own),
        cmocka_unit_test(stored_values_stay_what_they_are),
        cmocka_unit_test(index_and_pin_depend_on_all_that_goes_in),
        cmocka_unit_test(sealed_text_opens_again_and_never_looks_the_same),
        cmocka_unit_test(empty_and_long_text_can_be_sealed),
        cmocka_unit_test(sealed_text_with_any_bit_flipped_does_not_open),
        cmocka_unit_test(sealed_text_opens_only_whole_under_its_label_and_key),
        cmocka_unit_test(equal_compares_all_bytes_and_wipe_clears_them),
        cmocka_unit_test(key_file_is_created_once_and_read_after),
        cmocka_unit_test(two_created_keys_differ),
        cmocka_unit_test(key_file_holds_the_master_key_as_hex),
        cmocka_unit_test(malformed_key_files_are_refused_and_left_alone),
        cmocka_unit_test(key_files_that_others_may_use_are_refused),
        cmocka_unit_test(what_is_no_file_is_no_key),
        cmocka_unit_test(key_that_cannot_be_written_whole_is_not_there_at_all),
        cmocka_unit_test(processes_that_create_at_once_end_with_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
