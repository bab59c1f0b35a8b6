/* Messages in several buffers. On Windows nothing else travels with a message. */

/* Joins the buffers, and sends them as one message. */
static int64_t lipc__send_gathered(HANDLE handle, const lipc_buffer *buffers, size_t count, lipc__deadline *deadline) {
    char room[4096] = {0}, *gathered = room;
    size_t size = 0, at = 0;
    if (count == 1)
        return lipc__send(handle, buffers[0].data, buffers[0].size, deadline);
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].size > LIPC__MOST - size)
            return lipc__fault(LIPC_EMSGSIZE);
        size += buffers[i].size;
    }
    if (size > sizeof room)
        gathered = SYS_ALLOCATE(malloc(size));
    if (gathered == NULL)
        return lipc__fault(LIPC_ENOMEM);
    for (size_t i = 0; i < count; at += buffers[i++].size)
        if (buffers[i].size > 0)
            memcpy(gathered + at, buffers[i].data, buffers[i].size);
    int64_t n = lipc__send(handle, gathered, size, deadline);
    if (gathered != room)
        free(gathered);
    return n;
}

int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_message m;
    int r = lipc__options(&m, sizeof m, message);
    if (r < 0)
        return r;
    int has_messages = lipc__has_messages((HANDLE)handle);
    if (has_messages < 0)
        return has_messages;
    if (m.handle_count > 0 || m.credentials != NULL || m.peer != NULL || m.control != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    return has_messages ? lipc__send_gathered((HANDLE)handle, m.buffers, m.buffer_count, &deadline)
                        : lipc_writev(handle, m.buffers, m.buffer_count, timeout_ms);
}

/* Receives from a pipe of bytes. Its end is LIPC_EEND here, as it is for messages. */
static int64_t lipc__receive_bytes(lipc_handle handle, const lipc_message *m, int timeout_ms) {
    int64_t n = lipc_readv(handle, m->buffers, m->buffer_count, timeout_ms);
    return n == 0 ? lipc__fault(LIPC_EEND) : n;
}

int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_message m;
    size_t length = 0;
    int r = lipc__options(&m, sizeof m, message);
    if (r < 0)
        return r;
    int has_messages = lipc__has_messages((HANDLE)handle);
    if (has_messages < 0)
        return has_messages;
    if (m.control != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    int64_t n = has_messages ? lipc__receive((HANDLE)handle, m.buffers, m.buffer_count, &deadline, &length)
                             : lipc__receive_bytes(handle, &m, timeout_ms);
    if (n < 0 && lipc_error_code(n) != LIPC_ETRUNCATED)
        return n;
    message->length = n < 0 ? length : (size_t)n;
    message->handle_count = 0;
    if (m.credentials != NULL)
        memset(m.credentials, 0xff, sizeof *m.credentials);
    if (m.peer != NULL)
        memset(m.peer, 0, sizeof *m.peer);
    if (m.pidfd != NULL)
        *m.pidfd = LIPC_INVALID_HANDLE;
    return n;
}
