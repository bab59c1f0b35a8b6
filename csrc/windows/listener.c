/* Listeners: a name, and the instances of its pipe that wait for clients. */

enum {
    LIPC__PENDING_LEAST = 2, /* so that there is one for a client that comes while another is being accepted */
    LIPC__PENDING_DEFAULT = 32,
    LIPC__PENDING_MOST = 64
};

/* An instance that waits for a client. */
typedef struct lipc__pending {
    HANDLE handle;
    OVERLAPPED connecting;
} lipc__pending;

struct lipc_listener {
    lipc_name name;
    lipc__pipe_shape shape;
    lipc_credentials refused; /* of the client that was not admitted last */
    lipc_peer_policy clients; /* with a copy of what it points to */
    HANDLE turn;   /* a semaphore of 1: one thread accepts at a time */
    HANDLE event;  /* of all pending instances: set when a client has connected to one */
    HANDLE shared; /* a duplicate of event for the caller, which may own it */
    bool owns_shared;
    HANDLE reserve; /* see lipc__reserve() */
    size_t wanted, count;
    lipc__pending *pending[LIPC__PENDING_MOST]; /* the oldest first, so that each is taken in its turn */
};

/* Makes a listener that is not open yet, with the users that the policy lists behind it. */
static lipc_listener *lipc__listener_new(const lipc_peer_policy *clients) {
    size_t size = clients->sid_count * sizeof *clients->sids;
    for (size_t i = 0; i < clients->sid_count; i++)
        size += strlen(clients->sids[i]) + 1;
    lipc_listener *l = SYS_ALLOCATE(calloc(1, sizeof *l + size));
    if (l == NULL)
        return NULL;
    const char **sids = (const char **)(l + 1);
    char *text = (char *)(sids + clients->sid_count);
    memset(&l->refused, 0xff, sizeof l->refused);
    l->clients = *clients;
    l->clients.sids = sids;
    for (size_t i = 0; i < clients->sid_count; i++) {
        size_t length = strlen(clients->sids[i]) + 1;
        sids[i] = memcpy(text, clients->sids[i], length);
        text += length;
    }
    return l;
}

/* Has an instance wait for a client. If one has come already, the wait is over at once: even if the client is gone, it
 * may have left something to read. */
static int lipc__pending_listen(lipc__pending *i, HANDLE event) {
    memset(&i->connecting, 0, sizeof i->connecting);
    i->connecting.hEvent = lipc__quiet(event);
    DWORD error = SYS_TRUE(ConnectNamedPipe(i->handle, &i->connecting)) ? 0 : GetLastError();
    switch (error) {
    case 0:
    case ERROR_IO_PENDING: return 0;
    case ERROR_PIPE_CONNECTED:
    case ERROR_NO_DATA: i->connecting.Internal = 0; return 0;
    default: return lipc__error_from(error);
    }
}

/* Has an instance wait with the others. If that fails, closes it. */
static int lipc__pending_add(lipc_listener *l, HANDLE handle) {
    lipc__pending *i = SYS_ALLOCATE(calloc(1, sizeof *i));
    if (i == NULL) {
        CloseHandle(handle);
        return lipc__fault(LIPC_ENOMEM);
    }
    i->handle = handle;
    int r = lipc__pending_listen(i, l->event);
    if (r < 0) {
        CloseHandle(handle);
        free(i);
        return r;
    }
    l->pending[l->count++] = i;
    return 0;
}

static void lipc__pending_remove(lipc_listener *l, size_t at) {
    free(l->pending[at]);
    for (l->count--; at < l->count; at++)
        l->pending[at] = l->pending[at + 1];
}

static int lipc__pending_new(lipc_listener *l) {
    HANDLE handle = NULL;
    int r = lipc__instance_create(&l->shape, FILE_OPEN, &handle);
    return r < 0 ? r : lipc__pending_add(l, handle);
}

/* Keeps one instance more, to which no client can connect: this process has connected to it, and it does not listen
 * again. Without it the name could become free while this server listens: when no instance can be made to wait, and all
 * connections end. Another server could then take the name, and further instances of this one would join its pipe.
 *
 * If a client connects to the instance first, it is accepted like others, and another instance is tried.
 * ERROR_PIPE_BUSY with all wanted instances pending means that clients do this again and again: then the instance is
 * kept, and its client is disconnected. */
