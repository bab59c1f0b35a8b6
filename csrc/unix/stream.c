/* Bytes: reading, writing, shutting down. */

LIPC__STATIC_ASSERT(buffer_is_iovec, sizeof(lipc_buffer) == sizeof(struct iovec) &&
                                         offsetof(lipc_buffer, data) == offsetof(struct iovec, iov_base) &&
                                         offsetof(lipc_buffer, size) == offsetof(struct iovec, iov_len));

enum {
    LIPC__BATCH = 64,    /* how many buffers one system call is given; more than that take several calls */
    LIPC__MOST = 1 << 30 /* how many bytes: the BSDs and macOS refuse more than INT_MAX */
};

static size_t lipc__at_most(size_t size) {
    return size < LIPC__MOST ? size : LIPC__MOST;
}

/* A walk along the caller's buffers, which stay as they are. */
typedef struct lipc__cursor {
    const lipc_buffer *buffers;
    size_t count;
    size_t offset; /* into the first of them */
} lipc__cursor;

/* Lays out the next buffers for a system call; an empty message means that nothing is left. */
static struct msghdr lipc__cursor_next(const lipc__cursor *c, struct iovec *iov) {
    size_t n = 0, skip = c->offset, room = LIPC__MOST;
    for (size_t i = 0; i < c->count && n < LIPC__BATCH && room > 0; i++, skip = 0) {
        size_t size = c->buffers[i].size - skip;
        if (size == 0)
            continue;
        iov[n].iov_base = (char *)c->buffers[i].data + skip;
        iov[n].iov_len = size < room ? size : room;
        room -= iov[n].iov_len;
        n++;
    }
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = iov;
    m.msg_iovlen = n;
    return m;
}

static void lipc__cursor_advance(lipc__cursor *c, size_t n) {
    while (c->count > 0 && n >= c->buffers->size - c->offset) {
        n -= c->buffers->size - c->offset;
        c->buffers++;
        c->count--;
        c->offset = 0;
    }
    c->offset += n;
}

/* What follows a failed receive. Returns 1 at the end of the stream, 0 to try again, or the error. */
static int lipc__receive_failed(int fd, lipc__deadline *deadline) {
#ifdef __linux__
    if (errno == EINVAL) /* a stream that was never connected */
        return lipc__fault(LIPC_ENOTCONN);
#endif
    if (errno != ECONNRESET)
        return lipc__retry(fd, POLLIN, deadline);
    /* Linux: the peer closed with data of ours unread. It is gone, as with any other close; of messages this is
     * reported once, ahead of those that are still there. A datagram's peer has turned to another. */
    int type = lipc__option(fd, SO_TYPE);
    return type == SOCK_STREAM ? 1 : type == SOCK_SEQPACKET ? 0 : lipc__error_from(ECONNRESET);
}

/* The one call of recvmsg(2): what it brings is close-on-exec. */
static ssize_t lipc__recvmsg(int fd, struct msghdr *m, int flags) {
#ifdef LIPC__RECEIVES_CLOEXEC
    return SYS(recvmsg(fd, m, flags | MSG_DONTWAIT | LIPC__RECEIVES_CLOEXEC));
#else
    ssize_t n = SYS(recvmsg(fd, m, flags | MSG_DONTWAIT));
    if (n >= 0 && m->msg_controllen > 0)
        lipc__control_set_cloexec(m->msg_control, m->msg_controllen);
    return n;
#endif
}

int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    while (size > 0) {
        ssize_t n = SYS(recv((int)handle, data, lipc__at_most(size), MSG_DONTWAIT));
        if (n >= 0)
            return n;
        if (errno == ENOTSOCK)
            return lipc__pipe_read((int)handle, &(struct iovec){data, lipc__at_most(size)}, 1, &deadline);
        int r = lipc__receive_failed((int)handle, &deadline);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}

int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc__cursor cursor = {buffers, count, 0};
    struct iovec iov[LIPC__BATCH];
    struct msghdr m = lipc__cursor_next(&cursor, iov);
    while (m.msg_iovlen > 0) {
        ssize_t n = lipc__recvmsg((int)handle, &m, 0);
        if (n >= 0)
            return n;
        if (errno == ENOTSOCK)
            return lipc__pipe_read((int)handle, iov, (int)m.msg_iovlen, &deadline);
        int r = lipc__receive_failed((int)handle, &deadline);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}

/* What follows a failed send: 0 to try again; else what the caller returns, of which done bytes are sent. */
static int64_t lipc__send_failed(int fd, size_t done, lipc__deadline *deadline) {
    if (errno == ECONNRESET) /* Linux, when the peer died under a send that waited */
        errno = EPIPE;
#ifndef __linux__
    /* A datagram's receiver has no room, which poll(2) does not tell. */
    int r = errno == ENOBUFS ? lipc__pause(deadline) : lipc__retry(fd, POLLOUT, deadline);
#else
    int r = lipc__retry(fd, POLLOUT, deadline);
#endif
    return r < 0 && done > 0 ? (int64_t)done : r;
}

/* Writes what the cursor has left, after done bytes, by calls of write. Returns how much was written in all. */
static int64_t lipc__write_all(int fd, lipc__cursor *cursor, size_t done, ssize_t (*write)(int, const struct msghdr *),
                               lipc__deadline *deadline) {
    struct iovec iov[LIPC__BATCH];
    for (;;) {
        struct msghdr m = lipc__cursor_next(cursor, iov);
        if (m.msg_iovlen == 0)
            return (int64_t)done;
        ssize_t n = write(fd, &m);
        if (n >= 0) {
            done += (size_t)n;
            lipc__cursor_advance(cursor, (size_t)n);
            continue;
        }
        int64_t r = lipc__send_failed(fd, done, deadline);
        if (r != 0)
            return r;
    }
}

int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    size_t done = 0;
    while (done < size) {
        ssize_t n = SYS(send((int)handle, (const char *)data + done, lipc__at_most(size - done),
                             MSG_DONTWAIT | MSG_NOSIGNAL));
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == ENOTSOCK) /* a pipe: an iovec holds no pointer to const */
            return lipc__write_all((int)handle, &(lipc__cursor){&(lipc_buffer){(void *)(uintptr_t)data, size}, 1, 0}, 0,
                                   lipc__pipe_write, &deadline);
        int64_t r = lipc__send_failed((int)handle, done, &deadline);
        if (r != 0)
            return r;
    }
    return (int64_t)done;
}

static ssize_t lipc__send_some(int fd, const struct msghdr *m) {
    ssize_t n = SYS(sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL));
    return n < 0 && errno == ENOTSOCK ? lipc__pipe_write(fd, m) : n;
}

int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc__cursor cursor = {buffers, count, 0};
    return lipc__write_all((int)handle, &cursor, 0, lipc__send_some, &deadline);
}

int lipc_shutdown(lipc_handle handle, int direction) {
    static const int how[] = {[LIPC_READ] = SHUT_RD, [LIPC_WRITE] = SHUT_WR, [LIPC_READ | LIPC_WRITE] = SHUT_RDWR};
    if (direction < LIPC_READ || direction > (LIPC_READ | LIPC_WRITE))
        return lipc__fault(LIPC_EINVAL);
    return SYS(shutdown((int)handle, how[direction])) < 0 ? lipc__error_from(errno) : 0;
}
