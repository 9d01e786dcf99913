/* Profiles: compiles the JSON of a dialect into arrays, holds the set of them, swaps it whole. */
#include "handlers/profile.h"

#include "base/error.h"
#include "base/log.h"
#include "handlers/profile_compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* handlers/profiles/default.json, put into the binary by the build. */
extern const unsigned char profile_default_json[];
extern const size_t profile_default_json_size;

#define PATH_TEXT_MAX 4096
#define PROBLEM_MAX 256
#define WHERE_MAX 96 /* "request.check_balance.reference_id" and the like */

struct profile_set {
    _Atomic int64_t references;
    int32_t count;
    struct profile *profiles[PROFILES_MAX + 1]; /* [0] is the default */
};

struct profiles {
    pthread_mutex_t lock; /* guards current and taking a reference to it */
    char *folder;         /* NULL: the built-in default only */
    struct profile_set *current;
};

static const char *const action_names[PROFILE_ACTIONS] = {
    [PROFILE_CHECKOUT] = "checkout",
    [PROFILE_CHECK_BALANCE] = "check_balance",
    [PROFILE_TOP_UP] = "top_up",
    [PROFILE_REFUND] = "refund",
};

static const char *const field_names[PROFILE_FIELDS] = {
    [PROFILE_COMPANY] = "company_id",   [PROFILE_SITE] = "site_id",
    [PROFILE_REGISTER] = "register_id", [PROFILE_ORDER] = "order_id",
    [PROFILE_KEYWORD] = "keyword",      [PROFILE_REFERENCE] = "reference_id",
    [PROFILE_AMOUNT] = "amount",        [PROFILE_REFUSED] = "refused",
};

static const struct {
    const char *name;
    unsigned lists;
} values[PROFILE_VALUES] = {
#define X(symbol, name, lists) [symbol] = {name, lists},
    PROFILE_VALUE_LIST(X)
#undef X
};

const char *profile_action_name(enum profile_action action)
{
    CHECK(action < PROFILE_ACTIONS);
    return action_names[action];
}

const char *profile_field_name(enum profile_field field)
{
    CHECK(field < PROFILE_FIELDS);
    return field_names[field];
}

const char *profile_value_name(enum profile_value value)
{
    CHECK(value < PROFILE_VALUES);
    return values[value].name;
}

/* --- compiling one file --- */

int compiler_complain(struct compiler *compiler, const char *where, const char *what)
{
    text_append_format(compiler->problem, "%s: %s", where, what);
    return ERR_BAD_CONFIG;
}

bool compiler_find_name(const char *const *names, size_t count, struct text name, size_t *index)
{
    for (*index = 0; *index < count; (*index)++)
        if (text_equal(text_of(names[*index]), name))
            return true;
    return false;
}

bool compiler_copy_name(const struct jread *value, char out[PROFILE_NAME_MAX + 1])
{
    struct text text;
    if (jread_text(value, &text) != 0 || text.length == 0 || text.length > PROFILE_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.base[i] < ' ')
            return false;
    memcpy(out, text.base, text.length);
    out[text.length] = '\0';
    return true;
}

int compiler_read_names(struct compiler *compiler, const char *where, const struct jread *list,
                        struct profile_names *names)
{
    struct profile_names read = {0};
    if (jread_kind_of(list) != JREAD_ARRAY || jread_count(list) > PROFILE_ALIASES_MAX)
        return compiler_complain(compiler, where, "wants a list of at most 8 names");
    for (size_t i = 0; i < jread_count(list); i++) {
        if (!compiler_copy_name(jread_element(list, i), read.names[i]))
            return compiler_complain(compiler, where, "a name is a text of 1 to 64 characters");
        read.lengths[i] = (uint8_t)strlen(read.names[i]);
        read.count++;
    }
    *names = read;
    return 0;
}

static int compile_fields(struct compiler *compiler, const char *action, const struct jread *fields,
                          size_t action_first, size_t action_end)
{
    if (jread_kind_of(fields) != JREAD_OBJECT)
        return compiler_complain(compiler, action, "wants an object of fields");
    for (size_t i = 0; i < jread_count(fields); i++) {
        struct text name;
        const struct jread *list = jread_member_at(fields, i, &name);
        char where[WHERE_MAX];
        struct text_buffer path;
        text_buffer_init(&path, where, sizeof(where));
        text_append_format(&path, "request.%s.", action);
        text_append(&path, name);
        size_t field;
        if (!compiler_find_name(field_names, PROFILE_FIELDS, name, &field))
            return compiler_complain(compiler, where, "no such field");
        for (size_t a = action_first; a < action_end; a++) {
            int err =
                compiler_read_names(compiler, where, list, &compiler->profile->request[a][field]);
            if (err != 0)
                return err;
        }
    }
    return 0;
}

