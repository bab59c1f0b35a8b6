/* Connecting, and making pairs. */

/* Makes one attempt to connect. Returns the socket. LIPC_EAGAIN: there is a listener, but its backlog is full. */
static int lipc__connect_once(int type, const lipc__address *address, socklen_t length, bool is_file) {
    int os;
    do {
        int fd = lipc__socket(type);
        if (fd < 0)
            return fd;
        if (SYS(connect(fd, &address->header, length)) == 0)
            return fd;
        os = errno;
        close(fd);
    } while (os == EINTR);
#ifndef LIPC__FULL_BACKLOG_IS_EAGAIN
    if (os == ECONNREFUSED && is_file) {
        int alive = lipc__alive(address, length);
        if (alive != 0)
            return alive < 0 ? alive : lipc__fault(LIPC_EAGAIN);
    }
#endif
    (void)is_file;
    return lipc__error_from(os);
}

int lipc_connect(const lipc_name *name, const lipc_connect_options *options, int timeout_ms,
                 lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_connect_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    if (o.windows != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    int type = lipc__type_of(o.kind);
    if (type < 0)
        return type;
    lipc_peer_policy server;
    r = lipc__server_policy(name, o.server, &server);
    if (r < 0)
        return r;
    if (type == SOCK_DGRAM && o.server != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    lipc__address address;
    socklen_t length;
    bool is_file;
    r = lipc__address_of(name, false, &address, &length, &is_file);
    if (r < 0)
        return r;
    int fd;
    /* poll(2) cannot wait here: it reports a socket whose connect(2) failed with EAGAIN as writable. */
    for (;;) {
        fd = lipc__connect_once(type, &address, length, is_file);
        if (lipc_error_code(fd) != LIPC_EAGAIN)
            break;
        r = lipc__pause(&deadline);
        if (r < 0)
            return r;
    }
    if (fd < 0)
        return fd;
    if (type != SOCK_DGRAM)
        r = lipc__peer_check(fd, &server);
    if (r >= 0)
        r = lipc__mark_messages(fd, type);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_connection = fd;
    return 0;
}

static int lipc__pair_mark(int a, int b, int type) {
    if (a < 0)
        return a;
    if (b < 0)
        return b;
    int r = lipc__mark_messages(a, type);
    return r < 0 ? r : lipc__mark_messages(b, type);
}

int lipc_pair(int kind, lipc_handle *ret_a, lipc_handle *ret_b) {
    int fds[2], type = lipc__type_of(kind);
    if (type < 0)
        return type;
    if (SYS(socketpair(AF_UNIX, type | LIPC__SOCKET_FLAGS, 0, fds)) < 0)
        return lipc__error_from(errno);
    int a = lipc__born(fds[0]), b = lipc__born(fds[1]);
    int r = lipc__pair_mark(a, b, type);
    if (r < 0) {
        if (a >= 0)
            close(a);
        if (b >= 0)
            close(b);
        return r;
    }
    *ret_a = a;
    *ret_b = b;
    return 0;
}
