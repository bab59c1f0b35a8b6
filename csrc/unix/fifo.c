/* FIFOs: pipes with a name. A path is looked at before it is opened, since opening a device may have an effect, and
 * what was opened is looked at again, since the path may lead elsewhere by then. Opening a FIFO without waiting has no
 * effect on others. */

static int lipc__is_fifo(const struct stat *file) {
    return S_ISFIFO(file->st_mode) ? 0 : lipc__fault(LIPC_ENOTFIFO);
}

int lipc_fifo_create(const char *path, uint32_t mode) {
    lipc__file made = {.pin = -1};
    struct stat there;
    mode = mode != 0 ? mode : 0600;
    if (mode > 0777 || *path == '\0')
        return lipc__fault(LIPC_EINVAL);
    if (SYS(mkfifo(path, (mode_t)mode)) < 0) {
        int r = lipc__error_from(errno);
        if (errno == EEXIST && lstat(path, &there) == 0 && lipc__is_fifo(&there) < 0)
            r = lipc__is_fifo(&there);
        return r;
    }
    int r = lipc__complete(AT_FDCWD, path, -1, (lipc__access){(mode_t)mode, -1}, LIPC_EACCES, &made);
    lipc__file_close(&made);
    return r;
}

static int lipc__fifo_open(const char *path, int flags) {
    struct stat file;
    int fd, r;
    if (SYS(stat(path, &file)) < 0)
        return lipc__error_from(errno);
    r = lipc__is_fifo(&file);
    if (r < 0)
        return r;
    do
        fd = SYS(open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno == ENXIO ? lipc__fault(LIPC_EAGAIN) : lipc__error_from(errno); /* ENXIO: no reader */
    r = SYS(fstat(fd, &file)) < 0 ? lipc__error_from(errno) : lipc__is_fifo(&file);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

int lipc_fifo_open_reader(const char *path, lipc_handle *ret_reader) {
    int fd = lipc__fifo_open(path, O_RDONLY);
    if (fd < 0)
        return fd;
    *ret_reader = fd;
    return 0;
}

int lipc_fifo_wait_writer(lipc_handle reader, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    const struct iovec nowhere = {NULL, 1};
    int kind = lipc__pipe_kind((int)reader); /* on a socket the read below would take a message */
    if (kind < 0)
        return kind;
    for (;;) {
        /* A read into a bad address returns 0 without a writer, and fails with EAGAIN if a writer has written nothing.
         * If there are bytes it fails with EFAULT. They stay, except on systems whose FIFOs are sockets, so FIONREAD
         * asks for them first. */
        int there = 0;
        if (SYS(ioctl((int)reader, FIONREAD, &there)) == 0 && there > 0)
            return 0;
        ssize_t n = SYS(readv((int)reader, &nowhere, 1));
        if (n < 0 && (errno == EAGAIN || errno == EFAULT))
            return 0;
        int r = n < 0 && errno != EINTR ? lipc__error_from(errno) : lipc__pause(&deadline);
        if (r < 0)
            return r;
    }
}

int lipc_fifo_open_writer(const char *path, int timeout_ms, lipc_handle *ret_writer) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (;;) {
        int fd = lipc__fifo_open(path, O_WRONLY);
        if (fd >= 0) {
            *ret_writer = fd;
            return 0;
        }
        int r = lipc_error_code(fd) == LIPC_EAGAIN ? lipc__pause(&deadline) : fd;
        if (r < 0)
            return r;
    }
}