static int compile_request(struct compiler *compiler, const struct jread *request)
{
    if (jread_kind_of(request) != JREAD_OBJECT)
        return compiler_complain(compiler, "request", "wants an object");
    const struct jread *all = jread_member(request, "all");
    if (all != NULL) { /* first, so that an action may say it differently */
        int err = compile_fields(compiler, "all", all, 0, PROFILE_ACTIONS);
        if (err != 0)
            return err;
    }
    for (size_t i = 0; i < jread_count(request); i++) {
        struct text name;
        const struct jread *fields = jread_member_at(request, i, &name);
        size_t action;
        if (text_equal(name, TEXT("all")))
            continue;
        if (!compiler_find_name(action_names, PROFILE_ACTIONS, name, &action))
            return compiler_complain(compiler, "request", "holds an action that does not exist");
        int err = compile_fields(compiler, action_names[action], fields, action, action + 1);
        if (err != 0)
            return err;
    }
    return 0;
}

static bool find_value(struct text name, unsigned list, enum profile_value *value)
{
    for (int i = 0; i < PROFILE_VALUES; i++) {
        if ((values[i].lists & list) == 0 || !text_equal(text_of(values[i].name), name))
            continue;
        *value = (enum profile_value)i;
        return true;
    }
    return false;
}

static void write_key(struct profile_pair *pair)
{
    struct text_buffer key;
    struct jwrite writer;
    text_buffer_init(&key, pair->key, sizeof(pair->key));
    jwrite_init(&writer, &key);
    jwrite_key(&writer, text_of(pair->name));
    CHECK(!key.is_cut);
    pair->key_length = (uint8_t)key.length;
}

static bool compile_pair(const struct jread *element, unsigned list, struct profile_pair *pair)
{
    struct text value;
    if (jread_kind_of(element) != JREAD_OBJECT || jread_count(element) != 2 ||
        !compiler_copy_name(jread_member(element, "name"), pair->name))
        return false;
    write_key(pair);
    return jread_text(jread_member(element, "value"), &value) == 0 &&
           find_value(value, list, &pair->value);
}

static bool reply_has_name_twice(const struct profile_reply *reply)
{
    for (int32_t i = 0; i < reply->count; i++)
        for (int32_t j = 0; j < i; j++)
            if (strcmp(reply->pairs[i].name, reply->pairs[j].name) == 0)
                return true;
    return false;
}

int compiler_read_reply(struct compiler *compiler, const char *where, const struct jread *pairs,
                        unsigned list, struct profile_reply *reply)
{
    struct profile_reply read = {0};
    size_t count = jread_count(pairs);
    if (jread_kind_of(pairs) != JREAD_ARRAY || count == 0 || count > PROFILE_PAIRS_MAX)
        return compiler_complain(compiler, where, "wants a list of 1 to 16 fields");
    for (size_t i = 0; i < count; i++)
        if (!compile_pair(jread_element(pairs, i), list, &read.pairs[read.count++]))
            return compiler_complain(
                compiler, where,
                "a field is {\"name\": text, \"value\": a value this list can have}");
    if (reply_has_name_twice(&read))
        return compiler_complain(compiler, where, "names a field twice");
    *reply = read;
    return 0;
}

static int compile_action_replies(struct compiler *compiler, size_t action,
                                  const struct jread *replies)
{
    if (jread_kind_of(replies) != JREAD_OBJECT)
        return compiler_complain(compiler, action_names[action], "wants an object");
    for (size_t i = 0; i < jread_count(replies); i++) {
        struct text name;
        const struct jread *pairs = jread_member_at(replies, i, &name);
        bool is_success = text_equal(name, TEXT("success"));
        if (!is_success && !text_equal(name, TEXT("failure")))
            return compiler_complain(compiler, action_names[action],
                                     "has success and failure only");
        char where[WHERE_MAX];
        struct text_buffer path;
        text_buffer_init(&path, where, sizeof(where));
        text_append_format(&path, "reply.%s.%s", action_names[action],
                           is_success ? "success" : "failure");
        struct profile *profile = compiler->profile;
        int err = compiler_read_reply(
            compiler, where, pairs, is_success ? PROFILE_IN_SUCCESS : PROFILE_IN_FAILURE,
            is_success ? &profile->success[action] : &profile->failure[action]);
        if (err != 0)
            return err;
    }
    return 0;
}

