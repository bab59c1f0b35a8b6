/* Listeners: the socket, its file, and whose file it is. */

struct lipc_listener {
    int fd;
    bool owns_fd;
    bool unlinks;     /* on close, the files below; only ever set where we made them */
    int directory;    /* where the files are, held open: the process may change its own. -1: no files */
    int lock_fd;      /* -1: no files */
    mode_t admission; /* where no file's mode does it, who may connect; 0: not ours to judge */
    lipc__stand_in stand_in; /* for the ids of those who connect, with admission */
    bool marked;      /* before anybody could connect, see lipc__mark_messages() */
    lipc__file file;  /* the socket file that we made */
    lipc_name name;
    char leaf[LIPC__PATH_ROOM];
    char lock_leaf[LIPC__PATH_ROOM + sizeof LIPC__LOCK_SUFFIX];
};

/* Opens the directory of the socket file, and notes the names of the files in it. */
static int lipc__locate(lipc_listener *l, const lipc__address *address, socklen_t length) {
    char path[LIPC__PATH_ROOM];
    lipc__path_of(address, length, path);
    char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    if (*leaf == '\0')
        return lipc__fault(LIPC_ENAME);
    (void)snprintf(l->leaf, sizeof l->leaf, "%s", leaf);
    (void)snprintf(l->lock_leaf, sizeof l->lock_leaf, "%s%s", leaf, LIPC__LOCK_SUFFIX);
    if (slash != NULL)
        slash[slash == path] = '\0'; /* the root keeps its slash */
    const char *directory = slash == NULL ? "." : path;
    do
        l->directory = SYS(open(directory, LIPC__O_DIRECTORY | O_DIRECTORY | O_CLOEXEC));
    while (l->directory < 0 && errno == EINTR);
    return l->directory < 0 ? lipc__error_from(errno) : 0;
}

/* Takes the name and binds to it, under the lock. */
static int lipc__claim(lipc_listener *l, const lipc__address *address, socklen_t length, mode_t mode) {
    int r = lipc__locate(l, address, length);
    if (r < 0)
        return r;
    bool made = false;
    int lock = lipc__lock(l->directory, l->lock_leaf, &made);
    if (lock < 0) {
        /* bind(2) too reports a file in the way before it reports a directory that cannot be written. */
        struct stat file;
        bool in_the_way = lipc_error_code(lock) == LIPC_EACCES &&
                          fstatat(l->directory, l->leaf, &file, AT_SYMLINK_NOFOLLOW) == 0;
        return in_the_way ? lipc__fault(LIPC_EADDRINUSE) : lock;
    }
    r = lipc__reclaim(l->directory, l->leaf, address, length);
    if (r >= 0)
        r = lipc__bind_file(l->fd, address, length, l->directory, l->leaf, mode, &l->file);
    if (r < 0) {
        lipc__unlock(l->directory, l->lock_leaf, lock, made);
        return r;
    }
    l->lock_fd = lock;
    l->unlinks = true;
    return 0;
}

static lipc_listener *lipc__listener_new(void) {
    lipc_listener *l = SYS_ALLOCATE(calloc(1, sizeof *l));
    if (l != NULL)
        l->fd = l->lock_fd = l->directory = l->file.pin = -1;
    return l;
}

/* Has the listener judge for itself who may connect. */
static void lipc__admit(lipc_listener *l, mode_t mode) {
    l->admission = mode;
    l->stand_in = lipc__find_stand_in();
}

/* The options, checked; and the mode that they mean. */
static int lipc__listen_options(const lipc_listen_options *options, lipc_listen_options *ret_options,
                                mode_t *ret_mode) {
    lipc_listen_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r >= 0 && (o.mode > 0777 || o.backlog < 0))
        r = lipc__fault(LIPC_EINVAL);
    if (r >= 0 && o.windows != NULL)
        r = lipc__fault(LIPC_ENOTSUP);
    if (r < 0)
        return r;
    *ret_options = o;
    *ret_mode = o.mode != 0 ? (mode_t)o.mode : 0600;
    return 0;
}

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    mode_t mode;
    lipc__address address;
    socklen_t length;
    bool is_file;
    int r = lipc__listen_options(options, &o, &mode), type = r < 0 ? r : lipc__type_of(o.kind);
    r = type < 0 ? type : lipc__address_of(name, true, &address, &length, &is_file);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new();
    if (l == NULL)
        return lipc__error_from(errno);
    l->name = *name;
    r = lipc__socket(type);
    if (r >= 0) {
        l->fd = r;
        l->owns_fd = true;
        r = lipc__mark_messages(l->fd, type);
#ifdef __linux__
        l->marked = type == SOCK_SEQPACKET;
#endif
    }
    if (r >= 0) {
        if (is_file)
            r = lipc__claim(l, &address, length, mode);
        else if (SYS(bind(l->fd, &address.header, length)) < 0)
            r = lipc__error_from(errno);
        else
            lipc__admit(l, mode);
    }
    /* Every kernel lowers a backlog that is too high to its own limit. */
    if (r >= 0 && type != SOCK_DGRAM && SYS(listen(l->fd, o.backlog > 0 ? o.backlog : 65535)) < 0)
        r = lipc__error_from(errno);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    mode_t mode;
    int r = lipc__listen_options(options, &o, &mode);
    if (r >= 0)
        r = lipc_kind(handle);
    if (r >= 0 && !(r & LIPC_LISTENER))
        r = lipc__fault(LIPC_ENOTSOCK);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new();
    if (l == NULL)
        return lipc__error_from(errno);
    r = lipc_local_name(handle, &l->name);
    if (r >= 0)
        r = lipc_adopt(handle);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    l->fd = (int)handle;
    l->owns_fd = true;
    if (l->name.type == LIPC_NAME_NAMESPACED)
        lipc__admit(l, mode);
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
        address.header.sa_family = AF_UNSPEC;
        int fd = SYS(accept4(l->fd, &address.header, &length, LIPC__SOCKET_FLAGS));
        if (fd < 0) {
            int r = errno == ECONNABORTED ? 0 : lipc__retry(l->fd, POLLIN, &deadline);
            if (r < 0)
                return lipc_error_code(r) == LIPC_ENOTSUP ? lipc__fault(LIPC_ENOTSOCK) : r; /* a datagram socket */
            continue;
        }
        fd = lipc__born(fd);
        if (fd < 0)
            return fd;
        int r = lipc__pass_on(l->fd, fd, l->marked);
        if (r < 0) {
            close(fd);
            return r;
        }
#ifdef LIPC__ABSTRACT
        if (l->admission != 0 && !lipc__admits(l->admission, &l->stand_in, fd)) {
            close(fd); /* and look at the time, lest whoever comes again and again holds us up */
            int left = lipc__time_left(&deadline);
            if (left < -1)
                return lipc_error_code(left) == LIPC_EAGAIN ? lipc__fault(LIPC_EACCES) : left;
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
    if (l->unlinks)
        lipc__file_remove(l->directory, l->leaf, &l->file.stat);
    lipc__file_close(&l->file);
    if (l->owns_fd)
        close(l->fd);
    if (l->lock_fd >= 0)
        lipc__unlock(l->directory, l->lock_leaf, l->lock_fd, l->unlinks);
    if (l->directory >= 0)
        close(l->directory);
    free(l);
}
