/* Unnamed pipes, and reading and writing of all pipes. Each end has an open file description, and so a non-blocking
 * mode, of its own. */

/* Reads what is there, waiting as long as it takes. */
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

/* For a call that may raise SIGPIPE and has no flag against it: the signal is blocked around the call, and taken back. */
typedef struct lipc__quiet {
    sigset_t mask; /* as it was */
    bool was_pending;
} lipc__quiet;

static sigset_t lipc__pipe_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

static bool lipc__pipe_signal_pending(void) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

static lipc__quiet lipc__begin_quiet(void) {
    lipc__quiet quiet;
    sigset_t pipe_signal = lipc__pipe_signal();
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &quiet.mask);
    quiet.was_pending = lipc__pipe_signal_pending();
    return quiet;
}

/* raised: whether the call may have raised the signal. errno stays as the call left it. */
static void lipc__end_quiet(const lipc__quiet *quiet, bool raised) {
    int os = errno, taken;
    sigset_t pipe_signal = lipc__pipe_signal();
    if (raised && !quiet->was_pending && lipc__pipe_signal_pending())
        sigwait(&pipe_signal, &taken);
    pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
    errno = os;
}

/* writev(2) without SIGPIPE. */
static ssize_t lipc__writev_quietly(int fd, const struct iovec *iov, int count) {
    lipc__quiet quiet = lipc__begin_quiet();
    ssize_t n = SYS(writev(fd, iov, count));
    lipc__end_quiet(&quiet, n < 0 && errno == EPIPE);
    return n;
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
/* The system call itself, at the current position: musl has pwritev2(2) only since 1.2.5. */
static ssize_t lipc__pwritev2(int fd, const struct iovec *iov, int count, int flags) {
    return syscall(SYS_pwritev2, fd, iov, count, -1L, -1L, flags);
}
#endif

/* One attempt to write. */
static ssize_t lipc__pipe_write(int fd, const struct msghdr *m) {
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    ssize_t n = SYS(lipc__pwritev2(fd, m->msg_iov, (int)m->msg_iovlen, RWF_NOSIGNAL));
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) /* before Linux 6.18 */
        return n;
#endif
    return lipc__writev_quietly(fd, m->msg_iov, (int)m->msg_iovlen);
}

int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write) {
    lipc_pipe_options o;
    int fds[2], r = lipc__options(&o, sizeof o, options);
    if (r >= 0 && ((o.inherit & ~(LIPC_READ | LIPC_WRITE)) != 0 || o.buffer_size < 0))
        r = lipc__fault(LIPC_EINVAL);
    if (r >= 0 && o.sddl != NULL)
        r = lipc__fault(LIPC_ENOTSUP);
    if (r < 0)
        return r;
#ifdef LIPC__BORN_CLOEXEC
    r = SYS(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
#else
    r = SYS(pipe(fds));
#endif
    if (r < 0)
        return lipc__error_from(errno);
    for (int i = 0; r >= 0 && i < 2; i++) {
        bool inherits = (o.inherit & (i == 0 ? LIPC_READ : LIPC_WRITE)) != 0;
#ifdef LIPC__BORN_CLOEXEC
        r = inherits ? lipc_set_inherit(fds[i], true) : 0;
#else
        r = lipc_set_inherit(fds[i], inherits);
#endif
    }
    if (r >= 0 && o.buffer_size > 0)
        r = lipc__pipe_set_size(fds[1], o.buffer_size);
    if (r < 0) {
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}
