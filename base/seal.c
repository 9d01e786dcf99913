/* The master key file, the keys derived from it, and the three things done with keys: MAC, seal,
 * compare. */
#include "base/seal.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define BLOCK_BYTES 64 /* SHA-256 */
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define MASTER_HEX_CHARS (2 * SEAL_KEY_BYTES)

bool seal_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void seal_wipe(void *bytes, size_t size)
{
    OPENSSL_cleanse(bytes, size);
}

/* --- HMAC-SHA256 ----------------------------------------------------------------------------- */

/*
 * A prepared HMAC key is SHA-256 after the inner and after the outer padded key; signing copies the
 * two states and goes on from there, so any thread may sign with no lock and no allocation.
 *
 * OpenSSL 3 calls this SHA256_* interface deprecated, and we use it anyway, because every request
 * is signed. Per call on a 120-byte body (OpenSSL 3.0, 4 cores with SHA extensions, 1 thread / 4
 * threads at once): these states 0.16 / 0.18 us; EVP_MAC_init on a context kept per thread 0.25 /
 * 0.26; EVP_MAC_CTX_dup 0.6 / 2.7, because its reference counts are shared between threads; HMAC()
 * 1.1 / 4.2.
 */
struct hmac_key {
    SHA256_CTX inner;
    SHA256_CTX outer;
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void sha256_absorb(SHA256_CTX *state, const void *bytes, size_t size)
{
    if (size > 0)
        CHECK(SHA256_Update(state, bytes, size) == 1);
}

static void sha256_end(SHA256_CTX *state, uint8_t out[SEAL_MAC_BYTES])
{
    CHECK(SHA256_Final(out, state) == 1); /* wipes the state, which came from the key */
}

static void sha256_begin(SHA256_CTX *state, const uint8_t key_block[BLOCK_BYTES], uint8_t pad)
{
    uint8_t block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key_block[i] ^ pad;
    CHECK(SHA256_Init(state) == 1);
    sha256_absorb(state, block, sizeof(block));
    seal_wipe(block, sizeof(block));
}

/* RFC 2104 section 2: a key longer than a block is replaced by its hash; then padded with zeroes.
 */
static void hmac_key_init(struct hmac_key *key, struct text secret)
{
    uint8_t block[BLOCK_BYTES] = {0};
    if (secret.length > BLOCK_BYTES) {
        SHA256_CTX state;
        CHECK(SHA256_Init(&state) == 1);
        sha256_absorb(&state, secret.base, secret.length);
        sha256_end(&state, block);
    } else if (secret.length > 0) {
        memcpy(block, secret.base, secret.length);
    }
    sha256_begin(&key->inner, block, 0x36);
    sha256_begin(&key->outer, block, 0x5c);
    seal_wipe(block, sizeof(block));
}

#pragma GCC diagnostic pop

static void hmac_end(const struct hmac_key *key, SHA256_CTX *inner, uint8_t out[SEAL_MAC_BYTES])
{
    uint8_t digest[SEAL_MAC_BYTES];
    sha256_end(inner, digest);
    SHA256_CTX outer = key->outer;
    sha256_absorb(&outer, digest, sizeof(digest));
    sha256_end(&outer, out);
}

struct seal_hmac {
    struct hmac_key key;
};

struct seal_hmac *seal_hmac_create(struct text key)
{
    struct seal_hmac *hmac = malloc(sizeof(*hmac));
    CHECK(hmac != NULL);
    hmac_key_init(&hmac->key, key);
    return hmac;
}

void seal_hmac_destroy(struct seal_hmac *hmac)
{
    if (hmac == NULL)
        return;
    seal_wipe(hmac, sizeof(*hmac));
    free(hmac);
}

void seal_hmac_sign(const struct seal_hmac *hmac, struct text message, uint8_t out[SEAL_MAC_BYTES])
{
    SHA256_CTX inner = hmac->key.inner;
    sha256_absorb(&inner, message.base, message.length);
    hmac_end(&hmac->key, &inner, out);
}

/* --- derived keys ---------------------------------------------------------------------------- */

struct seal {
    struct hmac_key card_index;
    struct hmac_key pin;
    struct hmac_key labelled; /* the key that seal_derive_key expands */
    uint8_t text_key[SEAL_KEY_BYTES];
    uint8_t check_value[SEAL_MAC_BYTES];
    EVP_CIPHER *cipher; /* fetched once: a fetch takes locks and searches */
};

/* HKDF-SHA256 (RFC 5869) without salt: the master key is random already. info names the purpose. */
static bool derive(const uint8_t master[SEAL_KEY_BYTES], const char *info,
                   uint8_t out[SEAL_KEY_BYTES])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)master,
                                          SEAL_KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info,
                                          strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    bool is_done = context != NULL && EVP_KDF_derive(context, out, SEAL_KEY_BYTES, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return is_done;
}

