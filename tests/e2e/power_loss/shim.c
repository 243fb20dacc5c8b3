/*
 * Preloaded into every process of the service: records each change to a file below one folder, and each sync.
 *
 * A record is appended to the journal under a lock that all processes share, together with the change it tells of, so
 * the journal's order is the order in which things happened. An fsync is two records, its begin and its end, with a pause
 * in between: it makes durable what was written before its begin, and nobody may rely on it before its end. The disk is
 * played, so nothing is really synced.
 *
 * POWER_LOSS_FOLDER   the folder, absolute and without links in it
 * POWER_LOSS_JOURNAL  the file of records; tests/e2e/power_loss/journal.py reads it
 * POWER_LOSS_CONTROL  a file of zeros that holds `struct control`
 *
 * For systems whose off_t has 64 bits. Not seen: sendfile, copy_file_range, io_uring and what glibc writes by itself
 * (stdio). The test compares what the journal says with what lies in the folder, so what was missed is found.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, TRUNCATE, RENAME, UNLINK, MKDIR, RMDIR, LINK, SYNC_BEGIN, SYNC_END };

struct control {
    uint64_t count;    /* of the records */
    uint64_t off_at;   /* the power goes (or everything is killed) instead of writing this record; 0: never */
    uint64_t sync_us;  /* how long an fsync takes */
    uint64_t is_ready; /* the lock was made */
    pthread_mutex_t lock;
};

struct header {
    uint32_t magic, kind, pid, path_size, data_size, unused;
    uint64_t at; /* ns of the real-time clock, which other processes have too */
    uint64_t inode, offset;
};

#define MAGIC 0x4c57504fu
#define MAX_MAPPED 64
#define SAME_AS(name) __attribute__((alias(name)))

/* Memory that a file is mapped to: the kernel may write it to the disk at any time, unasked. */
struct mapped {
    void *memory;
    size_t size;
    uint64_t inode;
    unsigned char *seen;
};

static struct control *control;
static int journal = -1;
static char folder[PATH_MAX];
static size_t folder_size;
static struct mapped mapped[MAX_MAPPED];

/* What belongs to the folder ------------------------------------------------------------------------------- */

static int is_below(const char *path)
{
    return !strncmp(path, folder, folder_size) && (path[folder_size] == '/' || !path[folder_size]);
}

/* Shared memory of SQLite is made anew by whoever comes first after a loss: what the disk has of it is of no account. */
static int is_of_account(const char *path)
{
    size_t size = strlen(path);
    if (size > 10 && !strcmp(path + size - 10, " (deleted)"))
        return 0;
    return is_below(path) && !(size > 4 && !strcmp(path + size - 4, "-shm"));
}

static int path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return size > 0;
}

static int watched(int fd, char *path, struct stat *info)
{
    if (!control || !path_of(fd, path) || !is_of_account(path) || fstat(fd, info))
        return 0;
    return S_ISREG(info->st_mode) || S_ISDIR(info->st_mode);
}

static int absolute(int dir, const char *name, char *path)
{
    char start[PATH_MAX];
    if (name[0] == '/')
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_of_account(path);
    if (dir == AT_FDCWD ? !getcwd(start, sizeof start) : !path_of(dir, start))
        return 0;
    return snprintf(path, PATH_MAX, "%s/%s", start, name) < PATH_MAX && is_of_account(path);
}

/* The journal ---------------------------------------------------------------------------------------------- */

static void lock(void)
{
    if (pthread_mutex_lock(&control->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&control->lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&control->lock);
}

/* Called before a change is made, under the lock: without power nothing is made any more. */
static void need_power(void)
{
    while (control->off_at && control->count + 1 >= control->off_at) {
        kill(0, SIGKILL);
        pause();
    }
}

static void append(enum kind kind, uint64_t inode, uint64_t offset, const char *path, const void *data, size_t size)
{
    struct timespec now;
    const char *below = path ? path + folder_size + (path[folder_size] == '/') : "";
    clock_gettime(CLOCK_REALTIME, &now);
    struct header header = {
        .magic = MAGIC, .kind = kind, .pid = getpid(), .path_size = strlen(below), .data_size = size,
        .at = now.tv_sec * 1000000000ull + now.tv_nsec, .inode = inode, .offset = offset,
    };
    struct iovec parts[] = {{&header, sizeof header}, {(void *)below, header.path_size}, {(void *)data, size}};
    ssize_t all = sizeof header + header.path_size + size;
    if (syscall(SYS_writev, journal, parts, 3) != all)
        abort(); /* a journal with holes proves nothing */
    control->count++;
}

static void append_mapped(void)
{
    for (int i = 0; i < MAX_MAPPED; i++) {
        struct mapped *m = &mapped[i];
        if (m->memory && memcmp(m->seen, m->memory, m->size)) {
            memcpy(m->seen, m->memory, m->size);
            append(WRITE, m->inode, 0, NULL, m->seen, m->size);
        }
    }
}

static void enter(void)
{
    lock();
    append_mapped(); /* it was written before, so the disk may have it */
    need_power();
}

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("POWER_LOSS_FOLDER"), *records = getenv("POWER_LOSS_JOURNAL");
    const char *shared = getenv("POWER_LOSS_CONTROL");
    if (!where || !records || !shared)
        return;
    folder_size = snprintf(folder, sizeof folder, "%s", where);
    journal = syscall(SYS_openat, AT_FDCWD, records, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int fd = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
    if (journal < 0 || fd < 0)
        abort();
    /* Numbers that no program expects to be free for its own files: daemons close the low ones. */
    int high = fcntl(journal, F_DUPFD_CLOEXEC, 700);
    if (high >= 0) {
        syscall(SYS_close, journal);
        journal = high;
    }
    void *memory = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        abort();
    flock(fd, LOCK_EX);
    struct control *mine = memory;
    if (!mine->is_ready) {
        pthread_mutexattr_t kind;
        pthread_mutexattr_init(&kind);
        pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&mine->lock, &kind);
        mine->is_ready = 1;
    }
    flock(fd, LOCK_UN); /* closing alone would not: the memory holds the file open */
    syscall(SYS_close, fd);
    control = mine;
}

