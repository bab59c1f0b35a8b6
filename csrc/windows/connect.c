/* Connecting, and making pairs. */

/* The access that a client asks for, by direction. It does not ask for GENERIC_WRITE, which includes the right to make
 * instances of the pipe; only the server has that. It needs FILE_WRITE_ATTRIBUTES, which GENERIC_READ does not include,
 * for message mode, SetNamedPipeHandleState. */
static DWORD lipc__client_access(int direction, int kind) {
    DWORD access = SYNCHRONIZE | READ_CONTROL | FILE_READ_ATTRIBUTES;
    if (direction != LIPC_DIRECTION_SERVER_TO_CLIENT)
        access |= FILE_WRITE_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES;
    if (direction != LIPC_DIRECTION_CLIENT_TO_SERVER)
        access |= FILE_READ_DATA | FILE_READ_EA | (kind == LIPC_MESSAGE ? FILE_WRITE_ATTRIBUTES : 0);
    return access;
}

/* How a client opens a pipe: the arguments of CreateFile. */
typedef struct lipc__client_shape {
    lipc__wide path;
    int kind, direction;
    bool half_close; /* it has to have halves */
    DWORD flags;
    SECURITY_ATTRIBUTES security;
    lipc_peer_policy server; /* to whom it stays connected */
} lipc__client_shape;

static int lipc__open_as(lipc__client_shape *shape, DWORD access, HANDLE *ret_handle) {
    HANDLE h = SYS_HANDLE(CreateFileW(shape->path.text, access, 0, &shape->security, OPEN_EXISTING, shape->flags,
                                      NULL));
    if (h == INVALID_HANDLE_VALUE)
        return lipc__error_from(GetLastError());
    *ret_handle = h;
    return 0;
}

/* The direction that the server gave the pipe. */
static int lipc__direction_of(HANDLE handle) {
    static const int directions[] = {LIPC_DIRECTION_CLIENT_TO_SERVER, LIPC_DIRECTION_SERVER_TO_CLIENT,
                                     LIPC_DIRECTION_DUPLEX};
    lipc__pipe_local_information information;
    int r = lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information);
    return r < 0 || information.configuration > 2 ? LIPC_DIRECTION_DUPLEX : directions[information.configuration];
}

/* Opens a pipe whose direction is to be found out. If it lets nobody both read and write, it is tried one way, then the
 * other. Wine 8 lets everybody do anything, so the direction of the pipe that was opened is also looked at. */
static int lipc__open_any(lipc__client_shape *shape, HANDLE *ret_handle) {
    static const int any[] = {LIPC_DIRECTION_DUPLEX, LIPC_DIRECTION_SERVER_TO_CLIENT, LIPC_DIRECTION_CLIENT_TO_SERVER};
    HANDLE h = INVALID_HANDLE_VALUE;
    int tried = LIPC_DIRECTION_DUPLEX, r = lipc__fault(LIPC_EACCES);
    for (size_t i = 0; i < sizeof any / sizeof *any && lipc_error_code(r) == LIPC_EACCES; i++) {
        tried = any[i];
        r = lipc__open_as(shape, lipc__client_access(tried, shape->kind), &h);
    }
    if (r < 0)
        return r;
    int direction = lipc__direction_of(h);
    if (direction != tried) {
        if (tried == LIPC_DIRECTION_DUPLEX)
            r = lipc__change_access(&h, lipc__client_access(direction, shape->kind));
        else /* the pipe is duplex, but this user may use it one way only */
            r = lipc__fault(LIPC_EACCES);
        if (r < 0) {
            CloseHandle(h);
            return r;
        }
    }
    *ret_handle = h;
    return 0;
}

static int lipc__open(lipc__client_shape *shape, HANDLE *ret_handle) {
    HANDLE h = INVALID_HANDLE_VALUE;
    if (shape->direction == LIPC_DIRECTION_DEFAULT)
        return lipc__open_any(shape, ret_handle);
    int r = lipc__open_as(shape, lipc__client_access(shape->direction, shape->kind), &h);
    if (r < 0)
        return r;
    int direction = lipc__direction_of(h);
    if (direction != shape->direction && direction != LIPC_DIRECTION_DUPLEX) { /* the pipe goes the other way */
        CloseHandle(h);
        return lipc__fault(LIPC_EACCES);
    }
    *ret_handle = h;
    return 0;
}

/* Sets up an end that was opened for a kind of connection. LIPC_ENOTSOCK: it is of another kind, or lacks halves. */
static int lipc__set_kind(HANDLE handle, const lipc__client_shape *shape) {
    DWORD flags, mode = PIPE_READMODE_MESSAGE;
    int r = lipc__check_pipe(handle, &flags);
    if (r < 0)
        return r;
    if (!(flags & PIPE_TYPE_MESSAGE))
        return shape->kind == LIPC_MESSAGE || shape->half_close ? lipc__fault(LIPC_ENOTSOCK) : 0;
    if (shape->kind != LIPC_MESSAGE)
        return 0;
    int access = lipc_pipe_access((lipc_handle)handle);
    if (access < 0)
        return access;
    if ((access & LIPC_READ) && !SYS_TRUE(SetNamedPipeHandleState(handle, &mode, NULL, NULL)))
        return lipc__error_from(GetLastError());
    return 0;
}

