/* The lock file beside a socket file. Who holds it owns the name, for as long as its process lives.
 *
 * The lock file is removed with the socket file, so the lock is worth something only while the path still
 * leads to the file that was locked; that is checked after locking, and those who lose that race try again. */

#define LIPC__LOCK_SUFFIX ".lock"

static bool lipc__same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Locks path, which ends in LIPC__LOCK_SUFFIX. Returns the descriptor that holds the lock. */
static int lipc__lock(const char *path) {
    for (;;) {
        int fd = SYS(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0)
            return lipc__error_from(errno);
        struct stat locked, present;
        if (SYS(flock(fd, LOCK_EX | LOCK_NB)) < 0 || SYS(fstat(fd, &locked)) < 0) {
            int os = errno;
            close(fd);
            if (os == EINTR)
                continue;
            return os == EWOULDBLOCK ? lipc__fault(LIPC_EADDRINUSE) : lipc__error_from(os);
        }
        if (!S_ISREG(locked.st_mode)) {
            close(fd);
            return lipc__fault(LIPC_EADDRINUSE);
        }
        int os = SYS(lstat(path, &present)) == 0 ? 0 : errno;
        if (os == 0 && lipc__same_file(&locked, &present))
            return fd;
        close(fd);
        if (os != 0 && os != ENOENT)
            return lipc__error_from(os);
    }
}

/* Removes the lock file, if it is still ours, and gives the lock up. */
static void lipc__unlock(const char *path, int fd) {
    struct stat locked, present;
    if (fstat(fd, &locked) == 0 && lstat(path, &present) == 0 && lipc__same_file(&locked, &present))
        unlink(path);
    close(fd);
}
