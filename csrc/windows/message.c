/* Messages: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    (void)handle, (void)data, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    (void)handle, (void)data, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    (void)handle, (void)data, (void)size, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_message_size(lipc_handle handle, int timeout_ms) {
    (void)handle, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_message_limit(lipc_handle handle) {
    (void)handle;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_send_batch(lipc_handle handle, const lipc_buffer *messages, size_t count, int timeout_ms) {
    (void)handle, (void)messages, (void)count, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_receive_batch(lipc_handle handle, lipc_buffer *messages, size_t count, int timeout_ms) {
    (void)handle, (void)messages, (void)count, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms) {
    (void)handle, (void)message, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}

int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms) {
    (void)handle, (void)message, (void)timeout_ms;
    return lipc__fault(LIPC_ENOTSUP);
}
