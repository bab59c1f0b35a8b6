/* Messages: sent and received whole. */

/* Whether a receive of 0 bytes into m brought an empty message. Otherwise it was the end.
 *
 * Linux: with SO_PASSCRED each message comes with its sender's credentials, and MSG_CTRUNC reports that there was no
 * room for them. The end comes without credentials, except that of a stream. Elsewhere: each message is sent with
 * MSG_EOR, and received with it. */
static bool lipc__is_message(int type, const struct msghdr *m) {
#ifdef __linux__
    const int marks = MSG_CTRUNC;
#else
    const int marks = MSG_EOR | MSG_TRUNC;
#endif
    if (type == SOCK_SEQPACKET)
        return (m->msg_flags & marks) || m->msg_controllen > 0;
    return type != SOCK_STREAM; /* of datagrams lipc__was_shut_down() reports the only end there is */
}

/* Whether this side was shut down. Linux does not report that to a receive of datagrams that does not wait, but fails
 * with EAGAIN, while poll(2) reports the socket as readable. */
static bool lipc__was_shut_down(int fd) {
#ifdef __linux__
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP);
#else
    (void)fd;
    return false;
#endif
}

#ifdef __linux__
enum { LIPC__WHOLE = MSG_TRUNC }; /* the result is the size of the whole message, recv(2) */
#else
enum { LIPC__WHOLE = 0 };
#endif

/* Judges a receive into m that returned n; the buffers of m have size bytes. Returns the size of what was stored,
 * LIPC_EEND, or LIPC_ETRUNCATED. ret_size, if not NULL, gets the size of the whole message, or size + 1 if the system
 * does not report that of a message that was truncated. */
static int64_t lipc__received(int fd, const struct msghdr *m, size_t size, ssize_t n, size_t *ret_size) {
    if (n == 0) {
        int type = lipc__option(fd, SO_TYPE);
        if (!lipc__is_message(type, m))
            return size == 0 && type == SOCK_STREAM ? 0 : lipc__fault(LIPC_EEND);
    }
    bool truncated = (m->msg_flags & MSG_TRUNC) != 0;
    if (ret_size != NULL)
        *ret_size = (size_t)n > size || !truncated ? (size_t)n : size + 1;
    return truncated ? lipc__fault(LIPC_ETRUNCATED) : n;
}

/* Continues to receive or peek after a first attempt, which returned n and left m as it is. Waits until the deadline.
 * wanted is what m was before the attempt. */
LIPC__UNLIKELY static int64_t lipc__receive_on(int fd, struct msghdr *m, const struct msghdr *wanted, size_t size,
                                               ssize_t n, int flags, lipc__deadline *deadline, size_t *ret_size) {
    /* Whether the end was seen once. It counts when it is seen again: Linux looks for a message first, then for the
     * end, and a message and the end may both come in between. */
    bool ended = false;
    for (bool again = false;; again = true) {
        if (again) {
            *m = *wanted;
            n = lipc__recvmsg(fd, m, flags | LIPC__WHOLE);
        }
        if (n >= 0) {
            int64_t r = lipc__received(fd, m, size, n, ret_size);
            if (ended || lipc_error_code(r) != LIPC_EEND)
                return r;
            ended = true;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (ended)
                return lipc__fault(LIPC_EEND);
            ended = again && lipc__was_shut_down(fd);
            if (ended)
                continue;
            errno = EAGAIN; /* poll(2) may have changed it */
        }
        int r = lipc__receive_failed(fd, deadline);
        if (r != 0)
            return r < 0 ? r : lipc__fault(LIPC_EEND);
    }
}

/* Whether a receive that returned n brought a whole message that is not empty. */
static bool lipc__is_plain(const struct msghdr *m, ssize_t n) {
    return n > 0 && (m->msg_flags & MSG_TRUNC) == 0;
}

static int64_t lipc__receive_waiting(int fd, struct msghdr *m, size_t size, int flags, lipc__deadline *deadline,
                                     size_t *ret_size) {
    const struct msghdr wanted = *m;
    ssize_t n = lipc__recvmsg(fd, m, flags | LIPC__WHOLE);
    if (!lipc__is_plain(m, n))
        return lipc__receive_on(fd, m, &wanted, size, n, flags, deadline, ret_size);
    if (ret_size != NULL)
        *ret_size = (size_t)n;
    return n;
}