/* Opening -------------------------------------------------------------------------------------------------- */

static int open_at(int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat before, after;
    if (!control || !(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE)
        return syscall(SYS_openat, dir, name, flags, mode);
    if (!absolute(dir, name, path))
        return syscall(SYS_openat, dir, name, flags, mode);
    enter();
    int existed = !fstatat(dir, name, &before, 0);
    int fd = syscall(SYS_openat, dir, name, flags, mode), error = errno;
    if (fd >= 0 && watched(fd, path, &after)) {
        if (!existed)
            append(CREATE, after.st_ino, 0, path, NULL, 0);
        else if ((flags & O_TRUNC) && before.st_size)
            append(TRUNCATE, after.st_ino, 0, path, NULL, 0);
    }
    unlock();
    errno = error;
    return fd;
}

#define MODE_OF(flags)                                                                                       \
    mode_t mode = 0;                                                                                         \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                                                             \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        mode = va_arg(rest, mode_t);                                                                         \
        va_end(rest);                                                                                        \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) SAME_AS("open");

int openat(int dir, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(dir, name, flags, mode);
}

int openat64(int dir, const char *name, int flags, ...) SAME_AS("openat");

int creat(const char *name, mode_t mode)
{
    return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *name, mode_t mode) SAME_AS("creat");

/* Writing -------------------------------------------------------------------------------------------------- */

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    char path[PATH_MAX];
    struct stat info;
    if (!watched(fd, path, &info))
        return syscall(SYS_pwrite64, fd, data, size, offset);
    enter();
    ssize_t done = syscall(SYS_pwrite64, fd, data, size, offset);
    int error = errno;
    if (done > 0)
        append(WRITE, info.st_ino, offset, path, data, done);
    unlock();
    errno = error;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) SAME_AS("pwrite64");

ssize_t write(int fd, const void *data, size_t size)
{
    char path[PATH_MAX];
    struct stat info;
    if (!watched(fd, path, &info))
        return syscall(SYS_write, fd, data, size);
    enter();
    ssize_t done = syscall(SYS_write, fd, data, size);
    int error = errno;
    if (done > 0)
        append(WRITE, info.st_ino, lseek(fd, 0, SEEK_CUR) - done, path, data, done);
    unlock();
    errno = error;
    return done;
}

/* Several parts are several writes here: each may be torn from the others anyway. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    char path[PATH_MAX];
    struct stat info;
    if (!watched(fd, path, &info))
        return syscall(SYS_writev, fd, parts, count);
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (done < 0)
            return all ? all : -1;
        all += done;
    }
    return all;
}

static int change_size(int fd, off64_t size, int only_longer)
{
    char path[PATH_MAX];
    struct stat info;
    if (!watched(fd, path, &info))
        return only_longer ? 0 : syscall(SYS_ftruncate, fd, size);
    enter();
    int failed = 0;
    if (!fstat(fd, &info) && !(only_longer && info.st_size >= size)) {
        failed = syscall(SYS_ftruncate, fd, size);
        if (!failed)
            append(TRUNCATE, info.st_ino, size, path, NULL, 0);
    }
    int error = errno;
    unlock();
    errno = error;
    return failed;
}

int ftruncate64(int fd, off64_t size)
{
    return change_size(fd, size, 0);
}

int ftruncate(int fd, off_t size) SAME_AS("ftruncate64");

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    char path[PATH_MAX];
    struct stat info;
    if (watched(fd, path, &info))
        return change_size(fd, offset + size, 1) ? errno : 0;
    return syscall(SYS_fallocate, fd, 0, offset, size) ? errno : 0;
}

int posix_fallocate(int fd, off_t offset, off_t size) SAME_AS("posix_fallocate64");

/* Mapped memory -------------------------------------------------------------------------------------------- */

