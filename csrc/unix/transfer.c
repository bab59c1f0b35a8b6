/* Shared by streams, messages, pipes and copying: walking along buffers, and what follows a call that failed. */

LIPC__STATIC_ASSERT(buffer_is_iovec, sizeof(lipc_buffer) == sizeof(struct iovec) &&
                                         offsetof(lipc_buffer, data) == offsetof(struct iovec, iov_base) &&
                                         offsetof(lipc_buffer, size) == offsetof(struct iovec, iov_len));

enum {
    LIPC__BATCH = 64,    /* how many buffers a system call is given; more of them take several calls */
    LIPC__MOST = 1 << 30 /* how many bytes a system call is given: the BSDs and macOS refuse more than INT_MAX */
};

static size_t lipc__at_most(size_t size) {
    return size < LIPC__MOST ? size : LIPC__MOST;
}

/* A position in the caller's buffers, which stay as they are. */
typedef struct lipc__cursor {
    const lipc_buffer *buffers;
    size_t count;
    size_t offset; /* into the first of these */
} lipc__cursor;

/* Prepares the next buffers for a system call. A message without buffers means that nothing is left. */
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

/* Puts the caller's buffers as they are into a message, for a first attempt. Returns whether one system call can take
 * them all, and they are not empty. */
static bool lipc__whole(const lipc_buffer *buffers, size_t count, struct msghdr *ret_message, size_t *ret_size) {
    size_t size = 0;
    for (size_t i = 0; i < count && size <= LIPC__MOST; i++)
        size += lipc__at_most(buffers[i].size); /* so that the sum cannot overflow */
    memset(ret_message, 0, sizeof *ret_message);
    ret_message->msg_iov = (struct iovec *)(uintptr_t)buffers;
    ret_message->msg_iovlen = count;
    *ret_size = size;
    return size > 0 && size <= LIPC__MOST && count <= LIPC__BATCH;
}

/* Decides what follows a failed receive. Returns 1 at the end of the stream, 0 to try again, or the error. */
static int lipc__receive_failed(int fd, lipc__deadline *deadline) {
#ifdef __linux__
    if (errno == EINVAL) /* a stream that was never connected */
        return lipc__fault(LIPC_ENOTCONN);
#endif
    if (errno != ECONNRESET)
        return lipc__retry(fd, POLLIN, deadline);
    /* Linux: the peer closed before it had read all that this side sent. For a stream that is the end, as with any
     * other close. For messages it is reported once, before those that can still be received. A datagram's peer
     * connected to another. */
    switch (lipc__option(fd, SO_TYPE)) {
    case SOCK_STREAM: return 1;
    case SOCK_SEQPACKET: return 0;
    default: return lipc__error_from(ECONNRESET);
    }
}

/* The only call of recvmsg(2). The handles that it brings are close-on-exec. */
static ssize_t lipc__recvmsg(int fd, struct msghdr *m, int flags) {
#ifdef LIPC__RECEIVES_CLOEXEC
    return SYS(lipc__sys_recvmsg(fd, m, flags | MSG_DONTWAIT | LIPC__RECEIVES_CLOEXEC));
#else
    ssize_t n = SYS(lipc__sys_recvmsg(fd, m, flags | MSG_DONTWAIT));
    if (n >= 0 && m->msg_controllen > 0)
        lipc__control_set_cloexec(m->msg_control, m->msg_controllen);
    return n;
#endif
}

/* Decides what follows a failed send. Returns 0 to try again; otherwise what the caller returns, of which done bytes
 * were sent: their number, or the error if there are none. */
static int64_t lipc__send_failed(int fd, size_t done, lipc__deadline *deadline) {
    if (errno == ECONNRESET) /* Linux: the peer died while a send waited */
        errno = EPIPE;
#ifndef __linux__
    /* The receiver of a datagram has no room, which poll(2) does not report. */
    int r = errno == ENOBUFS ? lipc__pause(deadline) : lipc__retry(fd, POLLOUT, deadline);
#else
    int r = lipc__retry(fd, POLLOUT, deadline);
#endif
    return r < 0 && done > 0 ? (int64_t)done : r;
}

/* Writes all from the cursor on, by calls of write. n is what such a call has just returned; 0 if there was none.
 * Returns how many bytes were written in all. */
static int64_t lipc__write_all(int fd, lipc__cursor *cursor, ssize_t n, ssize_t (*write)(int, const struct msghdr *),
                               lipc__deadline *deadline) {
    struct iovec iov[LIPC__BATCH];
    for (size_t done = 0;;) {
        if (n >= 0) {
            done += (size_t)n;
            lipc__cursor_advance(cursor, (size_t)n);
        } else {
            int64_t r = lipc__send_failed(fd, done, deadline);
            if (r != 0)
                return r;
        }
        struct msghdr m = lipc__cursor_next(cursor, iov);
        if (m.msg_iovlen == 0)
            return (int64_t)done;
        n = write(fd, &m);
    }
}

/* Continues a write of buffers, by calls of write, after a first attempt that returned n. */
LIPC__UNLIKELY static int64_t lipc__writev_on(int fd, const lipc_buffer *buffers, size_t count, ssize_t n,
                                              ssize_t (*write)(int, const struct msghdr *), int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    return lipc__write_all(fd, &(lipc__cursor){buffers, count, 0}, n, write, &deadline);
}