static int lipc__reserve(lipc_listener *l, HANDLE handle) {
    for (;;) {
        DWORD error = lipc__knock(l->shape.path.text);
        if (error == 0 || (error == ERROR_PIPE_BUSY && l->count == l->wanted)) {
            l->reserve = handle;
            return SYS_TRUE(DisconnectNamedPipe(handle)) ? 0 : lipc__error_from(GetLastError());
        }
        if (error != ERROR_PIPE_BUSY) {
            CloseHandle(handle);
            return lipc__error_from(error);
        }
        int r = lipc__pending_add(l, handle);
        if (r >= 0)
            r = lipc__instance_create(&l->shape, FILE_OPEN, &handle);
        if (r < 0)
            return r;
    }
}

/* Makes instances until as many wait as are wanted. Fails only if none waits in the end. */
static int lipc__replenish(lipc_listener *l) {
    int r = 0;
    while (r >= 0 && l->count < l->wanted)
        r = lipc__pending_new(l);
    return l->count > 0 ? 0 : r;
}

/* Takes an instance that a client has connected to; INVALID_HANDLE_VALUE if there is none. Then the event stays unset
 * until there is one.
 *
 * When a thread ends, the system ends the operations that it started. Such an instance starts to wait again. Starting
 * an operation unsets the event, so all instances are looked at again after that. */
static HANDLE lipc__take_connected(lipc_listener *l) {
    for (bool restarted = true; restarted;) {
        restarted = false;
        (void)SYS_TRUE(ResetEvent(l->event));
        for (size_t at = 0; at < l->count; at++) {
            lipc__pending *i = l->pending[at];
            DWORD size;
            if (!lipc__is_over(&i->connecting))
                continue;
            bool connected = GetOverlappedResult(i->handle, &i->connecting, &size, FALSE);
            if (!connected && lipc__pending_listen(i, l->event) >= 0) {
                restarted = true;
                continue;
            }
            HANDLE handle = i->handle;
            lipc__pending_remove(l, at--);
            if (connected)
                return handle;
            CloseHandle(handle);
        }
    }
    return INVALID_HANDLE_VALUE;
}

static int lipc__accept(lipc_listener *l, lipc__deadline *deadline, HANDLE *ret_handle) {
    for (;;) {
        int r = lipc__replenish(l);
        bool starved = r < 0 && lipc_error_os(r) == ERROR_PIPE_BUSY; /* until a connection ends */
        if (r < 0 && !starved)
            return r;
        HANDLE handle = lipc__take_connected(l);
        if (handle != INVALID_HANDLE_VALUE) {
            lipc__replenish(l);
            SetEvent(l->event); /* there may be more */
            *ret_handle = handle;
            return 0;
        }
        if (starved) {
            int waited = lipc__pause(deadline);
            if (waited < 0)
                return lipc_error_code(waited) == LIPC_EAGAIN ? r : waited;
            continue;
        }
        int left = lipc__time_left(deadline);
        if (left < -1)
            return left;
        WaitForSingleObject(l->event, lipc__milliseconds(left));
    }
}

/* Accepts the next connection, whoever its client is, when no other thread does. */
static int lipc__accept_any(lipc_listener *l, lipc__deadline *deadline, HANDLE *ret_handle) {
    int left = deadline->timeout_ms == 0 ? 0 : lipc__time_left(deadline);
    if (WaitForSingleObject(l->turn, lipc__milliseconds(left)) != WAIT_OBJECT_0)
        return lipc__fault(deadline->timeout_ms == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT);
    int r = lipc__accept(l, deadline, ret_handle);
    ReleaseSemaphore(l->turn, 1, NULL);
    return r;
}

/* Whether the client of a connection is gone, and has left nothing to read: for instance one for messages that found a
 * pipe of bytes. If this end does not read, the client counts as there. */
static bool lipc__gave_up(HANDLE handle) {
    return !PeekNamedPipe(handle, NULL, 0, NULL, NULL, NULL) && GetLastError() == ERROR_BROKEN_PIPE;
}

