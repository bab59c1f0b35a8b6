/* Handles: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int lipc_kind(lipc_handle handle) {
    (void)handle;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_adopt(lipc_handle handle) {
    (void)handle;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_duplicate(lipc_handle handle, lipc_handle *ret_handle) {
    (void)handle, (void)ret_handle;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_close(lipc_handle handle) {
    (void)handle;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_local_name(lipc_handle handle, lipc_name *ret_name) {
    (void)handle, (void)ret_name;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_peer_name(lipc_handle handle, lipc_name *ret_name) {
    (void)handle, (void)ret_name;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_set_buffer_size(lipc_handle handle, int direction, int size) {
    (void)handle, (void)direction, (void)size;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_buffer_size(lipc_handle handle, int direction) {
    (void)handle, (void)direction;
    return lipc__fault(LIPC_ENOTSUP);
}