static int compile_replies(struct compiler *compiler, const struct jread *reply)
{
    if (jread_kind_of(reply) != JREAD_OBJECT)
        return compiler_complain(compiler, "reply", "wants an object");
    for (size_t i = 0; i < jread_count(reply); i++) {
        struct text name;
        const struct jread *member = jread_member_at(reply, i, &name);
        size_t action;
        int err;
        if (text_equal(name, TEXT("refusal")))
            err = compiler_read_reply(compiler, "reply.refusal", member, PROFILE_IN_REFUSAL,
                                      &compiler->profile->refusal);
        else if (compiler_find_name(action_names, PROFILE_ACTIONS, name, &action))
            err = compile_action_replies(compiler, action, member);
        else
            err = compiler_complain(compiler, "reply", "holds an action that does not exist");
        if (err != 0)
            return err;
    }
    return 0;
}

static int compile_document(struct compiler *compiler, const struct jread *document)
{
    if (jread_kind_of(document) != JREAD_OBJECT)
        return compiler_complain(compiler, "the file", "wants an object");
    for (size_t i = 0; i < jread_count(document); i++) {
        struct text name;
        const struct jread *member = jread_member_at(document, i, &name);
        int err;
        if (text_equal(name, TEXT("request")))
            err = compile_request(compiler, member);
        else if (text_equal(name, TEXT("reply")))
            err = compile_replies(compiler, member);
        else if (text_equal(name, TEXT("loyalty")))
            err = compiler_read_loyalty(compiler, member);
        else
            err = compiler_complain(compiler, "the file", "has request, reply and loyalty only");
        if (err != 0)
            return err;
    }
    return 0;
}

/* --- what a complete profile must be --- */

bool compiler_names_meet(const struct profile_names *a, const struct profile_names *b, bool is_same)
{
    for (int32_t i = 0; i < a->count; i++)
        for (int32_t j = 0; j < (is_same ? i : b->count); j++)
            if (strcmp(a->names[i], b->names[j]) == 0)
                return true;
    return false;
}

static bool request_has_name_twice(const struct profile_names fields[PROFILE_FIELDS])
{
    for (int a = 0; a < PROFILE_FIELDS; a++)
        for (int b = 0; b <= a; b++)
            if (compiler_names_meet(&fields[a], &fields[b], a == b))
                return true;
    return false;
}

static int check_action(struct compiler *compiler, enum profile_action action)
{
    const struct profile *profile = compiler->profile;
    const struct profile_names *fields = profile->request[action];
    const char *where = action_names[action];
    if (fields[PROFILE_COMPANY].count == 0)
        return compiler_complain(compiler, where, "company_id needs a name");
    if (fields[PROFILE_KEYWORD].count + fields[PROFILE_REFERENCE].count == 0)
        return compiler_complain(compiler, where, "keyword or reference_id needs a name");
    if (action != PROFILE_CHECK_BALANCE && fields[PROFILE_AMOUNT].count == 0)
        return compiler_complain(compiler, where, "amount needs a name");
    if (request_has_name_twice(fields))
        return compiler_complain(compiler, where, "one name stands for two things in the request");
    if (profile->success[action].count == 0 || profile->failure[action].count == 0)
        return compiler_complain(compiler, where, "a reply is missing");
    return 0;
}

static int check_profile(struct compiler *compiler)
{
    for (int action = 0; action < PROFILE_ACTIONS; action++) {
        int err = check_action(compiler, (enum profile_action)action);
        if (err != 0)
            return err;
    }
    if (compiler->profile->refusal.count == 0)
        return compiler_complain(compiler, "reply.refusal", "is missing");
    return compiler_check_loyalty(compiler);
}

int profile_compile(struct text json, const struct profile *base, struct profile *profile,
                    struct text_buffer *problem)
{
    struct jread *document;
    struct compiler compiler = {profile, problem};
    if (base != NULL)
        *profile = *base;
    else
        memset(profile, 0, sizeof(*profile));
    int err = jread_parse(json, &document);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err != 0)
        return compiler_complain(&compiler, "not JSON", error_name(err));
    err = compile_document(&compiler, document);
    if (err == 0)
        err = check_profile(&compiler);
    jread_destroy(document);
    return err;
}