static void lipc__note_refused(lipc_listener *l, lipc_handle client) {
    memset(&l->refused, 0xff, sizeof l->refused);
    lipc_peer_credentials(client, &l->refused);
}

/* Stores the path of a pipe that this process may listen on: one of this machine. */
static int lipc__listening_path(const lipc_name *name, lipc__wide *ret_path) {
    int r = lipc__wide_of(name, ret_path);
    if (r < 0)
        return r;
    return lipc__is_remote(ret_path) ? lipc__fault(LIPC_ENAME) : 0;
}

int lipc_name_obstacle(const lipc_name *name, int kind, int64_t *ret_pid) {
    lipc__wide wide;
    int r = lipc__check_kind(kind);
    if (r >= 0)
        r = lipc__listening_path(name, &wide);
    if (r < 0)
        return r;
    *ret_pid = -1; /* asking who the server is would take one of its instances */
    return WaitNamedPipeW(wide.text, 1) || GetLastError() != ERROR_FILE_NOT_FOUND ? LIPC_OBSTACLE_SERVER
                                                                                : LIPC_OBSTACLE_NONE;
}

void lipc_listener_refused(const lipc_listener *l, lipc_credentials *ret_credentials) {
    *ret_credentials = l->refused;
}

int lipc_accept(lipc_listener *l, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    for (;;) {
        HANDLE handle = INVALID_HANDLE_VALUE;
        int r = lipc__accept_any(l, &deadline, &handle);
        if (r < 0)
            return r;
        bool gave_up = lipc__gave_up(handle);
        if (!gave_up && lipc__peer_check((lipc_handle)handle, &l->clients) >= 0) {
            if (ret_peer != NULL)
                memset(ret_peer, 0, sizeof *ret_peer);
            *ret_connection = (lipc_handle)handle;
            return 0;
        }
        if (!gave_up)
            lipc__note_refused(l, (lipc_handle)handle);
        (void)SYS_TRUE(DisconnectNamedPipe(handle)); /* otherwise the client could keep the instance by not closing */
        CloseHandle(handle);
        /* A client that connects again and again must not keep this going beyond the timeout. */
        int left = lipc__time_left(&deadline);
        if (left < -1)
            return lipc_error_code(left) == LIPC_EAGAIN && !gave_up ? lipc__fault(LIPC_EACCES) : left;
    }
}

