/* Bytes: reading, writing, shutting down. */

static int64_t lipc__read(HANDLE handle, void *data, size_t size, lipc__deadline *deadline) {
    while (size > 0) {
        DWORD n, error = lipc__transfer(LIPC__READS, handle, data, size, deadline, &n);
        if (lipc__is_end(error))
            return 0;
        if (error != 0 && error != ERROR_MORE_DATA)
            return lipc__transfer_error(error);
        if (n > 0 || lipc__has_halves(handle))
            return n;
        /* A write of no bytes to a pipe of bytes means nothing. */
    }
    return 0;
}

int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    return lipc__read((HANDLE)handle, data, size, &deadline);
}

/* The system cannot scatter what it reads from a pipe, so what is there is read buffer by buffer. The end of a half is
 * there only once, so it must not be read after bytes. */
int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    DWORD there;
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (total > 0 && (!PeekNamedPipe((HANDLE)handle, NULL, 0, NULL, &there, NULL) || there == 0))
            break;
        int64_t n = lipc__read((HANDLE)handle, buffers[i].data, buffers[i].size, &deadline);
        if (n < 0)
            return total > 0 ? total : n;
        total += n;
        if ((size_t)n < buffers[i].size)
            break;
        if (total > 0)
            deadline.timeout_ms = 0;
    }
    return total;
}

/* Writes all, and adds how much it wrote to *done, also if it fails. */
static int lipc__write(HANDLE handle, const char *data, size_t size, lipc__deadline *deadline, size_t *done) {
    for (size_t piece = lipc__piece(handle, size); size > 0;) {
        DWORD n, error = lipc__transfer(LIPC__WRITES, handle, (void *)data, min(size, piece), deadline, &n);
        data += n;
        size -= n;
        *done += n;
        if (error != 0)
            return lipc__transfer_error(error);
    }
    return 0;
}

int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    size_t done = 0;
    int r = lipc__write((HANDLE)handle, data, size, &deadline, &done);
    return done > 0 ? (int64_t)done : r;
}

/* Writes all buffers, and adds how much it wrote to *done, also if it fails. The system cannot gather either: small
 * buffers are joined here, large ones are written as they are. */
static int lipc__writev(HANDLE handle, const lipc_buffer *buffers, size_t count, lipc__deadline *deadline,
                        size_t *done) {
    char gathered[4096];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = buffers[i].size;
        if (size > sizeof gathered - used) {
            int r = lipc__write(handle, gathered, used, deadline, done);
            if (r < 0)
                return r;
            used = 0;
        }
        if (size > sizeof gathered) {
            int r = lipc__write(handle, buffers[i].data, size, deadline, done);
            if (r < 0)
                return r;
        } else if (size > 0) {
            memcpy(gathered + used, buffers[i].data, size);
            used += size;
        }
    }
    return lipc__write(handle, gathered, used, deadline, done);
}

int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    size_t done = 0;
    int r = lipc__writev((HANDLE)handle, buffers, count, &deadline, &done);
    return done > 0 ? (int64_t)done : r;
}

int lipc_shutdown(lipc_handle handle, int direction) {
    DWORD flags;
    if (direction < LIPC_READ || direction > (LIPC_READ | LIPC_WRITE))
        return lipc__fault(LIPC_EINVAL);
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    if (direction != LIPC_WRITE || !lipc__has_halves((HANDLE)handle))
        return lipc__fault(LIPC_ENOTSUP);
    /* A reader of bytes would read an empty message together with what is before it, and not notice it. */
    r = lipc_flush(handle, 0);
    if (r < 0)
        return r;
    lipc__deadline deadline = {.timeout_ms = 0};
    DWORD n, error = lipc__transfer(LIPC__WRITES, (HANDLE)handle, NULL, 0, &deadline, &n);
    return error == 0 ? 0 : lipc__transfer_error(error);
}
