/* Writes and reads hot balances as bytes, with a code that shows who wrote them. */
#include "store/hot_entry.h"

#include "base/error.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FORMAT 1
#define STATE_ENTRY 1
#define STATE_TOMBSTONE 2
#define HEAD_BYTES 48
#define MAC_BYTES (ENTRY_BYTES - HEAD_BYTES)
#define STORE_CHARS 16
#define KEY_INDEX_BYTES (CARD_INDEX_BYTES / 2)

struct entry_codec {
    struct seal_hmac *hmac;
    char store[STORE_CHARS + 1];
};

int entry_codec_create(const struct seal *seal, struct entry_codec **created)
{
    uint8_t key[SEAL_KEY_BYTES];
    uint8_t check[SEAL_MAC_BYTES];
    struct entry_codec *codec = calloc(1, sizeof(*codec));
    *created = codec;
    if (codec == NULL)
        return ERR_NO_MEMORY;
    seal_derive_key(seal, TEXT("hot balances 1"), key);
    codec->hmac = seal_hmac_create((struct text){(const char *)key, sizeof(key)});
    seal_wipe(key, sizeof(key));
    if (codec->hmac == NULL) {
        free(codec);
        *created = NULL;
        return ERR_NO_MEMORY;
    }
    seal_check_value(seal, check);
    text_hex_encode(codec->store, check, STORE_CHARS / 2);
    return 0;
}

void entry_codec_destroy(struct entry_codec *codec)
{
    if (codec == NULL)
        return;
    seal_hmac_destroy(codec->hmac);
    free(codec);
}

struct text entry_codec_store(const struct entry_codec *codec)
{
    return (struct text){codec->store, STORE_CHARS};
}

void entry_key(const struct entry_codec *codec, int64_t generation, int64_t tenant_id,
               const uint8_t index[CARD_INDEX_BYTES], struct text_buffer *key)
{
    char hex[2 * KEY_INDEX_BYTES + 1];
    text_hex_encode(hex, index, KEY_INDEX_BYTES);
    text_append(key, TEXT("cp:"));
    text_append(key, entry_codec_store(codec));
    text_append_char(key, ':');
    text_append_int64(key, generation);
    text_append_char(key, ':');
    text_append_int64(key, tenant_id);
    text_append_char(key, ':');
    text_append(key, (struct text){hex, sizeof(hex) - 1});
    CHECK(!key->is_cut);
}

static void put_int64(uint8_t *at, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    memcpy(at, &big, sizeof(big));
}

static void put_int32(uint8_t *at, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    memcpy(at, &big, sizeof(big));
}

static int64_t get_int64(const char *at)
{
    uint64_t big;
    memcpy(&big, at, sizeof(big));
    return (int64_t)be64toh(big);
}

static int32_t get_int32(const char *at)
{
    uint32_t big;
    memcpy(&big, at, sizeof(big));
    return (int32_t)be32toh(big);
}

static void sign(const struct entry_codec *codec, struct text key,
                 const uint8_t index[CARD_INDEX_BYTES], const void *head, uint8_t mac[MAC_BYTES])
{
    uint8_t message[ENTRY_KEY_MAX + CARD_INDEX_BYTES + HEAD_BYTES];
    uint8_t whole[SEAL_MAC_BYTES];
    CHECK(key.length <= ENTRY_KEY_MAX);
    memcpy(message, key.base, key.length);
    memcpy(message + key.length, index, CARD_INDEX_BYTES);
    memcpy(message + key.length + CARD_INDEX_BYTES, head, HEAD_BYTES);
    const struct text text = {(const char *)message, key.length + CARD_INDEX_BYTES + HEAD_BYTES};
    seal_hmac_sign(codec->hmac, text, whole);
    memcpy(mac, whole, MAC_BYTES);
}

void entry_encode(const struct entry_codec *codec, struct text key, const struct hot_write *write,
                  uint8_t bytes[ENTRY_BYTES])
{
    const struct card *card = &write->card;
    memset(bytes, 0, ENTRY_BYTES);
    bytes[0] = FORMAT;
    bytes[1] = write->is_tombstone ? STATE_TOMBSTONE : STATE_ENTRY;
    put_int64(bytes + 8, card->version);
    put_int64(bytes + 16, write->at_us);
    if (write->is_tombstone)
        return;
    bytes[2] = (uint8_t)card->status;
    bytes[3] = card->has_pin;
    memcpy(bytes + 4, card->last4, 4);
    put_int64(bytes + 24, card->balance_minor);
    put_int64(bytes + 32, card->id);
    put_int32(bytes + 40, card->valid_from);
    put_int32(bytes + 44, card->expires_on);
    sign(codec, key, card->index, bytes, bytes + HEAD_BYTES);
}

enum entry_verdict entry_decode(const struct entry_codec *codec, struct text key, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], struct text bytes,
                                struct hot_write *write)
{
    uint8_t mac[MAC_BYTES];
    const char *base = bytes.base;
    if (bytes.length != ENTRY_BYTES || base[0] != FORMAT)
        return ENTRY_POISONED;
    if (base[1] == STATE_TOMBSTONE)
        return ENTRY_TOMBSTONE;
    sign(codec, key, index, base, mac);
    if (base[1] != STATE_ENTRY || !seal_equal(mac, base + HEAD_BYTES, MAC_BYTES))
        return ENTRY_POISONED;
    *write = (struct hot_write){.at_us = get_int64(base + 16),
                                .card = {.id = get_int64(base + 32),
                                         .tenant_id = tenant_id,
                                         .status = (enum card_status)base[2],
                                         .has_pin = base[3] != 0,
                                         .valid_from = get_int32(base + 40),
                                         .expires_on = get_int32(base + 44),
                                         .balance_minor = get_int64(base + 24),
                                         .version = get_int64(base + 8)}};
    memcpy(write->card.index, index, sizeof(write->card.index));
    memcpy(write->card.last4, base + 4, 4);
    return ENTRY_GOOD;
}