static int lipc__shape_of(const lipc_name *name, const lipc_listen_options *o, const lipc_listen_windows *w,
                          lipc__pipe_shape *ret_shape) {
    int r = lipc__check_kind(o->kind);
    if (r < 0)
        return r;
    if (o->group != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    if (o->mode > 0777 || o->backlog < 0 || w->direction < LIPC_DIRECTION_DEFAULT ||
        w->direction > LIPC_DIRECTION_SERVER_TO_CLIENT ||
        w->instances >= PIPE_UNLIMITED_INSTANCES || w->inbound_buffer > LIPC__MOST || w->outbound_buffer > LIPC__MOST ||
        (w->sddl != NULL && w->group_sid != NULL) || (w->half_close && w->direction > LIPC_DIRECTION_DUPLEX))
        return lipc__fault(LIPC_EINVAL);
    lipc__pipe_shape shape = {
        .in = w->direction != LIPC_DIRECTION_SERVER_TO_CLIENT,
        .out = w->direction != LIPC_DIRECTION_CLIENT_TO_SERVER,
        .message = o->kind == LIPC_MESSAGE,
        .half_close = w->half_close != 0,
        .accepts_remote = w->accept_remote != 0,
        .write_through = w->write_through != 0,
        .inherit = w->inherit != 0,
        .instances = w->instances > 0 ? w->instances + 1 : (DWORD)-1,
        .inbound = w->inbound_buffer > 0 ? w->inbound_buffer : LIPC__PIPE_BUFFER,
        .outbound = w->outbound_buffer > 0 ? w->outbound_buffer : LIPC__PIPE_BUFFER,
        .default_wait = w->default_wait_ms,
    };
    r = lipc__listening_path(name, &shape.path);
    if (r < 0)
        return r;
    const lipc__audience audience = {.sddl = w->sddl, .administrators = name->type == LIPC_NAME_SYSTEM,
                                     .others = o->mode & 0002, .group = w->group_sid};
    r = lipc__descriptor_of(&audience, &shape.descriptor);
    if (r < 0)
        return r;
    *ret_shape = shape;
    return 0;
}

/* How many instances wait for clients. */
static size_t lipc__wanted(const lipc_listen_options *o, const lipc_listen_windows *w) {
    size_t wanted = o->backlog > 0 ? (size_t)o->backlog : LIPC__PENDING_DEFAULT;
    wanted = max(LIPC__PENDING_LEAST, min(wanted, LIPC__PENDING_MOST));
    return w->instances > 0 ? min(wanted, w->instances) : wanted;
}

/* Takes the name, and has instances wait for clients. lipc_listener_close() is due in either case. */
static int lipc__listener_open(lipc_listener *l) {
    HANDLE first = NULL, self = GetCurrentProcess();
    l->turn = SYS_ALLOCATE(CreateSemaphoreW(NULL, 1, 1, NULL));
    if (l->turn == NULL)
        return lipc__error_from(GetLastError());
    l->event = SYS_ALLOCATE(CreateEventW(NULL, TRUE, FALSE, NULL));
    if (l->event == NULL ||
        !SYS_TRUE(DuplicateHandle(self, l->event, self, &l->shared, 0, FALSE, DUPLICATE_SAME_ACCESS)))
        return lipc__error_from(GetLastError());
    int r = lipc__instance_first(&l->shape, &first);
    if (r < 0)
        return r;
    r = lipc__reserve(l, first);
    if (r < 0)
        return r;
    r = lipc__replenish(l); /* fails if the security descriptor does not let this user make more instances */
    /* ERROR_PIPE_BUSY: clients of a server that is gone have as many instances as there may be. */
    return lipc_error_os(r) == ERROR_PIPE_BUSY ? 0 : r;
}

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    lipc_listen_windows w;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    r = lipc__options(&w, sizeof w, o.windows);
    if (r < 0)
        return r;
    lipc_peer_policy clients;
    r = lipc__policy_of(o.clients, &clients);
    if (r < 0)
        return r;
    lipc_listener *l = lipc__listener_new(&clients);
    if (l == NULL)
        return lipc__fault(LIPC_ENOMEM);
    r = lipc__shape_of(name, &o, &w, &l->shape);
    if (r < 0) {
        free(l);
        return r;
    }
    l->wanted = lipc__wanted(&o, &w);
    l->name = *name;
    l->owns_shared = true;
    r = lipc__listener_open(l);
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options, lipc_listener **ret_listener) {
    (void)handle, (void)options, (void)ret_listener;
    return lipc__fault(LIPC_ENOTSUP);
}

lipc_handle lipc_listener_handle(const lipc_listener *l) {
    return (lipc_handle)l->shared;
}

lipc_handle lipc_listener_detach(lipc_listener *l) {
    l->owns_shared = false;
    return (lipc_handle)l->shared;
}

void lipc_listener_name(const lipc_listener *l, lipc_name *ret_name) {
    *ret_name = l->name;
}

void lipc_listener_set_unlink(lipc_listener *l, int unlink) {
    (void)l, (void)unlink; /* the name goes away with the last instance */
}

/* Closes an instance once the system does not write to it any more. The event is set then; but a program that shares it
 * may reset it, so the wait for it is short. */
static void lipc__pending_close(lipc__pending *i, HANDLE event) {
    CancelIoEx(i->handle, &i->connecting);
    while (!lipc__is_over(&i->connecting))
        WaitForSingleObject(event, 1);
    CloseHandle(i->handle);
    free(i);
}

void lipc_listener_close(lipc_listener *l) {
    if (l == NULL)
        return;
    while (l->count > 0)
        lipc__pending_close(l->pending[--l->count], l->event);
    if (l->reserve != NULL)
        CloseHandle(l->reserve);
    if (l->shared != NULL && l->owns_shared)
        CloseHandle(l->shared);
    if (l->event != NULL)
        CloseHandle(l->event);
    if (l->turn != NULL)
        CloseHandle(l->turn);
    LocalFree(l->shape.descriptor);
    free(l);
}
