/* Unnamed pipes: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write) {
    (void)options, (void)ret_read, (void)ret_write;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_set_inherit(lipc_handle handle, int on) {
    (void)handle, (void)on;
    return lipc__fault(LIPC_ENOTSUP);
}
