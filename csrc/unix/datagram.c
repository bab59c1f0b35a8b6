/* Datagrams: messages that are sent to a name, and received with the name of their sender. */

int lipc_datagram(lipc_handle *ret_handle) {
    int fd = lipc__socket(SOCK_DGRAM);
    if (fd < 0)
        return fd;
    *ret_handle = fd;
    return 0;
}

int lipc_datagram_connect(lipc_handle handle, const lipc_name *peer) {
    int type = lipc__option((int)handle, SO_TYPE);
    if (type < 0)
        return type;
    if (type != SOCK_DGRAM)
        return lipc__fault(LIPC_ENOTSOCK);
    lipc__address address;
    socklen_t length = sizeof address.header;
    memset(&address, 0, sizeof address);
    address.header.sa_family = AF_UNSPEC;
    if (peer != NULL) {
        bool is_file;
        int r = lipc__address_of(peer, false, &address, &length, &is_file);
        if (r < 0)
            return r;
    }
    while (SYS(connect((int)handle, &address.header, length)) < 0) {
#ifndef __linux__
        if (peer == NULL && (errno == EAFNOSUPPORT || errno == EINVAL)) /* it is dissolved nevertheless */
            return 0;
#endif
        if (errno != EINTR)
            return lipc__error_from(errno);
    }
    return 0;
}

int64_t lipc_send_to(lipc_handle handle, const void *data, size_t size, const lipc_name *peer, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc__address address;
    socklen_t length;
    bool is_file;
    int r = lipc__address_of(peer, false, &address, &length, &is_file);
    while (r >= 0) {
        if (SYS(sendto((int)handle, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, &address.header, length)) >= 0)
            return (int64_t)size;
        r = lipc__send_to_failed((int)handle, true, &deadline);
    }
    return r;
}

int64_t lipc_receive_from(lipc_handle handle, void *data, size_t size, int timeout_ms, lipc_name *ret_peer) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    struct iovec iov = {data, size};
    struct msghdr m;
    lipc__address address;
    memset(&m, 0, sizeof m);
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    m.msg_name = &address;
    m.msg_namelen = sizeof address;
    int64_t n = lipc__receive_waiting((int)handle, &m, size, 0, &deadline, NULL);
    if (n >= 0 || lipc_error_code(n) == LIPC_ETRUNCATED)
        lipc__name_of(&address, m.msg_namelen, ret_peer);
    return n;
}
