/* Connecting: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int lipc_connect(const lipc_name *name, const lipc_connect_options *options, int timeout_ms,
                 lipc_handle *ret_connection) {
    (void)name, (void)options, (void)timeout_ms, (void)ret_connection;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_pair(int kind, lipc_handle *ret_a, lipc_handle *ret_b) {
    (void)kind, (void)ret_a, (void)ret_b;
    return lipc__fault(LIPC_ENOTSUP);
}
