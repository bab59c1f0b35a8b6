/* Listeners: making, adopting and closing them, and accepting connections. */

struct lipc_listener {
    int fd;
    bool owns_fd;
    lipc__admission admission;
    bool marked;              /* whether lipc__mark_messages() came before any client could connect */
    bool refused_in_use;      /* a lock */
    lipc_credentials refused; /* of the client that was not admitted last */
    lipc_peer_policy clients; /* with a copy of what it points to */
    lipc__socket_file file;
    lipc_name name;
};

/* Makes a listener that is not open yet, with the users that the policy lists behind it. */
static lipc_listener *lipc__listener_new(const lipc_listen_options *o) {
    const size_t size = o->clients->uid_count * sizeof *o->clients->uids;
    lipc_listener *l = SYS_ALLOCATE(calloc(1, sizeof *l + size));
    if (l == NULL)
        return NULL;
    l->fd = -1;
    memset(&l->refused, 0xff, sizeof l->refused);
    lipc__socket_file_init(&l->file);
    l->clients = *o->clients;
    l->clients.uids = size == 0 ? NULL : memcpy(l + 1, o->clients->uids, size);
    return l;
}

static int64_t lipc__group_of(const lipc_listen_options *o) {
    return o->group != NULL ? (int64_t)*o->group : -1;
}

/* Has the listener itself decide which clients may connect. */
static void lipc__admit(lipc_listener *l, const lipc_listen_options *o) {
    l->admission = (lipc__admission){(mode_t)o->mode, lipc__group_of(o), lipc__stand_in_uid(), lipc__stand_in_gid()};
}

/* Copies the caller's options, checked, with the defaults filled in. ret_clients: the policy that clients points to. */
static int lipc__listen_options(const lipc_listen_options *options, lipc_listen_options *ret_options,
                                lipc_peer_policy *ret_clients) {
    lipc_listen_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    if (o.clients != NULL && o.kind == LIPC_DATAGRAM)
        return lipc__fault(LIPC_ENOTSUP);
    r = lipc__policy_of(o.clients, ret_clients);
    if (r < 0)
        return r;
    o.clients = ret_clients;
    if (o.mode > 0777 || o.backlog < 0 || lipc__group_of(&o) == UINT32_MAX) /* chown(2) takes it for no group */
        return lipc__fault(LIPC_EINVAL);
    if (o.windows != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    if (o.mode == 0)
        o.mode = 0600;
    *ret_options = o;
    return 0;
}

/* Makes the socket, binds it, and has it listen. lipc_listener_close() is due in either case. */
static int lipc__listener_open(lipc_listener *l, int type, const lipc__address *address, socklen_t length, bool is_file,
                               const lipc_listen_options *o) {
    int r = lipc__socket(type);
    if (r < 0)
        return r;
    l->fd = r;
    l->owns_fd = true;
    r = lipc__mark_messages(l->fd, type);
    if (r < 0)
        return r;
#ifdef __linux__
    l->marked = type == SOCK_SEQPACKET;
#endif
    if (is_file) {
        r = lipc__claim(&l->file, l->fd, address, length, (lipc__access){(mode_t)o->mode, lipc__group_of(o)});
        if (r < 0)
            return r;
    } else {
        if (SYS(bind(l->fd, &address->header, length)) < 0)
            return lipc__error_from(errno);
        lipc__admit(l, o);
    }
    if (type == SOCK_DGRAM)
        return 0;
    /* Every kernel lowers a backlog that is over its limit to that limit. */
    return SYS(listen(l->fd, o->backlog > 0 ? o->backlog : 65535)) < 0 ? lipc__error_from(errno) : 0;
}

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    lipc_peer_policy clients;
    int r = lipc__listen_options(options, &o, &clients);
    if (r < 0)
        return r;
    int type = lipc__type_of(o.kind);
    if (type < 0)
        return type;
    lipc__address address;
    socklen_t length;
    bool is_file;
    r = lipc__address_of(name, true, &address, &length, &is_file);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new(&o);
    if (l == NULL)
        return lipc__error_from(errno);
    l->name = *name;
    r = lipc__listener_open(l, type, &address, length, is_file, &o);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    lipc_peer_policy clients;
    int r = lipc__listen_options(options, &o, &clients);
    if (r < 0)
        return r;
    int kind = lipc_kind(handle);
    if (kind < 0)
        return kind;
    if (!(kind & LIPC_LISTENER))
        return lipc__fault(LIPC_ENOTSOCK);
    lipc_listener *l = lipc__listener_new(&o);
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
        lipc__admit(l, &o);
    *ret_listener = l;
    return 0;
}

/* Whether a connection is one that the listener is to hand out. */
static bool lipc__is_admitted(const lipc_listener *l, int fd) {
#ifdef LIPC__ABSTRACT
    if (l->admission.mode != 0 && !lipc__admits(&l->admission, fd))
        return false;
#endif
    return lipc__peer_check(fd, &l->clients) >= 0;
}

/* Copies credentials while no other thread does. */
static void lipc__copy_locked(bool *in_use, lipc_credentials *to, const lipc_credentials *from) {
    while (__atomic_exchange_n(in_use, true, __ATOMIC_ACQUIRE))
        sched_yield();
    *to = *from;
    __atomic_store_n(in_use, false, __ATOMIC_RELEASE);
}

static void lipc__note_refused(lipc_listener *l, int fd) {
    lipc_credentials who;
    memset(&who, 0xff, sizeof who);
    lipc_peer_credentials(fd, &who);
    lipc__copy_locked(&l->refused_in_use, &l->refused, &who);
}

int lipc_accept(lipc_listener *l, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (;;) {
        lipc__address address;
        socklen_t length = sizeof address;
        address.header.sa_family = AF_UNSPEC;
        int fd = SYS(lipc__sys_accept(l->fd, &address.header, &length));
        if (fd < 0) {
            int r = errno == ECONNABORTED ? 0 : lipc__retry(l->fd, POLLIN, &deadline);
            if (lipc_error_code(r) == LIPC_ENOTSUP) /* a datagram socket */
                return lipc__fault(LIPC_ENOTSOCK);
            if (r < 0)
                return r;
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
        if (!lipc__is_admitted(l, fd)) {
            lipc__note_refused(l, fd);
            close(fd);
            /* A client that connects again and again must not keep this going beyond the timeout. */
            int left = lipc__time_left(&deadline);
            if (left < -1)
                return lipc_error_code(left) == LIPC_EAGAIN ? lipc__fault(LIPC_EACCES) : left;
            continue;
        }
        if (ret_peer != NULL)
            lipc__name_of(&address, length, ret_peer);
        *ret_connection = fd;
        return 0;
    }
}

void lipc_listener_refused(const lipc_listener *listener, lipc_credentials *ret_credentials) {
    lipc_listener *l = (lipc_listener *)listener; /* for the lock */
    lipc__copy_locked(&l->refused_in_use, ret_credentials, &l->refused);
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
    l->file.unlinks = unlink != 0 && l->file.lock >= 0;
}

void lipc_listener_close(lipc_listener *l) {
    if (l == NULL)
        return;
    lipc__socket_file_remove(&l->file); /* first, so that no client finds a socket that is closed */
    if (l->owns_fd)
        close(l->fd);
    lipc__socket_file_close(&l->file); /* last: until then the name is taken */
    free(l);
}
