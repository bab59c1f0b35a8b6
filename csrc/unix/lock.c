/* The lock file beside a socket file. Who holds it owns the name, for as long as its process lives.
 *
 * The lock file is removed with the socket file, so the lock is worth something only while the path still
 * leads to the file that was locked; that is checked after locking, and those who lose that race try again. */

#define LIPC__LOCK_SUFFIX ".lock"

/* Whether a file is a lock file of ours. One with content, or with another name besides, just happens to have this one;
 * another user could hold one of theirs for ever. */
static int lipc__check_lock(const struct stat *st) {
    if (!S_ISREG(st->st_mode) || st->st_size != 0 || st->st_nlink > 1)
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

/* Lets this user open a lock file of theirs again that a crash left as the umask had it. */
static bool lipc__mend_lock(int directory, const char *leaf) {
    lipc__file f;
    if (lipc__file_open(directory, leaf, &f) < 0)
        return false;
    bool mended = lipc__check_lock(&f.stat) >= 0 && lipc__file_is_own(&f) && lipc__file_set_mode(&f, 0600) >= 0;
    lipc__file_close(&f);
    return mended;
}

/* Opens the lock file. ret_made: it was not there before. What is there is looked at first, since to open what is no
 * regular file may do something. */
static int lipc__lock_open(int directory, const char *leaf, bool *ret_made) {
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    for (bool mended = false;;) { /* as long as others make and remove it in between */
        struct stat present;
        int fd = SYS(openat(directory, leaf, flags | O_CREAT | O_EXCL, 0600));
        *ret_made = true;
        if (fd < 0 && errno == EEXIST) {
            if (fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(present.st_mode))
                return lipc__fault(LIPC_EADDRINUSE);
            fd = SYS(openat(directory, leaf, flags));
            *ret_made = false;
        }
        if (fd >= 0)
            return fd;
        int r = lipc__error_from(errno);
        bool again = errno == EINTR || (!*ret_made && errno == ENOENT);
        if (!again && (lipc_error_code(r) != LIPC_EACCES || mended || *ret_made || !lipc__mend_lock(directory, leaf)))
            return r;
        mended = !again;
    }
}

/* Whether another program holds a file by fcntl(2), which flock(2) does not see. (On some systems it does, and on these
 * the two see each other, so this is asked before the file is locked.) */
static bool lipc__held_otherwise(int fd) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return SYS(fcntl(fd, F_GETLK, &range)) == 0 && range.l_type != F_UNLCK;
}

/* Locks the lock file, which was just opened. Returns 1 when the descriptor holds it, 0 when its last holder removed
 * the file before we had it, or an error. ret_alone: no other process holds it. */
static int lipc__lock_opened(int directory, const char *leaf, int fd, bool *ret_alone) {
    struct stat locked, present;
    int r = lipc__held_otherwise(fd) ? lipc__fault(LIPC_EADDRINUSE) : 0;
    while (r == 0 && !*ret_alone) {
        bool held = SYS(flock(fd, LOCK_EX | LOCK_NB)) == 0;
        if (!held && errno != EINTR)
            r = errno == EWOULDBLOCK ? lipc__fault(LIPC_EADDRINUSE) : lipc__error_from(errno);
        *ret_alone = held || (r < 0 && errno != EWOULDBLOCK);
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
    /* A umask could have left it so that nobody can open it again after a crash. That its mode can be set also shows
     * that it is ours where the kernel reports several users as one. */
    return SYS(fchmod(fd, 0600)) < 0 ? lipc__error_from(errno) : 1;
}

/* Takes the lock. Returns the descriptor that holds it. ret_made: the lock file was not there before. */
static int lipc__lock(int directory, const char *leaf, bool *ret_made) {
    for (;;) {
        bool alone = false;
        int fd = lipc__lock_open(directory, leaf, ret_made);
        int r = fd < 0 ? fd : lipc__lock_opened(directory, leaf, fd, &alone);
        if (r > 0)
            return fd;
        if (fd >= 0)
            lipc__unlock(directory, leaf, fd, r < 0 && alone && *ret_made);
        if (r < 0)
            return r;
    }
}
