/* Bytes: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    (void)handle, (void)data, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    (void)handle, (void)buffers, (void)count, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    (void)handle, (void)data, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    (void)handle, (void)buffers, (void)count, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_shutdown(lipc_handle handle, int direction) {
    (void)handle, (void)direction;
    return lipc__fault(LIPC_ENOTSUP);
}