static bool derive_hmac(const uint8_t master[SEAL_KEY_BYTES], const char *info,
                        struct hmac_key *key)
{
    uint8_t bytes[SEAL_KEY_BYTES];
    bool is_done = derive(master, info, bytes);
    if (is_done)
        hmac_key_init(key, (struct text){(const char *)bytes, sizeof(bytes)});
    seal_wipe(bytes, sizeof(bytes));
    return is_done;
}

int seal_from_bytes(const uint8_t master[SEAL_KEY_BYTES], struct seal **seal)
{
    struct seal *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    /* These names are part of every stored row: a changed name is another key. */
    if (made->cipher == NULL || !derive_hmac(master, "counterpart card index", &made->card_index) ||
        !derive_hmac(master, "counterpart pin", &made->pin) ||
        !derive_hmac(master, "counterpart labelled keys", &made->labelled) ||
        !derive(master, "counterpart sealed text", made->text_key) ||
        !derive(master, "counterpart check value", made->check_value)) {
        seal_destroy(made);
        return ERR_NO_MEMORY; /* nothing else can fail here: all inputs are ours */
    }
    *seal = made;
    return 0;
}

void seal_destroy(struct seal *seal)
{
    if (seal == NULL)
        return;
    EVP_CIPHER_free(seal->cipher);
    seal_wipe(seal, sizeof(*seal));
    free(seal);
}

void seal_check_value(const struct seal *seal, uint8_t out[SEAL_MAC_BYTES])
{
    memcpy(out, seal->check_value, SEAL_MAC_BYTES);
}

/* RFC 5869 section 2.3: one block, T(1) = HMAC(PRK, info | 0x01), is all that 32 bytes take. */
void seal_derive_key(const struct seal *seal, struct text label, uint8_t out[SEAL_KEY_BYTES])
{
    static const uint8_t counter = 1;
    CHECK(label.length > 0 && label.length <= SEAL_LABEL_MAX);
    SHA256_CTX inner = seal->labelled.inner;
    sha256_absorb(&inner, label.base, label.length);
    sha256_absorb(&inner, &counter, sizeof(counter));
    hmac_end(&seal->labelled, &inner, out);
}

/* --- the master key file --------------------------------------------------------------------- */

static int refuse(const char *path, int err, const char *reason)
{
    log_event(LOG_ERROR, "master_key_refused", LOG_TEXT("path", path), LOG_TEXT("reason", reason));
    return err;
}

static int refuse_errno(const char *path, const char *what)
{
    int code = errno;
    log_event(LOG_ERROR, "master_key_refused", LOG_TEXT("path", path), LOG_TEXT("reason", what),
              LOG_TEXT("errno", strerrorname_np(code)));
    return ERR_IO;
}

static int write_fully(int file, struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(file, bytes.base, bytes.length);
        if (written < 0 && errno != EINTR)
            return ERR_IO;
        if (written > 0)
            bytes = text_slice(bytes, (size_t)written, bytes.length);
    }
    return fsync(file) == 0 ? 0 : ERR_IO;
}

/* A new name is durable only when its folder is. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    char *folder = slash == NULL ? strdup(".") : strndup(path, length > 0 ? length : 1);
    if (folder == NULL)
        return ERR_NO_MEMORY;
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (file < 0)
        return ERR_IO;
    int err = fsync(file) == 0 ? 0 : ERR_IO;
    close(file);
    return err;
}

/* Write the key under a name of its own, then link it to path: a crash half-way leaves no half key
 * at path, and link, like O_EXCL, never replaces a file that somebody else made meanwhile. */
