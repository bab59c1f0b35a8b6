/* Listeners: the socket, its file, and whose file it is. */

struct lipc_listener {
    int fd;
    bool owns_fd;
    bool unlinks;     /* on close, the socket file; only ever set where we made it */
    int lock_fd;      /* -1: no socket file of ours */
    mode_t admission; /* where no file's mode does it, who may connect; 0: not ours to judge */
    struct stat file; /* the socket file as we made it */
    lipc_name name;
    char path[PATH_MAX]; /* of the socket file, absolute: the process may change directory */
    char lock_path[PATH_MAX + sizeof LIPC__LOCK_SUFFIX];
};

/* Whether any process has the socket behind a path open, without disturbing it: connecting a datagram socket
 * to a stream socket fails with EPROTOTYPE before the backlog is looked at, and with ECONNREFUSED where the
 * file is all that is left. So a full backlog is told from a dead server on the systems too that report
 * both alike (macOS, the BSDs). What cannot be told counts as alive. */
static int lipc__alive(const lipc__address *address, socklen_t length) {
    int fd = lipc__socket(SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int r;
    do
        r = SYS(connect(fd, &address->header, length));
    while (r < 0 && errno == EINTR);
    int alive = r == 0 || errno != ECONNREFUSED;
    close(fd);
    return alive;
}

/* Removes what a dead server left behind. Whatever else is there keeps the name: LIPC_EADDRINUSE. */
static int lipc__reclaim(const char *path, const lipc__address *address, socklen_t length) {
    struct stat before, now;
    if (SYS(lstat(path, &before)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    if (!S_ISSOCK(before.st_mode) || before.st_uid != geteuid())
        return lipc__fault(LIPC_EADDRINUSE);
    int alive = lipc__alive(address, length);
    if (alive != 0)
        return alive < 0 ? alive : lipc__fault(LIPC_EADDRINUSE);
    if (SYS(lstat(path, &now)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    if (!lipc__same_file(&before, &now))
        return lipc__fault(LIPC_EADDRINUSE);
    return SYS(unlink(path)) < 0 && errno != ENOENT ? lipc__error_from(errno) : 0;
}

/* Binds fd to a file of that mode, whatever the umask; the mode is right before anybody can connect. */
static int lipc__bind_file(int fd, const lipc__address *address, socklen_t length, const char *path, mode_t mode,
                           struct stat *ret_file) {
    struct stat file;
#ifdef LIPC__MODE_BEFORE_BIND
    if (SYS(fchmod(fd, mode)) < 0) /* bind still takes the umask off it */
        return lipc__error_from(errno);
#endif
    if (SYS(bind(fd, &address->header, length)) < 0)
        return lipc__error_from(errno);
    if (SYS(lstat(path, &file)) == 0 &&
        ((file.st_mode & 0777) == mode || (SYS(chmod(path, mode)) == 0 && SYS(lstat(path, &file)) == 0))) {
        *ret_file = file;
        return 0;
    }
    int r = lipc__error_from(errno);
    unlink(path);
    return r;
}

/* Fills in where the socket file and its lock are. */
static void lipc__locate(lipc_listener *l, const lipc__address *address, socklen_t length) {
    const char *path = address->local.sun_path;
    int n = (int)(length - LIPC__ADDRESS_HEADER);
    size_t directory = 0;
    if (path[0] != '/' && getcwd(l->path, sizeof l->path - sizeof address->local.sun_path - 2) != NULL) {
        directory = strlen(l->path);
        l->path[directory++] = '/';
    }
    memcpy(l->path + directory, path, (size_t)n);
    l->path[directory + (size_t)n] = '\0';
    memcpy(l->lock_path, l->path, directory + (size_t)n);
    memcpy(l->lock_path + directory + n, LIPC__LOCK_SUFFIX, sizeof LIPC__LOCK_SUFFIX);
}

/* Takes the name and binds to it, under the lock. */
static int lipc__claim(lipc_listener *l, const lipc__address *address, socklen_t length, mode_t mode) {
    lipc__locate(l, address, length);
    int lock = lipc__lock(l->lock_path);
    if (lock < 0) {
        /* bind(2) too reports a file in the way before it reports a directory that cannot be written. */
        struct stat file;
        bool in_the_way = lipc_error_code(lock) == LIPC_EACCES && lstat(l->path, &file) == 0;
        return in_the_way ? lipc__fault(LIPC_EADDRINUSE) : lock;
    }
    int r = lipc__reclaim(l->path, address, length);
    if (r >= 0)
        r = lipc__bind_file(l->fd, address, length, l->path, mode, &l->file);
    if (r < 0) {
        lipc__unlock(l->lock_path, lock, true);
        return r;
    }
    l->lock_fd = lock;
    l->unlinks = true;
    return 0;
}

static lipc_listener *lipc__listener_new(void) {
    lipc_listener *l = SYS_ALLOCATE(calloc(1, sizeof *l));
    if (l != NULL)
        l->fd = l->lock_fd = -1;
    return l;
}

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    lipc__address address;
    socklen_t length;
    bool is_file;
    int r = lipc__options(&o, sizeof o, options);
    if (r >= 0 && (o.mode > 0777 || o.backlog < 0))
        r = lipc__fault(LIPC_EINVAL);
    if (r >= 0)
        r = lipc__address_of(name, true, &address, &length, &is_file);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new();
    if (l == NULL)
        return lipc__error_from(errno);
    mode_t mode = o.mode != 0 ? (mode_t)o.mode : 0600;
    l->name = *name;
    r = lipc__socket(SOCK_STREAM);
    if (r >= 0) {
        l->fd = r;
        l->owns_fd = true;
        if (is_file)
            r = lipc__claim(l, &address, length, mode);
        else if (SYS(bind(l->fd, &address.header, length)) < 0)
            r = lipc__error_from(errno);
        else
            l->admission = mode;
    }
    /* Every kernel lowers a backlog that is too high to its own limit. */
    if (r >= 0 && SYS(listen(l->fd, o.backlog > 0 ? o.backlog : 65535)) < 0)
        r = lipc__error_from(errno);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

int lipc_listener_adopt(lipc_handle handle, lipc_listener **ret_listener) {
    int r = lipc__kind((int)handle);
    if (r >= 0 && r != LIPC_STREAM_LISTENER)
        r = lipc__fault(LIPC_ENOTSOCK);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new();
    if (l == NULL)
        return lipc__error_from(errno);
    r = lipc_local_name(handle, &l->name);
    if (r >= 0)
        r = lipc__prepare((int)handle);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    l->fd = (int)handle;
    l->owns_fd = true;
    *ret_listener = l;
    return 0;
}

#ifndef LIPC__BORN_CLOEXEC
#define accept4(fd, address, length, flags) accept(fd, address, length) /* lipc__born() does the rest */
#endif

int lipc_accept(lipc_listener *l, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (;;) {
        lipc__address address;
        socklen_t length = sizeof address;
        int fd = SYS(accept4(l->fd, &address.header, &length, LIPC__SOCKET_FLAGS));
        if (fd < 0) {
            if (errno == ECONNABORTED)
                continue;
            int r = lipc__retry(l->fd, POLLIN, &deadline);
            if (r < 0)
                return r;
            continue;
        }
        fd = lipc__born(fd);
        if (fd < 0)
            return fd;
#ifdef LIPC__ABSTRACT
        if (l->admission != 0 && !lipc__admits(l->admission, fd)) {
            close(fd);
            continue;
        }
#endif
        if (ret_peer != NULL)
            lipc__name_of(&address, length, ret_peer);
        *ret_connection = fd;
        return 0;
    }
}

lipc_handle lipc_listener_handle(const lipc_listener *l) {
    return l->fd;
}

lipc_handle lipc_listener_detach(lipc_listener *l) {
    l->owns_fd = false;
    return l->fd;
}

void lipc_listener_name(const lipc_listener *l, lipc_name *ret_name) {
    *ret_name = l->name;
}

void lipc_listener_set_unlink(lipc_listener *l, int unlink) {
    l->unlinks = unlink != 0 && l->lock_fd >= 0;
}

void lipc_listener_close(lipc_listener *l) {
    if (l == NULL)
        return;
    struct stat present;
    if (l->unlinks && lstat(l->path, &present) == 0 && lipc__same_file(&l->file, &present))
        unlink(l->path);
    if (l->owns_fd)
        close(l->fd);
    if (l->lock_fd >= 0)
        lipc__unlock(l->lock_path, l->lock_fd, l->unlinks);
    free(l);
}
