/* Listeners: not on Windows in this version. Every function fails with LIPC_ENOTSUP. */

struct lipc_listener {
    lipc_handle handle;
    lipc_name name;
};

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    (void)name, (void)ret_listener;
    int r = lipc__options(&o, sizeof o, options);
    return r < 0 ? r : lipc__fault(LIPC_ENOTSUP);
}

int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options, lipc_listener **ret_listener) {
    (void)handle, (void)options, (void)ret_listener;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_accept(lipc_listener *l, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection) {
    (void)l, (void)timeout_ms, (void)ret_peer, (void)ret_connection;
    return lipc__fault(LIPC_ENOTSUP);
}

lipc_handle lipc_listener_handle(const lipc_listener *l) {
    return l->handle;
}

lipc_handle lipc_listener_detach(lipc_listener *l) {
    return l->handle;
}

void lipc_listener_name(const lipc_listener *l, lipc_name *ret_name) {
    *ret_name = l->name;
}

void lipc_listener_set_unlink(lipc_listener *l, int unlink) {
    (void)l, (void)unlink;
}

void lipc_listener_close(lipc_listener *l) {
    (void)l;
}