/* Makes one attempt to connect. LIPC_EAGAIN: all instances are busy. */
static int lipc__connect_once(lipc__client_shape *shape, HANDLE *ret_handle) {
    HANDLE h = INVALID_HANDLE_VALUE;
    int r = lipc__open(shape, &h);
    if (r < 0)
        return r;
    r = lipc__peer_check((lipc_handle)h, &shape->server);
    if (r >= 0)
        r = lipc__set_kind(h, shape);
    if (r < 0) {
        CloseHandle(h);
        return r;
    }
    *ret_handle = h;
    return 0;
}

/* Makes one attempt within the time that is left: reaching another machine may take long. */
static int lipc__connect_in_time(lipc__client_shape *shape, lipc__deadline *deadline, HANDLE *ret_handle) {
    if (!lipc__is_remote(&shape->path))
        return lipc__connect_once(shape, ret_handle);
    lipc__cut cut;
    int left = deadline->timeout_ms == 0 ? 0 : lipc__time_left(deadline);
    if (left < -1)
        return left;
    DWORD error = lipc__cut_begin(&cut, left);
    int r = error == 0 ? lipc__connect_once(shape, ret_handle) : lipc__error_from(error);
    lipc__cut_end(&cut);
    return lipc__was_cut(&cut, (DWORD)lipc_error_os(r)) ? lipc__fault(left == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT) : r;
}

static int lipc__client_shape_of(const lipc_name *name, const lipc_connect_options *o, const lipc_connect_windows *w,
                                 lipc__client_shape *ret_shape) {
    static const DWORD levels[] = {SECURITY_IDENTIFICATION, SECURITY_ANONYMOUS, SECURITY_IDENTIFICATION,
                                   SECURITY_IMPERSONATION, SECURITY_DELEGATION};
    int r = lipc__check_kind(o->kind);
    if (r < 0)
        return r;
    if (w->direction < LIPC_DIRECTION_DEFAULT || w->direction > LIPC_DIRECTION_SERVER_TO_CLIENT ||
        w->impersonation < LIPC_IMPERSONATION_DEFAULT || w->impersonation > LIPC_IMPERSONATION_DELEGATE ||
        (w->half_close && w->direction > LIPC_DIRECTION_DUPLEX))
        return lipc__fault(LIPC_EINVAL);
    lipc__client_shape shape = {
        .kind = o->kind,
        .direction = w->direction,
        .half_close = w->half_close != 0,
        .flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | levels[w->impersonation] |
                 (w->write_through ? FILE_FLAG_WRITE_THROUGH : 0),
        .security = {.nLength = sizeof shape.security, .bInheritHandle = w->inherit != 0},
    };
    r = lipc__server_policy(name, o->server, &shape.server);
    if (r >= 0)
        r = lipc__wide_of(name, &shape.path);
    if (r >= 0)
        *ret_shape = shape;
    return r;
}

int lipc_connect(const lipc_name *name, const lipc_connect_options *options, int timeout_ms,
                 lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_connect_options o;
    lipc_connect_windows w;
    lipc__client_shape shape;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    r = lipc__options(&w, sizeof w, o.windows);
    if (r < 0)
        return r;
    r = lipc__client_shape_of(name, &o, &w, &shape);
    if (r < 0)
        return r;
    /* WaitNamedPipe cannot wait here: another client may take the instance that it found, and it takes a timeout of 0
     * for the server's default. */
    for (;;) {
        HANDLE h;
        r = lipc__connect_in_time(&shape, &deadline, &h);
        if (r >= 0) {
            *ret_connection = (lipc_handle)h;
            return 0;
        }
        if (lipc_error_code(r) != LIPC_EAGAIN)
            return r;
        r = lipc__pause(&deadline);
        if (r < 0)
            return r;
    }
}

/* Makes the two ends of a pipe without a name. Windows has no such pipes, so its name is random, and nobody can wait
 * for it; it goes away with its only instance. */
static int lipc__unnamed(lipc__pipe_shape *server, lipc__client_shape *client, HANDLE *ret_server, HANDLE *ret_client) {
    int r = lipc__random_path(&server->path);
    if (r < 0)
        return r;
    client->path = server->path;
    r = lipc__instance_create(server, FILE_CREATE, ret_server);
    if (r < 0)
        return r;
    r = lipc__connect_once(client, ret_client);
    if (r < 0)
        CloseHandle(*ret_server);
    return r;
}

int lipc_pair(int kind, lipc_handle *ret_a, lipc_handle *ret_b) {
    if (kind != LIPC_STREAM && kind != LIPC_MESSAGE)
        return lipc__fault(kind == LIPC_DATAGRAM ? LIPC_ENOTSUP : LIPC_EINVAL);
    HANDLE a = INVALID_HANDLE_VALUE, b;
    lipc__pipe_shape server = {
        .in = true, .out = true, .message = kind == LIPC_MESSAGE, .instances = 1,
        .inbound = LIPC__PIPE_BUFFER, .outbound = LIPC__PIPE_BUFFER,
    };
    lipc__client_shape client = {
        .kind = kind,
        .direction = LIPC_DIRECTION_DUPLEX,
        .flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
        .security = {.nLength = sizeof client.security},
        .server = {.peers = LIPC_PEERS_ANY},
    };
    int r = lipc__descriptor_of(&(lipc__audience){.sddl = NULL}, &server.descriptor);
    if (r < 0)
        return r;
    r = lipc__unnamed(&server, &client, &a, &b);
    LocalFree(server.descriptor);
    if (r < 0)
        return r;
    *ret_a = (lipc_handle)a;
    *ret_b = (lipc_handle)b;
    return 0;
}
