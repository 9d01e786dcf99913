/*
 * A VFS in front of the system's: forwards every call, and fails the one it was told to.
 */
#include "tests/store/faulty_disk.h"

#include "base/check.h"

#include <sqlite3.h>
#include <string.h>

struct faulty_file {
    sqlite3_file base; /* first: SQLite sees only this */
    bool is_log;
    sqlite3_file *real; /* in the memory behind this struct */
};

static sqlite3_vfs *system_disk;
static struct {
    bool is_armed;
    bool has_failed;
    bool is_final;
    enum disk_call call;
    int left;
    int code;
} fault;

static int fault_on(enum disk_call call)
{
    if (!fault.is_armed || fault.call != call)
        return SQLITE_OK;
    if (fault.has_failed)
        return fault.is_final ? fault.code : SQLITE_OK;
    if (--fault.left > 0)
        return SQLITE_OK;
    fault.has_failed = true;
    return fault.code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    int code = fault_on(DISK_READ);
    return code != SQLITE_OK ? code
                             : real_of(file)->pMethods->xRead(real_of(file), bytes, size, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = real_of(file);
    int code = ((struct faulty_file *)file)->is_log ? fault_on(DISK_WRITE) : SQLITE_OK;
    if (code == SQLITE_OK)
        return real->pMethods->xWrite(real, bytes, size, offset);
    CHECK(real->pMethods->xWrite(real, bytes, size / 2, offset) == SQLITE_OK);
    return code;
}

static int file_sync(sqlite3_file *file, int flags)
{
    int code = ((struct faulty_file *)file)->is_log ? fault_on(DISK_SYNC) : SQLITE_OK;
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int file_check_lock(sqlite3_file *file, int *is_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_locked);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, map);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* without mmap */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int disk_open(sqlite3_vfs *disk, const char *name, sqlite3_file *opened, int flags,
                     int *flags_out)
{
    (void)disk;
    struct faulty_file *file = (struct faulty_file *)opened;
    file->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    file->real = (sqlite3_file *)(file + 1);
    int code = system_disk->xOpen(system_disk, name, file->real, flags, flags_out);
    file->base.pMethods = file->real->pMethods == NULL ? NULL : &methods;
    return code;
}

void faulty_disk_install(void)
{
    static sqlite3_vfs disk;
    system_disk = sqlite3_vfs_find(NULL);
    disk = *system_disk;
    disk.zName = "faulty";
    disk.szOsFile = (int)sizeof(struct faulty_file) + system_disk->szOsFile;
    disk.xOpen = disk_open;
    CHECK(sqlite3_vfs_register(&disk, 1) == SQLITE_OK);
}

void faulty_disk_arm(enum disk_call call, int nth, int code, bool is_final)
{
    fault.is_armed = true;
    fault.has_failed = false;
    fault.is_final = is_final;
    fault.call = call;
    fault.left = nth;
    fault.code = code;
}

bool faulty_disk_disarm(void)
{
    fault.is_armed = false;
    return fault.has_failed;
}
