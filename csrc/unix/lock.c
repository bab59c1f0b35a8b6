/* The lock file beside a socket file. The process that holds the lock owns the name, until it ends.
 *
 * The lock file is removed with the socket file. So a lock counts only while the path still leads to the file that was
 * locked. This is checked after locking, and a process that has locked a file without a name tries again. */

#define LIPC__LOCK_SUFFIX ".lock"

/* Checks that a file is a lock file of this user's. A file with content, or with a second name, only happens to have
 * this name: LIPC_EADDRINUSE. A file of another user, who could hold its lock for ever: LIPC_EACCES. */
static int lipc__check_lock(const struct stat *st) {
    if (!S_ISREG(st->st_mode) || st->st_size != 0 || st->st_nlink > 1)
        return lipc__fault(LIPC_EADDRINUSE);
    if (st->st_uid != geteuid())
        return lipc__fault(LIPC_EACCES);
    return 0;
}

/* Gives up the lock. removes: whether to remove the lock file, too, if it is still the one that is locked. */
static void lipc__unlock(int directory, const char *leaf, int fd, bool removes) {
    struct stat locked;
    if (removes && fstat(fd, &locked) == 0 && lipc__check_lock(&locked) == 0)
        lipc__file_remove(directory, leaf, &locked);
    close(fd);
}

/* Makes a lock file of this user's accessible again, which a crash left with the mode that the umask gave it. */
static bool lipc__mend_lock(int directory, const char *leaf) {
    lipc__file f;
    if (lipc__file_open(directory, leaf, &f) < 0)
        return false;
    bool mended = lipc__check_lock(&f.stat) >= 0 && lipc__file_is_own(&f) && lipc__file_set_mode(&f, 0600) >= 0;
    lipc__file_close(&f);
    return mended;
}

/* Makes one attempt to open or make the lock file. What is there is looked at first, since opening what is not a
 * regular file may have an effect. */
static int lipc__lock_open_once(int directory, const char *leaf, bool *ret_made) {
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    struct stat present;
    *ret_made = true;
    int fd = SYS(openat(directory, leaf, flags | O_CREAT | O_EXCL, 0600));
    if (fd < 0 && errno == EEXIST) {
        if (fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(present.st_mode))
            return lipc__fault(LIPC_EADDRINUSE);
        *ret_made = false;
        fd = SYS(openat(directory, leaf, flags));
    }
    return fd < 0 ? lipc__error_from(errno) : fd;
}

/* Opens the lock file. ret_made: it was not there before. */
static int lipc__lock_open(int directory, const char *leaf, bool *ret_made) {
    for (bool mended = false;;) {
        int fd = lipc__lock_open_once(directory, leaf, ret_made);
        if (fd >= 0)
            return fd;
        int os = lipc_error_os(fd);
        if (os == EINTR || (os == ENOENT && !*ret_made)) /* another process removed it in between */
            continue;
        if (lipc_error_code(fd) != LIPC_EACCES || *ret_made || mended || !lipc__mend_lock(directory, leaf))
            return fd;
        mended = true;
    }
}

/* Whether another program holds a file by fcntl(2). flock(2) does not see those locks on most systems. On the others
 * both see each other, so this has to be asked before the file is locked. */
static bool lipc__held_otherwise(int fd) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return SYS(fcntl(fd, F_GETLK, &range)) == 0 && range.l_type != F_UNLCK;
}

/* Locks an open lock file. LIPC_EADDRINUSE: another process holds it. */
static int lipc__flock(int fd) {
    if (lipc__held_otherwise(fd))
        return lipc__fault(LIPC_EADDRINUSE);
    while (SYS(flock(fd, LOCK_EX | LOCK_NB)) < 0) {
        if (errno == EWOULDBLOCK)
            return lipc__fault(LIPC_EADDRINUSE);
        if (errno != EINTR)
            return lipc__error_from(errno);
    }
    return 0;
}

/* Locks a file that was just opened. Returns 1 if that is the lock, 0 if its last holder has removed the file, or an
 * error. ret_alone: no other process holds the file. */
static int lipc__lock_once(int directory, const char *leaf, int fd, bool *ret_alone) {
    struct stat locked, present;
    int held = lipc__flock(fd);
    *ret_alone = lipc_error_code(held) != LIPC_EADDRINUSE;
    if (SYS(fstat(fd, &locked)) < 0)
        return held < 0 ? held : lipc__error_from(errno);
    int r = lipc__check_lock(&locked); /* says more than the error in held */
    if (r < 0)
        return r;
    if (held < 0)
        return held;
    if (SYS(fstatat(directory, leaf, &present, AT_SYMLINK_NOFOLLOW)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    if (!lipc__same_file(&locked, &present))
        return 0;
    /* The umask could have left it with a mode that lets nobody open it again after a crash. Setting the mode also
     * shows that it is ours where the kernel reports several users by one id. */
    return SYS(fchmod(fd, 0600)) < 0 ? lipc__error_from(errno) : 1;
}

/* Takes the lock. Returns the descriptor that holds it. ret_made: the lock file was not there before. */
static int lipc__lock(int directory, const char *leaf, bool *ret_made) {
    for (;;) {
        int fd = lipc__lock_open(directory, leaf, ret_made);
        if (fd < 0)
            return fd;
        bool alone = false;
        int r = lipc__lock_once(directory, leaf, fd, &alone);
        if (r > 0)
            return fd;
        lipc__unlock(directory, leaf, fd, r < 0 && alone && *ret_made);
        if (r < 0)
            return r;
    }
}