static int create_file(const char *path, char *temporary, struct text line)
{
    int file = mkostemp(temporary, O_CLOEXEC); /* O_EXCL, mode 0600 */
    if (file < 0)
        return refuse_errno(path, "cannot create a file beside it");
    int err = write_fully(file, line);
    if (err != 0)
        refuse_errno(path, "cannot write");
    close(file);
    if (err == 0 && link(temporary, path) != 0 && errno != EEXIST)
        err = refuse_errno(path, "cannot create");
    unlink(temporary);
    if (err == 0 && sync_folder_of(path) != 0)
        err = refuse_errno(path, "cannot make it durable");
    return err;
}

static int create_master(const char *path)
{
    uint8_t master[SEAL_KEY_BYTES];
    char line[MASTER_HEX_CHARS + 2];
    size_t size = strlen(path) + sizeof(".XXXXXX");
    char *temporary = malloc(size);
    if (temporary == NULL)
        return ERR_NO_MEMORY;
    snprintf(temporary, size, "%s.XXXXXX", path);
    struct id_source random = id_source_system();
    random.fill(random.context, master, sizeof(master));
    text_hex_encode(line, master, sizeof(master));
    line[MASTER_HEX_CHARS] = '\n';
    int err = create_file(path, temporary, (struct text){line, MASTER_HEX_CHARS + 1});
    if (err == 0)
        log_event(LOG_INFO, "master_key_created", LOG_TEXT("path", path));
    seal_wipe(master, sizeof(master));
    seal_wipe(line, sizeof(line));
    free(temporary);
    return err;
}

/* Read up to size bytes; -1 on failure. */
static ssize_t read_fully(int file, char *out, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t part = read(file, out + got, size - got);
        if (part < 0 && errno != EINTR)
            return -1;
        if (part == 0)
            break;
        if (part > 0)
            got += (size_t)part;
    }
    return (ssize_t)got;
}

static int read_master(const char *path, int file, uint8_t master[SEAL_KEY_BYTES])
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return refuse_errno(path, "cannot look at it");
    if (!S_ISREG(status.st_mode))
        return refuse(path, ERR_BAD_KEY, "is no plain file");
    if ((status.st_mode & 077) != 0)
        return refuse(path, ERR_BAD_KEY, "group or others have rights on it: chmod 600");
    char line[MASTER_HEX_CHARS + 2]; /* a newline, and one byte more to see that there is no more */
    ssize_t got = read_fully(file, line, sizeof(line));
    if (got < 0)
        return refuse_errno(path, "cannot read");
    size_t length = (size_t)got;
    if (length == MASTER_HEX_CHARS + 1 && line[length - 1] == '\n')
        length--;
    bool is_key = text_hex_decode(master, SEAL_KEY_BYTES, (struct text){line, length});
    seal_wipe(line, sizeof(line));
    return is_key ? 0 : refuse(path, ERR_BAD_KEY, "is not 64 hex digits");
}

int seal_open(const char *path, bool may_create, struct seal **seal)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */
    if (file < 0 && errno == ENOENT && may_create) {
        int err = create_master(path);
        if (err != 0)
            return err;
        file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (file < 0 && errno == ENOENT)
        return refuse(path, ERR_NOT_FOUND, "is not there");
    if (file < 0)
        return refuse_errno(path, "cannot open");
    uint8_t master[SEAL_KEY_BYTES] = {0};
    int err = read_master(path, file, master);
    close(file);
    if (err == 0)
        err = seal_from_bytes(master, seal);
    seal_wipe(master, sizeof(master));
    return err;
}

/* --- card index and PIN ---------------------------------------------------------------------- */

/* Every part but the last has a fixed length, so no two inputs share a byte sequence. */
static void absorb_int64(SHA256_CTX *state, int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    sha256_absorb(state, bytes, sizeof(bytes));
}

