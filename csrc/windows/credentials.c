/* Credentials: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials) {
    (void)handle, (void)ret_credentials;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_peer_groups(lipc_handle handle, size_t capacity, uint32_t *ret_groups) {
    (void)handle, (void)capacity, (void)ret_groups;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_set_pass_credentials(lipc_handle handle, int on) {
    (void)handle, (void)on;
    return lipc__fault(LIPC_ENOTSUP);
}
