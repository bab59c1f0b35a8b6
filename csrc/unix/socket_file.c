/* Socket files: how a listener claims the name of one, from a dead server if need be, and gives it up. */

/* A listener's socket file, and the lock file beside it. */
typedef struct lipc__socket_file {
    int directory;   /* of both files, held open since the process may change its own; -1: there are no files */
    int lock;        /* the descriptor that holds the lock; -1: there is none */
    bool unlinks;    /* whether both are removed on close; only ever set if we made the socket file */
    lipc__file file; /* the socket file that we made */
    char leaf[LIPC__PATH_ROOM];
    char lock_leaf[LIPC__PATH_ROOM + sizeof LIPC__LOCK_SUFFIX];
} lipc__socket_file;

/* ------------------------------------------- Alive ------------------------------------------------ */

/* Whether any process has the socket behind a path open. Returns 1 or 0; 2 if this user may not ask; or an error. What
 * cannot be found out counts as alive.
 *
 * This does not disturb the server. connect(2) of a datagram socket to a stream socket fails with EPROTOTYPE before the
 * backlog is looked at, and with ECONNREFUSED if only the file is left. So it tells a full backlog from a dead server
 * also on systems that report both by the same error (macOS, the BSDs). */
static int lipc__alive(const lipc__address *address, socklen_t length) {
    int fd = lipc__socket(SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int r;
    do
        r = SYS(connect(fd, &address->header, length));
    while (r < 0 && errno == EINTR);
    int alive = r == 0 || errno != ECONNREFUSED;
    if (r < 0 && errno == EACCES)
        alive = 2;
    close(fd);
    return alive;
}

/* Copies the path out of an address. */
static void lipc__path_of(const lipc__address *address, socklen_t length, char *ret_path) {
    size_t n = length - LIPC__ADDRESS_HEADER;
    memcpy(ret_path, address->local.sun_path, n);
    ret_path[n] = '\0';
}

/* lipc__alive() of a file that was looked at. Its path may lead elsewhere by now: a link in it may have changed, or a
 * thread may have changed the directory of the process. */
static int lipc__file_alive(const lipc__file *f, const lipc__address *address, socklen_t length) {
    char path[LIPC__PATH_ROOM];
#ifdef LIPC__PINS_FILES
    if (lipc__pin_path(f, path, sizeof path)) {
        lipc__address pinned = {.local.sun_family = AF_UNIX};
        memcpy(pinned.local.sun_path, path, strlen(path));
        return lipc__alive(&pinned, (socklen_t)(LIPC__ADDRESS_HEADER + strlen(path)));
    }
#endif
    lipc__path_of(address, length, path);
    if (!lipc__leads_to(path, &f->stat, AT_SYMLINK_NOFOLLOW))
        return 1;
    int alive = lipc__alive(address, length);
    if (alive == 0 && !lipc__leads_to(path, &f->stat, AT_SYMLINK_NOFOLLOW))
        return 1; /* another socket may have answered */
    return alive;
}

/* Removes a socket file of this user's if no process has its socket open. LIPC_EACCES: this user may not ask. */
static int lipc__remove_dead(const lipc__file *f, const lipc__address *address, socklen_t length) {
    struct stat now;
    int alive = lipc__file_alive(f, address, length);
    if (alive < 0)
        return alive;
    if (alive > 0)
        return lipc__fault(alive == 2 ? LIPC_EACCES : LIPC_EADDRINUSE);
    if (SYS(fstatat(f->directory, f->leaf, &now, AT_SYMLINK_NOFOLLOW)) < 0)
        return lipc__error_from(errno);
    /* The time is compared because a new file may get the inode number of one that nothing holds. */
    if (now.LIPC__ST_CTIM.tv_sec != f->stat.LIPC__ST_CTIM.tv_sec ||
        now.LIPC__ST_CTIM.tv_nsec != f->stat.LIPC__ST_CTIM.tv_nsec)
        return lipc__fault(LIPC_EADDRINUSE);
    return lipc__file_remove(f->directory, f->leaf, &f->stat);
}

/* Whether the file still has a mode, whatever its name is by now. */
static bool lipc__file_has_mode(const lipc__file *f, mode_t mode) {
    struct stat now;
#ifdef LIPC__PINS_FILES
    int r = fstat(f->pin, &now);
#else
    int r = fstatat(f->directory, f->leaf, &now, AT_SYMLINK_NOFOLLOW);
#endif
    return r == 0 && lipc__same_file(&f->stat, &now) && (now.st_mode & 0777) == mode;
}

/* lipc__remove_dead() also of a file that its owner may not write to, and so cannot connect to. The file is made
 * writable, unless a socket is known to be bound to it. If its server turns out to live, in another network namespace,
 * the file gets its mode back. */
static int lipc__remove_dead_writable(lipc__file *f, const lipc__address *address, socklen_t length) {
    const mode_t mode = f->stat.st_mode & 0777, writable = mode | 0200;
    int r = lipc__remove_dead(f, address, length);
    if (lipc_error_code(r) != LIPC_EACCES)
        return r;
    if (mode == writable || lipc__is_bound(&f->stat) || lipc__file_set_mode(f, writable) < 0)
        return lipc__fault(LIPC_EADDRINUSE);
    r = lipc__remove_dead(f, address, length);
    if (r < 0 && lipc__file_has_mode(f, writable))
        lipc__file_set_mode(f, mode);
    return r;
}

/* Removes the socket file that a dead server left behind. LIPC_EADDRINUSE: something else has the name, and keeps
 * it. */
static int lipc__reclaim(const lipc__socket_file *s, const lipc__address *address, socklen_t length) {
    lipc__file f;
    int r = lipc__file_open(s->directory, s->leaf, &f);
    if (r < 0)
        return lipc_error_code(r) == LIPC_ENOENT ? 0 : r;
    /* bind(2) makes the file before the socket can be found through it, but keeps the directory locked until then
     * (Linux: unix_bind_bsd(), net/unix/af_unix.c). This call waits for that lock, and changes nothing. */
    renameat(s->directory, s->leaf, s->directory, s->leaf);
    if (S_ISSOCK(f.stat.st_mode) && lipc__file_is_own(&f))
        r = lipc__remove_dead_writable(&f, address, length);
    else
        r = lipc__fault(LIPC_EADDRINUSE);
    lipc__file_close(&f);
    return lipc_error_code(r) == LIPC_ENOENT ? 0 : r;
}

/* ----------------------------------------- Claiming ----------------------------------------------- */

/* Binds fd to a file with that access, whatever the umask. It is right before any client can connect to a stream
 * socket. As long as the file has another group than it gets, only its owner has access. */
static int lipc__bind_file(lipc__socket_file *s, int fd, const lipc__address *address, socklen_t length,
                           lipc__access access) {
    char path[LIPC__PATH_ROOM];
    struct stat made;
#ifdef LIPC__MODE_BEFORE_BIND
    const mode_t first = access.group < 0 ? access.mode : access.mode & 0700;
    if (SYS(fchmod(fd, first)) < 0) /* bind(2) still applies the umask */
        return lipc__error_from(errno);
#endif
    if (SYS(bind(fd, &address->header, length)) < 0)
        return lipc__error_from(errno);
    int r = lipc__complete(s->directory, s->leaf, fd, access, LIPC_EADDRINUSE, &s->file);
    lipc__path_of(address, length, path);
    if (r < 0 && fstatat(AT_FDCWD, path, &made, AT_SYMLINK_NOFOLLOW) == 0 && lipc__bound_to(fd, &made) > 0)
        lipc__file_remove(AT_FDCWD, path, &made); /* the path led to another directory when bind(2) followed it */
    return r;
}

/* Opens the directory of the socket file, and notes the names of both files in it. */
static int lipc__locate(lipc__socket_file *s, const lipc__address *address, socklen_t length) {
    char path[LIPC__PATH_ROOM];
    lipc__path_of(address, length, path);
    char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    if (*leaf == '\0')
        return lipc__fault(LIPC_ENAME);
    (void)snprintf(s->leaf, sizeof s->leaf, "%s", leaf);
    (void)snprintf(s->lock_leaf, sizeof s->lock_leaf, "%s%s", leaf, LIPC__LOCK_SUFFIX);
    if (slash != NULL)
        slash[slash == path] = '\0'; /* the root keeps its slash */
    const char *directory = slash == NULL ? "." : path;
    do
        s->directory = SYS(open(directory, LIPC__O_DIRECTORY | O_DIRECTORY | O_CLOEXEC));
    while (s->directory < 0 && errno == EINTR);
    return s->directory < 0 ? lipc__error_from(errno) : 0;
}

/* Takes the name under its lock, and binds fd to it. lipc__socket_file_close() is due in either case. */
static int lipc__claim(lipc__socket_file *s, int fd, const lipc__address *address, socklen_t length,
                       lipc__access access) {
    int r = lipc__locate(s, address, length);
    if (r < 0)
        return r;
    bool made = false;
    int lock = lipc__lock(s->directory, s->lock_leaf, &made);
    if (lock < 0) {
        /* As with bind(2), a file in the way is reported rather than a directory that cannot be written to. */
        struct stat file;
        bool in_the_way = lipc_error_code(lock) == LIPC_EACCES &&
                          fstatat(s->directory, s->leaf, &file, AT_SYMLINK_NOFOLLOW) == 0;
        return in_the_way ? lipc__fault(LIPC_EADDRINUSE) : lock;
    }
    r = lipc__reclaim(s, address, length);
    if (r >= 0)
        r = lipc__bind_file(s, fd, address, length, access);
    if (r < 0) {
        lipc__unlock(s->directory, s->lock_leaf, lock, made);
        return r;
    }
    s->lock = lock;
    s->unlinks = true;
    return 0;
}

static void lipc__socket_file_init(lipc__socket_file *s) {
    s->directory = s->lock = s->file.pin = -1;
}

/* Removes the socket file, if it is to be removed. */
static void lipc__socket_file_remove(lipc__socket_file *s) {
    if (s->unlinks)
        lipc__file_remove(s->directory, s->leaf, &s->file.stat);
    lipc__file_close(&s->file);
}

/* Gives up the lock, after which another server can take the name. */
static void lipc__socket_file_close(lipc__socket_file *s) {
    if (s->lock >= 0)
        lipc__unlock(s->directory, s->lock_leaf, s->lock, s->unlinks);
    if (s->directory >= 0)
        close(s->directory);
}
