/* Pipes: making unnamed ones; kinds, sizes, reading and writing of all. Each end has an open file description of its
 * own, and so a non-blocking mode of its own. */

/* The kind of a descriptor that is not a socket. */
static int lipc__pipe_kind(int fd) {
    struct stat file;
    int flags = SYS(fcntl(fd, F_GETFL));
    if (flags < 0 || SYS(fstat(fd, &file)) < 0)
        return lipc__error_from(errno);
    if (!S_ISFIFO(file.st_mode))
        return lipc__fault(LIPC_ENOTSOCK);
    switch (flags & O_ACCMODE) {
    case O_RDONLY: return LIPC_PIPE_READER;
    case O_WRONLY: return LIPC_PIPE_WRITER;
    default: return LIPC_PIPE_DUPLEX;
    }
}

/* A pipe has one buffer for both ends. Linux fails with EBADF also for a descriptor that is not a pipe's. */
#if defined(F_SETPIPE_SZ) && !defined(LIPC_PLAIN_POSIX)

static int lipc__pipe_size_failed(int fd) {
    int os = errno;
    int kind = os == EBADF ? lipc__pipe_kind(fd) : 0;
    return kind < 0 ? kind : lipc__error_from(os);
}

static int lipc__pipe_set_size(int fd, int size) {
    return SYS(fcntl(fd, F_SETPIPE_SZ, size)) < 0 ? lipc__pipe_size_failed(fd) : 0;
}

static int lipc__pipe_size(int fd) {
    int size = SYS(fcntl(fd, F_GETPIPE_SZ));
    return size < 0 ? lipc__pipe_size_failed(fd) : size;
}

#else

static int lipc__pipe_size(int fd) {
    int kind = lipc__pipe_kind(fd);
    return kind < 0 ? kind : lipc__fault(LIPC_ENOTSUP);
}

static int lipc__pipe_set_size(int fd, int size) {
    (void)size;
    return lipc__pipe_size(fd);
}

#endif

/* Reads what is there. Waits until the deadline. */
static int64_t lipc__pipe_read(int fd, const struct iovec *iov, int count, lipc__deadline *deadline) {
    for (;;) {
        ssize_t n = SYS(readv(fd, iov, count));
        if (n >= 0)
            return n;
        int r = lipc__retry(fd, POLLIN, deadline);
        if (r < 0)
            return r;
    }
}

/* writev(2) without SIGPIPE. */
static ssize_t lipc__writev_quietly(int fd, const struct iovec *iov, int count) {
    lipc__quiet quiet = lipc__begin_quiet();
    ssize_t n = SYS(writev(fd, iov, count));
    lipc__end_quiet(&quiet, n < 0 && errno == EPIPE);
    return n;
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
/* The system call itself, since musl has pwritev2(2) only since 1.2.5. It writes at the current position. */
static ssize_t lipc__sys_pwritev2(int fd, const struct iovec *iov, int count, int flags) {
    return syscall(SYS_pwritev2, fd, iov, count, -1L, -1L, flags);
}
#endif

/* Makes one attempt to write. */
static ssize_t lipc__pipe_write(int fd, const struct msghdr *m) {
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    ssize_t n = SYS(lipc__sys_pwritev2(fd, m->msg_iov, (int)m->msg_iovlen, RWF_NOSIGNAL));
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) /* before Linux 6.18 */
        return n;
#endif
    return lipc__writev_quietly(fd, m->msg_iov, (int)m->msg_iovlen);
}

/* Does what the options ask of the ends. */
static int lipc__pipe_set_up(const int *fds, const lipc_pipe_options *o) {
    for (int i = 0; i < 2; i++) {
        bool inherits = (o->inherit & (i == 0 ? LIPC_READ : LIPC_WRITE)) != 0;
#ifdef LIPC__BORN_CLOEXEC
        if (!inherits)
            continue;
#endif
        int r = lipc_set_inherit(fds[i], inherits);
        if (r < 0)
            return r;
    }
    return o->buffer_size > 0 ? lipc__pipe_set_size(fds[1], o->buffer_size) : 0;
}

int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write) {
    lipc_pipe_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    if ((o.inherit & ~(LIPC_READ | LIPC_WRITE)) != 0 || o.buffer_size < 0)
        return lipc__fault(LIPC_EINVAL);
    if (o.sddl != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    int fds[2];
#ifdef LIPC__BORN_CLOEXEC
    r = SYS(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
#else
    r = SYS(pipe(fds));
#endif
    if (r < 0)
        return lipc__error_from(errno);
    r = lipc__pipe_set_up(fds, &o);
    if (r < 0) {
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

int64_t lipc_pipe_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    struct msghdr m;
    size_t size;
    if (!lipc__whole(buffers, count, &m, &size))
        return lipc_readv(handle, buffers, count, timeout_ms);
    return lipc__pipe_read((int)handle, m.msg_iov, (int)m.msg_iovlen, &(lipc__deadline){.timeout_ms = timeout_ms});
}

int64_t lipc_pipe_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    struct msghdr m;
    size_t size;
    ssize_t n = 0;
    if (lipc__whole(buffers, count, &m, &size))
        n = lipc__pipe_write((int)handle, &m);
    if (n > 0 && (size_t)n == size)
        return n;
    return lipc__writev_on((int)handle, buffers, count, n, lipc__pipe_write, timeout_ms);
}
