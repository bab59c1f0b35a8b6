/* Messages: sent and received whole. */

/* One attempt to receive. Returns the size of what was stored, LIPC_EEND, LIPC_ETRUNCATED; -1 with errno otherwise.
 * ret_size, if not NULL, gets the size of the whole message, as far as the system tells it.
 *
 * An empty message and the end both read as 0 bytes. Linux: a receiver with SO_PASSCRED is owed the sender's
 * credentials with every message, and MSG_CTRUNC says that there was no room for them; with the end there is none.
 * Elsewhere: every message is sent with MSG_EOR, which its receiver gets back. */
static int64_t lipc__receive(int fd, void *data, size_t size, int flags, size_t *ret_size) {
    struct iovec iov = {data, size};
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
#ifdef __linux__
    flags |= MSG_TRUNC; /* the result is the size of the whole message, recv(2) */
    const int owed = MSG_CTRUNC;
#else
    const int owed = MSG_EOR | MSG_TRUNC;
#endif
    ssize_t n = SYS(recvmsg(fd, &m, flags | MSG_DONTWAIT));
    if (n < 0)
        return -1;
    if (n == 0 && !(m.msg_flags & owed))
        return lipc__fault(LIPC_EEND);
    bool truncated = (m.msg_flags & MSG_TRUNC) != 0;
    if (ret_size != NULL)
        *ret_size = (size_t)n > size || !truncated ? (size_t)n : size + 1;
    return truncated ? lipc__fault(LIPC_ETRUNCATED) : n;
}

/* Receives or peeks, waiting as long as it takes. */
static int64_t lipc__receive_waiting(int fd, void *data, size_t size, int flags, lipc__deadline *deadline,
                                     size_t *ret_size) {
    for (;;) {
        int64_t n = lipc__receive(fd, data, size, flags, ret_size);
        if (n != -1)
            return n;
        if (errno == ECONNRESET) /* Linux reports it once, ahead of the messages that are still there */
            continue;
        int r = lipc__retry(fd, POLLIN, deadline);
        if (r < 0)
            return r;
    }
}

int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    return lipc__receive_waiting((int)handle, data, size, 0, &deadline, NULL);
}

int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    return lipc__receive_waiting((int)handle, data, size, MSG_PEEK, &deadline, NULL);
}

int64_t lipc_message_size(lipc_handle handle, int timeout_ms) {
#ifdef __linux__
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    size_t size = 0;
    int64_t r = lipc__receive_waiting((int)handle, NULL, 0, MSG_PEEK, &deadline, &size);
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
        int64_t r = lipc__receive_waiting((int)handle, messages[i].data, messages[i].size, 0, &deadline, &size);
        bool truncated = lipc_error_code(r) == LIPC_ETRUNCATED;
        if (r < 0 && !truncated)
            return i > 0 ? (int64_t)i : r;
        messages[i].size = size;
        if (truncated)
            return (int64_t)i + 1;
    }
    return (int64_t)count;
}

/* Sends one message, waiting as long as it takes. */
static int64_t lipc__send_waiting(int fd, const void *data, size_t size, lipc__deadline *deadline) {
    for (;;) {
        if (SYS(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR)) >= 0)
            return (int64_t)size;
        int64_t r = lipc__send_failed(fd, 0, deadline);
        if (r != 0)
            return r;
    }
}

int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    return lipc__send_waiting((int)handle, data, size, &deadline);
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
