/* Connecting, and pairs. */

/* One attempt. LIPC_EAGAIN: the listener lives, but its backlog is full. */
static int lipc__connect_once(const lipc__address *address, socklen_t length, bool is_file) {
    int os;
    do {
        int fd = lipc__socket(SOCK_STREAM);
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
    lipc_connect_options o;
    lipc__address address;
    socklen_t length;
    bool is_file;
    int r = lipc__options(&o, sizeof o, options);
    if (r >= 0)
        r = lipc__address_of(name, false, &address, &length, &is_file);
    if (r < 0)
        return r;
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    /* poll(2) is of no use: it calls a socket writable whose connect got EAGAIN. */
    for (int pause_ms = 1;; pause_ms = pause_ms < 4 ? pause_ms * 2 : 4) {
        r = lipc__connect_once(&address, length, is_file);
        if (r >= 0) {
            *ret_connection = r;
            return 0;
        }
        if (lipc_error_code(r) != LIPC_EAGAIN)
            return r;
        r = lipc__pause(pause_ms, &deadline);
        if (r < 0)
            return r;
    }
}

int lipc_pair(lipc_handle *ret_a, lipc_handle *ret_b) {
    int fds[2];
    if (SYS(socketpair(AF_UNIX, SOCK_STREAM | LIPC__SOCKET_FLAGS, 0, fds)) < 0)
        return lipc__error_from(errno);
    int a = lipc__born(fds[0]), b = lipc__born(fds[1]);
    if (a < 0 || b < 0) {
        if (a >= 0)
            close(a);
        if (b >= 0)
            close(b);
        return a < 0 ? a : b;
    }
    *ret_a = a;
    *ret_b = b;
    return 0;
}
