/* The lock file beside a socket file. Who holds it owns the name, for as long as its process lives.
 *
 * The lock file is removed with the socket file, so the lock is worth something only while the path still
 * leads to the file that was locked; that is checked after locking, and those who lose that race try again. */

#define LIPC__LOCK_SUFFIX ".lock"

static bool lipc__same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A lock file is empty; a file with content that happens to have the name is somebody's. */
static bool lipc__is_lock(const struct stat *st) {
    return S_ISREG(st->st_mode) && st->st_size == 0;
}

/* Gives the lock up. removes: the lock file too, if it is still the one that is locked. */
static void lipc__unlock(const char *path, int fd, bool removes) {
    struct stat locked, present;
    if (removes && fstat(fd, &locked) == 0 && lipc__is_lock(&locked) && lstat(path, &present) == 0 &&
        lipc__same_file(&locked, &present))
        unlink(path);
    close(fd);
}

/* Locks path, which ends in LIPC__LOCK_SUFFIX. Returns the descriptor that holds the lock. */
static int lipc__lock(const char *path) {
    for (;;) {
        int fd = SYS(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0) /* a symbolic link, a directory or a socket has the name */
            return errno == ELOOP || errno == EISDIR || errno == ENXIO ? lipc__fault(LIPC_EADDRINUSE)
                                                                        : lipc__error_from(errno);
        if (SYS(flock(fd, LOCK_EX | LOCK_NB)) < 0) {
            int os = errno;
            close(fd);
            if (os == EINTR)
                continue;
            return os == EWOULDBLOCK ? lipc__fault(LIPC_EADDRINUSE) : lipc__error_from(os);
        }
        struct stat locked, present;
        int r = SYS(fstat(fd, &locked)) < 0 ? lipc__error_from(errno) : 0;
        if (r == 0 && !lipc__is_lock(&locked))
            r = lipc__fault(LIPC_EADDRINUSE);
        bool gone = false;
        if (r == 0 && SYS(lstat(path, &present)) < 0) {
            gone = errno == ENOENT;
            r = lipc__error_from(errno);
        }
        if (r == 0 && lipc__same_file(&locked, &present)) {
            fchmod(fd, 0600); /* a umask could have left it so that nobody can open it again after a crash */
            return fd;
        }
        lipc__unlock(path, fd, true);
        if (r < 0 && !gone)
            return r;
    }
}
