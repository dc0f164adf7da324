/* Makes I/O on regular files fail with EIO, for the test `postgres_io`. Preloaded into every process of a PostgreSQL
 * server, where libfiu cannot be: both define `hash_create`.
 *
 * IO_ERRORS names a file that all processes map. Its bytes say how many of a hundred calls fail: of pwrite and pwritev,
 * of fsync, of fdatasync, of pread. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PWRITE, FSYNC, FDATASYNC, PREAD, CALLS };

static const volatile unsigned char *percent;

__attribute__((constructor)) static void map(void) {
    const char *path = getenv("IO_ERRORS");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, CALLS, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        percent = mapped;
    close(file);
}

static int fails(int call, int file) {
    static unsigned state;
    struct stat status;
    if (!percent || !percent[call] || fstat(file, &status) || !S_ISREG(status.st_mode))
        return 0;
    state = (state ? state : (unsigned)getpid() * 2654435761u) * 1103515245u + 12345u;
    if ((state >> 16) % 100 >= percent[call])
        return 0;
    errno = EIO;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int file, const void *from, size_t size, off_t at) {
    return fails(PWRITE, file) ? -1 : REAL(pwrite)(file, from, size, at);
}
ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
    return fails(PWRITE, file) ? -1 : REAL(pwrite64)(file, from, size, at);
}
ssize_t pwritev(int file, const struct iovec *from, int count, off_t at) {
    return fails(PWRITE, file) ? -1 : REAL(pwritev)(file, from, count, at);
}
ssize_t pwritev64(int file, const struct iovec *from, int count, off64_t at) {
    return fails(PWRITE, file) ? -1 : REAL(pwritev64)(file, from, count, at);
}
ssize_t pread(int file, void *to, size_t size, off_t at) {
    return fails(PREAD, file) ? -1 : REAL(pread)(file, to, size, at);
}
ssize_t pread64(int file, void *to, size_t size, off64_t at) {
    return fails(PREAD, file) ? -1 : REAL(pread64)(file, to, size, at);
}
int fsync(int file) { return fails(FSYNC, file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails(FDATASYNC, file) ? -1 : REAL(fdatasync)(file); }
