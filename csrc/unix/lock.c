/* The lock file beside a socket file. Who holds it owns the name, for as long as its process lives.
 *
 * The lock file is removed with the socket file, so the lock is worth something only while the path still
 * leads to the file that was locked; that is checked after locking, and those who lose that race try again. */

#define LIPC__LOCK_SUFFIX ".lock"

/* Whether a file is a lock file of ours. One with content just happens to have the name; another user could hold one
 * of theirs for ever. */
static int lipc__check_lock(const struct stat *st) {
    if (!S_ISREG(st->st_mode) || st->st_size != 0)
        return lipc__fault(LIPC_EADDRINUSE);
    return st->st_uid != geteuid() ? lipc__fault(LIPC_EACCES) : 0;
}

/* Gives the lock up. removes: the lock file too, if it is still the one that is locked. */
static void lipc__unlock(int directory, const char *leaf, int fd, bool removes) {
    struct stat locked;
    if (removes && fstat(fd, &locked) == 0 && lipc__check_lock(&locked) == 0)
        lipc__file_remove(directory, leaf, &locked);
    close(fd);
}

/* Opens the lock file. ret_made: it was not there before. */
static int lipc__lock_open(int directory, const char *leaf, bool *ret_made) {
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    struct stat present;
    int fd;
    for (bool makes = true;; makes = !makes) { /* neither, as long as others make and remove it in between */
        fd = SYS(openat(directory, leaf, makes ? flags | O_CREAT | O_EXCL : flags, 0600));
        *ret_made = makes;
        if (fd >= 0)
            return fd;
        if (errno == EINTR || (makes ? errno == EEXIST : errno == ENOENT))
            continue;
        int r = lipc__error_from(errno); /* each system has a number of its own for what is no regular file */
        bool in_the_way = fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(present.st_mode);
        return in_the_way ? lipc__fault(LIPC_EADDRINUSE) : r;
    }
}

/* Whether another program holds a file by fcntl(2), which flock(2) does not see. (On some systems it does, and on these the
 * two see each other, so this is asked before the file is locked.) */
static bool lipc__held_otherwise(int fd) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return SYS(fcntl(fd, F_GETLK, &range)) == 0 && range.l_type != F_UNLCK;
}

/* Locks the lock file, which was just opened. Returns 1 when the descriptor holds it, 0 when its last holder removed the file
 * before we had it, or an error. */
static int lipc__lock_opened(int directory, const char *leaf, int fd, bool *ret_held) {
    struct stat locked, present;
    int r = lipc__held_otherwise(fd) ? lipc__fault(LIPC_EADDRINUSE) : 0;
    while (r == 0 && !*ret_held) {
        *ret_held = SYS(flock(fd, LOCK_EX | LOCK_NB)) == 0;
        if (!*ret_held && errno != EINTR)
            r = errno == EWOULDBLOCK ? lipc__fault(LIPC_EADDRINUSE) : lipc__error_from(errno);
    }
    if (SYS(fstat(fd, &locked)) < 0)
        return r < 0 ? r : lipc__error_from(errno);
    if (lipc__check_lock(&locked) < 0)
        return lipc__check_lock(&locked);
    if (r < 0)
        return r;
    if (SYS(fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    if (!lipc__same_file(&locked, &present))
        return 0;
    /* A umask could have left it so that nobody can open it again after a crash. That its mode can be set also shows that it
     * is ours where the kernel reports several users as one. */
    return SYS(fchmod(fd, 0600)) < 0 ? lipc__error_from(errno) : 1;
}

/* Takes the lock. Returns the descriptor that holds it. ret_made: the lock file was not there before. */
static int lipc__lock(int directory, const char *leaf, bool *ret_made) {
    for (;;) {
        bool held = false;
        int fd = lipc__lock_open(directory, leaf, ret_made);
        int r = fd < 0 ? fd : lipc__lock_opened(directory, leaf, fd, &held);
        if (r > 0)
            return fd;
        if (fd >= 0)
            lipc__unlock(directory, leaf, fd, r < 0 && held && *ret_made);
        if (r < 0)
            return r;
    }
}
