/* Handles: how they are made, and what can be found out about them. */

/* Makes a descriptor close-on-exec and non-blocking, and keeps it from raising SIGPIPE, where it was not made so at
 * once. */
static int lipc__prepare(int fd) {
    int own = SYS(fcntl(fd, F_GETFD)), shared = own < 0 ? -1 : SYS(fcntl(fd, F_GETFL));
    if (own < 0 || shared < 0 || SYS(fcntl(fd, F_SETFD, own | FD_CLOEXEC)) < 0)
        return lipc__error_from(errno);
    if (SYS(fcntl(fd, F_SETFL, shared | O_NONBLOCK)) < 0) {
        int r = lipc__error_from(errno);
        fcntl(fd, F_SETFD, own);
        return r;
    }
#ifdef SO_NOSIGPIPE
    /* macOS refuses options with EINVAL once the peer has closed, but what the peer wrote can still be read. Writes are
     * kept from raising the signal by MSG_NOSIGNAL too, where the system is recent enough to have it. For pipes see
     * lipc__pipe_write(). */
    int on = 1;
    if (SYS(setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on)) < 0 && errno != EINVAL && errno != ENOTSOCK)
        return lipc__error_from(errno);
#endif
    return 0;
}

#ifdef LIPC__BORN_CLOEXEC
#define LIPC__SOCKET_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#else
#define LIPC__SOCKET_FLAGS 0
#endif

/* Completes a descriptor where the system has no LIPC__SOCKET_FLAGS. Returns it. If that fails, closes it. */
static int lipc__born(int fd) {
#ifdef LIPC__BORN_CLOEXEC
    return fd;
#else
    int r = lipc__prepare(fd);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
#endif
}

static inline int lipc__sys_accept(int fd, struct sockaddr *ret_address, socklen_t *length) {
#ifdef LIPC__BORN_CLOEXEC
    return accept4(fd, ret_address, length, LIPC__SOCKET_FLAGS);
#else
    return accept(fd, ret_address, length); /* lipc__born() does the rest */
#endif
}

static int lipc__socket(int type) {
    int fd = SYS(socket(AF_UNIX, type | LIPC__SOCKET_FLAGS, 0));
    return fd < 0 ? lipc__error_from(errno) : lipc__born(fd);
}

/* The socket type of a kind; 0 is the default kind. */
static int lipc__type_of(int kind) {
    switch (kind) {
    case 0:
    case LIPC_STREAM: return SOCK_STREAM;
#ifdef __APPLE__ /* SOCK_SEQPACKET is defined, but there are no such sockets */
    case LIPC_MESSAGE: return lipc__fault(LIPC_ENOTSUP);
#else
    case LIPC_MESSAGE: return SOCK_SEQPACKET;
#endif
    case LIPC_DATAGRAM: return SOCK_DGRAM;
    default: return lipc__fault(LIPC_EINVAL);
    }
}

/* Makes it possible to tell an empty message from the end, see lipc__is_message(). Sockets that a listener accepts
 * inherit it. A client sets it after connecting: connect(2) would give a socket that has it set a name. */
static int lipc__mark_messages(int fd, int type) {
#ifdef __linux__
    int on = 1;
    if (type == SOCK_SEQPACKET && SYS(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) < 0)
        return lipc__error_from(errno);
#endif
    (void)fd, (void)type;
    return 0;
}

static int lipc__option(int fd, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    if (SYS(getsockopt(fd, SOL_SOCKET, option, &value, &length)) < 0)
        return lipc__error_from(errno);
    return value;
}

/* Whether a stream socket listens. */
static int lipc__listens(int fd, const lipc__address *name, socklen_t name_length) {
#ifdef LIPC__TELLS_LISTENERS
    (void)name, (void)name_length;
    return lipc__option(fd, SO_ACCEPTCONN);
#else
    /* It does if it has a name but no peer. On some systems that is also so of an accepted connection whose peer is
     * gone. */
    lipc__address peer;
    socklen_t length = sizeof peer;
    if (SYS(getpeername(fd, &peer.header, &length)) == 0)
        return 0;
    if (errno != ENOTCONN && errno != EINVAL)
        return lipc__error_from(errno);
    return name_length > LIPC__ADDRESS_HEADER && name->local.sun_path[0] != '\0';
#endif
}