static void note_mapped(void *memory, size_t size, uint64_t inode)
{
    lock();
    for (int i = 0; i < MAX_MAPPED; i++) {
        if (!mapped[i].memory) {
            unsigned char *seen = malloc(size);
            memcpy(seen, memory, size);
            mapped[i] = (struct mapped){memory, size, inode, seen};
            unlock();
            return;
        }
    }
    abort();
}

void *mmap64(void *wanted, size_t size, int protection, int flags, int fd, off64_t offset)
{
    char path[PATH_MAX];
    struct stat info;
    void *memory = (void *)syscall(SYS_mmap, wanted, size, protection, flags, fd, offset);
    int error = errno;
    if (memory != MAP_FAILED && control && fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) &&
        watched(fd, path, &info)) {
        if (offset)
            abort(); /* nobody does so here */
        note_mapped(memory, size, info.st_ino);
    }
    errno = error;
    return memory;
}

void *mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset) SAME_AS("mmap64");

int munmap(void *memory, size_t size)
{
    if (control) {
        lock();
        append_mapped();
        for (int i = 0; i < MAX_MAPPED; i++) {
            if (mapped[i].memory == memory) {
                free(mapped[i].seen);
                mapped[i].memory = NULL;
            }
        }
        unlock();
    }
    return syscall(SYS_munmap, memory, size);
}

/* Syncing -------------------------------------------------------------------------------------------------- */

static int sync_of(int fd, int number)
{
    char path[PATH_MAX];
    struct stat info;
    if (!watched(fd, path, &info))
        return syscall(number, fd);
    enter();
    uint64_t first = control->count;
    append(SYNC_BEGIN, info.st_ino, 0, path, NULL, 0);
    unlock();
    struct timespec took = {0, control->sync_us * 1000};
    nanosleep(&took, NULL);
    enter();
    append(SYNC_END, info.st_ino, first, path, NULL, 0);
    unlock();
    return 0;
}

int fsync(int fd)
{
    return sync_of(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_of(fd, SYS_fdatasync);
}

/* Names ---------------------------------------------------------------------------------------------------- */

static int rename_at(int dir, const char *name, int to_dir, const char *to)
{
    char path[PATH_MAX], to_path[PATH_MAX];
    if (!control || !absolute(dir, name, path) || !absolute(to_dir, to, to_path))
        return syscall(SYS_renameat2, dir, name, to_dir, to, 0);
    enter();
    int failed = syscall(SYS_renameat2, dir, name, to_dir, to, 0), error = errno;
    const char *below = to_path + folder_size + 1;
    if (!failed)
        append(RENAME, 0, 0, path, below, strlen(below));
    unlock();
    errno = error;
    return failed;
}

int rename(const char *name, const char *to)
{
    return rename_at(AT_FDCWD, name, AT_FDCWD, to);
}

int renameat(int dir, const char *name, int to_dir, const char *to)
{
    return rename_at(dir, name, to_dir, to);
}

static int unlink_at(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    if (!control || !absolute(dir, name, path))
        return syscall(SYS_unlinkat, dir, name, flags);
    enter();
    int failed = syscall(SYS_unlinkat, dir, name, flags), error = errno;
    if (!failed)
        append(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, path, NULL, 0);
    unlock();
    errno = error;
    return failed;
}

int unlink(const char *name)
{
    return unlink_at(AT_FDCWD, name, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
    return unlink_at(dir, name, flags);
}

int rmdir(const char *name)
{
    return unlink_at(AT_FDCWD, name, AT_REMOVEDIR);
}

int mkdir(const char *name, mode_t mode)
{
    char path[PATH_MAX];
    if (!control || !absolute(AT_FDCWD, name, path))
        return syscall(SYS_mkdirat, AT_FDCWD, name, mode);
    enter();
    int failed = syscall(SYS_mkdirat, AT_FDCWD, name, mode), error = errno;
    if (!failed)
        append(MKDIR, 0, 0, path, NULL, 0);
    unlock();
    errno = error;
    return failed;
}

int link(const char *name, const char *to)
{
    char path[PATH_MAX], to_path[PATH_MAX];
    if (!control || !absolute(AT_FDCWD, name, path) || !absolute(AT_FDCWD, to, to_path))
        return syscall(SYS_linkat, AT_FDCWD, name, AT_FDCWD, to, 0);
    enter();
    int failed = syscall(SYS_linkat, AT_FDCWD, name, AT_FDCWD, to, 0), error = errno;
    const char *below = to_path + folder_size + 1;
    if (!failed)
        append(LINK, 0, 0, path, below, strlen(below));
    unlock();
    errno = error;
    return failed;
}