/* --- the set --- */

static void set_release(struct profile_set *set)
{
    if (atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (int32_t i = 0; i < set->count; i++)
        free(set->profiles[i]);
    free(set);
}

static int set_create(struct profile_set **set)
{
    struct profile_set *created = calloc(1, sizeof(*created));
    struct profile *profile = calloc(1, sizeof(*profile));
    if (created == NULL || profile == NULL)
        goto err_after_calloc;
    char text[PROBLEM_MAX];
    struct text_buffer problem;
    text_buffer_init(&problem, text, sizeof(text));
    int err = profile_compile(
        (struct text){(const char *)profile_default_json, profile_default_json_size}, NULL, profile,
        &problem);
    if (err == ERR_NO_MEMORY)
        goto err_after_calloc;
    CHECK(err == 0); /* our own file */
    memcpy(profile->title, "default", sizeof("default"));
    profile->set = created;
    atomic_init(&created->references, 1);
    created->profiles[created->count++] = profile;
    *set = created;
    return 0;
err_after_calloc:
    free(profile);
    free(created);
    return ERR_NO_MEMORY;
}

static int complain_file(const char *path, const char *problem)
{
    log_event(LOG_ERROR, "profile_is_bad", LOG_TEXT("file", path), LOG_TEXT("problem", problem));
    return ERR_BAD_CONFIG;
}

/* Of regular files only, and without waiting: a pipe that nobody writes to would hold up whoever
 * reloads, and with it the end of the service. */
static int open_file(const char *path, FILE **file)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1)
        return complain_file(path, strerror(errno));
    int err = 0;
    if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))
        err = complain_file(path, "is not a regular file");
    else if ((*file = fdopen(fd, "rb")) == NULL)
        err = ERR_NO_MEMORY;
    if (err != 0)
        close(fd);
    return err;
}

static int read_file(const char *path, char *out, size_t capacity, size_t *size)
{
    FILE *file;
    int err = open_file(path, &file);
    if (err != 0)
        return err;
    *size = fread(out, 1, capacity, file);
    bool is_read = ferror(file) == 0;
    fclose(file);
    return is_read ? 0 : complain_file(path, "cannot be read");
}

static int set_compile(struct profile_set *set, const char *path, struct text json,
                       struct text title)
{
    char text[PROBLEM_MAX];
    struct text_buffer problem;
    text_buffer_init(&problem, text, sizeof(text));
    struct profile *profile = calloc(1, sizeof(*profile));
    if (profile == NULL)
        return ERR_NO_MEMORY;
    int err = profile_compile(json, set->profiles[0], profile, &problem);
    if (err != 0) {
        free(profile);
        return err == ERR_BAD_CONFIG ? complain_file(path, text) : err;
    }
    memcpy(profile->title, title.base, title.length);
    profile->title[title.length] = '\0';
    profile->set = set;
    set->profiles[set->count++] = profile;
    return 0;
}

static int set_add_file(struct profile_set *set, const char *path, struct text title)
{
    char *json = malloc(PROFILE_FILE_MAX + 1);
    if (json == NULL)
        return ERR_NO_MEMORY;
    size_t size = 0;
    int err = read_file(path, json, PROFILE_FILE_MAX + 1, &size);
    if (err == 0 && size > PROFILE_FILE_MAX)
        err = complain_file(path, "is larger than 64 KiB");
    if (err == 0)
        err = set_compile(set, path, (struct text){json, size}, title);
    free(json);
    return err;
}

