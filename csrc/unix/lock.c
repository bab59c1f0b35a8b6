/* The lock file beside a socket file. Who holds it owns the name, for as long as its process lives.
 *
 * The lock file is removed with the socket file, so the lock is worth something only while the path still
 * leads to the file that was locked; that is checked after locking, and those who lose that race try again. */

#define LIPC__LOCK_SUFFIX ".lock"

static bool lipc__same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a file is a lock file of ours. One with content just happens to have the name; another user could hold one
 * of theirs for ever. */
static int lipc__check_lock(const struct stat *st) {
    if (!S_ISREG(st->st_mode) || st->st_size != 0)
        return lipc__fault(LIPC_EADDRINUSE);
    return st->st_uid != geteuid() ? lipc__fault(LIPC_EACCES) : 0;
}

/* Gives the lock up. removes: the lock file too, if it is still the one that is locked. */
static void lipc__unlock(int directory, const char *leaf, int fd, bool removes) {
    struct stat locked, present;
    if (removes && fstat(fd, &locked) == 0 && lipc__check_lock(&locked) == 0 &&
        fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW) == 0 && lipc__same_file(&locked, &present))
        unlinkat(directory, leaf, 0);
    close(fd);
}

/* One attempt to take the lock. Returns 1 when a descriptor holds it, 0 when its last holder removed the file before
 * we had it, or an error. */
static int lipc__lock_once(int directory, const char *leaf, int *ret_fd) {
    struct stat locked, present;
    int fd, r;
    do
        fd = SYS(openat(directory, leaf, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    while (fd < 0 && errno == EINTR);
    if (fd < 0) { /* each system has a number of its own for what is no regular file */
        r = lipc__error_from(errno);
        bool in_the_way = fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(present.st_mode);
        return in_the_way ? lipc__fault(LIPC_EADDRINUSE) : r;
    }
    do
        r = SYS(flock(fd, LOCK_EX | LOCK_NB));
    while (r < 0 && errno == EINTR);
    bool held = r == 0;
    if (!held)
        r = errno == EWOULDBLOCK ? lipc__fault(LIPC_EADDRINUSE) : lipc__error_from(errno);
    bool known = SYS(fstat(fd, &locked)) == 0;
    if (!known && held)
        r = lipc__error_from(errno);
    if (known && lipc__check_lock(&locked) < 0)
        r = lipc__check_lock(&locked);
    bool gone = false;
    if (r == 0) {
        if (SYS(fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW)) == 0) {
            gone = !lipc__same_file(&locked, &present);
        } else {
            gone = errno == ENOENT;
            r = gone ? 0 : lipc__error_from(errno);
        }
    }
    if (r == 0 && !gone) {
        fchmod(fd, 0600); /* a umask could have left it so that nobody can open it again after a crash */
        *ret_fd = fd;
        return 1;
    }
    lipc__unlock(directory, leaf, fd, held);
    return r;
}

/* Takes the lock. Returns the descriptor that holds it. */
static int lipc__lock(int directory, const char *leaf) {
    int r, fd = -1;
    do
        r = lipc__lock_once(directory, leaf, &fd);
    while (r == 0);
    return r < 0 ? r : fd;
}
