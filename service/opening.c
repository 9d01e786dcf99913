/* Opens master key and store, and says in words what stands in the way. */
#include "service/opening.h"

#include "base/error.h"
#include "service/reason.h"

#include <unistd.h>

#include "base/banned.h"

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int give_no_store(const struct config *config, int err)
{
    if (config->is_postgres)
        return reason_give(err,
                           "there is no store in %s; set it to the service's (counterpart "
                           "serve fills an empty one)",
                           config->store_name);
    return reason_give(err, "there is no store at %s; " OPENING_ADVICE, config->store_name);
}

static bool store_may_be_there(const struct config *config)
{
    return config->is_postgres || is_there(config->store_location);
}

static int give_no_folder(const struct config *config, int err)
{
    return reason_give(err,
                       "there is no data folder at %s; set COUNTERPART_DATA to the service's "
                       "(counterpart serve makes a new one)",
                       config->data);
}

int opening_seal(const struct config *config, bool may_create, struct seal **seal)
{
    const char *path = config->master_key;
    int err = seal_open(path, may_create, seal);
    if (err == 0)
        return 0;
    if (!is_there(config->data))
        return give_no_folder(config, err);
    if (err == ERR_NOT_FOUND && store_may_be_there(config))
        return reason_give(err,
                           "the master key %s is not there, and %s cannot be read without it: put "
                           "its backup back, or set COUNTERPART_MASTER_KEY to where it is",
                           path, config->store_name);
    if (err == ERR_NOT_FOUND)
        return reason_give(err,
                           "neither the master key %s nor a store is there; " OPENING_ADVICE
                           " (counterpart serve fills a new folder)",
                           path);
    if (err == ERR_BAD_KEY)
        return reason_give(err,
                           "%s is no master key: it must be a plain file of 64 hex digits that "
                           "its owner alone may read (chmod 600)",
                           path);
    return reason_give(err, "the master key %s cannot be %s (%s); the log line above says why",
                       path, may_create ? "read or made" : "read", error_name(err));
}

int opening_store_failed(const struct config *config, enum store_mode mode, int err)
{
    if (err == ERR_BAD_KEY)
        return reason_give(err, "%s is not the master key that %s was made with (%s)",
                           config->master_key, config->store_name, error_name(err));
    if (err == ERR_SCHEMA_TOO_NEW)
        return reason_give(err,
                           "a later program has changed the schema of %s so that this one cannot "
                           "use it; install that program (%s)",
                           config->store_name, error_name(err));
    if (err == ERR_LOCKED)
        return reason_give(err,
                           "programs that could not live with this one's schema still use %s: "
                           "upgrade those first. Nothing was changed (%s)",
                           config->store_name, error_name(err));
    if (err == ERR_STORE_BUSY && config->is_postgres)
        return reason_give(err,
                           "the schema of %s cannot be changed now, because a long statement uses "
                           "it; try again. Nothing was changed (%s)",
                           config->store_name, error_name(err));
    if (mode == STORE_READER && (err == ERR_NOT_FOUND || !store_may_be_there(config)))
        return give_no_store(config, err);
    return reason_give(err, "%s%s cannot be opened (%s)", config->is_postgres ? "" : "the store ",
                       config->store_name, error_name(err));
}

int opening_store(const struct config *config, const struct seal *seal, enum store_mode mode,
                  struct store **store)
{
    const struct store_config store_config = {
        .location = config->store_location,
        .seal = seal,
        .timeline_path = config->timeline_path[0] == '\0' ? NULL : config->timeline_path};
    int err = store_open(&store_config, mode, store);
    return err == 0 ? 0 : opening_store_failed(config, mode, err);
}
