/* Bytes: reading, writing, shutting down. */

static ssize_t lipc__recv(int fd, void *data, size_t size) {
    return SYS(lipc__sys_recv(fd, data, lipc__at_most(size), MSG_DONTWAIT));
}

/* Continues lipc_read() after a first attempt that failed. */
LIPC__UNLIKELY static int64_t lipc__read_on(int fd, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    ssize_t n = -1;
    while (n < 0) {
        if (errno == ENOTSOCK)
            return lipc__pipe_read(fd, &(struct iovec){data, lipc__at_most(size)}, 1, &deadline);
        int r = lipc__receive_failed(fd, &deadline);
        if (r != 0)
            return r < 0 ? r : 0;
        n = lipc__recv(fd, data, size);
    }
    return n;
}

int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    if (size == 0)
        return 0;
    ssize_t n = lipc__recv((int)handle, data, size);
    return n >= 0 ? n : lipc__read_on((int)handle, data, size, timeout_ms);
}

/* Continues lipc_readv() after a first attempt that failed, or that was not made. */
LIPC__UNLIKELY static int64_t lipc__readv_on(int fd, const lipc_buffer *buffers, size_t count, bool failed,
                                             int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc__cursor cursor = {buffers, count, 0};
    struct iovec iov[LIPC__BATCH];
    struct msghdr m = lipc__cursor_next(&cursor, iov);
    for (; m.msg_iovlen > 0; failed = false) {
        ssize_t n = failed ? -1 : lipc__recvmsg(fd, &m, 0);
        if (n >= 0)
            return n;
        if (errno == ENOTSOCK)
            return lipc__pipe_read(fd, iov, (int)m.msg_iovlen, &deadline);
        int r = lipc__receive_failed(fd, &deadline);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}

int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    struct msghdr m;
    size_t size;
    bool whole = lipc__whole(buffers, count, &m, &size);
    ssize_t n = whole ? lipc__recvmsg((int)handle, &m, 0) : -1;
    return n >= 0 ? n : lipc__readv_on((int)handle, buffers, count, whole, timeout_ms);
}

static ssize_t lipc__send_bytes(int fd, const void *data, size_t size) {
    return SYS(lipc__sys_send(fd, data, lipc__at_most(size), MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Enlarges the send buffer of a stream if an attempt to write size bytes, which returned n, lacked room for many of
 * them, and the buffer still has Linux's default size. Returns n, or 0 if the attempt failed for lack of room and there
 * is some now.
 *
 * Setting the size to a number makes it twice that number. Every process may set it to this one, unless
 * net.core.wmem_max was lowered, socket(7). Large writes then take fewer turns. Memory is used only as far as the
 * receiver lags behind. */
static ssize_t lipc__enlarge(int fd, size_t size, ssize_t n) {
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    enum { LARGE = 32 << 10, DEFAULT = 212992 }; /* SK_WMEM_DEFAULT, include/net/sock.h, on 64-bit systems */
    const int os = errno, as_it_was = DEFAULT;
    bool lacking = n >= 0 ? size - (size_t)n >= LARGE : os == EAGAIN && size >= LARGE;
    if (lacking && lipc__option(fd, SO_SNDBUF) == DEFAULT &&
        SYS(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &as_it_was, sizeof as_it_was)) == 0 && n < 0)
        n = 0;
    errno = os;
#endif
    (void)fd, (void)size;
    return n;
}

/* Continues lipc_write() after a first attempt that returned n and did not write all. */
LIPC__UNLIKELY static int64_t lipc__write_on(int fd, const char *data, size_t size, ssize_t n, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    n = lipc__enlarge(fd, size, n);
    for (size_t done = 0;; n = lipc__send_bytes(fd, data + done, size - done)) {
        if (n >= 0) {
            done += (size_t)n;
            if (done == size)
                return (int64_t)done;
            continue;
        }
        if (errno == ENOTSOCK) /* a pipe; struct iovec has no pointer to const */
            return lipc__write_all(fd, &(lipc__cursor){&(lipc_buffer){(void *)(uintptr_t)data, size}, 1, 0}, 0,
                                   lipc__pipe_write, &deadline);
        int64_t r = lipc__send_failed(fd, done, &deadline);
        if (r != 0)
            return r;
    }
}

int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    if (size == 0)
        return 0;
    ssize_t n = lipc__send_bytes((int)handle, data, size);
    return n >= 0 && (size_t)n == size ? n : lipc__write_on((int)handle, data, size, n, timeout_ms);
}

static ssize_t lipc__send_some(int fd, const struct msghdr *m) {
    ssize_t n = SYS(lipc__sys_sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL));
    return n < 0 && errno == ENOTSOCK ? lipc__pipe_write(fd, m) : n;
}

int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    struct msghdr m;
    size_t size;
    ssize_t n = 0;
    if (lipc__whole(buffers, count, &m, &size))
        n = lipc__send_some((int)handle, &m);
    if (n > 0 && (size_t)n == size)
        return n;
    n = lipc__enlarge((int)handle, size, n);
    return lipc__writev_on((int)handle, buffers, count, n, lipc__send_some, timeout_ms);
}

int lipc_shutdown(lipc_handle handle, int direction) {
    static const int how[] = {[LIPC_READ] = SHUT_RD, [LIPC_WRITE] = SHUT_WR, [LIPC_READ | LIPC_WRITE] = SHUT_RDWR};
    if (direction < LIPC_READ || direction > (LIPC_READ | LIPC_WRITE))
        return lipc__fault(LIPC_EINVAL);
    return SYS(shutdown((int)handle, how[direction])) < 0 ? lipc__error_from(errno) : 0;
}