int lipc_kind(lipc_handle handle) {
    int fd = (int)handle;
    lipc__address a;
    socklen_t length = sizeof a;
    memset(&a, 0, sizeof a);
    if (SYS(getsockname(fd, &a.header, &length)) < 0)
        return errno == ENOTSOCK ? lipc__pipe_kind(fd) : lipc__error_from(errno);
    int type = lipc__option(fd, SO_TYPE);
    if (type < 0)
        return type;
    if (a.header.sa_family != AF_UNIX)
        return lipc__fault(LIPC_ENOTSOCK);
    if (type == SOCK_DGRAM)
        return LIPC_DATAGRAM;
    if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
        return lipc__fault(LIPC_ENOTSOCK);
    int kind = type == SOCK_STREAM ? LIPC_STREAM : LIPC_MESSAGE;
    int listens = lipc__listens(fd, &a, length);
    if (listens < 0)
        return listens;
    return listens ? kind | LIPC_LISTENER : kind;
}

int lipc_adopt(lipc_handle handle) {
    int kind = lipc_kind(handle);
    if (kind < 0)
        return kind;
    if ((kind & ~LIPC_LISTENER) == LIPC_MESSAGE) {
        int r = lipc__mark_messages((int)handle, SOCK_SEQPACKET);
        if (r < 0)
            return r;
    }
    int r = lipc__prepare((int)handle);
    return r < 0 ? r : kind;
}

int lipc_set_inherit(lipc_handle handle, int on) {
    if (!on)
        return lipc__prepare((int)handle);
    int own = SYS(fcntl((int)handle, F_GETFD)), shared = own < 0 ? -1 : SYS(fcntl((int)handle, F_GETFL));
    if (own < 0 || shared < 0 || SYS(fcntl((int)handle, F_SETFL, shared & ~O_NONBLOCK)) < 0)
        return lipc__error_from(errno);
    if (SYS(fcntl((int)handle, F_SETFD, own & ~FD_CLOEXEC)) < 0) {
        int r = lipc__error_from(errno);
        fcntl((int)handle, F_SETFL, shared);
        return r;
    }
    return 0;
}

int lipc_duplicate(lipc_handle handle, lipc_handle *ret_handle) {
    int fd = SYS(fcntl((int)handle, F_DUPFD_CLOEXEC, 0));
    if (fd < 0)
        return lipc__error_from(errno);
    *ret_handle = fd;
    return 0;
}

/* After EINTR the descriptor is closed on every system in use except HP-UX, so close(2) is never called again. */
int lipc_close(lipc_handle handle) {
    return close((int)handle) < 0 && errno != EINTR ? lipc__error_from(errno) : 0;
}

static int lipc__socket_name(int fd, bool peer, lipc_name *ret_name) {
    lipc__address a;
    socklen_t length = sizeof a;
    memset(&a, 0, sizeof a);
    int r = peer ? SYS(getpeername(fd, &a.header, &length)) : SYS(getsockname(fd, &a.header, &length));
    if (r < 0)
        return lipc__error_from(errno);
    if (a.header.sa_family != AF_UNIX)
        return lipc__fault(LIPC_ENOTSOCK);
    lipc__name_of(&a, length, ret_name);
    return 0;
}

int lipc_local_name(lipc_handle handle, lipc_name *ret_name) {
    return lipc__socket_name((int)handle, false, ret_name);
}

int lipc_peer_name(lipc_handle handle, lipc_name *ret_name) {
    return lipc__socket_name((int)handle, true, ret_name);
}

static int lipc__buffer_option(int direction) {
    switch (direction) {
    case LIPC_READ: return SO_RCVBUF;
    case LIPC_WRITE: return SO_SNDBUF;
    default: return -1;
    }
}

int lipc_set_buffer_size(lipc_handle handle, int direction, int size) {
    int option = lipc__buffer_option(direction);
    if (option < 0 || size <= 0)
        return lipc__fault(LIPC_EINVAL);
    if (SYS(setsockopt((int)handle, SOL_SOCKET, option, &size, sizeof size)) < 0)
        return errno == ENOTSOCK ? lipc__pipe_set_size((int)handle, size) : lipc__error_from(errno);
    return 0;
}

int lipc_buffer_size(lipc_handle handle, int direction) {
    int option = lipc__buffer_option(direction);
    if (option < 0)
        return lipc__fault(LIPC_EINVAL);
    int size = lipc__option((int)handle, option);
    return lipc_error_code(size) == LIPC_ENOTSOCK ? lipc__pipe_size((int)handle) : size;
}
