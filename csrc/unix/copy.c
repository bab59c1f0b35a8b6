/* Copying within the kernel: from a file to a connection, and between a pipe and a connection or a file. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

/* Whether a copy may have raised SIGPIPE. One that moved less than asked may have stopped since the reader is
 * gone: the signal comes at once, though only the next call reports the error. */
static bool lipc__copy_raised(ssize_t n, size_t size) {
    return n < 0 ? errno == EPIPE : (size_t)n < size;
}

static ssize_t lipc__sendfile_quietly(int fd, int file, size_t size) {
    lipc__quiet quiet = lipc__begin_quiet();
    ssize_t n = SYS(sendfile(fd, file, NULL, size));
    lipc__end_quiet(&quiet, lipc__copy_raised(n, size));
    return n;
}

static ssize_t lipc__splice_quietly(int from, int to, size_t size) {
    lipc__quiet quiet = lipc__begin_quiet();
    ssize_t n = SYS(lipc__sys_splice(from, to, size, SPLICE_F_NONBLOCK));
    lipc__end_quiet(&quiet, lipc__copy_raised(n, size));
    return n;
}

/* Checks that what is written to is non-blocking. sendfile(2) has no flag that keeps it from waiting for room, and that
 * of splice(2) is for pipes only. */
static int lipc__check_nonblocking(int to) {
    int flags = SYS(fcntl(to, F_GETFL));
    if (flags < 0)
        return lipc__error_from(errno);
    return flags & O_NONBLOCK ? 0 : lipc__fault(LIPC_EINVAL);
}

int64_t lipc_send_file(lipc_handle handle, lipc_handle file, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int checked = lipc__check_nonblocking((int)handle);
    if (checked < 0)
        return checked;
    for (size_t done = 0;;) {
        size_t most = lipc__at_most(size - done);
        ssize_t n = most > 0 ? lipc__sendfile_quietly((int)handle, (int)file, most) : 0;
        if (n == 0)
            return (int64_t)done;
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        int64_t r = lipc__send_failed((int)handle, done, &deadline);
        if (r != 0)
            return r;
    }
}

/* Decides what follows a failed splice. Returns 1 at the end of the stream, 0 to try again, or the error. The system
 * does not report which of the two has to be waited for, so this waits for both; one that is ready ends its wait at
 * once. */
static int lipc__splice_failed(int from, int to, lipc__deadline *deadline) {
    int os = errno;
    if (os == ECONNRESET) { /* see lipc__receive_failed() and lipc__send_failed() */
        if (lipc__option(from, SO_TYPE) >= 0)
            return 1;
        errno = EPIPE;
    }
    int r = lipc__retry(from, POLLIN, deadline);
    errno = os;
    return r < 0 ? r : lipc__retry(to, POLLOUT, deadline);
}

int64_t lipc_splice(lipc_handle from, lipc_handle to, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int checked = lipc__check_nonblocking((int)to);
    if (checked < 0 || size == 0)
        return checked;
    for (;;) {
        ssize_t n = lipc__splice_quietly((int)from, (int)to, lipc__at_most(size));
        if (n >= 0)
            return n;
        int r = lipc__splice_failed((int)from, (int)to, &deadline);
        if (r != 0)
            return r < 0 ? r : 0;
    }
}

#else

int64_t lipc_send_file(lipc_handle handle, lipc_handle file, size_t size, int timeout_ms) {
    (void)handle, (void)file, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_splice(lipc_handle from, lipc_handle to, size_t size, int timeout_ms) {
    (void)from, (void)to, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

#endif
