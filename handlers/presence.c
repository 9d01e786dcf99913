/* Proves to whoever sent a nonce that it has reached this process, and what has arrived with it. */
#include "handlers/presence.h"

#include "base/json.h"

#include <string.h>

#include "base/banned.h"

#define REPLY_JSON_MAX 128
#define MESSAGE_MAX (PRESENCE_NONCE_CHARS + PRESENCE_PROOF_CHARS + 256)
#define SIGNATURE_HEADER_MAX 128 /* "sha256=" and 64 digits; longer ones are nobody's */

void presence_make_proof(const struct seal_hmac *presence, struct text nonce, struct text signature,
                         struct text body, char proof[PRESENCE_PROOF_CHARS + 1])
{
    uint8_t digest[SEAL_MAC_BYTES];
    char bytes[MESSAGE_MAX], hex[PRESENCE_PROOF_CHARS + 1];
    struct text_buffer message;
    seal_hmac_sign(presence, body, digest);
    text_hex_encode(hex, digest, sizeof(digest));
    text_buffer_init(&message, bytes, sizeof(bytes));
    text_append(&message, text_slice(nonce, 0, PRESENCE_NONCE_CHARS));
    text_append_char(&message, '\n');
    text_append(&message, text_of(hex));
    text_append_char(&message, '\n');
    text_append(&message, text_slice(signature, 0, SIGNATURE_HEADER_MAX));
    CHECK(!message.is_cut);
    seal_hmac_sign(presence, text_buffer_text(&message), digest);
    text_hex_encode(proof, digest, sizeof(digest));
}

static bool nonce_is_sound(struct text nonce)
{
    uint8_t bytes[PRESENCE_NONCE_CHARS / 2];
    return text_hex_decode(bytes, sizeof(bytes), nonce);
}

void presence_show(struct exchange *exchange)
{
    static const struct text name = {"nonce=", 6};
    char bytes[REPLY_JSON_MAX], proof[PRESENCE_PROOF_CHARS + 1];
    struct text_buffer buffer;
    struct jwrite writer;
    struct text signature = {NULL, 0};
    struct text nonce = text_slice(exchange->query, name.length, exchange->query.length);
    if (!text_starts_with(exchange->query, name) || !nonce_is_sound(nonce)) {
        exchange_refuse(exchange, 400, "bad_nonce", "'nonce' must be 32 hex digits");
        return;
    }
    (void)exchange_header(exchange, "x-kounta-signature", &signature);
    presence_make_proof(exchange->handlers->presence, nonce, signature, exchange->body, proof);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("alive"));
    jwrite_bool(&writer, true);
    jwrite_key(&writer, TEXT("proof"));
    jwrite_text(&writer, text_of(proof));
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}