/* Measured: 0.13 us for 16 digits (SHA-256 runs twice, once per padded key). */
void seal_card_index(const struct seal *seal, int64_t tenant_id, struct text number,
                     uint8_t out[SEAL_MAC_BYTES])
{
    SHA256_CTX inner = seal->card_index.inner;
    absorb_int64(&inner, tenant_id);
    sha256_absorb(&inner, number.base, number.length);
    hmac_end(&seal->card_index, &inner, out);
}

void seal_pin_hash(const struct seal *seal, int64_t tenant_id,
                   const uint8_t card_index[SEAL_MAC_BYTES], struct text pin,
                   uint8_t out[SEAL_MAC_BYTES])
{
    SHA256_CTX inner = seal->pin.inner;
    absorb_int64(&inner, tenant_id);
    sha256_absorb(&inner, card_index, SEAL_MAC_BYTES);
    sha256_absorb(&inner, pin.base, pin.length);
    hmac_end(&seal->pin, &inner, out);
}

/* --- sealed text ----------------------------------------------------------------------------- */

/*
 * Layout: version, nonce, ciphertext, tag. The version is authenticated together with the label. A
 * random 96-bit nonce is good for 2^32 texts under one key (NIST SP 800-38D section 8.3): a store
 * of a hundred million cards uses a fortieth of that.
 */
void seal_text(const struct seal *seal, struct id_source source, const char *label,
               struct text text, uint8_t *out)
{
    CHECK(text.length <= INT32_MAX);
    uint8_t *nonce = out + 1;
    uint8_t *ciphertext = nonce + NONCE_BYTES;
    int length = (int)text.length;
    int moved;
    out[0] = SEAL_KEY_VERSION;
    source.fill(source.context, nonce, NONCE_BYTES);

    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    CHECK(context != NULL);
    CHECK(EVP_EncryptInit_ex2(context, seal->cipher, seal->text_key, nonce, NULL) == 1);
    CHECK(EVP_EncryptUpdate(context, NULL, &moved, out, 1) == 1);
    CHECK(EVP_EncryptUpdate(context, NULL, &moved, (const uint8_t *)label, (int)strlen(label)) ==
          1);
    if (length > 0)
        CHECK(EVP_EncryptUpdate(context, ciphertext, &moved, (const uint8_t *)text.base, length) ==
              1);
    CHECK(EVP_EncryptFinal_ex(context, ciphertext + length, &moved) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, ciphertext + length) == 1);
    EVP_CIPHER_CTX_free(context);
}

static bool decrypt(EVP_CIPHER_CTX *context, const struct seal *seal, const char *label,
                    const uint8_t *sealed, int length, uint8_t *out)
{
    const uint8_t *nonce = sealed + 1;
    const uint8_t *ciphertext = nonce + NONCE_BYTES;
    uint8_t tag[TAG_BYTES];
    int moved;
    memcpy(tag, ciphertext + length, TAG_BYTES);
    return EVP_DecryptInit_ex2(context, seal->cipher, seal->text_key, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptUpdate(context, NULL, &moved, sealed, 1) == 1 &&
           EVP_DecryptUpdate(context, NULL, &moved, (const uint8_t *)label, (int)strlen(label)) ==
               1 &&
           (length == 0 || EVP_DecryptUpdate(context, out, &moved, ciphertext, length) == 1) &&
           EVP_DecryptFinal_ex(context, out + length, &moved) == 1;
}

int seal_text_open(const struct seal *seal, const char *label, const uint8_t *sealed, size_t size,
                   char *out)
{
    if (size < SEAL_OVERHEAD || size > INT32_MAX || sealed[0] != SEAL_KEY_VERSION)
        return ERR_BAD_SEAL;
    int length = (int)(size - SEAL_OVERHEAD);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    CHECK(context != NULL);
    bool is_open = decrypt(context, seal, label, sealed, length, (uint8_t *)out);
    EVP_CIPHER_CTX_free(context);
    if (!is_open && length > 0)
        seal_wipe(out, (size_t)length); /* text that nobody vouches for */
    return is_open ? 0 : ERR_BAD_SEAL;
}