static bool title_is_usable(struct text title)
{
    for (size_t i = 0; i < title.length; i++) {
        char c = title.base[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return title.length > 0 && title.length <= PROFILE_TITLE_MAX;
}

static int set_add_entry(struct profile_set *set, const char *folder, const char *entry)
{
    struct text file = text_of(entry);
    struct text suffix = TEXT(".json");
    if (file.length <= suffix.length ||
        !text_equal(text_slice(file, file.length - suffix.length, suffix.length), suffix))
        return 0; /* a README or an editor's back-up is no profile */
    char path[PATH_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, path, sizeof(path));
    text_append_format(&buffer, "%s/%s", folder, entry);
    struct text title = text_slice(file, 0, file.length - suffix.length);
    if (buffer.is_cut || !title_is_usable(title))
        return complain_file(path, "a profile's name has 1 to 32 characters of a-z 0-9 - _");
    if (set->count > PROFILES_MAX)
        return complain_file(folder, "holds more than 64 profiles");
    return set_add_file(set, path, title);
}

/* A file named default.json takes the built-in one's place once all files have been read: each of
 * them is a difference to the built-in default, whatever order the folder lists them in. */
static void set_take_default(struct profile_set *set)
{
    for (int32_t i = 1; i < set->count; i++) {
        if (strcmp(set->profiles[i]->title, "default") != 0)
            continue;
        free(set->profiles[0]);
        set->profiles[0] = set->profiles[i];
        set->profiles[i] = set->profiles[--set->count];
        return;
    }
}

static int set_load(const char *folder, struct profile_set **set)
{
    int err = set_create(set);
    if (err != 0 || folder == NULL)
        return err;
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        err = complain_file(folder, strerror(errno));
        goto err_after_create;
    }
    for (struct dirent *entry = readdir(directory); err == 0 && entry != NULL;
         entry = readdir(directory))
        err = set_add_entry(*set, folder, entry->d_name);
    closedir(directory);
    if (err != 0)
        goto err_after_create;
    set_take_default(*set);
    return 0;
err_after_create:
    set_release(*set);
    return err;
}

int profiles_create(const char *folder, struct profiles **profiles)
{
    struct profiles *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return ERR_NO_MEMORY;
    int err = ERR_NO_MEMORY;
    created->folder = folder == NULL ? NULL : strdup(folder);
    if (folder != NULL && created->folder == NULL)
        goto err_after_calloc;
    err = set_load(folder, &created->current);
    if (err != 0)
        goto err_after_strdup;
    CHECK(pthread_mutex_init(&created->lock, NULL) == 0);
    *profiles = created;
    return 0;
err_after_strdup:
    free(created->folder);
err_after_calloc:
    free(created);
    return err;
}

void profiles_destroy(struct profiles *profiles)
{
    if (profiles == NULL)
        return;
    set_release(profiles->current);
    pthread_mutex_destroy(&profiles->lock);
    free(profiles->folder);
    free(profiles);
}

int profiles_reload(struct profiles *profiles)
{
    struct profile_set *fresh;
    int err = set_load(profiles->folder, &fresh);
    if (err != 0)
        return err;
    pthread_mutex_lock(&profiles->lock);
    struct profile_set *old = profiles->current;
    profiles->current = fresh;
    pthread_mutex_unlock(&profiles->lock);
    log_event(LOG_INFO, "profiles_loaded", LOG_INT("count", fresh->count));
    set_release(old);
    return 0;
}

static const struct profile *set_find(const struct profile_set *set, const char *name)
{
    for (int32_t i = 0; i < set->count; i++)
        if (strcmp(set->profiles[i]->title, name) == 0)
            return set->profiles[i];
    return set->profiles[0];
}

const struct profile *profile_acquire(struct profiles *profiles, const char *name)
{
    pthread_mutex_lock(&profiles->lock);
    struct profile_set *set = profiles->current;
    atomic_fetch_add(&set->references, 1);
    pthread_mutex_unlock(&profiles->lock);
    return set_find(set, name);
}

const struct profile *profile_beside(const struct profile *held, const char *name)
{
    return set_find(held->set, name);
}

bool profiles_know(struct profiles *profiles, const char *name)
{
    const struct profile *profile = profile_acquire(profiles, name);
    bool is_there = strcmp(profile->title, name) == 0;
    profile_release(profile);
    return is_there;
}

void profile_release(const struct profile *profile)
{
    if (profile != NULL)
        set_release(profile->set);
}

void profile_append_refusal(const struct profile *profile, struct text_buffer *buffer,
                            const char *code, const char *sentence)
{
    struct jwrite writer;
    jwrite_init(&writer, buffer);
    jwrite_object_begin(&writer);
    for (int32_t i = 0; i < profile->refusal.count; i++) {
        const struct profile_pair *pair = &profile->refusal.pairs[i];
        jwrite_key_ready(&writer, profile_key(pair));
        if (pair->value == PROFILE_VALUE_SUCCESS)
            jwrite_bool(&writer, false);
        else
            jwrite_text(&writer, text_of(pair->value == PROFILE_VALUE_CODE ? code : sentence));
    }
    jwrite_object_end(&writer);
}