static struct msghdr lipc__message_into(struct iovec *iov) {
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = iov;
    m.msg_iovlen = 1;
    return m;
}

/* lipc__receive_waiting() into a single buffer. */
static int64_t lipc__receive_into(lipc_handle handle, void *data, size_t size, int flags, lipc__deadline *deadline,
                                  size_t *ret_size) {
    struct iovec iov = {data, size};
    struct msghdr m = lipc__message_into(&iov);
    return lipc__receive_waiting((int)handle, &m, size, flags, deadline, ret_size);
}

int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    struct iovec iov = {data, size};
    struct msghdr m = lipc__message_into(&iov);
    ssize_t n = lipc__recvmsg((int)handle, &m, LIPC__WHOLE);
    if (lipc__is_plain(&m, n))
        return n;
    const struct msghdr wanted = lipc__message_into(&iov);
    return lipc__receive_on((int)handle, &m, &wanted, size, n, 0, &(lipc__deadline){.timeout_ms = timeout_ms}, NULL);
}

int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    return lipc__receive_into(handle, data, size, MSG_PEEK, &(lipc__deadline){.timeout_ms = timeout_ms}, NULL);
}

int64_t lipc_message_size(lipc_handle handle, int timeout_ms) {
#ifdef __linux__
    size_t size = 0;
    int64_t r = lipc__receive_into(handle, NULL, 0, MSG_PEEK, &(lipc__deadline){.timeout_ms = timeout_ms}, &size);
    return r >= 0 || lipc_error_code(r) == LIPC_ETRUNCATED ? (int64_t)size : r;
#else
    (void)handle, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

int64_t lipc_receive_batch(lipc_handle handle, lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (size_t i = 0; i < count; i++, deadline.timeout_ms = 0) {
        size_t size = 0;
        int64_t r = lipc__receive_into(handle, messages[i].data, messages[i].size, 0, &deadline, &size);
        bool truncated = lipc_error_code(r) == LIPC_ETRUNCATED;
        if (r < 0 && !truncated)
            return i > 0 ? (int64_t)i : r;
        messages[i].size = size;
        if (truncated)
            return (int64_t)i + 1;
    }
    return (int64_t)count;
}

/* Decides what follows a failed send of a message: returns 0 to try again, or the error. A socket that sends to a name
 * is always reported as writable, so poll(2) cannot wait for room, and this sleeps. */
static int lipc__send_to_failed(int fd, bool addressed, lipc__deadline *deadline) {
    if (addressed && (errno == EAGAIN || errno == EWOULDBLOCK))
        return lipc__pause(deadline);
    return (int)lipc__send_failed(fd, 0, deadline);
}

static ssize_t lipc__send_once(int fd, const void *data, size_t size) {
    return SYS(lipc__sys_send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR));
}

/* Continues to send a message after a first attempt that failed. Waits until the deadline. */
LIPC__UNLIKELY static int64_t lipc__send_on(int fd, const void *data, size_t size, lipc__deadline *deadline) {
    do {
        int r = lipc__send_to_failed(fd, false, deadline);
        if (r < 0)
            return r;
    } while (lipc__send_once(fd, data, size) < 0);
    return (int64_t)size;
}

static int64_t lipc__send_waiting(int fd, const void *data, size_t size, lipc__deadline *deadline) {
    return lipc__send_once(fd, data, size) >= 0 ? (int64_t)size : lipc__send_on(fd, data, size, deadline);
}

int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    return lipc__send_waiting((int)handle, data, size, &(lipc__deadline){.timeout_ms = timeout_ms});
}

int64_t lipc_send_batch(lipc_handle handle, const lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (size_t i = 0; i < count; i++) {
        int64_t r = lipc__send_waiting((int)handle, messages[i].data, messages[i].size, &deadline);
        if (r < 0)
            return i > 0 ? (int64_t)i : r;
    }
    return (int64_t)count;
}

int64_t lipc_message_limit(lipc_handle handle) {
    int buffer = lipc__option((int)handle, SO_SNDBUF);
#ifdef __linux__
    enum { OVERHEAD = 32 };
    return buffer < OVERHEAD ? buffer : buffer - OVERHEAD;
#else
    return buffer;
#endif
}
