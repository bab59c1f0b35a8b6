/* Pipes. Those of CreatePipe cannot be waited for with a timeout, so unnamed pipes are named ones, see
 * lipc__unnamed(). */

int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write) {
    lipc_pipe_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    if ((o.inherit & ~(LIPC_READ | LIPC_WRITE)) != 0 || o.buffer_size < 0 || o.buffer_size > LIPC__MOST)
        return lipc__fault(LIPC_EINVAL);
    bool gives_reader = o.inherit & LIPC_READ, gives_writer = o.inherit & LIPC_WRITE;
    DWORD size = o.buffer_size > 0 ? (DWORD)o.buffer_size : LIPC__PIPE_BUFFER;
    HANDLE reader = INVALID_HANDLE_VALUE, writer;
    lipc__pipe_shape server = {
        .in = true, .instances = 1, .inbound = size, .outbound = size,
        .inherit = gives_reader, .synchronous = gives_reader, /* as other programs expect */
    };
    lipc__client_shape client = {
        .kind = LIPC_STREAM,
        .direction = LIPC_DIRECTION_CLIENT_TO_SERVER,
        .flags = SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION | (gives_writer ? 0 : FILE_FLAG_OVERLAPPED),
        .security = {.nLength = sizeof client.security, .bInheritHandle = gives_writer},
        .server = {.peers = LIPC_PEERS_ANY},
    };
    r = lipc__descriptor_of(&(lipc__audience){.sddl = o.sddl}, &server.descriptor);
    if (r < 0)
        return r;
    r = lipc__unnamed(&server, &client, &reader, &writer);
    LocalFree(server.descriptor);
    if (r < 0)
        return r;
    *ret_read = (lipc_handle)reader;
    *ret_write = (lipc_handle)writer;
    return 0;
}

int64_t lipc_pipe_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    return lipc_readv(handle, buffers, count, timeout_ms);
}

int64_t lipc_pipe_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms) {
    return lipc_writev(handle, buffers, count, timeout_ms);
}
